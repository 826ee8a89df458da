"""The message protocols by name."""

from __future__ import annotations

from .blob import Blob
from .serpy import Serpy
from .serpy2 import Serpy2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .protocol import Protocol

PROTOCOLS: dict[str, type[Protocol]] = {protocol.name: protocol for protocol in (Blob, Serpy, Serpy2)}


def protocol_named(name: str, limit: int, encoding: str, allow_unpickle: bool) -> Protocol:
    """Return a protocol with these settings.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        protocol = PROTOCOLS[name]
    except (KeyError, TypeError):
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, not {name!r}") from None
    return protocol(limit, encoding, allow_unpickle)
