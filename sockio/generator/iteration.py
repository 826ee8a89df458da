"""The text of the classes that iterate, for facades whose loops are plain ``for`` loops."""

from __future__ import annotations

from string import Template

_TEXT = Template('''

class BaseStream:
    """Iteration over a stream. A subclass of your own implements `_read`.

    Args:
        tcp: the stream to read from.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, reconnect: bool = False) -> None:
        self.tcp = tcp
        self.reconnect = reconnect
        self.stream: iteration.BaseStream = _OwnStream(self)
        self._one_by_one: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        stream = self.stream
        link = None
        while True:
            batch = $NEXT_BATCH
            if batch is None:
                if not self.reconnect:
                    return
                link = None
                continue
            link, items = batch
            yield from items

    def __next__(self) -> bytes:
        if self._one_by_one is None:
            self._one_by_one = iter(self)
        try:
            return next(self._one_by_one)
        except Exception as error:
            if not isinstance(error, StopIteration):
                self._one_by_one = None  # an error ends the iterator, but not this one
            raise

    def _read(self) -> $READ:
        """Return the next item; raise ConnectionEOFError where the stream ends."""
        raise NotImplementedError


class _OwnStream(iteration.BaseStream):
    """What the core iterates over when a subclass of `BaseStream` reads the items."""

    def __init__(self, items: BaseStream) -> None:
        super().__init__(items.tcp.stream, items.reconnect)
        self.items = items

    async def _read(self) -> bytes:
        return $OWN_ITEM


class LineStream(BaseStream):
    """Iteration by line; every line has its end.

    Args:
        tcp: the stream to read from.
        eol: what ends a line, instead of the stream's ``eol``.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, eol: bytes | None = None, reconnect: bool = False) -> None:
        super().__init__(tcp, reconnect)
        self.stream = iteration.LineStream(tcp.stream, eol, reconnect)


class BlockStream(BaseStream):
    """Iteration by block.

    Args:
        tcp: the stream to read from.
        limit: the size of the blocks in bytes, or the bytes that end a block.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp: Stream, limit: int | bytes, reconnect: bool = False) -> None:
        super().__init__(tcp, reconnect)
        self.stream = iteration.BlockStream(tcp.stream, limit, reconnect)
''')


def iteration(next_batch: str, read: str, own_item: str) -> str:
    """Return the source of the classes.

    Args:
        next_batch: what the next batch is.
        read: the type of what a user's own ``_read`` returns.
        own_item: the item that it returned, for the core.
    """
    return _TEXT.substitute(NEXT_BATCH=next_batch, READ=read, OWN_ITEM=own_item)
