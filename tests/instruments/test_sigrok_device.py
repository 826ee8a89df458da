"""Captures from sigrok's demonstration device, whose patterns are known, on every flavour; and what goes wrong."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import re
import shutil
import signal
import stat
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

from instruments import sio
from instruments.sigrok import Capture, SigrokDevice, SigrokError, list_devices
from instruments.sio import sigrok as blocking_sigrok
from sockio.errors import ConnectionTimeoutError, ProtocolError
from tests.instruments.pipe_flavours import FLAVOURS, Flavour, until

LOGIC = [f"D{number}" for number in range(8)]

needs_sigrok = pytest.mark.skipif(
    shutil.which("sigrok-cli") is None, reason="no sigrok-cli (apt-get install sigrok-cli)"
)

#: The text that users know.
DOCUMENTED = """\
from comsrv.sigrok import list_devices

devices = await list_devices()
my_device = devices[0]

t, data = await my_device.read(channels=['D1', 'D2'], samplerate=48e6, num_samples=1000)
print(data['D1'])

# or sample all channels at max sample rate
t, data = await my_device.read(num_samples=1000)
"""


@pytest.fixture(params=FLAVOURS, ids=lambda flavour: flavour.name)
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    with request.param() as flavour:
        yield flavour


@pytest.fixture
def device() -> Any:
    """The demonstration, with calls that block."""
    return sio.SigrokDevice("sigrok::demo")


def children() -> list[int]:
    """Return the processes of sigrok-cli that this one has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if name.startswith("sigrok-cli") and int(rest.split()[1]) == os.getpid():
            found.append(int(status.parent.name))
    return found


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have a shell script in the place of the sigrok-cli that captures; what it says of devices is the real one's."""
    real = shutil.which("sigrok-cli")
    path = folder / "sigrok-cli"
    path.write_text(f'#!/bin/sh\ncase "$*" in *--show*|*probe.sr*) exec {real} "$@";; esac\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def bits(number: int, count: int, samples: int) -> list[int]:
    """The bit of a counter of so many bits."""
    return [sample % 2**count >> number & 1 for sample in range(samples)]


# What is captured


@needs_sigrok
@pytest.mark.parametrize("flavour", ["asyncio", "trio", "blocking"])
def test_the_text_that_users_know(flavour: str) -> None:
    code = DOCUMENTED.replace("comsrv", "instruments" if flavour != "blocking" else "instruments.sio")
    if flavour == "blocking":
        code = code.replace("await ", "")
    printed: list[Any] = []
    names: dict[str, Any] = {"print": printed.append}
    compiled = compile(code, "text", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def main() -> None:
        result = eval(compiled, names)
        if inspect.isawaitable(result):
            await result

    if flavour == "asyncio":
        asyncio.run(main())
    elif flavour == "trio":
        trio.run(main)
    else:
        assert eval(compiled, names) is None
    assert printed[0].dtype == np.uint8
    assert len(printed[0]) == 1000
    t, data = names["t"], names["data"]
    assert list(data) == [*LOGIC, "A0", "A1", "A2", "A3", "A4"]
    np.testing.assert_array_equal(t, np.arange(1000) / 1e9)


@needs_sigrok
def test_the_guide(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/sigrok.md says, all of it in the order in which it is read."""
    pytest.importorskip("matplotlib")
    blocks = re.findall(r"^```python\n(.*?)^```", (root / "docs/sigrok.md").read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"print": lambda *items: None}
    compiled = compile("\n".join(blocks), "docs/sigrok.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        await eval(compiled, names)

    asyncio.run(main())
    assert (tmp_path / "capture.png").stat().st_size > 1000
    np.testing.assert_array_equal(names["again"].data["D0"], names["capture"].data["D0"])


@needs_sigrok
def test_devices_are_listed_and_the_demonstration_comes_last(flavour: Flavour) -> None:
    devices = flavour.call(list_devices if flavour.is_async else blocking_sigrok.list_devices)
    assert devices[-1].address == "sigrok::demo"
    assert devices[-1].description.startswith("Demo device with 13 channels: D0")


@needs_sigrok
@pytest.mark.parametrize("address", ["demo", "sigrok::demo", "demo:logic_channels=16:analog_channels=0"])
def test_addresses(address: str) -> None:
    device = sio.SigrokDevice(address)
    assert device.address == "sigrok::" + address.removeprefix("sigrok::")
    assert device.get_channels()[:3] == ["D0", "D1", "D2"]
    assert len(device.read(["D0"], num_samples=10).t) == 10


def test_no_address_of_sigrok() -> None:
    with pytest.raises(ValueError, match="sigrok::demo"):
        SigrokDevice("tcp::localhost:5025")


@needs_sigrok
def test_a_counter(flavour: Flavour) -> None:
    device = flavour.make(SigrokDevice, "sigrok::demo")
    options = {"group": "Logic", "options": {"pattern": "incremental"}}
    t, data = flavour.call(device.read, num_samples=1000, channels=LOGIC, **options)
    np.testing.assert_array_equal(t, np.arange(1000) / 200e3)  # what the device is set to
    for number, name in enumerate(LOGIC):
        assert data[name].dtype == np.uint8
        assert data[name].tolist() == bits(number, 8, 1000)


@needs_sigrok
@pytest.mark.parametrize("names", [["D1", "D3"], ["D3", "D1"], ["D5"], ["D7", "D0"]])
def test_some_channels_are_the_ones_that_were_asked_for(device: Any, names: list[str]) -> None:
    """The demonstration fills the lowest bits only, as many as there are channels."""
    _, data = device.read(names, num_samples=600, group="Logic", options={"pattern": "incremental"})
    assert list(data) == names
    highest = max(int(name[1]) for name in names) + 1
    for name in names:
        assert data[name].tolist() == bits(int(name[1]), highest, 600)


@needs_sigrok
def test_more_channels_than_a_byte_has_bits() -> None:
    device = sio.SigrokDevice("sigrok::demo:logic_channels=12:analog_channels=0")
    _, data = device.read(["D0", "D9", "D11"], num_samples=24, group="Logic", options={"pattern": "walking-one"})
    for name, samples in data.items():
        csv = csv_column(["-d", "demo:logic_channels=12:analog_channels=0"], 24, int(name[1:]), "walking-one")
        assert samples.tolist() == csv


def csv_column(driver: list[str], samples: int, column: int, pattern: str) -> list[int]:
    """Return what sigrok-cli writes as text."""
    command = ["sigrok-cli", *driver, "-g", "Logic", "-c", f"pattern={pattern}", "--samples", str(samples)]
    command += ["-O", "csv:header=false:label=off"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(line.split(",")[column]) for line in text.split()]


@needs_sigrok
@pytest.mark.parametrize("channels", [["A0", "A1"], ["D0", "A1", "A0"]], ids=["analog", "both"])
def test_analog_channels_are_floats(device: Any, channels: list[str]) -> None:
    """A square wave and a sine of 10 V, 10 samples to a half-period."""
    t, data = device.read(channels, 1e6, num_samples=100)
    assert list(data) == channels
    assert data["A0"].dtype == np.float32
    np.testing.assert_array_equal(data["A0"], np.tile(np.repeat(np.float32([-10, 10]), 5), 10))
    np.testing.assert_allclose(data["A1"], 10 * np.sin(2 * np.pi * np.arange(100) / 20), atol=1e-5)
    np.testing.assert_array_equal(t, np.arange(100) / 1e6)


@needs_sigrok
def test_time_in_place_of_a_number(device: Any) -> None:
    t, _ = device.read(["D0"], 1e6, time=0.01)
    assert len(t) == 10_000


@needs_sigrok
def test_the_highest_samplerate_is_taken(device: Any) -> None:
    capture = device.read(["D0"], num_samples=100)
    assert capture.samplerate == 1e9
    assert device.get_samplerates() == [1, 1e9]


@needs_sigrok
def test_triggers(device: Any) -> None:
    """D0 of the demonstration is 1000 1111 0000 1111 …: a rising edge is the fifth sample."""
    _, data = device.read(["D0", "D1"], 1e6, num_samples=100, triggers={"D0": "r"})
    assert data["D0"][0] == 1
    _, before = device.read(["D0", "D1"], 1e6, num_samples=100, triggers="D0=r", pretrigger=0.5)
    assert before["D0"][:6].tolist() == [1, 0, 0, 0, 1, 1]
    _, other = device.read(["D1"], 1e6, num_samples=100, triggers={"D0": "r"})
    assert list(other) == ["D1"]


@needs_sigrok
def test_progress(flavour: Flavour) -> None:
    device = flavour.make(SigrokDevice, "sigrok::demo")
    told: list[tuple[int, int | None]] = []
    count = 5_000_000
    flavour.call(device.read, LOGIC, num_samples=count, progress=lambda *so_far: told.append(so_far))
    assert told == [(2**22, count), (count, count)]


@needs_sigrok
@pytest.mark.parametrize("channel", ["D0", "A0"])
def test_progress_of_a_slow_capture(device: Any, channel: str) -> None:
    """Not at its end alone."""
    told: list[int] = []
    device.read([channel], 1000, num_samples=1000, progress=lambda received, _: told.append(received))
    assert told == [250, 500, 750, 1000]


# Streams


@needs_sigrok
def test_a_stream(flavour: Flavour) -> None:
    device = flavour.make(SigrokDevice, "sigrok::demo")
    options: dict[str, Any] = {"group": "Logic", "options": {"pattern": "incremental"}}
    pieces = flavour.collect(device.stream(LOGIC, num_samples=100_000, chunk=30_000, **options), 100)
    assert [len(piece.t) for piece in pieces] == [30_000, 30_000, 30_000, 10_000]
    np.testing.assert_array_equal(np.concatenate([piece.t for piece in pieces]), np.arange(100_000) / 200e3)
    assert np.concatenate([piece.data["D7"] for piece in pieces]).tolist() == bits(7, 8, 100_000)
    assert not children()


@needs_sigrok
def test_an_analog_stream(device: Any) -> None:
    pieces = list(device.stream(["A1"], 1e6, time=0.1, chunk=40_000))
    whole = np.concatenate([piece.data["A1"] for piece in pieces])
    np.testing.assert_allclose(whole, 10 * np.sin(2 * np.pi * np.arange(100_000) / 20), atol=1e-4)


@needs_sigrok
def test_a_stream_without_end_is_left() -> None:
    async def main() -> list[Capture]:
        device = SigrokDevice("sigrok::demo")
        pieces = []
        told = []
        stream = device.stream(["D0"], 1e6, chunk=100_000, progress=lambda *so_far: told.append(so_far))
        async with contextlib.aclosing(stream) as captures:
            async for piece in captures:
                pieces.append(piece)
                assert children()
                if len(pieces) == 3:
                    break
        assert told == [(100_000, None), (200_000, None), (300_000, None)]
        assert not children()
        await device.read(["D0"], num_samples=10)  # nobody has it any more
        return pieces

    for run in (lambda: asyncio.run(main()), lambda: trio.run(main)):
        assert [piece.start for piece in run()] == [0, 100_000, 200_000]


@needs_sigrok
def test_a_stream_is_left_where_calls_block(device: Any) -> None:
    with contextlib.closing(device.stream(["D0"], 1e6, chunk=1000)) as captures:
        for piece in captures:
            if piece.start:
                break
    assert not children()


@needs_sigrok
def test_no_stream_of_both_kinds(device: Any) -> None:
    with pytest.raises(ValueError, match="D0 and A0 cannot be had at once"):
        list(device.stream(["D0", "A0"], 1e6, num_samples=10))


@needs_sigrok
def test_one_capture_at_a_time() -> None:
    async def main() -> None:
        device = SigrokDevice("sigrok::demo")
        async with contextlib.aclosing(device.stream(["D0"], 1e6, chunk=1000)) as captures:
            await anext(captures)
            with pytest.raises(ConnectionTimeoutError, match=r"sigrok::demo.*in use"):
                await SigrokDevice("demo").read(["D0"], num_samples=10, timeout=0.1)

    asyncio.run(main())


# What goes wrong


@needs_sigrok
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either num_samples or time"),
        ({"num_samples": 1, "time": 1}, "either num_samples or time"),
        ({"num_samples": 0}, "num_samples must be"),
        ({"num_samples": 1.5}, "num_samples must be"),
        ({"time": 0}, "at least one sample"),
        ({"time": float("inf")}, "at least one sample"),
        ({"num_samples": 1, "channels": ["D9"]}, "no channel 'D9'; it has D0, D1"),
        ({"num_samples": 1, "channels": []}, "at least one"),
        ({"num_samples": 1, "samplerate": 2e9}, r"samplerate must be 1 to 1e\+09 Hz"),
        ({"num_samples": 1, "samplerate": 0.5}, "samplerate must be"),
        ({"num_samples": 1, "triggers": "D0"}, "triggers must be"),
        ({"num_samples": 1, "triggers": {"D0": "x"}}, "cannot be 'x'; demo has 0, 1, r, f, e"),
        ({"num_samples": 1, "triggers": {"D9": "r"}}, "no channel 'D9'"),
        ({"num_samples": 1, "pretrigger": 0.5}, "pretrigger needs triggers"),
        ({"num_samples": 1, "triggers": "D0=r", "pretrigger": 2}, "0 to 1"),
        ({"num_samples": 1, "options": {"a": "1:b=2"}}, "cannot have ':'"),
        ({"num_samples": 1, "options": {"samplerate": 1}}, "give the samplerate as"),
        ({"num_samples": 1, "samplerate": 1e6, "group": "Logic"}, "not both"),
    ],
)
def test_what_cannot_be(device: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        device.read(**arguments)


@needs_sigrok
def test_a_string_is_no_list_of_channels(device: Any) -> None:
    with pytest.raises(TypeError, match="list of names"):
        device.read("D0", num_samples=1)


@needs_sigrok
def test_what_the_program_says_is_in_the_error(device: Any) -> None:
    with pytest.raises(SigrokError, match="Unknown device option 'nosuch'") as caught:
        device.read(["D0"], num_samples=1, options={"nosuch": 1})
    assert (caught.value.status, caught.value.stderr) == (1, "Unknown device option 'nosuch'.")
    with pytest.raises(SigrokError, match=r"--driver nosuch.*Driver nosuch not found"):
        sio.SigrokDevice("nosuch").read(num_samples=1)
    with pytest.raises(SigrokError, match="No devices found"):
        sio.SigrokDevice("fx2lafw").read(num_samples=1)


def test_without_the_program(flavour: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    device = flavour.make(SigrokDevice, "demo")
    with pytest.raises(FileNotFoundError, match="apt-get install sigrok-cli"):
        flavour.call(device.read, num_samples=1)
    with pytest.raises(FileNotFoundError, match="apt-get install sigrok-cli"):
        flavour.call(list_devices if flavour.is_async else blocking_sigrok.list_devices)


@needs_sigrok
def test_killed_in_the_middle(flavour: Flavour) -> None:
    device = flavour.make(SigrokDevice, "sigrok::demo")
    reading = flavour.start(device.read, ["D0"], 1000, num_samples=100_000)
    until(is_capturing, "no capture begins")
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(SigrokError, match=r"was killed by SIGKILL after \d+ of 100000 samples") as caught:
        reading.result(30)
    assert caught.value.status == -9
    assert len(flavour.call(device.read, ["D0"], num_samples=10).t) == 10


def is_capturing() -> bool:
    """Tell whether the capture of 100000 samples has begun."""
    return any("--samples\x00100000" in command(child) for child in children())


def command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


@needs_sigrok
@pytest.mark.parametrize("channels", [["D0"], ["A0"], ["D0", "A0"]], ids=["logic", "analog", "both"])
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo broken cable >&2; exit 3", "failed with status 3.*: broken cable"),
        ("exit 0", "ended (after 0 of 1000 samples|before the first sample)|No such file"),
        ("kill -TERM $$", "was killed by SIGTERM"),
    ],
)
def test_it_ends_badly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: list[str], script: str, message: str
) -> None:
    program(tmp_path, monkeypatch, script)
    with pytest.raises(SigrokError, match=message):
        sio.SigrokDevice("demo").read(channels, 1e6, num_samples=1000)


@needs_sigrok
@pytest.mark.parametrize("script", ["printf 0123456789", "printf 0123456789; exit 5"])
def test_fewer_samples_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program(tmp_path, monkeypatch, script)
    device = sio.SigrokDevice("demo")
    with pytest.raises(SigrokError, match="after 10 of 1000 samples"):
        device.read(LOGIC, 1e6, num_samples=1000)
    pieces = device.stream(LOGIC, 1e6, num_samples=1000, chunk=5)
    assert next(pieces).data["D0"].tolist() == [0, 1, 0, 1, 0]
    assert next(pieces).data["D0"].tolist() == [1, 0, 1, 0, 1]
    with pytest.raises(SigrokError, match="after 10 of 1000 samples"):
        next(pieces)
    with pytest.raises(SigrokError, match="after 10 samples"):
        list(device.stream(LOGIC, 1e6, chunk=5))


@needs_sigrok
def test_more_samples_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device may round the number up."""
    program(tmp_path, monkeypatch, "printf 0123456789")
    assert len(sio.SigrokDevice("demo").read(LOGIC, 1e6, num_samples=7).t) == 7


@needs_sigrok
def test_no_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "echo A0: 1.0 V DC, and so on and so on")
    with pytest.raises(SigrokError, match="expected a WAV file"):
        sio.SigrokDevice("demo").read(["A0"], 1e6, num_samples=7)


@needs_sigrok
@pytest.mark.parametrize("channels", [["A0"], ["D0", "A0"]])
def test_another_samplerate_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: list[str]
) -> None:
    """The times would be wrong."""
    real = shutil.which("sigrok-cli")
    program(tmp_path, monkeypatch, f'exec {real} $(echo "$@" | sed s/samplerate=1000000/samplerate=500000/)')
    with pytest.raises(SigrokError, match=r"expected samples at 1e\+06 Hz, got them at 500000 Hz"):
        sio.SigrokDevice("demo").read(channels, 1e6, num_samples=100)


@needs_sigrok
@pytest.mark.parametrize("answer", ["", "fast", "0", "nan"])
def test_no_samplerate_from_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    program(tmp_path, monkeypatch, f"echo {answer}")
    with pytest.raises(ProtocolError, match="sigrok::demo: expected its samplerate, got"):
        sio.SigrokDevice("demo").read(LOGIC, num_samples=1, group="Logic", options={"pattern": "random"})


@needs_sigrok
def test_it_takes_too_long(flavour: Flavour) -> None:
    device = flavour.make(SigrokDevice, "sigrok::demo")
    with pytest.raises(ConnectionTimeoutError, match=r"sigrok-cli --driver demo .* timed out"):
        flavour.call(device.read, ["D0"], 1000, num_samples=100_000, timeout=0.7)
    assert not children()


@needs_sigrok
@pytest.mark.parametrize("channels", [["D0"], ["A0"], ["D0", "A0"]], ids=["logic", "analog", "both"])
def test_cancelled_captures_end_the_program(channels: list[str]) -> None:
    async def capture() -> None:
        await SigrokDevice("sigrok::demo").read(channels, 1000, num_samples=100_000)

    async def on_asyncio() -> None:
        task = asyncio.ensure_future(capture())
        while not is_capturing():  # noqa: ASYNC110  another process, which tells nobody
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not children()

    async def on_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(capture)
            while not is_capturing():  # noqa: ASYNC110
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert not children()

    asyncio.run(on_asyncio())
    trio.run(on_trio)


@needs_sigrok
def test_a_stream_needs_no_more_memory_the_longer_it_is(device: Any) -> None:
    """10 million samples of eight channels would be 160 MB."""
    tracemalloc.start()
    try:
        samples = sum(len(piece.t) for piece in device.stream(LOGIC, 1e9, num_samples=10**7, chunk=100_000))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert samples == 10**7
