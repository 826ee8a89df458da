"""CryoCon temperature controllers.

::

    from sockio.sio import TCP
    from instruments.cryocon import CryoCon

    cryo = CryoCon(TCP("192.168.1.123", 5000))
    print(cryo.idn(), cryo["A"].temperature())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .channel import Channel
from .errors import CryoConError, ReplyError
from .group import Group, Queued
from .loop import Loop
from .session import Identity
from .tables import Curve, LogRecord, PIDEntry, PIDTable

if TYPE_CHECKING:
    from .flavours import CryoCon  # the same class, with a constructor that tells what calls give
else:
    from .driver import CryoCon

__all__ = [
    "Channel",
    "CryoCon",
    "CryoConError",
    "Curve",
    "Group",
    "Identity",
    "LogRecord",
    "Loop",
    "PIDEntry",
    "PIDTable",
    "Queued",
    "ReplyError",
]
