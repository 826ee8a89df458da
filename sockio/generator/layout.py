"""How imports, docstrings and lists are laid out in generated modules."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from .driver_source import ROOT
from .facade import LINE_LENGTH

#: What is this project's own among modules.
OURS = ("sockio", ROOT)

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


def sorted_imports(origins: Iterable[tuple[str, str] | None], package: str) -> tuple[set[str], str]:
    """Return the names from `typing`, and the imports of the others as ruff sorts them, relative to *package*."""
    found: dict[str, set[str]] = {}
    for module, name in filter(None, origins):
        found.setdefault(relative(module, package), set()).add(name)
    from_typing = found.pop("typing", set())
    sections: dict[int, list[str]] = {}
    for name in sorted(found.pop("", ())):
        sections.setdefault(0, []).append(f"import {name}")
    for module in sorted(found, key=_nearness):
        sections.setdefault(_nearness(module)[0], []).append(import_line(module, found[module], "    "))
    return from_typing, "\n\n".join("\n".join(section) for _, section in sorted(sections.items()))


def relative(module: str, package: str) -> str:
    """Return what a module is imported by in a package: relative to it, if that is where both belong."""
    if not module.startswith(f"{ROOT}."):
        return module
    parts, here = module.split("."), package.split(".")
    common = 0
    while parts[common : common + 1] == here[common : common + 1] != []:
        common += 1
    return "." * (1 + len(here) - common) + ".".join(parts[common:])


def import_line(module: str, names: set[str], indent: str = "") -> str:
    """Return an import, with constants before classes before the rest, on lines that *indent* still goes before."""
    listed = sorted(names, key=lambda name: (rank(name)[0], name.lower(), name))  # imports: whatever the case
    line = f"from {module} import {', '.join(listed)}"
    if len(indent + line) <= LINE_LENGTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in listed), ")"])


def rank(name: str) -> tuple[int, str]:
    """Return what sorts names: constants, classes, the rest."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def _nearness(module: str) -> tuple[int, int, str]:
    """Return what sorts modules: the standard library, other projects, this one, then relative ones from afar."""
    dots = len(module) - len(module.lstrip("."))
    if dots:
        return 3, -dots, module
    package = module.partition(".")[0]
    return 2 if package in OURS else 0 if package in sys.stdlib_module_names else 1, 0, module
