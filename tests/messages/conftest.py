"""Tests of messages on every flavour: an ``async def`` test is a contract, and runs on each."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator

import pytest

from tests.messages.kit import Flavour, flavours


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "flavour" in metafunc.fixturenames:
        kinds = flavours()
        metafunc.parametrize("flavour", kinds, ids=[kind.name for kind in kinds])


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    flavour: Flavour = arguments.pop("flavour")

    async def contract(flavour: Flavour) -> None:
        await pyfuncitem.obj(flavour, **arguments)

    flavour.run(contract)
    return True


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_behind() -> Iterator[None]:
    """What a module's tests dropped without closing shows up here, as a ResourceWarning."""
    yield
    gc.collect()
