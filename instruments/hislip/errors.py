"""What a HiSLIP instrument complains about."""

from __future__ import annotations

from .codec import ERRORS, FATAL_ERRORS, error_name


class HislipError(Exception):
    """The instrument sent an Error message: it goes on, but what was asked was not done.

    Attributes:
        code: the error code (IVI-6.1, 6.3).
        name: the standard's name of it.
        text: what the instrument says about it.
    """

    names = ERRORS

    def __init__(self, resource: str, code: int, text: str = "") -> None:
        self.resource = resource
        self.code = code
        self.name = error_name(self.names, code)
        self.text = text
        kind = type(self).__name__.removeprefix("Hislip")
        super().__init__(f"{resource}: the instrument sent {kind} {code}, {self.name}{': ' if text else ''}{text}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.resource, self.code, self.text)


class HislipFatalError(HislipError, ConnectionError):
    """The instrument sent a FatalError message: the connection is over, and the next call makes a new one.

    Attributes:
        code: the error code (IVI-6.1, 6.2).
    """

    names = FATAL_ERRORS
