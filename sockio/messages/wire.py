"""What messages want of a link's socket beyond what transports offer."""

from __future__ import annotations

import socket

from ..runtimes.descriptor import WRITABLE, Poller, SocketDescriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..link import Link
    from ..runtimes.descriptor import Descriptor


def descriptor_of(link: Link) -> Descriptor | None:
    """Return what a link reads from and writes to in the end, be it through TLS."""
    transport: Any = link.transport
    while hasattr(transport, "_transport"):
        transport = transport._transport
    return getattr(transport, "_descriptor", None)


def is_writable(link: Link) -> bool:
    """Tell whether a few bytes can be written without waiting; also if it cannot be known."""
    descriptor = descriptor_of(link)
    return descriptor is None or link.closed or bool(Poller(descriptor.number, WRITABLE).wait(0))


def end_sending(link: Link) -> None:
    """Tell the peer that nothing more will come, so that it closes."""
    descriptor = descriptor_of(link)
    if isinstance(descriptor, SocketDescriptor):
        try:
            descriptor.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone already
