"""CAN buses on every flavour, against python-can's own buses and a simulated adapter on the network."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import tty
import weakref
from collections.abc import Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import can
import pytest

from instruments import sio
from instruments.can import (
    CanBus,
    CanBusError,
    CanBusOffError,
    CanFilter,
    DataMessage,
    DdpMessage,
    ErrorMessage,
    RemoteMessage,
    python_can,
)
from instruments.can.session import Session
from instruments.comsrv import ComSrv
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError
from tests.instruments.can_peers import Adapter, channel, extended, receiving, standard, virtual
from tests.instruments.pipe_flavours import FLAVOURS, Asyncio, Flavour, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def name() -> str:
    return channel()


@pytest.fixture
def peer(name: str) -> Iterator[can.BusABC]:
    with virtual(name) as peer:
        yield peer


@pytest.fixture
def bus(flavour: Flavour, name: str, peer: can.BusABC) -> Iterator[Any]:
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    with flavour.inside(bus):
        yield bus
    assert not bus.connected


# Sending and receiving


def test_messages_go_both_ways(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    sent = [
        DataMessage(0x123, data=[1, 2, 3]),
        DataMessage(0x1FFFFFFF, True, bytes(8)),
        RemoteMessage(0x7FF, dlc=8),
        RemoteMessage(0x12345678, True, 1),
        DataMessage(1, data=bytes(64), fd=True),
    ]
    for message in sent:
        flavour.call(bus.send, message)
    received = [peer.recv(5) for _ in sent]
    assert [(each.arbitration_id, each.dlc, each.is_remote_frame) for each in received if each] == [
        (0x123, 3, False),
        (0x1FFFFFFF, 8, False),
        (0x7FF, 8, True),
        (0x12345678, 1, True),
        (1, 64, False),
    ]
    with receiving(flavour, bus.raw()) as receiver:
        for each in received:
            assert each is not None
            peer.send(each)
        assert [flavour.call(receiver.next, 5) for _ in sent] == sent


def test_iteration(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        for number in range(5):
            peer.send(standard(number))
        assert [each.canid for each in flavour.collect(receiver, 3)] == [0, 1, 2]
        assert flavour.call(receiver.next).canid == 3


def test_the_wrong_kind_of_iteration(flavour: Flavour, bus: Any) -> None:
    with pytest.raises(TypeError, match=r"write `(async )?for`"):
        iter(bus.raw()) if flavour.is_async else bus.raw().__aiter__()


def test_nothing_comes(flavour: Flavour, bus: Any) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        with pytest.raises(
            ConnectionTimeoutError, match=r"CanReceiver\('can::virtual::.*'\): no message within 0.02 s"
        ):
            flavour.call(receiver.next, timeout=0.02)


def test_a_timeout_is_that_of_the_library(flavour: Flavour, bus: Any) -> None:
    with receiving(flavour, bus.raw()) as receiver, pytest.raises(TimeoutError):
        flavour.call(receiver.next, 0)
    if isinstance(flavour, Asyncio):
        with receiving(flavour, bus.raw()) as receiver, pytest.raises(asyncio.TimeoutError):
            flavour.call(receiver.next, 0)


def test_each_receiver_gets_everything(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    with receiving(flavour, bus.raw()) as one, receiving(flavour, bus.raw()) as other:
        peer.send(standard(1))
        assert flavour.call(one.next) == flavour.call(other.next) == DataMessage(1)


def test_get_all_and_clear_all(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    with receiving(flavour, bus.raw()) as receiver:
        assert receiver.get_all() == []
        for number in range(3):
            peer.send(standard(number))
        until(lambda: len(receiver.queue) == 3)
        assert receiver.queue.qsize() == 3
        assert [each.canid for each in receiver.get_all()] == [0, 1, 2]
        assert receiver.get_all() == []
        peer.send(standard(3))
        until(lambda: len(receiver.queue) == 1)
        receiver.clear_all()
        assert len(receiver.queue) == 0


def test_a_full_queue_loses_what_comes_and_counts_it(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    with receiving(flavour, bus.raw(maxsize=10)) as small, receiving(flavour, bus.raw()) as large:
        for number in range(25):
            peer.send(standard(number))
        until(lambda: len(large.queue) == 25)
        assert (small.lost, large.lost) == (15, 0)
        assert [each.canid for each in small.get_all()] == list(range(10))
        peer.send(standard(30))
        assert flavour.call(small.next).canid == 30
    assert small.lost == 15, "also when it has ended"


def test_a_queue_holds_a_thousand_unless_told_otherwise(flavour: Flavour, bus: Any) -> None:
    assert bus.raw().queue.maxsize == 1000
    assert bus.gct().queue.maxsize == 1000
    assert bus.raw(maxsize=0).queue.maxsize == 0
    with pytest.raises(ValueError, match="maxsize must be 0 or more"):
        bus.raw(maxsize=-1)


def test_map(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    """None leaves a message out, and what the function raises is raised in its place."""

    def invert(message: DataMessage) -> float | None:
        return None if message.canid == 1 else 1 / message.canid

    with (
        receiving(flavour, bus.raw().map(invert)) as mapped,
        receiving(flavour, bus.raw().map(invert).map(str)) as text,
    ):
        for number in (2, 1, 0, 4):
            peer.send(standard(number))
        assert flavour.call(mapped.next) == 0.5
        with pytest.raises(ZeroDivisionError):
            flavour.call(mapped.next)
        assert flavour.call(mapped.next) == 0.25
        until(lambda: len(text.queue) == 3)
        assert text.get_all() == ["0.5", "0.25"], "what failed is left out"


def test_an_ended_receiver(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    """What has come can still be taken; then there is nothing, until it is connected again."""
    receiver = bus.raw()
    with receiving(flavour, receiver):
        peer.send(standard(1))
        until(lambda: len(receiver.queue) == 1)
    with receiving(flavour, bus.raw()) as other:
        peer.send(standard(2))
        until(lambda: len(other.queue) == 1)
    assert flavour.call(receiver.next) == DataMessage(1)
    with pytest.raises(ConnectionEOFError, match="no message is left, and none will come"):
        flavour.call(receiver.next)
    with receiving(flavour, receiver):
        peer.send(standard(3))
        assert flavour.call(receiver.next) == DataMessage(3)


def test_a_waiting_receiver_ends_with_the_bus(flavour: Flavour, name: str) -> None:
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    with receiving(flavour, bus.raw()) as receiver:
        waiting = flavour.actor().start(receiver.next, None)
        until(lambda: receiver.queue._changed._waiters)
        flavour.call(bus.disconnect)
        with pytest.raises(ConnectionEOFError):
            waiting.result(20)
        with virtual(name) as peer:
            waiting = flavour.actor().start(receiver.next, None)
            until(lambda: bus.connected)
            peer.send(standard(5))
            assert waiting.result(20) == DataMessage(5), "the next call has opened it again"
    flavour.call(bus.disconnect)


def test_a_receiver_opens_the_bus(flavour: Flavour, name: str, peer: can.BusABC) -> None:
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    receiver = bus.raw()
    waiting = flavour.actor().start(receiver.next)
    until(lambda: bus.connected)
    peer.send(standard(1))
    assert waiting.result(20) == DataMessage(1)
    flavour.call(bus.drop)


@pytest.mark.parametrize(
    "message",
    [DataMessage(0x800), DataMessage(1, data=bytes(9)), RemoteMessage(1, dlc=9), DdpMessage(1, 2, bytes(2046))],
    ids=repr,
)
def test_what_cannot_be_sent_is_refused(flavour: Flavour, bus: Any, peer: can.BusABC, message: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|carries"):
        flavour.call(bus.send, message)
    assert peer.recv(0) is None


def test_what_is_no_message(flavour: Flavour, bus: Any) -> None:
    with pytest.raises(TypeError, match="expected a DataMessage"):
        flavour.call(bus.send, b"abc")
    with pytest.raises(ValueError, match="a controller sends error frames"):
        flavour.call(bus.send, ErrorMessage())


# Filters


def test_a_receiver_gets_what_it_wants(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    wanted = [CanFilter(0x200, 0x7F0, False), CanFilter(0x5, extid=True)]
    with receiving(flavour, bus.raw(wanted)) as some, receiving(flavour, bus.raw()) as everything:
        for number in (0x1FF, 0x205, 0x210):
            peer.send(standard(number))
        peer.send(extended(5))
        peer.send(extended(0x205))
        until(lambda: len(everything.queue) == 5)
        assert some.get_all() == [DataMessage(0x205), DataMessage(5, True)]


def test_filters_are_those_of_all_receivers_together(flavour: Flavour, bus: Any) -> None:
    """What the driver has been told is what python-can's bus has."""

    def pushed() -> Any:
        connection: Any = bus._connection
        return connection._session._bus.filters

    with receiving(flavour, bus.raw([CanFilter(1, 0x7FF, False)])):
        assert pushed() == [{"can_id": 1, "can_mask": 0x7FF, "extended": False}]
        with receiving(flavour, bus.raw([(2, 0x7FF)])):
            assert pushed()[1] == {"can_id": 2, "can_mask": 0x7FF}
        with receiving(flavour, bus.gct()):
            assert {"can_id": 7 << 25, "can_mask": 0xF << 25, "extended": True} in pushed()
            with receiving(flavour, bus.raw()):
                assert pushed() is None


