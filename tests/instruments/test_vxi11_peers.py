"""VXI-11 against parts that we did not write: python-vxi11, pyvisa-py, lxi-tools, and rpcbind as the portmapper.

python-vxi11 brings the XDR of both sides and an RPC server, so our client meets an instrument made of these as well.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments.vxi11 import RpcError, Vxi11Connection, Vxi11Error
from sockio.resource import parse
from sockio.runtimes.blocking import run, runtime
from tests.ports import free_port

from .conftest import serve
from .vxi11_device import pattern

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    transport = {"url": f"127.0.0.1:{port}", "protocol": "vxi11", "max_receive_size": 1024}
    device = {"class": "Echo", "package": "tests.instruments.vxi11_device", "name": "echo", "transports": [transport]}
    with serve({"devices": [device]}, tmp_path_factory.mktemp("vxi11"), port):
        yield port


def import_quietly(name: str) -> Any:
    """Import a module, or skip. python-vxi11 imports xdrlib, which is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, exc_type=ImportError)


# python-vxi11


@pytest.fixture
def vxi11() -> Any:
    return import_quietly("vxi11.vxi11")


@pytest.fixture
def theirs(vxi11: Any, port: int) -> Iterator[Any]:
    device = instrument_of(vxi11, port)
    yield device
    device.close()


def instrument_of(vxi11: Any, port: int) -> Any:
    """Return a python-vxi11 instrument that goes round the portmapper."""
    device = vxi11.Instrument("127.0.0.1")
    device.client = vxi11.CoreClient("127.0.0.1", port)
    device.open()
    return device


def test_python_vxi11_asks(theirs: Any) -> None:
    assert theirs.ask("*IDN?") == "sockio,echo,0,1.0"
    for size in (1, 2, 3, 1023, 1024, 1025, 100_000):
        assert theirs.ask("ECHO? " + "a" * size) == "a" * size
    assert theirs.ask_raw(b"FILL? 3000000") == pattern(3_000_000)
    theirs.write("FILL? 10")
    assert theirs.read_raw(4) == pattern(10)[:4]
    assert theirs.read_raw() == pattern(10)[4:]


def test_python_vxi11_ends_at_its_termination_character(vxi11: Any, theirs: Any) -> None:
    theirs.write("ECHO? one;two")
    theirs.term_char = ";"
    error, reason, data = theirs.client.device_read(theirs.link, 100, 1000, 1000, 0x80, ord(";"))
    assert (error, reason, data) == (0, 2, b"one;")
    error, reason, data = theirs.client.device_read(theirs.link, 4, 1000, 1000, 0x80, ord(";"))
    assert (error, reason, data) == (0, 5, b"two\n")


def test_python_vxi11_times_out_clears_and_reads_status(vxi11: Any, theirs: Any) -> None:
    theirs.timeout = 0.2
    theirs.write("WAIT? 0.4,late")
    with pytest.raises(vxi11.Vxi11Exception, match="IO timeout"):
        theirs.read()
    theirs.clear()
    assert theirs.ask("ECHO? 1") == "1"
    theirs.write("*CLS;*SRE 16")
    theirs.write("ECHO? 2")
    deadline = time.monotonic() + 10
    while theirs.read_stb() & 0x50 != 0x50 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert theirs.read() == "2"
    theirs.write("*SRE 0")
    theirs.trigger()
    theirs.remote()
    theirs.local()


def test_python_vxi11_locks(vxi11: Any, theirs: Any, port: int) -> None:
    other = instrument_of(vxi11, port)
    other.lock_timeout = 0.2
    theirs.lock()
    with pytest.raises(vxi11.Vxi11Exception, match="locked by another link"):
        other.lock()
    with pytest.raises(vxi11.Vxi11Exception, match="locked by another link"):
        other.ask("ECHO? 1")
    theirs.unlock()
    with pytest.raises(vxi11.Vxi11Exception, match="No lock held"):
        theirs.unlock()
    other.lock()
    assert other.ask("ECHO? 2") == "2"
    # A link that goes takes its lock along; so do ours wait for theirs.
    ours = Vxi11Connection(parse(f"vxi::127.0.0.1:{port}"), runtime)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError, match="locked by another link"):
        run(ours.query(b"ECHO? 3\n", 0.2))
    other.close()
    assert run(ours.query(b"ECHO? 4\n", 5)) == b"4\n"
    run(ours.close())


