"""Checks of users' callbacks, for the runtimes that call them from a thread."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The flag of code objects made by ``async def`` (inspect.CO_COROUTINE, which is slow to import).
COROUTINE = 0x80


def refuse_coroutine_function(name: str, callback: Any) -> None:
    """Raise TypeError if *callback* is a coroutine function, also inside a `functools.partial`."""
    function = callback
    while hasattr(function, "func"):
        function = function.func
    # A function has its code itself, an object with a method __call__ has it there.
    carrier = function if hasattr(function, "__code__") else getattr(type(function), "__call__", None)  # noqa: B004
    code = getattr(carrier, "__code__", None)
    if code is not None and code.co_flags & COROUTINE:
        raise TypeError(f"{name} must be a plain function where calls block, not the coroutine function {callback!r}")


def refuse_awaitable(callback: Any, result: Any) -> None:
    """Raise TypeError if what *callback* returned would have to be awaited."""
    if hasattr(result, "__await__"):
        if hasattr(result, "close"):
            result.close()
        raise TypeError(f"{callback!r} gave {result!r}, which nobody awaits where calls block")
