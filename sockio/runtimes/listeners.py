"""Taking connections: sockets that listen, and what waits at them, on any runtime."""

from __future__ import annotations

import errno
import os
import socket
import stat

from .descriptor import Socket, SocketDescriptor
from .sockets import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import Runtime

#: How many connections may wait to be accepted.
BACKLOG = 100

#: How often a free port is looked for that is free at all the addresses of a host.
ATTEMPTS = 10

#: Errors of addresses that this machine lacks: a host may have others.
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Listener(SocketDescriptor):
    """A listening stream socket."""

    #: `shut_down` has been called.
    ended = False

    def address(self) -> tuple[str, int]:
        """Return the host and the port on which it listens."""
        host, port = self.socket.getsockname()[:2]
        return str(host), int(port)

    def shut_down(self) -> None:
        """End listening, from any thread: who waits in `accept` is woken."""
        self.ended = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self._knock()

    def _knock(self) -> None:
        """Connect, where a listening socket cannot be shut down: only a visitor wakes who waits for one."""
        try:
            with Socket(self.socket.family, socket.SOCK_STREAM) as visitor:
                visitor.setblocking(False)
                visitor.connect_ex(self.socket.getsockname())
        except OSError:
            pass  # closed already: nobody waits


class UnixListener(Listener):
    """A listening unix domain socket; its file goes with it."""

    def __init__(self, sock: socket.socket, path: str) -> None:
        super().__init__(sock)
        self._path = path
        self._file = os.stat(path)

    def close(self) -> None:
        try:
            if os.path.samestat(os.stat(self._path), self._file):  # another server may have taken its place
                os.unlink(self._path)
        except OSError:
            pass  # it is gone, or out of reach
        super().close()


def listen_tcp(host: str, port: int, backlog: int = BACKLOG) -> Listener:
    """Return a socket that listens at an address of this machine.

    Args:
        host: a numeric address, or a name that can be looked up without a network; ``""`` for all IPv4 addresses.
        port: 0 for any that is free.
        backlog: how many connections may wait to be accepted.

    Raises:
        OSError: the address is not one of this machine, the port is in use, ...
    """
    family, _, _, _, address = socket.getaddrinfo(host or "0.0.0.0", port, 0, socket.SOCK_STREAM, 0)[0]
    return _listen(family, address, backlog, False)


async def listen_everywhere(
    runtime: Runtime, host: str | None, port: int, family: int, backlog: int, reuse_port: bool
) -> list[Listener]:
    """Return sockets that listen at all the addresses that a host has on this machine, at one port.

    Args:
        runtime: what waits for the look-up of a name.
        host: a numeric address, a name, or None for all the addresses of this machine.
        port: 0 for any that is free.
        family: `socket.AF_INET` or `socket.AF_INET6` for addresses of this kind only, 0 for both.
        backlog: how many connections may wait to be accepted.
        reuse_port: let other processes listen at the same port (SO_REUSEPORT).

    Raises:
        OSError: none of the addresses is one of this machine, the port is in use, ...
    """
    if host:
        addresses = await look_up(runtime, host, port, None)
    else:
        addresses = [(socket.AF_INET, ("0.0.0.0", port)), (socket.AF_INET6, ("::", port, 0, 0))]
    addresses = list(dict.fromkeys(address for address in addresses if family in (0, address[0])))
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _listen_at(addresses, port, backlog, reuse_port)
        except OSError as error:
            # The port that was free at one address may be taken at the next.
            if port or error.errno != errno.EADDRINUSE or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _listen_at(addresses: list[tuple[int, Any]], port: int, backlog: int, reuse_port: bool) -> list[Listener]:
    listeners: list[Listener] = []
    missing = OSError(errno.EADDRNOTAVAIL, "the name has no address")
    try:
        for family, (numeric, _, *scope) in addresses:
            try:
                listener = _listen(family, (numeric, port, *scope), backlog, reuse_port)
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise
                missing = error
            else:
                listeners.append(listener)
                port = listener.address()[1]
        if not listeners:
            raise missing
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listen(family: int, address: Any, backlog: int, reuse_port: bool) -> Listener:
    sock = Socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # on Windows it would share a port in use
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
        sock.bind(address)
        sock.listen(backlog)
        return Listener(sock)
    except BaseException:
        sock.close()
        raise


def listen_unix(path: str, backlog: int = BACKLOG) -> Listener:
    """Return a unix domain socket that listens. The file that a server left behind when it crashed is replaced.

    Raises:
        OSError: somebody listens there, there is a file of another kind, the folder does not exist, ...
    """
    sock = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno is None:
                raise OSError(errno.ENAMETOOLONG, f"{error}: {len(os.fsencode(path))} bytes", path) from None
            if error.errno != errno.EADDRINUSE or not _is_abandoned(path):
                raise
            os.unlink(path)
            sock.bind(path)
        sock.listen(backlog)
        return UnixListener(sock, path)
    except BaseException:
        sock.close()
        raise


def _is_abandoned(path: str) -> bool:
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        return False
    with Socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        visitor.setblocking(False)
        return visitor.connect_ex(path) == errno.ECONNREFUSED


async def accept(runtime: Runtime, listener: Listener, deadline: float | None) -> SocketDescriptor:
    """Wait for the next connection.

    Raises:
        DeadlineExpired: nobody has connected in time.
        ConnectionAbortedError: the listener has been shut down.
    """
    while True:
        if listener.ended:
            raise ConnectionAbortedError("closed")
        try:
            sock, _ = listener.socket.accept()
        except BlockingIOError:
            await runtime.wait_readable(listener, deadline)
        except ConnectionAbortedError:
            pass  # whoever it was has gone again
        except OSError:
            if not listener.ended:
                raise
        else:
            return SocketDescriptor(Socket(fileno=sock.detach()))
