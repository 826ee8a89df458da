"""What can go wrong between a CAN bus and those who use it: busy loops, threads at once, drivers that refuse."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import can
import pytest

from instruments.can import CanBus, CanBusError, CanFilter, DataMessage
from instruments.can.usrcanet import UsrCanetBus
from sockio.errors import ConnectionTimeoutError
from tests.instruments.can_peers import Adapter, channel, standard, virtual
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, until


@pytest.fixture(params=FLAVOURS, ids=lambda kind: kind.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


def test_a_loop_without_time_loses_nothing() -> None:
    """Frames come one by one while the event loop is busy with something else."""
    name = channel()

    async def main(peer: can.BusABC) -> None:
        async with CanBus(f"can::virtual::{name}") as bus:
            with bus.raw(maxsize=0) as receiver:
                await receiver.connect()
                peer.send(standard(0x7FF))
                assert (await receiver.next(5.0)).canid == 0x7FF  # the thread in the driver has begun
                for number in range(1500):
                    peer.send(standard(number))
                    time.sleep(0.0005)  # noqa: ASYNC251  this is what it is about
                received = [(await receiver.next(5.0)).canid for _ in range(1500 - receiver.lost)]
                assert receiver.lost == 0
                assert received == list(range(1500))

    with virtual(name) as peer:
        asyncio.run(main(peer))


# Filters


def refuse_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have python-can's virtual buses refuse filters."""
    from can.interfaces.virtual import VirtualBus

    set_filters: Any = VirtualBus.set_filters

    def refuse(bus: can.BusABC, filters: Any = None) -> None:
        if filters:
            raise can.CanOperationError("no more room for filters")
        set_filters(bus, filters)

    monkeypatch.setattr(VirtualBus, "set_filters", refuse)


