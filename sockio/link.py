"""One established connection, and the state that tells whether it can be trusted."""

from __future__ import annotations

from .buffer import Buffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .runtimes.base import Transport
    from .turns import Ticket


class Link:
    """One established connection: its transport, and what it has received that nobody has asked for yet.

    Attributes:
        ready: requests may be made; false once the peer has gone, though what it left can still be read.
        closed: given up on this side.
        reader, writer: the tickets of the calls that are receiving and sending.
        error: why it ended, if not in good order.
    """

    __slots__ = (
        "__weakref__",
        "_news",
        "buffer",
        "closed",
        "error",
        "reader",
        "ready",
        "transport",
        "writer",
    )

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.buffer = Buffer()
        self.ready = True
        self.closed = False
        self.reader: Ticket | None = None
        self.writer: Ticket | None = None
        self.error: BaseException | None = None
        self._news = [True]

    def take_news(self) -> bool:
        """Return True the first time, so that the end of a link is reported once whoever notices it."""
        try:
            return self._news.pop()
        except IndexError:
            return False
