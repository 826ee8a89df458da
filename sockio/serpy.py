"""Messages between workstations, with the classes and the wire of serpy: `Connection` and `Server`.

A message in mode 0 is text, sent and forgotten; in mode 1 text, acknowledged; in modes 2 and 3 the same with any bytes.
Modes 4 and 5 carry pickled objects, and are refused unless ``allow_unpickle=True`` is given: whoever can connect can
then run any code here.

With ``protocol="blob"`` or ``"serpy2"`` the same classes speak these protocols; then odd modes ask for acknowledgement.
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
        encoding: of text.
        auto_restart: connect again whenever the connection is lost, up to 1000 times, 0.5 s apart.
        allow_unpickle: allow modes 4 and 5, in both directions.
        protocol: ``"serpy"``, ``"serpy2"`` or ``"blob"``, as the peer speaks.
        limit: the largest message accepted, in bytes.
    """

    def __init__(
        self,
        sock: socket.socket | None = None,
        encoding: str = "ascii",
        auto_restart: bool = False,
        allow_unpickle: bool = False,
        *,
        protocol: str = "serpy",
        limit: int = DEFAULT_MESSAGE_LIMIT,
    ) -> None:
        super().__init__(sock, auto_restart, protocol_named(protocol, limit, encoding, allow_unpickle))

    def sendData(
        self, data: Any, mode: int = 0, timeout: float | None = None, *, force_mode: bool = False
    ) -> bool | None:
        """Send a message.

        Args:
            data: str, int, float or bytes; anything that can be pickled, if ``allow_unpickle`` is set. bytes are sent
                in mode 2 or 3, and pickled objects in mode 4 or 5, even if *mode* is a lower one.
            mode: 0 to 5.
            timeout: seconds for sending and acknowledgement, None for no limit.
            force_mode: declare *mode* to the peer, whatever the data are encoded for.

        Returns:
            None in modes 0, 2 and 4. In the others True if the peer has acknowledged the message, False if it has not
            in time: it may still arrive, or not have been sent at all.

        Raises:
            queue.Full: in modes 0, 2 and 4: the peer takes nothing, or is not there yet again. Nothing has been sent.
            TypeError, ValueError: the message cannot be carried in that mode. Nothing has been sent.
            MessageRefusedError: the peer accepts it not, and says why.
            ConnectionTimeoutError: the time was up in the middle of the message; the connection has been closed.
            ConnectionError, OSError: there is no connection, or it broke before the message was acknowledged.
        """
        acknowledge = mode in (1, 3, 5)
        return self._send(data, timeout, acknowledge, mode if self._protocol.name == "serpy" else None, force_mode)


class Server(BaseServer[Connection]):
    """A server whose clients are connections: ``Server(adr, port).start()``.

    Args:
        adr: where to listen, an address or name of this machine; ``""`` for all of them.
        port: 0 for any that is free.
        nb_conn: how many connections there may be at a time.
        encoding: of text.
        allow_unpickle: allow modes 4 and 5, in both directions.
        protocol: ``"serpy"``, ``"serpy2"`` or ``"blob"``, as the clients speak.
        limit: the largest message accepted, in bytes.
    """

    def __init__(
        self,
        adr: str,
        port: int,
        nb_conn: int = 5,
        encoding: str = "ascii",
        allow_unpickle: bool = False,
        *,
        protocol: str = "serpy",
        limit: int = DEFAULT_MESSAGE_LIMIT,
    ) -> None:
        protocol_named(protocol, limit, encoding, allow_unpickle)  # what is wrong is better known before it listens
        self.encoding = encoding
        self.allow_unpickle = allow_unpickle
        self.protocol = protocol
        self.limit = limit
        super().__init__(adr, port, nb_conn)

    def _adopt(self, stream: Stream) -> Connection:
        child = Connection(
            encoding=self.encoding, allow_unpickle=self.allow_unpickle, protocol=self.protocol, limit=self.limit
        )
        child._take(stream)
        return child
