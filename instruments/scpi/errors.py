"""What instruments complain about."""

from __future__ import annotations

from typing import NamedTuple


class ErrorEntry(NamedTuple):
    """An entry of an instrument's error queue (SCPI-99, volume 2, 21.8).

    Args:
        code: negative for SCPI's own errors, positive for the instrument's.
        message: what it says.
    """

    code: int
    message: str

    def __str__(self) -> str:
        return f'{self.code},"{self.message}"'


class InstrumentError(Exception):
    """An instrument has reported errors.

    Attributes:
        errors: the entries of its error queue, oldest first.
    """

    errors: tuple[ErrorEntry, ...]

    def __init__(self, message: str, errors: tuple[ErrorEntry, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.errors)
