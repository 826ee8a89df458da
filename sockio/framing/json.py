"""Values as JSON, one a line."""

from __future__ import annotations

from ..errors import ProtocolError
from .base import DEFAULT_LIMIT, Framing, Need
from .eol import EOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from ..buffer import Buffer


class JSON(Framing["Any"]):
    """JSON texts, each ended by ``eol``. A frame is the value: a dict, a list, a str, a number, a bool or None.

    Arguments:
        eol: the terminator, one byte or more.
        encoding: of the text. Other characters than those of ASCII are sent escaped, whatever it is.
        limit: the largest size of a text that is accepted, in bytes, the ``eol`` included.
    """

    def __init__(self, eol: bytes = b"\n", encoding: str = "utf-8", limit: int = DEFAULT_LIMIT) -> None:
        super().__init__(limit)
        self._lines = EOL(eol, limit)
        "".encode(encoding)  # raises LookupError if there is no such encoding
        self.eol = eol
        self.encoding = encoding

    def encode(self, frame: Any) -> bytes:
        """Return the text of a value, ended by ``eol``.

        Raises:
            TypeError, ValueError: JSON cannot express it.
        """
        import json  # slow to import

        return self._lines.encode(json.dumps(frame, allow_nan=False).encode(self.encoding))

    def decode(self, buffer: Buffer) -> Any | Need:
        import json

        line = self._lines.decode(buffer)
        if isinstance(line, Need):
            return line
        try:
            return json.loads(line[: -len(self.eol)].decode(self.encoding), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"expected JSON, got {line[:64]!r}: {error}", line) from error


def _refuse(constant: str) -> NoReturn:
    """Refuse what Python writes and reads beyond the standard (RFC 8259, section 6)."""
    raise ValueError(f"{constant} is not a number in JSON")
