"""The text of ``flavours.py`` in each package of drivers: its twins, as type checkers and completion see them.

It is made from the source of the drivers, which is read and never imported.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from .driver_source import Member, Package
from .facade import define
from .source import PACKAGE

INSTRUMENTS = PACKAGE.parent / "instruments"
MODULE = "flavours.py"

HEAD = '''"""What calls on {drivers} give over connections of each flavour, for type checkers and completion.

The protocols are for annotations: at run time the twins are subclasses of the driver, made when that is defined. What
joins an open group is queued, whatever the annotation says. A class of your own is derived from {classes}, so
that checkers know its own methods, as coroutines.

Written by ``python -m sockio.generate`` from the drivers: change those instead.
"""

from __future__ import annotations
'''

#: What an operation's annotation says, around what it gives.
AWAITABLE = re.compile(r"(?:Awaitable|Coroutine|Queued)\[(?:Any, Any, )?(.*)\]", re.DOTALL)
ITERATOR = re.compile(r"Async(?:Iterator|Iterable|Generator)\[(.*?)(?:, None)?\]", re.DOTALL)


@dataclass(frozen=True)
class Flavour:
    """How the twins of one flavour differ from the driver.

    Args:
        prefix: of their names.
        result: the type of a call, where ``{}`` is what the coroutine gives.
        says: what their calls do.
        connection: what they are constructed over.
    """

    prefix: str
    result: str
    says: str
    connection: str


FLAVOURS = (
    Flavour("Futures", "Future[{}]", "give futures", "futures.Stream"),
    Flavour("Blocking", "{}", "block", "BlockingConnection"),
)

#: What the driver itself is constructed over: such a connection, or a driver whose link it shares.
AWAITED = "CoroutineConnection | Driver"

#: Where the names come from that the drivers' own source need not have.
ORIGINS = {
    "AbstractContextManager": ("contextlib", "AbstractContextManager"),
    "Any": ("typing", "Any"),
    "BlockingConnection": ("..connections", "BlockingConnection"),
    "CoroutineConnection": ("..connections", "CoroutineConnection"),
    "Driver": ("..base", "Driver"),
    "Future": ("concurrent.futures", "Future"),
    "Iterator": ("collections.abc", "Iterator"),
    "Self": ("typing_extensions", "Self"),
    "futures": ("sockio", "futures"),
    "overload": ("typing", "overload"),
}

OURS = ("sockio", "instruments")

#: Blocks are entered and left in the plain way on both flavours.
ENTERED = {"__aenter__": "__enter__", "__aexit__": "__exit__"}


def modules() -> dict[str, Callable[[], str]]:
    """Return what writes each module, by its path."""
    packages = sorted(file.parent for file in INSTRUMENTS.glob("*/__init__.py"))
    read = [Package(path, MODULE) for path in packages]
    return {str(package.path / MODULE): partial(write, package) for package in read if package.drivers()}


def write(package: Package) -> str:
    """Return the whole module of a package of drivers.

    Raises:
        CannotGenerate: the drivers say something that the generator has no words for.
    """
    writer = Writer(package)
    twins = [writer.twin(name, flavour) for flavour in FLAVOURS for name in writer.twins]
    constructors = [writer.constructor(name) for name in package.drivers()]
    bound = "\n".join(f"    {name} = {package.module_of(name)}.{name}" for name in package.drivers())
    typed = "\n\n".join(textwrap.indent(text, "    ") for text in constructors)
    return "".join(
        [
            HEAD.format(
                drivers=" and ".join(f"`{name}`" for name in package.drivers()),
                classes=" and ".join(f"`{package.module_of(name)}.{name}`" for name in package.drivers()),
            ),
            writer.imports(),
            *(f"\n\n{twin}" for twin in twins),
            f"\n\nif TYPE_CHECKING:\n\n{typed}\nelse:\n{bound}\n",
        ]
    )


class Writer:
    """Writes the classes of one package, and notes which names they need.

    Attributes:
        twins: the names of the classes that have twins: drivers, and what can be reached from them.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        self.twins: list[str] = []
        self._used: set[str] = set()
        for name in package.drivers():
            self._reach(name)

    def twin(self, name: str, flavour: Flavour) -> str:
        """Return the source of the protocol that the twin of a class has."""
        members = [self._member(member, flavour) for member in self.package.members(name)]
        attributes = [text for text in members if not text.lstrip().startswith(("def ", "@"))]
        methods = [text for text in members if text not in attributes]
        head = f'class {flavour.prefix}{name}(Protocol):\n    """A `{name}` whose calls {flavour.says}."""\n'
        return "\n".join([head, *attributes, *(f"\n{method}" for method in methods)]).replace("\n\n\n", "\n\n") + "\n"

    def constructor(self, name: str) -> str:
        """Return the source of the driver's class with a constructor that tells checkers what it gives."""
        conn, *others = [
            replace(parameter, default=_shown(parameter.default)) for parameter in self.package.constructor(name)
        ]
        self._use(*(parameter.annotation for parameter in others), "Any", "Self", "overload", AWAITED)
        parts = [f"class {name}({self.package.module_of(name)}.{name}):\n    {self.package.doc(name)}\n"]
        for connection, made in [
            *((flavour.connection, flavour.prefix + name) for flavour in FLAVOURS),
            (AWAITED, "Self"),
        ]:
            self._use(connection)
            comment = "" if made == "Self" else "  # type: ignore[misc]"
            signature = define(
                "__new__", [replace(conn, annotation=connection), *others], made, first="cls", comment=comment
            )
            # The comment belongs to the first line, wherever that ends.
            parts.append(f"    @overload\n{signature} ...{comment if chr(10) not in signature else ''}\n")
        parts.append("    def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...\n")
        return "\n".join(parts)

    def imports(self) -> str:
        """Return the imports of all the names that have been needed, laid out as ruff does."""
        found: dict[str, set[str]] = {"typing": {"TYPE_CHECKING", "Protocol"}}
        for name in self._used:
            module, original = ORIGINS.get(name) or self.package.origin(name) or ("builtins", name)
            found.setdefault(module, set()).add(original)
        found.pop("builtins", None)
        at_run_time = [_import("typing", found.pop("typing"))]
        at_run_time += ["", _import(".", set(map(self.package.module_of, self.package.drivers())))]
        sections: dict[int, list[str]] = {}
        for name in sorted(found.pop("", ())):
            sections.setdefault(0, []).append(f"import {name}")
        for module in sorted(found, key=_nearness):
            sections.setdefault(_nearness(module)[0], []).append(_import(module, found[module]))
        for_checkers = "\n\n".join("\n".join(section) for _, section in sorted(sections.items()))
        return "\n".join(["", *at_run_time, "", "if TYPE_CHECKING:", textwrap.indent(for_checkers, "    "), ""])

    def _reach(self, name: str) -> None:
        """Note a class and what its members give, and so on."""
        self.twins.append(name)
        for member in self.package.members(name):
            for annotation in (member.annotation, *(parameter.annotation for parameter in member.parameters)):
                for node in _names(annotation):
                    if node.id not in self.twins and node.id != "Driver" and self.package.is_driver(node.id):
                        self._reach(node.id)

    def _member(self, member: Member, flavour: Flavour) -> str:
        """Return the source of a member of a twin."""
        if not member.is_method:
            return f"    {member.name}: {self._seen(member.annotation, flavour)}"
        name, returns, decorators = member.name, member.annotation, member.decorators
        iterated = ITERATOR.fullmatch(returns)
        awaited = AWAITABLE.fullmatch(returns)
        if decorators == ("asynccontextmanager",) and iterated:
            returns, decorators = f"AbstractContextManager[{iterated[1]}]", ()
        elif member.is_async and iterated and not decorators:
            returns = f"Iterator[{iterated[1]}]"
        elif member.is_async or decorators == ("operation",):
            returns, decorators = (awaited[1] if awaited and not member.is_async else returns), ()
            if name in ENTERED:
                name = ENTERED[name]  # waits for the end on both flavours
            else:
                returns = flavour.result.format(returns)
        parameters = [
            replace(parameter, annotation=self._seen(parameter.annotation, flavour), default=_shown(parameter.default))
            for parameter in member.parameters
        ]
        signature = define(name, parameters, self._seen(returns, flavour))
        body = f"\n        {member.doc}\n        ..." if member.doc else " ..."
        return "".join([*(f"    @{decorator}\n" for decorator in decorators), signature, body])

    def _seen(self, annotation: str, flavour: Flavour) -> str:
        """Return an annotation in which the driver's classes are their twins."""
        for node in reversed(_names(annotation)):
            if node.id in self.twins:
                annotation = annotation[: node.col_offset] + flavour.prefix + annotation[node.col_offset :]
        self._use(annotation)
        return annotation

    def _use(self, *annotations: str) -> None:
        self._used |= {node.id for annotation in annotations for node in _names(annotation)}


def _import(module: str, names: set[str]) -> str:
    """Return an import, with constants before classes before the rest."""
    return f"from {module} import {', '.join(sorted(names, key=lambda name: (_rank(name), name)))}"


def _rank(name: str) -> int:
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


def _nearness(module: str) -> tuple[int, int, str]:
    """Return what sorts modules: the standard library, other projects, this one, then relative ones from afar."""
    dots = len(module) - len(module.lstrip("."))
    if dots:
        return 3, -dots, module
    package = module.partition(".")[0]
    return 2 if package in OURS else 0 if package in sys.stdlib_module_names else 1, 0, module


def _names(annotation: str) -> list[ast.Name]:
    """Return the names in an annotation, in order."""
    nodes = [node for node in ast.walk(ast.parse(annotation, mode="eval")) if isinstance(node, ast.Name)]
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def _shown(default: str | None) -> str | None:
    """Return a default as it is shown: itself if it needs no import."""
    if default is None:
        return None
    try:
        ast.literal_eval(default)
    except ValueError:
        return "..."
    return default
