# -*- coding: utf-8 -*-
"""Streams whose calls block, for Python 2.7; the same file runs on Python 3.

It needs nothing but itself: copy it to where you need it. What it leaves out of `sockio.sio` are TLS, unix sockets,
serial lines, URLs and futures; and only a call notices that the peer has gone, which is when ``on_connection_lost``
and ``on_eof_received`` are called.

Written by ``python -m sockio.generate`` from the core: change that instead.
"""

from __future__ import absolute_import, division, print_function

import argparse
import errno
import io
import logging
import os
import select
import socket
import struct
import sys
import threading
import time
import weakref
from collections import deque
from functools import partial

__all__ = [
    "TCP",
    "BlockStream",
    "Connection",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "LimitError",
    "LineStream",
    "ProtocolError",
    "Retry",
    "log",
    "main",
]

log = logging.getLogger("sockio")


# What Python 3 has and Python 2 lacks

PY2 = sys.version_info[0] == 2

if PY2:
    import ctypes
    import thread

    TEXT = (str, unicode)  # noqa: F821
    get_ident = thread.get_ident

    class ConnectionError(socket.error, OSError):
        """The connection could not be made, or broke."""

    class ConnectionRefusedError(ConnectionError):
        """Nobody listens there."""

    class ConnectionResetError(ConnectionError):
        """The peer broke the connection off."""

    class ConnectionAbortedError(ConnectionError):
        """The connection was closed on this side."""

    class BrokenPipeError(ConnectionError):
        """The peer has gone."""

    class TimeoutError(socket.timeout, OSError):
        """The time was up."""

    class BlockingIOError(socket.error, OSError):
        """It would have to wait."""

    class OtherError(socket.error, OSError):
        """Another error of the operating system."""

    ERRORS = {
        errno.EAGAIN: BlockingIOError,
        errno.EWOULDBLOCK: BlockingIOError,
        errno.ECONNREFUSED: ConnectionRefusedError,
        errno.ECONNRESET: ConnectionResetError,
        errno.ECONNABORTED: ConnectionAbortedError,
        errno.EPIPE: BrokenPipeError,
        errno.ETIMEDOUT: TimeoutError,
    }

    def os_error(number, message):
        """Return the error of the class that Python 3 would choose."""
        return ERRORS.get(number, OtherError)(number, message)

    def system_call(function):
        """Return the function with signals and errors handled as Python 3 does."""

        def call(*args):
            while True:
                try:
                    return function(*args)
                except socket.error as error:
                    if error.errno != errno.EINTR:
                        raise os_error(error.errno, error.strerror)

        return call

    def poll_again(poll, milliseconds):
        """Poll, going on after a signal."""
        end = None if milliseconds is None else monotonic() + milliseconds / 1000
        while True:
            try:
                return poll.poll(milliseconds)
            except select.error as error:
                if error.args[0] != errno.EINTR:
                    raise os_error(error.args[0], os.strerror(error.args[0]))
            if end is not None:
                milliseconds = max(0, int(1000 * (end - monotonic())))

    def to_bytes(data):
        """Return a copy of a bytearray or memoryview."""
        return data.tobytes() if isinstance(data, memoryview) else str(data)

    def byte_view(data):
        """Return a view of the single bytes of a buffer."""
        view = data if isinstance(data, memoryview) else memoryview(data)
        if view.itemsize != 1 or view.ndim != 1:
            raise TypeError("under Python 2 a buffer must be one of single bytes, not {!r}".format(data))
        return view

    def without_traceback(error):
        """Return the error: it holds no traceback."""
        return error

    def is_printable(text):
        """Tell whether there is nothing but printable ASCII characters."""
        return all(" " <= character <= "~" for character in text)

    class Timespec(ctypes.Structure):
        """The structure timespec of the C library."""

        _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]

    CLOCK_MONOTONIC = 6 if sys.platform == "darwin" else 1

    def monotonic():
        """Return the seconds of a clock that nobody sets."""
        now = Timespec()
        if clock_gettime is None or clock_gettime(CLOCK_MONOTONIC, ctypes.byref(now)):
            return time.time()
        return now.seconds + now.nanoseconds * 1e-9

    try:
        clock_gettime = ctypes.CDLL(None).clock_gettime
    except (AttributeError, TypeError, OSError):
        clock_gettime = None

    class ContextVar(object):
        """A variable that every thread has a value of its own of."""

        def __init__(self, name, default=None):
            self._values = threading.local()
            self._default = default

        def get(self):
            return getattr(self._values, "value", self._default)

        def set(self, value):
            before = self.get()
            self._values.value = value
            return before

        def reset(self, before):
            self._values.value = before

else:
    from contextvars import ContextVar

    TEXT = str
    get_ident = threading.get_ident
    monotonic = time.monotonic
    os_error = OSError
    to_bytes = bytes

    def system_call(function):
        return function

    def poll_again(poll, milliseconds):
        return poll.poll(milliseconds)

    def byte_view(data):
        return memoryview(data).cast("B")

    def without_traceback(error):
        return error.with_traceback(None)

    def is_printable(text):
        return text.isprintable()


# Linux has it; the module of Python 2 does not know its name.
POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000 if sys.platform.startswith("linux") else 0)


def resource_of(host, port):
    """Return the name of a resource for messages, if host and port can be one's."""
    name = check_host(host).lower()
    return "tcp://{}:{}".format("[{}]".format(name) if ":" in name else name, check_port(port))


def ungroup(error):
    """Return the only error of a group that has one, such as a nursery's; what is no such group as it is."""
    while len(getattr(error, "exceptions", ())) == 1:
        error = error.exceptions[0]
    return error


class ConnectionTimeoutError(ConnectionError, TimeoutError):
    """The time was up before the connection, the write or the reply was complete."""


class ConnectionEOFError(ConnectionError, EOFError):
    """The peer ended the stream before what was asked for was complete.

    Attributes:
        partial: the bytes of it that had been received.
    """

    def __init__(self, message, partial=b""):
        super(ConnectionEOFError, self).__init__(message)
        self.partial = partial


class LimitError(ValueError):
    """A line, block or frame is longer than is allowed; perhaps it never ends.

    Attributes:
        limit: the largest size allowed, in bytes.
        partial: the bytes of it that had been received (at most about ``limit``).
    """

    def __init__(self, message, limit=0, partial=b""):
        super(LimitError, self).__init__(message)
        self.limit = limit
        self.partial = partial

    def __reduce__(self):
        return type(self), (str(self), self.limit, self.partial)


class ProtocolError(ValueError):
    """What was received is not what the protocol allows.

    Attributes:
        data: the offending bytes.
    """

    def __init__(self, message, data=b""):
        super(ProtocolError, self).__init__(message)
        self.data = data


class LockExpiredError(TimeoutError):
    """A lock was held for longer than it was taken for: it has been given to others, who may have come between."""


class DeadlineExpired(Exception):
    """The deadline given to a runtime's primitive has passed.

    Users never see it: the stream, which knows its name and what it was doing, raises a
    `ConnectionTimeoutError` instead.
    """


def check_eol(eol):
    """Return *eol* if it can end a line: one or more bytes."""
    if not isinstance(eol, bytes):
        raise TypeError("an end of line must be bytes, not {!r}".format(eol))
    if not eol:
        raise ValueError("an end of line must have at least one byte, not b''")
    return eol


def check_data(data):
    """Return *data* if it can be sent: something made of bytes."""
    if isinstance(data, (bytes, bytearray)):
        return data
    if isinstance(data, memoryview):
        return byte_view(data)
    raise TypeError("data to be sent must be bytes, not {!r}".format(data))


def check_count(name, value, lowest):
    """Return *value* if it can be a number of bytes, lines or attempts: a whole number, *lowest* or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("{} must be a whole number, not {!r}".format(name, value))
    if value < lowest:
        raise ValueError("{} must be {} or more, not {!r}".format(name, lowest, value))
    return value


def check_lines(lines):
    """Return *lines* as a list if they can be sent: a sequence of things made of bytes."""
    if isinstance(lines, (bytes, bytearray, memoryview, str)):
        raise TypeError("lines must be a sequence of bytes, not {!r}".format(lines))
    return [to_bytes(check_data(line)) for line in lines]


#: A limit of so many seconds (a hundred years) or more is none: infinity has no place in a system call.
LONGEST = 100 * 365 * 86400.0


class Default(object):
    """Stands for "what the stream was constructed with"."""

    def __repr__(self):
        return "DEFAULT"


DEFAULT = Default()


def check_timeout(name, timeout, unit="seconds"):
    """Return *timeout* if it can be one: seconds (or another unit), zero or more, or None for no limit.

    Raises:
        TypeError: not a number.
        ValueError: negative or not a number of seconds at all (NaN).
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError("{} must be a number of {} or None, not {!r}".format(name, unit, timeout))
    if not timeout >= 0:
        raise ValueError("{} must be zero or more {}, or None for no limit, not {!r}".format(name, unit, timeout))
    return timeout if timeout < LONGEST else None


def sooner(one, other):
    """Return the earlier of two deadlines, None being never."""
    if one is None:
        return other
    if other is None:
        return one
    return min(one, other)


def seconds_until(deadline, now):
    """Return how many seconds are left at the moment *now*, 0 when the deadline has passed; None, never, for None."""
    return None if deadline is None else max(0.0, deadline - now)


class Buffer(object):
    """A queue of bytes: chunks are appended, and any number of bytes, or all up to a separator, is taken."""

    def __init__(self):
        #: False only while nothing is here: quicker to look at than the buffer's truth, and on the safe side.
        self.used = False
        self._data = b""
        self._start = 0
        self._separator = b"\n"
        self._searched = 0  # no separator begins before this index of _data
        self._split = None  # a list iterator: its __length_hint__ is not in the type of any iterator
        self._lines = []  # what the iterator runs through
        self._counted = 0  # the first so many lines are not in _lines_size any more
        self._lines_size = 0

    def __len__(self):
        size = len(self._data) - self._start
        if self._split is not None:
            size += self._unconsumed_size()
        return size

    def __bool__(self):
        if self._start < len(self._data):
            return True
        return self._split is not None and self._split.__length_hint__() > 0

    __nonzero__ = __bool__

    def append(self, chunk):
        """Add a chunk at the end. An empty buffer keeps the object itself."""
        self.used = True
        data = self._data
        size = len(data) - self._start
        if size == 0:
            self._data, self._start, self._searched = chunk, 0, 0
        elif not isinstance(data, bytearray):
            # Joining costs no more than the size of what has just come: cheap enough to stay with bytes.
            if size <= len(chunk):
                joined = data[self._start :] + chunk
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

    def take(self, size):
        """Remove and return up to ``size`` bytes from the front; everything when ``size`` is negative."""
        if self._split is not None:
            self._unsplit()
        return self._take_to(self._end(size))

    def take_all(self):
        """Remove and return everything."""
        return self.take(-1)

    def take_into(self, view):
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

    def take_until(self, separator):
        """Remove and return everything through the first ``separator``; None when it has not come yet."""
        if self._split is not None:
            if separator == self._separator:
                # The lines of the split end with this separator: take one from under the iterator.
                line = next(self._split, None)
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

    def take_lines(self, eol):
        """Remove all complete lines, as they are consumed from the iterator that is returned; None if there are none.

        Each line includes its ``eol``. Lines that have not been consumed yet are still in the buffer: `len`
        counts them, and what takes or looks at anything but a line at the front ends the iterator. Lines that
        are completed by a later `append` need another call.
        """
        if self._split is not None:
            if eol == self._separator and self._split.__length_hint__() and self._find(eol) < 0:
                unconsumed = self._split
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

    def peek(self, size):
        """Up to ``size`` bytes from the front, which stay; everything when ``size`` is negative."""
        if self._split is not None:
            self._unsplit()
        return self._slice(self._end(size))

    def clear(self):
        """Throw everything away and return how many bytes that was."""
        if self._split is not None:
            self._unsplit()
        size = len(self._data) - self._start
        self._drop_to(len(self._data))
        return size

    def _find(self, separator):
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

    def _end(self, size):
        """The index after the first ``size`` bytes of `_data`, or of all of them when it is negative."""
        return len(self._data) if size < 0 else min(self._start + size, len(self._data))

    def _take_to(self, end):
        taken = self._slice(end)
        self._drop_to(end)
        return taken

    def _drop_to(self, end):
        if end < len(self._data):
            self._start = end
        else:
            self._data, self._start, self._searched = b"", 0, 0
            self.used = False

    def _slice(self, end):
        data = self._data
        if isinstance(data, bytearray):
            return memoryview(data)[self._start : end].tobytes()
        return data[self._start : end]

    def _unconsumed_size(self):
        """How many bytes the unconsumed lines are. Each line that was consumed is counted once."""
        consumed = len(self._lines) - self._split.__length_hint__()
        self._lines_size -= sum(map(len, self._lines[self._counted : consumed]))
        self._counted = consumed
        return self._lines_size

    def _unsplit(self):
        """Put the unconsumed lines back in front, which ends the iterator over them."""
        lines = list(self._split)
        if lines:
            lines.append(self._slice(len(self._data)))
            self._data, self._start, self._searched = b"".join(lines), 0, 0
        self._forget_split()

    def _forget_split(self):
        self._split, self._lines = None, []


