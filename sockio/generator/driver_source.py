"""Reads a package of drivers: which classes there are, and what their public members take and give."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .source import Module, Parameter, cannot

#: Special methods that say nothing about a call.
LEFT_OUT = ("__init__", "__init_subclass__", "__new__", "__repr__", "__str__")

#: Those that have a form in each twin.
KNOWN = ("__aenter__", "__aexit__", "__getitem__")


@dataclass(frozen=True)
class Member:
    """A public member of a driver class.

    Args:
        name: of the member.
        annotation: of an attribute, or of what a method returns.
        parameters: of a method.
        doc: the docstring as it stands in the source, quotes and all.
        decorators: the names of a method's decorators; ``operation`` whatever the name of one that marks it so.
        is_async: whether it is ``async def``.
        is_method: whether it is no attribute.
    """

    name: str
    annotation: str
    parameters: tuple[Parameter, ...] = ()
    doc: str = ""
    decorators: tuple[str, ...] = ()
    is_async: bool = False
    is_method: bool = False


class Package:
    """The source of a package of drivers.

    Args:
        path: the package; beside it is ``base.py``, which has the class that drivers derive from.
        left_out: the modules that are not read.
    """

    def __init__(self, path: Path, left_out: str) -> None:
        self.path = path
        self.exports = Module(str(path / "__init__.py"))
        self._origins: dict[str, tuple[str, str]] = {}
        self._classes: dict[str, tuple[Module, ast.ClassDef]] = {}
        self._marks = {"operation"}
        self._read(Module(str(path.parent / "base.py")), ".", ("Driver",))
        for file in sorted(path.glob("*.py")):
            if file.name not in ("__init__.py", left_out):
                self._read(Module(str(file)), "")

    def drivers(self) -> list[str]:
        """Return the names of the classes that the package offers and that are constructed over a connection."""
        imports = [node for node in ast.walk(self.exports.tree) if isinstance(node, ast.ImportFrom)]
        offered = {alias.name for node in imports for alias in node.names if self.is_driver(alias.name)}
        return sorted(name for name in offered if [each.name for each in self.constructor(name)][:1] == ["conn"])

    def is_driver(self, name: str) -> bool:
        """Tell whether this is the name of a class of drivers or of their parts."""
        return any(node.name == "Driver" for _, node in self._lineage(name))

    def module_of(self, name: str) -> str:
        """Return the name of the module that defines a class."""
        return self._classes[name][0].path.stem

    def doc(self, name: str) -> str:
        """Return the docstring of a class as it stands in the source."""
        module, node = self._classes[name]
        return module.doc(node)

    def constructor(self, name: str) -> list[Parameter]:
        """Return the parameters of a class's ``__init__``, its own or inherited."""
        for module, node in reversed(self._lineage(name)):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    return list(module.parameters(item))
        return []

    def members(self, name: str) -> list[Member]:
        """Return the public members of a class, those that it inherits first; one of overloads follows the other."""
        found: dict[str, list[Member]] = {}
        for module, node in self._lineage(name):
            own: dict[str, list[Member]] = {}
            for member in self._members(module, node):
                overloads = own.setdefault(member.name, [])
                if not overloads or overloads[-1].decorators == ("overload",) == member.decorators:
                    overloads.append(member)
            found |= own
        return [member for overloads in found.values() for member in overloads]

    def origin(self, name: str) -> tuple[str, str] | None:
        """Return where a name of an annotation comes from: a module, empty for a module itself, and its name there.

        None for a builtin.
        """
        return self._origins.get(name)

    def _read(self, module: Module, dots: str, only: tuple[str, ...] = ()) -> None:
        """Take in what a module defines and imports; *dots* lead from the package to where the module is."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                source = dots * bool(node.level) + "." * node.level + (node.module or "")
                for alias in node.names:
                    self._origins.setdefault(alias.asname or alias.name, (source, alias.name))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self._origins.setdefault(alias.name, ("", alias.name))
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and (not only or node.name in only):
                self._classes[node.name] = module, node
                self._origins[node.name] = f".{dots}{module.path.stem}", node.name
            elif isinstance(node, ast.FunctionDef) and _marks_operations(node):
                self._marks.add(node.name)

    def _lineage(self, name: str) -> list[tuple[Module, ast.ClassDef]]:
        """Return a class after those that it derives from, as far as they are known."""
        if name not in self._classes:
            return []
        module, node = self._classes[name]
        bases = [ancestor for base in node.bases for ancestor in self._lineage(ast.unparse(base))]
        return [*bases, (module, node)]

    def _members(self, module: Module, node: ast.ClassDef) -> Iterator[Member]:
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                yield from self._attributes(module, item)
            elif isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if item.name in KNOWN or not item.name.startswith("_"):
                    yield self._method(module, item)
                elif item.name.startswith("__") and item.name not in LEFT_OUT:
                    raise cannot(module.path, item, f"the generator does not know the form of {item.name} in a twin")
            elif isinstance(item, (ast.Assign, ast.AnnAssign)):
                yield from self._attribute(module, item, {})

    def _attributes(self, module: Module, constructor: ast.FunctionDef) -> Iterator[Member]:
        """Go through the attributes that a constructor sets."""
        types = {parameter.name: parameter.annotation for parameter in module.parameters(constructor)}
        for statement in ast.walk(constructor):
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                yield from self._attribute(module, statement, types, "self.")

    def _attribute(
        self, module: Module, statement: ast.Assign | ast.AnnAssign, types: dict[str, str], prefix: str = ""
    ) -> Iterator[Member]:
        """Give the attribute that a statement sets, if it is public.

        Raises:
            CannotGenerate: its type is neither written there nor plain to see.
        """
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            whole = ast.unparse(target)
            name = whole.removeprefix(prefix)
            if not whole.startswith(prefix) or name.startswith("_") or not name.isidentifier():
                continue
            if isinstance(statement, ast.AnnAssign):
                annotation = module.text.segment(statement.annotation)
            elif isinstance(statement.value, ast.Constant):
                annotation = type(statement.value.value).__name__
            elif isinstance(statement.value, ast.Name) and statement.value.id in types:
                annotation = types[statement.value.id]
            elif isinstance(statement.value, ast.Call) and ast.unparse(statement.value.func) in self._classes:
                annotation = ast.unparse(statement.value.func)
            else:
                raise cannot(module.path, statement, f"{name} is public and has no type: annotate it")
            yield Member(name, annotation)

    def _method(self, module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Member:
        decorators = [module.text.segment(decorator) for decorator in node.decorator_list]
        decorators = ["operation" if decorator in self._marks else decorator for decorator in decorators]
        if decorators not in ([], ["property"], ["operation"], ["overload"], ["asynccontextmanager"]):
            raise cannot(module.path, node, f"{node.name} has a decorator that the generator does not know")
        if node.returns is None:
            raise cannot(module.path, node, f"{node.name} does not say what it returns")
        return Member(
            node.name,
            module.text.segment(node.returns),
            tuple(module.parameters(node)),
            module.doc(node),
            tuple(decorators),
            isinstance(node, ast.AsyncFunctionDef),
            is_method=True,
        )


def _marks_operations(function: ast.FunctionDef) -> bool:
    """Tell whether this is a decorator that makes operations: one that returns ``operation(...)``."""
    return any(
        isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "operation"
        for node in ast.walk(function)
    )
