"""One unit at the end of a stream, and how it is asked."""

from __future__ import annotations

import itertools
import os
import random
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sockio.deadline import DEFAULT, seconds_until
from sockio.resource import Address, HostAddress, ModbusAddress, SerialAddress, UnixAddress, parse
from sockio.stream import Stream

from ..base import twins_of
from ..byte_stream import BytePipe, ByteStreamPipe
from ..link import link_to, parts_of
from ..pipe import BasePipe, Doubtful, shared_stream
from . import pacing, tcp
from .codec import BROADCAST, Exchange, Request, RtuExchange, TcpExchange, rtu_frame, tcp_frame
from .errors import ModbusError
from .requests import whole

if TYPE_CHECKING:
    from typing_extensions import Self

    from sockio.deadline import Timeout
    from sockio.runtimes.base import Runtime

T = TypeVar("T")

#: Seconds for a call, unless a device is told otherwise.
TIMEOUT = 1.0

PROTOCOLS = ("tcp", "rtu")

#: Transaction numbers are those of the whole process, so that no two units behind one gateway use the same.
transactions = itertools.count(random.randrange(0x10000))


def _begin_elsewhere() -> None:
    """In a forked child: a gateway, or whoever reads along, is to tell its requests from those of the parent."""
    deque(itertools.islice(transactions, random.randrange(1, 0x10000)), maxlen=0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_elsewhere)


class Station(BasePipe):
    """What asks a unit, whatever the question.

    Args:
        address: where it is.
        protocol: "tcp" or "rtu".
        station_address: of the unit.
        timeout: seconds for a call.
        broadcast: whether requests to it are for all units, and not answered.
    """

    def __new__(cls, address: Any, *args: Any, **kwargs: Any) -> Self:
        stream = stream_of(address)
        if stream is None:
            return super().__new__(cls, address, *args, **kwargs)
        made: Self = super().__new__(form_for(cls, address), address, *args, **kwargs)
        if not isinstance(made, cls):
            made.__init__(address, *args, **kwargs)  # type: ignore[misc]  # Python itself does it for its own kind only
        return made

    def __init__(
        self,
        address: str | Address | BytePipe | Stream,
        protocol: str | None,
        station_address: int | None,
        timeout: Timeout,
        *,
        broadcast: bool | None,
    ) -> None:
        self._stream = stream_of(address)
        self._pipe = address if isinstance(address, ByteStreamPipe) else None
        where = self._where(address)
        if isinstance(where, ModbusAddress):
            for name, given, fixed in (
                ("protocol", protocol, where.framing),
                ("station_address", station_address, where.station),
            ):
                if given is not None and given != fixed:
                    raise ValueError(f"{where} has the {name} {fixed!r}, and not {given!r}")
            protocol, station_address = where.framing, where.station
        self._protocol = check_protocol("rtu" if protocol is None else protocol)
        self._unit = whole("station_address", 1 if station_address is None else station_address, 0, 255)
        self._broadcast = self._protocol == "rtu" and self._unit == BROADCAST if broadcast is None else broadcast
        options = where.link.options if isinstance(where, ModbusAddress) else where.options
        if timeout is DEFAULT:
            timeout = options.get("timeout", TIMEOUT)
        # Who has said how long a line is silent after a failed call is taken at his word.
        quiet = options.get("quiet") if self._stream is None else self._stream.quiet
        self._fears_late_answers = quiet in ((None,) if self._stream is None else (None, pacing.QUIET))
        super().__init__(where, timeout)

    def _where(self, address: str | Address | BytePipe | Stream) -> Address:
        if self._stream is not None:
            return parse(self._stream.resource)
        if isinstance(address, BytePipe):
            return address._address
        return parse(address) if isinstance(address, str) else address  # type: ignore[return-value]

    def _carrier_of(self, address: Address) -> Address:
        link = address.link if isinstance(address, ModbusAddress) else address
        if not isinstance(link, (HostAddress, UnixAddress, SerialAddress)):
            raise ValueError(f"{address}: no Modbus device and no stream of bytes; {address.opener} opens it")
        return link

    def _connect_to(self, runtime: Runtime) -> tuple[Stream, Doubtful | None]:
        stream = shared_stream(self._carrier, runtime) if self._stream is None else self._stream
        if self._protocol == "tcp":
            return stream, stream if stream.quiet else None
        if stream.quiet is None:
            stream.quiet = pacing.QUIET
        return stream, pacing.line_at(stream, self._resource)

    @property
    def protocol(self) -> str:
        """How messages are framed: "tcp" or "rtu"."""
        return self._protocol

    @property
    def station_address(self) -> int:
        """The unit that is talked to, 0 to 255."""
        return self._unit

    @property
    def instrument(self) -> str:
        """The resource string of the stream that the device is at."""
        return str(self._carrier)

    @property
    def bytestream_pipe(self) -> ByteStreamPipe:
        """A pipe for plain bytes over the same connection, under the same lock."""
        if self._pipe is not None:
            return self._pipe
        if self._stream is not None:
            raise TypeError(f"{self!r} was made with {self._stream!r}: use that for plain bytes")
        with parts_of(self.link):
            return ByteStreamPipe(self._carrier, self.timeout)

    # How it is asked

    async def _ask(self, request: Request[T], timeout: Timeout) -> T:
        """Return the answer to a request.

        Raises:
            ModbusError: the device answers with an exception.
            ValueError: it is a broadcast, and nobody would answer.
        """
        if self._broadcast:
            raise ValueError(f"{self!r} is a broadcast: function {request.function} would not be answered")
        if self._protocol == "tcp":
            answer = await self._call(tcp.ask, timeout, TcpExchange(request, self._unit, next(transactions) & 0xFFFF))
        else:
            answer = await self._call(pacing.ask, timeout, self._exchange(request))
        if answer.__class__ is ModbusError:
            raise self._named(answer)
        return answer  # type: ignore[no-any-return]

    async def _ask_all(self, requests: Sequence[Request[T]], timeout: Timeout) -> list[T]:
        """Return the answers to several requests, which nobody else's come between."""
        if len(requests) == 1:
            return [await self._ask(requests[0], timeout)]
        if self._broadcast:
            return [await self._ask(request, timeout) for request in requests]
        exchanges = [self._exchange(request) for request in requests]
        try:
            return await self._call(ask_all, timeout, exchanges)  # type: ignore[no-any-return]
        except ModbusError as error:
            raise self._named(error) from None

    async def _tell(self, request: Request[None], timeout: Timeout) -> None:
        """Have the device, or all devices, do something."""
        if self._broadcast:
            await self._send(request, timeout)
        else:
            await self._ask(request, timeout)

    async def _tell_all(self, requests: Sequence[Request[None]], timeout: Timeout) -> None:
        """Have the device, or all devices, do several things in a row."""
        if not self._broadcast:
            await self._ask_all(requests, timeout)
            return
        await self._call(tell_all, timeout, [self._frame(request) for request in requests], self._protocol)

    async def _send(self, request: Request[Any], timeout: Timeout) -> None:
        """Send a request that nobody answers."""
        await self._call(tell_all, timeout, [self._frame(request)], self._protocol)

    def _frame(self, request: Request[Any]) -> bytes:
        if self._protocol == "tcp":
            return tcp_frame(request, self._unit, next(transactions) & 0xFFFF)
        return rtu_frame(request, self._unit)

    def _exchange(self, request: Request[Any]) -> Exchange:
        if self._protocol == "tcp":
            return TcpExchange(request, self._unit, next(transactions) & 0xFFFF)
        patience = (TIMEOUT if self.timeout is None else self.timeout) if self._fears_late_answers else None
        return RtuExchange(request, self._unit, patience)

    def _named(self, error: ModbusError) -> ModbusError:
        error.resource = self.address
        return error


