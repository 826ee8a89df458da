from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockio.options import RFC2217, check_option
from sockio.resource import (
    SCHEMES,
    HostAddress,
    SerialAddress,
    UnixAddress,
    check_host,
    check_port,
    parse,
)

EXAMPLES = [
    ("tcp://192.168.1.20:5025", HostAddress("tcp", "192.168.1.20", 5025)),
    ("TCP://Lab-PC.local:5025/", HostAddress("tcp", "lab-pc.local", 5025)),
    ("tls://[fe80::1%25eth0]:1", HostAddress("tls", "fe80::1%eth0", 1)),
    ("tcp://[::1]:65535?timeout=2", HostAddress("tcp", "::1", 65535, {"timeout": 2})),
    ("tcp://h:1?quiet=0.05", HostAddress("tcp", "h", 1, {"quiet": 0.05})),
    (
        "tcp://h:1?connection_timeout=1e-3&eol=%0D%0A",
        HostAddress("tcp", "h", 1, {"connection_timeout": 1e-3, "eol": b"\r\n"}),
    ),
    (r"tcp://h:1?eol=\r\n", HostAddress("tcp", "h", 1, {"eol": b"\r\n"})),
    (r"tcp://h:1?eol=\x03\\%5C0%FF", HostAddress("tcp", "h", 1, {"eol": b"\x03\\\0\xff"})),
    ("unix:///run/instrument.sock", UnixAddress("/run/instrument.sock")),
    ("unix:///tmp/a%20b%3F%23?eol=;", UnixAddress("/tmp/a b?#", {"eol": b";"})),
    ("serial:///dev/ttyUSB0", SerialAddress("/dev/ttyUSB0")),
    ("serial://COM3?baudrate=115200", SerialAddress("COM3", {"baudrate": 115200})),
    (
        "serial:///dev/ttyUSB0?baudrate=9600&bytesize=7&parity=e&stopbits=1.5&xonxoff&rtscts=no",
        SerialAddress(
            "/dev/ttyUSB0",
            {
                "baudrate": 9600,
                "bytesize": 7,
                "parity": "E",
                "stopbits": 1.5,
                "xonxoff": True,
                "rtscts": False,
            },
        ),
    ),
    (
        "serial://?vid=0403&pid=6001&sn=A50285BI",
        SerialAddress(vid=0x0403, pid=0x6001, serial_number="A50285BI"),
    ),
    ("serial://?vid=0x10C4&stopbits=2", SerialAddress(None, {"stopbits": 2}, vid=0x10C4)),
    ("serial://?location=1-1.2:1.0", SerialAddress(location="1-1.2:1.0")),
    (
        "rfc2217://moxa:4001?baudrate=19200&ign_set_control&poll_modem&logging=debug&timeout=3",
        HostAddress(
            "rfc2217",
            "moxa",
            4001,
            {
                "baudrate": 19200,
                "ign_set_control": True,
                "poll_modem": True,
                "logging": "debug",
                "timeout": 3,
            },
        ),
    ),
]


@pytest.mark.parametrize(("url", "address"), EXAMPLES)
def test_examples(url, address):
    assert parse(url) == address
    assert parse(str(address)) == address
    assert hash(parse(url)) == hash(address)
    assert pickle.loads(pickle.dumps(address)) == copy.deepcopy(address) == address


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("tcp://HOST:05025/?timeout=2&", None),
        ("tcp://HOST:05025/?eol=\\n&timeout=2", "tcp://host:5025?timeout=2.0&eol=%0A"),
        (
            "serial://?sn=A50285BI&pid=6001&baudrate=9600&vid=403",
            "serial://?vid=0403&pid=6001&sn=A50285BI&baudrate=9600",
        ),
        (
            "rfc2217://h:1?rtscts=on&xonxoff=0&ign_set_control=true",
            "rfc2217://h:1?xonxoff=false&rtscts&ign_set_control",
        ),
        ("tcp://[FE80::1%25Eth0]:7", "tcp://[fe80::1%25Eth0]:7"),
    ],
)
def test_written_form(url, written):
    if written is None:
        with pytest.raises(ValueError, match="unknown option ''"):
            parse(url)
    else:
        assert str(parse(url)) == written


def test_fields():
    address = parse("tcp://[::1]:5025?eol=\\r&timeout=1")
    assert isinstance(address, HostAddress)
    assert (address.scheme, address.host, address.port) == ("tcp", "::1", 5025)
    assert address.options == {"timeout": 1.0, "eol": b"\r"}
    adapter = parse("serial://?vid=0403&sn=A1&parity=O")
    assert isinstance(adapter, SerialAddress)
    assert adapter.port is None
    assert adapter.identity == {"vid": 0x0403, "serial_number": "A1"}
    assert adapter.options == {"parity": "O"}
    assert repr(adapter) == "<SerialAddress serial://?vid=0403&sn=A1&parity=O>"


