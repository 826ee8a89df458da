"""What type checkers see of calls on what is made from a resource string. Read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import aclosing, closing
from typing import Any

from numpy.typing import NDArray
from typing_extensions import assert_type

import instruments
from instruments import ByteStreamPipe, CobsStream, ComSrv, HidDeviceInfo, ScpiPipe, SerialScpiPipe, sio
from instruments.base import Standalone
from instruments.cryocon import CryoCon
from instruments.scpi import ErrorEntry, Instrument
from instruments.sigrok import Capture, SigrokDevice
from instruments.sio import FuturesScpiPipe, blocking
from instruments.sio import scpi as blocking_scpi
from instruments.sio.cryocon import CryoCon as SameCryoCon
from instruments.sio.pipe import BasePipe


def blocks() -> None:
    pipe = sio.ScpiPipe("tcp::host:5025", timeout=3, encoding="latin-1")
    assert_type(pipe, sio.ScpiPipe)
    assert_type(pipe.query("*IDN?"), str)
    assert_type(pipe.query("*IDN?", timeout=None), str)
    assert_type(pipe.write(b"*RST"), None)
    assert_type(pipe.query_binary("WAV?"), bytes)
    assert_type(pipe.query_array("WAV?", "i2"), NDArray[Any])
    assert_type(pipe.connect(), sio.ScpiPipe)
    assert_type(pipe.locked, bool)
    assert_type(pipe.timeout, float | None)
    with pipe as entered:
        assert_type(entered, sio.ScpiPipe)
    serial = sio.SerialScpiPipe("serial::/dev/ttyUSB0", term="\r", resolve_futures=True)
    assert_type(serial, sio.SerialScpiPipe)
    assert_type(serial.term, str)
    assert_type(serial.query("*IDN?"), str)
    base: BasePipe = serial
    assert_type(base.drop(), None)
    assert_type(sio.ByteStreamPipe("tcp::host:1").read_line(), str)
    assert_type(sio.ByteStreamPipe("tcp::host:1").read_exact(3), bytes)
    assert_type(sio.ComSrv().list_hid_devices(), list[HidDeviceInfo])
    assert_type(blocking_scpi.ScpiPipe("tcp::host:1"), sio.ScpiPipe)


def blocks_while_frames_come(stream: sio.CobsStream) -> None:
    assert_type(stream.start(), sio.CobsStream)
    assert_type(stream.next(timeout=1), bytes)
    assert_type(iter(stream), Iterator[bytes])
    assert_type(stream.frames_lost, int)
    with sio.CobsStream("tcp::host:1", use_crc=True, on_error=print) as entered:
        for frame in entered:
            assert_type(frame, bytes)


def blocks_for_an_instrument(pipe: sio.SerialScpiPipe) -> None:
    scope = blocking_scpi.Instrument("vxi::host")
    assert_type(scope, blocking_scpi.Instrument)
    assert_type(scope.identifier(), str)
    assert_type(scope.errors(), list[ErrorEntry])
    assert_type(scope.pipe, sio.ScpiPipe)
    assert_type(blocking_scpi.Instrument(pipe).status_byte(), int)


def with_futures(given: FuturesScpiPipe) -> None:
    pipe = sio.ScpiPipe("tcp::host:5025", resolve_futures=False)
    assert_type(pipe, FuturesScpiPipe)
    assert_type(pipe.query("*IDN?"), Future[str])
    assert_type(pipe.connect(), Future[FuturesScpiPipe])
    assert_type(pipe.locked, bool)
    with pipe as entered:
        assert_type(entered, FuturesScpiPipe)
    assert_type(sio.SerialScpiPipe("serial::COM3", 13, resolve_futures=False).query("x"), Future[str])
    assert_type(sio.ByteStreamPipe("tcp::host:1", resolve_futures=False).read(3), Future[bytes])
    assert_type(sio.CobsStream("tcp::host:1", resolve_futures=False).next(), Future[bytes])
    assert_type(sio.ComSrv(resolve_futures=False).drop_all(), Future[None])
    scope = blocking_scpi.Instrument(given, resolve_futures=False)
    assert_type(scope, blocking_scpi.FuturesInstrument)
    assert_type(scope.pipe, FuturesScpiPipe)
    assert_type(scope.errors(), Future[list[ErrorEntry]])


async def awaited() -> None:
    pipe = ScpiPipe("tcp::host:5025")
    pending: Coroutine[Any, Any, str] = pipe.query("*IDN?")
    assert_type(await pending, str)
    assert_type(await pipe.connect(), ScpiPipe)
    assert_type(await instruments.ScpiPipe("tcp::host:5025").query("*IDN?"), str)
    async with SerialScpiPipe("serial::COM3") as serial:
        assert_type(serial, SerialScpiPipe)
    assert_type(await ByteStreamPipe("tcp::host:1").read(3), bytes)
    assert_type(await ComSrv().list_hid_devices(), list[HidDeviceInfo])
    async with CobsStream("tcp::host:1") as stream:
        async for frame in stream:
            assert_type(frame, bytes)
    scope = Instrument("vxi::host")
    assert_type(await scope.errors(), list[ErrorEntry])
    assert_type(scope.pipe, ScpiPipe)


async def streams(device: SigrokDevice) -> None:
    async with aclosing(device.stream(["D0"], 1e6)) as captures:
        async for capture in captures:
            assert_type(capture, Capture)
    with closing(sio.SigrokDevice("sigrok::demo").stream(["D0"], 1e6)) as pieces:
        for piece in pieces:
            assert_type(piece, Capture)


class Clock(Standalone):
    async def time(self) -> float:
        await self.link.sleep(0.1)
        return self.link.clock()


async def answer(factor: int = 1) -> int:
    return 42 * factor


def own() -> None:
    assert_type(blocking(answer)(factor=2), int)
    assert_type(blocking(Clock), Any)


def same(gateway: Any) -> None:
    assert SameCryoCon is CryoCon
