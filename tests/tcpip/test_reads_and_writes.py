"""Reads and writes, the same on the sides of client and server."""

from __future__ import annotations

import asyncio
import json

import pytest

from sockio import tcpip

from .helpers import (
    TELEMETRY,
    Reports,
    Telemetry,
    eventually,
    listening,
    log,
    one_side,
    raises_timeout,
    soon,
    telemetry,
)

READS = {
    "read": lambda this: this.read(5),
    "read to the end": lambda this: this.read(),
    "readexactly": lambda this: this.readexactly(5),
    "readline": lambda this: this.readline(),
    "readuntil": lambda this: this.readuntil(b"#"),
    "read_into": lambda this: this.read_into(Telemetry()),
    "read_str": lambda this: this.read_str(),
    "read_json": lambda this: this.read_json(),
}
WRITES = {
    "write": lambda this: this.write(b"x"),
    "writelines": lambda this: this.writelines([b"x", b"y"]),
    "write_from": lambda this: this.write_from(telemetry()),
    "write_str": lambda this: this.write_str("x"),
    "write_json": lambda this: this.write_json({"x": 1}),
}
EXCHANGES = {
    "exchange_str": lambda this: this.exchange_str("x"),
    "exchange_json": lambda this: this.exchange_json({"x": 1}),
}


def calls(table):
    return pytest.mark.parametrize("call", list(table.values()), ids=list(table))


@pytest.mark.parametrize(
    ("call", "sent", "result"),
    [
        (lambda this: this.read(3), b"abcdef", b"abc"),
        (lambda this: this.read(100), b"abc", b"abc"),
        (lambda this: this.read(0), b"", b""),
        (lambda this: this.readexactly(0), b"", b""),
        (lambda this: this.readexactly(4), b"abcdef", b"abcd"),
        (lambda this: this.readline(), b"one\r\ntwo\r\n", b"one\r\n"),
        (lambda this: this.readline(), b"one\ntwo\n", b"one\n"),
        (lambda this: this.readuntil(), b"one\ntwo\n", b"one\n"),
        (lambda this: this.readuntil(b"END"), b"fooENDbar", b"fooEND"),
        (lambda this: this.read_str(), b"a\nb\r\n", "a\nb"),
        (lambda this: this.read_str(), b"\r\n", ""),
        (lambda this: this.read_str(), "22 °C\r\n".encode(), "22 °C"),
        (lambda this: this.read_json(), b'{"az": 1.5, "on": [true, null]}\r\n', {"az": 1.5, "on": [True, None]}),
        (lambda this: this.read_json(), b'"\\u00b0"\r\n', "°"),
    ],
)
async def test_reads_return(side, call, sent, result):
    async with one_side(side) as (this, peer):
        await peer.send(sent)
        assert await soon(call(this)) == result


async def test_a_structure_is_filled(side):
    async with one_side(side) as (this, peer):
        struct = Telemetry()
        await peer.send(TELEMETRY)
        await soon(this.read_into(struct))
        assert bytes(struct) == TELEMETRY


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (lambda this: this.write(b"abc"), b"abc"),
        (lambda this: this.write(bytearray(b"abc")), b"abc"),
        (lambda this: this.writelines([b"a\n", b"b\n"]), b"a\nb\n"),
        (lambda this: this.write_from(telemetry()), TELEMETRY),
        (lambda this: this.write_str("22 °C"), b"22 \xc2\xb0C\r\n"),
        (lambda this: this.write_json({"unit": "°", "n": [1, 2]}), b'{"unit": "\\u00b0", "n": [1, 2]}\r\n'),
    ],
)
async def test_writes_send(side, call, sent):
    async with one_side(side) as (this, peer):
        await soon(call(this))
        await peer.expect(sent)


async def test_everything_until_the_end(side):
    async with one_side(side) as (this, peer):
        reading = asyncio.create_task(this.read())
        await peer.send(b"one ")
        await peer.send(b"two")
        await peer.close()
        assert await soon(reading) == b"one two"
        assert not this.connected


