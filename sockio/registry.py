"""One connection for each resource, whoever asks for it.

All that name the same resource, in whatever spelling, share its lock and its connection. A connection belongs to an
event loop, a trio run, or all the threads that make blocking calls together: there is one for each of these. It is
held weakly: when the last one that uses it has gone, it is closed.
"""

from __future__ import annotations

import os
import threading
import weakref

from .locks import ResourceLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from .runtimes.base import Runtime

    Connection = TypeVar("Connection")


class Threads:
    """Stands for the home of blocking calls: this process."""


_threads = Threads()


class Resource:
    """What a resource string names, as this process sees it.

    Args:
        name: the canonical name of the resource.

    Attributes:
        lock: for everybody who uses it, in this process and in others.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = ResourceLock(name)
        self._connections: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()
        self._settings: Mapping[str, Any] = {}

    def connection(self, runtime: Runtime, settings: Mapping[str, Any], make: Callable[[], Connection]) -> Connection:
        """Return the connection for the caller's event loop, trio run or thread: the one there is, or a new one.

        Args:
            runtime: of the caller.
            settings: what has to be the same for all that share it, such as a baud rate; None is not to have been set.
            make: makes the object; it connects when it is used.

        Raises:
            ValueError: it is in use with other settings.
        """
        home = runtime.home() or _threads
        with _making:
            names = dict.fromkeys([*settings, *self._settings])
            different = [name for name in names if settings.get(name) != self._settings.get(name)]
            if different and self.connections():
                wanted = ", ".join(f"{name}={settings.get(name)!r}" for name in different)
                present = ", ".join(f"{name}={self._settings.get(name)!r}" for name in different)
                raise ValueError(f"{self.name} is in use with {present}: it cannot be had with {wanted} as well")
            reference = self._connections.get(home)
            made = None if reference is None else reference()
            if made is None:
                made = make()
                self._connections[home] = weakref.ref(made)
                self._settings = dict(settings)
            return made

    def connection_of(self, runtime: Runtime) -> Any:
        """Return the connection of the caller's event loop, trio run or thread; None if there is none."""
        with _making:
            reference = self._connections.get(runtime.home() or _threads)
        return None if reference is None else reference()

    def connections(self) -> list[Any]:
        """Return the connections that somebody uses, those of all homes."""
        with _making:
            references = list(self._connections.values())
        return [made for reference in references if (made := reference()) is not None]


_making = threading.RLock()  # an object that is dropped meanwhile may ask for another
_resources: weakref.WeakValueDictionary[str, Resource] = weakref.WeakValueDictionary()


def resource(name: str) -> Resource:
    """Return the resource of a canonical name (`sockio.resource.Address.resource`), the same one for everybody.

    The name of a serial port is that of the device behind it, whatever links lead to it.
    """
    prefix = "serial://"
    if name.startswith(prefix + "/"):
        name = prefix + os.path.realpath(name[len(prefix) :])
    with _making:
        found = _resources.get(name)
        if found is None:
            found = _resources[name] = Resource(name)
        return found


def resources() -> list[Resource]:
    """Return the resources that are in use in this process, in the order of their names."""
    with _making:
        found = list(_resources.values())
    return sorted(found, key=lambda resource: resource.name)


def _forget_in_child() -> None:
    global _making
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
