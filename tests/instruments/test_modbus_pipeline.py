"""Pipelines: many requests on their way at once, each answer to its own caller."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments import sio
from instruments.modbus import ModBusDevice, ModbusError, Pipeline, requests
from instruments.modbus.pipeline import Replies
from sockio.buffer import Buffer
from sockio.errors import ConnectionEOFError, ProtocolError
from tests.instruments.modbus_peers import COILS, DISCRETE, HOLDING, INPUT, modbus_peer, simulated, tcp_frame
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench([simulated()]) as bench:
        yield bench


def device_at(flavour: Flavour, port: int, **options: Any) -> Any:
    return flavour.make(ModBusDevice, f"modbus::tcp::127.0.0.1:{port}::1", **{"timeout": 10, **options})


def value_of(flavour: Flavour, answer: Any) -> Any:
    """What a user does with an answer: awaits it, or asks for its result."""

    async def wait() -> Any:
        return await answer

    return flavour.call(wait) if flavour.is_async else flavour.call(answer.result)


def test_all_requests(flavour: Flavour, bench: Any) -> None:
    device = device_at(flavour, bench.port("modbusdevice"))
    with flavour.inside(device.pipeline()) as pipeline:
        answers = [
            pipeline.write_registers(8000, [1, 2]),
            pipeline.write_register(8002, 3),
            pipeline.read_holding(8000, 3),
            pipeline.write_coils(8000, [True, False, True]),
            pipeline.write_coil(8001, True),
            pipeline.read_coil(8000, 4),
            pipeline.read_discrete(3, 9),
            pipeline.read_input(3, 2),
            pipeline.write_values(8010, "float32", [1.5, -2.5], word_order="little"),
            pipeline.read_values(8010, "float32", 2, word_order="little"),
            pipeline.read_values(5, "uint16", table="input"),
            pipeline.send_custom_command(100, b"abc"),
            *(pipeline.read_coil(count, count) for count in range(1, 50)),
        ]
        assert not any(answer.done() for answer in answers)
    assert all(answer.done() for answer in answers)
    assert [answer.result() for answer in answers] == [
        *(None, None, [1, 2, 3], None, None, [True, True, True, False], DISCRETE[3:12], INPUT[3:5]),
        *(None, [1.5, -2.5], [INPUT[5]], b"abc"),
        *(COILS[count : 2 * count] for count in range(1, 50)),
    ]
    flavour.call(device.drop)


def test_answers_are_waited_for_inside_the_block(flavour: Flavour, bench: Any) -> None:
    device = device_at(flavour, bench.port("modbusdevice"))
    with flavour.inside(device.pipeline(window=3)) as pipeline:
        first = [pipeline.read_holding(index) for index in range(10)]
        assert value_of(flavour, first[9]) == [HOLDING[9]]
        assert [answer.result() for answer in first] == [[value] for value in HOLDING[:10]]
        second = pipeline.read_holding(20)
        flavour.call(pipeline.flush)
        assert second.result() == [HOLDING[20]]
        flavour.call(pipeline.flush)
    flavour.call(device.drop)


def test_several_tasks_or_threads(flavour: Flavour, bench: Any) -> None:
    device = device_at(flavour, bench.port("modbusdevice"))
    pipeline = device.pipeline(window=4)

    async def ask(start: int) -> list[Any]:
        return [await pipeline.read_holding(start + index) for index in range(20)]

    def ask_blocking(start: int) -> list[Any]:
        return [pipeline.read_holding(start + index).result() for index in range(20)]

    asked = ask if flavour.is_async else ask_blocking
    pending = [flavour.actor().start(asked, start) for start in range(0, 160, 20)]
    for start, future in zip(range(0, 160, 20), pending, strict=True):
        assert future.result(20) == [[value] for value in HOLDING[start : start + 20]]
    assert device._place.connection.connection_counter == 1
    flavour.call(device.drop)


def collecting(count: int, then: Callable[[list[tuple[int, int, bytes]]], bytes]) -> Peer:
    """Return a server that waits for *count* requests before it answers them together."""
    waiting: list[tuple[int, int, bytes]] = []

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        waiting.append((transaction, unit, pdu))
        if len(waiting) < count:
            return b""
        answer = then(list(waiting))
        waiting.clear()
        return answer

    return modbus_peer(script)


def echo_address(transaction: int, unit: int, pdu: bytes) -> bytes:
    return tcp_frame(transaction, unit, b"\3\2" + pdu[1:3])


def test_answers_in_any_order(flavour: Flavour) -> None:
    """The server holds back its answers until it has all requests, and shuffles them."""

    def shuffled(waiting: list[tuple[int, int, bytes]]) -> bytes:
        random.Random(7).shuffle(waiting)
        return b"".join(echo_address(*each) for each in waiting)

    with collecting(16, shuffled) as peer:
        device = device_at(flavour, peer.port)
        with flavour.inside(device.pipeline()) as pipeline:
            answers = [pipeline.read_holding(index) for index in range(64)]
        assert [answer.result() for answer in answers] == [[index] for index in range(64)]
        flavour.call(device.drop)


def test_no_more_than_the_window_is_on_its_way(flavour: Flavour) -> None:
    """A server that waits for three would never answer if two were the most, nor see a fourth before it has."""
    most: list[int] = []

    def answer(waiting: list[tuple[int, int, bytes]]) -> bytes:
        most.append(len(waiting))
        return b"".join(echo_address(*each) for each in waiting)

    with collecting(3, answer) as peer:
        device = device_at(flavour, peer.port, timeout=0.3)
        with flavour.inside(device.pipeline(window=3)) as pipeline:
            answers = [pipeline.read_holding(index) for index in range(9)]
        assert [answer.result() for answer in answers] == [[index] for index in range(9)]
        assert most == [3, 3, 3]
        pipeline = device.pipeline(window=2)
        answers = [pipeline.read_holding(index) for index in range(3)]
        with pytest.raises(TimeoutError):
            value_of(flavour, answers[0])
        flavour.call(device.drop)


def test_exceptions_belong_to_their_callers(flavour: Flavour) -> None:
    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        return tcp_frame(transaction, unit, b"\x83\2") if pdu[2] % 3 == 1 else echo_address(transaction, unit, pdu)

    with modbus_peer(script) as peer:
        device = device_at(flavour, peer.port)
        with flavour.inside(device.pipeline()) as pipeline:
            answers = [pipeline.read_holding(index) for index in range(20)]
        for index, answer in enumerate(answers):
            if index % 3 == 1:
                with pytest.raises(ModbusError, match="illegal data address"):
                    value_of(flavour, answer)
            else:
                assert value_of(flavour, answer) == [index]
        assert peer.connections == 1
        flavour.call(device.drop)


def test_foreign_answers_are_dropped(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        late = tcp_frame(transaction - 1000 & 0xFFFF, unit, b"\3\2\xba\xad")
        return late + echo_address(transaction, unit, pdu)

    caplog.set_level(logging.ERROR)
    with modbus_peer(script) as peer:
        device = device_at(flavour, peer.port)
        with flavour.inside(device.pipeline()) as pipeline:
            answers = [pipeline.read_holding(index) for index in range(20)]
        assert [answer.result() for answer in answers] == [[index] for index in range(20)]
        flavour.call(device.drop)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda transaction, unit, pdu: b"", TimeoutError),
        (lambda transaction, unit, pdu: tcp_frame(transaction, unit + 1, b"\3\2\0\0"), ProtocolError),
        (lambda transaction, unit, pdu: tcp_frame(transaction, unit, b"\3\2\0"), ProtocolError),
        (lambda transaction, unit, pdu: b"\0" * 3 + b"\1" * 20, ProtocolError),
    ],
    ids=["silence", "foreign unit", "wrong length", "no header"],
)
def test_a_failure_ends_the_pipeline(flavour: Flavour, reply: Callable[..., bytes], error: type[Exception]) -> None:
    """Answers that came before it stand, the others fail, and the connection is made again for the next request."""
    broken = True

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        return reply(transaction, unit, pdu) if broken and pdu[2] >= 5 else echo_address(transaction, unit, pdu)

    with modbus_peer(script) as peer:
        device = device_at(flavour, peer.port, timeout=0.3)
        pipeline = device.pipeline(window=5)
        answers = [pipeline.read_holding(index) for index in range(12)]
        with pytest.raises(error):
            flavour.call(pipeline.flush)
        assert [answer.result() for answer in answers[:5]] == [[index] for index in range(5)]
        for answer in answers[5:]:
            assert answer.done()
            with pytest.raises((error, ConnectionError)):
                value_of(flavour, answer)
        broken = False
        assert value_of(flavour, pipeline.read_holding(7)) == [7]
        assert flavour.call(device.read_holding, 8) == [8]
        assert peer.connections == 2
        flavour.call(device.drop)


def test_the_end_of_the_connection(flavour: Flavour) -> None:
    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        if pdu[2] == 3:
            raise OSError("hang up")
        return echo_address(transaction, unit, pdu)

    with modbus_peer(script) as peer:
        device = device_at(flavour, peer.port)
        pipeline = device.pipeline(window=1)
        answers = [pipeline.read_holding(index) for index in range(5)]
        with pytest.raises((ConnectionEOFError, ConnectionResetError)):
            flavour.call(pipeline.flush)
        assert [answer.result() for answer in answers[:3]] == [[0], [1], [2]]
        with pytest.raises(ConnectionError):
            value_of(flavour, answers[4])
        flavour.call(device.drop)


def test_a_block_that_raises_sends_nothing(flavour: Flavour) -> None:
    with modbus_peer(echo_address) as peer:
        pipeline = device_at(flavour, peer.port).pipeline()
        enter, leave = ("__aenter__", "__aexit__") if flavour.is_async else ("__enter__", "__exit__")
        flavour.call(getattr(pipeline, enter))
        answer = pipeline.read_holding(0)
        flavour.call(getattr(pipeline, leave), ValueError, ValueError("no"), None)
        with pytest.raises(ConnectionError, match="not answered, as the pipeline ended with ValueError"):
            value_of(flavour, answer)
        assert peer.connections == 0


def test_others_get_their_turn_between(flavour: Flavour, bench: Any) -> None:
    """Requests of a pipeline and plain calls do not mix, whoever makes them."""
    device = device_at(flavour, bench.port("modbusdevice"))
    other = device_at(flavour, bench.port("modbusdevice"))
    pipeline = device.pipeline()
    actor = flavour.actor()
    for index in range(20):
        answers = [pipeline.read_holding(index + step) for step in range(20)]
        call = actor.start(other.read_input, index)
        flavour.call(pipeline.flush)
        assert [answer.result() for answer in answers] == [[value] for value in HOLDING[index : index + 20]]
        assert call.result(20) == [INPUT[index]]
    flavour.call(device.drop)


def test_what_has_no_pipeline(flavour: Flavour) -> None:
    for address in ("modbus::rtu::127.0.0.1:502::1", "modbus::rtu::/dev/ttyUSB0::9600::8N1"):
        with pytest.raises(ValueError, match="only answers over Modbus TCP say what they answer"):
            flavour.make(ModBusDevice, address).pipeline()
    with pytest.raises(ValueError, match="only answers over"):
        flavour.make(ModBusDevice, "modbus::tcp::127.0.0.1:502::0", broadcast=True).pipeline()
    for window in (0, 65536):  # more than transactions tell apart
        with pytest.raises(ValueError, match="window must be 1 to 65535"):
            flavour.make(ModBusDevice, "modbus::tcp::127.0.0.1:502::0").pipeline(window)


def test_transactions_go_around_while_an_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others, to whom the numbers belong as well, have used up all the others meanwhile."""
    monkeypatch.setattr("instruments.modbus.pipeline.transactions", iter([7, 8, 7 + 0x10000, 8 + 0x10000, 9 + 0x10000]))
    held: list[tuple[int, int, bytes]] = []

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        held.append((transaction, unit, pdu))
        answered = {1: [], 2: held[1:], 3: held[::2]}[len(held)]  # the first one last
        return b"".join(echo_address(*each) for each in answered)

    with modbus_peer(script) as peer:
        device = sio.ModBusDevice(f"modbus::tcp::127.0.0.1:{peer.port}::1", timeout=10)
        with device.pipeline(window=2) as pipeline:
            answers = [pipeline.read_holding(index) for index in range(3)]
        assert [answer.result() for answer in answers] == [[0], [1], [2]]
        device.drop()


