"""CryoCon's remote interface as bytes: literal lines and replies, in both directions."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from instruments.cryocon import codec, tables, values
from instruments.cryocon.codec import query, setting
from instruments.cryocon.errors import CryoConError, ReplyError
from sockio.errors import ProtocolError

TEMPERATURE = query("INPUT A:TEMP", values.NUMBER)


def only(command: codec.Command[Any], reply: bytes) -> Any:
    """Decode the reply to a single command; raise what stands in the value's place."""
    (result,) = codec.decode([command], reply)
    if isinstance(result, Exception):
        raise result
    return result


def test_literal_query_of_the_manual() -> None:
    assert codec.encode([TEMPERATURE]) == bytes.fromhex("3A 49 4E 50 55 54 20 41 3A 54 45 4D 50 3F 3B 0A")
    assert only(TEMPERATURE, bytes.fromhex("31 32 33 2E 34 35 36 37 0A")) == 123.4567


def test_a_setting_is_read_back_on_the_same_line() -> None:
    command = setting("LOOP 1:SETPT", values.number(0), 12.5)
    assert codec.encode([command]) == b":LOOP 1:SETPT 12.5;:LOOP 1:SETPT?;\n"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (b"300\n", 300.0),  # not 30.0: no digit is ever dropped
        (b"300.000K\n", 300.0),
        (b"123.45;\n", 123.45),
        (b"-1.00\r\n", -1.0),
        (b"0.00V\n", 0.0),
        (b"0.25A\n", 0.25),
        (b"31.5C\n", 31.5),
        (b"40%\n", 40.0),
        (b" 1.5E-3 \n", 0.0015),
        (b".5\n", 0.5),
        (b"-------\n", None),
        (b".......\n", None),
        (b".......K\n", None),
        (b"N/A\n", None),
        (b"n/a\n", None),
    ],
)
def test_numbers(reply: bytes, value: float | None) -> None:
    assert only(TEMPERATURE, reply) == value


