"""Clients that mean no good, systems that run out of things, and foreign programs, on every flavour of servers."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trustme", reason="makes the certificates")

from tests.contract.faults_tls import Certificates
from tests.contract.flavours import Flavour
from tests.contract.server import PATIENCE
from tests.contract.test_server import Clients, clients, echo, gone, warnings

pytestmark = pytest.mark.needs("server")

__all__ = ["clients"]


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture
def server_context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.good.configure_cert(context)
    return context


def handled(server: Any) -> int:
    """Return how many clients a server has, the ones that are shaking hands included."""
    return len(getattr(getattr(server, "stream", server), "_core", server)._handling)


# Peers that close half of the connection


async def test_a_client_that_has_nothing_more_to_say_is_answered(flavour: Flavour, clients: Clients) -> None:
    async def count(client: Any) -> None:
        lines = 0
        async for _ in client:
            lines += 1
        await client.write(b"%d lines\n" % lines)
        for read in (client.readline, client.readbuffer, client.read):
            with pytest.raises(EOFError):
                await read()
        await client.write(b"that is all\n")

    async with flavour.serve(count) as server:
        client = clients.connect(server)
        client.send(b"one\ntwo\nthree\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert await flavour.call(client.readline) == b"3 lines\n"
        assert await flavour.call(client.readline) == b"that is all\n"
        assert await gone(flavour, client)


async def test_a_client_is_answered_after_all_that_it_has_to_say(flavour: Flavour, clients: Clients) -> None:
    async def answer(client: Any) -> None:
        everything = await client.read()
        await client.write(b"%d bytes\n" % len(everything))
        with pytest.raises(EOFError):
            await client.read()
        client.post(b"that is all\n")

    async with flavour.serve(answer) as server:
        client = clients.connect(server)
        client.send(bytes(300_000))
        client.socket.shutdown(socket.SHUT_WR)
        assert await flavour.call(client.readline) == b"300000 bytes\n"
        assert await flavour.call(client.readline) == b"that is all\n"
        assert await gone(flavour, client)


async def test_writing_to_a_client_that_has_gone_fails(flavour: Flavour, clients: Clients) -> None:
    errors: list[Exception] = []

    async def pour(client: Any) -> None:
        try:
            while True:
                await client.write(bytes(100_000))
        except Exception as error:
            errors.append(error)

    async with flavour.serve(pour) as server:
        client = clients.connect(server)
        await flavour.call(client.readexactly, 10)
        client.reset()
        await flavour.until(lambda: errors)
        assert isinstance(errors[0], ConnectionError)


# Running out


def use_up_descriptors() -> list[int]:
    """Open files until there is room for only one more."""
    held = []
    with suppress(OSError):
        while True:
            held.append(os.dup(0))
    os.close(held.pop())
    return held


@pytest.fixture
def few_files() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, limits[0]), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_no_more_descriptors_is_survived(
    flavour: Flavour, clients: Clients, few_files: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with flavour.serve(echo) as server:
        before = clients.connect(server)
        await flavour.until(lambda: server.clients)
        held = use_up_descriptors()
        try:
            waiting = clients.connect(server)  # by the operating system; the server cannot take it
            waiting.send(b"patience\n")
            await flavour.until(lambda: warnings(caplog))
            before.send(b"still served\n")
            assert await flavour.call(before.readline) == b"still served\n"
            await flavour.sleep(0.25)  # two more attempts
        finally:
            for number in held:
                os.close(number)
        assert await flavour.call(waiting.readline) == b"patience\n"
        (warning,) = warnings(caplog)
        assert "cannot accept clients at the moment" in warning
        assert os.strerror(errno.EMFILE) in warning


async def test_a_flood_of_connections(flavour: Flavour, clients: Clients) -> None:
    async with flavour.serve(echo, max_clients=20) as server:
        good = clients.connect(server)
        good.send(b"before\n")
        assert await flavour.call(good.readline) == b"before\n"

        def flood() -> None:
            for number in range(200):
                with socket.socket() as sock:
                    sock.settimeout(PATIENCE)
                    try:
                        sock.connect((server.host, server.port))
                        sock.sendall(b"\xff" * (number % 7))
                    except ConnectionError:
                        pass  # refused, or disconnected meanwhile

        thread = threading.Thread(target=flood)
        thread.start()
        while thread.is_alive():
            good.send(b"meanwhile\n")
            assert await flavour.call(good.readline) == b"meanwhile\n"
        thread.join()
        await flavour.until(lambda: len(server.clients) == 1)
        assert await flavour.call(clients.ask, server, b"after\n") == b"after\n"


# Unix domain sockets


async def test_unix_domain_socket(flavour: Flavour, clients: Clients, tmp_path: Path) -> None:
    path = tmp_path / "instrument.sock"
    async with flavour.serve(echo, path=str(path)) as server:
        assert str(server) == f"unix://{path}"
        assert server.addresses == []
        first, second = clients.connect(server), clients.connect(server)
        for client in (first, second):
            client.send(b"hello\n")
            assert await flavour.call(client.readline) == b"hello\n"
        assert [str(client) for client in server.clients] == [f"unix://{path}#1", f"unix://{path}#2"]
        assert [client.address for client in server.clients] == [None, None]
        with pytest.raises(OSError, match=f"in use.*{path}"):
            await flavour.serve(echo, path=str(path)).open()
    assert not path.exists()


async def test_what_a_crashed_server_has_left_is_replaced(flavour: Flavour, clients: Clients, tmp_path: Path) -> None:
    path = str(tmp_path / "instrument.sock")
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(path)
        crashed.listen()
    async with flavour.serve(echo, path=path) as server:
        assert await flavour.call(clients.ask, server) == b"hello\n"


async def test_files_of_others_are_left_alone(flavour: Flavour, tmp_path: Path) -> None:
    path = tmp_path / "precious.dat"
    path.write_text("data")
    with pytest.raises(OSError, match="in use"):
        await flavour.serve(echo, path=str(path)).open()
    assert path.read_text() == "data"
    socket_path = tmp_path / "instrument.sock"
    async with flavour.serve(echo, path=str(socket_path)):
        socket_path.unlink()
        socket_path.write_text("somebody else's")
    assert socket_path.read_text() == "somebody else's"


# TLS


async def test_tls(
    flavour: Flavour, server_context: ssl.SSLContext, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with flavour.serve(echo, ssl=server_context) as server:
        assert str(server) == f"tls://127.0.0.1:{server.port}"
        stream = flavour.TCP("localhost", server.port, ssl=certificates.trusting())
        big = bytes(range(1, 10)) * 50_000 + b"\n"
        assert await stream.write_readline(b"hello\n") == b"hello\n"
        assert await stream.write_readline(big) == big
        await stream.close()
        await flavour.until(lambda: not server.clients)
        assert not warnings(caplog)


async def test_tls_ends_in_good_order(
    flavour: Flavour, server_context: ssl.SSLContext, certificates: Certificates
) -> None:
    """A client that takes the end of the stream for the end of the data has to know that nobody has cut it short."""

    async def send(client: Any) -> None:
        await client.write(b"all of it")

    def receive(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            context = certificates.trusting()
            with context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
                return tls.recv(100) + tls.recv(100)

    async with flavour.serve(send, ssl=server_context) as server:
        assert await flavour.call(receive, server.port) == b"all of it"


@pytest.mark.parametrize("garbage", [b"\x00" * 500, b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"A" * 500])
async def test_garbage_instead_of_tls(
    flavour: Flavour,
    clients: Clients,
    server_context: ssl.SSLContext,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    garbage: bytes,
) -> None:
    async with flavour.serve(echo, ssl=server_context) as server:
        client = clients.connect(server)
        client.send(garbage)
        client.socket.shutdown(socket.SHUT_WR)
        assert await gone(flavour, client)
        stream = flavour.TCP("localhost", server.port, ssl=certificates.trusting())
        assert await stream.write_readline(b"hello\n") == b"hello\n"
        (warning,) = warnings(caplog)
        assert f"tls://127.0.0.1:{client.socket.getsockname()[1]}" in warning


async def test_a_client_that_does_not_shake_hands(
    flavour: Flavour, clients: Clients, server_context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with flavour.serve(echo, ssl=server_context, handshake_timeout=0.1) as server:
        silent = clients.connect(server)
        assert await gone(flavour, silent)
        await flavour.until(lambda: not handled(server))
        (warning,) = warnings(caplog)
        assert warning.endswith(f"tls://127.0.0.1:{silent.socket.getsockname()[1]}: no TLS handshake in time")


async def test_closing_in_the_middle_of_a_handshake(
    flavour: Flavour, clients: Clients, server_context: ssl.SSLContext
) -> None:
    async with flavour.serve(echo, ssl=server_context) as server:
        silent = clients.connect(server)
        silent.send(b"\x16")
        await flavour.until(lambda: handled(server))
        await server.close(0.05)
        assert await gone(flavour, silent)
        assert not handled(server)


async def test_a_context_for_clients_is_refused(flavour: Flavour) -> None:
    with pytest.raises(ValueError, match="PROTOCOL_TLS_SERVER"):
        flavour.serve(echo, ssl=ssl.create_default_context())


# Foreign programs


def run(*command: str, data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE, check=True).stdout


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
async def test_netcat(flavour: Flavour, tmp_path: Path) -> None:
    async with flavour.serve(echo) as server:
        command = ["nc", "-N", "127.0.0.1", str(server.port)]
        assert await flavour.call(lambda: run(*command, data=b"one\ntwo\n")) == b"one\ntwo\n"
    path = str(tmp_path / "instrument.sock")
    async with flavour.serve(echo, path=path):
        assert await flavour.call(lambda: run("nc", "-N", "-U", path, data=b"one\n")) == b"one\n"


@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")
async def test_socat(flavour: Flavour, server_context: ssl.SSLContext) -> None:
    async with flavour.serve(echo) as server:
        address = f"TCP:127.0.0.1:{server.port}"
        assert await flavour.call(lambda: run("socat", "-", address, data=b"one\ntwo\n")) == b"one\ntwo\n"
    async with flavour.serve(echo, ssl=server_context) as server:
        address = f"OPENSSL:127.0.0.1:{server.port},verify=0"
        assert await flavour.call(lambda: run("socat", "-", address, data=b"one\n")) == b"one\n"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_openssl(flavour: Flavour, server_context: ssl.SSLContext) -> None:
    async def greet(client: Any) -> None:
        await client.write(b"answer to " + await client.readline())

    async with flavour.serve(greet, ssl=server_context) as server:
        command = ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{server.port}"]
        answer = await flavour.call(lambda: run(*command, "-no_ign_eof", "-ign_eof", data=b"hello\n"))
        assert answer == b"answer to hello\n"
