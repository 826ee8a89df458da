"""The CryoCon device server, registered in a database, by a client in another process."""

from __future__ import annotations

import pytest

from tests.tango.clients import Client, Refused
from tests.tango.conftest import Process, eventually
from tests.tango.recorder import Recorder

LOOPS = (1, 2, 3, 4)

#: Label, type, unit, writable, limits.
SHEET = {
    "idn": ("ID", "DevString", "", "READ", "Not specified", "Not specified"),
    **{f"channel{id}": (f"Channel {id}", "DevDouble", "K", "READ", "Not specified", "Not specified") for id in "ABCD"},
    "loop1range": ("Loop 1 Range", "DevString", "", "READ_WRITE", "Not specified", "Not specified"),
}
for n in LOOPS:
    SHEET |= {
        f"loop{n}output": (f"Loop {n} Output", "DevDouble", "%", "READ", "Not specified", "Not specified"),
        f"loop{n}rate": (f"Loop {n} Rate", "DevDouble", "K/min", "READ_WRITE", "0", "100"),
        f"loop{n}ramp": (f"Loop {n} Ramp", "DevBoolean", "", "READ", "Not specified", "Not specified"),
        f"loop{n}type": (f"Loop {n} Type", "DevString", "", "READ_WRITE", "Not specified", "Not specified"),
        f"loop{n}setpoint": (f"Loop {n} SetPoint", "DevDouble", "K", "READ_WRITE", "0", "Not specified"),
        f"loop{n}pgain": (f"Loop {n} P gain", "DevDouble", "", "READ", "Not specified", "Not specified"),
        f"loop{n}igain": (f"Loop {n} I gain", "DevDouble", "s", "READ", "Not specified", "Not specified"),
        f"loop{n}dgain": (f"Loop {n} D gain", "DevDouble", "Hz", "READ", "Not specified", "Not specified"),
    }


def test_a_device_is_registered_and_served_under_its_name(client: Client, cryocon: Process) -> None:
    assert {"test/cryocon/1", "CryoCon"} <= set(client.devices_of("CryoCon/test"))
    client.ping("test/cryocon/1")
    assert client.state("test/cryocon/1")[0] in ("UNKNOWN", "FAULT")  # nobody answers at that address


def test_attributes_have_their_labels_types_units_limits_and_access(client: Client, device: str) -> None:
    assert set(client.attributes(device)) == {*SHEET, "State", "Status"}
    for name, expected in SHEET.items():
        found = client.config(device, name)
        keys = ("label", "type", "unit", "writable", "min_value", "max_value")
        assert tuple(found[key] for key in keys) == expected, name
        assert found["description"] not in ("", "No description"), name


def test_commands_take_and_give_what_they_are_said_to(client: Client, device: str) -> None:
    commands = client.commands(device)
    assert commands["run"] == ("DevString", "DevString")
    assert commands["setchannelunit"] == ("DevVarStringArray", "DevVoid")
    assert commands["on"][0] == commands["off"][0] == "DevVoid"


