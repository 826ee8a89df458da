"""Open file descriptors: what the runtimes read from, write to and wait for."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READABLE = getattr(select, "POLLIN", 1)
WRITABLE = getattr(select, "POLLOUT", 4)
ERROR = getattr(select, "POLLERR", 8)
BROKEN = ERROR | getattr(select, "POLLHUP", 16)
CLOSED_BY_PEER = getattr(select, "POLLRDHUP", 0)

#: Asks a socket not to wait even where its descriptor would.
DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)

#: The most milliseconds that poll takes: 24 days.
LONGEST_POLL = 2**31 - 1


def reason(events: int) -> OSError | None:
    """Return why a connection has ended, None if the peer closed it in good order.

    Args:
        events: what poll or epoll reported.
    """
    if events & ERROR:
        return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    if not events & CLOSED_BY_PEER:
        return OSError(errno.EIO, "the device is gone")
    return None


class Poller:
    """Waits for one kind of event on a descriptor.

    Args:
        number: the file descriptor.
        events: what to wait for (READABLE, WRITABLE, ...); a broken connection is always reported.
        alarm: another descriptor that ends the waiting when it becomes readable.
    """

    def __init__(self, number: int, events: int, alarm: int | None = None) -> None:
        self._number = number
        self._events = events
        self._alarm = alarm
        self._poll = None
        #: ``poll_now()``: something true if one of the events has come. The quickest way to ask.
        self.poll_now: Callable[[], object] = partial(self._select, 0)
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(number, events)
            if alarm is not None:
                self._poll.register(alarm, READABLE)
            self.poll_now = partial(self._poll.poll, 0)

    def wait(self, seconds: float | None) -> int:
        """Wait for so many seconds, None for as long as it takes; return the events that came, 0 if none."""
        if self._poll is None:
            return self._select(seconds)
        # Whole milliseconds, upwards: a deadline has passed when they are over.
        wait = None if seconds is None else min(-int(-1000 * seconds // 1), LONGEST_POLL) if seconds > 0 else 0
        ready = self._poll.poll(wait)
        return ready[0][1] if ready else 0

    def _select(self, seconds: float | None) -> int:
        reading = [self._number] if self._events & READABLE else []
        writing = [self._number] if self._events & WRITABLE else []
        if self._alarm is not None:
            reading.append(self._alarm)
        wait = None if seconds is None else max(0, seconds)
        readable, writable, broken = select.select(reading, writing, [self._number], wait)
        return (READABLE if readable else 0) | (WRITABLE if writable else 0) | (BROKEN if broken else 0)


class Descriptor:
    """An open byte stream of the operating system.

    Attributes:
        recv: ``recv(size) -> bytes``; ``b""`` at the end of the stream.
        recv_into: ``recv_into(view) -> int``.
        send: ``send(data) -> int``, never waiting: raises BlockingIOError when nothing can be sent now.
    """

    recv: Callable[[int], bytes]
    recv_into: Callable[[memoryview], int]
    send: Callable[[bytes | bytearray | memoryview], int]

    #: ``send_all(data)``: sends everything, waiting in the operating system; None where that is not to be had.
    send_all: Callable[[bytes | bytearray | memoryview], None] | None = None

    #: A descriptor that becomes readable on `shut_down`, where that does not wake who waits by itself.
    alarm: int | None = None

    #: Whether other programs read from the same device: then nothing may be read before somebody asks for it.
    shared = False

    def __init__(self, number: int) -> None:
        self.number = number

    def fileno(self) -> int:
        return self.number

    def set_blocking(self) -> bool:
        """Let `recv` and `recv_into` wait in the operating system; return whether they will."""
        return False

    def set_receive_timeout(self, seconds: float) -> None:
        """Let a receive that waits in the operating system give up after so many seconds; 0 is never."""
        raise NotImplementedError

    def hung_up(self) -> bool:
        """Tell whether the peer has closed, or the link has broken."""
        return bool(Poller(self.number, CLOSED_BY_PEER).wait(0) & (CLOSED_BY_PEER | BROKEN))

    def in_waiting(self) -> int:
        """Return how many bytes the operating system holds for us."""
        import fcntl
        import termios

        count = fcntl.ioctl(self.number, termios.FIONREAD, b"\0\0\0\0")
        return int(struct.unpack("i", count)[0])

    def shut_down(self) -> None:
        """End the connection and wake who waits for it in the operating system, where it can do that."""

    def close(self) -> None:
        """Give the descriptor back."""
        raise NotImplementedError

    def forget(self) -> None:
        """In a forked child: give the copy back without a word to the other side."""
        raise NotImplementedError


class Socket(socket.socket):
    """A socket that closes without a complaint when it is dropped: an interrupt may come before anybody has it."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


class SocketDescriptor(Descriptor):
    """A connected, or connecting, stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.fileno())
        self.socket = sock
        self.recv = sock.recv
        self.recv_into = sock.recv_into
        self.send = sock.send
        self.send_all = sock.sendall
        sock.setblocking(False)

    def set_blocking(self) -> bool:
        self.socket.setblocking(True)
        self.send = partial(_send_now, self.socket)
        # Where somebody else drives the socket (gevent), it stays non-blocking underneath.
        return DONT_WAIT != 0 and hasattr(os, "get_blocking") and os.get_blocking(self.number)

    def set_receive_timeout(self, seconds: float) -> None:
        whole = int(seconds)
        value = struct.pack("ll", whole, int((seconds - whole) * 1e6))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    def shut_down(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was faster

    def close(self) -> None:
        self.shut_down()
        self.socket.close()

    def forget(self) -> None:
        number = self.socket.detach()
        if number != -1:
            os.close(number)


def _send_now(sock: socket.socket, data: bytes | bytearray | memoryview) -> int:
    return sock.send(data, DONT_WAIT)
