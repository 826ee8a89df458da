"""Concurrency models: what the core asks of one (`base`), and the ones there are."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Runtime


def current() -> Runtime:
    """Return the runtime of the library, asyncio or trio, that runs the calling task.

    Raises:
        RuntimeError: neither does.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from .trio import TrioRuntime

        return TrioRuntime()
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        from .asyncio import AsyncioRuntime

        return AsyncioRuntime()
    raise RuntimeError("this has to be awaited in a task of asyncio or trio")
