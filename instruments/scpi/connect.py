"""From the address of an instrument to the connection that carries its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from sockio import registry
from sockio.resource import (
    Address,
    GPIBAddress,
    HiSLIPAddress,
    HostAddress,
    PrologixAddress,
    SerialAddress,
    UnixAddress,
    USBAddress,
    VISAAddress,
    VXI11Address,
)

from ..pipe import Doubtful, shared_stream
from .stream import StreamMessages

if TYPE_CHECKING:
    from sockio.runtimes.base import Runtime

    from ..hislip.session import Mode
    from ..message import Messages

#: What an adapter may still say to a call that failed comes within so many seconds of silence.
ADAPTER_QUIET = 0.1


class ConnectionOptions(TypedDict, total=False):
    """What the connection to an instrument can be told. Each kind has some of these."""

    limit: int
    read_size: int
    term_char: bytes | None
    interrupt_host: str | None
    mode: Mode | None
    maximum_message_size: int
    vendor_id: bytes


#: The options that each kind of address has; see the classes of the connections.
OPTIONS: dict[type[Address], tuple[str, ...]] = {
    VXI11Address: ("limit", "read_size", "term_char", "interrupt_host"),
    HiSLIPAddress: ("limit", "mode", "maximum_message_size", "vendor_id"),
}


def check_options(address: Address, options: ConnectionOptions) -> None:
    """Refuse options that a connection to an address does not have.

    Raises:
        TypeError: there is one.
    """
    known = OPTIONS.get(type(address), ())
    for name in options:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none besides those in the resource string"
            raise TypeError(f"{address} has no option {name!r}: {has}")


def is_stream(address: Address) -> bool:
    """Tell whether an address is that of a stream of bytes."""
    return isinstance(address, (HostAddress, UnixAddress, SerialAddress))


def connect(
    address: Address,
    carrier: Address,
    terminator: bytes,
    runtime: Runtime,
    visa_library: str,
    options: ConnectionOptions,
) -> tuple[Messages, Doubtful | None]:
    """Return the message connection for an address, and what is doubtful about it.

    Args:
        address: of the instrument.
        carrier: of what is connected to: the same, or that of an adapter.
        terminator: what ends a response where only bytes can say so.
        runtime: of the caller.
        visa_library: what PyVISA is to use, where it is needed.
        options: of the connection, out of `OPTIONS`.

    Raises:
        ValueError: it is in use with other settings, or cannot carry messages.
    """
    if is_stream(address):
        stream = shared_stream(address, runtime)
        return StreamMessages(stream, terminator), stream if stream.quiet else None
    if isinstance(address, PrologixAddress):
        from ..prologix import PrologixMessages, adapter_on

        stream = shared_stream(carrier, runtime, "a Prologix adapter", quiet=ADAPTER_QUIET)
        adapter = adapter_on(stream)
        return PrologixMessages(adapter, address.primary, address.secondary), adapter

    given: dict[str, Any] = dict(options)

    def make() -> Messages:
        if isinstance(address, VXI11Address):
            from ..vxi11 import Vxi11Connection

            return Vxi11Connection(address, runtime, **given)
        if isinstance(address, HiSLIPAddress):
            from ..hislip import HislipConnection

            return HislipConnection(address, runtime, **given)
        if isinstance(address, USBAddress) and address.resource_class == "INSTR":
            from ..usbtmc import UsbtmcConnection, is_available

            if is_available():
                return UsbtmcConnection(address, runtime)
        from ..visa import VisaConnection

        assert isinstance(address, (USBAddress, GPIBAddress, VISAAddress))
        return VisaConnection(address, runtime, visa_library)

    if isinstance(address, (USBAddress, GPIBAddress, VISAAddress)):
        given = {"visa_library": visa_library}
    messages = registry.resource(address.resource).connection(runtime, given, make)
    return messages, messages if messages.shared_output else None
