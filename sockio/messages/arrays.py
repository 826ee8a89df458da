"""Numpy arrays as bytes with a description. Numpy is needed only by who sends or receives them."""

from __future__ import annotations

import json
import math
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from numpy import dtype as DType
    from numpy.typing import NDArray

#: Kinds of elements whose bytes are all there is to them: no objects, nothing that refers to other memory.
KINDS = "biufcmMSUV"

#: How deeply records may contain records.
DEEPEST = 16

#: How many elements of no bytes an array may have: what is announced must not be more than what comes.
MOST_EMPTY = 65536

#: How numpy writes such elements, as in ``<f8`` or ``<M8[ns]``.
ELEMENT = re.compile(rf"[<>|]?[{KINDS}]\d+(\[[\w/]+\])?")


def is_array(data: object) -> bool:
    """Tell whether it is an array or scalar of numpy."""
    if "numpy" not in sys.modules:
        return False
    numpy = _numpy()  # waits for a thread that is importing it just now
    return isinstance(data, (numpy.ndarray, numpy.generic))


def describe(array: Any) -> bytes:
    """Return dtype and shape of an array, to be sent.

    Raises:
        TypeError: it has elements that are not made of bytes alone, or a mask.
    """
    numpy = _numpy()
    dtype = array.dtype
    if isinstance(array, numpy.ma.MaskedArray):
        raise TypeError("a masked array cannot be sent: send its data and its mask, or fill it")
    description = None
    if dtype.kind in KINDS and not dtype.hasobject:
        description = numpy.lib.format.dtype_to_descr(dtype)
    try:
        faithful = _dtype(json.loads(json.dumps(description))) == dtype
    except (TypeError, ValueError):
        faithful = False
    if not faithful:
        raise TypeError(
            f"an array of {dtype} cannot be sent: its elements must be numbers, booleans, times, texts or bytes of a "
            "fixed length, or records of these"
        )
    return json.dumps({"dtype": description, "shape": list(array.shape)}, separators=(",", ":")).encode()


def memory_of(array: Any) -> memoryview:
    """Return the bytes of an array: its own memory if it is contiguous, otherwise a copy's."""
    if not array.nbytes:
        return memoryview(b"")
    numpy = _numpy()
    flat = numpy.ascontiguousarray(numpy.asarray(array)).reshape(-1)
    return memoryview(flat.view("u1")).cast("B")


def allocate(description: bytes, size: int) -> tuple[memoryview, Callable[[], NDArray[Any]]]:
    """Return the memory that an array is to be received into, and what makes the array of it afterwards.

    Args:
        description: its dtype and shape, as received.
        size: how many bytes are announced.

    Raises:
        ValueError: it makes no sense.
        ImportError: numpy is not installed.
    """
    numpy = _numpy()
    try:
        fields = json.loads(description)
        dtype = _dtype(fields["dtype"])
        shape = _shape(fields["shape"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"expected dtype and shape of an array, got {description[:200]!r}: {error}") from None
    if math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"expected the bytes of an array of {dtype} with shape {shape}, got {size} bytes")
    if not dtype.itemsize and math.prod(shape) > MOST_EMPTY:
        raise ValueError(f"expected at most {MOST_EMPTY} elements of no bytes, got the shape {shape}")
    memory = numpy.empty(size, "u1")

    def contents() -> NDArray[Any]:
        # Not a view with another dtype: there is none for elements of no bytes.
        array: NDArray[Any] = numpy.ndarray(shape, dtype, memory)
        return array

    contents()  # numpy has its own limits; better known before the data come
    return memoryview(memory), contents


def _dtype(description: Any) -> DType[Any]:
    """Return the dtype of what `numpy.lib.format.dtype_to_descr` has made and JSON has carried."""
    numpy = _numpy()
    dtype: DType[Any] = numpy.lib.format.descr_to_dtype(_fields(description))
    if dtype.hasobject or dtype.subdtype is not None:
        raise ValueError(f"no elements of {dtype}")
    return dtype


def _fields(description: Any, depth: int = 0) -> Any:
    """Return the description as numpy wants it: fields are tuples, which JSON does not have."""
    if depth > DEEPEST:
        raise ValueError(f"no records that contain records more than {DEEPEST} deep")
    if isinstance(description, str):
        if not ELEMENT.fullmatch(description):
            raise ValueError(f"no elements of {description!r}")
        return description
    if not isinstance(description, list):
        raise TypeError(f"no elements of {description!r}")
    fields: list[tuple[Any, ...]] = []
    for name, elements, *shape in description:
        title = tuple(name) if isinstance(name, list) else name
        fields.append((title, _fields(elements, depth + 1), *(_shape(lengths) for lengths in shape)))
    return fields


def _shape(lengths: Any) -> tuple[int, ...]:
    if not isinstance(lengths, list) or not all(type(length) is int and length >= 0 for length in lengths):
        raise ValueError(f"a shape is a list of whole numbers, not {lengths!r}")
    return tuple(lengths)


def _numpy() -> ModuleType:
    try:
        import numpy
        import numpy.lib.format
    except ImportError as error:
        raise ImportError("arrays need numpy: pip install sockio[numpy]") from error
    return numpy
