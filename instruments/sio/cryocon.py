"""`instruments.cryocon`, which is the same here: its classes take the flavour of the connection.

Written by ``python -m sockio.generate`` from `instruments.cryocon`: change that instead.
"""

from __future__ import annotations

from ..cryocon import (
    Channel,
    CryoCon,
    CryoConError,
    Curve,
    Group,
    Identity,
    LogRecord,
    Loop,
    PIDEntry,
    PIDTable,
    Queued,
    ReplyError,
)

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
