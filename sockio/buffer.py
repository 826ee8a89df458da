"""Received bytes that nobody has asked for yet.

The goals, which the code below follows:

- a byte is searched once. A separator that has not come yet is looked for only in what comes later (a
  separator split between two chunks is found all the same);
- a byte is copied a bounded number of times, whatever the sizes of the chunks and of what is taken. A chunk
  that arrives in an empty buffer is kept as it is, and what is taken from it is a slice of it;
- lines can be had many at a time: `take_lines` splits everything that is complete in one go, and its consumer
  runs through a plain list. Until they are consumed the lines belong to the buffer, so leaving the loop loses
  nothing.

So the content is, in this order, the unconsumed lines of the split (if there is one) and ``_data[_start:]``.
`_data` is the chunk itself, or a bytearray where small chunks pile up and joining them each time would be
quadratic.
"""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Buffer:
    """A queue of bytes: chunks are appended, and any number of bytes, or all up to a separator, is taken."""

    def __init__(self) -> None:
        #: False only while nothing is here: quicker to look at than the buffer's truth, and on the safe side.
        self.used = False
        self._data: bytes | bytearray = b""
        self._start = 0
        self._separator = b"\n"
        self._searched = 0  # no separator begins before this index of _data
        self._split: Any = None  # a list iterator: its __length_hint__ is not in the type of any iterator
        self._lines: list[bytes] = []  # what the iterator runs through
        self._counted = 0  # the first so many lines are not in _lines_size any more
        self._lines_size = 0

    def __len__(self) -> int:
        size = len(self._data) - self._start
        if self._split is not None:
            size += self._unconsumed_size()
        return size

    def __bool__(self) -> bool:
        if self._start < len(self._data):
            return True
        return self._split is not None and self._split.__length_hint__() > 0

    def append(self, chunk: bytes) -> None:
        """Add a chunk at the end. An empty buffer keeps the object itself."""
        self.used = True
        data = self._data
        size = len(data) - self._start
        if size == 0:
            self._data, self._start, self._searched = chunk, 0, 0
        elif not isinstance(data, bytearray):
            # Joining costs no more than the size of what has just come: cheap enough to stay with bytes.
            if size <= len(chunk):
                joined: bytes | bytearray = data[self._start :] + chunk
            else:
                joined = bytearray(memoryview(data)[self._start :])
                joined += chunk
            self._data, self._start, self._searched = joined, 0, max(0, self._searched - self._start)
        else:
            data += chunk
            # Moving what remains costs less than what has been taken since the last time.
            if self._start > size:
                self._data, self._start, self._searched = (
                    bytearray(memoryview(data)[self._start :]),
                    0,
                    max(0, self._searched - self._start),
                )

    def take(self, size: int) -> bytes:
        """Remove and return up to ``size`` bytes from the front; everything when ``size`` is negative."""
        if self._split is not None:
            self._unsplit()
        return self._take_to(self._end(size))

    def take_all(self) -> bytes:
        """Remove and return everything."""
        return self.take(-1)

    def take_into(self, view: memoryview) -> int:
        """Remove as many bytes from the front as there are and as fit into ``view``; return how many.

        Arguments:
            view: a writable memoryview of bytes.
        """
        if self._split is not None:
            self._unsplit()
        start = self._start
        end = self._end(len(view))
        view[: end - start] = memoryview(self._data)[start:end]
        self._drop_to(end)
        return end - start

    def take_until(self, separator: bytes) -> bytes | None:
        """Remove and return everything through the first ``separator``; None when it has not come yet."""
        if self._split is not None:
            if separator == self._separator:
                # The lines of the split end with this separator: take one from under the iterator.
                line: bytes | None = next(self._split, None)
                if line is not None:
                    return line
                self._forget_split()
            else:
                self._unsplit()
        end = self._find(separator)
        if end < 0:
            return None
        data = self._data
        if self._start or end < len(data) or isinstance(data, bytearray):
            return self._take_to(end)
        # A reply that has come in one piece, as nearly all do.
        self._data, self._searched = b"", 0
        self.used = False
        return data

    def take_lines(self, eol: bytes) -> Iterator[bytes] | None:
        """Remove all complete lines, as they are consumed from the iterator that is returned; None if there are none.

        Each line includes its ``eol``. Lines that have not been consumed yet are still in the buffer: `len`
        counts them, and what takes or looks at anything but a line at the front ends the iterator. Lines that
        are completed by a later `append` need another call.
        """
        if self._split is not None:
            if eol == self._separator and self._split.__length_hint__() and self._find(eol) < 0:
                unconsumed: Iterator[bytes] = self._split
                return unconsumed
            self._unsplit()
        if self._find(eol) < 0:
            return None
        data = self._slice(len(self._data))
        if eol == b"\n":
            lines = io.BytesIO(data).readlines()
            rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        else:
            lines = data.split(eol)
            rest = lines.pop()
            lines = [line + eol for line in lines]
        iterator = iter(lines)
        self._lines, self._counted, self._lines_size = lines, 0, len(data) - len(rest)
        searched = max(0, len(rest) - len(eol) + 1)
        self._split, self._data, self._start, self._searched = iterator, rest, 0, searched
        return iterator

    def peek(self, size: int) -> bytes:
        """Up to ``size`` bytes from the front, which stay; everything when ``size`` is negative."""
        if self._split is not None:
            self._unsplit()
        return self._slice(self._end(size))

    def clear(self) -> int:
        """Throw everything away and return how many bytes that was."""
        if self._split is not None:
            self._unsplit()
        size = len(self._data) - self._start
        self._drop_to(len(self._data))
        return size

    def _find(self, separator: bytes) -> int:
        """The index after the first separator in `_data`, or -1; looks nowhere twice."""
        if separator != self._separator:
            if not separator:
                raise ValueError("the separator must be at least one byte, got b''")
            self._separator, self._searched = separator, 0
        begin = max(self._start, self._searched)
        found = self._data.find(separator, begin)
        if found < 0:
            # The last bytes may be the beginning of a separator.
            self._searched = max(begin, len(self._data) - len(separator) + 1)
            return -1
        self._searched = found
        return found + len(separator)

    def _end(self, size: int) -> int:
        """The index after the first ``size`` bytes of `_data`, or of all of them when it is negative."""
        return len(self._data) if size < 0 else min(self._start + size, len(self._data))

    def _take_to(self, end: int) -> bytes:
        taken = self._slice(end)
        self._drop_to(end)
        return taken

    def _drop_to(self, end: int) -> None:
        if end < len(self._data):
            self._start = end
        else:
            self._data, self._start, self._searched = b"", 0, 0
            self.used = False

    def _slice(self, end: int) -> bytes:
        data = self._data
        if isinstance(data, bytearray):
            return memoryview(data)[self._start : end].tobytes()
        return data[self._start : end]

    def _unconsumed_size(self) -> int:
        """How many bytes the unconsumed lines are. Each line that was consumed is counted once."""
        consumed = len(self._lines) - self._split.__length_hint__()
        self._lines_size -= sum(map(len, self._lines[self._counted : consumed]))
        self._counted = consumed
        return self._lines_size

    def _unsplit(self) -> None:
        """Put the unconsumed lines back in front, which ends the iterator over them."""
        lines = list(self._split)
        if lines:
            lines.append(self._slice(len(self._data)))
            self._data, self._start, self._searched = b"".join(lines), 0, 0
        self._forget_split()

    def _forget_split(self) -> None:
        self._split, self._lines = None, []
