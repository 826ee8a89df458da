"""The text of ``flavours.py`` in each package of drivers: its twins, as type checkers and completion see them.

It is made from the source of the drivers, which is read and never imported.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from .driver_source import ROOT, Member, Package
from .facade import define
from .layout import import_line, sorted_imports
from .source import PACKAGE, Parameter

INSTRUMENTS = PACKAGE.parent / ROOT
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
    connection: str = ""


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
    "BlockingConnection": ("instruments.connections", "BlockingConnection"),
    "CoroutineConnection": ("instruments.connections", "CoroutineConnection"),
    "Driver": ("instruments.base", "Driver"),
    "Future": ("concurrent.futures", "Future"),
    "Generator": ("collections.abc", "Generator"),
    "Iterator": ("collections.abc", "Iterator"),
    "Literal": ("typing", "Literal"),
    "Self": ("typing_extensions", "Self"),
    "futures": ("sockio", "futures"),
    "overload": ("typing", "overload"),
}

#: Blocks are entered and left in the plain way on both flavours.
ENTERED = {"__aenter__": "__enter__", "__aexit__": "__exit__"}


def modules() -> dict[str, Callable[[], str]]:
    """Return what writes each module, by its path."""
    return {str(package.path / MODULE): partial(write, package) for package in packages()}


def packages() -> list[Package]:
    """Return the packages of drivers that are constructed over a connection."""
    read = [Package(file.parent, MODULE) for file in sorted(INSTRUMENTS.glob("*/__init__.py"))]
    return [package for package in read if package.drivers()]


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
        indent: what the lines of the members begin with.
        twins: the names of the classes that have twins: drivers, and what can be reached from them.
    """

    indent = "    "

    def __init__(self, package: Package) -> None:
        self.package = package
        self.twins: list[str] = []
        self.used: set[str] = set()
        for name in package.drivers():
            self._reach(name)

    def twin(self, name: str, flavour: Flavour) -> str:
        """Return the source of the protocol that the twin of a class has."""
        attributes, methods = self._members(self.package.members(name), flavour)
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
        from_typing, for_checkers = sorted_imports(map(self.origin, self.used), self.package.name)
        at_run_time = [import_line("typing", {"TYPE_CHECKING", "Protocol", *from_typing}), ""]
        at_run_time.append(import_line(".", set(map(self.package.module_of, self.package.drivers()))))
        return "\n".join(["", *at_run_time, "", "if TYPE_CHECKING:", textwrap.indent(for_checkers, "    "), ""])

    def origin(self, name: str) -> tuple[str, str] | None:
        """Return where a name comes from: a module, empty for a module itself, and its name there; None for ours."""
        return ORIGINS.get(name) or self.package.origin(name)

    def _reach(self, name: str) -> None:
        """Note a class and what its members give, and so on."""
        self.twins.append(name)
        for member in self.package.members(name):
            for annotation in (member.annotation, *(parameter.annotation for parameter in member.parameters)):
                for node in _names(annotation):
                    if node.id not in self.twins and node.id != "Driver" and self.package.is_driver(node.id):
                        self._reach(node.id)

    def _members(self, members: Iterable[Member], flavour: Flavour) -> tuple[list[str], list[str]]:
        """Return the source of the attributes and of the methods of a twin."""
        attributes: list[str] = []
        methods: list[str] = []
        for member in members:
            (methods if member.is_method else attributes).append(self._member(member, flavour))
        return attributes, methods

    def _member(self, member: Member, flavour: Flavour) -> str:
        """Return the source of a member of a twin."""
        indent = self.indent
        if not member.is_method:
            return f"{indent}{member.name}: {self._seen(member.annotation, flavour)}"
        name, returns, decorators = member.name, member.annotation, member.decorators
        iterated = ITERATOR.fullmatch(returns)
        awaited = AWAITABLE.fullmatch(returns)
        if decorators == ("asynccontextmanager",) and iterated:
            returns, decorators = f"AbstractContextManager[{iterated[1]}]", ()
        elif member.is_async and iterated and not decorators:
            is_generator = returns.startswith("AsyncGenerator")  # which can be closed
            returns = f"Generator[{iterated[1]}, None, None]" if is_generator else f"Iterator[{iterated[1]}]"
        elif member.is_async or decorators == ("operation",):
            returns, decorators = (awaited[1] if awaited and not member.is_async else returns), ()
            if name in ENTERED:
                name = ENTERED[name]  # waits for the end on both flavours
            else:
                returns = flavour.result.format(returns)
        parameters = self._parameters(member.parameters, flavour)
        returns = self._seen(returns, flavour)
        lines = [f"{indent}@{decorator}" for decorator in decorators]
        if not member.doc:
            return "\n".join([*lines, define(name, parameters, returns, indent, body=" ...")])
        lines += [define(name, parameters, returns, indent), f"{indent}    {self._doc(member.doc)}", f"{indent}    ..."]
        return "\n".join(lines)

    def _parameters(self, parameters: Iterable[Parameter], flavour: Flavour) -> list[Parameter]:
        """Return parameters as a twin has them."""
        return [
            replace(parameter, annotation=self._seen(parameter.annotation, flavour), default=self._default(parameter))
            for parameter in parameters
        ]

    def _default(self, parameter: Parameter) -> str | None:
        """Return a parameter's default as it is shown."""
        return _shown(parameter.default)

    def _doc(self, doc: str) -> str:
        """Return a docstring as it is laid out here."""
        return doc

    def _seen(self, annotation: str, flavour: Flavour) -> str:
        """Return an annotation in which the driver's classes are their twins."""
        for node in reversed(_names(annotation)):
            if node.id in self.twins:
                annotation = annotation[: node.col_offset] + flavour.prefix + annotation[node.col_offset :]
        self._use(annotation)
        return annotation

    def _use(self, *annotations: str) -> None:
        self.used |= {node.id for annotation in annotations for node in _names(annotation)}


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
