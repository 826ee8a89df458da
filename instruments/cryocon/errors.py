"""What can go wrong between a driver and a CryoCon controller, beyond the connection's own errors."""

from __future__ import annotations

from sockio.errors import ProtocolError


class CryoConError(Exception):
    """The controller did not do what it was asked to, or its answer cannot be told."""


class ReplyError(CryoConError, ProtocolError):
    """The controller answered something else than the command's reply.

    Attributes:
        data: the offending bytes.
    """