def test_an_answer_that_has_not_come_has_to_be_awaited() -> None:
    answer = ModBusDevice("modbus::tcp::127.0.0.1:502::1").pipeline().read_holding(0)
    with pytest.raises(RuntimeError, match="function 3 has not been answered yet: await its answer"):
        answer.result()


@given(st.binary(max_size=400), st.lists(st.integers(0, 65535), max_size=5, unique=True))
def test_any_bytes(data: bytes, transactions: list[int]) -> None:
    pipeline: Any = ModBusDevice("modbus::tcp::127.0.0.1:502::1").pipeline()
    assert isinstance(pipeline, Pipeline)
    replies = Replies(1)
    for transaction in transactions:
        replies.open[transaction] = pipeline._add(requests.read_registers(3, 0, 2))
    buffer = Buffer()
    buffer.append(data)
    frames = [tcp_frame(transaction, 1, b"\3" + data[:200]) for transaction in transactions]
    for chunk in (data, b"".join(frames)):
        buffer = Buffer()
        if chunk:
            buffer.append(chunk)
        try:
            replies.decode(buffer)
        except ProtocolError:
            pass


def test_two_that_wait_for_the_same_answer(flavour: Flavour, bench: Any) -> None:
    device = device_at(flavour, bench.port("modbusdevice"))
    pipeline = device.pipeline(window=1)
    answers = [pipeline.read_holding(index) for index in range(30)]

    async def wait() -> Any:
        return await answers[-1]

    wanted = wait if flavour.is_async else answers[-1].result
    pending = [flavour.actor().start(wanted) for _ in range(4)]
    assert [future.result(20) for future in pending] == [[HOLDING[29]]] * 4
    flavour.call(device.drop)


