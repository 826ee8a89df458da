"""USBTMC transfers byte for byte, and how an instrument is found; the rest needs the hardware of `tests/lab`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from instruments.usbtmc import codec, sysfs
from sockio.errors import ProtocolError
from sockio.resource import USBAddress, parse


def test_a_message_out() -> None:
    # USBTMC 1.0, tables 1 to 3: MsgID 1, bTag, its complement, size, EOM; then data and alignment bytes.
    assert codec.message_out(1, b"*IDN?\n") == bytes.fromhex("01 01 fe 00 06 00 00 00 01 00 00 00") + b"*IDN?\n\0\0"
    assert codec.message_out(0x80, b"1234") == bytes.fromhex("01 80 7f 00 04 00 00 00 01 00 00 00") + b"1234"
    assert codec.message_out(2, bytes(70_000))[4:8] == bytes.fromhex("70 11 01 00")


def test_a_request_for_a_message() -> None:
    # Table 4: MsgID 2, no terminating character.
    assert codec.request_message_in(2, 65536) == bytes.fromhex("02 02 fd 00 00 00 01 00 00 00 00 00")


def test_a_message_in() -> None:
    header = bytes.fromhex("02 03 fc 00 05 00 00 00 01 00 00 00")
    assert codec.parse_message_in(header + b"1.50\n", 3, 100) == codec.Response(5, True)
    header = bytes.fromhex("02 03 fc 00 00 00 01 00 00 00 00 00")
    assert codec.parse_message_in(header, 3, 65536) == codec.Response(65536, False)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "12 bytes"),
        ("02 03 fc 00 05 00 00 00 01 00 00", "12 bytes"),
        ("02 02 fd 00 05 00 00 00 01 00 00 00", "tag 3"),
        ("02 03 fd 00 05 00 00 00 01 00 00 00", "tag 3"),
        ("01 03 fc 00 05 00 00 00 01 00 00 00", "tag 3"),
        ("02 03 fc 00 65 00 00 00 01 00 00 00", "asked for 100 bytes at most, the USBTMC header announces 101"),
    ],
)
def test_what_answers_something_else(header: str, message: str) -> None:
    data = bytes.fromhex(header)
    with pytest.raises(ProtocolError, match=message) as caught:
        codec.parse_message_in(data, 3, 100)
    assert caught.value.data == data


def test_tags_are_never_zero() -> None:
    tag, tags = 0, []
    for _ in range(512):
        tag = codec.next_tag(tag)
        tags.append(tag)
    assert tags[:255] == list(range(1, 256))
    assert tags[255:510] == tags[:255]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tree as the kernel has it in /sys."""
    listing = tmp_path / "class" / "usbmisc"
    listing.mkdir(parents=True)

    def plug(name: str, serial: str | None, interface: str, vendor: str = "0957") -> None:
        device = tmp_path / "devices" / f"usb-{serial}-{vendor}"
        device.mkdir(parents=True, exist_ok=True)
        (device / "idVendor").write_text(f"{vendor}\n")
        (device / "idProduct").write_text("17a6\n")
        if serial is not None:
            (device / "serial").write_text(f"{serial}\n")
        (device / f"1:1.{interface}").mkdir()
        (device / f"1:1.{interface}" / "bInterfaceNumber").write_text(f"0{interface}\n")
        (listing / name).mkdir()
        (listing / name / "device").symlink_to(device / f"1:1.{interface}")

    plug("usbtmc0", "MY5", "0")
    plug("usbtmc1", "MY6", "1")
    plug("usbtmc2", "MY6", "0")
    plug("usbtmc3", None, "0", "1209")
    plug("usbtmc5", "MY8", "3")
    plug("usbtmc6", "MY8", "2")
    (listing / "usbtmc4").mkdir()
    (listing / "hiddev0").mkdir()
    return listing


@pytest.mark.parametrize(
    ("vendor", "serial", "interface", "path"),
    [
        (0x0957, "MY5", None, "/dev/usbtmc0"),
        (0x0957, "my5", 0, "/dev/usbtmc0"),
        (0x0957, "MY6", None, "/dev/usbtmc2"),
        (0x0957, "MY6", 1, "/dev/usbtmc1"),
        (0x0957, None, 1, "/dev/usbtmc1"),
        (0x1209, None, None, "/dev/usbtmc3"),
    ],
)
def test_finding_an_instrument(folder: Path, vendor: int, serial: str | None, interface: int | None, path: str) -> None:
    assert sysfs.find(vendor, 0x17A6, serial, interface, folder) == path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("USB::0x0957::0x17A6::MY5::INSTR", "/dev/usbtmc0"),
        ("USB::0x0957::0x17A6::MY6::INSTR", "/dev/usbtmc2"),
        ("USB::0x0957::0x17A6::MY6::1::INSTR", "/dev/usbtmc1"),
        ("USB::0x0957::0x17A6::MY8::INSTR", "/dev/usbtmc6"),
        ("USB::0x0957::0x17A6::MY8::3::INSTR", "/dev/usbtmc5"),
    ],
)
def test_the_interface_of_a_name(folder: Path, name: str, path: str) -> None:
    """Without a number it is the lowest one that is an instrument's (VPP-4.3), which in some devices is not 0."""
    address = parse(name)
    assert isinstance(address, USBAddress)
    assert sysfs.find(address.vid, address.pid, address.serial_number, address.interface, folder) == path


def test_what_is_not_there(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is /dev/usbtmc0 \(vendor 0x0957, product 0x17a6, .*'MY5'"):
        sysfs.find(0x0957, 0x17A6, "MY7", None, folder)
    with pytest.raises(FileNotFoundError, match="none at all"):
        sysfs.find(0x0957, 0x17A6, None, None, folder / "nowhere")
    with pytest.raises(OSError, match="give the serial number"):
        sysfs.find(0x0957, 0x17A6, None, None, folder)


@pytest.mark.skipif(sys.platform != "linux", reason="the driver is Linux's")
def test_the_numbers_of_the_drivers_requests() -> None:
    """As the macros of linux/usb/tmc.h give them on a machine of 64 bits."""
    from instruments.usbtmc import driver

    assert driver.CLEAR == 0x5B02
    assert driver.SET_TIMEOUT == 0x40045B0A
    assert driver.WRITE == 0xC0145B0D
    assert driver.READ == 0xC0145B0E
    assert driver.READ_STATUS_BYTE == 0x80015B12
    assert driver.WAIT_SERVICE_REQUEST == 0x40045B17
