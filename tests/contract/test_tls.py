"""TLS on every flavour, with the certificate verified by default."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trustme", reason="makes the certificates")

from sockio.turns import Ticket
from tests.contract.faults_leaks import eventually
from tests.contract.faults_serial import answers
from tests.contract.faults_server import pattern
from tests.contract.faults_tls import Certificates, PlainServer, TLSServer
from tests.contract.flavours import Flavour, core_of
from tests.ports import free_port

pytestmark = pytest.mark.needs("tls")

Serve = Callable[..., TLSServer]


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture
def serve(certificates: Certificates) -> Iterator[Serve]:
    servers: list[TLSServer] = []

    def start(certificate: str = "good", **options: Any) -> TLSServer:
        servers.append(TLSServer(getattr(certificates, certificate), **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def secure(flavour: Flavour, serve: Serve, certificates: Certificates) -> Callable[..., Any]:
    """Return what makes a stream to a good server."""

    def make(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, **options: Any) -> Any:
        server = serve(version=version)
        return flavour.TCP("localhost", server.port, ssl=certificates.trusting(), **options)

    return make


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_request_and_reply(flavour: Flavour, secure: Any, version: ssl.TLSVersion) -> None:
    stream = secure(version)
    for number in range(20):
        assert await stream.write_readline(b"echo %d\n" % number) == b"%d\n" % number
    assert await stream.write_readline(b"split 0.01 in two\n", timeout=5) == b"in two\n"
    assert stream.connected()
    assert stream.connection_counter == 1
    await stream.close()
    assert not stream.connected()


async def test_certificate_of_nobody_known(flavour: Flavour, serve: Serve) -> None:
    """True verifies against the system's authorities, which do not know the tests' own."""
    server = serve()
    stream = flavour.TCP("localhost", server.port, ssl=True)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        await stream.write_readline(b"echo secret\n", timeout=5)
    assert isinstance(caught.value, OSError)
    assert not stream.connected()
    assert stream.connection_counter == 0


async def test_certificate_of_another_authority(flavour: Flavour, serve: Serve, certificates: Certificates) -> None:
    server = serve("unknown")
    stream = flavour.TCP("localhost", server.port, ssl=certificates.trusting())
    with pytest.raises(ssl.SSLCertVerificationError):
        await stream.open()


async def test_certificate_of_another_host(flavour: Flavour, serve: Serve, certificates: Certificates) -> None:
    server = serve("wrong_name")
    stream = flavour.TCP("localhost", server.port, ssl=certificates.trusting())
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        await stream.open()


async def test_url(flavour: Flavour, serve: Serve, certificates: Certificates) -> None:
    server = serve()
    stream = flavour.socket_for_url(f"tls://127.0.0.1:{server.port}?timeout=5", ssl=certificates.trusting())
    assert await stream.write_readline(b"echo here\n") == b"here\n"
    assert str(stream) == f"tls://127.0.0.1:{server.port}"
    by_default = flavour.socket_for_url(f"tls://127.0.0.1:{server.port}?timeout=5")
    with pytest.raises(ssl.SSLCertVerificationError):
        await by_default.write_readline(b"echo here\n")


async def test_trusting_anybody_has_to_be_asked_for(flavour: Flavour, serve: Serve) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    stream = flavour.TCP("localhost", serve("unknown").port, ssl=context)
    assert await stream.write_readline(b"echo here\n", timeout=5) == b"here\n"


@pytest.mark.parametrize("wrong", ["yes", 1, object()])
async def test_ssl_of_the_wrong_type(flavour: Flavour, wrong: Any) -> None:
    with pytest.raises(TypeError, match="ssl"):
        flavour.TCP("localhost", 1, ssl=wrong)


async def test_big_blocks(flavour: Flavour, secure: Any) -> None:
    size = 4 << 20
    stream = secure(timeout=20)
    await stream.write(b"block %d\n" % size)
    assert await stream.readexactly(size) == pattern(size)
    target = bytearray(size)
    await stream.write(b"block %d\n" % size)
    await stream.read_into(target)
    assert target == pattern(size)
    assert await stream.write_readline(b"sink %d\n" % size + bytes(size)) == b"taken\n"
    # Part of it decrypted already because somebody asked.
    await stream.write(b"block 300000\n")
    await flavour.until(stream.in_waiting)
    target = bytearray(300_000)
    await stream.read_into(target)
    assert target == pattern(300_000)


async def test_full_duplex(flavour: Flavour, secure: Any) -> None:
    stream = secure(timeout=20)
    await stream.open()
    reading = flavour.start(stream.readexactly, 3 << 20)
    await flavour.waiting(stream, 1)
    await stream.write(b"sink %d\n" % (3 << 20))  # does not wait for the read
    for _start in range(0, 3 << 20, 1 << 18):
        await stream.write(bytes(1 << 18))
    await stream.write(b"block %d\n" % ((3 << 20) - 6))
    assert await flavour.result(reading) == b"taken\n" + pattern((3 << 20) - 6)


async def test_many_at_once_get_their_own_replies(flavour: Flavour, secure: Any) -> None:
    stream = secure(timeout=20)
    tasks = [flavour.start(stream.write_readline, b"echo %d\n" % number) for number in range(30)]
    for number, task in enumerate(tasks):
        assert await flavour.result(task) == b"%d\n" % number


async def test_late_answer_never_reaches_the_next_request(flavour: Flavour, secure: Any) -> None:
    stream = secure()
    assert await stream.write_readline(b"echo here\n", timeout=5) == b"here\n"
    with pytest.raises(TimeoutError, match=r"timed out after 0.01 s"):
        await stream.write_readline(b"wait 0.08 late\n", timeout=0.01)
    assert await stream.write_readline(b"wait 0.1 next\n", timeout=5) == b"next\n"
    assert stream.connection_counter == 2


async def test_leftovers_are_discarded(flavour: Flavour, secure: Any, logged: Any) -> None:
    stream = secure()
    assert await stream.write_readline(b"echo here\n") == b"here\n"
    await stream.write(b"echo unasked\n")
    await flavour.until(lambda: stream.in_waiting() == len(b"unasked\n"))
    assert await stream.write_readline(b"echo asked\n", timeout=5) == b"asked\n"
    assert stream.connection_counter == 1
    assert "discarded 8 unread bytes" in logged.text


async def test_reset_input_buffer(flavour: Flavour, secure: Any) -> None:
    stream = secure()
    await stream.write(b"echo unasked\n")
    await flavour.until(stream.in_waiting)
    stream.reset_input_buffer()
    assert stream.in_waiting() == 0
    await stream.write(b"echo asked\n")
    assert await stream.readline(timeout=5) == b"asked\n"


async def test_what_is_waiting(flavour: Flavour, secure: Any) -> None:
    stream = secure()
    assert stream.in_waiting() == 0
    await stream.open()
    await flavour.sleep(0.05)  # the server's session tickets come: nothing that could be read
    assert stream.in_waiting() == 0
    assert stream.connected()
    assert not stream.at_eof()
    assert await stream.readbuffer() == b""
    await stream.write(b"split 0.02 123456\n")
    await flavour.until(lambda: stream.in_waiting() == 3)
    await flavour.until(lambda: stream.in_waiting() == 7)
    assert await stream.readbuffer() == b"123456\n"
    await stream.write(b"end bye\n")
    await flavour.until(lambda: not stream.connected())
    await flavour.until(lambda: stream.in_waiting() == 3)
    assert not stream.at_eof()
    assert await stream.read(10, timeout=5) == b"bye"
    assert stream.in_waiting() == 0
    assert stream.at_eof()


async def test_asking_takes_nothing_from_who_reads(flavour: Flavour, secure: Any) -> None:
    stream = secure(timeout=10)
    await stream.open()
    reading = flavour.start(stream.readline)
    await flavour.waiting(stream, 1)
    await stream.write(b"wait 0.05 mine\n")
    end = time.monotonic() + 0.15
    while time.monotonic() < end:
        stream.in_waiting(), stream.at_eof(), stream.connected()
        await flavour.sleep(0.001)
    assert await flavour.result(reading) == b"mine\n"


@pytest.mark.parametrize("how", ["end", "cut"])
async def test_peer_closes_in_mid_line(flavour: Flavour, secure: Any, how: str) -> None:
    """Whether it says good-bye as TLS wants it, or just goes."""
    stream = secure()
    with pytest.raises(EOFError) as caught:
        await stream.write_readline(how.encode() + b" half a\n", timeout=5)
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.partial == b"half a"  # type: ignore[attr-defined]
    assert await stream.write_readline(b"echo again\n", timeout=5) == b"again\n"
    assert stream.connection_counter == 2


@pytest.mark.parametrize("how", ["end", "cut"])
async def test_idle_connection_is_lost(flavour: Flavour, secure: Any, how: str) -> None:
    lost: list[BaseException | None] = []
    stream = secure(on_connection_lost=lost.append)
    await stream.write(b"%s \n" % how.encode())
    await flavour.until(lambda: lost)
    assert lost == [None]
    assert await stream.write_readline(b"echo again\n", timeout=5) == b"again\n"


async def test_no_tls_at_the_other_end(flavour: Flavour, certificates: Certificates) -> None:
    server = PlainServer(b"220 welcome, and no TLS here\r\n" * 10)
    try:
        stream = flavour.TCP("localhost", server.port, ssl=certificates.trusting())
        with pytest.raises(ssl.SSLError) as caught:
            await stream.write_readline(b"echo secret\n", timeout=5)
        assert not isinstance(caught.value, TimeoutError)
        assert not stream.connected()
    finally:
        server.close()


async def test_silent_peer(flavour: Flavour, certificates: Certificates) -> None:
    server = PlainServer(b"")
    try:
        stream = flavour.TCP("localhost", server.port, ssl=certificates.trusting())
        with pytest.raises(TimeoutError, match="tls://localhost"):
            await stream.write_readline(b"echo secret\n", timeout=0.1)
        stream.connection_timeout = 0.1
        with pytest.raises(TimeoutError, match="tls://localhost"):
            await stream.write_readline(b"echo secret\n", timeout=None)
    finally:
        server.close()


async def test_close_ends_a_read(flavour: Flavour, secure: Any) -> None:
    stream = secure()
    await stream.open()
    reading = flavour.start(stream.readline)
    await flavour.waiting(stream, 1)
    await flavour.sleep(0.02)
    await stream.close()
    assert isinstance(await flavour.error(reading), ConnectionAbortedError)
    assert await stream.write_readline(b"echo again\n", timeout=5) == b"again\n"


async def test_what_has_been_decrypted_is_not_lost_when_an_answer_of_tls_cannot_be_sent(
    flavour: Flavour, secure: Any
) -> None:
    """TLS may have to answer what it reads (a key update), while another call is in the middle of sending."""
    stream = secure()
    await stream.write(b"wait 0.1 kept\n")
    waiting = flavour.start(stream.wait_readable, timeout=0.3)
    await flavour.receiving(stream)
    transport = core_of(stream)._link.transport
    await flavour.until(lambda: transport._fetching)
    sending = Ticket("write")
    assert transport._sending.enter(sending)
    transport._outgoing.write(b"an answer")
    assert isinstance(await flavour.error(waiting), TimeoutError)
    transport._outgoing.read()
    transport._sending.leave(sending)
    assert await stream.readline(timeout=5) == b"kept\n"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
async def test_openssl_s_server(flavour: Flavour, certificates: Certificates, tmp_path: Path) -> None:
    """A server that was not written in Python; it sends every line back in reverse."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificates.good.cert_chain_pems))
    key.write_bytes(certificates.good.private_key_pem.bytes())
    port = free_port()
    process = s_server("-accept", port, "-cert", chain, "-key", key, "-rev", "-quiet")
    try:
        assert eventually(lambda: answers(port))
        stream = flavour.TCP("localhost", port, ssl=certificates.trusting(), timeout=5)
        for _ in range(3):
            assert await stream.write_readline(b"stressed\n") == b"desserts\n"
        assert stream.connection_counter == 1
    finally:
        process.kill()
        process.wait(5)


def s_server(*options: Any) -> subprocess.Popen[bytes]:
    command = ["openssl", "s_server", *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
