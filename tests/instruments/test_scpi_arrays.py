"""Numbers in lists and blocks: what a type cannot hold is an error, never another number."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.scpi import ScpiPipe
from instruments.scpi.arrays import array_of, bytes_of, dtype_of
from sockio.errors import ProtocolError
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, Peer, answer, until


def read(text: bytes, dtype: str) -> Any:
    return array_of(text, dtype_of(dtype, "big"))


@pytest.mark.parametrize(
    ("text", "dtype", "numbers"),
    [
        (b"+1,-2, 3 \r\n", "i4", [1, -2, 3]),
        (b"1.0,-2.50E+1,+3E2,-0.0\n", "i2", [1, -25, 300, 0]),
        (b"9007199254740993.0\n", "i8", [9007199254740993]),
        (b"18446744073709551615,0.0\n", "u8", [2**64 - 1, 0]),
        (b"-128,127\n", "i1", [-128, 127]),
        (b"1,0,+1.0,0E0\n", "?", [True, False, True, False]),
        (b"1.5,-2.5E-3,9.91E+37\n", "f8", [1.5, -0.0025, 9.91e37]),
        (b"65504\n", "f2", [65504.0]),
        (b"9.91E+37\n", "f4", [numpy.float32(9.91e37)]),
        (b"INF,-inf,+Infinity\n", "f4", [numpy.inf, -numpy.inf, numpy.inf]),
        (b"\n", "f8", []),
    ],
)
def test_lists(text: bytes, dtype: str, numbers: list[Any]) -> None:
    array = read(text, dtype)
    assert array.dtype == numpy.dtype(dtype).newbyteorder(">")
    assert array.tolist() == numbers


def test_a_list_may_say_what_is_no_number() -> None:
    assert numpy.isnan(read(b"NAN,nan\n", "f8")).all()


@pytest.mark.parametrize(
    ("text", "dtype", "culprit", "name"),
    [
        (b"1.9,-2.7\n", "i4", b"1.9", "int32"),
        (b"1,2.5\n", "i2", b"2.5", "int16"),
        (b"1,70000,2\n", "i2", b"70000", "int16"),
        (b"300\n", "u1", b"300", "uint8"),
        (b"1.0,-1\n", "u8", b"-1", "uint64"),
        (b"9223372036854775808\n", "i8", b"9223372036854775808", "int64"),
        (b"1E999999999\n", "i8", b"1E999999999", "int64"),
        (b"1E-999999999\n", "i8", b"1E-999999999", "int64"),
        (b"1," + b"9" * 5000, "i8", b"9" * 5000, "int64"),
        (b"NAN\n", "i4", b"NAN", "int32"),
        (b"1,-INF\n", "i4", b"-INF", "int32"),
        (b"0,2\n", "?", b"2", "bool"),
        (b"0.5\n", "?", b"0.5", "bool"),
        (b"1,70000\n", "f2", b"70000", "float16"),
        (b"INF,-9.91E+38\n", "f4", b"-9.91E+38", "float32"),
        (b"1E400\n", "f8", b"1E400", "float64"),
    ],
)
def test_a_number_in_a_list_that_the_type_cannot_hold(text: bytes, dtype: str, culprit: bytes, name: str) -> None:
    with pytest.raises(ProtocolError, match=f"came in a list of numbers, which {name} cannot hold") as caught:
        read(text, dtype)
    assert caught.value.data == culprit
    assert repr(culprit[:80]) in str(caught.value)


@pytest.mark.parametrize("text", [b"1_0\n", b"1,,2\n", b"1,1,\n", b"1 2\n", b"ON\n", b"1\x00\n", b"#H1F\n", b"NAIF\n"])
@pytest.mark.parametrize("dtype", ["i4", "?", "f8", "f2"])
def test_what_is_no_list(text: bytes, dtype: str) -> None:
    with pytest.raises(ProtocolError, match="expected a block or a list of numbers") as caught:
        read(text, dtype)
    assert caught.value.data == text


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.sampled_from(["%d", "%d.0", "%d.000E+00", " %+d "]))
def test_whole_numbers_are_exact_however_they_are_written(numbers: list[int], form: str) -> None:
    text = ",".join(form % number for number in numbers).encode()
    assert read(text, "i8").tolist() == numbers
    for dtype in ("i1", "u2", "i4", "u8"):
        limits = numpy.iinfo(dtype)
        if limits.min <= min(numbers) and max(numbers) <= limits.max:
            assert read(text, dtype).tolist() == numbers
        else:
            with pytest.raises(ProtocolError, match="cannot hold"):
                read(text, dtype)


@pytest.mark.parametrize(
    ("values", "dtype", "sent"),
    [
        ([-2, 513], "i2", b"\xff\xfe\x02\x01"),
        ([-2.0, 513.0, -0.0], "i2", b"\xff\xfe\x02\x01\x00\x00"),
        ([True, False], "u1", b"\x01\x00"),
        ([0, 1.0], "?", b"\x00\x01"),
        ([2**64 - 1], "u8", b"\xff" * 8),
        ([-(2.0**63)], "i8", b"\x80" + bytes(7)),
        (numpy.array([65504], "f2"), "u8", b"\x00\x00\x00\x00\x00\x00\xff\xe0"),
        (numpy.array([1, 2], object), "u1", b"\x01\x02"),
        (numpy.array([[1, 2], [3, 4]]).T, "u1", b"\x01\x03\x02\x04"),
        ([2**53 + 2], "f8", b"\x43\x40\x00\x00\x00\x00\x00\x01"),
        ([1.5, 0.1], "f4", b"\x3f\xc0\x00\x00\x3d\xcc\xcc\xcd"),
        ([float("inf"), float("nan")], "f2", b"\x7c\x00\x7e\x00"),
        ([], "i2", b""),
        ([258], None, b"\x00\x00\x00\x00\x00\x00\x01\x02"),
    ],
)
def test_values_as_they_are_sent(values: Any, dtype: str | None, sent: bytes) -> None:
    assert bytes_of(values, dtype, "big") == sent


@pytest.mark.parametrize(
    ("values", "dtype", "culprit", "name"),
    [
        ([1, 70000], "i2", "70000", "int16"),
        ([-1, 300], "u1", "-1", "uint8"),
        ([1.0, 2.5], "i2", "2.5", "int16"),
        ([float("nan")], "i2", "nan", "int16"),
        ([float("-inf")], "i8", "-inf", "int64"),
        ([2.0**63], "i8", "9.223372036854776e+18", "int64"),
        ([2**63], "i8", "9223372036854775808", "int64"),
        ([2.0**64], "u8", "1.8446744073709552e+19", "uint64"),
        (numpy.array([-1], "i1"), "u8", "-1", "uint64"),
        (numpy.array([0.5], "f2"), "i8", "0.5", "int64"),
        ([0, 2], "?", "2", "bool"),
        ([0.0, 1e40], "f4", "1e+40", "float32"),
        ([70000], "f2", "70000", "float16"),
        ([1, 2**53 + 1], "f8", "9007199254740993", "float64"),
        ([2**64 - 1], "f8", "18446744073709551615", "float64"),
        ([16777216, 16777217], "f4", "16777217", "float32"),
        ([1 + 2j], "f8", "(1+2j)", "float64"),
        ([1e300j], "c8", "1e+300j", "complex64"),
    ],
)
def test_a_value_that_the_type_cannot_hold(values: Any, dtype: str, culprit: str, name: str) -> None:
    with pytest.raises(ValueError, match="cannot hold") as caught:
        bytes_of(values, dtype, "little")
    assert str(caught.value) == f"values contains {culprit}, which {name} cannot hold"


@pytest.mark.parametrize(("values", "culprit"), [([1, 2**70], str(2**70)), ([None], "None"), (["1"], "'1'")])
@pytest.mark.parametrize("dtype", ["i8", "f8", None])
def test_a_value_that_is_no_number(values: Any, culprit: str, dtype: str | None) -> None:
    with pytest.raises(ValueError, match=f"^values contains {culprit}, which is no number"):
        bytes_of(values, dtype, "big")


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats()), min_size=1), st.sampled_from("bhiqBHIQ?"))
def test_what_is_sent_is_what_was_given(values: list[Any], dtype: str) -> None:
    array = numpy.asarray(values)
    try:
        sent = numpy.frombuffer(bytes_of(array, dtype, "little"), numpy.dtype(dtype).newbyteorder("<"))
    except ValueError:
        lowest, highest = (0, 1) if dtype == "?" else (numpy.iinfo(dtype).min, numpy.iinfo(dtype).max)
        assert not all(lowest <= value <= highest and value == int(value) for value in array.tolist())
    else:
        assert sent.tolist() == array.tolist()


@pytest.fixture(params=FLAVOURS, ids=[kind.name for kind in FLAVOURS])
def flavour(request: pytest.FixtureRequest) -> Any:
    kind: type[Flavour] = request.param
    with kind() as flavour:
        yield flavour


def test_the_pipe_says_which_question_was_answered_so(flavour: Flavour) -> None:
    with Peer(answer({b"READ?\n": b"1,2.5\n", b"STAT?\n": b"1,0\n"})) as peer:
        pipe = flavour.make(ScpiPipe, peer.address, timeout=5)
        with pytest.raises(ProtocolError, match=r"in response to 'READ\?' b'2\.5' came .* int16 cannot hold"):
            flavour.call(pipe.query_array, "READ?", "i2")
        assert flavour.call(pipe.query_array, "READ?", "f4").tolist() == [1, 2.5]
        assert flavour.call(pipe.query_array, "STAT?", "?").tolist() == [True, False]
        with pytest.raises(ValueError, match="values contains 70000, which int16 cannot hold"):
            flavour.call(pipe.write_array, "DATA ", [70000], "i2")
        flavour.call(pipe.write_array, "DATA ", [513], "i2")
        until(lambda: peer.received.endswith(b"?\nDATA #12\x02\x01\n"))
        flavour.call(pipe.drop)
