"""A client: how it is made, connects, notices the end and is closed."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl

import pytest
import trustme

from sockio import aio, tcpip

from .helpers import PATIENCE, Reports, eventually, listening, log, one_side, open_descriptors, soon, unreachable


async def callback(client):
    pass


class AsyncCallable:
    async def __call__(self, client):
        pass


@pytest.mark.parametrize(
    "wrong", [lambda client: None, AsyncCallable(), 42, functools.partial(lambda extra, client: None, 1)]
)
async def test_the_callback_has_to_be_a_coroutine_function(wrong):
    with pytest.raises(TypeError, match="coroutine function"):
        tcpip.Client("127.0.0.1", 1, log, connect_callback=wrong)


async def test_the_callback_may_be_partial(reports):
    async def called(extra, client):
        assert extra == 1
        await reports.callback(client)

    async with listening() as (port, _):
        async with tcpip.Client("127.0.0.1", port, log, functools.partial(called, 1)):
            assert reports.states == [True]


@pytest.mark.parametrize("wrong", ["\r\n", None, 13])
async def test_the_terminator_has_to_be_bytes(wrong):
    with pytest.raises(ValueError, match="terminator"):
        tcpip.Client("127.0.0.1", 1, log, terminator=wrong)


async def test_the_encoding_has_to_be_known():
    with pytest.raises(ValueError, match="no-such-code"):
        tcpip.Client("127.0.0.1", 1, log, encoding="no-such-code")


@pytest.mark.parametrize("name", ["proto", "happy_eyeballs_delay", "sock", "nonsense"])
async def test_what_cannot_be_done_is_refused_at_once(name):
    with pytest.raises(TypeError, match=f"{name}.*takes limit, ssl"):
        tcpip.Client("127.0.0.1", 1, log, **{name: 1})


def test_there_has_to_be_a_loop():
    with pytest.raises(RuntimeError, match="no running event loop"):
        tcpip.Client("127.0.0.1", 1, log)


def test_the_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        tcpip.BaseClientOrServer(log=log)


async def test_attributes(reports):
    async with listening() as (port, _):
        client = tcpip.Client("127.0.0.1", port, log, reports.callback, 0.2, "dome", "ascii", b"\r", True, 0.5)
        assert not client.connected
        assert not client.should_be_connected
        assert isinstance(client.start_task, asyncio.Task)
        async with client:
            assert (client.host, client.port, client.name) == ("127.0.0.1", port, "dome")
            assert (client.encoding, client.terminator) == ("ascii", b"\r")
            assert client.monitor_connection_interval == 0.2
            assert client.run_heartbeat_send_task
            assert client.heartbeat_send_sleep == 0.5
            assert client.log.name == "controller.Client(dome)"
            assert client.connected
            assert client.should_be_connected
            assert client.start_task.result() is None
            assert not client.done_task.done()
            assert isinstance(client.stream, aio.TCP)
            assert reports.objects == [client]
        assert client.done_task.result() is None


async def test_the_logger_is_named_after_the_subclass():
    class DomeClient(tcpip.Client):
        pass

    client = DomeClient("", 0, log)
    assert client.log.name == "controller.DomeClient()"


async def test_no_host_is_a_client_that_is_closed_already(reports):
    client = tcpip.Client("", 0, log, reports.callback)
    assert client.start_task.result() is False
    assert client.done_task.result() is False
    assert client.heartbeat_send_task.done()
    assert not client.connected
    assert not client.should_be_connected
    await client.close()
    await client.basic_close()
    assert client.done_task.result() is False
    assert reports.states == []


async def test_it_starts_once():
    async with one_side("client") as (client, _):
        with pytest.raises(RuntimeError, match="already"):
            await client.start()
        assert client.connected


async def test_close(reports):
    async with one_side("client", reports) as (client, peer):
        await client.close()
        assert not client.connected
        assert not client.should_be_connected
        assert client.done_task.result() is None
        assert reports.states == [True, False]
        await peer.expect_end()
        await client.close()
        assert reports.states == [True, False]


async def test_basic_close_leaves_should_be_connected(reports):
    async with one_side("client", reports) as (client, peer):
        await client.basic_close()
        assert not client.connected
        assert client.should_be_connected
        assert client.done_task.result() is None
        assert reports.states == [True, False]
        await peer.expect_end()


async def test_close_ends_a_read_that_waits(reports):
    async with one_side("client", reports) as (client, _):
        reading = asyncio.create_task(client.read_str())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectionError):
            await soon(reading)
        assert reports.states == [True, False]


async def test_the_callback_may_close_the_client(reports):
    async def close(client):
        await reports.callback(client)
        await client.close()

    async with listening() as (port, _):
        client = tcpip.Client("127.0.0.1", port, log, close)
        await soon(client.start_task)
        await soon(client.done_task)
        assert reports.states == [True, False]


async def test_what_the_callback_raises_is_logged(logged):
    async def fail(client):
        raise ValueError(f"connected is {client.connected}")

    async with listening() as (port, _):
        async with tcpip.Client("127.0.0.1", port, log, fail) as client:
            assert client.connected
    assert "connected is True" in logged.text
    assert "connected is False" in logged.text


async def test_the_callback_is_called_when_something_has_changed(side, reports):
    async with one_side(side, reports) as (this, _):
        await this.call_connect_callback()
        assert reports.states == [True]


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_the_end_is_noticed_at_once_although_nobody_reads(reports, end):
    """At once: the interval is so long that nobody could wait for it."""
    async with one_side("client", reports, monitor_connection_interval=1000 * PATIENCE) as (client, peer):
        if end == "close":
            await peer.close()
        else:
            peer.reset()
        await eventually(lambda: reports.states == [True, False])
        assert not client.connected
        assert client.should_be_connected
        assert not client.done_task.done()


async def test_monitoring_may_be_changed_while_connected(reports):
    async with one_side("client", reports, monitor_connection_interval=0) as (client, peer):
        client.monitor_connection_interval = 1000 * PATIENCE
        await peer.close()
        await eventually(lambda: reports.states == [True, False])


@pytest.mark.parametrize("interval", [0, -1])
async def test_without_a_monitor_nobody_is_told(reports, interval):
    async with one_side("client", reports, monitor_connection_interval=interval) as (client, peer):
        await peer.close()
        await eventually(lambda: not client.connected)
        assert reports.states == [True]
    assert reports.states == [True, False]


async def test_what_the_peer_left_can_be_read_and_then_the_end_is_noticed(reports):
    async with one_side("client", reports, monitor_connection_interval=1000 * PATIENCE) as (client, peer):
        await peer.send(b"one\r\ntwo\r\n")
        await peer.close()
        await eventually(lambda: client.stream.at_eof() or not client.stream.connected())
        assert client.connected
        assert await soon(client.read_str()) == "one"
        await client.write_str("nobody will read this")
        assert client.connected
        assert reports.states == [True]
        assert await soon(client.read_str()) == "two"
        assert not client.connected
        await eventually(lambda: reports.states == [True, False])


async def test_a_write_that_fails_is_noticed(reports):
    async with one_side("client", reports, monitor_connection_interval=0) as (client, peer):
        writing = asyncio.create_task(client.write(bytes(2**25)))
        await asyncio.sleep(0)
        peer.reset()
        with pytest.raises(ConnectionError):
            await soon(writing)
        assert reports.states == [True, False]
        assert client.should_be_connected


async def test_a_write_waits_for_a_peer_that_takes_its_time():
    async with one_side("client") as (client, peer):
        writing = asyncio.create_task(client.write(bytes(2**25)))
        await asyncio.sleep(0.01)
        assert not writing.done()
        assert await soon(peer.reader.readexactly(2**25)) == bytes(2**25)
        await soon(writing)


async def test_a_write_cut_in_the_middle_ends_the_connection(reports):
    async with one_side("client", reports) as (client, peer):
        writing = asyncio.create_task(client.write(bytes(2**25)))
        await asyncio.sleep(0.01)
        writing.cancel()
        await eventually(lambda: reports.states == [True, False])
        assert not client.connected
        assert len(await soon(peer.reader.read())) < 2**25


# Starting


async def test_a_refused_connection_is_the_error_of_start_task(logged, capsys, reports):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = tcpip.Client("127.0.0.1", port, log, reports.callback)
    with pytest.raises(ConnectionRefusedError):
        await soon(client.start_task)
    assert client.done_task.result() is None
    assert not client.should_be_connected
    assert reports.states == []
    assert "could not start" in logged.text
    assert capsys.readouterr() == ("", "")
    await client.close()


async def test_async_with_raises_what_start_raises():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        async with tcpip.Client("127.0.0.1", port, log):
            pytest.fail("it has not started")


@pytest.mark.parametrize("begun", [False, True])
async def test_close_ends_connecting(begun, reports):
    waiting, port = unreachable()
    client = tcpip.Client("127.0.0.1", port, log, reports.callback)
    before = open_descriptors()
    if begun:
        await eventually(lambda: open_descriptors() > before)
    await soon(client.close())
    with pytest.raises(ConnectionAbortedError):
        await client.start_task
    assert client.done_task.result() is None
    assert not client.connected
    assert reports.states == []
    assert open_descriptors() <= before
    for sock in waiting:
        sock.close()


async def test_cancelling_start_task_ends_connecting():
    waiting, port = unreachable()
    client = tcpip.Client("127.0.0.1", port, log)
    await asyncio.sleep(0.01)
    client.start_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.start_task
    assert client.done_task.done()
    for sock in waiting:
        sock.close()


async def test_do_start_is_for_subclasses_that_are_not_ready(reports):
    class Late(tcpip.Client):
        def __init__(self, **kwargs):
            super().__init__(host="", **kwargs)

    class Server(tcpip.BaseClientOrServer):
        started = False

        async def start(self, **kwargs):
            self.started = True

        async def close(self):
            pass

    server = Server(log=log, do_start=False)
    assert not server.start_task.done()
    await asyncio.sleep(0)
    assert not server.started
    other = Server(log=log, anything="goes")
    await soon(other.start_task)
    assert other.started
    assert Late(port=1, log=log).done_task.done()


async def test_a_subclass_may_have_arguments_of_its_own_for_start():
    class Greeting(tcpip.Client):
        async def start(self, greeting, **kwargs):
            await super().start(**kwargs)
            await self.write_str(greeting)

    async with listening() as (port, peers):
        async with Greeting(host="127.0.0.1", port=port, log=log, greeting="hello", limit=100):
            await (await soon(peers.get())).expect(b"hello\r\n")
        with pytest.raises(TypeError, match="greeting"):
            Greeting(host="127.0.0.1", port=port, log=log)


# Arguments of asyncio.open_connection


async def test_from_a_local_address():
    async with listening() as (port, peers):
        async with tcpip.Client("127.0.0.1", port, log, local_addr=("127.0.0.9", 0)):
            peer = await soon(peers.get())
            assert peer.writer.get_extra_info("peername")[0] == "127.0.0.9"


async def test_addresses_of_a_family_and_with_flags():
    async with listening() as (port, _):
        async with tcpip.Client("localhost", port, log, family=socket.AF_INET) as client:
            assert client.connected
        async with tcpip.Client("127.0.0.1", port, log, flags=socket.AI_NUMERICHOST) as client:
            assert client.connected
        client = tcpip.Client("127.0.0.1", port, log, family=socket.AF_INET6)
        with pytest.raises(OSError, match=r"[Aa]ddress family"):
            await client.start_task
        client = tcpip.Client("localhost", port, log, flags=socket.AI_NUMERICHOST)
        with pytest.raises(OSError, match="not known"):
            await client.start_task


async def test_ipv6():
    async with tcpip.OneClientServer(tcpip.LOCALHOST_IPV6, 0, log) as server:
        async with tcpip.Client(tcpip.LOCALHOST_IPV6, server.port, log) as client:
            await client.write_str("hello")
            await soon(server.connected_task)
            assert await soon(server.read_str()) == "hello"


async def test_tls():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("dome.example").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    reports = Reports()
    async with tcpip.OneClientServer("127.0.0.1", 0, log, ssl=context) as server:
        arguments = {"ssl": trusting, "ssl_handshake_timeout": PATIENCE, "ssl_shutdown_timeout": PATIENCE}
        client = tcpip.Client("127.0.0.1", server.port, log, reports.callback, **arguments)
        with pytest.raises(ssl.SSLCertVerificationError):
            await soon(client.start_task)
        arguments["server_hostname"] = "dome.example"
        async with tcpip.Client("127.0.0.1", server.port, log, reports.callback, **arguments) as client:
            await soon(server.connected_task)
            assert await soon(asyncio.gather(client.write_str("hello"), server.read_str())) == [None, "hello"]
            await server.write(b"bye")
            await server.close_client()
            assert await soon(client.read()) == b"bye"
            assert reports.states == [True, False]


@pytest.mark.parametrize("kwargs", [{"ssl_handshake_timeout": 0.02}, {}])
async def test_a_server_that_does_not_shake_hands(kwargs, monkeypatch):
    if not kwargs:
        monkeypatch.setattr("sockio.tcpip.client.HANDSHAKE_TIMEOUT", 0.02)
    async with listening() as (port, _):
        client = tcpip.Client("127.0.0.1", port, log, ssl=ssl.create_default_context(), **kwargs)
        with pytest.raises(TimeoutError):
            await soon(client.start_task)


@pytest.mark.parametrize("name", ["", "dome.example"])
async def test_a_host_name_for_tls_that_cannot_be_checked_is_refused(name):
    client = tcpip.Client("127.0.0.1", 1, log, server_hostname=name, ssl=not name)
    with pytest.raises(ValueError, match="server_hostname"):
        await client.start_task


# Heartbeats


async def test_heartbeats_are_sent_at_once_and_again_and_again():
    kwargs = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 0.01, "terminator": b"\n"}
    async with one_side("client", **kwargs) as (client, peer):
        await peer.expect(b"heartbeat\n" * 3)
        assert not client.heartbeat_send_task.done()
        await client.close()
        assert client.heartbeat_send_task.done()


async def test_the_first_heartbeat_waits_for_nothing():
    kwargs = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 1000 * PATIENCE}
    async with one_side("client", **kwargs) as (_, peer):
        await peer.expect(b"heartbeat\r\n")


async def test_no_heartbeats_unless_asked_for():
    async with one_side("client") as (client, peer):
        assert client.heartbeat_send_task.done()
        await client.write(b"first\n")
        await peer.expect(b"first\n")


async def test_heartbeats_end_with_the_connection(reports):
    kwargs = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 1000 * PATIENCE}
    async with one_side("client", reports, **kwargs) as (client, peer):
        await peer.close()
        await eventually(lambda: reports.states == [True, False])
        assert client.heartbeat_send_task.done()


async def test_a_heartbeat_that_cannot_be_sent_is_noticed(reports, logged):
    """Without a monitor, they are what finds out that the connection has ended."""
    kwargs = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 0.01, "monitor_connection_interval": 0}
    async with one_side("client", reports, **kwargs) as (client, peer):
        peer.reset()
        await soon(client.heartbeat_send_task)
        assert reports.states == [True, False]
        assert client.should_be_connected
        assert "no heartbeats are sent any more" in logged.text


async def test_heartbeats_are_drained():
    """A peer that reads nothing is not sent more and more."""
    kwargs = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 0, "terminator": bytes(2**20)}
    async with one_side("client", **kwargs) as (client, peer):
        sent = 0
        while sent < 3 * (2**20 + 9):
            sent += len(await soon(peer.reader.read(2**20)))
        assert client.connected
