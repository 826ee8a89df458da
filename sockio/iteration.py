"""Going through a stream, line by line or block by block.

An iteration keeps to one connection: the one there is when it begins, made for it if need be. It ends where that
ends, and goes on with the next one only if asked to. No turn is held between items, and what has been received but not
handed out stays in the stream: after ``break``, the next read has it.
"""

from __future__ import annotations

from .checks import check_count, check_eol
from .deadline import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator

    from .link import Link
    from .stream import Stream

    Batch = tuple[Link | None, Iterable[bytes]] | None


class BaseStream:
    """Asynchronous iteration over a stream. A subclass of your own implements `_read`.

    Args:
        tcp: the stream to read from.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, reconnect: bool = False) -> None:
        self.tcp = tcp
        self.reconnect = reconnect
        self._one_by_one: Items | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._generate() if self.tcp.runtime.drops_generators else Items(self)

    async def _generate(self) -> AsyncIterator[bytes]:
        link: Link | None = None
        while True:
            try:
                link, items = await self._read_batch(link)
            except (EOFError, ConnectionError) as error:
                self._check_end(link, error)
                if not self.reconnect:
                    return
                link = None
                continue
            for item in items:
                yield item

    async def __anext__(self) -> bytes:
        if self._one_by_one is None:
            self._one_by_one = Items(self)
        return await self._one_by_one.__anext__()

    async def next_batch(self, link: Link | None) -> Batch:
        """Return the link that is being read and the next items; None when that link has ended.

        Args:
            link: the one that the iteration keeps to, None at its beginning.
        """
        try:
            return await self._read_batch(link)
        except (EOFError, ConnectionError) as error:
            self._check_end(link, error)
        return None

    def _check_end(self, link: Link | None, error: Exception) -> None:
        """Raise the error, unless it says that the link has ended where an item has."""
        if isinstance(error, EOFError):
            if getattr(error, "partial", b""):
                raise error
        elif link is None or not self.reconnect or isinstance(error, TimeoutError):
            raise error

    def _read_batch(self, link: Link | None) -> Awaitable[tuple[Link | None, Iterable[bytes]]]:
        return self._read_one(link)

    async def _read_one(self, link: Link | None) -> tuple[Link | None, Iterable[bytes]]:
        return link, [await self._read()]

    async def _read(self) -> bytes:
        """Return the next item; raise ConnectionEOFError where the stream ends."""
        raise NotImplementedError


class Items:
    """What `BaseStream` generates, without a generator: slower, but nobody minds when it is left half-way.

    Args:
        items: where they come from.
    """

    def __init__(self, items: BaseStream) -> None:
        self._items = items
        self._link: Link | None = None
        self._batch: Iterator[bytes] = iter(())

    def __aiter__(self) -> Items:
        return self

    async def __anext__(self) -> bytes:
        while True:
            for item in self._batch:
                return item
            batch = await self._items.next_batch(self._link)
            if batch is not None:
                self._link = batch[0]
                self._batch = iter(batch[1])
            elif self._items.reconnect:
                self._link = None
            else:
                raise StopAsyncIteration


class LineStream(BaseStream):
    """Iteration by line; every line has its end.

    Args:
        tcp: the stream to read from.
        eol: what ends a line, instead of the stream's ``eol``.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, eol: bytes | None = None, reconnect: bool = False) -> None:
        super().__init__(tcp, reconnect)
        self.eol = None if eol is None else check_eol(eol)

    def _read_batch(self, link: Link | None) -> Awaitable[tuple[Link | None, Iterable[bytes]]]:
        eol = self.tcp.eol if self.eol is None else self.eol
        return self.tcp._call("iteration", DEFAULT, None, self.tcp._receive_line_batch, link, eol)


class BlockStream(BaseStream):
    """Iteration by block.

    Args:
        tcp: the stream to read from.
        limit: the size of the blocks in bytes, or the bytes that end a block.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, limit: int | bytes, reconnect: bool = False) -> None:
        super().__init__(tcp, reconnect)
        self.limit = check_eol(limit) if isinstance(limit, bytes) else check_count("limit", limit, 1)

    def _read_batch(self, link: Link | None) -> Awaitable[tuple[Link | None, Iterable[bytes]]]:
        receive = self.tcp._receive_line_batch if isinstance(self.limit, bytes) else self._receive_block
        return self.tcp._call("iteration", DEFAULT, None, receive, link, self.limit)

    async def _receive_block(self, link: Link, deadline: float | None, size: int) -> tuple[Link, Iterable[bytes]]:
        return link, [await self.tcp._receive_exactly(link, deadline, size)]
