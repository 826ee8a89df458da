"""`instruments.sigrok` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.sigrok`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from ..sigrok import Annotation, Capture, SigrokError, load, plot

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray
    from typing_extensions import Self

    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    from ..sigrok.request import Triggers
    from ..sigrok.session_file import CHUNK
    from ..sigrok.use import Progress

    def decode(
        data: Mapping[str, NDArray[Any]], samplerate: float, decoders: str | Sequence[str], timeout: Timeout = DEFAULT
    ) -> list[Annotation]:
        """Decode the protocols in what has been captured.

        Args:
            data: samples of logic channels, 0 and 1, by name.
            samplerate: samples per second.
            decoders: each as sigrok-cli takes it: its name, its inputs and options, and perhaps decoders stacked on it:
                ``"uart:rx=D0:baudrate=9600"``, ``"i2c:scl=D1:sda=D2,eeprom24xx"``. ``sigrok-cli -P uart --show`` tells
                what there is.
            timeout: seconds, None for no limit; a minute if nothing is said.

        Returns:
            What they have found, ordered by where it begins. Records of one decoder overlap: a byte, and each of its
            bits.

        Raises:
            FileNotFoundError: sigrok-cli is not installed.
            ValueError: there is no logic channel.
            SigrokError: a decoder or option that does not exist, an input that is not connected, ...
            ConnectionTimeoutError: the time was up.
        """
        ...

    def list_devices(timeout: Timeout = DEFAULT) -> list[SigrokDevice]:
        """Return the devices that sigrok finds; the last one is its built-in demonstration.

        Args:
            timeout: seconds for looking at all ports; 30 if nothing is said.

        Raises:
            FileNotFoundError: sigrok-cli is not installed.
            SigrokError: it failed.
            ConnectionTimeoutError: the time was up.
        """
        ...

    class SigrokDevice:
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

        @overload
        def __new__(
            cls,
            address: str | Address,
            description: str = "",
            timeout: Timeout = DEFAULT,
            *,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address,
            description: str = "",
            timeout: Timeout = DEFAULT,
            *,
            resolve_futures: Literal[False],
        ) -> FuturesSigrokDevice: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def address(self) -> str:
            """The resource string."""
            ...

        def get_channels(self, timeout: Timeout = DEFAULT) -> list[str]:
            """Return the names of its channels."""
            ...

        def get_samplerates(self, timeout: Timeout = DEFAULT) -> list[float]:
            """Return its samplerates in hertz: all of them, or the lowest and the highest of a range."""
            ...

        def read(
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
                triggers: what to wait for, by channel: ``{"D0": "r", "D1": "1"}`` or ``"D0=r,D1=1"``, with 0 and 1 for
                    a level, r, f and e for a rising, a falling and any edge. Some devices, the demonstration among
                    them, give fewer samples then.
                pretrigger: how much of the capture comes before the trigger, 0 to 1.
                options: of the driver, by name, see ``sigrok-cli --driver fx2lafw --show``.
                group: the channel group whose options these are. The samplerate is then the one that is set in the
                    device: sigrok-cli cannot set both.
                decode: protocol decoders to run on what has been captured, such as ``["uart:rx=D0:baudrate=9600"]``,
                    see `instruments.sigrok.decode`; what they find is in ``records`` of the capture.
                progress: called with the number of samples received, and the number of all.
                timeout: seconds for everything. If nothing is said, the `timeout` of this object and twice the time of
                    the capture.

            Returns:
                A `Capture`: the time of each sample in seconds, and the samples by channel.

            Raises:
                TypeError, ValueError: an argument that cannot be, a channel, samplerate or trigger that the device has
                    not.
                FileNotFoundError: sigrok-cli is not installed.
                SigrokError: sigrok-cli failed, or there were fewer samples than that.
                ConnectionTimeoutError: the time was up.
            """
            ...

        def stream(
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
        ) -> Generator[Capture, None, None]:
            """Capture piece by piece, in memory that does not grow: ``async for t, data in device.stream(["D0"], 1e6):
            …``.

            To leave the loop before its end, use ``contextlib.aclosing`` (``closing`` where calls block): the capture
            goes on until the generator is closed. A device whose samples are not taken in time ends the capture.

            Args:
                channels, samplerate, triggers, pretrigger, options, group, progress: as for `read`; the channels have
                    to be all logic or all analog.
                num_samples, time: at most one; neither goes on until the loop is left.
                chunk: how many samples to a piece; the last one may be smaller.
                timeout: seconds for each piece, beyond those that its samples take; None for no limit.

            Yields:
                A `Capture` of each piece, whose times follow on those of the last.

            Raises:
                As `read`.
            """
            ...

    class FuturesSigrokDevice:
        """A `SigrokDevice` whose calls give futures."""

        description: str
        timeout: float | None

        def __init__(self, address: str | Address, description: str = "", timeout: Timeout = DEFAULT) -> None: ...

        @property
        def address(self) -> str:
            """The resource string."""
            ...

        def get_channels(self, timeout: Timeout = DEFAULT) -> Future[list[str]]:
            """Return the names of its channels."""
            ...

        def get_samplerates(self, timeout: Timeout = DEFAULT) -> Future[list[float]]:
            """Return its samplerates in hertz: all of them, or the lowest and the highest of a range."""
            ...

        def read(
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
        ) -> Future[Capture]:
            """Capture samples: ``t, data = await device.read(["D1", "D2"], 48e6, num_samples=1000)``.

            Args:
                channels: their names; None for all.
                samplerate: in hertz; None for the highest that the device has.
                num_samples: how many samples.
                time: for how many seconds, instead of the number.
                triggers: what to wait for, by channel: ``{"D0": "r", "D1": "1"}`` or ``"D0=r,D1=1"``, with 0 and 1 for
                    a level, r, f and e for a rising, a falling and any edge. Some devices, the demonstration among
                    them, give fewer samples then.
                pretrigger: how much of the capture comes before the trigger, 0 to 1.
                options: of the driver, by name, see ``sigrok-cli --driver fx2lafw --show``.
                group: the channel group whose options these are. The samplerate is then the one that is set in the
                    device: sigrok-cli cannot set both.
                decode: protocol decoders to run on what has been captured, such as ``["uart:rx=D0:baudrate=9600"]``,
                    see `instruments.sigrok.decode`; what they find is in ``records`` of the capture.
                progress: called with the number of samples received, and the number of all.
                timeout: seconds for everything. If nothing is said, the `timeout` of this object and twice the time of
                    the capture.

            Returns:
                A `Capture`: the time of each sample in seconds, and the samples by channel.

            Raises:
                TypeError, ValueError: an argument that cannot be, a channel, samplerate or trigger that the device has
                    not.
                FileNotFoundError: sigrok-cli is not installed.
                SigrokError: sigrok-cli failed, or there were fewer samples than that.
                ConnectionTimeoutError: the time was up.
            """
            ...

        def stream(
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
        ) -> Generator[Capture, None, None]:
            """Capture piece by piece, in memory that does not grow: ``async for t, data in device.stream(["D0"], 1e6):
            …``.

            To leave the loop before its end, use ``contextlib.aclosing`` (``closing`` where calls block): the capture
            goes on until the generator is closed. A device whose samples are not taken in time ends the capture.

            Args:
                channels, samplerate, triggers, pretrigger, options, group, progress: as for `read`; the channels have
                    to be all logic or all analog.
                num_samples, time: at most one; neither goes on until the loop is left.
                chunk: how many samples to a piece; the last one may be smaller.
                timeout: seconds for each piece, beyond those that its samples take; None for no limit.

            Yields:
                A `Capture` of each piece, whose times follow on those of the last.

            Raises:
                As `read`.
            """
            ...

else:
    from .. import sigrok
    from ..base import blocking, futures

    SigrokDevice = blocking(sigrok.SigrokDevice)
    decode = blocking(sigrok.decode)
    list_devices = blocking(sigrok.list_devices)
    FuturesSigrokDevice = futures(sigrok.SigrokDevice)

__all__ = [
    "Annotation",
    "Capture",
    "FuturesSigrokDevice",
    "SigrokDevice",
    "SigrokError",
    "decode",
    "list_devices",
    "load",
    "plot",
]
