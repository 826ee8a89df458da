"""Protocol decoders of sigrok, run on samples that are there already."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sockio.deadline import DEFAULT, check_timeout

from ..link import runtime_here
from . import session_file
from .capture import Capture
from .codec import Annotation, parse_annotations
from .program import Program, SigrokError, in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sockio.deadline import Timeout
    from sockio.runtimes.base import Runtime

#: Seconds for decoding, unless told otherwise.
TIMEOUT = 60.0

#: How many samples it takes to see whether decoders can work at all.
SAMPLE = 1000

#: What a decoder leaves in the log when it has broken down; sigrok-cli itself ends well then.
BROKEN = "srd: Traceback"


async def decode(
    data: Mapping[str, NDArray[Any]], samplerate: float, decoders: str | Sequence[str], timeout: Timeout = DEFAULT
) -> list[Annotation]:
    """Decode the protocols in what has been captured.

    Args:
        data: samples of logic channels, 0 and 1, by name.
        samplerate: samples per second.
        decoders: each as sigrok-cli takes it: its name, its inputs and options, and perhaps decoders stacked on it:
            ``"uart:rx=D0:baudrate=9600"``, ``"i2c:scl=D1:sda=D2,eeprom24xx"``. ``sigrok-cli -P uart --show`` tells what
            there is.
        timeout: seconds, None for no limit; a minute if nothing is said.

    Returns:
        What they have found, ordered by where it begins. Records of one decoder overlap: a byte, and each of its bits.

    Raises:
        FileNotFoundError: sigrok-cli is not installed.
        ValueError: there is no logic channel.
        SigrokError: a decoder or option that does not exist, an input that is not connected, ...
        ConnectionTimeoutError: the time was up.
    """
    runtime = runtime_here()
    seconds = TIMEOUT if timeout is DEFAULT else check_timeout("timeout", timeout)
    deadline = None if seconds is None else runtime.clock() + seconds
    return await decode_with(runtime, Capture(data, samplerate), decoders, deadline)


async def decode_with(
    runtime: Runtime, capture: Capture, decoders: str | Sequence[str], deadline: float | None
) -> list[Annotation]:
    """Decode a capture, see `decode`."""
    wanted = [decoders] if isinstance(decoders, str) else list(decoders)
    if not all(wanted):
        raise ValueError(f"decoders must be such as 'uart:rx=D0', not {decoders!r}")
    if not wanted:
        return []
    data = {name: samples for name, samples in capture.data.items() if samples.dtype.kind != "f"}
    if not data:
        raise ValueError(f"decoders need logic channels, there are {', '.join(capture.data) or 'none at all'}")
    # With an unknown option, or without a channel that it needs, sigrok-cli complains, goes on, and ends well. With the
    # log level at which annotations tell their class, a complaint could not be found among everything else.
    start = {name: samples[:SAMPLE] for name, samples in data.items()}
    _, complaints = await _run(runtime, Capture(start, capture.samplerate), wanted, 2, deadline)
    if complaints:
        raise SigrokError(f"decoding {', '.join(wanted)}: {complaints}", complaints, 0)
    output, log = await _run(runtime, Capture(data, capture.samplerate), wanted, 4, deadline)
    if BROKEN in log:
        broken = log[log.index(BROKEN) :].partition("\n\n")[0]
        raise SigrokError(f"decoding {', '.join(wanted)}: {broken}", log, 0)
    return sorted(parse_annotations(output), key=lambda record: record.start)


async def _run(
    runtime: Runtime, capture: Capture, decoders: Sequence[str], log_level: int, deadline: float | None
) -> tuple[str, str]:
    """Run sigrok-cli on a capture; return what it prints, and what it logs."""
    with tempfile.TemporaryDirectory(prefix="sockio-") as folder:
        path = Path(folder) / "capture.sr"
        await in_thread(runtime, deadline, session_file.write, path, capture)
        arguments = ["--loglevel", str(log_level), "--input-file", str(path), "--protocol-decoder-samplenum"]
        for decoder in decoders:
            arguments += ["--protocol-decoders", decoder]
        with Program(runtime, arguments, deadline) as program:
            output = await program.read_rest()
            return output.decode(errors="replace"), program.stderr()
