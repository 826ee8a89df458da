"""How program messages are written (IEEE 488.2, 7; SCPI-99, volume 1, 6), and which command a header means.

Headers are written as in manuals: ``[SENSe:]VOLTage[:DC]:NPLC``, the letters of the short form in upper case, optional
keywords in brackets, and ``CHANnel{4}`` for a keyword with a suffix from 1 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .scpi_errors import ScpiError

HEADER = re.compile(rb"\s*(:?)(\*?[A-Za-z]\w*(?::[A-Za-z]\w*)*)(\??)(?:\s+|$)")

#: What ends or shields a part of a message: separators, strings, expressions, and blocks.
SPECIAL = re.compile(rb"""[;,]|"[^"]*"|'[^']*'|\([^)]*\)|(?<!\w)#[0-9]""")

KEYWORD = re.compile(r"([*A-Z][A-Z0-9]*)([a-z]*)(\d*)")

OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Unit:
    """One command or query of a program message.

    Attributes:
        words: the keywords of its header.
        absolute: whether the header begins at the root of the command tree.
        query: whether it ends in ``?``.
        arguments: as they are written.
    """

    words: tuple[str, ...]
    absolute: bool
    query: bool
    arguments: list[bytes]

    @property
    def common(self) -> bool:
        """Whether it is a common command, such as ``*IDN?``."""
        return self.words[0].startswith("*")


def units_of(message: bytes) -> Iterator[Unit]:
    """Take a program message apart.

    Raises:
        ScpiError: it is not well formed; the units before the error have been given.
    """
    for part in split(message, b";"):
        if not part.strip():
            continue
        header = HEADER.match(part)
        if header is None:
            raise ScpiError(-102)
        rest = part[header.end() :]
        arguments = list(split(rest, b",")) if rest.strip() else []
        words = tuple(header.group(2).decode().split(":"))
        yield Unit(words, bool(header.group(1)), bool(header.group(3)), arguments)


def split(data: bytes, separator: bytes) -> Iterator[bytes]:
    """Give the parts of a message between separators, but not those within strings, expressions and blocks."""
    start = position = 0
    while match := SPECIAL.search(data, position):
        position = match.end()
        if match.group() == separator:
            yield data[start : match.start()]
            start = position
        elif match.group().startswith(b"#"):
            position = block_end(data, match.start())
    yield data[start:]


def block_end(data: bytes, start: int) -> int:
    """Return where the block ends that begins at *start*.

    Raises:
        ScpiError: it has no proper header, or is longer than the message.
    """
    digits = int(data[start + 1 : start + 2])
    if digits == 0:
        return len(data)
    header_end = start + 2 + digits
    length = data[start + 2 : header_end]
    if len(length) < digits or not length.isdigit() or header_end + int(length) > len(data):
        raise ScpiError(-161)
    return header_end + int(length)


def matches(keyword: str, word: str) -> bool:
    """Tell whether *word* is the long or the short form of a keyword, in any case."""
    return word.upper() in forms(keyword)


def forms(keyword: str) -> tuple[str, str]:
    """Return the long and the short form of a keyword that is written as in ``VOLTage`` or ``CHANnel1``."""
    match = KEYWORD.fullmatch(keyword)
    assert match is not None, keyword
    short, rest, number = match.groups()
    return short + rest.upper() + number, short + number


@dataclass
class Node:
    """A keyword of the command tree: what is below it, and what it does.

    Attributes:
        suffixes: the largest suffix of the keyword, 0 for one without.
    """

    suffixes: int = 0
    children: dict[str, Node] = field(default_factory=dict)
    command: Any = None
    query: Any = None


class Tree:
    """All the commands of an instrument, found by the keywords of a header."""

    def __init__(self) -> None:
        self.root = Node()

    def add(self, header: str, command: Any) -> None:
        """Add a command, or a query if the header ends in ``?``, in each form that its header has."""
        for variant in variants(header.removesuffix("?")):
            node = self.root
            for keyword in filter(None, variant.split(":")):
                name, _, suffixes = keyword.rstrip("}").partition("{")
                long, short = forms(name)
                child = node.children.get(long) or Node(int(suffixes or 0))
                node.children[long] = node.children[short] = child
                node = child
            if header.endswith("?"):
                node.query = command
            else:
                node.command = command

    def find(self, words: tuple[str, ...], query: bool) -> tuple[Any, list[int]]:
        """Return the command that a header means, and the suffixes of its keywords.

        Raises:
            ScpiError: there is no such command.
        """
        node, suffixes = self.root, []
        for word in words:
            node, suffix = self._step(node, word.upper())
            if node.suffixes:
                suffixes.append(suffix)
        command = node.query if query else node.command
        if command is None:
            raise ScpiError(-113)
        return command, suffixes

    def _step(self, node: Node, word: str) -> tuple[Node, int]:
        child = node.children.get(word)
        if child is not None:
            return child, 1
        name = word.rstrip("0123456789")
        child = node.children.get(name)
        if child is None or not child.suffixes:
            raise ScpiError(-113)
        suffix = int(word[len(name) :])
        if not 1 <= suffix <= child.suffixes:
            raise ScpiError(-114)
        return child, suffix


def variants(header: str) -> list[str]:
    """Return a header with and without each of its optional keywords."""
    optional = OPTIONAL.search(header)
    if optional is None:
        return [header]
    before, after = header[: optional.start()], header[optional.end() :]
    return [*variants(before + optional.group(1) + after), *variants(before + after)]
