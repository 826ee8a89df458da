"""The CryoCon driver: what it sends, what it returns, groups, pacing, failures and set-up."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from instruments.cryocon import CryoCon, CryoConError, Curve, PIDEntry, PIDTable, ReplyError
from sockio import aio, sio
from sockio import trio as sockio_trio
from sockio.runtimes import blocking

IDN = "Cryo-con,24C,204683,1.01A"

Scenario = Callable[[CryoCon], Coroutine[Any, Any, None]]


class Fast(CryoCon):
    io_period = 0


async def value(given: Any) -> Any:
    """Return the value of what a call gives, whatever the flavour."""
    if isinstance(given, Awaitable):
        return await given
    return given.result(10) if isinstance(given, Future) else given


@asynccontextmanager
async def block(cryo: Any) -> AsyncIterator[Any]:
    """Open a group in the form of the flavour."""
    if hasattr(cryo, "__enter__"):
        with cryo as group:
            yield group
    else:
        async with cryo as group:
            yield group


async def scenario_of_the_readme(cryo: CryoCon) -> None:
    assert await value(cryo.idn()) == IDN
    assert await value(cryo.name()) == "cryo1"
    assert await value(cryo["A"].temperature()) > 0
    assert await value(cryo["A"].unit()) == "K"
    assert await value(cryo[1].source()) == "A"
    assert await value(cryo.control(True)) is True
    async with block(cryo) as group:
        cryo.idn()
        cryo.control()
        cryo["A"].temperature()
    idn, control, temperature = group.replies
    assert (idn, control) == (IDN, True)
    assert temperature > 0
    assert await value(cryo.control(False)) is False
    assert IDN in await value(cryo.summary())


def test_blocking(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port)
    blocking.run(scenario_of_the_readme(Fast(conn)))
    conn.close()


def test_futures(port: int) -> None:
    conn: Any = sio.TCP("127.0.0.1", port, resolve_futures=False)
    blocking.run(scenario_of_the_readme(Fast(conn)))
    conn.close().result(10)


def test_asyncio(port: int) -> None:
    async def main() -> None:
        conn = aio.TCP("127.0.0.1", port)
        await scenario_of_the_readme(Fast(conn))
        await conn.close()

    asyncio.run(main())


def test_trio(port: int) -> None:
    async def main() -> None:
        conn = sockio_trio.TCP("127.0.0.1", port)
        await scenario_of_the_readme(Fast(conn))
        await conn.close()

    trio.run(main)


def test_foreign_object_that_blocks(wire: Any) -> None:
    blocking.run(scenario_of_the_readme(Fast(wire)))


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)])
def test_foreign_object_with_coroutines(run: Any, async_wire: Any) -> None:
    run(scenario_of_the_readme(Fast(async_wire)))


@pytest.fixture
def cryo(wire: Any) -> Any:
    return Fast(wire)


def last(wire: Any) -> str:
    line: bytes = wire.lines[-1]
    return line.decode()


READINGS = [
    (lambda c: c.idn(), ":*IDN?;\n"),
    (lambda c: c.name(), ":SYSTEM:NAME?;\n"),
    (lambda c: c.hw_revision(), ":SYSTEM:HWR?;\n"),
    (lambda c: c.fw_revision(), ":SYSTEM:FWR?;\n"),
    (lambda c: c.lockout(), ":SYSTEM:LOCKOUT?;\n"),
    (lambda c: c.led(), ":SYSTEM:REMLED?;\n"),
    (lambda c: c.display_filter_time(), ":SYSTEM:DISTC?;\n"),
    (lambda c: c.date(), ":SYSTEM:DATE?;\n"),
    (lambda c: c.time(), ":SYSTEM:TIME?;\n"),
    (lambda c: c.control(), ":CONTROL?;\n"),
    *(
        (lambda c, name=name: getattr(c["B"], name)(), f":INPUT B:{command}?;\n")
        for name, command in {
            "name": "NAM",
            "temperature": "TEMP",
            "unit": "UNIT",
            "minimum": "MIN",
            "maximum": "MAX",
            "variance": "VARI",
            "slope": "SLOP",
            "offset": "OFFS",
            "alarm": "ALAR",
        }.items()
    ),
    *(
        (lambda c, name=name: getattr(c[2], name)(), f":LOOP 2:{command}?;\n")
        for name, command in {
            "source": "SOURCE",
            "set_point": "SETPT",
            "error": "ERR",
            "type": "TYP",
            "range": "RANG",
            "ramp": "RAMP",
            "rate": "RATE",
            "proportional_gain": "PGA",
            "integrator_gain": "IGA",
            "differentiator_gain": "DGA",
            "manual_output_power": "PMAN",
            "output_power": "OUTP",
            "load": "LOAD",
            "max_output_power": "MAXP",
            "max_set_point": "MAXS",
            "output_voltage": "VSEN",
            "output_current": "ISEN",
            "output_load_resistance": "LSEN",
            "temperature": "HTRH",
            "autotune_status": "AUT:STAT",
        }.items()
    ),
]


@pytest.mark.parametrize(("call", "line"), READINGS, ids=[line.strip() for _, line in READINGS])
def test_queries(cryo: Any, wire: Any, call: Callable[[Any], Any], line: str) -> None:
    call(cryo)
    assert last(wire) == line


@pytest.mark.parametrize(
    ("call", "line", "result"),
    [
        (lambda c: c[1].set_point(12.5), ":LOOP 1:SETPT 12.5;:LOOP 1:SETPT?;\n", 12.5),
        (lambda c: c[1].set_point("300"), ":LOOP 1:SETPT 300;:LOOP 1:SETPT?;\n", 300.0),
        (lambda c: c[1].rate(100), ":LOOP 1:RATE 100;:LOOP 1:RATE?;\n", 100.0),
        (lambda c: c[3].type("scale"), ":LOOP 3:TYP SCALE;:LOOP 3:TYP?;\n", "SCALE"),
        (lambda c: c[4].range("10v"), ":LOOP 4:RANG 10V;:LOOP 4:RANG?;\n", "10V"),
        (lambda c: c[1].load(25), ":LOOP 1:LOAD 25;:LOOP 1:LOAD?;\n", 25),
        (lambda c: c["C"].name("Sample"), ':INPUT C:NAM "Sample";:INPUT C:NAM?;\n', "Sample"),
        (lambda c: c["C"].unit("c"), ":INPUT C:UNIT C;:INPUT C:UNIT?;\n", "C"),
        (lambda c: c.name("My cryo"), ':SYSTEM:NAME "My cryo";:SYSTEM:NAME?;\n', "My cryo"),
        (lambda c: c.lockout("on"), ":SYSTEM:LOCKOUT ON;:SYSTEM:LOCKOUT?;\n", True),
        (lambda c: c.led(0), ":SYSTEM:REMLED OFF;:SYSTEM:REMLED?;\n", False),
        (lambda c: c.control(1), ":CONTROL;:CONTROL?;\n", True),
        (lambda c: c.control("OFF"), ":STOP;:CONTROL?;\n", False),
        (lambda c: c.display_filter_time(0.5), ":SYSTEM:DISTC 0.5;:SYSTEM:DISTC?;\n", 0.5),
    ],
)
def test_settings(cryo: Any, wire: Any, call: Callable[[Any], Any], line: str, result: object) -> None:
    assert call(cryo) == result
    assert last(wire) == line


def test_date_and_time(cryo: Any, wire: Any) -> None:
    now = datetime.datetime.now()
    assert abs(datetime.datetime.combine(cryo.date(), cryo.time()) - now) < datetime.timedelta(minutes=1)
    cryo.date(datetime.date(2018, 2, 28))
    assert last(wire) == ':SYSTEM:DATE "02/28/2018";:SYSTEM:DATE?;\n'
    cryo.time("13:07:59")
    assert last(wire) == ':SYSTEM:TIME "13:07:59";:SYSTEM:TIME?;\n'


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        (lambda c: c["A"].temperature(5), "read-only"),
        (lambda c: c["A"].alarm("HI"), "read-only"),
        (lambda c: c[1].ramp(True), "read-only"),
        (lambda c: c.idn("me"), "read-only"),
        (lambda c: c[1].set_point(-1), "from 0 up"),
        (lambda c: c[1].set_point("12K"), "a number"),
        (lambda c: c[1].rate(101), "from 0 to 100"),
        (lambda c: c[1].proportional_gain(1001), "from 0 to 1000"),
        (lambda c: c[1].type("SCALE"), "OFF, PID, MAN, TABLE, RAMPP, RAMPT$"),
        (lambda c: c[2].range("MID"), "HI, LOW"),
        (lambda c: c[3].range("HI"), "5V, 10V"),
        (lambda c: c[1].load(75), "50, 25"),
        (lambda c: c[2].load(50), "loop 1 alone"),
        (lambda c: c["A"].unit("X"), "K, C, F, S"),
        (lambda c: c["A"].name("x" * 16), "15 printable"),
        (lambda c: c.control("maybe"), "True, 1, 'ON', False, 0 or 'OFF'"),
        (lambda c: c.display_filter_time(3), "0.5, 1, 2"),
        (lambda c: c.sensor(69), "0 to 68"),
        (lambda c: c.beep(0), "above 0"),
    ],
)
def test_what_is_not_allowed_is_a_value_error_and_sends_nothing(cryo: Any, wire: Any, call: Any, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        call(cryo)
    assert wire.lines == []


@pytest.mark.parametrize("key", ["a", "E", "AB", 0, 5, True, 1.0, None])
def test_keys_are_case_and_type_sensitive(cryo: Any, key: object) -> None:
    with pytest.raises(KeyError):
        cryo[key]


def test_channels_and_loops_that_are_used(wire: Any) -> None:
    cryo: Any = CryoCon(wire, channels="AC", loops=[2])
    assert (list(cryo.channels), list(cryo.loops)) == (["A", "C"], [2])
    with pytest.raises(KeyError):
        cryo["B"]
    with pytest.raises(ValueError, match="A, B, C and D"):
        CryoCon(wire, channels="AE")
    with pytest.raises(ValueError, match="1, 2, 3 and 4"):
        CryoCon(wire, loops=[0])


def test_defaults() -> None:
    assert CryoCon.io_period == 0.1
    assert CryoCon.io_error_retry_period == 3


def test_clear_alarm_addresses_its_own_channel_and_waits_for_no_reply(cryo: Any, wire: Any) -> None:
    assert cryo["B"].clear_alarm() is None
    assert wire.lines == [b":INPUT B:ALAR:CLE;\n"]


def test_clear_alarm_is_sent_when_awaited(async_wire: Any) -> None:
    asyncio.run(value(Fast(async_wire)["C"].clear_alarm()))
    assert async_wire.lines == [b":INPUT C:ALAR:CLE;\n"]


@pytest.mark.parametrize("call", [lambda c: c.control(), lambda c: c.idn(), lambda c: c["A"].temperature()])
def test_nack_is_an_error(cryo: Any, wire: Any, call: Any) -> None:
    for line in (b":CONTROL?;\n", b":*IDN?;\n", b":INPUT A:TEMP?;\n"):
        wire.replies[line] = b"NACK\n"
    with pytest.raises(CryoConError, match="not acknowledged"):
        call(cryo)


@pytest.mark.parametrize(
    ("reply", "result"), [(b"300\n", 300.0), (b"300.0K\n", 300.0), (b"N/A\n", None), (b".......K\n", None)]
)
def test_a_set_point_loses_no_digit(cryo: Any, wire: Any, reply: bytes, result: float | None) -> None:
    wire.replies[b":LOOP 1:SETPT?;\n"] = reply
    assert cryo[1].set_point() == result


def test_garbage_is_an_error_with_the_bytes(cryo: Any, wire: Any) -> None:
    wire.replies[b":INPUT A:TEMP?;\n"] = b"12.\xb05\n"
    with pytest.raises(ReplyError) as caught:
        cryo["A"].temperature()
    assert caught.value.data == b"12.\xb05\n"


# Everything else of the manual


def test_the_other_subsystems(cryo: Any, wire: Any) -> None:
    a = cryo["A"]
    assert a.alarm_highest(200) == 200.0
    assert last(wire) == ":INPUT A:ALAR:HIGH 200;:INPUT A:ALAR:HIGH?;\n"
    assert (a.alarm_lowest(4), a.alarm_deadband(0.5)) == (4.0, 0.5)
    assert (a.alarm_high_enabled(True), a.alarm_low_enabled(False), a.alarm_latch_enabled("yes")) == (True, False, True)
    assert last(wire) == ":INPUT A:ALAR:LTEN YES;:INPUT A:ALAR:LTEN?;\n"
    assert a.alarm_audio() is False
    assert a.statistics_time() == 0
    assert a.reset_statistics() is None
    assert last(wire) == ":INPUT A:STAT:RES;:*OPC?;\n"
    assert a.minimum() == a.maximum() == pytest.approx(a.temperature(), abs=0.1)
    assert (a.sensor(33), a.sensor_reading(), a.sensor_power()) == (33, pytest.approx(1.62, abs=0.1), 1e-5)
    assert (a.bias_voltage(), a.bias_voltage("3.0mV")) == ("N/A", "3.0MV")
    assert (a.ac_excitation(True), a.bridge_range("10ua"), a.bridge_unlocked()) == (True, "10UA", "")
    assert a.thermocouple_offset(-1.5) == -1.5

    loop = cryo[1]
    assert (loop.table(3), loop.output_read_back(), loop.error()) == (3, 0.0, "--Htr OK--")
    assert (loop.max_output_power(50), loop.max_set_point(300), loop.temperature()) == (50.0, 300.0, 31.5)
    assert (loop.output_voltage(), loop.output_current(), loop.output_load_resistance()) == (0.0, 0.0, -1.0)
    assert (loop.autotune.mode("PI"), loop.autotune.power_step(5), loop.autotune.timeout(60)) == ("PI", 5.0, 60.0)
    assert [loop.autotune.start(), loop.autotune.exit(), loop.autotune.save()] == [None] * 3
    assert last(wire) == ":LOOP 1:AUT:SAVE;:*OPC?;\n"
    assert (loop.autotune.proportional_gain(), loop.autotune.status()) == (-1.0, "IDLE")

    assert (cryo.over_temperature.enabled(True), cryo.over_temperature.source("B")) == (True, "B")
    assert cryo.over_temperature.temperature(320) == 320.0
    relay = cryo.relays[1]
    assert relay.status() == "--"
    assert last(wire) == ":RELAY? 1;\n"
    assert (relay.mode("on"), relay.status(), relay.source("C")) == ("ON", "ON", "C")
    assert (relay.highest(10), relay.lowest(5), relay.deadband(1)) == (10.0, 5.0, 1.0)
    assert (relay.high_enabled(True), relay.low_enabled(False)) == (True, False)
    sensor = cryo.sensor(2)
    assert (sensor.name(), sensor.entries(), sensor.units("OHMS"), sensor.type()) == ("DT-670", 0, "OHMS", "DIODE")
    assert sensor.multiplier(-1) == -1.0
    assert cryo.network.mac_address() == "00:50:C2:6F:40:01"
    assert (cryo.network.ip_address("10.0.0.7"), cryo.network.port(5000)) == ("10.0.0.7", 5000)
    assert (cryo.network.name(), cryo.network.dhcp(False)) == ("M24C", False)
    mail = cryo.mail["B"]
    assert (mail.server(), mail.sender("cryo@lab.example.org")) == ("192.168.1.1", "cryo@lab.example.org")
    assert (mail.receiver("me@example.org"), mail.port(), mail.enabled(True)) == ("me@example.org", 25, True)
    configuration = cryo.configurations[5]
    assert (configuration.name("Cold"), configuration.save(), configuration.restore()) == ("Cold", None, None)


def test_the_other_system_commands(cryo: Any, wire: Any) -> None:
    assert (cryo.gpib_address(12), cryo.baud_rate(9600), cryo.synchronous_filter_taps()) == (12, 9600, 7)
    assert (cryo.line_frequency(50), cryo.display_resolution("full"), cryo.control_on_power_up(True)) == (
        50,
        "FULL",
        True,
    )
    assert (cryo.fan_speed(), cryo.instrument_status(), cryo.status_byte(), cryo.operation_complete()) == (0, 0, 0, 1)
    assert [cryo.save(), cryo.beep(2), cryo.reseed(), cryo.home(), cryo.clear_status()] == [None] * 5
    assert b":SYSTEM:BEEP 2;:*OPC?;\n" in wire.lines
    assert (cryo.event_status_enable(255), cryo.service_request_enable(8), cryo.event_status()) == (255, 8, 0)
    assert cryo.reset() is None
    assert last(wire) == ":*RST;\n"


CURVE = Curve("Good Diode", "Diode", -1.0, "Volts", ((0.32, 425.0), (0.1633, 475.0)))


def test_curves_tables_and_the_log(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port)
    cryo: Any = Fast(conn)
    cryo.curves[4].storage_time = cryo.pid_tables[2].storage_time = 0
    cryo.curves[4].write(CURVE)
    assert cryo.curves[4].read() == Curve(CURVE.name, CURVE.type, -1.0, "Volts", CURVE.points[::-1])
    assert cryo.sensor(64).entries() == 2
    table = PIDTable("Mine", (PIDEntry(10, 2, 20, 0, "LOW", "ChA"), PIDEntry(300, 1.6, 160, 40, "HI")))
    cryo.pid_tables[2].write(table)
    assert cryo.pid_tables[2].read() == table
    assert (cryo.pid_tables[2].name(), cryo.pid_tables[2].entries()) == ("Mine", 2)
    assert cryo.data_logger.interval(1) == 1
    assert cryo.data_logger.running(True) is True
    assert cryo.idn() == IDN
    records = cryo.data_logger.read()
    assert len(records) == cryo.data_logger.count() >= 1
    assert len(records[0].temperatures) == 4
    cryo.data_logger.running(False)
    cryo.data_logger.clear()
    assert cryo.data_logger.read() == []
    conn.close()


def test_what_needs_many_lines_says_so_on_a_foreign_object(cryo: Any) -> None:
    with pytest.raises(TypeError, match="needs a connection of sockio"):
        cryo.curves[1].read()


# Groups


def test_a_group_travels_on_one_line(cryo: Any, wire: Any) -> None:
    with cryo as group:
        assert cryo.group is group
        cryo.idn()
        cryo.control()
        temperature = cryo["A"].temperature()
        cryo["B"].clear_alarm()
        rate = cryo[1].rate(5)
    assert cryo.group is None
    line = b":*IDN?;:CONTROL?;:INPUT A:TEMP?;:INPUT B:ALAR:CLE;:LOOP 1:RATE 5;:LOOP 1:RATE?;\n"
    assert wire.lines == [line]
    assert group.replies == [IDN, False, temperature.result(), None, 5.0]
    assert rate.result() == 5.0


def test_a_group_over_several_lines_loses_nothing(cryo: Any, wire: Any) -> None:
    ids = "ABCD" * 10
    wire.device.channels["B"]["name"] = "b"
    with cryo as group:
        for id in ids:
            cryo[id].name()
    assert [len(line) <= 251 for line in wire.lines] == [True] * 3
    assert group.replies == [{"B": "b"}.get(id, f"Channel {id}") for id in ids]


@pytest.mark.parametrize("final", [False, True])
def test_final_semicolons_make_no_difference(final: bool, wire: Any) -> None:
    wire.device.final_semicolon = final
    cryo: Any = Fast(wire)
    with cryo as group:
        for _ in range(40):
            cryo.control()
    assert group.replies == [False] * 40


def test_an_empty_group_sends_nothing(cryo: Any, wire: Any) -> None:
    with cryo as group:
        pass
    assert (group.replies, wire.lines) == ([], [])


def test_a_body_that_raises_sends_nothing(cryo: Any, wire: Any) -> None:
    calls = []

    def body() -> None:
        with cryo as group:
            calls.extend([group, cryo[1].set_point(300)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        body()
    group, queued = calls
    assert wire.lines == []
    with pytest.raises(CryoConError, match="ZeroDivisionError"):
        queued.result()
    with pytest.raises(RuntimeError):
        _ = group.replies
    assert cryo.idn() == IDN


def test_a_value_that_is_refused_is_raised_in_the_body(cryo: Any, wire: Any) -> None:
    with pytest.raises(ValueError, match="from 0 up"):
        with cryo:
            cryo[1].set_point(-1)
    assert wire.lines == []


def test_one_bad_reading_does_not_spoil_the_group(cryo: Any, wire: Any) -> None:
    wire.replies[b":*IDN?;:INPUT A:TEMP?;:INPUT B:TEMP?;:CONTROL?;\n"] = b"me;NACK;garbage;ON\n"
    with cryo as group:
        idn = cryo.idn()
        a = cryo["A"].temperature()
        cryo["B"].temperature()
        cryo.control()
    assert idn.result() == "me"
    with pytest.raises(CryoConError, match="INPUT A:TEMP"):
        a.result()
    first, refused, garbage, control = group.results
    assert (first, control) == ("me", True)
    assert isinstance(refused, CryoConError)
    assert isinstance(garbage, ReplyError)
    with pytest.raises(CryoConError, match=r"2 of 4 commands failed.*INPUT A:TEMP.*INPUT B:TEMP"):
        _ = group.replies


def test_a_refused_setting_does_not_pass_unseen(cryo: Any, wire: Any) -> None:
    wire.replies[b":*IDN?;:LOOP 1:SETPT 300;:LOOP 1:SETPT?;\n"] = b"me;NACK\n"
    group = cryo.__enter__()
    cryo.idn()
    cryo[1].set_point(300)
    with pytest.raises(CryoConError, match="SETPT"):
        cryo.__exit__(None, None, None)
    assert group.results[0] == "me"


def test_missing_replies_are_an_error(cryo: Any, wire: Any) -> None:
    wire.replies[b":*IDN?;:CONTROL?;\n"] = b"me\n"
    with cryo as group:
        cryo.idn()
        cryo.control()
    assert [type(result) for result in group.results] == [ReplyError, ReplyError]
    with pytest.raises(CryoConError, match="2 of 2"):
        _ = group.replies


def test_values_are_not_there_before_the_group_is_sent(cryo: Any, async_wire: Any) -> None:
    with cryo as group:
        queued = cryo.idn()
        with pytest.raises(RuntimeError, match="end of the block"):
            queued.result()
        with pytest.raises(RuntimeError, match="end of its block"):
            _ = group.replies
    assert queued.result() == IDN

    async def main() -> None:
        cryo: Any = Fast(async_wire)
        async with cryo:
            queued = cryo.idn()
            with pytest.raises(RuntimeError, match="end of the block"):
                await queued
        assert await queued == IDN

    asyncio.run(main())


def test_a_failing_connection_ends_the_group(cryo: Any, wire: Any) -> None:
    wire.replies[b":*IDN?;\n"] = ConnectionResetError("gone")
    with pytest.raises(ConnectionResetError):
        with cryo:
            queued = cryo.idn()
    with pytest.raises(CryoConError, match="gone"):
        queued.result()


def test_a_group_belongs_to_the_task_that_opened_it(async_wire: Any) -> None:
    async def main() -> None:
        cryo: Any = Fast(async_wire)
        opened, asked = asyncio.Event(), asyncio.Event()

        async def other() -> str:
            await opened.wait()
            answer: str = await cryo.idn()
            asked.set()
            return answer

        before = asyncio.create_task(other())
        async with cryo as group:
            queued = cryo.control()
            during = asyncio.create_task(other())  # inherits the context of the block
            opened.set()
            await asked.wait()
        assert await before == await during == IDN
        assert group.replies == [False] == [await queued]

    asyncio.run(main())


def test_a_group_belongs_to_the_trio_task_that_opened_it(async_wire: Any) -> None:
    async def main() -> None:
        cryo: Any = Fast(async_wire)
        answers = []

        async def other() -> None:
            answers.append(await cryo.idn())

        async with cryo as group:
            cryo.control()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
        assert answers == [IDN]
        assert group.replies == [False]

    trio.run(main)


def test_a_group_belongs_to_the_thread_that_opened_it(cryo: Any) -> None:
    answers: list[str] = []
    with cryo as group:
        cryo.control()
        thread = threading.Thread(target=lambda: answers.append(cryo.idn()))
        thread.start()
        thread.join()
    assert answers == [IDN]
    assert group.replies == [False]


def test_groups_of_two_controllers_do_not_mix(wire: Any) -> None:
    one: Any = Fast(wire)
    other: Any = Fast(type(wire)(**{"*idn": "other"}))
    with one as first, other as second:
        one.idn()
        other.idn()
        one.control()
    assert (first.replies, second.replies) == ([IDN, False], ["other"])


# Pacing and failures


def test_requests_are_paced(wire: Any) -> None:
    cryo: Any = CryoCon(wire)
    other: Any = CryoCon(wire)  # on the same connection
    start = time.monotonic()
    cryo.idn()
    other.idn()
    cryo["A"].temperature()
    assert time.monotonic() - start >= 0.2


def test_the_pace_counts_from_the_end_of_the_last_exchange(wire: Any) -> None:
    moments: list[tuple[float, float]] = []
    answer = wire.device.answer

    def slow(line: bytes) -> Any:
        start = time.monotonic()
        time.sleep(0.15)
        moments.append((start, time.monotonic()))
        return answer(line)

    wire.device.answer = slow
    cryo: Any = CryoCon(wire)
    cryo.idn()
    cryo.idn()
    (_, end), (start, _) = moments
    assert start - end >= 0.1


def test_threads_keep_the_pace_together(wire: Any) -> None:
    cryo: Any = CryoCon(wire)
    start = time.monotonic()
    threads = [threading.Thread(target=cryo.idn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start >= 0.3
    assert len(wire.lines) == 4


def test_after_a_failure_requests_fail_at_once_for_a_while(wire: Any) -> None:
    cryo: Any = Fast(wire)
    cryo.io_error_retry_period = 0.2
    wire.replies[b":*IDN?;\n"] = ConnectionResetError(104, "gone")
    with pytest.raises(ConnectionResetError, match="gone") as first:
        cryo.idn()
    errors = []
    for call in (cryo.control, cryo["A"].temperature):
        with pytest.raises(ConnectionResetError, match="gone") as caught:
            call()
        errors.append(caught.value)
    assert len({id(error) for error in [first.value, *errors]}) == 3, "each is an error of its own"
    assert all(type(error.__cause__) is ConnectionResetError and error.errno == 104 for error in errors)
    assert len(wire.lines) == 1, "nothing was sent"
    time.sleep(0.25)
    assert cryo.control() is False


def test_there_is_no_failure_before_the_first_request(wire: Any) -> None:
    class JustBooted(Fast):
        io_error_retry_period = 1e9  # longer than any machine has been up

    cryo: Any = JustBooted(wire)
    assert cryo.idn() == IDN


def test_refused_connections_back_off(unused_port: int) -> None:
    cryo: Any = Fast(sio.TCP("127.0.0.1", unused_port))
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            cryo.idn()


def test_it_survives_a_restart_of_the_controller(simulator: Any, unused_port: int) -> None:
    conn = sio.TCP("127.0.0.1", unused_port, timeout=10)
    cryo: Any = Fast(conn, setup=True)
    cryo.io_error_retry_period = 0
    with simulator(unused_port, io_period=0):
        assert cryo["A"].temperature() > 0
    with pytest.raises(ConnectionError):
        cryo["A"].temperature()
    with simulator(unused_port, io_period=0, channels={"A": {"unit": "F"}}):
        assert cryo["A"].unit() == "K"
    conn.close()


# Set-up on every connection


def test_set_up_of_a_foreign_object(wire: Any) -> None:
    wire.device.channels["B"]["unit"] = "F"
    cryo: Any = Fast(wire, channels="AB", setup=True)
    assert cryo.identity is None
    assert wire.lines == []
    assert cryo["B"].unit() == "K"
    units = b":INPUT A:UNIT K;:INPUT A:UNIT?;:INPUT B:UNIT K;:INPUT B:UNIT?;"
    assert wire.lines == [units + b":*IDN?;:SYSTEM:HWR?;:SYSTEM:FWR?;\n", b":INPUT B:UNIT?;\n"]
    assert cryo.identity == (IDN, "12A4FE", "78C90A")
    assert IDN in repr(cryo)


def test_a_failing_set_up_fails_the_request_and_is_tried_again(wire: Any) -> None:
    cryo: Any = Fast(wire, channels="A", setup=True)
    line = b":INPUT A:UNIT K;:INPUT A:UNIT?;:*IDN?;:SYSTEM:HWR?;:SYSTEM:FWR?;\n"
    wire.replies[line] = b"NACK;me;1;2\n"
    for _ in range(2):
        with pytest.raises(CryoConError, match="UNIT"):
            cryo["A"].temperature()
    assert wire.lines == [line, line]
    del wire.replies[line]
    assert cryo["A"].temperature() > 0


def test_no_reading_leaves_a_connection_that_could_not_be_set_up(simulator: Any, unused_port: int) -> None:
    refuses = {"*idn": "", "hardware_revision": "NACK"}
    conn = sio.TCP("127.0.0.1", unused_port, timeout=10)
    cryo: Any = Fast(conn, setup=True)
    with simulator(unused_port, io_period=0, **refuses):
        for _ in range(2):
            with pytest.raises(CryoConError, match=r"HWR.*not acknowledged"):
                cryo["A"].temperature()
    conn.close()


async def check_set_up(cryo: Any, conn: Any, spoil: Callable[[], Any]) -> None:
    """Change the unit behind the driver's back: a new connection sets it right."""
    for _ in range(2):
        spoil()
        assert await value(cryo["A"].unit()) == "K"
        assert cryo.identity.idn == IDN
        await value(conn.close())


