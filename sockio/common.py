"""Constants, and the errors under their old import path."""

from __future__ import annotations

from .errors import ConnectionEOFError, ConnectionTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger
    from typing import Any

    #: The logger "sockio".
    log: Logger

#: Types of service for the ``tos`` argument of TCP (RFC 1349).
IPTOS_NORMAL = 0x00
IPTOS_LOWDELAY = 0x10
IPTOS_THROUGHPUT = 0x08
IPTOS_RELIABILITY = 0x04
IPTOS_MINCOST = 0x02

#: The longest line, in bytes, unless ``buffer_size`` says otherwise.
DEFAULT_LIMIT = 2**20

#: Probe an idle connection after 60 s, then every 10 s; three probes without an answer end it.
DFT_KEEP_ALIVE = {"active": 1, "idle": 60, "retry": 3, "interval": 10}


def __getattr__(name: str) -> Any:
    if name == "log":
        import logging  # slow to import, and seldom used

        return logging.getLogger("sockio")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DEFAULT_LIMIT",
    "DFT_KEEP_ALIVE",
    "IPTOS_LOWDELAY",
    "IPTOS_MINCOST",
    "IPTOS_NORMAL",
    "IPTOS_RELIABILITY",
    "IPTOS_THROUGHPUT",
    "ConnectionEOFError",
    "ConnectionTimeoutError",
    "log",
]
