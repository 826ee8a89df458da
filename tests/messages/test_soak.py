"""Random faults for a while: clients that break off, send garbage, never read, or give up; the others are served."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sockio import aio, sio
from sockio.messages import BlockingMessageConnection, MessageConnection
from sockio.messages.blob import ARRAY, BYTES, MESSAGE, encode_head
from tests.messages.kit import PATIENCE, flavours, until

#: Seconds for each flavour.
DURATION = 2.5

#: How many clients there are at a time.
CLIENTS = 8

RESET = struct.pack("ii", 1, 0)


def random_message(chance: random.Random) -> Any:
    return np.frombuffer(chance.randbytes(chance.choice([0, 10, 1000, 100_000, 1_000_000])), "u1")


def misbehave(address: tuple[str, int], chance: random.Random) -> None:
    """Send a part of something, or something that it is not, and go in one way or another."""
    head = encode_head(MESSAGE, 1, BYTES, b"", 200_000, 1)
    data = chance.choice(
        [
            head + bytes(chance.randrange(200_000)),
            head[: chance.randrange(len(head))],
            chance.randbytes(2000),
            encode_head(MESSAGE, 1, BYTES, b"", 2**32, 1),
            encode_head(MESSAGE, 1, ARRAY, b'{"dtype":"|O8","shape":[1]}', 8, 1) + bytes(12),
            encode_head(MESSAGE, 1, BYTES, b"", 3, 1) + b"abc\0\0\0\0",
        ]
    )
    with socket.create_connection(address, PATIENCE) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass  # the server has had enough
        if chance.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_random_faults_with_calls_that_block(caplog):
    threads, files = threading.active_count(), descriptors()
    outcomes: list[str] = []

    def echo(client: sio.ClientStream) -> None:
        with BlockingMessageConnection(client) as messages:
            for message in messages:
                messages.send(message)

    def serve_well(address: tuple[str, int], chance: random.Random) -> None:
        with BlockingMessageConnection(sio.TCP(*address, timeout=PATIENCE)) as messages:
            for _ in range(3):
                message = random_message(chance)
                messages.send(message)
                assert np.array_equal(messages.receive(), message)

    def give_up(address: tuple[str, int], chance: random.Random) -> None:
        with BlockingMessageConnection(sio.TCP(*address)) as messages:
            closer = threading.Timer(chance.random() / 100, messages.close)
            closer.start()
            try:
                while True:
                    messages.send(random_message(chance), chance.random() / 100)
            except (ConnectionError, EOFError):
                pass
            finally:
                closer.join()

    kinds: list[Callable[..., None]] = [serve_well, misbehave, give_up]

    def use(address: tuple[str, int], seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            kind = chance.choice(kinds)
            kind(address, chance)
            outcomes.append(kind.__name__)

    with sio.serve(echo) as server:
        end = time.monotonic() + DURATION
        users = [threading.Thread(target=use, args=((server.host, server.port), seed)) for seed in range(CLIENTS)]
        for user in users:
            user.start()
        for user in users:
            user.join(2 * PATIENCE)
            assert not user.is_alive()
        until(lambda: not server.clients)
    assert set(outcomes) == {kind.__name__ for kind in kinds}
    gc.collect()
    until(lambda: threading.active_count() <= threads)
    until(lambda: descriptors() <= files)
    assert not [record for record in caplog.records if record.exc_info], "nothing was unexpected"


def test_random_faults_on_asyncio(caplog):
    threads, files = threading.active_count(), descriptors()
    outcomes: list[str] = []

    async def echo(client: aio.ClientStream) -> None:
        async with MessageConnection(client) as messages:
            async for message in messages:
                await messages.send(message)

    async def serve_well(address: tuple[str, int], chance: random.Random) -> None:
        async with MessageConnection(aio.TCP(*address, timeout=PATIENCE)) as messages:
            for _ in range(3):
                message = random_message(chance)
                await messages.send(message)
                assert np.array_equal(await messages.receive(), message)

    async def break_off(address: tuple[str, int], chance: random.Random) -> None:
        await asyncio.to_thread(misbehave, address, chance)

    async def give_up(address: tuple[str, int], chance: random.Random) -> None:
        async with MessageConnection(aio.TCP(*address)) as messages:

            async def go_on() -> None:
                while True:
                    await messages.send(random_message(chance))
                    if chance.random() < 0.5:
                        await messages.receive()

            going_on = asyncio.create_task(go_on())
            await asyncio.sleep(chance.random() / 50)
            going_on.cancel()
            await asyncio.wait([going_on])
            assert going_on.cancelled()

    kinds: list[Callable[..., Any]] = [serve_well, break_off, give_up]

    async def use(address: tuple[str, int], seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            kind = chance.choice(kinds)
            await kind(address, chance)
            outcomes.append(kind.__name__)

    async def main() -> None:
        nonlocal end
        tasks = len(asyncio.all_tasks())
        async with aio.serve(echo) as server:
            end = time.monotonic() + DURATION
            users = [use((server.host, server.port), seed) for seed in range(CLIENTS)]
            await asyncio.wait_for(asyncio.gather(*users), 2 * PATIENCE)
        await on_asyncio.until(lambda: len(asyncio.all_tasks()) <= tasks)

    end = 0.0
    on_asyncio = flavours()[0]
    asyncio.run(main())
    assert set(outcomes) == {kind.__name__ for kind in kinds}
    gc.collect()
    until(lambda: threading.active_count() <= threads)
    until(lambda: descriptors() <= files)
    assert not [record for record in caplog.records if record.exc_info], "nothing was unexpected"
