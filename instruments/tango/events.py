"""Events of a device: what clients have subscribed to, and telling them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .alarms import with_levels
from .failures import text_of
from .framework import DevFailed, EventType

#: The events that a device pushes, and what pushes each.
EVENTS = {
    EventType.CHANGE_EVENT: "push_change_event",
    EventType.ALARM_EVENT: "push_alarm_event",
    EventType.ARCHIVE_EVENT: "push_archive_event",
}

#: What an event says: value, time and quality; or the error alone.
Answer = tuple[Any, ...]


class Events:
    """Tells clients what they have subscribed to.

    Args:
        device: whose events they are.
        names: of its attributes, with state and status.
    """

    def __init__(self, device: Any, names: Iterable[str]) -> None:
        self._device, self._names = device, tuple(names)
        self._told: dict[str, tuple[list[Any], Any]] = {}

    def subscribed(self) -> dict[str, list[Any]]:
        """Return the kinds of events that somebody has subscribed to, by attribute."""
        attributes = self._device.get_device_attr()
        found = {}
        for name in self._names:
            each = attributes.get_attr_by_name(name)
            kinds = [kind for kind in EVENTS if each.is_event_subscribed(kind)]
            if kinds:
                found[name] = kinds
        return found

    def push(self, wanted: dict[str, list[Any]], answer: Callable[[str], Answer]) -> None:
        """Push events, in a thread of Tango's, which sees itself whether something has changed enough.

        What is the same as before is left out: while Tango looks at a value, clients who read the attribute at that
        moment are told that there is none. With levels it may be in alarm now though the value is the same.
        """
        with_alarms = {each.get_name() for each in with_levels(self._device.get_device_attr())}
        told = {}
        for name, kinds in wanted.items():
            news = answer(name)
            told[name] = kinds, essence(news)
            if name in with_alarms or told[name] != self._told.get(name):
                for kind in kinds:
                    getattr(self._device, EVENTS[kind])(name, *news)
        self._told = told


def essence(answer: Answer) -> Any:
    """Return what is of interest in an event: value and quality, or what the error says."""
    if isinstance(answer[0], DevFailed):
        return text_of(answer[0])
    value, _, quality = answer
    return value, quality


__all__ = ["Answer", "Events"]
