"""The HiSLIP client with the simulated instrument, on every runtime: sizes, modes, interruptions, locks, faults."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

from instruments.hislip import HislipConnection, HislipError, HislipFatalError
from sockio.errors import ConnectionTimeoutError, ProtocolError
from sockio.runtimes import blocking as on_blocking
from tests.instruments.hislip_peers import FLAVOURS, Flavour

DEVICES: list[dict[str, Any]] = [
    {
        "class": "Oscilloscope",
        "transports": [
            {"protocol": "hislip", "max_message_size": 2**25},
            {"protocol": "hislip", "max_message_size": 77},
            {"protocol": "hislip", "mode": "overlap"},
        ],
    },
    {
        "class": "Multimeter",
        "fault_delay": 0.3,
        "transports": [{"protocol": "hislip"}, {"protocol": "hislip", "max_clients": 1}],
    },
]


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench(DEVICES) as bench:
        yield bench


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return Flavour(request.param)


@pytest.fixture
def run(flavour: Flavour, bench: Any) -> Callable[..., None]:
    """Runs a test with one connection, or more."""

    def run(test: Callable[..., Any], *places: tuple[str, int], **options: Any) -> None:
        async def main() -> None:
            connections = [flavour.connection(bench.port(*place), **options) for place in places or [("multimeter", 0)]]
            try:
                await test(*connections)
            finally:
                for connection in connections:
                    await connection.close()

        flavour.run(main)

    return run


SCOPE = ("oscilloscope", 0)
SMALL_MESSAGES = ("oscilloscope", 1)
OVERLAP = ("oscilloscope", 2)
METER = ("multimeter", 0)


def block(data: bytes) -> bytes:
    size = str(len(data))
    return b"#%d%s%s" % (len(size), size.encode(), data)


async def store_and_fetch(hislip: HislipConnection, data: bytes) -> None:
    await hislip.write(b"DATA:ARB test," + block(data) + b"\n", 20)
    fetched = await hislip.query_block(b"DATA:ARB? test\n", bytearray, 20)
    assert isinstance(fetched, bytearray)
    assert fetched == data
    assert await hislip.query(b"*OPC?\n", 20) == b"1\n"


@pytest.mark.parametrize("size", [1, 16, 255, 65519, 65520, 65536, 2**20, 2**24])
@pytest.mark.parametrize("place", [SCOPE, OVERLAP], ids=["synchronized", "overlap"])
def test_messages_of_all_sizes(run: Any, place: tuple[str, int], size: int) -> None:
    data = random.Random(size).randbytes(size)

    async def test(hislip: HislipConnection) -> None:
        await store_and_fetch(hislip, data)
        assert hislip.mode == ("overlap" if place is OVERLAP else "synchronized")

    run(test, place)


@pytest.mark.parametrize("size", [1, 30, 61, 62, 600, 10000])
def test_messages_in_small_pieces(run: Any, size: int) -> None:
    async def test(hislip: HislipConnection) -> None:
        await store_and_fetch(hislip, random.Random(size).randbytes(size))
        assert hislip.session.maximum_message_size == 77

    run(test, SMALL_MESSAGES, maximum_message_size=256)


@pytest.mark.parametrize("mode", ["synchronized", "overlap"])
@pytest.mark.parametrize("place", [SCOPE, OVERLAP], ids=["of a synchronized one", "of an overlapping one"])
def test_the_mode_is_the_one_asked_for(run: Any, place: tuple[str, int], mode: Any) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.open(5)
        assert hislip.mode == mode
        for number in range(5):
            await hislip.write(b"*ESE %d;*ESE?\n" % number, 5)
        if mode == "overlap":
            assert [await hislip.read(5) for _ in range(5)] == [b"%d\n" % number for number in range(5)]
        else:
            assert await hislip.read(5) == b"4\n", "the others have been interrupted"
        await hislip.clear(5)
        assert hislip.mode == mode
        assert await hislip.query(b"*OPC?\n", 5) == b"1\n"

    run(test, place, mode=mode)


@pytest.mark.parametrize("mode", ["synchronized", "overlap"])
def test_after_200_interruptions_the_answer_is_the_right_one(flavour: Flavour, run: Any, mode: Any) -> None:
    chance = random.Random(flavour.name + mode)

    async def interrupt(call: Callable[[float | None], Any], seconds: float) -> bool:
        """Tear a call away after some time, by its own time limit or from outside; tell whether that was too late."""
        own = flavour.name == "blocking" or chance.random() < 0.3
        try:
            if own:
                await call(seconds)
            elif flavour.name == "trio":
                with trio.move_on_after(seconds) as scope:
                    await call(20)
                return not scope.cancelled_caught
            else:
                await asyncio.wait_for(call(20), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            return False
        return True

    async def test(hislip: HislipConnection) -> None:
        await hislip.write(b"DATA:ARB big," + block(bytes(100000)) + b"\n", 20)
        torn = 0
        for number in range(200):
            seconds = chance.choice([0, 0.0001, 0.0005, 0.001, 0.002]) * chance.random()
            kind = chance.randrange(3)
            if kind == 0:
                done = await interrupt(
                    lambda limit, n=number: hislip.query(b"*ESE %d;*ESE?\n" % (n % 7), limit), seconds
                )
            elif kind == 1:
                done = await interrupt(lambda limit: hislip.query_block(b"DATA:ARB? big\n", bytearray, limit), seconds)
            else:
                done = await interrupt(hislip.read_status_byte, seconds)
            torn += not done
            assert await hislip.query(b"*ESE %d;*ESE?\n" % number, 20) == b"%d\n" % number
        assert torn > 20, "hardly any call was interrupted"

    run(test, SCOPE, mode=mode)


@pytest.mark.parametrize("mode", ["synchronized", "overlap"])
def test_after_200_keyboard_interrupts_the_answer_is_the_right_one(bench: Any, mode: Any) -> None:
    chance = random.Random(mode)
    hislip = Flavour("blocking").connection(bench.port(*SCOPE), mode=mode)
    armed: list[bool] = []

    def interrupt(*_: object) -> None:
        if armed:
            armed.pop()
            raise KeyboardInterrupt

    def until_interrupted(seconds: float) -> None:
        timer = threading.Timer(seconds, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1))
        armed.append(True)
        timer.start()
        while True:
            if chance.random() < 0.5:
                on_blocking.run(hislip.query(b"*ESE 255;*ESE?\n", 20))
            else:
                on_blocking.run(hislip.query_block(b"DATA:ARB? big\n", bytearray, 20))

    on_blocking.run(hislip.write(b"DATA:ARB big," + block(bytes(100000)) + b"\n", 20))
    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        for number in range(200):
            with pytest.raises(KeyboardInterrupt):
                until_interrupted(0.003 * chance.random())
            assert on_blocking.run(hislip.query(b"*ESE %d;*ESE?\n" % number, 20)) == b"%d\n" % number
    finally:
        signal.signal(signal.SIGUSR1, previous)
        on_blocking.run(hislip.close())


def test_a_timed_out_query_costs_neither_the_connection_nor_the_lock(run: Any) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.lock(5)
        session = hislip.session
        await hislip.write(b"SIM:FAUL:DEL 30;:SIM:FAUL LATE\n", 5)
        with pytest.raises(ConnectionTimeoutError, match=r"query timed out after 0\.1 s"):
            await hislip.query(b"*IDN?\n", 0.1)
        assert await hislip.query(b"SIM:FAUL:DEL 0.3;*OPC?\n", 5) == b"1\n"
        assert hislip.session is session
        assert await hislip.lock_info(5) == (True, 1)

    run(test)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("SILENT", ConnectionTimeoutError),
        ("LATE", ConnectionTimeoutError),
        ("CUT", ConnectionError),
        ("DROPPED", ConnectionError),
        ("GARBLED", ProtocolError),
    ],
)
def test_faults_are_errors_and_the_next_answer_is_right(run: Any, fault: str, error: type[Exception]) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.write(b"SIM:FAUL %s\n" % fault.encode(), 5)
        with pytest.raises(error):
            await hislip.query(b"*IDN?\n", 0.15)
        for number in range(3):
            assert await hislip.query(b"*ESE %d;*ESE?\n" % number, 5) == b"%d\n" % number

    run(test)


def test_status_and_service_requests_while_queries_go_on(flavour: Flavour, run: Any) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*CLS;*ESE 32;*SRE 32;*OPC?\n", 5)

        async def queries() -> None:
            for number in range(50):
                assert await hislip.query(b"*SRE 32;DATA:POIN?;*OPC?\n", 5) == b"0;1\n", number

        async def polls() -> None:
            for _ in range(50):
                assert not await hislip.read_status_byte(5) & 0x20

        results = await flavour.together(queries, polls, gives_up(hislip), gives_up(hislip))
        assert results[2:] == [True, True]

        async def request_service() -> None:
            await flavour.sleep(0.05)
            await hislip.write(b"NONSENSE\n", 5)

        results = await flavour.together(lambda: hislip.wait_for_service_request(5), request_service)
        assert results[0] & 0x60 == 0x60
        assert await hislip.read_status_byte(5) & 0x60 == 0x60
        assert await hislip.read_status_byte(5) & 0x60 == 0x20, "a serial poll clears the request"
        await hislip.query(b"*CLS;*SRE 0;*ESE 0;*OPC?\n", 5)

    def gives_up(hislip: HislipConnection) -> Callable[[], Any]:
        async def wait() -> bool:
            try:
                await hislip.wait_for_service_request(0.1)
            except ConnectionTimeoutError:
                return True
            return False

        return wait

    run(test)


def test_polling_never_seems_to_interrupt_a_response(flavour: Flavour, run: Any) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*CLS;*OPC?\n", 5)

        async def queries() -> None:
            for _ in range(100):
                assert await hislip.query(b"*OPC?\n", 5) == b"1\n"

        async def polls() -> None:
            for _ in range(100):
                await hislip.read_status_byte(5)

        await flavour.together(queries, polls, polls)
        assert await hislip.query(b"SYST:ERR?\n", 5) == b'0,"No error"\n'

    run(test)


def test_message_available_while_an_answer_is_waiting(run: Any, flavour: Flavour) -> None:
    async def test(hislip: HislipConnection) -> None:
        assert not await hislip.read_status_byte(5) & 0x10
        await hislip.write(b"*IDN?\n", 5)
        while not await hislip.read_status_byte(5) & 0x10:
            await flavour.sleep(0.005)
        assert (await hislip.read(5)).startswith(b"sockio")
        assert not await hislip.read_status_byte(5) & 0x10

    run(test)


def test_the_instruments_own_lock(flavour: Flavour, run: Any) -> None:
    async def test(one: HislipConnection, two: HislipConnection) -> None:
        await one.lock(5)
        with pytest.raises(HislipError, match="has already"):
            await one.lock(5)
        with pytest.raises(ConnectionTimeoutError, match="another client has kept the lock"):
            await two.lock(0.05)
        with pytest.raises(ConnectionTimeoutError):
            await two.query(b"*ESE 1;*ESE?\n", 0.1)
        assert await one.query(b"*ESE 2;*ESE?\n", 5) == b"2\n"
        assert await two.lock_info(5) == (True, 1)

        async def release() -> None:
            await flavour.sleep(0.05)
            await one.unlock(5)

        await flavour.together(lambda: two.lock(5), release)
        assert await two.query(b"*ESE 3;*ESE?\n", 5) == b"3\n"
        await two.close()
        await one.lock(5, "together")
        await one.unlock(5)
        await one.unlock(5)

    run(test, METER, METER)


def test_contended_locks_are_held_by_one_at_a_time(flavour: Flavour, run: Any) -> None:
    holders: list[HislipConnection] = []

    async def test(*connections: HislipConnection) -> None:
        async def work(hislip: HislipConnection) -> None:
            for number in range(20):
                await hislip.lock(20)
                assert holders == []
                holders.append(hislip)
                assert await hislip.query(b"*ESE %d;*ESE?\n" % number, 5) == b"%d\n" % number
                holders.remove(hislip)
                await hislip.unlock(5)

        await flavour.together(*(lambda hislip=hislip: work(hislip) for hislip in connections))

    run(test, METER, METER, METER)


def test_a_lock_that_was_given_up_waiting_for_is_not_granted_later(flavour: Flavour, run: Any) -> None:
    if flavour.name == "blocking":
        pytest.skip("nothing cancels a blocking call")

    async def test(one: HislipConnection, two: HislipConnection) -> None:
        await one.lock(5)
        if flavour.name == "trio":
            with trio.move_on_after(0.05):
                await two.lock(20)
        else:
            with pytest.raises((TimeoutError, asyncio.TimeoutError)):
                await asyncio.wait_for(two.lock(20), 0.05)
        await one.unlock(5)
        await flavour.sleep(0.05)
        assert await one.lock_info(5) == (False, 0)
        assert await two.query(b"*OPC?\n", 5) == b"1\n"

    run(test, METER, METER)


def test_an_instrument_that_takes_no_more_clients_says_so(run: Any) -> None:
    async def test(one: HislipConnection, two: HislipConnection) -> None:
        await one.open(5)
        with pytest.raises(HislipFatalError, match="maximum number of clients exceeded"):
            await two.query(b"*IDN?\n", 5)
        await one.close()

    run(test, METER, ("multimeter", 1))


def test_an_instrument_that_was_restarted_is_connected_to_again(flavour: Flavour, run: Any, bench: Any) -> None:
    async def test(hislip: HislipConnection) -> None:
        first = await hislip.query(b"*IDN?\n", 5)
        bench.restart()
        assert await hislip.query(b"*IDN?\n", 5) == first

    run(test)


def test_trigger_reaches_the_instrument(run: Any) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*CLS;*OPC?\n", 5)
        await hislip.trigger(5)
        assert await hislip.query(b"SYST:ERR?\n", 5) == b'-211,"Trigger ignored"\n'

    run(test)


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_another_event_loop_has_a_connection_of_its_own(bench: Any, name: str) -> None:
    flavour = Flavour(name)
    hislip = flavour.connection(bench.port(*METER))
    sessions = []

    async def query() -> None:
        assert await hislip.query(b"*OPC?\n", 5) == b"1\n"
        sessions.append(hislip.session)

    async def poll() -> None:
        assert await hislip.read_status_byte(5) >= 0
        sessions.append(hislip.session)
        await hislip.close()

    for use in (query, query, poll):
        flavour.run(use)
    assert len(set(map(id, sessions))) == 3
