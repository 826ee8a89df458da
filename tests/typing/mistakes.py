"""Mistakes that a type checker has to find: each line that is marked so, and no other. Never run."""

from __future__ import annotations

from instruments.cryocon import CryoCon
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

cryo = CryoCon(blocking)
CryoCon("host")  # mistake
CryoCon(blocking, chanels="AB")  # mistake
cryo.idn().result()  # mistake
cryo.idn("x")  # mistake
cryo[1].set_point(b"4.2")  # mistake
cryo["A"].set_point(4.2)  # mistake
cryo["A"].temperature().bit_length()  # mistake
CryoCon(futures).idn().decode()  # mistake
CryoCon(futures).idn().result().upper()


async def main(stream: aio.TCP) -> None:
    CryoCon(stream).idn().upper()  # mistake
    (await CryoCon(stream).idn()).upper()
    with CryoCon(stream):  # mistake
        pass
    async with cryo:  # mistake
        pass
    stream.write_readline(b"*IDN?\n").decode()  # mistake
    (await stream.write_readline(b"*IDN?\n")).decode()
    for line in stream:  # mistake
        print(line)
