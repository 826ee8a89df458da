"""Every method, parameter and attribute: what it sends, what it returns, what it leaves."""

from __future__ import annotations

import inspect
import socket
from typing import Any

import pytest

from sockio.common import DEFAULT_LIMIT, DFT_KEEP_ALIVE, IPTOS_LOWDELAY
from tests.ports import free_port

from .flavours import Flavour
from .server import Peer, Server, Unresponsive


async def connected(flavour: Flavour, server: Server, *args: Any, **options: Any) -> tuple[Any, Peer]:
    """Return an open stream and the other side of it."""
    stream = flavour.TCP(*server.address, *args, **options)
    await stream.open()
    return stream, server.peer()


# The constructor

PARAMETERS = {
    "eol": b"\n",
    "auto_reconnect": True,
    "on_connection_made": None,
    "on_connection_lost": None,
    "on_eof_received": None,
    "buffer_size": DEFAULT_LIMIT,
    "no_delay": True,
    "tos": IPTOS_LOWDELAY,
    "connection_timeout": None,
    "timeout": None,
    "keep_alive": DFT_KEEP_ALIVE,
}


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_the_constructor_takes_its_parameters_in_order_and_keeps_them(flavour: Flavour, server: Server) -> None:
    plain = flavour.TCP(*server.address)
    assert (plain.host, plain.port) == server.address
    for name, value in PARAMETERS.items():
        assert getattr(plain, name) == value, name

    def callback(*_: Any) -> None:
        pass

    given = (b"\r", False, callback, callback, callback, 1000, False, 0, 3.0, 4.0, False)
    stream = flavour.TCP(*server.address, *given)
    for name, value in zip(PARAMETERS, given, strict=True):
        assert getattr(stream, name) == value, name
    assert stream.connection_counter == 0
    assert server.connections == 0, "the constructor did I/O"


@pytest.mark.only("aio", "trio", "sio")
async def test_the_signature_is_that_of_the_class(flavour: Flavour) -> None:
    parameters = list(inspect.signature(flavour.module.TCP).parameters)
    assert parameters[:13] == ["host", "port", *PARAMETERS]
    assert {"quiet", "retry", "ssl"} <= set(parameters)


async def test_every_parameter_by_keyword(flavour: Flavour, server: Server) -> None:
    options: dict[str, Any] = {"eol": b"\n", "timeout": 5.0}
    if flavour.name != "py2":
        options |= {**PARAMETERS, "quiet": 0.5, "retry": flavour.Retry(3), "ssl": False}
    stream = flavour.TCP(host=server.host, port=server.port, **options)
    assert await stream.write_readline(b"*IDN?\n") == b"answer to *IDN?\n"


# Opening and closing


