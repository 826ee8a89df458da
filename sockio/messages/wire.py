"""What messages want of a link's socket beyond what transports offer."""

from __future__ import annotations

import socket

from ..runtimes.descriptor import WRITABLE, Poller, SocketDescriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..link import Link


def is_writable(link: Link) -> bool:
    """Tell whether a few bytes can be written without waiting; also if it cannot be known."""
    descriptor = link.transport.descriptor()
    return descriptor is None or link.closed or bool(Poller(descriptor.number, WRITABLE).wait(0))


def socket_of(link: Link) -> socket.socket | None:
    """Return the socket of a link that has one."""
    descriptor = link.transport.descriptor()
    return descriptor.socket if isinstance(descriptor, SocketDescriptor) else None


def end_sending(link: Link) -> None:
    """Tell the peer that nothing more will come, so that it closes."""
    sock = socket_of(link)
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone already
