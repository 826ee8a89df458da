"""The wire format of serpy: blocks of text, ended by a unit separator, in one of six modes.

====  ===========================  ============
mode  a block has                  acknowledged
====  ===========================  ============
0, 1  text as it is                in mode 1
2, 3  any bytes, in base 85        in mode 3
4, 5  a pickled object in base 85  in mode 5
====  ===========================  ============

Each direction of a connection begins in mode 0. A block that begins with START is for the other end's protocol:
``SETMODE`` and a digit announces another mode, ``ACKMODCG`` accepts it, ``ACKEOT!!`` acknowledges the message that
ended with END_OF_TRANSMISSION. ``REFUSED!`` and a reason is ours: it comes before the connection is closed, and an
original serpy delivers it as text.
"""

from __future__ import annotations

import base64
import pickle

from ..errors import LimitError, ProtocolError
from ..framing import Need
from .events import Answer, Message, ModeAccepted, Parcel, Refusal, Rejected, Verdict
from .protocol import Decoder, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..buffer import Buffer
    from .events import Event

START = b"\x01"
END_OF_TRANSMISSION = b"\x04"
UNIT_SEPARATOR = b"\x1f"

SET_MODE = b"SETMODE"
MODE_ACCEPTED = b"ACKMODCG"
ACKNOWLEDGED = b"ACKEOT!!"
REFUSED = b"REFUSED!"

MODES = range(6)


class Serpy(Protocol):
    __doc__ = __doc__
    name = "serpy"
    queue_length = 10

    def encode(self, data: Any, number: int, acknowledge: bool | None, mode: int | None, force_mode: bool) -> Parcel:
        if mode is None:
            mode = 1 if acknowledge else 0
        elif type(mode) is not int or mode not in MODES:
            raise ValueError(f"mode must be a whole number from 0 to 5, not {mode!r}")
        elif acknowledge is not None and bool(acknowledge) != mode % 2:
            raise ValueError(
                f"mode {mode} is {'' if mode % 2 else 'not '}acknowledged, and acknowledge={acknowledge!r}"
            )
        content, suitable = self._convert(data, mode)
        if not force_mode:
            mode = suitable
        block = content + END_OF_TRANSMISSION if mode % 2 else content
        if not block:
            raise ValueError(f"an empty message cannot be sent in mode {mode}, which skips it: use mode {mode + 1}")
        if suitable < 2:
            self._check_text(content, suitable, mode)
        return Parcel(block + UNIT_SEPARATOR, number=number, acknowledged=mode % 2 == 1, mode=mode)

    def _convert(self, data: Any, mode: int) -> tuple[bytes, int]:
        """Return what is to be sent, without what ends it, and the mode in which that arrives as it should."""
        acknowledged = mode % 2
        if type(data) in (int, float):
            data = str(data)
        if isinstance(data, str):
            data = data.encode(self.encoding)
            if mode < 2:
                return data, mode
            if mode < 4:
                return base64.b85encode(data), mode
        elif isinstance(data, bytes):
            return base64.b85encode(data), 2 + acknowledged
        if not self.allow_unpickle:
            raise TypeError(
                f"a message must be str, int, float or bytes, not {type(data).__name__} in mode {mode}: anything else "
                "is pickled, which has to be allowed at both ends with allow_unpickle=True"
            )
        return base64.b85encode(pickle.dumps(data, pickle.HIGHEST_PROTOCOL)), 4 + acknowledged

    @staticmethod
    def _check_text(text: bytes, mode: int, sent_mode: int) -> None:
        """Raise ValueError if text would not arrive as it is."""
        remedy = f"use mode {2 + sent_mode % 2}, which can carry any"
        if UNIT_SEPARATOR in text:
            raise ValueError(f"text with the character 0x1F, which ends a message, cannot be sent: {remedy}")
        if text.startswith(START):
            raise ValueError(f"text that begins with the character 0x01 is taken for a command: {remedy}")
        if sent_mode % 2 and END_OF_TRANSMISSION in text:
            raise ValueError(f"text with the character 0x04 cannot be acknowledged: {remedy}")

    def decoder(self) -> SerpyDecoder:
        return SerpyDecoder(self)

    def mode_change(self, mode: int) -> bytes:
        return START + SET_MODE + b"%d" % mode + UNIT_SEPARATOR


