"""Between the loop and the threads of Tango."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from .framework import GreenMode, get_executor


async def in_thread(function: Callable[..., object], *arguments: Any) -> None:
    """Call a function in a thread of Tango's: in that of the loop it might wait for a client's, which waits for it."""
    await get_executor(GreenMode.Asyncio).delegate(function, *arguments)


def wait_in_thread(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> None:
    """Wait in a thread for a coroutine that runs in a loop: with fewer turns of the loop than by way of a future, which
    clients feel in every reading."""
    done = threading.Lock()
    done.acquire()
    failures: list[BaseException] = []

    async def run() -> None:
        try:
            await coroutine
        except BaseException as error:
            failures.append(error)
        finally:
            done.release()

    held: list[asyncio.Task[None]] = []  # by this frame: the loop itself does not hold on to a task
    loop.call_soon_threadsafe(lambda: held.append(loop.create_task(run())))
    done.acquire()
    if failures:
        raise failures[0]


__all__ = ["in_thread", "wait_in_thread"]
