"""Concurrency models: what the core asks of one (`base`), and the ones there are."""

from __future__ import annotations

import sys
from functools import cache

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
        return _on_trio()
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return _on_asyncio()
    raise RuntimeError("this has to be awaited in a task of asyncio or trio")


@cache
def _on_trio() -> Runtime:
    from .trio import runtime

    return runtime


@cache
def _on_asyncio() -> Runtime:
    from .asyncio import runtime

    return runtime
