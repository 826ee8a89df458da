"""What can go wrong on a CAN bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import ErrorMessage


class CanBusError(ConnectionError):
    """The adapter, or its driver, has failed: it could not be opened, or what it was asked for could not be done.

    Attributes:
        errno: the number that the system or the driver has for it, if any.
        message: the error frame that reports it, if one does.
    """

    message: ErrorMessage | None = None


class CanBusOffError(CanBusError):
    """The controller has taken itself off the bus because too many of its frames had failed (ISO 11898-1)."""
