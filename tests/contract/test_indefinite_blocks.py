"""Indefinite blocks, IEEE 488.2, 8.7.10: on a stream of bytes a newline among their data looks like their end."""

from __future__ import annotations

from typing import Any

import pytest

from .flavours import Flavour
from .server import Server

#: What came before the first newline, the newline, and what came after it.
CUT = b"#0" + bytes(range(256)) + b"\n"

READS: list[tuple[str, dict[str, Any]]] = [
    ("readblock", {}),
    ("readblock", {"allocate": bytearray}),
    ("readmessage", {}),
    ("readmessage", {"allocate": bytearray}),
]

reads = pytest.mark.parametrize(
    ("method", "options"), READS, ids=["block", "block into memory", "message", "message into memory"]
)


@reads
async def test_an_answer_with_a_newline_inside_is_refused(
    flavour: Flavour, scripted: Server, method: str, options: dict[str, Any]
) -> None:
    scripted.script = lambda peer: (peer.answer(b"CURVE?\n", CUT), peer.gone())
    stream = flavour.TCP(*scripted.address, timeout=8)
    with pytest.raises(
        flavour.ProtocolError, match="10 bytes of data and more after that: its end cannot be told"
    ) as caught:
        await getattr(stream, "write_" + method)(b"CURVE?\n", **options)
    assert caught.value.data == CUT
    assert not stream.connected(), "what still comes may be the rest of the block"
    scripted.script = lambda peer: peer.answer(b"*IDN?\n", b"right\n")
    assert await stream.write_readline(b"*IDN?\n") == b"right\n"


@reads
async def test_a_plain_read_gives_the_connection_up_as_well(
    flavour: Flavour, scripted: Server, method: str, options: dict[str, Any]
) -> None:
    stream = flavour.TCP(*scripted.address, timeout=8)
    await stream.open()
    peer = scripted.peer()
    peer.send(CUT)
    with pytest.raises(flavour.ProtocolError, match="definite blocks"):
        await getattr(stream, method)(**options)
    assert not stream.connected()
    assert await flavour.call(peer.gone)
    await stream.write(b"*IDN?\n")
    await flavour.call(scripted.peer().answer, b"*IDN?\n", b"right\n")
    assert await stream.readline() == b"right\n"


@reads
async def test_the_rest_is_seen_where_it_waits(
    flavour: Flavour, scripted: Server, method: str, options: dict[str, Any]
) -> None:
    """What has been received already ends with a newline; what follows is still the system's."""
    stream = flavour.TCP(*scripted.address, timeout=8)
    await stream.open()
    peer = scripted.peer()
    peer.send(b"1#0ab\n")
    assert await stream.readexactly(1) == b"1"
    await flavour.until(lambda: stream.in_waiting() == 5)
    peer.send(b"cd\n")
    await flavour.until(lambda: stream.in_waiting() == 8)
    with pytest.raises(flavour.ProtocolError, match="2 bytes of data and more after that"):
        await getattr(stream, method)(**options)
    assert not stream.connected()


@reads
async def test_a_slow_line_is_listened_to_for_its_quiet_time(
    flavour: Flavour, scripted: Server, method: str, options: dict[str, Any]
) -> None:
    stream = flavour.TCP(*scripted.address, timeout=8, quiet=6)
    asking = flavour.start(getattr(stream, "write_" + method), b"CURVE?\n", **options)
    peer = await flavour.call(scripted.peer)
    await flavour.call(peer.answer, b"CURVE?\n", b"#0ab\n")
    await flavour.sleep(0.1)
    assert not asking.done()
    peer.send(b"c")
    error: Any = await flavour.error(asking)
    assert isinstance(error, flavour.ProtocolError)
    assert error.data == b"#0ab\nc"
    assert not stream.connected()


@reads
async def test_a_block_and_then_silence_or_the_end(
    flavour: Flavour, scripted: Server, method: str, options: dict[str, Any]
) -> None:
    expected = b"#0ab\n" if method == "readmessage" and not options else b"ab"
    scripted.script = lambda peer: (peer.answer(b"CURVE?\n", b"#0ab\n"), peer.answer(b"CURVE?\n", b"#0ab\n"))
    stream = flavour.TCP(*scripted.address, timeout=8, quiet=0.05)
    for _ in range(2):  # after the second one, the peer closes
        assert await getattr(stream, "write_" + method)(b"CURVE?\n", **options) == expected
    assert stream.connection_counter == 1


async def test_no_time_to_listen(flavour: Flavour, scripted: Server) -> None:
    scripted.script = lambda peer: (peer.answer(b"CURVE?\n", b"#0ab\n"), peer.gone())
    stream = flavour.TCP(*scripted.address, timeout=8, quiet=6)
    with pytest.raises(flavour.ConnectionTimeoutError):
        await stream.write_readblock(b"CURVE?\n", timeout=0.2)
    assert not stream.connected()
