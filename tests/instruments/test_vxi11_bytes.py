"""The VXI-11 client against bytes written out from the standards: VXI-11 rev. 1.0 (sections B, C), RFC 5531, RFC 4506.

Every call is compared byte for byte with what a scripted peer expects, and answered with literal bytes.
"""

from __future__ import annotations

import pickle
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from instruments.message import NotSupported
from instruments.vxi11 import RpcError, Vxi11Connection, Vxi11Error
from sockio.errors import LimitError, ProtocolError
from sockio.resource import parse
from sockio.runtimes.blocking import run, runtime

from .vxi11_peer import Sender, Step, byte_by_byte, in_empty_fragments, in_fragments, peer, whole

# A call: xid, CALL (0), RPC version 2, program 0x0607AF, version 1, procedure, AUTH_NONE credentials and verifier.
CALL = "XXXXXXXX 00000000 00000002 000607af 00000001"
NONE = "00000000 00000000 00000000 00000000"
# A reply: xid, REPLY (1), MSG_ACCEPTED (0), AUTH_NONE verifier, SUCCESS (0).
DONE = "XXXXXXXX 00000001 00000000 00000000 00000000 00000000"
# Link identifier 0x12345678; no limit of the caller's is an hour, in milliseconds.
LINK = "12345678"
HOUR = "0036ee80"

#: create_link, procedure 10: client identifier (any), lockDevice false, lock_timeout 0, "inst0" with three of padding;
#: answered by no error, the link, no abort port, maxRecvSize 1024.
CREATE: Step = (
    f"{CALL} 0000000a {NONE} ???????? 00000000 00000000 00000005 696e7374 30000000",
    f"{DONE} 00000000 {LINK} 00000000 00000400",
)

#: device_write, 11: link, io_timeout, lock_timeout, flags waitlock (1) and end (8), "*IDN?\n" with two of padding;
#: answered by no error, six bytes taken.
IDENTIFY: Step = (
    f"{CALL} 0000000b {NONE} {LINK} {HOUR} {HOUR} 00000009 00000006 2a49444e 3f0a0000",
    f"{DONE} 00000000 00000006",
)

#: device_read, 12: link, requestSize 2**20, io_timeout, lock_timeout, flags waitlock, no termChar.
READ = f"{CALL} 0000000c {NONE} {LINK} 00100000 {HOUR} {HOUR} 00000001 00000000"

#: device_clear, 15: link, flags waitlock, lock_timeout, io_timeout.
CLEAR: Step = (f"{CALL} 0000000f {NONE} {LINK} 00000001 {HOUR} {HOUR}", f"{DONE} 00000000")

#: destroy_link, 23.
DESTROY: Step = (f"{CALL} 00000017 {NONE} {LINK}", f"{DONE} 00000000")

#: "ACME\n" with reason END (4).
ANSWER = f"{DONE} 00000000 00000004 00000005 41434d45 0a000000"


def connection(port: int, **options: Any) -> Vxi11Connection:
    return Vxi11Connection(parse(f"TCPIP::127.0.0.1,{port}::inst0::INSTR"), runtime, **options)  # type: ignore[arg-type]


def converse(
    script: list[Step], *calls: Callable[[Vxi11Connection], Any], send: Sender = whole, **options: Any
) -> list[Any]:
    """Make calls on a connection to a peer that follows a script; return what they returned, or raised."""
    outcomes: list[Any] = []
    with peer([CREATE, *script], send=send) as instrument:
        device = connection(instrument.port, **options)
        for call in calls:
            try:
                outcomes.append(run(call(device)))
            except Exception as error:
                outcomes.append(error)
        run(device.close())
    return outcomes


def identify(device: Vxi11Connection) -> Any:
    return device.query(b"*IDN?\n", None)


@pytest.mark.parametrize("send", [whole, byte_by_byte, in_fragments(1), in_fragments(7), in_empty_fragments])
def test_query(send: Sender) -> None:
    script = [IDENTIFY, (READ, ANSWER), IDENTIFY, (READ, ANSWER), DESTROY]
    assert converse(script, identify, identify, send=send) == [b"ACME\n", b"ACME\n"]


