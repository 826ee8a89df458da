"""How the tests run, whatever they are about."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest

LOCKS = pytest.StashKey[Path]()

_tests = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """Keep locks in a folder of this run's own."""
    folder = tempfile.mkdtemp(prefix="sockio-locks-")
    config.stash[LOCKS] = Path(folder)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep the locks of each test apart: another one has left marks at ports and terminals that come again."""
    folder = item.config.stash[LOCKS] / str(next(_tests))
    folder.mkdir()
    os.environ["SOCKIO_LOCK_FOLDER"] = str(folder)


def pytest_collection_finish() -> None:
    """Keep what importing and collecting have made out of every later search for garbage: it stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Have it found again by those who look for it, such as hypothesis when it is imported for its report."""
    gc.unfreeze()
