"""Locks between the processes of one machine, on open files: a process that ends, however it ends, frees its own."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import tempfile
import weakref
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Where every user of the machine may make files, on some systems (FHS 3.0, 5.9 and 3.18).
FOLDERS = ("/run/lock", "/var/lock", "/tmp")

#: How many random bytes tell one use from all others.
SIGN_SIZE = 8

#: Where the file tells since when somebody waits for the lock, a moment of the machine's monotonic clock; and for how
#: many seconds that holds. Who waits says so again and again.
MOMENT, MOMENT_PLACE, MOMENT_LIFE = struct.Struct("d"), 16, 0.03


def _nobody() -> None:
    return None


class LockFile:
    """The file that stands for a resource; open from the first use on.

    Its first byte tells whether somebody was in the middle of using the resource: it is set while a call runs and
    cleared when that has succeeded, so what a call left behind that failed, or whose process has died, is noticed by
    whoever comes next. The bytes after it tell who that was. Further on stands when somebody last waited for the lock,
    so that a process which uses it without a pause lets others in.

    Args:
        resource: the name of what is locked, the same in all processes.
    """

    def __init__(self, resource: str) -> None:
        from hashlib import sha256

        self.path = os.path.join(
            folder(), f"sockio-{sha256(resource.encode(errors='surrogateescape')).hexdigest()[:24]}"
        )
        self._descriptor: int | None = None
        self._writable = True
        self._user: Callable[[], object] = _nobody
        self._sign = b""

    def __del__(self) -> None:
        self.close()

    def take(self, waiting: bool = False) -> bool:
        """Take the lock if nobody else has it, without pausing; return whether it is ours.

        Args:
            waiting: the caller has waited for it, and goes before those who have not.
        """
        descriptor = self._descriptor
        if descriptor is None:
            descriptor = self._open()
        if not waiting and self.is_wanted():
            return False
        if not _take(descriptor):
            if waiting:
                self._say_wanted(monotonic())
            return False
        if not os.fstat(descriptor).st_nlink:  # the file was removed, and another process may have made a new one
            self.close()
            return self.take(waiting)
        if waiting:
            self._say_wanted(0.0)
        return True

    def is_wanted(self) -> bool:
        """Tell whether another process waits for the lock."""
        if self._descriptor is None:
            return False
        found = _read(self._descriptor, MOMENT.size, MOMENT_PLACE)
        return len(found) == MOMENT.size and 0 <= monotonic() - MOMENT.unpack(found)[0] < MOMENT_LIFE

    def _say_wanted(self, moment: float) -> None:
        if self._descriptor is not None and self._writable:
            _write(self._descriptor, MOMENT.pack(moment), MOMENT_PLACE)

    def give_back(self) -> None:
        """Give the lock back; without it, nothing happens."""
        if self._descriptor is not None:
            _give_back(self._descriptor)

    def mark(self, user: object = None) -> bool:
        """Note that the resource is being used. Under the lock.

        Args:
            user: what it is used by, if that knows itself how its uses have ended.

        Returns:
            Whether the last use was not completed, and was not by the same *user*.
        """
        if self._descriptor is None or not self._writable:
            return False
        found = _read(self._descriptor, 1 + SIGN_SIZE, 0)
        in_use = found[:1] == b"1"
        if in_use and user is not None and found[1:] == self._sign and self._user() is user:
            return False
        self._sign = os.urandom(SIGN_SIZE)
        self._user = _nobody if user is None else weakref.ref(user)
        self._write(b"1" + self._sign)
        return in_use

    def clear_mark(self) -> None:
        """Note that the use has been completed. Under the lock."""
        if self._descriptor is not None and self._writable:
            self._write(b"0")

    def _write(self, mark: bytes) -> None:
        assert self._descriptor is not None
        _write(self._descriptor, mark, 0)

    def holder(self) -> str:
        """Return which process has the lock, as far as the system tells."""
        if self._descriptor is not None:
            inode = f":{os.fstat(self._descriptor).st_ino} "
            try:
                with open("/proc/locks") as locks:
                    for line in locks:
                        if "FLOCK" in line and inode in line:
                            return f"process {line.split()[4]}"
            except OSError:
                pass
        return "another process"

    def close(self) -> None:
        """Close the file. In a forked child that leaves the parent's lock alone."""
        self._user = _nobody
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open(self) -> int:
        """Open the file, and make it first if need be, so that other users can open it too."""
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        self._writable = True
        try:
            # Without O_CREAT, which the system refuses on somebody else's file in a shared folder.
            descriptor = os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = self._make(flags)
        except PermissionError:
            descriptor = os.open(self.path, flags & ~os.O_RDWR | os.O_RDONLY)
            self._writable = False
        self._descriptor = descriptor
        return descriptor

    def _make(self, flags: int) -> int:
        try:
            descriptor = os.open(self.path, flags | os.O_CREAT, 0o666)
        except PermissionError:
            return os.open(self.path, flags)  # another user was faster to make it
        if hasattr(os, "fchmod"):
            try:
                os.fchmod(descriptor, 0o666)  # whatever the umask says
            except PermissionError:
                pass  # as above
        return descriptor


def folder() -> str:
    """Return the folder for lock files: that of ``SOCKIO_LOCK_FOLDER``, or one that all users of the machine share.

    One in which not everybody may make files does not serve, not even to those who may: others would lock elsewhere.
    """
    chosen = os.environ.get("SOCKIO_LOCK_FOLDER")
    if chosen:
        if not os.path.isdir(chosen):
            raise FileNotFoundError(errno.ENOENT, "SOCKIO_LOCK_FOLDER, the folder for locks, is not there", chosen)
        return chosen
    for path in FOLDERS:
        try:
            if os.stat(path).st_mode & stat.S_IWOTH:
                return path
        except OSError:
            pass
    return tempfile.gettempdir()


if sys.platform == "win32":
    import msvcrt

    #: Far behind the mark, which other processes are to read: such locks keep them out of the bytes themselves.
    _PLACE = 2**30

    def _take(descriptor: int) -> bool:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _give_back(descriptor: int) -> None:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        except OSError:
            pass  # it was not ours

    def _read(descriptor: int, size: int, place: int) -> bytes:
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.read(descriptor, size)

    def _write(descriptor: int, data: bytes, place: int) -> None:
        os.lseek(descriptor, place, os.SEEK_SET)
        os.write(descriptor, data)

else:
    import fcntl

    _read, _write = os.pread, os.pwrite

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _give_back(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
