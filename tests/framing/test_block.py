"""IEEE 488.2: 7.7.6 arbitrary block program data, 8.7.9 and 8.7.10 arbitrary block response data."""

from __future__ import annotations

import pytest

from sockio.buffer import Buffer
from sockio.errors import LimitError, ProtocolError
from sockio.framing import Block, Need, encode_block, parse_header


def buffer_of(content):
    buffer = Buffer()
    buffer.append(content)
    return buffer


# 7.7.6.2: the same four bytes with a length of one digit and of three.
@pytest.mark.parametrize(
    "sent", [b"#14\x00\x0a\x23\xff\n", b"#3004\x00\x0a\x23\xff\n", b"#9000000004\x00\x0a\x23\xff\n"]
)
def test_definite_block(sent):
    assert Block().decode(buffer_of(sent)) == b"\x00\x0a\x23\xff"


def test_indefinite_block():
    buffer = buffer_of(b"#0\x01\x02\x03\x04\n")
    assert Block().decode(buffer) == b"\x01\x02\x03\x04"
    assert not buffer


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b""])
def test_an_indefinite_block_that_something_follows_may_be_cut_in_two(eol):
    end = eol or b"\n"
    for sent in (b"#0a" + end + b"b" + end, b"#0" + end + end, b"#0a" + end + b"#11c" + end):
        buffer = buffer_of(sent)
        with pytest.raises(ProtocolError, match=r"its end cannot be told; ask the instrument for definite") as caught:
            Block(eol).decode(buffer)
        assert caught.value.data == sent
        assert not buffer


@pytest.mark.parametrize(("eol", "end"), [(b"\r\n", b"\r\n"), (b"", b"\n")])
def test_indefinite_block_ends_with_the_terminator(eol, end):
    for cut in range(1, 6):
        sent = b"#0a" + end
        buffer = buffer_of(sent[:cut])
        if cut < len(sent):
            assert isinstance(Block(eol).decode(buffer), Need)
        buffer.append(sent[cut:])
        assert Block(eol).decode(buffer) == b"a"


@pytest.mark.parametrize(
    ("data", "block"),
    [(b"", b"#10"), (b"\x00", b"#11\x00"), (b"x" * 9, b"#19" + b"x" * 9), (b"x" * 10, b"#210" + b"x" * 10)],
)
def test_encoded_with_as_few_digits_as_it_takes(data, block):
    assert encode_block(data) == block


def test_a_block_of_1024_bytes():
    """The example of many manuals: #41024 and 1024 bytes."""
    data = bytes(range(256)) * 4
    assert Block().encode(data) == b"#41024" + data + b"\n"
    assert Block().decode(buffer_of(b"#41024" + data + b"\n")) == data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Need(2)),
        (b"#", Need(1)),
        (b"#0", (2, None)),
        (b"#3", Need(3)),
        (b"#30", Need(2)),
        (b"#3004", (5, 4)),
        (b"#3004data", (5, 4)),
        (b"#9123456789", (11, 123456789)),
        (b"#10", (3, 0)),
    ],
)
def test_parse_header(data, expected):
    assert parse_header(data) == expected


@pytest.mark.parametrize(
    "data", [b"a", b"5", b"\n", b" #15hello", b"#a", b"#-1", b"#(5)", b"#2 5", b"#2a", b"#3+12", b"##"]
)
def test_parse_what_is_no_header(data):
    with pytest.raises(ProtocolError) as caught:
        parse_header(data)
    assert caught.value.data == data


def test_a_line_instead_of_a_block_is_taken():
    buffer = buffer_of(b'-113,"Undefined header"\n#11a\n')
    with pytest.raises(
        ProtocolError, match=r"expected a block, which begins with # and a digit.*Undefined header"
    ) as caught:
        Block().decode(buffer)
    assert caught.value.data == b'-113,"Undefined header"\n'
    assert Block().decode(buffer) == b"a"


def test_an_incomplete_line_instead_of_a_block_stays():
    buffer = buffer_of(b"-113,")
    with pytest.raises(ProtocolError) as caught:
        Block().decode(buffer)
    assert caught.value.data == buffer.take_all() == b"-113,"


def test_other_bytes_after_the_block():
    buffer = buffer_of(b"#12ab;#11c\n")
    with pytest.raises(ProtocolError, match=r"expected b'\\n' after a block of 2 bytes, got b';'") as caught:
        Block().decode(buffer)
    assert caught.value.data == b";"
    assert Block().decode(buffer) == b"c"


@pytest.mark.parametrize("sent", [b"#211", b"#9999999999", b"#0" + b"x" * 11, b"#0" + b"x" * 11 + b"\n"])
def test_limit(sent):
    with pytest.raises(LimitError, match="10 bytes") as caught:
        Block(limit=10).decode(buffer_of(sent))
    assert caught.value.limit == 10
    assert sent.startswith(caught.value.partial)


@pytest.mark.parametrize("sent", [b"#210xxxxxxxxxx\n", b"#0xxxxxxxxxx\n"])
def test_as_much_as_the_limit(sent):
    assert Block(limit=10).decode(buffer_of(sent)) == b"xxxxxxxxxx"
    assert isinstance(Block(limit=10).decode(buffer_of(sent[:-1])), Need)


def test_more_than_nine_digits_cannot_be_sent():
    class Huge(bytes):
        def __len__(self):
            return 10**9

    with pytest.raises(ValueError, match="at most 999999999 bytes, got 1000000000"):
        encode_block(Huge())
