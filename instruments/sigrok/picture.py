"""A timing diagram of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..devices import optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from .codec import Annotation

    Array = NDArray[Any]

#: What times are shown in, and the longest capture that is.
UNITS = (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0))

#: The width of a picture in inches, and that of a character of a record in points.
WIDTH, CHARACTER = 11, 4.5

#: More points than that along the axis cannot be told apart.
POINTS = 20_000


def plot(
    t: Array,
    data: Mapping[str, Array],
    path: str | PathLike[str] | None = None,
    *,
    channels: Sequence[str] | None = None,
    records: Iterable[Annotation] = (),
    title: str = "",
) -> Any:
    """Draw a timing diagram: a lane for each channel, from top to bottom, and one for each kind of record, whose text
    is left out where there is no room for it.

    Args:
        t: the time of each sample in seconds.
        data: the samples by channel: logic channels as steps between 0 and 1, analog ones as curves.
        path: the file to write the picture to, in the format that its name ends in; None writes none.
        channels: which channels, in which order; None for all.
        records: what protocol decoders have found, see `instruments.sigrok.decode`.
        title: over the picture.

    Returns:
        The ``matplotlib.figure.Figure``.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there is nothing to draw, or no such channel.
    """
    optional("matplotlib", "pictures need matplotlib: pip install sockio[demo]")
    from matplotlib.figure import Figure

    names = list(data if channels is None else channels)
    if not names or not len(t):
        raise ValueError("there is nothing to draw: no channels, or no samples")
    for name in names:
        if name not in data:
            raise ValueError(f"there is no channel {name!r} to draw; there are {', '.join(data)}")
    unit, scale = _unit(float(t[-1] - t[0]))
    kinds = _by_kind(records)
    lanes = len(names) + len(kinds)
    figure = Figure(figsize=(WIDTH, 1 + 0.55 * lanes), layout="constrained")
    axes = np.atleast_1d(
        figure.subplots(lanes, 1, sharex=True, gridspec_kw={"hspace": 0, "height_ratios": [1] * lanes})
    )
    step = float(t[1] - t[0]) if len(t) > 1 else 1.0
    for axis, name in zip(axes, names, strict=False):
        _lane(axis, name)
        _draw(axis, np.asarray(t) / scale, np.asarray(data[name]), step / scale)
    for axis, (name, found) in zip(axes[len(names) :], kinds.items(), strict=True):
        _lane(axis, name)
        _boxes(axis, found, t, step, scale)
    for axis in axes[:-1]:
        axis.tick_params(bottom=False, labelbottom=False)
    axes[-1].set_xlabel(f"time in {unit}")
    axes[-1].set_xlim(float(t[0]) / scale, (float(t[-1]) + step) / scale)
    if title:
        figure.suptitle(title)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _unit(span: float) -> tuple[str, float]:
    return next(((name, size) for name, size in UNITS if span < 1000 * size), UNITS[-1])


def _by_kind(records: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    kinds: dict[str, list[Annotation]] = {}
    for record in records:
        kinds.setdefault(f"{record.decoder} {record.kind}", []).append(record)
    return kinds


def _lane(axis: Any, name: str) -> None:
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axis.set_yticks([])
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color("0.85")
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)


def _draw(axis: Any, t: Array, samples: Array, step: float) -> None:
    if samples.dtype.kind == "f":
        t, samples = _envelope(t, samples)
        axis.plot(t, samples, color="tab:orange", linewidth=1)
        low, high = float(np.nanmin(samples)), float(np.nanmax(samples))
        axis.set_yticks([low, high] if low < high else [low])
        axis.tick_params(axis="y", labelsize=7, labelcolor="0.4", length=0)
        axis.margins(y=0.15)
        return
    # Only where it changes, and the end of the last sample.
    starts = np.concatenate([[0], np.flatnonzero(samples[1:] != samples[:-1]) + 1])
    levels = samples[starts].astype(float)
    times = np.concatenate([t[starts], [t[-1] + step]])
    levels = np.concatenate([levels, levels[-1:]])
    axis.fill_between(times, levels, step="post", color="tab:blue", alpha=0.15, linewidth=0)
    axis.step(times, levels, where="post", color="tab:blue", linewidth=1)
    axis.set_ylim(-0.2, 1.2)


def _envelope(t: Array, samples: Array) -> tuple[Array, Array]:
    """Return the lowest and the highest value of each short stretch, where there are too many to be seen."""
    if len(t) <= POINTS:
        return t, samples
    length = -(-2 * len(t) // POINTS)
    whole = len(t) // length * length
    rows = samples[:whole].reshape(-1, length)
    return (
        np.repeat(t[:whole:length], 2),
        np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1).reshape(-1),
    )


def _boxes(axis: Any, records: list[Annotation], t: Array, step: float, scale: float) -> None:
    origin = float(t[0])
    spans = [
        ((origin + record.start * step) / scale, max(1, record.end - record.start) * step / scale) for record in records
    ]
    axis.broken_barh(spans, (0.1, 0.8), facecolors="0.93", edgecolors="0.5", linewidth=0.7)
    axis.set_ylim(0, 1)
    span = (float(t[-1]) - origin + step) / scale
    for (start, width), record in zip(spans, records, strict=True):
        if width / span * WIDTH * 72 < CHARACTER * len(record.text):
            continue
        axis.text(start + width / 2, 0.5, record.text, ha="center", va="center", fontsize=7, clip_on=True)
