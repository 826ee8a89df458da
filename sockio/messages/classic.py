"""What `sockio.serpy` and `sockio.serpy2` have in common: connections and servers with the methods of these."""

from __future__ import annotations

import queue
import socket
import threading

from .. import server, tcp
from ..checks import check_count
from ..client_stream import ClientStream
from ..common import DEFAULT_LIMIT
from ..errors import ConnectionTimeoutError
from ..retry import Retry
from ..runtimes import bind
from ..runtimes.blocking import run
from ..runtimes.blocking import runtime as _runtime
from ..runtimes.descriptor import SocketDescriptor
from .connection import MessageConnection
from .sending import NotAcknowledgedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Generic, TypeVar

    from typing_extensions import Self

    from ..stream import Stream
    from .protocol import Protocol

    Child = TypeVar("Child", bound="BaseConnection")
else:
    Child = None

    class Generic:
        """Stands in for `typing.Generic`, which is slow to import."""

        def __class_getitem__(cls, item):
            return cls


#: How connecting again is tried, for about eight minutes.
RESTART = Retry(attempts=1000, delay=0.5, growth=1.0)

#: Seconds for which an iteration over a connection waits for the next message.
ITERATION = 0.01


class BaseConnection:
    """A connection that sends and receives messages. Any number of threads may use it.

    Attributes:
        adr: host and port to which it was connected; None if it was made from a socket.
        conn: the socket from which it was made, if it was.
        auto_restart: whether it connects again when the connection is lost.
    """

    def __init__(self, sock: socket.socket | None, auto_restart: bool, protocol: Protocol) -> None:
        self.adr: tuple[str, int] | None = None
        self.conn = sock
        self.auto_restart = bool(auto_restart)
        self._protocol = protocol
        self._messages: MessageConnection | None = None
        if sock is not None:
            self._check_restart(self.auto_restart)
            stream = _stream_over(sock)
            run(stream.open())
            self._take(stream)

    def __repr__(self) -> str:
        where = "nowhere" if self._messages is None else str(self._messages.stream)
        state = "connected" if self.isConnected() else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} to {where}, {state}>"

    def _take(self, stream: Stream) -> None:
        self._messages = MessageConnection(stream, self._protocol, restart=self.auto_restart)

    def _connection(self) -> MessageConnection:
        if self._messages is None:
            raise ConnectionError(f"{type(self).__name__}: not connected: call connect() first")
        return self._messages

    def connect(self, adr: str, port: int) -> Self:
        """Connect to a server, and return the connection itself. A connection that there is already is closed.

        Raises:
            OSError: the connection was refused, the host is unreachable, ...
        """
        self.close()
        stream = bind(tcp.TCP, _runtime)(adr, port, auto_reconnect=False)
        run(stream.open())
        stream.retry = RESTART
        stream.auto_reconnect = self.auto_restart
        self.adr = adr, port
        self.conn = None
        self._take(stream)
        return self.start()

    def start(self) -> Self:
        """Receive from now on. `connect`, and the server of a connection, have done it."""
        self._connection()._begin(None)
        return self

    def close(self) -> None:
        """Close the connection. Messages that have come can still be received. It may be closed already."""
        if self._messages is not None:
            run(self._messages.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def getData(self, timeout: float | None = None) -> Any:
        """Return the next message.

        Args:
            timeout: seconds to wait for it, None for no limit.

        Raises:
            queue.Empty: none has come in time.
            ProtocolError, LimitError: what came is no message that can be accepted.
            ConnectionEOFError: the peer has closed the connection, and it does not restart.
            ConnectionError, OSError: there is no connection, or it broke, and it does not restart.
        """
        try:
            return run(self._connection().receive(timeout))
        except ConnectionTimeoutError as error:
            raise queue.Empty(str(error)) from None

    def _send(
        self, data: Any, timeout: float | None, acknowledge: bool | None, mode: int | None, force_mode: bool
    ) -> bool | None:
        messages = self._connection()
        awaited = self._protocol.acknowledges if acknowledge is None else acknowledge
        try:
            run(messages.send(data, timeout, acknowledge=acknowledge, mode=mode, force_mode=force_mode))
        except NotAcknowledgedError:
            return False
        except ConnectionTimeoutError as error:
            if not messages.connected() and not self.auto_restart:
                raise  # cut in the middle of the message
            raise queue.Full(str(error)) from None
        return True if awaited else None

    def enableRestart(self) -> None:
        """Connect again whenever the connection is lost.

        Raises:
            ValueError: it was made from a socket, and does not know where to connect to.
        """
        self._check_restart(True)
        self._set_restart(True)

    def disableRestart(self) -> None:
        """Do not connect again when the connection is lost."""
        self._set_restart(False)

    def _set_restart(self, restart: bool) -> None:
        self.auto_restart = restart
        if self._messages is not None:
            self._messages.restart = restart
            self._messages.stream.auto_reconnect = restart
            self._messages.stream.retry = RESTART if restart else Retry()

    def _check_restart(self, restart: bool) -> None:
        if restart and self.adr is None and (self.conn is not None or self._messages is not None):
            raise ValueError("a connection made from a socket cannot restart: only its peer knows where to connect to")

    def isConnected(self) -> bool:
        """Tell whether there is a connection whose peer is still there."""
        return self._messages is not None and self._messages.connected()

    @property
    def connected(self) -> bool:
        """The same as `isConnected`."""
        return self.isConnected()

    def isDataAvailable(self) -> bool:
        """Tell whether a message can be received without waiting."""
        return self._messages is not None and self._messages.waiting > 0

    @property
    def in_mode(self) -> int:
        """The mode of serpy in which the peer sends."""
        return 0 if self._messages is None else self._messages.in_mode

    @property
    def out_mode(self) -> int:
        """The mode of serpy in which was sent last."""
        return 0 if self._messages is None else self._messages.out_mode

    @property
    def encoding(self) -> str:
        """How text is encoded."""
        return self._protocol.encoding

    @property
    def allow_unpickle(self) -> bool:
        """Whether pickled objects may be sent and are loaded."""
        return self._protocol.allow_unpickle

    def __iter__(self) -> Iterator[Any]:
        """Go through the messages that have come, until none comes for 10 ms."""
        while True:
            try:
                yield self.getData(ITERATION)
            except (queue.Empty, ConnectionError):
                return


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
        family = socket.AF_INET6 if ":" in adr else socket.AF_INET
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
            return self.nb_conn - sum(not child.isConnected() for child in self._children)

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
        self._stopping = threading.Lock()
        self._listeners = run(self._listen())
        return self._listeners[0].socket

    def start(self) -> None:
        if self.started or self.stopped:
            raise RuntimeError(f"{self}: has been started, or closed, before")
        self.started = True
        self._attend(list(self._listeners))

    def _admit(self, descriptor: SocketDescriptor) -> None:
        with self._stopping:
            if self.stopped:
                descriptor.close()  # who has come at the last moment would not be closed with the others
                return
            # Clients that have gone, which their handlers are about to notice, do not count.
            handlings = list(self._handling.items())
            gone = sum(handling.stream is not None and not client.connected() for client, handling in handlings)
            self.max_clients = self.room() + gone
            super()._admit(descriptor)

    def stop(self) -> None:
        with self._stopping:
            self.stopped = True
        self._stop_listening()
        if not self.started:
            for listener in list(self._listeners):
                self._drop(listener)


def _is_of_use(child: BaseConnection) -> bool:
    return child.isConnected() or child.isDataAvailable()


def _stream_over(sock: socket.socket) -> ClientStream:
    """Return a stream over a socket that is connected."""
    peer: Any = sock.getpeername()
    address = peer[:2] if isinstance(peer, tuple) else None
    resource = f"tcp://{address[0]}:{address[1]}" if address else f"unix://#{sock.fileno()}"
    return bind(ClientStream, _runtime)(resource, SocketDescriptor(sock), address, b"\n", DEFAULT_LIMIT, None, None)
