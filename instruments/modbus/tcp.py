"""An exchange over Modbus TCP, for which nothing is done but what has to be: devices are polled all the time.

This is the one place at which Modbus touches the inside of a stream.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from .codec import socket_framer

if TYPE_CHECKING:
    from sockio.link import Link
    from sockio.stream import Stream

    from .codec import TcpExchange


async def ask(stream: Stream, exchange: TcpExchange, timeout: float | None) -> Any:
    """Make an exchange over Modbus TCP."""
    request = exchange.request
    frame = socket_framer.encode(request.pdu, exchange.unit, exchange.transaction)
    answer: Any = await stream._call("write_readframe", timeout, frame, receive, None, stream, exchange)
    # Only reads of tables are answered by a whole frame here, and their values are lists.
    return request.read(answer[7:]) if answer.__class__ is bytes and request.beginning is not None else answer


def receive(link: Link, deadline: float | None, stream: Stream, exchange: TcpExchange) -> bytes | Awaitable[Any]:
    """Return the whole frame of an answer to a read, if that is what comes; otherwise what `decode` makes of it."""
    if link.buffer.used:
        return stream._receive_frame(link, deadline, exchange)
    chunk = link.transport.receive(deadline)
    if isinstance(chunk, bytes) and exchange.is_answer(chunk):
        return chunk
    return receive_rest(link, deadline, stream, exchange, chunk)


async def receive_rest(
    link: Link, deadline: float | None, stream: Stream, exchange: TcpExchange, chunk: bytes | Awaitable[bytes]
) -> Any:
    """Return the same for an answer that has not come, or is something else, or comes in pieces."""
    if not isinstance(chunk, bytes):
        chunk = await chunk
        if exchange.is_answer(chunk):
            return chunk
    if not chunk:
        raise stream._cut_short(b"")
    link.buffer.append(chunk)
    return await stream._receive_frame(link, deadline, exchange)
