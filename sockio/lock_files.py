"""Locks between the processes of one machine, on open files: a process that ends, however it ends, frees its own."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Where every user of the machine may make files, and they are gone after a restart (FHS 3.0, 5.9).
FOLDERS = ("/run/lock", "/var/lock")

#: How many random bytes tell one use from all others.
SIGN_SIZE = 8


def _nobody() -> None:
    return None


class LockFile:
    """The file that stands for a resource; open from the first use on.

    Its first byte tells whether somebody was in the middle of using the resource: it is set while a call runs and
    cleared when that has succeeded, so what a call left behind that failed, or whose process has died, is noticed by
    whoever comes next. The bytes after it tell who that was.

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

    def take(self) -> bool:
        """Take the lock if nobody else has it, without waiting; return whether it is ours."""
        descriptor = self._descriptor
        if descriptor is None:
            descriptor = self._open()
        return _take(descriptor)

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
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        found = os.read(self._descriptor, 1 + SIGN_SIZE)
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
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, mark)

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
        try:
            # Without O_CREAT, which the system refuses on somebody else's file in a shared folder.
            descriptor = os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = os.open(self.path, flags | os.O_CREAT, 0o666)
            if hasattr(os, "fchmod"):
                try:
                    os.fchmod(descriptor, 0o666)  # whatever the umask says
                except PermissionError:
                    pass  # somebody else was faster to make it
        except PermissionError:
            descriptor = os.open(self.path, flags & ~os.O_RDWR | os.O_RDONLY)
            self._writable = False
        self._descriptor = descriptor
        return descriptor


def folder() -> str:
    """Return the folder for lock files: that of ``SOCKIO_LOCK_FOLDER``, or one that all users of the machine share."""
    chosen = os.environ.get("SOCKIO_LOCK_FOLDER")
    if chosen:
        return chosen
    for path in FOLDERS:
        if os.access(path, os.W_OK | os.X_OK):
            return path
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

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _give_back(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
