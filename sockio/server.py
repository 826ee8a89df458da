"""Servers: a handler for each client, over the same reads and writes that a client has.

A server listens, and calls its handler with a `ClientStream` for every client that connects: in a task of its own, or
in a thread where calls block. Whatever a client does, and whatever its handler raises, ends that client alone.
"""

from __future__ import annotations

import os
import threading
import weakref

from .checks import check_count, check_eol
from .client_stream import ClientStream
from .common import DEFAULT_LIMIT, DFT_KEEP_ALIVE
from .condition import Condition
from .deadline import check_timeout
from .errors import LimitError
from .resource import UnixAddress
from .resource.hosts import write_host
from .runtimes.binding import bind
from .runtimes.listeners import BACKLOG, accept, listen_everywhere, listen_unix
from .runtimes.sockets import set_options
from .serving import Serving
from .tcp import check_keep_alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext
    from types import TracebackType
    from typing import Any, Generic, TypeVar

    from typing_extensions import Self

    from .checks import Data
    from .runtimes.descriptor import SocketDescriptor
    from .runtimes.listeners import Listener

    Client = TypeVar("Client")
else:
    from .generic import Generic

    Client = None


#: Seconds until the next attempt when a client could not be accepted.
PAUSE = 0.1

#: Seconds that handlers have to end in once they have been cut off.
GRACE = 1.0


