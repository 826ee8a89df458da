"""`instruments.cobs_stream` with calls that block, or give futures with ``resolve_futures=False``.

Written by ``python -m sockio.generate`` from `instruments.cobs_stream`: change that instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from sockio.checks import Data
    from sockio.deadline import DEFAULT, Timeout
    from sockio.resource import Address

    from .byte_stream import BytePipe, FuturesBytePipe

    class CobsStream(BytePipe):
        """COBS frames that a device sends of itself.

        ::

            with CobsStream("tcp::192.168.1.12:5000") as stream:
                stream.send(b"start")
                for frame in stream:
                    print(frame)

        From `start` to `stop` frames are received on the side, whether anybody takes them in time or not:

        - up to *maxsize* frames wait to be taken. Those that come while there is no room are lost: they are counted in
          ``frames_lost``, `receiver_overflow` is set, and *on_overflow* is called when it begins;
        - a malformed frame, or one with a wrong CRC, is left out, counted in ``frames_malformed`` and given to
          *on_error* as a ProtocolError (LimitError if it is too long);
        - when the connection is lost it is made again, as often as need be. The loss is counted in ``connections_lost``
          and given to *on_error* as an OSError.

        All of it is logged as well. While it streams it has the resource to itself: other pipes wait for the lock, and
        time out with an error that says who has it. `send` goes through.

        On a serial line the first frame may be the rest of one that was under way. Without a CRC, that may go
        unnoticed.

        Args:
            address: a resource string of a stream of bytes, see `ByteStreamPipe`.
            use_crc: frames, received and sent, end with their CRC-32, least significant byte first (`CheckedCOBS`).
            maxsize: how many frames wait to be taken; 0 for any number.
            on_frame: called with each frame, which then does not wait to be taken. The next one is received after it
                has returned, and what it returned has been awaited.
            on_error: called with what was wrong, see above.
            on_overflow: called with the number of frames lost so far when frames begin to be lost.
            timeout: seconds for a call.

        Attributes:
            frames_lost, frames_malformed, connections_lost: how many, since this object was made.

        Raises:
            ValueError: the resource string is not understood, or not that of a stream.
            ImportError: the cobs package is missing (``pip install sockio[cobs]``).
        """

        use_crc: bool

        @overload
        def __new__(
            cls,
            address: str | Address,
            use_crc: bool = False,
            maxsize: int = 1000,
            *,
            on_frame: Callable[[bytes], Any] | None = None,
            on_error: Callable[[Exception], Any] | None = None,
            on_overflow: Callable[[int], Any] | None = None,
            timeout: Timeout = DEFAULT,
            resolve_futures: Literal[True] = True,
        ) -> Self: ...
        @overload
        def __new__(  # type: ignore[misc]
            cls,
            address: str | Address,
            use_crc: bool = False,
            maxsize: int = 1000,
            *,
            on_frame: Callable[[bytes], Any] | None = None,
            on_error: Callable[[Exception], Any] | None = None,
            on_overflow: Callable[[int], Any] | None = None,
            timeout: Timeout = DEFAULT,
            resolve_futures: Literal[False],
        ) -> FuturesCobsStream: ...
        def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

        @property
        def frames_lost(self) -> int: ...

        @property
        def frames_malformed(self) -> int: ...

        @property
        def connections_lost(self) -> int: ...

        @property
        def receiver_overflow(self) -> bool:
            """Whether frames have been lost since this was asked last."""
            ...

        @property
        def streaming(self) -> bool:
            """Whether frames are being received."""
            ...

        @property
        def locked(self) -> bool: ...

        def connect(self, timeout: Timeout = DEFAULT) -> Self:
            """Connect now; `start` does so as well. Return the stream."""
            ...

        def start(self, timeout: Timeout = DEFAULT) -> Self:
            """Connect if need be, and receive from now on; nothing happens if that is so already. Return the stream.

            Args:
                timeout: seconds for getting the lock and connecting.

            Raises:
                ConnectionTimeoutError: somebody else uses the resource, or there was no connection in time.
                OSError: connecting failed.
            """
            ...

        def send(self, data: Data, timeout: Timeout = DEFAULT) -> None:
            """Send bytes as one frame.

            Raises:
                RuntimeError: it streams in another event loop, and cannot be used here meanwhile.
            """
            ...

        def stop(self) -> None:
            """Receive no more, and let others use the resource. The frames that have come can still be taken.

            Called by a callback, it does not wait for that: it happens when the callback has returned.
            """
            ...

        def close(self, stop: bool = True) -> None:
            """Stop, and close the connection; with ``stop=False`` only the latter, and a stream that runs
            reconnects."""
            ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None: ...

        def next(self, timeout: Timeout = DEFAULT) -> bytes:
            """Return the next frame, waiting for it if need be.

            Raises:
                ConnectionTimeoutError: there was none in time.
                ConnectionEOFError: there is none, and it is not streaming.
                TypeError: frames go to *on_frame*.
            """
            ...

        def __iter__(self) -> Iterator[bytes]:
            """Go through the frames until it is stopped and none is left, where calls block or give futures."""
            ...

    class FuturesCobsStream(FuturesBytePipe):
        """A `CobsStream` whose calls give futures."""

        use_crc: bool

        def __init__(
            self,
            address: str | Address,
            use_crc: bool = False,
            maxsize: int = 1000,
            *,
            on_frame: Callable[[bytes], Any] | None = None,
            on_error: Callable[[Exception], Any] | None = None,
            on_overflow: Callable[[int], Any] | None = None,
            timeout: Timeout = DEFAULT,
        ) -> None: ...

        @property
        def frames_lost(self) -> int: ...

        @property
        def frames_malformed(self) -> int: ...

        @property
        def connections_lost(self) -> int: ...

        @property
        def receiver_overflow(self) -> bool:
            """Whether frames have been lost since this was asked last."""
            ...

        @property
        def streaming(self) -> bool:
            """Whether frames are being received."""
            ...

        def start(self, timeout: Timeout = DEFAULT) -> Future[Self]:
            """Connect if need be, and receive from now on; nothing happens if that is so already. Return the stream.

            Args:
                timeout: seconds for getting the lock and connecting.

            Raises:
                ConnectionTimeoutError: somebody else uses the resource, or there was no connection in time.
                OSError: connecting failed.
            """
            ...

        def send(self, data: Data, timeout: Timeout = DEFAULT) -> Future[None]:
            """Send bytes as one frame.

            Raises:
                RuntimeError: it streams in another event loop, and cannot be used here meanwhile.
            """
            ...

        def stop(self) -> Future[None]:
            """Receive no more, and let others use the resource. The frames that have come can still be taken.

            Called by a callback, it does not wait for that: it happens when the callback has returned.
            """
            ...

        def close(self, stop: bool = True) -> Future[None]:
            """Stop, and close the connection; with ``stop=False`` only the latter, and a stream that runs
            reconnects."""
            ...

        def next(self, timeout: Timeout = DEFAULT) -> Future[bytes]:
            """Return the next frame, waiting for it if need be.

            Raises:
                ConnectionTimeoutError: there was none in time.
                ConnectionEOFError: there is none, and it is not streaming.
                TypeError: frames go to *on_frame*.
            """
            ...

        def __iter__(self) -> Iterator[bytes]:
            """Go through the frames until it is stopped and none is left, where calls block or give futures."""
            ...

else:
    from .. import cobs_stream
    from ..base import blocking, futures

    CobsStream = blocking(cobs_stream.CobsStream)
    FuturesCobsStream = futures(cobs_stream.CobsStream)

__all__ = ["CobsStream", "FuturesCobsStream"]
