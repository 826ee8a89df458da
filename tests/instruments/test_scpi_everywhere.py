"""The same calls on every flavour, over everything that carries SCPI, against simulated instruments."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy
import pytest

from instruments.base import blocking
from instruments.message import NotSupported
from instruments.scpi import ErrorEntry, Instrument, InstrumentError, ScpiPipe
from sockio.errors import LockExpiredError, ProtocolError
from tests.contract.flavours import FLAVOURS, Flavour

IDENTITY = "sockio,multimeter,M1,1.0"

#: How an instrument is reached, and the transport of the bench's device that carries it.
PLACES = ["raw", "serial", "prologix", "prologix serial", "vxi11", "hislip"]


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    transports = [{}, {"type": "serial"}, {"protocol": "vxi11"}, {"protocol": "hislip"}]
    devices = [
        {"class": "Multimeter", "*idn": IDENTITY, "fault_delay": 0.3, "transports": transports},
        {"class": "Oscilloscope", "fault_delay": 0.3, "transports": transports},
        {
            "class": "Prologix",
            "transports": [{}, {"type": "serial"}],
            "instruments": {22: "multimeter", 7: "oscilloscope"},
        },
    ]
    with serve_bench(devices) as bench:
        yield bench


def address(bench: Any, place: str, name: str = "multimeter") -> str:
    gpib = {"multimeter": 22, "oscilloscope": 7}[name]
    if place == "raw":
        return f"tcp::{bench.url(name, 0)}"
    if place == "serial":
        return f"serial://{bench.url(name, 1)}?baudrate=115200&quiet=0.5"  # longer than a fault's delay
    if place == "vxi11":
        return f"vxi::{bench.url(name, 2)}"
    if place == "hislip":
        return f"hislip::{bench.url(name, 3)}"
    if place == "prologix":
        return f"prologix::{bench.url('prologix', 0)}::{gpib}"
    return f"prologix::{bench.url('prologix', 1)}::{gpib}"


@pytest.fixture(params=[name for name in FLAVOURS if name != "py2"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return FLAVOURS[request.param]()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_text_blocks_and_numbers(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        meter = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        await meter.write("*CLS;*RST")
        assert await meter.query("*IDN?") == IDENTITY
        await meter.write("SAMP:COUN 5")
        await meter.write("FORM ASC")
        text = await meter.query("READ?")
        listed = await meter.query_array("FETC?")
        assert [float(item) for item in text.split(",")] == list(listed)
        await meter.write("FORM REAL,64")
        block = await meter.query_binary("FETC?")
        assert len(block) == 40
        numbers = await meter.query_array("FETC?", "f8")
        assert numbers.dtype == numpy.dtype(">f8")
        assert numbers.tobytes() == block
        numpy.testing.assert_allclose(numbers, listed, rtol=1e-6)
        await meter.write("*IDN?")
        assert (await meter.read_raw()).rstrip() == IDENTITY.encode()
        await meter.drop()

    flavour.run(contract)


def test_a_waveform_there_and_back(flavour: Flavour, bench: Any, place: str) -> None:
    samples = numpy.arange(-3000, 3000, 7, dtype="<i2")

    async def contract() -> None:
        scope = flavour.make(ScpiPipe, address(bench, place, "oscilloscope"), timeout=10)
        await scope.write("*CLS;*RST")
        await scope.write("WAV:FORM WORD;BYT LSBF;POIN 2500")
        wave = await scope.query_array("WAV:DATA?", "i2", "little")
        assert len(wave) == 2500
        assert wave.std() > 0
        assert wave.base is not None, "a view of the memory that it was received into"
        await scope.write_array("DATA:ARB mine,", samples, "i2", "big")
        assert await scope.query("SYST:ERR?") == '0,"No error"'
        back = await scope.query_binary("DATA:ARB? mine")
        assert back == samples.astype(">i2").tobytes()
        await scope.drop()

    flavour.run(contract)


@pytest.mark.parametrize("fault", ["late", "cut", "garbled", "silent", "dropped"])
def test_after_a_fault_the_next_answer_is_the_right_one(flavour: Flavour, bench: Any, place: str, fault: str) -> None:
    async def contract() -> None:
        meter = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        await meter.write("*CLS;*RST")
        await meter.query("*IDN?")
        await meter.write(f"SIM:FAUL {fault}")
        with pytest.raises((OSError, EOFError, ProtocolError)):
            await meter.query("SAMP:COUN?", timeout=0.1)
        assert await meter.query("*IDN?", timeout=5) == IDENTITY
        assert await meter.query("SAMP:COUN?") == "1"
        await meter.drop()

    flavour.run(contract)


@pytest.mark.parametrize("fault", ["late", "cut", "silent", "dropped"])
def test_after_a_broken_block_the_next_answer_is_the_right_one(
    flavour: Flavour, bench: Any, place: str, fault: str
) -> None:
    async def contract() -> None:
        scope = flavour.make(ScpiPipe, address(bench, place, "oscilloscope"), timeout=5)
        await scope.write("*CLS;*RST;:WAV:FORM BYTE;POIN 1000")
        await scope.query_binary("WAV:DATA?")
        await scope.write(f"SIM:FAUL {fault}")
        with pytest.raises((OSError, EOFError, ProtocolError)):
            await scope.query_array("WAV:DATA?", "u1", timeout=0.1)
        assert await scope.query("WAV:POIN?") == "1000"
        assert len(await scope.query_binary("WAV:DATA?")) == 1000
        await scope.drop()

    flavour.run(contract)


def test_a_text_instead_of_a_block_is_an_error_and_nothing_is_lost(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        meter = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        await meter.write("*CLS;*RST")
        with pytest.raises(ProtocolError, match=r"expected a block in response to '\*IDN\?', got b'sockio,mul"):
            await meter.query_binary("*IDN?")
        with pytest.raises(ProtocolError, match="expected a block or a list of numbers"):
            await meter.query_array("*IDN?")
        assert await meter.query("*IDN?") == IDENTITY
        await meter.drop()

    flavour.run(contract)


def test_the_common_commands(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        pipe = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        meter = flavour.make(Instrument, pipe)
        await meter.reset()
        await meter.clear_status()
        assert await meter.identifier() == IDENTITY
        await meter.wait_for_completion()
        assert await meter.self_test() == 0
        assert await meter.errors() == []
        await meter.write("NO:SUCH:HEADER")
        await meter.write("SAMP:COUN -5")
        await meter.identifier()  # a serial poll may overtake messages, not their responses
        assert await meter.status_byte() & 4
        with pytest.raises(InstrumentError, match=r'-113,"Undefined header.*-222,"Data out of range') as caught:
            await meter.check_errors()
        assert [entry.code for entry in caught.value.errors] == [-113, -222]
        assert await meter.errors() == []
        with pytest.raises(InstrumentError):
            await meter.write("NO:SUCH:HEADER", check=True)
        await meter.set_event_status_enable(1)
        await meter.set_service_request_enable(32)
        assert await meter.event_status_enable() == 1
        assert await meter.service_request_enable() == 32
        await meter.event_status()
        await meter.write("*OPC")
        assert await meter.event_status() & 1
        await meter.set_service_request_enable(0)
        await meter.trigger()
        await meter.clear_status()
        await meter.identifier()  # all has been obeyed, and nothing is left for the next test
        await pipe.drop()

    flavour.run(contract)


@pytest.mark.parametrize("place", ["vxi11", "hislip"], indirect=True)
def test_a_service_request_is_waited_for_while_others_ask(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        pipe = flavour.make(ScpiPipe, address(bench, place), timeout=10)
        meter = flavour.make(Instrument, pipe)
        await meter.reset()
        await meter.clear_status()
        await meter.set_event_status_enable(1)
        await meter.set_service_request_enable(32)
        waiting = flavour.start(meter.wait_for_service_request)
        for _ in range(5):
            assert await meter.identifier() == IDENTITY
        assert not waiting.done()
        await meter.write("*OPC")
        assert await flavour.result(waiting) & 0x60 == 0x60
        await meter.clear_status()
        await meter.set_service_request_enable(0)
        with pytest.raises(TimeoutError):
            await meter.wait_for_service_request(timeout=0.2)
        assert await meter.identifier() == IDENTITY
        await pipe.drop()

    flavour.run(contract)


@pytest.mark.parametrize("place", ["vxi11", "hislip"], indirect=True)
def test_a_service_request_made_before_anybody_waited(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        pipe = flavour.make(ScpiPipe, address(bench, place), timeout=10)
        await pipe.write("*CLS;*RST;*ESE 1;*SRE 32")
        await pipe.write("*OPC")
        await pipe.query("*IDN?")
        assert await pipe.wait_for_service_request(timeout=5) & 0x60 == 0x60
        with pytest.raises(TimeoutError):
            await pipe.wait_for_service_request(timeout=0.1)
        await pipe.write("*CLS;*SRE 0")
        await pipe.drop()

    flavour.run(contract)


@pytest.mark.parametrize("place", ["hislip"], indirect=True)
def test_the_status_byte_is_polled_beside_a_lock(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        mine = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        other = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        await mine.write("*CLS;*RST;*SRE 0")
        await mine.lock(30)
        await mine.write("NO:SUCH:HEADER")
        await mine.query("*IDN?")
        assert await other.read_status_byte() & 4
        with pytest.raises(TimeoutError, match="in use by a lock"):
            await other.query("*STB?", timeout=0.05)
        await mine.write("*CLS")
        await mine.unlock()
        await mine.drop()

    flavour.run(contract)


@pytest.mark.parametrize("place", ["raw", "serial"], indirect=True)
def test_where_there_are_no_service_requests_that_is_said(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        meter = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        with pytest.raises(NotSupported, match="has no service request"):
            await meter.wait_for_service_request()
        await meter.drop()

    flavour.run(contract)


def test_two_instruments_on_one_adapter(flavour: Flavour, bench: Any) -> None:
    async def contract() -> None:
        meter = flavour.make(ScpiPipe, address(bench, "prologix"), timeout=10)
        scope = flavour.make(ScpiPipe, address(bench, "prologix", "oscilloscope"), timeout=10)
        await meter.write("*CLS;*RST;:SAMP:COUN 3")
        await scope.write("*CLS;*RST;:WAV:POIN 777")

        async def ask(pipe: Any, question: str, answer: str) -> None:
            for _ in range(30):
                assert await pipe.query(question) == answer

        tasks = [flavour.start(ask, meter, "SAMP:COUN?", "3"), flavour.start(ask, scope, "WAV:POIN?", "777")]
        for task in tasks:
            await flavour.result(task)
        await meter.drop()
        await scope.drop()

    flavour.run(contract)


def test_a_lock_is_taken_given_back_and_expires(flavour: Flavour, bench: Any, place: str) -> None:
    async def contract() -> None:
        mine = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        other = flavour.make(ScpiPipe, address(bench, place), timeout=5)
        async with mine:
            assert mine.locked
            with pytest.raises(TimeoutError, match="in use by a lock of ScpiPipe"):
                await other.query("*IDN?", timeout=0.1)
            assert await mine.query("*IDN?") == IDENTITY
        assert not mine.locked
        assert await other.query("*IDN?") == IDENTITY
        await mine.lock(0.1)
        assert await other.query("*IDN?") == IDENTITY
        assert not mine.locked
        with pytest.raises(LockExpiredError, match="the lock has expired before query"):
            await mine.query("*IDN?")
        assert await mine.query("*IDN?") == IDENTITY
        await mine.drop()

    flavour.run(contract)


@pytest.mark.parametrize("place", ["vxi11", "hislip"])
@pytest.mark.parametrize(("method", "moment"), [("_lock_instrument", "return"), ("_unlock_instrument", "call")])
def test_an_interrupt_leaves_no_lock_in_the_instrument(bench: Any, place: str, method: str, moment: str) -> None:
    """When it has been taken and nobody knows yet, and when it was about to be given back."""
    pipe = blocking(ScpiPipe)(address(bench, place), 10)
    assert pipe.query("*IDN?") == IDENTITY

    def interrupt(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_name != method or frame.f_code.co_filename != ScpiPipe.query.__code__.co_filename:
            return interrupt if event == "call" else None
        if event == moment and (event == "call" or argument is not None):
            raise KeyboardInterrupt
        return interrupt

    before = sys.gettrace()
    try:
        sys.settrace(interrupt)
        with pytest.raises(KeyboardInterrupt), pipe:
            pass
    finally:
        sys.settrace(before)
    assert not pipe.locked
    with pipe:
        assert pipe.query("*IDN?") == IDENTITY
    pipe.drop()


def test_many_at_once_on_one_pipe(flavour: Flavour, bench: Any, place: str) -> None:
    """Each answer belongs to its question, whichever task or thread has asked."""

    async def contract() -> None:
        pipe = flavour.make(ScpiPipe, address(bench, place), timeout=20)
        await pipe.write("*CLS;*RST")

        async def ask(numbers: Iterator[int]) -> None:
            for number in numbers:
                assert await pipe.query(f"*SAV 1;*ESE {number % 256};*ESE?") == str(number % 256)

        tasks = [flavour.start(ask, iter(range(start, 100, 4))) for start in range(4)]
        for task in tasks:
            await flavour.result(task)
        await pipe.drop()

    flavour.run(contract)


def test_an_error_entry_is_written_as_it_came() -> None:
    assert str(ErrorEntry(-113, "Undefined header")) == '-113,"Undefined header"'
    assert list(itertools.islice(ErrorEntry(1, "a"), 2)) == [1, "a"]
