"""Connections that carry messages, whichever protocol they speak, for asyncio and trio."""

from __future__ import annotations

from ..deadline import DEFAULT, check_timeout
from ..errors import DeadlineExpired
from ..stream import Stream
from .events import DEFAULT_MESSAGE_LIMIT
from .protocol import Protocol
from .protocols import protocol_named
from .receiving import Call, Failure
from .sending import Sending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from ..deadline import Timeout

    Progress = Callable[[int, int], object]


class MessageConnection(Sending):
    """Messages over a stream, on asyncio or trio: ``async with MessageConnection(TCP(host, port)) as messages: …``.

    The stream is any of `sockio.aio` or `sockio.trio`, or the one that a server's handler is given. It must not be used
    for anything else meanwhile. Messages that have come are kept, up to ``queue_length`` of them (10; of serpy2 20) or
    ``limit`` bytes, for who asks for them. Beyond that nothing more is read, and the peer has to wait.

    Args:
        stream: what carries the messages.
        protocol: ``"blob"``: big binary messages and numpy arrays, with checksums; ``"serpy"`` or ``"serpy2"``: what
            these packages speak. Or a `Protocol` that has its settings already.
        limit: the largest message accepted, in bytes. One that is announced to be larger is refused before it comes.
        encoding: of text in serpy.
        allow_unpickle: for serpy's modes 4 and 5: send, and load, pickled objects. Whoever can connect can then run any
            code here.
        restart: connect again, as often as the stream's ``retry`` says, whenever the connection is lost, also while
            nobody uses it; a `receive` goes on waiting then. Otherwise `receive` raises, and the next call connects.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    def __init__(
        self,
        stream: Stream,
        protocol: str | Protocol = "blob",
        *,
        limit: int = DEFAULT_MESSAGE_LIMIT,
        encoding: str = "ascii",
        allow_unpickle: bool = False,
        restart: bool = False,
    ) -> None:
        if not isinstance(stream, Stream):
            raise TypeError(
                "stream must be one of sockio.aio or sockio.trio (for those of sockio.sio there is "
                f"BlockingMessageConnection), not {stream!r}"
            )
        if not isinstance(protocol, Protocol):
            protocol = protocol_named(protocol, limit, encoding, allow_unpickle)
        super().__init__(stream, protocol, restart)

    def __repr__(self) -> str:
        state = "connected" if self.connected() else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} {self._protocol.name} over {self.stream}, {state}>"

    @property
    def protocol(self) -> str:
        """The name of the protocol."""
        return self._protocol.name

    @property
    def waiting(self) -> int:
        """How many messages can be received without waiting."""
        return len(self._items)

    @property
    def in_mode(self) -> int:
        """The mode of serpy in which the peer sends."""
        return self._decoder[1].mode if self._decoder is not None else 0

    @property
    def out_mode(self) -> int:
        """The mode of serpy in which was sent last."""
        return self._outgoing.mode if self._outgoing is not None else 0

    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there."""
        return not self._over(self.stream._link) and self.stream.connected()

    def _begin(self, timeout: Timeout) -> float | None:
        """Make ready for a call, and return its deadline."""
        stream = self.stream
        seconds = stream.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        self._check_not_closed()
        self._settle()
        self._attend_from_now_on()
        return None if seconds is None else stream.runtime.clock() + seconds

    def _check_not_closed(self) -> None:
        if self._closed:
            raise ConnectionError(f"{self.stream}: the connection has been closed")

    async def open(self, timeout: Timeout = DEFAULT) -> None:
        """Connect now, instead of at the first call that needs it. It may be connected already.

        Args:
            timeout: seconds; instead of the stream's ``connection_timeout`` or ``timeout``.
        """
        self._check_not_closed()
        if not self.stream.connected():
            await self.stream.open(timeout)
        self._begin(None)

    async def send(
        self,
        data: Any,
        timeout: Timeout = DEFAULT,
        *,
        acknowledge: bool | None = None,
        mode: int | None = None,
        force_mode: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Send a message, and wait until the peer has acknowledged it, if that is wanted.

        Args:
            data: of the blob protocol: str, bytes, bytearray, memoryview or a numpy array, which must not change
                meanwhile. Of serpy2: int, float, str or bytes. Of serpy: str, int, float, bytes, or anything that can
                be pickled, if that is allowed.
            timeout: seconds for all of it, None for no limit; left out, the stream's own ``timeout`` holds.
            acknowledge: wait until the peer has received, and checked, the message; None for what is usual: yes in the
                blob protocol, no in the others. serpy2 cannot.
            mode: of serpy, 0 to 5; odd ones are acknowledged. Data that the mode cannot carry are sent in the next one
                that can, as serpy does.
            force_mode: of serpy: declare that mode all the same.
            progress: of big messages: called with the bytes sent so far and all of them. What it raises ends the
                connection, since the message is cut.

        Raises:
            TypeError, ValueError: the protocol cannot carry *data*. Nothing has been sent.
            NotAcknowledgedError: (a ConnectionTimeoutError) it has been sent, and not been acknowledged in time.
            ConnectionTimeoutError: it could not be sent in time. If part of it had gone, the connection is closed.
            MessageRefusedError: the peer does not accept it, and says why.
            ConnectionError, OSError: there is no connection, or it broke before the message was acknowledged.
        """
        await self._send(data, self._begin(timeout), acknowledge, mode, force_mode, progress)

    async def receive(self, timeout: Timeout = DEFAULT, *, progress: Progress | None = None) -> Any:
        """Return the next message. When the time is up, or the caller is cancelled, nothing is lost.

        Args:
            timeout: seconds to wait for it, None for no limit; left out, the stream's own ``timeout`` holds.
            progress: of big messages: called with the bytes received so far and all of them.

        Returns:
            str, bytes or a numpy array (writable, in C order) as they were sent; of serpy2 also int and float; of serpy
            bytes, and in modes 4 and 5 objects.

        Raises:
            ConnectionTimeoutError: none has come in time. The connection was left alone.
            ProtocolError, LimitError: what came is no message that can be accepted.
            ConnectionEOFError: the peer closed the connection.
            ConnectionError, OSError: there is no connection, or it broke.
        """
        call: Call | None = None
        reported = self._progress

        def done() -> bool:
            nonlocal reported
            if progress is not None and self._progress is not reported:
                reported = self._progress
                progress(*reported)
            assert call is not None
            return bool(self._items) or (call.link is not None and self._over(call.link))

        while True:
            try:
                _, item = self._items.popleft()
            except IndexError:
                if call is None:
                    call = Call("receive", self._begin(timeout))
                    self._check_not_lost()
                    if self._is_alive(self.stream._link) and not self._is_condemned():
                        call.link = self.stream._link  # not to take another one, should it have ended
                await self._wait_for_message(done, call)
                continue
            self._make_room()
            if isinstance(item, Failure):
                raise item.error
            return item

    def _check_not_lost(self) -> None:
        """Raise an error if the connection was lost while nobody received, or has ended for good."""
        loss, self._loss = self._loss, None
        if loss is not None:
            raise loss
        self._check_not_ended()

    async def _wait_for_message(self, done: Callable[[], bool], call: Call) -> None:
        try:
            if call.link is None:
                await self._outlast_condemned(call)
            await self._until(done, call)
            if not self._items:
                raise self.stream._gone(call.link, "receive")
        except DeadlineExpired:
            raise self.stream.runtime.timeout_error(f"{self.stream}: receive: no message has come in time") from None
        except (OSError, EOFError) as error:
            # Not if connecting has failed, or part of a message has been lost.
            lost = call.link is not None and not getattr(error, "partial", b"")
            if not (lost and self.restart and self.stream.auto_reconnect) or self._closed:
                raise
            call.link = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except EOFError as error:
            if getattr(error, "partial", b""):
                raise
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
