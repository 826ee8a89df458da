"""Options of the connection to an instrument, given to the pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from instruments.byte_stream import ByteStreamPipe
from instruments.cobs_stream import CobsStream
from instruments.scpi import ScpiPipe, SerialScpiPipe
from sockio import registry
from tests.contract.flavours import FLAVOURS, Flavour


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    transports = [{"protocol": "vxi11"}, {"protocol": "hislip", "overlap": True}]
    with serve_bench([{"class": "Multimeter", "*idn": "one\ntwo", "transports": transports}]) as bench:
        yield bench


@pytest.fixture(params=[name for name in FLAVOURS if name != "py2"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return FLAVOURS[request.param]()


def test_the_mode_of_hislip(flavour: Flavour, bench: Any) -> None:
    async def contract() -> None:
        pipe = flavour.make(ScpiPipe, f"hislip::{bench.url('multimeter', 1)}", timeout=5, mode="overlap")
        await pipe.connect()
        (connection,) = registry.resource(pipe.address).connections()
        assert connection.mode == "overlap"
        with pytest.raises(ValueError, match=r"is in use with mode='overlap': it cannot be had with mode=None as well"):
            await flavour.make(ScpiPipe, f"hislip::{bench.url('multimeter', 1)}").query("*STB?")
        with pytest.raises(ValueError, match=r"is in use with mode='overlap': it cannot be had with mode='synchr"):
            await flavour.make(ScpiPipe, f"hislip::{bench.url('multimeter', 1)}", mode="synchronized").connect()
        await pipe.drop()
        del pipe, connection
        pipe = flavour.make(ScpiPipe, f"hislip::{bench.url('multimeter', 1)}", timeout=5)
        await pipe.connect()
        await flavour.make(ScpiPipe, f"hislip::{bench.url('multimeter', 1)}", timeout=5, mode=None).connect()
        await pipe.drop()

    flavour.run(contract)


def test_a_character_that_ends_responses_of_vxi11(flavour: Flavour, bench: Any) -> None:
    async def contract() -> None:
        pipe = flavour.make(ScpiPipe, f"vxi::{bench.url('multimeter', 0)}", timeout=5, term_char=b"\n", read_size=64)
        await pipe.write("*IDN?")
        assert await pipe.read_raw() == b"one\n"
        assert await pipe.read_raw() == b"two\n"
        await pipe.drop()

    flavour.run(contract)


@pytest.mark.parametrize(
    ("make", "address", "timeout"),
    [
        (ScpiPipe, "tcp://host:5025", 2),
        (ScpiPipe, "tcp://host:5025?timeout=7", 7),
        (SerialScpiPipe, "tcp://host:5025", 1),
        (SerialScpiPipe, "tcp://host:5025?timeout=7", 7),
        (ByteStreamPipe, "tcp://host:5025?timeout=7", 7),
        (CobsStream, "tcp://host:5025?timeout=7", 7),
        (ScpiPipe, "prologix::host:1234::10", 2),
        (ScpiPipe, "prologix::tcp://host:1234?timeout=7::10", 7),
        (ScpiPipe, "prologix::serial:///dev/ttyUSB0?timeout=7::10", 7),
    ],
)
def test_the_timeout_of_the_resource_string(make: Callable[..., Any], address: str, timeout: float) -> None:
    assert make(address).timeout == timeout
    assert make(address, timeout=5).timeout == 5
    assert make(address, timeout=None).timeout is None


@pytest.mark.parametrize(
    ("address", "has"),
    [
        ("vxi::host", "limit, read_size, term_char, interrupt_host"),
        ("hislip::host", "limit, mode, maximum_message_size, vendor_id"),
        ("tcp::host:5025", "none besides those in the resource string"),
    ],
)
def test_an_option_that_there_is_not(address: str, has: str) -> None:
    with pytest.raises(TypeError, match=rf"has no option 'speed': it has {has}"):
        ScpiPipe(address, speed=7)
