"""Declaration files, in YAML or TOML: they trim what a driver offers, and give it other names.

::

    device: Cryostat
    driver: instruments.cryocon:CryoCon
    state: control
    keep: ["channel[AB]_temperature", "loop1_*"]
    attributes:
      sample: {from: channelA_temperature, label: Sample, unit: K, format: "%8.3f"}
      heater: loop1_output_power
    commands:
      start: {from: control, arguments: [true]}

"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..devices import optional
from .declaration import Attribute, Call, Command, Declaration, alike, attribute_of, label_of
from .file_checks import (
    argument,
    check_different,
    check_keys,
    check_name,
    number,
    patterns,
    section,
    settings_of,
    suggestion,
    text_in,
)
from .values import NUMBERS, named

#: What a file may say, and what each attribute and each command may say in it.
KEYS = ("device", "driver", "url", "state", "keep", "drop", "attributes", "commands")
ATTRIBUTE_KEYS = (
    "from",
    "read",
    "write",
    "arguments",
    "named",
    "type",
    "label",
    "unit",
    "minimum",
    "maximum",
    "description",
    "format",
)
TEXTS = ("label", "unit", "description", "format")
COMMAND_KEYS = ("from", "arguments", "named", "description")


def read_file(path: str | Path) -> dict[str, Any]:
    """Return what a declaration file says.

    Raises:
        ValueError: it is neither YAML nor TOML, or says something that has no meaning here.
        OSError: it cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path}: expected UTF-8: {problem}") from None
    if path.suffix == ".toml":
        toml = optional(
            "tomllib" if sys.version_info >= (3, 11) else "tomli",
            "declaration files in TOML need the tomli package: pip install sockio[tango]",
        )
        try:
            content = toml.loads(text)
        except toml.TOMLDecodeError as problem:
            raise ValueError(f"{path}: {problem}") from None
    else:
        yaml = optional("yaml", "declaration files in YAML need the PyYAML package: pip install sockio[tango]")
        try:
            content = yaml.safe_load(text) or {}
        except yaml.YAMLError as problem:
            raise ValueError(f"{path}: {problem}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected keys and values, got {content!r}")
    check_keys(content, KEYS, str(path))
    for key in ("device", "driver", "url", "state"):
        text_in(content, key, str(path))
    return content


def apply(content: Mapping[str, Any], declaration: Declaration) -> Declaration:
    """Return a declaration as a file has trimmed and renamed it.

    Args:
        content: of the file.
        declaration: everything that the driver offers.

    Raises:
        ValueError: the file names something that the driver does not have, or says something that cannot be.
    """
    editor = Editor(declaration)
    for name, wanted in section(content, "attributes").items():
        editor.add_attribute(str(name), wanted)
    for name, wanted in section(content, "commands").items():
        editor.add_command(str(name), wanted)
    editor.trim(patterns(content, "keep"), patterns(content, "drop") or [])
    check_different("attributes", editor.attributes)
    check_different("commands", editor.commands)
    if "device" in content:
        check_name(str(content["device"]), "device")
    edited = replace(
        declaration,
        name=str(content.get("device", declaration.name)),
        attributes=editor.attributes,
        commands=editor.commands,
    )
    if "state" not in content:
        return edited
    name = str(content["state"])
    attribute = editor.attributes.get(name) or declaration.attributes.get(name)
    call = attribute.read if attribute else Call(editor.operation(name, "state"))
    result = call.operation.result
    if result is None or result.element != "bool" or result.is_list:
        raise ValueError(f"state: {name} does not tell yes from no: it gives {result}")
    check_needs_nothing(call, name, "state")
    return replace(edited, state=call, state_label=attribute.label if attribute else label_of(name))