def test_address_cannot_be_changed():
    address = parse("tcp://h:1?timeout=1")
    with pytest.raises(AttributeError, match="cannot be changed"):
        address.scheme = "tls"
    with pytest.raises(AttributeError, match="cannot be changed"):
        del address.scheme
    address.options["timeout"] = 2
    assert address.options == {"timeout": 1.0}


def test_equal_by_value_in_sets():
    assert len({parse("tcp://h:1?timeout=1"), parse("tcp://H:1?timeout=1.0"), parse("tcp://h:1")}) == 2
    assert parse("tcp://h:1") != parse("tls://h:1")
    assert parse("tcp://h:1") != "tcp://h:1"


@pytest.mark.parametrize("url", ["", "host:5025", "udp://h:1", "tcp", "://h:1", "/dev/ttyUSB0"])
def test_unsupported_schemes_are_told_what_is(url):
    with pytest.raises(ValueError, match="supported: tcp://, tls://, unix://, serial://, rfc2217://"):
        parse(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("tcp://", "expected host:port"),
        ("tcp://host", "expected host:port"),
        ("tcp://host:", "expected host:port"),
        ("tcp://:5025", "expected host:port"),
        ("tcp://[::1]", "expected host:port"),
        ("tcp://[]:1", "only an IPv6 address has brackets"),
        ("tcp://[localhost]:1", "only an IPv6 address has brackets"),
        ("tcp://[::1:1", r"needs brackets"),
        ("tcp://::1:5025", r"needs brackets: \[::1\]:5025"),
        ("tcp://[::12345]:1", "host must be a name or an IP address"),
        ("tcp://[fe80::1%25]:1", "host must be a name or an IP address"),
        ("tcp://host:0", "port must be an integer from 1 to 65535, got 0"),
        ("tcp://host:70000", "port must be an integer from 1 to 65535, got 70000"),
        ("tcp://host:-1", "port must be an integer from 1 to 65535, got '-1'"),
        ("tcp://host:http", "port must be an integer from 1 to 65535, got 'http'"),
        ("tcp://host:\u0661", "port must be an integer"),
        ("tcp://user:secret@host:1", "user names and passwords are not supported"),
        ("tcp://ho%20st:1", "host must be a name or an IP address"),
        ("tcp://ho st:1", "spaces, control characters"),
        ("tcp://host:1\n", "spaces, control characters"),
        ("tcp://host:1#top", "spaces, control characters and '#'"),
        ("tcp://host:1/path", "nothing after the port, got '/path'"),
        (
            "tcp://host:1?baudrate=9600",
            "unknown option 'baudrate', allowed are timeout, connection_timeout, quiet, eol",
        ),
        ("tcp://host:1?timeout=1&timeout=2", "option 'timeout' is given twice"),
        ("tcp://host:1?timeout", "timeout must be a number of seconds, 0 or more, got ''"),
        ("tcp://host:1?timeout=-1", "timeout must be a number of seconds, 0 or more, got '-1'"),
        ("tcp://host:1?timeout=nan", "timeout must be a number of seconds"),
        ("tcp://host:1?timeout=1e999", "timeout must be a number of seconds"),
        ("tcp://host:1?eol=", "eol must be at least one byte"),
        ("tcp://host:1?eol=\\q", "eol must be at least one byte, such as"),
        ("tcp://host:1?eol=\\", "eol must be at least one byte, such as"),
        ("unix://run/name", "an absolute path after unix://"),
        ("unix://", "the absolute path of a socket"),
        ("unix:///", "the absolute path of a socket"),
        ("unix:///a%00b", "the absolute path of a socket"),
        ("serial://", "expected a port, such as /dev/ttyUSB0, or vid="),
        ("serial:///dev/", "expected a port, such as /dev/ttyUSB0, or vid="),
        ("serial://dev/ttyUSB0", "as in serial:///dev/ttyUSB0 or serial://COM3, got 'dev/ttyUSB0'"),
        ("serial:///dev/ttyUSB0?vid=0403", "got both"),
        ("serial://?pid=6001", "needs vid"),
        (
            "serial://?vid=0403g",
            "vid must be a hexadecimal number of up to four digits, such as 0403, got '0403g'",
        ),
        ("serial://?vid=10403", "vid must be a hexadecimal number"),
        ("serial://?sn=", "sn must be some text"),
        ("serial://COM3?baudrate=0", "baudrate must be an integer from 1 to 4294967295, got '0'"),
        ("serial://COM3?baudrate=9_600", "baudrate must be an integer"),
        ("serial://COM3?bytesize=9", "bytesize must be one of 5, 6, 7, 8, got '9'"),
        ("serial://COM3?parity=X", "parity must be one of N, E, O, M, S, got 'X'"),
        ("serial://COM3?stopbits=3", "stopbits must be one of 1, 1.5, 2, got '3'"),
        ("serial://COM3?xonxoff=maybe", "xonxoff must be true or false, got 'maybe'"),
        ("serial://COM3?poll_modem", "unknown option 'poll_modem'"),
        ("rfc2217://host:1?logging=loud", "logging must be one of debug, info, warning, error, got 'loud'"),
    ],
)
def test_what_is_wrong_is_said(url, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse(url)
    assert repr(url) in str(caught.value)


def test_only_text_is_parsed():
    with pytest.raises(TypeError, match="must be a str, got bytes"):
        parse(b"tcp://host:1")  # type: ignore[arg-type]


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_impossible_ports(port):
    with pytest.raises(ValueError, match=f"from 1 to 65535, got {port}"):
        check_port(port)


@pytest.mark.parametrize("port", ["5025", True, 1.0, None])
def test_ports_that_are_no_int(port):
    with pytest.raises(TypeError, match="port must be an int from 1 to 65535"):
        check_port(port)


@pytest.mark.parametrize("host", ["localhost", "a_b-c.example", "127.0.0.1", "::1", "fe80::1%eth0", "münchen.example"])
def test_hosts(host):
    assert check_host(host) == host


@pytest.mark.parametrize(
    "host", ["", " ", "a b", "[::1]", "host:5025", "::1%", "tcp://host", "user@host", "a\nb", "a%b"]
)
def test_impossible_hosts(host):
    with pytest.raises(ValueError, match="host must be a name or an IP address"):
        check_host(host)


@pytest.mark.parametrize("host", [None, b"localhost", 1])
def test_hosts_that_are_no_text(host):
    with pytest.raises(TypeError, match="host must be a str"):
        check_host(host)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("parity", "X", "parity must be one of N, E, O, M, S, got 'X'"),
        ("bytesize", True, "bytesize must be one of 5, 6, 7, 8, got True"),
        ("stopbits", True, "stopbits must be one of"),
        ("baudrate", 9600.0, "baudrate must be an integer"),
        ("timeout", "1", "timeout must be a number of seconds, 0 or more, got '1'"),
        ("timeout", float("nan"), "timeout must be a number of seconds, 0 or more, got nan"),
        ("eol", "\n", "eol must be at least one byte"),
        ("eol", b"", "eol must be at least one byte"),
        ("rtscts", 1, "rtscts must be true or false, got 1"),
    ],
)
def test_options_given_as_values(name, value, message):
    with pytest.raises(ValueError, match=message):
        check_option(name, value)
    with pytest.raises(ValueError, match=message):
        HostAddress("rfc2217", "host", 1, {name: value})


