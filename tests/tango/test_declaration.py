"""What of a driver becomes which attribute or command, and what declaration files make of that."""

from __future__ import annotations

import datetime
import json
from enum import Flag, IntFlag
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from instruments.base import Driver
from instruments.can import CanBus, GctCanBus
from instruments.cryocon import CryoCon
from instruments.metadata import quantity_of
from instruments.modbus import ModBusDevice
from instruments.scpi import Instrument
from instruments.tango.declaration import Declaration, declare, describe
from instruments.tango.declaration_file import apply, read_file
from instruments.tango.drivers import Nowhere, driver_class, options_of
from instruments.tango.server import devices_of, offer
from instruments.tango.values import JSON, encode, named, parse, type_of
from tests.tango.own_driver import Limits, Mode, Supply


@pytest.fixture
def offered() -> Declaration:
    return declare(Supply(Nowhere()))


def test_getters_with_setters_become_attributes_and_the_rest_commands(offered: Declaration) -> None:
    access = {name: each.write is not None for name, each in offered.attributes.items()}
    assert access == {
        "mode": True,
        "names": True,
        "serial_number": False,
        "temperature": False,
        "memory": False,
        "output1_voltage": True,
        "output2_voltage": True,
        "fan_voltage": True,
    }
    assert list(offered.commands) == [
        "driver_state",
        "limits",
        "is_overloaded",
        "ramp",
        "label",
        "dump",
        "read_message",
    ]
    assert offered.left_out == {"trace": "to is nothing that a client can give"}


def test_types_units_limits_and_texts_come_from_the_driver(offered: Declaration) -> None:
    voltage = offered.attributes["output1_voltage"]
    assert (str(voltage.type), voltage.unit, voltage.minimum, voltage.maximum) == ("float", "V", 0, 30)
    assert (voltage.label, voltage.description) == ("Output1 voltage", "Voltage at the output.")
    assert str(offered.attributes["names"].type) == "list of str"
    assert str(offered.attributes["serial_number"].type) == "int"
    assert offered.attributes["temperature"].unit == "K"
    assert offered.name == "Supply"
    assert offered.description == "A supply with two outputs."
    assert "limits(output: int) -> str  What an output can give." in describe(offered)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (float, "float"),
        (float | None, "float"),
        (int | None, "int"),
        (bool | str | None, "bool"),
        (Annotated[float, "V"], "float"),
        (Literal["a", "b"], "one of a, b"),
        (Literal[1, 2] | None, "one of 1, 2"),
        (list[float], "list of float"),
        (tuple[int, ...], "list of int"),
        (bytes | bytearray, "bytes"),
        (Mode, "one of FAST, SLOW"),
        (datetime.date, "str"),
        (Limits, "str"),
        (list[Limits], "list of str"),
        (dict[str, float], "str"),
        (None, "none"),
    ],
)
def test_annotations_stand_for_types(annotation: Any, expected: str) -> None:
    assert str(type_of(annotation)) == expected


@pytest.mark.parametrize("annotation", [object, Supply, list[list[float]], list[bytes], set, Literal[1, "a"]])
def test_what_tango_has_no_words_for_is_nothing(annotation: Any) -> None:
    assert type_of(annotation) is None


def test_flags_travel_as_the_names_of_those_that_are_set() -> None:
    class Alarms(IntFlag):
        DOOR = 1
        WATER = 2
        INTERLOCK = 16

    class Relays(Flag):
        PUMP = 1
        VALVE = 2

    for kind, value, text in (
        (Alarms, Alarms.DOOR, "DOOR"),
        (Alarms, Alarms(19), "DOOR|WATER|INTERLOCK"),
        (Alarms, Alarms(0), ""),
        (Relays, Relays.VALVE | Relays.PUMP, "PUMP|VALVE"),
    ):
        type = type_of(kind)
        assert type is not None
        assert type.decode is not None
        assert encode(type, value) == text
        assert type.decode(text) == value
    alarms = type_of(Alarms)
    assert alarms is not None
    assert alarms.decode is not None
    assert encode(alarms, Alarms(2 | 8)) == "WATER|0x8"
    with pytest.raises(ValueError, match="'FIRE' is not allowed: expected one of DOOR, WATER, INTERLOCK"):
        alarms.decode("DOOR|FIRE")


