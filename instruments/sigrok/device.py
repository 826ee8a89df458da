"""Devices of sigrok."""

from __future__ import annotations

import math
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sockio import registry
from sockio.checks import check_count
from sockio.deadline import DEFAULT, check_timeout
from sockio.errors import ProtocolError
from sockio.resource import SigrokAddress, parse

from ..base import Standalone, blocking
from ..devices import parse_scan
from ..link import runtime_here
from . import session_file
from .acquisition import begin, read_samples, read_session, receive
from .capture import Capture
from .codec import Description, Layout, parse_show
from .decoders import decode_with
from .plan import Plan
from .program import Program, SigrokError, output_of
from .request import DEMO, Request, count
from .use import Progress, Use, tell

if TYPE_CHECKING:
    from sockio.deadline import Timeout
    from sockio.resource import Address

    from .request import Triggers

#: Seconds for a call beyond what the capture itself takes, unless told otherwise: a device may need its firmware first.
TIMEOUT = 30.0

#: Samples of a capture that only tells where the channels are.
PROBE = 16

#: Samples in one piece of a stream, unless told otherwise.
CHUNK = 1 << 20


async def list_devices(timeout: Timeout = DEFAULT) -> list[SigrokDevice]:
    """Return the devices that sigrok finds; the last one is its built-in demonstration.

    Args:
        timeout: seconds for looking at all ports; 30 if nothing is said.

    Raises:
        FileNotFoundError: sigrok-cli is not installed.
        SigrokError: it failed.
        ConnectionTimeoutError: the time was up.
    """
    runtime = runtime_here()
    seconds = TIMEOUT if timeout is DEFAULT else check_timeout("timeout", timeout)
    deadline = None if seconds is None else runtime.clock() + seconds
    found = parse_scan(await output_of(runtime, ["--scan"], deadline))
    make: Any = SigrokDevice if runtime.suspends else blocking(SigrokDevice)
    is_demo = [info.address.partition("::")[2].partition(":")[0] == DEMO for info in found]
    ordered = sorted(zip(is_demo, found, strict=True), key=lambda each: each[0])
    return [make(info.address, info.description) for _, info in ordered]


