"""A server for one client at a time: who gets in, how it leaves, and who is told."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sockio import tcpip

from .helpers import PATIENCE, Reports, connect, eventually, log, one_side, open_descriptors, raises_timeout, soon


def server(reports=None, **kwargs):
    return tcpip.OneClientServer("127.0.0.1", 0, log, (reports or Reports()).callback, **kwargs)


async def test_attributes(reports):
    this = tcpip.OneClientServer("127.0.0.1", 0, log, reports.callback, 0.2, "dome", "ascii", b"\r")
    assert this.port == 0
    async with this:
        assert this.host == "127.0.0.1"
        assert this.port > 0
        assert this.addresses == [("127.0.0.1", this.port)]
        assert (this.name, this.encoding, this.terminator) == ("dome", "ascii", b"\r")
        assert this.monitor_connection_interval == 0.2
        assert this.log.name == "controller.OneClientServer(dome)"
        assert this.start_task.result() is None
        assert not this.connected_task.done()
        assert not this.connected
        assert not this.should_be_connected
        assert reports.states == []
    assert this.done_task.result() is None
    assert this.addresses == []


async def test_a_port_of_ones_own():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with tcpip.OneClientServer("127.0.0.1", port, log) as this:
        assert this.port == port
        await (await connect(this)).close()


async def test_all_interfaces_have_no_single_port():
    async with tcpip.OneClientServer(None, 0, log) as this:
        assert len(this.addresses) == 2
        assert this.port == 0
        for host, port in this.addresses:
            async with tcpip.Client("::1" if ":" in host else "127.0.0.1", port, log) as client:
                await client.write(b"hello")
                await soon(this.connected_task)
                assert await soon(this.readexactly(5)) == b"hello"
            await eventually(lambda: not this.connected_task.done())


async def test_all_interfaces_of_one_kind():
    async with tcpip.OneClientServer(None, 0, log, family=socket.AF_INET) as this:
        assert this.addresses == [("0.0.0.0", this.port)]


@pytest.mark.parametrize("name", ["sock", "flags", "start_serving", "nonsense"])
async def test_what_cannot_be_done_is_refused_at_once(name):
    with pytest.raises(TypeError, match=f"{name}.*takes limit, ssl"):
        server(**{name: 1})


async def test_several_hosts_are_refused_at_once():
    with pytest.raises(TypeError, match="one name or address"):
        tcpip.OneClientServer(["127.0.0.1", "::1"], 0, log)


async def test_arguments_of_asyncios():
    kwargs = {"reuse_address": True, "reuse_port": True, "backlog": 3, "ssl_handshake_timeout": 1}
    async with server(**kwargs) as this:
        async with tcpip.OneClientServer("127.0.0.1", this.port, log, **kwargs) as other:
            assert other.port == this.port
    refused = server(reuse_address=False)
    with pytest.raises(ValueError, match="reuse_address"):
        await refused.start_task


async def test_a_port_in_use_is_the_error_of_start_task(logged, capsys):
    async with server() as this:
        other = tcpip.OneClientServer("127.0.0.1", this.port, log)
        with pytest.raises(OSError, match="in use"):
            await soon(other.start_task)
        assert other.done_task.result() is None
        assert "could not start" in logged.text
        assert capsys.readouterr() == ("", "")
        await other.close()


async def test_it_starts_once():
    async with server() as this:
        with pytest.raises(RuntimeError, match="already"):
            await this.start()


async def test_a_client_connects_and_hangs_up(reports):
    async with server(reports) as this:
        connected_task = this.connected_task
        peer = await connect(this)
        assert await soon(connected_task) is None
        await eventually(lambda: reports.states == [True])
        assert this.connected
        assert this.should_be_connected
        await peer.close()
        await eventually(lambda: reports.states == [True, False])
        assert not this.connected
        assert this.should_be_connected
        assert not this.done_task.done()
        assert reports.objects == [this, this]


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_the_end_is_noticed_at_once_although_nobody_reads(reports, end):
    async with one_side("server", reports, monitor_connection_interval=1000 * PATIENCE) as (this, peer):
        if end == "close":
            await peer.close()
        else:
            peer.reset()
        await eventually(lambda: reports.states == [True, False])
        assert this.should_be_connected


async def test_without_a_monitor_a_read_notices(reports):
    async with one_side("server", reports, monitor_connection_interval=0) as (this, peer):
        await peer.close()
        await eventually(lambda: not this.connected)
        assert reports.states == [True]
        with pytest.raises(ConnectionError):
            await this.read_str()
        assert reports.states == [True, False]


async def test_many_clients_one_after_the_other(reports):
    async with server(reports) as this:
        before = open_descriptors()
        for number in range(20):
            peer = await connect(this)
            await soon(this.connected_task)
            await this.write_str(f"you are number {number}")
            await peer.expect(b"you are number %d\r\n" % number)
            await peer.send(b"thanks\r\n")
            assert await soon(this.read_str()) == "thanks"
            await peer.close()
            await eventually(lambda: not this.connected_task.done())
        assert reports.states == [True, False] * 20
        await eventually(lambda: open_descriptors() <= before)


async def test_a_second_client_is_disconnected_at_once(reports, logged):
    async with server(reports) as this:
        first = await connect(this)
        await soon(this.connected_task)
        second = await connect(this)
        await second.expect_end()
        levels = [record.levelname for record in logged.records if "there is a client already" in record.message]
        assert levels == ["ERROR"]
        await first.send(b"still here\r\n")
        assert await soon(this.read_str()) == "still here"
        assert reports.states == [True]
        await first.close()
        await second.close()


async def test_a_flood_of_clients_leaves_the_first_alone(reports):
    async with server(reports) as this:
        first = await connect(this)
        await soon(this.connected_task)
        before = open_descriptors()
        others = await asyncio.gather(*(connect(this) for _ in range(100)))
        for other in others:
            await other.expect_end()
            await other.close()
        await first.send(b"still here\r\n")
        assert await soon(this.read_str()) == "still here"
        assert reports.states == [True]
        await eventually(lambda: open_descriptors() <= before)
        await first.close()


async def test_a_client_that_returns_before_its_loss_was_noticed(reports):
    """Without a monitor nobody has noticed: the old one is closed first, then the new one gets in."""
    async with server(reports, monitor_connection_interval=0) as this:
        old = await connect(this)
        await soon(this.connected_task)
        await old.close()
        await eventually(lambda: not this.connected)
        new = await connect(this)
        await eventually(lambda: reports.states == [True, False, True])
        await new.send(b"back\r\n")
        assert await soon(this.read_str()) == "back"
        await new.close()


async def test_close_client_goes_on_listening(reports):
    async with server(reports) as this:
        await this.close_client()
        peer = await connect(this)
        connected_task = this.connected_task
        await soon(connected_task)
        await this.close_client()
        assert not this.connected
        assert not this.should_be_connected
        assert this.connected_task is not connected_task
        assert not this.connected_task.done()
        assert reports.states == [True, False]
        await peer.expect_end()
        await this.close_client()
        assert reports.states == [True, False]
        again = await connect(this)
        await soon(this.connected_task)
        assert this.should_be_connected
        await peer.close()
        await again.close()
    await this.close_client()


async def test_basic_close_client_leaves_should_be_connected(reports):
    async with one_side("server", reports) as (this, peer):
        await this.basic_close_client()
        assert this.should_be_connected
        assert not this.connected
        assert not this.connected_task.done()
        assert reports.states == [True, False]
        await peer.expect_end()


async def test_connected_task_may_be_replaced():
    async with server() as this:
        mine = this.connected_task = asyncio.get_running_loop().create_future()
        peer = await connect(this)
        assert await soon(mine) is None
        await peer.close()


async def test_who_waits_for_a_client_in_vain_may_wait_again():
    async with server() as this:
        await raises_timeout(this.connected_task)
        waiting = asyncio.ensure_future(this.connected_task)
        peer = await connect(this)
        assert await soon(waiting) is None
        assert this.connected_task.done()
        await peer.close()


async def test_close(reports):
    async with server(reports) as this:
        peer = await connect(this)
        await soon(this.connected_task)
        reading = asyncio.create_task(this.read_str())
        await asyncio.sleep(0)
        await this.close()
        with pytest.raises(ConnectionError):
            await soon(reading)
        assert this.done_task.result() is None
        assert not this.connected
        assert not this.should_be_connected
        assert reports.states == [True, False]
        await peer.expect_end()
        with pytest.raises(ConnectionRefusedError):
            await connect(this)
        await this.close()
        assert reports.states == [True, False]
        await peer.close()


async def test_close_at_once():
    this = server()
    await this.close()
    assert this.done_task.result() is None
    with pytest.raises(ConnectionAbortedError):
        await this.start_task


async def test_the_callback_may_close_the_server(reports):
    async def close(this):
        await reports.callback(this)
        await this.close()

    this = tcpip.OneClientServer("127.0.0.1", 0, log, close)
    await soon(this.start_task)
    peer = await connect(this)
    await soon(this.done_task)
    await peer.expect_end()
    assert reports.states == [True, False]
    await peer.close()


async def test_what_a_subclass_raises_while_closing_is_logged(logged):
    class Clumsy(tcpip.OneClientServer):
        async def close_client(self):
            await super().close_client()
            raise ValueError("clumsy")

    async with Clumsy("127.0.0.1", 0, log) as this:
        pass
    assert this.done_task.done()
    assert "clumsy" in logged.text


async def test_a_callback_that_does_not_end_holds_nobody_up_for_ever(monkeypatch):
    monkeypatch.setattr("sockio.tcpip.one_client_server.CLOSE_TIMEOUT", 0.05)

    async def hang(this):
        if this.connected:
            await asyncio.Event().wait()

    async with tcpip.OneClientServer("127.0.0.1", 0, log, hang) as this:
        peer = await connect(this)
        await soon(this.connected_task)
        await soon(this.close())
        await peer.expect_end()
        await peer.close()


async def test_a_client_that_only_stops_sending_is_answered():
    """As `nc -N` does: several requests, the end of its sending side, and then it waits for the replies."""
    async with server(monitor_connection_interval=1000 * PATIENCE) as this:
        peer = await connect(this)
        await peer.send(b"one\r\ntwo\r\n")
        peer.writer.write_eof()
        await soon(this.connected_task)
        assert await soon(this.read_str()) == "one"
        await this.write_str("answer to one")
        await peer.expect(b"answer to one\r\n")
        assert await soon(this.read_str()) == "two"
        await peer.close()