@pytest.mark.parametrize("pieces", [[b"4", b"2\r", b"\n"], [b"42", b"\r\n"], [b"42\r\n"]])
async def test_text_may_come_in_pieces(side, pieces):
    async with one_side(side) as (this, peer):
        reading = asyncio.create_task(this.read_str())
        for piece in pieces:
            await peer.send(piece)
            await asyncio.sleep(0)
        assert await soon(reading) == "42"


async def test_another_encoding_and_another_terminator(side):
    """The terminator is these bytes, whatever the encoding: no encoded text."""
    async with one_side(side, encoding="utf-16-le", terminator=b"\n;") as (this, peer):
        await this.write_str("hi")
        await peer.expect(b"h\0i\0\n;")
        await peer.send(b"o\0k\0\n;")
        assert await soon(this.read_str()) == "ok"
        this.encoding, this.terminator = "ascii", b"\r"
        await peer.send(b"changed\r")
        assert await soon(this.read_str()) == "changed"


@calls(READS | WRITES | EXCHANGES)
async def test_without_a_connection(side, call):
    async with one_side(side) as (this, _):
        await this.close()
        with pytest.raises(ConnectionError, match="Not connected"):
            await call(this)


@calls(READS | WRITES | EXCHANGES)
async def test_before_there_is_a_connection(call):
    async with listening() as (port, _):
        client = tcpip.Client("127.0.0.1", port, log)
        with pytest.raises(ConnectionError, match="Not connected"):
            await call(client)
        async with client, tcpip.OneClientServer("127.0.0.1", 0, log) as server:
            with pytest.raises(ConnectionError, match="Not connected"):
                await call(server)


@calls(READS)
async def test_a_reset_closes_this_side_and_is_reported(side, call):
    reports = Reports()
    async with one_side(side, reports) as (this, peer):
        reading = asyncio.create_task(call(this))
        await asyncio.sleep(0)
        peer.reset()
        with pytest.raises(ConnectionError):
            await soon(reading)
        assert not this.connected
        assert this.should_be_connected
        assert not this.done_task.done()
        assert reports.states == [True, False]


INCOMPLETE = {name: call for name, call in READS.items() if name not in ("read", "read to the end", "readline")}


@calls(INCOMPLETE)
async def test_an_end_in_the_middle_is_an_incomplete_read(side, call):
    reports = Reports()
    async with one_side(side, reports) as (this, peer):
        reading = asyncio.create_task(call(this))
        await peer.send(b"abc")
        await peer.close()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await soon(reading)
        assert caught.value.partial == b"abc"
        assert isinstance(caught.value, ConnectionError)
        assert not this.connected
        assert this.should_be_connected
        assert reports.states == [True, False]
        with pytest.raises(ConnectionError, match="Not connected"):
            await call(this)


@calls({name: READS[name] for name in ("read", "read to the end", "readline")})
@pytest.mark.parametrize("left", [b"", b"abc"])
async def test_an_end_that_is_returned_closes_this_side_too(side, call, left):
    reports = Reports()
    async with one_side(side, reports) as (this, peer):
        reading = asyncio.create_task(call(this))
        await asyncio.sleep(0)
        peer.writer.write(left)
        await peer.close()
        assert await soon(reading) == left
        if this.connected:  # read(5) has had what was left, and not yet met the end
            await soon(call(this))
        await eventually(lambda: reports.states == [True, False])
        assert not this.connected
        assert this.should_be_connected


async def test_a_line_that_is_too_long_stays(side):
    async with one_side(side, limit=10) as (this, peer):
        await peer.send(b"0123456789ab\r\nnext\r\n")
        for _ in range(2):
            with pytest.raises(asyncio.LimitOverrunError) as caught:
                await soon(this.read_str())
            assert caught.value.consumed == 12
        assert this.connected
        assert await soon(this.readexactly(caught.value.consumed)) == b"0123456789ab"
        assert await soon(this.read_str()) == ""
        assert await soon(this.read_str()) == "next"


