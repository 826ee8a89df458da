"""A simulated SCPI instrument, whatever it measures: the commands that all have, its status, and how it answers.

Configuration keys, all with defaults:

- ``*idn``: what ``*IDN?`` answers.
- ``latency``: seconds before each response, 0.
- ``operation_time``: seconds that a measurement takes, 0.
- ``faults``: what goes wrong with the first responses, a list of names (`instruments.simulators.faults.FAULTS`).
- ``fault_delay``: what a late response comes later, in seconds, 1.

The key ``protocol`` of a transport says what is spoken on it: ``raw`` (lines, the default), ``hislip`` or ``vxi11``.
The ``SIMulate`` commands, which no real instrument has, change the keys from another process.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from .engine import BaseDevice
from .faults import FAULTS, check_fault
from .scpi_common import CommonCommands
from .scpi_errors import ScpiError
from .scpi_grammar import Unit, units_of
from .scpi_operation import DeviceCleared, Operation
from .scpi_parameters import Choice, Integer, Number, Optional
from .scpi_status import Status
from .scpi_table import Setting, command, tree_of

#: What the transport key ``protocol`` may be, and the class that speaks it: made with ``(device, channel,
#: transport)`` for each connection, it has a method ``handle()`` that returns when the connection ends.
PROTOCOLS: dict[str, str] = {
    "raw": "instruments.simulators.raw:RawProtocol",
    "hislip": "instruments.simulators.hislip:HislipProtocol",
    "vxi11": "instruments.simulators.vxi11:Vxi11Protocol",
}


class ScpiDevice(CommonCommands, BaseDevice):
    """What simulated SCPI instruments have in common; subclasses add commands and settings.

    Attributes:
        latency: before each response, in seconds.
        fault_delay: what a late response comes later, in seconds.
        faults: what goes wrong with the next responses.
        status: the status byte and all that it summarises.
        settings: the present value of each setting, by its name and the suffix of its header.
    """

    identity = "sockio,simulated instrument,0,1.0"
    SETTINGS: tuple[Setting, ...] = ()

    def __init__(
        self,
        name: str,
        latency: float = 0.0,
        operation_time: float = 0.0,
        faults: Iterable[str] = (),
        fault_delay: float = 1.0,
        **options: Any,
    ) -> None:
        self.identity = str(options.pop("*idn", self.identity))
        super().__init__(name, **options)
        self._tree = tree_of(type(self))
        self.latency = float(latency)
        self.faults = deque(map(check_fault, faults))
        self.fault_delay = float(fault_delay)
        self._listeners: list[Callable[[int], None]] = []
        self.status = Status(self._request_service)
        self.operation = Operation(self.status, float(operation_time))
        self.settings: dict[tuple[str, int], Any] = {}
        self.saved: dict[int, dict[tuple[str, int], Any]] = {}
        self.reset()

    # What protocols use

    def respond(self, message: bytes) -> bytes | None:
        """Obey a program message, without its terminator; return the response message with its newline.

        None if there is nothing to answer. A message is obeyed up to its first command error (-1xx, IEEE 488.2,
        6.1.6.1); other errors cost the command alone that has them. It may take a while (``*OPC?``, ``READ?``), in
        which other greenlets run; `clear` ends it.
        """
        responses: list[bytes] = []
        path: tuple[str, ...] = ()
        try:
            for unit in units_of(message):
                words = unit.words if unit.common or unit.absolute else path + unit.words
                if not unit.common:
                    path = words[:-1]
                self._obey(unit, words, responses)
        except ScpiError as error:
            self.status.add_error(error.number)
        except DeviceCleared:
            return None
        return b";".join(responses) + b"\n" if responses else None

    def status_byte(self) -> int:
        """Return the status byte as ``*STB?`` does, with the master summary status in bit 6."""
        return self.status.byte

    def serial_poll(self) -> int:
        """Return the status byte with RQS in bit 6, and clear RQS, as a serial poll on GPIB does."""
        return self.status.poll()

    def clear(self) -> None:
        """Clear the device (IEEE 488.2, 5.8): what is being answered is forgotten, ``*OPC`` is not waited for."""
        self.operation.abandon()

    def trigger(self) -> None:
        """Trigger the instrument: ``*TRG``, group execute trigger."""
        try:
            self.operation.trigger()
        except ScpiError as error:
            self.status.add_error(error.number)

    def report_error(self, number: int) -> None:
        """Queue an error that a protocol finds, such as -410, Query INTERRUPTED."""
        self.status.add_error(number)

    def set_message_available(self, session: object, available: bool) -> None:
        """Say whether a response waits in the output queue of a protocol's session: bit 4 of the status byte.

        To be called again with False when the session ends.
        """
        self.status.set_message_available(id(session), available)

    def on_service_request(self, listener: Callable[[int], None]) -> None:
        """Have a function called with the status byte when the instrument requests service. It must not wait."""
        self._listeners.append(listener)

    def remove_service_request_listener(self, listener: Callable[[int], None]) -> None:
        """Call it no more. A listener that is not known is no error."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def take_fault(self) -> str | None:
        """Return the fault of the next response and take it from the schedule; None when there is none."""
        fault = self.faults.popleft() if self.faults else "none"
        return None if fault == "none" else fault

    # What the engine calls

    def get_protocol(self, channel: Any, transport: Any) -> Any:
        """Return what speaks on a new connection, by the transport key ``protocol``."""
        module, _, name = PROTOCOLS[transport.props.get("protocol", "raw")].partition(":")
        return getattr(importlib.import_module(module), name)(self, channel, transport)

    def handle_message(self, message: bytes) -> bytes | None:
        """Answer one line."""
        return self.respond(message.rstrip(b"\r\n"))

    # What subclasses use and change

    def setting(self, name: str, suffix: int = 1) -> Any:
        """Return the present value of a setting."""
        return self.settings[name, suffix]

    def reset(self) -> None:
        """Do what ``*RST`` does: stop measuring, all settings to their defaults."""
        self.operation.abort()
        self.settings = {
            (setting.name, suffix): setting.default for setting in self.all_settings() for suffix in setting.suffixes
        }

    def _obey(self, unit: Unit, words: tuple[str, ...], responses: list[bytes]) -> None:
        try:
            found, suffixes = self._tree.find(words, unit.query)
            response = found.run(self, suffixes, unit.arguments)
        except ScpiError as error:
            if -200 < error.number <= -100:
                raise
            self.status.add_error(error.number)
            return
        if response is not None:
            responses.append(response)

    def _request_service(self, status_byte: int) -> None:
        for listener in list(self._listeners):
            listener(status_byte)

    # The simulator's own commands

    @command("SIMulate:FAULt", Choice(*(name.upper() for name in FAULTS)), Optional(Integer(1, 1000)))
    def _schedule_fault(self, name: str, count: int | None) -> None:
        self.faults.extend([name.lower()] * (count or 1))

    @command("SIMulate:FAULt?")
    def _scheduled_faults(self) -> str:
        return ",".join(self.faults).upper() or "NONE"

    @command("SIMulate:FAULt:CLEar")
    def _clear_faults(self) -> None:
        self.faults.clear()

    @command("SIMulate:FAULt:DELay", Number(0, 3600, "S"))
    def _set_fault_delay(self, seconds: float) -> None:
        self.fault_delay = seconds

    @command("SIMulate:LATency", Number(0, 3600, "S"))
    def _set_latency(self, seconds: float) -> None:
        self.latency = seconds

    @command("SIMulate:LATency?")
    def _get_latency(self) -> str:
        return f"{self.latency:+.8E}"

    @command("SIMulate:OPERation:TIME", Number(0, 3600, "S"))
    def _set_operation_time(self, seconds: float) -> None:
        self.operation.seconds = seconds

    @command("SIMulate:ERRor", Integer(-999, 999))
    def _add_error(self, number: int) -> None:
        self.status.add_error(number)
