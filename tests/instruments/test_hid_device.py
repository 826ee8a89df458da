"""Which HID device is meant, and what happens where there is none. Devices themselves are in the virtual lab."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from instruments import sio
from instruments.hid import HidDevice, HidDeviceInfo, NotPluggedInError, enumerate_hid_devices
from instruments.hid.address import HidPath, address_of
from instruments.hid.connection import find
from instruments.hid.hidraw import Node, nodes
from sockio.resource import HIDAddress, parse
from tests.instruments.pipe_flavours import FLAVOURS, Flavour

ONE = Node("/dev/hidraw0", HidDeviceInfo(0x1209, 1, "sockio", "lab", "A1"))
SAME = Node("/dev/hidraw1", HidDeviceInfo(0x1209, 1, "sockio", "lab", "A1"))
TWIN = Node("/dev/hidraw2", HidDeviceInfo(0x1209, 1, "sockio", "lab", "A2"))
OTHER = Node("/dev/hidraw3", HidDeviceInfo(0x0483, 0x5750, None, None, None))


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
    with pytest.raises(NotPluggedInError, match="none at all"):
        find(HIDAddress(0x1209, 2), [])


def test_devices_are_read_from_the_kernels_tree(tmp_path: Path) -> None:
    """A USB device of two interfaces, a Bluetooth one, and one that is being unplugged."""
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
    bluetooth = tmp_path / "devices/virtual/0005:054C:0268.0003"
    bluetooth.mkdir(parents=True)
    (bluetooth / "uevent").write_text("HID_ID=0005:0000054C:00000268\nHID_NAME=Pad\nHID_UNIQ=00:11\n")
    make(folder, "hidraw10", bluetooth)
    make(folder, "hidraw2", tmp_path / "devices/gone")
    meter = HidDeviceInfo(0x0483, 0x5750, "ACME", "Meter", "SN1")
    pad = HidDeviceInfo(0x054C, 0x0268, None, "Pad", "00:11")
    assert nodes(folder) == [Node("/dev/hidraw0", meter), Node("/dev/hidraw1", meter), Node("/dev/hidraw10", pad)]


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
    with pytest.raises(ValueError, match="timeout_ms"):
        flavour.call(device.read, timeout_ms=-1)


def test_enumeration_on_every_flavour() -> None:
    found = asyncio.run(enumerate_hid_devices())
    assert trio.run(enumerate_hid_devices) == found
    assert sio.enumerate_hid_devices() == found
    assert all(isinstance(info, HidDeviceInfo) for info in found)