def test_a_verifier_of_any_flavour_is_read_over() -> None:
    # AUTH_SHORT (2), five bytes and padding, before the status.
    verifier = "XXXXXXXX 00000001 00000000 00000002 00000005 01020304 05000000 00000000"
    script = [
        (IDENTIFY[0], f"{verifier} 00000000 00000006"),
        (READ, f"{verifier} 00000000 00000004 00000005 41434d45 0a000000"),
        DESTROY,
    ]
    assert converse(script, identify) == [b"ACME\n"]


def test_bytes_after_the_results_are_not_minded() -> None:
    """Some instruments send records that are longer than what is in them."""
    script = [
        (IDENTIFY[0], f"{DONE} 00000000 00000006 00000000"),
        (READ, f"{DONE} 00000000 00000004 00000005 41434d45 0a000000 ffffffff"),
        DESTROY,
    ]
    assert converse(script, identify) == [b"ACME\n"]


def test_reasons() -> None:
    """A response goes on through REQCNT (1), CHR (2) and no reason at all, until END (4) in any combination."""
    script: list[Step] = [
        (READ, f"{DONE} 00000000 00000001 00000002 61620000"),
        (READ, f"{DONE} 00000000 00000002 00000001 0a000000"),
        (READ, f"{DONE} 00000000 00000003 00000003 63646500"),
        (READ, f"{DONE} 00000000 00000000 00000004 66676869"),
        (READ, f"{DONE} 00000000 00000005 00000001 6a000000"),
        (READ, f"{DONE} 00000000 00000006 00000001 6b000000"),
        (READ, f"{DONE} 00000000 00000007 00000001 6c000000"),
        (READ, f"{DONE} 00000000 00000001 00000001 6d000000"),
        (READ, f"{DONE} 00000000 00000004 00000000"),
        DESTROY,
    ]
    read = [lambda device: device.read(None)] * 4
    assert converse(script, *read) == [b"ab\ncdefghij", b"k", b"l", b"m"]


def test_a_termination_character_is_an_end_where_it_was_asked_for() -> None:
    """Flag termchrset (0x80) with waitlock, termChar in the last byte of its word; read_size 16."""
    asked = f"{CALL} 0000000c {NONE} {LINK} 00000010 {HOUR} {HOUR} 00000081 0000000a"
    script: list[Step] = [
        (asked, f"{DONE} 00000000 00000001 00000010 30313233 34353637 38396162 63646566"),
        (asked, f"{DONE} 00000000 00000002 00000001 0a000000"),
        DESTROY,
    ]
    assert converse(script, lambda device: device.read(None), read_size=16, term_char=b"\n") == [b"0123456789abcdef\n"]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 1023, 1024, 1025, 2048, 2051])
def test_messages_are_written_in_pieces(size: int) -> None:
    """maxRecvSize was 1024: END goes with the last piece only, and all are padded to four bytes."""
    message = bytes(index % 251 for index in range(size))
    script: list[Step] = []
    for start in range(0, max(size, 1), 1024):
        piece = message[start : start + 1024]
        flags = "00000009" if start + 1024 >= size else "00000001"
        padded = piece.hex() + "00" * (-len(piece) % 4)
        call = f"{CALL} 0000000b {NONE} {LINK} {HOUR} {HOUR} {flags} {len(piece):08x} {padded}"
        script.append((call, f"{DONE} 00000000 {len(piece):08x}"))
    assert converse([*script, DESTROY], lambda device: device.write(message, None)) == [None]


def test_what_was_not_taken_is_written_again() -> None:
    script: list[Step] = [
        (IDENTIFY[0], f"{DONE} 00000000 00000004"),
        (f"{CALL} 0000000b {NONE} {LINK} {HOUR} {HOUR} 00000009 00000002 3f0a0000", f"{DONE} 00000000 00000002"),
        DESTROY,
    ]
    assert converse(script, lambda device: device.write(b"*IDN?\n", None)) == [None]


@pytest.mark.parametrize("taken", ["00000000", "00000007", "ffffffff"])
def test_taking_nothing_or_too_much_makes_no_sense(taken: str) -> None:
    (error,) = converse([(IDENTIFY[0], f"{DONE} 00000000 {taken}")], lambda device: device.write(b"*IDN?\n", None))
    assert isinstance(error, ProtocolError)
    assert "device_write" in str(error)


