"""Values of drivers as values of Tango: which type becomes which, and how each goes there and back."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import json
import math
import numbers
import sys
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

#: What a value is, or what the elements of a list are.
Element = Literal["bool", "int", "float", "str", "bytes", "none"]

#: Those that have limits.
NUMBERS = ("int", "float")

#: What stands where there is no value.
NOTHING: dict[Element, Any] = {"bool": False, "int": 0, "float": math.nan, "str": "", "bytes": b"", "none": None}

TRUE = ("true", "on", "yes", "1")
FALSE = ("false", "off", "no", "0")


def same(value: Any) -> Any:
    """Return the value."""
    return value


@dataclass(frozen=True)
class ValueType:
    """How values of one type travel.

    Attributes:
        element: what they are, or what their elements are.
        is_list: whether they are lists.
        encode: makes Tango's value of the driver's.
        decode: makes the driver's value of Tango's; None if drivers are given no such values.
        choices: the texts that are allowed; empty if all are.
    """

    element: Element
    is_list: bool = False
    encode: Callable[[Any], Any] = same
    decode: Callable[[Any], Any] | None = same
    choices: tuple[str, ...] = ()

    @property
    def nothing(self) -> Any:
        """What stands where there is no value."""
        return [] if self.is_list else NOTHING[self.element]

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return f"list of {self.element}" if self.is_list else self.element


def truth(value: Any) -> bool:
    """Return whether a value, or a word such as ``on``, says yes."""
    if not isinstance(value, str):
        return bool(value)
    word = value.strip().lower()
    if word not in (*TRUE, *FALSE):
        raise ValueError(f"expected yes or no, got {value!r}")
    return word in TRUE


def whole(value: Any) -> int:
    """Return a whole number."""
    number = int(value, 0) if isinstance(value, str) else int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError(f"expected a whole number, got {value!r}")
    if not is_in_64_bits(number):
        raise ValueError(f"expected a number of 64 bits, got {value!r}")
    return number


def is_in_64_bits(number: int) -> bool:
    """Tell whether Tango's whole numbers go as far."""
    return -(2**63) <= number < 2**63


def text(value: Any) -> str:
    """Return a text, if Tango has the characters: those of Latin-1 without NUL, at which its text ends."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"expected text, got {value!r}")
    result = str(value)
    strange = next((each for each in result if each > "\xff" or each == "\0"), None)
    if strange is not None:
        raise ValueError(f"Tango's text has no {strange!a}, which is in {result!a}")
    return result


BOOL = ValueType("bool", encode=truth, decode=truth)
INT = ValueType("int", encode=whole, decode=whole)
FLOAT = ValueType("float", encode=float, decode=float)
STR = ValueType("str", encode=text, decode=str)
BYTES = ValueType("bytes", encode=bytes, decode=bytes)
NONE = ValueType("none", decode=None)

#: The types that declaration files can name, each also in a list: ``[float]``.
BY_NAME = {"bool": BOOL, "int": INT, "float": FLOAT, "str": STR, "bytes": BYTES}

SCALARS: dict[Any, ValueType] = {
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STR,
    bytes: BYTES,
    bytearray: BYTES,
    memoryview: BYTES,
    None: NONE,
    types.NoneType: NONE,
}

AWAITABLES = (collections.abc.Awaitable, collections.abc.Coroutine)
LISTS = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)


def to_json(value: Any) -> str:
    """Return a value that Tango has no type for as JSON text."""
    return json.dumps(plain(value))


def plain(value: Any) -> Any:
    """Return what JSON writes for a value: NaN is null, records and dictionaries are objects, collections lists, bytes
    hexadecimal digits, dates and times ISO 8601 text, members of enumerations their names."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return None if math.isnan(value) else float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    names = getattr(value, "_fields", None)
    if isinstance(value, tuple) and names is not None:
        return {name: plain(each) for name, each in zip(names, value, strict=True)}
    if isinstance(value, collections.abc.Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, collections.abc.Iterable):
        return [plain(each) for each in value]
    return str(value)


JSON = ValueType("str", encode=to_json, decode=None)


def list_of(element: ValueType) -> ValueType | None:
    """Return the type of lists; None if Tango has none."""
    if element.is_list or element.element in ("bytes", "none"):
        return None
    encode, decode = element.encode, element.decode

    def decode_all(values: Iterable[Any]) -> list[Any]:
        assert decode is not None
        return [decode(value) for value in values]

    return ValueType(
        element.element,
        True,
        lambda values: [encode(value) for value in values],
        None if decode is None else decode_all,
    )


def moment(kind: Any) -> ValueType:
    """Return the type of dates and times, which travel as ISO 8601 text."""

    def decode(text: str) -> Any:
        return kind.fromisoformat(text)

    return ValueType("str", encode=lambda value: value.isoformat(), decode=decode)


def enumeration(kind: type[enum.Enum]) -> ValueType:
    """Return the type of an enumeration, whose members travel as their names."""
    if issubclass(kind, enum.Flag):
        return flags(kind)
    return ValueType(
        "str", encode=lambda value: value.name, decode=lambda name: member(kind, name), choices=tuple(kind.__members__)
    )


