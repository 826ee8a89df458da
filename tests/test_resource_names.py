"""Resource strings that are no URLs: kinds with double colons, and the names of VISA."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sockio.resource
from sockio.resource import (
    CANAddress,
    GPIBAddress,
    HIDAddress,
    HiSLIPAddress,
    HostAddress,
    ModbusAddress,
    PrologixAddress,
    SerialAddress,
    SigrokAddress,
    USBAddress,
    VISAAddress,
    VXI11Address,
    parse,
)
from tests.test_resource import ADDRESSES as URLS
from tests.test_resource import HOSTS, options

SERIAL_8N1 = {"baudrate": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}
COM3 = SerialAddress("COM3")
USB0 = SerialAddress("/dev/ttyUSB0")


def settings(baudrate, bytesize, parity, stopbits):
    return {"baudrate": baudrate, "bytesize": bytesize, "parity": parity, "stopbits": stopbits}


#: A string, its address, and how that is written.
EXAMPLES = [
    ("tcp::192.168.1.12:5000", HostAddress("tcp", "192.168.1.12", 5000), "tcp://192.168.1.12:5000"),
    ("tcp:1.2.3.4:1234", HostAddress("tcp", "1.2.3.4", 1234), "tcp://1.2.3.4:1234"),
    ("TCP::[FE80::1%eth0]:1", HostAddress("tcp", "fe80::1%eth0", 1), "tcp://[fe80::1%25eth0]:1"),
    ("tcp:[::1]:65535", HostAddress("tcp", "::1", 65535), "tcp://[::1]:65535"),
    ("tcp::[FE80:0:0::0:01%Eth0]:1", HostAddress("tcp", "fe80::1%Eth0", 1), "tcp://[fe80::1%25Eth0]:1"),
    (
        "serial::/dev/ttyUSB0::9600::8N1",
        SerialAddress("/dev/ttyUSB0", SERIAL_8N1),
        "serial:///dev/ttyUSB0?baudrate=9600&bytesize=8&parity=N&stopbits=1",
    ),
    (
        "Serial::com1::115200::7e1.5",
        SerialAddress("COM1", settings(115200, 7, "E", 1.5)),
        "serial://COM1?baudrate=115200&bytesize=7&parity=E&stopbits=1.5",
    ),
    ("serial::/dev/tty%41 [1]::19200", SerialAddress("/dev/tty%41 [1]", {"baudrate": 19200}), None),
    ("serial::dev/ttyUSB0", SerialAddress("dev/ttyUSB0"), "serial://dev%2FttyUSB0"),
    ("serial::/dev/ttyUSB0", USB0, "serial:///dev/ttyUSB0"),
    (
        "serial::/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0::9600",
        SerialAddress("/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0", {"baudrate": 9600}),
        None,
    ),
    (
        "ftdi::ABC::115200::7E2",
        SerialAddress(None, settings(115200, 7, "E", 2), vid=0x0403, serial_number="ABC"),
        "serial://?vid=0403&sn=ABC&baudrate=115200&bytesize=7&parity=E&stopbits=2",
    ),
    ("ftdi::ABC", SerialAddress(vid=0x0403, serial_number="ABC"), "serial://?vid=0403&sn=ABC"),
    ("vxi::192.168.1.20", VXI11Address("192.168.1.20"), "vxi::192.168.1.20"),
    ("VXI::H::INST0", VXI11Address("h"), "vxi::h"),
    ("vxi::h:4322", VXI11Address("h", port=4322), "vxi::h:4322"),
    ("vxi::[::1]:4322::gpib0,5", VXI11Address("::1", "gpib0,5", 4322), "vxi::[::1]:4322::gpib0,5"),
    ("vxi::h::COM1,488", VXI11Address("h", "COM1,488"), "vxi::h::COM1,488"),
    ("hislip::h", HiSLIPAddress("h"), "hislip::h"),
    ("vxi::[0:0:0:0:0:0:0:1]", VXI11Address("::1"), "vxi::[::1]"),
    ("hislip::[::1]:4880::HISLIP0", HiSLIPAddress("::1"), "hislip::[::1]"),
    ("hislip::h:4881::vendor name", HiSLIPAddress("h", "vendor name", 4881), "hislip::h:4881::vendor name"),
    ("prologix::COM3::10", PrologixAddress(COM3, 10), "prologix::COM3::10"),
    ("prologix::/dev/ttyUSB0::10,1", PrologixAddress(USB0, 10, 1), "prologix::/dev/ttyUSB0::10,1"),
    ("prologix::/dev/ttyUSB0::10::97", PrologixAddress(USB0, 10, 1), "prologix::/dev/ttyUSB0::10,1"),
    (
        "prologix::COM3::115200::8n1::0::30",
        PrologixAddress(SerialAddress("COM3", settings(115200, 8, "N", 1)), 0, 30),
        "prologix::COM3::115200::8N1::0,30",
    ),
    ("prologix::H:1234::30", PrologixAddress(HostAddress("tcp", "h", 1234), 30), "prologix::h:1234::30"),
    ("prologix::[::1]:1234::5,0", PrologixAddress(HostAddress("tcp", "::1", 1234), 5, 0), "prologix::[::1]:1234::5,0"),
    ("prologix::serial://COM3::10", PrologixAddress(COM3, 10), "prologix::COM3::10"),
    (
        "prologix::tcp://[::1]:1234?timeout=2::10",
        PrologixAddress(HostAddress("tcp", "::1", 1234, {"timeout": 2}), 10),
        "prologix::tcp://[::1]:1234?timeout=2.0::10",
    ),
    (
        "prologix::serial://?vid=0403&sn=PX1::10",
        PrologixAddress(SerialAddress(vid=0x0403, serial_number="PX1"), 10),
        "prologix::serial://?vid=0403&sn=PX1::10",
    ),
    (
        "modbus::tcp::192.168.0.1:509::32",
        ModbusAddress(HostAddress("tcp", "192.168.0.1", 509), "tcp", 32),
        "modbus::tcp::192.168.0.1:509::32",
    ),
    (
        "MODBUS::RTU::[::1]:502",
        ModbusAddress(HostAddress("tcp", "::1", 502), "rtu", 255),
        "modbus::rtu::[::1]:502",
    ),
    (
        "modbus::rtu::COM1::115200::8N1::32",
        ModbusAddress(SerialAddress("COM1", settings(115200, 8, "N", 1)), "rtu", 32),
        "modbus::rtu::COM1::115200::8N1::32",
    ),
    (
        "modbus::tcp::/dev/ttyUSB0::9600::8o2",
        ModbusAddress(SerialAddress("/dev/ttyUSB0", settings(9600, 8, "O", 2)), "tcp", 255),
        "modbus::tcp::/dev/ttyUSB0::9600::8O2",
    ),
    ("modbus::rtu::serial://COM1::0", ModbusAddress(SerialAddress("COM1"), "rtu", 0), "modbus::rtu::serial://COM1::0"),
    ("can::pcan::usb1::125000", CANAddress("pcan", "PCAN_USBBUS1", 125000), "can::pcan::PCAN_USBBUS1::125000"),
    ("can::pcan::PCAN_LANBUS16::500000", CANAddress("pcan", "lan16", 500000), "can::pcan::PCAN_LANBUS16::500000"),
    ("can::socket::can0", CANAddress("socketcan", "can0"), "can::socketcan::can0"),
    ("can::usrcanet::H:20001", CANAddress("usrcanet", "h:20001"), "can::usrcanet::h:20001"),
    ("can::usrcanet::[::1]:20001", CANAddress("usrcanet", "[::1]:20001"), "can::usrcanet::[::1]:20001"),
    ("can::loopback", CANAddress("loopback"), "can::loopback"),
    ("can::Vector::0::1000000", CANAddress("vector", "0", 1000000), "can::vector::0::1000000"),
    ("hid::483:0x5750", HIDAddress(0x0483, 0x5750), "hid::0483:5750"),
    ("hid::0483:5750::A1", HIDAddress(0x0483, 0x5750, "A1"), "hid::0483:5750::A1"),
    ("sigrok::fx2lafw", SigrokAddress("fx2lafw"), "sigrok::fx2lafw"),
    ("sigrok::demo:conn=a::b-c", SigrokAddress("demo:conn=a::b-c"), "sigrok::demo:conn=a::b-c"),
    ("visa::myscope", VISAAddress("myscope"), "visa::myscope"),
    ("visa::tcpip0::H", VISAAddress("TCPIP::h::inst0::INSTR"), "visa::TCPIP::h::inst0::INSTR"),
    ("visa::TCPIP1::h::7::socket", VISAAddress("TCPIP1::h::7::SOCKET"), "visa::TCPIP1::h::7::SOCKET"),
    ("visa::asrl3", VISAAddress("ASRL3::INSTR"), "visa::ASRL3::INSTR"),
    ("visa::GPIB0::5", GPIBAddress(0, 5), "GPIB::5::INSTR"),
    ("visa::visa://host/GPIB0::5::INSTR", VISAAddress("visa://host/GPIB0::5::INSTR"), None),
    ("PXI0::3-18::instr", VISAAddress("PXI::3-18::INSTR"), "visa::PXI::3-18::INSTR"),
    ("pxi010::CHASSIS1::SLOT3::INSTR", VISAAddress("PXI10::CHASSIS1::SLOT3::INSTR"), None),
    ("GPIB-VXI1::9::INSTR", VISAAddress("GPIB-VXI1::9::INSTR"), "visa::GPIB-VXI1::9::INSTR"),
    ("GPIB0::SERVANT", VISAAddress("GPIB::SERVANT"), "visa::GPIB::SERVANT"),
    ("tcpip::192.168.1.12::instr", VXI11Address("192.168.1.12"), "vxi::192.168.1.12"),
    ("TCPIP2::h", VXI11Address("h"), "vxi::h"),
    ("TCPIP::127.0.0.1,4322::inst0::INSTR", VXI11Address("127.0.0.1", port=4322), "vxi::127.0.0.1:4322"),
    ("TCPIP::[::1],4322::Inst1", VXI11Address("::1", "inst1", 4322), "vxi::[::1]:4322::inst1"),
    ("TCPIP0::h::GPIB0,5,1::INSTR", VXI11Address("h", "gpib0,5,1"), "vxi::h::gpib0,5,1"),
    (
        "TCPIP0::h::usb0[2391::1031::MY44::0]::INSTR",
        VXI11Address("h", "usb0[2391::1031::MY44::0]"),
        "vxi::h::usb0[2391::1031::MY44::0]",
    ),
    ("TCPIP::h::hislip0::INSTR", HiSLIPAddress("h"), "hislip::h"),
    ("tcpip::[::1]::HISLIP1,4881", HiSLIPAddress("::1", "hislip1", 4881), "hislip::[::1]:4881::hislip1"),
    ("TCPIP::h::5025::SOCKET", HostAddress("tcp", "h", 5025), "tcp://h:5025"),
    ("tcpip0::[::1]::5025::socket", HostAddress("tcp", "::1", 5025), "tcp://[::1]:5025"),
    ("ASRL/dev/ttyUSB0::INSTR", USB0, "serial:///dev/ttyUSB0"),
    ("asrlcom3", COM3, "serial://COM3"),
    (
        "USB0::0x0699::0x0363::C102220::INSTR",
        USBAddress(0x0699, 0x0363, "C102220"),
        "USB::0x0699::0x0363::C102220::INSTR",
    ),
    (
        "usb2::1689::867::c102220::0",
        USBAddress(0x0699, 0x0363, "c102220", board=2),
        "USB2::0x0699::0x0363::c102220::INSTR",
    ),
    (
        "USB::0x699::0x363::C1::1::RAW",
        USBAddress(0x0699, 0x0363, "C1", 1, resource_class="RAW"),
        "USB::0x0699::0x0363::C1::1::RAW",
    ),
    ("GPIB0::14::INSTR", GPIBAddress(0, 14), "GPIB::14::INSTR"),
    ("gpib1::5::0", GPIBAddress(1, 5, 0), "GPIB1::5::0::INSTR"),
    ("GPIB1::INTFC", GPIBAddress(1), "GPIB1::INTFC"),
]


@pytest.mark.parametrize(("text", "address", "written"), EXAMPLES)
def test_examples(text, address, written):
    assert parse(text) == address
    assert hash(parse(text)) == hash(address)
    assert parse(str(address)) == address
    assert pickle.loads(pickle.dumps(address)) == copy.copy(address) == copy.deepcopy(address) == address
    if written is not None:
        assert str(address) == written


@pytest.mark.parametrize(
    ("resource", "spellings"),
    [
        ("vxi::h", ["vxi::h", "TCPIP::H::inst0::INSTR", "tcpip0::h::instr", "TCPIP3::h", "visa::TCPIP0::h::INST0"]),
        (
            "hislip::h",
            ["hislip::h:4880", "TCPIP::h::hislip0", "TCPIP0::H::HISLIP0,4880::INSTR", "visa::TCPIP::h::hislip0"],
        ),
        ("tcp://h:5025", ["tcp::h:5025", "tcp:H:5025", "tcp://h:5025?timeout=1", "TCPIP::h::5025::SOCKET"]),
        ("tcp://h:5025", ["visa::TCPIP1::h::05025::SOCKET"]),
        (
            "serial:///dev/ttyUSB0",
            [
                "serial::/dev/ttyUSB0::9600::8N1",
                "serial:///dev/ttyUSB0?baudrate=9600",
                "ASRL/dev/ttyUSB0::INSTR",
                "visa::ASRL/dev/ttyUSB0",
            ],
        ),
        ("serial://?vid=0403&sn=A1", ["ftdi::A1::9600::8N1", "serial://?sn=A1&vid=0403&parity=E"]),
        ("rfc2217://h:1", ["rfc2217://h:1?baudrate=19200&poll_modem"]),
        ("prologix::COM3::10", ["prologix::com3::9600::8N1::10", "prologix::serial://COM3?baudrate=115200::10"]),
        ("prologix::h:1234::10,1", ["prologix::tcp://h:1234?timeout=1::10::1", "prologix::H:1234::10,97"]),
        ("modbus::rtu::serial://COM1::32", ["modbus::rtu::COM1::9600::8N1::32", "modbus::rtu::COM1::19200::8E1::32"]),
        ("modbus::tcp::h:502", ["modbus::tcp::h:502::255", "modbus::tcp::tcp://h:502?timeout=1"]),
        ("can::pcan::PCAN_USBBUS1", ["can::pcan::usb1::125000", "can::PCAN::pcan_usbbus1::500000", "can::pcan::USB1"]),
        ("USB::0x0699::0x0363::C1A::INSTR", ["usb0::0x0699::0X363::c1a", "visa::USB::1689::867::C1a::0::INSTR"]),
        ("GPIB::5::INSTR", ["GPIB::5", "gpib0::5::instr", "visa::GPIB00::05"]),
        ("visa::PXI::3-18::INSTR", ["pxi0::3-18::instr", "visa::PXI::3-18::INSTR"]),
    ],
)
def test_one_thing_has_one_resource(resource, spellings):
    assert {parse(text).resource for text in spellings} == {resource}
    assert parse(resource).resource == resource


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vxi::h", "vxi::h::inst1"),
        ("vxi::h", "hislip::h"),
        ("vxi::h::gpib0,5", "vxi::h::gpib0,6"),
        ("tcp::h:5025", "tls://h:5025"),
        ("GPIB0::5", "GPIB1::5"),
        ("GPIB0::5", "GPIB0::5::0"),
        ("prologix::COM3::10", "prologix::COM3::11"),
        ("modbus::tcp::h:502", "modbus::rtu::h:502"),
        ("USB::1::2::A::INSTR", "USB::1::2::A::RAW"),
        ("ASRL1", "ASRL2"),
    ],
)
def test_different_things_have_different_resources(one, other):
    assert parse(one) != parse(other)
    assert parse(one).resource != parse(other).resource


def test_the_parts_of_an_address():
    prologix = parse("prologix::/dev/ttyUSB0::9600::8N1::10,1")
    assert isinstance(prologix, PrologixAddress)
    assert (prologix.adapter.options, prologix.primary, prologix.secondary) == (SERIAL_8N1, 10, 1)
    assert parse("prologix::COM3::10").adapter.options == {}  # type: ignore[attr-defined]
    modbus = parse("modbus::rtu::1.2.3.4:502")
    assert isinstance(modbus, ModbusAddress)
    assert (str(modbus.link), modbus.framing, modbus.station) == ("tcp://1.2.3.4:502", "rtu", 255)
    can = parse("can::usrcanet::[::1]:20001")
    assert isinstance(can, CANAddress)
    assert can.link == HostAddress("tcp", "::1", 20001)
    assert parse("can::socket::can0").link is None  # type: ignore[attr-defined]
    assert repr(parse("TCPIP::h::INSTR")) == "<VXI11Address vxi::h>"
    assert parse("hid::0483:5750").options == {}
    with pytest.raises(AttributeError, match="cannot be changed"):
        modbus.station = 1


@pytest.mark.parametrize(("system", "port"), [("nt", "COM3"), ("posix", "/dev/ttyS2")])
def test_the_number_of_a_serial_port(monkeypatch, system, port):
    monkeypatch.setattr("sockio.resource.visa.os", SimpleNamespace(name=system))
    assert parse("ASRL3::INSTR") == parse("asrl3") == SerialAddress(port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tcp::host", r"expected host:port, got 'host' \(in tcp::host:port\)"),
        ("tcp::host:", "expected host:port, got 'host:'"),
        ("tcp::[::1]", "expected host:port"),
        ("tcp::::1:5025", "expected nothing after the port, got '1:5025'"),
        ("tcp:::1:5025", "needs brackets"),
        ("tcp::host:0", "port must be an integer from 1 to 65535, got 0"),
        ("tcp::host:65536", "port must be an integer from 1 to 65535, got 65536"),
        ("tcp::host:http", "port must be an integer from 1 to 65535, got 'http'"),
        ("tcp::host:5025::x", "expected nothing after the port, got 'x'"),
        ("tcp:host", "expected host:port, got 'host'"),
        ("tcp:host:1::x", "needs brackets"),
        ("tcp::ho st:1", "host must be a name or an IP address"),
        ("tcp::host:1 ", "without spaces at its end"),
        ("tcp::host:1\n", "control characters"),
        ("serial::", "expected a serial port, such as /dev/ttyUSB0 or COM3, got ''"),
        ("serial::serial://COM3::9600", "expected a serial port, such as /dev/ttyUSB0 or COM3, got 'serial://COM3'"),
        ("serial::COM3::fast::8N1", "baud rate must be an integer from 1 to 4294967295, got 'fast'"),
        ("serial::COM3::0::8N1", "baud rate must be an integer from 1 to 4294967295, got '0'"),
        ("serial::COM3::9600::9N1", "expected data bits, parity and stop bits, such as 8N1 or 7E2, got '9N1'"),
        ("serial::COM3::9600::8X1", "got '8X1'"),
        ("serial::COM3::9600::8N3", "got '8N3'"),
        ("serial::COM3::9600::8N1 x", "got '8N1 x'"),
        ("serial::COM3::9600::8N1::x", "expected nothing after the data bits, parity and stop bits, got 'x'"),
        ("ftdi::", "serial number must be some text"),
        ("ftdi::ABC::9600::8N1::", "expected nothing after"),
        ("vxi::", "host must be a name or an IP address"),
        ("vxi::h:0", "port must be an integer from 1 to 65535, got 0"),
        ("vxi::h::inst0::x", "expected nothing after the device name, got 'x'"),
        ("vxi::h::INSTR", "device name must be a name such as inst0 or hislip0, got the resource class 'INSTR'"),
        ("vxi::h::", "device name must be some text"),
        ("vxi::fe80::1", "device name must be a name such as inst0 or hislip0, got '1'"),
        ("vxi::h::5025", r"got '5025' \(a port is host:port\)"),
        ("hislip::h::hislip0,4880", "sub address must be a name without a port, got 'hislip0,4880'"),
        ("hislip::h:x", "port must be an integer from 1 to 65535, got 'x'"),
        ("prologix::COM3", "expected a GPIB address from 0 to 30, got none"),
        ("prologix::COM3::9600::8N1", "expected a GPIB address from 0 to 30, got none"),
        ("prologix::COM3::31", "primary address must be an integer from 0 to 30, got '31'"),
        ("prologix::COM3::ten", "primary address must be an integer from 0 to 30, got 'ten'"),
        ("prologix::COM3::10,31", "secondary address must be an integer from 0 to 30, or from 96 to 126, got '31'"),
        ("prologix::COM3::10::1::2", "expected nothing after the secondary address, got '2'"),
        ("prologix::192.168.1.5::10", "expected host:port, got '192.168.1.5'"),
        ("prologix::host:http::10", "port must be an integer"),
        ("prologix::unix:///run/a::10", "expected a serial port, host:port or their URL, got 'unix:///run/a'"),
        ("prologix::tcp://h:1?speed=9::10", "unknown option 'speed'"),
        ("modbus::", "framing must be one of tcp, rtu, got ''"),
        ("modbus::ascii::h:502", "framing must be one of tcp, rtu, got 'ascii'"),
        ("modbus::tcp", "expected host:port or a serial port after modbus::tcp::"),
        ("modbus::tcp::192.168.0.1", "expected host:port, got '192.168.0.1'"),
        ("modbus::tcp::host::32", "expected host:port, or a serial port with its settings, .* got 'host::32'"),
        ("modbus::tcp::h:502::256", "station must be an integer from 0 to 255, got '256'"),
        ("modbus::tcp::h:502::-1", "station must be an integer from 0 to 255, got '-1'"),
        ("modbus::tcp::h:502::3::4", "expected nothing after the station, got '4'"),
        ("modbus::rtu::COM1::9600::8N1::32::x", "expected nothing after the station, got 'x'"),
        ("modbus::rtu::COM1::9600::32", "expected data bits, parity and stop bits, such as 8N1 or 7E2, got '32'"),
        ("can::", "interface must be some text"),
        ("can::pcan", "expected a channel after pcan, got none"),
        ("can::pcan::usb1::fast", "bitrate must be an integer from 1 to 1000000, got 'fast'"),
        ("can::pcan::usb1::125000::x", "expected nothing after the bitrate, got 'x'"),
        ("can::socket::can0::125000", "expected no bitrate for socketcan"),
        ("can::loopback::x", "expected nothing after loopback, got 'x'"),
        ("can::usrcanet::h", "expected host:port, got 'h'"),
        ("hid::0483", "expected vid:pid, such as 0483:5750, got '0483'"),
        ("hid::0483:", "pid must be a hexadecimal number of up to four digits"),
        ("hid::0483:5750::A::B", "expected nothing after the serial number, got 'B'"),
        ("sigrok::", "sigrok device must be some text"),
        ("sigrok::--version", "sigrok device must be a driver such as fx2lafw, got '--version'"),
        ("visa::", "VISA name must be some text"),
        ("visa::GPIB::31::INSTR", "primary address must be an integer from 0 to 30, got '31'"),
        ("TCPIP::INSTR", "expected a host after TCPIP::, got none"),
        ("TCPIP::h::SOCKET", "expected a port after the host, as in TCPIP::h::5025::SOCKET, got none"),
        ("TCPIP::h::x::SOCKET", "port must be an integer from 1 to 65535, got 'x'"),
        ("TCPIP::h::1::2::SOCKET", "expected nothing after the port, got '2'"),
        ("TCPIP::h::5025", "expected a device name such as inst0, or ::SOCKET after the port, got '5025'"),
        ("TCPIP::h::inst0::x::INSTR", "expected nothing after the device name, got 'x'"),
        ("TCPIP::h,x::inst0::INSTR", "port must be an integer from 1 to 65535, got 'x'"),
        ("TCPIP::h,1::hislip0::INSTR", "expected the port of HiSLIP with its sub address: hislip0,4880, got 'h,1'"),
        ("TCPIP::h::RAW", "the resource class of TCPIP must be INSTR or SOCKET, got 'RAW'"),
        ("ASRL::INSTR", "expected the number or the name of a serial port after ASRL"),
        ("ASRL0", "expected the number of a serial port, from 1, after ASRL, got 0"),
        ("ASRL1::SOCKET", "the resource class of ASRL must be INSTR, got 'SOCKET'"),
        ("USB::0x0699::0x0363", "expected vendor, product and serial number"),
        ("USB::0699::0AAD::C1", "product must be a decimal or hexadecimal number up to 0xFFFF, .* got '0AAD'"),
        ("USB::0x10000::1::C1", "vendor must be a decimal or hexadecimal number"),
        ("USB::1::2::C1::256::INSTR", "interface must be an integer from 0 to 255, got '256'"),
        ("USB::1::2::C1::0::x::INSTR", "expected nothing after the interface, got 'x'"),
        ("USB::1::2::C1::SOCKET", "the resource class of USB must be INSTR or RAW, got 'SOCKET'"),
        ("GPIB::INSTR", "expected a GPIB address from 0 to 30, got none"),
        ("GPIB::5::31", "secondary address must be an integer"),
        ("GPIB::5::INTFC", "expected nothing after the board, got '5'"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith(repr(text))


@pytest.mark.parametrize(
    "text", ["", "foo", "foo::bar", "COM3", "/dev/ttyUSB0", "gpib", "USB0", "http::h", "::", "h::INSTR2"]
)
def test_what_fits_nothing_is_told_every_kind(text):
    with pytest.raises(ValueError, match="no resource that is supported") as caught:
        parse(text)
    for kind in ("tcp://", "rfc2217://", "serial::", "ftdi::", "tcp::", "vxi::", "hislip::", "prologix::", "modbus::"):
        assert kind in str(caught.value)
    for kind in ("can::", "hid::", "sigrok::", "visa::", "TCPIP", "ASRL", "USB", "GPIB"):
        assert kind in str(caught.value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("COM3", "serial::COM3::9600::8N1"),
        ("/dev/ttyUSB0", "serial::/dev/ttyUSB0::9600::8N1"),
        ("/dev/serial/by-id/usb-FTDI-if00", "serial::/dev/serial/by-id/usb-FTDI-if00::9600::8N1"),
        ("192.168.1.12:5025", "tcp::192.168.1.12:5025"),
        ("[fe80::1]:5025", "tcp::[fe80::1]:5025"),
    ],
)
def test_a_bare_port_or_socket_is_told_what_to_write(text, advice):
    with pytest.raises(ValueError, match=rf"expected its kind first, such as {re.escape(advice)}; no resource"):
        parse(text)
    parse(advice)


@pytest.mark.parametrize("text", ["COM3 ", "/dev/tty\nUSB0", "host", "a?b:5025", "host:0", "http://host:80"])
def test_other_texts_get_no_wrong_advice(text):
    with pytest.raises(ValueError, match="no resource that is supported") as caught:
        parse(text)
    assert "such as serial::" not in str(caught.value)
    assert "such as tcp::" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VXI11Address("h", "a::b"), "device name must be a text without double colons"),
        (lambda: VXI11Address("[::1]"), "host must be a name or an IP address"),
        (lambda: HiSLIPAddress("h", port=0), "port must be an integer from 1 to 65535, got 0"),
        (lambda: GPIBAddress(0, None, 1), "a secondary address needs a primary address"),
        (lambda: GPIBAddress(-1, 1), "board must be an integer"),
        (lambda: PrologixAddress(COM3, 31), "primary address must be an integer from 0 to 30, got 31"),
        (lambda: PrologixAddress(VXI11Address("h"), 1), "expected a serial port, host:port or their URL"),  # type: ignore[arg-type]
        (lambda: ModbusAddress(COM3, "ascii"), "framing must be one of tcp, rtu, got 'ascii'"),
        (lambda: ModbusAddress(COM3, "rtu", 256), "station must be an integer from 0 to 255, got 256"),
        (lambda: CANAddress("pcan", "usb1", 0), "bitrate must be an integer from 1 to 1000000, got 0"),
        (lambda: HIDAddress(0x10000, 1), "vid must be a hexadecimal number"),
        (lambda: USBAddress(1, 2, "A:", 0), "serial number must be a text without double colons"),
        (lambda: USBAddress(1, 2, "A", resource_class="SOCKET"), "the resource class of USB must be INSTR or RAW"),
        (lambda: SigrokAddress("a\n"), "sigrok device must be some text"),
        (lambda: VISAAddress("GPIB0::5::INSTR"), "'GPIB0::5::INSTR' is the name of a GPIBAddress"),
    ],
)
def test_impossible_parts(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_text_has_to_be_text():
    with pytest.raises(TypeError, match="device name must be a str, got bytes"):
        VXI11Address("h", b"inst0")  # type: ignore[arg-type]


def test_every_class_can_be_imported():
    for name in sockio.resource.__all__:
        assert hasattr(sockio.resource, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sockio.resource.nothing


def test_a_url_imports_nothing_for_other_kinds():
    program = (
        "import sys, sockio.sio\n"
        "from sockio.resource import parse\n"
        "parse('serial:///dev/ttyUSB0')\n"
        "print(*sorted(name for name in sys.modules if name.startswith('sockio.resource.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["sockio.resource.address", "sockio.resource.hosts", "sockio.resource.url"]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("GPIB1::5::7", {"board": "1", "primary_address": "5", "secondary_address": "7"}),
        ("GPIB2::INTFC", {"board": "2", "resource_class": "INTFC"}),
        ("USB::1689::0x363::C1::2", {"model_code": "0x0363", "serial_number": "C1", "usb_interface_number": "2"}),
        ("USB::1::2::C1::RAW", {"manufacturer_id": "0x0001", "resource_class": "RAW"}),
        ("visa::TCPIP1::h", {"board": "1", "host_address": "h", "lan_device_name": "inst0"}),
        ("visa::TCPIP::h,4322::INST1", {"host_address": "h,4322", "lan_device_name": "inst1"}),
        ("visa::tcpip::h::HISLIP0,4881", {"lan_device_name": "hislip0,4881"}),
        ("visa::tcpip::h::7::socket", {"port": "7", "resource_class": "SOCKET"}),
        ("visa::asrl3", {"board": "3"}),
    ],
)
def test_pyvisa_understands_the_names_for_it(text, fields):
    rname = pytest.importorskip("pyvisa.rname", reason="PyVISA is not installed (extra: visa)")
    parsed = rname.ResourceName.from_string(parse(text).visa_name)  # type: ignore[attr-defined]
    assert {name: getattr(parsed, name) for name in fields} == fields


FIELDS = st.from_regex(r"[A-Za-z0-9_.\-+,% é]*[A-Za-z0-9_.\-]", fullmatch=True).map(str.strip)
PORTS = st.integers(1, 65535)
GPIB = st.integers(0, 30)
NAMES = st.from_regex(r"[A-Za-z0-9_]{1,8}|[a-z]+/[a-z]+|/dev/[A-Za-z0-9_.:\[\]% -]{1,8}_", fullmatch=True)
SETTINGS = st.fixed_dictionaries(
    {
        "baudrate": st.integers(1, 10**6),
        "bytesize": st.sampled_from([5, 6, 7, 8]),
        "parity": st.sampled_from("NEOMS"),
        "stopbits": st.sampled_from([1, 1.5, 2]),
    }
)
LINKS = st.one_of(
    st.sampled_from(["tcp", "tls", "rfc2217"]).flatmap(
        lambda scheme: st.builds(HostAddress, st.just(scheme), HOSTS, PORTS, st.just({}) | options(scheme))
    ),
    st.builds(SerialAddress, NAMES, st.just({}) | SETTINGS | options("serial")),
    st.builds(SerialAddress, st.none(), options("serial"), vid=st.integers(0, 0xFFFF), serial_number=FIELDS),
)
DEVICES = st.one_of(
    FIELDS.filter(lambda text: text.upper() not in ("INSTR", "SOCKET") and not text.isdigit()),
    st.sampled_from(["inst0", "INST1", "gpib0,5", "hislip0", "usb0[1::2::3::0]"]),
)
USB = st.integers(0, 0xFFFF)
ADDRESSES = st.one_of(
    URLS,
    st.builds(VXI11Address, HOSTS, DEVICES, st.none() | PORTS),
    st.builds(HiSLIPAddress, HOSTS, DEVICES.filter(lambda text: "," not in text), PORTS),
    st.builds(PrologixAddress, LINKS, GPIB, st.none() | GPIB),
    st.builds(GPIBAddress, st.integers(0, 99), GPIB, st.none() | GPIB),
    st.builds(GPIBAddress, st.integers(0, 99)),
    st.builds(ModbusAddress, LINKS, st.sampled_from(["tcp", "rtu"]), st.integers(0, 255)),
    st.builds(CANAddress, st.sampled_from(["pcan", "vector", "virtual"]), FIELDS, st.none() | st.integers(1, 10**6)),
    st.builds(CANAddress, st.sampled_from(["socket", "socketcan"]), FIELDS),
    st.builds(CANAddress, st.just("usrcanet"), st.builds("{}:{}".format, st.sampled_from(["h", "[::1]"]), PORTS)),
    st.just(CANAddress("loopback")),
    st.builds(HIDAddress, USB, USB, st.none() | FIELDS),
    st.builds(
        USBAddress,
        USB,
        USB,
        FIELDS,
        st.integers(0, 255),
        board=st.integers(0, 9),
        resource_class=st.sampled_from(["INSTR", "RAW"]),
    ),
    st.builds(SigrokAddress, FIELDS.filter(lambda text: not text.startswith("-"))),
    st.builds(VISAAddress, st.from_regex(r"[a-z]{1,3}[0-9]?", fullmatch=True)),
    st.builds("TCPIP{}::{}::INSTR".format, st.integers(0, 3), st.from_regex("[A-Za-z][a-z.]{0,5}", fullmatch=True)).map(
        VISAAddress
    ),
)


@given(ADDRESSES)
def test_written_and_read_again(address):
    assert parse(str(address)) == address
    assert str(parse(str(address))) == str(address)
    assert hash(parse(str(address))) == hash(address)
    assert pickle.loads(pickle.dumps(address)) == address
    assert parse(address.resource).resource == address.resource


STARTS = [
    "serial", "ftdi", "tcp", "vxi", "hislip", "prologix", "modbus", "modbus::tcp", "modbus::rtu", "can", "can::pcan",
    "hid", "sigrok", "visa", "TCPIP0", "ASRL", "USB", "USB0::1::2", "GPIB", "visa::TCPIP", "PXI0",
]  # fmt: skip
WORDS = [
    "::",
    ":",
    "[",
    "]",
    "1",
    "10",
    "9600",
    "8N1",
    "h",
    "/dev/a",
    "INSTR",
    "SOCKET",
    "RAW",
    ",",
    " ",
    "\n",
    "é",
    "tcp://",
]


@given(st.sampled_from(STARTS), st.lists(st.sampled_from(WORDS), max_size=9).map("".join) | st.text())
def test_any_text_is_an_address_or_a_value_error(start, rest):
    for text in (f"{start}::{rest}", start + rest):
        try:
            address = parse(text)
        except ValueError:
            continue
        assert parse(str(address)) == address
        assert parse(address.resource).resource == address.resource