@pytest.mark.parametrize(
    "reply", [b"\n", b"abc\n", b"12.5XY\n", b"1.2.3\n", b"--\n", b"nan\n", b"inf\n", b"1e999\n", b"0x10\n", b"\xff\n"]
)
def test_what_is_no_number_is_an_error_with_the_bytes(reply: bytes) -> None:
    with pytest.raises(ReplyError, match="INPUT A:TEMP") as caught:
        only(TEMPERATURE, reply)
    assert caught.value.data in reply
    assert isinstance(caught.value, ProtocolError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("kind", [values.NUMBER, values.TEXT, values.STRING, values.ON_OFF, values.DATE])
def test_nack_is_an_error_whatever_is_expected(kind: values.Kind[Any]) -> None:
    with pytest.raises(CryoConError, match="not acknowledged"):
        only(query("CONTROL", kind), b"NACK\n")


@pytest.mark.parametrize("reply", [b"NACK;NACK\n", b"NACK;12.5\n", b"12.5;NACK;\n"])
def test_a_refused_setting_is_an_error_even_if_it_reads_back(reply: bytes) -> None:
    with pytest.raises(CryoConError, match="not acknowledged"):
        only(setting("LOOP 1:SETPT", values.number(), 12.5), reply)


@pytest.mark.parametrize(
    ("kind", "reply", "value"),
    [
        (values.ON_OFF, b"ON\n", True),
        (values.ON_OFF, b"on;\n", True),
        (values.ON_OFF, b"OFF\n", False),
        (values.YES_NO, b"YES\n", True),
        (values.YES_NO, b"NO\n", False),
        (values.STRING, b'"My cryostat"\n', "My cryostat"),
        (values.STRING, b"My cryostat\n", "My cryostat"),
        (values.STRING, b'"a;b"\n', "a;b"),
        (values.TEXT, b"--Htr OK--\n", "--Htr OK--"),
        (values.TEXT, b" \n", ""),
        (values.INTEGER, b"50\n", 50),
        (values.INTEGER, b"50.00\n", 50),
        (values.INTEGER, b"N/A\n", None),
        (values.DATE, b'"02/28/2018"\n', datetime.date(2018, 2, 28)),
        (values.TIME, b'"13:07:59"\n', datetime.time(13, 7, 59)),
        (values.TIME, b"13:07:59\n", datetime.time(13, 7, 59)),
    ],
)
def test_other_kinds(kind: values.Kind[Any], reply: bytes, value: object) -> None:
    result = only(query("X", kind), reply)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (values.ON_OFF, b"MAYBE\n"),
        (values.INTEGER, b"1.5\n"),
        (values.DATE, b'"28/02/2018"\n'),
        (values.TIME, b'"25:00:00"\n'),
    ],
)
def test_other_kinds_that_cannot_be_read(kind: values.Kind[Any], reply: bytes) -> None:
    with pytest.raises(ReplyError):
        only(query("X", kind), reply)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (values.number(0, 100), 12.5, "12.5"),
        (values.number(0, 100), 12, "12"),
        (values.number(0, 100), "12.50", "12.50"),
        (values.number(0, 100), 1e-7, "1e-07"),
        (values.integer(1, 6), 3.0, "3"),
        (values.choice("K", "C"), "k", "K"),
        (values.STRING, "My cryostat", '"My cryostat"'),
        (values.STRING, '"My cryostat"', '"My cryostat"'),
        (values.STRING, "x" * 15, f'"{"x" * 15}"'),
        (values.DATE, datetime.date(2018, 2, 28), '"02/28/2018"'),
        (values.DATE, "02/28/2018", '"02/28/2018"'),
        (values.DATE, '"02/28/2018"', '"02/28/2018"'),
        (values.TIME, datetime.time(13, 7, 59), '"13:07:59"'),
        (values.TIME, "13:07:59", '"13:07:59"'),
        *((values.ON_OFF, value, "ON") for value in (True, 1, "on", "ON")),
        *((values.ON_OFF, value, "OFF") for value in (False, 0, "off", "OFF")),
        (values.YES_NO, True, "YES"),
        (values.YES_NO, False, "NO"),
    ],
)
def test_values_to_text(kind: values.Kind[Any], value: object, text: str) -> None:
    assert kind.encode(value) == text


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        (values.number(0, 100), 100.1, "from 0 to 100"),
        (values.number(0, 100), -1, "from 0 to 100"),
        (values.number(0), -1, "from 0 up"),
        (values.number(), float("nan"), "a number"),
        (values.number(), float("inf"), "a number"),
        (values.number(), True, "a number"),
        (values.number(), "12;:STOP", "a number"),
        (values.integer(1, 6), 2.5, "whole number from 1 to 6"),
        (values.integer(1, 6), 7, "whole number from 1 to 6"),
        (values.choice("K", "C"), "X", "K, C"),
        (values.STRING, "x" * 16, "15 printable ASCII"),
        (values.STRING, 'a"b', "15 printable ASCII"),
        (values.STRING, "a;b", "15 printable ASCII"),
        (values.STRING, "a\nb", "15 printable ASCII"),
        (values.STRING, "Kühler", "15 printable ASCII"),
        (values.STRING, 5, "15 printable ASCII"),
        (values.ON_OFF, "maybe", "True, 1, 'ON'"),
        (values.ON_OFF, 2, "True, 1, 'ON'"),
        (values.DATE, "2018-02-28", "mm/dd/yyyy"),
        (values.TIME, "noon", "hh:mm:ss"),
    ],
)
def test_what_is_not_allowed_is_refused_before_it_is_sent(kind: Any, value: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        kind.encode(value)


def test_groups_are_packed_into_lines_of_at_most_250_characters() -> None:
    commands = [query(f"INPUT {id}:TEMP", values.NUMBER) for id in "ABCD"] * 5
    assert len(commands[0].text) == 15
    lines = codec.pack(commands)
    assert [len(line) for line in lines] == [16, 4]
    assert codec.encode(lines[0]) == b":INPUT A:TEMP?;:INPUT B:TEMP?;:INPUT C:TEMP?;:INPUT D:TEMP?;" * 4 + b"\n"
    assert codec.pack([]) == []


def test_a_line_of_exactly_250_characters_is_not_broken() -> None:
    command = codec.Command("x" * 50, values.TEXT)
    assert [len(line) for line in codec.pack([command] * 6)] == [5, 1]


def test_every_command_of_a_line_gets_its_own_reply() -> None:
    commands = [query("*IDN", values.TEXT), query("CONTROL", values.ON_OFF), TEMPERATURE]
    reply = b"Cryo-con,24C,204683,1.01A;OFF;12.5"
    values_ = ["Cryo-con,24C,204683,1.01A", False, 12.5]
    assert codec.decode(commands, reply + b"\n") == values_
    assert codec.decode(commands, reply + b";\r\n") == values_


def test_commands_without_a_reply_take_none_from_others() -> None:
    commands = [TEMPERATURE, codec.action("INPUT B:ALAR:CLE"), TEMPERATURE]
    assert codec.encode(commands) == b":INPUT A:TEMP?;:INPUT B:ALAR:CLE;:INPUT A:TEMP?;\n"
    assert codec.decode(commands, b"1.5;2.5\n") == [1.5, None, 2.5]


def test_a_blank_reply_is_a_reply() -> None:
    commands = [query("INPUT A:BRUN", values.TEXT), query("INPUT B:BRUN", values.TEXT)]
    assert codec.decode(commands, b"*; \n") == ["*", ""]
    assert codec.decode(commands, b" ;*;\n") == ["", "*"]


def test_one_bad_reply_does_not_spoil_the_others() -> None:
    good, refused, bad, last = codec.decode([TEMPERATURE] * 4, b"1.5;NACK;abc;.......\n")
    assert (good, last) == (1.5, None)
    assert isinstance(refused, CryoConError)
    assert isinstance(bad, ReplyError)
    assert bad.data == b"abc"


@pytest.mark.parametrize("reply", [b"1.5;2.5\n", b"1.5;2.5;\n", b"1.5;2.5;3.5;4.5\n", b"\n"])
def test_missing_and_surplus_replies_are_never_paired(reply: bytes) -> None:
    results = codec.decode([TEMPERATURE] * 3, reply)
    assert len(results) == 3
    for result in results:
        assert isinstance(result, ReplyError)
        assert result.data == reply


CURVE = tables.Curve("Good Diode", "Diode", -1.0, "Volts", ((0.1633, 475.0), (0.32, 425.0)))
CURVE_BYTES = b"Good Diode\nDiode\n-1.000000\nVolts\n0.163300 475.000000\n0.320000 425.000000\n;\n"


def test_a_curve_as_the_manual_shows_it() -> None:
    assert tables.encode_curve(4, CURVE) == b"CALCUR 4\n" + CURVE_BYTES
    assert tables.decode_curve(CURVE_BYTES) == CURVE
    assert tables.decode_curve(CURVE_BYTES.replace(b"\n", b"\r\n").rstrip()) == CURVE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "x" * 16}, "15 printable"),
        ({"type": "PT1"}, "DIODE, ACR"),
        ({"units": "K"}, "VOLTS, OHMS"),
        ({"points": ((1.0, 2.0),)}, "2 to 200"),
        ({"points": ((1.0, 2.0),) * 201}, "2 to 200"),
        ({"points": ((1.0, float("nan")),) * 2}, "finite"),
    ],
)
def test_curves_that_cannot_be_stored(change: dict[str, Any], message: str) -> None:
    curve = tables.Curve(**{**vars(CURVE), **change})
    with pytest.raises(ValueError, match=message):
        tables.encode_curve(4, curve)


