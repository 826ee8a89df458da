"""The examples run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(120)
def test_the_demo_talks_on_every_flavour_survives_a_restart_and_saves_a_plot(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "examples.demo"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for flavour in ("asyncio", "trio", "blocking", "futures", "Python 2 module"):
        assert f"{flavour} " in done.stdout
    assert "Cryo-con,24C,204683,1.01A" in done.stdout
    restart = done.stdout.partition("killing the simulator")[2]
    assert "the connection has ended" in restart
    assert "connected" in restart
    assert "2 connections made by one stream, 120 readings" in restart
    for picture in ("demo.png", "waveform.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
