"""The remote interface of CryoCon controllers as bytes: commands to lines, replies to values.

Commands have the form ``:INPUT A:TEMP?;``, each with its full path, so that any number of them can be written
one after the other on a line. Replies come on one line, separated by ``;``. Source: Model 24C User's Guide,
edition 5c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .errors import CryoConError, ReplyError
from .values import DONE, Kind

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Characters of commands on one line; the controller is taken to accept 255.
MAX_LINE_LENGTH = 250

#: What the controller answers to a command that it does not know or does not accept.
NOT_ACKNOWLEDGED = "NACK"


@dataclass(frozen=True)
class Command(Generic[T_co]):
    """One command with what is needed to read its reply.

    Attributes:
        text: as it is written in a line, such as ``:LOOP 1:SETPT 12.5;:LOOP 1:SETPT?;``.
        kind: of the value that comes back, None for a command without a reply.
        changes: whether it changes something in the controller.
    """

    text: str
    kind: Kind[T_co] | None
    changes: bool = False

    def __str__(self) -> str:
        return self.text


def query(name: str, kind: Kind[T]) -> Command[T]:
    """Return the command that asks for the value of *name*."""
    return Command(f":{name}?;", kind)


def setting(name: str, kind: Kind[T], value: Any) -> Command[T]:
    """Return the command that sets *name* to *value* and reads it back.

    Raises:
        ValueError: the value is not allowed.
    """
    return Command(f":{name} {kind.encode(value)};:{name}?;", kind, changes=True)


def switch(action: str, name: str, kind: Kind[T]) -> Command[T]:
    """Return the command that does *action* and then asks for the value of *name*."""
    return Command(f":{action};:{name}?;", kind, changes=True)


def action(name: str) -> Command[None]:
    """Return the command that does *name*, which the controller answers with nothing."""
    return Command(f":{name};", None, changes=True)


def confirmed(name: str) -> Command[None]:
    """Return the command that does *name* and tells when it is done, by ``*OPC?``."""
    return Command(f":{name};:*OPC?;", DONE, changes=True)


def pack(commands: Iterable[Command[Any]]) -> list[list[Command[Any]]]:
    """Distribute commands over as few lines as their length allows, in order."""
    lines: list[list[Command[Any]]] = []
    length = MAX_LINE_LENGTH
    for command in commands:
        length += len(command.text)
        if length > MAX_LINE_LENGTH:
            lines.append([])
            length = len(command.text)
        lines[-1].append(command)
    return lines


def encode(commands: Iterable[Command[Any]]) -> bytes:
    """Return the line that carries *commands*, with its line end."""
    return "".join(command.text for command in commands).encode("ascii") + b"\n"


def split(text: str) -> list[str]:
    """Split a line at the ``;`` that are not inside quotation marks."""
    parts = [""]
    quoted = False
    for character in text:
        if character == ";" and not quoted:
            parts.append("")
            continue
        quoted ^= character == '"'
        parts[-1] += character
    return parts


def decode(commands: Sequence[Command[T]], reply: bytes) -> list[T | CryoConError | None]:
    """Read the reply to a line.

    Args:
        commands: what was on the line, in order.
        reply: the line that came back, with or without line end and final ``;``.

    Returns:
        For each command its value, None if it has no reply, or the error that stands in its place. When the
        number of replies is not that of the commands which have one, no reply can be told from another: all
            are errors.
    """
    expected = sum(command.kind is not None for command in commands)
    try:
        parts = split(reply.decode("ascii").rstrip("\r\n"))
    except UnicodeDecodeError:
        return [ReplyError(f"{command}: the reply is not ASCII: {reply!r}", reply) for command in commands]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()  # the final semicolon is optional
    elif len(parts) == expected + 1 and not parts[-1].strip():
        parts.pop()
    if len(parts) != expected:
        return [miscounted(command, commands, parts, reply) for command in commands]
    remaining = iter(parts)
    return [None if command.kind is None else decode_part(command, next(remaining)) for command in commands]


def miscounted(
    command: Command[Any], commands: Sequence[Command[Any]], parts: Sequence[str], reply: bytes
) -> CryoConError:
    """Return the error of one command of a line that got too few or too many replies."""
    if len(commands) == 1 and NOT_ACKNOWLEDGED in map(str.strip, parts):
        return CryoConError(f"{command}: not acknowledged")
    expected = sum(command.kind is not None for command in commands)
    return ReplyError(
        f"{command}: expected {expected} replies to a line of {len(commands)} commands, got {len(parts)}: {reply!r}",
        reply,
    )


def decode_part(command: Command[T], text: str) -> T | CryoConError:
    """Read the reply to one command; return the error if there is no value in it."""
    assert command.kind is not None
    text = text.strip()
    if text == NOT_ACKNOWLEDGED:
        return CryoConError(f"{command}: not acknowledged")
    try:
        return command.kind.decode(text)
    except ValueError as problem:
        error = ReplyError(f"{command}: cannot read the reply {text!r}: {problem}", text.encode("ascii"))
        error.__cause__ = problem
        return error
