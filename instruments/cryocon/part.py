"""What the controller and its parts have in common: members that are read, or set and read back."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..base import Driver, operation
from ..metadata import quantity
from . import codec
from .session import Session
from .values import Kind

T = TypeVar("T")
P = TypeVar("P", bound="Members")


def reading(method: Callable[[P], Awaitable[T]]) -> Callable[[P], Awaitable[T]]:
    """Make of a method a member that can only be read: giving it a value is a ValueError."""

    @quantity()
    @functools.wraps(method)
    def read(self: P, *values: object, **named: object) -> Awaitable[T]:
        if values or named:
            raise ValueError(f"{method.__name__} is read-only: it cannot be set to {[*values, *named.values()][0]!r}")
        return method(self)

    return operation(read)


class Members(Driver):
    """What the controller and its parts are: drivers with members.

    Calling a member without an argument reads it; calling it with a value sets it and reads it back. Values
    are checked before anything is sent: ValueError says what is allowed. What the controller refuses is a
    `CryoConError`.
    """

    _session: Session
    _prefix = ""

    def _member(self, name: str, kind: Kind[T], value: Any = None) -> Awaitable[T]:
        """Read the member *name*, or set it to *value* and read it back."""
        path = self._prefix + name
        command = codec.query(path, kind) if value is None else codec.setting(path, kind, value)
        return self._session.submit(command)

    def _do(self, name: str) -> Awaitable[None]:
        """Do *name*, and return when the controller says that it is done."""
        return self._session.submit(codec.confirmed(self._prefix + name))


class Part(Members):
    """A part of the controller.

    Args:
        owner: the controller, or a part of it.
        prefix: of the part's commands, such as ``"INPUT A:"``.
    """

    def __init__(self, owner: Members, prefix: str) -> None:
        super().__init__(owner)
        self._session = owner._session
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"<{self._prefix.rstrip(':')} of {self.link}>"
