"""Calls over a TCP connection, one after the other."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sockio.errors import DeadlineExpired, LimitError
from sockio.framing import Need
from sockio.runtimes import bind

from ...wire import Wire
from .codec import Procedure, RecordMarking, RpcError, find_results

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime


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
        self._wire = bind(Wire, runtime)(host, port, auto_reconnect=False)
        self._wire.resource = resource
        self._framing = RecordMarking(limit)
        # Whatever comes from a former connection through some gateway has another one.
        self._xid = random.getrandbits(32)

    def connected(self) -> bool:
        """Tell whether there is a connection whose peer is still there."""
        return self._wire.connected()

    def usable(self) -> bool:
        """Tell the same to whoever makes the next call, perhaps in another event loop than that of the last one."""
        wire = self._wire
        if wire.idle():
            return True
        if wire.torn() or not wire.at_home():
            return False
        wire.reset_input_buffer()  # what has come unasked is no answer to what is called next
        return wire.connected()

    def local_host(self) -> str:
        """Return our IP address on this connection."""
        return self._wire.local_host()

    async def open(self, deadline: float | None) -> None:
        """Connect.

        Raises:
            DeadlineExpired: there was no connection in time.
            OSError: the connection was refused, ...
        """
        try:
            await self._wire.open(self._left(deadline))
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
        wire, framing = self._wire, self._framing
        request = framing.encode(procedure.encode_call(xid, *arguments))
        try:
            record = await wire.exchange(request, deadline, framing.take_record)
            if record is None:
                record = await self._receive_record(deadline)
            return record, find_results(record, xid, procedure)
        except RpcError as error:
            raise RpcError(f"{self.resource}: {error}", error.status) from None
        except DeadlineExpired:
            self.close()
            raise DeadlineExpired(f"{procedure} was not answered") from None
        except LimitError as error:
            self.close()
            raise self._runtime.limit_error(f"{self.resource}: {error}", error.limit, error.partial) from None
        except BaseException:
            self.close()
            raise

    async def _receive_record(self, deadline: float | None) -> bytes:
        """Receive the rest of the record of which the buffer has the beginning."""
        while True:
            record = self._framing.decode(self._wire.input())
            if not isinstance(record, Need):
                return record
            await self._wire.receive(deadline)

    def close(self) -> None:
        """Close the connection, from any thread; a call that is using it ends with an error."""
        self._wire.end()

    def forget(self) -> None:
        """In a forked child: part with the connection, which is the parent's."""
        self._wire.forget()

    def _left(self, deadline: float | None) -> float | None:
        if deadline is None:
            return None
        left = deadline - self._runtime.clock()
        if left <= 0:
            raise DeadlineExpired
        return left
