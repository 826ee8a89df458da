"""Timing diagrams: what is drawn is what was captured."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from instruments.sigrok import Annotation, Capture, plot

pytest.importorskip("matplotlib", reason="no matplotlib (pip install sockio[demo])")

LEVELS = np.array([0, 0, 1, 1, 0, 1], np.uint8)
VOLTS = np.array([0, 1, 2, 3, 2, 1], np.float32)
RECORDS = [Annotation(1, 3, "uart-1", "rx-data", "48"), Annotation(3, 5, "uart-1", "rx-data", "65")]


def test_lanes(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    t, data = Capture({"D0": LEVELS, "A0": VOLTS}, 1e6)
    figure = plot(t, data, path, records=RECORDS, title="example")
    assert path.read_bytes().startswith(b"\x89PNG")
    logic, analog, records = figure.axes
    assert [lane.get_ylabel() for lane in figure.axes] == ["D0", "A0", "uart-1 rx-data"]
    assert records.get_xlabel() == "time in µs" or records.get_xlabel() == "time in ns"
    unit = 1e-6 if "µs" in records.get_xlabel() else 1e-9
    times, levels = logic.lines[0].get_data()
    np.testing.assert_allclose(np.array(times) * unit, [0, 2e-6, 4e-6, 5e-6, 6e-6])
    assert list(levels) == [0, 1, 0, 1, 1]
    assert list(analog.lines[0].get_ydata()) == list(VOLTS)
    assert [text.get_text() for text in records.texts] == ["48", "65"]
    boxes = records.collections[0].get_paths()
    starts = [box.get_extents().x0 * unit for box in boxes]
    np.testing.assert_allclose(starts, [1e-6, 3e-6])


def test_channels_in_an_order(tmp_path: Path) -> None:
    t, data = Capture({"D0": LEVELS, "D1": LEVELS, "D2": LEVELS}, 1e6)
    figure = plot(t, data, channels=["D2", "D0"])
    assert [lane.get_ylabel() for lane in figure.axes] == ["D2", "D0"]
    assert len(plot(t, {"D0": LEVELS}).axes) == 1


def test_long_analog_captures_keep_their_peaks() -> None:
    samples = np.zeros(1_000_000, np.float32)
    samples[123_456] = 5
    t, data = Capture({"A0": samples}, 1e6)
    (lane,) = plot(t, data).axes
    drawn = lane.lines[0].get_ydata()
    assert len(drawn) <= 20_000
    assert max(drawn) == 5


def test_no_room_for_a_text() -> None:
    t, data = Capture({"D0": np.zeros(1000, np.uint8)}, 1e6)
    figure = plot(t, data, records=[Annotation(0, 1, "uart-1", "rx", "a long text")])
    assert not figure.axes[1].texts


def test_nothing_to_draw() -> None:
    t, data = Capture({"D0": LEVELS}, 1e6)
    with pytest.raises(ValueError, match="nothing to draw"):
        plot(t, data, channels=[])
    with pytest.raises(ValueError, match="nothing to draw"):
        plot(t[:0], data)


def test_no_such_channel() -> None:
    with pytest.raises(ValueError, match="no channel 'D9' to draw; there are D0, D1"):
        plot(np.arange(2.0), {"D0": np.zeros(2), "D1": np.zeros(2)}, channels=["D0", "D9"])


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install sockio\[demo\]"):
        plot(*Capture({"D0": LEVELS}, 1e6))
