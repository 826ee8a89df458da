"""From a URL to a stream."""

from __future__ import annotations

from typing import Any

import pytest

import sockio

from .flavours import Flavour
from .server import Server

pytestmark = pytest.mark.needs("url")


async def test_tcp(flavour: Flavour, server: Server) -> None:
    stream = flavour.socket_for_url(f"tcp://{server.host}:{server.port}")
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    assert (stream.host, stream.port) == server.address


async def test_further_arguments_come_after_host_and_port(flavour: Flavour, server: Server) -> None:
    stream = flavour.socket_for_url(f"tcp://{server.host}:{server.port}", b"\r", False, timeout=3)
    assert (stream.eol, stream.auto_reconnect, stream.timeout) == (b"\r", False, 3)


async def test_options_of_the_url_and_keywords_that_come_before_them(flavour: Flavour, server: Server) -> None:
    url = f"tcp://{server.host}:{server.port}?timeout=2.5&connection_timeout=1&quiet=0.5&eol=\\r\\n"
    stream = flavour.socket_for_url(url)
    assert (stream.timeout, stream.connection_timeout, stream.quiet, stream.eol) == (2.5, 1.0, 0.5, b"\r\n")
    assert flavour.socket_for_url(url, timeout=7).timeout == 7


async def test_ipv6(flavour: Flavour) -> None:
    stream = flavour.socket_for_url("tcp://[::1]:5025")
    assert (stream.host, stream.port) == ("::1", 5025)


async def test_unix(flavour: Flavour) -> None:
    assert flavour.socket_for_url("unix:///run/instrument.sock").path == "/run/instrument.sock"


async def test_serial(flavour: Flavour) -> None:
    stream = flavour.socket_for_url("serial:///dev/ttyUSB0?baudrate=19200&parity=E")
    assert str(stream).startswith("serial:///dev/ttyUSB0")
    assert (stream.baudrate, stream.parity) == (19200, "E")


@pytest.mark.parametrize(
    "url", ["http://localhost:80", "udp://localhost:5", "localhost:5025", "udp:localhost:5", "", "gpib://1"]
)
async def test_another_scheme_is_a_ValueError_that_names_those_there_are(flavour: Flavour, url: str) -> None:
    with pytest.raises(ValueError, match=r"tcp://.*tls://.*unix://.*serial://.*rfc2217://"):
        flavour.socket_for_url(url)


@pytest.mark.parametrize(
    "url", ["tcp://localhost", "tcp://:5025", "tcp://localhost:70000", "tcp://localhost:x", "tcp://localhost:1?speed=9"]
)
async def test_what_cannot_be_is_a_ValueError_at_once(flavour: Flavour, url: str) -> None:
    with pytest.raises(ValueError, match=r"localhost|host"):
        flavour.socket_for_url(url)


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("tcp::[::1]:5025", "tcp://[::1]:5025"),
        ("tcp:localhost:5025", "tcp://localhost:5025"),
        ("TCPIP0::localhost::5025::SOCKET", "tcp://localhost:5025"),
        ("serial::/dev/ttyUSB0::19200::7E2", "serial:///dev/ttyUSB0"),
        ("ASRL/dev/ttyUSB0::INSTR", "serial:///dev/ttyUSB0"),
        ("ftdi::A50285BI::19200::7E2", "serial://?vid=0403&sn=A50285BI"),
    ],
)
async def test_other_spellings_of_a_stream(flavour: Flavour, resource: str, url: str) -> None:
    stream = flavour.socket_for_url(resource)
    assert stream.resource == url
    if resource.endswith("7E2"):
        assert (stream.baudrate, stream.bytesize, stream.parity, stream.stopbits) == (19200, 7, "E", 2)


@pytest.mark.parametrize(
    ("resource", "opener"),
    [
        ("vxi::localhost", "ScpiPipe"),
        ("TCPIP::localhost::hislip0::INSTR", "ScpiPipe"),
        ("GPIB::10", "ScpiPipe"),
        ("USB::0x0699::0x0363::C1::INSTR", "ScpiPipe"),
        ("visa::myscope", "ScpiPipe"),
        ("prologix::COM3::10", "ScpiPipe"),
        ("modbus::tcp::localhost:502", "ModBusDevice"),
        ("can::loopback", "CanBus"),
        ("hid::0483:5750", "HidDevice"),
        ("sigrok::fx2lafw", "SigrokDevice"),
    ],
)
async def test_what_is_no_stream_is_refused_with_the_name_of_what_opens_it(
    flavour: Flavour, resource: str, opener: str
) -> None:
    with pytest.raises(ValueError, match=f"{opener} opens it; streams are tcp://") as caught:
        flavour.socket_for_url(resource)
    assert repr(resource) in str(caught.value)


def test_CONCURRENCY_MAP() -> None:
    from sockio import aio, sio, trio

    expected: dict[str, Any] = {"async": aio, "asyncio": aio, "sync": sio, "syncio": sio, "trio": trio}
    assert set(sockio.CONCURRENCY_MAP) == set(expected)
    for concurrency, module in expected.items():
        stream = sockio.socket_for_url("tcp://localhost:5025", concurrency=concurrency)
        assert isinstance(stream, module.TCP)
    assert isinstance(sockio.socket_for_url("tcp://localhost:5025"), aio.TCP)
    with pytest.raises(ValueError, match=r"async.*trio.*sync"):
        sockio.socket_for_url("tcp://localhost:5025", concurrency="curio")


def test_each_module_has_one_of_its_own() -> None:
    from sockio import aio, futures, sio, trio

    for module in (aio, sio, trio, futures):
        assert isinstance(module.socket_for_url("tcp://localhost:5025", b"\r"), module.TCP)
        with pytest.raises(ValueError, match="tcp://"):
            module.socket_for_url("http://localhost:5025")
    stream = sio.socket_for_url("tcp://localhost:5025", resolve_futures=False)
    assert isinstance(stream, futures.TCP)
