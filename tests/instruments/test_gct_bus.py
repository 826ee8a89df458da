"""Requests to nodes with the GCT protocol, and their answers, on every flavour."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import can
import pytest

from instruments.can import (
    CanBus,
    CanBusError,
    DdpMessage,
    GctCanBus,
    GctDecoder,
    GctMessage,
    Heartbeat,
    MonitoringData,
    MonitoringRequest,
    SysCtrlMessage,
    SysCtrlType,
)
from instruments.can.codec import encode
from tests.instruments.can_peers import Node, channel, extended, receiving, virtual
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


def frames(*messages: GctMessage) -> list[can.Message]:
    return [extended(frame.canid, frame.data) for message in messages for frame in encode(message)]


def answering(replies: Callable[[GctMessage], list[GctMessage]]) -> Callable[[can.Message], list[can.Message]]:
    """Return what answers messages of the protocol for a `Node`."""
    decoder = GctDecoder()

    def answer(message: can.Message) -> list[can.Message]:
        decoded = decoder.feed(message.arbitration_id, bytes(message.data))
        return [] if decoded is None else frames(*replies(decoded))

    return answer


def node_answers(message: GctMessage) -> list[GctMessage]:
    """What the nodes 0x10 and 0x11 answer; the former also has something else to say each time."""
    if isinstance(message, SysCtrlMessage) and message.tp is SysCtrlType.QUERY:
        other = SysCtrlMessage(0x11, message.src, message.cmd, SysCtrlType.VALUE, b"other")
        wrong = SysCtrlMessage(0x10, message.src, message.cmd + 1, SysCtrlType.VALUE, b"wrong")
        asks = SysCtrlMessage(0x10, message.src, message.cmd, SysCtrlType.QUERY, b"asks")
        right = SysCtrlMessage(0x10, message.src, message.cmd, SysCtrlType.VALUE, b"<" + message.data + b">")
        return [wrong, asks, other, right] if message.dst == 0x10 else [wrong, asks, right, other]
    if isinstance(message, MonitoringRequest):
        wanted = [index for index in range(64) if message.readings >> index & 1]
        return [
            MonitoringData(0x10, message.group_idx + 1, wanted[0], bytes(4)),
            *(
                MonitoringData(src, message.group_idx, index, struct.pack("<HH", src, index))
                for index in reversed(wanted)
                for src in (0x11, 0x10)
            ),
        ]
    if isinstance(message, DdpMessage) and message.data[0] & 0x80:
        back, version = (message.dst, message.src), message.version
        return [
            DdpMessage(0x11, message.src, b"\x85other", version),
            DdpMessage(0x10, 0x22, b"\x85for another", version),
            *([DdpMessage(*back, b"\x06late", version)] if message.data[:1] == b"\x85" else []),
            DdpMessage(*back, bytes([message.data[0] & 0x7F]) + message.data[1:][::-1], version),
        ]
    return []


@pytest.fixture
def node() -> Iterator[tuple[str, Node]]:
    name = channel()
    with virtual(name) as bus, Node(bus, answering(node_answers)) as node:
        yield f"can::virtual::{name}", node


@pytest.fixture
def bus(flavour: Flavour, node: tuple[str, Node]) -> Iterator[Any]:
    bus = flavour.make(GctCanBus, node[0])
    yield bus
    flavour.call(bus.disconnect)


def test_it_connects(flavour: Flavour, bus: Any, node: tuple[str, Node]) -> None:
    assert flavour.call(bus.connect) is bus
    assert bus.can_bus.connected
    assert bus.can_bus.address == node[0]
    assert repr(bus) == f"GctCanBus({node[0]!r})"


def test_sysctrl(flavour: Flavour, bus: Any) -> None:
    assert flavour.call(bus.sysctrl_request, 0x7E, 5) == b"<>"
    assert flavour.call(bus.sysctrl_request, 0x7E, 5, b"\x01\x02") == b"<\x01\x02>"
    assert flavour.call(bus.sysctrl_request, 0x7E, 5, dst=0x10) == b"<>", "not that of another node"


def test_readings_from_all_nodes(flavour: Flavour, bus: Any) -> None:
    """The first node to send a reading counts."""
    readings = flavour.call(bus.fetch_readings, 0x7E, 3, [63, 0, 5])
    assert [(each.src, each.reading_idx) for each in readings] == [(0x11, 0), (0x11, 5), (0x11, 63)]
    assert flavour.call(bus.read_single, 0x7E, 3, 7) == MonitoringData(0x11, 3, 7, b"\x11\x00\x07\x00")
    assert flavour.call(bus.read_single_and_decode, 0x7E, 3, 7, "<HH") == (0x11, 7)


def test_readings_from_one_node(flavour: Flavour, bus: Any) -> None:
    readings = flavour.call(bus.fetch_readings, 0x7E, 3, range(64), 0x10)
    assert readings == [MonitoringData(0x10, 3, index, struct.pack("<HH", 0x10, index)) for index in range(64)]
    assert flavour.call(bus.fetch_readings, 0x7E, 3, []) == []


@pytest.mark.parametrize("version", [1, 2])
def test_ddp(flavour: Flavour, node: tuple[str, Node], version: int) -> None:
    bus = flavour.make(GctCanBus, flavour.make(CanBus, node[0]), version)
    assert flavour.call(bus.ddp, 0x7E, 0x10, b"\x81abc", 1.0) == b"\x01cba"
    assert flavour.call(bus.ddp, 0x7E, 0x10, b"\x01abc", 1.0) is None
    assert flavour.call(bus.ddp_request, 3, 0x7E, 0x10, bytes(range(50))) == b"\x03" + bytes(range(50))[::-1]
    flavour.call(bus.ddp_write, 0x84, 0x7E, 0x10, b"written")
    sent = GctDecoder()
    until(lambda: len(node[1].received) >= 11)
    messages = [sent.feed(each.arbitration_id, bytes(each.data)) for each in node[1].received]
    assert [each.version for each in messages if isinstance(each, DdpMessage)] == [version] * 4
    assert [each.data for each in messages if isinstance(each, DdpMessage)][-1] == b"\x04written"
    flavour.call(bus.disconnect)


def test_a_response_to_another_command_is_none(flavour: Flavour, bus: Any) -> None:
    assert flavour.call(bus.ddp_request, 5, 0x7E, 0x10, b"abc") == b"\x05cba"


def test_a_write_and_signs_of_life(flavour: Flavour, bus: Any, node: tuple[str, Node]) -> None:
    flavour.call(bus.sysctrl_write, 0x7E, 0x123, b"\x01\x02", 0x10)
    flavour.call(bus.sysctrl_announce, 0x10, 0x123, b"\xaa\xbb", 0x7E)
    flavour.call(bus.monitoring_data, 12, 23, 53, b"\x01\x02\x03\x04")
    flavour.call(bus.heartbeat, 12, 0xABCD)
    until(lambda: len(node[1].received) == 4)
    assert [(each.arbitration_id, bytes(each.data).hex()) for each in node[1].received] == [
        (0x03F8848C, "0102"),
        (0x0243F48E, "aabb"),
        (0x0E33FDF5, "01020304"),
        (0x1C33F800, "cdab"),
    ]


def test_nobody_answers(flavour: Flavour) -> None:
    bus = flavour.make(GctCanBus, f"can::virtual::{channel()}")
    for call, arguments in (
        (bus.sysctrl_request, (0x7E, 5)),
        (bus.fetch_readings, (0x7E, 3, [1, 2])),
        (bus.read_single, (0x7E, 3, 1)),
        (bus.ddp, (0x7E, 0x10, b"\x81", 0.05)),
        (bus.ddp_request, (1, 0x7E, 0x10, b"", 0.05)),
    ):
        with pytest.raises(TimeoutError, match=r"no answer to .* within"):
            flavour.call(call, *arguments)
    flavour.call(bus.disconnect)


def test_a_late_response_is_not_taken_for_the_next(flavour: Flavour) -> None:
    """A node whose first response comes after the time is up: the second request gets the second response."""
    name = channel()
    requests: list[GctMessage] = []

    def replies(message: GctMessage) -> list[GctMessage]:
        assert isinstance(message, DdpMessage)
        requests.append(message)
        if len(requests) == 1:
            late.wait(0.12)
        return [DdpMessage(message.dst, message.src, b"\x01" + message.data[1:], 2)]

    import threading

    late = threading.Event()
    with virtual(name) as other, Node(other, answering(replies)):
        bus = flavour.make(GctCanBus, f"can::virtual::{name}")
        with pytest.raises(TimeoutError):
            flavour.call(bus.ddp, 0x7E, 0x10, b"\x81first", 0.05)
        assert flavour.call(bus.ddp, 0x7E, 0x10, b"\x81second", 2.0) == b"\x01second"
        flavour.call(bus.disconnect)


def test_requests_at_the_same_time_get_their_own_answers(flavour: Flavour, bus: Any) -> None:
    actors = [flavour.actor() for _ in range(4)]
    started = [
        actor.start(bus.ddp_request, number, 0x7E, 0x10, bytes([number]) * 20, 5.0)
        for number, actor in enumerate(actors, 10)
    ]
    started.append(flavour.start(bus.fetch_readings, 0x7E, 3, [1, 2, 3], 0x10, 5.0))
    *responses, readings = [each.result(20) for each in started]
    assert responses == [bytes([number]) + bytes([number]) * 20 for number in range(10, 14)]
    assert [each.reading_idx for each in readings] == [1, 2, 3]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("sysctrl_request", (0x7F, 5)),
        ("sysctrl_request", (0x7E, 512)),
        ("sysctrl_request", (0x7E, 5, bytes(9))),
        ("fetch_readings", (0x7E, 32, 1)),
        ("fetch_readings", (0x7E, 3, 64)),
        ("fetch_readings", (0x7E, 3, [1, -1])),
        ("ddp", (0x7E, 0x10, b"", 1.0)),
        ("ddp", (0x7E, 0x80, b"\x81", 1.0)),
        ("ddp_request", (256, 0x7E, 0x10, b"", 1.0)),
        ("ddp_write", (1, 0x7E, 0x10, bytes(2045), 1.0)),
        ("heartbeat", (1, 0)),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_sent(
    node: tuple[str, Node], operation: str, arguments: tuple[Any, ...]
) -> None:
    with FLAVOURS[2]() as flavour:
        bus = flavour.make(GctCanBus, node[0])
        with pytest.raises(ValueError, match=r"must|carries"):
            flavour.call(getattr(bus, operation), *arguments)
        flavour.call(bus.heartbeat, 1, 1)
        until(lambda: node[1].received)
        assert len(node[1].received) == 1
        flavour.call(bus.disconnect)


def test_a_reading_of_another_size(flavour: Flavour, bus: Any) -> None:
    with pytest.raises(ValueError, match="expected 8 bytes for '<d' in reading 1 of group 3"):
        flavour.call(bus.read_single_and_decode, 0x7E, 3, 1, "<d")


def test_a_wrong_version() -> None:
    with pytest.raises(ValueError, match="ddp_version must be 1 or 2"):
        GctCanBus("can::loopback", 3)


def test_messages_of_every_kind_are_sent_and_received(flavour: Flavour) -> None:
    sent = [
        SysCtrlMessage(1, 2, 3, SysCtrlType.VALUE, b"\x01"),
        MonitoringData(1, 2, 3, b"\x04"),
        MonitoringRequest(1, 2, 3, 4),
        DdpMessage(1, 2, bytes(61), 1),
        DdpMessage(1, 2, bytes(2045), 2),
        Heartbeat(1, 2),
    ]
    with flavour.inside(flavour.make(CanBus, "can::loopback")) as bus, receiving(flavour, bus.gct()) as receiver:
        for message in sent:
            flavour.call(bus.send, message)
        assert flavour.collect(receiver, len(sent)) == sent
        assert (receiver.lost, receiver.dropped) == (0, 0)


class Slow:
    """Answers the first DDP request late, and each with what it was asked."""

    def __init__(self, seconds: float) -> None:
        self.requests: list[GctMessage] = []
        self._seconds = seconds

    def __call__(self, message: GctMessage) -> list[GctMessage]:
        assert isinstance(message, DdpMessage)
        self.requests.append(message)
        if len(self.requests) == 1:
            time.sleep(self._seconds)
        return [DdpMessage(0x10, message.src, b"\x01" + message.data[1:], 2)]


@pytest.mark.parametrize("library", ["asyncio", "trio"])
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_cancelled_request_leaves_its_answer_to_nobody(library: str, interrupted: bool) -> None:
    """It had two seconds, so its answer may come after much more than 0.1 s; also if the wait for that is cancelled."""
    import asyncio

    import trio

    name = channel()

    async def give_up(seconds: float, bus: GctCanBus, data: bytes) -> None:
        if library == "trio":
            with trio.move_on_after(seconds):
                await bus.ddp_request(1, 0x7E, 0x10, data, 2.0)
        else:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(bus.ddp_request(1, 0x7E, 0x10, data, 2.0), seconds)

    async def main() -> None:
        bus = await GctCanBus(f"can::virtual::{name}").connect()
        await give_up(0.1, bus, b"first")
        if interrupted:
            await give_up(0.1, bus, b"never sent")
        assert await bus.ddp_request(1, 0x7E, 0x10, b"second", 2.0) == b"\x01second"
        await bus.disconnect()

    slow = Slow(0.4)
    with virtual(name) as other, Node(other, answering(slow)):
        trio.run(main) if library == "trio" else asyncio.run(main())
    assert len(slow.requests) == 2


def test_a_request_to_all_nodes_leaves_the_answers_to_others_alone(flavour: Flavour) -> None:
    """Both wait for a DDP message from node 0x10, and only the second one to be asked is answered late."""
    name = channel()
    with virtual(name) as other, Node(other, answering(Slow(0.2))) as node:
        bus = flavour.make(GctCanBus, f"can::virtual::{name}")
        flavour.call(bus.connect)
        to_all = flavour.actor().start(bus.ddp_request, 1, 0x7E, 0x7F, b"all", 5.0)
        until(lambda: node.received)
        assert flavour.call(bus.ddp_request, 1, 0x7E, 0x10, b"one", 5.0) == b"\x01one"
        assert to_all.result(20) == b"\x01all"
        flavour.call(bus.disconnect)


def test_a_bus_that_is_not_there_is_waited_for_once(flavour: Flavour) -> None:
    """Nothing has been sent, so no answer has to be waited out."""
    bus = flavour.make(GctCanBus, "can::socket::nosuchcan")
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(CanBusError):
            flavour.call(bus.ddp_request, 1, 0x7E, 0x10, b"", 15.0)
    assert time.monotonic() - began < 14
