"""The buffer against the simplest thing that could be right: a bytes object from which pieces are cut."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sockio.buffer import Buffer

# Few different bytes, so that separators and parts of them are everywhere.
CHUNKS = st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n"]), max_size=12).map(b"".join)
SEPARATORS = st.sampled_from([b"\n", b"\r\n", b"aa", b"aba", b"\n\n"])


class BufferAndBytes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.buffer = Buffer()
        self.content = b""
        self.lines = iter(())
        self.eol = b""
        self.remaining: list[bytes] | None = []

    @rule(chunk=CHUNKS)
    def append(self, chunk: bytes) -> None:
        self.buffer.append(chunk)
        self.content += chunk

    @rule(count=st.integers(100, 1000), chunk=CHUNKS)
    def append_much(self, count: int, chunk: bytes) -> None:
        self.buffer.append(count * chunk)
        self.content += count * chunk

    @rule(size=st.integers(-1, 1000))
    def take(self, size: int) -> None:
        self.remaining = None
        self.check_taken(self.buffer.take(size), self.content if size < 0 else self.content[:size])

    @rule()
    def take_all(self) -> None:
        self.remaining = None
        self.check_taken(self.buffer.take_all(), self.content)

    @rule(size=st.integers(-1, 20))
    def peek(self, size: int) -> None:
        self.remaining = None
        assert self.buffer.peek(size) == (self.content if size < 0 else self.content[:size])

    @rule(size=st.integers(0, 100))
    def take_into(self, size: int) -> None:
        self.remaining = None
        target = bytearray(b"x" * size)
        count = self.buffer.take_into(memoryview(target))
        assert target[count:] == b"x" * (size - count)
        self.check_taken(bytes(target[:count]), self.content[:size])

    @rule(separator=SEPARATORS)
    def take_until(self, separator: bytes) -> None:
        found = self.content.find(separator)
        taken = self.buffer.take_until(separator)
        if self.remaining and separator == self.eol:
            assert taken == self.remaining.pop(0)
        elif separator != self.eol:
            self.remaining = None
        if found < 0:
            assert taken is None
        else:
            assert taken is not None
            self.check_taken(taken, self.content[: found + len(separator)])

    @rule()
    def clear(self) -> None:
        self.remaining = None
        assert self.buffer.clear() == len(self.content)
        self.content = b""
        assert list(self.lines) == []

    @rule(eol=SEPARATORS)
    def split(self, eol: bytes) -> None:
        self.lines = self.buffer.take_lines(eol) or iter(())
        self.eol = eol
        parts = self.content.split(eol)
        self.remaining = [part + eol for part in parts[:-1]]

    @rule(eol=SEPARATORS)
    def take_all_lines(self, eol: bytes) -> None:
        """A split that is consumed at once leaves exactly what is not complete."""
        self.remaining = None
        parts = self.content.split(eol)
        assert list(self.buffer.take_lines(eol) or ()) == [part + eol for part in parts[:-1]]
        self.content = parts[-1]

    @rule(count=st.integers(1, 5))
    @precondition(lambda self: self.remaining)
    def consume(self, count: int) -> None:
        """The iterator goes on unless something else than its lines was looked at."""
        assert self.remaining
        for _, line in zip(range(count), self.lines, strict=False):
            assert line == self.remaining.pop(0)
            self.check_taken(line, self.content[: len(line)])
            if not self.remaining:
                break

    @rule()
    @precondition(lambda self: self.remaining is None)
    def ended_iterator(self) -> None:
        assert list(self.lines) == []

    def check_taken(self, taken: bytes, expected: bytes) -> None:
        assert type(taken) is bytes
        assert taken == expected
        self.content = self.content[len(taken) :]

    @invariant()
    def same_size(self) -> None:
        assert len(self.buffer) == len(self.content)
        assert bool(self.buffer) == bool(self.content)

    def teardown(self) -> None:
        assert self.buffer.take_all() == self.content


BufferAndBytes.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestBufferAndBytes = BufferAndBytes.TestCase


def test_single_chunk_is_kept_and_given_back_itself():
    chunk = bytes(range(256))
    buffer = Buffer()
    buffer.append(chunk)
    assert buffer.take_all() is chunk
    buffer.append(chunk)
    assert buffer.take_until(b"\xff") is chunk


@pytest.mark.parametrize("cut", range(1, 5))
def test_separator_split_between_chunks(cut):
    buffer = Buffer()
    buffer.append(b"a\r\n\r\n"[:cut])
    assert buffer.take_until(b"\r\n\r\n") is None
    buffer.append(b"a\r\n\r\n"[cut:])
    assert buffer.take_until(b"\r\n\r\n") == b"a\r\n\r\n"


def test_search_for_another_separator_begins_at_the_front():
    buffer = Buffer()
    buffer.append(b"1,2,3")
    assert buffer.take_until(b"\n") is None
    assert buffer.take_until(b",") == b"1,"
    assert buffer.take_until(b"\n") is None
    buffer.append(b"\n")
    assert buffer.take_until(b"\n") == b"2,3\n"


def test_leaving_the_loop_loses_nothing():
    buffer = Buffer()
    buffer.append(b"1\n2\n3\n4\n5")
    for line in buffer.take_lines(b"\n"):
        assert line == b"1\n"
        break
    assert len(buffer) == 7
    assert buffer.take_until(b"\n") == b"2\n"
    buffer.append(b"6\n")
    assert buffer.peek(3) == b"3\n4"
    assert list(buffer.take_lines(b"\n")) == [b"3\n", b"4\n", b"56\n"]
    assert not buffer


def test_lines_taken_one_by_one_during_the_loop_are_not_iterated():
    buffer = Buffer()
    buffer.append(b"name\n1\nname\n2\n")
    assert [(name, buffer.take_until(b"\n")) for name in buffer.take_lines(b"\n")] == [
        (b"name\n", b"1\n"),
        (b"name\n", b"2\n"),
    ]


def test_chunks_that_arrive_during_the_loop_wait_for_the_next_one():
    buffer = Buffer()
    buffer.append(b"1\n2\n3")
    lines = []
    for line in buffer.take_lines(b"\n"):
        lines.append(line)
        buffer.append(line)
    assert lines == [b"1\n", b"2\n"]
    assert list(buffer.take_lines(b"\n")) == [b"31\n", b"2\n"]


@pytest.mark.parametrize("method", ["take_until", "take_lines"])
def test_empty_separator_is_refused(method):
    buffer = Buffer()
    buffer.append(b"a")
    with pytest.raises(ValueError, match="at least one byte"):
        getattr(buffer, method)(b"")
    assert buffer.take_all() == b"a"


class CountingBytes(bytes):
    """Bytes that count how many of them are searched."""

    searched = 0

    def find(self, sub, start=0, end=None):
        CountingBytes.searched += len(self) - start
        return super().find(sub, start)


def test_nothing_is_searched_twice():
    buffer = Buffer()
    CountingBytes.searched = 0
    buffer.append(CountingBytes(b"x" * 1000))
    for _ in range(100):
        assert buffer.take_until(b"\r\n") is None
        assert buffer.take_lines(b"\r\n") is None
    # All of it once; then only the last byte, which might begin a separator.
    assert CountingBytes.searched == 1000 + 199
