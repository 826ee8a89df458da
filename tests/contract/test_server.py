"""Servers, on every flavour that has them: the clients are raw sockets, which know nothing of sockio."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sockio.framing import COBS, JSON, Record, Struct
from tests.contract.flavours import Flavour
from tests.contract.server import PATIENCE, Peer

pytestmark = pytest.mark.needs("server")


class Clients:
    """Raw connections to a server, closed at the end of the test."""

    def __init__(self) -> None:
        self.all: list[Peer] = []

    def connect(self, server: Any) -> Peer:
        sock = socket.socket(socket.AF_INET if server.path is None else socket.AF_UNIX)
        self.all.append(Peer(sock))
        sock.connect(server.path or (server.host, server.port))
        return self.all[-1]

    def ask(self, server: Any, line: bytes = b"hello\n") -> bytes:
        """Return what a server answers to a new client's line."""
        client = self.connect(server)
        client.send(line)
        answer = client.readline()
        client.close()
        return answer


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    for client in made.all:
        client.socket.close()


async def echo(client: Any) -> None:
    async for line in client:
        await client.write(line)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def gone(flavour: Flavour, client: Peer) -> bool:
    return bool(await flavour.call(client.gone))


# Serving


async def test_a_handler_for_each_client(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo) as server:
        first, second = clients.connect(server), clients.connect(server)
        for text in (b"one\n", b"two\n"):
            second.send(text)
            first.send(text.upper())
            assert await flavour.call(first.readline) == text.upper()
            assert await flavour.call(second.readline) == text
        assert [client.address for client in server.clients] == [peer.socket.getsockname() for peer in clients.all]
        assert [str(client) for client in server.clients] == [
            f"tcp://127.0.0.1:{peer.socket.getsockname()[1]}" for peer in clients.all
        ]
        first.close()
        await flavour.until(lambda: len(server.clients) == 1)
        second.send(b"three\n")
        assert await flavour.call(second.readline) == b"three\n"


class Position(ctypes.BigEndianStructure):
    _fields_ = [("azimuth", ctypes.c_double), ("turns", ctypes.c_int64 * 2)]


async def test_a_client_has_every_kind_of_frame(flavour: Flavour, clients: Clients) -> None:
    async def mirror(client: Any) -> None:
        await client.write(await client.readexactly(3))
        await client.write(await client.readuntil(b"|"))
        await client.writeframe(await client.readframe(COBS()), COBS())
        await client.writeframe(await client.readframe(Struct(">If")), Struct(">If"))
        await client.writeframe(await client.readframe(JSON()), JSON())
        await client.write(b"".join(await client.readlines(2)))
        position = Position()
        await client.read_into(position)
        await client.writeframe(position, Record(Position))
        await client.write(await client.readblock(b""))

    position = Position(1.5, (-1, 2))
    sent = [
        b"abc",
        b"to here|",
        b"\x03\x01\x02\x02\x03\x00",
        b"\x00\x00\x00\x07\x3f\x80\x00\x00",
        b'{"id": 1, "values": [1.5, null]}\n',
        b"one\ntwo\n",
        bytes(position),
        b"#15hello",
    ]
    async with flavour.serve(mirror) as server:
        client = clients.connect(server)
        for frame in sent:
            client.trickle(frame, 0)
            answer = frame[3:] if frame.startswith(b"#1") else frame
            assert await flavour.call(client.readexactly, len(answer)) == answer
        assert await gone(flavour, client)  # the handler has returned


async def test_it_is_reached_from_this_machine_alone_unless_told_otherwise(flavour: Flavour) -> None:
    async with flavour.serve(echo) as server:
        assert server.addresses == [("127.0.0.1", server.port)]
        assert server.port != 0
        assert str(server) == f"tcp://127.0.0.1:{server.port}"
    async with flavour.serve(echo, None) as server:
        assert ("0.0.0.0", server.port) in server.addresses
        assert {port for _, port in server.addresses} == {server.port}
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE):
            await flavour.until(lambda: server.clients)


async def test_all_addresses_of_a_name_have_one_port(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo, "localhost") as server:
        for address in server.addresses:
            with socket.create_connection(address, PATIENCE) as sock:
                peer = Peer(sock)
                peer.send(b"x\n")
                assert await flavour.call(peer.readline) == b"x\n"
        assert {port for _, port in server.addresses} == {server.port}
    async with flavour.serve(echo, "localhost", family=socket.AF_INET) as server:
        assert server.addresses == [("127.0.0.1", server.port)]


