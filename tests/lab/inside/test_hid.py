"""HID devices through the kernel's hidraw and through hidapi, on every flavour; unplugged and plugged in again."""

from __future__ import annotations

import ast
import asyncio
import glob
import inspect
import multiprocessing
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hid
import hidraw as hidraw_module
import pytest
import trio

sys.path.insert(0, str(Path(__file__).parent))
from hid_devices import PLAIN, UsbDevice, UserDevice

from instruments import sio
from instruments.hid import HidDevice, HidDeviceInfo, NotPluggedInError, enumerate_hid_devices, hidapi
from instruments.hid.connection import HidConnection
from instruments.hid_nodes import hidapi_nodes
from sockio.errors import ConnectionTimeoutError, ProtocolError
from sockio.resource import HIDAddress
from sockio.runtimes import blocking

#: Patience: everything is emulated.
LONG = 30.0

INFO = HidDeviceInfo(0x1209, 0x0001, "sockio", "lab hid", "HID1")

pytestmark = pytest.mark.timeout(180)


def run_trio(coroutine: Any) -> Any:
    async def main() -> Any:
        return await coroutine

    return trio.run(main)


async def value(result: Any) -> Any:
    """Return what a call gives on any flavour."""
    if inspect.isawaitable(result):
        return await result
    return result.result(LONG) if hasattr(result, "add_done_callback") else result


