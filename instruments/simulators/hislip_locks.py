"""Who has locked a simulated instrument over HiSLIP: exclusive and shared locks (IVI-6.1, Lock Transaction)."""

from __future__ import annotations

from typing import Any

import gevent
from gevent.event import Event

from instruments.hislip.codec import LockResponse


class Locks:
    """The locks of one instrument. Clients are any objects that have a truth ``clearing``."""

    def __init__(self) -> None:
        self._exclusive: Any = None
        self._sharing: list[Any] = []
        self._lock_string = b""
        self._changed = Event()

    def info(self) -> tuple[bool, int]:
        """Tell whether there is an exclusive lock, and how many clients have one of either kind."""
        holders = set(map(id, self._sharing))
        if self._exclusive is not None:
            holders.add(id(self._exclusive))
        return self._exclusive is not None, len(holders)

    def admits(self, client: Any) -> bool:
        """Tell whether a client's messages may be processed."""
        if self._exclusive is not None:
            return client is self._exclusive
        return not self._sharing or client in self._sharing

    def wait(self, client: Any) -> None:
        """Wait until a client's messages may be processed."""
        while not self.admits(client):
            self._wait_for_change(None)

    def acquire(self, client: Any, lock_string: bytes, seconds: float) -> LockResponse:
        """Take the exclusive lock, or with a lock string the shared one, waiting for others as long as is given.

        A device clear of the client ends the waiting.
        """
        if client is self._exclusive or (lock_string and client in self._sharing):
            return LockResponse.ERROR
        with gevent.Timeout(seconds, False):  # pyright: ignore[reportArgumentType]  gevent documents it
            while not self._may_have(client, lock_string):
                if client.clearing:
                    return LockResponse.FAILURE
                self._wait_for_change(None)
        if not self._may_have(client, lock_string):
            return LockResponse.FAILURE
        if lock_string:
            self._sharing.append(client)
            self._lock_string = lock_string
        else:
            self._exclusive = client
        return LockResponse.SUCCESS

    def _may_have(self, client: Any, lock_string: bytes) -> bool:
        if self._exclusive is not None:
            return False
        if not self._sharing:
            return True
        # Who shares the lock may have it for itself for a while, as in VISA (VPP-4.3, 3.6).
        return lock_string == self._lock_string if lock_string else client in self._sharing

    def release(self, client: Any) -> LockResponse:
        """Give back the exclusive lock, or if the client has none the shared one."""
        if client is self._exclusive:
            self._exclusive = None
            outcome = LockResponse.SUCCESS
        elif client in self._sharing:
            self._sharing.remove(client)
            outcome = LockResponse.SHARED_RELEASED
        else:
            return LockResponse.ERROR
        self.notify()
        return outcome

    def release_all(self, client: Any) -> None:
        """The client has gone."""
        while self.release(client) != LockResponse.ERROR:
            pass

    def notify(self) -> None:
        """Let all who wait look again."""
        self._changed.set()

    def _wait_for_change(self, seconds: float | None) -> None:
        self._changed.clear()
        self._changed.wait(seconds)