class Retry(object):
    """Connection attempts, and the delays between them.

    The delay grows from one attempt to the next up to a ceiling, and is spread at random, so that many programs that
    lost the same instrument do not come back at the same moment. Only connecting is ever tried again, never a request.

    Args:
        attempts: how many in all, 1 or more; None to go on for as long as the time limit allows.
        delay: seconds between the first attempt and the second.
        growth: factor from one delay to the next, 1 or more.
        ceiling: the longest delay, in seconds.
        jitter: every delay is made longer or shorter by up to this fraction of it, 0 to 1.
    """

    __slots__ = ("attempts", "ceiling", "delay", "growth", "jitter")

    def __init__(self, attempts=1, delay=0.1, growth=2.0, ceiling=10.0, jitter=0.1):
        self.attempts = None if attempts is None else check_count("attempts", attempts, 1)
        self.delay = _check("delay", delay, 0, None)
        self.growth = _check("growth", growth, 1, None)
        self.ceiling = _check("ceiling", ceiling, 0, None)
        self.jitter = _check("jitter", jitter, 0, 1)

    def delay_after(self, attempt):
        """Return how many seconds to wait after a failed attempt; the first is number 1."""
        import random

        try:
            delay = min(self.delay * self.growth ** (attempt - 1), self.ceiling)
        except OverflowError:
            delay = self.ceiling
        return delay * (1 + self.jitter * random.uniform(-1, 1))

    def __repr__(self):
        return (
            "Retry(attempts={!r}, delay={!r}, growth={!r}, "
            "ceiling={!r}, jitter={!r})".format(self.attempts, self.delay, self.growth, self.ceiling, self.jitter)
        )


def check_retry(retry):
    """Return *retry* if it is one; for None the one that tries once."""
    if retry is None:
        return Retry()
    if not isinstance(retry, Retry):
        raise TypeError("retry must be a sockio.Retry or None, not {!r}".format(retry))
    return retry


def _check(name, value, lowest, highest):
    allowed = "{} or more".format(lowest) if highest is None else "from {} to {}".format(lowest, highest)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("{} must be a number {}, not {!r}".format(name, allowed, value))
    if not value >= lowest or (highest is not None and value > highest):
        raise ValueError("{} must be {}, not {!r}".format(name, allowed, value))
    return value


IPTOS_LOWDELAY = 0x10

#: The longest line, in bytes, unless ``buffer_size`` says otherwise.
DEFAULT_LIMIT = 2**20

#: Probe an idle connection after 60 s, then every 10 s; three probes without an answer end it.
DFT_KEEP_ALIVE = {"active": 1, "idle": 60, "retry": 3, "interval": 10}


def check_port(port):
    """The port itself, if it is one that can be connected to."""
    given = port
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError("port must be an int from 1 to 65535, got {}: {!r}".format(type(port).__name__, port))
    if not 1 <= port <= 65535:
        raise ValueError("port must be an integer from 1 to 65535, got {}".format(port))
    return port


def check_host(host):
    """The host itself, if it may be a name or an IP address. An IPv6 address has no brackets here."""
    if not isinstance(host, TEXT):
        raise TypeError("host must be a str, got {}: {!r}".format(type(host).__name__, host))
    if ":" in host:
        address, percent, zone = host.partition("%")
        if _normal_ipv6(address) and bool(percent) == bool(zone) and _is_plain(zone):
            return host
    elif host and _is_plain(host):
        return host
    raise ValueError("host must be a name or an IP address (IPv6 without brackets), got {!r}".format(host))


def _normal_ipv6(address):
    """The shortest spelling of an IPv6 address; None for something else."""
    import socket

    try:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))
    except (EnvironmentError, ValueError):
        return None


def _is_plain(name):
    return is_printable(name) and not set(name) & set(" /?#@[]\\%:")


class Need(object):
    """What is returned for an incomplete frame: at least ``size`` more bytes are needed (one or more)."""

    __slots__ = ("size",)

    def __init__(self, size):
        self.size = size

    def __eq__(self, other):
        return self.size == other.size if isinstance(other, Need) else NotImplemented

    def __hash__(self):
        return hash((Need, self.size))

    def __repr__(self):
        return "Need({})".format(self.size)


class Framing(object):
    """How a stream of bytes is divided into frames.

    A framing has settings but no state: one object serves any number of streams.

    Arguments:
        limit: the largest size of a frame that is accepted, in bytes.
    """

    def __init__(self, limit=DEFAULT_LIMIT):
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError("limit must be an int (the largest size of a frame in bytes), got {!r}".format(limit))
        if limit < 1:
            raise ValueError("limit must be at least 1 byte, got {}".format(limit))
        self.limit = limit

    def encode(self, frame):
        """The bytes to send for a frame.

        Raises:
            ValueError: the frame cannot be sent with this framing.
        """
        raise NotImplementedError

    def decode(self, buffer):
        """Take the next frame from the front of a buffer.

        Returns the frame, or `Need` when it is not complete yet; nothing has been taken then.

        Raises:
            ProtocolError: this is no frame. It has been taken from the buffer when it is known where it ends;
                otherwise nothing has been taken, and what follows cannot be told apart from it.
            LimitError: the frame is larger than ``limit``. The same holds.
        """
        raise NotImplementedError


def check_bytes(frame):
    """Raise a `TypeError` unless a frame is made of bytes."""
    if not isinstance(frame, (bytes, bytearray, memoryview)):
        raise TypeError("a frame must be bytes, got {}: {!r}".format(type(frame).__name__, frame))


def check_terminator_type(eol):
    """Raise a `TypeError` unless a terminator is bytes."""
    if not isinstance(eol, bytes):
        raise TypeError("eol must be bytes, got {}: {!r}".format(type(eol).__name__, eol))


# '#', the number of digits, and nine digits at most.
LONGEST_HEADER = 11


def parse_header(data):
    """Read the header of a block from the front of ``data``.

    Returns the length of the header and that of the data after it, None for an indefinite block; or `Need`
    when the header is not complete.

    Raises:
        ProtocolError: these are no header's bytes.
    """
    if not data:
        return Need(2)
    if data[:1] != b"#" or (len(data) > 1 and not data[1:2].isdigit()):
        raise ProtocolError("expected a block, which begins with # and a digit, got {!r}".format(data[:40]), data)
    if len(data) < 2:
        return Need(1)
    count = int(data[1:2])
    if count == 0:
        return 2, None
    length = data[2 : 2 + count]
    if length and not length.isdigit():
        raise ProtocolError("expected a block's length of {} digits, got {!r}".format(count, data[: 2 + count]), data)
    if len(length) < count:
        return Need(count - len(length))
    return 2 + count, int(length)


class Block(Framing):
    """Arbitrary blocks of IEEE 488.2. A frame is the data alone, without header and terminator.

    Blocks are sent in the definite form and received in both, of which only the definite one is safe for any data:
    an indefinite block that something follows is refused, with all that has come.

    Arguments:
        eol: the response message terminator, which follows the block (8.5); ``b""`` for instruments that send
            none (an indefinite block then ends with a newline all the same).
        limit: the largest number of data bytes that is accepted.
    """

    def __init__(self, eol=b"\n", limit=DEFAULT_LIMIT):
        super(Block, self).__init__(limit)
        check_terminator_type(eol)
        self.eol = eol

    def decode(self, buffer):
        header = self.read_header(buffer)
        if isinstance(header, Need):
            return header
        header_size, size = header
        if size is None:
            return self._decode_indefinite(buffer)
        if size > self.limit:
            raise LimitError(
                "expected a block of at most {} bytes, got one of {}".format(self.limit, size),
                self.limit,
                buffer.peek(self.limit),
            )
        missing = header_size + size + len(self.eol) - len(buffer)
        if missing > 0:
            return Need(missing)
        buffer.take(header_size)
        data = buffer.take(size)
        self.check_terminator(size, buffer.take(len(self.eol)))
        return data

    def read_header(self, buffer):
        """Read the header at the front of a buffer, as `parse_header` does; it stays there.

        Raises:
            ProtocolError: there is none. What came instead, an error message perhaps, is most likely a line: it
                has been taken if it is complete.
        """
        try:
            return parse_header(buffer.peek(LONGEST_HEADER))
        except ProtocolError as error:
            line = buffer.take_until(self.eol or b"\n") or buffer.peek(self.limit)
            raise ProtocolError("{} in {!r}".format(error, line[:80]), line)

    def check_terminator(self, size, terminator):
        """Raise `ProtocolError` if what follows a block of *size* bytes is not the terminator."""
        if terminator != self.eol:
            raise ProtocolError("expected {!r} after a block of {} bytes, got {!r}".format(self.eol, size, terminator), terminator)

    def check_end(self, data, following):
        """Raise `ProtocolError` if anything follows what seems to be the end of an indefinite block."""
        if following:
            eol = self.eol or b"\n"
            raise ProtocolError(
                "an indefinite block came with {!r} after {} bytes of data and more after that: its end "
                "cannot be told; ask the instrument for definite blocks".format(eol, len(data)),
                b"#0" + data + eol + following,
            )

    def _decode_indefinite(self, buffer):
        eol = self.eol or b"\n"
        block = buffer.take_until(eol)
        largest = 2 + self.limit + len(eol)
        if block is None:
            if len(buffer) < largest:
                return Need(1)
            block = buffer.peek(largest)
        elif len(block) <= largest:
            data = block[2 : -len(eol)]
            self.check_end(data, buffer.take_all())
            return data
        raise LimitError(
            "expected {!r} within {} bytes of an indefinite block, got {} without it".format(eol, self.limit, len(block)),
            self.limit,
            block[:largest],
        )


class Ticket(object):
    """One call in the queue; by default an exchange, which needs both turns.

    Args:
        method: what is being called, for messages.
        owner: who calls it, as `Runtime.caller` says; None if nobody will ask.
    """

    #: Whether it needs the reading turn, and the writing turn.
    reads = True
    writes = True
    waiter = None
    link = None
    hold = None

    def __init__(self, method, owner=None):
        self.method = method
        self.owner = owner


