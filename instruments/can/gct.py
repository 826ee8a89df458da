"""Requests to the nodes of a bus with the GCT protocol."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from sockio.deadline import DEFAULT, seconds_until
from sockio.errors import DeadlineExpired

from ..base import Standalone
from .bus import CanBus
from .codec import DDP, MONITORING_DATA, SYS_CTRL, TYPE_MASK
from .ddp import MAX_DATA
from .filters import CanFilter
from .gct_messages import (
    GCTCAN_BROADCAST_ADDRESS,
    READINGS,
    DdpMessage,
    GctMessage,
    Heartbeat,
    MonitoringData,
    MonitoringRequest,
    SysCtrlMessage,
    SysCtrlType,
)
from .messages import bytes_of, check_range
from .receiver import GctReceiver, native_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from sockio.deadline import Timeout
    from sockio.resource import Address

    from .gct_messages import Data

#: The node that a controller usually is, and the destination that is every node.
CONTROLLER_NODEID = 0x7E
BROADCAST_ADDR = GCTCAN_BROADCAST_ADDRESS

#: How long answers are waited for, in seconds: that of the protocol's usual clients.
DEFAULT_DDP_TIMEOUT = 0.1
SYSCTRL_TIMEOUT = 0.5
MONITORING_TIMEOUT = 0.1

#: How long after a request that failed an answer to it may still come, in seconds; longer if its time is not up yet.
LATEST_ANSWER = 0.1

#: The frames that answers are in.
FRAMES: dict[type[GctMessage], list[CanFilter]] = {
    kind: [CanFilter(number << 25, TYPE_MASK, True)]
    for kind, number in ((SysCtrlMessage, SYS_CTRL), (MonitoringData, MONITORING_DATA), (DdpMessage, DDP))
}

#: Bit 7 of the first byte of a DDP message: a response is wanted.
RESPONSE = 0x80


class GctCanBus(Standalone):
    """Commands to the nodes of a bus, and their answers (GCT protocol).

    Answers name no request. Requests that could take each other's answers wait for one another; after one that failed
    the next such one waits until no late answer can come: until the time of the failed one would be up, and 0.1 s at
    least, which are not counted in its timeout. That is so also after a DDP request to all nodes.

    Args:
        bus: a `CanBus`, or the resource string of one.
        ddp_version: the version in which DDP messages are sent, 1 or 2. Both are understood.

    Attributes:
        ddp_version: as above.
    """

    def __init__(self, bus: CanBus | str | Address, ddp_version: int = 2) -> None:
        super().__init__()
        if ddp_version not in MAX_DATA or isinstance(ddp_version, bool):
            raise ValueError(f"ddp_version must be 1 or 2, not {ddp_version!r}")
        self._bus: CanBus = native_of(bus) if isinstance(bus, CanBus) else CanBus(bus)
        self.ddp_version = ddp_version

    @property
    def can_bus(self) -> CanBus:
        """The bus."""
        return self._bus

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('Blocking').removeprefix('Futures')}({self._bus.address!r})"

    async def connect(self, timeout: Timeout = DEFAULT) -> Self:
        """Open the bus now instead of at the first request; return this object."""
        await self._bus.connect(timeout)
        return self

    async def disconnect(self) -> None:
        """Close the bus, which others may share."""
        await self._bus.disconnect()

    # SysCtrl

    async def sysctrl_request(
        self,
        src: int,
        cmd: int,
        data: Data | None = None,
        dst: int = BROADCAST_ADDR,
        timeout: float | None = SYSCTRL_TIMEOUT,
    ) -> bytes:
        """Ask for the value of a command, and return it.

        Args:
            src: the node that asks.
            cmd: the command, 0 to 511.
            data: what is written with the request, up to 8 bytes.
            dst: the node that is asked; 0x7F for all, of which the first to answer counts.
            timeout: seconds.

        Raises:
            ConnectionTimeoutError: there was no answer in time.
            ValueError: there can be no such request.
        """
        request = SysCtrlMessage(src, dst, cmd, SysCtrlType.QUERY, bytes_of(data or b""))

        def is_answer(message: SysCtrlMessage) -> bool:
            is_value = message.cmd == cmd and message.tp is SysCtrlType.VALUE
            return is_value and is_from(dst, message) and message.dst in (src, BROADCAST_ADDR)

        (answer,) = await self._ask([("SysCtrl", cmd)], request, timeout, SysCtrlMessage, is_answer)
        value: bytes = answer.data
        return value

    async def sysctrl_write(self, src: int, cmd: int, data: Data = b"", dst: int = BROADCAST_ADDR) -> None:
        """Send a command that nobody answers."""
        await self._bus.send(SysCtrlMessage(src, dst, cmd, SysCtrlType.EMPTY, bytes_of(data)))

    async def sysctrl_announce(self, src: int, cmd: int, data: Data = b"", dst: int = BROADCAST_ADDR) -> None:
        """Send the value of a command: an answer, or an announcement."""
        await self._bus.send(SysCtrlMessage(src, dst, cmd, SysCtrlType.VALUE, bytes_of(data)))

    # Monitoring

    async def fetch_readings(
        self,
        src: int,
        group_idx: int,
        idx: int | Iterable[int],
        dst: int = BROADCAST_ADDR,
        timeout: float | None = MONITORING_TIMEOUT,
    ) -> list[MonitoringData]:
        """Ask for readings, and return them in the order of their indexes.

        Args:
            src: the node that asks.
            group_idx: the group that the readings are of, 0 to 31.
            idx: the index of a reading, or several, 0 to 63.
            dst: the node that is asked; 0x7F for all, of which the first to send a reading counts.
            timeout: seconds for all of them.

        Raises:
            ConnectionTimeoutError: some did not come in time; the error names them.
            ValueError: there can be no such request.
        """
        wanted = sorted({idx} if isinstance(idx, int) else set(idx))
        if not wanted:
            return []
        for each in wanted:
            check_range("idx", each, READINGS - 1)
        request = MonitoringRequest(src, dst, group_idx, sum(1 << each for each in wanted))

        def is_answer(message: MonitoringData) -> bool:
            return message.group_idx == group_idx and message.reading_idx in wanted and is_from(dst, message)

        def is_complete(answers: list[MonitoringData]) -> bool:
            return len({answer.reading_idx for answer in answers}) == len(wanted)

        key = ("Monitoring", group_idx)
        answers = await self._ask([key], request, timeout, MonitoringData, is_answer, is_complete)
        first = {answer.reading_idx: answer for answer in reversed(answers)}
        return [first[each] for each in wanted]

    async def read_single(
        self,
        src: int,
        group_idx: int,
        idx: int,
        dst: int = BROADCAST_ADDR,
        timeout: float | None = MONITORING_TIMEOUT,
    ) -> MonitoringData:
        """Ask for one reading, and return it; see `fetch_readings`."""
        return (await self.fetch_readings(src, group_idx, idx, dst, timeout))[0]

    async def read_single_and_decode(
        self,
        src: int,
        group_idx: int,
        idx: int,
        format: str,
        dst: int = BROADCAST_ADDR,
        timeout: float | None = MONITORING_TIMEOUT,
    ) -> tuple[Any, ...]:
        """Ask for one reading, and return the values in it; see `fetch_readings`.

        Args:
            format: of the values, as `struct` has it: ``"<f"``, ``"<HH"``, ...

        Raises:
            ValueError: the reading has another size.
        """
        size = struct.calcsize(format)
        data = (await self.read_single(src, group_idx, idx, dst, timeout)).data
        if len(data) != size:
            where = f"reading {idx} of group {group_idx}"
            raise ValueError(f"expected {size} bytes for {format!r} in {where}, got {data!r}")
        return struct.unpack(format, data)

    async def monitoring_data(self, src: int, group_idx: int, reading_idx: int, data: Data) -> None:
        """Send a reading of one's own to everybody."""
        await self._bus.send(MonitoringData(src, group_idx, reading_idx, bytes_of(data)))

    async def heartbeat(self, src: int, product_id: int) -> None:
        """Send a sign of life to everybody."""
        await self._bus.send(Heartbeat(src, product_id))

    # DDP

    async def ddp(
        self, src_addr: int, dst_addr: int, data: Data, timeout: float | None = DEFAULT_DDP_TIMEOUT
    ) -> bytes | None:
        """Send a DDP message; return the next one that comes back, if one is wanted.

        Args:
            src_addr: the node that sends.
            dst_addr: the node that it is for.
            data: the message. If bit 7 of its first byte is set, a response is wanted.
            timeout: seconds.

        Returns:
            The response with its first byte; None at once if none is wanted.

        Raises:
            ConnectionTimeoutError: there was no response in time.
            ValueError: the message is empty or too long.
        """
        return await self._ddp(src_addr, dst_addr, bytes_of(data), timeout, None)

    async def ddp_request(
        self, cmd: int, src_addr: int, dst_addr: int, data: Data, timeout: float | None = DEFAULT_DDP_TIMEOUT
    ) -> bytes:
        """Send a command with data; return the response to it, with its first byte.

        Messages that come back with another command, whatever their bit 7, are none.

        Args:
            cmd: the command; bit 7 is set.
            src_addr, dst_addr, timeout: as for `ddp`.
            data: what comes after the command.
        """
        check_range("cmd", cmd, 0xFF)
        message = bytes([cmd | RESPONSE]) + bytes_of(data)
        response = await self._ddp(src_addr, dst_addr, message, timeout, cmd & ~RESPONSE)
        assert response is not None
        return response

    async def ddp_write(
        self, cmd: int, src_addr: int, dst_addr: int, data: Data, timeout: float | None = DEFAULT_DDP_TIMEOUT
    ) -> None:
        """Send a command with data that nobody answers; the arguments are those of `ddp_request`."""
        check_range("cmd", cmd, 0xFF)
        message = DdpMessage(src_addr, dst_addr, bytes([cmd & ~RESPONSE]) + bytes_of(data), self.ddp_version)
        await self._bus.send(message, timeout)

    async def _ddp(self, src: int, dst: int, data: bytes, timeout: float | None, cmd: int | None) -> bytes | None:
        if not data:
            raise ValueError("a DDP message must not be empty")
        request = DdpMessage(src, dst, data, self.ddp_version)
        if not data[0] & RESPONSE:
            await self._bus.send(request, timeout)
            return None

        responses = () if cmd is None else (cmd, cmd | RESPONSE)

        def is_answer(message: DdpMessage) -> bool:
            is_response = message.dst == src and is_from(dst, message)
            return is_response and (cmd is None or message.data[:1] in [bytes([each]) for each in responses])

        # One to all nodes could take the answer to one to any of them, and they that of any to it.
        nodes = range(BROADCAST_ADDR) if dst == BROADCAST_ADDR else [dst]
        keys = [("DDP", src, node) for node in nodes]
        (answer,) = await self._ask(keys, request, timeout, DdpMessage, is_answer)
        response: bytes = answer.data
        return response

    # Requests and answers

    async def _ask(
        self,
        keys: Sequence[tuple[Hashable, ...]],
        request: GctMessage,
        timeout: float | None,
        kind: type[GctMessage],
        is_answer: Callable[[Any], bool],
        is_complete: Callable[[list[Any]], bool] = bool,
    ) -> list[Any]:
        """Send a request, and return the answers to it.

        Args:
            keys: what requests have in common that could take each other's answers; if there are several, others than
                the first to answer may still do so.
            request: is checked before anything else happens.
            timeout: seconds, from the moment at which no late answer to somebody else can come any more.
            kind: what answers are.
            is_answer: tells whether one of these is an answer.
            is_complete: tells whether these are all.
        """
        request.check()
        runtime, connection = self._bus._here()
        deadline = self._bus._deadline(runtime, timeout)
        answers: list[Any] = []

        def select(message: GctMessage) -> GctMessage | None:
            return message if type(message) is kind and is_answer(message) else None

        def left() -> float | None:
            return seconds_until(deadline, runtime.clock())

        try:
            async with AsyncExitStack() as stack:
                for key in keys:
                    await stack.enter_async_context(connection.turns(key).turn(repr(request), deadline))
                silent_until = connection.silent_until
                silent = max(silent_until.get(key, 0.0) for key in keys) - runtime.clock()
                if silent > 0:
                    await runtime.sleep(silent)
                    deadline = self._bus._deadline(runtime, timeout)
                receiver = native_of(GctReceiver(self._bus, FRAMES[kind], 0).map(select))
                sent = False
                try:
                    await receiver.connect(left())
                    await self._bus.send(request, left())
                    sent = True
                    while not is_complete(answers):
                        answers.append(await receiver.next(left()))
                    if len(keys) > 1:
                        silent_until.update(dict.fromkeys(keys, runtime.clock() + LATEST_ANSWER))
                except BaseException as error:
                    latest = runtime.clock() + LATEST_ANSWER
                    if deadline is not None and (sent or not isinstance(error, Exception)):
                        latest = max(latest, deadline)
                    silent_until.update(dict.fromkeys(keys, latest))
                    raise
                finally:
                    await receiver.disconnect()
        except (TimeoutError, DeadlineExpired) as error:
            got = f", got {answers}" if answers else ""
            raise runtime.timeout_error(f"{self!r}: no answer to {request} within {timeout} s{got}") from error
        return answers


def is_from(node: int, message: GctMessage) -> bool:
    """Tell whether a message comes from a node; from 0x7F, which is all, any does."""
    return node in (BROADCAST_ADDR, message.src)
