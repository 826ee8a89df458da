"""Memory that is received into, and then is bytes or an array, without a copy; and checksums."""

from __future__ import annotations

import io
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .events import Checksum


class Memory:
    """Bytes to be received into.

    Args:
        size: how many.

    Attributes:
        view: where to.
    """

    __slots__ = ("_file", "view")

    def __init__(self, size: int) -> None:
        # A BytesIO hands out its memory to be written, and then itself as bytes without a copy.
        self._file = io.BytesIO(bytes(size))
        self.view = self._file.getbuffer()

    def __del__(self) -> None:
        # What was cut short goes in any order, and a BytesIO complains if its memory is still viewed.
        if hasattr(self, "view"):  # there was memory enough
            self.view.release()

    def contents(self) -> bytes:
        """Return the bytes, now that all have come."""
        self.view.release()
        return self._file.getvalue()


def fastest_crc32() -> Checksum:
    """Return a CRC-32 (ISO 3309, as in zlib): that of the isal package if it is there, which is four times as fast."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.crc32
    crc32: Checksum = isal_zlib.crc32
    return crc32


crc32 = fastest_crc32()
