"""The Linux kernel's USBTMC driver: transfers that wait for nothing, and its other requests (linux/usb/tmc.h).

The driver's own ``read`` and ``write`` wait inside the kernel until a time limit, and cannot be interrupted; here
transfers are submitted and collected, with ``poll`` in between.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import threading
from typing import TYPE_CHECKING

from .sysfs import open_device

if TYPE_CHECKING or os.name == "posix":
    import fcntl

_WRITE, _READ = 1, 2


def _request(direction: int, number: int, size: int = 0) -> int:
    """Return the code of an ioctl request (asm-generic/ioctl.h) of type 91."""
    return direction << 30 | size << 16 | 91 << 8 | number


#: struct usbtmc_message: transfer_size, transferred, flags, message; packed.
_MESSAGE = struct.Struct("<III" + ("Q" if ctypes.sizeof(ctypes.c_void_p) == 8 else "I"))

INDICATOR_PULSE = _request(0, 1)
CLEAR = _request(0, 2)
SET_TIMEOUT = _request(_WRITE, 10, 4)
WRITE = _request(_READ | _WRITE, 13, _MESSAGE.size)
READ = _request(_READ | _WRITE, 14, _MESSAGE.size)
WRITE_RESULT = _request(_READ | _WRITE, 15, 4)
API_VERSION = _request(_READ, 16, 4)
READ_STATUS_BYTE = _request(_READ, 18, 1)
GO_TO_LOCAL = _request(0, 20)
LOCAL_LOCKOUT = _request(0, 21)
TRIGGER = _request(0, 22)
WAIT_SERVICE_REQUEST = _request(_WRITE, 23, 4)
CANCEL = _request(0, 35)
CLEAN_UP = _request(0, 36)

#: Flags of a message: do not wait; do not mind alignment bytes after the data.
ASYNC, IGNORE_TRAILER = 1, 4

#: The driver moves so many bytes at once. A transfer ends with fewer than that.
UNIT = 4096

#: The shortest time limit that the driver takes, in milliseconds.
SHORTEST_TIMEOUT = 100


class Device:
    """An open device file of the driver.

    Args:
        path: such as ``/dev/usbtmc0``.

    Raises:
        OSError: it cannot be opened, or the driver is older than Linux 4.20 and cannot do transfers without waiting.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._requesting = threading.Lock()
        self.number = open_device(path)
        try:
            fcntl.ioctl(self.number, API_VERSION, bytearray(4))
        except OSError as error:
            self.close()
            if error.errno in (errno.ENOTTY, errno.EBADRQC, errno.EINVAL):
                raise OSError(error.errno, f"the USBTMC driver of {path} is too old: Linux 4.20 is needed") from None
            raise

    def fileno(self) -> int:
        """Return the descriptor.

        Raises:
            ConnectionAbortedError: the file has been closed.
        """
        number = self.number
        if number < 0:
            raise ConnectionAbortedError("closed")
        return number

    def close(self) -> None:
        """Close the file; what is under way is given up."""
        number, self.number = self.number, -1
        if number < 0:
            return
        try:
            fcntl.ioctl(number, CLEAN_UP)  # or closing would wait for it, for a second
        except OSError:
            pass  # unplugged
        os.close(number)

    def forget(self) -> None:
        """In a forked child: close its copy of the file, and leave alone what the parent has under way."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def is_there(self) -> bool:
        """Tell whether the instrument is still plugged in."""
        number = self.number
        if number < 0:
            return False
        poll = select.poll()
        poll.register(number, 0)
        return not any(events & (select.POLLHUP | select.POLLNVAL) for _, events in poll.poll(0))

    def submit(self, transfer: memoryview, more: bool) -> int:
        """Hand the beginning of a Bulk-OUT transfer to the driver; return how many bytes, 0 if it takes none now.

        It can be written to again when all that it has taken is sent.

        Args:
            transfer: bytes in memory that can be written, as ctypes wants it.
            more: an earlier part of the transfer has been submitted.
        """
        return self._transfer(WRITE, transfer, ASYNC | (2 if more else 0))[0]

    def check_sent(self) -> None:
        """Raise the error of what was submitted, if there was one."""
        fcntl.ioctl(self.fileno(), WRITE_RESULT, bytearray(4))

    def collect(self, view: memoryview, size: int) -> tuple[int, bool]:
        """Receive what has come of a Bulk-IN transfer, and have the driver receive more.

        It can be read from when something has come.

        Args:
            view: where the bytes go, at least one.
            size: how many bytes of interest are to come; alignment bytes after them are dropped. At most *view* holds.

        Returns:
            How many bytes, and whether the transfer has ended.
        """
        return self._transfer(READ, view, ASYNC | IGNORE_TRAILER, size)

    def receive_first(self, view: memoryview) -> tuple[int, bool]:
        """The same for the beginning of a transfer, whose size is not known: up to `UNIT` bytes."""
        return self._transfer(READ, view, ASYNC)

    def _transfer(self, request: int, view: memoryview, flags: int, size: int | None = None) -> tuple[int, bool]:
        pointer = ctypes.addressof(ctypes.c_char.from_buffer(view))
        message = bytearray(_MESSAGE.pack(len(view) if size is None else size, 0, flags, pointer))
        try:
            ended = fcntl.ioctl(self.fileno(), request, message)
        except BlockingIOError:
            return 0, False
        return _MESSAGE.unpack(message)[1], bool(ended)

    def request(self, code: int, milliseconds: int, size: int = 0) -> int:
        """Do one of the driver's other requests, waiting for it; return the number that it gives.

        One at a time is done, with its own time limit, whichever threads they come from.

        Args:
            code: `READ_STATUS_BYTE`, `CLEAR`, ...
            milliseconds: the time limit for the driver.
            size: of what the request gives.
        """
        limit = bytearray(struct.pack("=I", max(SHORTEST_TIMEOUT, milliseconds)))
        value = bytearray(max(1, size))
        with self._requesting:
            number = self.fileno()
            fcntl.ioctl(number, SET_TIMEOUT, limit)
            fcntl.ioctl(number, code, value)
        return value[0]

    def wait_service_request(self, milliseconds: int) -> bool:
        """Wait for a service request since the last one; return whether there was one."""
        try:
            fcntl.ioctl(self.fileno(), WAIT_SERVICE_REQUEST, bytearray(struct.pack("=I", milliseconds)))
        except TimeoutError:
            return False
        return True

    def cancel(self) -> None:
        """End what is under way with an error. Any thread may call it."""
        try:
            fcntl.ioctl(self.fileno(), CANCEL)
        except OSError:
            pass  # unplugged, or closed

    def forget_transfers(self) -> None:
        """Give up what is under way."""
        fcntl.ioctl(self.fileno(), CLEAN_UP)
