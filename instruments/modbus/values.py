"""Numbers and texts that take several registers, or half of one. Nothing here sends or receives.

The standard has registers of 16 bits, the high byte first, and leaves it to devices how they put together more than
that. So there are two orders: of the bytes in a register, and of the registers (words) of a number.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Literal

#: Which comes first: the most significant ("big") or the least significant ("little").
Order = Literal["big", "little"]

#: What numbers may be, with their codes in the language of `struct`.
KINDS = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}

Kind = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def words_of(kind: str) -> int:
    """Return how many registers a number takes.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    return struct.calcsize(f">{KINDS[kind]}") // 2


def numbers(registers: Sequence[int], kind: str, byte_order: Order = "big", word_order: Order = "big") -> list[Any]:
    """Return the numbers in registers."""
    words = words_of(kind)
    data = to_bytes(registers, byte_order)
    if check_order("word_order", word_order) == "little":
        data = reverse_words(data, words)
    return list(struct.unpack(f">{len(registers) // words}{KINDS[kind]}", data))


def registers(values: Sequence[float], kind: str, byte_order: Order = "big", word_order: Order = "big") -> list[int]:
    """Return the registers that numbers go into.

    Raises:
        ValueError: a number is too large for its kind, or none.
    """
    words = words_of(kind)
    code = KINDS[kind]
    try:
        data = b"".join(struct.pack(f">{code}", value) for value in values)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{list(values)!r} cannot all be {kind}: {error}") from None
    if check_order("word_order", word_order) == "little":
        data = reverse_words(data, words)
    return from_bytes(data, byte_order)


def text(registers: Sequence[int], size: int, encoding: str, byte_order: Order = "big") -> str:
    """Return the text in the first *size* bytes of registers, up to the first zero character.

    Raises:
        UnicodeDecodeError: it is not in this encoding.
    """
    data = to_bytes(registers, byte_order)[:size]
    width = len("\0\0".encode(encoding)) - len("\0".encode(encoding))  # of a zero; some encodings begin with a mark
    zeros = (at for at in range(0, len(data), width) if not any(data[at : at + width]))
    return data[: next(zeros, len(data))].decode(encoding)


def text_registers(text: str, size: int | None, encoding: str, byte_order: Order = "big") -> list[int]:
    """Return the registers that a text goes into, with zeros up to *size* bytes and to a whole register.

    Raises:
        ValueError: it does not fit, or cannot be encoded.
    """
    data = text.encode(encoding)
    size = len(data) if size is None else size
    if len(data) > size:
        raise ValueError(f"{text!r} takes {len(data)} bytes, and there are {size}")
    return from_bytes(data.ljust(size + size % 2, b"\0"), byte_order)


def to_bytes(registers: Sequence[int], byte_order: Order) -> bytes:
    """Return the bytes of registers."""
    code = ">" if check_order("byte_order", byte_order) == "big" else "<"
    return struct.pack(f"{code}{len(registers)}H", *registers)


def from_bytes(data: bytes, byte_order: Order) -> list[int]:
    """Return the registers of bytes."""
    code = ">" if check_order("byte_order", byte_order) == "big" else "<"
    return list(struct.unpack(f"{code}{len(data) // 2}H", data))


def reverse_words(data: bytes, words: int) -> bytes:
    """Turn around the order of the words of each number."""
    size = 2 * words
    return b"".join(
        data[start + offset : start + offset + 2]
        for start in range(0, len(data), size)
        for offset in range(size - 2, -1, -2)
    )


def check_order(name: str, order: str) -> str:
    """Return an order of bytes or words, if it is one."""
    if order not in ("big", "little"):
        raise ValueError(f'{name} must be "big" (most significant first) or "little", not {order!r}')
    return order
