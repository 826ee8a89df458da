"""Tests for hardware that only the lab's machine has are collected there alone.

The machine takes minutes, mostly of one core: it is started before the first test, whichever that is, and the test that
is about it waits for its end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

collect_ignore = [] if "SOCKIO_LAB" in os.environ else ["inside"]


class Run:
    """The tests in ``inside``, as they run in the machine.

    Attributes:
        process: the one that has the machine; its status is that of the tests, or of ``machine.py``.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sockio-lab-run-"))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
        with open(self._folder / "output", "wb") as output, open(self._folder / "errors", "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(FOLDER / "machine.py"), *command, "--durations=5", str(FOLDER / "inside")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                # Plugins that are not needed there take half a minute to load.
                env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                start_new_session=True,
                preexec_fn=_give_way,
            )

    def output(self) -> str:
        return (self._folder / "output").read_text(errors="replace")

    def errors(self) -> str:
        return (self._folder / "errors").read_text(errors="replace")

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self._folder)


def _give_way() -> None:
    os.nice(10)  # in the other tests there are moments that count


RUN = pytest.StashKey[Run]()


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any(item.name == "test_inside_the_machine" for item in session.items)
    if wanted and not session.config.option.collectonly:
        run = session.config.stash[RUN] = Run()
        session.config.add_cleanup(run.close)


@pytest.fixture
def inside(pytestconfig: pytest.Config) -> Run:
    """What has been started before the first test."""
    return pytestconfig.stash[RUN]
