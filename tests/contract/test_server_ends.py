"""Servers that are opened and closed at odd moments, and handlers that end in odd ways."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import ssl
import sys
import threading
from typing import Any

import pytest

pytest.importorskip("trustme", reason="makes the certificates")

from sockio.runtimes import descriptor
from tests.contract.faults_leaks import descriptors
from tests.contract.faults_tls import Certificates
from tests.contract.flavours import Flavour
from tests.contract.server import PATIENCE, Peer
from tests.contract.test_server import Clients, clients, echo, gone, warnings
from tests.contract.test_server_faults import certificates, handled, server_context

pytestmark = pytest.mark.needs("server")

__all__ = ["certificates", "clients", "server_context"]


class SlowNames:
    """Looking up a name takes until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: Any, port: Any, *args: Any) -> Any:
        if host == "localhost" and args[-1] == 0:
            self.asked.set()
            self.go_on.wait(PATIENCE)
        return self._look_up(host, port, *args)


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Any:
    names = SlowNames(monkeypatch)
    yield names
    names.go_on.set()


# Opening


async def test_opening_twice_at_once(flavour: Flavour, clients: Clients, slow_names: SlowNames) -> None:
    server = flavour.serve(echo, "localhost", family=socket.AF_INET)
    opening = flavour.start(server.open)
    await flavour.until(slow_names.asked.is_set)
    with pytest.raises(ConnectionError, match="is being opened already"):
        await server.open()
    slow_names.go_on.set()
    await flavour.result(opening)
    assert await flavour.call(clients.ask, server) == b"hello\n"
    await server.close()
    assert not server.is_open


async def test_closing_while_opening(flavour: Flavour, slow_names: SlowNames) -> None:
    server = flavour.serve(echo, "localhost", family=socket.AF_INET)
    opening = flavour.start(server.open)
    await flavour.until(slow_names.asked.is_set)
    await server.close()
    slow_names.go_on.set()
    with pytest.raises(ConnectionAbortedError, match="closed while opening"):
        await flavour.result(opening)
    await server.wait_closed()
    assert not server.is_open
    async with server:
        assert server.is_open


@pytest.mark.only("aio", "trio")
async def test_cancelled_while_opening(flavour: Flavour, clients: Clients, slow_names: SlowNames) -> None:
    server = flavour.serve(echo, "localhost", family=socket.AF_INET)
    opening: Any = flavour.start(server.open)
    await flavour.until(slow_names.asked.is_set)
    opening.cancel()
    await flavour.error(opening)
    assert not server.is_open
    slow_names.go_on.set()
    async with server:
        assert await flavour.call(clients.ask, server) == b"hello\n"


