"""The streams of the two sides, and the server that makes those of its clients."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from .. import aio
from ..client_stream import ClientStream
from ..deadline import sooner
from ..runtimes.asyncio import runtime
from ..runtimes.sockets import connect_tcp
from ..server import Server
from ..tls import secure
from .constants import KEEP_ALIVE
from .resumable import ResumableStream

if TYPE_CHECKING:
    from ssl import SSLContext

    from ..runtimes.base import Transport


class ServedStream(ResumableStream, ClientStream):
    """The connection of a client, on the server's side."""

    runtime = runtime


class ClientTCP(ResumableStream, aio.TCP):
    """The connection to a server, on the client's side.

    Args:
        host: name or address.
        port: 1 to 65535.
        limit: the longest line, in bytes.
        ssl: TLS: True, or a context.
        family, flags: of the addresses to look up, as for `socket.getaddrinfo`.
        local_addr: host and port to connect from.
        server_hostname: whom the server's certificate has to be for, instead of *host*.
        ssl_handshake_timeout: seconds for the TLS handshake.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        limit: int,
        ssl: SSLContext | bool,
        family: int,
        flags: int,
        local_addr: tuple[str, int] | None,
        server_hostname: str | None,
        ssl_handshake_timeout: float,
    ) -> None:
        super().__init__(host, port, auto_reconnect=False, buffer_size=limit, keep_alive=KEEP_ALIVE, ssl=ssl)
        if server_hostname is not None and not ssl:
            raise ValueError("server_hostname is only meaningful with ssl")
        if server_hostname == "":
            raise ValueError("server_hostname must not be empty; a context with check_hostname off takes any server")
        self._family = family
        self._flags = flags
        self._local_address = local_addr
        self._server_hostname = server_hostname or host
        self._handshake_timeout = ssl_handshake_timeout

    async def _open_transport(self, deadline: float | None) -> Transport:
        transport = await self._connect_to_any(deadline)
        if self._ssl_context is None:
            return transport
        limit = sooner(runtime.clock() + self._handshake_timeout, deadline)
        return await secure(self.runtime, transport, self._ssl_context, self._server_hostname, limit)

    async def _connect_to_any(self, deadline: float | None) -> Transport:
        """Connect to the first of the server's addresses that answers."""
        hosts = await self._look_up()
        for left in range(len(hosts), 0, -1):
            try:
                descriptor = await connect_tcp(self.runtime, hosts[-left], self.port, self._set_up, deadline)
            except OSError:
                if left == 1:
                    raise
            else:
                return self.runtime.adopt(descriptor, self.buffer_size)
        raise ConnectionError(f"{self}: the name has no address")

    async def _look_up(self) -> list[str]:
        if not self._family and not self._flags:
            return [self.host]
        found = await asyncio.get_running_loop().getaddrinfo(
            self.host, self.port, family=self._family, type=socket.SOCK_STREAM, flags=self._flags
        )
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        return [socket.getnameinfo(address, numeric)[0] for *_, address in found]

    def _set_up(self, sock: socket.socket) -> None:
        super()._set_up(sock)
        if self._local_address is not None:
            sock.bind(self._local_address)


class ResumableServer(Server[ServedStream]):
    """A server whose handler gets a `ServedStream` for each client."""

    runtime = runtime
    stream_class = ServedStream
