"""Modbus messages, byte by byte: the examples of the standards, and what is none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.modbus import ModbusError, codec, requests, values
from instruments.modbus.codec import Request, RtuExchange, TcpExchange
from sockio.buffer import Buffer
from sockio.errors import ProtocolError
from sockio.framing import Need

COILS_20_TO_38 = [bool(int(bit)) for bit in "1011001111010110101"]  # CD 6B 05, the least significant bit first
INPUTS_197_TO_218 = [bool(int(bit)) for bit in "0011010111011011101011"]  # AC DB 35

#: "MODBUS Application Protocol Specification" V1.1b3, the example of each section: request, answer, and its meaning.
EXAMPLES: list[tuple[str, Request[Any], str, str, Any]] = [
    ("6.1", requests.read_bits(1, 0x13, 19), "01 00 13 00 13", "01 03 CD 6B 05", COILS_20_TO_38),
    ("6.2", requests.read_bits(2, 0xC4, 22), "02 00 C4 00 16", "02 03 AC DB 35", INPUTS_197_TO_218),
    ("6.3", requests.read_registers(3, 0x6B, 3), "03 00 6B 00 03", "03 06 02 2B 00 00 00 64", [0x22B, 0, 0x64]),
    ("6.4", requests.read_registers(4, 0x08, 1), "04 00 08 00 01", "04 02 00 0A", [10]),
    ("6.5", requests.write_coil(0xAC, True), "05 00 AC FF 00", "05 00 AC FF 00", None),
    ("6.6", requests.write_register(1, 3), "06 00 01 00 03", "06 00 01 00 03", None),
    (
        "6.11",
        requests.write_coils(0x13, [True, False, True, True, False, False, True, True, True, False]),
        "0F 00 13 00 0A 02 CD 01",
        "0F 00 13 00 0A",
        None,
    ),
    ("6.12", requests.write_registers(1, [0x0A, 0x102]), "10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02", None),
    ("6.16", requests.mask_write_register(4, 0xF2, 0x25), "16 00 04 00 F2 00 25", "16 00 04 00 F2 00 25", None),
    (
        "6.17",
        requests.read_write_registers(3, 6, 0x0E, [0xFF, 0xFF, 0xFF]),
        "17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF",
        "17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF",
        [0xFE, 0xACD, 1, 3, 0x0D, 0xFF],
    ),
]


def wrapped(frame: bytes) -> Buffer:
    buffer = Buffer()
    buffer.append(frame)
    return buffer


@pytest.mark.parametrize(
    ("section", "request_", "sent", "answered", "value"), EXAMPLES, ids=[example[0] for example in EXAMPLES]
)
def test_the_examples_of_the_standard(
    section: str, request_: Request[Any], sent: str, answered: str, value: Any
) -> None:
    pdu, answer = bytes.fromhex(sent), bytes.fromhex(answered)
    assert codec.tcp_frame(request_, 0x11, 0x1501) == b"\x15\x01\0\0" + bytes([0, len(pdu) + 1, 0x11]) + pdu
    tcp = TcpExchange(request_, 0x11, 0x1501)
    assert tcp.decode(wrapped(b"\x15\x01\0\0" + bytes([0, len(answer) + 1, 0x11]) + answer)) == value
    frame = codec.rtu_frame(request_, 0x11)
    assert frame[:-2] == b"\x11" + pdu
    assert RtuExchange(request_, 0x11).decode(wrapped(with_crc(b"\x11" + answer))) == value


def with_crc(frame: bytes) -> bytes:
    """The CRC of "MODBUS over Serial Line" V1.02, 6.2.2, bit by bit."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return frame + crc.to_bytes(2, "little")


def test_crc_check_value() -> None:
    assert with_crc(b"123456789")[-2:] == b"\x37\x4b"


