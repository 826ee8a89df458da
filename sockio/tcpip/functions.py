"""Functions over a reader and a writer: those of asyncio, or one of our own streams, which is both."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
from typing import TYPE_CHECKING

from ..runtimes.descriptor import SocketDescriptor
from ..stream import Stream
from .constants import CLOSE_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, KEEPALIVE_TIME

if TYPE_CHECKING:
    from typing import TypeAlias

    from .input_output import InputOutput

    Reader: TypeAlias = asyncio.StreamReader | Stream | InputOutput
    Writer: TypeAlias = asyncio.StreamWriter | Stream

#: How systems call the option for the seconds until the first probe.
IDLE_OPTIONS = ("TCP_KEEPIDLE", "TCP_KEEPALIVE")

log = logging.getLogger("sockio.tcpip")


async def read_into(reader: Reader, struct: ctypes.Structure) -> None:
    """Fill a structure with the bytes that come next.

    Args:
        reader: an `asyncio.StreamReader`, a stream, a client or a server.
        struct: what to fill. When the call fails it is as it was.

    Raises:
        asyncio.IncompleteReadError: the peer closed the connection too early; ``.partial`` is what had come.
        ConnectionError: there is no connection any more.
    """
    data = await reader.readexactly(ctypes.sizeof(struct))
    ctypes.memmove(ctypes.addressof(struct), data, len(data))


async def write_from(writer: Writer, *structs: ctypes.Structure) -> None:
    """Send the bytes of structures, and wait until they have gone.

    Raises:
        ConnectionError: the connection broke, or is closed.
    """
    data = join_structs(structs)
    if isinstance(writer, asyncio.StreamWriter):
        writer.write(data)
        await writer.drain()
    else:
        await writer.write(data)


def join_structs(structs: tuple[ctypes.Structure, ...]) -> bytes:
    """Return the bytes of structures, one after the other."""
    return b"".join(map(bytes, structs))


async def close_stream_writer(writer: Writer) -> None:
    """Close the writing side, and with it the connection, and wait until it is closed.

    It may be closed already. A connection that breaks meanwhile is closed as well, so that is only logged. A peer
    that does not take what was written before is waited for, though not for more than 5 seconds.
    """
    if isinstance(writer, Stream):
        await writer.close()
        return
    try:
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), CLOSE_TIMEOUT)
    except asyncio.TimeoutError:  # the builtin one only since Python 3.11
        log.warning("the peer did not take all that was written in %g s; its connection is cut off", CLOSE_TIMEOUT)
        writer.transport.abort()
    except OSError as error:
        log.info("a connection ended while it was being closed: %r", error)


async def set_socket_options(writer: Writer) -> None:
    """Have the system probe a connection that is idle, so that a peer which vanished without a word is noticed.

    After 60 s it is probed every 15 s, and given up when 4 probes have not been answered.

    Args:
        writer: an `asyncio.StreamWriter` or a stream, which is connected.

    Raises:
        ConnectionError: the stream is not connected.
        RuntimeWarning: the system cannot set how long a connection may be idle; the rest has been set.
    """
    sock = _socket(writer)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    for name in IDLE_OPTIONS:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEPALIVE_TIME)
            return
    raise RuntimeWarning(
        f"this system has none of {', '.join(IDLE_OPTIONS)}: idle connections are probed when it likes"
    )


def _socket(writer: Writer) -> socket.socket:
    if isinstance(writer, asyncio.StreamWriter):
        sock: socket.socket = writer.get_extra_info("socket")
        return sock
    link = writer._link
    if link is None or link.closed:
        raise ConnectionError(f"{writer}: not connected")
    descriptor = link.transport.descriptor()
    assert isinstance(descriptor, SocketDescriptor)  # what streams over TCP have
    return descriptor.socket
