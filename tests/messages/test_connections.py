"""Two of our own ends: many users at a time, both directions at once, limits, cancellation, and random faults."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import numpy as np
import pytest
import trio

from sockio import aio, sio
from sockio import trio as sockio_trio
from sockio.messages import BlockingMessageConnection, MessageConnection, MessageRefusedError
from tests.messages.kit import PATIENCE, expect, peer, receive_all, until

PROTOCOLS = ["blob", "serpy", "serpy2"]


async def echo(client: Any) -> None:
    """Send every message back, in the protocol that the port stands for."""
    async with MessageConnection(client) as messages:
        async for message in messages:
            await messages.send(message)


def echo_blocking(client: sio.ClientStream) -> None:
    with BlockingMessageConnection(client) as messages:
        for message in messages:
            messages.send(message)


def same(one: Any, other: Any) -> bool:
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else bool(one == other)


MESSAGES: list[Any] = ["text", b"bytes", np.arange(100_000), b"", "", np.zeros((3, 0)), bytes(500_000), "é" * 100]


def test_asyncio_clients_and_servers():
    before = set(threading.enumerate())

    async def main() -> None:
        async with aio.serve(echo) as server:
            async with MessageConnection(aio.TCP(server.host, server.port)) as messages:
                for message in MESSAGES:
                    await messages.send(message)
                    assert same(await messages.receive(PATIENCE), message)

                # Many tasks at once: every message is acknowledged to who sent it, and comes back once.
                async def send(number: int) -> None:
                    await messages.send(np.full(number * 1000, number), PATIENCE)

                async def take() -> list[int]:
                    return [len(await messages.receive(PATIENCE)) // 1000 for _ in range(20)]

                *_, received = await asyncio.gather(*(send(number) for number in range(20)), take())
                assert sorted(received) == list(range(20))

    asyncio.run(main())
    assert set(threading.enumerate()) <= before


def test_trio_clients_and_servers():
    async def main() -> None:
        async with sockio_trio.serve(echo) as server:
            async with MessageConnection(sockio_trio.TCP(server.host, server.port)) as messages:
                for message in MESSAGES:
                    await messages.send(message)
                    assert same(await messages.receive(PATIENCE), message)
                async with trio.open_nursery() as nursery:
                    for number in range(20):
                        nursery.start_soon(messages.send, np.full(number * 1000, number), PATIENCE)
                    received = [len(await messages.receive(PATIENCE)) // 1000 for _ in range(20)]
                assert sorted(received) == list(range(20))

    trio.run(main)


def test_blocking_clients_and_servers():
    with sio.serve(echo_blocking) as server:
        with BlockingMessageConnection(sio.TCP(server.host, server.port)) as messages:
            for message in MESSAGES:
                messages.send(message)
                assert same(messages.receive(PATIENCE), message)
            threads = [
                threading.Thread(target=messages.send, args=(np.full(number * 1000, number), PATIENCE))
                for number in range(20)
            ]
            received: list[int] = []
            takers = [
                threading.Thread(
                    target=lambda: received.extend([len(messages.receive(PATIENCE)) // 1000 for _ in range(5)])
                )
                for _ in range(4)
            ]
            for thread in threads + takers:
                thread.start()
            for thread in threads + takers:
                thread.join(PATIENCE)
            assert sorted(received) == list(range(20))


def test_both_ends_send_big_messages_at_once():
    """Neither reads by itself meanwhile, and no socket holds so much: the attendants read."""
    size = 20_000_000
    ready = threading.Event()

    def handler(client: sio.ClientStream) -> None:
        with BlockingMessageConnection(client) as messages:
            for _ in range(2):
                messages.send(np.ones(size, "u1"))
            assert ready.wait(PATIENCE)
            assert sum(len(messages.receive(PATIENCE)) for _ in range(2)) == 2 * size

    with sio.serve(handler) as server:
        with BlockingMessageConnection(sio.TCP(server.host, server.port)) as messages:
            for _ in range(2):
                messages.send(np.zeros(size, "u1"), PATIENCE)
            ready.set()
            assert sum(len(messages.receive(PATIENCE)) for _ in range(2)) == 2 * size
            with pytest.raises(EOFError):
                messages.receive(PATIENCE)


def test_who_does_not_receive_is_not_flooded():
    """Messages that nobody takes stop the peer, by their size as well as by their number; none is lost."""

    def handler(client: sio.ClientStream) -> None:
        with BlockingMessageConnection(client, limit=1_000_000) as messages:
            until(lambda: messages.waiting == 4)
            threading.Event().wait(0.05)
            for number in range(30):
                assert messages.waiting <= 4
                assert messages.receive(PATIENCE)[0] == number
            messages.send("all")

    with sio.serve(handler) as server:
        with BlockingMessageConnection(sio.TCP(server.host, server.port)) as messages:
            for number in range(30):
                messages.send(bytes([number]) * 300_000, PATIENCE)
            assert messages.receive(PATIENCE) == "all"


def test_a_message_beyond_the_limit_is_refused_and_the_sender_is_told_why():
    def handler(client: sio.ClientStream) -> None:
        with BlockingMessageConnection(client, limit=1000) as messages:
            messages.receive(PATIENCE)

    with sio.serve(handler) as server:
        for size in (1001, 50_000_000):
            with BlockingMessageConnection(sio.TCP(server.host, server.port)) as messages:
                with pytest.raises(MessageRefusedError, match=f"{size} bytes is announced, more than 1000"):
                    messages.send(bytes(size))


def test_a_cancelled_receive_loses_nothing():
    async def on_asyncio() -> None:
        async with aio.serve(echo) as server, MessageConnection(aio.TCP(server.host, server.port)) as messages:
            for number in range(50):
                waiting = asyncio.create_task(messages.receive())
                await asyncio.sleep(0.0005 * (number % 7))
                waiting.cancel()
                await messages.send(str(number))
                try:
                    assert await waiting == str(number)
                except asyncio.CancelledError:
                    assert await messages.receive(PATIENCE) == str(number)

    async def on_trio() -> None:
        async with (
            sockio_trio.serve(echo) as server,
            MessageConnection(sockio_trio.TCP(server.host, server.port)) as messages,
        ):
            for number in range(50):
                with trio.move_on_after(0.0005 * (number % 7)):
                    await messages.receive()
                await messages.send(str(number))
                assert await messages.receive(PATIENCE) == str(number)

    asyncio.run(on_asyncio())
    trio.run(on_trio)


def test_a_send_that_is_cancelled_in_the_middle_ends_the_connection():
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            messages = MessageConnection(aio.TCP(*listener.getsockname()))
            await messages.open()
            sending = asyncio.create_task(messages.send(np.zeros(50_000_000, "u1")))
            await asyncio.sleep(0.05)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert not messages.connected()
            peer, _ = listener.accept()
            with peer:
                assert 0 < len(receive_all(peer)) < 50_000_000
            await messages.close()

    asyncio.run(main())


def test_a_connection_that_is_used_from_another_event_loop_connects_there():
    with sio.serve(echo_blocking) as server:
        messages = MessageConnection(aio.TCP(server.host, server.port))

        async def use() -> None:
            await messages.send("hello")
            assert await messages.receive(PATIENCE) == "hello"

        asyncio.run(use())
        asyncio.run(use())
        assert messages.stream.connection_counter == 2

        async def close() -> None:
            await messages.close()

        asyncio.run(close())


def test_wrong_streams_are_told_where_to_go():
    with pytest.raises(TypeError, match="BlockingMessageConnection"):
        MessageConnection(sio.TCP("127.0.0.1", 1))  # type: ignore[arg-type]
    for wrong in (aio.TCP("127.0.0.1", 1), sio.TCP("127.0.0.1", 1, resolve_futures=False), None):
        with pytest.raises(TypeError, match="MessageConnection"):
            BlockingMessageConnection(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="blob, serpy, serpy2"):
        MessageConnection(aio.TCP("127.0.0.1", 1), "pickle")


async def test_it_says_what_it_is(flavour):
    connection = flavour.connect(("127.0.0.1", 1), "serpy")
    assert connection.protocol == "serpy"
    assert repr(getattr(connection, "core", connection)).endswith("serpy over tcp://127.0.0.1:1, not connected>")
    with pytest.raises(ConnectionRefusedError):
        await connection.send("x")
    with pytest.raises(ConnectionRefusedError):
        await connection.receive()


async def test_a_connection_that_was_lost_meanwhile_is_an_error_once_and_then_made_again(flavour):
    async with flavour.peer(lambda sock: None, lambda sock: sock.sendall(b"hello\x1f")) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        await flavour.until(lambda: not connection.connected())
        with pytest.raises(EOFError):
            await connection.receive()
        assert await connection.receive() == b"hello"


@pytest.mark.parametrize("next_call", ["send", "receive"])
async def test_the_call_after_garbage_has_a_new_connection(flavour, next_call):
    def garbage(sock: socket.socket) -> None:
        sock.sendall(b"\x01SETMODE9\x1f")
        receive_all(sock)

    def good(sock: socket.socket) -> None:
        sock.sendall(b"hello\x1f")
        assert receive_all(sock) == (b"hello\x1f" if next_call == "send" else b"")

    async with flavour.peer(garbage, good) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        with pytest.raises(ValueError, match="expected a mode"):
            await connection.receive()
        if next_call == "send":
            await connection.send("hello")
        assert await connection.receive() == b"hello"
        await connection.close()


async def test_a_closed_connection_stays_closed(flavour):
    async with flavour.peer(lambda sock: (sock.sendall(b"a\x1fb\x1f"), receive_all(sock))) as address:
        connection = flavour.connect(address, "serpy")
        await connection.open()
        await flavour.until(lambda: connection.waiting == 2)
        await connection.close()
        await connection.close()
        assert [await connection.receive(), await connection.receive()] == [b"a", b"b"]
        for call in (connection.receive, connection.open, lambda: connection.send("x")):
            with pytest.raises(ConnectionError, match="closed"):
                await call()
            assert not connection.stream.connected()


async def test_the_iteration_ends_with_the_connection(flavour):
    if flavour.name == "blocking":
        pytest.skip("iterated over with for, in another test")
    async with flavour.peer(lambda sock: sock.sendall(b"a\x1fb\x1f")) as address:
        connection = flavour.connect(address, "serpy")
        assert [message async for message in connection] == [b"a", b"b"]


def test_messages_over_tls(tmp_path):
    trustme = pytest.importorskip("trustme")
    import ssl

    authority = trustme.CA()
    at_server, at_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(at_server)
    authority.configure_trust(at_client)
    array = np.random.default_rng(1).integers(0, 255, 3_000_000, "u1")
    with sio.serve(echo_blocking, ssl=at_server) as server:
        with BlockingMessageConnection(sio.TCP(server.host, server.port, ssl=at_client)) as messages:
            messages.send(array, PATIENCE)
            assert np.array_equal(messages.receive(PATIENCE), array)


# Faults


def test_a_dead_peer_is_noticed_although_nobody_takes_messages():
    """The queue is full, so nothing is read; who waits for an acknowledgement is told all the same."""

    def dying(sock: socket.socket) -> None:
        sock.sendall(b"x\x1f" * 100)
        expect(sock, b"\x01SETMODE1\x1f")

    with peer(dying) as address, BlockingMessageConnection(sio.TCP(*address), "serpy") as messages:
        until(lambda: messages.waiting >= 10)
        with pytest.raises(ConnectionError):
            messages.send("hello", None, mode=1)
