"""Run in a network namespace of its own: a portmapper, a simulated instrument that registers there, and its clients.

Prints what each client got, as JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

from instruments.vxi11 import RpcError, Vxi11Connection
from sockio.resource import parse
from sockio.runtimes.blocking import run, runtime

CONFIGURATION = """
devices:
- {class: Echo, package: tests.instruments.vxi11_device, name: echo,
   transports: [{url: "127.0.0.1:0", protocol: vxi11}]}
- {class: PortmapperEntry, package: instruments.simulators.vxi11_portmapper, name: portmapper, device: echo}
"""


def ask() -> str:
    """Ask with our client, which asks the portmapper."""
    device = Vxi11Connection(parse("TCPIP::127.0.0.1::inst0::INSTR"), runtime)  # type: ignore[arg-type]
    try:
        return run(device.query(b"*IDN?\n", 5)).decode()
    finally:
        run(device.close())


def ask_python_vxi11() -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import vxi11
        except ImportError:
            return None
    device = vxi11.Instrument("127.0.0.1")
    try:
        return str(device.ask("*IDN?"))
    finally:
        device.close()


def call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def main(rpcbind: str, lxi: str, folder: Path) -> None:
    answers: dict[str, str | None] = {}
    portmapper = subprocess.Popen([rpcbind, "-f"])
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", 111), 1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, "rpcbind does not listen"
            time.sleep(0.05)
    try:
        ask()
    except RpcError as error:
        answers["before"] = str(error)
    config = folder / "config.yml"
    config.write_text(CONFIGURATION)
    server = Path(sys.executable).with_name("sinstruments-server")
    instrument = subprocess.Popen([str(server), "-c", str(config)])
    try:
        while True:
            try:
                answers["sockio"] = ask()
                break
            except (RpcError, ConnectionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        answers["python-vxi11"] = ask_python_vxi11()
        answers["lxi"] = call(lxi, "scpi", "--address", "127.0.0.1", "*IDN?")
        answers["lxi long"] = call(lxi, "scpi", "--address", "127.0.0.1", "ECHO? " + "x" * 400)
        answers["lxi benchmark"] = call(lxi, "benchmark", "--address", "127.0.0.1", "--count", "50")
        answers["lxi without an answer"] = call(lxi, "scpi", "--timeout", "1", "--address", "127.0.0.1", "WAIT? 3,late")
        answers["after"] = ask()
    finally:
        instrument.terminate()
        instrument.wait(10)
        portmapper.terminate()
        portmapper.wait(10)
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
