"""The simulated instrument's HiSLIP, used by PyVISA with pyvisa-py."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pyvisa = pytest.importorskip("pyvisa", reason="PyVISA is not installed")
pytest.importorskip("pyvisa_py", reason="pyvisa-py is not installed")

DEVICES: list[dict[str, Any]] = [
    {"class": "Oscilloscope", "transports": [{"protocol": "hislip"}, {"protocol": "hislip", "max_message_size": 100}]}
]


@pytest.fixture(scope="module")
def bench(serve_bench: Callable[..., Any]) -> Iterator[Any]:
    with serve_bench(DEVICES) as bench:
        yield bench


@pytest.fixture(params=[0, 1], ids=["big messages", "small messages"])
def scope(bench: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    manager = pyvisa.ResourceManager("@py")
    resource = f"TCPIP::127.0.0.1::hislip0,{bench.port('oscilloscope', request.param)}::INSTR"
    scope = manager.open_resource(resource, write_termination="\n", read_termination="\n", timeout=10000)
    yield scope
    scope.close()
    manager.close()


def test_queries(scope: Any) -> None:
    for number in range(20):
        assert scope.query(f"*ESE {number};*ESE?") == str(number)
    assert scope.query("*IDN?").startswith("sockio,")


@pytest.mark.parametrize("size", [1, 1000, 2**22])
def test_blocks(scope: Any, size: int) -> None:
    data = random.Random(size).randbytes(size)
    scope.write_binary_values("DATA:ARB test,", data, datatype="B")
    assert scope.query_binary_values("DATA:ARB? test", datatype="B", container=bytes) == data
    assert scope.query("*OPC?") == "1"


def test_clear_throws_the_answer_away(scope: Any) -> None:
    scope.write("SIM:LAT 30;*IDN?")  # pyvisa-py cannot clear what has been sent already
    scope.clear()
    assert scope.query("SIM:LAT 0;*ESE 77;*ESE?") == "77"


def test_the_status_byte(scope: Any) -> None:
    assert scope.query("*CLS;*ESE 32;*OPC?") == "1"
    assert scope.read_stb() & 0x20 == 0
    scope.write("NONSENSE")
    assert scope.query("*OPC?") == "1"
    assert scope.read_stb() & 0x20 == 0x20
    assert scope.query("*CLS;*ESE 0;*OPC?") == "1"


def test_an_answer_that_was_not_read_is_not_the_next_ones(scope: Any) -> None:
    for number in range(20):
        scope.write("*IDN?")
        assert scope.query(f"*ESE {number};*ESE?") == str(number)
