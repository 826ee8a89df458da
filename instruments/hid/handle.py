"""An open HID device, which threads may be using when it is closed."""

from __future__ import annotations

import errno
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

    from ..devices import HidDeviceInfo
    from .codec import Reports


class Unplugged(ConnectionResetError):
    """The device has gone."""

    def __init__(self) -> None:
        super().__init__(errno.ENODEV, "unplugged")


class Handle(ABC):
    """An open HID device.

    Attributes:
        info: what it is.
        reports: which ones it has; None if that cannot be known.
    """

    info: HidDeviceInfo
    reports: Reports | None

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._requesting = threading.Lock()
        self._users = 0
        self._closed = False
        self._released = False
        self.ended = False

    @abstractmethod
    async def read(self, runtime: Runtime, deadline: float | None) -> bytes:
        """Wait for an input report, and return it with its id in front if it has one.

        Raises:
            DeadlineExpired: none has come in time.
            Unplugged: the device has gone.
            ConnectionAbortedError: it was closed meanwhile.
        """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send an output report. In a thread: it waits for the device."""

    @abstractmethod
    def get_feature(self, number: int, size: int) -> bytes:
        """Return a feature report with its id in front, 0 if it has none. In a thread."""

    @abstractmethod
    def send_feature(self, data: bytes) -> None:
        """Send a feature report. In a thread."""

    @abstractmethod
    def is_there(self) -> bool:
        """Tell whether the device is still plugged in, as far as that is known."""

    @abstractmethod
    def _release(self) -> None:
        """Give everything back. Nobody is using it any more."""

    def cancel(self) -> None:
        """End the waiting of whoever reads, from any thread."""
        self.ended = True

    def close(self) -> None:
        """Close it: now, or when the last thread that is using it comes back."""
        self.cancel()
        with self._guard:
            self._closed = True
        self._release_if_unused()

    def forget(self) -> None:
        """In a forked child: give the copies back, without a word to whoever waits in the parent."""
        if not self._released:
            self.ended = self._closed = self._released = True
            self._release()

    @contextmanager
    def _used(self) -> Iterator[None]:
        """Keep it open in the meantime."""
        with self._guard:
            if self._closed:
                raise ConnectionAbortedError(errno.ECONNABORTED, "closed")
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
            self._release_if_unused()

    @contextmanager
    def _request(self) -> Iterator[None]:
        """Do the same for a request to the device, one after the other."""
        with self._used(), self._requesting:
            yield

    def _release_if_unused(self) -> None:
        with self._guard:
            if not self._closed or self._users or self._released:
                return
            self._released = True
        self._release()
