"""Attributes beyond the levels that people have set for them in the control system, as Tango's own devices tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .framework import DevFailed

#: What Tango's status says of a value beyond a level: alarms come before warnings. The level itself is beyond.
LEVELS = (
    ("Alarm : Value too low", "get_min_alarm", False),
    ("Alarm : Value too high", "get_max_alarm", True),
    ("Warning : Value too low", "get_min_warning", False),
    ("Warning : Value too high", "get_max_warning", True),
)


def with_levels(attributes: Any) -> Iterator[Any]:
    """Give those attributes of a device that have levels, as PyTango knows them."""
    for index in attributes.get_alarm_list():
        yield attributes.get_attr_by_ind(index)


def alarm_of(attribute: Any, value: Any) -> str | None:
    """Return what the status says of an attribute's value; None if it is within its levels."""
    values = list(value) if isinstance(value, Iterable) else [value]
    for text, getter, is_upper in LEVELS:
        try:
            level = getattr(attribute, getter)()
        except DevFailed:
            continue  # this one is not set
        if any(each >= level if is_upper else each <= level for each in values):
            return f"{text} for {attribute.get_name()}"
    return None


__all__ = ["alarm_of", "with_levels"]
