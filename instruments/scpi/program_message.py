"""What ends a program message: its terminator, unless that is part of a block."""

from __future__ import annotations

import re

#: A string (IEEE 488.2, 7.7.5), in which a # means nothing, or the beginning of a block (7.7.6).
STRING_OR_BLOCK = re.compile(rb"\"[^\"]*\"|'[^']*'|#(\d)")


def terminated(message: bytes, terminator: bytes) -> bytes:
    """Return a program message with its terminator, which is appended unless the message ends with it already.

    Args:
        message: the message. The data of a definite block in it do not end it, whatever bytes they are. With an
            indefinite block, whose data go on until the end, the last terminator is that of the message.
        terminator: what ends messages.
    """
    if not message.endswith(terminator):
        return message + terminator
    if b"#" in message and _end_of_blocks(message) > len(message) - len(terminator):
        return message + terminator
    return message


def _end_of_blocks(message: bytes) -> int:
    """Return the index after the last definite block, 0 if there is none. One that is cut short counts as none."""
    position = last = 0
    while found := STRING_OR_BLOCK.search(message, position):
        position = found.end()
        if found[1] == b"0":
            break
        count = int(found[1] or b"0")
        digits = message[position : position + count]
        if digits.isdigit():
            end = position + count + int(digits)
            if end <= len(message):
                position = last = end
    return last
