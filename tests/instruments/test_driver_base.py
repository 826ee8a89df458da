"""Drivers of one's own: one class, and what its calls give on every kind of connection."""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from instruments.base import Driver, operation
from sockio import aio, sio
from sockio import trio as sockio_trio


class Output(Driver):
    """A part of an instrument."""

    def __init__(self, owner: Driver, number: int) -> None:
        super().__init__(owner)
        self.number = number

    async def echo(self) -> str:
        """Return what the instrument is."""
        return f"{self.number} {(await self.link.write_readline(b'*IDN?' + bytes([10]))).decode().strip()}"


class Supply(Driver):
    """An instrument that answers ``*IDN?``."""

    limit = 1.0

    def __init__(self, conn: Any, outputs: int = 2) -> None:
        super().__init__(conn)
        self.outputs = {number: Output(self, number) for number in range(1, outputs + 1)}
        self.states: list[str] = []

    def __getitem__(self, number: int) -> Output:
        return self.outputs[number]

    @property
    def first(self) -> Output:
        return self.outputs[1]

    async def idn(self) -> str:
        """Return who it is."""
        return (await self.link.write_readline(b"*IDN?\n")).decode().strip()

    @operation
    def idn_plainly(self, prefix: str = "") -> Awaitable[str]:
        return self._prefixed(prefix)

    async def _prefixed(self, prefix: str) -> str:
        return prefix + await self.idn()

    async def all(self) -> list[str]:
        return [await self.idn(), await self.outputs[2].echo(), await self[1].echo(), await self.idn_plainly("x")]

    async def readings(self, n: int) -> AsyncIterator[str]:
        for i in range(n):
            yield f"{i} {await self.idn()}"

    @asynccontextmanager
    async def switched_on(self) -> AsyncIterator[str]:
        self.states.append(await self.idn())
        try:
            yield "on"
        finally:
            self.states.append("off")

    async def __aenter__(self) -> Supply:
        self.states.append(await self.idn())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.states.append("left")

    def is_plain(self) -> bool:
        return True


class Programmable(Supply):
    """A driver derived from another one."""

    async def idn(self) -> str:
        return "programmable " + await super().idn()


IDN = "Cryo-con,24C,204683,1.01A"
ALL = [IDN, f"2 {IDN}", f"1 {IDN}", f"x{IDN}"]


def check_blocking(supply: Any) -> None:
    assert supply.idn() == IDN
    assert supply.idn_plainly("a ") == f"a {IDN}"
    assert supply.all() == ALL
    assert supply[1].echo() == supply.outputs[1].echo() == supply.first.echo() == f"1 {IDN}"
    assert list(supply.readings(2)) == [f"0 {IDN}", f"1 {IDN}"]
    with supply.switched_on() as state:
        assert state == "on"
    with supply as entered:
        assert entered is supply
    assert supply.states == [IDN, "off", IDN, "left"]
    assert supply.is_plain()


async def check_async(supply: Supply) -> None:
    assert await supply.idn() == IDN
    assert await supply.idn_plainly("a ") == f"a {IDN}"
    assert await supply.all() == ALL
    assert await supply[1].echo() == await supply.first.echo() == f"1 {IDN}"
    assert [reading async for reading in supply.readings(2)] == [f"0 {IDN}", f"1 {IDN}"]
    async with supply.switched_on() as state:
        assert state == "on"
    async with supply as entered:
        assert entered is supply
    assert supply.states == [IDN, "off", IDN, "left"]
    assert supply.is_plain()


def test_blocking(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port)
    check_blocking(Supply(conn))
    conn.close()


def test_blocking_inside_a_running_event_loop(port: int) -> None:
    async def main() -> None:
        conn = sio.TCP("127.0.0.1", port)
        check_blocking(Supply(conn))
        conn.close()

    asyncio.run(main())


def test_asyncio(port: int) -> None:
    async def main() -> None:
        conn = aio.TCP("127.0.0.1", port)
        await check_async(Supply(conn))
        await conn.close()

    asyncio.run(main())


def test_trio(port: int) -> None:
    async def main() -> None:
        conn = sockio_trio.TCP("127.0.0.1", port)
        await check_async(Supply(conn))
        await conn.close()

    trio.run(main)


def test_futures(port: int) -> None:
    conn = sio.TCP("127.0.0.1", port, resolve_futures=False)
    supply: Any = Supply(conn)
    future = supply.idn()
    assert isinstance(future, Future)
    assert future.result(10) == IDN
    assert supply.all().result(10) == ALL
    assert supply[1].echo().result(10) == f"1 {IDN}"
    assert list(supply.readings(2)) == [f"0 {IDN}", f"1 {IDN}"]
    with supply.switched_on() as state:
        assert state == "on"
    with supply as entered:
        assert entered is supply
    assert supply.states == [IDN, "off", IDN, "left"]
    conn.close().result(10)


