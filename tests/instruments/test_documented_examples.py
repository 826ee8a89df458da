"""Examples that users know run as they are written, with nothing but the import changed, on every flavour."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

#: What users of a service for instruments have in their programs: a text, and what it prints.
EXAMPLES = {
    "connections": (
        """\
from comsrv import ComSrv

comsrv = ComSrv()

# drop a specific instrument
await comsrv.drop('vxi::192.168.1.20')

# drop all instrument
await comsrv.drop_all()

# list all currently connected instruments
await comsrv.list_instruments()

# shutdown the communication server
await comsrv.shutdown()
""",
        [],
    ),
    "scpi": (
        """\
from comsrv import ScpiPipe
from scpi import Instrument

vxi_instr = Instrument(ScpiPipe('vxi::192.168.1.12'))
visa_instr = Instrument(ScpiPipe('tcpip::192.168.1.12::instr'))
prologix_instr = Instrument('prologix::COM3::10')  # note that, if ScpiPipe() is skipped, it is treated as default

print(await vxi_instr.identifier())  # prints the result of *IDN?
""",
        ["sockio,multimeter,M1,1.0"],
    ),
    "scpi over byte streams": (
        """\
from comsrv import SerialScpiPipe
from scpi import Instrument

tcp_instr = Instrument(SerialScpiPipe('tcp::192.168.1.12:123'))
# ... or ...
serial_instr = Instrument(SerialScpiPipe('serial::COM1::9600::8N1', term='\\r'))
""",
        [],
    ),
    "locks": (
        """\
from comsrv import ByteStreamPipe

pipe = ByteStreamPipe('tcp:1.2.3.4:1234')

print(pipe.lock_time)  # prints the default lock time, which is 1s
pipe.lock_time = 10.0  # sets the lock time to 10s

await pipe.lock()  # locks the pipe for 10s, as set above
await pipe.unlock()  # release acquired lock

async with pipe:  # the pipe is locked here
    print(pipe.locked)  # prints True
    # the pipe is unlocked here
print(pipe.locked)  # prints False
""",
        ["1.0", "True", "False"],
    ),
}

#: The same names in use: every instrument above is asked, and dropped.
EXAMPLES["all of them answer"] = (
    EXAMPLES["scpi"][0]
    + EXAMPLES["scpi over byte streams"][0]
    + """\
from comsrv import ByteStreamPipe, ComSrv

for instrument in (visa_instr, prologix_instr, tcp_instr, serial_instr):
    print(await instrument.identifier())
pipe = ByteStreamPipe('tcp:1.2.3.4:1234')
await pipe.lock(timeout=2.0)
print(await pipe.query_line('*IDN?'))
await pipe.unlock()
for instrument in await ComSrv().list_instruments():
    print(instrument)
await ComSrv().drop('vxi::192.168.1.12')
print(len(await ComSrv().list_connected_instruments()))
await ComSrv().shutdown()
print(await ComSrv().list_instruments())
print(await vxi_instr.identifier())
await ComSrv().drop_all()
""",
    [
        "sockio,multimeter,M1,1.0",
        "sockio,multimeter,M1,1.0",
        "sockio,multimeter,M1,1.0",
        "sockio,multimeter,M1,1.0",
        "ACME,serial,1,1.0",
        "sockio,multimeter,M1,1.0",
        "serial://COM1",
        "serial://COM3",
        "tcp://1.2.3.4:1234",
        "tcp://192.168.1.12:123",
        "vxi::192.168.1.12",
        "4",
        "[]",
        "sockio,multimeter,M1,1.0",
    ],
)

FLAVOURS = ["asyncio", "trio", "blocking"]


def imported_from_here(text: str, flavour: str) -> str:
    """Return an example with its imports changed, and where calls block without what is written to wait."""
    package = "instruments.sio" if flavour == "blocking" else "instruments"
    text = text.replace("from comsrv import", f"from {package} import")
    text = text.replace("from scpi import", f"from {package}.scpi import")
    return re.sub(r"\b(await|async) ", "", text) if flavour == "blocking" else text


def snippets(document: str) -> list[str]:
    """Return the blocks of Python in a document."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)


