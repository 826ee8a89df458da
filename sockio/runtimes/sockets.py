"""Making connections: addresses looked up, sockets opened and set up, on any runtime."""

from __future__ import annotations

import errno
import os
import socket

from ..errors import DeadlineExpired
from .descriptor import Socket, SocketDescriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .base import Runtime

    Setup = Callable[[socket.socket], None]


async def connect_tcp(runtime: Runtime, host: str, port: int, setup: Setup, deadline: float | None) -> SocketDescriptor:
    """Connect to the first address of *host* that answers.

    While more addresses are left to try, each gets an equal share of the time that is left.

    Raises:
        DeadlineExpired: no address answered in time.
        OSError: none could be reached; the error of the last one, as the system gave it.
    """
    addresses = await look_up(runtime, host, port, deadline)
    for left in range(len(addresses), 0, -1):
        family, address = addresses[-left]
        share = deadline
        if deadline is not None and left > 1:
            now = runtime.clock()
            share = now + (deadline - now) / left
        try:
            return await _connect(runtime, Socket(family, socket.SOCK_STREAM), address, setup, share)
        except (OSError, DeadlineExpired):
            if left == 1:
                raise
    raise OSError(errno.EADDRNOTAVAIL, "the name has no address")


async def connect_unix(runtime: Runtime, path: str, deadline: float | None) -> SocketDescriptor:
    """Connect to a unix domain socket."""
    sock = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    return await _connect(runtime, sock, path, lambda sock: None, deadline)


async def look_up(runtime: Runtime, host: str, port: int, deadline: float | None) -> list[tuple[int, Any]]:
    """Return the families and addresses of a host; only a name has to be looked up, which a thread does."""
    flags = getattr(socket, "AI_NUMERICHOST", 0)
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror:
        found = await runtime.run_in_thread(deadline, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM, 0, 0)
    return [(entry[0], entry[4]) for entry in found]


async def _connect(
    runtime: Runtime, sock: socket.socket, address: Any, setup: Setup, deadline: float | None
) -> SocketDescriptor:
    try:
        setup(sock)
        descriptor = SocketDescriptor(sock)
        code = sock.connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK) and sock.family != getattr(socket, "AF_UNIX", None):
            await runtime.wait_writable(descriptor, deadline)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return descriptor


def set_options(
    sock: socket.socket, no_delay: bool, tos: int | None, keep_alive: Mapping[str, int] | bool | None
) -> None:
    """Set what makes a TCP socket fit for talking to instruments; what a platform does not have is left out.

    Args:
        sock: the socket, not yet connected.
        no_delay: send small packets at once (TCP_NODELAY).
        tos: type of service of the IPv4 packets, None to leave it.
        keep_alive: True or False switches probing of idle connections; a mapping switches it with ``active`` and
            sets ``idle`` (seconds until the first probe), ``interval`` (seconds between probes) and ``retry`` (how
            many unanswered probes end the connection); None leaves the socket alone.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1 if no_delay else 0)
    if tos is not None and sock.family == socket.AF_INET and hasattr(socket, "IP_TOS"):
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    if keep_alive is None:
        return
    if isinstance(keep_alive, int):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if keep_alive else 0)
        return
    if "active" in keep_alive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if keep_alive["active"] else 0)
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    options = {
        "idle": idle,
        "retry": getattr(socket, "TCP_KEEPCNT", None),
        "interval": getattr(socket, "TCP_KEEPINTVL", None),
    }
    for name, option in options.items():
        if option is not None and name in keep_alive:
            sock.setsockopt(socket.IPPROTO_TCP, option, keep_alive[name])