def test_calls_without_data() -> None:
    generic = f"{LINK} 00000001 {HOUR} {HOUR}"
    script: list[Step] = [
        (f"{CALL} 0000000d {NONE} {generic}", f"{DONE} 00000000 00000050"),
        (f"{CALL} 0000000e {NONE} {generic}", f"{DONE} 00000000"),
        CLEAR,
        (f"{CALL} 00000010 {NONE} {generic}", f"{DONE} 00000000"),
        (f"{CALL} 00000011 {NONE} {generic}", f"{DONE} 00000000"),
        (f"{CALL} 00000012 {NONE} {LINK} 00000001 {HOUR}", f"{DONE} 00000000"),
        (f"{CALL} 00000013 {NONE} {LINK}", f"{DONE} 00000000"),
        DESTROY,
    ]
    outcomes = converse(
        script,
        lambda device: device.read_status_byte(None),
        lambda device: device.trigger(None),
        lambda device: device.clear(None),
        lambda device: device.remote(None),
        lambda device: device.local(None),
        lambda device: device.lock(None),
        lambda device: device.unlock(None),
    )
    assert outcomes == [0x50, None, None, None, None, None, None]


def test_docmd() -> None:
    """device_docmd, 22: link, flags, io_timeout, lock_timeout, cmd, network_order, datasize, data_in."""
    call = f"{CALL} 00000016 {NONE} {LINK} 00000001 {HOUR} {HOUR} 00020000 00000001 00000001 00000003 3f5f1800"
    script: list[Step] = [(call, f"{DONE} 00000000 00000002 aabb0000"), DESTROY]
    assert converse(script, lambda device: device.docmd(0x20000, b"\x3f\x5f\x18", None)) == [b"\xaa\xbb"]


def test_the_instrument_gives_up_a_little_before_we_do() -> None:
    read = f"{CALL} 0000000c {NONE} {LINK} 00100000 ???????? ???????? 00000001 00000000"
    with peer([CREATE, (read, ANSWER), DESTROY]) as instrument:
        device = connection(instrument.port)
        assert run(device.read(10.0)) == b"ACME\n"
        run(device.close())
        io_timeout, lock_timeout = struct.unpack_from(">2I", instrument.calls[1], 48)
    assert 5000 < io_timeout <= 9750
    assert lock_timeout == io_timeout


def test_a_deadline_beyond_31_bits_of_milliseconds_is_cut() -> None:
    read = f"{CALL} 0000000c {NONE} {LINK} 00100000 7fffffff 7fffffff 00000001 00000000"
    assert converse([(read, ANSWER), DESTROY], lambda device: device.read(1e9)) == [b"ACME\n"]


