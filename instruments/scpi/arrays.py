"""Numbers in responses and messages, as numpy arrays."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from sockio.errors import ProtocolError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Buffer

#: What a byte order may be called, and numpy's sign for it.
ORDERS: dict[str, Literal["<", ">"]] = {"big": ">", "little": "<", ">": ">", "<": "<"}

#: numpy's letters for integers, floats, complex numbers and truth values.
NUMBER_KINDS = "iufcb"

#: What numbers in a list are written with (IEEE 488.2, 8.7.2 to 8.7.4), and what stands between them. Some instruments
#: also say NAN and INF.
LIST_CHARACTERS = b"0123456789+-.eE, \t\r\nNAIFTYnaifty"


def dtype_of(dtype: DTypeLike, order: str) -> Any:
    """Return the type of numbers in a byte order.

    Raises:
        ValueError: no such order.
        TypeError: no such type, or not one of numbers.
    """
    import numpy

    if order not in ORDERS:
        raise ValueError(f"order must be 'big' or 'little', got {order!r}")
    made = numpy.dtype(dtype).newbyteorder(ORDERS[order])
    if made.kind not in NUMBER_KINDS:
        raise TypeError(f"dtype must be a type of numbers, got {dtype!r}")
    return made


def allocate(size: int) -> NDArray[Any]:
    """Return memory for *size* bytes, which has not been touched."""
    import numpy

    return numpy.empty(size, "u1")


def array_of(response: Buffer, dtype: Any) -> NDArray[Any]:
    """Return the numbers of a response: over the same memory if it was a block, or of a list in ASCII.

    A list is never changed on the way: whole numbers, and truth values as 0 and 1, have to fit exactly, and floats are
    rounded as they are when read.

    Args:
        response: what `allocate` has made, or a text response as bytes.
        dtype: from `dtype_of`.

    Raises:
        ProtocolError: they are none, or the type cannot hold them.
    """
    import numpy

    if isinstance(response, bytes):
        return _parse(response, dtype)
    data: NDArray[Any] = numpy.asarray(response)
    if data.nbytes % dtype.itemsize:
        raise ProtocolError(
            f"a block of {data.nbytes} bytes came, expected numbers of {dtype.itemsize} bytes ({dtype})",
            data[:40].tobytes(),
        )
    return data.view(dtype)


def _parse(text: bytes, dtype: Any) -> NDArray[Any]:
    import numpy

    items = text.strip().split(b",")
    if items == [b""]:
        return numpy.empty(0, dtype)
    try:
        if text.translate(None, LIST_CHARACTERS):
            raise ValueError
        if dtype.kind in "iub":
            return _parse_whole_numbers(items, dtype)
        with numpy.errstate(over="ignore"):
            array = numpy.array(items, "S").astype(dtype)
    except ProtocolError:
        raise
    except ValueError:
        raise ProtocolError(f"{text[:80]!r} came, expected a block or a list of numbers", text) from None
    for index in numpy.flatnonzero(numpy.isinf(array)):
        if b"INF" not in items[index].upper():
            raise _unfit(items[index], dtype)
    return array


def _parse_whole_numbers(items: list[bytes], dtype: Any) -> NDArray[Any]:
    """Return what is exactly in the list; ValueError if something in it is no number."""
    import numpy

    lowest, highest = _range_of(dtype)
    try:
        numbers = list(map(int, items))
    except ValueError:
        numbers = [_whole_number(item, dtype, lowest, highest) for item in items]
    if min(numbers) < lowest or max(numbers) > highest:
        index = next(index for index, number in enumerate(numbers) if not lowest <= number <= highest)
        raise _unfit(items[index], dtype)
    return numpy.array(numbers, dtype)


def _whole_number(item: bytes, dtype: Any, lowest: int, highest: int) -> int:
    """Return the whole number that is written in any of the forms of IEEE 488.2, 8.7.2 to 8.7.4."""
    try:
        number = Decimal(item.decode("ascii").strip())
    except ArithmeticError:
        raise ValueError from None
    # The range first: 1E999999999 would be an int of a billion digits.
    if not (number.is_finite() and lowest <= number <= highest and number == int(number)):
        raise _unfit(item, dtype)
    return int(number)


def _range_of(dtype: Any) -> tuple[int, int]:
    import numpy

    if dtype.kind == "b":
        return 0, 1
    limits = numpy.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _unfit(item: bytes, dtype: Any) -> ProtocolError:
    return ProtocolError(f"{item[:80]!r} came in a list of numbers, which {dtype.name} cannot hold", item)


def bytes_of(values: ArrayLike, dtype: DTypeLike | None, order: str) -> bytes:
    """Return numbers as an instrument is to receive them.

    Whole numbers stay exactly what they are, also as floats; fractions are rounded where the type has fewer digits.

    Raises:
        ValueError: a number that the type cannot hold, or something else than numbers.
    """
    import numpy

    array = numpy.asarray(values).ravel()
    if array.dtype.kind == "O":
        array = numpy.array(array.tolist()).ravel()  # of plain integers, perhaps
    if array.dtype.kind not in NUMBER_KINDS:
        strange = (value for value in array.tolist() if numpy.asarray(value).dtype.kind not in NUMBER_KINDS)
        raise ValueError(f"values contains {next(strange, array.dtype)!r}, which is no number that numpy can hold")
    target = dtype_of(array.dtype if dtype is None else dtype, order)
    # numpy takes all whole numbers to be safe in floats.
    if not numpy.can_cast(array.dtype, target) or (array.dtype.kind in "iu" and target.kind in "fc"):
        misfits = _misfits(array, target)
        if misfits.any():
            raise ValueError(f"values contains {array[misfits.argmax()].item()!r}, which {target.name} cannot hold")
    return array.astype(target, copy=False).tobytes()


def _misfits(array: NDArray[Any], target: Any) -> NDArray[Any]:
    """Return which numbers of a list a type cannot hold."""
    import numpy

    kind = array.dtype.kind
    if kind == "c" and target.kind != "c":
        return numpy.ones(array.shape, bool)
    if target.kind in "iub":
        lowest, highest = _range_of(target)
        # One more than the highest is a power of two, which floats have exactly; those of two bytes have not got it.
        numbers = array.astype("f8") if array.dtype == "f2" else array
        outside: NDArray[Any] = ~((numbers >= lowest) & (numbers < highest + 1))
        return outside | (numpy.trunc(numbers) != numbers) if kind == "f" else outside
    with numpy.errstate(over="ignore"):
        converted = array.astype(target)
    if kind in "iu":
        return _inexact(array, converted)
    overflown: NDArray[Any] = numpy.isinf(converted) & ~numpy.isinf(array)
    return overflown


def _inexact(array: NDArray[Any], converted: NDArray[Any]) -> NDArray[Any]:
    """Return which whole numbers have become other ones as floats."""
    import numpy

    exact = 2 ** (numpy.finfo(converted.dtype).nmant + 1)
    large: NDArray[Any] = (array < -exact) | (array > exact)
    # Python compares integers with floats exactly, numpy does not.
    large[large] = [one != other for one, other in zip(array[large].tolist(), converted[large].tolist(), strict=True)]
    return large
