"""What `sockio.serpy` and `sockio.serpy2` have in common: connections with the methods of these."""

from __future__ import annotations

import queue
from socket import AF_INET, AF_INET6

from .. import tcp
from ..client_stream import ClientStream
from ..common import DEFAULT_LIMIT, DFT_KEEP_ALIVE
from ..errors import ConnectionTimeoutError
from ..resource.hosts import write_host
from ..retry import Retry
from ..runtimes import bind
from ..runtimes.blocking import run
from ..runtimes.blocking import runtime as _runtime
from ..runtimes.descriptor import SocketDescriptor
from ..runtimes.sockets import set_options
from .connection import MessageConnection
from .sending import NotAcknowledgedError
from .wire import socket_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

    from typing_extensions import Self

    from ..stream import Stream
    from .protocol import Protocol

#: How connecting again is tried, for about eight minutes.
RESTART = Retry(attempts=1000, delay=0.5, growth=1.0)

#: Seconds for which an iteration over a connection waits for the next message.
ITERATION = 0.01


class BaseConnection:
    """A connection that sends and receives messages. Any number of threads may use it.

    Attributes:
        adr: host and port to which it was connected; None if it was made from a socket.
    """

    def __init__(self, sock: socket.socket | None, auto_restart: bool, protocol: Protocol) -> None:
        self.adr: tuple[str, int] | None = None
        self._auto_restart = bool(auto_restart)
        self._protocol = protocol
        self._messages: MessageConnection | None = None
        if sock is not None:
            if self.auto_restart:
                raise _no_restart()
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
            if awaited:
                return False
            raise queue.Full(str(error)) from None
        return True if awaited else None

    @property
    def auto_restart(self) -> bool:
        """Whether it connects again when the connection is lost."""
        return self._auto_restart

    @auto_restart.setter
    def auto_restart(self, restart: bool) -> None:
        if restart and self._messages is not None and self.adr is None:
            raise _no_restart()
        self._auto_restart = bool(restart)
        if self._messages is not None:
            self._messages.restart = self._auto_restart
            self._messages.stream.auto_reconnect = self._auto_restart
            self._messages.stream.retry = RESTART if restart else Retry()

    def enableRestart(self) -> None:
        """Connect again whenever the connection is lost.

        Raises:
            ValueError: it was made from a socket, and does not know where to connect to.
        """
        self.auto_restart = True

    def disableRestart(self) -> None:
        """Do not connect again when the connection is lost."""
        self.auto_restart = False

    def isConnected(self) -> bool:
        """Tell whether there is a connection whose peer is still there."""
        return self._messages is not None and self._messages.connected()

    @property
    def connected(self) -> bool:
        """The same as `isConnected`."""
        return self.isConnected()

    def _has_ended(self) -> bool:
        """Tell whether no message will ever come again, nor be sent."""
        return self._messages is None or self._messages._has_ended()

    def isDataAvailable(self) -> bool:
        """Tell whether a message can be received without waiting."""
        return self._messages is not None and self._messages.waiting > 0

    @property
    def conn(self) -> socket.socket | None:
        """The socket, to be looked at; None when there is no connection."""
        link = None if self._messages is None else self._messages.stream._link
        return None if link is None else socket_of(link)

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


def _stream_over(sock: socket.socket) -> ClientStream:
    """Return a stream over a socket that is connected."""
    peer: Any = sock.getpeername()  # raises OSError if it is not connected
    address = None
    resource = f"unix://#{sock.fileno()}"
    if sock.family in (AF_INET, AF_INET6):
        address = peer[:2]
        resource = f"tcp://{write_host(*address)}"
        set_options(sock, True, None, DFT_KEEP_ALIVE)
    return bind(ClientStream, _runtime)(resource, SocketDescriptor(sock), address, b"\n", DEFAULT_LIMIT, None, None)


def _no_restart() -> ValueError:
    return ValueError("a connection made from a socket cannot restart: only its peer knows where to connect to")
