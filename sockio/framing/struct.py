"""Records of fixed size."""

from __future__ import annotations

import struct

from .base import Framing, Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import Any, TypeVar

    from ..buffer import Buffer

    Structure = TypeVar("Structure", bound=ctypes.Structure)
else:
    Structure = None


class Struct(Framing["tuple[Any, ...]"]):
    """Records in a format of the `struct` module. A frame is the tuple of its values.

    Arguments:
        format: for example ``"<If"``. Without a byte order in front it has the machine's, and its padding.
    """

    def __init__(self, format: str) -> None:
        try:
            self._struct = struct.Struct(format)
        except struct.error as error:
            raise ValueError(
                f"format must be one of the struct module, such as '<If', got {format!r}: {error}"
            ) from error
        super().__init__(_check_size(self._struct.size, format))
        self.format = format

    def encode(self, frame: tuple[Any, ...]) -> bytes:
        try:
            return self._struct.pack(*frame)
        except (struct.error, TypeError) as error:
            raise ValueError(f"expected the values of {self.format!r}, got {frame!r}: {error}") from error

    def decode(self, buffer: Buffer) -> tuple[Any, ...] | Need:
        missing = self._struct.size - len(buffer)
        return Need(missing) if missing > 0 else self._struct.unpack(buffer.take(self._struct.size))


class Record(Framing[Structure]):
    """Records that a class of `ctypes` describes. A frame is an object of that class, with bytes of its own.

    Arguments:
        structure: a subclass of `ctypes.Structure`, or of its variants of fixed byte order. Mind that without
            ``_pack_ = 1`` it has the padding of the machine's compiler.
    """

    def __init__(self, structure: type[Structure]) -> None:
        import ctypes

        given: object = structure
        if not isinstance(given, type) or not issubclass(given, ctypes.Structure):
            raise TypeError(f"structure must be a subclass of ctypes.Structure, got {given!r}")
        self._size = _check_size(ctypes.sizeof(structure), structure.__name__)
        super().__init__(self._size)
        self.structure = structure

    def encode(self, frame: Structure) -> bytes:
        if not isinstance(frame, self.structure):
            raise TypeError(f"expected a {self.structure.__name__}, got {type(frame).__name__}: {frame!r}")
        return bytes(frame)

    def decode(self, buffer: Buffer) -> Structure | Need:
        missing = self._size - len(buffer)
        if missing > 0:
            return Need(missing)
        return self.structure.from_buffer_copy(buffer.take(self._size))


def _check_size(size: int, layout: str) -> int:
    if size == 0:
        raise ValueError(f"a record must be at least one byte, {layout!r} has none")
    return size