#: Frames of a device that is known to work: request, answer.
RTU_FRAMES: list[tuple[Request[Any], str, str, Any]] = [
    (
        requests.read_registers(3, 0x10, 2),
        "01 03 00 10 00 02 C5 CE",
        "01 03 04 12 34 56 78 81 07",
        [0x1234, 0x5678],
    ),
    (
        requests.write_registers(0x10, [0x1234, 0x5678]),
        "01 10 00 10 00 02 04 12 34 56 78 89 97",
        "01 10 00 10 00 02 40 0D",
        None,
    ),
    (
        requests.write_coils(0, [True, False, True, True, False, False, True, True, True, False]),
        "01 0F 00 00 00 0A 02 CD 01 70 68",
        "01 0F 00 00 00 0A D5 CC",
        None,
    ),
    (
        requests.ddp(5, 1, b"\xaa\xbb", True),
        "01 44 05 03 81 AA BB A6 3B",
        "01 44 05 03 81 AA BB A6 3B",
        b"\x81\xaa\xbb",
    ),
]


@pytest.mark.parametrize(("request_", "sent", "answered", "value"), RTU_FRAMES)
def test_frames_over_rtu(request_: Request[Any], sent: str, answered: str, value: Any) -> None:
    assert codec.rtu_frame(request_, 1) == bytes.fromhex(sent)
    assert RtuExchange(request_, 1).decode(wrapped(bytes.fromhex(answered))) == value


def test_the_example_of_the_tcp_guide() -> None:
    """ "MODBUS Messaging on TCP/IP Implementation Guide" V1.0b, 4.4.2: register 5 of unit 255."""
    request = requests.read_registers(3, 4, 1)
    assert codec.tcp_frame(request, 0xFF, 0x1501) == bytes.fromhex("15 01 00 00 00 06 FF 03 00 04 00 01")
    answer = bytes.fromhex("15 01 00 00 00 05 FF 03 02 00 05")
    assert TcpExchange(request, 0xFF, 0x1501).decode(wrapped(answer)) == [5]


READ = requests.read_registers(3, 0x10, 2)
RTU_ANSWER = bytes.fromhex("01 03 04 12 34 56 78 81 07")
TCP_ANSWER = bytes.fromhex("00 07 00 00 00 07 01 03 04 12 34 56 78")


@pytest.mark.parametrize(
    ("exchange", "frame"), [(RtuExchange(READ, 1), RTU_ANSWER), (TcpExchange(READ, 1, 7), TCP_ANSWER)]
)
def test_frames_that_come_in_pieces(exchange: Any, frame: bytes) -> None:
    for end in range(len(frame)):
        buffer = wrapped(frame[:end]) if end else Buffer()
        need = exchange.decode(buffer)
        assert isinstance(need, Need)
        assert 1 <= need.size <= len(frame) - end
        assert len(buffer) == end
        buffer.append(frame[end:])
        assert exchange.decode(buffer) == [0x1234, 0x5678]


def test_one_frame_is_taken_and_what_follows_is_left() -> None:
    """pymodbus's RTU framer takes everything that has come for one frame."""
    buffer = wrapped(RTU_ANSWER + RTU_ANSWER)
    assert RtuExchange(READ, 1).decode(buffer) == [0x1234, 0x5678]
    assert buffer.take_all() == RTU_ANSWER
    buffer = wrapped(TCP_ANSWER + TCP_ANSWER)
    assert TcpExchange(READ, 1, 7).decode(buffer) == [0x1234, 0x5678]
    assert buffer.take_all() == TCP_ANSWER


