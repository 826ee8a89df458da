"""Lowers f-strings to ``str.format``, piece by piece, so that a string over several lines stays one."""

from __future__ import annotations

import re
from collections.abc import Callable

_PIECE = re.compile(
    r"""(?P<prefix>[fF]?)(?P<quote>["'])(?P<body>(?:\\.|(?!(?P=quote)).)*)(?P=quote)|(?P<space>[\s\\]+)""", re.DOTALL
)
_OPENING, _CLOSING = "([{", ")]}"


def lower_format_string(text: str, lower: Callable[[str], str]) -> str | None:
    """Return the call of ``format`` for a literal that is an f-string in one of its pieces at least.

    Args:
        text: the source, one or more literals.
        lower: lowers an expression.

    Returns None for what is not understood: triple quotes, other prefixes, nested fields.
    """
    pieces = []
    arguments: list[str] = []
    position = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None or (match["quote"] and text.startswith(3 * match["quote"], match.start("quote"))):
            return None
        position = match.end()
        if match["space"]:
            pieces.append(match["space"])
            continue
        body = match["body"]
        if match["prefix"]:
            lowered = _lower_body(body, arguments, lower)
            if lowered is None:
                return None
            body = lowered
        else:
            body = body.replace("{", "{{").replace("}", "}}")
        pieces.append(f"{match['quote']}{body}{match['quote']}")
    literal = "".join(pieces)
    if not arguments:
        return literal.replace("{{", "{").replace("}}", "}")
    return f"{literal}.format({', '.join(arguments)})"


def _lower_body(body: str, arguments: list[str], lower: Callable[[str], str]) -> str | None:
    lowered = ""
    position = 0
    while position < len(body):
        if body.startswith(("{{", "}}"), position):
            lowered += body[position : position + 2]
            position += 2
        elif body[position] == "{":
            end = _end_of_field(body, position + 1)
            if end is None:
                return None
            expression, suffix = _split_field(body[position + 1 : end])
            if "{" in suffix or expression.rstrip().endswith("="):
                return None
            arguments.append(lower(expression.strip()))
            lowered += f"{{{suffix}}}"
            position = end + 1
        else:
            lowered += body[position]
            position += 1
    return lowered


def _end_of_field(body: str, position: int) -> int | None:
    """Return the index of the brace that closes a field."""
    depth = 0
    quote = ""
    for index in range(position, len(body)):
        character = body[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "}" and not depth:
            return index
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
    return None


def _split_field(field: str) -> tuple[str, str]:
    """Return the expression of a field, and what follows it: conversion and format."""
    depth = 0
    quote = ""
    for index, character in enumerate(field):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif not depth and (character == ":" or (character == "!" and field[index + 1 : index + 2] != "=")):
            return field[:index], field[index:]
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
    return field, ""
