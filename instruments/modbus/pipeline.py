"""Requests that are on their way at the same time, over Modbus TCP."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sockio.condition import Condition
from sockio.deadline import DEFAULT, check_timeout
from sockio.errors import ProtocolError
from sockio.framing import Framing, Need

from ..base import Standalone
from . import requests
from .codec import Request, check_unit, log, socket_framer, take_tcp_frame, tcp_frame
from .errors import ModbusError
from .station import Station, transactions

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from sockio.buffer import Buffer
    from sockio.checks import Data
    from sockio.deadline import Timeout
    from sockio.stream import Stream

    from .values import Kind, Order

T = TypeVar("T")

#: How many requests a device takes at once: 1 to 16, says the MBAP guide (section 4.2.2), which depends on the device.
WINDOW = 16

#: What transaction numbers of 16 bits tell apart.
MOST = 0xFFFF


class Answer(Generic[T]):
    """The answer to a request in a pipeline: ``await`` it, or call `result`, for the value.

    Either sends what has not been sent yet, if need be.
    """

    __slots__ = ("_error", "_pipeline", "_settled", "_value", "request")

    def __init__(self, pipeline: Pipeline, request: Request[T]) -> None:
        self.request = request
        self._pipeline = pipeline
        self._settled = Condition()
        self._value: Any = None
        self._error: BaseException | None = PENDING

    def done(self) -> bool:
        """Tell whether it has come, or never will."""
        return self._error is not PENDING

    def result(self) -> T:
        """Return the value, waiting for it where calls block or give futures.

        Raises:
            ModbusError: the device has answered with an exception.
            OSError, ProtocolError: the connection failed before it came, see `Pipeline`.
            RuntimeError: it has not come, and has to be awaited.
        """
        if self._error is PENDING:
            pipeline = self._pipeline
            if pipeline.link.flavour == "async":
                raise RuntimeError(f"function {self.request.function} has not been answered yet: await its answer")
            pipeline.link.wait(pipeline._wait_for(self))
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def __await__(self) -> Generator[Any, None, T]:
        if self._error is PENDING:
            yield from self._pipeline._wait_for(self).__await__()
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def _settle(self, value: Any, error: BaseException | None = None) -> None:
        self._value = value
        self._error = error
        self._settled.wake()


#: The error of an answer that has not come.
PENDING = RuntimeError("not answered yet")


class Replies(Framing[Any]):
    """Takes all the answers that have come, and settles them.

    Attributes:
        open: what has been sent and not been answered, by transaction.
    """

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.open: dict[int, Answer[Any]] = {}

    def encode(self, frame: bytes) -> bytes:
        return frame

    def decode(self, buffer: Buffer) -> int | Need:
        """Return how many answers there were, one or more."""
        count = 0
        while True:
            adu = take_tcp_frame(buffer)
            if isinstance(adu, Need):
                return count or adu
            _, unit, transaction, pdu = socket_framer.decode(adu)
            answer = self.open.get(transaction)
            if answer is None:
                log.warning("dropped the answer to transaction %d, which nobody waits for", transaction)
                continue
            check_unit(self.unit, unit, adu)
            outcome = answer.request.answer(unit, pdu)
            if outcome.__class__ is ModbusError:
                outcome.resource = answer._pipeline._device.address
                answer._settle(None, outcome)
            else:
                answer._settle(outcome)
            del self.open[transaction]  # at last, so that an interrupt loses none
            count += 1


class Pipeline(Standalone):
    """Requests to one device over Modbus TCP that do not wait for each other's answers.

    ::

        async with device.pipeline() as pipeline:
            answers = [pipeline.read_holding(address, 10) for address in range(0, 1000, 10)]
        values = [await answer for answer in answers]

    A call queues its request, and returns an `Answer`. Requests are sent when somebody waits for an answer, and at the
    end of the block; several tasks or threads can do that at once, and each gets its own. The device may answer in any
    order.

    If an answer does not come in time, or makes no sense, or the connection is lost, the connection is closed, and all
    requests that have not been answered fail with that error. They are not sent again. Of those that had been sent
    nobody knows whether the device has obeyed.

    Args:
        device: over Modbus TCP.
        window: how many requests are on their way at most, up to 65535; see the manual of the device.
        timeout: seconds in which the next answer has to come; the device's own without it.

    Raises:
        ValueError: the device is not on Modbus TCP, or takes broadcasts; or there is no such window.
    """

    def __init__(self, device: Station, window: int = WINDOW, timeout: Timeout = DEFAULT) -> None:
        super().__init__(device)
        if device._protocol != "tcp" or device._broadcast:
            raise ValueError(f"{device!r}: only answers over Modbus TCP say what they answer")
        self._device = device
        self._window = requests.whole("window", window, 1, MOST)
        self._timeout = timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        self._queued: deque[Answer[Any]] = deque()
        self._unanswered: dict[int, Answer[Any]] = {}  # by transaction
        self._waited_for: list[Answer[Any]] = []  # while somebody else sends and receives
        self._running = threading.Lock()  # by whoever sends and receives; the others wait for their answers

    # Requests

    def read_coil(self, address: int, count: int = 1) -> Answer[list[bool]]:
        """Ask for up to 2000 coils."""
        return self._add(requests.read_bits(1, address, count))

    def read_discrete(self, address: int, count: int = 1) -> Answer[list[bool]]:
        """Ask for up to 2000 discrete inputs."""
        return self._add(requests.read_bits(2, address, count))

    def read_holding(self, address: int, count: int = 1) -> Answer[list[int]]:
        """Ask for up to 125 holding registers."""
        return self._add(requests.read_registers(3, address, count))

    def read_input(self, address: int, count: int = 1) -> Answer[list[int]]:
        """Ask for up to 125 input registers."""
        return self._add(requests.read_registers(4, address, count))

    def read_values(
        self,
        address: int,
        kind: Kind,
        count: int = 1,
        *,
        table: str = "holding",
        byte_order: Order = "big",
        word_order: Order = "big",
    ) -> Answer[list[Any]]:
        """Ask for numbers in a row; see `ModBusDevice.read_values`."""
        return self._add(requests.read_values(address, kind, count, table, byte_order, word_order))

    def write_coil(self, address: int, value: bool) -> Answer[None]:
        """Write one coil."""
        return self._add(requests.write_coil(address, value))

    def write_register(self, address: int, value: int) -> Answer[None]:
        """Write one holding register."""
        return self._add(requests.write_register(address, value))

    def write_coils(self, address: int, values: Sequence[bool]) -> Answer[None]:
        """Write up to 1968 coils."""
        return self._add(requests.write_coils(address, values))

    def write_registers(self, address: int, values: Sequence[int]) -> Answer[None]:
        """Write up to 123 holding registers."""
        return self._add(requests.write_registers(address, values))

    def write_values(
        self,
        address: int,
        kind: Kind,
        numbers: Sequence[float],
        *,
        byte_order: Order = "big",
        word_order: Order = "big",
    ) -> Answer[None]:
        """Write numbers in a row to up to 123 holding registers."""
        return self._add(requests.write_values(address, kind, numbers, byte_order, word_order))

    def send_custom_command(self, code: int, data: Data = b"", reply_length: int | None = None) -> Answer[bytes]:
        """Send a request with any function code; see `ModBusDevice.send_custom_command`."""
        return self._add(requests.custom(code, data, reply_length))

    def _add(self, request: Request[T]) -> Answer[T]:
        answer = Answer(self, request)
        self._queued.append(answer)
        return answer

    # Sending and receiving

    async def flush(self) -> None:
        """Send what has not been sent, and wait until everything has been answered.

        An exception that the device answers with is not raised here, but where that answer is awaited.

        Raises:
            OSError, ProtocolError: the connection failed.
        """
        queued = list(self._queued)  # first, as what is sent meanwhile is entered among the unanswered before it leaves
        answers = [*reversed(queued), *self._unanswered.values()]
        for answer in answers:
            await self._wait(answer)
        for answer in answers:
            if answer._error is not None and not isinstance(answer._error, ModbusError):
                raise answer._error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.flush()
            return
        for answer in self._queued:  # a block that raises sends no more
            answer._settle(None, given_up(error))
        self._queued.clear()

    async def _wait_for(self, answer: Answer[Any]) -> None:
        """Return when an answer has its value; others may have failed since it came."""
        try:
            await self._wait(answer)
        except Exception:
            if answer._error is not None:
                raise

    async def _wait(self, answer: Answer[Any]) -> None:
        """Return when an answer has been settled. One of those who wait sends and receives for all."""
        while not answer.done():
            if self._running.acquire(blocking=False):
                try:
                    await self._device._call(self._run, self._timeout, answer)
                finally:
                    self._running.release()
                    for other in list(self._waited_for):  # those whose answers have not come see to it themselves
                        other._settled.wake()
            else:
                await self._wait_for_others(answer)

    async def _wait_for_others(self, answer: Answer[Any]) -> None:
        """Wait until an answer has been settled, or whoever sends and receives has stopped."""
        runtime = self._device._here()[0]
        self._waited_for.append(answer)
        try:
            await answer._settled.wait_for(runtime, lambda: answer.done() or not self._running.locked(), None)
        finally:
            self._waited_for.remove(answer)

    async def _run(self, stream: Stream, wanted: Answer[Any], timeout: float | None) -> None:
        """Send what is queued, and receive the answers, until the one that is wanted has come.

        What is on its way by then is still waited for, so that the link is in step.
        """
        replies = Replies(self._device._unit)
        unanswered = self._unanswered = replies.open
        try:
            while unanswered or not wanted.done():
                fresh = not unanswered
                data = b"" if wanted.done() else self._next_frames(unanswered)
                if fresh:
                    await stream.write_readframe(data, replies, timeout)
                    continue
                if data:
                    await stream.write(data, timeout)
                await stream.readframe(replies, timeout)
        except BaseException as error:
            stream.distrust()
            self._give_up(unanswered, error)
            raise

    def _next_frames(self, unanswered: dict[int, Answer[Any]]) -> bytes:
        """Return what is sent next: all that the window has room for, as soon as half of it is free."""
        if len(unanswered) > self._window // 2:
            return b""
        frames = []
        while self._queued and len(unanswered) < self._window:
            answer = self._queued[0]
            if not answer.done():
                while (transaction := next(transactions) & 0xFFFF) in unanswered:
                    pass  # it has gone all the way around while that one was waited for
                frames.append(tcp_frame(answer.request, self._device._unit, transaction))
                unanswered[transaction] = answer
            self._queued.popleft()  # at last, so that an interrupt loses none
        return b"".join(frames)

    def _give_up(self, unanswered: dict[int, Answer[Any]], error: BaseException) -> None:
        """Settle what will not be answered; what has not been sent either, unless its task was only cancelled."""
        for answer in unanswered.values():
            if not answer.done():
                answer._settle(None, given_up(error))
        unanswered.clear()
        while self._queued and isinstance(error, Exception):
            self._queued.popleft()._settle(None, given_up(error))


def given_up(error: BaseException) -> BaseException:
    """Return what a request fails with that has not been answered because of an error, each with one of its own."""
    if isinstance(error, ProtocolError):
        return ProtocolError(str(error), error.data)
    text = f"not answered, as the pipeline ended with {error!r}"
    return type(error)(text) if isinstance(error, TimeoutError) else ConnectionAbortedError(text)