def flags(kind: type[enum.Flag]) -> ValueType:
    """Return the type of flags: the names of those that are set with ``|`` between them, bits without a name as a
    number."""

    def encode(value: Any) -> str:
        rest, names = int(value.value), []
        for name, each in kind.__members__.items():
            bits = int(each.value)
            if bits and rest & bits == bits:
                names.append(name)
                rest &= ~bits
        return "|".join([*names, *([hex(rest)] if rest else [])])

    def decode(text: str) -> Any:
        result = kind(0)
        for name in filter(None, map(str.strip, text.split("|"))):
            result |= member(kind, name)
        return result

    return ValueType("str", encode=encode, decode=decode)


def member(kind: type[enum.Enum], name: str) -> Any:
    """Return a member of an enumeration."""
    try:
        return kind[name]
    except KeyError:
        raise ValueError(f"{name!r} is not allowed: expected one of {', '.join(kind.__members__)}") from None


def one_of(values: tuple[Any, ...]) -> ValueType | None:
    """Return the type of those values alone; None if Tango has no words for them."""
    given = [value for value in values if value is not None]
    kinds = {type(value) for value in given}
    base = SCALARS.get(kinds.pop()) if len(kinds) == 1 else None
    if base is None or base.decode is None:
        return None
    convert, choices = base.decode, tuple(map(str, given))

    def decode(value: Any) -> Any:
        result = convert(value)
        if result not in given:
            raise ValueError(f"{value!r} is not allowed: expected one of {', '.join(choices)}")
        return result

    return dataclasses.replace(base, decode=decode, choices=choices)


def is_record(kind: Any) -> bool:
    """Tell whether a type is a dataclass or a named tuple."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))


def is_array(annotation: Any) -> bool:
    """Tell whether an annotation stands for an array of numpy, or what can be made one."""
    typing = sys.modules.get("numpy.typing")
    if typing is None:
        return False
    array = sys.modules["numpy"].ndarray
    return annotation is array or get_origin(annotation) is array or annotation == typing.ArrayLike


def type_of(annotation: Any) -> ValueType | None:
    """Return the type that an annotation stands for; None if Tango has no words for it.

    Of a union the first type is taken that there are words for, None apart. Results of other types than those of Tango
    travel as JSON: dataclasses, named tuples, dictionaries, tuples of different things.
    """
    scalar = SCALARS.get(annotation) if isinstance(annotation, collections.abc.Hashable) else None
    if scalar is not None:
        return scalar
    if is_array(annotation):
        return list_of(FLOAT)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in AWAITABLES:
        return type_of(arguments[-1])
    if origin is Annotated:
        return type_of(arguments[0])
    if origin is Literal:
        return one_of(arguments)
    if origin in (Union, types.UnionType):
        found = [type_of(argument) for argument in arguments if argument is not types.NoneType]
        return next((each for each in found if each is not None), None)
    if origin in LISTS or (origin is tuple and arguments[1:] == (...,)):
        element = type_of(arguments[0])
        return None if element is None else list_of(element)
    if annotation is Any or origin in (tuple, dict) or annotation in (tuple, dict, list) or is_record(annotation):
        return JSON
    if isinstance(annotation, type):
        if issubclass(annotation, enum.Enum):
            return enumeration(annotation)
        if issubclass(annotation, (datetime.date, datetime.time)):
            return moment(annotation)
    return None


def parse(text: str, type: ValueType) -> Any:
    """Return the value that a text stands for.

    Lists are written as in JSON (``[1, 2]``), bytes as hexadecimal digits, whole numbers also as ``0x10``.

    Raises:
        ValueError: it stands for none.
    """
    try:
        if type.is_list:
            value = json.loads(text)
            if not isinstance(value, list):
                raise ValueError
        elif type.element == "bytes":
            value = bytes.fromhex(text)
        else:
            value = text
        assert type.decode is not None
        return type.decode(value)
    except (ValueError, TypeError):
        raise ValueError(f"expected {type}, got {text!r}") from None


def encode(type: ValueType, value: Any) -> Any:
    """Return a driver's value as that of Tango. A list of one element will do for the element.

    Raises:
        TypeError, ValueError: it is not of the type.
    """
    if value is None:
        return type.nothing
    if isinstance(value, list) and not type.is_list and len(value) == 1 and type.element != "bytes":
        value = value[0]
    return type.encode(value)


def named(name: str) -> ValueType:
    """Return the type that a declaration file names: ``float``, ``[float]``.

    Raises:
        ValueError: there is no such type.
    """
    bare = name.strip()
    inside = bare[1:-1].strip() if bare.startswith("[") and bare.endswith("]") else None
    found = BY_NAME.get(bare if inside is None else inside)
    listed = found if inside is None or found is None else list_of(found)
    if listed is None:
        raise ValueError(f"no type {name!r}: expected one of {', '.join(BY_NAME)}, or a list such as [float]")
    return listed


__all__ = [
    "BOOL",
    "FLOAT",
    "INT",
    "JSON",
    "NONE",
    "NUMBERS",
    "STR",
    "ValueType",
    "encode",
    "is_in_64_bits",
    "list_of",
    "named",
    "parse",
    "type_of",
]
