"""Numbers in responses and messages, as numpy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sockio.errors import ProtocolError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Buffer

#: What a byte order may be called, and numpy's sign for it.
ORDERS: dict[str, Literal["<", ">"]] = {"big": ">", "little": "<", ">": ">", "<": "<"}


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
    if made.kind not in "iufcb":
        raise TypeError(f"dtype must be a type of numbers, got {dtype!r}")
    return made


def allocate(size: int) -> NDArray[Any]:
    """Return memory for *size* bytes, which has not been touched."""
    import numpy

    return numpy.empty(size, "u1")


def array_of(response: Buffer, dtype: Any) -> NDArray[Any]:
    """Return the numbers of a response: over the same memory if it was a block, or of a list in ASCII.

    Args:
        response: what `allocate` has made, or a text response as bytes.
        dtype: from `dtype_of`.

    Raises:
        ProtocolError: they are none.
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
    try:
        if items == [b""]:
            return numpy.empty(0, dtype)
        if dtype.kind in "iu":
            return numpy.array(
                [int(float(item)) if b"." in item or b"E" in item.upper() else int(item) for item in items], dtype
            )
        return numpy.array(items, "S").astype(dtype)
    except (ValueError, OverflowError):
        raise ProtocolError(f"{text[:80]!r} came, expected a block or a list of numbers", text) from None


def bytes_of(values: ArrayLike, dtype: DTypeLike | None, order: str) -> bytes:
    """Return numbers as an instrument is to receive them."""
    import numpy

    array = numpy.asarray(values)
    return array.astype(dtype_of(array.dtype if dtype is None else dtype, order), copy=False).tobytes()
