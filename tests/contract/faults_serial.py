"""Serial lines made of pty pairs, an instrument at the other end, and ser2net in front of one."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.contract.faults_leaks import eventually
from tests.contract.flavours import Awaited, Flavour
from tests.ports import free_port

SOCAT = shutil.which("socat")
SER2NET = shutil.which("ser2net", path=os.environ.get("PATH", "") + ":/usr/sbin")


def make(flavour: Flavour, name: str, *args: Any, **options: Any) -> Any:
    """Return a stream of the flavour's class of that name, which is closed at the end of the contract."""
    kind = getattr(getattr(flavour, "facade", flavour.module), name)
    if not flavour.blocks:
        return flavour.keep(kind(*args, **options))
    return flavour.keep(Awaited(kind(*args, **getattr(flavour, "options", {}), **options)))


class Line:
    """A serial line between ``port`` and an instrument, which can be unplugged and plugged in again.

    The instrument answers one request after the other: ``echo TEXT``, ``wait SECONDS TEXT`` (late), ``silence``,
    ``split SECONDS TEXT`` and ``block SIZE``.

    Args:
        folder: where the names of the ports are made.
        name: of the port.
    """

    def __init__(self, folder: Path, name: str = "ttyUSB0") -> None:
        self.port = str(folder / name)
        self._far_end = str(folder / f"{name}.instrument")
        self.requests: list[bytes] = []
        self.plug_in()

    def plug_in(self, name: str = "") -> None:
        """Make the port; under another name, if one is given."""
        if name:
            self.port = str(Path(self.port).with_name(name))
        ends = [f"pty,raw,echo=0,link={end}" for end in (self.port, self._far_end)]
        assert SOCAT is not None
        self._socat = subprocess.Popen([SOCAT, *ends])
        assert eventually(lambda: all(map(os.path.exists, (self.port, self._far_end))))
        # The port is held open: socat would end when its user closes it, as no adapter does.
        self._held = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        self._instrument = threading.Thread(target=self._run, args=(os.open(self._far_end, os.O_RDWR),))
        self._instrument.start()

    def unplug(self) -> None:
        self._socat.terminate()
        self._socat.wait(5)
        os.close(self._held)
        self._instrument.join(5)
        assert not self._instrument.is_alive()

    def close(self) -> None:
        if self._socat.poll() is None:
            self.unplug()

    def _run(self, number: int) -> None:
        received = b""
        try:
            while True:
                end = received.find(b"\n")
                if end < 0:
                    select.select([number], [], [])
                    received += os.read(number, 4096) or self._hang_up()
                    continue
                request, received = received[:end], received[end + 1 :]
                self.requests.append(request)
                self._answer(number, request)
        except OSError:
            pass  # unplugged
        finally:
            os.close(number)

    @staticmethod
    def _hang_up() -> bytes:
        raise OSError("unplugged")

    def _answer(self, number: int, request: bytes) -> None:
        verb, *words = request.split(b" ")
        if verb == b"echo":
            os.write(number, b" ".join(words) + b"\n")
        elif verb == b"wait":
            time.sleep(float(words[0]))
            os.write(number, b" ".join(words[1:]) + b"\n")
        elif verb == b"split":
            text = b" ".join(words[1:]) + b"\n"
            os.write(number, text[: len(text) // 2])
            time.sleep(float(words[0]))
            os.write(number, text[len(text) // 2 :])
        elif verb == b"block":
            data = memoryview(bytes(range(256)) * (int(words[0]) // 256))
            while data:
                data = data[os.write(number, data) :]


class Ser2net:
    """ser2net in front of a port: raw TCP at ``raw``, RFC 2217 at ``rfc2217`` (of two lines)."""

    def __init__(self, folder: Path, raw: str, rfc2217: str) -> None:
        self.raw, self.rfc2217 = free_port(), free_port()
        self._configuration = folder / "ser2net.yaml"
        self._configuration.write_text(
            f"""%YAML 1.1
---
connection: &raw
  accepter: tcp,127.0.0.1,{self.raw}
  connector: serialdev,{raw},9600n81,local
  options: {{kickolduser: true}}
connection: &rfc2217
  accepter: telnet(rfc2217),tcp,127.0.0.1,{self.rfc2217}
  connector: serialdev,{rfc2217},9600n81,local
  options: {{kickolduser: true}}
"""
        )
        self.start()

    def start(self) -> None:
        assert SER2NET is not None
        command = [SER2NET, "-n", "-d", "-u", "-c", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert eventually(lambda: all(map(answers, (self.raw, self.rfc2217))))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(5)


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