class Flavour:
    """How calls are made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.run = {"asyncio": asyncio.run, "trio": run_trio}.get(name, blocking.run)

    def device(self, *args: Any, **options: Any) -> Any:
        options = {"timeout": LONG, **options}
        if self.name in ("asyncio", "trio"):
            return HidDevice(*args, **options)
        return sio.HidDevice(*args, resolve_futures=self.name == "blocking", **options)


@pytest.fixture(params=["asyncio", "trio", "blocking", "futures"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return Flavour(request.param)


@pytest.fixture(scope="module")
def usb() -> Iterator[UsbDevice]:
    with UsbDevice() as device:
        assert isinstance(device, UsbDevice)
        yield device


def appears(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def user() -> Iterator[UserDevice]:
    with UserDevice() as device:
        appears(lambda: hidraw_module.enumerate(0x1209, 0x0077))
        yield device


def test_others_see_it_as_we_do(usb: UsbDevice) -> None:
    assert asyncio.run(enumerate_hid_devices()) == [INFO]
    assert sio.enumerate_hid_devices() == [INFO]
    assert sio.ComSrv().list_hid_devices() == [INFO]
    assert [node.info for node in hidapi_nodes()] == [INFO]
    for module in (hid, hidraw_module):
        (found,) = module.enumerate(0x1209, 0x0001)
        assert (found["product_string"], found["serial_number"]) == ("lab hid", "HID1")


@pytest.mark.parametrize("flavour", ["asyncio", "trio", "blocking"])
def test_the_guide(flavour: str) -> None:
    """What docs/hid.md says, as it is written; where calls block, without the waiting."""
    document = Path(__file__).parents[3] / "docs/hid.md"
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE))
    assert "HidDevice(0x0483, 0x5750)" in code
    if flavour == "blocking":
        code = code.replace("await ", "").replace("from instruments.hid", "from instruments.sio.hid")
    printed: list[Any] = []

    def show(what: Any) -> None:
        printed.append(what)
        if isinstance(what, HidDeviceInfo):  # it is open now
            device.send(bytes(range(64)))

    names: dict[str, Any] = {"print": show}
    compiled = compile(code, str(document), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def main() -> None:
        result = eval(compiled, names)
        if inspect.isawaitable(result):
            await result

    with UserDevice("GUIDE", 0x0483, 0x5750, PLAIN) as device:
        appears(lambda: hidraw_module.enumerate(0x0483, 0x5750))
        {"asyncio": asyncio.run, "trio": run_trio}.get(flavour, blocking.run)(main())
        appears(lambda: device.received)
    info = HidDeviceInfo(0x0483, 0x5750, None, "sockio user device", "GUIDE")
    assert info in printed[0]
    assert printed[1] == info
    assert device.received == [b"\x00" + bytes(64)]
    assert names["report"] == bytes(range(64))


def test_reports_there_and_back(flavour: Flavour, usb: UsbDevice) -> None:
    async def main() -> None:
        device = flavour.device(0x1209, 0x0001)
        assert await value(device.get_info()) == INFO
        for number in range(20):
            await value(device.write(bytes([0, number]) + b"PING" + bytes(59)))
            assert usb.receive() == bytes([number]) + b"PING" + bytes(59)
            usb.send(bytes([number]) + b"PONG" + bytes(59))
            assert await value(device.read(timeout_ms=1000 * LONG)) == bytes([number]) + b"PONG" + bytes(59)
        await value(device.drop())

    flavour.run(main())


def test_hidapi_at_our_side_of_the_cable(usb: UsbDevice) -> None:
    """What a program with hidapi sends and gets is what we send and get."""
    for module in (hid, hidraw_module):
        other = module.device()
        (found,) = module.enumerate(0x1209, 0x0001)
        other.open_path(found["path"])
        assert other.write(b"\0" + b"SAME" + bytes(60)) == 65
        assert usb.receive() == b"SAME" + bytes(60)
        usb.send(b"BACK" + bytes(60))
        assert bytes(other.read(64, 20000)) == b"BACK" + bytes(60)
        other.close()


@pytest.mark.parametrize(
    "arguments",
    [("hid::1209:0001",), ("hid::1209:0001::HID1",), (0x1209, 1, "HID1")],
    ids=["numbers", "serial", "args"],
)
def test_names_of_it(usb: UsbDevice, arguments: tuple[Any, ...]) -> None:
    device = sio.HidDevice(*arguments, timeout=LONG)
    assert device.get_info() == INFO
    device.drop()
    by_path = sio.HidDevice(path=glob.glob("/dev/hidraw*")[0], timeout=LONG)
    assert by_path.get_info() == INFO
    by_path.drop()


def test_another_ones_serial_number(usb: UsbDevice) -> None:
    with pytest.raises(NotPluggedInError, match="HID1") as caught:
        sio.HidDevice("hid::1209:0001::HID2").get_info()
    assert isinstance(caught.value, ConnectionError)


def test_nothing_comes(flavour: Flavour, usb: UsbDevice) -> None:
    async def main() -> None:
        device = flavour.device(0x1209, 0x0001)
        await value(device.connect())
        for _ in range(2):
            with pytest.raises(ConnectionTimeoutError, match=r"hid::1209:0001: read timed out after 0\.[01]"):
                await value(device.read(timeout_ms=100))
        usb.send(b"late".ljust(64, b"\0"))
        assert (await value(device.read(timeout=LONG))).startswith(b"late")
        await value(device.drop())

    flavour.run(main())


def test_wrong_sizes(flavour: Flavour, usb: UsbDevice) -> None:
    async def main() -> None:
        device = flavour.device(0x1209, 0x0001)
        for data in (b"", b"\0", bytes(64), bytes(66), b"\x01" + bytes(64)):
            with pytest.raises(ValueError, match="expected an output report of 65 bytes that begin with 0x00"):
                await value(device.write(data))
        # Newer kernels drop a report that is too short, older ones pass it on.
        usb.send(b"short")
        usb.send(b"whole".ljust(64, b"\0"))
        report = b""
        while not report:
            try:
                report = await value(device.read(timeout=LONG))
            except ProtocolError as error:
                assert error.data == b"short"  # noqa: PT017
        assert report == b"whole".ljust(64, b"\0")
        with pytest.raises(ValueError, match="there is no feature report 0; expected no feature report"):
            await value(device.get_feature_report())
        await value(device.drop())

    flavour.run(main())


def test_unplugged_and_plugged_in_again(flavour: Flavour, usb: UsbDevice) -> None:
    async def main() -> None:
        device = flavour.device(0x1209, 0x0001)
        await value(device.connect())
        thread = threading.Timer(0.5, usb.unplug)
        thread.start()
        with pytest.raises(ConnectionError, match="unplugged"):
            await value(device.read(timeout=LONG))
        thread.join()
        for call in (device.get_info, device.read, lambda: device.write(bytes(65))):
            with pytest.raises(ConnectionError, match="no such HID device is plugged in"):
                await value(call())
        usb.plug()
        await value(device.write(b"\0" + b"again" + bytes(59)))
        assert usb.receive() == b"again" + bytes(59)
        # Somebody who holds the old device file open: the new one has another name.
        with open(glob.glob("/dev/hidraw*")[0], "rb", buffering=0):  # noqa: ASYNC230  waits for nothing
            usb.unplug()
            usb.plug()
            usb.send(b"found".ljust(64, b"\0"))
            with pytest.raises(ConnectionTimeoutError):  # it had not been opened when that was sent
                await value(device.read(timeout_ms=500))
            usb.send(b"found".ljust(64, b"\0"))
            assert (await value(device.read(timeout=LONG))).startswith(b"found")
        await value(device.drop())

    flavour.run(main())


def test_dropped_while_somebody_reads(usb: UsbDevice) -> None:
    async def main() -> None:
        device = HidDevice(0x1209, 0x0001)
        reading = asyncio.ensure_future(device.read(timeout_ms=None))
        await asyncio.sleep(0.4)
        assert not reading.done()
        await device.drop()
        with pytest.raises(ConnectionError, match="closed"):
            await reading
        reading = asyncio.ensure_future(device.read(timeout_ms=None))
        await asyncio.sleep(0.4)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        usb.send(b"next".ljust(64, b"\0"))
        assert (await device.read(timeout=LONG)).startswith(b"next")
        await device.drop()

    asyncio.run(main())


def test_a_forked_child_leaves_the_parent_alone(usb: UsbDevice) -> None:
    """It opens the device for itself, and who waits in the parent goes on waiting."""

    def use(device: Any) -> None:
        assert device.get_info() == INFO
        device.drop()

    device = sio.HidDevice(0x1209, 0x0001, timeout=LONG)
    device.connect()
    child = multiprocessing.get_context("fork").Process(target=use, args=(device,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of newer versions of Python: there are threads
        child.start()
    child.join(LONG)
    assert child.exitcode == 0
    before = time.thread_time()
    with pytest.raises(ConnectionTimeoutError):
        device.read(timeout_ms=1000)
    assert time.thread_time() - before < 0.5
    usb.send(b"still".ljust(64, b"\0"))
    assert device.read(timeout=LONG).startswith(b"still")
    device.drop()


def test_waiting_costs_nothing(usb: UsbDevice) -> None:
    """No looking again and again: a loop that waits for a report for a second hardly goes round."""

    async def main() -> None:
        device = HidDevice(0x1209, 0x0001, timeout=LONG)
        await device.connect()
        loop = asyncio.get_running_loop()
        rounds = 0
        select = loop._selector.select  # type: ignore[attr-defined]

        def count(timeout: Any = None) -> Any:
            nonlocal rounds
            rounds += 1
            return select(timeout)

        loop._selector.select = count  # type: ignore[attr-defined]
        with pytest.raises(ConnectionTimeoutError):
            await device.read(timeout_ms=1000)
        assert rounds < 10
        await device.drop()

    asyncio.run(main())


def test_ids_and_feature_reports(flavour: Flavour, user: UserDevice) -> None:
    async def main() -> None:
        device = flavour.device(0x1209, 0x0077)
        assert await value(device.get_info()) == HidDeviceInfo(0x1209, 0x77, None, "sockio user device", "UH1")
        await value(device.write(b"\x02" + bytes(range(32))))
        assert await value(device.read(timeout=LONG)) == b"\x01" + bytes(range(32))[::-1]
        await value(device.send_feature_report(b"\x03FEATURES"))
        assert user.feature == b"FEATURES"
        assert await value(device.get_feature_report(3)) == b"\x03FEATURES"
        for number in (0, 1, 4):
            with pytest.raises(ValueError, match=r"expected a feature report of 9 bytes that begin with 0x03"):
                await value(device.get_feature_report(number))
            with pytest.raises(ValueError, match=r"expected a feature report of 9 bytes that begin with 0x03"):
                await value(device.send_feature_report(bytes([number]) + bytes(8)))
        with pytest.raises(ValueError, match=r"expected an output report of 33 bytes that begin with 0x02"):
            await value(device.write(b"\x01" + bytes(32)))
        user.answers = False
        with pytest.raises(ProtocolError, match="feature report of 9 bytes, got 7"):
            await value(device.get_feature_report(3))
        user.send(b"\x01" + bytes(40))
        with pytest.raises(ProtocolError, match=r"expected an input report of 33 bytes .* 0x01, got 41") as caught:
            await value(device.read(timeout=LONG))
        assert caught.value.data == b"\x01" + bytes(40)
        user.unplug()
        with pytest.raises(ConnectionError):
            await value(device.read(timeout=LONG))

    flavour.run(main())


def test_two_without_serial_numbers() -> None:
    """Neither is taken for the other."""
    with UserDevice("", product=0x0078), UserDevice("", product=0x0078):
        appears(lambda: len(hidraw_module.enumerate(0x1209, 0x0078)) == 2)
        assert len([info for info in sio.enumerate_hid_devices() if info.pid == 0x0078]) == 2
        with pytest.raises(OSError, match=r"give the path: there are /dev/hidraw.*, /dev/hidraw"):
            sio.HidDevice(0x1209, 0x0078).get_info()


def test_two_of_a_kind(user: UserDevice) -> None:
    with UserDevice("UH2"):
        appears(lambda: len(hidraw_module.enumerate(0x1209, 0x0077)) == 2)
        with pytest.raises(OSError, match="give the serial number: there are"):
            sio.HidDevice(0x1209, 0x0077).get_info()
        device = sio.HidDevice(0x1209, 0x0077, "UH2", timeout=LONG)
        assert device.get_info().serial_number == "UH2"
        device.drop()


@pytest.mark.parametrize("name", ["asyncio", "blocking"])
def test_through_hidapi(usb: UsbDevice, name: str) -> None:
    """What other systems use, here with hidapi over libusb."""

    async def main() -> None:
        if name == "asyncio":
            from sockio.runtimes.asyncio import runtime
        else:
            from sockio.runtimes.blocking import runtime  # type: ignore[assignment]
        connection = HidConnection(HIDAddress(0x1209, 0x0001), runtime, "hidapi")
        await connection.open(LONG)
        assert (await connection.info(LONG)) == INFO
        await connection.write(b"\0" + b"PING" + bytes(60), LONG)
        assert usb.receive() == b"PING" + bytes(60)
        usb.send(b"PONG" + bytes(60))
        assert await connection.read(LONG) == b"PONG" + bytes(60)
        with pytest.raises(ValueError, match="65 bytes"):
            await connection.write(bytes(64), LONG)
        usb.send(b"short")
        with pytest.raises(ProtocolError, match="expected an input report of 64 bytes, got 5 bytes: 73 68 6f 72 74"):
            await connection.read(LONG)
        with pytest.raises(ConnectionTimeoutError):
            await connection.read(0.5)
        thread = threading.Timer(0.5, usb.unplug)
        thread.start()
        with pytest.raises(ConnectionError, match="unplugged"):
            await connection.read(LONG)
        thread.join()
        with pytest.raises(NotPluggedInError):
            await connection.write(bytes(65), LONG)
        usb.plug()
        await connection.write(b"\0" + b"again" + bytes(59), LONG)
        assert usb.receive() == b"again" + bytes(59)
        await connection.close()
        assert not connection.connected()

    Flavour(name).run(main())


def test_a_report_for_a_cancelled_call_of_hidapi(usb: UsbDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of it may still be waiting: what it gets is the next one's."""
    monkeypatch.setattr(hidapi, "LOOK", 2.0)

    async def main() -> None:
        from sockio.runtimes.asyncio import runtime

        connection = HidConnection(HIDAddress(0x1209, 0x0001), runtime, "hidapi")
        await connection.open(LONG)
        reading = asyncio.ensure_future(connection.read(None))
        await asyncio.sleep(0.5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        for word in (b"first", b"second"):
            usb.send(word.ljust(64, b"\0"))
        assert (await connection.read(LONG)).startswith(b"first")
        assert (await connection.read(LONG)).startswith(b"second")
        await connection.close()

    asyncio.run(main())


def test_feature_reports_through_hidapi(user: UserDevice) -> None:
    """It says the same of a device that does not answer and of one that has gone."""
    (node,) = [node for node in hidapi_nodes("hidraw") if node.info.serial_number == "UH1"]
    device = hidapi.HidapiDevice(node, "hidraw")
    device.send_feature(b"\x03FEATURES")
    assert device.get_feature(3, 8) == b"\x03FEATURES"
    user.fails = True
    with pytest.raises(OSError, match="does not give feature report 3") as caught:
        device.get_feature(3, 8)
    assert not isinstance(caught.value, ConnectionError)
    user.unplug()
    appears(lambda: not hidraw_module.enumerate(0x1209, 0x0077))
    for call in (lambda: device.get_feature(3, 8), lambda: device.send_feature(b"\x03FEATURES")):
        with pytest.raises(ConnectionError, match="unplugged"):
            call()
    device.close()