@pytest.mark.parametrize("reply", [b"", b";\n", b"a\nb\n", b"a\nDiode\nx\nVolts\n;\n", b"a\nb\n1\nV\n1 2 3\n;\n"])
def test_curves_that_cannot_be_read(reply: bytes) -> None:
    with pytest.raises(ReplyError) as caught:
        tables.decode_curve(reply)
    assert caught.value.data == reply


def test_a_pid_table_as_the_manual_shows_it() -> None:
    table = tables.PIDTable("Sample", (tables.PIDEntry(300, 1.6, 160, 40, "HI"),))
    wire = b"Sample\n300.00 1.60 160.00 40.00 HI Default\n;\n"
    assert tables.encode_pid_table(1, table) == b"PIDTABLE 1:TABLE\n" + wire
    assert tables.decode_pid_table(wire) == table
    with pytest.raises(ValueError, match="above 0"):
        tables.encode_pid_table(1, tables.PIDTable("x", (tables.PIDEntry(0, 1, 1, 1, "HI"),)))
    with pytest.raises(ReplyError):
        tables.decode_pid_table(b"Sample\n300.00 1.60\n;\n")


def test_a_data_log() -> None:
    reply = b"0, 02/28/2018, 13,07,59, 12.5, -------, .......,300\r\n;\r\n"
    (record,) = tables.decode_log(reply)
    assert record == tables.LogRecord(0, datetime.datetime(2018, 2, 28, 13, 7, 59), (12.5, None, None, 300.0))
    assert tables.decode_log(b";\n") == []
    with pytest.raises(ReplyError):
        tables.decode_log(b"0, today\r\n;\r\n")