def test_all_attributes_of_one_call_are_one_grouped_request(client: Client, device: str, recorder: Recorder) -> None:
    client.put(device, PollingPeriod=["3600"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    recorder.lines.clear()
    names = ["channelA", "channelB", "loop1output", "loop1ramp", "loop2type", "loop1pgain", "State"]
    readings = client.read(device, *names)
    assert [quality for _, quality, _ in readings] == ["ATTR_VALID"] * len(names)
    (line,) = recorder.lines
    assert line.count(":CONTROL?;") == 1
    for path in ("INPUT A:TEMP", "INPUT B:TEMP", "LOOP 1:OUTP", "LOOP 1:RAMP", "LOOP 2:TYP", "LOOP 1:PGA"):
        assert line.count(f":{path}?;") == 1


def test_every_attribute_is_read_on_as_few_lines_as_their_length_allows(
    client: Client, device: str, recorder: Recorder
) -> None:
    client.put(device, PollingPeriod=["3600"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    recorder.lines.clear()
    readings = client.read(device, *SHEET)
    assert {quality for _, quality, _ in readings} == {"ATTR_VALID"}
    assert len(recorder.lines) <= -(-sum(map(len, recorder.lines)) // 230)


def test_a_reading_within_the_validity_period_is_not_asked_again(
    client: Client, device: str, recorder: Recorder
) -> None:
    client.put(device, PollingPeriod=["3600"], ReadValidityPeriod=["3600"])
    client.command(device, "Init")
    for _ in range(3):
        client.read(device, "channelA")
    assert len(recorder.asked("INPUT A:TEMP")) == 1


def test_state_follows_the_control(client: Client, device: str, recorder: Recorder) -> None:
    assert client.state(device) == ("OFF", "Control is Off")
    client.command(device, "on")
    assert client.state(device) == ("ON", "Control is On")
    client.command(device, "off")
    assert client.state(device) == ("OFF", "Control is Off")
    recorder.device.answer(b":CONTROL;\n")  # by hand, at the front panel
    eventually(lambda: client.state(device) == ("ON", "Control is On"))


def test_state_does_not_ask_the_controller_each_time(client: Client, device: str, recorder: Recorder) -> None:
    client.put(device, PollingPeriod=["3600"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    recorder.lines.clear()
    for _ in range(100):
        client.state(device)
    assert len(recorder.lines) < 50


def test_what_is_written_is_set_and_read_back(client: Client, device: str, recorder: Recorder) -> None:
    client.write(device, "loop1setpoint", 300.0)
    client.write(device, "loop2rate", 12.5)
    client.write(device, "loop1type", "PID")
    client.write(device, "loop1range", "HI")
    assert ":LOOP 1:SETPT 300.0;:LOOP 1:SETPT?;" in recorder.lines
    values = [value for value, _, _ in client.read(device, "loop1setpoint", "loop2rate", "loop1type", "loop1range")]
    assert values == [300.0, 12.5, "PID", "HI"]


@pytest.mark.parametrize(("name", "value"), [("loop1rate", 100.5), ("loop4rate", -1.0), ("loop2setpoint", -0.5)])
def test_tango_itself_refuses_what_is_out_of_limits(
    client: Client, device: str, recorder: Recorder, name: str, value: float
) -> None:
    with pytest.raises(Refused, match="API_WAttrOutsideLimit"):
        client.write(device, name, value)
    assert not recorder.asked(f"{value}")


@pytest.mark.parametrize("name", ["loop1output", "loop3ramp", "loop1pgain", "channelA"])
def test_what_is_only_read_cannot_be_written(client: Client, device: str, name: str) -> None:
    with pytest.raises(Refused, match="API_AttrNotWritable"):
        client.write(device, name, True if name.endswith("ramp") else 1.0)


def test_what_the_driver_refuses_says_what_is_allowed(client: Client, device: str, recorder: Recorder) -> None:
    with pytest.raises(Refused) as refused:
        client.write(device, "loop1type", "WARM")
    assert refused.value.reason == "ValueError"
    assert "OFF, PID, MAN, TABLE, RAMPP, RAMPT" in refused.value.text
    assert not recorder.asked("WARM")


def test_a_raw_line_goes_as_it_stands(client: Client, device: str, recorder: Recorder) -> None:
    assert client.command(device, "run", ":LOOP 1:SETPT?;PGA?") == "0.0;20.0"
    assert recorder.asked(":LOOP 1:SETPT?;PGA?")[-1] == ":LOOP 1:SETPT?;PGA?"
    assert client.command(device, "run", ":LOOP 1:SETPT 5") == ""
    assert client.read(device, "loop1setpoint")[0][0] == 5.0
    with pytest.raises(Refused, match="one line"):
        client.command(device, "run", "*IDN?\n*IDN?")


def test_a_broken_sensor_is_invalid_and_spoils_nothing_else(client: Client, device: str, recorder: Recorder) -> None:
    recorder.device.faults["B"] = "-------"
    recorder.device.faults["C"] = "......."
    readings = client.read(device, "channelA", "channelB", "channelC", "channelD")
    assert [quality for _, quality, _ in readings] == ["ATTR_VALID", "ATTR_INVALID", "ATTR_INVALID", "ATTR_VALID"]
    assert client.state(device)[0] == "OFF"


def test_what_the_controller_refuses_is_an_error_of_that_attribute_alone(
    client: Client, device: str, recorder: Recorder
) -> None:
    recorder.device.loops.pop(3)
    valid, refused, also_valid = client.read(device, "loop2rate", "loop3rate", "channelA")
    assert valid[1] == also_valid[1] == "ATTR_VALID"
    assert "not acknowledged" in refused[2]
    assert client.state(device)[0] == "OFF"


def test_channels_and_loops_that_are_not_used_spoil_nothing_else(
    client: Client, device: str, recorder: Recorder
) -> None:
    client.put(device, UsedChannels=["A", "B"], UsedLoops=["1"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")
    recorder.lines.clear()
    used, unused, loop, other_loop = client.read(device, "channelA", "channelD", "loop1setpoint", "loop2setpoint")
    assert used[1] == loop[1] == "ATTR_VALID"
    assert "without channelD" in unused[2]
    assert "without loop2" in other_loop[2]
    with pytest.raises(Refused, match="without loop3"):
        client.write(device, "loop3rate", 1.0)
    assert not recorder.asked("INPUT D")
    assert not recorder.asked("LOOP 2")


def test_a_garbled_reply_is_a_fault_until_the_next_good_one(client: Client, device: str, recorder: Recorder) -> None:
    recorder.replies["INPUT A:TEMP"] = b"no;answer;that;fits;anything;at;all;1;2;3;4;5\n"
    ((_, _, error),) = client.read(device, "channelA")
    assert "expected" in error
    recorder.replies.clear()
    assert client.read(device, "channelA")[0][1] == "ATTR_VALID"
    assert client.state(device)[0] == "OFF"


def test_units_follow_the_controller(client: Client, device: str, recorder: Recorder) -> None:
    client.command(device, "setchannelunit", ["A", "C", "B", "F"])
    (celsius, _, _), (fahrenheit, _, _) = client.read(device, "channelA", "channelB")
    assert celsius == pytest.approx(11.456 - 273.15, abs=1)
    assert fahrenheit == pytest.approx(12.456 * 1.8 - 459.67, abs=1)
    assert client.config(device, "channelA")["unit"] == "degC"
    assert client.config(device, "channelB")["unit"] == "degF"
    client.read(device, "loop1setpoint", "loop1rate")
    assert client.config(device, "loop1setpoint")["unit"] == "degC"
    assert client.config(device, "loop1rate")["unit"] == "degC/min"
    recorder.device.answer(b":INPUT A:UNIT K;:INPUT B:UNIT K\n")  # by hand, at the front panel
    client.read(device, "channelA", "channelB", "loop1setpoint", "loop1rate")
    units = [client.config(device, name)["unit"] for name in ("channelA", "channelB", "loop1setpoint", "loop1rate")]
    assert units == ["K", "K", "K", "K/min"]


@pytest.mark.parametrize("argument", [[], ["A"], ["A", "K", "B"], ["E", "K"], ["A", "Q"]])
def test_units_that_are_none_are_refused(client: Client, device: str, argument: list[str]) -> None:
    with pytest.raises(Refused, match="expected"):
        client.command(device, "setchannelunit", argument)


def test_the_front_panel_is_locked_on_contact_if_wanted(client: Client, device: str, recorder: Recorder) -> None:
    assert not recorder.asked("LOCKOUT")
    client.put(device, AutoLockFrontPanel=["true"])
    client.command(device, "Init")
    eventually(lambda: recorder.asked(":SYSTEM:LOCKOUT ON;"))
    assert recorder.device.system["lockout"] == "ON"


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"url": []}, "url is missing"),
        ({"url": ["cryo.lab:5000"]}, "tcp://"),
        ({"url": ["gpib://7"]}, "tcp://"),
        ({"url": ["tcp://127.0.0.1:99999"]}, "1 to 65535"),
        ({"url": ["serial:///dev/ttyS0"], "parity": ["X"]}, "parity"),
        ({"url": ["serial:///dev/ttyS0"], "baudrate": ["fast"]}, "baudrate"),
        ({"UsedChannels": ["A", "E"]}, "channels are A, B, C and D"),
        ({"UsedLoops": ["7"]}, "loops are 1, 2, 3 and 4"),
        ({"UsedLoops": ["one"]}, "UsedLoops"),
        ({"PollingPeriod": ["-1"]}, "PollingPeriod"),
        ({"ReadValidityPeriod": ["-1"]}, "ReadValidityPeriod"),
    ],
)
def test_a_wrong_property_stops_init_with_the_reason_in_the_status(
    client: Client, device: str, cryocon: Process, recorder: Recorder, properties: dict[str, list[str]], says: str
) -> None:
    client.put(device, **properties)
    client.command(device, "Init")
    state, status = client.state(device)
    assert state == "FAULT"
    assert status.startswith("Error: ")
    assert says in status
    with pytest.raises(Refused, match="Error: "):
        client.command(device, "on")
    assert "Error: " in client.read(device, "channelA")[0][2]
    assert cryocon.process.poll() is None
    client.put(device, **{name: [] for name in properties})
    client.put(device, url=[recorder.url])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "OFF")


def test_initialising_over_and_over_leaves_one_connection(client: Client, device: str, recorder: Recorder) -> None:
    for _ in range(5):
        client.command(device, "Init")
        eventually(lambda: client.state(device)[0] == "OFF")
    assert recorder.made >= 6
    eventually(lambda: recorder.open == 1, lambda: recorder.open)


def test_port_5000_is_what_a_host_alone_means(client: Client, device: str) -> None:
    client.put(device, url=["tcp://127.0.0.1"])
    client.command(device, "Init")
    eventually(lambda: client.state(device)[0] == "FAULT")
    assert "127.0.0.1:5000" in client.state(device)[1]
