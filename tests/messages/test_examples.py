"""The examples run as they stand."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PYTHON = [sys.executable, "-W", "error::ResourceWarning", "-m"]


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*PYTHON, *command], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return server.stdout.readline().removeprefix("listening on port ").strip()


def run(*command: str) -> str:
    done = subprocess.run([*PYTHON, *command], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def hear(process: subprocess.Popen[str], line: str) -> None:
    """Read what a program prints, up to a line."""
    assert process.stdout is not None
    assert f"{line}\n" in iter(process.stdout.readline, ""), f"the program has ended without {line!r}"


def test_a_chat_of_two():
    with running("examples.chat", "serve", "127.0.0.1", "0") as server:
        port = port_of(server)
        with running("examples.chat", "join", "127.0.0.1", port, "Ada") as ada:
            hear(ada, "* you are Ada")
            with running("examples.chat", "join", "127.0.0.1", port, "Emmy") as emmy:
                hear(emmy, "* you are Emmy")
                hear(ada, "* Emmy is here")
                assert ada.stdin is not None
                ada.stdin.write("Grüß dich, Emmy!\n")
                ada.stdin.flush()
                hear(emmy, "Ada: Grüß dich, Emmy!")
                assert emmy.stdin is not None
                emmy.stdin.write("Hello Ada\n")
                emmy.stdin.close()
                hear(ada, "Emmy: Hello Ada")
                assert emmy.wait(20) == 0


def test_a_chat_goes_on_after_what_cannot_be_passed_on():
    with running("examples.chat", "serve", "127.0.0.1", "0") as server:
        port = port_of(server)
        with running("examples.chat", "join", "127.0.0.1", port, "Ada") as ada:
            hear(ada, "* you are Ada")
            with socket.create_connection(("127.0.0.1", int(port))) as original:
                original.sendall(b"\x01SETMODE1\x1f\x04\x1fthat was nothing\x04\x1f")
                hear(ada, "that was nothing")


def test_a_broadcast():
    with running("examples.broadcast", "serve", "127.0.0.1", "0") as server:
        readings = run("examples.broadcast", "listen", "127.0.0.1", port_of(server), "3").splitlines()
    assert len(readings) == 3
    assert all(4.0 < float(reading.removesuffix(" K")) < 4.4 for reading in readings)


def test_photon_counts_stream_to_a_workstation():
    with running("examples.photon_counts", "measure", "127.0.0.1", "0") as electronics:
        output = run("examples.photon_counts", "collect", "127.0.0.1", port_of(electronics), "3")
    assert output.count("photons") == 3
    lifetime = int(output.split("lifetime: ")[1].split()[0])
    assert 50 < lifetime < 70