# Errors that the controller reports


def has(items: Sized, count: int) -> bool:
    return len(items) == count


def error_frame(classes: int, data: bytes = bytes(8)) -> can.Message:
    return can.Message(arbitration_id=classes, is_error_frame=True, is_extended_id=False, data=data)


def test_bus_off_and_back(flavour: Flavour, name: str, peer: can.BusABC) -> None:
    told: list[CanBusError] = []
    bus = flavour.make(CanBus, f"can::virtual::{name}", on_error=told.append)
    assert bus.state == "disconnected"
    with flavour.inside(bus), receiving(flavour, bus.raw()) as plain, receiving(flavour, bus.raw(errors=True)) as full:
        assert bus.state == "active"
        states = []
        passive = bytes([0, 0x20, 0, 0, 0, 0, 0, 0])
        for number, message in enumerate([error_frame(4, passive), error_frame(0x40), error_frame(0x100)], 1):
            peer.send(message)
            until(partial(has, told, number))
            states.append(bus.state)
        assert states == ["passive", "bus off", "active"]
        assert [type(each) for each in told] == [CanBusError, CanBusOffError, CanBusError]
        assert str(told[0]) == "the CAN controller reports: controller problem, transmit error passive"
        assert told[1].message == ErrorMessage(0x40, bytes(8))
        assert bus.error_frames == 3
        assert full.get_all() == [ErrorMessage(4, passive), ErrorMessage(0x40, bytes(8)), ErrorMessage(0x100, bytes(8))]
        assert plain.get_all() == []


