"""`instruments.sio`: the same as `instruments`, with calls that block or give futures."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import pydoc
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import trio

import instruments
import instruments.scpi
from instruments import sio
from instruments.base import Standalone, operation
from instruments.cryocon import CryoCon
from instruments.link import runtime_here
from instruments.sio import scpi as blocking_scpi
from instruments.twins import Twin
from sockio import sio as streams
from sockio.errors import ConnectionTimeoutError

IDN = "ACME,Model 1,0,1.0"
FOLDER = Path(sio.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def answer(message: bytes) -> bytes | None:
    if message == b"*IDN?":
        return IDN.encode() + b"\n"
    if message == b"WAV?":
        return b"#14\x00\x01\x00\x02\n"
    if message == b"SYST:ERR?":
        return b'0,"No error"\n'
    return None


def serve(conn: socket.socket) -> None:
    with conn, conn.makefile("rb") as lines:
        try:
            for line in lines:
                reply = answer(line.strip())
                if reply is not None:
                    conn.sendall(reply)
        except ConnectionError:
            pass


@pytest.fixture
def address() -> Iterator[str]:
    """The resource string of a peer that speaks a little SCPI."""
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                conn, _ = server.accept()
                if done.is_set():
                    conn.close()
                    return
                threads.append(threading.Thread(target=serve, args=(conn,)))
                threads[-1].start()

        done = threading.Event()
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"tcp::127.0.0.1:{server.getsockname()[1]}"
        done.set()
        socket.create_connection(server.getsockname()).close()
        accepting.join()
    for thread in threads:
        thread.join()


class Meter(Standalone):
    """A meter of one's own.

    Args:
        address: a resource string.
        digits: how many are shown.
    """

    def __init__(self, address: str, digits: int = 3) -> None:
        self.pipe = instruments.ScpiPipe(address)
        self.digits = digits

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.digits))

    async def who(self) -> str:
        """Return who it is."""
        return (await self.pipe.query("*IDN?")).split(",")[0]

    async def close(self) -> None:
        await self.pipe.drop()


class LoudMeter(Meter):
    async def who(self) -> str:
        return (await super().who()).upper() + "!"


def test_calls_block(address: str) -> None:
    pipe = sio.ScpiPipe(address)
    assert pipe.query("*IDN?") == IDN
    assert pipe.query_binary("WAV?") == b"\0\1\0\2"
    with pipe as entered:
        assert entered is pipe
        assert pipe.locked
    assert not pipe.locked
    assert pipe.connect() is pipe
    pipe.drop()


def test_calls_give_futures(address: str) -> None:
    pipe: Any = sio.ScpiPipe(address, resolve_futures=False)
    assert isinstance(pipe, sio.FuturesScpiPipe)
    pending = pipe.query("*IDN?")
    assert isinstance(pending, Future)
    assert pending.result(10) == IDN
    assert pipe.connect().result(10) is pipe
    with pipe as entered:
        assert entered is pipe
    pipe.drop().result(10)


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)])
def test_calls_are_awaited(run: Any, address: str) -> None:
    async def main() -> None:
        pipe = instruments.ScpiPipe(address)
        assert await pipe.query("*IDN?") == IDN
        async with pipe as entered:
            assert entered is pipe
        await pipe.drop()

    run(main())


def test_calls_block_inside_a_running_event_loop(address: str) -> None:
    async def cell() -> None:
        pipe = sio.ScpiPipe(address)
        assert pipe.query("*IDN?") == IDN
        pipe.drop()

    asyncio.run(cell())


def test_the_class_for_futures_can_be_called_as_well(address: str) -> None:
    pipe: Any = sio.FuturesScpiPipe(address)
    assert type(pipe) is sio.FuturesScpiPipe
    assert pipe.query("*IDN?").result(10) == IDN
    pipe.drop().result(10)


def test_an_instrument_has_the_flavour_of_its_class_or_of_its_pipe(address: str) -> None:
    scope = blocking_scpi.Instrument(address)
    assert scope.identifier() == IDN
    assert scope.errors() == []
    assert isinstance(scope.pipe, sio.ScpiPipe)
    assert scope.pipe.query("*IDN?") == IDN
    pipe = sio.ScpiPipe(address, resolve_futures=False)
    for make in (
        lambda: blocking_scpi.Instrument(pipe),
        lambda: blocking_scpi.Instrument(pipe=pipe),
        lambda: instruments.scpi.Instrument(pipe),
    ):
        made: Any = make()
        assert isinstance(made, blocking_scpi.FuturesInstrument)
        assert made.pipe is pipe
        assert made.identifier().result(10) == IDN
    scope.pipe.drop()
    pipe.drop().result(10)


def test_classes_are_related_as_checkers_are_told() -> None:
    pipe = sio.SerialScpiPipe("tcp::127.0.0.1:1")
    for cls in (sio.SerialScpiPipe, sio.ScpiPipe, instruments.SerialScpiPipe, instruments.ScpiPipe):
        assert isinstance(pipe, cls)
    with_futures = sio.SerialScpiPipe("tcp::127.0.0.1:1", resolve_futures=False)
    assert isinstance(with_futures, sio.FuturesScpiPipe)
    assert isinstance(with_futures, instruments.ScpiPipe)
    assert not isinstance(with_futures, sio.ScpiPipe)
    assert not isinstance(instruments.ScpiPipe("tcp::127.0.0.1:1"), Twin)


def test_representations_name_the_class_as_it_was_imported() -> None:
    for cls in (sio.ScpiPipe, sio.FuturesScpiPipe, instruments.ScpiPipe):
        assert repr(cls("tcp::127.0.0.1:1")) == "ScpiPipe('tcp://127.0.0.1:1')"
    assert repr(blocking_scpi.Instrument("tcp::127.0.0.1:1")) == "Instrument('tcp://127.0.0.1:1')"


def test_async_with_where_calls_block_says_what_to_write() -> None:
    async def main() -> None:
        async with sio.ScpiPipe("tcp::127.0.0.1:1"):
            pass

    with pytest.raises(TypeError, match="write `with`, not `async with`"):
        asyncio.run(main())


def test_errors_come_out_of_blocking_calls(address: str) -> None:
    pipe = sio.ScpiPipe(address)
    with pytest.raises(ConnectionTimeoutError):
        pipe.query("SILENCE?", timeout=0.05)
    assert pipe.query("*IDN?") == IDN
    pipe.drop()
    with pytest.raises(ValueError, match="no stream of bytes"):
        sio.SerialScpiPipe("vxi::host")
    with pytest.raises(TypeError, match="resolve_futures"):
        instruments.ScpiPipe(address, resolve_futures=False)


def test_a_class_of_ones_own_is_derived_from_the_native_one(address: str) -> None:
    with pytest.raises(TypeError, match="derive Mine from the driver itself, not from its blocking or futures twin"):
        type("Mine", (sio.ScpiPipe,), {})
    meter = sio.blocking(LoudMeter)(address, digits=2)
    assert meter.who() == "ACME!"
    assert list(meter) == [0, 1]
    assert isinstance(meter, Meter)
    assert isinstance(meter, sio.blocking(Meter))
    assert meter.pipe.query("*IDN?") == IDN
    meter.close()
    pending = sio.blocking(LoudMeter)(address, resolve_futures=False)
    assert pending.who().result(10) == "ACME!"
    pending.close().result(10)


@pytest.mark.parametrize("cls", [int, CryoCon, sio.ScpiPipe])
def test_only_native_standalone_classes_have_a_blocking_form(cls: type[Any]) -> None:
    with pytest.raises(TypeError, match="derived from Standalone"):
        sio.blocking(cls)


def test_a_member_that_is_written_anew_is_that_of_the_derived_class() -> None:
    class Mixin:
        async def mixed(self) -> str:
            return "mixed"

    class First(Standalone):
        async def one(self) -> str:
            return "one"

        @operation
        def two(self) -> Any:
            return self.one()

        async def three(self) -> str:
            return "three"

    class Second(Mixin, First):
        async def one(self) -> str:
            return "another"

        def three(self) -> str:  # type: ignore[override]
            return "plain"

    first, second = sio.blocking(First)(), sio.blocking(Second)()
    assert (first.one(), first.two(), first.three()) == ("one", "one", "three")
    assert (second.one(), second.two(), second.three(), second.mixed()) == ("another", "another", "plain", "mixed")
    assert isinstance(second, sio.blocking(First))


async def look_around(address: str, times: int = 1) -> list[str]:
    """Ask who is there."""
    pipe = instruments.ScpiPipe(address)
    await runtime_here().sleep(0)
    found = [await pipe.query("*IDN?") for _ in range(times)]
    await pipe.drop()
    return found


def test_coroutine_functions_block(address: str) -> None:
    look = sio.blocking(look_around)
    assert look(address, times=2) == [IDN, IDN]
    assert (look.__name__, look.__doc__) == ("look_around", "Ask who is there.")
    assert not inspect.iscoroutinefunction(look)

    async def cell() -> list[str]:
        assert look(address) == [IDN]
        return await look_around(address)

    assert asyncio.run(cell()) == [IDN]
    with pytest.raises(RuntimeError, match="asyncio or trio"):
        runtime_here()


def test_help_shows_what_a_call_takes_and_gives() -> None:
    signature = inspect.signature(sio.ScpiPipe)
    assert list(signature.parameters) == [
        "address",
        "timeout",
        "encoding",
        "visa_library",
        "resolve_futures",
        "options",
    ]
    others = [name for name in signature.parameters if name != "resolve_futures"]
    assert list(inspect.signature(instruments.ScpiPipe).parameters) == others
    assert list(inspect.signature(sio.FuturesScpiPipe).parameters) == others
    text = pydoc.plain(pydoc.render_doc(sio.ScpiPipe))
    assert "query(self, message: 'str', timeout: 'Timeout' = " in text
    assert "Send a program message and return the response, without its terminator." in text
    assert "-> 'Future[str]'" in pydoc.plain(pydoc.render_doc(sio.FuturesScpiPipe))


@pytest.mark.parametrize("name", MODULES)
def test_a_mirror_offers_what_the_module_does(name: str) -> None:
    module, mirror = (importlib.import_module(f"{package}.{name}") for package in ("instruments", "instruments.sio"))
    if hasattr(module, "__all__"):
        offered = [each for each in mirror.__all__ if not each.startswith("Futures")]
        assert sorted(offered) == sorted(module.__all__)
    for each in mirror.__all__:
        native, mirrored = getattr(module, each.removeprefix("Futures")), getattr(mirror, each)
        if isinstance(native, type) and issubclass(native, Standalone):
            assert mirrored is native._twins["futures" if each.startswith("Futures") else "blocking"]
        elif inspect.iscoroutinefunction(native):
            assert mirrored.__wrapped__ is native
            assert not inspect.iscoroutinefunction(mirrored)
        else:
            assert mirrored is native


def told(name: str) -> list[ast.ClassDef]:
    """Return the classes that a mirror shows to checkers."""
    for node in ast.parse((FOLDER / f"{name}.py").read_text()).body:
        if isinstance(node, ast.If):
            return [each for each in node.body if isinstance(each, ast.ClassDef)]
    return []


CLASSES = [(name, node) for name in MODULES for node in told(name)]


@pytest.mark.parametrize(("name", "node"), CLASSES, ids=[node.name for _, node in CLASSES])
def test_checkers_are_told_what_is_there(name: str, node: ast.ClassDef) -> None:
    flavour = "futures" if node.name.startswith("Futures") else "blocking"
    native = getattr(importlib.import_module(f"instruments.{name}"), node.name.removeprefix("Futures"))
    twin = native._twins[flavour]
    functions = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    inherited = {known for base in native.__bases__ for known in dir(base)}
    assert {known for known in dir(native) if not known.startswith("_")} - inherited <= set(functions)
    for function in functions.values():
        if function.name in ("__new__", "__init__"):
            continue
        member = inspect.getattr_static(twin, function.name)
        if isinstance(member, property):
            assert [ast.unparse(each) for each in function.decorator_list] == ["property"]
            member = member.fget
        if ast.get_docstring(function) is not None:
            assert ast.get_docstring(function).split() == inspect.getdoc(member).split()
        if function.name.startswith("__"):
            continue
        signature = inspect.signature(member)
        arguments = function.args
        named = [each for each in (*arguments.args, *arguments.kwonlyargs) if each.arg != "self"]
        assert [each.arg for each in named] == list(signature.parameters)[1:]
        told_types = [ast.unparse(each.annotation).replace("Futures", "") for each in named]
        types = [ast.unparse(ast.parse(each.annotation)) for each in list(signature.parameters.values())[1:]]
        assert told_types == types
        returned = ast.unparse(function.returns).replace("Futures", "")
        assert returned == ast.unparse(ast.parse(signature.return_annotation))


@pytest.mark.parametrize("package", [instruments, sio])
def test_all_that_is_offered_is_there(package: Any) -> None:
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is vars(package)[name]
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018  it is asked for, and there is none


HEAVY = [
    "asyncio",
    "dataclasses",
    "inspect",
    "logging",
    "numpy",
    "re",
    "serial",
    "sockio.errors",
    "ssl",
    "trio",
    "typing",
]


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import instruments", HEAVY),
        ("import instruments.sio", HEAVY),
        ("from instruments.cryocon import CryoCon", ["asyncio", "numpy", "pyvisa", "trio", "instruments.scpi"]),
        ("from instruments.scpi import Instrument", ["asyncio", "numpy", "pyvisa", "trio"]),
        (
            "from instruments.sio import ByteStreamPipe, ComSrv, ScpiPipe",
            ["asyncio", "can", "hid", "numpy", "pyvisa", "trio"],
        ),
        ("import instruments.sio.cryocon", ["asyncio", "numpy", "pyvisa", "trio", "instruments.scpi"]),
    ],
)
def test_imports_bring_what_is_needed_and_no_more(statement: str, unwanted: list[str]) -> None:
    program = f"import sys\n{statement}\nprint([name for name in {unwanted} if name in sys.modules])"
    command = [sys.executable, *(["-S"] if unwanted is HEAVY else []), "-c", program]
    done = subprocess.run(command, cwd=FOLDER.parent.parent, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_example_of_the_package(address: str) -> None:
    example = sio.__doc__.split("::\n")[1].split("\n\nWith")[0].replace("tcp::192.168.1.12:5025", address)
    namespace: dict[str, Any] = {"print": (shown := []).append}
    exec(inspect.cleandoc(example), namespace)
    assert shown == [IDN]
    namespace["pipe"].drop()


def test_drivers_over_connections_are_the_same_in_both() -> None:
    from instruments.sio import cryocon

    assert cryocon.CryoCon is CryoCon
    stream = streams.TCP("127.0.0.1", 1)
    assert type(cryocon.CryoCon(stream)).__name__ == "BlockingCryoCon"
