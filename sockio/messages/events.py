"""What the codecs of message protocols speak of: parcels to be sent, and events in what is received."""

from __future__ import annotations

from ..framing import Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ..buffer import Buffer

    Event: TypeAlias = "Message | Answer | ModeAccepted | Verdict | Refusal | Rejected | Body"
    #: ``checksum(data, previous) -> int``
    Checksum: TypeAlias = "Callable[[Any, int], int]"

#: The largest message that is accepted unless a connection says otherwise, in bytes.
DEFAULT_MESSAGE_LIMIT = 2**28

#: Bodies of more than so many bytes are received into their final place, and sent from it.
BIG = 65536

NOTHING = memoryview(b"")


class MessageRefusedError(ValueError):
    """The peer does not accept a message.

    Attributes:
        reason: what the peer says.
    """

    reason: str

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Parcel:
    """A message on its way out.

    Args:
        head: the first bytes: everything, if there is no body.
        body: what follows, sent from where it is.
        number: of the message; the peer's answers name it, where the protocol has numbers.
        acknowledged: whether the peer is asked to acknowledge it.
        mode: the mode of serpy that the wire has to be in.
        checksum: of the body, worked out while that is sent; what comes out goes behind it.
        trailer: makes the bytes behind the body from the checksum.
    """

    __slots__ = ("acknowledged", "body", "checksum", "head", "mode", "number", "trailer")

    def __init__(
        self,
        head: bytes,
        body: memoryview = NOTHING,
        number: int = 0,
        acknowledged: bool = False,
        mode: int = 0,
        checksum: Checksum | None = None,
        trailer: Callable[[int], bytes] = lambda checksum: b"",
    ) -> None:
        self.head = head
        self.body = body
        self.number = number
        self.acknowledged = acknowledged
        self.mode = mode
        self.checksum = checksum
        self.trailer = trailer


class Message:
    """A message has come.

    Args:
        data: for whom receives it.
        size: how many bytes it occupies.
        answer: to be sent when it has been taken.
    """

    __slots__ = ("answer", "data", "size")

    def __init__(self, data: Any, size: int, answer: bytes = b"") -> None:
        self.data = data
        self.size = size
        self.answer = answer


class Answer:
    """Something has come that the protocol itself answers."""

    __slots__ = ("answer",)

    def __init__(self, answer: bytes) -> None:
        self.answer = answer


class ModeAccepted:
    """The peer has followed a change of mode."""

    __slots__ = ()


class Verdict:
    """The peer has taken a message, or says why not.

    Args:
        number: of the message; None for the oldest one that is waiting for its verdict.
        reason: why it was refused; None if it was not.
    """

    __slots__ = ("number", "reason")

    def __init__(self, number: int | None, reason: str | None = None) -> None:
        self.number = number
        self.reason = reason


class Refusal:
    """The peer accepts nothing more, and says why."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Rejected:
    """Something has come that cannot be accepted.

    Args:
        error: what to tell who receives.
        answer: what to tell the peer.
        final: nothing that follows can be made sense of: the connection has to end.
    """

    __slots__ = ("answer", "error", "final")

    def __init__(self, error: Exception, answer: bytes = b"", final: bool = False) -> None:
        self.error = error
        self.answer = answer
        self.final = final


class Body:
    """A message whose body is still to come, into its final place.

    Args:
        view: where to.
        trailer_size: how many bytes follow it.
        checksum: of the body.
        finish: called with the checksum and those bytes, returns what has come.
    """

    __slots__ = ("_checksum", "_finish", "_sum", "trailer_size", "view")

    def __init__(
        self, view: memoryview, trailer_size: int, checksum: Checksum, finish: Callable[[int, bytes], Event]
    ) -> None:
        self.view = view
        self.trailer_size = trailer_size
        self._checksum = checksum
        self._finish = finish
        self._sum = 0

    def add(self, piece: memoryview) -> None:
        """Reckon with the next piece of the body, while it is in the processor's cache."""
        self._sum = self._checksum(piece, self._sum)

    def finish(self, trailer: bytes) -> Event:
        """Return what has come, now that all of it has."""
        return self._finish(self._sum, trailer)

    def take_from(self, buffer: Buffer) -> Event | Need:
        """Take the whole body from a buffer if it is there, and return what has come.

        A big one that is not there yet is returned as it is, to be received into its final place; for a small one,
        how much is missing.
        """
        missing = len(self.view) + self.trailer_size - len(buffer)
        if missing > 0:
            return self if len(self.view) > BIG else Need(missing)
        if self.view:
            buffer.take_into(self.view)
            self.add(self.view)
        return self.finish(buffer.take(self.trailer_size))
