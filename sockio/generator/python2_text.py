"""What `sockio.py2` has before and after the lowered core."""

from __future__ import annotations

HEAD = r'''
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
'''

TAIL = r'''
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
'''
