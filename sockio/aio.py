"""Streams for asyncio: every call is awaited."""

from __future__ import annotations

import sys

from . import serial_port, server, tcp, unix
from .client_stream import ClientStream
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from .errors import ProtocolError
from .iteration import BaseStream, BlockStream, LineStream
from .retry import Retry
from .runtimes.asyncio import ConnectionEOFError, ConnectionTimeoutError, LimitError
from .runtimes.asyncio import runtime as _runtime
from .stream import Stream
from .urls import stream_for_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "DEFAULT_LIMIT",
    "DFT_KEEP_ALIVE",
    "IPTOS_LOWDELAY",
    "TCP",
    "BaseStream",
    "BlockStream",
    "ClientStream",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "LimitError",
    "LineStream",
    "ProtocolError",
    "Retry",
    "Serial",
    "Server",
    "Stream",
    "Unix",
    "serve",
    "socket_for_url",
]


class TCP(tcp.TCP):
    __doc__ = tcp.TCP.__doc__
    runtime = _runtime


class Unix(unix.Unix):
    __doc__ = unix.Unix.__doc__
    runtime = _runtime


class Serial(serial_port.Serial):
    __doc__ = serial_port.Serial.__doc__
    runtime = _runtime


class Server(server.Server[ClientStream]):
    __doc__ = server.Server.__doc__
    runtime = _runtime


#: ``async with serve(handler, host, port) as server: …``
serve = Server


def socket_for_url(url: str, *args: Any, **kwargs: Any) -> Stream:
    """Return a stream for a URL: ``tcp://host:port``, ``tls://``, ``unix://``, ``serial://`` or ``rfc2217://``.

    Args:
        url: what to connect to; options may follow a question mark, see `sockio.resource`.
        *args: arguments of the stream's class after those that the URL gives.
        **kwargs: keyword arguments of the stream's class; they come before options of the URL.

    Raises:
        ValueError: not a URL that is supported.
    """
    made: Stream = stream_for_url(sys.modules[__name__], url, *args, **kwargs)
    return made
