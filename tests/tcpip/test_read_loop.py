"""A server whose requests are read by a loop, and the one that tests use."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from sockio import tcpip

from .helpers import PATIENCE, Reports, connect, eventually, log, open_descriptors, soon


class Echo(tcpip.OneClientReadLoopServer):
    """Answers in capital letters; "fail" makes it fail, "hang" makes it hang, "leave" disconnects the client."""

    closed = 0

    async def read_and_dispatch(self):
        text = await self.read_str()
        if text == "heartbeat":
            self.handle_received_heartbeat()
        elif text == "fail":
            raise ValueError("told to fail")
        elif text == "hang":
            await asyncio.Event().wait()
        elif text == "leave":
            await self.close_client(cancel_read_loop_task=False)
        else:
            await self.write_str(text.upper())

    async def close_client(self, **kwargs):
        self.closed += 1
        await super().close_client(**kwargs)


def echo(reports=None, **kwargs):
    return Echo(port=0, log=log, connect_callback=(reports or Reports()).callback, **kwargs)


async def ask(peer):
    await peer.send(b"hello\r\n")
    await peer.expect(b"HELLO\r\n")


async def is_answered(server):
    """Tell whether the server takes a client, and not only to turn it away."""
    peer = await connect(server)
    try:
        await ask(peer)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    finally:
        await peer.close()
    return True


def test_it_is_abstract():
    with pytest.raises(TypeError, match="read_and_dispatch"):
        tcpip.OneClientReadLoopServer(port=0, log=log)


async def test_requests_are_answered_for_one_client_after_the_other(reports):
    async with echo(reports, name="dome") as server:
        assert (server.host, server.name) == ("127.0.0.1", "dome")
        assert server.read_loop_task.done()
        tasks = set()
        for _ in range(3):
            peer = await connect(server)
            await ask(peer)
            tasks.add(server.read_loop_task)
            assert not server.read_loop_task.done()
            await peer.close()
            await soon(server.read_loop_task)
            assert not server.connected
        assert len(tasks) == 3
        assert reports.states == [True, False] * 3
    assert server.read_loop_task.done()


async def test_all_requests_are_handled_although_the_client_has_gone():
    async with tcpip.TestOneClientReadLoopServer(port=0, log=log) as server:
        peer = await connect(server)
        await peer.send(b"".join(b"%d\r\n" % number for number in range(100)))
        await peer.close()
        assert [await soon(server.get_next_data()) for _ in range(100)] == [*map(str, range(100))]


async def test_what_goes_wrong_is_logged_and_ends_the_client(reports, logged):
    async with echo(reports) as server:
        peer = await connect(server)
        await ask(peer)
        await peer.send(b"fail\r\n")
        await peer.expect_end()
        await eventually(lambda: reports.states == [True, False])
        assert "told to fail" in logged.text
        assert not server.should_be_connected
        again = await connect(server)
        await ask(again)
        await peer.close()
        await again.close()


async def test_what_goes_wrong_after_the_client_has_gone_is_logged_too(logged):
    class Faulty(tcpip.OneClientReadLoopServer):
        async def read_and_dispatch(self):
            try:
                await self.read_str()
            except ConnectionError:
                raise ValueError("faulty") from None

    async with Faulty(port=0, log=log) as server:
        await (await connect(server)).close()
        await eventually(lambda: "ValueError: faulty" in logged.text)


async def test_the_loss_of_a_client_can_be_told_from_its_dismissal(reports):
    """When connect_callback is called, should_be_connected tells."""
    should_be = []

    async def callback(server):
        if not server.connected:
            should_be.append(server.should_be_connected)

    async with Echo(port=0, log=log, connect_callback=callback) as server:
        peer = await connect(server)
        await ask(peer)
        await peer.close()
        await eventually(lambda: should_be == [True])
        peer = await connect(server)
        await ask(peer)
        await server.close_client()
        assert should_be == [True, False]
        await peer.close()


async def test_a_request_may_dismiss_the_client(reports):
    async with echo(reports) as server:
        peer = await connect(server)
        await peer.send(b"leave\r\n")
        await peer.expect_end()
        await soon(server.read_loop_task)
        assert not server.read_loop_task.cancelled()
        await peer.close()
        await ask(again := await connect(server))
        await again.close()


@pytest.mark.parametrize("closing", ["close", "close_client"])
async def test_closing_ends_a_request_that_hangs(closing):
    async with echo() as server:
        peer = await connect(server)
        await peer.send(b"hang\r\n")
        await eventually(lambda: not server.read_loop_task.done())
        await soon(getattr(server, closing)())
        assert server.read_loop_task.done()
        await peer.expect_end()
        await peer.close()


async def test_a_request_of_a_client_that_has_gone_does_not_answer_the_next_one():
    """Its handler is cancelled when a write elsewhere finds that the client has gone."""
    begun = asyncio.Event()
    proceed = asyncio.Event()

    class Slow(tcpip.OneClientReadLoopServer):
        async def read_and_dispatch(self):
            text = await self.read_str()
            begun.set()
            await proceed.wait()
            await self.write_str(text)

    async with Slow(port=0, log=log) as server:
        old = await connect(server)
        await old.send(b"for the old one\r\n")
        await soon(begun.wait())
        old.reset()
        await eventually(lambda: not server.connected)
        with pytest.raises(ConnectionError):
            await server.write_str("telemetry")
        new = await connect(server)
        await eventually(lambda: server.connected)
        proceed.set()
        await new.send(b"for the new one\r\n")
        await new.expect(b"for the new one\r\n")
        await new.close()


async def test_a_slow_callback_of_the_last_client_is_waited_for(reports):
    proceed = asyncio.Event()

    async def callback(server):
        await reports.callback(server)
        if not server.connected:
            await proceed.wait()
            reports.states.append("told")

    async with Echo(port=0, log=log, connect_callback=callback) as server:
        old = await connect(server)
        await ask(old)
        await old.close()
        await eventually(lambda: reports.states == [True, False])
        new = await connect(server)
        await new.send(b"hello\r\n")
        proceed.set()
        await new.expect(b"HELLO\r\n")
        assert reports.states == [True, False, "told", True]
        await new.close()


async def test_a_loss_that_many_notice_at_once_spares_the_next_client(reports):
    async with echo(reports, run_heartbeat_monitor_task=True) as server:
        for _ in range(10):
            old = await connect(server)
            await ask(old)
            old.reset()
            await eventually(lambda: not server.connected)
            losses = asyncio.gather(*(server.write_str("lost") for _ in range(5)), return_exceptions=True)
            new = await connect(server)
            assert all(isinstance(loss, ConnectionError) for loss in await soon(losses))
            await ask(new)
            await new.close()
            await eventually(lambda: not server.connected_task.done())
        assert reports.states == [True, False] * 20


async def test_clients_that_misbehave_leave_nothing_behind(reports):
    """Each ends in another way, and the next one is served; some come while there is one."""
    chance = random.Random(4711)
    async with echo(reports, run_heartbeat_monitor_task=True, limit=1000) as server:
        before, tasks = open_descriptors(), len(asyncio.all_tasks())
        for _ in range(150):
            peer = await connect(server)
            await peer.send(chance.choice([b"", b"half a li", b"x" * 5000, b"\xff\r\n", b"fail\r\n", b"heartbeat\r\n"]))
            for _ in range(chance.randrange(5)):
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                peer.reset()
            await peer.close()
        while not await is_answered(server):
            pass  # there is still another one
        await eventually(lambda: open_descriptors() <= before and len(asyncio.all_tasks()) <= tasks)
        assert reports.states == [True, False] * (len(reports.states) // 2)


# Heartbeats


async def test_heartbeats_that_are_not_expected_end_the_client(logged):
    async with echo() as server:
        with pytest.raises(RuntimeError, match="run_heartbeat_monitor_task"):
            server.handle_received_heartbeat()
        assert server.monitor_heartbeats_task.done()
        peer = await connect(server)
        await peer.send(b"heartbeat\r\n")
        await peer.expect_end()
        await peer.close()


async def test_heartbeats_keep_a_client():
    async with echo(run_heartbeat_monitor_task=True, max_heartbeat_interval=PATIENCE) as server:
        assert server.max_heartbeat_interval == PATIENCE
        arguments = {"run_heartbeat_send_task": True, "heartbeat_send_sleep": 0.001}
        async with tcpip.Client("127.0.0.1", server.port, log, **arguments) as client:
            await eventually(lambda: server.heartbeat_received_tai)
            # International atomic time is 37 s ahead of UTC since 2017.
            assert abs(server.heartbeat_received_tai - time.time() - 37) < PATIENCE
            await client.write_str("hello")
            assert await soon(client.read_str()) == "HELLO"
            assert not server.monitor_heartbeats_task.done()


async def test_a_heartbeat_may_be_awaited():
    async with echo(run_heartbeat_monitor_task=True) as server:
        assert await server.handle_received_heartbeat() is None


async def test_a_client_without_heartbeats_is_given_up(reports, logged):
    """Also one that has never sent any."""
    async with echo(reports, run_heartbeat_monitor_task=True, max_heartbeat_interval=0.05) as server:
        peer = await connect(server)
        await peer.expect_end()
        await eventually(lambda: reports.states == [True, False])
        assert "no heartbeat in 0.05 s" in logged.text
        assert not server.should_be_connected
        await peer.close()


async def test_a_client_whose_heartbeats_stop_is_given_up(reports, monkeypatch):
    monkeypatch.setattr("sockio.tcpip.read_loop_server.HEARTBEAT_CHECK_INTERVAL", 0.01)
    async with echo(reports, run_heartbeat_monitor_task=True, max_heartbeat_interval=PATIENCE) as server:
        peer = await connect(server)
        await peer.send(b"heartbeat\r\n")
        await eventually(lambda: server.heartbeat_received_tai)
        server.max_heartbeat_interval = 0.01
        await peer.expect_end()
        await eventually(lambda: reports.states == [True, False])
        await peer.close()


async def test_a_client_that_hangs_a_request_is_given_up_all_the_same():
    async with echo(run_heartbeat_monitor_task=True, max_heartbeat_interval=0.05) as server:
        peer = await connect(server)
        await peer.send(b"hang\r\n")
        await peer.expect_end()
        await peer.close()


# The server that tests use


async def test_lines_are_kept():
    async with tcpip.TestOneClientReadLoopServer(port=0, log=log, run_heartbeat_monitor_task=True) as server:
        async with tcpip.Client("127.0.0.1", server.port, log) as client:
            await client.write_str("one")
            await client.write_str("a heartbeat")
            await client.write_str("two")
            assert await soon(server.get_next_data()) == "one"
            assert await soon(server.get_next_data()) == "two"
            assert server.heartbeat_received_tai
        assert await soon(server.get_next_data()) == ""


async def test_the_next_read_fails_on_demand(reports):
    async with tcpip.TestOneClientReadLoopServer(port=0, log=log, connect_callback=reports.callback) as server:
        async with tcpip.Client("127.0.0.1", server.port, log) as client:
            await soon(server.connected_task)
            server.fail_next_read = True
            await client.write_str("one")
            await eventually(lambda: not client.connected)
            await eventually(lambda: reports.states == [True, False])
        async with tcpip.Client("127.0.0.1", server.port, log) as client:
            await client.write_str("two")
            while await soon(server.get_next_data()) != "two":
                pass


async def test_it_logs_where_it_is_told_to():
    async with tcpip.TestOneClientReadLoopServer(port=0, log=log, name="dome") as server:
        assert server.log.name == "controller.TestOneClientReadLoopServer(dome)"
