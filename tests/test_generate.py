from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from sockio import generate
from sockio.generator import drivers, mirror
from sockio.generator.driver_source import Package
from sockio.generator.expressions import Part
from sockio.generator.format_strings import lower_format_string
from sockio.generator.lowering import lower_text
from sockio.generator.source import PACKAGE, CannotGenerate, Module

ROOT = PACKAGE.parent


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT)


def test_generated_modules_are_up_to_date():
    done = python("-m", "sockio.generate", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_shows_what_is_different_and_changes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "PACKAGE", tmp_path)
    monkeypatch.setattr(drivers, "INSTRUMENTS", tmp_path / "instruments")
    assert generate.main(["--check"]) == 1
    assert "+class TCP(BlockingTCP):\n" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    sio = tmp_path / "sio.py"
    sio.write_text(sio.read_text().replace("-> bytes:", "-> str:", 1))
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    shown = capsys.readouterr().out
    assert [line[0] for line in shown.splitlines() if line[0] in "+-"] == ["-", "+", "-", "+"]  # names, then lines
    assert generate.main([]) == 0
    assert sio.read_text() == (PACKAGE / "sio.py").read_text()


@pytest.mark.parametrize("name", ["sockio.sio", "sockio.runtimes.blocking"])
def test_blocking_calls_need_neither_a_loop_nor_heavy_modules(name):
    heavy = [
        "asyncio",
        "concurrent.futures",
        "dataclasses",
        "inspect",
        "logging",
        "re",
        "serial",
        "ssl",
        "trio",
        "typing",
    ]
    done = python("-S", "-c", f"import sys, {name}; print([name for name in {heavy} if name in sys.modules])")
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("facade", ["sockio.sio", "sockio.futures"])
def test_signatures_and_docstrings_are_those_of_the_core(facade):
    done = python(
        "-c",
        f"""
import inspect, {facade} as facade
from sockio import stream, tcp
names = [name for name in vars(stream.Stream) if not name.startswith("_")]
assert len(names) > 20
for name in names:
    core, forwarded = getattr(stream.Stream, name), getattr(facade.Stream, name)
    assert forwarded.__doc__ == core.__doc__, name
    assert inspect.signature(forwarded).parameters == inspect.signature(core).parameters, name
assert facade.TCP.__doc__.startswith(tcp.TCP.__doc__[:500])
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def lower(text: str, **options: object) -> str:
    return lower_text("module.py", text, Part("module.py", **options))


@pytest.mark.parametrize(
    ("text", "lowered"),
    [
        (
            "async def f(a: int, *, b: str = 'x') -> bytes:\n    return await g(a)\n",
            "def f(a, b='x'):\n    return g(a)\n",
        ),
        ("x: int = 3  # why\n", "x = 3  # why\n"),
        ("class A:\n    x: int\n", "class A(object):\n    pass\n"),
        (
            "class A(B[int]):\n    def __init__(self) -> None:\n        super().__init__()\n",
            "class A(B):\n    def __init__(self):\n        super(A, self).__init__()\n",
        ),
        (
            "class A(ABC):\n    @abstractmethod\n    def __bool__(self) -> bool:\n        return True\n",
            "class A(object):\n    def __bool__(self):\n        return True\n\n    __nonzero__ = __bool__\n",
        ),
        (
            "try:\n    f()\nexcept OSError as e:\n    raise X(e) from e\n",
            "try:\n    f()\nexcept EnvironmentError as e:\n    raise X(e)\n",
        ),
        ("raise OSError(1, 'no')\n", "raise os_error(1, 'no')\n"),
        ("x = f'{a}: {b!r:>5} {{}}' ' {c}'\n", "x = '{}: {!r:>5} {{}}' ' {{c}}'.format(a, b)\n"),
        ("x = f'{\", \".join(bytes(b) for b in c)}'\n", "x = '{}'.format(\", \".join(to_bytes(b) for b in c))\n"),
        ("def f() -> None:\n    u = send(d)\n    if u is not None:\n        await u\n", "def f():\n    send(d)\n"),
        (
            "def f() -> None:\n    c = g()\n    if not isinstance(c, bytes):\n        c = await c\n",
            "def f():\n    c = g()\n",
        ),
        (
            "async def f() -> None:\n    async for x in y:\n        yield x\n",
            "def f():\n    for x in y:\n        yield x\n",
        ),
        (
            "from __future__ import annotations\nimport os\n\nif TYPE_CHECKING:\n    import x\n\na = 1\n",
            "a = 1\n",
        ),
        ("e = error.with_traceback(None)\n", "e = without_traceback(error)\n"),
    ],
)
def test_lowering(text, lowered):
    assert lower(text) == lowered


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("if (n := f()):\n    pass", "NamedExpr"),
        ("match f():\n    case 1:\n        pass", "Match"),
        ("async with f():\n    pass", "AsyncWith"),
        ("a, *b = f()", "Starred"),
        ("f(*a, b)", "what follows"),
        ("x = [*a, *b]", "Starred"),
        ("raise PermissionError(1)", "PermissionError"),
        ("x = memoryview(y).cast('B')", "cast"),
        ("x = f'{a:{b}}'", "format string"),
        ("x = f'{y.isascii()}'", "isascii"),
        ("def f(a: int = b.bit(c.hex())) -> None:\n    pass", "hex"),
        ("x = 1_000", "number"),
        ("def f(*args: int, b: int = 3) -> None:\n    pass", "arguments that follow"),
        ("def f(*, b: int) -> None:\n    pass", "keyword argument without a default"),
        ("class A(metaclass=B):\n    pass", "keywords of class"),
    ],
)
def test_what_cannot_be_lowered_is_an_error_with_file_and_line(statement, what):
    with pytest.raises(CannotGenerate) as caught:
        lower(f"x = 1\n\n{statement}\n")
    assert str(caught.value).startswith("module.py:3: cannot lower ")
    assert what in str(caught.value)


def test_lines_are_those_of_the_file_also_after_a_rewrite():
    for line in (3, 5):
        text = "a = 1\nb = 2\n" + "c = 3\n" * (line - 3) + "x = [*a]\n"
        with pytest.raises(CannotGenerate, match=rf"module.py:{line}: "):
            lower(text, rewritten={"a = 1\nb = 2\n": "d = 4\n"})


def test_a_table_that_does_not_fit_the_core_any_more_is_an_error():
    with pytest.raises(CannotGenerate, match=r"module.py:1: expected once, found 0 times: 'z'"):
        lower("a = 1\n", rewritten={"z": "y"})
    with pytest.raises(CannotGenerate, match=r"module.py:1: there is no f"):
        lower("a = 1\n", left_out=("f",))


def test_triple_quotes_and_debugging_fields_are_not_understood():
    assert lower_format_string('f"""{a}"""', str) is None
    assert lower_format_string("f'{a=}'", str) is None
    assert lower_format_string("f'{a['b']}'", str) is None


@pytest.mark.parametrize(
    ("method", "what"),
    [
        ("async def f(self, n: int) -> None:\n        pass", "public and has no docstring"),
        ('async def f(self, n) -> None:\n        """Do it."""', "n has no type"),
        ('async def f(self, *n: int) -> None:\n        """Do it."""', "not named"),
        ('@cached\n    def f(self) -> None:\n        """Do it."""', "decorator"),
    ],
)
def test_what_a_facade_cannot_forward_is_an_error_with_file_and_line(tmp_path, monkeypatch, method, what):
    module = tmp_path / "core.py"
    module.write_text(f"class Stream:\n    {method}\n")
    with pytest.raises(CannotGenerate) as caught:
        Module(str(module)).read_class("Stream")
    line = 3 if method.startswith("@") else 2
    assert str(caught.value).startswith(f"{module}:{line}: ")
    assert what in str(caught.value)


BASE = """
from typing import Any
class Driver:
    conn: Any
    def __init__(self, conn: Any) -> None:
        pass
"""

METER = """
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from ..base import Driver, operation
from .units import Unit

def reading(method: object) -> object:
    return operation(method)

class Meter(Driver):
    period = 0.1

    def __init__(self, conn: object, unit: Unit = Unit("V")) -> None:
        self.unit = unit
        self.inputs: dict[int, Input] = {1: Input(self)}
        self._secret = secret()

    async def inputs_in_use(self) -> list[Input]:
        'The inputs.'

    @reading
    def voltage(self) -> Awaitable[float | None]:
        'The voltage.'

    async def voltages(self, n: int = 1) -> AsyncIterator[float]:
        'Voltages.'

    @asynccontextmanager
    async def trigger(self) -> AsyncIterator[Input]:
        'Trigger.'

    def plain(self, of: Input) -> Unit:
        'At once.'

class Input(Driver):
    def __init__(self, owner: Driver) -> None:
        pass
"""


def write_drivers(path: Path, source: str) -> str:
    package = path / "meter"
    package.mkdir()
    (path / "base.py").write_text(BASE)
    (package / "__init__.py").write_text("from .meter import Input, Meter\n")
    (package / "meter.py").write_text(source)
    return drivers.write(Package(package, drivers.MODULE))


def members(text: str, name: str) -> list[str]:
    protocol = next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == name)
    lines = [ast.unparse(node) for node in protocol.body[1:]]
    return [line.split(":\n")[0] for line in lines]


def test_twins_of_drivers_have_all_that_the_drivers_have_in_their_form(tmp_path):
    text = write_drivers(tmp_path, METER)
    common = ["conn: Any", "period: float", "unit: Unit", "inputs: dict[int, {0}Input]"]
    blocking = [
        *common,
        "def inputs_in_use(self) -> list[{0}Input]",
        "def voltage(self) -> float | None",
        "def voltages(self, n: int=1) -> Iterator[float]",
        "def trigger(self) -> AbstractContextManager[{0}Input]",
        "def plain(self, of: {0}Input) -> Unit",
    ]
    futures = [
        *common,
        "def inputs_in_use(self) -> Future[list[{0}Input]]",
        "def voltage(self) -> Future[float | None]",
        *blocking[-3:],
    ]
    assert members(text, "BlockingMeter") == [line.format("Blocking") for line in blocking]
    assert members(text, "FuturesMeter") == [line.format("Futures") for line in futures]
    assert members(text, "BlockingInput") == ["conn: Any"]
    assert "unit: Unit = ...) -> BlockingMeter: ..." in text
    assert "    from .units import Unit\n" in text


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("size = measure()", "size is public and has no type"),
        ("def f(self):\n        pass", "does not say what it returns"),
        ("@cached\n    def f(self) -> int:\n        pass", "decorator"),
        ("def __call__(self) -> int:\n        pass", "form of __call__"),
    ],
)
def test_what_a_twin_cannot_be_made_of_is_an_error_with_file_and_line(tmp_path, member, what):
    with pytest.raises(CannotGenerate) as caught:
        write_drivers(
            tmp_path, f"from ..base import Driver\nclass Input(Driver): ...\nclass Meter(Driver):\n    {member}\n"
        )
    line = 5 if member.startswith("@") else 4
    assert str(caught.value).startswith(f"{tmp_path / 'meter' / 'meter.py'}:{line}: ")
    assert what in str(caught.value)


PIPE_BASE = """
from typing import Any
class Driver:
    conn: Any
class Standalone(Driver):
    def __init__(self, conn: Any = None) -> None:
        pass
"""

PIPES = """
from .base import Standalone

class Pipe(Standalone):
    'A pipe.'
    period: float

    def __init__(self, address: str, period: float = 0.1) -> None:
        self.period = period
        self._line = None

    async def connect(self) -> None:
        'Connect.'

class Unrelated(Standalone):
    'Nobody asks for it.'

async def helper() -> None:
    'Not offered.'
"""

METERS = '''
from __future__ import annotations
from typing import TYPE_CHECKING
from ..pipes import Pipe
from .units import VOLT, Unit
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing_extensions import Self

class Slow(Pipe):
    """A meter that takes its time.

    ::

        async with Slow("tcp::host:1") as slow:
            print(await slow.read(), "await")

    Write ``async with``.

    Args:
        address: of the meter, as a resource string, whose many spellings are told of where that belongs to. It is long,
            and it goes on here.
        unit: what it reads.

    - One thing that is listed here and has so many words that it is broken, moved four columns further, in two lines.
    """

    def __init__(self, address: str, unit: Unit = VOLT, *, size: int = len("ab")) -> None:
        super().__init__(address)
        self.unit = unit

    async def connect(self) -> None:
        'Connect slowly.'

    async def read(self, other: Slow | None = None) -> list[Slow]:
        """Read, with so many words about it that there is just enough room for them in the line in which they are."""

    def __aiter__(self) -> AsyncIterator[float]:
        return self

    async def __anext__(self) -> float:
        return 1.0

    def __iter__(self) -> Iterator[float]:
        return iter(())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass

async def list_meters(*, seconds: float = 1) -> list[Unit]:
    'Look for meters.'
'''


def write_mirrors(path: Path, meters: str = METERS) -> dict[str, str]:
    """Return the generated modules, by name."""
    package = path / "meters"
    package.mkdir()
    (path / "__init__.py").write_text("from .meters import Slow\n__all__ = ['Slow']\n")
    (path / "base.py").write_text(PIPE_BASE)
    (path / "pipes.py").write_text(PIPES)
    names = ["Slow", "Unit", "list_meters"]
    (package / "__init__.py").write_text(
        f"from .slow import Slow, list_meters\nfrom .units import Unit\n__all__ = {names}\n"
    )
    (package / "slow.py").write_text(meters)
    (package / "units.py").write_text("class Unit: ...\nVOLT = Unit()\n")
    return {Path(name).stem: write() for name, write in mirror.modules().items()}


def shown(text: str) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """Return what a mirror shows to checkers."""
    block = next(node for node in ast.parse(text).body if isinstance(node, ast.If))
    return {node.name: node for node in block.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


@pytest.fixture
def mirrors(tmp_path, monkeypatch):
    monkeypatch.setattr(drivers, "INSTRUMENTS", tmp_path)
    return write_mirrors(tmp_path)


def test_a_mirror_is_written_for_each_module_with_pipes(mirrors):
    assert set(mirrors) == {"__init__", "meters", "pipes"}
    assert list(shown(mirrors["pipes"])) == ["Pipe", "Unrelated", "FuturesPipe", "FuturesUnrelated"]
    assert list(shown(mirrors["meters"])) == ["list_meters", "Slow", "FuturesSlow"]
    assert '            "FuturesSlow": ".meters",\n' in mirrors["__init__"]
    assert "    from .meters import FuturesSlow, Slow\n" in mirrors["__init__"]


def header(node: ast.stmt) -> str:
    """Return what a definition says before its body."""
    return ast.unparse(node).removeprefix("@overload\n").split(":\n")[0]


def headers(node: ast.ClassDef) -> list[str]:
    """Return what the members of a class say before their bodies."""
    return [header(member) for member in node.body[1:]]


def test_a_mirror_says_what_calls_take_and_give(mirrors):
    blocking, futures = (shown(mirrors["meters"])[name] for name in ("Slow", "FuturesSlow"))
    assert [ast.unparse(base) for base in (*blocking.bases, *futures.bases)] == ["Pipe", "FuturesPipe"]
    assert headers(blocking) == [
        "unit: Unit",
        "def __new__(cls, address: str, unit: Unit=VOLT, *, size: int=..., "
        "resolve_futures: Literal[True]=True) -> Self",
        "def __new__(cls, address: str, unit: Unit=VOLT, *, size: int=..., "
        "resolve_futures: Literal[False]) -> FuturesSlow",
        "def __new__(cls, *args: Any, **kwargs: Any) -> Any",
        "def connect(self) -> None",
        "def read(self, other: Slow | None=None) -> list[Slow]",
        "def __iter__(self) -> Iterator[float]",
        "def __enter__(self) -> Self",
        "def __exit__(self, *exception: object) -> None",
    ]
    # `connect` is inherited: it differs in its docstring alone.
    assert headers(futures) == [
        "unit: Unit",
        "def __init__(self, address: str, unit: Unit=VOLT, *, size: int=...) -> None",
        "def read(self, other: FuturesSlow | None=None) -> Future[list[FuturesSlow]]",
        "def __iter__(self) -> Iterator[float]",
        "def __enter__(self) -> Self",
        "def __exit__(self, *exception: object) -> None",
    ]
    function = shown(mirrors["meters"])["list_meters"]
    assert header(function) == "def list_meters(*, seconds: float=1) -> list[Unit]"


def test_a_mirror_binds_the_twins_and_offers_the_rest_as_it_is(mirrors):
    text = mirrors["meters"]
    assert "from ..meters import Unit\n" in text
    assert "    from ..meters.units import VOLT\n" in text
    assert "    from .pipes import FuturesPipe, Pipe\n" in text
    assert text.endswith(
        """
else:
    from .. import meters
    from ..base import blocking, futures

    Slow = blocking(meters.Slow)
    list_meters = blocking(meters.list_meters)
    FuturesSlow = futures(meters.Slow)

__all__ = ["FuturesSlow", "Slow", "Unit", "list_meters"]
"""
    )


def test_docstrings_are_laid_out_anew_and_examples_do_not_await(mirrors):
    text = mirrors["meters"]
    assert max(map(len, text.splitlines())) <= 120
    assert (
        '''
        """A meter that takes its time.

        ::

            with Slow("tcp::host:1") as slow:
                print(slow.read(), "await")

        Write ``async with``.

        Args:
            address: of the meter, as a resource string, whose many spellings are told of where that belongs to. It is
                long, and it goes on here.
            unit: what it reads.

        - One thing that is listed here and has so many words that it is broken, moved four columns further, in two
          lines.
        """
'''
        in text
    )
    assert (
        '''
            """Read, with so many words about it that there is just enough room for them in the line in which they
            are."""
            ...
'''
        in text
    )


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            "class Slow(Pipe):\n    'Slow.'\n    def __aiter__(self) -> object: ...",
            "4: the generator does not know the form",
        ),
        ("class Slow(Pipe):\n    pass", "2: Slow is public and has no docstring"),
        ("class Slow(Pipe):\n    'Slow.'\n    @cached\n    def f(self) -> int: ...", "5: f has a decorator"),
        ("class Slow(Pipe):\n    'Slow.'\nasync def list_meters() -> None: ...", "4: list_meters is public and has no"),
        (
            "class Slow(Pipe):\n    'Slow.'\nasync def list_meters(n) -> None:\n    'List.'",
            "4: list_meters: n has no type",
        ),
    ],
)
def test_what_a_mirror_cannot_show_is_an_error_with_file_and_line(tmp_path, monkeypatch, source, what):
    monkeypatch.setattr(drivers, "INSTRUMENTS", tmp_path)
    with pytest.raises(CannotGenerate) as caught:
        write_mirrors(tmp_path, f"from ..pipes import Pipe\n{source}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'meters' / 'slow.py'}:{what}")


def test_the_mirror_has_no_module_that_nothing_is_generated_for():
    there = {str(path) for path in (ROOT / "instruments" / "sio").glob("*.py")}
    assert there == set(mirror.modules())


def test_python2_module_needs_nothing_else(tmp_path):
    alone = tmp_path / "py2.py"
    alone.write_bytes((PACKAGE / "py2.py").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", str(alone), "--host", "localhost", "-p", "1"],
        capture_output=True,
        text=True,
        cwd=Path("/"),
    )
    assert (done.returncode, done.stderr) == (0, "")
