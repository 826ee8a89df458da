"""How the commands of a simulated CryoCon are written: keywords, their short forms, arguments.

Keywords are written as in the manual, with the letters of their short form in upper case. What is accepted is
the short form (four letters, three if the fourth is a vowel) or anything between it and the whole keyword.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cryocon import CryoCon

#: The settings of what a command is about, as texts by name.
Target = dict[str, str]

Read = Callable[["CryoCon", Any], str]
Write = Callable[["CryoCon", Any, str], None]
Select = Callable[["CryoCon", str], list[Any]]
Check = Callable[[str], str]

STEP = re.compile(r"([*A-Za-z]+\d*)\s*(\?)?\s*(.*)", re.DOTALL)

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(E[+-]?\d+)?", re.IGNORECASE)


class Refused(Exception):
    """The controller does not know the command, or does not accept its argument."""


@dataclass(frozen=True)
class Node:
    """A keyword: what it reads, what it writes, what is below it, and what its argument selects."""

    keyword: str
    read: Read | None = None
    write: Write | None = None
    children: tuple[Node, ...] | None = None
    select: Select | None = None


@dataclass(frozen=True)
class Found:
    """Where a step of a command has led."""

    node: Node
    targets: list[Any]
    query: bool
    argument: str


def find(node: Node, device: CryoCon, targets: list[Any], step: str) -> Found:
    """Follow one step of a command, such as ``INPUT A``, ``TEMP?``, ``SETPT 12.5`` or ``RELAY? 1``.

    Raises:
        Refused: it leads nowhere.
    """
    match = STEP.fullmatch(step.strip())
    if match is None:
        raise Refused
    word, query, argument = match.group(1), bool(match.group(2)), match.group(3).strip()
    child = next((child for child in node.children or () if matches(child.keyword, word)), None)
    if child is None:
        raise Refused
    if child.select is not None:
        targets = child.select(device, argument)
    return Found(child, targets, query, argument)


def matches(keywords: str, word: str) -> bool:
    """Tell whether *word* is a keyword or a short form of it. Spellings are separated by ``|``."""
    word = word.upper()
    for keyword in keywords.split("|"):
        full = keyword.upper()
        short = min(len(short_form(full)), sum(1 for letter in keyword if not letter.islower()))
        if full.startswith(word) and len(word) >= short:
            return True
    return False


def short_form(keyword: str) -> str:
    """Return the first four letters of a keyword, three if the fourth is a vowel."""
    return keyword[:3] if keyword[3:4] in tuple("AEIOU") else keyword[:4]


# What arguments may be


def word(*allowed: str) -> Check:
    """One of some words."""

    def check(text: str) -> str:
        if text.upper() not in allowed:
            raise Refused
        return text.upper()

    return check


def number(minimum: float = float("-inf"), maximum: float = float("inf")) -> Check:
    """A number, kept as it was written."""

    def check(text: str) -> str:
        if NUMBER.fullmatch(text) is None or not minimum <= float(text) <= maximum:
            raise Refused
        return text

    return check


def string(text: str) -> str:
    """A string, with or without quotation marks, cut at 15 characters."""
    return text.strip('"')[:15]


def address(text: str) -> str:
    """An address, which may be longer."""
    return text.strip('"')


ON_OFF = word("ON", "OFF")
YES_NO = word("YES", "NO")
UNIT = word("K", "C", "F", "S")


# Leaves


def stored(keyword: str, key: str, check: Check | None = None) -> Node:
    """A setting that is answered as it was stored."""

    def read(device: CryoCon, target: Target) -> str:
        return target[key]

    def write(device: CryoCon, target: Target, argument: str) -> None:
        assert check is not None
        target[key] = check(argument)

    return Node(keyword, read, None if check is None else write)


def decimals(keyword: str, key: str, check: Check) -> Node:
    """A number that is answered with six decimals."""
    node = stored(keyword, key, check)
    return Node(keyword, lambda device, target: f"{float(target[key]):.6f}", node.write)


def ignored(keyword: str, read: Read | None = None) -> Node:
    """A command that is accepted and changes nothing here."""
    return Node(keyword, read, lambda device, target, argument: None)


def constant(text: str) -> Read:
    """Always the same answer."""
    return lambda device, target: text


def loop_setting(keyword: str, key: str, check: Check | None = None) -> Node:
    """A setting of a loop."""
    node = stored(keyword, key, check)
    write = node.write
    return Node(
        keyword,
        lambda device, loop: str(loop.settings[key]),
        None if write is None else lambda device, loop, argument: write(device, loop.settings, argument),
    )
