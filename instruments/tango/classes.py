"""The class of the devices that a declaration describes."""

from __future__ import annotations

import math
from typing import Any

from .declaration import Attribute, Command, Declaration
from .device import DriverDevice
from .framework import AttrWriteType, DevUChar, attribute, command
from .values import NUMBERS, ValueType, is_in_64_bits

#: The most elements of a list.
LIST_SIZE = 2**20

#: The smallest change that is an event, unless the attribute's properties say otherwise: any.
ANY_CHANGE = {"int": "1", "float": "1e-300", "bytes": "1"}


def device_class(
    declaration: Declaration, base: type[DriverDevice] = DriverDevice, **members: Any
) -> type[DriverDevice]:
    """Return the class of the devices that a declaration describes.

    Args:
        declaration: of its attributes and commands.
        base: what it derives from.
        **members: more of the class: properties, methods.

    Raises:
        ValueError: a command is called as something that the class has already.
    """
    for name in declaration.commands:
        if name in members or hasattr(base, name):
            raise ValueError(f"command {name}: every device has something of this name already, so choose another")
    namespace: dict[str, Any] = {"__doc__": declaration.description, "declaration": declaration, **members}
    for each in declaration.attributes.values():
        namespace[f"_attribute_{each.name}"] = make_attribute(each)
    for order in declaration.commands.values():
        namespace[order.name] = make_command(order)
    metaclass: Any = type(base)
    made: type[DriverDevice] = metaclass(declaration.name, (base,), namespace)
    # Both are called for every reading. PyTango would have them as coroutines, and two changes of threads for each.
    made.always_executed_hook = lambda self: None
    made.read_attr_hardware = DriverDevice.read_hardware
    return made


def make_attribute(each: Attribute) -> Any:
    """Return an attribute as PyTango declares them."""
    name = each.name

    def read(self: DriverDevice) -> Any:
        return self._answer(name)

    async def write(self: DriverDevice, value: Any) -> None:
        await self._write(name, value)

    settings: dict[str, Any] = {"label": each.label, "unit": each.unit, "doc": each.description}
    if each.format:
        settings["format"] = each.format
    settings |= limits(each)
    change = ANY_CHANGE.get(each.type.element)
    if change is not None:
        settings |= {"abs_change": change, "archive_abs_change": change}
    if each.type.is_list or each.type.element == "bytes":
        settings["max_dim_x"] = LIST_SIZE
    if each.write is not None:
        settings |= {"fset": without_annotations(write), "access": AttrWriteType.READ_WRITE}
    # Reading gives what `read_attr_hardware` has fetched: there is nothing to wait for.
    return attribute(
        name=name, fget=without_annotations(read), dtype=dtype(each.type), read_green_mode=False, **settings
    )


def limits(each: Attribute) -> dict[str, str]:
    """Return the limits of an attribute as PyTango names and writes them: exactly, and whole ones for whole numbers,
    for which Tango understands nothing else."""
    found: dict[str, str] = {}
    for setting, limit, inwards in (("min_value", each.minimum, math.ceil), ("max_value", each.maximum, math.floor)):
        if limit is None or not math.isfinite(limit) or each.type.element not in NUMBERS:
            continue
        if each.type.element == "float":
            found[setting] = repr(float(limit)).removesuffix(".0")
        elif is_in_64_bits(whole := inwards(limit)):
            found[setting] = str(whole)
    return found


def make_command(each: Command) -> Any:
    """Return a command as PyTango declares them."""
    name = each.name

    async def run(self: DriverDevice, argument: Any = None) -> Any:
        return await self._command(name, argument)

    run.__name__ = name
    run.__doc__ = each.description
    return command(
        without_annotations(run),
        dtype_in=dtype(each.input),
        dtype_out=dtype(each.output),
        doc_in=each.usage,
        doc_out=str(each.output),
    )


def without_annotations(function: Any) -> Any:
    """Return a function without its annotations, which PyTango would take for types of Tango."""
    function.__annotations__ = {}
    return function


def dtype(type: ValueType) -> Any:
    """Return a type as PyTango names them."""
    if type.element == "none":
        return None
    if type.element == "bytes":
        return (DevUChar,)
    element = {"bool": bool, "int": int, "float": float, "str": str}[type.element]
    return (element,) if type.is_list else element


__all__ = ["device_class"]