async def test_ipv6(flavour: Flavour) -> None:
    server = flavour.serve(echo, "::1")
    try:
        await server.open()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.close)
        assert str(server) == f"tcp://[::1]:{server.port}"
        assert server.addresses == [("::1", server.port)]
        with socket.create_connection(("::1", server.port), PATIENCE) as sock:
            peer = Peer(sock)
            peer.send(b"x\n")
            assert await flavour.call(peer.readline) == b"x\n"
            assert str(server.clients[0]) == f"tcp://[::1]:{sock.getsockname()[1]}"


async def test_idle_connections_are_probed_and_small_answers_go_at_once(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo, keep_alive={"active": 1, "idle": 7}) as server:
        clients.connect(server)
        await flavour.until(lambda: server.clients)
        sock = getattr(server.clients[0], "stream", server.clients[0])._descriptor.socket
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7


async def test_only_the_client_can_connect_again(flavour: Flavour, clients: Clients) -> None:
    errors: list[Exception] = []

    async def handler(client: Any) -> None:
        await client.close()
        for call in (client.readline, client.open):
            try:
                await call()
            except ConnectionError as error:
                errors.append(error)

    async with flavour.serve(handler) as server:
        assert await flavour.call(clients.ask, server) == b""
        await flavour.until(lambda: len(errors) == 2)
        assert "only the client can connect again" in str(errors[1])


# Limits