def test_python_vxi11_aborts(vxi11: Any, theirs: Any) -> None:
    theirs.timeout = 20
    theirs.write("WAIT? 30,never")
    timer = threading.Timer(0.2, theirs.abort)
    timer.start()
    with pytest.raises(vxi11.Vxi11Exception, match="Abort"):
        theirs.read()
    timer.join()
    theirs.abort_client.close()
    theirs.clear()


def test_python_vxi11_is_refused(vxi11: Any, theirs: Any) -> None:
    client = theirs.client
    assert client.device_read(theirs.link + 1000, 10, 0, 0, 0, 0)[0] == 4
    assert client.device_write(theirs.link, 0, 0, 8, b"x" * 1025)[0] == 5
    assert client.device_docmd(theirs.link, 0, 0, 0, 1, 1, 1, b"")[0] == 8
    assert client.create_link(1, 0, 0, b"inst9")[0] == 3
    assert client.destroy_intr_chan() == 6
    assert client.create_intr_chan(0x7F000001, free_port(), 0x0607B1, 1, 0) == 6
    with pytest.raises(Exception, match=r"PROC_UNAVAIL|call failed"):
        client.make_call(99, None, None, None)


def test_python_vxi11_is_called_for_service(vxi11: Any, theirs: Any) -> None:
    rpc = import_quietly("vxi11.rpc")
    handles: list[bytes] = []

    class Interrupts(rpc.TCPServer):  # type: ignore[misc]
        def addpackers(self) -> None:
            self.packer = vxi11.Packer()
            self.unpacker = vxi11.Unpacker("")

        def handle_30(self) -> None:
            handles.append(self.unpacker.unpack_device_srq_params())
            self.turn_around()

    server = Interrupts("127.0.0.1", 0x0607B1, 1, 0)
    server.sock.listen(1)

    def session() -> None:
        connection = server.sock.accept()
        with connection[0]:
            server.session(connection)

    thread = threading.Thread(target=session)
    thread.start()
    client = theirs.client
    assert client.create_intr_chan(0x7F000001, server.port, 0x0607B1, 1, 0) == 0
    assert client.create_intr_chan(0x7F000001, server.port, 0x0607B1, 1, 0) == 29
    assert client.device_enable_srq(theirs.link, 1, b"a handle") == 0
    theirs.write("*CLS;*ESE 1;*SRE 32")
    for number in range(3):
        theirs.write("*OPC")
        deadline = time.monotonic() + 10
        while len(handles) <= number and time.monotonic() < deadline:
            time.sleep(0.01)
        assert handles == [b"a handle"] * (number + 1)
        assert theirs.ask("*ESR?") == "1"
    assert client.device_enable_srq(theirs.link, 0, b"") == 0
    theirs.write("*OPC")
    assert theirs.ask("*ESR?") == "1"
    theirs.write("*SRE 0")
    assert client.destroy_intr_chan() == 0
    thread.join(10)
    server.sock.close()
    assert handles == [b"a handle"] * 3