def test_a_callback_that_fails_ends_nothing(flavour: Flavour, name: str, peer: can.BusABC) -> None:
    def fail(error: Exception) -> None:
        raise RuntimeError(error)

    bus = flavour.make(CanBus, f"can::virtual::{name}", on_error=fail)
    with flavour.inside(bus), receiving(flavour, bus.raw()) as receiver:
        peer.send(error_frame(0x40))
        peer.send(standard(1))
        assert flavour.call(receiver.next, 5) == DataMessage(1)


def test_a_callback_may_close_the_bus(flavour: Flavour, name: str, peer: can.BusABC) -> None:
    bus: Any
    if flavour.is_async:

        async def close(error: Exception) -> None:
            await bus.disconnect()

        bus = flavour.make(CanBus, f"can::virtual::{name}", on_error=close)
    else:
        bus = flavour.make(CanBus, f"can::virtual::{name}", on_error=lambda error: bus.disconnect() and None)
    flavour.call(bus.connect)
    peer.send(error_frame(0x40))
    until(lambda: not bus.connected)


# Connections


def test_all_share_one_connection(flavour: Flavour, name: str, peer: can.BusABC) -> None:
    one, other = (flavour.make(CanBus, f"can::virtual::{name}") for _ in range(2))
    with flavour.inside(one):
        assert not other.connected
        flavour.call(other.connect)
        assert one._connection is other._connection
        with receiving(flavour, other.raw()) as receiver:
            flavour.call(one.send, DataMessage(1))
            peer.send(standard(2))
            assert flavour.call(receiver.next) == DataMessage(2), "and what one sends the other does not receive"
        assert f"can::virtual::{name}" in flavour.call(flavour.make(ComSrv).list_instruments)
    assert not other.connected


