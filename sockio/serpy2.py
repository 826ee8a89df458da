"""Messages between workstations, with the classes and the wire of serpy2: `Connection` and `Server`.

A message is an int of 64 bits, a float, text or bytes, with a checksum, and is not acknowledged. With
``protocol="blob"`` the same classes speak that protocol: numpy arrays, acknowledged, and with a checksum that deserves
the name.
"""

from __future__ import annotations

from .messages import DEFAULT_MESSAGE_LIMIT, MessageRefusedError, NotAcknowledgedError
from .messages.classic_connection import BaseConnection
from .messages.classic_server import BaseServer
from .messages.protocols import protocol_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from .stream import Stream

__all__ = ["Connection", "MessageRefusedError", "NotAcknowledgedError", "Server"]


class Connection(BaseConnection):
    """A connection that sends and receives messages: ``Connection().connect(adr, port)``.

    Args:
        sock: a connected socket to take over; `start` begins.
        auto_restart: connect again whenever the connection is lost, up to 1000 times, 0.5 s apart.
        protocol: ``"serpy2"``, ``"serpy"`` or ``"blob"``, as the peer speaks.
        limit: the largest message accepted, in bytes.
    """

    def __init__(
        self,
        sock: socket.socket | None = None,
        auto_restart: bool = False,
        *,
        protocol: str = "serpy2",
        limit: int = DEFAULT_MESSAGE_LIMIT,
    ) -> None:
        super().__init__(sock, auto_restart, protocol_named(protocol, limit, "utf-8", False))

    def sendData(self, data: Any, timeout: float | None = None) -> bool | None:
        """Send a message.

        Args:
            data: int (64 bits), float, str or bytes; in the blob protocol str, bytes or a numpy array.
            timeout: seconds for sending, and acknowledgement where there is one; None for no limit.

        Returns:
            None. In the blob protocol True if the peer has acknowledged the message, False if it has not in time: it
            may still arrive, or not have been sent at all.

        Raises:
            queue.Full: the peer takes nothing, or is not there yet again, and acknowledges nothing anyway. Nothing has
                been sent.
            TypeError, ValueError, OverflowError: the message cannot be carried. Nothing has been sent.
            MessageRefusedError: the peer accepts it not, and says why.
            ConnectionTimeoutError: the time was up in the middle of the message; the connection has been closed.
            ConnectionError, OSError: there is no connection, or it broke before the message was acknowledged.
        """
        return self._send(data, timeout, None, None, False)


class Server(BaseServer[Connection]):
    """A server whose clients are connections: ``Server(adr, port).start()``.

    Args:
        adr: where to listen, an address or name of this machine; ``""`` for all of them.
        port: 0 for any that is free.
        nb_conn: how many connections there may be at a time.
        protocol: ``"serpy2"``, ``"serpy"`` or ``"blob"``, as the clients speak.
        limit: the largest message accepted, in bytes.
    """

    def __init__(
        self,
        adr: str,
        port: int,
        nb_conn: int = 5,
        *,
        protocol: str = "serpy2",
        limit: int = DEFAULT_MESSAGE_LIMIT,
    ) -> None:
        protocol_named(protocol, limit, "utf-8", False)  # what is wrong is better known before it listens
        self.protocol = protocol
        self.limit = limit
        super().__init__(adr, port, nb_conn)

    def _adopt(self, stream: Stream) -> Connection:
        child = Connection(protocol=self.protocol, limit=self.limit)
        child._take(stream)
        return child