@pytest.fixture
def foreign_instrument(vxi11: Any) -> Iterator[Any]:
    """An instrument made of python-vxi11's RPC server and XDR: echoes, at most 10 bytes a read, 100 a write."""
    rpc = import_quietly("vxi11.rpc")

    class Instrument(rpc.TCPServer):  # type: ignore[misc]
        message = b""
        response = b""
        requests = None

        def addpackers(self) -> None:
            self.packer = vxi11.Packer()
            self.unpacker = vxi11.Unpacker("")

        def handle_10(self) -> None:
            _, lock, _, name = self.unpacker.unpack_create_link_parms()
            self.turn_around()
            code = 0 if (lock, name) == (False, b"inst0") else 3
            self.packer.pack_create_link_resp((code, 77, 0, 100))

        def handle_11(self) -> None:
            _, _, _, flags, data = self.unpacker.unpack_device_write_parms()
            self.turn_around()
            self.message += data
            if flags & 8:
                self.response, self.message = self.message, b""
            self.packer.pack_device_write_resp((0, len(data)))

        def handle_12(self) -> None:
            _, size, io_timeout, _, flags, _ = self.unpacker.unpack_device_read_parms()
            self.turn_around()
            assert flags == 1
            if not self.response:
                time.sleep(io_timeout / 1000)
                self.packer.pack_device_read_resp((15, 0, b""))
                return
            data, self.response = self.response[: min(size, 10)], self.response[min(size, 10) :]
            self.packer.pack_device_read_resp((0, 0 if self.response else 4, data))

        def handle_13(self) -> None:
            self.unpacker.unpack_device_generic_parms()
            self.turn_around()
            self.packer.pack_device_read_stb_resp((0, 0x42))

        def handle_15(self) -> None:
            self.unpacker.unpack_device_generic_parms()
            self.turn_around()
            self.message = self.response = b""
            self.packer.pack_device_error(0)

        def handle_18(self) -> None:
            self.unpacker.unpack_device_lock_parms()
            self.turn_around()
            self.packer.pack_device_error(0)

        def handle_20(self) -> None:
            _, enable, handle = self.unpacker.unpack_device_enable_srq_parms()
            self.turn_around()
            assert enable
            # python-vxi11 has no client of the interrupt program: its generic one, made for it.
            self.requests.make_call(30, handle, self.requests.packer.pack_opaque, None)
            self.packer.pack_device_error(0)

        def handle_22(self) -> None:
            *_, data = self.unpacker.unpack_device_docmd_parms()
            self.turn_around()
            self.packer.pack_device_docmd_resp((0, data[::-1]))

        def handle_23(self) -> None:
            self.unpacker.unpack_device_link()
            self.turn_around()
            self.packer.pack_device_error(0)

        def handle_25(self) -> None:
            host, port, program, version, family = self.unpacker.unpack_device_remote_func_parms()
            self.turn_around()
            assert family == 0
            self.requests = rpc.RawTCPClient(socket.inet_ntoa(host.to_bytes(4, "big")), program, version, port)
            self.requests.packer, self.requests.unpacker = rpc.Packer(), rpc.Unpacker("")
            self.packer.pack_device_error(0)

        def handle_26(self) -> None:
            self.turn_around()
            self.requests.close()
            self.packer.pack_device_error(0)

    server = Instrument("127.0.0.1", 0x0607AF, 1, 0)
    server.sock.listen(1)

    def session() -> None:
        connection = server.sock.accept()
        with connection[0]:
            server.session(connection)

    thread = threading.Thread(target=session)
    thread.start()
    yield server
    thread.join(10)
    server.sock.close()


def test_an_instrument_of_python_vxi11(foreign_instrument: Any) -> None:
    ours = Vxi11Connection(parse(f"vxi::127.0.0.1:{foreign_instrument.port}"), runtime)  # type: ignore[arg-type]
    for size in (1, 9, 10, 11, 99, 100, 101, 1003):
        assert run(ours.query(pattern(size), 5)) == pattern(size)
    assert run(ours.read_status_byte(5)) == 0x42
    run(ours.lock(5))
    assert run(ours.docmd(5, b"abcde", 5)) == b"edcba"
    with pytest.raises(TimeoutError, match="I/O timeout"):
        run(ours.read(0.2))
    assert run(ours.query(b"next", 5)) == b"next"
    with pytest.raises(RpcError, match="PROC_UNAVAIL"):
        run(ours.trigger(5))
    assert run(ours.wait_for_service_request(5)) == 0x42
    run(ours.close())


