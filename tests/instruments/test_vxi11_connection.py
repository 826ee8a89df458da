"""Our VXI-11 client and our simulated instrument, on every runtime."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
import trio

import sockio.runtimes.asyncio
import sockio.runtimes.blocking
import sockio.runtimes.trio
from instruments.message import NotSupported
from instruments.vxi11 import Vxi11Connection, Vxi11Error
from sockio.errors import ProtocolError
from sockio.resource import parse
from tests.ports import free_port

from .conftest import serve
from .vxi11_device import pattern

Contract = Callable[["World"], Coroutine[Any, Any, None]]


class World:
    """What runs a contract: an event loop, a trio run, or threads.

    Attributes:
        runtime: the one under test.
    """

    runtime: Any

    def run(self, contract: Contract) -> None:
        raise NotImplementedError

    async def together(self, *functions: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Call coroutine functions at the same time; return what they returned, or raised."""
        raise NotImplementedError

    async def cut(self, seconds: float, call: Callable[[], Awaitable[Any]], device: Vxi11Connection) -> None:
        """Make a call and tear it away after a while, if it takes that long; its errors are of no interest."""
        raise NotImplementedError


async def outcome(function: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await function()
    except Exception as error:
        return error


class AsyncioWorld(World):
    runtime = sockio.runtimes.asyncio.runtime

    def run(self, contract: Contract) -> None:
        asyncio.run(contract(self))

    async def together(self, *functions: Callable[[], Awaitable[Any]]) -> list[Any]:
        return list(await asyncio.gather(*map(outcome, functions)))

    async def cut(self, seconds: float, call: Callable[[], Awaitable[Any]], device: Vxi11Connection) -> None:
        task = asyncio.ensure_future(outcome(call))
        await asyncio.wait([task], timeout=seconds)
        task.cancel()
        await asyncio.wait([task])


class TrioWorld(World):
    runtime = sockio.runtimes.trio.runtime

    def run(self, contract: Contract) -> None:
        trio.run(contract, self)

    async def together(self, *functions: Callable[[], Awaitable[Any]]) -> list[Any]:
        outcomes: list[Any] = [None] * len(functions)

        async def work(index: int, function: Callable[[], Awaitable[Any]]) -> None:
            outcomes[index] = await outcome(function)

        async with trio.open_nursery() as nursery:
            for index, function in enumerate(functions):
                nursery.start_soon(work, index, function)
        return outcomes

    async def cut(self, seconds: float, call: Callable[[], Awaitable[Any]], device: Vxi11Connection) -> None:
        with trio.move_on_after(seconds):
            await outcome(call)


class BlockingWorld(World):
    runtime = sockio.runtimes.blocking.runtime

    def run(self, contract: Contract) -> None:
        sockio.runtimes.blocking.run(contract(self))

    async def together(self, *functions: Callable[[], Awaitable[Any]]) -> list[Any]:
        outcomes: list[Any] = [None] * len(functions)

        def work(index: int, function: Callable[[], Awaitable[Any]]) -> None:
            outcomes[index] = sockio.runtimes.blocking.run(outcome(function))

        threads = [threading.Thread(target=work, args=item) for item in enumerate(functions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    async def cut(self, seconds: float, call: Callable[[], Awaitable[Any]], device: Vxi11Connection) -> None:
        timer = threading.Timer(seconds, device.abandon)
        timer.start()
        await outcome(call)
        timer.join()


@pytest.fixture(params=[AsyncioWorld, TrioWorld, BlockingWorld])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.param()
    return made


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of simulated instruments: plain, and one that takes 7 bytes at once and whose links share messages."""
    ports = {"plain": free_port(), "odd": free_port()}
    transports = [
        {"url": f"127.0.0.1:{ports['plain']}", "protocol": "vxi11", "device_names": ["inst0", "gpib0,5"]},
        {"url": f"127.0.0.1:{ports['odd']}", "protocol": "vxi11", "max_receive_size": 7, "shared_messages": True},
    ]
    device = {
        "class": "Echo",
        "package": "tests.instruments.vxi11_device",
        "name": "echo",
        "fault_delay": 0.5,
        "transports": transports,
    }
    with serve({"devices": [device]}, tmp_path_factory.mktemp("vxi11"), ports["odd"]):
        yield ports


@pytest.fixture
def connect(world: World, ports: dict[str, int]) -> Callable[..., Vxi11Connection]:
    """Makes a connection: ``connect()``, ``connect("odd", read_size=100)``."""

    def connect(name: str = "plain", device: str = "inst0", **options: Any) -> Vxi11Connection:
        address = parse(f"vxi::127.0.0.1:{ports[name]}::{device}")
        return Vxi11Connection(address, world.runtime, **options)  # type: ignore[arg-type]

    return connect


Connect = Callable[..., Vxi11Connection]


def test_messages_of_all_sizes(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        for size in (1, 2, 3, 4, 5, 1023, 1024, 4097, 2**20 - 1, 2**20, 2**20 + 1, 2**22):
            message = pattern(size)[::-1].replace(b"\r", b"-").replace(b"\n", b"+") or b"x"
            assert await device.query(b"ECHO? " + message + b"\n", 20) == message + b"\n"
        await device.close()

    world.run(contract)


def test_messages_in_small_pieces(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        for read_size in (1, 5, 1000):
            device = connect("odd", read_size=read_size)
            for size in (1, 2, 6, 7, 8, 60):
                message = b"0123456789" * 6
                assert await device.query(b"ECHO? " + message[:size] + b"\n", 20) == message[:size] + b"\n"
            await device.close()

    world.run(contract)


@pytest.mark.parametrize("read_size", [2**20, 7, 1000])
def test_blocks(world: World, connect: Connect, read_size: int) -> None:
    async def contract(world: World) -> None:
        device = connect(read_size=read_size)
        for size in (0, 1, 5, 1000, 4 << 20):
            if size // read_size < 1000:
                block = await device.query_block(b"BLOCK? %d\n" % size, bytearray, 20)
                assert block == pattern(size)
        with pytest.raises(ProtocolError):
            await device.query_block(b"ECHO? #15cut\n", bytearray, 5)
        assert await device.query(b"ECHO? 1\n", 5) == b"1\n"
        await device.close()

    world.run(contract)


@pytest.mark.parametrize("name", ["plain", "odd"])
def test_the_answer_to_a_timed_out_query_is_never_taken(world: World, connect: Connect, name: str) -> None:
    async def contract(world: World) -> None:
        device = connect(name)
        late = r"query timed out after 0\.1 s: device_read(: I/O timeout| was not answered)"
        for number in range(5):
            with pytest.raises(TimeoutError, match=late) as caught:
                await device.query(b"WAIT? 0.15,late\n", 0.1)
            assert device.connected() == ("I/O timeout" in str(caught.value))
            await world.runtime.sleep(0.02 * number)
            assert await device.query(b"ECHO? %d\n" % number, 5) == b"%d\n" % number
        await device.close()

    world.run(contract)


def test_200_interruptions(world: World, connect: Connect) -> None:
    """Time-outs, calls torn away and connections abandoned at random moments: no stale answer ever."""

    async def contract(world: World) -> None:
        device = connect("odd")
        rng = random.Random(11)
        interrupted = 0
        for number in range(200):
            moment = rng.uniform(0, 0.02)
            query = b"WAIT? %.3f,stale%d\n" % (rng.uniform(0, 0.02), number)
            if number % 2:
                result = await outcome(lambda: device.query(query, moment))  # noqa: B023
                interrupted += isinstance(result, TimeoutError)
            else:
                await world.cut(moment, lambda: device.query(query, 5), device)  # noqa: B023
                interrupted += device._user is not None
            answer = await device.query(b"ECHO? fresh%d\n" % number, 10)
            assert answer == b"fresh%d\n" % number
        assert interrupted > 50
        await device.close()

    world.run(contract)


@pytest.mark.parametrize("fault", ["late", "cut", "silent", "dropped", "garbled"])
def test_faults(world: World, connect: Connect, fault: str) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.write(b"SIM:FAUL " + fault.encode() + b"\n", 5)
        result = await outcome(lambda: device.query(b"ECHO? first\n", 0.2))
        assert isinstance(result, (OSError, EOFError, ProtocolError, ValueError)), result
        for number in range(5):
            assert await device.query(b"ECHO? %d\n" % number, 5) == b"%d\n" % number
        await device.close()

    world.run(contract)


def test_a_lock_keeps_others_out(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        one, other = connect(), connect()
        await one.lock(5)
        with pytest.raises(TimeoutError, match=r"device_write: device locked by another link \(VXI-11 error 11\)"):
            await other.query(b"ECHO? 1\n", 0.2)
        with pytest.raises(TimeoutError, match=r"device_(lock|clear): device locked"):
            await other.lock(0.2)
        assert await one.query(b"ECHO? 2\n", 5) == b"2\n"
        order: list[str] = []

        async def wait() -> bytes:
            answer = await other.query(b"ECHO? 3\n", 10)
            order.append("other")
            return answer

        async def release() -> None:
            await world.runtime.sleep(0.2)
            order.append("unlock")
            await one.unlock(5)

        assert await world.together(wait, release) == [b"3\n", None]
        assert order == ["unlock", "other"]
        await one.unlock(5)  # it has none any more, and nothing happens
        await other.lock(5)
        other.abandon()  # and the lock goes with the connection
        assert await one.query(b"ECHO? 4\n", 5) == b"4\n"
        await one.close()
        await other.close()

    world.run(contract)


def test_contended_locks(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        devices = [connect() for _ in range(3)]
        inside: list[int] = []

        def user(number: int) -> Callable[[], Awaitable[None]]:
            async def use() -> None:
                for _ in range(10):
                    await devices[number].lock(20)
                    inside.append(number)
                    assert len(inside) == 1
                    assert await devices[number].query(b"ECHO? %d\n" % number, 5) == b"%d\n" % number
                    assert inside.pop() == number
                    await devices[number].unlock(5)

            return use

        assert await world.together(*map(user, range(3))) == [None] * 3
        for device in devices:
            await device.close()

    world.run(contract)


#: Requests service for a completed operation: *SRE 32 with *ESE 1.
ENABLE = b"*CLS;*ESE 1;*SRE 32\n"


def test_service_requests_while_queries_go_on(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.write(ENABLE, 5)
        assert isinstance(await outcome(lambda: device.wait_for_service_request(0.1)), TimeoutError)

        async def ask() -> None:
            for number in range(20):
                assert await device.query(b"ECHO? %d\n" % number, 5) == b"%d\n" % number
            await device.write(b"*OPC\n", 5)

        status, asked = await world.together(lambda: device.wait_for_service_request(10), ask)
        assert asked is None
        assert status == 0x60  # RQS and the event summary
        assert await device.query(b"*ESR?\n", 5) == b"1\n"
        await device.close()

    world.run(contract)


def test_no_service_request_is_lost_between_waits(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.write(ENABLE, 5)
        assert isinstance(await outcome(lambda: device.wait_for_service_request(0.05)), TimeoutError)
        for _ in range(3):
            await device.write(b"*OPC\n", 5)
            assert await device.query(b"*ESR?\n", 5) == b"1\n"  # falls, so that the next one rises
        for _ in range(3):
            await device.wait_for_service_request(5)
        assert isinstance(await outcome(lambda: device.wait_for_service_request(0.05)), TimeoutError)
        await device.close()

    world.run(contract)


def test_several_wait_for_service_requests(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.write(ENABLE, 5)

        async def request() -> None:
            await world.runtime.sleep(0.2)
            for _ in range(3):
                await device.write(b"*OPC\n", 5)
                await device.query(b"*ESR?\n", 5)

        *statuses, requested = await world.together(*[lambda: device.wait_for_service_request(10)] * 3, request)
        assert requested is None
        assert all(isinstance(status, int) for status in statuses), statuses
        await device.close()

    world.run(contract)


def test_waiting_goes_on_over_a_reconnection(world: World, connect: Connect) -> None:
    """Another call that loses the connection and makes it anew does not end the wait."""

    async def contract(world: World) -> None:
        device = connect()
        await device.write(ENABLE, 5)

        async def interrupt() -> None:
            await world.runtime.sleep(0.2)
            await device.write(b"SIM:FAUL DROPPED\n", 5)
            assert isinstance(await outcome(lambda: device.query(b"ECHO? 1\n", 5)), OSError)
            assert await device.query(b"ECHO? 2\n", 5) == b"2\n"
            await world.runtime.sleep(0.2)
            await device.write(b"*OPC\n", 5)

        status, interrupted = await world.together(lambda: device.wait_for_service_request(10), interrupt)
        assert interrupted is None
        assert status == 0x60
        await device.close()

    world.run(contract)


@pytest.mark.parametrize("how", ["close", "abandon"])
def test_closing_ends_a_wait_and_the_listener(world: World, connect: Connect, how: str) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.open(5)
        ports: list[int] = []

        async def end() -> None:
            await world.runtime.sleep(0.3)
            assert device._channel is not None
            ports.append(device._channel.port)
            if how == "abandon":
                device.abandon()
            else:
                await device.close()

        error, ended = await world.together(lambda: device.wait_for_service_request(10), end)
        assert ended is None
        assert isinstance(error, ConnectionAbortedError)
        await world.runtime.sleep(0.1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports[0]), 5).close()
        assert not device.connected()
        assert await device.query(b"ECHO? 1\n", 5) == b"1\n"
        await device.close()

    world.run(contract)


def test_a_dropped_connection_stops_listening(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        with pytest.raises(TimeoutError):
            await device.wait_for_service_request(0.05)
        assert device._channel is not None
        port = device._channel.port
        del device
        for _ in range(100):
            await world.runtime.sleep(0.02)
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except ConnectionRefusedError:
                return
        pytest.fail("somebody listens still")

    world.run(contract)


def test_clear_trigger_and_status(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.write(b"*CLS;*ESE 0;*SRE 0\n", 5)
        await device.write(b"ECHO? forgotten\n", 5)
        await device.clear(5)
        assert isinstance(await outcome(lambda: device.read(0.1)), TimeoutError)
        assert await device.query(b"ECHO? 1\n", 5) == b"1\n"
        await device.write(b"ECHO? waits\n", 5)
        for _ in range(100):
            if await device.read_status_byte(5) & 0x10:  # message available
                break
            await world.runtime.sleep(0.01)
        assert await device.read(5) == b"waits\n"
        await device.trigger(5)
        await device.remote(5)
        await device.local(5)
        assert isinstance(await outcome(lambda: device.docmd(1, b"", 5)), NotSupported)
        assert await device.query(b"ECHO? 2\n", 5) == b"2\n"
        await device.close()

    world.run(contract)


def test_an_unread_answer_is_interrupted(world: World, connect: Connect) -> None:
    """IEEE 488.2, 6.3.2.3: the next message costs the answer that was not read, and an error is queued."""

    async def contract(world: World) -> None:
        device = connect()
        await device.write(b"*CLS\n", 5)
        await device.write(b"ECHO? one\n", 5)
        await world.runtime.sleep(0.1)
        assert await device.query(b"ECHO? two\n", 5) == b"two\n"
        assert b"-410" in await device.query(b"SYST:ERR?\n", 5)
        assert isinstance(await outcome(lambda: device.read(0.1)), TimeoutError)
        assert b"-420" in await device.query(b"SYST:ERR?\n", 5)
        await device.close()

    world.run(contract)


def test_abort(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.open(5)

        async def abort() -> None:
            await world.runtime.sleep(0.2)
            await device.abort(5)

        started = time.monotonic()
        error, aborted = await world.together(lambda: device.query(b"WAIT? 30,never\n", 40), abort)
        assert aborted is None
        assert isinstance(error, Vxi11Error)
        assert error.code == 23
        assert time.monotonic() - started < 20
        assert await device.query(b"ECHO? 1\n", 5) == b"1\n"
        await device.close()
        with pytest.raises(NotSupported):
            await device.abort(5)

    world.run(contract)


def test_a_torn_call_frees_the_instrument(world: World, connect: Connect) -> None:
    """The link that waits in the instrument holds its lock; it is aborted although nobody calls any more."""

    async def contract(world: World) -> None:
        one, other = connect(), connect()
        await one.lock(5)
        await world.cut(0.2, lambda: one.query(b"WAIT? 30,never\n", 40), one)
        assert await other.query(b"ECHO? 1\n", 10) == b"1\n"
        await one.close()
        await other.close()

    world.run(contract)


def test_closing_ends_a_call(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()
        await device.open(5)

        async def close() -> None:
            await world.runtime.sleep(0.2)
            await device.close()

        error, closed = await world.together(lambda: device.query(b"WAIT? 30,never\n", 40), close)
        assert closed is None
        assert isinstance(error, OSError)
        assert not device.connected()
        assert await device.query(b"ECHO? 1\n", 5) == b"1\n"
        await device.close()

    world.run(contract)


def test_calls_take_turns(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect()

        def ask(number: int) -> Callable[[], Awaitable[Any]]:
            return lambda: device.query(b"WAIT? 0.01,%d\n" % number, 10)

        assert await world.together(*map(ask, range(20))) == [b"%d\n" % number for number in range(20)]
        await device.close()

    world.run(contract)


def test_device_names(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect(device="gpib0,5")
        assert await device.query(b"ECHO? 1\n", 5) == b"1\n"
        await device.close()
        unknown = connect(device="inst7")
        with pytest.raises(Vxi11Error, match=r"create_link: device not accessible .* 'inst7'") as caught:
            await unknown.open(5)
        assert caught.value.code == 3

    world.run(contract)


def test_interrupt_host(world: World, connect: Connect) -> None:
    async def contract(world: World) -> None:
        device = connect(interrupt_host="127.0.0.1")
        await device.write(ENABLE, 5)
        assert isinstance(await outcome(lambda: device.wait_for_service_request(0.05)), TimeoutError)
        await device.write(b"*OPC\n", 5)
        assert await device.wait_for_service_request(5) == 0x60
        await device.close()
        wrong = connect(interrupt_host="::1")
        assert isinstance(await outcome(lambda: wrong.wait_for_service_request(1)), NotSupported)
        await wrong.close()

    world.run(contract)


def test_nobody_listens(world: World) -> None:
    async def contract(world: World) -> None:
        address = parse(f"vxi::127.0.0.1:{free_port()}")
        device = Vxi11Connection(address, world.runtime)  # type: ignore[arg-type]
        with pytest.raises(ConnectionRefusedError):
            await device.query(b"ECHO? 1\n", 5)
        await device.close()

    world.run(contract)


@pytest.mark.parametrize("options", [{"read_size": 0}, {"term_char": b""}, {"term_char": b"\r\n"}])
def test_options_that_cannot_be(connect: Connect, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        connect(**options)
