"""Mistakes that a type checker has to find: each line that is marked so, and no other. Never run."""

from __future__ import annotations

from sockio import aio, sio

blocking = sio.TCP("host", 1)
futures = sio.TCP("host", 1, resolve_futures=False)

sio.TCP("host", "1")  # mistake
sio.TCP("host", 1, tymeout=1)  # mistake
sio.TCP("host", 1, resolve_futures=False, tymeout=1)  # mistake
blocking.write_readline("*IDN?\n")  # mistake
blocking.write_readline(b"*IDN?\n").result()  # mistake
blocking.timeout = "1"  # mistake
blocking.host = "other"  # mistake
futures.write_readline(b"*IDN?\n").decode()  # mistake
futures.write_readline(b"*IDN?\n").result().decode()
sio.Serial("COM3", host="x")  # mistake


async def main(stream: aio.TCP) -> None:
    stream.write_readline(b"*IDN?\n").decode()  # mistake
    (await stream.write_readline(b"*IDN?\n")).decode()
    for line in stream:  # mistake
        print(line)