def test_a_short_message_does_not_swallow_the_next_byte() -> None:
    """pymodbus's TCP framer makes nine bytes of eight if there are nine."""
    buffer = wrapped(bytes.fromhex("00 07 00 00 00 02 01 64") + b"\0")
    assert TcpExchange(requests.custom(100, b"", None), 1, 7).decode(buffer) == b""
    assert buffer.take_all() == b"\0"


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ("00 07 00 01 00 07 01 03 04 12 34 56 78", r"protocol 0 and a length of 2 to 254, got 00 07 00 01"),
        ("00 07 00 00 00 01 01", r"length of 2 to 254"),
        ("00 07 00 00 00 FF 01", r"length of 2 to 254"),
        ("00 07 00 00 00 07 02 03 04 12 34 56 78", r"from unit 1, got one from 2"),
        ("00 07 00 00 00 07 01 04 04 12 34 56 78", r"answer to function 3, got 04 04 12"),
        ("00 07 00 00 00 05 01 03 02 12 34", r"answer of 6 bytes, got 4"),
        ("00 07 00 00 00 07 01 03 02 12 34 56 78", r"as many bytes as byte 1 says, got 03 02"),
        ("00 07 00 00 00 02 01 83", r"answer to function 3, got 83"),
        ("00 07 00 00 00 04 01 83 02 00", r"answer to function 3, got 83"),
    ],
)
def test_what_is_no_answer_over_tcp(frame: str, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint) as caught:
        TcpExchange(READ, 1, 7).decode(wrapped(bytes.fromhex(frame)))
    assert caught.value.data


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (RTU_ANSWER[:-1] + b"\x08", r"a valid CRC, got 01 03 04 12 34 56 78 81 08"),
        (RTU_ANSWER[:-2] + b"\x07\x81", r"a valid CRC"),  # its bytes the wrong way around
        (with_crc(b"\x02" + RTU_ANSWER[1:-2]), r"from unit 1, got one from 2"),
        (with_crc(b"\x01\x04" + RTU_ANSWER[2:-2]), r"answer to function 3, got 01 04"),
        (with_crc(b"\x01\x03\x02\x12\x34"), r"answer of 6 bytes, got one of 4"),
        (with_crc(b"\x01\x03\x06\x12\x34\x56\x78"), r"answer of 6 bytes, got one of 8"),
        (b"\x01\x83\x02\xc0\xf0", r"a valid CRC"),
    ],
)
def test_what_is_no_answer_over_rtu(frame: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint) as caught:
        RtuExchange(READ, 1).decode(wrapped(frame))
    assert caught.value.data


def test_answers_to_other_transactions_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    late = bytes.fromhex("00 06 00 00 00 07 01 03 04 99 99 99 99")
    assert TcpExchange(READ, 1, 7).decode(wrapped(late + late + TCP_ANSWER)) == [0x1234, 0x5678]
    assert caplog.messages == ["dropped the answer to transaction 6, waiting for 7"] * 2
    buffer = wrapped(late + TCP_ANSWER[:9])
    assert isinstance(TcpExchange(READ, 1, 7).decode(buffer), Need)
    assert buffer.take_all() == TCP_ANSWER[:9]


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (1, "illegal function"),
        (2, "illegal data address"),
        (3, "illegal data value"),
        (4, "server device failure"),
        (5, "acknowledge: it has begun, and will take a while"),
        (6, "server device busy"),
        (7, "negative acknowledge"),
        (8, "memory parity error"),
        (10, "gateway path unavailable"),
        (11, "gateway target device failed to respond"),
        (99, "a code that the standard does not have"),
    ],
)
def test_exceptions_name_their_code(code: int, meaning: str) -> None:
    for answer in (
        TcpExchange(READ, 1, 7).decode(wrapped(bytes([0, 7, 0, 0, 0, 3, 1, 0x83, code]))),
        RtuExchange(READ, 1).decode(wrapped(with_crc(bytes([1, 0x83, code])))),
    ):
        assert isinstance(answer, ModbusError)
        assert (answer.unit, answer.function, answer.code, answer.meaning) == (1, 3, code, meaning)
        assert str(answer) == f"unit 1 answers function 3 with exception {code}: {meaning}"


def test_an_exception_over_rtu_is_taken_with_its_crc() -> None:
    buffer = wrapped(bytes.fromhex("01 83 02 C0 F1") + b"\x55")
    assert isinstance(RtuExchange(READ, 1).decode(buffer), ModbusError)
    assert buffer.take_all() == b"\x55"


