"""What declaration files may say: each check returns what stands there, or tells where and what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .declaration import TAKEN
from .operations import Parameter
from .values import parse


def section(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return one of the sections of a file, empty if it is missing."""
    found = content.get(key) or {}
    if isinstance(found, list):
        found = dict.fromkeys(map(str, found))
    if not isinstance(found, Mapping):
        raise ValueError(f"{key}: expected names and what they are, got {found!r}")
    for name in found:
        if not isinstance(name, str):
            raise ValueError(
                f"{key}: expected a name, got {name!r}: YAML wants quotes around on, off, yes, no, numbers"
            )
    return found


def settings_of(wanted: Any, known: Collection[str], where: str) -> dict[str, Any]:
    """Return the settings of an attribute or a command; text stands for ``from``."""
    settings = {} if wanted is None else {"from": wanted} if isinstance(wanted, str) else wanted
    if not isinstance(settings, dict):
        raise ValueError(f"{where}: expected a name or settings, got {wanted!r}")
    check_keys(settings, known, where)
    return settings


def patterns(content: Mapping[str, Any], key: str) -> list[str] | None:
    """Return the patterns of ``keep`` or ``drop``, None without them."""
    found = content.get(key)
    if found is None:
        return None
    if not isinstance(found, list):
        raise ValueError(f"{key}: expected a list of names or patterns such as loop1_*, got {found!r}")
    return [str(pattern) for pattern in found]


def check_keys(settings: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse keys that mean nothing."""
    for key in settings:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}: expected {', '.join(known)}")


def check_different(where: str, names: Iterable[str]) -> None:
    """Refuse names that are the same to Tango."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"{where}: Tango cannot tell {name} from {other}, which differ in case alone")


def text_in(settings: Mapping[str, Any], key: str, where: str) -> str:
    """Return the text of a key, empty if it is missing."""
    found = settings.get(key, "")
    if not isinstance(found, str):
        raise ValueError(f"{where}: {key}: expected text, got {found!r}")
    return found


def argument(parameter: Parameter, value: Any, where: str) -> Any:
    """Return an argument of a call as the driver takes it: bytes are hexadecimal digits, members of enumerations their
    names."""
    type = parameter.type
    if value is None or type is None or type.decode is None:
        return value
    try:
        if isinstance(value, str) and (type.is_list or type.element not in ("str", "bool")):
            return parse(value, type)
        return type.decode(value)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{where}: {parameter.name}: {problem}") from None


def check_name(name: str, where: str) -> None:
    """Refuse what cannot be a name in Tango."""
    if not name.isidentifier() or not name.isascii() or name.lower() in TAKEN:
        raise ValueError(f"{where}: expected a name of letters, digits and underscores, none of {', '.join(TAKEN)}")


def number(value: Any, where: str) -> float:
    """Return a limit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{where}: expected a number, got {value!r}")
    return value


def suggestion(name: str, known: Collection[str]) -> str:
    """Return what may have been meant, otherwise what there is."""
    close = difflib.get_close_matches(name, known, 3, 0.6)
    if close:
        return f": did you mean {' or '.join(close)}?"
    shown = sorted(known)[:40]
    return f": there are {', '.join(shown)}{', ...' if len(known) > len(shown) else ''}"


__all__ = [
    "argument",
    "check_different",
    "check_keys",
    "check_name",
    "number",
    "patterns",
    "section",
    "settings_of",
    "suggestion",
    "text_in",
]
