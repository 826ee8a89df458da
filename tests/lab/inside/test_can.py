"""SocketCAN on vcan interfaces, against can-utils and the kernel, on every runtime."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments.can import (
    CanBus,
    CanBusError,
    CanBusOffError,
    CanFilter,
    DataMessage,
    DdpMessage,
    GctDecoder,
    RemoteMessage,
    python_can,
)
from tests.instruments.can_peers import receiving
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, until

#: Patience: everything is emulated.
LONG = 30.0


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_interface() -> None:
    run("ip", "link", "add", "vcan0", "type", "vcan")
    run("ip", "link", "set", "vcan0", "up")


@pytest.fixture(autouse=True)
def interface() -> Iterator[None]:
    make_interface()
    yield
    run("ip", "link", "delete", "vcan0")


@pytest.fixture(params=FLAVOURS[:3], ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def told() -> list[CanBusError]:
    return []


@pytest.fixture
def bus(flavour: Flavour, told: list[CanBusError]) -> Iterator[Any]:
    with flavour.inside(flavour.make(CanBus, "can::socket::vcan0", LONG, on_error=told.append)) as bus:
        yield bus


def send(*frames: str) -> None:
    for frame in frames:
        run("cansend", "vcan0", frame)


def test_what_cansend_sends(flavour: Flavour, bus: Any, told: list[CanBusError]) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        send("123#010203", "1FFFFFFF#", "7FF#R8", "20000040#0000000000000000", "001#FF")
        assert [flavour.call(receiver.next) for _ in range(4)] == [
            DataMessage(0x123, data=b"\x01\x02\x03"),
            DataMessage(0x1FFFFFFF, True),
            RemoteMessage(0x7FF, dlc=8),
            DataMessage(1, data=b"\xff"),
        ]
    assert [type(each) for each in told] == [CanBusOffError]
    assert bus.state == "bus off"


def test_what_candump_sees(flavour: Flavour, bus: Any) -> None:
    flavour.call(bus.connect)
    with subprocess.Popen(["candump", "-L", "-n", "5", "vcan0"], stdout=subprocess.PIPE, text=True) as candump:
        listening = Path("/proc/net/can/rcvlist_all")
        until(lambda: listening.read_text().count("vcan0") >= 2, "candump does not listen")
        flavour.call(bus.send, DataMessage(0x123, data=[1, 2, 3]))
        flavour.call(bus.send, DataMessage(0x123, True))
        flavour.call(bus.send, RemoteMessage(0x7FF))
        flavour.call(bus.send, DdpMessage(12, 34, bytes(range(13)), 2))
        output, _ = candump.communicate(timeout=LONG)
    assert [line.split()[2] for line in output.splitlines()] == [
        "123#010203",
        "00000123#",
        "7FF#R",
        "18311000#0001020304050607",
        "18311401#08090A0B0CACDD",
    ]


def test_the_kernel_filters(flavour: Flavour, bus: Any) -> None:
    """What it does not pass is not lost either."""
    with receiving(flavour, bus.raw([CanFilter(0x200, 0x7F0, False)], maxsize=2)) as receiver:
        assert "7f0" in Path("/proc/net/can/rcvlist_fil").read_text()
        send("1FF#", "205#", "210#", "00000205#", "20F#")
        assert [flavour.call(receiver.next).canid for _ in range(2)] == [0x205, 0x20F]
        assert receiver.lost == 0


def test_a_thousand_frames_a_second_without_loss(flavour: Flavour, bus: Any) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        cangen = subprocess.Popen(["cangen", "vcan0", "-g", "1", "-n", "3000", "-I", "123", "-L", "8", "-D", "i"])
        messages = flavour.collect(receiver, 3000)
        assert cangen.wait(LONG) == 0
        assert receiver.lost == 0
    assert [int.from_bytes(each.data, "little") for each in messages] == list(range(3000))


@pytest.mark.parametrize("size", [2**15, python_can.RECEIVE_BUFFER])
def test_at_full_rate_every_frame_is_received_or_counted(
    flavour: Flavour, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 5000
    monkeypatch.setattr(python_can, "RECEIVE_BUFFER", size)
    with flavour.inside(flavour.make(CanBus, "can::socket::vcan0", LONG)) as bus:
        with receiving(flavour, bus.raw(maxsize=0)) as receiver, receiving(flavour, bus.raw()) as idle:
            run("cangen", "vcan0", "-g", "0", "-n", str(count), "-I", "123", "-L", "8", "-D", "i", "-i")
            until(lambda: len(receiver.queue) + receiver.lost == count, "some are neither received nor counted")
            until(lambda: len(idle.queue) + idle.lost == count, "some are neither waiting nor counted")
            assert len(idle.queue) == min(1000, len(receiver.queue))
            numbers = [int.from_bytes(each.data, "little") for each in receiver.get_all()]
            print(f"{flavour.name}: {receiver.lost} of {count} lost with a receive buffer of {size} bytes")
            assert receiver.lost == receiver.lost_by_driver == count - len(numbers)
            if size < python_can.RECEIVE_BUFFER:
                assert receiver.lost > 0
    assert numbers == sorted(set(numbers)), "in their order, and each once"


def test_many_frames_are_sent(flavour: Flavour, bus: Any) -> None:
    """The driver's queue fills up and sending waits: the other side gets them all."""
    decoder = GctDecoder()
    message = DdpMessage(1, 2, bytes(2045), 2)
    with (
        flavour.inside(flavour.make(CanBus, "can::socket::vcan0", LONG)) as other,
        subprocess.Popen(["candump", "-L", "-n", "512", "vcan0"], stdout=subprocess.PIPE, text=True) as candump,
    ):
        listening = Path("/proc/net/can/rcvlist_all")
        until(lambda: listening.read_text().count("vcan0") >= 2, "candump does not listen")
        flavour.call(bus.send, message)
        flavour.call(other.send, message)
        output, _ = candump.communicate(timeout=LONG)
    frames = [line.split()[2].split("#") for line in output.splitlines()]
    decoded = [decoder.feed(int(canid, 16), bytes.fromhex(data)) for canid, data in frames]
    assert [each for each in decoded if each] == [message, message]


def test_an_interface_that_goes_down_and_up(flavour: Flavour, bus: Any, told: list[CanBusError]) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        run("ip", "link", "set", "vcan0", "down")
        until(lambda: told)
        assert "Network is down" in str(told[0])
        with pytest.raises(CanBusError, match="Network is down"):
            flavour.call(bus.send, DataMessage(1))
        run("ip", "link", "set", "vcan0", "up")
        until(lambda: bus.connected and not bus._connection._session._failures)
        send("123#01")
        assert flavour.call(receiver.next) == DataMessage(0x123, data=b"\x01")
        flavour.call(bus.send, DataMessage(1))
        assert bus.connections_lost == 1


def test_an_adapter_that_is_pulled_out_and_plugged_in(flavour: Flavour, bus: Any, told: list[CanBusError]) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        run("ip", "link", "delete", "vcan0")
        until(lambda: told and not bus.connected)
        with pytest.raises(CanBusError, match="No such device"):
            flavour.call(bus.send, DataMessage(1))
        make_interface()
        until(lambda: bus.connected)
        send("123#01")
        assert flavour.call(receiver.next) == DataMessage(0x123, data=b"\x01")
        assert bus.connections_lost == 1
