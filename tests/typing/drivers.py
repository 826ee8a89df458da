"""What type checkers see of a driver's calls over each flavour. Read by mypy and pyright, never run."""

from __future__ import annotations

import datetime
from concurrent.futures import Future
from typing import Any

from typing_extensions import assert_type

from instruments.base import Driver
from instruments.cryocon import Channel, CryoCon, Curve, Group, Identity, Loop, driver
from instruments.cryocon.flavours import (
    BlockingChannel,
    BlockingCryoCon,
    BlockingLoop,
    BlockingSensor,
    FuturesChannel,
    FuturesCryoCon,
    FuturesLoop,
    FuturesSensor,
)
from sockio import aio, futures, sio, trio
from sockio.stream import Stream


def blocking(stream: sio.Stream) -> None:
    cryo = CryoCon(sio.TCP("host", 5000), "AB", loops=[1], setup=True)
    assert_type(cryo, BlockingCryoCon)
    assert_type(cryo.idn(), str)
    assert_type(cryo.summary(), str)
    assert_type(cryo.date("01/31/2024"), datetime.date)
    assert_type(cryo.reset(), None)
    assert_type(cryo.identity, Identity | None)
    assert_type(CryoCon(stream).control(True), bool)
    assert_type(CryoCon(conn=sio.Serial("COM3")).fan_speed(), float | None)
    assert_type(CryoCon(sio.socket_for_url("tcp://host:1")).idn(), str)
    assert_type(CryoCon(sio.BlockingTCP("host", 1)).idn(), str)
    cryo.io_period = 0.2


def blocking_parts(cryo: BlockingCryoCon, key: str | int) -> None:
    assert_type(cryo["A"], BlockingChannel)
    assert_type(cryo[1], BlockingLoop)
    assert_type(cryo["A"].temperature(), float | None)
    assert_type(cryo["A"].id, str)
    assert_type(cryo[1].set_point(4.2), float | None)
    assert_type(cryo[1].autotune.status(), str)
    assert_type(cryo.channels, dict[str, BlockingChannel])
    assert_type(cryo.curves[1].read(), Curve)
    assert_type(cryo.sensor(2), BlockingSensor)
    assert_type(cryo.sensor(2).entries(), int | None)
    assert_type(cryo.network.dhcp(False), bool)
    with cryo as group:
        cryo["A"].temperature()
    assert_type(group, Group)
    assert_type(group.replies, list[Any])


def with_futures(stream: futures.Stream) -> None:
    cryo = CryoCon(sio.TCP("host", 5000, resolve_futures=False), "AB", setup=True)
    assert_type(cryo, FuturesCryoCon)
    assert_type(cryo.idn(), Future[str])
    assert_type(cryo.reset(), Future[None])
    assert_type(cryo["A"], FuturesChannel)
    assert_type(cryo[1], FuturesLoop)
    assert_type(cryo["A"].temperature(), Future[float | None])
    assert_type(cryo[1].autotune.status(), Future[str])
    assert_type(cryo.curves[1].read(), Future[Curve])
    assert_type(cryo.sensor(2), FuturesSensor)
    assert_type(cryo.identity, Identity | None)
    with cryo as group:
        assert_type(group, Group)
    assert_type(CryoCon(stream).idn(), Future[str])
    assert_type(CryoCon(futures.Unix("/run/x")).idn(), Future[str])


async def awaited(stream: Stream) -> None:
    cryo = CryoCon(aio.TCP("host", 5000), "AB", setup=True)
    assert_type(cryo, CryoCon)
    assert_type(await cryo.idn(), str)
    assert_type(await cryo.summary(), str)
    assert_type(cryo["A"], Channel)
    assert_type(cryo[1], Loop)
    assert_type(await cryo["A"].temperature(), float | None)
    assert_type(await cryo[1].set_point(4.2), float | None)
    assert_type(await cryo.curves[1].read(), Curve)
    async with cryo as group:
        assert_type(group, Group)
    assert_type(await CryoCon(trio.Serial("COM3")).idn(), str)
    assert_type(await CryoCon(stream).idn(), str)
    assert_type(await CryoCon(cryo).idn(), str)


class Gateway:
    """A foreign object whose calls block."""

    def write_readline(self, request: bytes) -> bytes:
        return request

    def write(self, data: bytes) -> int:
        return len(data)


class AsyncGateway:
    """A foreign object with coroutine functions."""

    async def write_readline(self, data: bytes, timeout: float = 1) -> bytes:
        return data

    async def write(self, data: bytes) -> None:
        pass


async def foreign() -> None:
    assert_type(CryoCon(Gateway()), BlockingCryoCon)
    assert_type(CryoCon(Gateway()).idn(), str)
    assert_type(await CryoCon(AsyncGateway())["A"].temperature(), float | None)


class Cryostat(driver.CryoCon):
    """Derived from the driver, checkers know its coroutines alone."""

    async def cold(self) -> bool:
        return (await self["A"].temperature() or 300) < 4


class Thermometer(Driver):
    async def temperature(self) -> float:
        return float(await self.link.write_readline(b"TEMP?\n"))


async def own(conn: Any) -> None:
    assert_type(await Cryostat(aio.TCP("host", 1)).cold(), bool)
    assert_type(await Thermometer(aio.TCP("host", 1)).temperature(), float)
    assert_type(await CryoCon(Thermometer(conn)).idn(), str)