async def test_a_line_as_long_as_the_limit_is_read(side):
    async with one_side(side, limit=10) as (this, peer):
        await peer.send(b"0123456789\r\n" + b"x\r\n" * 20)
        assert await soon(this.read_str()) == "0123456789"
        assert [await soon(this.read_str()) for _ in range(20)] == ["x"] * 20


async def test_a_line_without_an_end_is_refused_at_the_limit(side):
    async with one_side(side, limit=10) as (this, peer):
        reading = asyncio.create_task(this.readuntil(b"END"))
        await peer.send(b"0123456789E")
        await peer.send(b"NX")
        with pytest.raises(asyncio.LimitOverrunError) as caught:
            await soon(reading)
        # What may be the beginning of the separator is not counted.
        assert caught.value.consumed == 11
        assert await soon(this.read(100)) == b"0123456789ENX"


async def test_readline_throws_a_line_that_is_too_long_away(side):
    """As asyncio's does: a program that goes on reads the next line."""
    async with one_side(side, limit=10) as (this, peer):
        await peer.send(b"0123456789ab\nnext\n")
        with pytest.raises(ValueError, match="limit"):
            await soon(this.readline())
        assert await soon(this.readline()) == b"next\n"
        assert this.connected


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\xff\xfe\r\n", UnicodeError),
        (b"{'no': json}\r\n", json.JSONDecodeError),
        (b"[" * 60000 + b"\r\n", json.JSONDecodeError),
    ],
)
async def test_what_makes_no_sense_is_gone_and_the_connection_stays(side, sent, error):
    async with one_side(side) as (this, peer):
        await peer.send(sent + b'{"next": 1}\r\n')
        with pytest.raises(error):
            await soon(this.read_json())
        assert this.connected
        assert await soon(this.read_json()) == {"next": 1}


async def test_what_is_no_json_is_in_the_error(side):
    async with one_side(side) as (this, peer):
        await peer.send(b"{not json}\r\n")
        with pytest.raises(json.JSONDecodeError, match=r"\{not json\}"):
            await soon(this.read_json())


async def test_what_cannot_be_encoded_is_not_sent(side):
    async with one_side(side, encoding="ascii") as (this, peer):
        with pytest.raises(UnicodeError):
            await this.write_str("22 °C")
        with pytest.raises(TypeError):
            await this.write_json(object())
        await this.write_str("ok")
        await peer.expect(b"ok\r\n")


async def test_two_reads_at_once_are_refused(side):
    async with one_side(side) as (this, peer):
        first = asyncio.create_task(this.read_str())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another read"):
            await this.read(1)
        await peer.send(b"for the first\r\n")
        assert await soon(first) == "for the first"
        assert this.connected


SPLIT = {
    "readexactly": (lambda this: this.readexactly(6), b"abc", b"def", b"abcdef"),
    "readline": (lambda this: this.readline(), b"abc", b"def\n", b"abcdef\n"),
    "readuntil": (lambda this: this.readuntil(b"END"), b"abcEN", b"DEF", b"abcEND"),
    "read_str": (lambda this: this.read_str(), b"abc\r", b"\n", "abc"),
    "read_json": (lambda this: this.read_json(), b'{"a":', b" 1}\r\n", {"a": 1}),
}


@pytest.mark.parametrize(("call", "first", "rest", "result"), list(SPLIT.values()), ids=list(SPLIT))
async def test_a_cancelled_read_takes_nothing(side, call, first, rest, result):
    reports = Reports()
    async with one_side(side, reports) as (this, peer):
        await raises_timeout(call(this))
        await peer.send(first)
        await raises_timeout(call(this))
        await peer.send(rest)
        assert await soon(call(this)) == result
        assert this.connected
        assert reports.states == [True]