def test_records_travel_as_json() -> None:
    encode = type_of(Limits).encode  # type: ignore[union-attr]
    assert encode(Limits(0.5, 3)) == '{"low": 0.5, "high": 3}'
    mixed = type_of(dict[str, Any]).encode  # type: ignore[union-attr]
    assert mixed({"a": (Mode.FAST, b"\1\xff"), "b": {datetime.date(2026, 11, 21)}}) == (
        '{"a": ["FAST", "01ff"], "b": ["2026-11-21"]}'
    )


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("0x10", "int", 16),
        ("-3", "int", -3),
        ("2.5", "float", 2.5),
        ("on", "bool", True),
        ("False", "bool", False),
        ("01 ff", "bytes", b"\x01\xff"),
        ("[1, 2]", "[int]", [1, 2]),
        ("a b", "str", "a b"),
    ],
)
def test_texts_stand_for_values(text: str, type: str, value: Any) -> None:
    assert parse(text, named(type)) == value


@pytest.mark.parametrize(
    ("text", "type"), [("x", "int"), ("2", "bool"), ("1", "[int]"), ("0g", "bytes"), ("", "float")]
)
def test_texts_that_stand_for_none_are_refused(text: str, type: str) -> None:
    with pytest.raises(ValueError, match=r"expected .*, got"):
        parse(text, named(type))


@pytest.mark.parametrize(
    ("type", "given", "value"),
    [("bool", "0", False), ("bool", "ON", True), ("int", "0x1F", 31), ("int", 3.0, 3), ("float", "1E-3", 0.001)],
)
def test_what_instruments_say_is_read_as_what_it_means(type: str, given: Any, value: Any) -> None:
    assert encode(named(type), given) == value
    assert encode(named(type), [given]) == value  # one register, one coil


@pytest.mark.parametrize("value", ["a\0b", "50 Ω", b"raw"])
def test_text_that_tango_would_spoil_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="text"):
        encode(named("str"), value)
    assert encode(named("str"), "50 µ °C") == "50 µ °C"


def test_numbers_of_numpy_are_numbers_in_json() -> None:
    numpy = pytest.importorskip("numpy")
    found = json.loads(encode(JSON, {"a": numpy.arange(2), "b": numpy.float32(1.5), "c": float("nan")}))
    assert found == {"a": [0, 1], "b": 1.5, "c": None}


@pytest.mark.parametrize(
    ("type", "given"),
    [("bool", "ERR"), ("int", 2.5), ("int", "2.5"), ("int", 2**63), ("float", "many")],
)
def test_what_is_no_value_of_its_type_is_refused(type: str, given: Any) -> None:
    with pytest.raises(ValueError, match=repr(given)):
        encode(named(type), given)


def test_a_whole_number_is_not_made_of_half_of_one() -> None:
    decode = named("[int]").decode
    assert decode is not None
    assert decode([1.0, 2]) == [1, 2]
    with pytest.raises(ValueError, match=r"expected a whole number, got 2\.5"):
        decode([1, 2.5])