def test_a_task_that_is_cancelled_while_it_receives_for_others() -> None:
    """What had been sent fails with it; what had not is sent by the next one."""
    answering = False

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        return echo_address(transaction, unit, pdu) if answering else b""

    async def main(port: int) -> None:
        nonlocal answering
        device = ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=10)
        pipeline = device.pipeline(window=1)

        async def ask(index: int) -> list[int]:
            return await pipeline.read_holding(index)

        tasks = [asyncio.create_task(ask(index)) for index in range(3)]
        await asyncio.sleep(0.05)
        answering = True
        tasks[0].cancel()
        outcome = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(outcome[0], asyncio.CancelledError)
        assert outcome[1:] == [[1], [2]]
        await device.drop()

    with modbus_peer(script) as peer:
        asyncio.run(main(peer.port))


@pytest.mark.parametrize("fails", [False, True])
def test_what_others_have_sent_is_waited_for_as_well(fails: bool) -> None:
    """The end of a block tells of a failure, also if another task was receiving when it happened."""
    requests: list[bytes] = []
    go = threading.Event()

    def script(transaction: int, unit: int, pdu: bytes) -> bytes:
        go.wait(30)
        return bytes(7) + b"x" if fails else echo_address(transaction, unit, pdu)

    async def main(port: int) -> None:
        device = ModBusDevice(f"modbus::tcp::127.0.0.1:{port}::1", timeout=30)
        pipeline = device.pipeline()
        answers = [pipeline.read_holding(index) for index in range(5)]

        async def ask() -> list[int]:
            return await answers[0]

        asking = asyncio.create_task(ask())
        while not requests:  # noqa: ASYNC110  all of them go out at once; the other side is a thread
            await asyncio.sleep(0.01)
        flushing = asyncio.create_task(pipeline.flush())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not flushing.done()
        go.set()
        outcome = await asyncio.gather(flushing, asking, return_exceptions=True)
        assert all(answer.done() for answer in answers)
        if fails:
            assert [type(each) for each in outcome] == [ProtocolError] * 2
        else:
            assert outcome == [None, [0]]
            assert [answer.result() for answer in answers] == [[index] for index in range(5)]
            await pipeline.flush()  # nothing is left
        await device.drop()

    with modbus_peer(script, requests) as peer:
        asyncio.run(main(peer.port))
