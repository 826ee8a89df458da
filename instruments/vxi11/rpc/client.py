"""Calls over a TCP connection, one after the other."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

from sockio.errors import DeadlineExpired, ProtocolError
from sockio.runtimes import bind
from sockio.tcp import TCP

from .codec import Procedure, RecordMarking, RpcError, find_results

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sockio.link import Link
    from sockio.runtimes.base import Runtime


class RpcStream(TCP):
    """A TCP stream of records, which knows the address on this side."""

    _socket: socket.socket

    def _set_up(self, sock: socket.socket) -> None:
        super()._set_up(sock)
        self._socket = sock

    def local_host(self) -> str:
        """Return our IP address on this connection."""
        return str(self._socket.getsockname()[0])

    async def write_readrecord(self, record: bytes, framing: RecordMarking, timeout: float | None) -> bytes:
        """Send a record and read the record that answers it: `write_readframe`, made quick for short answers."""
        return await self._call(
            "write_readrecord", timeout, framing.encode(record), self._receive_record, None, framing
        )

    def _receive_record(self, link: Link, deadline: float | None, framing: RecordMarking) -> bytes | Awaitable[bytes]:
        if link.buffer.used:
            return self._receive_frame(link, deadline, framing)
        # Most often the answer is all that comes, and need not go through the buffer.
        chunk = link.transport.receive(deadline)
        if isinstance(chunk, bytes) and framing.is_record(chunk):
            return chunk[4:]
        return self._receive_rest(link, deadline, framing, chunk)

    async def _receive_rest(
        self, link: Link, deadline: float | None, framing: RecordMarking, chunk: bytes | Awaitable[bytes]
    ) -> bytes:
        if not isinstance(chunk, bytes):
            chunk = await chunk
        if not chunk:
            raise self._cut_short(b"")
        if framing.is_record(chunk):
            return chunk[4:]
        link.buffer.append(chunk)
        return await self._receive_frame(link, deadline, framing)


class RpcClient:
    """A connection to a server of remote procedures. It is not made again once it is lost.

    Args:
        resource: the name of what is connected to, for errors.
        runtime: the concurrency model.
        host, port: where the server is.
        limit: the longest reply that is accepted, in bytes.
    """

    def __init__(self, resource: str, runtime: Runtime, host: str, port: int, limit: int = 1024) -> None:
        self.resource = resource
        self._runtime = runtime
        self._stream = bind(RpcStream, runtime)(host, port, auto_reconnect=False)
        self._framing = RecordMarking(limit)
        # Whatever comes from a former connection through some gateway has another one.
        self._xid = random.getrandbits(32)

    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there."""
        return self._stream.connected()

    def local_host(self) -> str:
        """Return our IP address on this connection."""
        return self._stream.local_host()

    async def open(self, deadline: float | None) -> None:
        """Connect.

        Raises:
            DeadlineExpired: there was no connection in time.
            OSError: the connection was refused, ...
        """
        try:
            await self._stream.open(self._left(deadline))
        except TimeoutError as error:
            raise DeadlineExpired(str(error)) from None

    async def call(
        self, procedure: Procedure, deadline: float | None, *arguments: bytes | memoryview
    ) -> tuple[bytes, int]:
        """Call a procedure; return the record that answers and where in it the results begin.

        Raises:
            DeadlineExpired: there was no answer in time.
            RpcError: the call was refused.
            ProtocolError, LimitError: what came is no answer to it.
            OSError: the connection is lost; it is after all exceptions but an RpcError.
        """
        xid = self._xid = (self._xid + 1) & 0xFFFFFFFF
        try:
            record = await self._stream.write_readrecord(
                procedure.encode_call(xid, *arguments), self._framing, self._left(deadline)
            )
            return record, find_results(record, xid, procedure)
        except TimeoutError:
            raise DeadlineExpired(f"{procedure} was not answered") from None
        except RpcError as error:
            raise RpcError(f"{self.resource}: {error}", error.status) from None
        except ProtocolError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, from any thread; a call that is using it ends with an error."""
        closing = self._stream.close()
        try:
            closing.send(None)  # it never waits
        except StopIteration:
            pass

    def _left(self, deadline: float | None) -> float | None:
        if deadline is None:
            return None
        left = deadline - self._runtime.clock()
        if left <= 0:
            raise DeadlineExpired
        return left
