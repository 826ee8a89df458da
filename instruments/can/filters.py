"""Which frames a receiver wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from .messages import EXTENDED_IDS, STANDARD_IDS, check_range


class CanFilter(NamedTuple):
    """Frames whose identifier is *canid* in the bits of *mask*.

    Args:
        canid: the identifier.
        mask: which of its bits count; all of them if none is given.
        extid: only frames with extended identifiers, or only those without; None for both.
    """

    canid: int
    mask: int = EXTENDED_IDS
    extid: bool | None = None


#: What is given for a filter; a mapping is one of python-can, with ``can_id``, ``can_mask`` and ``extended``.
AnyFilter: TypeAlias = "CanFilter | tuple[int, int] | Mapping[str, Any]"


def read_filters(filters: Iterable[AnyFilter] | None) -> tuple[CanFilter, ...]:
    """Return filters in one form, none for all frames.

    Raises:
        TypeError, ValueError: something is no filter.
    """
    return tuple(map(read_filter, filters or ()))


def read_filter(given: Any) -> CanFilter:
    """Return one filter."""
    if isinstance(given, Mapping):
        if not {"can_id", "can_mask"} <= set(given) <= {"can_id", "can_mask", "extended"}:
            raise ValueError(f"expected {{'can_id': …, 'can_mask': …, 'extended': …}}, got {given!r}")
        found = CanFilter(given["can_id"], given["can_mask"], given.get("extended"))
    elif isinstance(given, tuple) and 1 <= len(given) <= 3:
        found = CanFilter(*given)
    else:
        raise TypeError(f"expected a CanFilter, got {given!r}")
    check_range("canid", found.canid, EXTENDED_IDS)
    check_range("mask", found.mask, EXTENDED_IDS)
    if found.extid is False:
        check_range("canid", found.canid, STANDARD_IDS)
    return found


def union(all_filters: Iterable[tuple[CanFilter, ...]]) -> tuple[CanFilter, ...]:
    """Return the filters that pass what any of several receivers wants; none for all frames."""
    wanted: dict[CanFilter, None] = {}
    for filters in all_filters:
        if not filters:
            return ()
        wanted |= dict.fromkeys(filters)
    return tuple(wanted)


def for_python_can(filters: tuple[CanFilter, ...]) -> list[dict[str, Any]] | None:
    """Return filters as python-can takes them."""
    return [
        {"can_id": each.canid, "can_mask": each.mask, **({} if each.extid is None else {"extended": each.extid})}
        for each in filters
    ] or None


def accepts(filters: tuple[CanFilter, ...]) -> Callable[[int, bool], bool]:
    """Return what tells whether a frame with an identifier, extended or not, passes one of the filters."""

    def accept(canid: int, extid: bool) -> bool:
        return any(
            not (canid ^ each.canid) & each.mask and (each.extid is None or each.extid == extid) for each in filters
        )

    return accept