def test_without_a_deadline_an_instrument_that_gives_up_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a device_write has taken before its time-out is not sent twice; the END goes with the rest."""
    monkeypatch.setattr("instruments.vxi11.link.SHORTEST_TIMEOUT", 0.0)
    script: list[Step] = [
        (IDENTIFY[0], f"{DONE} 0000000f 00000004"),
        (f"{CALL} 0000000b {NONE} {LINK} {HOUR} {HOUR} 00000009 00000002 3f0a0000", f"{DONE} 0000000b 00000000"),
        (f"{CALL} 0000000b {NONE} {LINK} {HOUR} {HOUR} 00000009 00000002 3f0a0000", f"{DONE} 00000000 00000002"),
        (READ, f"{DONE} 0000000f 00000000 00000000"),
        (READ, f"{DONE} 0000000b 00000000 00000000"),
        (READ, ANSWER),
        (f"{CALL} 00000012 {NONE} {LINK} 00000001 {HOUR}", f"{DONE} 0000000b"),
        (f"{CALL} 00000012 {NONE} {LINK} 00000001 {HOUR}", f"{DONE} 00000000"),
        DESTROY,
    ]
    assert converse(script, identify, lambda device: device.lock(None)) == [b"ACME\n", None]


# Refusals


@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        ("00000001 00000000 00000000 00000000 00000001", "PROG_UNAVAIL", "no such program"),
        ("00000001 00000000 00000000 00000000 00000002 00000002 00000003", "PROG_MISMATCH", "2 to 3"),
        ("00000001 00000000 00000000 00000000 00000003", "PROC_UNAVAIL", "no such procedure"),
        ("00000001 00000000 00000000 00000000 00000004", "GARBAGE_ARGS", "arguments"),
        ("00000001 00000000 00000000 00000000 00000005", "SYSTEM_ERR", "server"),
        ("00000001 00000001 00000000 00000003 00000004", "RPC_MISMATCH", "3 to 4"),
        ("00000001 00000001 00000001 00000005", "AUTH_ERROR", "AUTH_TOOWEAK"),
    ],
)
def test_rpc_refusals(reply: str, status: str, text: str) -> None:
    """The stream stays in step; the next call clears the device first."""
    script: list[Step] = [(IDENTIFY[0], f"XXXXXXXX {reply}"), CLEAR, IDENTIFY, (READ, ANSWER), DESTROY]
    error, answer = converse(script, identify, identify)
    assert isinstance(error, RpcError)
    assert error.status == status
    assert status in str(error)
    assert text in str(error)
    assert "device_write" in str(error)
    assert "vxi::" in str(error)
    assert pickle.loads(pickle.dumps(error)).status == status
    assert answer == b"ACME\n"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1, "syntax error"),
        (3, "device not accessible"),
        (4, "invalid link identifier"),
        (5, "parameter error"),
        (6, "channel not established"),
        (9, "out of resources"),
        (12, "no lock held by this link"),
        (17, "I/O error"),
        (21, "invalid address"),
        (23, "abort"),
        (29, "channel already established"),
        (99, "unknown error"),
    ],
)
def test_device_errors(code: int, text: str) -> None:
    """Table B.2; what follows an error does not matter, and may be missing."""
    script: list[Step] = [
        IDENTIFY,
        (READ, f"{DONE} {code:08x} 00000000 00000000"),
        CLEAR,
        (IDENTIFY[0], f"{DONE} {code:08x} 00000000"),
        CLEAR,
        IDENTIFY,
        (READ, f"{DONE} {code:08x}"),
        CLEAR,
        IDENTIFY,
        (READ, ANSWER),
        DESTROY,
    ]
    *errors, answer = converse(script, identify, identify, identify, identify)
    for error, procedure in zip(errors, ("device_read", "device_write", "device_read"), strict=True):
        assert isinstance(error, Vxi11Error)
        assert error.code == code
        assert f"{procedure}: {text} (VXI-11 error {code})" in str(error)
        assert "vxi::" in str(error)
        assert pickle.loads(pickle.dumps(error)).code == code
    assert answer == b"ACME\n"


@pytest.mark.parametrize(
    ("code", "text"), [(15, "I/O timeout (VXI-11 error 15)"), (11, "device locked by another link (VXI-11 error 11)")]
)
def test_timeouts_and_locks_are_timeouts(code: int, text: str) -> None:
    script: list[Step] = [IDENTIFY, (READ, f"{DONE} {code:08x} 00000000 00000000"), CLEAR, DESTROY]
    error, cleared = converse(script, identify, lambda device: device.open(None))
    assert isinstance(error, TimeoutError)
    assert text in str(error)
    assert cleared is None


def test_operation_not_supported() -> None:
    call = f"{CALL} 0000000e {NONE} {LINK} 00000001 {HOUR} {HOUR}"
    (error,) = converse([(call, f"{DONE} 00000008"), DESTROY], lambda device: device.trigger(None))
    assert isinstance(error, NotSupported)
    assert "device_trigger: operation not supported (VXI-11 error 8)" in str(error)


def test_a_link_that_is_refused() -> None:
    with peer([(CREATE[0], f"{DONE} 00000003 00000000 00000000 00000000")]) as instrument:
        device = connection(instrument.port)
        with pytest.raises(Vxi11Error, match=r"create_link: device not accessible .* of 'inst0'") as caught:
            run(device.open(None))
        assert caught.value.code == 3
        assert not device.connected()


# Answers that make no sense: the connection is given up, and the next call makes a new one and clears the device.

RECOVER: list[Step] = [CREATE, CLEAR, IDENTIFY, (READ, ANSWER), DESTROY]

NONSENSE = {
    "another xid": "00c0ffee 00000001 00000000 00000000 00000000 00000000 00000000 00000004 00000000",
    "a call instead of a reply": "XXXXXXXX 00000000 00000002 000607af 00000001 0000000b 00000000 00000000 00000000",
    "neither accepted nor denied": "XXXXXXXX 00000001 00000002 00000000",
    "denied without a reason": "XXXXXXXX 00000001 00000001 00000002 00000000",
    "no such status": "XXXXXXXX 00000001 00000000 00000000 00000000 00000006",
    "an endless verifier": "XXXXXXXX 00000001 00000000 00000000 00000191 00000000",
    "a verifier cut short": "XXXXXXXX 00000001 00000000 00000000 00000008 00000000",
    "nothing": "",
    "half an xid": "0000",
    "only an xid": "XXXXXXXX",
    "no status": "XXXXXXXX 00000001 00000000 00000000 00000000",
    "no error": DONE,
    "no reason": f"{DONE} 00000000",
    "no data": f"{DONE} 00000000 00000004",
    "less data than it says": f"{DONE} 00000000 00000004 00000008 41424344",
    "data without padding": f"{DONE} 00000000 00000004 00000005 4142434445",
    "more data than were asked for": f"{DONE} 00000000 00000004 00100001 41424344",
    "a negative length": f"{DONE} 00000000 00000004 ffffffff 41424344",
    "neither data nor a reason": f"{DONE} 00000000 00000000 00000000",
}


@pytest.mark.parametrize("reply", NONSENSE.values(), ids=NONSENSE.keys())
@pytest.mark.parametrize("send", [whole, in_fragments(3)])
def test_nonsense(reply: str, send: Sender) -> None:
    lost = reply not in (DONE, *(NONSENSE[name] for name in NONSENSE if NONSENSE[name].startswith(DONE)))
    first: list[Step] = [CREATE, IDENTIFY, (READ, reply)]
    scripts = [first, RECOVER] if lost else [[*first, *RECOVER[1:]]]
    with peer(*scripts, send=send) as instrument:
        device = connection(instrument.port)
        with pytest.raises(ProtocolError, match="vxi::"):
            run(identify(device))
        assert run(identify(device)) == b"ACME\n"
        run(device.close())


def endless(header: bytes, times: int) -> bytes:
    return header * times


@pytest.mark.parametrize(
    "wire",
    [
        b"\xff\xff\xff\xff",  # one fragment of 2**31 - 1 bytes
        b"\x7f\xff\xff\xff",
        b"\x80\x10\x02\x01",  # one byte too many: 2**20 of data and 512 around them
        b"\x00\x10\x02\x00" + bytes(2**20 + 512) + b"\x80\x00\x00\x01",
        endless(b"\x00\x00\x00\x00", 2**14 + 1),
        endless(b"\x00\x00\x00\x01A", 2**14 + 1),
    ],
    ids=["huge", "huge fragment", "too long", "too long in fragments", "empty fragments", "small fragments"],
)
def test_endless_records(wire: bytes) -> None:
    with peer([CREATE, IDENTIFY, (READ, wire)], RECOVER) as instrument:
        device = connection(instrument.port)
        with pytest.raises(LimitError):
            run(identify(device))
        assert run(identify(device)) == b"ACME\n"
        run(device.close())


def test_a_connection_that_ends_in_the_middle_of_a_reply() -> None:
    cut = bytes.fromhex("80000030 00000000 00000001")
    with peer([CREATE, IDENTIFY, (READ, cut)], RECOVER) as instrument:
        device = connection(instrument.port)
        thread_end = instrument.sockets
        with pytest.raises((EOFError, ConnectionError)):
            run(shut_after(device, thread_end))
        assert run(identify(device)) == b"ACME\n"
        run(device.close())


async def shut_after(device: Vxi11Connection, sockets: list[socket.socket]) -> bytes:
    """Query, and close the peer's side as soon as the half of its reply has gone."""
    import threading

    def shut() -> None:
        while not sockets:
            time.sleep(0.01)
        time.sleep(0.2)
        sockets[0].shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=shut)
    thread.start()
    try:
        return await device.query(b"*IDN?\n", None)
    finally:
        thread.join()


