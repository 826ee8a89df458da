"""The device server of CryoCon temperature controllers, ``CryoCon instance``, with names that people gave.

It is a `DriverDevice` with a declaration that is written here. Numbers are in the unit that the controller displays
them in; the unit of each attribute follows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from sockio.resource import parse

from ..base import Driver
from ..cryocon import CryoCon
from .classes import device_class
from .declaration import Call, declare
from .declaration_file import apply
from .device import URL, DriverDevice
from .drivers import Nowhere, check_url, stream
from .failures import failure
from .framework import command, device_property
from .server import add_arguments, run_as_told
from .threads import in_thread

#: What the server is called in the database, and its class of devices.
NAME = "CryoCon"

#: The controller's TCP port, unless it was configured otherwise (Model 24C User's Guide, "Ethernet").
PORT = 5000

#: Seconds for a call over TCP, and for connecting.
TIMEOUT, CONNECTION_TIMEOUT = 0.5, 1.0

CHANNELS, LOOPS = "ABCD", (1, 2, 3, 4)

#: What each loop has: the attribute, its label, what it reads, its unit, and what else there is to say.
LOOP_ATTRIBUTES: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    ("output", "Output", "output_power", "%", {}),
    ("rate", "Rate", "rate", "K/min", {}),
    ("ramp", "Ramp", "ramp", "", {}),
    ("type", "Type", "type", "", {}),
    ("setpoint", "SetPoint", "set_point", "K", {}),
    ("pgain", "P gain", "proportional_gain", "", {"write": False}),
    ("igain", "I gain", "integrator_gain", "s", {"write": False}),
    ("dgain", "D gain", "differentiator_gain", "Hz", {"write": False}),
)

#: Units by the controller's names, and what rates have after them; S is the sensor's own, volt or ohm.
UNITS = {"K": "K", "C": "degC", "F": "degF", "S": "sensor unit"}
RATE = "/min"


def content() -> dict[str, Any]:
    """Return the declaration, as a file would say it."""
    attributes: dict[str, Any] = {"idn": {"label": "ID"}}
    for id in CHANNELS:
        attributes[f"channel{id}"] = {"from": f"channel{id}_temperature", "label": f"Channel {id}", "unit": "K"}
    for number in LOOPS:
        for name, label, source, unit, more in LOOP_ATTRIBUTES:
            attributes[f"loop{number}{name}"] = {
                "from": f"loop{number}_{source}",
                "label": f"Loop {number} {label}",
                "unit": unit,
                **more,
            }
    attributes["loop1range"] = {"from": "loop1_range", "label": "Loop 1 Range"}
    commands = {
        "on": {"from": "control", "arguments": [True], "description": "Start the control loops."},
        "off": {"from": "control", "arguments": [False], "description": "Stop the control loops."},
        "run": {},
    }
    return {"device": NAME, "state": "control", "keep": [], "attributes": attributes, "commands": commands}


class CryoConDevice(DriverDevice):
    """A CryoCon temperature controller."""

    baudrate = device_property(dtype=int, default_value=9600, doc="Bits per second of a serial line.")
    bytesize = device_property(dtype=int, default_value=8, doc="Data bits of a serial line.")
    parity = device_property(dtype=str, default_value="N", doc="Parity of a serial line: N, E or O.")
    UsedChannels = device_property(dtype=(str,), default_value=list(CHANNELS), doc="Input channels, A to D.")
    UsedLoops = device_property(dtype=(int,), default_value=list(LOOPS), doc="Control loops, 1 to 4.")
    ReadValidityPeriod = device_property(
        dtype=float, default_value=0.1, doc="Seconds for which a reading is given again, without asking the controller."
    )
    AutoLockFrontPanel = device_property(
        dtype=bool, default_value=False, doc="Whether the keys are locked whenever a connection has been made."
    )

    def make_driver(self) -> Driver:
        """Return the driver, from the device's properties."""
        channels = tuple("".join(self.UsedChannels).replace(",", "").replace(" ", ""))
        self._sources: dict[int, str] = {}
        self._units: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        driver: CryoCon = CryoCon(self._stream(), channels, tuple(int(number) for number in self.UsedLoops))
        driver.io_error_retry_period = 0.0  # the device itself leaves a lost controller alone for a while
        return driver

    def _stream(self) -> Any:
        url = with_port(self.url)
        check_url(url)
        if url.partition("://")[0] in ("tcp", "tls", "unix"):
            return stream(url, timeout=TIMEOUT, connection_timeout=CONNECTION_TIMEOUT)
        known = parse(url).options
        line = {"baudrate": self.baudrate, "bytesize": self.bytesize, "parity": self.parity}
        return stream(url, **{name: value for name, value in line.items() if name not in known})

    async def made_contact(self, driver: Driver) -> None:
        """Lock the keys, if they are to be."""
        if self.AutoLockFrontPanel:
            assert isinstance(driver, CryoCon)
            await driver.lockout(True)

    # Units

    def companions(self, names: Iterable[str]) -> dict[str, Call]:
        """Return what tells the units of attributes: the channels' own, and the channels that loops control."""
        operations = OFFERED.operations
        driver = self._driver
        assert isinstance(driver, CryoCon)
        wanted: dict[str, Call] = {}
        channels = {name[-1] for name in names if name[:-1] == "channel"}
        for number in {int(name[4]) for name in names if name[5:] in ("setpoint", "rate")}.intersection(driver.loops):
            wanted[f"{number} source"] = Call(operations[f"loop{number}_source"])
            channels |= {self._sources[number]} if number in self._sources else set(driver.channels)
        for id in sorted(channels.intersection(driver.channels)):
            wanted[f"{id} unit"] = Call(operations[f"channel{id}_unit"])
        return wanted

    async def met(self, outcomes: dict[str, Any]) -> None:
        """Have the units of attributes follow those of the controller."""
        for name, outcome in outcomes.items():
            key, _, what = name.partition(" ")
            if isinstance(outcome, Exception):
                continue  # a lost connection, which the attributes themselves tell
            if what == "unit":
                self._units[key] = UNITS.get(str(outcome), str(outcome))
            else:
                self._sources[int(key)] = outcome
        wanted = {f"channel{id}": unit for id, unit in self._units.items()}
        for number, source in self._sources.items():
            if source in self._units:
                unit = self._units[source]
                wanted |= {f"loop{number}setpoint": unit, f"loop{number}rate": f"{unit}{RATE}"}
        changed = {name: unit for name, unit in wanted.items() if self._shown.get(name) != unit}
        if changed:
            await in_thread(self._show_units, changed)

    def _show_units(self, units: dict[str, str]) -> None:
        """Set the units of attributes, in a thread of Tango's. One that people have worded themselves stays."""
        for name, unit in units.items():
            attribute = self.get_device_attr().get_attr_by_name(name)
            properties = attribute.get_properties()
            if properties.unit != unit and properties.unit.removesuffix(RATE) in UNITS.values():
                properties.unit = unit
                attribute.set_properties(properties)
            self._shown[name] = unit

    # Commands

    @command(dtype_in=(str,), doc_in="channels and their new units, in turns: A, K, B, C")
    async def setchannelunit(self, argument: Any) -> None:
        """Set the display units of channels: K, C, F, or S for that of the sensor itself."""
        words = [str(word).strip().upper() for word in argument]
        channels, units = words[::2], words[1::2]
        if not words or len(words) % 2 or not set(channels).issubset(CHANNELS):
            description = f"expected channels A to D and their units in turns, such as A, K, B, C, got {words}"
            raise failure("ValueError", description, "setchannelunit")
        for id, unit in zip(channels, units, strict=True):
            shown = await self.call(Call(OFFERED.operations[f"channel{id}_unit"]), unit)
            await self.met({f"{id} unit": shown})


#: Everything that the driver offers.
OFFERED = declare(CryoCon(Nowhere()), dir(CryoConDevice))


def with_port(url: str) -> str:
    """Return a URL with the controller's port, where it has a host alone."""
    scheme, separator, rest = url.partition("://")
    place, mark, options = rest.partition("?")
    if scheme not in ("tcp", "tls") or not separator or ":" in place.rpartition("]")[2]:
        return url
    return f"{scheme}://{place}:{PORT}{mark}{options}"


def device_type(url: str = "") -> type[DriverDevice]:
    """Return the class of devices.

    Args:
        url: where the controller is, for devices that do not say so by their property ``url``.
    """
    default = device_property(dtype=str, default_value=url, doc=URL)
    return device_class(apply(content(), OFFERED), CryoConDevice, url=default)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the CryoCon devices of an instance, as the command line says."""
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="Serve CryoCon temperature controllers as Tango devices.",
        epilog="Options that are not listed go to Tango, such as -v4 or -ORBendPoint giop:tcp::10001.",
    )
    add_arguments(parser)
    given, rest = parser.parse_known_args(arguments)
    given.url = with_port(given.url)
    run_as_told(parser, given, rest, NAME, lambda: device_type(given.url))


if __name__ == "__main__":
    main()
