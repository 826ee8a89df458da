"""Clients, and servers for one client at a time, in asyncio: for controllers at a telescope, and for mocks of them.

The classes are made to be inherited from; `docs/tcpip.md` shows how.
"""

from __future__ import annotations

from .. import __version__
from .base import BaseClientOrServer, ConnectCallbackType
from .client import Client
from .constants import (
    DEFAULT_ENCODING,
    DEFAULT_LOCALHOST,
    DEFAULT_MAX_HEARTBEAT_INTERVAL,
    DEFAULT_MONITOR_CONNECTION_INTERVAL,
    DEFAULT_TERMINATOR,
    HEARTBEAT,
    KEEPALIVE_INTERVAL,
    KEEPALIVE_PROBES,
    KEEPALIVE_TIME,
    LOCAL_HOST,
    LOCALHOST_IPV4,
    LOCALHOST_IPV6,
    TERMINATOR,
)
from .functions import close_stream_writer, read_into, set_socket_options, write_from
from .one_client_server import OneClientServer
from .read_loop_server import OneClientReadLoopServer
from .testing import BaseOneClientServerTestCase, TestOneClientReadLoopServer

__all__ = [
    "DEFAULT_ENCODING",
    "DEFAULT_LOCALHOST",
    "DEFAULT_MAX_HEARTBEAT_INTERVAL",
    "DEFAULT_MONITOR_CONNECTION_INTERVAL",
    "DEFAULT_TERMINATOR",
    "HEARTBEAT",
    "KEEPALIVE_INTERVAL",
    "KEEPALIVE_PROBES",
    "KEEPALIVE_TIME",
    "LOCALHOST_IPV4",
    "LOCALHOST_IPV6",
    "LOCAL_HOST",
    "TERMINATOR",
    "BaseClientOrServer",
    "BaseOneClientServerTestCase",
    "Client",
    "ConnectCallbackType",
    "OneClientReadLoopServer",
    "OneClientServer",
    "TestOneClientReadLoopServer",
    "__version__",
    "close_stream_writer",
    "read_into",
    "set_socket_options",
    "write_from",
]
