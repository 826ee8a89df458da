"""What the tests of messages are made of: connections on every flavour, and peers that are plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import trio

from sockio import aio, sio
from sockio import trio as sockio_trio
from sockio.messages import BlockingMessageConnection, MessageConnection

#: Seconds that everything here has to have happened in, on a machine that is busy with other things.
PATIENCE = 20.0

Script = Callable[[socket.socket], object]
Contract = Callable[..., Coroutine[Any, Any, Any]]


class Awaited:
    """A connection whose calls block, for tests that await them."""

    def __init__(self, core: Any) -> None:
        self.core = core

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.core, name)
        if name not in ("send", "receive", "open", "close"):
            return value

        async def call(*args: Any, **options: Any) -> Any:
            return value(*args, **options)

        return call


class Flavour:
    """A way of waiting."""

    def __init__(
        self, name: str, module: Any, run: Callable[..., object], wrap: Callable[..., Any], sleep: Callable[..., Any]
    ) -> None:
        self.name = name
        self.sleep = sleep
        self.module = module
        self._run = run
        self._wrap = wrap
        self._made: list[Any] = []

    def connect(self, address: tuple[str, int], protocol: str = "blob", **options: Any) -> Any:
        """Return a connection that carries messages, not connected yet."""
        names = ("limit", "encoding", "allow_unpickle", "restart")
        settings = {name: options.pop(name) for name in names if name in options}
        options.setdefault("timeout", PATIENCE)
        made = self._wrap(self.module.TCP(*address, **options), protocol, **settings)
        self._made.append(made)
        return made

    @contextlib.asynccontextmanager
    async def peer(self, *scripts: Script) -> AsyncIterator[tuple[str, int]]:
        """Run a `Peer` for the length of a block, and give its address."""
        program = Peer(*scripts)
        try:
            yield program.address
            await self.until(program.has_ended)
        except BaseException as error:
            if program.error is not None:
                raise program.error from error  # most often why
            raise
        finally:
            program.stop()
        if program.error is not None:
            raise program.error

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until *condition* holds."""
        for _ in range(int(PATIENCE / 0.002)):
            if condition():
                return
            await self.sleep(0.002)
        raise AssertionError("has not come true")

    def run(self, contract: Contract, *args: Any) -> None:
        async def whole() -> None:
            try:
                await contract(self, *args)
            finally:
                for made in self._made:
                    await made.close()
                self._made.clear()

        self._run(whole)


def run_blocking(contract: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    with contextlib.suppress(StopIteration):
        contract().send(None)
        raise AssertionError("a call that should block has suspended its caller")


async def block(seconds: float) -> None:
    threading.Event().wait(seconds)


def blocking(stream: Any, protocol: str, **settings: Any) -> Awaited:
    return Awaited(BlockingMessageConnection(stream, protocol, **settings))


def flavours() -> list[Flavour]:
    return [
        Flavour("asyncio", aio, lambda contract: asyncio.run(contract()), MessageConnection, asyncio.sleep),
        Flavour("trio", sockio_trio, trio.run, MessageConnection, trio.sleep),
        Flavour("blocking", sio, run_blocking, blocking, block),
    ]


class Peer:
    """A program of plain sockets at the other end: it runs a script for each connection, one after the other.

    Args:
        scripts: called with the connected socket, which is closed when they return.
    """

    def __init__(self, *scripts: Script) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(scripts,))
        self._thread.start()

    def _run(self, scripts: tuple[Script, ...]) -> None:
        self._listener.settimeout(PATIENCE)
        try:
            for script in scripts:
                sock, _ = self._listener.accept()
                with sock:
                    sock.settimeout(PATIENCE)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    script(sock)
        except BaseException as error:
            self.error = error

    def has_ended(self) -> bool:
        """Tell whether all scripts have run."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Accept nobody any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def peer(*scripts: Script) -> Iterator[tuple[str, int]]:
    """Run a `Peer` for the length of a block, and give its address."""
    program = Peer(*scripts)
    try:
        yield program.address
        until(program.has_ended)
    except BaseException as error:
        if program.error is not None:
            raise program.error from error  # most often why
        raise
    finally:
        program.stop()
    if program.error is not None:
        raise program.error


def expect(sock: socket.socket, data: bytes) -> None:
    """Receive exactly these bytes."""
    received = receive(sock, len(data))
    assert received == data, f"expected {data!r}, got {received!r}"


def receive(sock: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = sock.recv(size - len(received))
        if not chunk:
            break
        received += chunk
    return received


def receive_all(sock: socket.socket) -> bytes:
    """Receive until the end of the stream, or a reset."""
    chunks = []
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def until(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("has not come true")
