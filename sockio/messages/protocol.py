"""What every message protocol offers: values to bytes, and bytes to events. No I/O."""

from __future__ import annotations

from ..checks import check_count
from .events import DEFAULT_MESSAGE_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..buffer import Buffer
    from ..framing import Need
    from .events import Event, Parcel


class Decoder:
    """One direction of one connection: bytes to events."""

    #: The mode in which the peer sends, where the protocol has modes.
    mode = 0

    def decode(self, buffer: Buffer) -> Event | Need:
        """Take the next event from the front of a buffer; `Need` if it is not complete yet, and stays there.

        The body of a big message is not waited for: what has been taken then is its head, and a `Body` is returned.
        """
        raise NotImplementedError


class Protocol:
    """The settings of a message protocol.

    Args:
        limit: the largest message that is accepted, in bytes.
        encoding: of text, where the protocol does not say.
        allow_unpickle: whether pickled objects may be sent and loaded, where the protocol has such.
    """

    #: What users call it.
    name: str

    #: How many received messages are kept for who has not asked for them yet.
    queue_length: int

    #: Whether a message is acknowledged where its sender does not say.
    acknowledges = False

    def __init__(
        self, limit: int = DEFAULT_MESSAGE_LIMIT, encoding: str = "ascii", allow_unpickle: bool = False
    ) -> None:
        self.limit = check_count("limit", limit, 1)
        try:
            "".encode(encoding)
        except LookupError as error:
            raise ValueError(f"encoding must be the name of one: {error}") from None
        self.encoding = encoding
        self.allow_unpickle = allow_unpickle

    def encode(self, data: Any, number: int, acknowledge: bool | None, mode: int | None, force_mode: bool) -> Parcel:
        """Return what is to be sent for a message.

        Args:
            data: the message.
            number: to tell it from others by.
            acknowledge: whether the peer is asked to acknowledge it; None for what is usual.
            mode: of serpy; None for what is usual.
            force_mode: of serpy: declare that mode whatever the data are.

        Raises:
            TypeError, ValueError: the protocol cannot carry it; the message says what it can.
        """
        raise NotImplementedError

    def decoder(self) -> Decoder:
        """Return what decodes a connection from its beginning."""
        raise NotImplementedError

    def mode_change(self, mode: int) -> bytes:
        """Return what announces another mode."""
        raise NotImplementedError