class SerpyDecoder(Decoder):
    """What the peer sends, in the mode that it has announced."""

    def __init__(self, protocol: Serpy) -> None:
        self._protocol = protocol
        # In base 85 there are five characters for four bytes.
        self._longest = protocol.limit // 4 * 5 + 10

    def decode(self, buffer: Buffer) -> Event | Need:
        block = buffer.take_until(UNIT_SEPARATOR)
        while block == UNIT_SEPARATOR:
            block = buffer.take_until(UNIT_SEPARATOR)
        if block is None and len(buffer) <= self._longest:
            return Need(1)
        if block is None or len(block) > self._longest:
            return self._refuse_size(buffer.peek(64) if block is None else block)
        if block.startswith(START):
            return self._control(block[1:-1])
        return self._message(block[:-1])

    def _control(self, command: bytes) -> Event:
        if command == MODE_ACCEPTED:
            return ModeAccepted()
        if command == ACKNOWLEDGED:
            return Verdict(None)
        if command.startswith(REFUSED):
            return Refusal(command[len(REFUSED) :].decode("utf-8", "replace").strip())
        if command.startswith(SET_MODE):
            return self._change_mode(command)
        return Rejected(ProtocolError(f"expected a command of serpy, got {command[:64]!r}", START + command))

    def _change_mode(self, command: bytes) -> Event:
        mode = command[len(SET_MODE) :]
        if len(mode) != 1 or mode not in b"012345":
            return refuse(ProtocolError(f"expected a mode from 0 to 5, got {mode[:64]!r}", START + command))
        if mode in b"45" and not self._protocol.allow_unpickle:
            return refuse(
                ProtocolError(
                    f"the peer wants to send pickled objects (mode {int(mode)}), which can run any code when they are "
                    "loaded: if it can be trusted, allow_unpickle=True allows them",
                    START + command,
                )
            )
        self.mode = int(mode)
        return Answer(START + MODE_ACCEPTED + UNIT_SEPARATOR)

    def _message(self, content: bytes) -> Event:
        answer = b""
        if self.mode % 2 and content.endswith(END_OF_TRANSMISSION):
            content = content[:-1]
            answer = START + ACKNOWLEDGED + UNIT_SEPARATOR
        if self.mode < 2:
            return self._refuse_size(content) if self._is_too_big(content) else Message(content, len(content), answer)
        data: Any
        try:
            data = base64.b85decode(content)
        except ValueError as error:
            rejection = ProtocolError(f"expected base 85 in mode {self.mode}, got {content[:64]!r}: {error}", content)
            # An answer is awaited that serpy does not have: the end of the connection has to do.
            return refuse(rejection) if answer else Rejected(rejection)
        if self._is_too_big(data):
            return self._refuse_size(content)
        size = len(data)
        if self.mode > 3:
            try:
                data = pickle.loads(data)
            except Exception as error:
                problem = f"a pickled object cannot be loaded: {type(error).__name__}: {error}"
                rejection = ProtocolError(problem, content)
                return refuse(rejection) if answer else Rejected(rejection)
        return Message(data, size, answer)

    def _is_too_big(self, data: bytes) -> bool:
        return len(data) > self._protocol.limit

    def _refuse_size(self, block: bytes) -> Rejected:
        limit = self._protocol.limit
        start = block[:64]
        return refuse(LimitError(f"a message of more than {limit} bytes (limit): {start!r}...", limit, start))


def refuse(error: ProtocolError | LimitError) -> Rejected:
    """Return the rejection that ends a connection, and tells the peer why."""
    reason = str(error).encode("ascii", "backslashreplace")
    return Rejected(error, START + REFUSED + b" " + reason + UNIT_SEPARATOR, final=True)