async def test_open_and_close(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    assert not stream.connected()
    assert not stream.is_open
    assert stream.in_waiting() == 0
    assert not stream.at_eof()
    await stream.open()
    assert stream.connected()
    assert stream.is_open
    assert stream.connection_counter == 1
    with pytest.raises(ConnectionError, match="open already"):
        await stream.open()
    await stream.close()
    assert not stream.connected()
    await stream.close()
    await stream.open(timeout=5)
    assert stream.connection_counter == 2
    await flavour.until(lambda: server.connections == 2)


async def test_a_call_opens_the_connection(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address)
    for number in (1, 2, 3):
        assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
        assert stream.connection_counter == number
        await stream.close()


async def test_a_refused_connection_is_a_ConnectionRefusedError(flavour: Flavour) -> None:
    port = free_port()
    stream = flavour.TCP("127.0.0.1", port)
    for call in (stream.open(), stream.readline(), stream.write_readline(b"?\n"), stream.write(b"\n")):
        with pytest.raises(ConnectionRefusedError, match=str(port)):
            await call
    assert stream.connection_counter == 0
    assert not stream.connected()


async def test_a_name_that_does_not_exist_is_an_OSError(flavour: Flavour) -> None:
    stream = flavour.TCP("no-such-host.invalid", 5000)
    with pytest.raises(OSError, match=r"no-such-host\.invalid"):
        await stream.open(timeout=10)


async def test_connecting_in_vain_is_a_ConnectionTimeoutError(flavour: Flavour) -> None:
    with Unresponsive() as address:
        stream = flavour.TCP(*address)
        with pytest.raises(flavour.ConnectionTimeoutError, match=str(address[1])):
            await stream.open(timeout=0.05)
        with pytest.raises(flavour.ConnectionTimeoutError):
            await stream.write_readline(b"?\n", timeout=0.05)
        assert not stream.connected()


async def test_a_host_name_and_both_address_families(flavour: Flavour, server: Server) -> None:
    # localhost is ::1 as well where there is IPv6: nobody listens there, and the next address is tried.
    stream = flavour.TCP("localhost", server.port)
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"


async def test_without_auto_reconnect_a_call_needs_open(flavour: Flavour, server: Server) -> None:
    stream = flavour.TCP(*server.address, auto_reconnect=False)
    for method, arguments in [("readline", ()), ("write", (b"x\n",)), ("write_readline", (b"x?\n",))]:
        with pytest.raises(ConnectionError, match="open"):
            await getattr(stream, method)(*arguments)
    assert server.connections == 0
    await stream.open()
    assert await stream.write_readline(b"x?\n") == b"answer to x?\n"
    await stream.close()
    with pytest.raises(ConnectionError, match="open"):
        await stream.write_readline(b"x?\n")
    assert stream.connection_counter == 1


async def test_without_auto_reconnect_what_the_peer_left_can_be_read(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted, auto_reconnect=False)
    peer.send(b"last words\n")
    peer.close()
    await flavour.until(lambda: not stream.connected())
    assert await stream.readline() == b"last words\n"
    with pytest.raises(ConnectionError):
        await stream.readline()
    with pytest.raises(ConnectionError):
        await stream.write_readline(b"x?\n")
    assert stream.connection_counter == 1


# Reads


async def test_read(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"abc")
    await flavour.until(lambda: stream.in_waiting() == 3)
    assert await stream.read(2) == b"a" + b"b"
    assert await stream.read(100) == b"c"
    assert await stream.read(0) == b""
    peer.send(b"to the ")
    peer.send(b"end")
    peer.close()
    assert await stream.read() == b"to the end"
    assert not stream.connected()


async def test_read_of_everything_when_there_is_nothing(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    reading = flavour.start(stream.read)
    await flavour.receiving(stream)
    peer.close()
    error = await flavour.error(reading)
    assert isinstance(error, flavour.ConnectionEOFError)
    assert error.partial == b""


async def test_readline(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"one\ntw")
    assert await stream.readline() == b"one\n"
    reading = flavour.start(stream.readline)
    await flavour.waiting(stream, 1)
    peer.send(b"o\n")
    assert await flavour.result(reading) == b"two\n"
    peer.send(b"carriage\rreturn\r")
    assert await stream.readline(eol=b"\r") == b"carriage\r"
    assert await stream.readline(b"\r") == b"return\r"
    peer.send(b"\n")
    assert await stream.readline() == b"\n"


@pytest.mark.parametrize("eol", [b"\r", b"\r\n", b";", b"END", b"\n\n\n"])
async def test_the_end_of_a_line_can_be_anything(flavour: Flavour, scripted: Server, eol: bytes) -> None:
    stream, peer = await connected(flavour, scripted, eol=eol)
    assert stream.eol == eol
    lines = [b"first" + eol, b"second, with E and \t" + eol, eol]
    peer.send(b"".join(lines))
    assert await stream.readline() == lines[0]
    assert await stream.readlines(2) == lines[1:]


async def test_an_end_of_line_in_two_pieces_is_found(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted, eol=b"\r\n")
    for number in range(3):
        peer.send(b"%d\r" % number)
        reading = flavour.start(stream.readline)
        await flavour.waiting(stream, 1)
        await flavour.sleep(0.01)
        assert not reading.done()
        peer.send(b"\n")
        assert await flavour.result(reading) == b"%d\r\n" % number


async def test_readlines(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"1\n2\n3\n4\n5|6|")
    assert await stream.readlines(3) == [b"1\n", b"2\n", b"3\n"]
    assert await stream.readlines(0) == []
    assert await stream.readlines(n=1) == [b"4\n"]
    assert await stream.readlines(2, eol=b"|") == [b"5|", b"6|"]


async def test_readexactly(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"abcdefgh")
    assert await stream.readexactly(3) == b"abc"
    assert await stream.readexactly(0) == b""
    reading = flavour.start(stream.readexactly, 8)
    await flavour.waiting(stream, 1)
    peer.send(b"ijk")
    assert await flavour.result(reading) == b"defghijk"


async def test_readuntil(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted, eol=b"\r")
    peer.send(b"a\rb\nc;d>>e")
    assert await stream.readuntil() == b"a\rb\n", "readuntil does not follow the stream's eol"
    assert await stream.readuntil(b";") == b"c;"
    assert await stream.readuntil(separator=b">>") == b"d>>"


async def test_wait_readable_takes_nothing(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    await stream.wait_readable(0)
    for data in (b"", b"a"):
        peer.send(data)
        with pytest.raises(flavour.ConnectionTimeoutError, match="2 bytes have not come in time"):
            await stream.wait_readable(2, timeout=0.05)
    waiting = flavour.start(stream.wait_readable, 2)
    await flavour.receiving(stream)
    await stream.write(b"meanwhile")
    peer.expect(b"meanwhile")
    peer.send(b"bc")
    await flavour.result(waiting)
    await stream.wait_readable(2, timeout=0)
    assert await stream.readexactly(3) == b"abc"
    waiting = flavour.start(stream.wait_readable)
    await flavour.receiving(stream)
    peer.close()
    assert isinstance(await flavour.error(waiting), flavour.ConnectionEOFError)
    assert stream.connection_counter == 1


@pytest.mark.only("aio", "trio")
async def test_wait_readable_that_is_cancelled_leaves_the_connection_alone(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    waiting = flavour.start(stream.wait_readable, 2)
    await flavour.receiving(stream)
    peer.send(b"a")
    await flavour.until(lambda: stream.in_waiting() == 1)
    waiting.cancel()
    await flavour.error(waiting)
    peer.send(b"b\n")
    assert await stream.readline(timeout=5) == b"ab\n"
    assert stream.connection_counter == 1


async def test_readbuffer(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    assert await stream.readbuffer() == b""
    peer.send(b"some bytes")
    await flavour.until(lambda: stream.in_waiting() == 10)
    assert await stream.readbuffer() == b"some bytes"
    assert await stream.readbuffer() == b""
    assert stream.connected()


async def test_readbuffer_tells_the_end_of_the_stream(flavour: Flavour, scripted: Server) -> None:
    stream = flavour.TCP(scripted.host, scripted.port, auto_reconnect=False)
    await stream.open()
    peer = await flavour.call(scripted.peer)
    peer.send(b"the rest")
    peer.close()
    received = b""

    async def collect() -> None:
        nonlocal received
        while True:
            received += await stream.readbuffer()

    with pytest.raises(EOFError):
        await collect()
    assert received == b"the rest"


async def test_in_waiting_and_reset_input_buffer(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    peer.send(b"line\nrest")
    await flavour.until(lambda: stream.in_waiting() == 9)
    assert await stream.readline() == b"line\n"
    assert stream.in_waiting() == 4
    stream.reset_input_buffer()
    assert stream.in_waiting() == 0
    peer.send(b"new\n")
    assert await stream.readline() == b"new\n"
    await stream.close()
    assert stream.in_waiting() == 0
    stream.reset_input_buffer()


async def test_at_eof(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    assert not stream.at_eof()
    peer.send(b"rest")
    peer.close()
    await flavour.until(lambda: not stream.connected())
    await flavour.until(lambda: stream.in_waiting() == 4)
    assert not stream.at_eof()
    assert await stream.read(4) == b"rest"
    await flavour.until(stream.at_eof)


# Writes and exchanges


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_write_takes_anything_made_of_bytes(flavour: Flavour, scripted: Server, kind: Any) -> None:
    stream, peer = await connected(flavour, scripted)
    assert await stream.write(kind(b"data\n")) is None
    assert await stream.writelines([kind(b"one\n"), kind(b"two\n")]) is None
    await stream.writelines(line for line in (b"three\n",))
    await stream.write(b"")
    await stream.writelines([])
    await stream.close()
    assert peer.gone()
    assert bytes(peer.received) == b"data\none\ntwo\nthree\n"


async def test_a_large_write_arrives_whole(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    data = bytes(range(256)) * (20 * 4096)
    for timeout in (None, 10):
        writing = flavour.start(stream.write, data, timeout=timeout)
        received = await flavour.call(peer.readexactly, len(data))
        assert received == data
        assert await flavour.result(writing) is None


async def test_exchanges(flavour: Flavour, scripted: Server) -> None:
    def script(peer: Peer) -> None:
        peer.answer(b"read\n", b"abc")
        peer.answer(b"line\n", b"a line\n")
        peer.answer(b"semicolon\n", b"a line;")
        peer.answer(b"lines\n", b"1\n2\n3\n")
        peer.answer(b"a\nb\n", b"A\nB\n")
        peer.answer(b"c\nd\n", b"C;")
        peer.answer(b"none\n", b"")
        peer.answer(b"all\n", b"everything\n")

    scripted.script = script
    stream = flavour.TCP(*scripted.address)
    assert await stream.write_read(b"read\n", 3) == b"abc"
    assert await stream.write_readline(b"line\n") == b"a line\n"
    assert await stream.write_readline(b"semicolon\n", eol=b";") == b"a line;"
    assert await stream.write_readlines(b"lines\n", 3) == [b"1\n", b"2\n", b"3\n"]
    assert await stream.writelines_readlines([b"a\n", b"b\n"]) == [b"A\n", b"B\n"]
    assert await stream.writelines_readlines([b"c\n", b"d\n"], n=1, eol=b";") == [b"C;"]
    assert await stream.writelines_readlines([b"none\n"], 0) == []
    assert await stream.write_read(b"all\n") == b"everything\n"
    assert stream.connection_counter == 1


async def test_an_attribute_that_is_set_holds_from_then_on(flavour: Flavour, scripted: Server) -> None:
    stream, peer = await connected(flavour, scripted)
    stream.eol = b"\r"
    peer.send(b"a\rb;")
    assert await stream.readline() == b"a\r"
    stream.timeout = 0.02
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.readline()
    stream.auto_reconnect = False
    with pytest.raises(ConnectionError, match="open"):
        await stream.readline()


async def test_the_stream_names_its_resource(flavour: Flavour, scripted: Server) -> None:
    stream, _ = await connected(flavour, scripted)
    assert str(stream) == f"tcp://127.0.0.1:{scripted.port}"
    assert f"tcp://127.0.0.1:{scripted.port}" in repr(stream)


@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_unix_sockets(flavour: Flavour, tmp_path: Any) -> None:
    path = str(tmp_path / "instrument.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        stream = flavour.Unix(path, timeout=5)
        asking = flavour.start(stream.write_readline, b"a?\n")
        sock, _ = await flavour.call(listener.accept)
        peer = Peer(sock)
        await flavour.call(peer.answer, b"a?\n", b"b\n")
        assert await flavour.result(asking) == b"b\n"
        assert stream.path == path
        peer.close()


# Names that 0.15 had

METHODS = [
    "open", "close", "connected", "at_eof", "in_waiting", "reset_input_buffer", "read", "readline", "readlines",
    "readexactly", "readuntil", "readbuffer", "write", "writelines", "write_read", "write_readline",
    "write_readlines", "writelines_readlines",
]  # fmt: skip
NEW_METHODS = [
    "read_into", "readblock", "readframe", "writeframe", "write_readblock", "write_readframe",
]  # fmt: skip


@pytest.mark.parametrize("name", METHODS + NEW_METHODS)
@pytest.mark.only("aio", "trio", "sio", "futures")
async def test_every_method_is_documented(flavour: Flavour, name: str) -> None:
    method = getattr(flavour.module.TCP, name)
    assert inspect.getdoc(method)
    if name not in ("open", "close", "connected", "at_eof", "in_waiting", "reset_input_buffer"):
        assert "timeout" in inspect.signature(method).parameters
    assert inspect.iscoroutinefunction(method) == (
        not flavour.blocks and name not in ("connected", "at_eof", "in_waiting", "reset_input_buffer")
    )


def test_the_old_names_are_where_they_were() -> None:
    import sockio.aio
    import sockio.common
    import sockio.py2
    import sockio.sio

    for module, names in [
        (sockio, "__version__ CONCURRENCY_MAP socket_for_url"),
        (
            sockio.common,
            "IPTOS_NORMAL IPTOS_LOWDELAY IPTOS_THROUGHPUT IPTOS_RELIABILITY IPTOS_MINCOST DEFAULT_LIMIT log "
            "ConnectionEOFError ConnectionTimeoutError",
        ),
        (
            sockio.aio,
            "TCP socket_for_url BaseStream LineStream BlockStream DFT_KEEP_ALIVE ConnectionEOFError "
            "ConnectionTimeoutError DEFAULT_LIMIT IPTOS_LOWDELAY",
        ),
        (sockio.sio, "TCP socket_for_url"),
        (sockio.py2, "TCP log main"),
    ]:
        for name in names.split():
            assert hasattr(module, name), f"{module.__name__}.{name}"
    kinds = ["NORMAL", "LOWDELAY", "THROUGHPUT", "RELIABILITY", "MINCOST"]
    values = [getattr(sockio.common, f"IPTOS_{kind}") for kind in kinds]
    assert values == [0x00, 0x10, 0x08, 0x04, 0x02]
    assert sockio.common.DEFAULT_LIMIT == 1048576
    assert sockio.aio.DFT_KEEP_ALIVE == {"active": 1, "idle": 60, "retry": 3, "interval": 10}
    assert sockio.common.log.name == "sockio"
