"""What of a driver becomes which attribute or command of a device.

A method that reads without an argument and sets with one, its ``value``, becomes an attribute. So does a getter with
its setter (``x`` and ``set_x``, ``get_x`` and ``set_x``, ``read_x`` and ``write_x``), a getter that begins with
``get_``, and a method that says what quantity it reads (`instruments.metadata`). Everything else becomes a command.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base import Driver
from ..metadata import Quantity
from .operations import Operation, Parameter, operations
from .values import FLOAT, INT, NONE, STR, ValueType, list_of, parse

#: How the getter and the setter of a pair begin.
PAIRS = (("", "set_"), ("get_", "set_"), ("read_", "write_"))

#: What the parameter of a method that reads and sets is called.
VALUE = "value"

#: What every device has already, in lower case.
TAKEN = frozenset({"state", "status", "init"})

#: What stands before a name that is taken.
DRIVER = "driver_"


@dataclass(frozen=True)
class Call:
    """An operation with arguments that are always the same.

    Attributes:
        operation: what is called.
        arguments: come before those of each call.
        named: arguments by name.
    """

    operation: Operation
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, driver: Driver, *arguments: Any, **named: Any) -> Awaitable[Any]:
        """Begin the call on a driver.

        Raises:
            LookupError: the driver has no such part.
        """
        result: Awaitable[Any] = self.operation.bind(driver)(*self.arguments, *arguments, **self.named, **named)
        return result

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those that are left for each call, and that Tango has words for."""
        positional = [each for each in self.operation.parameters if not each.by_name][len(self.arguments) :]
        by_name = [each for each in self.operation.parameters if each.by_name]
        left = (each for each in (*positional, *by_name) if each.name not in self.named)
        return tuple(each for each in left if each.is_required or (each.type is not None and each.type.decode))

    def check(self) -> str | None:
        """Return why Tango's clients cannot make this call; None if they can."""
        for each in self.parameters:
            if each.type is None or each.type.decode is None:
                return f"{each.name} is nothing that a client can give"
            if each.by_name and each.is_required:
                return f"{each.name} can be given by name alone"
        return None if self.operation.result is not None else "what it returns is nothing that a client can take"


@dataclass(frozen=True)
class Attribute:
    """A value that clients read, and perhaps write.

    Attributes:
        name: of the attribute.
        type: of the values.
        read: what gives the value.
        write: what takes a new one; None if it cannot be written.
        label: for people.
        unit: symbol of the unit; empty without one.
        minimum, maximum: what can be written, None without a limit. Tango refuses the rest.
        description: what it is.
        format: how it is shown, in the language of C's printf; empty for Tango's own choice.
    """

    name: str
    type: ValueType
    read: Call
    write: Call | None = None
    label: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    format: str = ""


