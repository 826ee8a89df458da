"""Program messages on a byte stream: a raw socket or a serial line; or each in a datagram.

A message ends with a newline, but not with one in a definite block. An answer has nothing but its newline to tell where
it ends, and nothing clears the device: what has been asked is answered, however late.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .engine import Conversation
from .faults import deliver

if TYPE_CHECKING:
    from .scpi import ScpiDevice

#: What may end a message or hide its end.
SPECIAL = re.compile(rb"[\n\"'#]")


class MessageReader:
    r"""Cuts the bytes of a stream into program messages, wherever they are split. Without input and output.

    >>> reader = MessageReader()
    >>> list(reader.feed(b"*RST\r\nDATA #1")), list(reader.feed(b"3a\nb\n*ID"))
    ([b'*RST'], [b'DATA #13a\nb'])
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._block_end = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; give the messages that they complete, without newline and the white space before it."""
        self._buffer += data
        while special := SPECIAL.search(self._buffer, self._scanned):
            if special.group() == b"\n":
                yield self._take(special.start())
                continue
            end = self._block(special.start()) if special.group() == b"#" else self._string(special.start())
            if end is None:
                self._scanned = special.start()
                return
            self._scanned = end
        self._scanned = max(self._scanned, len(self._buffer))

    def _string(self, start: int) -> int | None:
        """Return the end of a string, or of the line if it has none; None if that has not come."""
        newline = self._buffer.find(b"\n", start)
        quote = self._buffer.find(self._buffer[start : start + 1], start + 1, None if newline < 0 else newline)
        if quote >= 0:
            return quote + 1
        return None if newline < 0 else newline

    def _block(self, start: int) -> int | None:
        """Return the end of a block, or of what is none; None if its header, or an indefinite one, has not come.

        It begins a parameter: white space or a comma is before it. Where a definite one ends, bytes may be to come.
        """
        if bytes(self._buffer[start - 1 : start]) not in (b" ", b"\t", b","):
            return start + 1
        count = self._buffer[start + 1 : start + 2]
        if count == b"0":
            newline = self._buffer.find(b"\n", start)
            self._block_end = max(newline, 0)
            return None if newline < 0 else newline
        if count and not count.isdigit():
            return start + 1
        header_end = start + 2 + int(count or b"1")
        length = self._buffer[start + 2 : header_end]
        if length and not length.isdigit():
            return start + 1
        if len(self._buffer) < header_end:
            return None
        self._block_end = header_end + int(length)
        return self._block_end

    def _take(self, newline: int) -> bytes:
        end = self._block_end + len(self._buffer[self._block_end : newline].rstrip())
        with memoryview(self._buffer) as view:
            message = bytes(view[:end])
        del self._buffer[: newline + 1]
        self._scanned = self._block_end = 0
        return message


class RawProtocol(Conversation["ScpiDevice"]):
    """One connection of a device: its input, and its answers."""

    def __init__(self, device: ScpiDevice, channel: Any, transport: Any) -> None:
        super().__init__(device, channel, transport)
        self._reader = MessageReader()

    def receive(self, data: bytes) -> None:
        """Answer the messages that are complete."""
        for message in self._reader.feed(data):
            self._answer(message, self.send, self.close)

    def handle_message(self, datagram: bytes) -> None:
        """Answer one datagram."""
        self._answer(datagram.rstrip(b"\r\n"), self._send_datagram, lambda: None)

    def _answer(self, message: bytes, send: Any, close: Any) -> None:
        response = self._device.respond(message)
        if response is not None:
            deliver(self._device, response, send, close)

    def _send_datagram(self, data: bytes) -> None:
        self._transport.send(self._channel, data)
