"""Open serial ports as transports: by their file descriptor where they have one, otherwise in threads."""

from __future__ import annotations

import errno
import os
import threading

from ..errors import DeadlineExpired
from .base import CHUNK_SIZE, Transport
from .descriptor import Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import HungUp, Runtime


def adopt(runtime: Runtime, port: Any, buffer_size: int, shared: bool) -> Transport:
    """Return a transport over an open pyserial port, which is the transport's from now on.

    Args:
        runtime: of the transport.
        port: the open port.
        buffer_size: reading ahead, if that is done, stops at so many bytes.
        shared: other programs have the port open as well.
    """
    try:
        number = port.fileno()
    except (AttributeError, OSError, ValueError):
        return PortTransport(runtime, port)
    return runtime.adopt(PortDescriptor(port, number, shared), buffer_size)


class PortDescriptor(Descriptor):
    """The file descriptor of a local serial port.

    A terminal device has no ``shutdown``: a pipe wakes who waits.
    """

    def __init__(self, port: Any, number: int, shared: bool) -> None:
        super().__init__(number)
        self.shared = shared
        self._port = port
        self.alarm, bell = os.pipe()
        self._bell: int | None = bell
        self.recv = self._recv
        self.recv_into = self._recv_into
        self.send = self._send

    def _recv(self, size: int) -> bytes:
        self._check_open()
        data = os.read(self.number, size)
        self._check_present(len(data))
        return data

    def _recv_into(self, view: memoryview) -> int:
        self._check_open()
        count = os.readv(self.number, [view])
        self._check_present(count)
        return count

    def _check_present(self, count: int) -> None:
        """A device that can be read but has nothing to say has been unplugged, or somebody was faster to read it."""
        if not count:
            if self.hung_up():
                raise OSError(errno.EIO, "the serial device is gone (unplugged?)")
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        self._check_open()
        return os.write(self.number, data)

    def _check_open(self) -> None:
        if self._bell is None:
            raise OSError(errno.EBADF, "closed")  # the number may be somebody else's by now

    def shut_down(self) -> None:
        if self._bell is not None:
            os.write(self._bell, b"!")

    def close(self) -> None:
        bell, self._bell = self._bell, None
        if bell is None:
            return
        try:
            self._port.close()
        except OSError:
            pass  # an unplugged device cannot even be closed in good order
        os.close(bell)
        assert self.alarm is not None
        os.close(self.alarm)

    def forget(self) -> None:
        self.close()


class _Closed:
    """Stands for a port that has been given back."""

    in_waiting = 0


_closing: dict[str, threading.Thread] = {}


def close_aside(port: Any) -> None:
    """Close a port that takes its time: pyserial waits for its thread, and then gives the server 0.3 s."""
    thread = threading.Thread(target=port.close, name=f"sockio closes {port.name}")
    thread.daemon = True
    _closing[port.name] = thread
    try:
        thread.start()
    except RuntimeError:
        pass  # the program is ending, and takes the port along


def wait_closed(name: str) -> None:
    """Wait until the port of that name, if it is being closed, can be opened again. In a thread."""
    thread = _closing.pop(name, None)
    if thread is not None:
        thread.join()


class PortTransport(Transport):
    """A pyserial port without a file descriptor, read and written in threads.

    Args:
        runtime: provides the threads.
        port: an open pyserial port.
    """

    #: How often a waiting reader looks whether it is still wanted, in seconds.
    LOOK = 0.05

    def __init__(self, runtime: Runtime, port: Any) -> None:
        self._runtime = runtime
        self._port: Any = port
        self._closed = False
        self._unread = b""
        self._reading = threading.Lock()

    def arrived(self) -> bool:
        return bool(self._unread) or self.hung_up() or self._port.in_waiting > 0

    async def receive(self, deadline: float | None) -> bytes:
        data: bytes | None = self.receive_now()
        while data is None:
            if deadline is not None and self._runtime.clock() >= deadline:
                raise DeadlineExpired
            data = await self._runtime.run_in_thread(None, self._read)
        return data

    def _read(self) -> bytes | None:
        """Return what comes within LOOK seconds."""
        with self._reading:
            self._check_open()
            data: bytes = self._port.read(1)
            return data + self._port.read(self._port.in_waiting) if data else None

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionAbortedError("closed")

    async def receive_into(self, view: memoryview, deadline: float | None) -> int:
        received = 0
        while received < len(view):
            data = await self.receive(deadline)
            count = min(len(data), len(view) - received)
            view[received : received + count] = data[:count]
            self._unread = data[count:]
            received += count
        return received

    async def send(self, data: bytes | bytearray | memoryview, deadline: float | None) -> None:
        self._check_open()
        for start in range(0, len(data), CHUNK_SIZE):
            await self._runtime.run_in_thread(deadline, self._port.write, bytes(data[start : start + CHUNK_SIZE]))

    def receive_now(self) -> bytes | None:
        self._check_open()
        unread, self._unread = self._unread, b""
        if unread:
            return unread
        waiting: int = self._port.in_waiting
        return bytes(self._port.read(waiting)) if waiting else None

    def in_waiting(self) -> int:
        return len(self._unread) + (0 if self._closed else int(self._port.in_waiting))

    def hung_up(self) -> bool:
        if self._closed:
            return True
        reader = getattr(self._port, "_thread", None)  # pyserial's own, which ends when the server has gone
        return reader is not None and not reader.is_alive()

    def watch(self, hung_up: HungUp) -> None:
        self._runtime.spawn(self._watch(hung_up))

    async def _watch(self, hung_up: HungUp) -> None:
        while not self._closed:
            if self.hung_up():
                hung_up(ConnectionResetError(errno.ECONNRESET, "the server has gone"))
                return
            await self._runtime.sleep(10 * self.LOOK)

    def shut_down(self) -> None:
        self._closed = True

    def close(self) -> None:
        self._closed = True
        port, self._port = self._port, _Closed()
        if not isinstance(port, _Closed):
            close_aside(port)

    def forget(self) -> None:
        self._closed = True