class Turns(object):
    """The queue for one link, or for anything else that calls have to share.

    Args:
        runtime: provides the means to wait.
        queue: that of other turns, which are then the same ones for callers of another runtime.
    """

    __slots__ = ("_runtime", "queue")

    def __init__(self, runtime, queue=None):
        self._runtime = runtime
        self.queue = deque() if queue is None else queue

    def enter(self, ticket):
        """Queue, and return True if it is this ticket's turn already; otherwise `wait`."""
        self.queue.append(ticket)
        return self.admits(ticket)

    def admits(self, ticket):
        """Tell whether it is the turn of a ticket that has entered."""
        return ticket in self._whose()

    def wait(self, ticket, deadline):
        """Wait until it is the turn of a ticket that has entered.

        Raises:
            DeadlineExpired: the turn did not come in time; the ticket is still queued.
        """
        while True:
            waiter = ticket.waiter = self._runtime.waiter()
            # Asked only after the waiter is in place: who leaves in between wakes the waiter or is seen here.
            if ticket in self._whose():
                return
            waiter.wait(deadline)

    def leave(self, ticket):
        """Give up the turn, or the place in the queue, and wake those whose turn it is now."""
        queue = self.queue
        try:
            queue.remove(ticket)
        except ValueError:
            pass  # has left before
        ticket.owner = None  # a task holds its error, whose traceback holds the ticket: no cycles
        if queue:
            for other in self._whose():
                if other.waiter is not None:
                    other.waiter.set()

    def _whose(self):
        """Return the tickets whose turn it is."""
        turns = []
        reading = writing = False
        for ticket in list(self.queue):
            if ticket.reads:
                if reading:
                    continue
                reading = True
            if ticket.writes:
                if writing:
                    continue
                writing = True
            turns.append(ticket)
            if reading and writing:
                break
        return turns

    def holder(self, ticket):
        """Return whom a waiting ticket waits for; None if nobody is in its way any more."""
        for other in self._whose():
            if other is not ticket and ((other.reads and ticket.reads) or (other.writes and ticket.writes)):
                return other
        return None


#: How much is received at once, in bytes.
CHUNK_SIZE = 65536


class Waiter(object):
    """Something that one caller waits for, and another sets, once."""

    def wait(self, deadline):
        """Return when `set` is called, at once if it was called before.

        Raises:
            DeadlineExpired: nobody called it in time.
        """

    def set(self):
        """Wake who waits. Any thread may call it."""


class Transport(object):
    """An open connection that carries bytes, one reader and one writer at a time."""

    def receive(self, deadline):
        """Receive bytes that have arrived, waiting for at least one; ``b""`` at the end of the stream.

        The bytes are returned as they are where that is possible without suspending the caller; otherwise what is
        returned has to be awaited for them. Interrupted or expired, it has taken nothing.
        """

    def receive_into(self, view, deadline):
        """Receive straight into *view* until it is full; return how many bytes, fewer only at the end of the stream."""

    def send(self, data, deadline):
        """Hand all of *data* to the operating system.

        Small requests go at once, and None is returned. Otherwise the rest is sent by what is returned, which has to
        be awaited. When either raises, any part of the data may have gone.
        """

    def descriptor(self):
        """Return what the bytes come from and go to in the end; None where that is no descriptor."""
        return None

    def send_now(self, data):
        """Hand to the operating system what it takes of *data* without waiting; return how many bytes."""
        return 0

    def receive_now(self):
        """Return what has arrived without waiting: None if nothing has, ``b""`` at the end of the stream."""

    def in_waiting(self):
        """Return how many received bytes can be read without waiting."""

    def hung_up(self):
        """Tell whether the peer has closed or the link has broken; bytes may still be waiting."""

    def watch(self, hung_up):
        """From now on call ``hung_up(error)`` once when the peer goes, also while nobody reads.

        The error is None if the peer closed in good order. It is called where the runtime runs callbacks, and must not
        keep the stream alive.
        """

    def shut_down(self):
        """End the connection now, waking whoever waits on it, from any thread. What they raise does not matter."""

    def close(self):
        """Shut down and give the descriptor back. Nobody may be inside a call on a runtime with threads."""

    def forget(self):
        """In a forked child: give back this process' copy of the descriptor and leave the connection alone."""


class Runtime(object):
    """A concurrency model, as the core sees it."""

    #: Whether primitives may suspend the calling coroutine.
    suspends = True

    #: Whether calls have to ask if they are cancelled: those that need not wait would not be told otherwise.
    asks_for_cancellation = False

    #: Whether an async generator may be left half-way, by ``break``, without a warning.
    drops_generators = True

    #: The errors that the core raises; a runtime may add kin of its library's own.
    timeout_error = ConnectionTimeoutError
    eof_error = ConnectionEOFError
    limit_error = LimitError

    def clock(self):
        """Return monotonic seconds."""

    def sleep(self, seconds):
        """Let *seconds* pass."""

    def check_cancellation(self):
        """Raise what cancels the calling task, if it is cancelled. Called before a call has done anything."""
        raise NotImplementedError  # where `asks_for_cancellation` is not set

    @staticmethod
    def home():
        """Return what a connection made now belongs to: the event loop, the trio run, the process."""

    @staticmethod
    def caller():
        """Return who is calling: the task or thread. Cheap; `describe` makes text of it."""

    def describe(self, caller):
        """Return the name of a task or thread for an error message."""

    @staticmethod
    def is_running(caller):
        """Tell whether the task or thread that `caller` returned has not ended yet."""

    def waiter(self):
        """Return a new waiter."""

    def adopt(self, descriptor, buffer_size):
        """Return a transport over an open descriptor, which is the transport's from now on.

        A runtime that reads ahead stops at *buffer_size* bytes until they are taken.
        """

    def wait_writable(self, descriptor, deadline):
        """Wait until *descriptor*, not yet adopted, can be written to: a connection has been made or refused."""

    def wait_readable(self, descriptor, deadline):
        """Wait until *descriptor*, not adopted, can be read from: somebody has connected, a datagram has come."""

    def run_in_thread(self, deadline, function, *args):
        """Return ``function(*args)`` without holding up anybody else.

        When the deadline passes, or the caller is cancelled, the thread is left to itself.
        """

    def invoke(self, callback, *args):
        """Call a user's callback, and return what is left to be awaited, if anything."""

    def check_callback(self, name, callback):
        """Raise TypeError if *callback* cannot be called on this runtime."""
        if callback is not None and not callable(callback):
            raise TypeError("{} must be callable or None, not {!r}".format(name, callback))

    def may_pass(self, owner):
        """Tell whether the caller may use what belongs to the callback that *owner* is running."""
        return True


READABLE = getattr(select, "POLLIN", 1)
WRITABLE = getattr(select, "POLLOUT", 4)
ERROR = getattr(select, "POLLERR", 8)
BROKEN = ERROR | getattr(select, "POLLHUP", 16)
CLOSED_BY_PEER = POLLRDHUP

#: Asks a socket not to wait even where its descriptor would.
DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)

#: The most milliseconds that poll takes: 24 days.
LONGEST_POLL = 2**31 - 1


def reason(events):
    """Return why a connection has ended, None if the peer closed it in good order.

    Args:
        events: what poll or epoll reported.
    """
    if events & ERROR:
        return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    if not events & CLOSED_BY_PEER:
        return os_error(errno.EIO, "the device is gone")
    return None