#: No coil can be that.
TWO: Any = [2]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: requests.read_bits(1, 0, 2001), "count must be 1 to 2000, not 2001"),
        (lambda: requests.read_bits(1, 0, 0), "count must be 1 to 2000, not 0"),
        (lambda: requests.read_registers(3, 0, 126), "count must be 1 to 125, not 126"),
        (lambda: requests.read_registers(3, 65536, 1), "address must be 0 to 65535, not 65536"),
        (lambda: requests.read_registers(3, -1, 1), "address must be 0 to 65535, not -1"),
        (lambda: requests.read_registers(3, 65535, 2), "the last address is 65535: 2 from 65535 on are too many"),
        (lambda: requests.write_coils(0, [True] * 1969), "count must be 1 to 1968, not 1969"),
        (lambda: requests.write_coils(0, []), "count must be 1 to 1968, not 0"),
        (lambda: requests.write_coils(0, TWO), "a coil must be True or False, not 2"),
        (lambda: requests.write_registers(0, [0] * 124), "count must be 1 to 123, not 124"),
        (lambda: requests.write_registers(0, [65536]), "value must be 0 to 65535, not 65536"),
        (lambda: requests.write_register(0, -1), "value must be 0 to 65535, not -1"),
        (lambda: requests.mask_write_register(0, 0x10000, 0), "and_mask must be 0 to 65535"),
        (lambda: requests.read_write_registers(0, 1, 0, [0] * 122), "count must be 1 to 121, not 122"),
        (lambda: requests.custom(0, b"", None), "code must be 1 to 127, not 0"),
        (lambda: requests.custom(128, b"", None), "code must be 1 to 127, not 128"),
        (lambda: requests.custom(65, bytes(253), None), "data must be at most 252 bytes, not 253"),
        (lambda: requests.custom(65, b"", 253), "reply_length must be 0 to 252, not 253"),
        (lambda: requests.ddp(256, 1, b"", True), "sub_cmd must be 0 to 255, not 256"),
        (lambda: requests.ddp(1, 128, b"", True), "ddp_cmd must be 0 to 127, not 128"),
        (lambda: requests.ddp(1, 1, bytes(250), True), "data must be at most 249 bytes, not 250"),
    ],
)
def test_limits(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


@pytest.mark.parametrize("value", [1.0, "1", None, True])
def test_what_is_no_whole_number(value: Any) -> None:
    for make in (
        lambda: requests.read_registers(3, value, 1),
        lambda: requests.read_registers(3, 1, value),
        lambda: requests.write_register(1, value),
    ):
        with pytest.raises(TypeError, match="must be a whole number"):
            make()


def test_the_largest_requests_fit_into_a_frame() -> None:
    for request in (
        requests.write_coils(0, [True] * 1968),
        requests.write_registers(0, [0xFFFF] * 123),
        requests.read_write_registers(0, 125, 0, [1] * 121),
        requests.custom(110, bytes(252), None),
        requests.ddp(255, 127, bytes(249), True),
    ):
        assert len(codec.rtu_frame(request, 1)) <= 256
        assert len(codec.tcp_frame(request, 1, 1)) <= 260


#: 123456.789 as float32 is 0x47F12065; the four orders that devices have.
ORDERS = [
    ("big", "big", [0x47F1, 0x2065]),
    ("big", "little", [0x2065, 0x47F1]),
    ("little", "big", [0xF147, 0x6520]),
    ("little", "little", [0x6520, 0xF147]),
]


@pytest.mark.parametrize(("byte_order", "word_order", "registers"), ORDERS)
def test_byte_and_word_order(byte_order: Any, word_order: Any, registers: list[int]) -> None:
    assert values.numbers(registers, "float32", byte_order, word_order) == [123456.7890625]
    assert values.registers([123456.789], "float32", byte_order, word_order) == registers


@pytest.mark.parametrize(
    ("kind", "number", "registers"),
    [
        ("int16", -2, [0xFFFE]),
        ("uint16", 0xFFFE, [0xFFFE]),
        ("int32", -2, [0xFFFF, 0xFFFE]),
        ("uint32", 0x12345678, [0x1234, 0x5678]),
        ("int64", -2, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE]),
        ("uint64", 0x0123456789ABCDEF, [0x0123, 0x4567, 0x89AB, 0xCDEF]),
        ("float32", -1.5, [0xBFC0, 0x0000]),
        ("float64", 1 / 3, [0x3FD5, 0x5555, 0x5555, 0x5555]),
    ],
)
def test_kinds_of_numbers(kind: str, number: float, registers: list[int]) -> None:
    assert values.numbers(registers, kind) == [number]
    assert values.registers([number], kind) == registers
    assert values.numbers(registers[::-1], kind, "big", "little") == [number]
    assert values.registers([number, number], kind, "big", "little") == registers[::-1] * 2


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("int16", 32768),
        ("uint16", -1),
        ("int32", 2**31),
        ("uint64", 2**64),
        ("float32", 1e39),
        ("int16", 1.5),
        ("int16", "1"),
    ],
)
def test_numbers_that_do_not_fit(kind: str, number: Any) -> None:
    with pytest.raises(ValueError, match=f"cannot all be {kind}"):
        values.registers([number], kind)


