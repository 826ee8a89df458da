"""Framings: how a stream of bytes is divided into frames. Bytes in, frames out, no I/O.

================  ==================================================  ====================
`EOL`             lines, ended by one byte or more                    ``bytes``
`COBS`            consistent overhead byte stuffing, ended by a zero  ``bytes``
`LengthPrefix`    a length, then so many bytes                        ``bytes``
`Block`           IEEE 488.2 arbitrary blocks                         ``bytes``
`Struct`          records of fixed size, in a format of `struct`      ``tuple``
`Record`          records of fixed size, as a class of `ctypes`       that class
`JSON`            values as JSON, one a line                          any value
================  ==================================================  ====================

A framing of your own is a subclass of `Framing` with ``encode`` and ``decode``.
"""

from __future__ import annotations

from ..lazy import lazily
from .base import Framing, Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .block import Block, encode_block, parse_header
    from .cobs import COBS
    from .eol import EOL
    from .json import JSON
    from .length import LengthPrefix
    from .struct import Record, Struct
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "COBS": ".cobs",
            "EOL": ".eol",
            "JSON": ".json",
            "Block": ".block",
            "LengthPrefix": ".length",
            "Record": ".struct",
            "Struct": ".struct",
            "encode_block": ".block",
            "parse_header": ".block",
        },
    )

__all__ = [
    "COBS",
    "EOL",
    "JSON",
    "Block",
    "Framing",
    "LengthPrefix",
    "Need",
    "Record",
    "Struct",
    "encode_block",
    "parse_header",
]
