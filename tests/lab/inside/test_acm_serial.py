"""A USB serial port that is unplugged in mid-exchange, and found again by what it is when it is plugged back."""

from __future__ import annotations

import asyncio
import glob
import inspect
import os
import select
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

sys.path.insert(0, str(Path(__file__).parent))
from usb_gadget import Gadget

from sockio import aio, sio
from sockio import trio as on_trio
from sockio.runtimes import blocking

#: Patience: everything is emulated.
LONG = 30.0

URL = "serial://?vid=1209&pid=0002&sn=ACM1"

pytestmark = pytest.mark.timeout(180)


class SerialDevice(Gadget):
    """An instrument at a USB serial port, which answers lines; "WAIT?" is never answered.

    Attributes:
        received: the lines.
        waits: set by "WAIT?".
    """

    def __init__(self) -> None:
        super().__init__("acm", "acm.0", 0x0002, "ACM1", 3, {})
        self.received: list[bytes] = []
        self.waits = threading.Event()
        self._thread: threading.Thread | None = None

    def plug(self) -> None:
        super().plug()
        self._stop, self._stopped = os.pipe()
        number = os.open(glob.glob("/dev/ttyGS*")[0], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(number)
        self._thread = threading.Thread(target=self._serve, args=(number,))
        self._thread.start()

    def unplug(self) -> None:
        if self._thread is not None:
            os.close(self._stopped)
            self._thread.join()
            self._thread = None
            os.close(self._stop)
        super().unplug()

    def _serve(self, number: int) -> None:
        pending = b""
        try:
            while True:
                ready = select.select([number, self._stop], [], [])[0]
                if self._stop in ready:
                    return
                *lines, pending = (pending + os.read(number, 4096)).split(b"\n")
                for line in lines:
                    self._answer(number, line)
        except OSError:
            pass  # unplugged
        finally:
            os.close(number)

    def _answer(self, number: int, line: bytes) -> None:
        self.received.append(line)
        if line == b"WAIT?":
            os.write(number, b"half an ans")
            self.waits.set()
        else:
            os.write(number, line + b" is what was asked\n")


@pytest.fixture(scope="module")
def device() -> Iterator[SerialDevice]:
    with SerialDevice() as device:
        assert isinstance(device, SerialDevice)
        yield device


async def value(result: Any) -> Any:
    if inspect.isawaitable(result):
        return await result
    return result.result(LONG) if hasattr(result, "add_done_callback") else result


def run_trio(coroutine: Any) -> Any:
    async def main() -> Any:
        return await coroutine

    return trio.run(main)


FLAVOURS: dict[str, Any] = {
    "asyncio": (asyncio.run, aio.Serial, {}),
    "trio": (run_trio, on_trio.Serial, {}),
    "blocking": (blocking.run, sio.Serial, {}),
    "futures": (blocking.run, sio.Serial, {"resolve_futures": False}),
}


@pytest.mark.parametrize("flavour", list(FLAVOURS))
def test_unplugged_in_the_middle_of_an_exchange(flavour: str, device: SerialDevice) -> None:
    run, Serial, options = FLAVOURS[flavour]

    async def main() -> None:
        port = Serial(URL, timeout=LONG, **options)
        assert await value(port.write_readline(b"first\n")) == b"first is what was asked\n"
        device.waits.clear()
        device.received.clear()
        thread = threading.Thread(target=lambda: (device.waits.wait(LONG), device.unplug()))
        thread.start()
        with pytest.raises(OSError, match=r"gone|lost|end|reset|closed"):
            await value(port.write_readline(b"WAIT?\n"))
        thread.join()
        with pytest.raises(OSError, match="no such adapter"):
            await value(port.write_readline(b"nobody there\n"))
        device.plug()
        assert await value(port.write_readline(b"second\n")) == b"second is what was asked\n"
        assert device.received == [b"WAIT?", b"second"], "nothing is sent twice"
        # Somebody holds the old name: it comes back under another one.
        holder = os.open(glob.glob("/dev/ttyACM*")[0], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        device.unplug()
        device.plug()
        assert await value(port.write_readline(b"third\n")) == b"third is what was asked\n"
        os.close(holder)
        await value(port.close())

    run(main())


def test_the_link_says_that_it_is_gone(device: SerialDevice) -> None:
    lost: list[Any] = []

    async def main() -> None:
        port = aio.Serial(URL, timeout=LONG, on_connection_lost=lost.append)
        await port.open()
        assert port.connected()
        device.unplug()
        end = asyncio.get_running_loop().time() + LONG
        while not lost:
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.05)
        assert not port.connected()
        device.plug()
        assert await port.write_readline(b"back\n") == b"back is what was asked\n"
        await port.close()

    asyncio.run(main())
