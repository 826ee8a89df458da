"""Runs the contract of sockio.py2 under this Python, and under every CPython 2.7 that is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONTRACT = Path(__file__).with_name("contract.py")


def find_python2() -> str | None:
    """Return a CPython 2.7 that runs: on PATH, or one that pyenv has installed."""
    candidates = [shutil.which("python2.7"), shutil.which("python2")]
    candidates += map(str, sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"), reverse=True))
    wanted = "import platform, sys; sys.exit(platform.python_implementation() + sys.version[:3] != 'CPython2.7')"
    for candidate in candidates:
        if candidate is not None and subprocess.run([candidate, "-c", wanted], capture_output=True).returncode == 0:
            return candidate
    return None


PYTHON2 = find_python2()


@pytest.mark.parametrize(
    "python",
    [
        pytest.param([sys.executable, "-X", "dev", "-W", "error"], id="this Python"),
        pytest.param(
            [PYTHON2],
            id="CPython 2.7",
            marks=pytest.mark.skipif(PYTHON2 is None, reason="no CPython 2.7 on PATH or in ~/.pyenv/versions"),
        ),
    ],
)
def test_contract(python):
    done = subprocess.run([*python, str(CONTRACT)], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
