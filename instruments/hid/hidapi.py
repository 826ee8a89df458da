"""HID devices through the hidapi package, where there is no hidraw: it is read in threads, a short while at a time."""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from sockio.errors import DeadlineExpired

from ..devices import optional
from ..hid_nodes import ADVICE, Node, hidapi_nodes
from .codec import parse_report_descriptor
from .handle import Handle, Unplugged

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

#: How long a thread waits for a report before it looks whether it is still wanted, in seconds.
LOOK = 0.25

#: The longest report that is read: hidapi cuts off what is longer.
BUFFER_SIZE = 16384


class HidapiDevice(Handle):
    """An open device of hidapi.

    Args:
        node: which one.
        module: of the hidapi package.

    Raises:
        ImportError: it is not installed.
        OSError: it cannot be opened.
    """

    def __init__(self, node: Node, module: str = "hid") -> None:
        super().__init__()
        self.path = node.path
        self.info = node.info
        self._module = module
        self._reading = threading.Lock()
        self._arrived: deque[bytes] = deque()
        self._device: Any = optional(module, ADVICE).device()
        try:
            self._device.open_path(node.path.encode(errors="surrogateescape"))
        except OSError as error:
            raise OSError(errno.EIO, f"cannot open {node.path}: {error}") from None
        try:
            self.reports = parse_report_descriptor(bytes(self._device.get_report_descriptor()))
        except (AttributeError, OSError):
            self.reports = None
        except BaseException:
            self._device.close()
            raise

    async def read(self, runtime: Runtime, deadline: float | None) -> bytes:
        while True:
            left = LOOK if deadline is None else min(LOOK, deadline - runtime.clock())
            await runtime.run_in_thread(None, self._read, max(1, round(1000 * left)))
            if self._arrived:
                return self._arrived.popleft()
            if deadline is not None and runtime.clock() >= deadline:
                raise DeadlineExpired

    def _read(self, milliseconds: int) -> None:
        """Keep a report, if one comes, for whoever asks: the call that has begun this may have been cancelled."""
        end = time.monotonic() + milliseconds / 1000
        with self._used():
            if not self._reading.acquire(timeout=milliseconds / 1000):
                return
            try:
                milliseconds = max(1, round(1000 * (end - time.monotonic())))
                if self.ended:
                    raise ConnectionAbortedError(errno.ECONNABORTED, "closed")
                if self._arrived:
                    return
                try:
                    report: list[int] = self._device.read(BUFFER_SIZE, milliseconds)
                except (OSError, ValueError):
                    raise Unplugged from None
                if report:
                    self._arrived.append(bytes(report))
            finally:
                self._reading.release()

    def write(self, data: bytes) -> None:
        with self._request():
            if self._device.write(data) < 0:
                raise self._failure("the device does not take the report")

    def get_feature(self, number: int, size: int) -> bytes:
        with self._request():
            try:
                return bytes(self._device.get_feature_report(number, 1 + size))
            except OSError:
                raise self._failure(f"the device does not give feature report {number}") from None

    def send_feature(self, data: bytes) -> None:
        with self._request():
            if self._device.send_feature_report(data) < 0:
                raise self._failure(f"the device does not take feature report {data[0]}")

    def _failure(self, what: str) -> OSError:
        """Return the error of a request that has failed: hidapi does not tell whether that is because it has gone."""
        if self.path in [node.path for node in hidapi_nodes(self._module)]:
            return OSError(errno.EIO, what)
        return Unplugged()

    def is_there(self) -> bool:
        return not self._closed

    def forget(self) -> None:
        self.ended = self._closed = self._released = True  # to close it, hidapi waits for a thread of the parent

    def _release(self) -> None:
        self._device.close()
