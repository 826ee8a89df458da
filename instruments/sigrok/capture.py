"""What has been captured: times, samples, and what decoders made of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from numpy.typing import NDArray

    from .codec import Annotation

    Array = NDArray[Any]


class Capture(tuple["NDArray[np.float64]", "dict[str, NDArray[Any]]"]):
    """Times and samples: ``t, data = capture``.

    Args:
        data: the samples of each channel, all of one length.
        samplerate: samples per second.
        start: the number of the first sample.
        records: what protocol decoders have found.

    Attributes:
        t: the time of each sample in seconds: its number over the samplerate (float64).
        data: by the channel's name: 0 and 1 as uint8 for a logic channel, float32 for an analog one.
        samplerate, start, records: as given.

    Raises:
        ValueError: the channels are not of one length, or there is no such samplerate.
    """

    samplerate: float
    start: int
    records: list[Annotation]

    def __new__(
        cls, data: Mapping[str, Array], samplerate: float, start: int = 0, records: Iterable[Annotation] = ()
    ) -> Capture:
        if not 0 < samplerate < math.inf:
            raise ValueError(f"samplerate must be hertz, more than 0, not {samplerate!r}")
        lengths = {name: len(samples) for name, samples in data.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the channels have different numbers of samples, read them one by one: {lengths}")
        t = np.arange(next(iter(lengths.values()), 0), dtype=np.float64)
        t += start
        t /= samplerate
        capture = super().__new__(cls, (t, dict(data)))
        capture.samplerate = float(samplerate)
        capture.start = start
        capture.records = list(records)
        return capture

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.data, self.samplerate, self.start, self.records

    @property
    def t(self) -> NDArray[np.float64]:
        return self[0]

    @property
    def data(self) -> dict[str, Array]:
        return self[1]

    def __repr__(self) -> str:
        return f"<Capture of {', '.join(self.data)}: {len(self.t)} samples at {self.samplerate:g} Hz>"

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file: a session of sigrok if the name ends in ``.sr``, Value Change Dump if in ``.vcd``.

        Sessions begin at 0, whatever `start` is, and their samplerates are whole hertz.

        Raises:
            ValueError: the name ends otherwise; or the file cannot hold the capture, the message says why.
        """
        from . import session_file, vcd

        by_kind(path, {".sr": session_file.write, ".vcd": vcd.write})(path, self)


def load(path: str | PathLike[str]) -> Capture:
    """Read a file: a session of sigrok if the name ends in ``.sr``, Value Change Dump if in ``.vcd``.

    See `instruments.sigrok.vcd.read` for more about the latter.

    Raises:
        ValueError: the name ends otherwise.
        ProtocolError: it is no such file; the message says where it is malformed.
    """
    from . import session_file, vcd

    capture: Capture = by_kind(path, {".sr": session_file.read, ".vcd": vcd.read})(path)
    return capture


def by_kind(path: str | PathLike[str], kinds: Mapping[str, Any]) -> Any:
    """Return what belongs to the ending of a file's name."""
    suffix = Path(path).suffix.lower()
    if suffix not in kinds:
        raise ValueError(f"the name of the file must end in {' or '.join(kinds)}, not {str(path)!r}")
    return kinds[suffix]
