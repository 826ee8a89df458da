"""What type checkers see of a call on each flavour. Read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

from typing_extensions import assert_type

from sockio import aio, futures, sio, trio
from sockio.framing import COBS, Struct
from sockio.retry import Retry
from sockio.stream import Stream


def blocking(stream: sio.Stream) -> None:
    assert_type(sio.TCP("host", 1).write_readline(b""), bytes)
    assert_type(sio.TCP("host", 1, resolve_futures=True, timeout=1).write_readline(b""), bytes)
    assert_type(sio.Unix("/run/x").readlines(2, b"\r\n"), list[bytes])
    assert_type(sio.Serial("/dev/ttyUSB0", 9600, parity="E").read(), bytes)
    assert_type(sio.TCP("host", 1), sio.TCP)
    assert_type(stream.readblock(), bytes)
    assert_type(stream.readblock(allocate=bytearray), bytearray)
    assert_type(stream.write_readblock(b"", timeout=1, allocate=bytearray), bytearray)
    assert_type(stream.readmessage(), bytes)
    assert_type(stream.readmessage(allocate=bytearray), bytearray | bytes)
    assert_type(stream.write_readmessage(b"", timeout=1), bytes)
    assert_type(stream.write_readmessage(b"", allocate=bytearray), bytearray | bytes)
    assert_type(stream.write_readframe(b"", COBS()), bytes)
    assert_type(stream.readframe(Struct("<H")), tuple[Any, ...])
    assert_type(stream.connected(), bool)
    assert_type(stream.is_open, bool)
    assert_type(stream.in_waiting(), int)
    assert_type(sio.socket_for_url("tcp://host:1"), sio.Stream)


def blocking_iteration(stream: sio.TCP) -> None:
    assert_type(iter(stream), Iterator[bytes])
    for line in stream:
        assert_type(line, bytes)
    for line in sio.LineStream(stream, b"\r"):
        assert_type(line, bytes)
    for block in sio.BlockStream(stream, 100):
        assert_type(block, bytes)


def blocking_attributes(stream: sio.TCP) -> None:
    assert_type(stream.host, str)
    assert_type(stream.port, int)
    assert_type(stream.eol, bytes)
    assert_type(stream.timeout, float | None)
    assert_type(stream.retry, Retry)
    assert_type(stream.connection_counter, int)
    stream.timeout = 1
    stream.timeout = None


class Supply(sio.BlockingTCP):
    def __init__(self, host: str) -> None:
        super().__init__(host, 5025, timeout=2)


def derived() -> None:
    assert_type(Supply("host"), Supply)
    assert_type(Supply("host").write_readline(b""), bytes)


def with_futures(stream: futures.Stream) -> None:
    assert_type(sio.TCP("host", 1, resolve_futures=False), futures.TCP)
    assert_type(sio.TCP("host", 1, resolve_futures=False).write_readline(b""), Future[bytes])
    assert_type(sio.TCP("host", 1, b"\r", timeout=3, resolve_futures=False).readlines(3), Future[list[bytes]])
    assert_type(sio.Unix("/run/x", resolve_futures=False).write(b""), Future[None])
    assert_type(sio.Serial("COM3", resolve_futures=False).open(), Future[None])
    assert_type(futures.TCP("host", 1).read(3), Future[bytes])
    assert_type(stream.connected(), bool)
    assert_type(sio.socket_for_url("tcp://host:1", resolve_futures=False), futures.Stream)
    for line in stream:
        assert_type(line, bytes)


async def answer() -> int:
    return 42


def submitted(stream: futures.TCP) -> None:
    assert_type(stream.submit(answer()), Future[int])


async def awaited(stream: aio.TCP, other: trio.TCP) -> None:
    pending: Coroutine[Any, Any, bytes] = stream.write_readline(b"")
    assert_type(await pending, bytes)
    assert_type(await stream.write_readline(b""), bytes)
    assert_type(await other.write_readline(b""), bytes)
    assert_type(await stream.readlines(3), list[bytes])
    assert_type(await other.write(b""), None)
    assert_type(aio.TCP("host", 1), aio.TCP)
    assert_type(await trio.Serial("/dev/ttyUSB0").read(), bytes)
    assert_type(await aio.Unix("/run/x").readblock(), bytes)
    assert_type(aio.socket_for_url("tcp://host:1"), Stream)
    assert_type(trio.socket_for_url("tcp://host:1"), Stream)


async def awaited_iteration(stream: aio.TCP, other: trio.TCP) -> None:
    assert_type(aiter(stream), AsyncIterator[bytes])
    async for line in stream:
        assert_type(line, bytes)
    async for line in trio.LineStream(other):
        assert_type(line, bytes)
    async for block in aio.BlockStream(stream, b";"):
        assert_type(block, bytes)


def blocking_server() -> None:
    def handler(client: sio.ClientStream) -> None:
        assert_type(client.readline(), bytes)
        assert_type(client.address, tuple[str, int] | None)
        client.post(b"")

    with sio.serve(handler, port=0, timeout=1) as server:
        assert_type(server, sio.Server)
        assert_type(server.clients, list[sio.ClientStream])
        assert_type(server.addresses, list[tuple[str, int]])
        assert_type(server.port, int)


async def awaited_servers() -> None:
    async def handler(client: aio.ClientStream) -> None:
        assert_type(await client.readline(), bytes)
        client.post(b"")

    async with aio.serve(handler, path="/run/x") as on_asyncio, trio.serve(handler) as on_trio:
        assert_type(on_asyncio, aio.Server)
        assert_type(on_asyncio.clients, list[aio.ClientStream])
        assert_type(on_trio.clients, list[trio.ClientStream])