def test_other_options_for_the_same_bus(flavour: Flavour, name: str, bus: Any) -> None:
    other = flavour.make(CanBus, f"can::virtual::{name}", receive_own_messages=True)
    with pytest.raises(ValueError, match="is in use with receive_own_messages=None: it cannot be had with"):
        flavour.call(other.connect)


def test_comsrv_drops_it(flavour: Flavour, name: str) -> None:
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    flavour.call(bus.connect)
    flavour.call(flavour.make(ComSrv).drop, f"can::virtual::{name}")
    assert not bus.connected


def test_a_bus_that_is_forgotten_is_closed(flavour: Flavour, name: str) -> None:
    from can.interfaces.virtual import channels

    bus = flavour.make(CanBus, f"can::virtual::{name}")
    flavour.call(bus.connect)
    assert name in channels
    del bus
    gc.collect()
    until(lambda: name not in channels)


class Application:
    """Has a bus and a receiver, which call its methods."""

    def __init__(self, flavour: Flavour, name: str) -> None:
        self.bus = flavour.make(CanBus, f"can::virtual::{name}", on_error=self.hear)
        self.receiver = self.bus.raw().map(self.take)
        flavour.call(self.receiver.connect)

    def hear(self, error: CanBusError) -> None:
        raise NotImplementedError

    def take(self, message: DataMessage) -> DataMessage:
        return message


def test_a_bus_whose_user_is_forgotten_is_closed(flavour: Flavour, name: str, peer: can.BusABC) -> None:
    application = Application(flavour, name)
    peer.send(standard(1))
    assert flavour.call(application.receiver.next) == DataMessage(1)
    forgotten = weakref.ref(application)
    del application
    gc.collect()
    until(lambda: forgotten() is None)


def test_loopback(flavour: Flavour) -> None:
    with flavour.inside(flavour.make(CanBus, "can::loopback")) as bus, receiving(flavour, bus.raw()) as receiver:
        before = time.time()
        flavour.call(bus.send, DataMessage(1, data=b"abc", timestamp=1.0))
        message = flavour.call(receiver.next)
        assert message == DataMessage(1, data=b"abc")
        assert before <= message.timestamp <= time.time()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless")
def test_messages_of_several_frames_stay_together_on_the_loopback_bus() -> None:
    bus = sio.CanBus("can::loopback", timeout=30)
    with bus, bus.gct(maxsize=0) as receiver:

        def send(data: bytes) -> None:
            for _ in range(60):
                bus.send(DdpMessage(1, 2, data))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, [bytes([number]) * 1500 for number in range(4)]))
        until(lambda: len(receiver.queue) == 240)
        assert receiver.dropped == 0


def test_loopback_is_switched_on(flavour: Flavour, bus: Any, peer: can.BusABC) -> None:
    flavour.call(bus.enable_loopback, True)
    with receiving(flavour, bus.raw()) as receiver:
        flavour.call(bus.send, DataMessage(1))
        assert flavour.call(receiver.next) == DataMessage(1)
        flavour.call(bus.enable_loopback, False)
        flavour.call(bus.send, DataMessage(2))
        peer.send(standard(3))
        assert flavour.call(receiver.next) == DataMessage(3)


