"""Which HID device is meant, and what happens where there is none. Devices themselves are in the virtual lab."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from instruments import hid_nodes, sio
from instruments.hid import HidDevice, HidDeviceInfo, NotPluggedInError, enumerate_hid_devices, hidapi, hidraw
from instruments.hid import connection as hid_connection
from instruments.hid.address import HidPath, address_of
from instruments.hid.connection import HidConnection, find
from instruments.hid.handle import Handle
from instruments.hid_nodes import Node, hidraw_nodes
from sockio.errors import ConnectionTimeoutError
from sockio.resource import HIDAddress, parse
from sockio.runtimes import blocking
from tests.instruments.pipe_flavours import FLAVOURS, Flavour

ONE = Node("/dev/hidraw0", HidDeviceInfo(0x1209, 1, "sockio", "lab", "A1"), "1-1")
SAME = Node("/dev/hidraw1", HidDeviceInfo(0x1209, 1, "sockio", "lab", "A1"), "1-1")
TWIN = Node("/dev/hidraw2", HidDeviceInfo(0x1209, 1, "sockio", "lab", "A2"), "1-2")
OTHER = Node("/dev/hidraw3", HidDeviceInfo(0x0483, 0x5750, None, None, None), "1-3")
LIKEWISE = Node("/dev/hidraw4", HidDeviceInfo(0x0483, 0x5750, None, None, None), "1-4")


@pytest.fixture(params=FLAVOURS, ids=lambda flavour: flavour.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.mark.parametrize(
    ("device", "address"),
    [
        (lambda: HidDevice(0x0483, 0x5750), "hid::0483:5750"),
        (lambda: HidDevice(0x0483, 0x5750, "SN1"), "hid::0483:5750::SN1"),
        (lambda: HidDevice(vid=0x0483, pid=0x5750), "hid::0483:5750"),
        (lambda: HidDevice("hid::0483:5750::SN1"), "hid::0483:5750::SN1"),
        (lambda: HidDevice(parse("hid::0483:5750")), "hid::0483:5750"),
        (lambda: HidDevice(path="/dev/hidraw0"), "hid::/dev/hidraw0"),
        (lambda: sio.HidDevice(0x0483, 0x5750), "hid::0483:5750"),
        (lambda: sio.HidDevice(path="/dev/hidraw0", resolve_futures=False), "hid::/dev/hidraw0"),
    ],
)
def test_names(device, address: str) -> None:  # type: ignore[no-untyped-def]
    """The vendor's number comes first."""
    made = device()
    assert made.address == address
    assert repr(made) == f"HidDevice('{address}')"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), TypeError),
        ((0x0483,), TypeError),
        ((None, 0x5750), TypeError),
        (("tcp::localhost:5025",), ValueError),
        (("hid::0483:5750", 0x5750), ValueError),
        ((0x10000, 1), ValueError),
        ((1, -1), ValueError),
    ],
)
def test_what_names_nothing(arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        HidDevice(*arguments)  # type: ignore[arg-type]


def test_a_path_and_numbers() -> None:
    with pytest.raises(ValueError, match="not both"):
        HidDevice(1, 2, path="/dev/hidraw0")


def test_an_address_by_path_can_be_pickled() -> None:
    address = address_of(None, None, None, "/dev/hidraw0")
    assert pickle.loads(pickle.dumps(address)) == address


def test_which_one_is_meant() -> None:
    there = [ONE, SAME, OTHER]
    assert find(HIDAddress(0x1209, 1), there) is ONE, "the first interface of a device with several"
    assert find(HIDAddress(0x1209, 1, "A2"), [*there, TWIN]) is TWIN
    assert find(HIDAddress(0x0483, 0x5750), there) is OTHER
    assert find(HidPath("/dev/hidraw1"), there) is SAME
    with pytest.raises(OSError, match=r"give the serial number: there are /dev/hidraw0 .*'A1'.*'A2'"):
        find(HIDAddress(0x1209, 1), [*there, TWIN])
    with pytest.raises(NotPluggedInError, match=r"there is /dev/hidraw0 \(1209:0001, serial number 'A1'\)") as caught:
        find(HIDAddress(0x1209, 2), there)
    assert isinstance(caught.value, ConnectionError)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(OSError, match=r"give the path: there are /dev/hidraw3 .*/dev/hidraw4"):
        find(HIDAddress(0x0483, 0x5750), [OTHER, LIKEWISE])
    assert find(HidPath("/dev/hidraw4"), [OTHER, LIKEWISE]) is LIKEWISE
    with pytest.raises(NotPluggedInError, match="none at all"):
        find(HIDAddress(0x1209, 2), [])


def test_devices_are_read_from_the_kernels_tree(tmp_path: Path) -> None:
    """A USB device of two interfaces, Bluetooth ones, one of them on a USB adapter, and one that is being unplugged."""
    usb = tmp_path / "devices/usb1/1-1"
    folder = tmp_path / "class"
    folder.mkdir()
    for number in (0, 1):
        device = usb / f"1-1:1.{number}" / f"0003:0483:5750.000{number}"
        device.mkdir(parents=True)
        (device / "uevent").write_text("DRIVER=hid-generic\nHID_ID=0003:00000483:00005750\nHID_NAME=x\nHID_UNIQ=\n")
        make(folder, f"hidraw{number}", device)
    for name, text in {"idVendor": "0483", "manufacturer": "ACME ", "product": "Meter", "serial": "SN1"}.items():
        (usb / name).write_text(f"{text}\n")
    pads = ["devices/virtual/0005:054C:0268.0003", "devices/usb1/1-1/1-1:1.2/bluetooth/hci0/0005:054C:0268.0004"]
    for number, place in zip((10, 11), pads, strict=True):
        bluetooth = tmp_path / place
        bluetooth.mkdir(parents=True)
        (bluetooth / "uevent").write_text("HID_ID=0005:0000054C:00000268\nHID_NAME=Pad\nHID_UNIQ=00:11\n")
        make(folder, f"hidraw{number}", bluetooth)
    make(folder, "hidraw2", tmp_path / "devices/gone")
    meter = HidDeviceInfo(0x0483, 0x5750, "ACME", "Meter", "SN1")
    pad = HidDeviceInfo(0x054C, 0x0268, None, "Pad", "00:11")
    assert hidraw_nodes(folder) == [
        Node("/dev/hidraw0", meter, str(usb)),
        Node("/dev/hidraw1", meter, str(usb)),
        Node("/dev/hidraw10", pad, str(tmp_path / pads[0])),
        Node("/dev/hidraw11", pad, str(tmp_path / pads[1])),
    ]


def make(folder: Path, name: str, device: Path) -> None:
    (folder / name).mkdir()
    os.symlink(device, folder / name / "device")


def test_nothing_is_plugged_in(flavour: Flavour) -> None:
    device = flavour.make(HidDevice, 0xDEAD, 0xBEEF)
    for call in (device.get_info, device.read, device.connect):
        with pytest.raises(NotPluggedInError, match="hid::dead:beef"):
            flavour.call(call)
    with pytest.raises(ConnectionError):
        flavour.call(device.write, bytes(65))


def test_what_is_no_report_and_no_time(flavour: Flavour) -> None:
    device = flavour.make(HidDevice, 0xDEAD, 0xBEEF)
    with pytest.raises(TypeError, match="bytes"):
        flavour.call(device.write, "text")
    with pytest.raises(ValueError, match="timeout_ms must be zero or more milliseconds"):
        flavour.call(device.read, timeout_ms=-1)


def test_enumeration_on_every_flavour() -> None:
    found = asyncio.run(enumerate_hid_devices())
    assert trio.run(enumerate_hid_devices) == found
    assert sio.enumerate_hid_devices() == found
    assert sio.ComSrv().list_hid_devices() == found
    assert all(isinstance(info, HidDeviceInfo) for info in found)
    with pytest.raises(ValueError, match="timeout"):
        sio.enumerate_hid_devices(timeout=-1)


def test_each_device_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with two interfaces is one, two of a kind are two. All ways of asking give the same, without any package."""
    monkeypatch.setattr(hid_nodes, "has_hidraw", lambda: True)
    monkeypatch.setattr(hid_nodes, "hidraw_nodes", lambda: [ONE, SAME, OTHER, LIKEWISE])
    monkeypatch.setitem(sys.modules, "hid", None)  # as if it were not installed
    assert sio.enumerate_hid_devices() == [ONE.info, OTHER.info, OTHER.info]
    assert sio.ComSrv().list_hid_devices() == [ONE.info, OTHER.info, OTHER.info]


def test_enumeration_takes_too_long(flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hid_nodes, "has_hidraw", lambda: False)
    go_on = threading.Event()
    monkeypatch.setattr(hid_nodes, "hid_devices", lambda: go_on.wait(20))
    function = enumerate_hid_devices if flavour.is_async else sio.enumerate_hid_devices
    with pytest.raises(ConnectionTimeoutError, match=r"listing HID devices timed out after 0\.1 s"):
        flavour.call(function, timeout=0.1)
    go_on.set()


def test_unplugged_before_it_is_opened(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ConnectionError, match="unplugged"):
        hidraw.HidrawDevice(Node(str(tmp_path / "hidraw0"), ONE.info, ""))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        hidraw.HidrawDevice(Node(str(tmp_path / "fifo"), ONE.info, ""))
    assert os.listdir("/proc/self/fd") == before


class Late(Handle):
    """What is opened slowly, as hidapi may do it."""

    info = ONE.info
    reports = None
    go_on = threading.Event()
    released = threading.Event()

    def __init__(self, node: Node) -> None:
        super().__init__()
        assert self.go_on.wait(20)

    async def read(self, runtime: object, deadline: float | None) -> bytes:
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def get_feature(self, number: int, size: int) -> bytes:
        raise NotImplementedError

    def send_feature(self, data: bytes) -> None:
        raise NotImplementedError

    def is_there(self) -> bool:
        return True

    def _release(self) -> None:
        self.released.set()


def test_what_is_opened_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidapi, "HidapiDevice", Late)
    monkeypatch.setattr(hid_connection, "hidapi_nodes", lambda: [ONE])
    connection = HidConnection(HIDAddress(0x1209, 1), blocking.runtime, "hidapi")
    with pytest.raises(ConnectionTimeoutError, match=r"hid::1209:0001: open timed out after 0\.1 s"):
        blocking.run(connection.open(0.1))
    Late.go_on.set()
    assert Late.released.wait(20)
    assert not connection.connected()
