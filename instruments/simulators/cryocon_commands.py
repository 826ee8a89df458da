"""The commands of a simulated CryoCon: a tree of keywords, each with what it reads and writes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .cryocon_grammar import (
    ON_OFF,
    UNIT,
    YES_NO,
    Node,
    Refused,
    Select,
    Target,
    Write,
    address,
    constant,
    decimals,
    ignored,
    loop_setting,
    number,
    stored,
    string,
    word,
)
from .cryocon_loop import from_kelvin

if TYPE_CHECKING:
    from .cryocon import CryoCon
    from .cryocon_loop import SimulatedLoop


def identify(device: CryoCon, target: Target) -> str:
    return device.system["*idn"]


def switch(on: bool) -> Write:
    def write(device: CryoCon, target: Target, argument: str) -> None:
        device.switch_control(on)

    return write


def read_channel(device: CryoCon, channel: Target) -> str:
    return device.temperature(channel["id"])


def read_raw(device: CryoCon, channel: Target) -> str:
    return f"{from_kelvin(device.kelvin(channel['id']), 'S'):.6f}"


def clear_alarm(device: CryoCon, channel: Target, argument: str) -> None:
    channel["alarm"] = "--"


def reset_statistics(device: CryoCon, channel: Target, argument: str) -> None:
    value = f"{from_kelvin(device.kelvin(channel['id']), channel['unit']):.4f}"
    channel.update(minimum=value, maximum=value, variance="0.0", slope="0.0", offset=value)


def write_set_point(device: CryoCon, loop: SimulatedLoop, argument: str) -> None:
    text = number()(argument)
    if 0 <= float(text) <= float(loop.settings["max setpoint"]):
        source = loop.settings["source"]
        loop.change_set_point(text, device.kelvin(source))
    else:
        device.system["*esr"] = str(int(device.system["*esr"]) | 0x10)  # execution error


def write_type(device: CryoCon, loop: SimulatedLoop, argument: str) -> None:
    scale = ("SCALE",) if loop.number in (3, 4) else ()
    loop.settings["type"] = word("OFF", "PID", "MAN", "TABLE", "RAMPP", "RAMPT", *scale)(argument)


def write_range(device: CryoCon, loop: SimulatedLoop, argument: str) -> None:
    allowed = {1: ("HI", "MID", "LOW"), 2: ("HI", "LOW")}.get(loop.number, ("5V", "10V"))
    loop.settings["range"] = word(*allowed)(argument)


def write_load(device: CryoCon, loop: SimulatedLoop, argument: str) -> None:
    if loop.number != 1:
        raise Refused
    loop.settings["load"] = word("50", "25")(argument)


def read_output(device: CryoCon, loop: SimulatedLoop) -> str:
    """The output in percent: what was set by hand, or what the controller makes of it."""
    return str(loop.settings["output power"]) if loop.settings["type"] == "MAN" else f"{loop.output:.1f}"


def read_volts(device: CryoCon, loop: SimulatedLoop) -> str:
    return f"{loop.output / 2:.2f}V"


def read_amperes(device: CryoCon, loop: SimulatedLoop) -> str:
    return f"{loop.output / 100:.2f}A"


def read_load(device: CryoCon, loop: SimulatedLoop) -> str:
    return "50.00" if loop.output else "-1.00"


def read_date(device: CryoCon, target: Target) -> str:
    return time.strftime('"%m/%d/%Y"', device.now())


def read_time(device: CryoCon, target: Target) -> str:
    return time.strftime('"%H:%M:%S"', device.now())


def read_events(device: CryoCon, target: Target) -> str:
    """The event register, which reading clears."""
    events = device.system["*esr"]
    device.system["*esr"] = "0"
    return events


def read_instrument_status(device: CryoCon, target: Target) -> str:
    alarm = any(channel["alarm"] != "--" for channel in device.channels.values())
    return str((0x80 if alarm else 0) | ("A" in device.faults) | ("B" in device.faults) << 1)


def clear_status(device: CryoCon, target: Target, argument: str) -> None:
    device.system["*esr"] = "0"


def reset(device: CryoCon, target: Target, argument: str) -> None:
    device.reset()


# What the argument of a subsystem selects


def select_channels(device: CryoCon, argument: str) -> list[Target]:
    """``A``, ``CHA``, ``0``, or several, separated by commas."""
    return [select_one(device.channels, "ABCD", id.strip()) for id in argument.upper().split(",")]


def select_one(channels: dict[str, Target], letters: str, id: str) -> Target:
    id = id.removeprefix("CH")
    if id.isdigit() and int(id) < len(letters):
        id = letters[int(id)]
    if id not in channels:
        raise Refused
    return channels[id]


def select_loop(device: CryoCon, argument: str) -> list[SimulatedLoop]:
    if not argument.isdigit() or int(argument) not in device.loops:
        raise Refused
    return [device.loops[int(argument)]]


def select_stored(name: str, ids: Iterable[str]) -> Select:
    """One of several things that the controller stores, such as relays and configurations."""
    allowed = frozenset(ids)

    def select(device: CryoCon, argument: str) -> list[Target]:
        if argument.upper() not in allowed:
            raise Refused
        return [device.transfers.settings(name, argument.upper())]

    return select


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def in_store(name: str) -> Select:
    """The only thing of its kind."""
    return lambda device, argument: [device.transfers.settings(name, "")]


COMMON = (
    Node("*IDN", identify),
    Node("*OPC", constant("1"), lambda device, target, argument: None),
    Node("*CLS", None, clear_status),
    stored("*ESE", "*ese", number(0, 255)),
    stored("*SRE", "*sre", number(0, 255)),
    Node("*ESR", read_events),
    Node("*STB", constant("0")),
    Node("*RST", None, reset),
    Node("STOP", None, switch(False)),
    Node("CONTrol", lambda device, target: device.system["control"], switch(True)),
)

SYSTEM = (
    stored("LOCKout", "lockout", ON_OFF),
    stored("REMLed", "remled", ON_OFF),
    stored("NAMe", "name", string),
    Node("DATe", read_date, lambda device, target, argument: None),
    Node("TIMe", read_time, lambda device, target, argument: None),
    stored("HWRev", "hardware_revision"),
    stored("FWREV", "firmware_revision"),
    stored("DISTc", "distc", word("0.5", "1", "2", "4", "8", "16", "32", "64")),
    stored("ADRS", "address", number(1, 31)),
    stored("BAUD", "baudrate", word("9600", "19200", "38400", "57600", "115200")),
    stored("SYNCtaps", "taps", number(1)),
    stored("LINefreq", "line_frequency", word("50", "60")),
    stored("DRES", "resolution", word("FULL", "1", "2", "3")),
    stored("PUControl", "power_up_control", ON_OFF),
    stored("FANRpm", "fan"),
    Node("ISR", read_instrument_status),
    *map(ignored, ("NVSave", "BEEP", "RESeed", "HOMe")),
)

ALARM = (
    decimals("HIGHest", "alarm_highest", number()),
    decimals("LOWEst", "alarm_lowest", number()),
    decimals("DEAdband", "alarm_deadband", number(0)),
    stored("HIENa", "alarm_high_enabled", YES_NO),
    stored("LOENa", "alarm_low_enabled", YES_NO),
    stored("LTENa", "alarm_latch_enabled", YES_NO),
    stored("AUDio", "alarm_audio", YES_NO),
    Node("CLEar", None, clear_alarm),
)

INPUT = (
    Node("TEMPerature", read_channel),
    stored("UNITs", "unit", UNIT),
    stored("NAMe", "name", string),
    stored("MINimum", "minimum"),
    stored("MAXimum", "maximum"),
    stored("VARiance", "variance"),
    stored("SLOpe", "slope"),
    stored("OFFSet", "offset"),
    Node("STAts", children=(Node("TIMe", constant("0.0")), Node("RESet", None, reset_statistics))),
    Node("ALARm", lambda device, channel: str(channel["alarm"]), children=ALARM),
    Node("SENPr", read_raw),
    stored("SENSor", "sensor", number(0, 68)),
    Node("SENSPwr", constant("0.000010")),
    stored("VBIas", "bias", word("10MV", "3.0MV", "1.0MV", "300UV", "200UV", "100UV")),
    stored("ACEXcite", "ac_excitation", ON_OFF),
    stored("BRANge", "bridge_range", word("AUTO", "1.0MA", "100UA", "10UA", "1.0UA")),
    Node("BRUNlock", constant(" ")),
    stored("TCOFfset", "thermocouple_offset", number()),
)

AUTOTUNE = (
    *map(ignored, ("STARt", "EXIT", "SAVE")),
    loop_setting("MODe", "mode", word("P", "PI", "PID")),
    loop_setting("DELTap", "delta", number(0, 100)),
    loop_setting("TIMeout", "timeout", number(0)),
    *(Node(keyword, constant("-1")) for keyword in ("PGAin", "IGAin", "DGAin")),
    loop_setting("STATus", "autotune"),
)

LOOP = (
    loop_setting("SOURce", "source", word("A", "B", "C", "D")),
    Node("SETPt|SETPoint", lambda device, loop: str(loop.settings["setpoint"]), write_set_point),
    Node("ERRor", constant("--Htr OK--")),
    Node("TYPe", lambda device, loop: str(loop.settings["type"]), write_type),
    loop_setting("TABLe", "table", number(1, 6)),
    Node("RANGe", lambda device, loop: str(loop.settings["range"]), write_range),
    Node("RAMP", lambda device, loop: "ON" if loop.ramping else "OFF"),
    loop_setting("RATe", "rate", number(0, 100)),
    loop_setting("PGAin", "pgain", number(0, 1000)),
    loop_setting("IGAin", "igain", number(0, 1000)),
    loop_setting("DGAin", "dgain", number(0, 1000)),
    loop_setting("PMANual", "output power", number(0, 100)),
    Node("OUTPwr", read_output, loop_setting("OUTPwr", "output power", number(0, 100)).write),
    Node("HTRRead", lambda device, loop: f"{loop.output:.1f}"),
    Node("LOAD", lambda device, loop: str(loop.settings["load"]), write_load),
    loop_setting("MAXPwr", "max output power", number(0, 100)),
    loop_setting("MAXSet", "max setpoint", number(0)),
    Node("VSENse", read_volts),
    Node("ISENse", read_amperes),
    Node("LSENse", read_load),
    Node("HTRHst", constant("31.5C")),
    Node("AUTotune", children=AUTOTUNE),
)

RELAY = (
    stored("SOURce", "source", word("A", "B", "C", "D")),
    stored("MODe", "mode", word("AUTO", "WITHIN", "CONTROL", "ON", "OFF")),
    decimals("HIGHest", "highest", number()),
    decimals("LOWest", "lowest", number()),
    decimals("DEAdband", "deadband", number(0)),
    stored("HIENa", "high_enabled", YES_NO),
    stored("LOENa", "low_enabled", YES_NO),
)

SENSOR = (
    stored("NAMe", "name", string),
    stored("NENTry", "entries"),
    stored("UNITs", "units", word("VOLTS", "OHMS", "LOGOHM")),
    stored("TYPe", "type", word("DIODE", "ACR", "PTC100", "PTC1K", "TC70")),
    stored("MULTiply", "multiplier", number()),
)

ROOT = Node(
    "",
    children=(
        *COMMON,
        Node("SYSTem", children=SYSTEM),
        Node("INPut", read_channel, children=INPUT, select=select_channels),
        Node("LOOP", children=LOOP, select=select_loop),
        Node(
            "OVERtemp",
            children=(
                stored("ENABle", "enabled", ON_OFF),
                stored("SOURce", "source", word("A", "B", "C", "D")),
                stored("TEMPerature", "temperature", number(0)),
            ),
            select=in_store("over-temperature"),
        ),
        Node(
            "RELay",
            lambda device, relay: relay["mode"] if relay["mode"] in ("ON", "OFF") else "--",
            children=RELAY,
            select=select_stored("relay", numbers(0, 2)),
        ),
        Node("SENSorix", children=SENSOR, select=select_stored("sensor", numbers(0, 68))),
        Node(
            "CONFig",
            children=(stored("NAMe", "name", string), ignored("SAVe"), ignored("RESTore")),
            select=select_stored("configuration", numbers(0, 5)),
        ),
        Node(
            "NETWork|NET",
            children=(
                stored("IPADdress", "ip", address),
                stored("PORT", "port", number(1, 65535)),
                stored("NAMe", "name", string),
                stored("DHCP", "dhcp", ON_OFF),
                stored("MACADdress", "mac"),
            ),
            select=in_store("network"),
        ),
        Node(
            "MAIL",
            children=(
                stored("ADDR", "address", address),
                stored("FROM", "from", address),
                stored("DEST", "to", address),
                stored("PORT", "port", number(1, 65535)),
                stored("STATE", "state", ON_OFF),
            ),
            select=select_stored("mail", "ABCD"),
        ),
        Node(
            "CALcur",
            lambda device, curve: device.transfers.curve(curve["id"]),
            lambda device, curve, argument: device.transfers.begin("curve", curve["id"]),
            select=select_stored("curve", numbers(1, 8)),
        ),
        Node(
            "PIDTable",
            lambda device, table: device.transfers.table(table["id"]),
            children=(
                stored("NAMe", "name", string),
                stored("NENTry", "entries"),
                Node(
                    "TABLe",
                    None,
                    lambda device, table, argument: device.transfers.begin("table", table["id"]),
                ),
            ),
            select=select_stored("table", numbers(1, 6)),
        ),
        Node(
            "DLOG",
            lambda device, log: device.transfers.log_text(),
            children=(
                stored("STATe", "state", ON_OFF),
                stored("INTerval", "interval", number(1, 99999)),
                Node("COUNt", lambda device, log: str(len(device.transfers.records))),
                Node("READ", lambda device, log: device.transfers.log_text()),
                *(
                    Node(keyword, None, lambda device, log, argument: device.transfers.clear_log())
                    for keyword in ("RESEt", "CLEAr")
                ),
            ),
            select=in_store("log"),
        ),
    ),
)
