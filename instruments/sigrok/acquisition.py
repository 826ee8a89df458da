"""How the samples of a capture come: from a running sigrok-cli, or out of the file that it has written."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sockio.errors import ProtocolError

from . import session_file
from .capture import Capture
from .codec import parse_wav_header
from .program import Program, in_thread
from .use import tell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sockio.runtimes.base import Runtime

    from .plan import Plan
    from .use import Progress, Use

    Array = NDArray[Any]

#: How many bytes are received before progress is told; fewer in a slow capture, where it is told after so many seconds.
STEP, TELL = 1 << 22, 0.25


async def read_samples(use: Use, plan: Plan, progress: Progress | None) -> Capture:
    """Capture channels of one kind."""
    assert plan.num_samples is not None
    with Program(use.runtime, [*plan.arguments, "--output-format", plan.form], use.deadline) as program:
        await begin(program, plan)
        received = await receive(program, plan, plan.num_samples, 0, use.runtime, progress)
        await program.read_rest()  # a device that rounds the number up
    return plan.unpack(received)


async def begin(program: Program, plan: Plan) -> None:
    """Receive what comes before the samples."""
    if plan.form == "binary":
        return
    header = b""
    byte = bytearray(1)
    while True:
        try:
            found = parse_wav_header(header)
        except ProtocolError as error:
            raise program.failure(str(error)) from None
        if found is not None:
            break
        if not await program.read_into(memoryview(byte)):
            await program.finish()
            raise program.failure("ended before the first sample")
        header += byte
    if found[0] != len(plan.layout.analog):
        raise program.failure(f"expected {len(plan.layout.analog)} analog channels, got {found[0]}")
    check_rate(program, plan.samplerate % 2**32, found[1])  # all that the header has room for


async def receive(
    program: Program, plan: Plan, samples: int, before: int, runtime: Runtime, progress: Progress | None
) -> Array:
    """Receive so many samples, as bytes; at the end of the output, see whether it is a good one."""
    received = np.empty(samples * plan.size, np.uint8)
    filled = 0
    step = STEP
    if progress is not None:
        step = min(step, plan.size * max(1, round(TELL * plan.samplerate)))
    with received.data as view:
        while filled < len(view):
            wanted = min(len(view) - filled, step)
            arrived = await program.read_into(view[filled : filled + wanted])
            filled += arrived
            if progress is not None:
                await tell(runtime, progress, filled // plan.size, plan.num_samples)
            if arrived < wanted:
                break
    whole = filled // plan.size
    if whole < samples:
        total = "" if plan.num_samples is None else f" of {plan.num_samples}"
        what = f"{before + whole}{total} samples"
        await program.finish(what)
        if plan.num_samples is not None and (plan.exact or not before + whole):
            raise program.failure(f"ended after {what}")
    return received[: whole * plan.size]


async def read_session(use: Use, plan: Plan) -> Capture:
    """Capture logic and analog channels at once, which only a session file can hold."""
    assert plan.num_samples is not None
    with tempfile.TemporaryDirectory(prefix="sockio-") as folder:
        path = Path(folder) / "capture.sr"
        with Program(use.runtime, [*plan.arguments, "--output-file", str(path)], use.deadline) as program:
            await program.read_rest()
            try:
                whole = await in_thread(use.runtime, use.deadline, session_file.read, path)
            except (FileNotFoundError, ProtocolError) as error:
                raise program.failure(str(error)) from None
            check_rate(program, plan.samplerate, whole.samplerate)
            found = len(whole.t)
            if (found < plan.num_samples and plan.exact) or not found:
                raise program.failure(f"ended after {found} of {plan.num_samples} samples")
    data = {name: whole.data[name][: plan.num_samples] for name in plan.wanted}
    return Capture(data, plan.samplerate)


def check_rate(program: Program, expected: float, rate: float) -> None:
    """Raise an error unless the device says that it has sampled at the rate that the times are made of, or nothing."""
    if rate not in (0, expected):
        raise program.failure(f"expected samples at {expected:g} Hz, got them at {rate:g} Hz")
