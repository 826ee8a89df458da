"""What a driver and its parts can do, each operation under a name that is its own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..base import Driver
from ..metadata import Quantity, quantity_of
from ..pipe import BasePipe
from ..twins import OPERATION, members
from .annotations import signature_of
from .values import ValueType, type_of

#: What is the device's own business: it connects by itself, and a lock would keep out its next call.
LEFT_ALONE = frozenset({"connect", "disconnect", "drop", "lock", "unlock"})

#: The parameter that Tango's clients have another means for.
TIMEOUT = "timeout"

#: How deep parts may have parts.
DEPTH = 4

#: Where a part is in its driver: the names of attributes, and the keys of dictionaries.
Path = tuple[Any, ...]


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation.

    Attributes:
        name: of the parameter.
        type: of its values; None if Tango has no words for it.
        default: its default value, `inspect.Parameter.empty` without one.
        by_name: whether it can be given by name alone.
    """

    name: str
    type: ValueType | None
    default: Any = inspect.Parameter.empty
    by_name: bool = False

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    def __str__(self) -> str:
        text = f"{self.name}: {self.type}"
        return text if self.is_required else f"{text} = {self.default!r}"


@dataclass(frozen=True)
class Operation:
    """A method of a driver, or of one of its parts.

    Attributes:
        owner: where the part is in the driver; empty for the driver itself.
        method: the method's name.
        prefix: what stands for the part in names: ``channelA_``, empty for the driver itself.
        parameters: without the timeout.
        result: of the call; None if Tango has no words for it.
        quantity: what it reads, if it says that it reads one.
        doc: the first paragraph of its docstring.
    """

    owner: Path
    method: str
    prefix: str
    parameters: tuple[Parameter, ...]
    result: ValueType | None
    quantity: Quantity | None
    doc: str

    @property
    def name(self) -> str:
        """What it is called in the device."""
        return self.prefix + self.method

    def bind(self, driver: Driver) -> Callable[..., Any]:
        """Return the method of a driver.

        Raises:
            LookupError: the driver has no such part.
        """
        part: Any = driver
        for step in self.owner:
            try:
                part = part[step] if isinstance(part, Mapping) else getattr(part, step)
            except (KeyError, AttributeError):
                raise LookupError(f"{driver!r} is used without {self.prefix.rstrip('_')}") from None
        method: Callable[..., Any] = getattr(part, self.method)
        return method


def operations(driver: Driver | type[Driver]) -> list[Operation]:
    """Return all operations of a driver and its parts, in the order in which they are written.

    Args:
        driver: one that need not be connected; or its class, of which the parts are not known.
    """
    return list(_operations(driver, (), ""))


def _operations(driver: Any, owner: Path, prefix: str) -> Iterator[Operation]:
    cls = driver if isinstance(driver, type) else type(driver)
    for name, member in members(cls).items():
        if not name.startswith("_") and name not in LEFT_ALONE and is_operation(member):
            yield operation_of(member, owner, name, prefix)
    if not isinstance(driver, type) and len(owner) < DEPTH:
        for path, part in parts(driver):
            yield from _operations(part, (*owner, *path), f"{prefix}{part_name(path)}_")


def is_operation(member: Any) -> bool:
    """Tell whether a member of a class is a method whose call is awaited."""
    return inspect.iscoroutinefunction(member) or (inspect.isfunction(member) and hasattr(member, OPERATION))


def operation_of(function: Callable[..., Any], owner: Path, name: str, prefix: str) -> Operation:
    """Return the operation that a method is."""
    signature = signature_of(function)
    given = list(signature.parameters.values())[1:]
    parameters = tuple(
        Parameter(
            each.name,
            None if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) else type_of(each.annotation),
            each.default if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) else None,
            each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD),
        )
        for each in given
        if each.name != TIMEOUT
    )
    doc = first_paragraph(inspect.getdoc(function) or "")
    result = type_of(signature.return_annotation)
    return Operation(owner, name, prefix, parameters, result, quantity_of(function), doc)


def parts(driver: Driver) -> Iterator[tuple[Path, Driver]]:
    """Give the parts of a driver and where they are: public attributes that are drivers, or dictionaries of them.

    A pipe is what a driver talks through, not a part of it.
    """
    for name, value in vars(driver).items():
        if name.startswith("_") or isinstance(value, BasePipe):
            continue
        if isinstance(value, Driver):
            yield (name,), value
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(item, Driver):
                    yield (name, key), item


def part_name(path: Path) -> str:
    """Return what a part is called: ``channelA`` for ``channels["A"]``."""
    if len(path) == 1:
        return str(path[0])
    collection, key = path
    return f"{collection.removesuffix('s')}{re.sub(r'[^0-9A-Za-z]+', '_', str(key))}"


def first_paragraph(doc: str) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(doc.partition("\n\n")[0].split())


__all__ = ["Operation", "Parameter", "operations"]
