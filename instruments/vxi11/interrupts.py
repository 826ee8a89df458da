"""The interrupt channel of VXI-11: the instrument connects to us, and calls ``device_intr_srq`` to request service.

Here we are the server. It listens on a port of its own for as long as the link exists, in a task or thread on the side,
so that an instrument which waits to be answered is answered whatever else is going on.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sockio.buffer import Buffer
from sockio.condition import Condition
from sockio.errors import DeadlineExpired, LimitError, ProtocolError
from sockio.framing import Need
from sockio.runtimes.listeners import Listener, accept, listen_tcp

from .codec import DEVICE_INTR_SRQ, HANDLE_LIMIT, INTR, RecordMarking, decode_intr_srq
from .rpc.codec import GARBAGE_ARGS, decode_call, encode_refusal, encode_success, refusal

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime, Transport

#: How many service requests are remembered until somebody waits for them.
MOST_REQUESTS = 1000

#: An instrument has one interrupt connection, two while it makes a new one; whoever comes beyond these is turned away.
MOST_CONNECTIONS = 8

#: Every server of remote procedures has a procedure that does nothing (RFC 5531, section 12.1).
NULL = 0

_FRAMING = RecordMarking(1024)
_PROCEDURES = frozenset((NULL, DEVICE_INTR_SRQ.number))
_log = logging.getLogger("instruments.vxi11")


class ServiceRequests:
    """Counts service requests, each of which ends one wait.

    Args:
        runtime: the concurrency model.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._requests: deque[None] = deque(maxlen=MOST_REQUESTS)
        self._changed = Condition()

    def add(self) -> None:
        """Count a request, from any thread."""
        self._requests.append(None)
        self.wake()

    def wake(self) -> None:
        """Let all that wait look again, from any thread."""
        self._changed.wake()

    async def wait(self, broken: Callable[[], bool], deadline: float | None) -> bool:
        """Wait for a request and take it; return False if there is none and ``broken()`` says that none will come.

        Raises:
            DeadlineExpired: there was none in time.
        """
        while True:
            ends = broken()  # asked first: there may be a last one
            try:
                self._requests.popleft()
                return True
            except IndexError:
                if ends:
                    return False
            await self._changed.wait_for(self._runtime, lambda: self._requests or broken(), deadline)


class InterruptChannel:
    """Listens for the instrument's interrupt connection until `close`, or until nobody holds this object any more.

    Attributes:
        host, port: where it listens.
        handle: what the service requests have to bring along.

    Args:
        runtime: the concurrency model.
        host: the address of this machine on which to listen.
        requests: where service requests are counted.
    """

    def __init__(self, runtime: Runtime, host: str, requests: ServiceRequests) -> None:
        self.handle = secrets.token_bytes(8)
        self._server = _Server(runtime, listen_tcp(host, 0), self.handle, requests)
        self.host, self.port = self._server.listener.address()
        runtime.spawn(self._server.serve())

    def __del__(self) -> None:
        if hasattr(self, "_server"):
            self.close()

    def broken(self) -> bool:
        """Tell whether no request can come any more: it has been closed, or the instrument has closed its side."""
        server = self._server
        return server.listener.ended or (server.connected_before and not server.transports)

    def close(self) -> None:
        """Stop listening and close what the instrument has connected, from any thread."""
        self._server.shut_down()

    def forget(self) -> None:
        """In a forked child: part with all of this, which is the parent's."""
        server = self._server
        del self._server  # nothing is left to close
        server.forget()


class _Server:
    """What runs on the side. It does not hold the channel, so that a channel that was dropped can end it."""

    def __init__(self, runtime: Runtime, listener: Listener, handle: bytes, requests: ServiceRequests) -> None:
        self._runtime = runtime
        self._handle = handle
        self._requests = requests
        self.listener = listener
        self.transports: list[Transport] = []
        self.connected_before = False

    def shut_down(self) -> None:
        self.listener.shut_down()
        for transport in list(self.transports):
            transport.shut_down()
        self._requests.wake()

    def forget(self) -> None:
        self.listener.ended = True
        self.listener.forget()
        for transport in self.transports:
            transport.forget()

    async def serve(self) -> None:
        """Accept connections."""
        try:
            while True:
                descriptor = await accept(self._runtime, self.listener, None)
                if len(self.transports) >= MOST_CONNECTIONS:
                    descriptor.close()
                    continue
                transport = self._runtime.adopt(descriptor, _FRAMING.limit)
                self.transports.append(transport)
                self.connected_before = True
                self._runtime.spawn(self._receive(transport))
                if self.listener.ended:  # just before it was in the list
                    transport.shut_down()
        except OSError as error:
            if not self.listener.ended:
                _log.warning("no service requests any more: cannot accept the instrument's connection: %s", error)
        finally:
            self.listener.ended = True
            self.listener.close()
            self._requests.wake()

    async def _receive(self, transport: Transport) -> None:
        """Answer the calls that come on one connection."""
        buffer = Buffer()
        answering = True
        try:
            while True:
                record = _FRAMING.decode(buffer)
                if isinstance(record, Need):
                    received = transport.receive(None)
                    chunk = received if isinstance(received, bytes) else await received
                    if not chunk:
                        return
                    buffer.append(chunk)
                    continue
                reply = self._answer(record)
                if answering:
                    answering = await self._send(transport, _FRAMING.encode(reply))
        except (ProtocolError, LimitError) as error:
            _log.warning("closed an interrupt channel on which came what is no call: %s", error)
        except OSError as error:
            _log.debug("an interrupt channel has ended: %s", error)
        finally:
            self.transports.remove(transport)
            transport.close()
            self._requests.wake()

    async def _send(self, transport: Transport, reply: bytes) -> bool:
        """Send a reply if that can be done at once: an instrument that does not read them must not hold us up."""
        try:
            unsent = transport.send(reply, self._runtime.clock())
            if unsent is not None:
                await unsent
        except DeadlineExpired:
            return False
        return True

    def _answer(self, record: bytes) -> bytes:
        """Do what a call asks for, and return the reply."""
        call = decode_call(record)
        refused = refusal(call, INTR, _PROCEDURES)
        if refused is not None:
            return refused
        if call.procedure == DEVICE_INTR_SRQ.number:
            try:
                handle = decode_intr_srq(record, call.start)
            except ProtocolError:
                return encode_refusal(call.xid, GARBAGE_ARGS)
            if handle == self._handle:
                self._requests.add()
            else:
                _log.warning(
                    "ignored a service request with the handle %r, not %r", handle[:HANDLE_LIMIT], self._handle
                )
        return encode_success(call.xid)
