"""Runs the tests in ``inside`` in a virtual machine that has the hardware."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent


def load_machine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    specification = importlib.util.spec_from_file_location("sockio_lab_machine", FOLDER / "machine.py")
    assert specification is not None
    assert specification.loader is not None
    machine = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(machine)
    return machine


@pytest.mark.timeout(600)
def test_inside_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = load_machine(monkeypatch)
    output, errors = io.BytesIO(), io.BytesIO()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", str(FOLDER / "inside")]
    try:
        status = machine.run(command, 500, output, errors)
    except machine.Unavailable as error:
        pytest.skip(f"no lab: {error}")
    text = output.getvalue().decode(errors="replace")
    print(text)
    assert status == 0, f"{text}\n{errors.getvalue().decode(errors='replace')}"
    assert " passed" in text
