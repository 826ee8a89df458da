"""What happens at once, in the wrong order, or in the middle of something else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import select
import socket

import pytest

from sockio import tcpip

from .helpers import PATIENCE, Reports, connect, eventually, listening, log, one_side, soon

LONG = 1000 * PATIENCE


class Echo(tcpip.OneClientReadLoopServer):
    async def read_and_dispatch(self):
        await self.write_str((await self.read_str()).upper())


def visit(server, *, leave=True):
    """Connect, and leave, while the loop of the server stands still."""
    visitor = socket.create_connection(("127.0.0.1", server.port))
    if leave:
        visitor.close()
    return visitor


def readable(sock):
    return select.select([sock], [], [], 0)[0]


# A connection that has ended before anybody could look at it


async def test_a_client_that_leaves_at_once_is_reported_all_the_same(reports):
    async with tcpip.OneClientServer("127.0.0.1", 0, log, reports.callback) as server:
        for number in range(1, 4):
            visit(server)
            await eventually(lambda number=number: reports.states == [True, False] * number)
        assert not server.connected
        assert server.should_be_connected


async def test_a_server_that_leaves_at_once_is_reported_all_the_same(reports):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = tcpip.Client(*listener.getsockname(), log, reports.callback)
        await eventually(lambda: readable(listener))
        listener.accept()[0].close()
        async with client:
            await eventually(lambda: reports.states == [True, False])
            assert client.should_be_connected
            assert not client.connected
    assert reports.states == [True, False]


async def test_no_client_is_swallowed_by_the_end_of_the_last_one(reports):
    """The last one leaves and the next one comes in the same moment, while there is much to be ended."""
    arguments = {"connect_callback": reports.callback, "run_heartbeat_monitor_task": True}
    async with Echo(port=0, log=log, **arguments) as server:
        last = visit(server, leave=False)
        await soon(server.connected_task)
        for number in range(1, 20):
            last.close()
            last = visit(server, leave=False)
            await eventually(lambda number=number: len(reports.states) > 2 * number)
            assert reports.states == [True, False] * number + [True]
            last.sendall(b"hello\r\n")
            await eventually(functools.partial(readable, last))
            assert last.recv(100) == b"HELLO\r\n"
        assert not server.monitor_heartbeats_task.done()
        last.close()


async def test_a_callback_that_fails_in_a_wrong_way_spares_the_next_client(reports):
    """It awaits a task that it has cancelled itself, which looks as if its own one were cancelled."""

    async def callback(server):
        await reports.callback(server)
        task = asyncio.create_task(asyncio.sleep(0))
        task.cancel()
        await task

    async with tcpip.OneClientServer("127.0.0.1", 0, log, callback) as server:
        for number in range(1, 3):
            peer = await connect(server)
            await peer.expect_end()
            assert reports.states == [True, False] * number
            assert not server.connected_task.done()
            await peer.close()


# Closing


async def test_closing_twice_at_once(side, reports):
    async with one_side(side, reports) as (this, peer):
        await soon(asyncio.gather(this.close(), this.close()))
        assert reports.states == [True, False]
        assert this.done_task.result() is None
        await peer.expect_end()


async def test_closing_the_client_many_times_at_once(reports):
    async with Echo(port=0, log=log, connect_callback=reports.callback, run_heartbeat_monitor_task=True) as server:
        for _ in range(2):
            peer = await connect(server)
            await peer.send(b"hello\r\n")
            await peer.expect(b"HELLO\r\n")
            await soon(asyncio.gather(*(server.close_client() for _ in range(5)), server.basic_close_client()))
            await peer.expect_end()
            await peer.close()
        assert reports.states == [True, False] * 2


async def test_a_cancelled_close_can_be_made_up_for(side, reports):
    proceed = asyncio.Event()

    async def callback(this):
        await reports.callback(this)
        if not this.connected:
            await proceed.wait()

    async with contextlib.AsyncExitStack() as stack:
        if side == "client":
            port, _ = await stack.enter_async_context(listening())
            this = tcpip.Client("127.0.0.1", port, log, callback)
            await soon(this.start_task)
        else:
            this = tcpip.OneClientServer("127.0.0.1", 0, log, callback)
            await soon(this.start_task)
            stack.push_async_callback((await connect(this)).close)
            await eventually(lambda: reports.states)
        closing = asyncio.create_task(this.close())
        await eventually(lambda: reports.states == [True, False])
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(closing)
        assert not this.connected
        await soon(this.close())
        assert this.done_task.result() is None
        assert reports.states == [True, False]


@pytest.mark.parametrize("kind", ["monitor", "heartbeats"])
async def test_the_callback_may_have_another_task_close_the_client(kind, reports):
    """And goes on afterwards: the task that has found the loss is not cancelled under it."""

    async def callback(client):
        await reports.callback(client)
        if not client.connected and client.should_be_connected:
            await asyncio.create_task(client.close())
            reports.states.append("closed")

    kwargs = {"monitor_connection_interval": LONG}
    if kind == "heartbeats":
        kwargs = {"monitor_connection_interval": 0, "run_heartbeat_send_task": True, "heartbeat_send_sleep": 0.01}
    async with listening() as (port, peers):
        client = tcpip.Client("127.0.0.1", port, log, callback, **kwargs)
        await soon(client.start_task)
        (await soon(peers.get())).reset()
        await eventually(lambda: reports.states == [True, False, "closed"])
        assert client.done_task.done()


async def test_a_start_that_is_cancelled_leaves_no_connection(reports):
    async def callback(client):
        await reports.callback(client)
        await asyncio.Event().wait() if client.connected else None

    async with listening() as (port, peers):
        client = tcpip.Client("127.0.0.1", port, log, callback, run_heartbeat_send_task=True)
        await eventually(lambda: reports.states)
        client.start_task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(client.start_task)
        assert client.done_task.done()
        assert not client.connected
        assert not client.should_be_connected
        assert reports.states == [True, False]
        await soon((await soon(peers.get())).reader.read())


async def test_a_server_that_is_closed_while_clients_connect(reports):
    server = Echo(port=0, log=log, connect_callback=reports.callback)
    await soon(server.start_task)
    visitors = [visit(server, leave=False) for _ in range(20)]
    await soon(server.close())
    assert reports.states in ([], [True, False])
    for visitor in visitors:
        with contextlib.suppress(ConnectionError):
            assert visitor.recv(1) == b""
        visitor.close()


async def test_closing_in_the_middle_of_a_request(reports):
    class Obedient(tcpip.OneClientReadLoopServer):
        async def read_and_dispatch(self):
            command = await self.read_str()
            await getattr(self, command)()
            reports.states.append(command)

    async with Obedient(port=0, log=log, connect_callback=reports.callback) as server:
        peer = await connect(server)
        await peer.send(b"close_client\r\n")
        await peer.expect_end()
        await eventually(lambda: reports.states == [True, False, "close_client"])
        await peer.close()
        peer = await connect(server)
        await peer.send(b"close\r\n")
        await peer.expect_end()
        await eventually(lambda: reports.states == [True, False, "close_client", True, False, "close"])
        assert server.done_task.done()
        await peer.close()


async def test_a_subclass_that_takes_its_time_to_close_spares_the_next_client(reports):
    class Slow(Echo):
        async def close_client(self, **kwargs):
            await asyncio.sleep(0.01)
            await super().close_client(**kwargs)

    async with Slow(port=0, log=log, connect_callback=reports.callback) as server:
        last = visit(server, leave=False)
        await eventually(lambda: reports.states == [True])
        last.close()
        peer = await connect(server)
        await peer.send(b"hello\r\n")
        await peer.expect(b"HELLO\r\n")
        assert reports.states == [True, False, True]
        assert server.should_be_connected
        await peer.close()


async def test_of_two_clients_that_wait_one_is_had(reports):
    """They come while the callback is still told of the last one."""
    proceed = asyncio.Event()

    async def callback(server):
        await reports.callback(server)
        if not server.connected:
            await proceed.wait()

    async with Echo(port=0, log=log, connect_callback=callback) as server:
        visit(server)
        await eventually(lambda: reports.states == [True, False])
        visitors = [await connect(server) for _ in range(3)]
        replies = [asyncio.create_task(visitor.reader.readline()) for visitor in visitors]
        for visitor in visitors:
            await visitor.send(b"hello\r\n")
        await eventually(lambda: len(server._core_server.clients) == 3)
        proceed.set()
        await soon(asyncio.wait(replies))
        assert sorted(reply.exception() is None and reply.result() for reply in replies) == [b"", b"", b"HELLO\r\n"]
        assert reports.states == [True, False, True]
        for visitor in visitors:
            await visitor.close()


# Noticing


async def test_the_end_is_noticed_after_the_last_byte_however_it_is_read(side):
    reports = Reports()
    async with one_side(side, reports, monitor_connection_interval=LONG) as (this, peer):
        await peer.send(b"one\r\ntwo\r\n")
        await peer.close()
        await eventually(lambda: not this.stream.connected())
        assert await soon(this.stream.readlines(2)) == [b"one\r\n", b"two\r\n"]
        await eventually(lambda: reports.states == [True, False])


async def test_a_read_is_cancelled_in_the_moment_of_the_end(side):
    """Whoever notices it, it is told once."""
    for turns in range(5):
        reports = Reports()
        async with one_side(side, reports) as (this, peer):
            reading = asyncio.create_task(this.read_str())
            await asyncio.sleep(0)
            peer.writer.transport.abort()
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                assert isinstance(reading.exception(), ConnectionError)
            await eventually(lambda: reports.states == [True, False])  # noqa: B023


async def test_clients_that_end_in_every_way_leave_nothing_behind():
    """Reads that are given up, exchanges, closes that are cancelled, against a server that answers as it likes."""
    chance = random.Random(4711)

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            while await reader.readline():
                writer.write(chance.choice([b"", b"part of a re", b"reply\r\n", b"reply\r\n"]))
                if chance.random() < 0.2:
                    chance.choice([writer.close, writer.transport.abort])()
        await tcpip.close_stream_writer(writer)

    calls = [
        lambda client: asyncio.wait_for(client.read_str(), 0.002),
        lambda client: client.exchange_str("request", 0.002),
        lambda client: client.write_str("request"),
        lambda client: client.close(),
        lambda client: client.basic_close(),
        lambda client: asyncio.wait_for(client.close(), 0),
    ]
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    for _ in range(40):
        reports = Reports()
        arguments = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 0.001}
        client = tcpip.Client(*server.sockets[0].getsockname(), log, reports.callback, **arguments)
        tasks = [client.start_task]
        for call in chance.choices(calls, [5, 3, 5, 1, 1, 1], k=chance.randrange(6)):
            tasks.append(asyncio.ensure_future(call(client)))
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
        await soon(client.close())
        await soon(asyncio.gather(*tasks, return_exceptions=True))
        errors = [task.exception() for task in tasks if not task.cancelled()]
        assert all(isinstance(error, (type(None), OSError, asyncio.TimeoutError, RuntimeError)) for error in errors)
        assert reports.states in ([], [True, False])
        assert client.done_task.done()
    server.close()
