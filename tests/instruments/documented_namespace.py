"""Run documented examples, as they are written, in a network of their own where their addresses lead somewhere.

Everything that they name is there: an oscilloscope with HiSLIP and a multimeter with VXI-11, which the portmapper
finds, at each of the hosts; raw sockets, one that sends back what it gets; a Prologix adapter at the serial port COM3;
and at COM1 an instrument that ends its lines with a carriage return. Reads ``[{"flavour": …, "code": …}, …]`` as JSON,
prints what each of them has printed.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

HOSTS = ["1.2.3.4", "192.168.1.12", "192.168.1.20", "192.168.1.40"]

BENCH = """
devices:
- class: Multimeter
  package: instruments.simulators.multimeter
  name: multimeter
  "*idn": sockio,multimeter,M1,1.0
  transports:
  - {url: "0.0.0.0:123"}
  - {url: "1.2.3.4:1234"}
  - {url: "0.0.0.0:5025"}
  - {url: "0.0.0.0:4322", protocol: vxi11}
- class: Oscilloscope
  package: instruments.simulators.oscilloscope
  name: oscilloscope
  "*idn": sockio,oscilloscope,O1,1.0
  transports:
  - {url: "0.0.0.0:4880", protocol: hislip}
- {class: PortmapperEntry, package: instruments.simulators.vxi11_portmapper, name: portmapper, device: multimeter}
- class: Prologix
  package: instruments.simulators.prologix
  name: adapter
  instruments: {10: multimeter, 7: oscilloscope}
  transports:
  - {type: serial, url: ./COM3}
  - {url: "192.168.1.40:1234"}
"""

PLACES = [
    ("1.2.3.4", 123),
    ("1.2.3.4", 1234),
    ("1.2.3.4", 4322),
    ("1.2.3.4", 4880),
    ("1.2.3.4", 5025),
    ("192.168.1.40", 1234),
]


def serial_instrument(path: str) -> None:
    """Make a terminal at which an instrument answers what a carriage return ends."""
    controller, terminal = os.openpty()
    tty.setraw(terminal)
    os.symlink(os.ttyname(terminal), path)

    def answer() -> None:
        pending = b""
        while True:
            *lines, pending = (pending + os.read(controller, 4096)).split(b"\r")
            for line in lines:
                os.write(controller, b"ACME,serial,1,1.0\r" if line == b"*IDN?" else b"?\r")

    threading.Thread(target=answer, daemon=True).start()


def echo(host: str, port: int) -> None:
    """Be a device that sends back what it gets."""
    listener = socket.create_server((host, port))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(4096):
                    connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()


def start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=sys.stderr)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "the bench does not start"
        time.sleep(0.02)


def listens(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, 1).close()
    except OSError:
        return False
    return True


def is_registered() -> bool:
    return "395183" in subprocess.run(["rpcinfo", "-p", "127.0.0.1"], capture_output=True, text=True).stdout


def run(flavour: str, code: str) -> dict[str, Any]:
    """Run an example; return what it printed, and how it ended if that was not well."""
    printed: list[str] = []
    names: dict[str, Any] = {"print": lambda *items: printed.append(" ".join(map(str, items)))}
    compiled = compile(code, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def main() -> None:
        result = eval(compiled, names)
        if inspect.isawaitable(result):
            await result

    error = None
    try:
        if flavour == "asyncio":
            asyncio.run(main())
        elif flavour == "trio":
            trio.run(main)
        else:
            assert eval(compiled, names) is None, "something is to be awaited"
    except BaseException:
        error = traceback.format_exc()
    return {"printed": printed, "error": error}


def main(rpcbind: str, folder: str) -> None:
    for host in HOSTS:
        subprocess.run(["ip", "address", "add", f"{host}/32", "dev", "lo"], check=True)
    os.chdir(folder)
    serial_instrument("COM1")
    echo("192.168.1.12", 5000)
    Path("bench.yml").write_text(BENCH)
    processes = [start(rpcbind, "-f")]
    try:
        until(lambda: listens(("127.0.0.1", 111)))
        processes.append(start(str(Path(sys.executable).with_name("sinstruments-server")), "-c", "bench.yml"))
        until(lambda: all(map(listens, PLACES)) and os.path.islink("COM3"))
        until(is_registered)
        results = [run(example["flavour"], example["code"]) for example in json.load(sys.stdin)]
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
