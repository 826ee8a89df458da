"""The mock dome controller of the examples."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.mock_dome import DomeClient, MockDomeController

from .helpers import PATIENCE, connect, log, soon

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = [sys.executable, "-W", "error", "-m", "examples.mock_dome"]

pytest_plugins = ["sockio.tcpip.pytest_plugin"]


def test_it_runs():
    done = subprocess.run(EXAMPLE, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert "to 90: [30.0, 60.0, 90.0]" in done.stdout
    assert "to 45: [60.0, 45.0]" in done.stdout
    assert done.stdout.count("DomeClient: connection lost") == 2
    assert done.stdout.count("MockDomeController: disconnected") == 2
    assert done.stdout.count("Error: ") == 2


async def test_the_controller_alone_with_nc():
    if shutil.which("nc") is None:
        pytest.skip("nc is not installed")
    pipe = asyncio.subprocess.PIPE
    controller = await asyncio.create_subprocess_exec(*EXAMPLE, "--port", "0", cwd=ROOT, stdout=pipe)
    line = await asyncio.wait_for(controller.stdout.readline(), 5 * PATIENCE)
    nc = await asyncio.create_subprocess_exec("nc", "127.0.0.1", line.split()[-1], stdin=pipe, stdout=pipe)
    nc.stdin.write(b'{"id": 7, "move": 10}\r\nnonsense\r\nheartbeat\r\n{"id": 8, "move": 10}\r\n')
    replies = [json.loads(await soon(nc.stdout.readline())) for _ in range(4)]
    assert replies[:2] == [{"azimuth": 10}, {"done": 7}]
    assert replies[2]["refused"].startswith("JSONDecodeError")
    assert replies[3] == {"done": 8}
    for process in (nc, controller):
        process.kill()
        await process.communicate()


async def test_commands_that_make_no_sense_are_refused(one_client_server_case):
    case = one_client_server_case
    case.server_class = MockDomeController
    async with case.create_server() as controller:
        async with DomeClient("127.0.0.1", controller.port, log) as client:
            with pytest.raises(ValueError, match="could not convert"):
                await soon(client.move("north"))
            for nowhere in (float("nan"), float("inf")):
                with pytest.raises(ValueError, match="no azimuth"):
                    await soon(client.move(nowhere))
            assert await soon(client.move(15)) == [15]
        peer = await connect(controller)
        await peer.send(b"[]\r\n")
        assert b"TypeError" in await soon(peer.reader.readline())
        await peer.close()
