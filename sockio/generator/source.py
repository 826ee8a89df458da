"""Reads the core's classes: what their public methods are called, take, return and say about themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parent.parent

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class CannotGenerate(Exception):
    """The core says something that the generator has no words for."""


def cannot(path: Path, node: ast.AST, what: str) -> CannotGenerate:
    """Return the error for a piece of source, with its file and line."""
    return CannotGenerate(f"{path}:{getattr(node, 'lineno', 1)}: {what}")


class Text:
    """Source, and where in it the nodes of its syntax tree are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))

    def line_start(self, line: int) -> int:
        """Return the index in the text at which a line begins; the first is number 1."""
        return self._starts[line - 1]

    def start(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.expr | ast.stmt | ast.arg) -> str:
        """Return the source of a node."""
        return self.text[self.start(node) : self.end(node)]

    def _offset(self, line: int, column: int) -> int:
        # The columns of the syntax tree count bytes.
        return self._starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method, in the words of its source."""

    name: str
    annotation: str
    default: str | None
    keyword_only: bool

    def __str__(self) -> str:
        default = "" if self.default is None else f" = {self.default}"
        return f"{self.name}: {self.annotation}{default}"


@dataclass(frozen=True)
class Method:
    """A method or a property, with what type checkers see of it instead, if anything (``if TYPE_CHECKING:`` before)."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    doc: str
    body: str
    is_async: bool
    is_property: bool
    overloads: tuple[Method, ...] = ()

    @property
    def is_public(self) -> bool:
        return not self.name.startswith("_")

    @property
    def is_name(self) -> bool:
        """Whether this makes text of the object."""
        return self.name in ("__str__", "__repr__")


@dataclass(frozen=True)
class Class:
    """A class of the core: its docstring and what it defines itself, in the order of the source."""

    name: str
    bases: tuple[str, ...]
    doc: str
    methods: tuple[Method, ...]

    @property
    def constructor(self) -> tuple[Parameter, ...]:
        """The parameters of its own ``__init__``; none if it has none."""
        return next((method.parameters for method in self.methods if method.name == "__init__"), ())


class Module:
    """The source of one module of the package.

    Args:
        path: the file, relative to the package.
    """

    def __init__(self, path: str) -> None:
        self.path = PACKAGE / path
        self.text = Text(self.path.read_text(encoding="utf-8"))
        self.tree = ast.parse(self.text.text)

    def read_class(self, name: str) -> Class:
        """Return the class of this name.

        Raises:
            CannotGenerate: there is none, or it has what a facade cannot be made of.
        """
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                bases = tuple(self.text.segment(base) for base in node.bases)
                return Class(name, bases, self.doc(node), tuple(self._methods(node)))
        raise CannotGenerate(f"{self.path}:1: there is no class {name}")

    def lineage(self, name: str) -> list[Class]:
        """Return the class of this name after those of the package that it derives from."""
        derived = self.read_class(name)
        classes = []
        for base in derived.bases:
            for node in self.tree.body:
                if isinstance(node, ast.ImportFrom) and base in [alias.name for alias in node.names] and node.level:
                    classes += Module(f"{node.module}.py").lineage(base)
        return [*classes, derived]

    def _methods(self, node: ast.ClassDef) -> Iterator[Method]:
        overloads: list[Method] = []
        for item in node.body:
            if isinstance(item, ast.If) and self.text.segment(item.test) == "TYPE_CHECKING":
                overloads = [self._method(one) for one in item.body if isinstance(one, FUNCTIONS)]
            elif isinstance(item, FUNCTIONS):
                yield self._method(item, tuple(overloads))
                overloads = []

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef, overloads: tuple[Method, ...] = ()) -> Method:
        decorators = [self.text.segment(decorator) for decorator in node.decorator_list]
        if decorators not in ([], ["property"], ["overload"]):
            raise cannot(self.path, node, f"{node.name} has a decorator that the generator does not know")
        if not node.name.startswith("_") and ast.get_docstring(node) is None and decorators != ["overload"]:
            raise cannot(self.path, node, f"{node.name} is public and has no docstring")
        return Method(
            node.name,
            tuple(self.parameters(node)),
            "None" if node.returns is None else self.text.segment(node.returns),
            self.doc(node),
            self._body(node),
            isinstance(node, ast.AsyncFunctionDef),
            decorators == ["property"],
            overloads,
        )

    def parameters(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Parameter]:
        """Go through the parameters of a method, without the first."""
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args][1:]
        if not node.name.startswith("_") and (arguments.vararg or arguments.kwarg or arguments.posonlyargs):
            raise cannot(self.path, node, f"{node.name} takes arguments that are not named")
        defaults = [None] * (len(named) - len(arguments.defaults)) + list(arguments.defaults)
        for keyword_only, arguments_, values in (
            (False, named, defaults),
            (True, arguments.kwonlyargs, arguments.kw_defaults),
        ):
            for argument, value in zip(arguments_, values, strict=True):
                if argument.annotation is None:
                    raise cannot(self.path, argument, f"{node.name}: {argument.arg} has no type")
                yield Parameter(
                    argument.arg,
                    self.text.segment(argument.annotation),
                    None if value is None else self.text.segment(value),
                    keyword_only,
                )

    def doc(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        """Return the docstring as it stands in the source, quotes and all."""
        return self.text.segment(node.body[0]) if ast.get_docstring(node) is not None else ""

    def _body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        statements = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if not statements:
            return ""
        first, last = statements[0].lineno, statements[-1].end_lineno
        return "".join(self.text.lines[first - 1 : last]).rstrip("\n")