async def test_a_cancelled_read_into_leaves_the_structure_alone(side):
    async with one_side(side) as (this, peer):
        struct = telemetry()
        await peer.send(bytes(20))
        await raises_timeout(this.read_into(struct))
        assert bytes(struct) == TELEMETRY
        await peer.send(bytes(12))
        await soon(this.read_into(struct))
        assert bytes(struct) == bytes(32)


async def test_a_cancelled_read_to_the_end_takes_nothing(side):
    async with one_side(side) as (this, peer):
        await peer.send(b"abc")
        await raises_timeout(this.read())
        assert await soon(this.read(2)) == b"ab"
        await peer.send(b"def")
        await peer.close()
        assert await soon(this.read()) == b"cdef"


async def test_polling_loses_nothing(side):
    """Cancelled at every moment that there is, reads put together what was sent."""
    lines = [f"line {number}" for number in range(300)]
    received = []
    async with one_side(side) as (this, peer):

        async def send():
            for line in lines:
                peer.writer.write(line[:3].encode())
                await asyncio.sleep(0)
                peer.writer.write(line[3:].encode() + b"\r\n")
                await peer.writer.drain()
                await asyncio.sleep(0)

        async def poll():
            turns = 0
            while len(received) < len(lines):
                reading = asyncio.create_task(this.read_str())
                for _ in range(turns % 4):
                    await asyncio.sleep(0)
                turns += 1
                reading.cancel()
                await asyncio.wait([reading])
                if not reading.cancelled():
                    received.append(reading.result())

        await soon(asyncio.gather(send(), poll()))
        assert received == lines


async def test_a_late_reply_is_what_the_next_read_returns(side):
    async with one_side(side) as (this, peer):
        await this.write_str("slow?")
        await raises_timeout(this.read_str())
        await peer.send(b"late\r\n")
        assert await soon(this.read_str()) == "late"


async def test_exchanges(side):
    async with one_side(side) as (this, peer):

        async def answer():
            for _ in range(40):
                line = await peer.reader.readuntil(b"\r\n")
                await peer.send(b'"answer to ' + line.strip(b'"\r\n') + b'"\r\n')

        answering = asyncio.create_task(answer())
        replies = await soon(asyncio.gather(*(this.exchange_json(f"{number}", 10) for number in range(40))))
        assert replies == [f"answer to {number}" for number in range(40)]
        await soon(answering)


@pytest.mark.parametrize("monitored", [True, False])
async def test_an_exchange_that_gets_no_reply_ends_the_connection(side, monitored):
    """So that its late reply can never be taken for another answer."""
    reports = Reports()
    interval = 0.1 if monitored else 0
    async with one_side(side, reports, monitor_connection_interval=interval) as (this, peer):
        with pytest.raises(TimeoutError):
            await this.exchange_str("slow?", timeout=0.02)
        assert not this.connected
        assert reports.states == [True, False]
        await peer.expect(b"slow?\r\n")
        with pytest.raises(ConnectionError):
            await this.read_str()


async def test_an_exchange_that_is_cancelled_ends_the_connection(side):
    reports = Reports()
    async with one_side(side, reports) as (this, _):
        await raises_timeout(this.exchange_str("slow?"))
        assert not this.connected
        await eventually(lambda: reports.states == [True, False])


async def test_exchanges_of_the_stream_itself(side):
    reports = Reports()
    async with one_side(side, reports) as (this, peer):
        await peer.send(b"unasked\r\n")
        await eventually(lambda: this.stream.in_waiting())
        asking = asyncio.create_task(this.stream.write_readline(b"*IDN?\n", timeout=5))
        await peer.expect(b"*IDN?\n")
        await peer.send(b"ACME\n")
        assert await soon(asking) == b"ACME\n"
        await peer.close()
        with pytest.raises(ConnectionError):
            await this.stream.write_readline(b"*IDN?\n", timeout=5)
        await eventually(lambda: reports.states == [True, False])
