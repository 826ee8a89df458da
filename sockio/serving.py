"""The clients of a server: each is served by a task or thread of its own, and ends alone."""

from __future__ import annotations

import threading

from .client_stream import ClientStream
from .condition import Condition
from .deadline import sooner
from .errors import ConnectionEOFError, DeadlineExpired, LimitError, ProtocolError, ungroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any

    from .runtimes.base import Runtime
    from .runtimes.descriptor import SocketDescriptor

#: While a server closes, seconds between looks at whether a client has become idle.
LOOK = 0.02


class Handling:
    """How a client is being served.

    Attributes:
        stream: what the handler has been given; None before that.
        caller: the task or thread that runs the handler.
        cancel: ends that, where it can be done.
    """

    def __init__(self) -> None:
        self.stream: Any = None
        self.caller: Any = None
        self.cancel: Callable[[], None] | None = None


class Serving:
    """The part of a server that has the clients.

    Attributes:
        handler: called with the stream of each client.
        max_clients: how many are served at once.
        handshake_timeout: seconds that a client has for the TLS handshake.
        refused: how many clients were disconnected because of ``max_clients``.
    """

    runtime: Runtime

    def __init__(self, handler: Callable[..., Any], max_clients: int, handshake_timeout: float | None) -> None:
        self.handler = handler
        self.max_clients = max_clients
        self.handshake_timeout = handshake_timeout
        self.refused = 0
        self._handling: dict[ClientStream, Handling] = {}
        self._full = False
        self._admits = False
        self._admitting = threading.Lock()
        self._changed = Condition()
        self._waiting: list[Any] = []

    @property
    def log(self) -> Logger:
        """Where the server logs: the logger "sockio.server"."""
        import logging  # slow to import, and seldom used

        return logging.getLogger("sockio.server")

    def _present(self, client: ClientStream) -> Any:
        """Return what the handler gets for a client."""
        return client

    def _make_client(self, descriptor: SocketDescriptor) -> ClientStream:
        """Return the stream of a client. Raises OSError if it has gone again."""
        raise NotImplementedError

    def _admit(self, descriptor: SocketDescriptor) -> None:
        """Serve a client that has connected, if there is room for one more."""
        with self._admitting:
            if not self._admits:
                descriptor.close()  # accepted at the moment at which the server is closed
                return
            if len(self._handling) >= self.max_clients:
                self.refused += 1
                if not self._full:
                    self.log.warning("%s: full: clients beyond %d are disconnected", self, self.max_clients)
                self._full = True
                descriptor.close()
                return
            try:
                client = self._make_client(descriptor)
            except OSError:
                descriptor.close()
                return
            handling = self._handling[client] = Handling()
        try:
            handling.cancel = self.runtime.spawn(self._serve(client, handling), str(client))
        except RuntimeError as error:
            self.log.error("%s: cannot serve %s: %s", self, client, error)  # no more threads
            descriptor.close()
            del self._handling[client]

    async def _serve(self, client: ClientStream, handling: Handling) -> None:
        handling.caller = self.runtime.caller()
        try:
            await client.open(self.handshake_timeout)
            handling.stream = self._present(client)
            awaitable = self.runtime.invoke(self.handler, handling.stream)
            if awaitable is not None:
                await awaitable
            await client._flush()
        except BaseException as error:
            # A group is from a handler's own tasks.
            if not isinstance(ungroup(error), (Exception, SystemExit)):
                raise
            self._note_failure(client, ungroup(error))
        finally:
            client._cut_off()
            self._handling.pop(client, None)  # it is not there any more in a process that a handler has forked
            self._full = False
            self._changed.wake()
            client._report_ended()

    def _note_failure(self, client: ClientStream, error: BaseException) -> None:
        """Log once what has ended a client's handling."""
        left = isinstance(error, ConnectionEOFError) and not error.partial  # as most of them do
        if left or (client._disconnected and isinstance(error, ConnectionError)):
            self.log.info("%s: %s", self, error)
        elif isinstance(error, (ConnectionError, LimitError, ProtocolError)) or (
            isinstance(error, OSError) and error.filename == client.resource
        ):
            text = str(error)
            self.log.warning("%s: %s", self, text if str(client) in text else f"{client}: {text}")
        else:
            self.log.error("%s: the handler of %s failed", self, client, exc_info=error)

    # Until they have ended

    def _others(self) -> list[ClientStream]:
        """Return the clients whose handlers run, but the caller's own; two handlers do not wait for each other."""
        caller = self.runtime.caller()
        handlings = list(self._handling.items())
        passed_over = set()
        if any(handling.caller == caller for _, handling in handlings):
            passed_over = {caller, *self._waiting}
        return [client for client, handling in handlings if handling.caller not in passed_over]

    async def _let_finish(self, deadline: float | None) -> None:
        """Wait until the other handlers have ended, disconnecting clients that are idle; cut off who takes too long."""
        clock = self.runtime.clock
        try:
            while not await self._wait_until(lambda: not self._others(), sooner(clock() + LOOK, deadline)):
                if deadline is not None and clock() >= deadline:
                    break
                for client in self._others():
                    if client._is_idle():
                        client._cut_off()
        finally:
            for client in self._others():
                handling = self._handling.get(client)
                if handling is not None and handling.cancel is not None:
                    handling.cancel()  # before it can notice that it is disconnected, and take that for an error
                client._cut_off()

    async def _wait_until(self, condition: Callable[[], bool], deadline: float | None) -> bool:
        """Wait until something has become true of the server, or the deadline has come; return whether it is true."""
        caller = self.runtime.caller()
        self._waiting.append(caller)
        try:
            await self._changed.wait_for(self.runtime, condition, deadline)
        except DeadlineExpired:
            return condition()
        finally:
            self._waiting.remove(caller)
        return True