def test_texts() -> None:
    assert values.text_registers("Hello", None, "ascii") == [0x4865, 0x6C6C, 0x6F00]
    assert values.text_registers("Hello", 8, "ascii") == [0x4865, 0x6C6C, 0x6F00, 0]
    assert values.text_registers("Hello", 5, "ascii", "little") == [0x6548, 0x6C6C, 0x006F]
    assert values.text([0x4865, 0x6C6C, 0x6F00], 6, "ascii") == "Hello"
    assert values.text([0x4865, 0x6C6C, 0x6F21], 5, "ascii") == "Hello"
    assert values.text([0x6548, 0x6C6C, 0x006F], 6, "ascii", "little") == "Hello"
    with pytest.raises(ValueError, match="'Hello' takes 5 bytes, and there are 4"):
        values.text_registers("Hello", 4, "ascii")


@given(st.sampled_from(sorted(values.KINDS)), st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=120))
def test_registers_survive_being_numbers(kind: str, registers: list[int]) -> None:
    registers = registers[: len(registers) // 4 * 4]
    if "float" in kind:  # a NaN need not keep its bits
        registers = [register & 0x3FFF for register in registers]
    for byte_order, word_order, _ in ORDERS:
        order: Any = byte_order, word_order
        numbers = values.numbers(registers, kind, *order)
        if not any(number != number for number in numbers):
            assert values.registers(numbers, kind, *order) == registers


ANY_REQUEST = st.sampled_from(
    [example[1] for example in EXAMPLES]
    + [frame[0] for frame in RTU_FRAMES]
    + [
        requests.custom(65, b"\1", 4),
        requests.custom(110, b"", None),
        requests.read_values(0, "float64", 3, "input", "big", "big"),
    ]
)


def only_our_errors(decode: Callable[[], Any]) -> None:
    try:
        decode()
    except ProtocolError:
        pass


@given(ANY_REQUEST, st.binary(max_size=300))
def test_any_bytes_over_rtu(request_: Request[Any], data: bytes) -> None:
    exchange = RtuExchange(request_, 1)
    if request_.size is not None or request_.count_at is not None:
        only_our_errors(lambda: exchange.decode(wrapped(data)))
        only_our_errors(lambda: exchange.decode(wrapped(bytes([1, request_.function]) + data)))
    only_our_errors(lambda: exchange.answer(data))
    only_our_errors(lambda: exchange.answer(with_crc(bytes([1, request_.function]) + data)))


@given(ANY_REQUEST, st.binary(max_size=300), st.integers(0, 255))
def test_any_bytes_over_tcp(request_: Request[Any], data: bytes, function: int) -> None:
    exchange = TcpExchange(request_, 1, 7)
    only_our_errors(lambda: exchange.decode(wrapped(data)))
    for pdu in (bytes([function]) + data[:252], bytes([request_.function]) + data[:252]):
        frame = bytes([0, 7, 0, 0, 0, len(pdu) + 1, 1]) + pdu
        only_our_errors(lambda frame=frame: exchange.decode(wrapped(frame)))  # type: ignore[misc]


@given(st.integers(0, 8), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed_over_rtu(index: int, flip: int) -> None:
    changed = bytearray(RTU_ANSWER)
    changed[index] ^= flip
    buffer = wrapped(bytes(changed))
    try:
        assert isinstance(RtuExchange(READ, 1).decode(buffer), Need)
    except ProtocolError:
        pass
