"""The HiSLIP client against an instrument that follows a script: bytes written out from IVI-6.1, message by message.

Each line of a script is one message: "HS", type, control code, message parameter, payload length, payload.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from instruments.hislip import HislipConnection, HislipError, HislipFatalError, RemoteLocal
from sockio.errors import ConnectionEOFError, ConnectionTimeoutError, ProtocolError
from tests.instruments.hislip_peers import FLAVOURS, Channel, Flavour, Script, ScriptedInstrument

IDN = "48 53 07 00 ff ff ff {} 00 00 00 00 00 00 00 06 '*IDN?\n'"
IDN_AFTER_RESPONSE = "48 53 07 01 ff ff ff {} 00 00 00 00 00 00 00 06 '*IDN?\n'"
ANSWER = "48 53 07 00 ff ff ff {} 00 00 00 00 00 00 00 05 'DMM1\n'"
STALE = "48 53 07 00 ff ff ff {} 00 00 00 00 00 00 00 06 'stale\n'"
STALE_DATA = "48 53 06 00 ff ff ff {} 00 00 00 00 00 00 00 06 'stale\n'"
INTERRUPTED = "48 53 0d 00 ff ff ff {} 00 00 00 00 00 00 00 00"
ASYNC_INTERRUPTED = "48 53 0e 00 ff ff ff {} 00 00 00 00 00 00 00 00"

ASYNC_DEVICE_CLEAR = "48 53 13 00 00 00 00 00 00 00 00 00 00 00 00 00"
ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = "48 53 17 {} 00 00 00 00 00 00 00 00 00 00 00 00"
DEVICE_CLEAR_COMPLETE = "48 53 08 {} 00 00 00 00 00 00 00 00 00 00 00 00"
DEVICE_CLEAR_ACKNOWLEDGE = "48 53 09 {} 00 00 00 00 00 00 00 00 00 00 00 00"

STATUS_QUERY = "48 53 15 {} ff ff {} 00 00 00 00 00 00 00 00"
STATUS_RESPONSE = "48 53 16 {} 00 00 00 00 00 00 00 00 00 00 00 00"
SERVICE_REQUEST = "48 53 14 {} 00 00 00 00 00 00 00 00 00 00 00 00"

Test = Callable[[HislipConnection], Any]


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return Flavour(request.param)


def run(
    flavour: Flavour, test: Test, *scripts: Script, connection: dict[str, Any] | None = None, **options: Any
) -> None:
    """Let a connection and a scripted instrument meet."""
    with ScriptedInstrument(*scripts, **options) as instrument:

        async def main() -> None:
            hislip = flavour.connection(instrument.port, **(connection or {}))
            try:
                await test(hislip)
            finally:
                await hislip.close()

        flavour.run(main)


def answer_clear(synchronous: Channel, asynchronous: Channel, features: str = "00") -> None:
    asynchronous.expect(ASYNC_DEVICE_CLEAR)
    asynchronous.send(ASYNC_DEVICE_CLEAR_ACKNOWLEDGE.format(features))
    synchronous.expect(DEVICE_CLEAR_COMPLETE.format(features))
    synchronous.send(DEVICE_CLEAR_ACKNOWLEDGE.format(features))


def answer_idn(synchronous: Channel, _: Channel | None = None) -> None:
    synchronous.expect(IDN.format("00"))
    synchronous.send(ANSWER.format("00"))


# Initialization, data, status


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
def test_two_queries_and_what_was_agreed_upon(flavour: Flavour, pieces: bool) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        synchronous.expect(IDN_AFTER_RESPONSE.format("02"))
        synchronous.send(ANSWER.format("02"))
        synchronous.expect_end()
        asynchronous.expect_end()

    async def test(hislip: HislipConnection) -> None:
        assert not hislip.connected()
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"
        assert hislip.connected()
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"
        session = hislip.session
        assert (session.session_id, session.protocol_version, session.server_vendor_id) == (0x1234, (1, 0), b"AB")
        assert (session.maximum_message_size, hislip.mode) == (2**20, "synchronized")

    run(flavour, test, script, pieces=pieces)


def test_a_newer_instrument_is_spoken_to_in_version_1_0(flavour: Flavour) -> None:
    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*IDN?\n", 5)
        assert hislip.session.protocol_version == (1, 0)

    run(flavour, test, answer_idn, response="48 53 01 00 02 00 12 34 00 00 00 00 00 00 00 00")


def test_a_message_is_split_at_the_instruments_maximum_size(flavour: Flavour) -> None:
    def script(synchronous: Channel, _: Channel) -> None:
        synchronous.expect("48 53 06 00 ff ff ff 00 00 00 00 00 00 00 00 04 'DATA'")
        synchronous.expect("48 53 06 00 ff ff ff 02 00 00 00 00 00 00 00 04 ' #14'")
        synchronous.expect("48 53 07 00 ff ff ff 04 00 00 00 00 00 00 00 04 'abc\n'")
        synchronous.expect("48 53 07 00 ff ff ff 06 00 00 00 00 00 00 00 04 'EXA?'")
        synchronous.expect("48 53 07 00 ff ff ff 08 00 00 00 00 00 00 00 00")

    async def test(hislip: HislipConnection) -> None:
        await hislip.write(b"DATA #14abc\n", 5)
        await hislip.write(b"EXA?", 5)
        await hislip.write(b"", 5)

    run(flavour, test, script, size=20)


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("identified", [True, False])
def test_a_response_in_several_messages(flavour: Flavour, identified: bool, pieces: bool) -> None:
    def script(synchronous: Channel, _: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        first, second = ("00", "02") if identified else ("ff", "ff")
        synchronous.send(f"48 53 06 00 ff ff ff {first} 00 00 00 00 00 00 00 03 '#18'")
        synchronous.send(f"48 53 06 00 ff ff ff {first} 00 00 00 00 00 00 00 00")
        synchronous.send(f"48 53 06 00 ff ff ff {first} 00 00 00 00 00 00 00 05 'abcde'")
        synchronous.send("48 53 07 00 ff ff ff 00 00 00 00 00 00 00 00 04 'fgh\n'")
        synchronous.expect(IDN_AFTER_RESPONSE.format("02"))
        synchronous.send(f"48 53 06 00 ff ff ff {second} 00 00 00 00 00 00 00 03 'one'")
        synchronous.send("48 53 07 00 ff ff ff 02 00 00 00 00 00 00 00 01 '\n'")

    async def test(hislip: HislipConnection) -> None:
        assert await hislip.query_block(b"*IDN?\n", bytearray, 5) == b"abcdefgh"
        assert await hislip.query(b"*IDN?\n", 5) == b"one\n"

    run(flavour, test, script, pieces=pieces)


def test_a_status_query_names_the_last_message_and_hands_over_that_its_response_was_read(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        asynchronous.expect(STATUS_QUERY.format("00", "fe fe"))
        asynchronous.send(STATUS_RESPONSE.format("00"))
        answer_idn(synchronous)
        asynchronous.expect(STATUS_QUERY.format("01", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("60"))
        asynchronous.expect(STATUS_QUERY.format("00", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("20"))
        synchronous.expect(IDN.format("02"))
        synchronous.send(ANSWER.format("02"))

    async def test(hislip: HislipConnection) -> None:
        assert await hislip.read_status_byte(5) == 0
        await hislip.query(b"*IDN?\n", 5)
        assert await hislip.read_status_byte(5) == 0x60
        assert await hislip.read_status_byte(5) == 0x20
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


def test_the_status_byte_is_read_beside_a_query_and_whatever_became_of_the_last_one(flavour: Flavour) -> None:
    asked = threading.Event()

    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        asked.set()
        asynchronous.expect(STATUS_QUERY.format("00", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("05"))
        # The query times out; nothing is cleared for another status query.
        asynchronous.expect(STATUS_QUERY.format("00", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("06"))
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        async def query() -> None:
            with pytest.raises(ConnectionTimeoutError):
                await hislip.query(b"*IDN?\n", 0.7)

        async def poll() -> None:
            while not asked.is_set():
                await flavour.sleep(0.01)
            assert await hislip.read_status_byte(5) == 5

        assert hislip.polls_aside
        await flavour.together(query, poll)
        assert await hislip.read_status_byte(5) == 6
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


def test_a_status_query_that_was_given_up_does_not_answer_the_next(flavour: Flavour) -> None:
    late = threading.Event()

    def script(synchronous: Channel, asynchronous: Channel) -> None:
        asynchronous.expect(STATUS_QUERY.format("00", "fe fe"))
        late.wait(5)
        asynchronous.expect(STATUS_QUERY.format("00", "fe fe"))
        asynchronous.send(STATUS_RESPONSE.format("11"))
        asynchronous.send(STATUS_RESPONSE.format("22"))

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ConnectionTimeoutError, match=r"read_status_byte timed out after 0\.05 s"):
            await hislip.read_status_byte(0.05)
        late.set()
        assert hislip.connected()
        assert await hislip.read_status_byte(5) == 0x22

    run(flavour, test, script)


def test_remote_and_local_and_trigger(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        synchronous.expect("48 53 0c 01 ff ff ff 02 00 00 00 00 00 00 00 00")
        synchronous.expect("48 53 0c 00 ff ff ff 04 00 00 00 00 00 00 00 00")
        asynchronous.expect("48 53 0a 04 ff ff ff 04 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 0b 00 00 00 00 00 00 00 00 00 00 00 00 00")

    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*IDN?\n", 5)
        await hislip.trigger(5)
        await hislip.trigger(5)
        await hislip.remote_local(RemoteLocal.ASSERT_LLO, 5)

    run(flavour, test, script)


# Stale responses and interruptions


def test_responses_to_earlier_messages_are_discarded(flavour: Flavour) -> None:
    def script(synchronous: Channel, _: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.expect(IDN.format("02"))
        synchronous.send(STALE_DATA.format("00"))
        synchronous.send(STALE.format("00"))
        synchronous.send(STALE_DATA.format("ff"))  # of nobody knows what, until the next line
        synchronous.send(STALE.format("00"))
        synchronous.send(STALE.format("fe"))
        synchronous.send(STALE_DATA.format("ff"))
        synchronous.send(STALE_DATA.format("00"))
        synchronous.send("48 53 06 00 ff ff ff 02 00 00 00 00 00 00 00 03 'DMM'")
        synchronous.send("48 53 07 00 ff ff ff 02 00 00 00 00 00 00 00 02 '1\n'")

    async def test(hislip: HislipConnection) -> None:
        await hislip.write(b"*IDN?\n", 5)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("order", ["both first", "asynchronous late", "asynchronous first", "twice"])
def test_an_interrupted_response_is_never_returned(flavour: Flavour, order: str, pieces: bool) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.expect(IDN.format("02"))
        if order != "asynchronous late":
            asynchronous.send(ASYNC_INTERRUPTED.format("02"))
        if order == "asynchronous first":
            # What is read meanwhile on the asynchronous channel tells the client before Interrupted does.
            asynchronous.expect(STATUS_QUERY.format("00", "ff 02"))
            asynchronous.send(STATUS_RESPONSE.format("00"))
            synchronous.send(STALE_DATA.format("02"))
            synchronous.send(STALE.format("02"))
        else:
            synchronous.send(STALE_DATA.format("ff"))
        synchronous.send(INTERRUPTED.format("02"))
        if order == "asynchronous late":
            synchronous.send(ANSWER.format("02"))
            asynchronous.send(SERVICE_REQUEST.format("40"))
            asynchronous.send(ASYNC_INTERRUPTED.format("02"))
        else:
            if order == "twice":
                asynchronous.send(ASYNC_INTERRUPTED.format("02"))
                synchronous.send(INTERRUPTED.format("02"))
            synchronous.send(ANSWER.format("02"))
        synchronous.expect(IDN_AFTER_RESPONSE.format("04"))
        synchronous.send(ANSWER.format("04"))

    async def test(hislip: HislipConnection) -> None:
        await hislip.write(b"*IDN?\n", 5)
        await hislip.write(b"*IDN?\n", 5)
        if order == "asynchronous first":
            await hislip.read_status_byte(5)
        assert await hislip.read(5) == b"DMM1\n"
        if order == "asynchronous late":
            assert await hislip.wait_for_service_request(5) == 0x40
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script, pieces=pieces)


def test_interrupted_and_async_interrupted_have_to_agree(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        asynchronous.send(ASYNC_INTERRUPTED.format("02"))
        synchronous.send(INTERRUPTED.format("00"))
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ProtocolError, match="to name one message, got 0xffffff00 and 0xffffff02"):
            await hislip.query(b"*IDN?\n", 5)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


def test_a_response_broken_off_in_the_middle_is_an_error(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.send("48 53 06 00 ff ff ff 00 00 00 00 00 00 00 00 04 '#15a'")
        synchronous.send(STALE.format("fe"))
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ProtocolError, match="broken off by DataEnd"):
            await hislip.query_block(b"*IDN?\n", bytearray, 5)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


# Device clear


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
def test_after_a_timeout_the_device_is_cleared_and_the_late_response_thrown_away(
    flavour: Flavour, pieces: bool
) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        asynchronous.expect(ASYNC_DEVICE_CLEAR)
        synchronous.send(STALE_DATA.format("00"))
        synchronous.send(STALE.format("00"))
        asynchronous.send(ASYNC_INTERRUPTED.format("00"))
        asynchronous.send(ASYNC_DEVICE_CLEAR_ACKNOWLEDGE.format("00"))
        synchronous.send(INTERRUPTED.format("00"))
        synchronous.expect(DEVICE_CLEAR_COMPLETE.format("00"))
        synchronous.send(STALE.format("00"))
        synchronous.send(DEVICE_CLEAR_ACKNOWLEDGE.format("00"))
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ConnectionTimeoutError, match=r"query timed out after 0\.1 s"):
            await hislip.query(b"*IDN?\n", 0.1)
        assert hislip.connected()
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script, pieces=pieces)


def test_a_payload_torn_in_the_middle_ends_the_connection(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.send("48 53 07 00 ff ff ff 00 00 00 00 00 00 00 00 08 '#2'")
        synchronous.expect_end()
        asynchronous.expect_end()

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ConnectionTimeoutError):
            await hislip.query(b"*IDN?\n", 0.1)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    def answer_after_clear(synchronous: Channel, asynchronous: Channel) -> None:
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    run(flavour, test, script, answer_after_clear)


def test_clear_resets_the_message_ids(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*IDN?\n", 5)
        await hislip.clear(5)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


def test_an_instrument_that_refuses_a_device_clear_is_connected_to_again(flavour: Flavour) -> None:
    def refuse(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.send("48 53 03 04 00 00 00 00 00 00 00 00 00 00 00 03 'big'")
        asynchronous.expect("48 53 13 00 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 03 01 00 00 00 00 00 00 00 00 00 00 00 00")
        synchronous.expect_end()
        asynchronous.expect_end()

    def answer(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(HislipError, match="Error 4, Message too large: big"):
            await hislip.query(b"*IDN?\n", 5)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, refuse, answer)


def test_half_a_device_clear_ends_the_connection(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        asynchronous.expect(ASYNC_DEVICE_CLEAR)
        asynchronous.expect_end()

    def answer_after_clear(synchronous: Channel, asynchronous: Channel) -> None:
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ConnectionTimeoutError):
            await hislip.clear(0.1)
        assert not hislip.connected()
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script, answer_after_clear)


# Overlap mode

PREFERS_OVERLAP = "48 53 01 01 01 00 12 34 00 00 00 00 00 00 00 00"


def test_in_overlap_mode_responses_come_in_their_order(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        for message_id in ("00", "02", "04"):
            synchronous.expect(IDN.format(message_id))
        # The instrument counts its own messages here (IVI-6.1, 3.2).
        synchronous.send("48 53 07 00 ff ff ff 00 00 00 00 00 00 00 00 02 '1\n'")
        synchronous.send("48 53 06 00 ff ff ff 02 00 00 00 00 00 00 00 01 '2'")
        synchronous.send("48 53 07 00 ff ff ff 04 00 00 00 00 00 00 00 01 '\n'")
        synchronous.send("48 53 07 00 ff ff ff 06 00 00 00 00 00 00 00 02 '3\n'")
        asynchronous.expect(STATUS_QUERY.format("00", "ff 04"))
        asynchronous.send(STATUS_RESPONSE.format("10"))
        synchronous.expect(IDN.format("06"))
        synchronous.send("48 53 07 00 ff ff ff 08 00 00 00 00 00 00 00 02 '4\n'")

    async def test(hislip: HislipConnection) -> None:
        for _ in range(3):
            await hislip.write(b"*IDN?\n", 5)
        assert hislip.mode == "overlap"
        assert await hislip.read(5) == b"1\n"
        assert await hislip.read(5) == b"2\n"
        assert await hislip.read_status_byte(5) == 0x10
        assert await hislip.read(5) == b"3\n"
        assert await hislip.query(b"*IDN?\n", 5) == b"4\n"

    run(flavour, test, script, response=PREFERS_OVERLAP)


@pytest.mark.parametrize(("wanted", "features"), [("overlap", "01"), ("synchronized", "00")])
@pytest.mark.parametrize("granted", ["00", "01"])
def test_a_mode_is_asked_for_by_a_device_clear(flavour: Flavour, wanted: str, features: str, granted: str) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        asynchronous.expect(ASYNC_DEVICE_CLEAR)
        asynchronous.send(ASYNC_DEVICE_CLEAR_ACKNOWLEDGE.format("00" if features == "01" else "01"))
        synchronous.expect(DEVICE_CLEAR_COMPLETE.format(features))
        synchronous.send(DEVICE_CLEAR_ACKNOWLEDGE.format(granted))
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"
        assert hislip.mode == ("overlap" if granted == "01" else "synchronized")

    start = PREFERS_OVERLAP if wanted == "synchronized" else "48 53 01 00 01 00 12 34 00 00 00 00 00 00 00 00"
    run(flavour, test, script, response=start, connection={"mode": wanted})


# Locks


def test_locks(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        asynchronous.expect("48 53 04 01 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 05 01 00 00 00 00 00 00 00 00 00 00 00 00")
        answer_idn(synchronous)
        asynchronous.expect("48 53 04 00 ff ff ff 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 05 01 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.expect("48 53 04 01 ff ff ff ff 00 00 00 00 00 00 00 03 'lab'")
        asynchronous.send("48 53 05 01 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.expect("48 53 18 00 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 19 00 00 00 00 03 00 00 00 00 00 00 00 00")
        asynchronous.expect("48 53 04 00 ff ff ff 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 05 02 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.expect("48 53 04 01 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 05 00 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.expect("48 53 04 01 ff ff ff ff 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 05 03 00 00 00 00 00 00 00 00 00 00 00 00")

    async def test(hislip: HislipConnection) -> None:
        await hislip.open(5)
        await hislip.lock(0)
        await hislip.query(b"*IDN?\n", 5)
        await hislip.unlock(5)
        await hislip.lock(None, "lab")
        assert await hislip.lock_info(5) == (False, 3)
        await hislip.unlock(5)
        with pytest.raises(ConnectionTimeoutError, match="another client has kept the lock for 0 s"):
            await hislip.lock(0)
        with pytest.raises(HislipError, match="has already"):
            await hislip.lock(None)

    run(flavour, test, script)


def test_a_lock_that_is_refused_too_late_is_a_timeout(flavour: Flavour) -> None:
    """The instrument gets less time than there is, in which it has to answer."""
    told = []

    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        header = asynchronous.receive(16)
        assert header[:4].hex(" ") == "48 53 04 01"
        told.append(int.from_bytes(header[4:8], "big"))
        time.sleep(0.8)
        asynchronous.send("48 53 05 00 00 00 00 00 00 00 00 00 00 00 00 00")

    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*IDN?\n", 5)
        with pytest.raises(ConnectionTimeoutError, match=r"lock timed out after 0\.4 s"):
            await hislip.lock(0.4)
        assert not hislip.connected(), "it could still be granted"

    run(flavour, test, script)
    assert 300 < told[0] <= 360


def test_distrust_clears_the_device(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)
        synchronous.expect(IDN_AFTER_RESPONSE.format("02"))
        synchronous.send(ANSWER.format("02"))

    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*IDN?\n", 5)
        hislip.distrust()
        for _ in range(2):
            assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


# Errors


def test_errors_are_raised_with_their_names_and_the_connection_goes_on(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.send("48 53 03 04 00 00 00 00 00 00 00 00 00 00 00 03 'big'")
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)
        asynchronous.expect("48 53 18 00 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.send("48 53 03 01 00 00 00 00 00 00 00 00 00 00 00 00")
        asynchronous.expect(STATUS_QUERY.format("01", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("05"))

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(HislipError, match="Error 4, Message too large: big") as caught:
            await hislip.query(b"*IDN?\n", 5)
        assert (caught.value.code, caught.value.text) == (4, "big")
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"
        with pytest.raises(HislipError, match="Unrecognized message type"):
            await hislip.lock_info(5)
        assert await hislip.read_status_byte(5) == 5

    run(flavour, test, script)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("00", "Unidentified error"),
        ("01", "Poorly formed message header"),
        ("02", "Attempt to use connection without both channels established"),
        ("03", "Invalid initialization sequence"),
        ("04", "Server refused connection due to maximum number of clients exceeded"),
        ("05", "Reserved error code"),
        ("80", "Device-defined error"),
    ],
)
def test_a_fatal_error_ends_the_connection(flavour: Flavour, code: str, name: str) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.send(f"48 53 02 {code} 00 00 00 00 00 00 00 00 00 00 00 03 'why'")
        synchronous.expect_end()
        asynchronous.expect_end()

    def answer_after_clear(synchronous: Channel, asynchronous: Channel) -> None:
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(HislipFatalError, match=f"FatalError {int(code, 16)}, {name}: why$"):
            await hislip.query(b"*IDN?\n", 5)
        assert not hislip.connected()
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script, answer_after_clear)


@pytest.mark.parametrize(
    ("first", "error", "text"),
    [
        ("48 53 02 04 00 00 00 00 00 00 00 00 00 00 00 00", HislipFatalError, "maximum number of clients"),
        ("48 53 03 00 00 00 00 00 00 00 00 00 00 00 00 00", HislipError, "Unidentified error"),
        ("48 53 07 00 00 00 00 00 00 00 00 00 00 00 00 00", ProtocolError, "expected InitializeResponse, got DataEnd"),
        (
            "48 53 01 00 00 09 12 34 00 00 00 00 00 00 00 00",
            ProtocolError,
            "version 1.0 or later of the protocol, got 0.9",
        ),
        ("'HTTP/1.1 400 Bad'", ProtocolError, "which begins with b'HS'"),
        ("48 53", ConnectionEOFError, "closed the connection"),
        ("", ConnectionEOFError, "closed the connection"),
    ],
)
def test_initialization_that_fails(flavour: Flavour, first: str, error: type[Exception], text: str) -> None:
    def script(synchronous: Channel, _: Channel) -> None:
        synchronous.expect("48 53 00 00 01 00 78 78 00 00 00 00 00 00 00 07 'hislip0'")
        synchronous.send(first)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(error, match=text):
            await hislip.open(5)
        assert not hislip.connected()

    run(flavour, test, script, initialize=False)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (
            "48 53 1a 00 00 00 00 00 00 00 00 00 00 00 00 03 'abc'",
            "48 53 03 01 00 00 00 00 00 00 00 00 00 00 00 19 'Unrecognized message type'",
        ),
        (
            "48 53 05 00 00 00 00 00 00 00 00 00 00 00 00 00",
            "48 53 03 01 00 00 00 00 00 00 00 00 00 00 00 19 'Unrecognized message type'",
        ),
        (
            "48 53 80 00 00 00 00 00 00 00 00 00 00 00 00 00",
            "48 53 03 03 00 00 00 00 00 00 00 00 00 00 00 23 'Unrecognized vendor defined message'",
        ),
    ],
)
@pytest.mark.parametrize("channel", ["synchronous", "asynchronous"])
def test_messages_that_cannot_come_are_answered_with_an_error(
    flavour: Flavour, sent: str, answer: str, channel: str
) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        if channel == "synchronous":
            synchronous.expect(IDN.format("00"))
            synchronous.send(sent)
            synchronous.expect(answer)
            answer_clear(synchronous, asynchronous)
        else:
            asynchronous.send(sent)
            asynchronous.expect(answer)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ProtocolError, match="which cannot come here"):
            await (hislip.query(b"*IDN?\n", 5) if channel == "synchronous" else hislip.wait_for_service_request(5))
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


@pytest.mark.parametrize(
    "header",
    [
        "58 53 07 00 ff ff ff 00 00 00 00 00 00 00 00 05",
        "48 53 07 00 ff ff ff 00 80 00 00 00 00 00 00 00",
        "48 53 07 00 ff ff ff 00 00 00 00 00 40 00 00 01",
        "48 53 03 00 ff ff ff 00 ff ff ff ff ff ff ff ff",
    ],
)
def test_a_header_that_makes_no_sense_ends_the_connection(flavour: Flavour, header: str) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.send(header)
        synchronous.expect("48 53 02 01 00 00 00 00 00 00 00 00 00 00 00 1c 'Poorly formed message header'")
        synchronous.expect_end()
        asynchronous.expect_end()

    def answer_after_clear(synchronous: Channel, asynchronous: Channel) -> None:
        answer_clear(synchronous, asynchronous)
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        with pytest.raises(ProtocolError, match=r"^hislip::127"):
            await hislip.query(b"*IDN?\n", 5)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script, answer_after_clear)


@pytest.mark.parametrize("end", ["synchronous", "asynchronous"])
def test_a_connection_lost_between_calls_is_made_again(flavour: Flavour, end: str) -> None:
    gone = threading.Event()

    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        synchronous.close()
        asynchronous.close()
        gone.set()

    async def test(hislip: HislipConnection) -> None:
        await hislip.query(b"*IDN?\n", 5)
        gone.wait(5)
        await flavour.sleep(0.02)
        assert not hislip.connected()
        if end == "synchronous":
            assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"
        else:
            assert await hislip.read_status_byte(5) == 7

    def second(synchronous: Channel, asynchronous: Channel) -> None:
        if end == "synchronous":
            answer_idn(synchronous)
        else:
            asynchronous.expect(STATUS_QUERY.format("00", "fe fe"))
            asynchronous.send(STATUS_RESPONSE.format("07"))

    run(flavour, test, script, second)


# Service requests


def test_service_requests_wait_for_who_asks(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        asynchronous.send(SERVICE_REQUEST.format("41"))
        asynchronous.send(SERVICE_REQUEST.format("42"))
        asynchronous.expect(STATUS_QUERY.format("00", "fe fe"))
        asynchronous.send(STATUS_RESPONSE.format("01"))
        answer_idn(synchronous)

    async def test(hislip: HislipConnection) -> None:
        assert await hislip.read_status_byte(5) == 1
        assert await hislip.wait_for_service_request(5) == 0x41
        assert await hislip.wait_for_service_request(5) == 0x42
        with pytest.raises(ConnectionTimeoutError, match="wait_for_service_request timed out"):
            await hislip.wait_for_service_request(0.05)
        assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"

    run(flavour, test, script)


def test_queries_and_status_queries_go_on_while_one_waits_for_service(flavour: Flavour) -> None:
    given_up = threading.Event()

    def script(synchronous: Channel, asynchronous: Channel) -> None:
        answer_idn(synchronous)
        asynchronous.expect(STATUS_QUERY.format("01", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("01"))
        asynchronous.expect(STATUS_QUERY.format("00", "ff 00"))
        asynchronous.send(STATUS_RESPONSE.format("02"))
        given_up.wait(5)
        asynchronous.send(SERVICE_REQUEST.format("50"))

    async def test(hislip: HislipConnection) -> None:
        await hislip.open(5)

        async def others() -> list[int]:
            await flavour.sleep(0.05)
            assert await hislip.query(b"*IDN?\n", 5) == b"DMM1\n"
            return [await hislip.read_status_byte(5) for _ in range(2)]

        async def gives_up() -> None:
            with pytest.raises(ConnectionTimeoutError):
                await hislip.wait_for_service_request(0.07)
            given_up.set()

        results = await flavour.together(gives_up, lambda: hislip.wait_for_service_request(5), others)
        assert results[1:] == [0x50, [1, 2]]

    run(flavour, test, script)


def test_abandon_wakes_who_waits_from_any_thread(flavour: Flavour) -> None:
    def script(synchronous: Channel, asynchronous: Channel) -> None:
        synchronous.expect(IDN.format("00"))
        synchronous.expect_end()

    async def test(hislip: HislipConnection) -> None:
        await hislip.open(5)
        timer = threading.Timer(0.1, hislip.abandon)
        timer.start()

        async def ends(call: Callable[[], Any]) -> None:
            with pytest.raises(ConnectionError, match=r"closed"):
                await call()

        await flavour.together(
            lambda: ends(lambda: hislip.query(b"*IDN?\n", 5)), lambda: ends(lambda: hislip.wait_for_service_request(5))
        )
        timer.join()
        assert not hislip.connected()

    run(flavour, test, script)


@pytest.mark.parametrize("options", [{"mode": "fast"}, {"maximum_message_size": 16}, {"vendor_id": b"abc"}])
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Flavour("blocking").connection(4880, **options)
