"""Docstrings and lists as they are laid out in generated modules."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .facade import LINE_LENGTH

#: What begins an item of a list, or of a section such as ``Args:``.
BULLET, ITEM = re.compile("- "), re.compile(r"\**\w+(?:, \**\w+)*: ")


def shifted(doc: str, indent: str) -> str:
    """Return a docstring four columns further right, where it is indented by *indent*.

    Lines that become too long are broken.
    """
    first, *rest = doc.splitlines()
    lines = [indent + first, *(f"    {line}" if line else "" for line in rest)]
    i = 0
    while i < len(lines):
        if len(lines[i]) > LINE_LENGTH:
            _break(lines, i, len(indent))
        i += 1
    return "\n".join(lines).lstrip()


def _break(lines: list[str], i: int, base: int) -> None:
    """Move what is too much of a line to the next one of its paragraph."""
    line = lines[i]
    end = line.rindex(" ", 0, LINE_LENGTH + 1)
    lines[i], rest = line[:end], line[end + 1 :]
    indent = _indent(line) + _hanging(line, base)
    following = lines[i + 1] if i + 1 < len(lines) else ""
    if following.strip(' "') and _indent(following) == indent and not _hanging(following, base):
        lines[i + 1] = f"{' ' * indent}{rest} {following.lstrip()}"
    else:
        lines.insert(i + 1, f"{' ' * indent}{rest}")


def _hanging(line: str, base: int) -> int:
    """Return how much further right an item goes on than it begins; 0 for what is none."""
    text = line.lstrip()
    if BULLET.match(text):
        return 2
    return 4 if _indent(line) > base and ITEM.match(text) else 0


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def plain_code(doc: str) -> str:
    """Return a docstring whose examples neither await nor say ``async``."""
    lines = doc.splitlines()
    block: int | None = None
    for i, line in enumerate(lines):
        if block is not None and line.strip() and _indent(line) <= block:
            block = None
        if block is not None:
            lines[i] = re.sub(r"\b(?:async (?=with |for )|await )", "", line)
        elif line.endswith("::"):
            block = _indent(line)
    return "\n".join(lines)


def listed(name: str, items: Iterable[str]) -> str:
    """Return the assignment of a list of strings to a name."""
    quoted = [f'"{item}"' for item in items]
    line = f"{name} = [{', '.join(quoted)}]"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"{name} = [", *(f"    {item}," for item in quoted), "]"])
