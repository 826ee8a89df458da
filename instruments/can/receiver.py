"""What is received from a bus, for one who wants it."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sockio.checks import check_count
from sockio.deadline import DEFAULT, check_timeout
from sockio.errors import DeadlineExpired

from ..base import Standalone
from .codec import GctDecoder
from .filters import AnyFilter, CanFilter, accepts, read_filters
from .message_queue import MessageQueue
from .python_can import from_python_can

if TYPE_CHECKING:
    from types import TracebackType

    import can
    from typing_extensions import Self

    from sockio.deadline import Timeout

    from .bus import CanBus
    from .connection import CanConnection

#: How many messages wait to be taken unless a receiver is told otherwise.
MAXSIZE = 1000


class CanReceiver(Standalone):
    """Messages from a bus, from the moment at which the receiver is entered or first asked.

    `CanBus.raw` and `CanBus.gct` make them::

        with bus.raw() as receiver:
            print(await receiver.next(timeout=1.0))
            async for message in receiver:
                print(message)

    Each receiver has a queue of its own, into which messages go whether anybody takes them in time or not. When the bus
    is lost it is opened again, as often as need be, and the receiver goes on.

    Args:
        bus: where to receive from.
        source: makes what makes messages of those of python-can; it is called once, when receiving begins.
        filters: which frames are wanted; none for all.
        maxsize: how many messages wait to be taken; those that come while there is no room are lost, and counted. 0 for
            any number.
    """

    def __init__(
        self,
        bus: CanBus,
        source: Callable[[], Callable[[Any], Any]],
        filters: Iterable[AnyFilter] | None = None,
        maxsize: int = MAXSIZE,
    ) -> None:
        super().__init__()
        self._bus: CanBus = native_of(bus)
        self._source = source
        self._filters = read_filters(filters)
        self._maxsize = check_count("maxsize", maxsize, 0)
        self._queue = MessageQueue(source(), self._maxsize)
        self._queue.open = False
        self._connection: CanConnection | None = None
        self._unsubscribe: weakref.finalize[..., Any] | None = None
        self._lost_before = 0
        self._has_told_end = False  # the one after that opens the bus again

    @property
    def queue(self) -> MessageQueue:
        """The messages that wait."""
        return self._queue

    @property
    def lost(self) -> int:
        """How many messages this receiver has lost: those that came while its queue was full, and `lost_by_driver`."""
        return self._queue.lost + self.lost_by_driver

    @property
    def lost_by_driver(self) -> int:
        """How many frames of the bus, of any kind, the system had no room for since receiving began.

        Linux counts them for SocketCAN; other drivers do not tell.
        """
        return 0 if self._connection is None else self._connection.lost_by_driver() - self._lost_before

    def map(self, function: Callable[[Any], Any], maxsize: int | None = None) -> CanReceiver:
        """Return another receiver, of what *function* makes of each message; None leaves it out.

        It is independent of this one, which need not be entered. *function* is called when the message comes; what it
        raises is raised by `next`, in place of the message.
        """
        source = self._source

        def mapped() -> Callable[[Any], Any]:
            make = source()

            def convert(message: Any) -> Any:
                made = make(message)
                return None if made is None else function(made)

            return convert

        return CanReceiver(self._bus, mapped, self._filters, self._maxsize if maxsize is None else maxsize)

    # Beginning and ending

    def __enter__(self) -> Self:
        """Receive from now on, if the bus is open, otherwise from the first call on."""
        if self.link.flavour != "async":
            raise TypeError(f"{self!r} blocks")
        self._subscribe()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def connect(self, timeout: Timeout = DEFAULT) -> Self:
        """Receive from now on; open the bus if that has not been done. Return the receiver.

        Raises:
            CanBusError: the bus cannot be opened.
            ConnectionTimeoutError: it could not be opened in time.
        """
        self._subscribe()
        await self._bus.connect(timeout)
        return self

    async def disconnect(self) -> None:
        """Receive no more. The messages that have come can still be taken."""
        self._end()

    def _subscribe(self) -> CanConnection:
        connection: CanConnection = self._bus._here()[1]
        if self._connection is connection:
            return connection
        self._end()
        queue = MessageQueue(self._source(), self._maxsize)
        self._lost_before = connection.lost_by_driver()
        reference = weakref.ref(queue)
        connection.subscribe(reference, self._filters)
        self._queue = queue
        self._connection = connection
        self._unsubscribe = weakref.finalize(self, connection.hub.remove, reference)
        self._unsubscribe.atexit = False
        return connection

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._unsubscribe is not None:
            self._queue.lost += connection.lost_by_driver() - self._lost_before
            self._unsubscribe()
            self._queue.close()

    # Taking messages

    async def next(self, timeout: Timeout = DEFAULT) -> Any:
        """Return the next message, waiting for it if need be.

        Args:
            timeout: seconds, also for opening the bus if that has not been done; None for no limit. Without it that of
                the bus holds.

        Raises:
            ConnectionTimeoutError: there was none in time. The error says so if the bus is lost.
            ConnectionEOFError: there is none, and the receiver or the bus has been closed.
            CanBusError: the bus cannot be opened.
            Exception: what a function given to `map` raised.
        """
        item = self._queue.take_now()
        if item is not None:
            return item
        bus = self._bus
        runtime = bus._runtime
        limit = bus.timeout if timeout is DEFAULT else check_timeout("timeout", timeout)
        try:
            item = await self._take(None if limit is None else runtime.clock() + limit)
        except DeadlineExpired:
            failure = "" if self._connection is None else self._connection.hub.failure or ""
            why = f"; the bus is not open: {failure}" if failure else ""
            raise runtime.timeout_error(f"{self!r}: no message within {limit} s{why}") from None
        if item is None:
            raise runtime.eof_error(f"{self!r}: no message is left, and none will come: it has been closed", b"")
        return item

    def get_all(self) -> list[Any]:
        """Return all messages that wait, without waiting for more."""
        return self._queue.take_all()

    def clear_all(self) -> None:
        """Forget the messages that wait."""
        self._queue.clear()

    def __aiter__(self) -> AsyncIterator[Any]:
        """Go through the messages until the receiver is closed and none is left."""
        if self.link.flavour != "async":
            raise TypeError(f"{self!r} blocks: write `for`, not `async for`")
        return self

    async def __anext__(self) -> Any:
        item = self._queue.take_now()
        if item is None:
            item = await self._take(None)
        if item is None:
            raise StopAsyncIteration
        return item

    def __iter__(self) -> Iterator[Any]:
        """Go through the messages until the receiver is closed and none is left, where calls block or give futures."""
        if self.link.flavour == "async":
            raise TypeError(f"{self!r} is awaited: write `async for`, not `for`")
        return self._go_through()

    def _go_through(self) -> Iterator[Any]:
        while True:
            item = self._queue.take_now()
            if item is None:
                item = self.link.wait(self._take(None))
                if item is None:
                    return
            yield item

    async def _take(self, deadline: float | None) -> Any:
        if self._connection is None and self._unsubscribe is not None:
            return None  # it has been closed
        before = self._connection
        connection = self._subscribe()
        if connection is before and not self._queue.open and not self._has_told_end:
            self._has_told_end = True  # the bus has been closed, and nobody waited at that moment
            return self._queue.take_now()
        if not connection.running():
            await connection.open(deadline)
        item = await self._queue.take(self._bus._runtime, deadline)
        self._has_told_end = item is None
        return item

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('Blocking').removeprefix('Futures')}({self._bus.address!r})"


class GctReceiver(CanReceiver):
    """Messages of the GCT protocol from a bus.

    Attributes:
        dropped: frames of the protocol that have come to nothing: malformed ones, and parts of DDP messages that were
            not completed or whose CRC was wrong.
    """

    def __init__(self, bus: CanBus, filters: Iterable[AnyFilter] | None = None, maxsize: int = MAXSIZE) -> None:
        super().__init__(bus, GctSource, filters, maxsize)

    @property
    def dropped(self) -> int:
        source: GctSource = self._queue.convert
        return source.decoder.dropped


class GctSource:
    """Makes messages of the GCT protocol of messages of python-can."""

    __slots__ = ("_feed", "decoder")

    def __init__(self) -> None:
        self.decoder = GctDecoder()
        self._feed = self.decoder.feed

    def __call__(self, message: can.Message) -> Any:
        if not message.is_extended_id or message.is_remote_frame or message.is_error_frame or message.is_fd:
            return None
        return self._feed(message.arbitration_id, bytes(message.data))


def raw_messages(filters: tuple[CanFilter, ...], errors: bool) -> Callable[[can.Message], Any]:
    """Return what makes our messages of those of python-can, and leaves out what is not wanted."""
    if not filters and errors:
        return from_python_can
    accept = accepts(filters) if filters else None

    def convert(message: can.Message) -> Any:
        if message.is_error_frame:
            return from_python_can(message) if errors else None
        if accept is not None and not accept(message.arbitration_id, message.is_extended_id):
            return None
        return from_python_can(message)

    return convert


def native_of(bus: Any) -> Any:
    """Return a driver whose calls are awaited, also if that of another flavour is given."""
    return getattr(bus, "_native", bus)
