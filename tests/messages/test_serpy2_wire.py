"""The bytes of serpy2, as the original puts them on the wire, on every flavour."""

from __future__ import annotations

import pytest

from sockio import LimitError, ProtocolError
from sockio.messages.serpy2 import Serpy2
from tests.messages.kit import expect

MAGIC = "DE CA FE CA FE"

#: Captured from the original.
BLOCKS = [
    (42, bytes.fromhex(f"{MAGIC} 01 2A 00 00 00 08 00 00 00 2A 00 00 00 00 00 00 00")),
    (-1, bytes.fromhex(f"{MAGIC} 01 F8 07 00 00 08 00 00 00 FF FF FF FF FF FF FF FF")),
    (1.5, bytes.fromhex(f"{MAGIC} 11 4A 04 00 00 14 00 00 00") + b"0x1.8000000000000p+0"),
    ("hé", bytes.fromhex(f"{MAGIC} 21 D4 01 00 00 03 00 00 00 68 C3 A9")),
    (b"\x00\x01\xff", bytes.fromhex(f"{MAGIC} 81 00 01 00 00 03 00 00 00 00 01 FF")),
    (b"", bytes.fromhex(f"{MAGIC} 81 00 00 00 00 00 00 00 00")),
]

GOOD = bytes.fromhex(f"{MAGIC} 81 61 00 00 00 01 00 00 00 61")


@pytest.mark.parametrize(("value", "block"), BLOCKS)
async def test_sends_and_receives_what_the_original_does(flavour, value, block):
    def original(sock):
        expect(sock, block)
        sock.sendall(block)
        for byte in block:
            sock.sendall(bytes([byte]))

    async with flavour.peer(original) as address:
        connection = flavour.connect(address, "serpy2")
        await connection.send(value)
        for _ in range(2):
            received = await connection.receive()
            assert received == value
            assert type(received) is type(value)


async def test_big_blocks_come_through(flavour):
    data = bytes(range(256)) * 8192

    def original(sock):
        block = bytes.fromhex(f"{MAGIC} 81") + (sum(data) % 2**32).to_bytes(4, "little")
        block += len(data).to_bytes(4, "little") + data
        expect(sock, block)
        sock.sendall(block + GOOD)

    async with flavour.peer(original) as address:
        connection = flavour.connect(address, "serpy2")
        await connection.send(data)
        assert await connection.receive() == data
        assert await connection.receive() == b"a"


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (bytes.fromhex(f"{MAGIC} 81 62 00 00 00 01 00 00 00 61"), "checksum 0x00000062, got 0x00000061"),
        (bytes.fromhex(f"{MAGIC} 99 61 00 00 00 01 00 00 00 61"), "0x99"),
        (bytes.fromhex(f"{MAGIC} 11 61 00 00 00 01 00 00 00 61") + b"", "0x11"),
        (bytes.fromhex(f"{MAGIC} 21 FF 00 00 00 01 00 00 00 FF"), "0x21"),
        (b"garbage \xde\xca\xfe\xca! that is long enough", "skipped .* bytes"),
        (b"g", "skipped 1 bytes"),
    ],
)
async def test_bad_blocks_are_errors_and_the_good_ones_behind_them_come(flavour, bad, problem):
    async with flavour.peer(lambda sock: sock.sendall(bad + GOOD + GOOD)) as address:
        connection = flavour.connect(address, "serpy2")
        await connection.open()
        if bad[6:10] == b"a\0\0\0" and bad[5] == 0x11:
            assert await connection.receive() == 10.0  # "a" is a hexadecimal number
        else:
            with pytest.raises(ProtocolError, match=problem):
                await connection.receive()
        assert await connection.receive() == b"a"
        assert await connection.receive() == b"a"


async def test_the_beginning_of_a_block_behind_garbage_is_kept(flavour):
    def peer(sock):
        sock.sendall(b"garbage" + GOOD[:3])
        expect(sock, BLOCKS[0][1])
        sock.sendall(GOOD[3:])

    async with flavour.peer(peer) as address:
        connection = flavour.connect(address, "serpy2")
        await connection.open()
        with pytest.raises(ProtocolError, match="garbage"):
            await connection.receive()
        await connection.send(42)
        assert await connection.receive() == b"a"


async def test_4_gib_announced_end_the_connection_before_any_memory_is_taken(flavour):
    header = bytes.fromhex(f"{MAGIC} 81 00 00 00 00 FF FF FF FF")
    async with flavour.peer(lambda sock: (sock.sendall(header), sock.recv(1))) as address:
        connection = flavour.connect(address, "serpy2", auto_reconnect=False)
        await connection.open()
        with pytest.raises(LimitError, match="4294967295 bytes is announced"):
            await connection.receive()
        await flavour.until(lambda: not connection.connected())


@pytest.mark.parametrize("value", [True, None, [1], bytearray(b"x"), 1j])
def test_only_four_types_are_sent(value):
    with pytest.raises(TypeError, match="int, float, str or bytes"):
        Serpy2().encode(value, 1, None, None, False)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_ints_have_64_bits(value):
    with pytest.raises(OverflowError):
        Serpy2().encode(value, 1, None, None, False)


def test_there_is_no_acknowledgement_and_there_are_no_modes():
    with pytest.raises(ValueError, match="does not acknowledge"):
        Serpy2().encode("a", 1, True, None, False)
    with pytest.raises(ValueError, match="no modes"):
        Serpy2().encode("a", 1, None, 1, False)