def spoiler(port: int) -> Callable[[], Any]:
    def spoil() -> None:
        conn = sio.TCP("127.0.0.1", port)
        other: Any = Fast(conn)
        assert other["A"].unit("F") == "F"
        conn.close()

    return spoil


def test_set_up_on_every_connection_blocking(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port)
    blocking.run(check_set_up(Fast(conn, setup=True), conn, spoiler(port)))


def test_set_up_on_every_connection_futures(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port, resolve_futures=False)
    blocking.run(check_set_up(Fast(conn, setup=True), conn, spoiler(port)))


def test_set_up_on_every_connection_asyncio(port: int) -> None:
    async def main() -> None:
        conn = aio.TCP("127.0.0.1", port)
        await check_set_up(Fast(conn, setup=True), conn, spoiler(port))

    asyncio.run(main())


def test_set_up_on_every_connection_trio(port: int) -> None:
    async def main() -> None:
        conn = sockio_trio.TCP("127.0.0.1", port)
        await check_set_up(Fast(conn, setup=True), conn, spoiler(port))

    trio.run(main)


def test_set_up_of_an_open_connection(port: int) -> None:
    async def main() -> None:
        conn = aio.TCP("127.0.0.1", port)
        await conn.open()
        spoiler(port)()
        assert await Fast(conn, setup=True)["A"].unit() == "K"
        await conn.close()

    asyncio.run(main())


