"""A server among clients that do whatever goes wrong, at random: good ones are served, and nothing is left behind."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from tests.contract.faults_leaks import descriptors
from tests.contract.flavours import Flavour
from tests.contract.server import PATIENCE, Peer
from tests.contract.test_server import Clients, clients

pytestmark = [pytest.mark.needs("server"), pytest.mark.timeout(60)]

__all__ = ["clients"]

#: Seconds of mischief, and how many clients are at it at once.
DURATION = 2.0
MISCHIEVOUS = 8

LIMIT = 10_000


async def serve_line(client: Any) -> None:
    """Do what a client's line says."""
    async for line in client:
        if line.startswith(b"fail"):
            raise RuntimeError("told to fail")
        if line.startswith(b"pour"):
            for _ in range(100):
                client.post(bytes(1000))
        if line.startswith(b"close"):
            return
        await client.write(line)


class Mischief:
    """A client that does one thing wrong after the other."""

    def __init__(self, server: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.address = server.host, server.port
        self.done = 0

    def run(self, end: float) -> None:
        while time.monotonic() < end:
            with socket.socket() as sock, suppress(OSError, AssertionError):
                sock.settimeout(PATIENCE)
                sock.connect(self.address)
                self.random.choice(
                    [self.half, self.endless, self.garbage, self.reset, self.fail, self.close, self.deaf, self.slow]
                )(Peer(sock))
            self.done += 1

    def half(self, peer: Peer) -> None:
        peer.send(b"half a li")

    def endless(self, peer: Peer) -> None:
        for _ in range(50):
            peer.send(b"x" * 1000)
        peer.gone()

    def garbage(self, peer: Peer) -> None:
        peer.send(self.random.randbytes(3000))

    def reset(self, peer: Peer) -> None:
        peer.send(b"hello\n" * self.random.randrange(5))
        peer.reset()

    def fail(self, peer: Peer) -> None:
        peer.send(b"fail\n")
        peer.gone()

    def close(self, peer: Peer) -> None:
        peer.send(b"hello\nclose\nmore\n")
        peer.gone()

    def deaf(self, peer: Peer) -> None:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        for _ in range(50):
            peer.send(b"pour\n")

    def slow(self, peer: Peer) -> None:
        peer.trickle(b"hello\nhel", 0.001)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no /proc")
async def test_soak(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(serve_line) as server:
        await flavour.call(clients.ask, server)  # what is made once is there from now on
    before, threads_before = descriptors(), threading.active_count()
    async with flavour.serve(serve_line, buffer_size=LIMIT, timeout=1.0) as server:
        mischievous = [Mischief(server, seed) for seed in range(MISCHIEVOUS)]
        end = time.monotonic() + DURATION
        threads = [threading.Thread(target=one.run, args=(end,)) for one in mischievous]
        for thread in threads:
            thread.start()
        served = 0
        good = clients.connect(server)
        while any(thread.is_alive() for thread in threads):
            good.send(b"%d\n" % served)
            assert await flavour.call(good.readline) == b"%d\n" % served
            served += 1
            await flavour.sleep(0.002)
        good.socket.close()
        await flavour.until(lambda: not server.clients)
        assert server.is_open
        assert sum(one.done for one in mischievous) > 2 * MISCHIEVOUS
    await flavour.until(lambda: threading.active_count() <= threads_before)
    assert descriptors() == before