async def test_clients_beyond_the_limit_are_disconnected(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async with flavour.serve(echo, max_clients=2) as server:
        first, second = clients.connect(server), clients.connect(server)
        await flavour.until(lambda: len(server.clients) == 2)
        for count in (1, 2, 3):
            assert await gone(flavour, clients.connect(server))
            assert server.refused == count
        first.send(b"still served\n")
        assert await flavour.call(first.readline) == b"still served\n"
        second.close()
        await flavour.until(lambda: len(server.clients) == 1)
        assert await flavour.call(clients.ask, server, b"room again\n") == b"room again\n"
        assert warnings(caplog) == [f"{server}: full: clients beyond 2 are disconnected"]


async def test_an_endless_line_ends_that_client_alone(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async with flavour.serve(echo, buffer_size=1000) as server:
        good, bad = clients.connect(server), clients.connect(server)
        bad.send(b"x" * 5000)
        assert await gone(flavour, bad)
        await flavour.until(lambda: len(server.clients) == 1)
        good.send(b"hello\n")
        assert await flavour.call(good.readline) == b"hello\n"
        (warning,) = warnings(caplog)
        assert f"127.0.0.1:{bad.socket.getsockname()[1] if bad.socket.fileno() != -1 else ''}" in warning
        assert "a line of more than 1000 bytes (buffer_size)" in warning


@pytest.mark.parametrize("drip", [b"", b"x"], ids=["silent", "slow"])
async def test_a_client_that_takes_too_long_for_a_line_is_disconnected(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture, drip: bytes
) -> None:
    """A slow loris sends a byte now and then, for ever."""
    async with flavour.serve(echo, timeout=0.2) as server:
        loris = clients.connect(server)
        await flavour.until(lambda: server.clients)
        while not select.select([loris.socket], [], [], 0)[0]:
            loris.send(drip)
            await flavour.sleep(0.01)
        assert await gone(flavour, loris)
        await flavour.until(lambda: not server.clients)
        (warning,) = warnings(caplog)
        assert "timed out after 0.2 s receiving" in warning


async def test_a_server_that_does_not_read_holds_its_clients_back(flavour: Flavour, clients: Clients) -> None:
    done: list[Any] = []

    async def count(client: Any) -> None:
        await flavour.until(lambda: done)
        done.append(len(await client.readexactly(done[0])))

    async with flavour.serve(count, buffer_size=65536) as server:
        client = clients.connect(server)
        sent = await flavour.call(client.flood, b"0123456\n")
        assert 0 < sent < 20_000_000  # what the operating system's buffers hold, not more
        done.append(sent)
        await flavour.until(lambda: len(done) == 2)
        assert done[1] == sent


# Errors


async def test_an_error_in_a_handler_ends_that_client_alone(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(client: Any) -> None:
        line = await client.readline()
        await client.write(b"%d\n" % int(line))
        await client.readline()

    async with flavour.serve(handler) as server:
        good, bad = clients.connect(server), clients.connect(server)
        bad.send(b"seven\n")
        assert await gone(flavour, bad)
        good.send(b"7\n")
        assert await flavour.call(good.readline) == b"7\n"
        (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert "the handler of tcp://127.0.0.1:" in record.getMessage()
        assert record.exc_info is not None
        assert "seven" in str(record.exc_info[1])


async def test_clients_that_leave_are_nothing_to_warn_of(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(client: Any) -> None:
        while True:
            await client.write(await client.readline())

    async with flavour.serve(handler) as server:
        assert await flavour.call(clients.ask, server) == b"hello\n"
        await flavour.until(lambda: not server.clients)
        assert not warnings(caplog)
        client = clients.connect(server)
        client.send(b"half a li")
        await flavour.until(lambda: server.clients)
        client.shut_down()
        await flavour.until(lambda: not server.clients)
        (warning,) = warnings(caplog)
        assert "the peer closed the connection after 9 bytes: b'half a li'" in warning
        caplog.clear()
        client = clients.connect(server)
        await flavour.until(lambda: server.clients)
        client.reset()
        await flavour.until(lambda: not server.clients)
        (warning,) = warnings(caplog)
        assert "127.0.0.1" in warning


# Closing


async def test_closing_disconnects_the_idle_and_lets_the_busy_finish(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    may_answer: list[bool] = []

    async def handler(client: Any) -> None:
        async for line in client:
            if line == b"work\n":
                await client.write(b"working\n")
                await flavour.until(lambda: may_answer)
            await client.write(b"done\n")

    server = flavour.serve(handler)
    await server.open()
    idle, busy = clients.connect(server), clients.connect(server)
    idle.send(b"quick\n")
    busy.send(b"work\n")
    assert await flavour.call(idle.readline) == b"done\n"
    assert await flavour.call(busy.readline) == b"working\n"
    closing = flavour.start(server.close)
    waiting = flavour.start(server.wait_closed)
    assert await gone(flavour, idle)
    assert not closing.done()
    assert not server.is_open
    with pytest.raises(ConnectionRefusedError):
        clients.connect(server)
    may_answer.append(True)
    assert await flavour.call(busy.readline) == b"done\n"
    assert await gone(flavour, busy)
    await flavour.result(closing)
    await flavour.result(waiting)
    assert server.clients == []
    assert not warnings(caplog)


async def test_handlers_that_take_too_long_are_cut_off(flavour: Flavour, clients: Clients) -> None:
    ends: list[str] = []

    async def handler(client: Any) -> None:
        try:
            await client.write(b"busy\n")
            while True:
                await flavour.sleep(0.005)
                await client.write(b"")
        finally:
            ends.append("ended")

    async with flavour.serve(handler) as server:
        client = clients.connect(server)
        assert await flavour.call(client.readline) == b"busy\n"
        await server.close(0.05)
        assert ends == ["ended"]
        assert await gone(flavour, client)


@pytest.mark.only("sio")
async def test_a_thread_that_does_not_end_is_named(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    server = flavour.module.serve(lambda client: release.wait(PATIENCE))
    server.open()
    clients.connect(server)
    while not server.clients:
        pass
    name = str(server.clients[0])
    assert name in [thread.name for thread in threading.enumerate()]
    server.close(0)
    assert warnings(caplog) == [f"{server}: the handler of {name} does not end"]
    release.set()
    server.wait_closed()


async def test_a_handler_can_close_the_server(flavour: Flavour, clients: Clients) -> None:
    servers: list[Any] = []

    async def handler(client: Any) -> None:
        async for line in client:
            if line == b"shutdown\n":
                await servers[0].close()
                await client.write(b"closed\n")
                return

    async with flavour.serve(handler) as server:
        servers.append(server)
        other, client = clients.connect(server), clients.connect(server)
        client.send(b"shutdown\n")
        assert await flavour.call(client.readline) == b"closed\n"
        assert await gone(flavour, other)
        await server.wait_closed()
        assert not server.is_open


async def test_it_can_be_opened_again(flavour: Flavour, clients: Clients) -> None:
    server = flavour.serve(echo)
    assert not server.is_open
    for _ in range(3):
        async with server:
            assert await flavour.call(clients.ask, server, b"again\n") == b"again\n"
            with pytest.raises(ConnectionError, match="is open already"):
                await server.open()


async def test_a_port_in_use_is_named(flavour: Flavour) -> None:
    async with flavour.serve(echo) as server:
        with pytest.raises(OSError, match=f"in use.*tcp://127.0.0.1:{server.port}"):
            await flavour.serve(echo, port=server.port).open()
        with pytest.raises(OSError, match=r"tcp://192\.0\.2\.1:0"):
            await flavour.serve(echo, "192.0.2.1").open()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.only("sio")
async def test_a_forked_child_does_not_keep_the_port(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo) as server:
        address = server.addresses[0]
        assert await flavour.call(clients.ask, server) == b"hello\n"
        kept = clients.connect(server)
        await flavour.until(lambda: server.clients)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # until the parent has looked
            os._exit(0 if not server.addresses else 1)
        try:
            kept.send(b"still here\n")
            assert await flavour.call(kept.readline) == b"still here\n"
            await server.close()
            assert await gone(flavour, kept)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, PATIENCE)
        finally:
            os.close(writing)
            os.close(reading)
            assert (await flavour.call(os.waitpid, child, 0))[1] == 0


# To many at once


async def test_broadcasts_come_in_order_and_a_client_that_does_not_read_is_disconnected(
    flavour: Flavour, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    limit = 1_000_000

    async def listen(client: Any) -> None:
        async for _ in client:
            pass

    async with flavour.serve(listen, buffer_size=limit) as server:
        readers = [clients.connect(server) for _ in range(5)]
        deaf = clients.connect(server)
        await flavour.until(lambda: len(server.clients) == 6)
        line = b"%06d" + b"." * 65529 + b"\n"
        count = 0
        while len(server.clients) == 6:
            server.broadcast(line % count)
            for reader in readers:
                assert await flavour.call(reader.readline) == line % count
            count += 1
            assert count * 65536 < 100_000_000, "it is never noticed"
        server.broadcast(b"the end\n")
        for reader in readers:
            assert await flavour.call(reader.readline) == b"the end\n"
        assert await gone(flavour, deaf)
        (warning,) = warnings(caplog)
        assert "disconnected, since it does not read" in warning


async def test_what_is_posted_is_sent_before_the_server_closes(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo) as server:
        client = clients.connect(server)
        await flavour.until(lambda: server.clients)
        server.clients[0].post(b"one ")
        server.clients[0].post(bytearray(b"two "))
        server.broadcast(memoryview(b"good bye\n"))
    assert await flavour.call(client.readline) == b"one two good bye\n"
    assert await gone(flavour, client)


@pytest.mark.only("aio", "trio")
async def test_what_a_thread_posts_does_not_get_lost_without_a_word(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo) as server:
        client = clients.connect(server)
        await flavour.until(lambda: server.clients)
        for post in (server.broadcast, server.clients[0].post):
            errors: list[Exception] = []
            thread = threading.Thread(target=attempt, args=(post, b"hello\n", errors))
            thread.start()
            thread.join()
            assert [type(error) for error in errors] == [RuntimeError]
            assert "cannot be posted from here" in str(errors[0])
        client.send(b"still served\n")
        assert await flavour.call(client.readline) == b"still served\n"


def attempt(call: Any, data: bytes, errors: list[Exception]) -> None:
    try:
        call(data)
    except Exception as error:
        errors.append(error)


async def test_nothing_can_be_posted_to_a_client_that_has_gone(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo) as server:
        client = clients.connect(server)
        await flavour.until(lambda: server.clients)
        stream = server.clients[0]
        client.close()
        await flavour.until(lambda: not server.clients)
        with pytest.raises(ConnectionError, match="post"):
            stream.post(b"hello\n")
        with pytest.raises(TypeError, match="bytes"):
            stream.post("text")
        server.broadcast(b"to nobody\n")


# Arguments


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"host": ["127.0.0.1", "::1"]}, TypeError, "host must be a name or an address"),
        ({"port": -1}, ValueError, "port must be 0 or more"),
        ({"port": 65536}, ValueError, "port must be 0 to 65535"),
        ({"port": "5000"}, TypeError, "port must be a whole number"),
        ({"max_clients": 0}, ValueError, "max_clients must be 1 or more"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"backlog": 0}, ValueError, "backlog"),
        ({"path": "relative.sock"}, ValueError, "absolute"),
        ({"keep_alive": {"often": 1}}, ValueError, "keep_alive has no 'often'"),
        ({"ssl": True}, TypeError, "ssl must be an ssl.SSLContext with the server's certificate"),
        ({"eol": b""}, ValueError, "end of line"),
        ({"buffer_size": 0}, ValueError, "buffer_size"),
    ],
)
async def test_arguments_are_checked_at_once(
    flavour: Flavour, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        flavour.serve(echo, **options)


async def test_a_handler_that_cannot_be_called_is_refused(flavour: Flavour) -> None:
    with pytest.raises(TypeError, match="handler must be callable"):
        flavour.module.serve(None)
    if flavour.blocks:
        with pytest.raises(TypeError, match="handler"):
            flavour.module.serve(echo)
