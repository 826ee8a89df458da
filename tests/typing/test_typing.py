"""What mypy --strict and pyright make of the facades and of drivers over them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = [HERE / "calls.py", HERE / "drivers.py", HERE / "pipes.py", HERE / "tcpip.py", HERE / "mistakes.py"]

# They read all of sockio, and the standard library as well.
pytestmark = pytest.mark.timeout(300)


def mypy(files: list[Path]) -> dict[tuple[str, int], str]:
    """Return the errors, by file and line."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, files)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    found = re.findall(r"^(\S+):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {(Path(path).name, int(line)): text for path, line, text in found if Path(path).parent.name == "typing"}


def pyright(files: list[Path]) -> dict[tuple[str, int], str]:
    """Return the errors, by file and line."""
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *map(str, files)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {
        (Path(error["file"]).name, error["range"]["start"]["line"] + 1): error["message"]
        for error in json.loads(done.stdout)["generalDiagnostics"]
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_checkers_know_what_a_call_gives(checker):
    mistakes = (HERE / "mistakes.py").read_text().splitlines()
    marked = {("mistakes.py", number) for number, line in enumerate(mistakes, 1) if line.endswith("# mistake")}
    assert len(marked) == 41
    found = checker(FILES)
    assert set(found) == marked, {place: found.get(place, "not found") for place in set(found) ^ marked}
