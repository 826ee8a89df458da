"""A simulated instrument whose responses are as long, as late and as odd as a test wants; run by sinstruments."""

from __future__ import annotations

import gevent

from instruments.simulators.scpi import ScpiDevice


class Echo(ScpiDevice):
    """``ECHO? anything`` is answered by what it is asked; ``WAIT? seconds,anything`` later; ``FILL? n`` by n bytes."""

    identity = "sockio,echo,0,1.0"

    def respond(self, message: bytes) -> bytes | None:
        verb, _, rest = message.partition(b" ")
        if verb == b"ECHO?":
            return rest + b"\n"
        if verb == b"WAIT?":
            seconds, _, rest = rest.partition(b",")
            gevent.sleep(float(seconds))
            return rest + b"\n"
        if verb == b"FILL?":
            return pattern(int(rest))
        if verb == b"BLOCK?":
            return b"#9%09d%s\n" % (int(rest), pattern(int(rest)))
        return super().respond(message)


def pattern(size: int) -> bytes:
    """Return so many bytes of all values, which do not repeat at a multiple of any power of two."""
    period = bytes(range(251))
    return (period * (size // len(period) + 1))[:size]