async def ask_all(stream: Stream, exchanges: Sequence[Exchange], timeout: float | None) -> list[Any]:
    """Make exchanges with a unit one after the other; the first exception that it answers with ends it."""
    runtime = stream.runtime
    first = exchanges[0]
    if isinstance(first, RtuExchange):
        await pacing.let_late_answers_pass(stream, first.unit)  # before the time begins
    deadline = None if timeout is None else runtime.clock() + timeout
    answers = []
    for exchange in exchanges:
        left = seconds_until(deadline, runtime.clock())
        if isinstance(exchange, RtuExchange):
            answer = await pacing.ask(stream, exchange, left)
        else:
            assert isinstance(exchange, TcpExchange)
            answer = await tcp.ask(stream, exchange, left)
        if isinstance(answer, ModbusError):
            raise answer
        answers.append(answer)
    return answers


async def tell_all(stream: Stream, frames: Sequence[bytes], protocol: str, timeout: float | None) -> None:
    """Send requests that nobody answers, one after the other."""
    runtime = stream.runtime
    deadline = None if timeout is None else runtime.clock() + timeout
    send = stream.write if protocol == "tcp" else partial(pacing.tell, stream)
    for frame in frames:
        await send(frame, timeout=seconds_until(deadline, runtime.clock()))


def form_for(cls: type[Any], connection: Any) -> Any:
    """Return the twin of a class, or the class itself, whose calls give what those of a connection give.

    Raises:
        TypeError: it is one whose calls block, and the connection's are awaited.
    """
    flavour = link_to(connection).flavour
    native = getattr(cls, "_native_class", cls)
    if flavour != "async":
        return twins_of(native)[flavour]
    if cls is not native:
        raise TypeError(f"{cls.__name__} does not take {connection!r}, whose calls are awaited")
    return native


def stream_of(connection: object) -> Stream | None:
    """Return the core's stream behind a connection; None if it is something else, such as a resource string."""
    if isinstance(connection, Stream):
        return connection
    stream = getattr(connection, "stream", None)
    return stream if isinstance(stream, Stream) else None


def check_protocol(protocol: str) -> str:
    """Return the name of a protocol in lower case.

    Raises:
        ValueError: there is no such protocol.
    """
    name = protocol.lower()
    if name not in PROTOCOLS:
        raise ValueError(f'protocol must be "tcp" or "rtu", not {protocol!r}')
    return name