@pytest.mark.only("sio")
async def test_no_more_threads(
    flavour: Flavour, clients: Clients, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = descriptors()
    server = flavour.serve(echo, None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await server.open()
    assert not server.is_open
    assert descriptors() == before
    async with flavour.serve(echo) as server:
        listener = clients.connect(server)
        await flavour.until(lambda: server.clients)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            assert await gone(flavour, clients.connect(server))
            with pytest.raises(ConnectionError, match="cannot post: can't start new thread"):
                server.clients[0].post(b"lost\n")
            server.broadcast(b"lost as well\n")
        server.broadcast(b"not lost\n")
        assert await flavour.call(listener.readline) == b"not lost\n"
        (warning,) = warnings(caplog)
        assert "cannot serve tcp://127.0.0.1:" in warning


async def test_a_path_that_is_too_long_is_named(flavour: Flavour) -> None:
    path = "/tmp/" + "x" * 200
    with pytest.raises(OSError, match=f"too long: 205 bytes.*{path}"):
        await flavour.serve(echo, path=path).open()


# Accepting


async def test_errors_of_accepting_are_survived(
    flavour: Flavour, clients: Clients, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Linux gives errors of the network to who accepts (accept(2), "Error handling")."""
    codes = [errno.ENETDOWN, errno.EPERM]
    accept = socket.socket.accept

    def fail(sock: socket.socket) -> Any:
        accepted = accept(sock)
        if codes:
            accepted[0].close()
            raise OSError(codes.pop(0), "the network is not well")
        return accepted

    async with flavour.serve(echo) as server:
        monkeypatch.setattr(descriptor.Socket, "accept", fail, raising=False)
        for _ in range(2):
            assert await gone(flavour, clients.connect(server))
        assert await flavour.call(clients.ask, server) == b"hello\n"
        (warning,) = warnings(caplog)
        assert "cannot accept clients at the moment" in warning


async def test_a_client_that_cannot_be_taken_on_leaves_nothing_behind(
    flavour: Flavour, clients: Clients, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = []

    def refuse(self: Any, taken: Any, *args: Any) -> None:
        kept.append(taken)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as epoll does (max_user_watches)

    async with flavour.serve(echo) as server:
        runtime = getattr(getattr(server, "stream", server), "_core", server).runtime
        with monkeypatch.context() as patch:
            patch.setattr(type(runtime), "adopt", refuse)
            assert await gone(flavour, clients.connect(server))
        await flavour.until(lambda: [taken.socket.fileno() for taken in kept] == [-1] and warnings(caplog))
        assert await flavour.call(clients.ask, server) == b"hello\n"
        (warning,) = warnings(caplog)
        assert os.strerror(errno.ENOSPC) in warning


# Closing


async def test_it_stops_listening_everywhere(flavour: Flavour) -> None:
    server = flavour.serve(echo, None)
    for _ in range(10):
        await server.open()
        await server.close()
        assert not server.is_open
        assert server.addresses == []


@pytest.mark.only("aio", "trio")
async def test_closing_before_a_handler_has_begun(flavour: Flavour, clients: Clients) -> None:
    before = descriptors()
    server = flavour.serve(echo)
    await server.open()
    client = clients.connect(server)
    while not handled(server):
        await flavour.sleep(0)
    await server.close(0)
    assert not handled(server)
    await server.wait_closed()
    assert await gone(flavour, client)
    client.close()
    assert len(descriptors()) == len(before)


async def test_two_handlers_close_the_server(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    servers: list[Any] = []
    closing: list[Any] = []

    async def handler(client: Any) -> None:
        await client.readline()
        closing.append(client)
        await flavour.until(lambda: len(closing) == 2)
        await servers[0].close(None)
        await client.write(b"closed\n")

    async with flavour.serve(handler) as server:
        servers.append(server)
        both = [clients.connect(server) for _ in range(2)]
        for client in both:
            client.send(b"shutdown\n")
        for client in both:
            assert await flavour.call(client.readline) == b"closed\n"
        await server.wait_closed()
    assert not warnings(caplog)


async def test_closing_from_many_sides_at_once(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            server = flavour.serve(echo)
            await server.open()
            for _ in range(10):
                clients.connect(server)
            await flavour.until(lambda server=server: len(server.clients) == 10)
            waiting = [flavour.start(server.wait_closed) for _ in range(2)]
            closing = [flavour.start(server.close, timeout) for timeout in (0, 0.0, None, 1)]
            for task in (*closing, *waiting):
                await flavour.result(task)
            assert not handled(server)
    finally:
        sys.setswitchinterval(interval)
    assert not warnings(caplog)


@pytest.mark.only("aio", "trio")
async def test_cancelled_while_serving(flavour: Flavour, clients: Clients) -> None:
    before = descriptors()
    servers: list[Any] = []

    async def serve() -> None:
        async with flavour.serve(echo) as server:
            servers.append(server)
            await server.wait_closed()

    task: Any = flavour.start(serve)
    await flavour.until(lambda: servers)
    client = clients.connect(servers[0])
    client.send(b"hello\n")
    assert await flavour.call(client.readline) == b"hello\n"
    task.cancel()
    await flavour.error(task)
    assert await gone(flavour, client)
    await servers[0].wait_closed()
    client.close()
    await flavour.until(lambda: len(descriptors()) == len(before))


@pytest.mark.parametrize("module", ["aio", "trio"])
def test_a_program_that_ends_without_closing(module: str) -> None:
    import trio

    from sockio import aio
    from sockio import trio as on_trio

    async def handler(client: Any) -> None:
        await client.write(b"hello\n")
        await client.readline()

    async def main() -> tuple[Any, Peer]:
        server: Any = (aio if module == "aio" else on_trio).serve(handler)
        await server.open()
        peer = Peer(socket.create_connection((server.host, server.port), PATIENCE))
        in_thread = asyncio.to_thread if module == "aio" else trio.to_thread.run_sync
        assert await in_thread(peer.readline) == b"hello\n"
        return server, peer

    server, peer = asyncio.run(main()) if module == "aio" else trio.run(main)
    assert not server.is_open
    assert not server.clients
    assert peer.gone()
    peer.close()


# Handlers


async def test_a_handler_cannot_end_the_program(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    """What parses command lines (argparse) raises SystemExit for one that is wrong."""

    async def handler(client: Any) -> None:
        async for line in client:
            if line == b"quit\n":
                sys.exit("told to quit")
            await client.write(line)

    async with flavour.serve(handler) as server:
        good, bad = clients.connect(server), clients.connect(server)
        bad.send(b"quit\n")
        assert await gone(flavour, bad)
        good.send(b"still served\n")
        assert await flavour.call(good.readline) == b"still served\n"
        (warning,) = warnings(caplog)
        assert "the handler of tcp://127.0.0.1:" in warning


@pytest.mark.only("trio")
async def test_tasks_of_a_handler_cannot_end_the_program(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    import trio

    async def quit_on_request(client: Any) -> None:
        await client.readline()
        sys.exit("told to quit")

    async def handler(client: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(quit_on_request, client)
            nursery.start_soon(trio.sleep_forever)

    async with flavour.serve(handler) as server:
        for _ in range(2):
            client = clients.connect(server)
            client.send(b"quit\n")
            assert await gone(flavour, client)
        assert [warning.endswith(" failed") for warning in warnings(caplog)] == [True, True]


def test_an_interrupt_in_a_task_of_a_handler_reaches_the_main_task() -> None:
    import trio

    from sockio import trio as sockio_trio

    async def be_interrupted() -> None:
        signal.raise_signal(signal.SIGINT)

    async def handler(client: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(be_interrupted)
            nursery.start_soon(trio.sleep_forever)

    async def main() -> None:
        async with sockio_trio.serve(handler) as server:
            await sockio_trio.TCP("127.0.0.1", server.port).open()
            await trio.sleep(PATIENCE)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


@pytest.mark.only("trio")
async def test_tasks_of_a_handler_end_with_it(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    import trio

    async def handler(client: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.readline)
            nursery.start_soon(trio.sleep_forever)

    async with flavour.serve(handler) as server:
        clients.connect(server).send(b"half a li")
        leaving = clients.connect(server)
        await flavour.until(lambda: len(server.clients) == 2)
        leaving.close()
        await flavour.until(lambda: len(server.clients) == 1)
        await server.close(0)
        assert not server.clients
    assert not warnings(caplog)


@pytest.mark.only("trio")
async def test_an_error_among_cancelled_tasks_of_a_handler_is_logged(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    import trio

    async def stumble() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise LookupError("on the way out")

    async def handler(client: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stumble)
            nursery.start_soon(trio.sleep_forever)

    async with flavour.serve(handler) as server:
        clients.connect(server)
        await flavour.until(lambda: server.clients)
        await flavour.sleep(0)
        await server.close(0)
    (warning,) = warnings(caplog)
    assert "tcp://127.0.0.1:" in warning


async def test_a_handler_that_closes_its_own_connection(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(client: Any) -> None:
        await client.write(b"bye\n")
        await client.close()

    async with flavour.serve(handler) as server:
        client = clients.connect(server)
        assert await flavour.call(client.readline) == b"bye\n"
        assert await gone(flavour, client)
    assert not warnings(caplog)


async def test_a_handler_is_told_once_that_its_client_has_gone(flavour: Flavour, clients: Clients) -> None:
    told: list[str] = []

    async def handler(client: Any) -> None:
        client.on_eof_received = lambda: told.append("end")
        client.on_connection_lost = lambda error: told.append(repr(error))
        assert [line async for line in client] == [b"only line\n"]
        await client.write(b"one answer\n")

    async with flavour.serve(handler) as server:
        client = clients.connect(server)
        client.send(b"only line\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert await flavour.call(client.readline) == b"one answer\n"
        assert await gone(flavour, client)
        await flavour.until(lambda: not server.clients)
    assert told == ["end", "None"]


# Posting


async def test_what_is_posted_is_sent_though_the_handler_returns(flavour: Flavour, clients: Clients) -> None:
    big = bytes(5_000_000)  # more than a client's limit, but it is the first

    async def handler(client: Any) -> None:
        client.post(b"")
        client.post(big)
        client.post(b"bye\n")

    async with flavour.serve(handler, buffer_size=10_000_000) as server:
        client = clients.connect(server)
        assert await flavour.call(client.readexactly, len(big)) == big
        assert await flavour.call(client.readline) == b"bye\n"
        assert await gone(flavour, client)


async def test_a_message_of_any_size_can_be_posted(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo, buffer_size=1000) as server:
        client = clients.connect(server)
        await flavour.until(lambda: server.clients)
        server.clients[0].post(bytes(5_000_000))
        assert await flavour.call(client.readexactly, 5_000_000) == bytes(5_000_000)


async def test_what_is_posted_to_a_client_that_does_not_read_is_given_up(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(client: Any) -> None:
        client.post(bytes(20_000_000))

    async with flavour.serve(handler, timeout=0.1) as server:
        deaf = clients.connect(server)
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        await flavour.until(lambda: warnings(caplog) and not server.clients)
    (warning,) = warnings(caplog)
    assert "20000000 bytes that were posted have not been taken in 0.1 s" in warning


async def test_posting_to_a_client_that_has_nothing_more_to_say(flavour: Flavour, clients: Clients) -> None:
    ended: list[bool] = []

    async def handler(client: Any) -> None:
        async for _ in client:
            pass
        ended.append(True)
        await flavour.until(lambda: not ended)
        client.post(b"to you\n")

    async with flavour.serve(handler) as server:
        client = clients.connect(server)
        client.socket.shutdown(socket.SHUT_WR)
        await flavour.until(lambda: ended)
        server.broadcast(b"to all\n")
        ended.clear()
        assert await flavour.call(client.readline) == b"to all\n"
        assert await flavour.call(client.readline) == b"to you\n"


@pytest.mark.only("sio")
async def test_posting_from_many_threads(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo) as server:
        client = clients.connect(server)
        await flavour.until(lambda: server.clients)
        stream = server.clients[0].stream if hasattr(server.clients[0], "_core") else server.clients[0]

        def post(thread: int) -> None:
            for number in range(200):
                stream.post(b"%d %d\n" % (thread, number))

        threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        lines = [client.readline().split() for _ in range(4 * 200)]
        for thread in threads:
            thread.join()
        for number in range(4):
            assert [int(count) for who, count in lines if int(who) == number] == list(range(200))


# TLS


async def test_closing_the_server_ends_tls_in_good_order(
    flavour: Flavour, server_context: ssl.SSLContext, certificates: Certificates
) -> None:
    greeted = threading.Event()

    def receive(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            context = certificates.trusting()
            with context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
                tls.sendall(b"hello\n")
                received = tls.recv(100)
                greeted.set()
                return received + tls.recv(100)

    async def call(port: int) -> bytes:
        return bytes(await flavour.call(receive, port))

    async with flavour.serve(echo, ssl=server_context) as server:
        receiving = flavour.start(call, server.port)
        await flavour.until(greeted.is_set)
        await flavour.until(lambda: server.clients)
    assert await flavour.result(receiving) == b"hello\n"
