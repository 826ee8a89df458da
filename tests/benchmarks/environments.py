"""The peers' virtual environments, under ``.bench/``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.harness import ROOT

REQUIREMENTS = {
    "asyncio_streams": [],
    "pymodbus_clients": ["pymodbus==3.16.1"],
    "pyserial_port": ["pyserial==3.5"],
    "sockio_0_15": ["sockio==0.15.0"],
    "visa": ["PyVISA==1.16.2", "PyVISA-py==0.8.1"],
}
"""What each script in ``peers/`` needs beyond the standard library."""


def interpreters() -> dict[str, Path]:
    """The interpreter for each script in ``peers/``; one that cannot be had is left out, and that is said."""
    found = {}
    for script, requirements in REQUIREMENTS.items():
        try:
            found[script] = environment(script, requirements) if requirements else Path(sys.executable)
        except subprocess.CalledProcessError as error:
            print(f"Left out: {', '.join(requirements)} ({error})", file=sys.stderr)
    return found


def environment(name: str, requirements: list[str]) -> Path:
    """The interpreter of an environment that holds ``requirements``, made if it is not there."""
    folder = ROOT / ".bench" / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        stamp.write_text(wanted)
    return python
