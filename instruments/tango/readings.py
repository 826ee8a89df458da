"""Several readings at once, in one exchange where the driver can group its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base import Driver
from .declaration import Call


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


__all__ = ["read_together"]