def test_no_answer_at_all_ends_at_the_deadline() -> None:
    """The connection is given up; a second one clears the device, then asks."""
    write = f"{CALL} 0000000b {NONE} {LINK} ???????? ???????? 00000009 00000006 2a49444e 3f0a0000"
    read = f"{CALL} 0000000c {NONE} {LINK} 00100000 ???????? ???????? 00000001 00000000"
    with peer([CREATE, (write, IDENTIFY[1]), (read, None)], RECOVER) as instrument:
        device = connection(instrument.port)
        with pytest.raises(TimeoutError, match=r"vxi::.*query timed out after 0.2 s: device_read was not answered"):
            run(device.query(b"*IDN?\n", 0.2))
        assert not device.connected()
        assert run(identify(device)) == b"ACME\n"
        run(device.close())


# The portmapper


def test_the_portmapper_says_where_the_instrument_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Program 100000 version 2, PMAPPROC_GETPORT (3): program, version, TCP (6), port 0; answered by the port."""
    asked = f"XXXXXXXX 00000000 00000002 000186a0 00000002 00000003 {NONE} 000607af 00000001 00000006 00000000"
    with peer([CREATE, IDENTIFY, (READ, ANSWER), DESTROY]) as instrument:
        with peer([(asked, f"{DONE} {instrument.port:08x}")]) as portmapper:
            monkeypatch.setattr("instruments.vxi11.rpc.portmapper.PORT", portmapper.port)
            device = Vxi11Connection(parse("TCPIP::127.0.0.1::inst0::INSTR"), runtime)  # type: ignore[arg-type]
            assert run(identify(device)) == b"ACME\n"
            run(device.close())


@pytest.mark.parametrize(("reply", "kind"), [("00000000", RpcError), ("00010000", ProtocolError), ("", ProtocolError)])
def test_a_portmapper_that_does_not_know(reply: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = f"XXXXXXXX 00000000 00000002 000186a0 00000002 00000003 {NONE} 000607af 00000001 00000006 00000000"
    with peer([(asked, f"{DONE} {reply}")]) as portmapper:
        monkeypatch.setattr("instruments.vxi11.rpc.portmapper.PORT", portmapper.port)
        device = Vxi11Connection(parse("TCPIP::127.0.0.1::inst0::INSTR"), runtime)  # type: ignore[arg-type]
        with pytest.raises(kind):
            run(device.open(None))


def test_no_portmapper(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr("instruments.vxi11.rpc.portmapper.PORT", server.getsockname()[1])
    device = Vxi11Connection(parse("TCPIP::127.0.0.1::inst0::INSTR"), runtime)  # type: ignore[arg-type]
    with pytest.raises(ConnectionRefusedError, match=r"no portmapper at port \d+ of 127\.0\.0\.1; .*vxi::127\.0\.0\.1"):
        run(device.open(None))


# The interrupt and the abort channel


def test_service_requests() -> None:
    """create_intr_chan (25) with our address and port; device_enable_srq (20); device_readstb (13), for a request that
    was made before; device_intr_srq (30) comes with the handle, its reply is not waited for; then device_readstb."""
    create = f"{CALL} 00000019 {NONE} 7f000001 0000???? 000607b1 00000001 00000000"
    enable = f"{CALL} 00000014 {NONE} {LINK} 00000001 00000008 ????????????????"
    readstb: Step = (f"{CALL} 0000000d {NONE} {LINK} 00000001 {HOUR} {HOUR}", f"{DONE} 00000000 00000060")
    nothing: Step = (readstb[0], f"{DONE} 00000000 00000030")
    destroy: Step = (f"{CALL} 0000001a {NONE}", f"{DONE} 00000000")
    made = [(create, f"{DONE} 00000000"), (enable, f"{DONE} 00000000")]
    script = [CREATE, IDENTIFY, (READ, ANSWER), *made, nothing, readstb, readstb, readstb]
    with peer([*script, destroy, DESTROY]) as instrument:
        device = connection(instrument.port)
        assert run(identify(device)) == b"ACME\n"

        def request() -> None:
            while len(instrument.calls) < 5:
                time.sleep(0.01)
            port = struct.unpack_from(">I", instrument.calls[3], 44)[0]
            handle = instrument.calls[4][52:].hex()
            call = f"00000007 00000000 00000002 000607b1 00000001 0000001e {NONE} 00000008 {handle}"
            wire = bytes.fromhex(f"{0x80000000 | 52:08x} {call}")
            with socket.create_connection(("127.0.0.1", port)) as interrupts:
                interrupts.sendall(wire[:20])
                time.sleep(0.05)
                interrupts.sendall(wire[20:])
                # xid, REPLY, MSG_ACCEPTED, AUTH_NONE verifier, SUCCESS, and void.
                expected = bytes.fromhex("80000018 00000007 00000001 00000000 00000000 00000000 00000000")
                received = interrupts.recv(28, socket.MSG_WAITALL)
                replies.append(received == expected)
                interrupts.sendall(wire * 2)
                # A handle that is not ours, another procedure, another program: no service requests.
                other = call.replace(handle, "0011223344556677")
                interrupts.sendall(bytes.fromhex(f"{0x80000000 | 52:08x} {other}"))
                unknown = call.replace("0000001e", "0000001f")
                interrupts.sendall(bytes.fromhex(f"{0x80000000 | 52:08x} {unknown}"))
                interrupts.recv(28 * 3, socket.MSG_WAITALL)
                refused = interrupts.recv(28, socket.MSG_WAITALL)
                replies.append(refused[-4:] == b"\0\0\0\3")  # PROC_UNAVAIL
                ended.wait(10)

        import threading

        replies: list[bool] = []
        ended = threading.Event()
        thread = threading.Thread(target=request)
        thread.start()
        try:
            statuses = [run(device.wait_for_service_request(None)) for _ in range(3)]
            with pytest.raises(TimeoutError, match=r"requested no service within 0\.2 s"):
                run(device.wait_for_service_request(0.2))
        finally:
            ended.set()
            thread.join()
        run(device.close())
    assert statuses == [0x60, 0x60, 0x60]
    assert replies == [True, True]


def test_a_busy_instrument_is_told_to_stop() -> None:
    """device_abort (1) of program 0x0607B0 on the port that create_link named, when the deadline passes unanswered."""
    abort = f"XXXXXXXX 00000000 00000002 000607b0 00000001 00000001 {NONE} {LINK}"
    read = f"{CALL} 0000000c {NONE} {LINK} 00100000 ???????? ???????? 00000001 00000000"
    with peer([(abort, f"{DONE} 00000000")]) as abort_channel:
        create: Step = (CREATE[0], f"{DONE} 00000000 {LINK} {abort_channel.port:08x} 00000400")
        with peer([create, (read, None)], RECOVER) as instrument:
            device = connection(instrument.port)
            with pytest.raises(TimeoutError):
                run(device.read(0.2))
            assert run(identify(device)) == b"ACME\n"
            run(device.close())


# What an instrument cannot do

#: Error 8, "operation not supported"; and PROC_UNAVAIL (3), from an instrument that does not even know the procedure.
REFUSALS = {"error 8": f"{DONE} 00000008", "PROC_UNAVAIL": DONE[:-1] + "3"}


@pytest.mark.parametrize("refusal", list(REFUSALS))
def test_an_instrument_that_cannot_be_cleared_gets_a_new_link(refusal: str) -> None:
    io_error = (READ, f"{DONE} 00000011 00000000 00000000")
    first = [CREATE, IDENTIFY, io_error, (CLEAR[0], REFUSALS[refusal]), DESTROY]
    second = [CREATE, IDENTIFY, (READ, ANSWER), IDENTIFY, (READ, ANSWER), DESTROY]
    with peer(first, second) as instrument:
        device = connection(instrument.port)
        with pytest.raises(Vxi11Error, match=r"device_read: I/O error \(VXI-11 error 17\)"):
            run(identify(device))
        assert run(identify(device)) == b"ACME\n"
        assert run(identify(device)) == b"ACME\n"
        run(device.close())


#: Generic arguments with any times: link, flags waitlock, two times.
ANY_TIMES = f"{LINK} 00000001 ???????? ????????"


@pytest.mark.parametrize("refusal", list(REFUSALS))
@pytest.mark.parametrize(
    ("call", "request_of_it"),
    [
        (lambda device: device.read_status_byte(5), f"{CALL} 0000000d {NONE} {ANY_TIMES}"),
        (lambda device: device.trigger(5), f"{CALL} 0000000e {NONE} {ANY_TIMES}"),
        (lambda device: device.clear(5), f"{CALL} 0000000f {NONE} {ANY_TIMES}"),
        (lambda device: device.remote(5), f"{CALL} 00000010 {NONE} {ANY_TIMES}"),
        (lambda device: device.local(5), f"{CALL} 00000011 {NONE} {ANY_TIMES}"),
        (lambda device: device.lock(5), f"{CALL} 00000012 {NONE} {LINK} 00000001 ????????"),
        (lambda device: device.unlock(5), f"{CALL} 00000013 {NONE} {LINK}"),
        (
            lambda device: device.wait_for_service_request(5),
            f"{CALL} 00000019 {NONE} 7f000001 0000???? 000607b1 00000001 00000000",
        ),
    ],
    ids=["read_status_byte", "trigger", "clear", "remote", "local", "lock", "unlock", "wait_for_service_request"],
)
def test_a_refusal_leaves_the_connection_in_step(
    call: Callable[[Vxi11Connection], Any], request_of_it: str, refusal: str
) -> None:
    """Nothing is cleared, so what was asked before the refusal can still be read after it."""
    script = [IDENTIFY, (request_of_it, REFUSALS[refusal]), (READ, ANSWER), DESTROY]
    outcomes = converse(script, lambda device: device.write(b"*IDN?\n", None), call, lambda device: device.read(None))
    assert isinstance(outcomes[1], (NotSupported, RpcError))
    assert outcomes[2] == b"ACME\n"


def test_a_lock_that_the_link_does_not_have_is_not_given_back() -> None:
    """device_unlock, 19, is answered by error 12 where the lock was that of a former link."""
    unlock: Step = (f"{CALL} 00000013 {NONE} {LINK}", f"{DONE} 0000000c")
    identify: list[Step] = [IDENTIFY, (READ, ANSWER)]
    outcomes = converse(
        [unlock, *identify, DESTROY],
        lambda device: device.unlock(5),  # not connected: nothing is done
        lambda device: device.open(None),
        lambda device: device.unlock(None),
        lambda device: device.query(b"*IDN?\n", None),
    )
    assert outcomes == [None, None, None, b"ACME\n"]


def test_distrust_clears_the_device_once() -> None:
    async def distrust(device: Vxi11Connection) -> None:
        device.distrust()

    identify: list[Step] = [IDENTIFY, (READ, ANSWER)]
    outcomes = converse(
        [*identify, CLEAR, *identify, *identify, DESTROY],
        lambda device: device.query(b"*IDN?\n", None),
        distrust,
        lambda device: device.query(b"*IDN?\n", None),
        lambda device: device.query(b"*IDN?\n", None),
    )
    assert outcomes == [b"ACME\n", None, b"ACME\n", b"ACME\n"]


def test_somebody_elses_lock_leaves_the_connection_in_step() -> None:
    locked = (f"{CALL} 00000012 {NONE} {LINK} 00000001 ????????", f"{DONE} 0000000b")
    script = [IDENTIFY, locked, (READ, ANSWER), DESTROY]
    outcomes = converse(
        script,
        lambda device: device.write(b"*IDN?\n", None),
        lambda device: device.lock(0.5),
        lambda device: device.read(None),
    )
    assert isinstance(outcomes[1], TimeoutError)
    assert "device locked by another link" in str(outcomes[1])
    assert outcomes[2] == b"ACME\n"


def test_what_comes_unasked_is_no_answer() -> None:
    came = threading.Event()

    def send(sock: socket.socket, record: bytes) -> None:
        whole(sock, record)
        if b"ACME" in record:
            whole(sock, record)  # once more
            came.set()

    def wait(device: Vxi11Connection) -> Any:
        async def look() -> bool:
            return came.wait(10)

        return look()

    script = [IDENTIFY, (READ, ANSWER), IDENTIFY, (READ, ANSWER), DESTROY]
    assert converse(script, identify, wait, identify, send=send) == [b"ACME\n", True, b"ACME\n"]
