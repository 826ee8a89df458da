"""What the tests of HiSLIP share: the ways of waiting, an address, and an instrument that follows a script."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import trio

from instruments.hislip import HislipConnection
from sockio.resource import parse
from sockio.runtimes import asyncio as on_asyncio
from sockio.runtimes import blocking as on_blocking
from sockio.runtimes import trio as on_trio
from sockio.runtimes.base import Runtime

#: Nothing here waits longer for something that is to happen, in seconds.
PATIENCE = 10.0

FLAVOURS = ("asyncio", "trio", "blocking")


class Flavour:
    """A concurrency model: runs coroutine functions, one or several at the same time."""

    def __init__(self, name: str) -> None:
        self.name = name
        runtimes: dict[str, Runtime] = {
            "asyncio": on_asyncio.runtime,
            "trio": on_trio.runtime,
            "blocking": on_blocking.runtime,
        }
        self.runtime = runtimes[name]

    def run(self, main: Callable[[], Awaitable[Any]]) -> Any:
        async def call() -> Any:
            return await main()

        if self.name == "asyncio":
            return asyncio.run(call())
        return trio.run(call) if self.name == "trio" else on_blocking.run(call())

    async def together(self, *functions: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Run coroutine functions at the same time; return their results."""
        if self.name == "asyncio":
            return list(await asyncio.gather(*(function() for function in functions)))
        results: list[Any] = [None] * len(functions)

        async def keep(index: int) -> None:
            results[index] = await functions[index]()

        if self.name == "trio":
            async with trio.open_nursery() as nursery:
                for index in range(len(functions)):
                    nursery.start_soon(keep, index)
        else:
            with ThreadPoolExecutor(len(functions)) as pool:
                for future in [pool.submit(on_blocking.run, keep(index)) for index in range(len(functions))]:
                    future.result(PATIENCE)
        return results

    async def sleep(self, seconds: float) -> None:
        await self.runtime.sleep(seconds)

    def connection(self, port: int, **options: Any) -> HislipConnection:
        address: Any = parse(f"hislip::127.0.0.1:{port}")
        return HislipConnection(address, self.runtime, **options)


def octets(text: str) -> bytes:
    """Return the bytes that a text of hexadecimal numbers, with any white space, and of quoted ASCII means."""
    parts = text.split("'")
    return b"".join(part.encode() if index % 2 else bytes.fromhex(part) for index, part in enumerate(parts))


class Channel:
    """One connection, seen from the scripted instrument."""

    def __init__(self, sock: socket.socket, pieces: bool) -> None:
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._pieces = pieces

    def expect(self, text: str) -> None:
        """Receive exactly these bytes."""
        expected = octets(text)
        assert self.receive(len(expected)).hex(" ") == expected.hex(" ")

    def receive(self, size: int) -> bytes:
        """Receive so many bytes."""
        received = b""
        while len(received) < size:
            chunk = self._socket.recv(size - len(received))
            assert chunk, f"the client closed after {received.hex(' ')}, {size} bytes were to come"
            received += chunk
        return received

    def send(self, text: str) -> None:
        data = octets(text)
        if not self._pieces:
            self._socket.sendall(data)
            return
        for index in range(len(data)):
            self._socket.sendall(data[index : index + 1])
            time.sleep(0.0005)

    def expect_end(self) -> None:
        """The client closes without another byte."""
        try:
            assert self._socket.recv(1) == b""
        except ConnectionResetError:
            pass

    def close(self) -> None:
        self._socket.close()


Script = Callable[[Channel, Channel], None]


class ScriptedInstrument:
    """Takes clients one after the other; each script has one, from the end of its initialization on.

    Args:
        scripts: what the instrument does with the first client, the second, ...
        initialize: whether initialization is done here, or left to the scripts.
        response: the InitializeResponse.
        size: the maximum message size that is told, in bytes.
        pieces: send every byte by itself.
    """

    def __init__(
        self,
        *scripts: Script,
        initialize: bool = True,
        response: str = "48 53 01 00 01 00 12 34 00 00 00 00 00 00 00 00",
        size: int = 2**20,
        pieces: bool = False,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.port = int(self._listener.getsockname()[1])
        self._scripts = scripts
        self._initialize = initialize
        self._response = response
        self._size = size
        self._pieces = pieces
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ScriptedInstrument:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._thread.join(PATIENCE)
        alive = self._thread.is_alive()
        self._listener.close()
        if self._failure is not None:
            raise self._failure
        if kind is None:
            assert not alive, "a script has not ended"

    def _accept(self) -> Channel:
        return Channel(self._listener.accept()[0], self._pieces)

    def _run(self) -> None:
        try:
            for script in self._scripts:
                self._serve(script)
        except BaseException as error:
            self._failure = error

    def _serve(self, script: Script) -> None:
        synchronous = self._accept()
        channels = [synchronous]
        try:
            if self._initialize:
                synchronous.expect("48 53 00 00 01 00 78 78 00 00 00 00 00 00 00 07 'hislip0'")
                synchronous.send(self._response)
            asynchronous = synchronous if not self._initialize else self._accept()
            channels.append(asynchronous)
            if self._initialize:
                asynchronous.expect("48 53 11 00 00 00 12 34 00 00 00 00 00 00 00 00")
                asynchronous.send("48 53 12 00 00 00 41 42 00 00 00 00 00 00 00 00")
                asynchronous.expect("48 53 0f 00 00 00 00 00 00 00 00 00 00 00 00 08 00 00 00 00 40 00 00 00")
                asynchronous.send(f"48 53 10 00 00 00 00 00 00 00 00 00 00 00 00 08 {self._size:016x}")
            script(synchronous, asynchronous)
        finally:
            for channel in channels:
                channel.close()
