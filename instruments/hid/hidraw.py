"""HID devices through Linux's hidraw (Documentation/hid/hidraw.rst, linux/hidraw.h)."""

from __future__ import annotations

import errno
import os
import select
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sockio.runtimes.descriptor import Descriptor

from .codec import parse_report_descriptor
from .handle import Handle, Unplugged

if TYPE_CHECKING or os.name == "posix":
    import fcntl

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

    from ..hid_nodes import Node

#: The longest report descriptor, and the longest report (linux/hid.h).
DESCRIPTOR_SIZE = 4096
BUFFER_SIZE = 16384

#: struct hidraw_report_descriptor: size, value.
DESCRIPTOR = struct.Struct(f"=I{DESCRIPTOR_SIZE}s")

#: Errors of a device that has gone, or is going at this moment.
GONE = (errno.ENODEV, errno.ENXIO, errno.EPROTO, errno.ESHUTDOWN, errno.EILSEQ)


def _request(direction: int, number: int, size: int) -> int:
    """Return the code of an ioctl request (asm-generic/ioctl.h) of type "H"."""
    return direction << 30 | size << 16 | ord("H") << 8 | number


GET_DESCRIPTOR_SIZE = _request(2, 0x01, 4)
GET_DESCRIPTOR = _request(2, 0x02, DESCRIPTOR.size)
SEND_FEATURE, GET_FEATURE = 0x06, 0x07


class HidrawDevice(Handle):
    """An open device file.

    Args:
        node: which one.

    Raises:
        Unplugged: it is no longer there.
        OSError: it cannot be opened; the message of a PermissionError says what to do.
        ProtocolError: its report descriptor is malformed.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.path = node.path
        self.info = node.info
        with ExitStack() as undo:
            self._number = _open(node.path)
            undo.callback(os.close, self._number)
            # What is waited for is both: a report, and the end of the waiting.
            self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            undo.callback(os.close, self._bell)
            self._both = select.epoll(2, select.EPOLL_CLOEXEC)
            undo.callback(self._both.close)
            self._both.register(self._number, select.EPOLLIN)
            self._both.register(self._bell, select.EPOLLIN)
            self.reports = parse_report_descriptor(self._report_descriptor())
            undo.pop_all()

    async def read(self, runtime: Runtime, deadline: float | None) -> bytes:
        with self._used():
            while True:
                try:
                    report = os.read(self._number, BUFFER_SIZE)
                except BlockingIOError:
                    pass
                except OSError as error:
                    raise self._lost(error) from None
                else:
                    return report
                await runtime.wait_readable(Descriptor(self._both.fileno()), deadline)
                if self.ended:
                    raise ConnectionAbortedError(errno.ECONNABORTED, "closed")

    def write(self, data: bytes) -> None:
        with self._request():
            try:
                count = os.write(self._number, data)
            except OSError as error:
                raise self._lost(error) from None
        if count != len(data):
            raise OSError(errno.EIO, f"the device has taken {count} of the {len(data)} bytes of a report")

    def get_feature(self, number: int, size: int) -> bytes:
        buffer = bytearray([number]) + bytearray(size)
        with self._request():
            try:
                count = fcntl.ioctl(self._number, _request(3, GET_FEATURE, len(buffer)), buffer)
            except OSError as error:
                raise self._lost(error) from None
        return bytes(buffer[:count])

    def send_feature(self, data: bytes) -> None:
        with self._request():
            try:
                fcntl.ioctl(self._number, _request(3, SEND_FEATURE, len(data)), data)
            except OSError as error:
                raise self._lost(error) from None

    def is_there(self) -> bool:
        if self._closed:
            return False
        poll = select.poll()
        poll.register(self._number, 0)
        return not any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))

    def cancel(self) -> None:
        with self._guard:
            self.ended = True
            if not self._released:
                os.eventfd_write(self._bell, 1)

    def _release(self) -> None:
        self._both.close()
        os.close(self._bell)
        os.close(self._number)

    def _report_descriptor(self) -> bytes:
        size = bytearray(4)
        try:
            fcntl.ioctl(self._number, GET_DESCRIPTOR_SIZE, size)
            (count,) = struct.unpack("=I", size)
            buffer = bytearray(DESCRIPTOR.pack(count, b""))
            fcntl.ioctl(self._number, GET_DESCRIPTOR, buffer)
        except OSError as error:
            raise self._lost(error) from None
        descriptor: bytes = DESCRIPTOR.unpack(buffer)[1]
        return descriptor[:count]

    def _lost(self, error: OSError) -> OSError:
        """Return what an error means: a device that has gone may say many things."""
        return Unplugged() if error.errno in GONE or not self.is_there() else error


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, *GONE):
            raise Unplugged from None
        if not isinstance(error, PermissionError):
            raise
        rule = 'KERNEL=="hidraw*", TAG+="uaccess"'
        raise PermissionError(
            errno.EACCES, f"not allowed to open {path}: a udev rule such as {rule} gives users access"
        ) from None