def test_foreign_object_that_blocks(wire: Any) -> None:
    check_blocking(Supply(wire))


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)])
def test_foreign_object_with_coroutines(run: Any, async_wire: Any) -> None:
    run(check_async(Supply(async_wire)))


def test_a_driver_derived_from_a_driver(wire: Any) -> None:
    supply: Any = Programmable(wire)
    assert supply.idn() == f"programmable {IDN}"
    assert supply.all()[3] == f"xprogrammable {IDN}"
    assert isinstance(supply, Programmable)


def test_attributes_are_those_of_the_driver(wire: Any) -> None:
    supply: Any = Supply(wire, outputs=3)
    assert supply.conn is wire
    assert supply.limit == 1.0
    supply.limit = 2.0
    assert supply.limit == 2.0
    assert Supply.limit == 1.0
    assert supply[3] is supply.outputs[3]
    assert supply[3].number == 3
    with pytest.raises(KeyError):
        supply[4]
    assert not hasattr(supply, "nothing")


def test_a_twin_says_what_its_calls_give(wire: Any) -> None:
    supply = Supply(wire)
    assert repr(supply) == "Supply(Wire)"
    assert supply.idn.__doc__ == "Return who it is."
    assert inspect.signature(supply.idn_plainly).return_annotation == "str"
    assert not inspect.iscoroutinefunction(supply.idn)
    assert type(supply).__doc__ == Supply.__doc__


def test_async_with_on_a_blocking_driver_says_what_to_write(wire: Any) -> None:
    async def main() -> None:
        async with Supply(wire):
            pass

    with pytest.raises(TypeError, match="write `with`"):
        asyncio.run(main())


@pytest.mark.parametrize("conn", [None, "tcp://localhost:5000", object(), 5000])
def test_what_is_no_connection_is_refused(conn: Any) -> None:
    with pytest.raises(TypeError, match="write_readline"):
        Supply(conn)


def test_no_connection_at_all_is_refused() -> None:
    with pytest.raises(TypeError, match="first argument"):
        Supply()  # type: ignore[call-arg]


def test_slots_and_deriving_from_twins_are_refused(wire: Any) -> None:
    with pytest.raises(TypeError, match="__slots__"):
        type("Slotted", (Driver,), {"__slots__": ("value",)})
    twin = type(Supply(wire))
    with pytest.raises(TypeError, match="derive"):
        type("Derived", (twin,), {})


def test_exchanges_of_threads_never_mix() -> None:
    class Slow:
        busy = 0
        worst = 0

        def write_readline(self, data: bytes) -> bytes:
            self.busy += 1
            self.worst = max(self.worst, self.busy)
            time.sleep(0.002)
            self.busy -= 1
            return data

        def write(self, data: bytes) -> None:
            raise AssertionError

    conn = Slow()
    # Two drivers over one connection share its lock.
    supplies: list[Any] = [Supply(conn), Supply(conn)]
    threads = [threading.Thread(target=supply.idn) for supply in supplies * 10]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conn.worst == 1


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)])
def test_exchanges_of_tasks_never_mix(run: Any) -> None:
    class Slow:
        busy = 0
        worst = 0

        async def write_readline(self, data: bytes) -> bytes:
            self.busy += 1
            self.worst = max(self.worst, self.busy)
            for _ in range(5):
                await checkpoint()
            self.busy -= 1
            return data

        async def write(self, data: bytes) -> None:
            raise AssertionError

    async def checkpoint() -> None:
        if run is asyncio.run:
            await asyncio.sleep(0)
        else:
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        conn = Slow()
        supplies = [Supply(conn), Supply(conn)] * 5
        if run is asyncio.run:
            await asyncio.gather(*(supply.idn() for supply in supplies))
        else:
            async with trio.open_nursery() as nursery:
                for supply in supplies:
                    nursery.start_soon(supply.idn)
        assert conn.worst == 1

    run(main())


def test_a_foreign_object_serves_one_event_loop_after_the_other(async_wire: Any) -> None:
    supply = Supply(async_wire)
    assert asyncio.run(supply.idn()) == IDN
    assert trio.run(supply.idn) == IDN
    assert asyncio.run(supply.idn()) == IDN


def test_the_example(port: int, root: Path) -> None:
    command = [sys.executable, "-m", "examples.own_driver", "127.0.0.1", str(port)]
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, timeout=30).stdout
    lines = [line.rsplit(" ", 1) for line in output.splitlines()]
    assert [identity for identity, _ in lines] == [IDN] * 3
    assert all(float(temperature) > 0 for _, temperature in lines)


def test_dropping_the_driver_drops_the_connection(wire: Any) -> None:
    class Conn:
        def write_readline(self, data: bytes) -> bytes:
            return data

        def write(self, data: bytes) -> None:
            pass

    gc.disable()
    try:
        conn = Conn()
        reference = weakref.ref(conn)
        supply: Any = Supply(conn)
        assert supply[1].echo() == "1 *IDN?"
        del conn, supply
        assert reference() is None, "a reference cycle keeps the connection"
    finally:
        gc.enable()
