"""A server that misbehaves on request, or at random; it runs in a process of its own.

Requests are lines. What each reply has to be follows from the request alone, so a client can tell its own reply from
anybody else's:

=======================  ==============================================================================
``echo TEXT``            ``TEXT``
``wait SECONDS TEXT``    ``TEXT`` after a while
``split SECONDS TEXT``   the first half of ``TEXT``, and the rest after a while
``lines COUNT TEXT``     ``TEXT 0``, ``TEXT 1``, ...
``block SIZE``           so many bytes of `pattern`, and nothing else
``ieee SIZE``            the same as an IEEE 488.2 block
``sink SIZE TEXT``       takes so many bytes, then ``TEXT``
``end TEXT``             ``TEXT`` without an end of line, and the end of the stream
``silence``              nothing
``deaf``                 nothing, and does not read on
``reset``                the connection is reset
``clients``              how many connections there are
``requests``             how many requests have come on all connections so far
``fault METHOD NUMBER``  the reply to ``NUMBER`` (see `Request`), in a way that a random generator chooses
=======================  ==============================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import random
import socket
import struct
import subprocess
import sys

#: Seconds after which the clients of the random replies give up; late replies come after that.
PATIENCE = 0.04


@functools.cache
def pattern(size: int) -> bytes:
    """Return *size* bytes that are different at every place of a kilobyte."""
    return b"".join(struct.pack(">I", number * 2654435761 & 0xFFFFFFFF) for number in range(-(-size // 4)))[:size]


def filler(number: int) -> bytes:
    """Return 1 to 300 bytes of text that belong to *number* alone."""
    text = hashlib.sha256(str(number).encode()).hexdigest().encode() * 5
    return text[: 1 + int(text[:4], 16) % 300]


class Request:
    """A request of the fault test: how to make it, and the one right reply.

    Args:
        number: different in every request of a test; every line and block of the reply carries it.
    """

    def __init__(self, number: int) -> None:
        self.method = ("write_readline", "write_readlines", "write_readblock", "write_readline")[number % 4]
        data = b"fault %s %d\n" % (self.method.encode(), number)
        line = b"%d %s\n" % (number, filler(number))
        self.args: tuple[object, ...]
        self.reply: object
        if self.method == "write_readline":
            self.args, self.reply, self.raw = (data,), line, line
        elif self.method == "write_readlines":
            lines = [b"%d.%d %s\n" % (number, index, filler(number)) for index in range(3)]
            self.args, self.reply, self.raw = (data, 3), lines, b"".join(lines)
        else:
            block = line * 20
            size = str(len(block)).encode()
            self.args, self.reply = (data,), block
            self.raw = b"#%d%s%s\n" % (len(size), size, block)


class Misbehaviour:
    """One client connection of the server.

    Args:
        server: what all connections share.
        dice: chooses how to reply to ``fault``.
    """

    def __init__(self, server: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.dice = server.dice
        self.reader = reader
        self.writer = writer

    async def serve(self) -> None:
        while line := await self.reader.readline():
            self.server.requests += 1
            verb, _, rest = line.decode().strip().partition(" ")
            await getattr(self, "on_" + verb)(rest)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def end(self, reset: bool) -> None:
        if reset and self.writer.get_extra_info("socket").family != socket.AF_UNIX:
            linger = struct.pack("ii", 1, 0)
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.writer.transport.abort()
        else:
            self.writer.close()
        raise ConnectionResetError

    async def on_echo(self, text: str) -> None:
        await self.send(text.encode() + b"\n")

    async def on_wait(self, text: str) -> None:
        seconds, _, text = text.partition(" ")
        await asyncio.sleep(float(seconds))
        await self.send(text.encode() + b"\n")

    async def on_split(self, text: str) -> None:
        seconds, _, text = text.partition(" ")
        await self.send(text[: len(text) // 2].encode())
        await asyncio.sleep(float(seconds))
        await self.send(text[len(text) // 2 :].encode() + b"\n")

    async def on_lines(self, text: str) -> None:
        count, _, text = text.partition(" ")
        await self.send(b"".join(b"%s %d\n" % (text.encode(), index) for index in range(int(count))))

    async def on_block(self, size: str) -> None:
        await self.send(pattern(int(size)))

    async def on_ieee(self, size: str) -> None:
        await self.send(b"#%d%s%s\n" % (len(size), size.encode(), pattern(int(size))))

    async def on_sink(self, text: str) -> None:
        size, _, text = text.partition(" ")
        await self.reader.readexactly(int(size))
        await self.send(text.encode() + b"\n")

    async def on_end(self, text: str) -> None:
        await self.send(text.encode())
        self.end(reset=False)

    async def on_silence(self, text: str) -> None:
        pass

    async def on_deaf(self, text: str) -> None:
        await asyncio.sleep(3600)

    async def on_reset(self, text: str) -> None:
        self.end(reset=True)

    async def on_clients(self, text: str) -> None:
        await self.send(b"%d\n" % len(self.server.clients))

    async def on_requests(self, text: str) -> None:
        await self.send(b"%d\n" % self.server.requests)

    async def on_fault(self, text: str) -> None:
        _, number = text.split()
        reply = Request(int(number)).raw
        chances = {
            "good": 60,
            "split": 12,
            "unasked": 6,
            "good then end": 3,
            "cut": 4,
            "reset": 3,
            "reset inside": 3,
            "reset after": 2,
            "silence": 3,
            "late": 4,
        }
        fate = self.dice.choices(list(chances), list(chances.values()))[0]
        self.server.fates[fate] = self.server.fates.get(fate, 0) + 1
        middle = self.dice.randrange(len(reply))
        if fate == "split":
            await self.send_in_pieces(reply)
        elif fate == "unasked":
            await self.send(reply + b"unasked %s\n" % number.encode() * self.dice.randrange(1, 4))
        elif fate == "cut":
            await self.send(reply[:middle])
            self.end(reset=False)
        elif fate == "reset":
            self.end(reset=True)
        elif fate == "reset inside":
            await self.send(reply[:middle])
            self.end(reset=True)
        elif fate == "late":
            in_time = self.dice.choice((0, middle))
            await self.send(reply[:in_time])
            await asyncio.sleep(PATIENCE * self.dice.uniform(0.9, 1.5))
            await self.send(reply[in_time:])
        elif fate != "silence":
            await self.send(reply)
            if fate != "good":
                self.end(reset=fate == "reset after")

    async def send_in_pieces(self, reply: bytes) -> None:
        while reply:
            size = self.dice.randrange(1, len(reply) + 1)
            await self.send(reply[:size])
            reply = reply[size:]
            await asyncio.sleep(self.dice.choice((0, 0, 0.001, 0.003)))

    async def on_fates(self, text: str) -> None:
        await self.send(repr(self.server.fates).encode() + b"\n")


class Service:
    """What the connections share."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.clients: set[Misbehaviour] = set()
        self.requests = 0
        self.fates: dict[str, int] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Misbehaviour(self, reader, writer)
        self.clients.add(client)
        try:
            await client.serve()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.clients.discard(client)
            writer.close()

    async def run(self, path: str) -> None:
        if path:
            await asyncio.start_unix_server(self.accept, path)
            where = path
        else:
            server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
            where = str(server.sockets[0].getsockname()[1])
        print(where, flush=True)
        # Ends with the process that has started it.
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(0, lambda: ended.set() if not os.read(0, 1) else None)
        await ended.wait()
        os._exit(0)


