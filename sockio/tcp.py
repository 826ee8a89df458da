"""Streams over TCP, with or without TLS."""

from __future__ import annotations

from .checks import check_count
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from .resource import HostAddress
from .runtimes.sockets import connect_tcp, set_options
from .stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from ssl import SSLContext
    from typing import Any

    from .retry import Retry
    from .runtimes.base import Transport


#: What Linux takes (net/tcp.h).
KEEP_ALIVE_RANGES = {"active": (0, 1), "idle": (1, 32767), "retry": (1, 127), "interval": (1, 32767)}


class TCP(Stream):
    """A stream over TCP, connected at the first call that needs it, and again after a failure.

    Args:
        host: name or IP address.
        port: 1 to 65535.
        eol: what ends a line.
        auto_reconnect: connect whenever a call needs it. Otherwise `open` has to be called first, and after a failure.
        on_connection_made: called without argument whenever a connection has been made, before anybody else uses it;
            it may use the stream. Calls of tasks that it starts are waited for too: a task that listens for ever is
            to be started elsewhere.
        on_connection_lost: called with an exception, or None, once for each connection that has ended.
        on_eof_received: called without argument when the peer has closed the connection.
        buffer_size: the longest line or frame accepted, and the most that is read ahead, in bytes.
        no_delay: send small requests at once (TCP_NODELAY).
        tos: type of service of the packets (IP_TOS).
        connection_timeout: seconds for connecting, all attempts together; None to count it to the call's ``timeout``.
        timeout: seconds for a call; None for no limit. Calls may override it.
        keep_alive: when to probe an idle connection: a mapping with ``active`` (0 or 1), ``idle`` and ``interval``
            (seconds) and ``retry`` (probes); True or False only switch it; None leaves the socket alone.
        quiet: after a failed call, discard input until nothing has come for so many seconds. For a TCP port that is
            the front of something else (a serial bridge), where a late answer crosses the reconnection. It has to be
            longer than the slowest answer takes.
        retry: how often connecting is tried again; once in all by default.
        ssl: TLS: True for one that verifies the peer's certificate, or an `ssl.SSLContext`.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    def __init__(
        self,
        host: str,
        port: int,
        eol: bytes = b"\n",
        auto_reconnect: bool = True,
        on_connection_made: Callable[[], Any] | None = None,
        on_connection_lost: Callable[[BaseException | None], Any] | None = None,
        on_eof_received: Callable[[], Any] | None = None,
        buffer_size: int = DEFAULT_LIMIT,
        no_delay: bool = True,
        tos: int = IPTOS_LOWDELAY,
        connection_timeout: float | None = None,
        timeout: float | None = None,
        keep_alive: Mapping[str, int] | bool | None = DFT_KEEP_ALIVE,
        *,
        quiet: float | None = None,
        retry: Retry | None = None,
        ssl: SSLContext | bool = False,
    ) -> None:
        address = HostAddress("tls" if ssl else "tcp", host, port)
        if check_count("tos", tos, 0) > 255:
            raise ValueError(f"tos must be 0 to 255, not {tos!r}")
        check_keep_alive(keep_alive)
        super().__init__(
            str(address),
            eol,
            auto_reconnect,
            on_connection_made,
            on_connection_lost,
            on_eof_received,
            buffer_size,
            connection_timeout,
            timeout,
            quiet,
            retry,
        )
        self.host = host
        self.port = port
        self.no_delay = no_delay
        self.tos = tos
        self.keep_alive = keep_alive
        self.ssl = ssl
        self._ssl_context: SSLContext | None = None
        if ssl:
            from .tls import check_context

            self._ssl_context = check_context(ssl)

    async def _open_transport(self, deadline: float | None) -> Transport:
        descriptor = await connect_tcp(self.runtime, self.host, self.port, self._set_up, deadline)
        transport = self.runtime.adopt(descriptor, self.buffer_size)
        if self._ssl_context is None:
            return transport
        from .tls import secure

        return await secure(self.runtime, transport, self._ssl_context, self.host, deadline)

    def _set_up(self, sock: socket.socket) -> None:
        set_options(sock, self.no_delay, self.tos, self.keep_alive)


def check_keep_alive(keep_alive: Any) -> None:
    """Raise TypeError or ValueError if *keep_alive* is nothing that `TCP` takes."""
    if keep_alive is None or isinstance(keep_alive, (bool, int)):
        return
    if not hasattr(keep_alive, "items"):
        raise TypeError(f"keep_alive must be a mapping, True, False or None, not {keep_alive!r}")
    for name, value in keep_alive.items():
        if name not in DFT_KEEP_ALIVE:
            raise ValueError(f"keep_alive has no {name!r}, but {', '.join(DFT_KEEP_ALIVE)}")
        lowest, highest = KEEP_ALIVE_RANGES[name]
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError(f"keep_alive's {name} must be a whole number, {lowest} to {highest}, not {value!r}")
