"""Lowers modules of the core to the language that Python 2.7 and Python 3 share.

The source is edited where the syntax tree says, so that layout and comments stay as they were written. Calls block:
a coroutine function becomes a plain one, and what it returned to be awaited is there already. What there is no rule for
is an error with file and line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from .expressions import METHODS, ExpressionLowering, Part, Source
from .facade import LINE_LENGTH
from .source import PACKAGE, CannotGenerate

#: Python 2 looks for these under another name.
ALIASES = {"__bool__": "__nonzero__", "__next__": "next"}

#: Bases that only say something to type checkers, or that Python 2 lacks.
NO_BASES = ("ABC", "Generic")

NO_DECORATORS = ("abstractmethod", "overload")


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


class Lowering(ExpressionLowering):
    """Collects edits of one module."""

    def lower(self) -> str:
        """Return the lowered source."""
        self.block(ast.parse(self.source.text).body, "module")
        text = self.edited()
        text = re.sub(r"  # (type: ignore|noqa)[^\n]*", "", text)
        text = re.sub(r"[ \t]+\n", "\n", text)
        # Where something was left out between blank lines.
        text = re.sub(r"\n{4,}", "\n\n\n", text)
        text = re.sub(r"\n{3,}(?= )", "\n\n", text)
        return text.strip("\n") + "\n"

    def block(self, statements: Sequence[ast.stmt], kind: str) -> None:
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
        names = list(names_given(statement))
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
        self.block(node.body, "function")
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
            given = "" if default is None else f"={self.expression(self.source.segment(default), default)}"
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
                bases.append(self.expression(self.source.segment(plain), plain))
        start = self.source.start(node)
        stop = self.source.text.index(":", self.source.end(node.bases[-1]) if node.bases else start) + 1
        self._replace(start, stop, f"class {name}({', '.join(bases) or 'object'}):")
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._classes.append(node.name)
        self.block(node.body, "class")
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
        self.block(node.body, "for")
        self.block(node.orelse, "else")

    def _remove(self, statement: ast.stmt, new: str = "") -> None:
        """Remove the lines of a statement, with its decorators and the comment directly above it."""
        first = min([statement.lineno, *(item.lineno for item in getattr(statement, "decorator_list", []))])
        while first > 1 and self.source.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        assert statement.end_lineno is not None
        self._replace(self.source.line_start(first), self.source.line_start(statement.end_lineno + 1), new)


def names_given(statement: ast.stmt) -> Iterable[str]:
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