def test_set_up_needs_the_callback(port: int) -> None:
    conn = aio.TCP("127.0.0.1", port, on_connection_made=lambda: None)
    with pytest.raises(ValueError, match="on_connection_made"):
        CryoCon(conn, setup=True)


def test_a_driver_that_is_gone_leaves_the_callback_free(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port)
    first: Any = Fast(conn, setup=True)
    with pytest.raises(ValueError, match="on_connection_made"):
        Fast(conn, setup=True)
    del first
    second: Any = Fast(conn, setup=True)
    assert second["A"].unit() == "K"
    assert second.identity.idn == IDN
    conn.close()


def test_repr_does_no_io(wire: Any, unused_port: int) -> None:
    assert repr(CryoCon(wire)) == "<CryoCon on Wire>"
    assert wire.lines == []
    cryo: Any = CryoCon(sio.TCP("127.0.0.1", unused_port))
    assert repr(cryo) == f"<CryoCon on tcp://127.0.0.1:{unused_port}>"
    assert repr(cryo["A"]) == f"<INPUT A of tcp://127.0.0.1:{unused_port}>"


def test_summary(cryo: Any, wire: Any) -> None:
    text = cryo.summary()
    assert text.splitlines() == [
        "CryoCon on Wire",
        f"identity: {IDN}",
        "name: cryo1",
        "control: off",
        "hardware revision: 12A4FE",
        "firmware revision: 78C90A",
    ]
    assert len(wire.lines) == 1


def test_every_member_has_a_docstring_and_a_return_type(cryo: Any) -> None:
    parts = [cryo, cryo["A"], cryo[1], cryo[1].autotune, cryo.relays[1], cryo.network, cryo.data_logger]
    for part in parts:
        cls = type(part).__mro__[2]
        for name, member in vars(cls).items():
            if callable(member) and not name.startswith("_"):
                assert member.__doc__, f"{cls.__name__}.{name}"
                assert "return" in member.__annotations__, f"{cls.__name__}.{name}"
