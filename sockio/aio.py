"""Streams for asyncio: every call is awaited."""

from __future__ import annotations

from . import serial_port, tcp, unix
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from .iteration import BaseStream, BlockStream, LineStream
from .retry import Retry
from .runtimes.asyncio import AsyncioRuntime, ConnectionEOFError, ConnectionTimeoutError, LimitError

runtime = AsyncioRuntime()


class TCP(tcp.TCP):
    __doc__ = tcp.TCP.__doc__
    runtime = runtime


class Unix(unix.Unix):
    __doc__ = unix.Unix.__doc__
    runtime = runtime


class Serial(serial_port.Serial):
    __doc__ = serial_port.Serial.__doc__
    runtime = runtime
