"""How a simulated instrument declares its commands: methods with a header, and settings that are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .scpi_errors import ScpiError
from .scpi_grammar import Tree
from .scpi_parameters import Parameter, parse_arguments

Method = TypeVar("Method", bound=Callable[..., Any])


SUFFIX = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True)
class Command:
    """A method that is called with the suffixes of the header, then the values of the parameters."""

    header: str
    parameters: tuple[Parameter, ...]
    method: Callable[..., Any]

    def run(self, device: Any, suffixes: list[int], arguments: list[bytes]) -> bytes | None:
        result = self.method(device, *suffixes, *parse_arguments(self.parameters, arguments))
        return result.encode("latin-1") if isinstance(result, str) else result


@dataclass(frozen=True)
class Setting:
    """A value that a command sets and its query returns, also ``MINimum``, ``MAXimum`` and ``DEFault``.

    Attributes:
        header: of the command, as in `instruments.simulators.scpi_grammar`; at most one keyword has a suffix.
        name: of the value in the device's `settings`.
        parameter: what it may be.
        default: what it is after ``*RST``.
    """

    header: str
    name: str
    parameter: Parameter
    default: Any

    @property
    def suffixes(self) -> range:
        """The suffixes that its header may have; 1 alone if it has none."""
        suffix = SUFFIX.search(self.header)
        return range(1, int(suffix.group(1)) + 1 if suffix else 2)

    def written(self, suffix: int, value: Any) -> bytes:
        """Return the command that sets a value, in its short form."""
        header = re.sub(r"[a-z\[\]]", "", self.header)
        return b":%b %b" % (SUFFIX.sub(str(suffix), header).encode(), self.parameter.format(value))

    def write(self, device: Any, suffixes: list[int], arguments: list[bytes]) -> None:
        """Set the value."""
        if len(arguments) != 1:
            raise ScpiError(-108 if arguments else -109)
        device.settings[self.name, suffixes[0] if suffixes else 1] = self.parameter.parse(arguments[0], self.default)

    def read(self, device: Any, suffixes: list[int], arguments: list[bytes]) -> bytes:
        """Return the value, or the limit that is asked for."""
        if len(arguments) > 1:
            raise ScpiError(-108)
        if arguments:
            return self.parameter.format(self.parameter.parse(arguments[0], self.default))
        return self.parameter.format(device.settings[self.name, suffixes[0] if suffixes else 1])


@dataclass(frozen=True)
class SettingCommand:
    """One of the two directions of a setting."""

    run: Callable[[Any, list[int], list[bytes]], bytes | None]


def command(header: str, *parameters: Parameter) -> Callable[[Method], Method]:
    """Make a method obey a command, or answer a query if the header ends in ``?``.

    It returns the response as text or bytes, or None. A method may have several headers.
    """

    def declare(method: Method) -> Method:
        declared = method.__dict__.setdefault("commands", [])
        declared.append(Command(header, parameters, method))
        return method

    return declare


_trees: dict[type, Tree] = {}


def tree_of(device_class: type) -> Tree:
    """Return the tree of all that a class and those that it is derived from declare; the derived ones win.

    They declare settings in ``SETTINGS``, commands in ``COMMANDS`` and by methods with the decorator `command`.
    """
    if device_class in _trees:
        return _trees[device_class]
    tree = _trees[device_class] = Tree()
    for base in reversed(device_class.__mro__):
        for setting in vars(base).get("SETTINGS", ()):
            tree.add(setting.header, SettingCommand(setting.write))
            tree.add(setting.header + "?", SettingCommand(setting.read))
        for attribute in vars(base).values():
            for declared in getattr(attribute, "__dict__", {}).get("commands", ()):
                tree.add(declared.header, declared)
        for declared in vars(base).get("COMMANDS", ()):
            tree.add(declared.header, declared)
    return tree