def test_listening_is_connecting(flavour: Flavour, name: str) -> None:
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    flavour.call(bus.listen_raw)
    assert bus.connected
    flavour.call(bus.listen_gct)
    flavour.call(bus.disconnect)


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ("tcp::1.2.3.4:5", ValueError, "no CAN bus"),
        ("can::nosuchthing::1", ValueError, "CAN interface 'nosuchthing' not supported; there are .*pcan.*usrcanet"),
        ("can::pcan::usb1::125000", CanBusError, "can::pcan::PCAN_USBBUS1::125000: .*"),
        ("can::slcan::/dev/nosuchport", CanBusError, "cannot be opened.*nosuchport"),
        ("can::usrcanet::127.0.0.1:1", CanBusError, "cannot be opened.*refused"),
        ("can::socket::nosuchcan", CanBusError, "cannot be opened.*No such device: 'nosuchcan'"),
    ],
)
def test_what_cannot_be_opened(flavour: Flavour, address: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        flavour.call(flavour.make(CanBus, address).connect)


def test_an_option_that_cannot_be(flavour: Flavour) -> None:
    with pytest.raises(ValueError, match=r"can::usrcanet::127.0.0.1:1: connection_timeout must be a number"):
        flavour.call(flavour.make(CanBus, "can::usrcanet::127.0.0.1:1", connection_timeout="soon").connect)


def test_what_a_bus_tells_of_itself(flavour: Flavour) -> None:
    bus = flavour.make(CanBus, "can::pcan::usb1::125000")
    assert (bus.address, bus.timeout, bus.connected) == ("can::pcan::PCAN_USBBUS1::125000", 2.0, False)
    assert repr(bus) == "CanBus('can::pcan::PCAN_USBBUS1::125000')"
    assert (bus.state, bus.error_frames, bus.connections_lost) == ("disconnected", 0, 0)


# An adapter on the network


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    with Adapter() as adapter:
        yield adapter


def test_the_adapter_sends_and_receives_its_records(flavour: Flavour, adapter: Adapter) -> None:
    with flavour.inside(flavour.make(CanBus, adapter.address)) as bus, receiving(flavour, bus.raw()) as receiver:
        flavour.call(bus.send, DataMessage(0x12345678, True, bytes.fromhex("1234567800")))
        flavour.call(bus.send, RemoteMessage(0x123456, True, 3))
        flavour.call(bus.send, DataMessage(0x123, data=b"\xaa\xbb"))
        until(lambda: len(adapter.received) == 39)
        assert (
            adapter.received.hex() == "85123456781234567800000000c30012345600000000000000000200000123aabb000000000000"
        )
        adapter.send(bytes.fromhex("84 00ABCDEF 0102030400000000 02 00"))
        adapter.send(bytes.fromhex("000123 AABB000000000000 C3 00123456 0000000000000000"))
        assert [flavour.call(receiver.next) for _ in range(3)] == [
            DataMessage(0xABCDEF, True, b"\x01\x02\x03\x04"),
            DataMessage(0x123, data=b"\xaa\xbb"),
            RemoteMessage(0x123456, True, 3),
        ]


def test_what_the_adapter_cannot_send(flavour: Flavour, adapter: Adapter) -> None:
    with flavour.inside(flavour.make(CanBus, adapter.address)) as bus:
        with pytest.raises(ValueError, match=r"sends data and remote frames of CAN 2\.0"):
            flavour.call(bus.send, DataMessage(1, fd=True))


def test_a_connection_that_is_lost_is_made_again(flavour: Flavour, adapter: Adapter) -> None:
    told: list[CanBusError] = []
    bus = flavour.make(CanBus, adapter.address, on_error=told.append)
    with flavour.inside(bus), receiving(flavour, bus.raw()) as receiver:
        until(lambda: adapter.connections == 1)
        adapter.hang_up()
        until(lambda: told and bus.connected)
        assert "the bus was lost: USR-CANET200 at 127.0.0.1" in str(told[0])
        until(lambda: adapter.connections == 2)
        adapter.send(bytes.fromhex("02 00000123 AABB000000000000"))
        assert flavour.call(receiver.next) == DataMessage(0x123, data=b"\xaa\xbb")
        assert bus.connections_lost == len(told) == 1


def test_an_adapter_that_is_gone_for_a_while(flavour: Flavour) -> None:
    with Adapter() as adapter:
        bus = flavour.make(CanBus, adapter.address)
        flavour.call(bus.connect)
        receiver = bus.raw()
        flavour.call(receiver.connect)
    until(lambda: not bus.connected)
    with pytest.raises(ConnectionTimeoutError, match=r"no message within 0.3 s; the bus is not open: .*USR-CANET200"):
        flavour.call(receiver.next, 0.3)
    with pytest.raises(CanBusError, match="cannot be opened"):
        flavour.call(bus.send, DataMessage(1))
    with Adapter(adapter.port) as again:
        until(lambda: again.connections and bus.connected)
        again.send(bytes.fromhex("02 00000123 AABB000000000000"))
        assert flavour.call(receiver.next, 5) == DataMessage(0x123, data=b"\xaa\xbb")
        assert bus.state == "active"
        flavour.call(bus.send, DataMessage(1))
        until(lambda: again.received)
        flavour.call(bus.disconnect)


def test_what_is_no_record_loses_the_connection(flavour: Flavour, adapter: Adapter) -> None:
    """Where records begin is not known any more: a new connection begins with one."""
    told: list[CanBusError] = []
    with flavour.inside(flavour.make(CanBus, adapter.address, on_error=told.append)) as bus:
        with receiving(flavour, bus.raw()) as receiver:
            until(lambda: adapter.connections == 1)
            adapter.send(bytes.fromhex("FF" * 13))
            until(lambda: adapter.connections == 2)
            assert "expected a record of 13 bytes" in str(told[0])
            adapter.send(bytes.fromhex("02 00000123 AABB000000000000"))
            assert flavour.call(receiver.next) == DataMessage(0x123, data=b"\xaa\xbb")


def test_sending_waits_for_room(flavour: Flavour, adapter: Adapter) -> None:
    """The adapter takes nothing for a while: then sending times out, and goes on where it was when it does again."""
    with flavour.inside(flavour.make(CanBus, adapter.address)) as bus:
        until(lambda: adapter.connections == 1)
        flavour.call(bus.send, DataMessage(0))
        until(lambda: len(adapter.received) == 13)
        adapter.reads.clear()
        sent = 1

        def send_many() -> None:
            nonlocal sent
            while True:
                flavour.call(bus.send, DataMessage(sent & 0x7FF, data=sent.to_bytes(8, "big")), timeout=0.1)
                sent += 1

        with pytest.raises(ConnectionTimeoutError, match="a frame could not be sent in time"):
            send_many()
        waiting = flavour.start(bus.send, DataMessage(0x7FF, data=b"the last"), timeout=None)
        adapter.reads.set()
        waiting.result(20)
        until(lambda: adapter.received.endswith(b"the last"))
        numbers = [adapter.received[i + 5 : i + 13] for i in range(13, len(adapter.received) - 13, 13)]
        assert numbers == [number.to_bytes(8, "big") for number in range(1, len(numbers) + 1)]
        # A frame that timed out has not gone, unless the connection had taken its beginning: then the rest follows.
        assert len(numbers) - (sent - 1) in (0, 1)


def test_the_plug_in_is_found_by_python_can(adapter: Adapter, tmp_path: Path) -> None:
    """As an entry point, in a process that has nothing else of ours."""
    folder = tmp_path / "usrcanet-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: usrcanet\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[can.interface]\nusrcanet = instruments.can.usrcanet:UsrCanetBus\n")
    code = (
        f"import can\n"
        f"with can.Bus(interface='usrcanet', channel='127.0.0.1:{adapter.port}') as bus:\n"
        f"    bus.send(can.Message(arbitration_id=0x123, is_extended_id=False, data=b'ab'), timeout=5)\n"
        f"    print(bus.recv(5), bus.recv(0))\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as process:
        until(lambda: len(adapter.received) == 13)
        adapter.send(bytes.fromhex("02 00000456 AABB000000000000"))
        output, _ = process.communicate(timeout=30)
    assert adapter.received.hex() == "02000001236162000000000000"
    assert "ID:      456" in output
    assert output.strip().endswith("None")


# Other buses of python-can


@pytest.fixture
def line() -> Iterator[tuple[str, str]]:
    """Two terminals that are joined: a serial line without a baud rate."""
    ends = [os.openpty() for _ in range(2)]
    for controller, terminal in ends:
        tty.setraw(controller)
        tty.setraw(terminal)
    ending = threading.Event()

    def copy(source: int, target: int) -> None:
        while not ending.is_set():
            try:
                os.write(target, os.read(source, 4096))
            except OSError:
                return

    threads = [
        threading.Thread(target=copy, args=(ends[0][0], ends[1][0]), daemon=True),
        threading.Thread(target=copy, args=(ends[1][0], ends[0][0]), daemon=True),
    ]
    for thread in threads:
        thread.start()
    yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    ending.set()
    for _, terminal in ends:
        os.write(terminal, b"\r")
    for thread in threads:
        thread.join(5)
    for controller, terminal in ends:
        os.close(terminal)
        os.close(controller)


def test_a_serial_adapter(flavour: Flavour, line: tuple[str, str]) -> None:
    """slcan at both ends."""
    here, there = line
    bus = flavour.make(CanBus, f"can::slcan::{here}", sleep_after_open=0)
    with can.Bus(interface="slcan", channel=there, sleep_after_open=0) as peer:
        with flavour.inside(bus), receiving(flavour, bus.raw()) as receiver:
            for number in range(20):
                flavour.call(bus.send, DataMessage(number, True, bytes([number] * 8)))
            received = [peer.recv(5) for _ in range(20)]
            assert [each.arbitration_id for each in received if each] == list(range(20))
            for each in received:
                assert each is not None
                peer.send(each)
            assert flavour.collect(receiver, 20) == [DataMessage(n, True, bytes([n] * 8)) for n in range(20)]


GROUP = "239.74.163.2"


@pytest.fixture(scope="module")
def multicast() -> int:
    """A port on which multicast reaches this machine itself."""
    port = 43200 + os.getpid() % 1000
    try:
        with (
            can.Bus(interface="udp_multicast", channel=GROUP, port=port, hop_limit=0) as one,
            can.Bus(interface="udp_multicast", channel=GROUP, port=port, hop_limit=0) as other,
        ):
            one.send(standard(1))
            if other.recv(1) is None:
                pytest.skip("multicast does not reach this machine itself")
    except (OSError, can.CanError) as error:
        pytest.skip(f"no multicast: {error}")
    return port


def test_multicast(flavour: Flavour, multicast: int) -> None:
    options: dict[str, Any] = {"port": multicast, "hop_limit": 0}
    with can.Bus(interface="udp_multicast", channel=GROUP, **options) as peer:
        with flavour.inside(flavour.make(CanBus, f"can::udp_multicast::{GROUP}", **options)) as bus:
            with receiving(flavour, bus.raw([CanFilter(0x100, 0x700)], maxsize=0)) as receiver:
                for number in range(300):
                    peer.send(extended(0x100 + number % 256, bytes([number % 256])))
                    if number % 50 == 49:
                        until(partial(has, receiver.queue, number + 1))
                got = receiver.get_all()
                assert receiver.lost == 0
                assert [each.data[0] for each in got] == [number % 256 for number in range(300)]
                flavour.call(bus.send, DataMessage(0x123, data=b"abc"))
                until(lambda: (received := peer.recv(1)) and received.arbitration_id == 0x123)


def test_what_the_system_has_no_room_for_is_counted(flavour: Flavour, multicast: int, monkeypatch: Any) -> None:
    """With a receive buffer for a few frames, and nobody who reads: each frame is received, or counted as lost."""
    monkeypatch.setattr(python_can, "RECEIVE_BUFFER", 4096)
    reading = threading.Event()
    receive = python_can.receive

    def receive_later(bus: can.BusABC, seconds: float) -> Any:
        if not reading.is_set() and not seconds:
            time.sleep(0.001)
            return [], None
        reading.wait(20)
        return receive(bus, seconds)

    options: dict[str, Any] = {"port": multicast, "hop_limit": 0}
    with can.Bus(interface="udp_multicast", channel=GROUP, **options) as peer:
        with flavour.inside(flavour.make(CanBus, f"can::udp_multicast::{GROUP}", **options)) as bus:
            with receiving(flavour, bus.raw(maxsize=0)) as receiver:
                monkeypatch.setattr(python_can, "receive", receive_later)
                time.sleep(0.15)  # the wait that was under way is over
                for number in range(500):
                    peer.send(extended(number))
                reading.set()
                until(lambda: len(receiver.queue) + receiver.lost == 500)
                assert receiver.lost == receiver.lost_by_driver > 400


# What users have in their programs

EXAMPLE = """\
from comsrv import CanBus
from comsrv.can import DataMessage

# connect to the can bus
bus = await CanBus('can::pcan::usb1::125000').connect()

# receive 10 messages
with bus.raw() as raw_messages:
    for k in range(10):
        msg = await raw_messages.next()
        print(msg)

# send a message
msg = DataMessage()
msg.canid = 0x123
msg.data = [1, 2, 3]
await bus.send(msg)
"""


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "blocking"])
def test_an_example_runs_as_it_is_written(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but the import changed; the driver for PCAN adapters is python-can's virtual bus here."""
    from tests.instruments.documented_namespace import run

    monkeypatch.setitem(can.interfaces.BACKENDS, "pcan", ("can.interfaces.virtual", "VirtualBus"))
    package = "instruments.sio" if runtime == "blocking" else "instruments"
    code = EXAMPLE.replace("comsrv", package)
    if runtime == "blocking":
        code = code.replace("await ", "")
    ending = threading.Event()
    received: list[can.Message] = []

    def talk() -> None:
        with virtual("PCAN_USBBUS1") as peer:
            while not ending.is_set():
                peer.send(standard(0x42, b"\x07"))
                message = peer.recv(0.005)
                if message is not None:
                    received.append(message)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        result = run(runtime, code)
        assert result["error"] is None, result["error"]
        assert result["printed"] == [r"DataMessage(canid=0x042, data=b'\x07')"] * 10
        until(lambda: received)
    finally:
        ending.set()
        thread.join(20)
    assert [(each.arbitration_id, each.is_extended_id, bytes(each.data)) for each in received] == [
        (0x123, False, b"\x01\x02\x03")
    ]


def test_opening_takes_too_long(flavour: Flavour, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus that is open too late is closed again."""
    from can.interfaces.virtual import channels

    open_bus = python_can.open_bus
    release = threading.Event()

    def slowly(*arguments: Any) -> Any:
        release.wait(20)
        return open_bus(*arguments)

    monkeypatch.setattr(python_can, "open_bus", slowly)
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    with pytest.raises(ConnectionTimeoutError, match="could not be opened in time"):
        flavour.call(bus.connect, 0.05)
    release.set()
    until(lambda: name not in channels)
    flavour.call(bus.connect)
    assert name in channels
    flavour.call(bus.disconnect)


def test_who_subscribes_while_the_bus_is_being_opened_gets_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread has asked for the bus first, with filters of its own, and the driver has those already."""
    name = channel()
    start = Session.start
    bus = sio.CanBus(f"can::virtual::{name}")
    late = bus.raw([CanFilter(0x200)])
    coming: list[Any] = []
    with virtual(name) as peer, ThreadPoolExecutor(1) as others:

        async def start_and_let_others_come(session: Session, deadline: float | None) -> None:
            await start(session, deadline)
            coming.append(others.submit(late.connect))
            until(lambda: len(session._hub._queues) == 2)

        monkeypatch.setattr(Session, "start", start_and_let_others_come)
        with bus.raw([CanFilter(0x100)]):
            coming[0].result(10)
            peer.send(standard(0x200))
            assert late.next(timeout=10).canid == 0x200
        bus.disconnect()
