"""What a driver says of its quantities beyond their types: unit and range.

::

    class Supply(Driver):
        @quantity("V", 0, 30)
        async def voltage(self, value: float | None = None) -> float: ...

Programs that present a driver to others, a control system or a graphical interface, read it with `quantity_of`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

#: Where a method has its `Quantity`.
QUANTITY = "__quantity__"


@dataclass(frozen=True)
class Quantity:
    """What a method reads, and perhaps sets.

    Attributes:
        unit: its symbol, such as ``V``; empty without one, or where it depends on settings.
        minimum, maximum: what it can be set to; None where the driver knows no limit.
    """

    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None


def quantity(
    unit: str = "", minimum: float | None = None, maximum: float | None = None
) -> Callable[[Function], Function]:
    """Mark a method that reads a quantity: called without a value it changes nothing, so it may be called at any time.

    Args:
        unit: the symbol of its unit.
        minimum, maximum: what it can be set to. The method itself refuses other values.
    """

    def mark(method: Function) -> Function:
        setattr(method, QUANTITY, Quantity(unit, minimum, maximum))
        return method

    return mark


def quantity_of(method: Callable[..., Any]) -> Quantity | None:
    """Return what is known of the quantity that a method reads; None if nothing says that it reads one."""
    found: Quantity | None = getattr(method, QUANTITY, None)
    return found


__all__ = ["Quantity", "quantity", "quantity_of"]