class Editor:
    """Changes attributes and commands one after the other.

    Args:
        declaration: everything that the driver offers.
    """

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self.attributes = dict(declaration.attributes)
        self.commands = dict(declaration.commands)
        self._added: set[str] = set()

    def add_attribute(self, name: str, wanted: Any) -> None:
        """Add an attribute, or change one."""
        where = f"attribute {name}"
        settings = settings_of(wanted, ATTRIBUTE_KEYS, where)
        check_name(name, where)
        base = self._base_attribute(name, settings, where)
        changes: dict[str, Any] = {key: text_in(settings, key, where) for key in TEXTS if key in settings}
        for key in ("minimum", "maximum"):
            if key in settings and base.write is None:
                raise ValueError(f"{where}: {key} is for what can be written, and this is only read")
            if key in settings and (base.type.element not in NUMBERS or base.type.is_list):
                raise ValueError(f"{where}: {key} is for numbers, and this is {base.type}")
            if key in settings:
                changes[key] = number(settings[key], f"{where}: {key}")
            elif base.write is None:
                changes[key] = None
        if "label" not in changes and base.name != name:
            changes["label"] = label_of(name)
        made = replace(base, name=name, **changes)
        if made.minimum is not None and made.maximum is not None and made.minimum >= made.maximum:
            raise ValueError(f"{where}: expected minimum below maximum, got {made.minimum} and {made.maximum}")
        self.attributes[name] = made
        self._added.add(name)

    def _base_attribute(self, name: str, settings: Mapping[str, Any], where: str) -> Attribute:
        if "read" not in settings:
            source = str(settings.get("from", name))
            found = self._declaration.attributes.get(source)
            if found is None:
                settings = {**settings, "read": source}
            else:
                if set(settings) & {"arguments", "named", "type"}:
                    raise ValueError(f"{where}: arguments, named and type go with read, not with from")
                if source != name and source not in self._added:
                    self.attributes.pop(source, None)
                if "write" not in settings:
                    return found
                return replace(found, write=self._setter(settings, found, where))
        call = self._call(str(settings["read"]), settings, where)
        result = named(str(settings["type"])) if "type" in settings else call.operation.result
        if result is None or result.element == "none":
            raise ValueError(f"{where}: {settings['read']} gives nothing to be read")
        check_needs_nothing(call, settings["read"], where)
        if str(settings["read"]) == name:
            self.commands.pop(name, None)
        base = replace(attribute_of(name, call, None), type=result)
        return replace(base, write=self._setter(settings, base, where)) if "write" in settings else base

    def _setter(self, settings: Mapping[str, Any], base: Attribute, where: str) -> Call | None:
        if settings["write"] is False:
            return None
        call = self._call(str(settings["write"]), settings, where, write=True)
        left = [each for each in call.parameters if not each.by_name]
        if not left or left[0].type is None or any(each.is_required for each in left[1:]):
            raise ValueError(f"{where}: {settings['write']} does not take one value")
        if not alike(left[0].type, base.type) and "type" not in settings:
            raise ValueError(f"{where}: {settings['write']} takes {left[0].type}, and what is read is {base.type}")
        return call

    def add_command(self, name: str, wanted: Any) -> None:
        """Add a command, or change one."""
        where = f"command {name}"
        settings = settings_of(wanted, COMMAND_KEYS, where)
        check_name(name, where)
        source = str(settings.get("from", name))
        known = self._declaration.commands.get(source)
        call = self._call(known.call.operation.name if known else source, settings, where)
        reason = call.check()
        if reason is not None:
            raise ValueError(f"{where}: {reason}")
        if source != name and source not in self._added and not call.arguments:
            self.commands.pop(source, None)
        self.commands[name] = Command(name, call, str(settings.get("description", call.operation.doc)))
        self._added.add(name)

    def trim(self, keep: list[str] | None, drop: list[str]) -> None:
        """Remove what is not kept, or dropped. What has been added stays."""
        for known in (self.attributes, self.commands):
            for name in set(known) - self._added:
                if matches(name, drop) or (keep is not None and not matches(name, keep)):
                    del known[name]
        offered = {*self._declaration.attributes, *self._declaration.commands}
        for pattern in [*(keep or ()), *drop]:
            if not any(fnmatchcase(name, pattern) for name in offered):
                raise ValueError(f"keep, drop: nothing is called {pattern!r}{suggestion(pattern, offered)}")

    def _call(self, name: str, settings: Mapping[str, Any], where: str, *, write: bool = False) -> Call:
        operation = self.operation(name, where)
        arguments, by_name = settings.get("arguments", []), settings.get("named", {})
        if not isinstance(arguments, list) or not isinstance(by_name, dict):
            raise ValueError(f"{where}: expected arguments as a list, named as keys and values")
        names = {each.name for each in operation.parameters}
        if write:
            by_name = {key: value for key, value in by_name.items() if key in names}  # some are of reading alone
        if unknown := [key for key in by_name if key not in names]:
            raise ValueError(f"{where}: {name} has no parameter {unknown[0]!r}{suggestion(unknown[0], names)}")
        positional = [each for each in operation.parameters if not each.by_name]
        if len(arguments) > len(positional):
            raise ValueError(f"{where}: {name} does not take {len(arguments)} arguments")
        given = [argument(each, value, where) for each, value in zip(positional, arguments, strict=False)]
        parameters = {each.name: each for each in operation.parameters}
        return Call(
            operation, tuple(given), {key: argument(parameters[key], value, where) for key, value in by_name.items()}
        )

    def operation(self, name: str, where: str) -> Any:
        """Return an operation of the driver."""
        attribute = self._declaration.attributes.get(name)
        if attribute is not None:
            return attribute.read.operation
        known = self._declaration.operations
        if name not in known:
            raise ValueError(f"{where}: the driver has no {name!r}{suggestion(name, {*known, *self.attributes})}")
        return known[name]


def check_needs_nothing(call: Call, name: str, where: str) -> None:
    """Refuse to read with arguments that nobody gives."""
    needed = ", ".join(str(each) for each in call.parameters if each.is_required)
    if needed:
        raise ValueError(f"{where}: {name} needs arguments: {needed}")


def matches(name: str, among: Collection[str]) -> bool:
    """Tell whether a name fits one of some patterns."""
    return any(fnmatchcase(name, pattern) for pattern in among)


__all__ = ["apply", "read_file"]
