"""Tests here are coroutine functions as well; each runs in a loop of its own, and has to leave nothing behind in it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from .helpers import PATIENCE, Reports


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(_run(pyfuncitem.obj, arguments))
    return True


#: What event loops have complained of: exceptions that nobody awaits, callbacks that fail.
complaints: list[dict[str, Any]] = []


async def _run(test: Any, arguments: dict[str, Any]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    await test(**arguments)
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        assert asyncio.get_running_loop().time() < deadline, f"tasks are left behind: {left}"
        await asyncio.sleep(0.002)


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_behind() -> Iterator[None]:
    """What a module's tests dropped without closing, or awaiting, shows up here."""
    yield
    gc.collect()
    left, complaints[:] = list(complaints), []
    assert left == []


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture(params=["client", "server"])
def side(request: pytest.FixtureRequest) -> str:
    """Which side of a connection is tested: reads and writes are the same on both."""
    kind: str = request.param
    return kind


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog
