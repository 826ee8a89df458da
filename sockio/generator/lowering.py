"""Lowers modules of the core to the language that Python 2.7 and Python 3 share.

The source is edited where the syntax tree says, so that layout and comments stay as they were written. Calls block:
a coroutine function becomes a plain one, and what it returned to be awaited is there already. What there is no rule for
is an error with file and line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .facade import LINE_LENGTH
from .format_strings import lower_format_string
from .source import PACKAGE, CannotGenerate

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

#: Python 2 looks for these under another name.
ALIASES = {"__bool__": "__nonzero__", "__next__": "next"}

#: Bases that only say something to type checkers, or that Python 2 lacks.
NO_BASES = ("ABC", "Generic")

NO_DECORATORS = ("abstractmethod", "overload")

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


class Source:
    """The text of a part after its rewrites, and where each of its lines is in the file."""

    def __init__(self, path: str, text: str, rewritten: Mapping[str, str]) -> None:
        self.path = path
        lines = list(range(1, text.count("\n") + 2))
        for old, new in rewritten.items():
            if text.count(old) != 1:
                raise CannotGenerate(f"{path}:1: expected once, found {text.count(old)} times: {old!r}")
            start = text[: text.index(old)].count("\n")
            text = text.replace(old, new)
            lines[start : start + old.count("\n") + 1] = [lines[start]] * (new.count("\n") + 1)
        self.text = text
        self._lines = lines
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def cannot(self, node: ast.AST, what: str) -> CannotGenerate:
        """Return the error for a node, with its place in the file."""
        return CannotGenerate(f"{self.path}:{self._lines[getattr(node, 'lineno', 1) - 1]}: cannot lower {what}")

    def offset(self, line: int, column: int) -> int:
        """Return the index in the text of a position of the syntax tree, whose columns count UTF-8 bytes."""
        start = self._starts[line - 1]
        text = self.text[start : self._starts[line]]
        return start + len(text.encode()[:column].decode())

    def line_start(self, line: int) -> int:
        return self._starts[line - 1]

    def start(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.expr | ast.stmt | ast.arg) -> str:
        return self.text[self.start(node) : self.end(node)]


def lower(part: Part) -> str:
    """Return the lowered source of a part, without docstring and imports.

    Raises:
        CannotGenerate: there is something in it that has no equivalent.
    """
    path = PACKAGE / part.path
    return lower_text(str(path), path.read_text(encoding="utf-8"), part)


def lower_text(path: str, text: str, part: Part) -> str:
    """Lower source that was read from *path*."""
    source = Source(path, text, part.rewritten)
    lowering = Lowering(source, part)
    lowered = lowering.lower()
    unknown = set(part.only) | set(part.left_out) | set(part.renamed)
    unknown -= lowering.seen
    if unknown:
        raise CannotGenerate(f"{path}:1: there is no {', '.join(sorted(unknown))}")
    return lowered


class Lowering(ast.NodeVisitor):
    """Collects edits of one source."""

    def __init__(self, source: Source, part: Part) -> None:
        self.source = source
        self.part = part
        self.seen: set[str] = set()
        self._edits: list[tuple[int, int, str]] = []
        self._classes: list[str] = []

    def lower(self) -> str:
        tree = ast.parse(self.source.text)
        self._block(tree.body, "module")
        text = self.edited()
        text = re.sub(r"  # (type: ignore|noqa)[^\n]*", "", text)
        text = re.sub(r"[ \t]+\n", "\n", text)
        text = re.sub(r"\n{4,}", "\n\n\n", text)
        text = re.sub(r"\n{3,}(?= )", "\n\n", text)
        return text.strip("\n") + "\n"

    def edited(self) -> str:
        """Return the source with all edits made."""
        text = self.source.text
        end = len(text)
        for start, stop, new in sorted(self._edits, reverse=True):
            assert stop <= end, (self.source.path, text[start:stop], new)
            text = text[:start] + new + text[stop:]
            end = start
        return text

    def _expression(self, text: str) -> str:
        """Lower an expression on its own."""
        inner = Lowering(Source(self.source.path, text, {}), self.part)
        inner.visit(ast.parse(text, mode="eval").body)
        self.seen |= inner.seen
        return inner.edited()

    # Edits

    def _replace(self, start: int, stop: int, new: str) -> None:
        self._edits.append((start, stop, new))

    def _remove(self, statement: ast.stmt, new: str = "") -> None:
        """Remove the lines of a statement, with its decorators and the comment directly above it."""
        first = min([statement.lineno, *(item.lineno for item in getattr(statement, "decorator_list", []))])
        lines = self.source.text.splitlines()
        while first > 1 and lines[first - 2].lstrip().startswith("#"):
            first -= 1
        assert statement.end_lineno is not None
        self._replace(self.source.line_start(first), self.source.line_start(statement.end_lineno + 1), new)

    # Statements

    def _block(self, statements: Sequence[ast.stmt], kind: str) -> None:
        """Lower the statements of a block; one that would be empty says ``pass``."""
        kept = 0
        for index, statement in enumerate(statements):
            previous = statements[index - 1] if index else None
            if self._goes(statement, previous, index == 0 and kind == "module"):
                if kept == 0 and index == len(statements) - 1 and kind != "module":
                    self._remove(statement, f"{statement.col_offset * ' '}pass\n")
                else:
                    self._remove(statement)
            else:
                kept += 1
                self.visit(statement)

    def _goes(self, statement: ast.stmt, previous: ast.stmt | None, first: bool) -> bool:
        """Tell whether a statement has no place in the lowered source."""
        if isinstance(statement, ast.ImportFrom):
            return statement.level > 0 or statement.module == "__future__" or not self._inside()
        if isinstance(statement, ast.Import):
            return not self._inside()
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            return True
        if first and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return True
        if isinstance(statement, ast.AnnAssign) and statement.value is None:
            return True
        if _is_awaiting_left_over(statement):
            self._make_plain_call(previous, statement)
            return True
        return self._is_left_out(statement)

    def _inside(self) -> bool:
        return bool(self._classes)

    def _is_left_out(self, statement: ast.stmt) -> bool:
        names = list(_names(statement))
        if self._classes and self._classes[-1] == "()":
            return False
        qualified = [".".join([*self._classes, name]) for name in names]
        self.seen.update(qualified)
        if any(name in self.part.left_out or name == "TYPE_CHECKING" for name in qualified):
            return True
        if not self.part.only or self._classes:
            return False
        return not any(name in self.part.only for name in qualified)

    def _make_plain_call(self, previous: ast.stmt | None, statement: ast.stmt) -> None:
        """``unsent = send(data)`` whose result was only awaited: ``send(data)``."""
        assert isinstance(statement, ast.If)
        awaited = _awaited_name(statement.body[0])
        if (
            isinstance(previous, ast.Assign)
            and len(previous.targets) == 1
            and isinstance(previous.targets[0], ast.Name)
            and previous.targets[0].id == awaited
            and isinstance(statement.body[0], ast.Expr)
        ):
            self._replace(self.source.start(previous), self.source.start(previous.value), "")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        name = METHODS.get(node.name, node.name) if self._classes else self.part.renamed.get(node.name, node.name)
        for decorator in node.decorator_list:
            if ast.unparse(decorator) in NO_DECORATORS:
                start = self.source.line_start(decorator.lineno)
                self._replace(start, self.source.line_start(decorator.lineno + 1), "")
            else:
                self.visit(decorator)
        if node.returns is None:
            raise self.source.cannot(node, f"{node.name} without a type for what it returns")
        start = self.source.start(node)
        stop = self.source.text.index(":", self.source.end(node.returns)) + 1
        self._replace(start, stop, self._header(name, node.args, node.col_offset))
        owner = self._classes[-1] if self._classes else None
        self._classes.append("()")
        self._block(node.body, "function")
        self._classes.pop()
        if owner not in (None, "()") and name in ALIASES:
            end = self.source.end(node)
            self._replace(end, end, f"\n\n{node.col_offset * ' '}{ALIASES[name]} = {name}")

    def _header(self, name: str, arguments: ast.arguments, indent: int) -> str:
        listed = []
        named = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(named) - len(arguments.defaults)) + list(arguments.defaults)
        if arguments.vararg is not None and arguments.kwonlyargs:
            raise self.source.cannot(arguments.vararg, "arguments that follow a variable number of others")
        for argument, default in [
            *zip(named, defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]:
            if default is None and argument in arguments.kwonlyargs:
                raise self.source.cannot(argument, f"a keyword argument without a default: {argument.arg}")
            given = "" if default is None else f"={self._expression(self.source.segment(default))}"
            listed.append(argument.arg + given)
        if arguments.vararg is not None:
            listed.append(f"*{arguments.vararg.arg}")
        if arguments.kwarg is not None:
            listed.append(f"**{arguments.kwarg.arg}")
        one_line = f"def {name}({', '.join(listed)}):"
        if indent + len(one_line) <= LINE_LENGTH:
            return one_line
        inner = "\n" + " " * (indent + 4)
        # Python 2 wants no comma after *args.
        return f"def {name}({inner}{f',{inner}'.join(listed)}\n{' ' * indent}):"

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        name = self.part.renamed.get(node.name, node.name)
        if node.keywords:
            raise self.source.cannot(node, f"keywords of class {node.name}")
        bases = []
        for base in node.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            if ast.unparse(plain) not in NO_BASES:
                bases.append(self._expression(self.source.segment(plain)))
        start = self.source.start(node)
        stop = self.source.text.index(":", self.source.end(node.bases[-1]) if node.bases else start) + 1
        self._replace(start, stop, f"class {name}({', '.join(bases) or 'object'}):")
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._classes.append(node.name)
        self._block(node.body, "class")
        self._classes.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        assert node.value is not None
        self.visit(node.target)
        self._replace(self.source.end(node.target), self.source.end(node.annotation), "")
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            self.visit(node.exc)
            if node.cause is not None:
                self._replace(self.source.end(node.exc), self.source.end(node.cause), "")

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        start = self.source.start(node)
        self._replace(start, self.source.text.index("for", start), "")
        self.visit(node.target)
        self.visit(node.iter)
        self._block(node.body, "for")
        self._block(node.orelse, "else")

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, UNKNOWN_SYNTAX) or (isinstance(node, ast.comprehension) and node.is_async):
            raise self.source.cannot(node, f"{type(node).__name__}: {ast.unparse(node)}")
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self._block(value, "block")
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
            elif isinstance(value, ast.AST):
                self.visit(value)

    # Expressions

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
        lowered = lower_format_string(self.source.text[start:end], self._expression)
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


def _names(statement: ast.stmt) -> Iterable[str]:
    """Return the names that a statement gives something to."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id


def _awaited_name(statement: ast.stmt) -> str | None:
    """Return the name in ``await name`` or ``name = await name``."""
    if not isinstance(statement, (ast.Expr, ast.Assign)) or not isinstance(statement.value, ast.Await):
        return None
    awaited = statement.value.value
    if not isinstance(awaited, ast.Name):
        return None
    if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] != [awaited.id]:
        return None
    return awaited.id


def _is_awaiting_left_over(statement: ast.stmt) -> bool:
    """Tell whether a statement awaits what was not there at once: where calls block, everything is."""
    if not isinstance(statement, ast.If) or len(statement.body) != 1 or statement.orelse:
        return False
    name = _awaited_name(statement.body[0])
    return name is not None and ast.unparse(statement.test) in (
        f"{name} is not None",
        f"not isinstance({name}, bytes)",
    )


def _is_same_or_awaited(node: ast.IfExp) -> bool:
    """Tell whether it is ``x if isinstance(x, bytes) else await x``."""
    name = ast.unparse(node.body)
    return ast.unparse(node.test) == f"isinstance({name}, bytes)" and ast.unparse(node.orelse) == f"await {name}"