def test_a_bus_whose_filters_cannot_be_set_is_closed(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    from can.interfaces.virtual import channels

    refuse_filters(monkeypatch)
    name = channel()
    bus = flavour.make(CanBus, f"can::virtual::{name}")
    receiver = bus.raw([CanFilter(0x100)])
    with pytest.raises(CanBusError, match="cannot set filters: no more room"):
        flavour.call(receiver.connect)
    assert name not in channels


def test_a_receiver_whose_filters_cannot_be_set_leaves_nothing(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_filters(monkeypatch)
    name = channel()
    with virtual(name) as peer:
        bus = flavour.make(CanBus, f"can::virtual::{name}")
        flavour.call(bus.connect)
        receiver = bus.raw([CanFilter(0x100)])
        for _ in range(3):
            with pytest.raises(CanBusError, match="cannot set filters: no more room"):
                flavour.call(receiver.connect)
        assert bus._connection.hub._queues == ()
        everything = bus.raw()
        flavour.call(everything.connect)
        peer.send(standard(0x42))
        assert flavour.call(everything.next, 5.0).canid == 0x42
        flavour.call(bus.disconnect)


def test_filters_of_threads_that_begin_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the driver last, it passes what all want."""
    from can.interfaces.virtual import VirtualBus

    from instruments import sio

    set_filters: Any = VirtualBus.set_filters
    slow = threading.Event()

    def slowly(bus: can.BusABC, filters: Any = None) -> None:
        if filters and len(filters) == 1:
            slow.set()
            time.sleep(0.2)
        set_filters(bus, filters)

    monkeypatch.setattr(VirtualBus, "set_filters", slowly)
    name = channel()
    with virtual(name) as peer, sio.CanBus(f"can::virtual::{name}") as bus:
        first, second = bus.raw([CanFilter(0x100)]), bus.raw([CanFilter(0x200)])
        thread = threading.Thread(target=first.connect)
        thread.start()
        assert slow.wait(10)
        second.connect()
        thread.join(10)
        peer.send(standard(0x200))
        assert second.next(5.0).canid == 0x200


# The adapter on the network


class Narrow:
    """A socket that takes a few bytes at a time, as a full one does, and the rest when there is room again."""

    def __init__(self, real: Any, room: int) -> None:
        self._real = real
        self.room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, data: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        sent: int = self._real.send(data[: self.room])
        self.room -= sent
        return sent


def test_a_record_that_is_cut_is_completed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter has taken the beginning: who tries again sends the rest, and was not told before that it was sent."""
    with Adapter() as adapter:
        bus = UsrCanetBus(f"127.0.0.1:{adapter.port}")
        try:
            monkeypatch.setattr(bus, "_wait", lambda event, deadline: False)
            narrow = Narrow(bus._socket, 5)
            monkeypatch.setattr(bus, "_socket", narrow)
            message = standard(0x123, b"\xaa\xbb")
            for _ in range(2):
                with pytest.raises(can.CanTimeoutError, match="full"):
                    bus.send(message, 0)
            narrow.room = 1000
            bus.send(message, 0)
            bus.send(standard(0x124), 0)
            until(lambda: len(adapter.received) >= 26)
        finally:
            bus.shutdown()
    assert adapter.received.hex() == "0200000123aabb" + "00" * 6 + "0000000124" + "00" * 8


# Other processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_has_a_connection_of_its_own() -> None:
    from instruments import sio

    with Adapter() as adapter:
        bus = sio.CanBus(adapter.address)
        bus.connect()
        receiver = bus.raw()
        receiver.connect()
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            try:
                bus.send(DataMessage(0x7FF))
                bus.disconnect()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        until(lambda: len(adapter.received) == 13)
        assert adapter.connections == 2
        adapter._sockets[0].sendall(bytes.fromhex("0000000042" + "00" * 8))
        assert receiver.next(5.0).canid == 0x42
        bus.send(DataMessage(0x1))
        assert bus.connections_lost == 0
        bus.disconnect()


def test_nothing_is_sent_when_the_time_is_up(flavour: Flavour) -> None:
    with Adapter() as adapter:
        bus = flavour.make(CanBus, adapter.address)
        flavour.call(bus.connect)
        adapter.reads.clear()
        sent = 0

        def send_all() -> None:
            nonlocal sent
            while True:
                flavour.call(bus.send, DataMessage(sent & 0x7FF, data=sent.to_bytes(4, "big")), 0.1)
                sent += 1

        with pytest.raises(ConnectionTimeoutError, match="could not be sent in time"):
            send_all()
        adapter.reads.set()
        flavour.call(bus.send, DataMessage(0x7FF, data=b"end"), 10)
        until(lambda: adapter.received.endswith(b"end" + bytes(5)))
        records = [adapter.received[start : start + 13] for start in range(0, len(adapter.received), 13)]
        numbers = [int.from_bytes(record[5:9], "big") for record in records[:-1]]
        assert numbers in (list(range(sent)), list(range(sent + 1)))  # of the last one the beginning may have gone
        flavour.call(bus.disconnect)


def test_a_loop_ends_with_the_bus_also_when_it_does_not_wait(flavour: Flavour) -> None:
    """It is closed while the loop works on a message; what had come by then is still given."""
    bus = flavour.make(CanBus, f"can::virtual::{channel()}")
    flavour.call(bus.connect)
    flavour.call(bus.enable_loopback)
    receiver = bus.raw()
    flavour.call(receiver.connect)
    for number in range(3):
        flavour.call(bus.send, DataMessage(number))
    received: list[int] = []

    async def go_through() -> None:
        async for message in receiver:
            received.append(message.canid)
            if len(received) == 1:
                await bus.disconnect()

    def go_through_blocking() -> None:
        for message in receiver:
            received.append(message.canid)
            if len(received) == 1:
                closed = bus.disconnect()
                if closed is not None:
                    closed.result(10)

    flavour.call(go_through if flavour.is_async else go_through_blocking)
    assert received == [0, 1, 2]
    assert not bus.connected
