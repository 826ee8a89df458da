"""Readings of attributes: several at once, in one exchange where the driver can group them, and how long they hold."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..base import Driver
from .declaration import Attribute, Call
from .values import encode


class Reading(NamedTuple):
    """What is known of an attribute.

    Attributes:
        value: as Tango has it; None if there is none.
        error: why there is none, if something failed.
        when: seconds since the epoch.
        asked_at: seconds on the monotonic clock.
    """

    value: Any
    error: Exception | None
    when: float
    asked_at: float


class Readings:
    """What is known of the attributes of a device.

    Args:
        attributes: by name.
        validity: seconds for which a reading is given again.
    """

    def __init__(self, attributes: Mapping[str, Attribute], validity: float) -> None:
        self._attributes, self._validity = attributes, validity
        self._known: dict[str, Reading] = {}
        self._changed_at = -math.inf

    def of(self, name: str) -> Reading | None:
        """Return the reading of an attribute; None if there has been none."""
        return self._known.get(name)

    def note(self, name: str, outcome: Any, asked_at: float) -> None:
        """Keep what has come of reading an attribute, unless something newer is known.

        Args:
            name: of the attribute.
            outcome: what the driver has given, or the exception that it has raised.
            asked_at: when the reading began, on the monotonic clock.
        """
        present = self._known.get(name)
        if present is not None and present.asked_at > asked_at:
            return
        error: Exception | None = outcome if isinstance(outcome, Exception) else None
        value = None
        if error is None and outcome is not None:
            try:
                value = encode(self._attributes[name].type, outcome)
            except Exception as problem:  # whatever a driver gives is no reason for other attributes to fail
                error = problem
        self._known[name] = Reading(value, error, time.time(), asked_at)

    def change(self) -> None:
        """Note that something has been changed, now: what was read before does not hold any more."""
        self._changed_at = time.monotonic()

    def is_outdated(self, asked_at: float) -> bool:
        """Tell whether something has been changed since a moment."""
        return asked_at < self._changed_at

    def is_valid(self, name: str) -> bool:
        """Tell whether a reading can be given again: it is young and good, and nothing has been changed since."""
        reading = self._known.get(name)
        if reading is None or reading.error is not None or self.is_outdated(reading.asked_at):
            return False
        return is_fresh(reading.asked_at, self._validity)


def is_fresh(since: float | None, period: float) -> bool:
    """Tell whether something has happened less than *period* seconds ago."""
    return since is not None and time.monotonic() - since < period


async def read_together(driver: Driver, calls: Mapping[str, Call]) -> dict[str, Any]:
    """Make calls, and return what each gives, or the exception that it has raised.

    A driver with a ``group`` has those that can travel together do so. When the connection fails, nothing more is
    asked, and all that have no answer have failed with it.

    Args:
        driver: whose calls they are.
        calls: by name.
    """
    outcomes = await read_group(driver, calls) if hasattr(type(driver), "group") else {}
    lost = next((each for each in outcomes.values() if isinstance(each, OSError)), None)
    for name, call in calls.items():
        if name in outcomes:
            continue
        try:
            outcomes[name] = lost or await call(driver)
        except OSError as error:
            outcomes[name] = lost = error
        except Exception as error:
            outcomes[name] = error
    return outcomes


async def read_group(driver: Any, calls: Mapping[str, Call]) -> dict[str, Any]:
    """Make those calls that can travel together, and return their outcomes."""
    queued: dict[str, Any] = {}
    outcomes: dict[str, Any] = {}
    failure: Exception | None = None
    try:
        async with driver:
            for name, call in calls.items():
                try:
                    each: Any = call(driver)
                except Exception as error:
                    outcomes[name] = error
                    continue
                if getattr(each, "is_queued", False):
                    queued[name] = each
                else:
                    each.close()  # it does not join: it is awaited afterwards
    except Exception as error:
        failure = error
    for name, each in queued.items():
        refused = each.exception()
        outcomes[name] = each.result() if refused is None else failure or refused
    return outcomes


__all__ = ["Reading", "Readings", "is_fresh", "read_together"]
