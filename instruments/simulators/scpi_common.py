"""The commands that every SCPI instrument has: those of IEEE 488.2 (10) and SCPI's ``SYSTem`` and ``STATus``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .scpi_errors import ScpiError
from .scpi_operation import Operation
from .scpi_parameters import Integer
from .scpi_status import ALL, Register, Status
from .scpi_table import Command, Setting, command

BYTE = Integer(0, 255)
WORD = Integer(0, 65535)
MEMORY = Integer(0, 9)


def register_commands(header: str, register: Callable[[Any], Register]) -> list[Command]:
    """Return the commands of one of SCPI's status registers (SCPI-99, volume 2, 20)."""

    def read_event(device: Any) -> str:
        event = register(device).read_event()
        device.status.update()
        return str(event)

    def read_condition(device: Any) -> str:
        return str(register(device).condition)

    return [
        Command(f"STATus:{header}[:EVENt]?", (), read_event),
        Command(f"STATus:{header}:CONDition?", (), read_condition),
        *mask_commands(f"STATus:{header}:ENABle", register, "enable"),
        *mask_commands(f"STATus:{header}:PTRansition", register, "rising"),
        *mask_commands(f"STATus:{header}:NTRansition", register, "falling"),
    ]


def mask_commands(header: str, register: Callable[[Any], Register], attribute: str) -> list[Command]:
    """Return the commands that set and return one mask of a status register."""

    def write(device: Any, mask: int) -> None:
        setattr(register(device), attribute, mask & ALL)
        device.status.update()

    def read(device: Any) -> str:
        return str(getattr(register(device), attribute))

    return [Command(header, (WORD,), write), Command(header + "?", (), read)]


class CommonCommands:
    """The part of an instrument that obeys them."""

    identity: str
    status: Status
    operation: Operation
    settings: dict[tuple[str, int], Any]
    saved: dict[int, dict[tuple[str, int], Any]]

    COMMANDS = (
        *register_commands("OPERation", lambda device: device.status.operation),
        *register_commands("QUEStionable", lambda device: device.status.questionable),
    )

    def reset(self) -> None:
        """Do what ``*RST`` does."""
        raise NotImplementedError

    @classmethod
    def all_settings(cls) -> list[Setting]:
        """Return the settings of the class and of those that it is derived from."""
        return [setting for base in reversed(cls.__mro__) for setting in vars(base).get("SETTINGS", ())]

    @command("*IDN?")
    def _identify(self) -> str:
        return self.identity

    @command("*OPT?")
    def _options(self) -> str:
        return "0"

    @command("*TST?")
    def _test(self) -> str:
        return "0"

    @command("*RST")
    def _reset(self) -> None:
        self.operation.forget_completion()
        self.reset()

    @command("*TRG")
    def _trigger(self) -> None:
        self.operation.trigger()

    @command("*SAV", MEMORY)
    def _save(self, memory: int) -> None:
        self.saved[memory] = dict(self.settings)

    @command("*RCL", MEMORY)
    def _recall(self, memory: int) -> None:
        if memory not in self.saved:
            raise ScpiError(-224)
        self.settings = dict(self.saved[memory])

    @command("*LRN?")
    def _learn(self) -> bytes:
        return b";".join(
            setting.written(suffix, self.settings[setting.name, suffix])
            for setting in self.all_settings()
            for suffix in setting.suffixes
        )

    # Status

    @command("*CLS")
    def _clear_status(self) -> None:
        self.operation.forget_completion()
        self.status.clear()

    @command("*ESE", BYTE)
    def _enable_events(self, mask: int) -> None:
        self.status.event_enable = mask
        self.status.update()

    @command("*ESE?")
    def _enabled_events(self) -> str:
        return str(self.status.event_enable)

    @command("*ESR?")
    def _events(self) -> str:
        return str(self.status.read_events())

    @command("*SRE", BYTE)
    def _enable_requests(self, mask: int) -> None:
        self.status.request_enable = mask

    @command("*SRE?")
    def _enabled_requests(self) -> str:
        return str(self.status.request_enable)

    @command("*STB?")
    def _status_byte(self) -> str:
        return str(self.status.byte)

    # Synchronisation

    @command("*OPC")
    def _report_completion(self) -> None:
        self.operation.report_completion()

    @command("*OPC?")
    def _complete(self) -> str:
        self.operation.wait()
        return "1"

    @command("*WAI")
    def _wait(self) -> None:
        self.operation.wait()

    @command("ABORt")
    def _abort(self) -> None:
        self.operation.abort()

    # SCPI

    @command("SYSTem:ERRor[:NEXT]?")
    def _next_error(self) -> str:
        return self.status.next_error()

    @command("SYSTem:ERRor:ALL?")
    def _all_errors(self) -> str:
        errors = [self.status.next_error()]
        while self.status.error_count:
            errors.append(self.status.next_error())
        return ",".join(errors)

    @command("SYSTem:ERRor:COUNt?")
    def _count_errors(self) -> str:
        return str(self.status.error_count)

    @command("SYSTem:VERSion?")
    def _version(self) -> str:
        return "1999.0"

    @command("STATus:PRESet")
    def _preset(self) -> None:
        self.status.operation.preset()
        self.status.questionable.preset()
        self.status.update()
