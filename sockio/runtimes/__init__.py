"""Concurrency models: what the core asks of one (`base`), and the ones there are."""

from __future__ import annotations

import sys

from .binding import bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Runtime

__all__ = ["bind", "current"]


def current() -> Runtime:
    """Return the runtime of the library, asyncio or trio, that runs the calling task.

    Raises:
        RuntimeError: neither does.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from . import trio as on_trio

        return on_trio.runtime
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        from . import asyncio as on_asyncio

        return on_asyncio.runtime
    raise RuntimeError("this has to be awaited in a task of asyncio or trio")
