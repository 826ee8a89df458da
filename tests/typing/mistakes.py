"""Mistakes that a type checker has to find: each line that is marked so, and no other. Never run."""

from __future__ import annotations

import instruments
from instruments import ScpiPipe
from instruments.cryocon import CryoCon
from instruments.sio import ScpiPipe as BlockingScpiPipe
from instruments.sio.scpi import Instrument
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

print(instruments.nothing)  # mistake
pipe = BlockingScpiPipe("tcp::host:5025")
BlockingScpiPipe("tcp::host:5025", encodign="ascii")  # mistake
BlockingScpiPipe("hislip::host", mode="overlap", limit=1000)
BlockingScpiPipe("hislip::host", mode="overlapping")  # mistake
BlockingScpiPipe(5025)  # mistake
pipe.query(b"*IDN?")  # mistake
pipe.query("*IDN?").result()  # mistake
pipe.qery("*IDN?")  # mistake
pipe.address = "tcp::other:5025"  # mistake
BlockingScpiPipe("tcp::host:5025", resolve_futures=False).query("*IDN?").upper()  # mistake
BlockingScpiPipe("tcp::host:5025", resolve_futures=False).query("*IDN?").result().upper()
ScpiPipe("tcp::host:5025", resolve_futures=False)  # mistake
Instrument(pipe).errors()[0].code.upper()  # mistake
Instrument(blocking)  # mistake


def serve_line(client: sio.ClientStream) -> None:
    client.write(client.readline().decode())  # mistake
    client.readlin()  # mistake


sio.serve(serve_line, prot=5000)  # mistake
sio.serve(serve_line, "localhost", "5000")  # mistake
aio.serve(serve_line)  # mistake


async def main(stream: aio.TCP) -> None:
    CryoCon(stream).idn().upper()  # mistake
    (await CryoCon(stream).idn()).upper()
    with CryoCon(stream):  # mistake
        pass
    async with cryo:  # mistake
        pass
    async with pipe:  # mistake
        pass
    ScpiPipe("tcp::host:5025").query("*IDN?").upper()  # mistake
    stream.write_readline(b"*IDN?\n").decode()  # mistake
    (await stream.write_readline(b"*IDN?\n")).decode()
    for line in stream:  # mistake
        print(line)
