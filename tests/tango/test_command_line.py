"""The command lines of the device servers, as far as no device is served."""

from __future__ import annotations

import configparser
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from instruments.tango.cryocon import main as cryocon_main
from instruments.tango.cryocon import with_port
from instruments.tango.server import main
from tests.tango.conftest import ROOT, Process, free_port


def run(module: str, *arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--driver", "thermometer", "1"], "driver 'thermometer': expected module:Class; known are can"),
        (["--driver", "instruments.cryocon:Cryo", "1"], "its drivers are Channel, CryoCon, Loop"),
        (["--driver", "scpi", "--url", "gopher://lab", "1"], "'gopher://lab': no resource that is supported: tcp://"),
        (["--driver", "modbus", "--url", "tcp://lab", "1"], "expected host:port"),
        (["--driver", "scpi"], "the name of the instance is missing"),
        (["1"], "--driver is missing: expected module:Class; known are can"),
        (["--driver", "scpi", "--declaration", "no-such-file.yml", "1"], "no-such-file.yml"),
        (["--driver", "scpi", "--declaration", "wrong.yml", "1"], "attribute x: the driver has no 'volt'"),
        (["--driver", "scpi", "--no-database", "1"], "tell the names of the devices"),
    ],
)
def test_what_cannot_be_served_says_what_can(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "wrong.yml").write_text("attributes: {x: volt}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("sockio-tango: ")
    assert says in printed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://cryo.lab", "tcp://cryo.lab:5000"),
        ("tcp://[::1]?timeout=2", "tcp://[::1]:5000?timeout=2"),
        ("tcp://cryo.lab:5001", "tcp://cryo.lab:5001"),
        ("serial:///dev/ttyS0", "serial:///dev/ttyS0"),
        ("", ""),
    ],
)
def test_the_port_of_controllers_need_not_be_said(url: str, expected: str) -> None:
    assert with_port(url) == expected


def test_a_host_alone_will_do_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cryocon_main(["--url", "tcp://cryo.lab"])
    assert "the name of the instance is missing" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    nowhere = {**environment, "TANGO_HOST": f"127.0.0.1:{free_port()}"}
    options = ["--url", "tcp://127.0.0.1:1", "--device", "a/b/c", "1"]
    done = run("instruments.tango.cryocon", *options, folder=tmp_path, environment=nowhere)
    assert done.returncode == 1
    assert "Failed to connect to database" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_of_another_server_is_not_taken(cryocon: Process, tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(
        "instruments.tango.cryocon", "--device", "test/cryocon/1", "other", folder=tmp_path, environment=environment
    )
    assert done.returncode == 2
    assert "test/cryocon/1 belongs to the server CryoCon/test already" in done.stderr


def test_a_device_of_another_class_is_not_served_as_nothing(
    cryocon: Process, tmp_path: Path, environment: dict[str, str]
) -> None:
    arguments = ["--driver", "scpi", "--server", "CryoCon", "--device", "test/cryocon/1", "test"]
    done = run("instruments.tango.server", *arguments, folder=tmp_path, environment=environment)
    assert done.returncode == 2
    assert "test/cryocon/1 is registered as a CryoCon, and would be a Instrument" in done.stderr


def test_what_a_driver_offers_is_shown(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "mine.py").write_text(
        "from instruments.base import Driver\n\n"
        "class Mine(Driver):\n"
        "    async def volume(self, value: float | None = None) -> float:\n"
        '        """How loud."""\n'
        "        return 1.0\n"
    )
    done = run(
        "instruments.tango.server", "--driver", "mine:Mine", "--describe", folder=tmp_path, environment=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Mine\n\nattributes:\n  volume: float (read, write)  How loud.\n\ncommands:\n"


@pytest.mark.parametrize(
    ("script", "target"),
    [("CryoCon", "instruments.tango.cryocon:main"), ("sockio-tango", "instruments.tango.server:main")],
)
def test_the_programs_are_installed_under_their_names(script: str, target: str) -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    scripts = dict(line.split(" = ") for line in config["options.entry_points"]["console_scripts"].strip().splitlines())
    assert scripts[script] == target
    module, _, function = target.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
