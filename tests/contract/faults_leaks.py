"""What a test may not leave behind: descriptors, threads, noise."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any


def descriptors() -> dict[str, str]:
    """Return the open file descriptors of this process, and what each one is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists the directory
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return {number: what for number, what in found.items() if not what.startswith("/proc/")}


def eventually(condition: Callable[[], Any], seconds: float = 5) -> Any:
    """Return what *condition* gives as soon as it is true, or what it gives at last."""
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.001)
    return result


@contextlib.contextmanager
def no_noise() -> Iterator[list[str]]:
    """Fail if a destructor raises or warns: ResourceWarning, "never awaited", "exception ignored in"."""
    noise: list[str] = []

    def note(unraisable: Any) -> None:
        noise.append(f"{unraisable.exc_value!r} in {unraisable.object!r}: {unraisable.err_msg}")

    before = sys.unraisablehook
    sys.unraisablehook = note
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield noise
            gc.collect()
    finally:
        sys.unraisablehook = before
    assert not noise, "\n".join(noise)


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Fail if there are more descriptors or threads afterwards than before, or noise in between."""
    gc.collect()
    threads, open_before = set(threading.enumerate()), descriptors()
    with no_noise():
        yield

    def new_threads() -> list[threading.Thread]:
        # Those of trio's are kept for the next one who needs a thread, for ten seconds.
        new = set(threading.enumerate()) - threads
        return [thread for thread in new if not thread.name.startswith("Trio thread")]

    def new_descriptors() -> dict[str, str]:
        # A peer hears of the end of a connection just before its descriptor is closed.
        return {number: what for number, what in descriptors().items() if open_before.get(number) != what}

    eventually(lambda: not new_threads())
    assert not new_threads(), f"threads left: {new_threads()}"
    eventually(lambda: not new_descriptors())
    assert not new_descriptors(), f"descriptors left: {new_descriptors()}"
