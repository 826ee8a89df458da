"""Every runtime keeps the contract that the core relies on."""

from __future__ import annotations

import asyncio

import pytest
import trio

from sockio.runtimes import current
from sockio.runtimes.asyncio import AsyncioRuntime
from sockio.runtimes.blocking import BlockingRuntime, run
from sockio.runtimes.trio import TrioRuntime
from sockio.testing import RuntimeContract


class TestAsyncio(RuntimeContract):
    runtime = AsyncioRuntime()

    def execute(self, function):
        asyncio.run(function())


class TestTrio(RuntimeContract):
    runtime = TrioRuntime()

    def execute(self, function):
        trio.run(function)


class TestBlocking(RuntimeContract):
    runtime = BlockingRuntime()

    def execute(self, function):
        run(function())


def test_the_current_runtime_is_that_of_the_calling_task():
    async def name() -> str:
        return current().name

    assert asyncio.run(name()) == "asyncio"
    assert trio.run(name) == "trio"
    with pytest.raises(RuntimeError, match="asyncio or trio"):
        current()


def test_a_coroutine_that_waits_for_something_else_is_an_error_where_calls_block():
    async def stray() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="does not know"):
        run(stray())