#: What documents say, all of it in the order in which it is read; of the README what is about resource strings.
DOCUMENTS = {
    "docs/scpi.md": "\n".join(snippets("docs/scpi.md")),
    "README.md": "\n".join(block for block in snippets("README.md") if "from instruments.sio.scpi" in block),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """What the examples have printed, by name and flavour."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = [name for name in ("unshare", "ip", "rpcbind", "rpcinfo") if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian packages util-linux, iproute2 and rpcbind)")
    setup = 'ip link set lo up && mount -t tmpfs none /run && exec "$@"'
    isolated = ["unshare", "-n", "-m", "bash", "-c", setup, "isolated"]
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    if subprocess.run([*isolated, "true"], capture_output=True, env=environment).returncode:
        pytest.skip("may not make a network namespace")
    runs = [
        (name, flavour, imported_from_here(text, flavour))
        for name, (text, _) in EXAMPLES.items()
        for flavour in FLAVOURS
    ]
    runs += [(name, "blocking", text) for name, text in DOCUMENTS.items()]
    done = subprocess.run(
        [
            *[*isolated, sys.executable, "-W", "error", "-m", "tests.instruments.documented_namespace"],
            *["rpcbind", str(tmp_path_factory.mktemp("examples"))],
        ],
        input=json.dumps([{"flavour": flavour, "code": code} for _, flavour, code in runs]),
        capture_output=True,
        text=True,
        timeout=55,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, "nothing is left open"
    answers = json.loads(done.stdout.splitlines()[-1])
    return {(name, flavour): answer for (name, flavour, _), answer in zip(runs, answers, strict=True)}


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(results: dict[tuple[str, str], dict[str, Any]], name: str, flavour: str) -> None:
    result = results[name, flavour]
    assert result["error"] is None, result["error"]
    assert result["printed"] == EXAMPLES[name][1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document(results: dict[tuple[str, str], dict[str, Any]], name: str) -> None:
    assert DOCUMENTS[name]
    result = results[name, "blocking"]
    assert result["error"] is None, result["error"]
    assert result["printed"]


#: What these programs call, with arguments in this order.
CALLS = re.findall(
    r"\S+",
    """
ByteStreamPipe(address) ByteStreamPipe.write(data) ByteStreamPipe.read_all() ByteStreamPipe.read_to_term(term,timeout)
ByteStreamPipe.read_exact(count,timeout) ByteStreamPipe.write_line(line,term) ByteStreamPipe.read_line(timeout,term)
ByteStreamPipe.query_line(line,timeout,term) ByteStreamPipe.cobs_write(data) ByteStreamPipe.cobs_read(timeout)
ByteStreamPipe.cobs_query(data,timeout) ByteStreamPipe.connect() ByteStreamPipe.disconnect() ByteStreamPipe.drop()
ByteStreamPipe.lock(timeout) ByteStreamPipe.unlock()
ScpiPipe(address) ScpiPipe.query(message,timeout) ScpiPipe.write(message) ScpiPipe.query_binary(message,timeout)
ScpiPipe.read_raw(timeout) ScpiPipe.lock(timeout) ScpiPipe.unlock() ScpiPipe.drop()
SerialScpiPipe(address,term,timeout) SerialScpiPipe.query(message,timeout) SerialScpiPipe.write(message)
SerialScpiPipe.read_raw(timeout)
CobsStream(address,use_crc,maxsize) CobsStream.connect() CobsStream.start() CobsStream.send(data) CobsStream.stop()
CobsStream.close(stop)
ComSrv() ComSrv.drop(address) ComSrv.drop_all() ComSrv.shutdown() ComSrv.get_version() ComSrv.list_instruments()
ComSrv.list_connected_instruments() ComSrv.list_serial_ports() ComSrv.list_ftdis() ComSrv.list_hid_devices()
ComSrv.list_can_devices()
FtdiDeviceInfo(port_open,vendor_id,product_id,serial_number,description) FtdiDeviceInfo.to_address(baudrate,params)
HidDeviceInfo(vid,pid,manufacturer,product,serial_number) CanDevice(interface_name,driver_type)
""",
)


@pytest.mark.parametrize("package", ["instruments", "instruments.sio"])
@pytest.mark.parametrize("call", CALLS)
def test_arguments_come_in_the_usual_order(package: str, call: str) -> None:
    """Any that there are besides have defaults."""
    name, _, wanted = call.rstrip(")").partition("(")
    called: Any = import_module(package)
    for part in name.split("."):
        called = getattr(called, part)
    parameters = [each for each in inspect.signature(called).parameters.values() if each.name != "self"]
    names = wanted.split(",") if wanted else []
    assert [each.name for each in parameters][: len(names)] == names
    others = [each for each in parameters[len(names) :] if each.kind is not each.VAR_KEYWORD]
    assert all(each.default is not each.empty for each in others)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_a_pipe_tells_of_itself(flavour: str) -> None:
    package: Any = import_module("instruments.sio" if flavour == "blocking" else "instruments")
    stream = package.ByteStreamPipe("tcp:1.2.3.4:1234")
    for pipe in (stream, package.ScpiPipe("vxi::192.168.1.20"), package.CobsStream("tcp::1.2.3.4:1234")):
        assert (pipe.timeout, pipe.lock_time, pipe.locked, pipe.lock_id) == (2.0, 1.0, False, None)
    scpi = package.SerialScpiPipe(stream)
    assert (scpi.address, scpi.term, scpi.timeout) == ("tcp://1.2.3.4:1234", "\n", 1.0)
    scpi = package.SerialScpiPipe(stream, "\r", 3.0)
    assert (scpi.term, scpi.timeout) == ("\r", 3.0)
