"""Other people's programs on the other side."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from pathlib import Path

import pytest
import trustme

from sockio import tcpip

from .helpers import Reports, eventually, log, soon


class Echo(tcpip.OneClientReadLoopServer):
    async def read_and_dispatch(self):
        await self.write_str((await self.read_str()).upper())


@contextlib.asynccontextmanager
async def program(*command):
    """A running program with pipes to it; skips where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def rest(process):
    """Return what a program still writes until it ends; some do not before their input has ended too."""
    process.stdin.close()
    return await process.stdout.read()


CLIENTS = {
    "nc": lambda port: ["nc", "127.0.0.1", str(port)],
    "socat": lambda port: ["socat", "-", f"TCP:127.0.0.1:{port}"],
}


@pytest.mark.parametrize("client", list(CLIENTS))
async def test_a_client_is_answered_and_leaves(client, reports):
    async with Echo(port=0, log=log, connect_callback=reports.callback) as server:
        async with program(*CLIENTS[client](server.port)) as process:
            for word in (b"open", b"close"):
                process.stdin.write(word + b"\r\n")
                assert await soon(process.stdout.readline()) == word.upper() + b"\r\n"
            assert reports.states == [True]
            process.kill()
            await eventually(lambda: reports.states == [True, False])


@pytest.mark.parametrize("client", list(CLIENTS))
async def test_a_second_client_is_turned_away(client, reports):
    async with Echo(port=0, log=log, connect_callback=reports.callback) as server:
        async with program(*CLIENTS[client](server.port)) as first:
            first.stdin.write(b"open\r\n")
            assert await soon(first.stdout.readline()) == b"OPEN\r\n"
            async with program(*CLIENTS[client](server.port)) as second:
                assert await soon(rest(second)) == b""
            first.stdin.write(b"still here\r\n")
            assert await soon(first.stdout.readline()) == b"STILL HERE\r\n"
            assert reports.states == [True]


async def test_a_client_that_is_sent_away_is_told(reports):
    async with tcpip.OneClientServer("127.0.0.1", 0, log, reports.callback) as server:
        async with program("nc", "127.0.0.1", str(server.port)) as process:
            await soon(server.connected_task)
            await server.write_str("bye")
            await server.close_client()
            assert await soon(rest(process)) == b"bye\r\n"


async def test_a_client_talks_to_a_foreign_server(tmp_path):
    """And to a unix domain socket behind it, whose peer is a shell."""
    path = tmp_path / "port"
    command = ["socat", "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1", "EXEC:sed -u s/a/b/"]
    async with program(*command) as process:
        while b"listening on" not in (line := await soon(process.stderr.readline())):
            assert line, "socat has not listened"
        port = int(line.rsplit(b":", 1)[1])
        reports = Reports()
        async with tcpip.Client("127.0.0.1", port, log, reports.callback, terminator=b"\n") as client:
            assert await soon(client.exchange_str("a cat")) == "b cat"
            process.kill()
            await eventually(lambda: reports.states == [True, False])
    assert not path.exists()


@pytest.fixture
def authority():
    return trustme.CA()


async def test_openssls_client_over_tls(authority, tmp_path: Path, reports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("dome.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with Echo(port=0, log=log, connect_callback=reports.callback, ssl=context) as server:
        command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", str(tmp_path / "ca.pem")]
        command += ["-verify_hostname", "dome.example", "-connect", f"127.0.0.1:{server.port}"]
        async with program(*command) as process:
            process.stdin.write(b"open\r\n")
            assert await soon(process.stdout.readline()) == b"OPEN\r\n"
            process.kill()
            await eventually(lambda: reports.states == [True, False])


async def test_openssls_server_over_tls(authority, tmp_path: Path, reports):
    certificate = authority.issue_cert("dome.example")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", "-cert"]
    async with program(*command, str(tmp_path / "server.pem")) as process:
        while not (line := await soon(process.stdout.readline())).startswith(b"ACCEPT"):
            assert line, "openssl has not listened"
        port = int(line.rsplit(b":", 1)[1])
        arguments = {"ssl": trusting, "server_hostname": "dome.example", "terminator": b"\n"}
        async with tcpip.Client("127.0.0.1", port, log, reports.callback, **arguments) as client:
            assert await soon(client.exchange_str("desserts")) == "stressed"
            await client.write_str("CLOSE")  # which makes it close
            await eventually(lambda: reports.states == [True, False])


async def test_garbage_instead_of_tls_harms_nobody(authority, reports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Echo(port=0, log=log, connect_callback=reports.callback, ssl=context) as server:
        async with program("nc", "127.0.0.1", str(server.port)) as process:
            process.stdin.write(b"GET / HTTP/1.0\r\n\r\n")
            await soon(rest(process))
        assert reports.states == []
        async with tcpip.Client("127.0.0.1", server.port, log, ssl=trusting) as client:
            assert await soon(client.exchange_str("open")) == "OPEN"
