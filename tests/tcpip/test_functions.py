"""The module's functions, with asyncio's own reader and writer and with our streams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import pytest
import trustme

from sockio import aio, tcpip

from .helpers import TELEMETRY, Telemetry, connect, listening, log, one_side, soon, telemetry


@contextlib.asynccontextmanager
async def pair(kind):
    """What reads and what writes on this side, and the peer."""
    async with listening() as (port, peers):
        if kind == "asyncio":
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        else:
            reader = writer = aio.TCP("127.0.0.1", port)
            await reader.open()
        try:
            yield reader, writer, await soon(peers.get())
        finally:
            await tcpip.close_stream_writer(writer)


kinds = pytest.mark.parametrize("kind", ["asyncio", "sockio"])


@kinds
async def test_a_structure_is_read_from_its_bytes(kind):
    async with pair(kind) as (reader, _, peer):
        struct = Telemetry()
        reading = asyncio.create_task(tcpip.read_into(reader, struct))
        await peer.send(TELEMETRY[:7])
        await peer.send(TELEMETRY[7:])
        await soon(reading)
        assert struct.a_double == 1200.0
        assert list(struct.three_ints) == [-1, 2, 3]


@kinds
async def test_structures_are_written_as_their_bytes(kind):
    async with pair(kind) as (_, writer, peer):
        await tcpip.write_from(writer, telemetry(), telemetry())
        await peer.expect(TELEMETRY * 2)


@kinds
async def test_a_structure_cut_short_is_an_error_with_what_had_come(kind):
    async with pair(kind) as (reader, _, peer):
        struct = telemetry()
        await peer.send(TELEMETRY[:20])
        await peer.close()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await soon(tcpip.read_into(reader, struct))
        assert caught.value.partial == TELEMETRY[:20]
        assert bytes(struct) == TELEMETRY


@kinds
async def test_a_big_structure_goes_both_ways(kind):
    import ctypes

    class Image(ctypes.Structure):
        _fields_ = [("pixels", ctypes.c_uint16 * 2**20)]

    async with pair(kind) as (reader, writer, peer):
        image = Image()
        image.pixels[2**19] = 4711
        sending = asyncio.create_task(tcpip.write_from(writer, image))
        data = await soon(peer.reader.readexactly(2**21))
        await soon(sending)
        assert data == bytes(image)
        sending = asyncio.create_task(peer.send(data))
        copy = Image()
        await soon(tcpip.read_into(reader, copy))
        await soon(sending)
        assert bytes(copy) == data


async def test_a_client_is_a_reader_too():
    async with one_side("client") as (client, peer):
        await peer.send(TELEMETRY)
        struct = Telemetry()
        await soon(tcpip.read_into(client, struct))
        assert bytes(struct) == TELEMETRY


@kinds
async def test_reading_and_writing_when_closed(kind):
    async with pair(kind) as (reader, writer, _):
        await tcpip.close_stream_writer(writer)
        if kind == "sockio":
            reader.auto_reconnect = False
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await tcpip.read_into(reader, Telemetry())


@kinds
async def test_closing_twice_and_after_a_reset_is_safe(kind):
    async with pair(kind) as (_, writer, peer):
        peer.reset()
        await tcpip.close_stream_writer(writer)
        await tcpip.close_stream_writer(writer)


async def test_a_connection_that_broke_is_logged_when_it_is_closed(logged):
    async with pair("asyncio") as (reader, writer, peer):
        peer.reset()
        with pytest.raises(ConnectionResetError):
            await soon(reader.read())
        assert logged.text == ""
        await tcpip.close_stream_writer(writer)
        assert "while it was being closed" in logged.text


async def test_closing_may_be_cancelled():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(bytes(2**25))  # which nobody takes
        closing = asyncio.create_task(tcpip.close_stream_writer(writer))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(closing)
        writer.transport.abort()


@kinds
async def test_closing_tells_the_peer(kind):
    async with pair(kind) as (_, writer, peer):
        await tcpip.close_stream_writer(writer)
        await peer.expect_end()


async def test_a_peer_that_takes_nothing_is_cut_off(monkeypatch, logged):
    monkeypatch.setattr("sockio.tcpip.functions.CLOSE_TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        peer, _ = listener.accept()
        with peer:
            writer.write(bytes(2**25))
            await soon(tcpip.close_stream_writer(writer))
            assert "did not take all that was written" in logged.text
            assert await soon(reader.read()) == b""


@kinds
async def test_idle_connections_are_probed(kind):
    async with pair(kind) as (_, writer, _):
        await tcpip.set_socket_options(writer)
        sock = writer.get_extra_info("socket") if kind == "asyncio" else socket_of(writer)
        assert keep_alive(sock) == (1, 60, 15, 4)


def socket_of(stream):
    return stream._link.transport._descriptor.socket


def keep_alive(sock):
    tcp = socket.IPPROTO_TCP
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        sock.getsockopt(tcp, socket.TCP_KEEPIDLE),
        sock.getsockopt(tcp, socket.TCP_KEEPINTVL),
        sock.getsockopt(tcp, socket.TCP_KEEPCNT),
    )


async def test_every_connection_is_probed_on_both_sides(side):
    async with one_side(side) as (this, _):
        assert keep_alive(socket_of(this.stream)) == (1, 60, 15, 4)


async def test_inside_tls_too():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with tcpip.OneClientServer("127.0.0.1", 0, log, ssl=context) as server:
        async with tcpip.Client("127.0.0.1", server.port, log, ssl=trusting) as client:
            await tcpip.set_socket_options(client.stream)
            await client.write_str("hello")
            await soon(server.connected_task)
            assert await soon(server.read_str()) == "hello"


async def test_options_need_a_connection():
    with pytest.raises(ConnectionError, match="not connected"):
        await tcpip.set_socket_options(aio.TCP("127.0.0.1", 1))


async def test_options_without_the_idle_time(monkeypatch):
    monkeypatch.delattr(socket, "TCP_KEEPIDLE")
    monkeypatch.setattr("sockio.tcpip.functions.IDLE_OPTIONS", ("TCP_KEEPIDLE", "TCP_KEEPALIVE_OF_NO_SYSTEM"))
    async with pair("asyncio") as (_, writer, _):
        with pytest.raises(RuntimeWarning, match="TCP_KEEPIDLE"):
            await tcpip.set_socket_options(writer)


async def test_options_by_the_other_name(monkeypatch):
    """macOS calls it TCP_KEEPALIVE."""
    monkeypatch.setattr(socket, "TCP_KEEPALIVE", socket.TCP_KEEPIDLE, raising=False)
    idle = socket.TCP_KEEPIDLE
    monkeypatch.delattr(socket, "TCP_KEEPIDLE")
    async with pair("asyncio") as (_, writer, _):
        await tcpip.set_socket_options(writer)
        assert writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, idle) == 60


async def test_asyncios_own_client_talks_to_a_server():
    async with tcpip.OneClientServer("127.0.0.1", 0, log) as server:
        peer = await connect(server)
        await soon(server.connected_task)
        await tcpip.write_from(peer.writer, telemetry())
        struct = Telemetry()
        await soon(server.read_into(struct))
        assert bytes(struct) == TELEMETRY
        await server.write_from(struct, struct)
        await peer.expect(TELEMETRY * 2)
        await tcpip.close_stream_writer(peer.writer)
