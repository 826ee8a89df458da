"""The example runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(120)
def test_two_machines_set_up_used_broken_and_healed(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "examples.tango.two_machines"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    before, killed, after = done.stdout.partition("lab$ kill the instrument")
    assert killed
    assert "lab$ CryoCon lab --device lab/cryocon/1" in before
    assert "control> Cryo-con,24C,204683,1.01A: channel A at 11.4" in before
    assert "API_" not in before
    assert "400 K is refused: Set value for attribute set_point is above the maximum authorized" in before
    assert "event  sample: 11." in before
    assert "event  sample: invalid" in after.lower()
    assert "event  state: FAULT" in after
    assert "control> Error: " in after
    back = after.partition("lab$ sinstruments-server")[2]
    assert "event  sample: 11." in back
    assert "control> the sample is at 11.4" in back.partition("kill the device server")[2]
    count = int(back.partition("the archive has ")[2].split()[0])
    assert count >= 2
