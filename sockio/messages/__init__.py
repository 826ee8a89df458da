"""Messages between programs, over any stream: whole ones or none, acknowledged, and checked.

============================  ============================================================================
`MessageConnection`           asyncio and trio, over a stream of `sockio.aio` or `sockio.trio`
`BlockingMessageConnection`   plain calls that block, over a stream of `sockio.sio`
============================  ============================================================================

Three protocols: ``"blob"`` for big binary messages and numpy arrays, ``"serpy"`` and ``"serpy2"`` for talking to
programs that use these packages; `sockio.serpy` and `sockio.serpy2` have their own classes.
"""

from __future__ import annotations

from .blocking import BlockingMessageConnection
from .connection import MessageConnection
from .events import DEFAULT_MESSAGE_LIMIT, MessageRefusedError
from .sending import NotAcknowledgedError

__all__ = [
    "DEFAULT_MESSAGE_LIMIT",
    "BlockingMessageConnection",
    "MessageConnection",
    "MessageRefusedError",
    "NotAcknowledgedError",
]
