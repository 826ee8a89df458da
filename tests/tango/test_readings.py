"""Readings together, and how long they hold."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from instruments.cryocon import CryoCon, CryoConError
from instruments.simulators.cryocon import CryoCon as Simulator
from instruments.tango.declaration import Call, declare
from instruments.tango.drivers import Nowhere
from instruments.tango.readings import Readings, read_together
from tests.tango.own_driver import Supply


class Wire:
    """A connection to a simulated controller that can be lost."""

    def __init__(self) -> None:
        self.device = Simulator("wired", io_period=0)
        self.lines: list[bytes] = []
        self.left = 1000

    async def write_readline(self, data: bytes) -> bytes:
        self.lines.append(data)
        if len(self.lines) > self.left:
            raise ConnectionResetError("gone")
        reply = self.device.answer(data)
        assert reply is not None
        return reply

    async def write(self, data: bytes) -> None:
        self.device.answer(data)


def calls(driver: Any, *names: str) -> dict[str, Call]:
    operations = declare(driver).operations
    return {name: Call(operations[name]) for name in names}


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def cryo(wire: Wire) -> Any:
    driver: Any = CryoCon(wire)
    driver.io_period = 0
    return driver


def test_what_can_travel_together_does(cryo: Any, wire: Wire) -> None:
    names = ("channelA_unit", "loop1_type", "summary", "loop2_rate")
    outcomes = asyncio.run(read_together(cryo, calls(cryo, *names)))
    assert outcomes["channelA_unit"] == "K"
    assert (outcomes["loop1_type"], outcomes["loop2_rate"]) == ("MAN", 10.0)
    assert outcomes["summary"].startswith("CryoCon on")
    assert wire.lines[0] == b":INPUT A:UNIT?;:LOOP 1:TYP?;:LOOP 2:RATE?;\n"
    assert len(wire.lines) == 2


def test_a_refusal_stands_in_its_place_alone(cryo: Any, wire: Wire) -> None:
    wire.device.loops.pop(2)
    outcomes = asyncio.run(read_together(cryo, calls(cryo, "loop1_type", "loop2_type", "loop3_type")))
    assert isinstance(outcomes["loop2_type"], CryoConError)
    assert (outcomes["loop1_type"], outcomes["loop3_type"]) == ("MAN", "OFF")


def test_a_loss_leaves_what_had_come(cryo: Any, wire: Wire) -> None:
    wire.left = 1
    names = [name for name, each in declare(cryo).attributes.items() if name.startswith("channel")]
    outcomes = asyncio.run(read_together(cryo, calls(cryo, *names, "summary")))
    failed = [outcome for outcome in outcomes.values() if isinstance(outcome, OSError)]
    assert 0 < len(failed) < len(outcomes)
    assert not isinstance(outcomes[names[0]], Exception)
    assert isinstance(outcomes["summary"], ConnectionResetError)
    assert len(wire.lines) == 2  # nothing more is asked


def test_without_groups_nothing_is_asked_after_a_loss() -> None:
    asked = []

    class Broken(Nowhere):
        async def write_readline(self, data: bytes) -> bytes:
            asked.append(data)
            raise ConnectionResetError("gone")

    supply: Any = Supply(Broken())
    outcomes = asyncio.run(read_together(supply, calls(supply, "temperature", "get_mode", "names")))
    assert [type(outcome) for outcome in outcomes.values()] == [ConnectionResetError] * 3
    assert asked == [b"T?\n"]


def test_a_reading_that_began_before_a_newer_one_does_not_replace_it() -> None:
    readings = Readings(declare(Supply(Nowhere())).attributes, 3600)
    readings.note("temperature", 2.0, asked_at=20.0)
    readings.note("temperature", 1.0, asked_at=10.0)
    reading = readings.of("temperature")
    assert reading is not None
    assert (reading.value, reading.error) == (2.0, None)


def test_a_reading_holds_until_something_is_changed() -> None:
    readings = Readings(declare(Supply(Nowhere())).attributes, 3600)
    assert not readings.is_valid("temperature")
    readings.note("temperature", 2.0, time.monotonic())
    assert readings.is_valid("temperature")
    before = time.monotonic()
    readings.change()
    assert not readings.is_valid("temperature")
    assert readings.is_outdated(before)
    readings.note("temperature", 3.0, time.monotonic())
    assert readings.is_valid("temperature")


@pytest.mark.parametrize(("name", "given"), [("serial_number", float("inf")), ("mode", "SLOW"), ("temperature", [])])
def test_what_a_driver_should_not_give_is_an_error_of_that_attribute_alone(name: str, given: object) -> None:
    readings = Readings(declare(Supply(Nowhere())).attributes, 3600)
    readings.note(name, given, time.monotonic())
    reading = readings.of(name)
    assert reading is not None
    assert reading.value is None
    assert reading.error is not None
    assert not readings.is_valid(name)


def test_what_is_not_of_its_type_is_an_error() -> None:
    readings = Readings(declare(Supply(Nowhere())).attributes, 0)
    readings.note("serial_number", 2.5, 0.0)
    reading = readings.of("serial_number")
    assert reading is not None
    assert reading.value is None
    assert "2.5" in str(reading.error)
