"""Listening and accepting on every runtime."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio

import sockio.runtimes.asyncio
import sockio.runtimes.blocking
import sockio.runtimes.trio
from sockio.errors import DeadlineExpired
from sockio.runtimes.descriptor import Socket
from sockio.runtimes.listeners import accept, listen_tcp

RUNS: dict[str, tuple[Any, Callable[[Coroutine[Any, Any, Any]], Any]]] = {
    "asyncio": (sockio.runtimes.asyncio.runtime, asyncio.run),
    "trio": (sockio.runtimes.trio.runtime, lambda coroutine: trio.run(lambda: coroutine)),
    "blocking": (sockio.runtimes.blocking.runtime, sockio.runtimes.blocking.run),
}


@pytest.fixture(params=list(RUNS))
def flavour(request: pytest.FixtureRequest) -> Any:
    return RUNS[request.param]


def test_connections_are_accepted_one_after_the_other(flavour: Any) -> None:
    runtime, run = flavour

    async def contract() -> None:
        listener = listen_tcp("127.0.0.1", 0)
        assert listener.address()[0] == "127.0.0.1"
        clients = [socket.create_connection(listener.address(), 5) for _ in range(3)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            transport = runtime.adopt(await accept(runtime, listener, runtime.clock() + 5), 1024)
            chunk = transport.receive(runtime.clock() + 5)
            assert (chunk if isinstance(chunk, bytes) else await chunk) == b"%d" % number
            transport.close()
            client.close()
        listener.close()

    run(contract())


def test_somebody_connects_while_it_is_waited_for(flavour: Any) -> None:
    runtime, run = flavour

    async def contract() -> None:
        listener = listen_tcp("", 0)
        clients: list[socket.socket] = []
        address = "127.0.0.1", listener.address()[1]
        timer = threading.Timer(0.1, lambda: clients.append(socket.create_connection(address, 5)))
        timer.start()
        (await accept(runtime, listener, None)).close()
        timer.join()
        clients[0].close()
        listener.close()

    run(contract())


def test_nobody_connects_in_time(flavour: Any) -> None:
    runtime, run = flavour

    async def contract() -> None:
        listener = listen_tcp("127.0.0.1", 0)
        with pytest.raises(DeadlineExpired):
            await accept(runtime, listener, runtime.clock() + 0.05)
        listener.close()

    run(contract())


@pytest.mark.parametrize("can_shut_down", [True, False])
def test_shutting_down_from_another_thread_ends_the_wait(
    flavour: Any, can_shut_down: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the system cannot shut down a socket that listens."""
    runtime, run = flavour

    def refuse(sock: socket.socket, how: int) -> None:
        raise OSError(errno.ENOTCONN, "not connected")

    if not can_shut_down:
        monkeypatch.setattr(Socket, "shutdown", refuse)

    async def contract() -> None:
        listener = listen_tcp("127.0.0.1", 0)
        timer = threading.Timer(0.1, listener.shut_down)
        timer.start()
        with pytest.raises(ConnectionAbortedError):
            await accept(runtime, listener, None)
        timer.join()
        with pytest.raises(ConnectionAbortedError):
            await accept(runtime, listener, None)
        listener.close()

    run(contract())


def test_a_port_in_use_is_refused() -> None:
    listener = listen_tcp("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        listen_tcp(*listener.address())
    listener.close()