class Server(Serving, Generic[Client]):
    """Serves clients that connect to a TCP port or a unix domain socket: ``async with serve(handler, host, port): …``.

    Args:
        handler: called with the `ClientStream` of each client that has connected. When it returns, the connection is
            closed. What it raises is logged: an error of the connection in a line, anything else with its traceback.
        host: where to listen: a name or an address of this machine; None or ``""`` for all of them. Nobody but this
            machine can connect to the default.
        port: 0 for any that is free; `port` then tells which.
        path: listen at a unix domain socket instead, with this absolute path.
        eol: what ends a line.
        buffer_size: the longest line or frame accepted from a client, the most that is read ahead, and the most that
            `ClientStream.post` keeps for a client which does not read, in bytes.
        timeout: seconds that a call on a client's stream may take unless it says otherwise, and so how long a client
            may be idle, or take to send a line, while the handler reads; None for no limit.
        max_clients: how many are served at once. Those beyond are disconnected at once.
        ssl: TLS: an `ssl.SSLContext` with the server's certificate.
        handshake_timeout: seconds that a client has for the TLS handshake.
        backlog: how many connections may wait to be accepted.
        no_delay: send small packets at once (TCP_NODELAY).
        keep_alive: when to probe idle connections, as for `TCP`.
        family: `socket.AF_INET` or `socket.AF_INET6` to listen at addresses of that kind alone.
        reuse_port: let other processes listen at the same port (SO_REUSEPORT).

    Attributes:
        host, port, path: where it listens; ``port`` is the real one once it is open.
        refused: how many clients were disconnected because of ``max_clients``.

    Raises:
        TypeError, ValueError: an argument that cannot be; the message says what is allowed. No I/O is done here.
    """

    #: The class of the streams that handlers are given.
    stream_class: type[ClientStream] = ClientStream

    def __init__(
        self,
        handler: Callable[[Client], Any],
        host: str | None = "127.0.0.1",
        port: int = 0,
        *,
        path: str | None = None,
        eol: bytes = b"\n",
        buffer_size: int = DEFAULT_LIMIT,
        timeout: float | None = None,
        max_clients: int = 1000,
        ssl: SSLContext | None = None,
        handshake_timeout: float | None = 10.0,
        backlog: int = BACKLOG,
        no_delay: bool = True,
        keep_alive: Mapping[str, int] | bool | None = DFT_KEEP_ALIVE,
        family: int = 0,
        reuse_port: bool = False,
    ) -> None:
        if not callable(handler):
            raise TypeError(f"handler must be callable, not {handler!r}")
        self.runtime.check_callback("handler", handler)
        if host is not None and not isinstance(host, str):
            raise TypeError(f"host must be a name or an address, or None for all of this machine, not {host!r}")
        check_keep_alive(keep_alive)
        if check_count("port", port, 0) > 65535:
            raise ValueError(f"port must be 0 to 65535, not {port!r}")
        super().__init__(
            handler, check_count("max_clients", max_clients, 1), check_timeout("handshake_timeout", handshake_timeout)
        )
        self.host = host
        self.port = port
        self.path = path
        self.eol = check_eol(eol)
        self.buffer_size = check_count("buffer_size", buffer_size, 1)
        self.timeout = check_timeout("timeout", timeout)
        self.ssl = ssl
        self.backlog = check_count("backlog", backlog, 1)
        self.no_delay = no_delay
        self.keep_alive = keep_alive
        self.family = family
        self.reuse_port = reuse_port
        self._client_class = bind(self.stream_class, self.runtime)
        self._client_counter = 0
        self._listeners: list[Listener] = []
        self._opening = threading.Lock()
        self._closings = 0
        if path is not None:
            UnixAddress(path)
        if ssl is not None:
            from .tls import check_server_context

            check_server_context(ssl)
        _servers.add(self)

    def __str__(self) -> str:
        return self.resource

    def __repr__(self) -> str:
        state = f"{len(self._handling)} clients" if self.is_open else "not open"
        return f"<{type(self).__module__}.{type(self).__name__} {self.resource}, {state}>"

    @property
    def _scheme(self) -> str:
        return "tcp" if self.ssl is None else "tls"

    @property
    def resource(self) -> str:
        """Where it listens, as a URL."""
        if self.path is not None:
            return str(UnixAddress(self.path))
        return f"{self._scheme}://{write_host(self.host or '0.0.0.0', self.port)}"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The hosts and ports at which it listens; none on a unix domain socket, and when it is not open."""
        return [listener.address() for listener in self._listeners if self.path is None and not listener.ended]

    @property
    def is_open(self) -> bool:
        """Whether clients can connect."""
        return any(not listener.ended for listener in self._listeners)

    @property
    def clients(self) -> list[Client]:
        """The streams of the clients that are being served, in the order in which they came."""
        return [handling.stream for handling in list(self._handling.values()) if handling.stream is not None]

    async def open(self) -> None:
        """Listen, and serve whoever connects.

        Raises:
            ConnectionError: it is open already, or was closed meanwhile.
            OSError: the port is in use, the address is not one of this machine, ...
        """
        if not self._opening.acquire(blocking=False):
            raise ConnectionError(f"{self}: is being opened already")
        try:
            if self._listeners:
                raise ConnectionError(f"{self}: is open already")
            closings = self._closings
            self._listeners = await self._listen()
            self._attend(list(self._listeners))
            try:
                await self.runtime.sleep(0)  # tasks that are cancelled before they have begun clean nothing up
                if closings != self._closings:
                    raise ConnectionAbortedError(f"{self}: closed while opening")
            except BaseException:
                self._stop_listening()
                raise
        finally:
            self._opening.release()

    async def _listen(self) -> list[Listener]:
        try:
            if self.path is not None:
                return [listen_unix(self.path, self.backlog)]
            listeners = await listen_everywhere(
                self.runtime, self.host, self.port, self.family, self.backlog, self.reuse_port
            )
        except OSError as error:
            error.filename = self.resource
            raise
        self.port = listeners[0].address()[1]
        return listeners

    def _attend(self, listeners: list[Listener]) -> None:
        """Accept clients from now on, at all listeners or at none."""
        self._admits = True
        while listeners:
            try:
                self.runtime.spawn(self._accept_from(listeners[0]), str(self))
            except BaseException:
                self._stop_listening()
                for unattended in listeners:
                    self._drop(unattended)
                raise
            del listeners[0]

    def _stop_listening(self) -> None:
        with self._admitting:
            self._admits = False
        for listener in list(self._listeners):
            listener.shut_down()

    def _drop(self, listener: Listener) -> None:
        listener.ended = True
        listener.close()
        self._listeners.remove(listener)
        self._changed.wake()

    async def close(self, timeout: float | None = 5.0) -> None:
        """Stop listening, let handlers finish what they are at, and cut off those that take too long.

        A client that is idle (its handler is waiting for it, and nothing has come) is disconnected at once. In a
        handler, the handler itself is not waited for.

        Args:
            timeout: seconds that handlers have to finish; None for no limit. Then their connections are closed, and
                tasks are cancelled. A thread cannot be: if it goes on all the same, that is logged.
        """
        seconds = check_timeout("timeout", timeout)
        self._closings += 1
        self._stop_listening()
        await self._let_finish(None if seconds is None else self.runtime.clock() + seconds)
        if not await self._wait_until(self._has_ended, self.runtime.clock() + GRACE):
            for client in self._others():
                self.log.warning("%s: the handler of %s does not end", self, client)

    async def wait_closed(self) -> None:
        """Wait until `close` has been called, from elsewhere, and all handlers have ended."""
        await self._wait_until(self._has_ended, None)

    def _has_ended(self) -> bool:
        return not self._listeners and not self._others()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def broadcast(self, data: Data) -> None:
        """Send *data* to all clients that are being served, as `ClientStream.post` does, and wait for none of them.

        A client that does not read, so that more than ``buffer_size`` bytes are waiting for it, is disconnected.

        Raises:
            RuntimeError: on asyncio and trio: called from another thread; see `ClientStream.post`.
        """
        for client in list(self._handling):
            try:
                client.post(data)
            except LimitError as error:
                self.log.warning("%s", error)
            except ConnectionError:
                pass  # it is about to be noticed by its handler

    async def _accept_from(self, listener: Listener) -> None:
        failing = False
        try:
            while True:
                try:
                    descriptor = await accept(self.runtime, listener, None)
                except OSError as error:
                    if listener.ended:
                        break
                    # Something is used up, or has happened to the network: that may be over in a moment.
                    if not failing:
                        self.log.error("%s: cannot accept clients at the moment: %s", self, error)
                    failing = True
                    await self.runtime.sleep(PAUSE)
                else:
                    failing = False
                    self._admit(descriptor)
                    await self.runtime.sleep(0)  # a flood of clients must let others run
        finally:
            self._drop(listener)

    def _make_client(self, descriptor: SocketDescriptor) -> ClientStream:
        self._client_counter += 1
        address = None
        if self.path is not None:
            resource = f"{self.resource}#{self._client_counter}"
        else:
            set_options(descriptor.socket, self.no_delay, None, self.keep_alive)
            address = descriptor.socket.getpeername()[:2]
            resource = f"{self._scheme}://{write_host(*address)}"
        return self._client_class(resource, descriptor, address, self.eol, self.buffer_size, self.timeout, self.ssl)

    def _forget_in_child(self) -> None:
        """In a forked child: the server is the parent's."""
        for listener in self._listeners:
            listener.ended = True
            listener.forget()
        self._listeners.clear()
        self._handling.clear()
        self._opening = threading.Lock()
        self._admitting = threading.Lock()
        self._changed = Condition()
        self._waiting.clear()


_servers: weakref.WeakSet[Server[Any]] = weakref.WeakSet()


def _forget_in_child() -> None:
    for server in list(_servers):
        server._forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
