"""How the tests run, whatever they are about."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Keep the locks of this run apart: an earlier one that was killed has left marks at ports that come again."""
    folder = os.environ["SOCKIO_LOCK_FOLDER"] = tempfile.mkdtemp(prefix="sockio-locks-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_finish() -> None:
    """Keep what importing and collecting have made out of every later search for garbage: it stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Have it found again by those who look for it, such as hypothesis when it is imported for its report."""
    gc.unfreeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run side by side, begin with the lab's machine: it takes minutes, in which others run."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: "tests/lab" not in item.path.as_posix())
