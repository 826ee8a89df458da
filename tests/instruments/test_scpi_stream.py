"""Messages over streams: a real socket with literal bytes, and a simulated instrument over TCP and a serial line."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

import sockio.serial_port
import sockio.tcp
from instruments.message import NotSupported
from instruments.scpi.stream import StreamMessages
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError, ProtocolError
from sockio.runtimes import asyncio as on_asyncio
from sockio.runtimes import bind, blocking
from sockio.runtimes import trio as on_trio

RUNTIMES: dict[str, tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]] = {
    "blocking": (blocking.runtime, blocking.run),
    "asyncio": (on_asyncio.runtime, asyncio.run),
    "trio": (on_trio.runtime, lambda coroutine: trio.run(lambda: coroutine)),
}


@pytest.fixture(params=list(RUNTIMES))
def runtime(request: pytest.FixtureRequest) -> tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]:
    return RUNTIMES[request.param]


@contextmanager
def answering(*exchanges: tuple[bytes, list[bytes]]) -> Iterator[tuple[str, int]]:
    """A socket that expects requests and answers each in pieces; then it closes."""
    failures: list[bytes] = []

    def serve(server: socket.socket) -> None:
        sock, _ = server.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock:
            for request, pieces in exchanges:
                received = b""
                while len(received) < len(request) and (chunk := sock.recv(len(request) - len(received))):
                    received += chunk
                if received != request:
                    failures.append(received)
                for piece in pieces:
                    sock.sendall(piece)
                    time.sleep(0.002)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield server.getsockname()
        thread.join(10)
    assert not failures


def messages_to(address: tuple[str, int], runtime: Any, terminator: bytes = b"\n") -> StreamMessages:
    return StreamMessages(bind(sockio.tcp.TCP, runtime)(*address), terminator)


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("cut", [1, 2, 3, 1000])
def test_responses_in_pieces(runtime: Any, terminator: bytes, cut: int) -> None:
    def pieces(response: bytes) -> list[bytes]:
        return [response[start : start + cut] for start in range(0, len(response), cut)]

    text, block, number = b"1.5" + terminator, b"#15a\n\rbc" + terminator, b"#H1F" + terminator
    exchanges = [(b"q?\n", pieces(response)) for response in (text, block, number, block, text, block)]

    async def main() -> None:
        messages = messages_to(address, runtime[0], terminator)
        assert await messages.query(b"q?\n", 5) == text
        assert await messages.query(b"q?\n", 5) == block
        assert await messages.query(b"q?\n", 5) == number
        assert await messages.query_block(b"q?\n", bytearray, 5) == b"a\n\rbc"
        assert await messages.query_block(b"q?\n", bytearray, 5) == text
        await messages.write(b"q?\n", 5)
        assert await messages.read(5) == block
        assert messages.stream.connection_counter == 1
        await messages.close()

    with answering(*exchanges) as address:
        runtime[1](main())


def test_what_ends_too_soon(runtime: Any) -> None:
    async def main(response: bytes, error: type[Exception]) -> None:
        messages = messages_to(address, runtime[0])
        with pytest.raises(error):
            await messages.query_block(b"q?\n", bytearray, 5)
        assert not messages.connected()
        await messages.close()

    for response, error in ((b"#15he", ConnectionEOFError), (b"1.5", ConnectionEOFError), (b"#12hiX", ProtocolError)):
        with answering((b"q?\n", [response])) as address:
            runtime[1](main(response, error))


def test_what_a_stream_of_bytes_cannot_do(runtime: Any) -> None:
    messages = messages_to(("127.0.0.1", 1), runtime[0])
    with pytest.raises(NotSupported, match=r"\*STB\?"):
        runtime[1](messages.read_status_byte(1))
    with pytest.raises(NotSupported, match=r"\*TRG"):
        runtime[1](messages.trigger(1))
    with pytest.raises(NotSupported):
        runtime[1](messages.wait_for_service_request(1))
    runtime[1](messages.lock(1))
    runtime[1](messages.unlock(1))


@pytest.fixture(params=["tcp", "serial"])
def simulated(
    request: pytest.FixtureRequest, serve_config: Callable[..., Any], unused_port: int, tmp_path: Path
) -> Iterator[Callable[[Any], StreamMessages]]:
    """Makes messages to a simulated oscilloscope."""
    line = tmp_path / "ttySCOPE"
    transports = [{"type": "tcp", "url": f"127.0.0.1:{unused_port}"}, {"type": "serial", "url": str(line)}]
    scope = {"package": "instruments.simulators.oscilloscope", "class": "Oscilloscope", "name": "s", "*idn": "SCOPE"}

    def make(runtime: Any) -> StreamMessages:
        if request.param == "tcp":
            return messages_to(("127.0.0.1", unused_port), runtime)
        return StreamMessages(bind(sockio.serial_port.Serial, runtime)(str(line), 115200, quiet=0.3))

    with serve_config({"devices": [{**scope, "transports": transports}]}, unused_port):
        yield make


def test_a_simulated_instrument(runtime: Any, simulated: Callable[[Any], StreamMessages]) -> None:
    data = bytes(range(256)) * 100

    async def main() -> None:
        messages = simulated(runtime[0])
        assert not messages.connected()
        await messages.open(5)
        await messages.open(5)
        assert messages.connected()
        assert await messages.query(b"*IDN?\n", 5) == b"SCOPE\n"
        await messages.write(b"DATA:ARB W,#525600" + data + b"\n", 5)
        array: Any = await messages.query_block(b"DATA:ARB? W\n", lambda size: np.zeros(size, "u1"), 5)
        assert array.tobytes() == data
        assert await messages.query(b"DATA:ARB? W\n", 5) == b"#525600" + data + b"\n"
        messages.abandon()
        assert not messages.connected()
        assert await messages.query(b"*IDN?\n", None) == b"SCOPE\n"
        await messages.close()

    runtime[1](main())


def test_after_a_late_answer_and_a_clear(runtime: Any, simulated: Callable[[Any], StreamMessages]) -> None:
    async def main() -> None:
        messages = simulated(runtime[0])
        await messages.write(b"SIM:FAUL:DEL 0.25;:SIM:FAUL LATE\n", 5)
        with pytest.raises(ConnectionTimeoutError, match=r"timed out after 0\.1 s"):
            await messages.query(b"*IDN?\n", 0.1)
        assert await messages.query(b"*ESE?\n", 5) == b"0\n"
        await messages.write(b"SIM:FAUL LATE\n", 5)
        await messages.write(b"*IDN?\n", 5)
        await messages.clear(5)
        await messages.write(b"*ESE?\n", 5)
        assert await messages.read(5) == b"0\n"
        await messages.close()

    runtime[1](main())


def test_an_instrument_that_does_not_stop_talking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def talk() -> None:
            sock, _ = server.accept()
            with sock:
                while not stop.wait(0.02):
                    sock.sendall(b"1.5\n")

        thread = threading.Thread(target=talk)
        thread.start()
        stream = bind(sockio.tcp.TCP, blocking.runtime)(*server.getsockname(), quiet=0.2)
        messages = StreamMessages(stream)
        with pytest.raises(ConnectionTimeoutError, match=r"not silent for 0\.2 s"):
            blocking.run(messages.clear(0.7))
        stop.set()
        thread.join(5)
        blocking.run(messages.close())