def test_unknown_option_given_as_value():
    with pytest.raises(ValueError, match="unknown option 'parity', tcp:// has timeout"):
        HostAddress("tcp", "host", 1, {"parity": "E"})


NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
SECONDS = st.floats(min_value=0, allow_infinity=False, allow_nan=False) | st.integers(0, 10**6)
VALUES = {
    "timeout": SECONDS,
    "connection_timeout": SECONDS,
    "quiet": SECONDS,
    "eol": st.binary(min_size=1),
    "baudrate": st.integers(1, 2**32 - 1),
    "bytesize": st.sampled_from([5, 6, 7, 8]),
    "parity": st.sampled_from("NEOMS"),
    "stopbits": st.sampled_from([1, 1.5, 2]),
    "xonxoff": st.booleans(),
    "rtscts": st.booleans(),
    "ign_set_control": st.booleans(),
    "poll_modem": st.booleans(),
    "logging": st.sampled_from(["debug", "info", "warning", "error"]),
}


def options(scheme):
    return st.fixed_dictionaries({}, optional={name: VALUES[name] for name in SCHEMES[scheme][1]})


HOSTS = (
    st.from_regex(r"[A-Za-z0-9_.\-]{1,30}", fullmatch=True)
    | st.ip_addresses().map(str)
    | st.from_regex(r"fe80::[0-9a-f]{1,4}%[a-zA-Z0-9.]{1,8}", fullmatch=True)
)
ADDRESSES = st.one_of(
    st.sampled_from(["tcp", "tls", "rfc2217"]).flatmap(
        lambda scheme: st.builds(HostAddress, st.just(scheme), HOSTS, st.integers(1, 65535), options(scheme))
    ),
    st.builds(UnixAddress, NAMES.map(lambda name: f"/{name}_"), options("unix")),
    st.builds(SerialAddress, NAMES.map(lambda name: f"/dev/{name}_"), options("serial")),
    st.builds(
        SerialAddress,
        st.none(),
        options("serial"),
        vid=st.integers(0, 0xFFFF),
        pid=st.none() | st.integers(0, 0xFFFF),
        serial_number=st.none() | NAMES,
        location=st.none() | NAMES,
    ),
)


def test_every_option_is_drawn():
    assert set(VALUES) == set(RFC2217)


@given(ADDRESSES)
def test_written_and_read_again(address):
    assert parse(str(address)) == address
    assert str(parse(str(address))) == str(address)


@given(st.sampled_from(list(SCHEMES)), st.text(st.sampled_from("ab1:/?&=[]%@\\ .\n#\xe9")) | st.text())
def test_any_text_is_an_address_or_a_value_error(scheme, rest):
    try:
        address = parse(f"{scheme}://{rest}")
    except ValueError:
        return
    assert parse(str(address)) == address
