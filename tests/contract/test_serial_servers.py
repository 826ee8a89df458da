"""Serial lines behind ser2net: RFC 2217, and a raw TCP port, where a late answer crosses a reconnection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.faults_serial import SER2NET, SOCAT, Line, Ser2net, make
from tests.contract.flavours import Flavour
from tests.ports import free_port

pytestmark = [
    pytest.mark.skipif(SOCAT is None or SER2NET is None, reason="no socat or no ser2net"),
    pytest.mark.needs("serial"),
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial's own
]


class Lab:
    """Two lines behind one server."""

    def __init__(self, folder: Path) -> None:
        self.raw_line = Line(folder, "raw")
        self.rfc2217_line = Line(folder, "rfc2217")
        self.server = Ser2net(folder, self.raw_line.port, self.rfc2217_line.port)
        # A pty has no modem lines, so the server cannot tell about them.
        self.url = f"rfc2217://127.0.0.1:{self.server.rfc2217}?ign_set_control"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.server.kill()
    lab.raw_line.close()
    lab.rfc2217_line.close()


async def test_request_and_reply_late_answer_and_close(flavour: Flavour, lab: Lab) -> None:
    serial = make(flavour, "Serial", lab.url, 19200, timeout=10, quiet=0.2)
    for number in range(5):
        assert await serial.write_readline(b"echo %d\n" % number) == b"%d\n" % number
    assert serial.connected()
    assert serial.connection_counter == 1
    assert await serial.write_readline(b"echo \xff\xff \xfa\n") == b"\xff\xff \xfa\n"  # telnet's own bytes
    with pytest.raises(TimeoutError, match=r"timed out after 0.05 s"):
        await serial.write_readline(b"wait 0.15 late\n", timeout=0.05)
    assert await serial.write_readline(b"echo next\n") == b"next\n"
    assert serial.connection_counter == 2
    reading = flavour.start(serial.readline, timeout=None)
    await flavour.waiting(serial, 1)
    await flavour.sleep(0.1)
    await serial.close()
    assert isinstance(await flavour.error(reading), ConnectionAbortedError)
    assert not serial.connected()


async def test_server_is_killed(flavour: Flavour, lab: Lab) -> None:
    serial = make(flavour, "Serial", lab.url, timeout=10)
    assert await serial.write_readline(b"echo here\n") == b"here\n"
    reading = flavour.start(serial.readline, timeout=None)
    await flavour.waiting(serial, 1)
    await flavour.sleep(0.1)
    await flavour.call(lab.server.kill)
    error = await flavour.error(reading)
    assert isinstance(error, OSError), repr(error)
    assert not isinstance(error, TimeoutError), repr(error)
    assert not serial.connected()
    with pytest.raises(OSError, match=f":{lab.server.rfc2217}"):
        await serial.write_readline(b"echo gone\n", timeout=5)
    await flavour.call(lab.server.start)
    assert await serial.write_readline(b"echo back\n") == b"back\n"


async def test_nobody_listens(flavour: Flavour) -> None:
    serial = make(flavour, "Serial", f"rfc2217://127.0.0.1:{free_port()}")
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await serial.open()


async def test_without_quiet_a_late_answer_crosses_the_reconnection(flavour: Flavour, lab: Lab) -> None:
    """It is not the socket that answers: what comes out of the serial line goes to whoever is connected then."""
    stream = make(flavour, "TCP", "127.0.0.1", lab.server.raw)
    with pytest.raises(TimeoutError):
        await stream.write_readline(b"wait 0.15 late\n", timeout=0.03)
    assert await stream.write_readline(b"echo next\n", timeout=5) == b"late\n"
    assert await stream.readline(timeout=5) == b"next\n"


async def test_with_quiet_it_never_does(flavour: Flavour, lab: Lab) -> None:
    stream = make(flavour, "TCP", "127.0.0.1", lab.server.raw, quiet=0.15)
    for number in range(2):
        with pytest.raises(TimeoutError):
            await stream.write_readline(b"wait 0.08 late\n", timeout=0.03)
        assert await stream.write_readline(b"echo %d\n" % number, timeout=5) == b"%d\n" % number
    by_url = flavour.socket_for_url(f"tcp://127.0.0.1:{lab.server.raw}?quiet=0.15")
    await stream.close()
    with pytest.raises(TimeoutError):
        await by_url.write_readline(b"wait 0.08 late\n", timeout=0.03)
    assert await by_url.write_readline(b"echo next\n", timeout=5) == b"next\n"
