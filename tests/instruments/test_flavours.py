"""What checkers are told of the twins is what the twins are at run time."""

from __future__ import annotations

import inspect
import re

import pytest

from instruments import cryocon
from instruments.cryocon import equipment, flavours, loop
from sockio import sio

CLASSES = [
    cryocon.CryoCon,
    cryocon.Channel,
    cryocon.Loop,
    loop.Autotune,
    *(member for member in vars(equipment).values() if getattr(member, "__module__", "") == equipment.__name__),
]
CLASSES = [member for member in CLASSES if hasattr(member, "_twins")]


def test_the_driver_is_the_same_class_wherever_it_is_imported_from():
    assert flavours.CryoCon is cryocon.CryoCon is cryocon.driver.CryoCon


@pytest.mark.parametrize("flavour", ["blocking", "futures"])
@pytest.mark.parametrize("cls", CLASSES)
def test_methods_are_those_of_the_twin(cls, flavour):
    prefix = flavour.capitalize()
    twin, told = cls._twins[flavour], getattr(flavours, prefix + cls.__name__)
    names = [name for name in dir(twin) if not name.startswith("_")]
    members = [name for name in names if not isinstance(inspect.getattr_static(twin, name), float)]
    assert {name for name in vars(told) if not name.startswith("_")} == set(members)
    assert [hasattr(told, name) for name in ("__enter__", "__exit__")] == [hasattr(twin, "__enter__")] * 2
    for name in members:
        member = inspect.getattr_static(twin, name)
        if isinstance(member, property):
            assert isinstance(inspect.getattr_static(told, name), property)
            continue
        seen = str(inspect.signature(getattr(told, name))).replace(prefix, "")
        assert seen == str(inspect.signature(member)), name
        assert getattr(told, name).__doc__ == member.__doc__, name


@pytest.mark.parametrize("resolve_futures", [True, False])
def test_attributes_and_parts_are_those_of_the_twin(resolve_futures):
    flavour = "Blocking" if resolve_futures else "Futures"
    cryo = cryocon.CryoCon(sio.TCP("127.0.0.1", 1, resolve_futures=resolve_futures))
    for driver in (cryo, cryo["A"], cryo[1], cryo[1].autotune, cryo.sensor(2), cryo.relays[1], cryo.mail["A"]):
        told = getattr(flavours, type(driver).__name__)
        assert type(driver).__name__.startswith(flavour)
        attributes = {name for name in vars(driver) if not name.startswith("_")}
        for name, annotation in told.__annotations__.items():
            value = getattr(driver, name)
            if flavour in annotation:
                part = next(iter(value.values())) if isinstance(value, dict) else value
                assert type(part).__name__ == re.search(rf"{flavour}\w+", annotation).group()
            else:
                assert annotation in ("Any", "Link", type(value).__name__)
        assert attributes <= set(told.__annotations__)


def test_protocols_can_neither_be_made_nor_tested_for():
    with pytest.raises(TypeError):
        flavours.BlockingCryoCon()
    with pytest.raises(TypeError):
        isinstance(object(), flavours.BlockingCryoCon)
