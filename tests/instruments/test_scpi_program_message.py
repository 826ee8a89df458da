"""Where a program message ends: blocks may hold the terminator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.scpi import ScpiPipe, SerialScpiPipe
from instruments.scpi.program_message import terminated
from sockio.errors import ProtocolError
from sockio.framing import encode_block
from tests.contract import flavours
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, listen, until
from tests.instruments.test_scpi_everywhere import PLACES, address


@pytest.mark.parametrize(
    ("message", "terminator", "sent"),
    [
        (b"*IDN?", b"\n", b"*IDN?\n"),
        (b"*IDN?\n", b"\n", b"*IDN?\n"),
        (b"", b"\n", b"\n"),
        (b"DATA #12\x01\x0a", b"\n", b"DATA #12\x01\x0a\n"),
        (b"DATA #12\x01\x0a\n", b"\n", b"DATA #12\x01\x0a\n"),
        (b"DATA #3002\x0a\x0a", b"\n", b"DATA #3002\x0a\x0a\n"),
        (b"DATA #11\x0a,#11\x0a", b"\n", b"DATA #11\x0a,#11\x0a\n"),
        (b"DATA #15#12\n\n", b"\n", b"DATA #15#12\n\n\n"),
        (b"DATA #11\x0a,5\n", b"\n", b"DATA #11\x0a,5\n"),
        (b"DATA #10\n", b"\n", b"DATA #10\n"),
        (b"DATA #11\r\n", b"\r\n", b"DATA #11\r\n\r\n"),
        (b"DATA #12\r\n", b"\r\n", b"DATA #12\r\n\r\n"),
        (b"DATA #12\r\n\r\n", b"\r\n", b"DATA #12\r\n\r\n"),
        (b"DATA #11\r", b"\r", b"DATA #11\r\r"),
        # In a string there are no blocks, but a block may hold quotes.
        (b"DISP '#15ab'\n", b"\n", b"DISP '#15ab'\n"),
        (b'DISP "it\'s #11"\n', b"\n", b'DISP "it\'s #11"\n'),
        (b"DISP 'a''#11'\n", b"\n", b"DISP 'a''#11'\n"),
        (b"DATA 'a',#12'\n", b"\n", b"DATA 'a',#12'\n\n"),
        (b"DATA #11',#11\n", b"\n", b"DATA #11',#11\n\n"),
        # Numbers that are not decimal, and what other protocols than SCPI begin with a #.
        (b"*ESE #HFF\n", b"\n", b"*ESE #HFF\n"),
        (b"#01\r", b"\r", b"#01\r"),
        (b"#15\n", b"\n", b"#15\n"),
        (b"#\n", b"\n", b"#\n"),
        # The data of an indefinite block go on until the message ends.
        (b"DATA #0ab", b"\n", b"DATA #0ab\n"),
        (b"DATA #0#11\n", b"\n", b"DATA #0#11\n"),
    ],
)
def test_terminated(message: bytes, terminator: bytes, sent: bytes) -> None:
    assert terminated(message, terminator) == sent


@given(st.binary(), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_message_that_ends_with_a_block_gets_one_terminator(data: bytes, terminator: bytes) -> None:
    message = b"DATA " + encode_block(data)
    assert terminated(message, terminator) == message + terminator
    assert terminated(message + terminator, terminator) == message + terminator


@pytest.fixture(params=FLAVOURS, ids=[kind.name for kind in FLAVOURS])
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    kind: type[Flavour] = request.param
    with kind() as flavour:
        yield flavour


def test_what_is_sent(flavour: Flavour) -> None:
    with Peer(listen) as peer:
        pipe = flavour.make(ScpiPipe, peer.address, timeout=5)
        flavour.call(pipe.write, b"DATA " + encode_block(b"\x01\x0a"))
        flavour.call(pipe.write, b"DATA " + encode_block(b"\x01\x0a") + b"\n")
        flavour.call(pipe.write, "*RST\n")
        until(lambda: peer.received == b"DATA #12\x01\x0a\nDATA #12\x01\x0a\n*RST\n", "not what was written")
        flavour.call(pipe.drop)


def test_what_is_sent_with_another_terminator(flavour: Flavour) -> None:
    with Peer(listen) as peer:
        pipe = flavour.make(SerialScpiPipe, peer.address, term="\r\n", timeout=5)
        flavour.call(pipe.write, b"DATA " + encode_block(b"\r\n"))
        flavour.call(pipe.write, "*RST\r\n")
        until(lambda: peer.received == b"DATA #12\r\n\r\n*RST\r\n", "not what was written")
        flavour.call(pipe.drop)


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    transports = [{}, {"type": "serial"}, {"protocol": "vxi11"}, {"protocol": "hislip"}]
    devices = [
        {"class": "Oscilloscope", "transports": transports},
        {"class": "Prologix", "transports": [{}, {"type": "serial"}], "instruments": {7: "oscilloscope"}},
    ]
    with serve_bench(devices) as bench:
        yield bench


runtimes = pytest.mark.parametrize("kind", [name for name in flavours.FLAVOURS if name != "py2"])


@runtimes
@pytest.mark.parametrize("place", PLACES)
def test_a_block_that_ends_like_a_message_reaches_the_instrument(bench: Any, kind: str, place: str) -> None:
    flavour = flavours.FLAVOURS[kind]()

    async def contract() -> None:
        scope = flavour.make(ScpiPipe, address(bench, place, "oscilloscope"), timeout=5)
        await scope.write("*CLS;*RST")
        for data in (b"\x01\x02", b"\x01\x0a", b"\x0a", b"\x0d\x0a"):
            await scope.write(b"DATA:ARB mine," + encode_block(data))
            assert await scope.query("SYST:ERR?") == '0,"No error"'
            assert await scope.query_binary("DATA:ARB? mine") == data
        await scope.drop()

    flavour.run(contract)


@runtimes
@pytest.mark.parametrize("place", PLACES)
def test_an_indefinite_block_is_whole_or_an_error(bench: Any, kind: str, place: str) -> None:
    flavour = flavours.FLAVOURS[kind]()

    async def contract() -> None:
        scope = flavour.make(ScpiPipe, address(bench, place, "oscilloscope"), timeout=5)
        await scope.write("*CLS;*RST;:WAV:FORM WORD;POIN 1000")
        whole = await scope.query_binary("WAV:DATA?")
        assert b"\n" in whole[:-1]
        await scope.write("SIM:BLOC:DIG 0")
        if place in ("vxi11", "hislip"):
            assert await scope.query_binary("WAV:DATA?") == whole
        else:
            with pytest.raises(ProtocolError, match="ask the instrument for definite blocks"):
                await scope.query_array("WAV:DATA?", "u2")
            with pytest.raises(ProtocolError, match="ask the instrument for definite blocks"):
                await scope.query_binary("WAV:DATA?")
            await scope.write("WAV:DATA?")
            with pytest.raises(ProtocolError, match="ask the instrument for definite blocks"):
                await scope.read_raw()
        await scope.write("SIM:BLOC:DIG 9")
        assert await scope.query("WAV:POIN?") == "1000"
        assert await scope.query_binary("WAV:DATA?") == whole
        await scope.drop()

    flavour.run(contract)