@dataclass(frozen=True)
class Command:
    """Something that clients have done.

    Attributes:
        name: of the command.
        call: what does it.
        description: what it does.
    """

    name: str
    call: Call
    description: str = ""

    @property
    def input(self) -> ValueType:
        """The type of the argument: that of a single parameter; for several ones a list of numbers, or of text."""
        positional = [each.type for each in self.call.parameters if not each.by_name]
        types = [type for type in positional if type is not None]
        if not types:
            return NONE
        if len(types) == 1:
            return types[0]
        elements = {None if type.is_list else type.element for type in types}
        element = INT if elements == {"int"} else FLOAT if elements <= {"int", "float"} else STR
        listed = list_of(element)
        assert listed is not None
        return listed

    @property
    def output(self) -> ValueType:
        """The type of what comes back."""
        return self.call.operation.result or NONE

    def arguments(self, value: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of the call, positional and by name, for the argument that a client has given.

        Raises:
            ValueError: they are too few or too many, or not of their types.
        """
        parameters = self.call.parameters
        positional = [each for each in parameters if not each.by_name]
        if not positional:
            return [], {}
        if len(positional) == 1:
            return [self._decode(positional[0], value)], {}
        given, named = list(value), {}
        if self.input.element == "str":
            by_name = {each.name: each for each in parameters}
            for text in [text for text in given if text.partition("=")[0] in by_name and "=" in text]:
                given.remove(text)
                name, _, rest = text.partition("=")
                named[name] = self._parse(by_name[name], rest)
        wanted = [each for each in positional if each.name not in named]
        if not sum(each.is_required for each in wanted) <= len(given) <= len(wanted):
            raise ValueError(f"{self.name} takes {self.usage}, got {list(value)!r}")
        convert = self._parse if self.input.element == "str" else self._decode
        return [convert(each, item) for each, item in zip(wanted, given, strict=False)], named

    def _decode(self, parameter: Parameter, value: Any) -> Any:
        assert parameter.type is not None
        assert parameter.type.decode is not None
        return parameter.type.decode(value)

    def _parse(self, parameter: Parameter, text: str) -> Any:
        assert parameter.type is not None
        try:
            return parse(text, parameter.type)
        except ValueError as problem:
            raise ValueError(f"{self.name}: {parameter.name}: {problem}") from None

    @property
    def usage(self) -> str:
        """What the argument is, for people."""
        return ", ".join(map(str, self.call.parameters)) or "nothing"


@dataclass(frozen=True)
class Declaration:
    """What a device offers.

    Attributes:
        name: of the device's class.
        description: of the device.
        attributes, commands: by name.
        left_out: why some operations are neither, by name.
        operations: everything that the driver can do, by name.
        state: what tells whether the device is ON or OFF, a call that gives a bool. Without it the device is ON as
            long as the instrument can be reached.
        state_label: what it says of that in the status: ``Control`` for ``Control is On``.
    """

    name: str
    description: str
    attributes: dict[str, Attribute]
    commands: dict[str, Command]
    left_out: dict[str, str] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    state: Call | None = None
    state_label: str = ""


def declare(driver: Driver | type[Driver], taken: Collection[str] = ()) -> Declaration:
    """Return the declaration of a driver as it is: everything that it and its parts offer.

    Args:
        driver: one that need not be connected; or its class, of which the parts are not known.
        taken: more names that commands cannot have.
    """
    cls = driver if isinstance(driver, type) else type(driver)
    found = operations(driver)
    declaration = Declaration(cls.__name__, (cls.__doc__ or "").partition("\n\n")[0].strip(), {}, {})
    attributes, commands, left_out = declaration.attributes, declaration.commands, declaration.left_out
    by_name = {operation.name: operation for operation in found}
    declaration.operations.update(by_name)
    used: set[str] = set()
    for operation in found:
        for attribute in attributes_of(operation, by_name):
            if called_alike(attribute.name, attributes) is None:
                attributes[attribute.name] = attribute
                used.add(operation.name)
                if attribute.write is not None:
                    used.add(attribute.write.operation.name)
    for operation in found:
        if operation.name in used:
            continue
        call = Call(operation)
        reason = call.check()
        if reason is not None:
            left_out[operation.name] = reason
            continue
        name = operation.name
        while name.lower() in TAKEN or name in taken:
            name = DRIVER + name
        if other := called_alike(name, commands):
            left_out[operation.name] = f"clients cannot tell it from {other}"
            continue
        commands[name] = Command(name, call, operation.doc)
    return declaration


def called_alike(name: str, known: Iterable[str]) -> str | None:
    """Return which of the known names is the same to Tango, which does not care about case; None if there is none."""
    return next((each for each in known if each.lower() == name.lower()), None)


def attributes_of(operation: Operation, found: Mapping[str, Operation]) -> Iterable[Attribute]:
    """Give the attribute that an operation reads, if it does."""
    if operation.result is None or operation.result.element == "none":
        return
    read = Call(operation)
    if is_member(operation):
        yield attribute_of(operation.name, read, read)
        return
    if any(parameter.is_required for parameter in operation.parameters):
        return
    for getter, setter in PAIRS:
        if not operation.method.startswith(getter):
            continue
        bare = operation.method.removeprefix(getter)
        set_ = found.get(f"{operation.prefix}{setter}{bare}")
        if set_ is not None and sets(set_, operation.result):
            yield attribute_of(operation.prefix + bare, read, Call(set_))
            return
    if operation.quantity is not None:
        yield attribute_of(operation.name, read, None)
    elif operation.method.startswith("get_"):
        yield attribute_of(operation.prefix + operation.method.removeprefix("get_"), read, None)


def is_member(operation: Operation) -> bool:
    """Tell whether an operation reads without an argument, and sets with one: its ``value``, unless it says itself that
    it reads a quantity."""
    positional = [each for each in operation.parameters if not each.by_name]
    if len(positional) != 1 or positional[0].default is not None:
        return False
    if positional[0].name != VALUE and operation.quantity is None:
        return False
    given, result = positional[0].type, operation.result
    return given is not None and result is not None and alike(given, result) and given.decode is not None


def sets(operation: Operation, type: ValueType) -> bool:
    """Tell whether an operation sets a value of a type."""
    required = [each for each in operation.parameters if each.is_required]
    if len(required) != 1 or required[0].by_name or required[0].type is None:
        return False
    return alike(required[0].type, type) and required[0].type.decode is not None


def alike(one: ValueType, other: ValueType) -> bool:
    """Tell whether values of two types are the same to Tango; a whole number will do for a number."""
    numbers = {"int", "float"}
    same = one.element == other.element or {one.element, other.element} == numbers
    return same and one.is_list == other.is_list


def attribute_of(name: str, read: Call, write: Call | None) -> Attribute:
    """Return the attribute that calls read and write."""
    operation = read.operation
    assert operation.result is not None
    quantity = operation.quantity or Quantity()
    if name.lower() in TAKEN:
        name = DRIVER + name
    return Attribute(
        name,
        operation.result,
        read,
        write,
        label=label_of(name),
        unit=quantity.unit,
        minimum=quantity.minimum if write else None,
        maximum=quantity.maximum if write else None,
        description=operation.doc,
    )


def label_of(name: str) -> str:
    """Return what a name is for people: ``Loop1 set point`` for ``loop1_set_point``."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def describe(declaration: Declaration) -> str:
    """Return what a declaration offers, as text for people."""
    lines = [declaration.name, "", "attributes:"]
    for attribute in declaration.attributes.values():
        access = "read, write" if attribute.write else "read"
        unit = f" {attribute.unit}" if attribute.unit else ""
        lines.append(f"  {attribute.name}: {attribute.type}{unit} ({access})  {attribute.description}".rstrip())
    lines += ["", "commands:"]
    for command in declaration.commands.values():
        lines.append(f"  {command.name}({command.usage}) -> {command.output}  {command.description}".rstrip())
    if declaration.left_out:
        lines += ["", "left out:", *(f"  {name}: {why}" for name, why in declaration.left_out.items())]
    return "\n".join(lines)


__all__: Sequence[str] = ["Attribute", "Call", "Command", "Declaration", "declare", "describe"]
