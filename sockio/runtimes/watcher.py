"""One daemon thread that notices when a peer goes while nobody reads.

It is started with the first connection that has a callback to be told, and waits for all such connections at once.
Only a hang-up wakes it, not bytes that arrive, so it never stands in the way of who reads. Where the system has no
epoll, a hang-up is noticed by the next call instead.
"""

from __future__ import annotations

import os
import select
import threading

from .descriptor import CLOSED_BY_PEER, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import HungUp
    from .descriptor import Descriptor


class Watcher:
    """The thread, the epoll object that it waits on, and whom it tells."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Descriptor, HungUp]] = {}
        threading.Thread(target=self._run, name="sockio watcher", daemon=True).start()

    def watch(self, descriptor: Descriptor, hung_up: HungUp) -> None:
        self._watched[descriptor.number] = (descriptor, hung_up)
        self._epoll.register(descriptor.number, CLOSED_BY_PEER | select.EPOLLONESHOT)

    def unwatch(self, descriptor: Descriptor) -> None:
        entry = self._watched.get(descriptor.number)
        if entry is not None and entry[0] is descriptor:
            del self._watched[descriptor.number]
            try:
                self._epoll.unregister(descriptor.number)
            except OSError:
                pass  # `watch` was interrupted

    def _run(self) -> None:
        while True:
            for number, events in self._epoll.poll():
                entry = self._watched.get(number)
                # The number may belong to a newer connection by now.
                if entry is not None and entry[0].hung_up():
                    _, hung_up = entry
                    try:
                        hung_up(reason(events))
                    except BaseException:  # a callback's SystemExit: this thread serves the others too
                        import logging  # slow to import, and seldom used

                        logging.getLogger("sockio").exception("a callback tried to end the watcher's thread")

    def forget(self) -> None:
        """In a forked child: the thread stayed in the parent."""
        self._epoll.close()


_watcher: Watcher | None = None
_starting = threading.Lock()


def watch(descriptor: Descriptor, hung_up: HungUp) -> None:
    """Call ``hung_up(error)`` once from the watcher's thread when the peer of *descriptor* goes."""
    global _watcher
    if not hasattr(select, "epoll"):
        return
    with _starting:
        if _watcher is None:
            _watcher = Watcher()
    _watcher.watch(descriptor, hung_up)


def unwatch(descriptor: Descriptor) -> None:
    """Forget a descriptor that is about to be closed."""
    if _watcher is not None:
        _watcher.unwatch(descriptor)


def _start_anew_in_child() -> None:
    global _watcher, _starting
    if _watcher is not None:
        _watcher.forget()
    _watcher = None
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew_in_child)
