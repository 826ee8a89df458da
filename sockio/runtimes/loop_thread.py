"""One event loop in a thread of its own, for calls that give futures.

The thread is started by the first call and shared by everything in the process. It is a daemon: it does not keep a
program from ending. A forked child does not inherit it, and starts its own when it needs one.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from .asyncio import AsyncioRuntime
from .callbacks import refuse_awaitable, refuse_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

Result = TypeVar("Result")


class LoopFuture(Future[Result]):
    """The future of a call that the loop's thread runs. To wait for it in that thread would hang: it raises."""

    def __init__(self, thread: LoopThread) -> None:
        super().__init__()
        self._loop_thread = thread

    def result(self, timeout: float | None = None) -> Result:
        self._check()
        try:
            return super().result(timeout)
        finally:
            del self  # the traceback of its error holds this frame: no cycles

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._check()
        return super().exception(timeout)

    def _check(self) -> None:
        if not self.done() and self._loop_thread.is_current():
            raise RuntimeError(
                f"{self._loop_thread.name!r} cannot wait for a future that it has to run itself: "
                "use add_done_callback, or wait in another thread"
            )


class LoopThread:
    """An event loop and the daemon thread that runs it, started at once."""

    name = "sockio loop"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._loop.run_forever()
            except BaseException:
                pass  # SystemExit or KeyboardInterrupt out of a task: its future has it

    def is_current(self) -> bool:
        """Tell whether this is the thread itself."""
        return threading.current_thread() is self._thread

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine as a task, in a copy of the caller's context; cancelling the future cancels the task."""
        future: LoopFuture[Result] = LoopFuture(self)
        self._loop.call_soon_threadsafe(self._start, coroutine, future, context=contextvars.copy_context())
        return future

    def call(self, function: Callable[[], Result]) -> Result:
        """Return ``function()``, called in the thread and in a copy of the caller's context."""
        if self.is_current():
            return function()

        async def call() -> Result:
            return function()

        return self.submit(call()).result()

    def _start(self, coroutine: Coroutine[Any, Any, Result], future: Future[Result]) -> None:
        if future.cancelled():
            coroutine.close()
            return
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself holds its tasks weakly

        def cancel(future: Future[Result]) -> None:
            if future.cancelled():
                self._loop.call_soon_threadsafe(task.cancel)

        def finish(task: asyncio.Task[Result]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                future.cancel()
            # The future stays cancellable as long as the task runs, so it is only now that it runs for a moment.
            if not future.set_running_or_notify_cancel():
                return
            error = task.exception()
            if error is None:
                future.set_result(task.result())
            else:
                future.set_exception(error)

        future.add_done_callback(cancel)
        task.add_done_callback(finish)


class FuturesRuntime(AsyncioRuntime):
    """Tasks of the shared loop; users' callbacks run in threads, where they may wait for futures."""

    name = "futures"

    def check_callback(self, name: str, callback: Any) -> None:
        super().check_callback(name, callback)
        refuse_coroutine_function(name, callback)

    def invoke(self, callback: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        context = contextvars.copy_context()
        outcome: Future[None] = Future()

        def work() -> None:
            outcome.set_running_or_notify_cancel()
            try:
                refuse_awaitable(callback, context.run(callback, *args))
            except BaseException as error:
                outcome.set_exception(error)
            else:
                outcome.set_result(None)

        # Not one of a pool's threads: a callback may wait for whatever it likes, and for other callbacks too.
        threading.Thread(target=work, name="sockio callback", daemon=True).start()
        return asyncio.wrap_future(outcome)


#: One for everybody: it has no state that belongs to anyone.
runtime = FuturesRuntime()

_shared: LoopThread | None = None
_inherited: list[LoopThread] = []
_starting = threading.Lock()


def shared() -> LoopThread:
    """Return the process' loop thread, which is started if it is not there yet."""
    global _shared
    if _shared is None:
        with _starting:
            if _shared is None:
                _shared = LoopThread()
    return _shared


def submit(coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Run a coroutine in the shared loop thread, in a copy of the caller's context."""
    return shared().submit(coroutine)


def call(function: Callable[[], Result]) -> Result:
    """Return ``function()``, called in the shared loop thread."""
    return shared().call(function)


def _start_anew_in_child() -> None:
    global _shared, _starting
    if _shared is not None:
        # Kept as it is: closing it would take the parent's descriptors out of the epoll object that both share.
        _inherited.append(_shared)
    _shared = None
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew_in_child)
