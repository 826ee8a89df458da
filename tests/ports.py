"""Port numbers for servers that have to be told one, or for nobody."""

from __future__ import annotations

import os
import socket
from collections import deque

#: As many ports as may be waiting for their server at once.
MOST_HELD = 64

_held: deque[int] = deque()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that refuses connections until a server listens at it.

    It stays bound meanwhile, so that the system gives it to nobody else on the machine. That does not keep a server
    from binding it that sets ``SO_REUSEADDR``, as servers do.
    """
    return hold(0)


def hold(port: int) -> int:
    """Keep a port from being given to others until its server is back."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        number: int = sock.getsockname()[1]
        _held.append(sock.detach())
    if len(_held) > MOST_HELD:
        os.close(_held.popleft())
    return number
