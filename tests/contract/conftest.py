"""Contracts are coroutine functions; each runs on every flavour that has what it needs."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from .flavours import FLAVOURS, Flavour
from .server import Server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*features): runs on the flavours that have all of these features")
    config.addinivalue_line("markers", "only(*flavours): runs on these flavours, because of what it is about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "flavour" not in metafunc.fixturenames:
        return
    needs = {feature for mark in metafunc.definition.iter_markers("needs") for feature in mark.args}
    only = [name for mark in metafunc.definition.iter_markers("only") for name in mark.args]
    kinds = [kind for name, kind in FLAVOURS.items() if not needs & kind.lacks and (not only or name in only)]
    assert kinds, f"{metafunc.definition.nodeid} runs nowhere"
    metafunc.parametrize("flavour", kinds, ids=[kind.name for kind in kinds], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/contract" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(20))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Let the flavour run the contract."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    flavour: Flavour = pyfuncitem.funcargs["flavour"]
    flavour.run(pyfuncitem.obj, **arguments)
    return True


@pytest.fixture
def flavour(request: pytest.FixtureRequest) -> Flavour:
    kind: type[Flavour] = request.param
    return kind()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers each line that ends in a question mark."""
    with Server() as server:
        yield server


@pytest.fixture
def host(server: Server) -> str:
    return server.host


@pytest.fixture
def scripted() -> Iterator[Server]:
    """A server that leaves its connections to the test."""
    with Server(script=None) as server:
        yield server


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_behind() -> Iterator[None]:
    """What a module's tests dropped without closing shows up here, as a ResourceWarning."""
    yield
    gc.collect()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG, "sockio")
    return caplog