def test_several_arguments_are_numbers_or_texts(offered: Declaration) -> None:
    ramp, label, limits = (offered.commands[name] for name in ("ramp", "label", "limits"))
    assert str(ramp.input) == "list of float"
    assert ramp.arguments([1.0, 5.5]) == ([1, 5.5], {})
    assert ramp.arguments([1.0, 5.5, 2.0]) == ([1, 5.5, 2.0], {})
    assert str(label.input) == "list of str"
    assert label.arguments(["1", "a=b", "bold=yes"]) == ([1, "a=b"], {"bold": True})
    assert str(limits.input) == "int"
    assert limits.arguments(2) == ([2], {})
    for wrong in ([], [1.0], [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match=r"ramp takes output: int, volt: float, seconds: float = 1.0, got"):
            ramp.arguments(wrong)
    with pytest.raises(ValueError, match=r"label: output: expected int, got 'one'"):
        label.arguments(["one", "text"])


def test_our_drivers_are_offered_without_a_line_written_for_it() -> None:
    cryocon = declare(CryoCon(Nowhere()))
    assert cryocon.attributes["channelA_temperature"].write is None
    assert cryocon.attributes["loop1_set_point"].write is not None
    assert (cryocon.attributes["loop2_rate"].minimum, cryocon.attributes["loop2_rate"].maximum) == (0, 100)
    assert cryocon.attributes["loop1_output_power"].unit == "%"
    assert "channelB_clear_alarm" in cryocon.commands
    scpi = declare(Instrument)
    assert scpi.attributes["event_status_enable"].write is not None
    assert "event_status" not in scpi.attributes  # reading it clears it
    assert {"query", "write", "reset", "errors"} <= set(scpi.commands)
    modbus = declare(ModBusDevice)
    assert str(modbus.commands["read_holding"].input) == "list of int"
    assert str(modbus.commands["write_float32"].input) == "list of float"
    assert {"lock", "unlock", "connect", "disconnect", "drop"}.isdisjoint(modbus.commands)
    gct = declare(GctCanBus)
    assert str(gct.commands["sysctrl_request"].output) == "bytes"
    assert declare(CanBus).left_out == {"send": "msg is nothing that a client can give"}


def test_limits_in_the_metadata_are_those_that_the_driver_refuses_beyond() -> None:
    cryo: Any = CryoCon(Nowhere())
    checked = 0
    for name, each in declare(cryo).attributes.items():
        for limit, beyond in ((each.minimum, -1), (each.maximum, 1)):
            if limit is not None:
                operation = each.read.operation
                assert quantity_of(operation.bind(cryo)) is not None
                with pytest.raises(ValueError, match="is not allowed: expected"):
                    each.read(cryo, limit + beyond)
                checked += 1
                assert name
    assert checked > 50


def test_a_file_trims_and_renames(offered: Declaration) -> None:
    content = {
        "device": "Heater",
        "keep": ["output?_voltage"],
        "drop": ["output2*"],
        "attributes": {
            "inside": "temperature",
            "output1_voltage": {"label": "Main", "maximum": 12, "format": "%6.2f"},
            "status_text": {"read": "state"},
            "first_limits": {"read": "limits", "arguments": [1]},
        },
        "commands": {"park": {"from": "ramp", "arguments": [1, 0.0], "description": "Go to zero."}},
    }
    heater = apply(content, offered)
    assert heater.name == "Heater"
    assert list(heater.attributes) == ["output1_voltage", "inside", "status_text", "first_limits"]
    assert list(heater.commands) == ["park"]
    main = heater.attributes["output1_voltage"]
    assert (main.label, main.minimum, main.maximum, main.format) == ("Main", 0, 12, "%6.2f")
    assert heater.attributes["inside"].unit == "K"
    assert heater.attributes["first_limits"].read.arguments == (1,)
    assert [str(each) for each in heater.commands["park"].call.parameters] == ["seconds: float = 1.0"]


def test_registers_become_attributes_by_a_file() -> None:
    content = {
        "keep": [],
        "attributes": {
            "pressure": {
                "read": "read_float32",
                "write": "write_float32",
                "arguments": [16],
                "named": {"word_order": "little"},
                "unit": "mbar",
                "minimum": 0,
            },
            "valve": {"read": "read_coil", "write": "write_coil", "arguments": [3], "type": "bool"},
        },
    }
    declaration = apply(content, declare(ModBusDevice))
    pressure, valve = declaration.attributes.values()
    assert (str(pressure.type), pressure.unit, pressure.minimum) == ("float", "mbar", 0)
    assert pressure.write is not None
    assert pressure.write.named == {"word_order": "little"}
    assert str(valve.type) == "bool"
    assert not declaration.commands


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"attributes": {"x": "tempreature"}}, "attribute x: the driver has no 'tempreature'.*mean temperature"),
        ({"attributes": {"x": {"read": "limits"}}}, "limits needs arguments: output: int"),
        ({"attributes": {"x": {"read": "ramp", "arguments": [1, 2]}}}, "ramp gives nothing to be read"),
        ({"attributes": {"x": {"from": "mode", "unti": "V"}}}, "unknown key 'unti'"),
        ({"attributes": {"x": {"from": "mode", "arguments": [1]}}}, "go with read"),
        ({"attributes": {"temperature": {"maximum": 3}}}, "maximum is for what can be written"),
        ({"attributes": {"fan_voltage": {"maximum": "3"}}}, "maximum: expected a number, got '3'"),
        ({"attributes": {"state": "mode"}}, "expected a name"),
        ({"attributes": {"a b": "mode"}}, "expected a name"),
        ({"attributes": {"x": {"read": "state", "type": "text"}}}, "no type 'text'"),
        ({"attributes": {"x": {"read": "state", "write": "set_names"}}}, "set_names takes list of str"),
        ({"attributes": {"x": {"read": "limits", "arguments": [1], "named": {"y": 1}}}}, "no parameter 'y'"),
        ({"attributes": {"x": {"read": "limits", "arguments": [1, 2]}}}, "does not take 2 arguments"),
        (
            {"attributes": {"x": {"read": "limits", "arguments": ["two"]}}},
            "attribute x: output: expected int, got 'two'",
        ),
        ({"commands": {"x": {"from": "set_mode", "arguments": ["WARP"]}}}, "mode: .*expected one of FAST, SLOW"),
        ({"attributes": {"fan_voltage": {"minimum": 31}}}, "expected minimum below maximum, got 31 and 30"),
        ({"attributes": {"mode": {"minimum": 3}}}, "minimum is for numbers, and this is one of FAST, SLOW"),
        ({"attributes": {"x": {"from": "mode", "label": None}}}, "attribute x: label: expected text, got None"),
        ({"attributes": {"Mode": "temperature"}}, "cannot tell Mode from mode"),
        ({"commands": {"on": {}, True: {}}}, "commands: expected a name, got True: YAML wants quotes"),
        ({"device": "my supply"}, "device: expected a name of letters"),
        ({"attributes": 3}, "attributes: expected names"),
        ({"commands": {"x": "trace"}}, "to is nothing that a client can give"),
        ({"keep": ["nothing*"]}, "nothing is called 'nothing\\*'"),
        ({"drop": "mode"}, "drop: expected a list"),
        ({"state": "temperature"}, "state: temperature does not tell yes from no"),
        ({"state": "is_overloaded"}, "state: is_overloaded needs arguments: output: int"),
    ],
)
def test_what_a_file_gets_wrong_is_told(offered: Declaration, content: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        apply(content, offered)


@pytest.mark.parametrize("name", ["url", "prompt", "get_status", "call"])
def test_a_command_cannot_be_called_as_what_every_device_has(name: str) -> None:
    with pytest.raises(ValueError, match=f"command {name}: every device has something of this name already"):
        devices_of(Supply, declaration={"commands": {name: "dump"}})
    devices_of(Supply, declaration={"attributes": {name: "mode"}})


def test_arguments_in_a_file_are_of_the_types_that_the_driver_takes(offered: Declaration) -> None:
    edited = apply({"commands": {"hurry": {"from": "set_mode", "arguments": ["FAST"]}}}, offered)
    assert edited.commands["hurry"].call.arguments == (Mode.FAST,)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.yml"
    path.write_bytes(b"device: \xff")
    with pytest.raises(ValueError, match=r"binary\.yml: expected UTF-8"):
        read_file(path)


class Shouting(Driver):
    """Names that Tango has itself, or cannot tell apart."""

    def __init__(self, conn: object, volume: int = 1, declaration: str = "") -> None:
        super().__init__(conn)

    async def echo(self, text: str) -> str:
        return text

    async def ECHO(self, text: str) -> str:
        return text.upper()

    async def State(self) -> str:
        return ""

    async def declaration(self) -> str:
        return ""

    async def volume(self, by: int) -> int:
        return by


def test_names_that_are_the_same_to_tango_do_not_answer_for_each_other() -> None:
    offered = offer(Shouting)
    assert list(offered.commands) == ["echo", "driver_State", "driver_driver_declaration", "driver_volume"]
    assert offered.left_out == {"ECHO": "clients cannot tell it from echo"}
    cls = devices_of(Shouting)
    assert cls.declaration.name == "Shouting"
    assert type(vars(cls)["volume"]) is type(vars(cls)["driver_declaration"]) is type(vars(cls)["url"])  # properties


def test_files_are_yaml_or_toml(tmp_path: Path) -> None:
    yaml, toml = tmp_path / "heater.yml", tmp_path / "heater.toml"
    yaml.write_text("device: Heater\nattributes:\n  inside: {from: temperature, unit: K}\n")
    toml.write_text('device = "Heater"\n[attributes.inside]\nfrom = "temperature"\nunit = "K"\n')
    expected = {"device": "Heater", "attributes": {"inside": {"from": "temperature", "unit": "K"}}}
    assert read_file(yaml) == read_file(toml) == expected


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yml", "device: [", "a.yml: "),
        ("a.yml", "- 1", "expected keys and values"),
        ("a.yml", "devise: x", "unknown key 'devise': expected device, driver"),
        ("a.yml", "device: 3", "a.yml: device: expected text, got 3"),
        ("a.toml", "device", "a.toml: "),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        read_file(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nonsense", "expected module:Class; known are can .*cryocon.*modbus.*scpi"),
        ("no.such.module:Driver", "there is no module 'no'; known are"),
        ("instruments.scpi:Scope", "has no driver 'Scope'; its drivers are Instrument, ScpiPipe"),
        ("json:JSONDecoder", "json has no driver 'JSONDecoder'; it has no drivers; known are"),
    ],
)
def test_an_unknown_driver_says_what_is_known(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        driver_class(name)


def test_a_module_that_misses_another_says_so_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy_driver.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        driver_class("needy_driver:Driver")


def test_constructors_give_properties() -> None:
    assert [each.name for each in options_of(ModBusDevice)] == ["protocol", "station_address", "broadcast"]
    assert [each.name for each in options_of(Supply)] == ["prompt", "outputs"]
