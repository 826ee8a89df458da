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
    """Return the module, which is no part of a package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    specification = importlib.util.spec_from_file_location("sockio_lab_machine", FOLDER / "machine.py")
    assert specification is not None
    assert specification.loader is not None
    machine = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(machine)
    return machine


#: Seconds for everything, on a machine that is busy with other things; by itself it takes about three minutes.
TIMEOUT = 900


@pytest.mark.timeout(TIMEOUT + 120)
def test_inside_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = load_machine(monkeypatch)
    output, errors = io.BytesIO(), io.BytesIO()
    # Plugins that are not needed there take half a minute to load.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_timeout", "-p", "no:cacheprovider", "--durations=5"]
    try:
        status = machine.run([*command, str(FOLDER / "inside")], TIMEOUT, output, errors)
    except machine.Unavailable as error:
        pytest.skip(f"no lab: {error}")
    text = output.getvalue().decode(errors="replace")
    print(text)
    assert status == 0, f"{text}\n{errors.getvalue().decode(errors='replace')}"
    assert " passed" in text


def test_why_there_is_no_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing, or what the program said that should have brought it."""
    machine = load_machine(monkeypatch)
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(machine.Unavailable, match="apt-get install qemu-system-x86"):
        machine.prepare(tmp_path / "cache")
    for name in (machine.QEMU, "apt-cache"):
        (programs / name).write_text("#!/bin/sh\necho no network at all >&2; exit 100\n")
        (programs / name).chmod(0o755)
    with pytest.raises(machine.Unavailable, match=r"exit status 100.*: no network at all"):
        machine.prepare(tmp_path / "cache")


def test_two_runs_that_fetch_the_same_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one that comes second takes what the first one has got."""
    machine = load_machine(monkeypatch)
    packages = sys.modules[machine.prepare.__module__]

    def run(*command: str, cwd: Path | None = None) -> str:
        if command[0] == "apt-get":
            assert cwd is not None
            (cwd / "some.deb").touch()
        else:
            for folder in (Path(command[-1]), tmp_path / "some"):
                (folder / "usr").mkdir(parents=True)
        return ""

    monkeypatch.setattr(packages, "_run", run)
    assert (packages._fetch("some", tmp_path) / "usr").is_dir()
