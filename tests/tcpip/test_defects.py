"""What went wrong in the package that this one takes the place of, and must not here."""

from __future__ import annotations

import asyncio

import pytest

from sockio import tcpip

from .helpers import PATIENCE, Reports, connect, eventually, listening, log, one_side, raises_timeout, soon


@pytest.mark.parametrize("call", ["read", "readline"])
async def test_the_end_closes_this_side_and_then_there_is_no_connection(side, call):
    """What they return at the end is asyncio's: nothing, or a part of a line. Asked again, they raise."""
    reports = Reports()
    async with one_side(side, reports, monitor_connection_interval=0) as (this, peer):
        reading = asyncio.create_task(getattr(this, call)())
        await peer.send(b"part")
        await peer.close()
        assert await soon(reading) == b"part"
        assert not this.connected
        assert reports.states == [True, False]
        with pytest.raises(ConnectionError):
            await getattr(this, call)()


async def test_a_request_gets_no_late_reply_of_another_one(side):
    """Where that matters, an exchange ends the connection in which a late reply could come."""
    async with one_side(side) as (this, peer):
        with pytest.raises(TimeoutError):
            await this.exchange_str("temperature?", timeout=0.01)
        await peer.expect(b"temperature?\r\n")
        peer.writer.write(b"22.5\r\n")
        with pytest.raises(ConnectionError):
            await this.exchange_str("pressure?", timeout=PATIENCE)


async def test_an_exchange_takes_no_reply_that_a_cancelled_read_has_left(side):
    async with one_side(side) as (this, peer):
        await this.write_str("temperature?")
        await raises_timeout(this.read_str())
        await peer.send(b"22.5\r\n")
        await eventually(lambda: this.stream.in_waiting())
        asking = asyncio.create_task(this.exchange_str("pressure?", PATIENCE))
        await peer.expect(b"temperature?\r\npressure?\r\n")
        await peer.send(b"1013\r\n")
        assert await soon(asking) == "1013"


async def test_nothing_of_a_heartbeat_survives_the_client_or_the_server():
    arguments = {"run_heartbeat_monitor_task": True, "max_heartbeat_interval": PATIENCE}
    async with tcpip.TestOneClientReadLoopServer(port=0, log=log, **arguments) as server:
        peer = await connect(server)
        await peer.send(b"heartbeat\r\n")
        await eventually(lambda: server.heartbeat_received_tai)
        first_task = server.monitor_heartbeats_task
        await peer.close()
        await eventually(lambda: not server.connected_task.done())
        await eventually(first_task.done)
        second = await connect(server)
        await soon(server.connected_task)
        await eventually(lambda: not server.monitor_heartbeats_task.done())
        assert server.heartbeat_received_tai == 0
        last_task = server.monitor_heartbeats_task
        await server.close()
        assert last_task.done()
        await second.close()


async def test_connected_task_waits_for_the_next_client():
    async with tcpip.OneClientServer("127.0.0.1", 0, log) as server:
        peer = await connect(server)
        await soon(server.connected_task)
        await peer.close()
        await eventually(lambda: not server.connected_task.done())
        again = await connect(server)
        await soon(server.connected_task)
        await again.send(b"hello\r\n")
        assert await soon(server.read_str()) == "hello"
        await again.close()


async def test_a_second_client_learns_at_once_that_it_is_not_wanted(reports):
    """It cannot be refused before it has connected; but it is told, and the server's callback is not called."""
    served = Reports()
    async with tcpip.OneClientServer("127.0.0.1", 0, log, served.callback) as server:
        first = await connect(server)
        await soon(server.connected_task)
        async with tcpip.Client("127.0.0.1", server.port, log, reports.callback) as second:
            await eventually(lambda: not second.connected)
            await eventually(lambda: reports.states in ([True, False], []))  # none, if it has gone so soon
            assert second.should_be_connected
            with pytest.raises(ConnectionError):
                await second.read_str()
        assert served.states == [True]
        await first.close()


async def test_a_write_that_fails_closes_this_side_and_is_reported(side):
    reports = Reports()
    async with one_side(side, reports, monitor_connection_interval=0) as (this, peer):
        peer.reset()
        with pytest.raises(ConnectionError):
            await soon(this.write(bytes(2**26)))
        assert not this.connected
        assert reports.states == [True, False]


async def test_the_log_argument_of_the_test_server_counts():
    async with tcpip.TestOneClientReadLoopServer(port=0, log=log) as server:
        assert server.log.parent is log


async def test_connecting_does_not_outlive_close(reports):
    """Closed before its connection was made, a client makes none."""
    async with listening() as (port, peers):
        client = tcpip.Client("127.0.0.1", port, log, reports.callback)
        await client.close()
        with pytest.raises(ConnectionAbortedError):
            await client.start_task
        assert client.done_task.done()
        assert not client.connected
        async with tcpip.Client("127.0.0.1", port, log):
            await soon(peers.get())
            assert peers.empty()
        assert reports.states == []