class Poller(object):
    """Waits for one kind of event on a descriptor.

    Args:
        number: the file descriptor.
        events: what to wait for (READABLE, WRITABLE, ...); a broken connection is always reported.
        alarm: another descriptor that ends the waiting when it becomes readable.
    """

    def __init__(self, number, events, alarm=None):
        self._number = number
        self._events = events
        self._alarm = alarm
        self._poll = None
        #: ``poll_now()``: something true if one of the events has come. The quickest way to ask.
        self.poll_now = partial(self._select, 0)
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(number, events)
            if alarm is not None:
                self._poll.register(alarm, READABLE)
            self.poll_now = partial(self._poll.poll, 0)

    def wait(self, seconds):
        """Wait for so many seconds, None for as long as it takes; return the events that came, 0 if none."""
        if self._poll is None:
            return self._select(seconds)
        # Whole milliseconds, upwards: a deadline has passed when they are over.
        wait = None if seconds is None else min(-int(-1000 * seconds // 1), LONGEST_POLL) if seconds > 0 else 0
        ready = poll_again(self._poll, wait)
        return ready[0][1] if ready else 0

    def _select(self, seconds):
        reading = [self._number] if self._events & READABLE else []
        writing = [self._number] if self._events & WRITABLE else []
        if self._alarm is not None:
            reading.append(self._alarm)
        wait = None if seconds is None else max(0, seconds)
        readable, writable, broken = select.select(reading, writing, [self._number], wait)
        return (READABLE if readable else 0) | (WRITABLE if writable else 0) | (BROKEN if broken else 0)


class Descriptor(object):
    """An open byte stream of the operating system.

    Attributes:
        recv: ``recv(size) -> bytes``; ``b""`` at the end of the stream.
        recv_into: ``recv_into(view) -> int``.
        send: ``send(data) -> int``, never waiting: raises BlockingIOError when nothing can be sent now.
    """

    #: ``send_all(data)``: sends everything, waiting in the operating system; None where that is not to be had.
    send_all = None

    #: A descriptor that becomes readable on `shut_down`, where that does not wake who waits by itself.
    alarm = None

    #: Whether other programs read from the same device: then nothing may be read before somebody asks for it.
    shared = False

    def __init__(self, number):
        self.number = number

    def fileno(self):
        return self.number

    def set_blocking(self):
        """Let `recv` and `recv_into` wait in the operating system; return whether they will."""
        return False

    def set_receive_timeout(self, seconds):
        """Let a receive that waits in the operating system give up after so many seconds; 0 is never."""
        raise NotImplementedError

    def hung_up(self):
        """Tell whether the peer has closed, or the link has broken."""
        return bool(Poller(self.number, CLOSED_BY_PEER).wait(0) & (CLOSED_BY_PEER | BROKEN))

    def in_waiting(self):
        """Return how many bytes the operating system holds for us."""
        import fcntl
        import termios

        count = fcntl.ioctl(self.number, termios.FIONREAD, b"\0\0\0\0")
        return int(struct.unpack("i", count)[0])

    def shut_down(self):
        """End the connection and wake who waits for it in the operating system, where it can do that."""

    def close(self):
        """Give the descriptor back."""
        raise NotImplementedError

    def forget(self):
        """In a forked child: give the copy back without a word to the other side."""
        raise NotImplementedError


class Socket(socket.socket):
    """A socket that closes without a complaint when it is dropped: an interrupt may come before anybody has it."""

    __slots__ = ()

    def __del__(self):
        self.close()


class SocketDescriptor(Descriptor):
    """A connected, or connecting, stream socket."""

    def __init__(self, sock):
        super(SocketDescriptor, self).__init__(sock.fileno())
        self.socket = sock
        self.recv = system_call(sock.recv)
        self.recv_into = system_call(sock.recv_into)
        self.send = system_call(sock.send)
        self.send_all = sock.sendall
        sock.setblocking(False)

    def set_blocking(self):
        self.socket.setblocking(True)
        self.send = partial(_send_now, self.socket)
        # Where somebody else drives the socket (gevent), it stays non-blocking underneath.
        return DONT_WAIT != 0 and hasattr(os, "get_blocking") and os.get_blocking(self.number)

    def set_receive_timeout(self, seconds):
        whole = int(seconds)
        value = struct.pack("ll", whole, int((seconds - whole) * 1e6))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    def shut_down(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except EnvironmentError:
            pass  # the peer was faster

    def close(self):
        self.shut_down()
        self.socket.close()

    def forget(self):
        number = self.socket.detach()
        if number != -1:
            os.close(number)


def _send_now(sock, data):
    return system_call(sock.send)(data, DONT_WAIT)


def connect_tcp(runtime, host, port, setup, deadline):
    """Connect to the first address of *host* that answers.

    While more addresses are left to try, each gets an equal share of the time that is left.

    Raises:
        DeadlineExpired: no address answered in time.
        OSError: none could be reached; the error of the last one, as the system gave it.
    """
    addresses = look_up(runtime, host, port, deadline)
    for left in range(len(addresses), 0, -1):
        family, address = addresses[-left]
        share = deadline
        if deadline is not None and left > 1:
            now = runtime.clock()
            share = now + (deadline - now) / left
        try:
            return _connect(runtime, Socket(family, socket.SOCK_STREAM), address, setup, share)
        except (EnvironmentError, DeadlineExpired):
            if left == 1:
                raise
    raise os_error(errno.EADDRNOTAVAIL, "the name has no address")


def look_up(runtime, host, port, deadline):
    """Return the families and addresses of a host; only a name has to be looked up, which a thread does."""
    flags = getattr(socket, "AI_NUMERICHOST", 0)
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror:
        found = runtime.run_in_thread(deadline, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM, 0, 0)
    return [(entry[0], entry[4]) for entry in found]


def _connect(runtime, sock, address, setup, deadline):
    try:
        setup(sock)
        descriptor = SocketDescriptor(sock)
        code = sock.connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK) and sock.family != getattr(socket, "AF_UNIX", None):
            runtime.wait_writable(descriptor, deadline)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise os_error(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return descriptor


def set_options(sock, no_delay, tos, keep_alive):
    """Set what makes a TCP socket fit for talking to instruments; what a platform does not have is left out.

    Args:
        sock: the socket, not yet connected.
        no_delay: send small packets at once (TCP_NODELAY).
        tos: type of service of the IPv4 packets, None to leave it.
        keep_alive: True or False switches probing of idle connections; a mapping switches it with ``active`` and
            sets ``idle`` (seconds until the first probe), ``interval`` (seconds between probes) and ``retry`` (how
            many unanswered probes end the connection); None leaves the socket alone.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1 if no_delay else 0)
    if tos is not None and sock.family == socket.AF_INET and hasattr(socket, "IP_TOS"):
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    if keep_alive is None:
        return
    if isinstance(keep_alive, int):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if keep_alive else 0)
        return
    if "active" in keep_alive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if keep_alive["active"] else 0)
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    options = {
        "idle": idle,
        "retry": getattr(socket, "TCP_KEEPCNT", None),
        "interval": getattr(socket, "TCP_KEEPINTVL", None),
    }
    for name, option in options.items():
        if option is not None and name in keep_alive:
            sock.setsockopt(socket.IPPROTO_TCP, option, keep_alive[name])


clock = monotonic


class BlockingWaiter(Waiter):
    """A thread that waits for another one."""

    def __init__(self):
        self._event = threading.Event()

    def wait(self, deadline):
        if not self._event.wait(None if deadline is None else max(0, deadline - clock())):
            raise DeadlineExpired

    def set(self):
        self._event.set()


class BlockingTransport(Transport):
    """Waits in the operating system: inside ``recv`` where that can be, otherwise with poll.

    Args:
        descriptor: what to read from and write to.
    """

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._recv = descriptor.recv
        self._waits_in_recv = descriptor.set_blocking()
        self._receive_timeout = 0.0
        self._readable = Poller(descriptor.number, READABLE | CLOSED_BY_PEER, descriptor.alarm)
        self._send_all = descriptor.send_all if self._waits_in_recv else None
        self.arrived = self._readable.poll_now
        self._writable = Poller(descriptor.number, WRITABLE, descriptor.alarm)
        self._ended = False

    def receive(self, deadline):
        if deadline is not None or self._receive_timeout or not self._waits_in_recv:
            self._prepare_receive(deadline)
        try:
            return self._recv(CHUNK_SIZE)
        except BlockingIOError:
            raise DeadlineExpired

    def receive_into(self, view, deadline):
        received = 0
        while received < len(view):
            self._prepare_receive(deadline)
            try:
                count = self._descriptor.recv_into(view[received:])
            except BlockingIOError:
                raise DeadlineExpired
            if not count:
                break
            received += count
        return received

    def _prepare_receive(self, deadline):
        """See to it that the next receive returns what has arrived, or waits by itself until the deadline."""
        if not self._waits_in_recv:
            self._wait(self._readable, deadline)
            return
        # Whole milliseconds, upwards: a loop of requests with one timeout then sets the same value every time,
        # which costs nothing, where asking poll first would be a system call for each.
        seconds = 0.0 if deadline is None else -(1000 * (clock() - deadline) // 1) / 1000
        if seconds <= 0 and deadline is not None:
            self._wait(self._readable, deadline)
        elif seconds != self._receive_timeout:
            self._descriptor.set_receive_timeout(seconds)
            self._receive_timeout = seconds

    def send(self, data, deadline):
        if deadline is None and self._send_all is not None:
            self._send_all(data)
            return None
        sent = self.send_now(data)
        return None if sent == len(data) else self._send_rest(memoryview(data)[sent:], deadline)

    def _send_rest(self, rest, deadline):
        while rest:
            self._wait(self._writable, deadline)
            rest = rest[self.send_now(rest) :]

    def send_now(self, data):
        try:
            return self._descriptor.send(data)
        except BlockingIOError:
            return 0

    def _wait(self, poller, deadline):
        """Wait for the descriptor to become readable or writable."""
        ready = poller.wait(None if deadline is None else deadline - clock())
        if self._ended:
            raise ConnectionAbortedError("closed")
        if not ready:
            raise DeadlineExpired

    def descriptor(self):
        return self._descriptor

    def receive_now(self):
        # Not the poll object that another thread, which reads, may be waiting with.
        if not Poller(self._descriptor.number, READABLE | CLOSED_BY_PEER).wait(0):
            return None
        return self._recv(CHUNK_SIZE)

    def in_waiting(self):
        return self._descriptor.in_waiting()

    def hung_up(self):
        return self._descriptor.hung_up()

    def watch(self, hung_up):
        pass

    def shut_down(self):
        self._ended = True
        self._descriptor.shut_down()

    def close(self):
        self._ended = True
        self._descriptor.close()

    def forget(self):
        self._descriptor.forget()


class BlockingRuntime(Runtime):
    """Threads that wait."""

    name = "blocking"
    suspends = False

    def clock(self):
        return clock()

    def sleep(self, seconds):
        time.sleep(seconds)

    @staticmethod
    def home():
        return None  # the process; a fork is noticed by the connection itself

    caller = staticmethod(get_ident)

    def describe(self, caller):
        for thread in threading.enumerate():
            if thread.ident == caller:
                return "thread {!r}".format(thread.name)
        return "a thread that has ended"

    @staticmethod
    def is_running(caller):
        return any(thread.ident == caller for thread in threading.enumerate())

    def waiter(self):
        return BlockingWaiter()

    def adopt(self, descriptor, buffer_size):
        return BlockingTransport(descriptor)

    def wait_writable(self, descriptor, deadline):
        seconds = None if deadline is None else deadline - clock()
        if not Poller(descriptor.number, WRITABLE).wait(seconds):
            raise DeadlineExpired

    def wait_readable(self, descriptor, deadline):
        seconds = None if deadline is None else deadline - clock()
        if not Poller(descriptor.number, READABLE).wait(seconds):
            raise DeadlineExpired

    def run_in_thread(self, deadline, function, *args):
        if deadline is None:
            return function(*args)
        outcome = []
        done = BlockingWaiter()

        def work():
            try:
                outcome.append((function(*args), None))
            except Exception as error:
                outcome.append((None, error))
            done.set()

        thread = threading.Thread(target=work, name="sockio {}".format(function.__name__))
        thread.daemon = True
        thread.start()
        done.wait(deadline)
        value, error = outcome.pop()
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # its traceback holds this frame, and with it what has called

    def invoke(self, callback, *args):
        callback(*args)

    def may_pass(self, owner):
        return owner == get_ident()


def cannot_cancel():
    """Do nothing: a thread ends when it has done its work."""


#: One for everybody: it has no state that belongs to anyone.
runtime = BlockingRuntime()


class Link(object):
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

    def __init__(self, transport):
        self.transport = transport
        self.buffer = Buffer()
        self.ready = True
        self.closed = False
        self.reader = None
        self.writer = None
        self.error = None
        self._news = [True]

    def take_news(self):
        """Return True the first time, so that the end of a link is reported once whoever notices it."""
        try:
            return self._news.pop()
        except IndexError:
            return False


class CallbackPass(object):
    """Lets a callback, and the tasks that it starts, use the link that is being set up, for as long as it runs."""

    __slots__ = ("deadline", "link", "outer", "owner", "turns")

    def __init__(self, callbacks, link, deadline, outer):
        self.link = link
        self.deadline = deadline
        self.outer = outer
        self.owner = callbacks.runtime.caller()
        self.turns = Turns(callbacks.runtime)


_callback_pass = ContextVar("sockio callback pass", default=None)


class Callbacks(object):
    """The part of a connection that knows its callbacks.

    Attributes:
        resource: what the connection is to, as a URL.
        on_connection_made, on_connection_lost, on_eof_received: the callbacks, or None.
    """

    def __init__(self, resource, on_connection_made, on_connection_lost, on_eof_received):
        self.runtime.check_callback("on_connection_made", on_connection_made)
        self.runtime.check_callback("on_connection_lost", on_connection_lost)
        self.runtime.check_callback("on_eof_received", on_eof_received)
        self.resource = resource
        self.on_connection_made = on_connection_made
        self.on_connection_lost = on_connection_lost
        self.on_eof_received = on_eof_received
        self._callback = None
        self._ended = deque()

    def __str__(self):
        return self.resource

    @property
    def log(self):
        """Where the stream logs: a child of the logger "sockio" that is named after the resource."""
        import logging  # slow to import, and seldom used

        scheme, _, location = self.resource.partition("://")
        kind = {"tcp": "TCP", "tls": "TCP", "unix": "Unix"}.get(scheme, "Serial")
        return logging.getLogger("sockio.{}({})".format(kind, location))

    def _passes(self):
        """Return the pass of the callback from which the stream is being used, None anywhere else."""
        current = _callback_pass.get()
        while current is not None:
            if current is self._callback and self.runtime.may_pass(current.owner):
                return current
            current = current.outer
        return None

    def _tell_connection_made(self, link, callback, deadline):
        current = CallbackPass(self, link, deadline, _callback_pass.get())
        before = _callback_pass.set(current)
        self._callback = current
        try:
            self.runtime.invoke(callback)
        except Exception:
            self.log.exception("%s: on_connection_made failed", self)
        finally:
            self._callback = None
            _callback_pass.reset(before)
        if current.turns.queue:
            # Tasks that the callback has started are in the middle of their calls.
            ticket = Ticket("on_connection_made", current.owner)
            try:
                if not current.turns.enter(ticket):
                    self._wait_turn(current.turns, ticket, deadline)
            finally:
                current.turns.leave(ticket)

    def _report_ended(self):
        """Tell the callbacks of links that have ended, each once."""
        while self._ended:
            try:
                link = self._ended.popleft()
            except IndexError:
                return
            self._report(link)

    def _report(self, link):
        if not link.take_news():
            return
        if isinstance(link.error, EOFError):
            if self.on_eof_received is not None:
                self._tell(self.on_eof_received)
            error = None
        else:
            error = link.error
        # Its traceback holds the call that failed, and so the connection: no cycles.
        link.error = None if error is None else ConnectionError(str(error))
        if self.on_connection_lost is not None:
            self._tell(self.on_connection_lost, error)

    def _tell(self, callback, *args):
        """Call back. What the callback leaves to be awaited goes on by itself."""
        try:
            self.runtime.invoke(callback, *args)
        except Exception:
            self.log.exception("%s: callback %r failed", self, callback)

    def _wait_turn(self, turns, ticket, deadline):
        try:
            turns.wait(ticket, deadline)
        except DeadlineExpired:
            holder = turns.holder(ticket)
            whose = "nobody any more"
            if holder is not None:
                whose = "{} of {}".format(holder.method, self.runtime.describe(holder.owner))
            raise self.runtime.timeout_error(
                "{}: {} timed out waiting for its turn, which is held by {}; "
                "the connection was left alone".format(self, ticket.method, whose)
            )


_NOWHERE = object()


class Doubt(object):
    """A call has failed, or somebody else has used the line: an answer that is not for us may still come.

    Attributes:
        silence: for how many seconds the line has been silent since something last came, while somebody listened.
    """

    __slots__ = ("silence",)

    def __init__(self):
        self.silence = 0.0


class Endpoint(Callbacks):
    """A resource that can be connected to, and the present connection to it.

    Subclasses say what they connect to, by `_open_transport` and the resource's name.
    """

    def __init__(
        self,
        resource,
        auto_reconnect,
        on_connection_made,
        on_connection_lost,
        on_eof_received,
        buffer_size,
        connection_timeout,
        timeout,
        quiet,
        retry
    ):
        super(Endpoint, self).__init__(resource, on_connection_made, on_connection_lost, on_eof_received)
        self.auto_reconnect = auto_reconnect
        self.buffer_size = check_count("buffer_size", buffer_size, 1)
        self.connection_timeout = check_timeout("connection_timeout", connection_timeout)
        self.timeout = check_timeout("timeout", timeout)
        self.quiet = check_timeout("quiet", quiet)
        self.retry = check_retry(retry)
        self.connection_counter = 0
        self._home = _NOWHERE
        self._turns = Turns(self.runtime)
        self._opening = Turns(self.runtime)
        self._link = None
        self._doubt = None
        self._closings = 0
        _endpoints.add(self)

    def __repr__(self):
        state = "connected" if self.connected() else "not connected"
        return "<{}.{} {}, {}>".format(type(self).__module__, type(self).__name__, self.resource, state)

    def __del__(self):
        link = getattr(self, "_link", None)
        if link is not None:
            link.transport.close()

    def _open_transport(self, deadline):
        """Make a connection, once. Raises DeadlineExpired and the system's OSErrors."""
        raise NotImplementedError

    def open(self, timeout=DEFAULT):
        """Connect now, instead of at the first call that needs it.

        Args:
            timeout: seconds; instead of the stream's ``connection_timeout`` (or ``timeout``, where that is not given).

        Raises:
            ConnectionError: it is open already.
            ConnectionTimeoutError: there was no connection in time.
            OSError: the connection was refused, the host is unreachable, the port does not exist, ...
        """
        if timeout is DEFAULT:
            timeout = self.timeout if self.connection_timeout is None else self.connection_timeout
        self._settle()
        if self._callback is not None and self._passes() is not None:
            raise self._open_already()  # its turn would not come before this callback has returned
        self._report_ended()  # before on_connection_made of the next one
        ticket = Ticket("open", self.runtime.caller())
        opening = self._opening
        try:
            try:
                deadline = self._deadline(timeout)
                if not opening.enter(ticket):
                    self._wait_turn(opening, ticket, deadline)
                if self.connected():
                    raise self._open_already()
                self._connect(deadline)
            finally:
                opening.leave(ticket)
        finally:
            opening.leave(ticket)
            self._report_ended()

    def _open_already(self):
        return ConnectionError("{}: is open already; close it first to connect anew".format(self))

    def close(self):
        """Close the connection, if there is one. A call that is using it ends with a ConnectionAbortedError.

        Nothing is waited for: neither for a turn, nor for a peer that does not take what was written.
        """
        self._closings += 1
        link = self._link
        self._link = None
        if link is not None:
            self._retire(link, None)
        if self._callback is not None:
            self._retire(self._callback.link, None)
        self._report_ended()

    def connected(self):
        """Tell whether there is a connection whose peer is still there. Does no I/O and takes no turn."""
        link = self._current_link()
        return link is not None and not link.closed and link.ready and not link.transport.hung_up()

    @property
    def is_open(self):
        """The same as `connected`."""
        return self.connected()

    def _current_link(self):
        current = None if self._callback is None else self._passes()
        return self._link if current is None else current.link

    # Making a link

    def _connect(self, deadline):
        """Make a new link. The caller holds the opening turn."""
        closings = self._closings
        old = self._link
        if old is not None:
            self._retire(old, old.error)
        transport = self._establish(deadline)
        link = Link(transport)
        try:
            self._resynchronise(transport, deadline)
            if self.on_connection_lost is not None or self.on_eof_received is not None:
                transport.watch(_hang_up_notice(self, link))
            if self.on_connection_made is not None:
                self._tell_connection_made(link, self.on_connection_made, deadline)
            self._link = link  # before it is asked whether close() was called: that looks for it afterwards
            if closings != self._closings:
                raise ConnectionAbortedError("{}: closed while connecting".format(self))
            if link.closed:
                late = deadline is not None and self.runtime.clock() >= deadline
                kind = self.runtime.timeout_error if late else ConnectionAbortedError
                raise kind("{}: lost again while on_connection_made was running".format(self))
            self.connection_counter += 1
        except BaseException as error:
            self._callback = None
            self._retire(link, error)
            raise
        return link

    def _establish(self, deadline):
        """Connect, trying again as often as ``retry`` allows."""
        attempt = 1
        closings = self._closings
        refusal = None
        try:
            while True:
                try:
                    return self._open_transport(deadline)
                except EnvironmentError as error:
                    if error.errno is not None and error.filename is None:
                        error.filename = self.resource
                    refusal = error
                    if self.retry.attempts is not None and attempt >= self.retry.attempts:
                        raise
                if closings != self._closings:
                    raise ConnectionAbortedError("{}: closed while connecting".format(self))
                delay = self.retry.delay_after(attempt)
                self.log.info("%s: attempt %d failed (%s), next in %.3g s", self, attempt, refusal, delay)
                if deadline is not None and self.runtime.clock() + delay >= deadline:
                    raise DeadlineExpired
                self.runtime.sleep(delay)
                attempt += 1
        except DeadlineExpired:
            last = "no answer" if refusal is None else refusal.strerror or str(refusal)
            raise self.runtime.timeout_error(
                "{}: no connection in time: {} attempt(s), the last one: {}".format(self, attempt, last)
            )
        finally:
            del refusal  # its traceback holds this frame: no cycles

    def _resynchronise(self, transport, deadline):
        """See to it that what comes from now on is for us."""
        doubt = self._doubt
        while doubt is not None:
            if self.quiet:
                self._drain(transport, doubt, self.quiet, deadline)
            if self._doubt is doubt:
                self._doubt = None
            doubt = self._doubt  # there may be a new one meanwhile

    def _drain(self, transport, doubt, quiet, deadline):
        """Throw away what still comes from before, until nothing has come for *quiet* seconds.

        What one call has heard of the silence counts for the next, so that calls which have less time get there too.
        """
        size = 0
        while True:
            began = self.runtime.clock()
            silent = began + quiet - doubt.silence
            try:
                received = transport.receive(sooner(silent, deadline))
                chunk = received
            except GeneratorExit:
                raise  # dropped, where no clock runs any more
            except BaseException as error:
                # It was silent up to a cancellation as well.
                doubt.silence = 0.0 if transport.arrived() else doubt.silence + self.runtime.clock() - began
                if not isinstance(error, DeadlineExpired):
                    raise
                if doubt.silence and sooner(silent, deadline) == silent:
                    break
            else:
                if not chunk:
                    raise self.runtime.eof_error("{}: closed by the peer during resynchronisation".format(self), b"")
                doubt.silence = 0.0
                size += len(chunk)
            if deadline is not None and self.runtime.clock() >= deadline:
                raise self.runtime.timeout_error(
                    "{}: no resynchronisation in time: not silent for {} s after a failed call".format(self, quiet)
                )
        if size:
            self.log.warning("%s: discarded %d late bytes after a failed call", self, size)

    def _settle(self):
        """Move in where the caller is: another event loop or trio run cannot use what belonged to the last one."""
        home = self.runtime.home()
        if home is self._home:
            return
        if self._home is _NOWHERE:
            self._home = home
            return
        link = self._link
        self._link = None
        self._home = home
        self._turns = Turns(self.runtime)
        self._opening = Turns(self.runtime)
        self._callback = None
        if link is not None:
            self._retire(link, None)

    # Giving a link up

    @property
    def in_doubt(self):
        """Whether something may still come of a call that has failed, which the next one has to wait out."""
        return self._doubt is not None

    def distrust(self):
        """Have the next call resynchronise: somebody else has used the same line, and left it out of step."""
        self._doubt = Doubt()
        if self._link is not None:
            self._retire(self._link, None)

    def _part_with(self, link):
        """Let no other call use a link that is out of step. Until then its tickets tell that it is."""
        self._doubt = Doubt()
        if self._link is link:
            self._link = None

    def _retire(self, link, error):
        """Give a link up. Its descriptor is closed now, or by the call that is still inside it."""
        if self._link is link:
            self._link = None
        first = not link.closed
        link.ready = False
        link.closed = True
        if link.reader is not None or link.writer is not None:
            self._doubt = Doubt()
            link.transport.shut_down()
        else:
            link.transport.close()
        if first and link.error is None and isinstance(error, Exception):
            link.error = error
        self._ended.append(link)

    def _note_hang_up(self, link, error):
        """The peer has gone. What it has sent before can still be read."""
        link.ready = False
        if link.error is None and not link.closed:  # closed on this side, it was not the peer
            end = self._end_of_stream(b"", "the peer closed the connection") if error is None else error
            link.error = without_traceback(end)  # which may hold the link: no cycles

    def _end_of_stream(self, partial, message):
        return self.runtime.eof_error("{}: {}".format(self, message), partial)

    def _deadline(self, timeout):
        seconds = check_timeout("timeout", timeout)
        return None if seconds is None else self.runtime.clock() + seconds

    def _forget_in_child(self):
        """In a forked child: the connection is the parent's, and so are its turns."""
        link = self._link
        self._link = None
        self._home = _NOWHERE
        self._turns = Turns(self.runtime)
        self._opening = Turns(self.runtime)
        self._callback = None
        self._ended.clear()
        if link is not None:
            link.transport.forget()


def _hang_up_notice(endpoint, link):
    """Return what a transport calls when the peer goes; it does not keep the endpoint alive."""
    endpoint_reference = weakref.ref(endpoint)
    link_reference = weakref.ref(link)

    def hung_up(error):
        endpoint = endpoint_reference()
        link = link_reference()
        if endpoint is not None and link is not None and not link.closed:
            endpoint._note_hang_up(link, error)
            endpoint._report(link)

    return hung_up


_endpoints = weakref.WeakSet()


def _forget_in_child():
    for endpoint in list(_endpoints):
        endpoint._forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class BaseConnection(Endpoint):
    """An endpoint whose link is used by one call at a time: a reader and a writer, or an exchange."""

    #: Whether a plain write goes to a peer that has closed its side: to nobody else than one who may be listening yet.
    _looks_before_writing = True

    def _call(self, method, timeout, data, receive, only, *args):
        """Do one call: wait for its turn, make sure of the link, send and receive.

        Args:
            method: the name of the public method, for errors.
            timeout: seconds, None or DEFAULT.
            data: what to send; None for a plain read.
            receive: ``receive(link, deadline, *args)`` receives the reply, and returns it if it is bytes and came
                without waiting, otherwise what is to be awaited for it; None for a plain write.
            only: if given, use no other link than this.

        Raises:
            ConnectionTimeoutError: time was up; while waiting for its turn, that leaves the link alone.
            ConnectionEOFError, LimitError, ProtocolError, OSError: and the link has been given up, except when a
                plain read has met a malformed frame.
        """
        runtime = self.runtime
        if runtime.suspends:
            if runtime.home() is not self._home:
                self._settle()
            if runtime.asks_for_cancellation:
                runtime.check_cancellation()
        ticket = Ticket(method, runtime.caller())
        if receive is None:
            ticket.reads = False
        if data is None:
            ticket.writes = False
        turns = self._turns
        current = None if self._callback is None else self._passes()
        if current is not None:
            turns = current.turns
        try:
            try:
                if timeout is DEFAULT:
                    timeout = self.timeout
                deadline = None if timeout is None else self._deadline(timeout)
                if current is not None:
                    deadline = sooner(deadline, current.deadline)
                queue = turns.queue
                queue.append(ticket)  # `turns.enter`, spelled out: every function called here is felt
                if len(queue) > 1 and not turns.admits(ticket):
                    self._wait_turn(turns, ticket, deadline)
                    if current is None and turns is not self._turns:
                        raise ConnectionAbortedError(
                            "{}: moved to another event loop while {} waited for its turn".format(self, method)
                        )
                link = self._link if current is None else current.link
                if (
                    link is None
                    or (only is not None and link is not only)
                    or (not ticket.reads and self._looks_before_writing)
                    or link.reader is not None
                    or link.writer is not None
                    or link.buffer.used
                    or (receive is not None and (data is not None or self.auto_reconnect) and link.transport.arrived())
                ):
                    link, deadline = self._see_to(link, ticket, only, current is None, deadline)
                ticket.link = link
                if receive is not None:
                    link.reader = ticket
                if data is not None:
                    link.writer = ticket
                if link.closed:
                    raise ConnectionAbortedError("closed")
                if data is not None:
                    link.transport.send(data, deadline)
                    link.writer = None
                if receive is None:
                    return None
                reply = receive(link, deadline, *args)
                link.reader = None
                return reply
            except BaseException as error:
                failure = self._fail(ticket, timeout, error)
                try:
                    if failure is error:
                        raise
                    raise failure
                finally:
                    # Its traceback holds this frame: a cycle would keep a dropped connection open.
                    del failure
            finally:
                turns.leave(ticket)
        finally:
            used, ticket.link = ticket.link, None  # a link that is out of step holds the ticket: no cycles
            if used is not None and used.closed:
                self._retire(used, None)  # closed by another thread meanwhile: the last one out gives it back
            # An interrupt may have come in the middle of the lines above, so those who wait are woken again.
            if turns.queue:
                turns.leave(ticket)
            if self._ended:
                self._report_ended()

    def _see_to(self, link, ticket, only, renewable, deadline):
        """Return a link that the call can use, which may be a new one, and the call's deadline from then on."""
        if link is not None and self._look_at(link, ticket):
            if only is None or link is only:
                return link, deadline
            ticket.link = None
        elif only is None and renewable:
            ticket.link = None
            ended = link is not None or self._ended
            if ended and self.auto_reconnect and (self.on_connection_lost or self.on_eof_received):
                # Told before on_connection_made of the next one; not while holding a turn, which callbacks may want.
                if link is not None:
                    self._retire(link, link.error)
                self._turns.leave(ticket)
                ticket.owner = self.runtime.caller()
                self._report_ended()
                if not self._turns.enter(ticket):
                    self._wait_turn(self._turns, ticket, deadline)
                return self._see_to(self._link, ticket, only, renewable, deadline)
            link, deadline = self._renew(link, ticket, deadline)
            # Something may have come unasked while on_connection_made was running, or the peer may have gone again.
            if self._look_at(link, ticket):
                return link, deadline
            self._retire(link, link.error)
        ticket.link = None
        raise self._gone(link if only is None else only, ticket.method)

    def _look_at(self, link, ticket):
        """Look before using a link: is it in step, has nothing come that is in the way, is the peer still there?

        A request throws away what has come unasked; a plain read keeps it, and may have what a peer left behind.
        """
        if (link.reader is not None and ticket.reads) or (link.writer is not None and ticket.writes):
            # The call that left its ticket there was torn away in the middle.
            self._part_with(link)
            link.reader = None if ticket.reads else link.reader
            link.writer = None if ticket.writes else link.writer
            return False
        if link.closed:
            return False
        try:
            if not ticket.reads:
                return link.ready and not link.transport.hung_up()
            if not ticket.writes and link.buffer:
                return True
            ticket.link = link  # what is taken from it now must not get lost
            chunk = link.transport.receive_now()
            if chunk is None and not link.buffer:
                return link.ready
            if chunk == b"":
                self._note_hang_up(link, None)
                return False
            link.buffer.append(chunk or b"")
            return self._discard(link, ticket) if ticket.writes else True
        except EnvironmentError as error:
            self._note_hang_up(link, error)
            return False

    def _discard(self, link, ticket):
        """Throw away what has come before a request; return whether the peer is still there."""
        unread = link.buffer
        chunk = None
        while len(unread) <= self.buffer_size:
            chunk = link.transport.receive_now()
            if not chunk:
                break
            unread.append(chunk)
        else:
            raise self.runtime.limit_error(
                "{}: more than {} bytes came unasked before {}".format(self, self.buffer_size, ticket.method),
                self.buffer_size,
                unread.take_all(),
            )
        start = unread.peek(64)
        size = unread.clear()
        self.log.warning("%s: discarded %d unread bytes before %s: %r", self, size, ticket.method, start)
        return link.ready and chunk is None

    def _renew(self, link, ticket, deadline):
        """Connect, or take the connection that another call has just made; return it with the new deadline."""
        if link is not None:
            self._retire(link, link.error)
        if not self.auto_reconnect:
            raise self._gone(link, ticket.method)
        started = self.runtime.clock()
        limit = deadline if self.connection_timeout is None else started + self.connection_timeout
        opening = self._opening
        place = Ticket(ticket.method, ticket.owner)
        try:
            try:
                if not opening.enter(place):
                    self._wait_turn(opening, place, limit)
                fresh = self._link
                if fresh is None or fresh is link or not fresh.ready:
                    fresh = self._connect(limit)
            finally:
                opening.leave(place)
        finally:
            opening.leave(place)
        if deadline is not None and self.connection_timeout is not None:
            deadline += self.runtime.clock() - started
        return fresh, deadline

    def _gone(self, link, method):
        """Return the error of a call that has no connection and may not make one."""
        if link is None:
            return ConnectionError("{}: {} needs a connection, and there is none: call open() first".format(self, method))
        if link.error is None or isinstance(link.error, EOFError):
            return self._end_of_stream(b"", "{} has no connection any more: it was closed".format(method))
        return ConnectionError("{}: {} has no connection any more: {}".format(self, method, link.error))

    def _meet_end(self, link, end):
        """A plain read has met the end of the stream: the link is of no use any more."""
        link.reader = None
        self._retire(link, end)

    def _fail(self, ticket, timeout, error):
        """Give up the link of a call that failed, and return the error that its caller is to see."""
        link = ticket.link
        if link is None:
            return error
        sending = link.writer is ticket
        failure = error
        if isinstance(error, ProtocolError):
            failure = ProtocolError("{}: {}".format(self, error), error.data)
            if not ticket.writes:
                link.reader = None
                return failure
        received = b"" if sending else link.buffer.peek(64)
        if isinstance(error, DeadlineExpired):
            doing = "sending" if sending else "receiving; so far came {!r}".format(received) if received else "receiving"
            when = "with the call that connects" if timeout is None else "after {} s".format(timeout)
            failure = self.runtime.timeout_error("{}: {} timed out {} {}".format(self, ticket.method, when, doing))
        elif link.closed and isinstance(error, (EnvironmentError, EOFError)):
            failure = ConnectionAbortedError("{}: was closed while {} was running".format(self, ticket.method))
        elif isinstance(error, EnvironmentError) and error.errno is not None and error.filename is None:
            error.filename = self.resource  # the system does not know which one it was
        self._part_with(link)
        if sending:
            link.writer = None
        if link.reader is ticket:
            link.reader = None
        self._retire(link, failure)
        return failure


#: What blocks begin with. Numbers that are not decimal begin with # and a letter (IEEE 488.2, 8.7.5 to 8.7.7).
INDEFINITE_BLOCK = b"#0"
DEFINITE_BLOCK = [b"#%d" % count for count in range(1, 10)]


class Receiving(BaseConnection):
    """A connection that can receive in all the ways that streams read.

    A way to receive is a method that `_call` is given, and calls with the link, the deadline and the method's own
    arguments. It raises EOFError (with what had come) if the peer closes too early, DeadlineExpired at the deadline,
    and LimitError for a line or frame of more than ``buffer_size`` bytes.
    """

    def _receive(self, link, deadline):
        """Append what comes next to the link's buffer."""
        chunk = link.transport.receive(deadline)
        if not chunk:
            raise self._cut_short(link.buffer.take_all())
        link.buffer.append(chunk)

    def _cut_short(self, partial):
        so_far = " after {} bytes: {!r}".format(len(partial), partial[:64]) if partial else ""
        return self._end_of_stream(partial, "the peer closed the connection{}".format(so_far))

    def _receive_line(self, link, deadline, eol):
        if link.buffer.used:
            return self._receive_rest_of_line(link, deadline, eol, None)
        # Most often the reply is all that comes, and need not go through the buffer.
        chunk = link.transport.receive(deadline)
        if isinstance(chunk, bytes) and self._is_line(chunk, eol):
            return chunk
        return self._receive_rest_of_line(link, deadline, eol, chunk)

    def _is_line(self, chunk, eol):
        """Tell whether what has come is one line and nothing else."""
        return chunk.endswith(eol) and chunk.find(eol) + len(eol) == len(chunk) <= self.buffer_size

    def _receive_rest_of_line(self, link, deadline, eol, chunk):
        """Receive a line that begins with what the buffer has, or else with *chunk*."""
        buffer = link.buffer
        if chunk is not None:
            if not isinstance(chunk, bytes):
                chunk = chunk
                if self._is_line(chunk, eol):
                    return chunk
            if not chunk:
                raise self._cut_short(b"")
            buffer.append(chunk)
        while True:
            line = buffer.take_until(eol)
            if line is not None:
                return self._within_limit(line)
            if len(buffer) > self.buffer_size:
                return self._within_limit(buffer.take_all())
            self._receive(link, deadline)

    def _within_limit(self, line):
        if len(line) > self.buffer_size:
            raise self.runtime.limit_error(
                "{}: a line of more than {} bytes (buffer_size): {!r}...".format(self, self.buffer_size, line[:64]),
                self.buffer_size,
                line,
            )
        return line

    def _receive_lines(self, link, deadline, n, eol):
        lines = []
        try:
            while len(lines) < n:
                line = self._receive_line(link, deadline, eol)
                lines.append(line)
        except EOFError as error:
            partial = getattr(error, "partial", b"")
            raise self._cut_short(b"".join(lines) + partial)
        return lines

    def _receive_line_batch(self, link, deadline, eol):
        """Return all the complete lines that have come; until they are consumed they stay in the buffer."""
        buffer = link.buffer
        if not buffer:
            chunk = link.transport.receive(deadline)
            if not chunk:
                raise self._cut_short(b"")
            if self._is_line(chunk, eol):
                return link, (chunk,)  # a request that has come alone need not go through the buffer
            buffer.append(chunk)
        while True:
            if len(buffer) > self.buffer_size:
                # Among so much there may be a line that is too long.
                line = self._receive_line(link, deadline, eol)
                return link, [line]
            lines = buffer.take_lines(eol)
            if lines is not None:
                return link, lines
            self._receive(link, deadline)

    def _receive_some(self, link, deadline, n):
        if n < 0:
            return self._receive_everything(link, deadline)
        if n and not link.buffer:
            self._receive(link, deadline)
        return link.buffer.take(n)

    def _receive_everything(self, link, deadline):
        chunks = [link.buffer.take_all()]
        late = 0
        while True:
            chunk = link.transport.receive(deadline)
            if not chunk:
                break
            chunks.append(chunk)
            # What had come in time may be taken late; from a peer that never stops there is always more.
            if deadline is not None and self.runtime.clock() > deadline:
                late += len(chunk)
                if late > self.buffer_size:
                    raise DeadlineExpired
        everything = b"".join(chunks)
        end = self._cut_short(b"")
        if not everything:
            raise end
        self._meet_end(link, end)
        return everything

    def _receive_exactly(self, link, deadline, n):
        buffer = link.buffer
        if n <= CHUNK_SIZE:
            while len(buffer) < n:
                self._receive(link, deadline)
            return buffer.take(n)
        memory = bytearray(n)
        self._receive_into(link, deadline, memoryview(memory))
        return to_bytes(memory)

    def _receive_into(self, link, deadline, view):
        received = link.buffer.take_into(view)
        if received < len(view):
            received += link.transport.receive_into(view[received:], deadline)
        if received < len(view):
            raise self._cut_short(to_bytes(view[:received]))

    def _receive_available(self, link, deadline):
        buffer = link.buffer
        while len(buffer) < self.buffer_size:
            chunk = link.transport.receive_now()
            if chunk == b"" and not buffer:
                raise self._cut_short(b"")
            if not chunk:
                break
            buffer.append(chunk)
        return buffer.take_all()

    def _receive_ahead(self, link, deadline, n):
        ticket = link.reader
        try:
            while len(link.buffer) < n:
                self._receive(link, deadline)
        except DeadlineExpired:
            self._leave_in_step(link, ticket)
            raise self.runtime.timeout_error("{}: {} bytes have not come in time".format(self, n))
        except BaseException as error:
            # A transport that is cancelled has taken nothing, but an interrupt can come between taking and keeping.
            if self.runtime.suspends and not isinstance(error, (Exception, KeyboardInterrupt)):
                self._leave_in_step(link, ticket)
            raise

    def _leave_in_step(self, link, ticket):
        """Part a call that fails from its link, which can be trusted all the same; not from one closed meanwhile."""
        link.reader = None
        if ticket is not None and not link.closed:
            ticket.link = None

    def _receive_block(self, link, deadline, eol, allocate):
        framing = Block(eol, self.buffer_size)
        header_size, size = self._receive_block_header(link, deadline, framing)
        if size is None:
            data = self._receive_indefinite_block(link, deadline, framing)
            if allocate is None:
                return data
            memory = allocate(len(data))
            _view_of_size(memory, len(data))[:] = data
            return memory
        # A definite block says how long it is, so it may be longer than what is read ahead.
        header = link.buffer.take(header_size)
        complete = memoryview(b"")
        try:
            if allocate is None:
                memory = self._receive_exactly(link, deadline, size)
                view = memoryview(memory)
            else:
                memory = allocate(size)
                view = _view_of_size(memory, size)
                self._receive_into(link, deadline, view)
            complete = view
            end = self._receive_exactly(link, deadline, len(eol))
        except EOFError as error:
            partial = getattr(error, "partial", b"")
            raise self._cut_short(header + complete.tobytes() + partial)
        framing.check_terminator(size, end)
        return memory

    def _receive_block_header(self, link, deadline, framing):
        """Receive the header of a block; it stays in the buffer."""
        while True:
            header = framing.read_header(link.buffer)
            if not isinstance(header, Need):
                return header
            self._receive(link, deadline)

    def _receive_indefinite_block(self, link, deadline, framing):
        """Receive an indefinite block, whose end is told by nothing following it.

        If anything does, the link is given up, also by a plain read: what still comes may be the rest of the block.
        """
        try:
            data = self._receive_frame(link, deadline, framing)
            framing.check_end(data, self._receive_following(link, deadline))
        except ProtocolError as error:
            self._part_with(link)
            link.reader = None
            self._retire(link, error)
            raise
        return data

    def _receive_following(self, link, deadline):
        """Return what is there already; on a line with a quiet time, whatever comes within that."""
        silent = None
        try:
            if not self.quiet:
                return link.transport.receive_now() or b""
            silent = self.runtime.clock() + self.quiet
            chunk = link.transport.receive(sooner(silent, deadline))
            return chunk
        except DeadlineExpired:
            if sooner(silent, deadline) != silent:
                raise
        except EnvironmentError:
            pass  # the next call meets it
        return b""

    def _receive_message(self, link, deadline, eol, allocate):
        if link.buffer.used:
            return self._receive_block_or_line(link, deadline, eol, None, allocate)
        # As in _receive_line.
        chunk = link.transport.receive(deadline)
        if isinstance(chunk, bytes) and self._is_line(chunk, eol) and not chunk.startswith(b"#"):
            return chunk
        return self._receive_block_or_line(link, deadline, eol, chunk, allocate)

    def _receive_block_or_line(self, link, deadline, eol, chunk, allocate):
        """Receive a message that begins with what the buffer has, or else with *chunk*."""
        buffer = link.buffer
        if chunk is not None:
            if not isinstance(chunk, bytes):
                chunk = chunk
                if self._is_line(chunk, eol) and not chunk.startswith(b"#"):
                    return chunk
            if not chunk:
                raise self._cut_short(b"")
            buffer.append(chunk)
        # A lone "#" may be the beginning of either.
        while len(buffer) < 2 and buffer.peek(1) in (b"", b"#"):
            self._receive(link, deadline)
        beginning = buffer.peek(2)
        if allocate is not None and (beginning in DEFINITE_BLOCK or beginning == INDEFINITE_BLOCK):
            return self._receive_block(link, deadline, eol, allocate)
        framing = Block(eol, self.buffer_size)
        if beginning == INDEFINITE_BLOCK:
            return beginning + self._receive_indefinite_block(link, deadline, framing) + eol
        if beginning not in DEFINITE_BLOCK:
            return self._receive_rest_of_line(link, deadline, eol, None)
        header_size, size = self._receive_block_header(link, deadline, framing)
        assert size is not None
        parts = [buffer.take(header_size)]
        try:
            parts.append(self._receive_exactly(link, deadline, size))
            parts.append(self._receive_rest_of_line(link, deadline, eol, None))
        except EOFError as error:
            partial = getattr(error, "partial", b"")
            raise self._cut_short(b"".join(parts) + partial)
        return b"".join(parts)

    def _receive_frame(self, link, deadline, framing):
        while True:
            try:
                frame = framing.decode(link.buffer)
            except LimitError as error:
                raise self.runtime.limit_error("{}: {}".format(self, error), error.limit, error.partial)
            if not isinstance(frame, Need):
                return frame
            self._receive(link, deadline)


def writable_view(buffer):
    """Return the bytes of a buffer, to be received into."""
    view = byte_view(buffer)
    if view.readonly:
        raise TypeError("buffer must be writable, {} is not".format(type(buffer).__name__))
    return view


def _view_of_size(memory, size):
    """Return the bytes of what a user's function has allocated for a block."""
    if size == 0:
        return memoryview(bytearray())  # an array without elements has no bytes to be viewed
    view = writable_view(memory)
    if len(view) != size:
        raise ValueError("allocate must return a buffer of {} bytes, not of {}".format(size, len(view)))
    return view


class Stream(Receiving):
    """A stream of bytes to and from an instrument, kept in step and reconnected on demand.

    Every method that does I/O connects first if need be (unless ``auto_reconnect`` is off), and takes a *timeout* in
    seconds for the whole call: waiting for its turn, connecting, sending and receiving. None means no limit; left
    out, the stream's own ``timeout`` holds. Connecting has a limit of its own instead where ``connection_timeout`` is
    given.

    The ``write_read…`` methods are *exchanges*: a request and its reply, which nobody else's call comes between. Input
    that came unasked is discarded (and logged) before the request goes out. Whatever exception ends an exchange, the
    connection is closed, and the next call makes a new one: a late reply can never be taken for the answer to a later
    question. A request is never sent twice.

    All of them raise:
        ConnectionTimeoutError: the time was up. If it passed while waiting for a turn, the connection was left alone.
        ConnectionEOFError: the peer closed the connection before all had come; ``.partial`` is what had.
        LimitError: a line or frame longer than ``buffer_size``.
        OSError: connecting failed, or the connection broke.
    """

    def __init__(self, resource, eol, *args):
        super(Stream, self).__init__(resource, *args)
        self.eol = check_eol(eol)

    # What is there already

    def in_waiting(self):
        """Return how many bytes can be read without waiting; 0 when not connected."""
        link = self._current_link()
        if link is None or link.closed:
            return 0
        return len(link.buffer) + link.transport.in_waiting()

    def at_eof(self):
        """Tell whether the peer has closed the connection and all that it sent has been read."""
        link = self._current_link()
        return link is not None and (link.closed or link.transport.hung_up()) and self.in_waiting() == 0

    def reset_input_buffer(self):
        """Discard what has been received and not been read, unless a call is receiving at this moment."""
        current = None if self._callback is None else self._passes()
        turns, link = (self._turns, self._link) if current is None else (current.turns, current.link)
        if link is None:
            return
        ticket = Ticket("reset_input_buffer", None)
        ticket.writes = False
        try:
            if not turns.enter(ticket) or link.reader is not None:
                return
            link.reader = ticket
            if not link.closed:
                self._discard_received(link)
            link.reader = None
        finally:
            turns.leave(ticket)
        if link.closed:  # by another thread meanwhile
            self._retire(link, None)
            self._report_ended()

    def _discard_received(self, link):
        link.buffer.clear()
        try:
            while link.transport.receive_now():
                pass
        except EnvironmentError:
            pass  # the next call meets it

    # Reads

    def read(self, n=-1, timeout=DEFAULT):
        """Read up to *n* bytes, at least one; everything until the peer closes the connection if *n* is negative."""
        if check_count("n", n, -1) == 0:
            return b""
        return self._call("read", timeout, None, self._receive_some, None, n)

    def readline(self, eol=None, timeout=DEFAULT):
        """Read a line and return it with its end.

        Args:
            eol: one or more bytes that end a line, instead of the stream's ``eol``.
            timeout: seconds.
        """
        return self._call("readline", timeout, None, self._receive_line, None, self._eol(eol))

    def readlines(self, n, eol=None, timeout=DEFAULT):
        """Read *n* lines and return them with their ends."""
        if check_count("n", n, 0) == 0:
            return []
        return self._call("readlines", timeout, None, self._receive_lines, None, n, self._eol(eol))

    def readuntil(self, separator=b"\n", timeout=DEFAULT):
        """Read up to and including *separator*, whatever the stream's ``eol`` is."""
        return self._call("readuntil", timeout, None, self._receive_line, None, check_eol(separator))

    def readexactly(self, n, timeout=DEFAULT):
        """Read *n* bytes. Big blocks are received into their final place."""
        if check_count("n", n, 0) == 0:
            return b""
        return self._call("readexactly", timeout, None, self._receive_exactly, None, n)

    def read_into(self, buffer, timeout=DEFAULT):
        """Fill *buffer* with bytes received straight into it.

        Args:
            buffer: any contiguous writable buffer: bytearray, memoryview, numpy array, ctypes structure, array.array.
                All of it is filled. When the call fails, it holds what had come so far.
            timeout: seconds.
        """
        view = writable_view(buffer)
        if len(view):
            self._call("read_into", timeout, None, self._receive_into, None, view)

    def readbuffer(self, timeout=DEFAULT):
        """Return what can be read without waiting, ``b""`` if nothing."""
        self.runtime.sleep(0)  # nothing below waits, and a loop of these must let others run
        return self._call("readbuffer", timeout, None, self._receive_available, None)

    def wait_readable(self, n=1, timeout=DEFAULT):
        """Wait until *n* bytes can be read without waiting, and take none of them.

        Unlike a read, it leaves the connection alone when the time is up, or when the waiting task is cancelled: what
        has come by then is there for the next read.
        """
        if check_count("n", n, 0):
            self._call("wait_readable", timeout, None, self._receive_ahead, None, n)

    def readblock(self, eol=None, timeout=DEFAULT, allocate=None):
        """Read an IEEE 488.2 arbitrary block, and return its data.

        Args:
            eol: what ends the message after the block, instead of the stream's ``eol``; ``b""`` for an instrument that
                sends nothing after a definite block.
            timeout: seconds.
            allocate: called with the size of the block in bytes, returns the contiguous writable buffer of that size
                (bytearray, numpy array) that the block is to be received into, and that is returned instead of bytes.

        Raises:
            ProtocolError: what came is not a block, or something else than *eol* follows it; or it is an indefinite
                block (``#0``), which ends with the message, and something follows its first line feed: a stream does
                not tell whether that is the end.
            TypeError, ValueError: what *allocate* returned is no such buffer.
        """
        return self._call("readblock", timeout, None, self._receive_block, None, self._block_end(eol), allocate)

    def readmessage(self, eol=None, timeout=DEFAULT, allocate=None):
        """Read an IEEE 488.2 response message and return it with its end: a line, as `readline` does, unless it begins
        with a definite block, whose data may hold anything: then everything up to the first *eol* after that.

        Args:
            eol: what ends a message, instead of the stream's ``eol``.
            timeout: seconds.
            allocate: as for `readblock`: a message that is a block is received into what it returns, and that is
                returned. A line is still returned as bytes.
        """
        return self._call("readmessage", timeout, None, self._receive_message, None, self._eol(eol), allocate)

    def readframe(self, framing, timeout=DEFAULT):
        """Read a frame.

        Args:
            framing: how frames are told apart, e.g. ``sockio.framing.COBS()``.
            timeout: seconds.

        Raises:
            ProtocolError: a malformed frame; the next one can be read.
        """
        return self._call("readframe", timeout, None, self._receive_frame, None, framing)

    # Writes

    def write(self, data, timeout=DEFAULT):
        """Send *data*, and return when the operating system has taken all of it."""
        self._call("write", timeout, check_data(data), None, None)

    def writelines(self, lines, timeout=DEFAULT):
        """Send the lines, which bring their own ends, in one go."""
        self._call("writelines", timeout, b"".join(check_lines(lines)), None, None)

    def writeframe(self, frame, framing, timeout=DEFAULT):
        """Send a frame, as *framing* encodes it."""
        self._call("writeframe", timeout, framing.encode(frame), None, None)

    # Exchanges

    def write_read(self, data, n=-1, timeout=DEFAULT):
        """Send *data* and read up to *n* bytes; until the peer closes the connection if *n* is negative."""
        check_count("n", n, -1)
        return self._call("write_read", timeout, check_data(data), self._receive_some, None, n)

    def write_readline(self, data, eol=None, timeout=DEFAULT):
        """Send *data* and read the line that answers it, with its end.

        Args:
            data: the request, with the end of line that the instrument wants.
            eol: what ends the reply, instead of the stream's ``eol``.
            timeout: seconds.
        """
        # The one that matters most: spelled out, since every function called is felt.
        if data.__class__ is not bytes:
            data = check_data(data)
        eol = self.eol if eol is None else check_eol(eol)
        return self._call("write_readline", timeout, data, self._receive_line, None, eol)

    def write_readlines(self, data, n, eol=None, timeout=DEFAULT):
        """Send *data* and read *n* lines, with their ends."""
        check_count("n", n, 0)
        return self._call(
            "write_readlines", timeout, check_data(data), self._receive_lines, None, n, self._eol(eol)
        )

    def writelines_readlines(self, lines, n=None, eol=None, timeout=DEFAULT):
        """Send the lines in one go and read *n* lines; as many as were sent if *n* is None."""
        lines = check_lines(lines)
        request = b"".join(lines)
        n = len(lines) if n is None else check_count("n", n, 0)
        return self._call("writelines_readlines", timeout, request, self._receive_lines, None, n, self._eol(eol))

    def write_readblock(self, data, eol=None, timeout=DEFAULT, allocate=None):
        """Send *data* and read the IEEE 488.2 block that answers it; see `readblock`."""
        return self._call(
            "write_readblock", timeout, check_data(data), self._receive_block, None, self._block_end(eol), allocate
        )

    def write_readmessage(self, data, eol=None, timeout=DEFAULT, allocate=None):
        """Send *data* and read the response message that answers it; see `readmessage`."""
        if data.__class__ is not bytes:
            data = check_data(data)
        eol = self.eol if eol is None else check_eol(eol)
        return self._call("write_readmessage", timeout, data, self._receive_message, None, eol, allocate)

    def write_readframe(self, frame, framing, timeout=DEFAULT):
        """Send a frame and read the frame that answers it."""
        return self._call("write_readframe", timeout, framing.encode(frame), self._receive_frame, None, framing)

    # Iteration

    def __iter__(self):
        """Go through the lines of one connection; see `sockio.iteration`."""

        return LineStream(self).__iter__()

    # Arguments

    def _eol(self, eol):
        return self.eol if eol is None else check_eol(eol)

    def _block_end(self, eol):
        return b"" if eol == b"" else self._eol(eol)


class BaseStream(object):
    """Asynchronous iteration over a stream. A subclass of your own implements `_read`.

    Args:
        tcp: the stream to read from.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp, reconnect=False):
        self.tcp = tcp
        self.reconnect = reconnect
        self._one_by_one = None

    def __iter__(self):
        return self._generate() if self.tcp.runtime.drops_generators else Items(self)

    def _generate(self):
        link = None
        while True:
            try:
                link, items = self._read_batch(link)
            except (EOFError, ConnectionError) as error:
                self._check_end(link, error)
                if not self.reconnect:
                    return
                link = None
                continue
            for item in items:
                yield item

    def __next__(self):
        if self._one_by_one is None:
            self._one_by_one = Items(self)
        return self._one_by_one.__next__()

    next = __next__

    def next_batch(self, link):
        """Return the link that is being read and the next items; None when that link has ended.

        Args:
            link: the one that the iteration keeps to, None at its beginning.
        """
        try:
            return self._read_batch(link)
        except (EOFError, ConnectionError) as error:
            self._check_end(link, error)
        return None

    def _check_end(self, link, error):
        """Raise the error, unless it says that the link has ended where an item has."""
        if isinstance(error, EOFError):
            if getattr(error, "partial", b""):
                raise error
        elif link is None or not self.reconnect or isinstance(error, TimeoutError):
            raise error

    def _read_batch(self, link):
        return self._read_one(link)

    def _read_one(self, link):
        return link, [self._read()]

    def _read(self):
        """Return the next item; raise ConnectionEOFError where the stream ends."""
        raise NotImplementedError


class Items(object):
    """What `BaseStream` generates, without a generator: slower, but nobody minds when it is left half-way.

    Args:
        items: where they come from.
    """

    def __init__(self, items):
        self._items = items
        self._link = None
        self._batch = iter(())

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            for item in self._batch:
                return item
            batch = self._items.next_batch(self._link)
            if batch is not None:
                self._link = batch[0]
                self._batch = iter(batch[1])
            elif self._items.reconnect:
                self._link = None
            else:
                raise StopIteration

    next = __next__


class LineStream(BaseStream):
    """Iteration by line; every line has its end.

    Args:
        tcp: the stream to read from.
        eol: what ends a line, instead of the stream's ``eol``.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp, eol=None, reconnect=False):
        super(LineStream, self).__init__(tcp, reconnect)
        self.eol = None if eol is None else check_eol(eol)

    def _read_batch(self, link):
        eol = self.tcp.eol if self.eol is None else self.eol
        return self.tcp._call("iteration", DEFAULT, None, self.tcp._receive_line_batch, link, eol)


class BlockStream(BaseStream):
    """Iteration by block.

    Args:
        tcp: the stream to read from.
        limit: the size of the blocks in bytes, or the bytes that end a block.
        reconnect: go on with the next connection when one has ended.
    """

    def __init__(self, tcp, limit, reconnect=False):
        super(BlockStream, self).__init__(tcp, reconnect)
        self.limit = check_eol(limit) if isinstance(limit, bytes) else check_count("limit", limit, 1)

    def _read_batch(self, link):
        receive = self.tcp._receive_line_batch if isinstance(self.limit, bytes) else self._receive_block
        return self.tcp._call("iteration", DEFAULT, None, receive, link, self.limit)

    def _receive_block(self, link, deadline, size):
        return link, [self.tcp._receive_exactly(link, deadline, size)]


#: What Linux takes (net/tcp.h).
KEEP_ALIVE_RANGES = {"active": (0, 1), "idle": (1, 32767), "retry": (1, 127), "interval": (1, 32767)}


class BaseTCP(Stream):
    """A stream over TCP, connected at the first call that needs it, and again after a failure.

    Args:
        host: name or IP address.
        port: 1 to 65535.
        eol: what ends a line.
        auto_reconnect: connect whenever a call needs it. Otherwise `open` has to be called first, and after a failure.
        on_connection_made: called without argument whenever a connection has been made, before anybody else uses it;
            it may use the stream. Calls of tasks that it starts are waited for too: a task that listens for ever is
            to be started elsewhere.
        on_connection_lost: called with an exception, or None, once for each connection that has ended.
        on_eof_received: called without argument when the peer has closed the connection.
        buffer_size: the longest line or frame accepted, and the most that is read ahead, in bytes.
        no_delay: send small requests at once (TCP_NODELAY).
        tos: type of service of the packets (IP_TOS).
        connection_timeout: seconds for connecting, all attempts together; None to count it to the call's ``timeout``.
        timeout: seconds for a call; None for no limit. Calls may override it.
        keep_alive: when to probe an idle connection: a mapping with ``active`` (0 or 1), ``idle`` and ``interval``
            (seconds) and ``retry`` (probes); True or False only switch it; None leaves the socket alone.
        quiet: after a failed call, discard input until nothing has come for so many seconds. For a TCP port that is
            the front of something else (a serial bridge), where a late answer crosses the reconnection. It has to be
            longer than the slowest answer takes.
        retry: how often connecting is tried again; once in all by default.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    def __init__(
        self,
        host,
        port,
        eol=b"\n",
        auto_reconnect=True,
        on_connection_made=None,
        on_connection_lost=None,
        on_eof_received=None,
        buffer_size=DEFAULT_LIMIT,
        no_delay=True,
        tos=IPTOS_LOWDELAY,
        connection_timeout=None,
        timeout=None,
        keep_alive=DFT_KEEP_ALIVE,
        quiet=None,
        retry=None
    ):
        if check_count("tos", tos, 0) > 255:
            raise ValueError("tos must be 0 to 255, not {!r}".format(tos))
        check_keep_alive(keep_alive)
        super(BaseTCP, self).__init__(
            resource_of(host, port),
            eol,
            auto_reconnect,
            on_connection_made,
            on_connection_lost,
            on_eof_received,
            buffer_size,
            connection_timeout,
            timeout,
            quiet,
            retry,
        )
        self.host = host
        self.port = port
        self.no_delay = no_delay
        self.tos = tos
        self.keep_alive = keep_alive

    def _open_transport(self, deadline):
        descriptor = connect_tcp(self.runtime, self.host, self.port, self._set_up, deadline)
        return self.runtime.adopt(descriptor, self.buffer_size)

    def _set_up(self, sock):
        set_options(sock, self.no_delay, self.tos, self.keep_alive)


def check_keep_alive(keep_alive):
    """Raise TypeError or ValueError if *keep_alive* is nothing that `TCP` takes."""
    if keep_alive is None or isinstance(keep_alive, (bool, int)):
        return
    if not hasattr(keep_alive, "items"):
        raise TypeError("keep_alive must be a mapping, True, False or None, not {!r}".format(keep_alive))
    for name, value in keep_alive.items():
        if name not in DFT_KEEP_ALIVE:
            raise ValueError("keep_alive has no {!r}, but {}".format(name, ', '.join(DFT_KEEP_ALIVE)))
        lowest, highest = KEEP_ALIVE_RANGES[name]
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError("keep_alive's {} must be a whole number, {} to {}, not {!r}".format(name, lowest, highest, value))


class TCP(BaseTCP):
    __doc__ = BaseTCP.__doc__

    runtime = BlockingRuntime()

    def __init__(self, host, port, timeout=1.0, **options):
        """The arguments are those of `BaseTCP`, but *timeout* is the third, and 1 s unless it is given."""
        super(TCP, self).__init__(host, port, timeout=timeout, **options)


class Connection(TCP):
    """One connection, made by the constructor. When it has ended, no other one is made, except by `open`."""

    def __init__(self, host, port, timeout=1.0, **options):
        super(Connection, self).__init__(host, port, timeout=timeout, auto_reconnect=False, **options)
        self.open()


def main(args=None):
    """Return a `TCP` for the arguments of a command line, for use in an interactive session."""
    parser = argparse.ArgumentParser(description="Make a TCP stream.")
    parser.add_argument("--host", default="0", help="name or IP address")
    parser.add_argument("-p", "--port", type=int, required=True, help="1 to 65535")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error", "critical"])
    arguments = parser.parse_args(args)
    logging.basicConfig(level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return TCP(arguments.host, arguments.port)


if __name__ == "__main__":
    sock = main()
