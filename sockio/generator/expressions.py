"""Lowers expressions, by edits of the source where the syntax tree says."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .format_strings import lower_format_string
from .source import CannotGenerate, Text

#: Names that are written otherwise in the language that both share, or that the prelude brings.
NAMES = {
    "OSError": "EnvironmentError",
    "StopAsyncIteration": "StopIteration",
}

#: Calls of these give the same in both only through the prelude.
CALLS = {"OSError": "os_error", "bytes": "to_bytes"}

#: Attributes of modules that the prelude brings.
ATTRIBUTES = {"threading.get_ident": "get_ident", "time.monotonic": "monotonic"}

#: Methods that have another name where calls block.
METHODS = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}

#: Builtins of Python 3 alone; those that the prelude defines are not among them.
UNKNOWN_NAMES = (
    "BrokenPipeError",
    "ChildProcessError",
    "FileExistsError",
    "FileNotFoundError",
    "InterruptedError",
    "IsADirectoryError",
    "ModuleNotFoundError",
    "NotADirectoryError",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "aiter",
    "anext",
)

#: Methods of Python 3 alone.
UNKNOWN_METHODS = (
    "add_note",
    "cast",
    "from_bytes",
    "getbuffer",
    "hex",
    "isascii",
    "isprintable",
    "removeprefix",
    "removesuffix",
    "to_bytes",
    "with_traceback",
)

UNKNOWN_SYNTAX = (
    ast.AsyncWith,
    ast.Match,
    ast.MatMult,
    ast.NamedExpr,
    ast.Nonlocal,
    ast.Starred,
    ast.YieldFrom,
)


@dataclass(frozen=True)
class Part:
    """A module of the core, and how much of it is taken.

    Args:
        path: relative to the package.
        only: the names to take; all if empty.
        left_out: the names not to take; a method is written ``Class.method``.
        rewritten: source that is replaced before anything else: old and new, each of whole lines or a part of one.
        renamed: top-level names that something else in the same file has.
    """

    path: str
    only: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    rewritten: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


class Source(Text):
    """The text of a part after its rewrites, which knows where each of its lines is in the file."""

    def __init__(self, path: str, text: str, rewritten: Mapping[str, str], only_line: int | None = None) -> None:
        self.path = path
        numbers = list(range(1, text.count("\n") + 2))
        if only_line is not None:
            numbers = [only_line] * len(numbers)
        for old, new in rewritten.items():
            if text.count(old) != 1:
                raise CannotGenerate(f"{path}:1: expected once, found {text.count(old)} times: {old!r}")
            first = text[: text.index(old)].count("\n")
            last = first + old.count("\n")
            text = text.replace(old, new)
            numbers[first:last] = [numbers[first]] * new.count("\n")
        super().__init__(text)
        self._numbers = numbers

    def cannot(self, node: ast.AST, what: str) -> CannotGenerate:
        """Return the error for a node, with its place in the file."""
        return CannotGenerate(f"{self.path}:{self.number(node)}: cannot lower {what}")

    def number(self, node: ast.AST) -> int:
        """Return the number of the line in the file where a node begins."""
        return self._numbers[getattr(node, "lineno", 1) - 1]


class ExpressionLowering(ast.NodeVisitor):
    """Collects edits of one source.

    Attributes:
        seen: the names that the source gives something to or uses.
    """

    def __init__(self, source: Source, part: Part) -> None:
        self.source = source
        self.part = part
        self.seen: set[str] = set()
        self._edits: list[tuple[int, int, str]] = []
        self._classes: list[str] = []

    def edited(self) -> str:
        """Return the source with all edits made."""
        pieces = []
        position = 0
        for start, stop, new in sorted(self._edits):
            assert start >= position, f"{self.source.path}: edits overlap at {self.source.text[start:stop]!r}"
            pieces += [self.source.text[position:start], new]
            position = stop
        return "".join([*pieces, self.source.text[position:]])

    def expression(self, text: str, place: ast.AST) -> str:
        """Lower an expression on its own; *place* is where it stands."""
        inner = ExpressionLowering(Source(self.source.path, text, {}, self.source.number(place)), self.part)
        inner.visit(ast.parse(text, mode="eval").body)
        self.seen |= inner.seen
        return inner.edited()

    def block(self, statements: Sequence[ast.stmt], kind: str) -> None:
        """Lower the statements of a block: there are none in an expression."""
        raise NotImplementedError

    def _replace(self, start: int, stop: int, new: str) -> None:
        self._edits.append((start, stop, new))

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, UNKNOWN_SYNTAX) or (isinstance(node, ast.comprehension) and node.is_async):
            raise self.source.cannot(node, f"{type(node).__name__}: {ast.unparse(node)}")
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.block(value, "block")
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def visit_Await(self, node: ast.Await) -> None:
        self._replace(self.source.start(node), self.source.start(node.value), "")
        self.visit(node.value)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        if _is_same_or_awaited(node):
            self._replace(self.source.end(node.body), self.source.end(node), "")
            self.visit(node.body)
        else:
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        start, end = self.source.start(node), self.source.end(node)
        lowered = lower_format_string(self.source.text[start:end], lambda text: self.expression(text, node))
        if lowered is None:
            raise self.source.cannot(node, f"the format string {self.source.segment(node)}")
        self._replace(start, end, lowered)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, (int, float)) and "_" in self.source.segment(node):
            raise self.source.cannot(node, f"the number {self.source.segment(node)}")

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        if name == "super" and not node.args:
            owners = [name for name in self._classes if name != "()"]
            if len(owners) != 1:
                raise self.source.cannot(node, "super() here")
            self._replace(
                self.source.start(node),
                self.source.end(node),
                f"super({self.part.renamed.get(owners[0], owners[0])}, self)",
            )
            return
        if isinstance(node.func, ast.Attribute) and node.func.attr == "with_traceback":
            self._without_traceback(node, node.func.value)
            return
        if name in CALLS and node.args:
            self._replace(self.source.start(node.func), self.source.end(node.func), CALLS[name])
        else:
            self.visit(node.func)
        for index, argument in enumerate(node.args):
            if not isinstance(argument, ast.Starred):
                self.visit(argument)
                continue
            ends_call = self.source.text[self.source.end(argument) : self.source.end(node)].lstrip()
            if index + 1 < len(node.args) or not ends_call.startswith((")", ", **", ",**")):
                raise self.source.cannot(argument, "what follows *arguments in a call")
            self.visit(argument.value)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def _without_traceback(self, node: ast.Call, error: ast.expr) -> None:
        if [ast.unparse(argument) for argument in node.args] != ["None"]:
            raise self.source.cannot(node, ast.unparse(node))
        self._replace(self.source.start(node), self.source.start(error), "without_traceback(")
        self._replace(self.source.end(error), self.source.end(node), ")")
        self.visit(error)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = ast.unparse(node)
        if node.attr in UNKNOWN_METHODS:
            raise self.source.cannot(node, f"{name}, which Python 2 has not")
        if name in ATTRIBUTES:
            self._replace(self.source.start(node), self.source.end(node), ATTRIBUTES[name])
        elif node.attr in METHODS:
            end = self.source.end(node)
            self._replace(end - len(node.attr), end, METHODS[node.attr])
            self.visit(node.value)
        else:
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        self.seen.add(node.id)
        new = self.part.renamed.get(node.id, NAMES.get(node.id, node.id))
        if new in UNKNOWN_NAMES:
            raise self.source.cannot(node, f"{node.id}, which Python 2 has not")
        if new != node.id:
            self._replace(self.source.start(node), self.source.end(node), new)


def _is_same_or_awaited(node: ast.IfExp) -> bool:
    """Tell whether it is ``x if isinstance(x, bytes) else await x``."""
    name = ast.unparse(node.body)
    return ast.unparse(node.test) == f"isinstance({name}, bytes)" and ast.unparse(node.orelse) == f"await {name}"