class Server:
    """Runs the server in a process of its own, for the length of a ``with`` block.

    Args:
        path: of a unix socket; TCP on a free port of 127.0.0.1 if empty.
        seed: of the random replies.
    """

    def __init__(self, path: str = "", seed: int = 1) -> None:
        self._command = [sys.executable, __file__, path, str(seed)]

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._process.stdout is not None
        where = self._process.stdout.readline().strip()
        self.host = "127.0.0.1"
        self.port = int(where) if where.isdigit() else 0
        self.path = where
        self._control: socket.socket | None = None
        return self

    def __exit__(self, *details: object) -> None:
        if self._control is not None:
            self._control.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def ask(self, request: str) -> str:
        """Ask something by the tests' own connection."""
        if self._control is None:
            if self.port:
                self._control = socket.create_connection((self.host, self.port))
            else:
                self._control = socket.socket(socket.AF_UNIX)
                self._control.connect(self.path)
            self._control.settimeout(5)
        self._control.sendall(request.encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            reply += self._control.recv(4096)
        return reply.decode().strip()

    def clients(self) -> int:
        """Return how many connections others than this object have to the server."""
        return int(self.ask("clients")) - 1


if __name__ == "__main__":
    asyncio.run(Service(int(sys.argv[2])).run(sys.argv[1]))