def test_a_device_that_python_vxi11_does_not_have(foreign_instrument: Any) -> None:
    address = parse(f"vxi::127.0.0.1:{foreign_instrument.port}::inst1")
    ours = Vxi11Connection(address, runtime)  # type: ignore[arg-type]
    with pytest.raises(Vxi11Error, match="device not accessible"):
        run(ours.open(5))


# pyvisa-py


@pytest.fixture
def visa(port: int) -> Iterator[Any]:
    pyvisa = import_quietly("pyvisa")
    import_quietly("pyvisa_py")
    manager = pyvisa.ResourceManager("@py")
    resource = manager.open_resource(f"TCPIP::127.0.0.1,{port}::inst0::INSTR")
    resource.timeout = 5000
    yield resource
    resource.close()
    manager.close()


def test_pyvisa_asks(visa: Any) -> None:
    assert visa.query("*IDN?").rstrip() == "sockio,echo,0,1.0"
    for size in (1, 2, 3, 1023, 1024, 1025, 100_000):
        assert visa.query("ECHO? " + "a" * size).rstrip() == "a" * size
    visa.write("FILL? 3000000")
    assert visa.read_raw() == pattern(3_000_000)
    assert bytes(visa.query_binary_values("BLOCK? 100000", "B", container=bytes)) == pattern(100_000)


def test_pyvisa_times_out_clears_triggers_and_reads_status(visa: Any) -> None:
    import pyvisa

    visa.timeout = 200
    visa.write("WAIT? 0.4,late")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        visa.read()
    visa.clear()
    visa.timeout = 5000
    assert visa.query("ECHO? 1").rstrip() == "1"
    visa.write("*CLS;*SRE 16")
    visa.write("ECHO? 2")
    deadline = time.monotonic() + 10
    while visa.read_stb() & 0x50 != 0x50 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert visa.read().rstrip() == "2"
    visa.write("*SRE 0")
    visa.assert_trigger()


def test_pyvisa_locks(visa: Any, port: int) -> None:
    ours = Vxi11Connection(parse(f"vxi::127.0.0.1:{port}"), runtime)  # type: ignore[arg-type]
    visa.lock_excl()
    with pytest.raises(TimeoutError, match="locked by another link"):
        run(ours.query(b"ECHO? 1\n", 0.2))
    visa.unlock()
    assert run(ours.query(b"ECHO? 2\n", 5)) == b"2\n"
    run(ours.close())


# lxi-tools and rpcbind


def in_namespace(*command: str) -> list[str]:
    """Return a command that runs in a network of its own, in which there is nobody but this machine."""
    setup = 'ip link set lo up && mount -t tmpfs none /run && exec "$@"'
    return ["unshare", "-n", "-m", "bash", "-c", setup, "namespace", *command]


@pytest.fixture
def namespace() -> tuple[str, str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    rpcbind, lxi = shutil.which("rpcbind", path=path), shutil.which("lxi", path=path)
    if rpcbind is None or lxi is None:
        pytest.skip("needs rpcbind and lxi-tools (Debian packages)")
    if shutil.which("unshare") is None or subprocess.run(in_namespace("true"), capture_output=True).returncode:
        pytest.skip("may not make a network namespace")
    return rpcbind, lxi


def test_lxi_finds_the_instrument_by_the_portmapper(namespace: tuple[str, str], tmp_path: Path) -> None:
    command = in_namespace(sys.executable, "-m", "tests.instruments.vxi11_namespace", *namespace, str(tmp_path))
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=50, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert "knows no DEVICE_CORE" in answers["before"]
    assert answers["sockio"] == answers["after"] == "sockio,echo,0,1.0\n"
    assert answers["python-vxi11"] in ("sockio,echo,0,1.0", None)
    assert answers["lxi"].strip() == "sockio,echo,0,1.0"
    assert answers["lxi long"].strip() == "x" * 400
    assert "requests/second" in answers["lxi benchmark"]
    assert "late" not in answers["lxi without an answer"]
