"""What `sockio.serpy` and `sockio.serpy2` have in common: servers with the methods of these."""

from __future__ import annotations

import queue
import threading
from socket import AF_INET, AF_INET6

from .. import server
from ..checks import check_count
from ..client_stream import ClientStream
from ..runtimes import bind
from ..runtimes.blocking import run
from ..runtimes.blocking import runtime as _runtime
from .classic_connection import BaseConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Generic, TypeVar

    from typing_extensions import Self

    from ..runtimes.descriptor import SocketDescriptor
    from ..stream import Stream

    Child = TypeVar("Child", bound="BaseConnection")
else:
    from ..generic import Generic

    Child = None


class BaseServer(Generic[Child]):
    """A server that makes a connection of every client. It listens as soon as it is made.

    Attributes:
        adr, port: where it listens; ``port`` is the real one if 0 was given.
        nb_conn: how many connections there may be at a time. Clients beyond are disconnected at once.
        serv: the listening socket.

    Raises:
        OSError: the port is in use, the address is not one of this machine, ...
    """

    def __init__(self, adr: str, port: int, nb_conn: int) -> None:
        self.adr = adr
        self.nb_conn = check_count("nb_conn", nb_conn, 1)
        # serpy knows IPv4 alone: its clients are to find a server on "localhost".
        family = AF_INET6 if ":" in adr else AF_INET
        self._server = bind(_ListeningServer, _runtime)(self._handle, adr or None, port, family=family)
        self._server.room = self._room
        self.serv = self._server.listen()
        self.port = self._server.port
        self._children: list[Child] = []
        self._new: list[Child] = []
        self._changed = threading.Condition()

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} at {self.adr}:{self.port}, {len(self)} connections>"

    def _adopt(self, stream: Stream) -> Child:
        """Return a connection over the stream of a client."""
        raise NotImplementedError

    def _handle(self, client: Stream) -> None:
        """Keep a connection, and be its attendant, until it has ended."""
        child = self._adopt(client)

        def hand_out() -> None:
            with self._changed:
                self._children.append(child)
                self._new.append(child)
                self._changed.notify_all()

        run(child._connection().attend(hand_out))

    def start(self) -> Self:
        """Accept clients from now on, and return the server itself."""
        self._server.start()
        return self

    def close(self) -> None:
        """Stop accepting clients. Connections stay open. It may be closed already."""
        self._server.stop()
        with self._changed:
            self._changed.notify_all()

    def closeServer(self) -> None:
        """Close all connections, and the server."""
        self.close()
        for child in self.getConnectionsList():
            child.close()
        run(self._server.close())
        with self._changed:
            self._children.clear()
            self._new.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closeServer()

    def _room(self) -> int:
        """Return for how many connections there is room beside those whose peers are there."""
        with self._changed:
            self._forget_ended()
            return self.nb_conn - sum(child.isDataAvailable() and not child.isConnected() for child in self._children)

    def _forget_ended(self) -> None:
        self._children = [child for child in self._children if _is_of_use(child)]
        self._new = [child for child in self._new if _is_of_use(child)]

    def getConnection(self, timeout: float | None = None) -> Child:
        """Return the next new connection, waiting for one if there is none.

        Args:
            timeout: seconds to wait, None for no limit.

        Raises:
            queue.Empty: none has come in time.
            ConnectionError: the server has been closed, and there is none left.
        """

        def ready() -> bool:
            self._forget_ended()
            return bool(self._new) or self._server.stopped

        with self._changed:
            if not self._changed.wait_for(ready, timeout):
                raise queue.Empty(f"{self!r}: no connection has come in time")
            if not self._new:
                raise ConnectionError(f"{self!r}: has been closed, and accepts no connections any more")
            return self._new.pop(0)

    def getConnectionsList(self) -> list[Child]:
        """Return the active connections: whose peer is there, or has left messages."""
        with self._changed:
            self._forget_ended()
            return list(self._children)

    @property
    def connections(self) -> list[Child]:
        """The same as `getConnectionsList`."""
        return self.getConnectionsList()

    def readableConnections(self) -> list[Child]:
        """Return the connections from which a message can be received without waiting."""
        return [child for child in self.getConnectionsList() if child.isDataAvailable()]

    def __iter__(self) -> Iterator[Child]:
        return iter(self.getConnectionsList())

    def __len__(self) -> int:
        return len(self.getConnectionsList())


class _ListeningServer(server.Server[ClientStream]):
    """A server that listens before it accepts, and whose clients stay when it stops."""

    started = False
    stopped = False
    room: Callable[[], int]

    def listen(self) -> socket.socket:
        self._listeners = run(self._listen())
        return self._listeners[0].socket

    def start(self) -> None:
        if self.started or self.stopped:
            raise RuntimeError(f"{self}: has been started, or closed, before")
        self.started = True
        self._attend(list(self._listeners))

    def _admit(self, descriptor: SocketDescriptor) -> None:
        # Clients that have gone, which their handlers are about to notice, do not count.
        handlings = list(self._handling.items())
        gone = sum(handling.stream is not None and not client.connected() for client, handling in handlings)
        self.max_clients = self.room() + gone
        super()._admit(descriptor)

    def stop(self) -> None:
        self.stopped = True
        self._stop_listening()
        if not self.started:
            for listener in list(self._listeners):
                self._drop(listener)


def _is_of_use(child: BaseConnection) -> bool:
    return child.isDataAvailable() or not child._has_ended()
