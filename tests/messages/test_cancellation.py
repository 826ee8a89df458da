"""What a cancellation may cost: nothing to who receives, or has not begun to write; never an open connection."""

from __future__ import annotations

import asyncio
import socket

import pytest
import trio

from sockio import aio
from sockio import trio as sockio_trio
from sockio.messages import MessageConnection
from tests.messages.kit import PATIENCE, receive_all

MESSAGES = 300


def test_receives_that_are_cancelled_while_messages_are_acknowledged_cost_no_connection():
    async def send_all(client: aio.ClientStream | sockio_trio.ClientStream) -> None:
        async with MessageConnection(client) as messages:
            for number in range(MESSAGES):
                await messages.send(str(number), PATIENCE)
            await messages.receive(PATIENCE)

    async def on_asyncio() -> None:
        received: list[str] = []
        rounds = 0

        async def take() -> None:
            received.append(await messages.receive(PATIENCE))

        async with aio.serve(send_all) as server, MessageConnection(aio.TCP(server.host, server.port)) as messages:
            while len(received) < MESSAGES:
                rounds += 1
                taker = asyncio.create_task(take())
                for _ in range(rounds % 8):
                    await asyncio.sleep(0)
                taker.cancel()
                await asyncio.wait([taker])
                assert taker.cancelled() or taker.exception() is None
            assert messages.stream.connection_counter == 1
            await messages.send("thanks")
        assert sorted(map(int, received)) == list(range(MESSAGES))

    async def on_trio() -> None:
        received: list[str] = []
        rounds = 0

        async def take() -> None:
            received.append(await messages.receive(PATIENCE))

        address = "127.0.0.1", 0
        async with (
            sockio_trio.serve(send_all, *address) as server,
            MessageConnection(sockio_trio.TCP(server.host, server.port)) as messages,
        ):
            while len(received) < MESSAGES:
                rounds += 1
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(take)
                    for _ in range(rounds % 8):
                        await trio.lowlevel.checkpoint()
                    nursery.cancel_scope.cancel()
            assert messages.stream.connection_counter == 1
            await messages.send("thanks")
        assert sorted(map(int, received)) == list(range(MESSAGES))

    asyncio.run(on_asyncio())
    trio.run(on_trio)


@pytest.mark.parametrize("sent", [False, True])
def test_a_send_that_is_cancelled_before_it_is_acknowledged_keeps_the_connection(sent: bool):
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with MessageConnection(sockio_trio.TCP(*listener.getsockname())) as messages:
                peer, _ = listener.accept()
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(messages.send, "stop")
                        if sent:
                            await trio.lowlevel.wait_readable(peer)
                        scope.cancel()
                assert scope.cancelled_caught
                assert messages.connected()
            with peer:
                assert receive_all(peer).count(b"stop") == sent

    trio.run(main)


def test_closing_that_is_cancelled_closes_all_the_same():
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            messages = MessageConnection(sockio_trio.TCP(*listener.getsockname()))
            await messages.open()
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"garbage" * 10)
                with pytest.raises(ValueError, match="expected a frame"):
                    await messages.receive(PATIENCE)
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await messages.close()  # would wait until the peer, too, has hung up
                assert not messages.stream.connected()
                with pytest.raises(ConnectionError, match="has been closed"):
                    await messages.send("more")

    trio.run(main)