class SigrokDevice(Standalone):
    """A logic analyzer, oscilloscope or anything else that sigrok can sample.

    One capture at a time: others that want the same device wait, in other processes too.

    Args:
        address: a resource string, ``sigrok::fx2lafw:conn=1.5``, or what follows ``sigrok::`` in it: what
            ``sigrok-cli --driver`` takes.
        description: what sigrok says of it.
        timeout: seconds for a call, beyond those that the capture itself takes; None for no limit.

    Attributes:
        description: as given.

    Raises:
        ValueError: no address of sigrok.
    """

    description: str
    timeout: float | None

    def __init__(self, address: str | Address, description: str = "", timeout: Timeout = DEFAULT) -> None:
        super().__init__(address)
        if isinstance(address, str):
            address = parse(address) if "::" in address else SigrokAddress(address)
        if not isinstance(address, SigrokAddress):
            raise ValueError(f"expected the address of a sigrok device, such as sigrok::demo, not {str(address)!r}")
        self._address = address
        self._resource = registry.resource(address.resource)
        self._description: Description | None = None
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self.description = description
        self.timeout = TIMEOUT if timeout is DEFAULT else check_timeout("timeout", timeout)

    @property
    def address(self) -> str:
        """The resource string."""
        return str(self._address)

    def __repr__(self) -> str:
        return f"SigrokDevice({self.address!r})"

    async def get_channels(self, timeout: Timeout = DEFAULT) -> list[str]:
        """Return the names of its channels."""
        return list((await self._describe(timeout)).channels)

    async def get_samplerates(self, timeout: Timeout = DEFAULT) -> list[float]:
        """Return its samplerates in hertz: all of them, or the lowest and the highest of a range."""
        rates = (await self._describe(timeout)).samplerates
        if rates is None:
            return []
        return list(rates.listed) if rates.listed else [rates.lowest, rates.highest]

    async def read(
        self,
        channels: Sequence[str] | None = None,
        samplerate: float | None = None,
        num_samples: int | None = None,
        time: float | None = None,
        *,
        triggers: Triggers = None,
        pretrigger: float | None = None,
        options: Mapping[str, Any] | None = None,
        group: str | None = None,
        decode: str | Sequence[str] = (),
        progress: Progress | None = None,
        timeout: Timeout = DEFAULT,
    ) -> Capture:
        """Capture samples: ``t, data = await device.read(["D1", "D2"], 48e6, num_samples=1000)``.

        Args:
            channels: their names; None for all.
            samplerate: in hertz; None for the highest that the device has.
            num_samples: how many samples.
            time: for how many seconds, instead of the number.
            triggers: what to wait for, by channel: ``{"D0": "r", "D1": "1"}`` or ``"D0=r,D1=1"``, with 0 and 1 for a
                level, r, f and e for a rising, a falling and any edge. Some devices, the demonstration among them,
                give fewer samples then.
            pretrigger: how much of the capture comes before the trigger, 0 to 1.
            options: of the driver, by name, see ``sigrok-cli --driver fx2lafw --show``.
            group: the channel group whose options these are. The samplerate is then the one that is set in the device:
                sigrok-cli cannot set both.
            decode: protocol decoders to run on what has been captured, such as ``["uart:rx=D0:baudrate=9600"]``, see
                `instruments.sigrok.decode`; what they find is in ``records`` of the capture.
            progress: called with the number of samples received, and the number of all.
            timeout: seconds for everything. If nothing is said, the `timeout` of this object and twice the time of the
                capture.

        Returns:
            A `Capture`: the time of each sample in seconds, and the samples by channel.

        Raises:
            TypeError, ValueError: an argument that cannot be, a channel, samplerate or trigger that the device has not.
            FileNotFoundError: sigrok-cli is not installed.
            SigrokError: sigrok-cli failed, or there were fewer samples than that.
            ConnectionTimeoutError: the time was up.
        """
        if (num_samples is None) == (time is None):
            raise ValueError("give either num_samples or time, in seconds")
        request = Request(self._address.device, channels, options, group, triggers, pretrigger)
        async with self._use("read", timeout) as use:
            plan = await self._plan(use, request, samplerate, num_samples, time)
            assert plan.num_samples is not None
            if timeout is DEFAULT:
                use.extend(2 * plan.num_samples / plan.samplerate)
            if plan.logic and plan.analog:
                capture = await read_session(use, plan)
                if progress is not None:
                    await tell(use.runtime, progress, len(capture.t), plan.num_samples)
            else:
                capture = await read_samples(use, plan, progress)
        if decode:
            capture.records = await decode_with(use.runtime, capture, decode, use.deadline)
        return capture

    async def stream(
        self,
        channels: Sequence[str] | None = None,
        samplerate: float | None = None,
        num_samples: int | None = None,
        time: float | None = None,
        *,
        chunk: int = CHUNK,
        triggers: Triggers = None,
        pretrigger: float | None = None,
        options: Mapping[str, Any] | None = None,
        group: str | None = None,
        progress: Progress | None = None,
        timeout: Timeout = DEFAULT,
    ) -> AsyncGenerator[Capture, None]:
        """Capture piece by piece, in memory that does not grow: ``async for t, data in device.stream(["D0"], 1e6): …``.

        To leave the loop before its end, use ``contextlib.aclosing`` (``closing`` where calls block): the capture goes
        on until the generator is closed. A device whose samples are not taken in time ends the capture.

        Args:
            channels, samplerate, triggers, pretrigger, options, group, progress: as for `read`; the channels have to be
                all logic or all analog.
            num_samples, time: at most one; neither goes on until the loop is left.
            chunk: how many samples to a piece; the last one may be smaller.
            timeout: seconds for each piece, beyond those that its samples take; None for no limit.

        Yields:
            A `Capture` of each piece, whose times follow on those of the last.

        Raises:
            As `read`.
        """
        if num_samples is not None and time is not None:
            raise ValueError("give num_samples or time, not both")
        check_count("chunk", chunk, 1)
        request = Request(self._address.device, channels, options, group, triggers, pretrigger)
        async with self._use("stream", timeout) as use:
            plan = await self._plan(use, request, samplerate, num_samples, time)
            if plan.logic and plan.analog:
                raise ValueError(
                    f"a stream is of logic or of analog channels: {', '.join(plan.logic)} and {', '.join(plan.analog)} "
                    f"cannot be had at once"
                )
            start = 0
            with Program(use.runtime, [*plan.arguments, "--output-format", plan.form], use.deadline) as program:
                await begin(program, plan)
                while plan.num_samples is None or start < plan.num_samples:
                    size = chunk if plan.num_samples is None else min(chunk, plan.num_samples - start)
                    use.renew(2 * size / plan.samplerate)
                    program.deadline = use.deadline
                    received = await receive(program, plan, size, start, use.runtime, None)
                    piece = plan.unpack(received, start)
                    start += len(piece.t)
                    if len(piece.t):
                        if progress is not None:
                            await tell(use.runtime, progress, start, plan.num_samples)
                        yield piece
                    if len(piece.t) < size:
                        break
                if plan.num_samples is None:
                    raise program.failure(f"a capture without end ended after {start} samples")

    # How it is done

    def _use(self, method: str, timeout: Timeout) -> Use:
        return Use(self._runtime, self._resource.lock, method, timeout, self.timeout)

    async def _describe(self, timeout: Timeout) -> Description:
        async with self._use("show", timeout) as use:
            return await self._described(use)

    async def _described(self, use: Use) -> Description:
        if self._description is None:
            text = await output_of(use.runtime, ["--driver", self._address.device, "--show"], use.deadline)
            self._description = parse_show(text)
        return self._description

    async def _plan(
        self, use: Use, request: Request, samplerate: float | None, num_samples: int | None, time: float | None
    ) -> Plan:
        description = await self._described(use)
        wanted = request.wanted(description)
        request.check_triggers(description)
        rate = await self._samplerate(use, description, samplerate, request.group)
        samples = count(rate, num_samples, time)
        enabled = [name for name in description.channels if name in wanted or name in request.triggered()]
        layout = await self._layout(use, description, request, tuple(enabled))
        if request.device.partition(":")[0] == DEMO and layout.logic:
            bits = max(layout.logic.values()) + 1
            layout = Layout(dict(zip(description.channels, range(bits), strict=False)), layout.analog, layout.unit)
            enabled = [*layout.logic, *layout.analog]
        set_rate = None if request.group is not None else rate
        arguments = request.arguments(description, enabled, set_rate, samples)
        return Plan(wanted, layout, rate, samples, arguments, exact=not request.triggers)

    async def _samplerate(
        self, use: Use, description: Description, samplerate: float | None, group: str | None
    ) -> float:
        rates = description.samplerates
        if rates is None:
            raise ValueError(f"{self.address} has no samplerate: it cannot be sampled")
        if group is not None:
            if samplerate is not None:
                raise ValueError("sigrok-cli sets a samplerate or the options of a channel group, not both")
            arguments = ["--driver", self._address.device, "--get", "samplerate"]
            text = await output_of(use.runtime, arguments, use.deadline)
            try:
                rate = float(text)
            except ValueError:
                rate = 0
            if not 0 < rate < math.inf:
                raise ProtocolError(f"{self.address}: expected its samplerate, got {text!r}", text.encode())
            return rate
        if samplerate is None:
            return rates.fastest
        rates.check(samplerate)
        return float(samplerate)

    async def _layout(self, use: Use, description: Description, request: Request, enabled: tuple[str, ...]) -> Layout:
        """Return where the channels are: from what is known of the device, or from a session file of a few samples."""
        if description.kinds == {"analog"}:
            return Layout({}, enabled, 0)
        if description.kinds == {"logic"} and len(description.channels) <= 8:
            return Layout({name: description.channels.index(name) for name in enabled}, (), 1)
        if enabled not in self._layouts:
            with tempfile.TemporaryDirectory(prefix="sockio-") as folder:
                path = Path(folder) / "probe.sr"
                probe = Request(request.device).arguments(description, enabled, None, PROBE)
                await output_of(use.runtime, [*probe, "--output-file", str(path)], use.deadline)
                self._layouts[enabled] = session_file.layout_of(path)
        return self._layouts[enabled]


__all__ = ["Capture", "Progress", "SigrokDevice", "SigrokError", "list_devices"]
