"""Reads a package of drivers: which classes there are, and what their public members take and give."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .source import Module, Parameter, cannot

#: What everything that is read belongs to, and the classes in its ``base.py`` that all drivers derive from.
ROOT = "instruments"
ROOTS = ("Driver", "Standalone")

#: Special methods that say nothing about a call.
LEFT_OUT = ("__init__", "__init_subclass__", "__new__", "__repr__", "__str__")

#: Decorators, with their arguments, that do not change what a call takes and gives.
SILENT = ("quantity(",)

#: Those that have a form in each twin.
KNOWN = ("__aenter__", "__aexit__", "__getitem__", "__iter__")

#: Those that only an awaited driver has; beside them is ``__iter__`` for the twins.
AWAITED = ("__aiter__", "__anext__")

#: Those of a driver that is entered without waiting; beside them are the awaited ones, which the twins take.
ENTERED = ("__enter__", "__exit__")


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


def read(path: Path) -> Module:
    """Return the source of a module, which is read once."""
    return _read(str(path), path.stat().st_mtime_ns)


@cache
def _read(path: str, changed: int) -> Module:
    return Module(path)


@cache
def imports_of(module: Module) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports of a module, wherever in it they are."""
    return [node for node in ast.walk(module.tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


class Package:
    """The source of a package of drivers, or of a single module of them.

    It also knows the classes of drivers that are imported from elsewhere in `instruments`.

    Args:
        path: the package or module; beside it is ``base.py``, which has the classes that drivers derive from.
        left_out: the modules that are not read.

    Attributes:
        name: what it is imported by.
        exports: the module that says what is offered.
        functions: the coroutine functions that are no methods, by name.
    """

    def __init__(self, path: Path, left_out: str = "") -> None:
        self.path = path
        self.name = f"{ROOT}.{path.stem}"
        self.exports = read(path / "__init__.py" if path.is_dir() else path)
        self.functions: dict[str, tuple[Module, ast.AsyncFunctionDef]] = {}
        self._origins: dict[str, tuple[str, str]] = {}
        self._classes: dict[str, tuple[Module, ast.ClassDef]] = {}
        self._marks = {"operation"}
        for root in ROOTS:
            self._take(f"{ROOT}.base", root)
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        modules = [read(file) for file in files if file.name not in ("__init__.py", left_out)]
        for module in modules:
            self._define(module)
        for module in modules:
            self._read_imports(module)

    def offered(self) -> list[str]:
        """Return the names in ``__all__``; none without it."""
        for node in self.exports.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names: list[str] = ast.literal_eval(node.value)
                return names
        return []

    def homes(self) -> dict[str, list[str]]:
        """Return the names that are offered, by the module that they are imported from."""
        offered = self.offered()
        found: dict[str, list[str]] = {}
        for node in imports_of(self.exports):
            if isinstance(node, ast.ImportFrom):
                names = found.setdefault(self._source_of(self.exports, node), [])
                names += [alias.name for alias in node.names if alias.name in offered]
        return found

    def drivers(self) -> list[str]:
        """Return the names of the classes that the package offers and that are constructed over a connection."""
        imported = [alias.name for node in imports_of(self.exports) for alias in node.names]
        offered = {name for name in imported if self.is_driver(name)}
        return sorted(
            name
            for name in offered
            if not self.is_standalone(name) and [each.name for each in self.constructor(name)][:1] == ["conn"]
        )

    def standalone(self) -> list[str]:
        """Return the names of the known classes of drivers that make their connection themselves."""
        return [name for name in self._classes if self.is_standalone(name)]

    def is_driver(self, name: str) -> bool:
        """Tell whether this is the name of a class of drivers or of their parts."""
        return any(node.name == "Driver" for _, node in self._lineage(name))

    def is_standalone(self, name: str) -> bool:
        """Tell whether this is the name of a class of drivers that make their connection themselves."""
        return name not in ROOTS and any(node.name == "Standalone" for _, node in self._lineage(name))

    def bases(self, name: str) -> list[str]:
        """Return the names of the classes of drivers that a class is derived from, without the roots."""
        _, node = self._classes[name]
        bases = [ast.unparse(base) for base in node.bases]
        return [base for base in bases if base not in ROOTS and self.is_driver(base)]

    def home(self, name: str) -> str:
        """Return what the package or module is imported by that has a class."""
        return ".".join(self._dotted(self._classes[name][0]).split(".")[:2])

    def module_of(self, name: str) -> str:
        """Return the name of the module that defines a class."""
        return self._classes[name][0].path.stem

    def doc(self, name: str) -> str:
        """Return the docstring of a class as it stands in the source."""
        module, node = self._classes[name]
        return module.doc(node)

    def required_doc(self, name: str) -> str:
        """Return the docstring of a class or coroutine function.

        Raises:
            CannotGenerate: it has none.
        """
        module, node = self.functions.get(name) or self._classes[name]
        doc = module.doc(node)
        if not doc:
            raise cannot(module.path, node, f"{name} is public and has no docstring")
        return doc

    def constructor(self, name: str) -> list[Parameter]:
        """Return the parameters of a class's ``__init__``, its own or inherited."""
        for module, node in reversed(self._lineage(name)):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    return _parameters(module, item)
        return []

    def members(self, name: str) -> list[Member]:
        """Return the public members of a class, those that it inherits first; one of overloads follows the other."""
        found: dict[str, list[Member]] = {}
        for module, node in self._lineage(name):
            found |= self._by_name(module, node)
        return [member for overloads in found.values() for member in overloads]

    def own_members(self, name: str) -> list[Member]:
        """Return the public members that a class does not inherit."""
        module, node = self._classes[name]
        return [member for overloads in self._by_name(module, node).values() for member in overloads]

    def function(self, name: str) -> Member:
        """Return a coroutine function."""
        module, node = self.functions[name]
        return self._method(module, node)

    def origin(self, name: str) -> tuple[str, str] | None:
        """Return where a name of an annotation comes from: a module, empty for a module itself, and its name there.

        None for a builtin.
        """
        return self._origins.get(name)

    def _define(self, module: Module) -> None:
        """Take in what a module defines."""
        for node in module.tree.body:
            names: list[str] = []
            if isinstance(node, ast.ClassDef):
                self._classes[node.name] = module, node
                names = [node.name]
            elif isinstance(node, ast.AsyncFunctionDef):
                self.functions[node.name] = module, node
            elif isinstance(node, ast.FunctionDef) and _marks_operations(node):
                self._marks.add(node.name)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            self._origins |= {name: (self._dotted(module), name) for name in names}

    def _read_imports(self, module: Module) -> None:
        """Take in what a module imports, and the classes of drivers among that."""
        for node in imports_of(module):
            if isinstance(node, ast.ImportFrom):
                source = self._source_of(module, node)
                for alias in node.names:
                    if self._origins.setdefault(alias.asname or alias.name, (source, alias.name))[0] == source:
                        self._take(source, alias.name)
            else:
                for alias in node.names:
                    self._origins.setdefault(alias.name, ("", alias.name))

    def _take(self, source: str, name: str) -> None:
        """Take in a class that another module of `instruments` offers."""
        path = self.path.parent.joinpath(*source.split(".")[1:])
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in self._classes or not source.startswith(f"{ROOT}.") or not path.exists():
            return
        module = read(path)
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                self._classes[name] = module, node
                self._origins[name] = source, name
                self._read_imports(module)
                return
        for node in imports_of(module):
            if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
                self._take(self._source_of(module, node), name)

    def _dotted(self, module: Module) -> str:
        """Return what a module is imported by."""
        parts = module.path.relative_to(self.path.parent).with_suffix("").parts
        return ".".join([ROOT, *(part for part in parts if part != "__init__")])

    def _source_of(self, module: Module, node: ast.ImportFrom) -> str:
        """Return the module that an import is from."""
        if not node.level:
            return node.module or ""
        package = self._dotted(module).split(".")
        if module.path.name == "__init__.py":
            package.append("")
        return ".".join([*package[: -node.level], *filter(None, [node.module])])

    def _lineage(self, name: str) -> list[tuple[Module, ast.ClassDef]]:
        """Return a class after those that it derives from, as far as they are known."""
        if name not in self._classes:
            return []
        module, node = self._classes[name]
        bases = [ancestor for base in node.bases for ancestor in self._lineage(ast.unparse(base))]
        return [*bases, (module, node)]

    def _by_name(self, module: Module, node: ast.ClassDef) -> dict[str, list[Member]]:
        """Return what a class itself defines: one member for each name, or several overloads."""
        own: dict[str, list[Member]] = {}
        for member in self._members(module, node):
            overloads = own.setdefault(member.name, [])
            if not overloads or overloads[-1].decorators == ("overload",) == member.decorators:
                overloads.append(member)
        return own

    def _members(self, module: Module, node: ast.ClassDef) -> Iterator[Member]:
        left_out: tuple[str, ...] = LEFT_OUT
        if any(isinstance(item, ast.FunctionDef) and item.name == "__iter__" for item in node.body):
            left_out += AWAITED
        if any(isinstance(item, ast.AsyncFunctionDef) and item.name == "__aenter__" for item in node.body):
            left_out += ENTERED
        annotated = {ast.unparse(item.target) for item in node.body if isinstance(item, ast.AnnAssign)}
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                yield from self._attributes(module, item, annotated)
            elif isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if item.name in KNOWN or not item.name.startswith("_"):
                    yield self._method(module, item)
                elif item.name.startswith("__") and item.name not in left_out:
                    raise cannot(module.path, item, f"the generator does not know the form of {item.name} in a twin")
            elif isinstance(item, (ast.Assign, ast.AnnAssign)):
                yield from self._attribute(module, item, {})

    def _attributes(self, module: Module, constructor: ast.FunctionDef, annotated: set[str]) -> Iterator[Member]:
        """Go through the attributes that a constructor sets, without those that the class has annotated."""
        types = {parameter.name: parameter.annotation for parameter in module.parameters(constructor)}
        for statement in ast.walk(constructor):
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                yield from self._attribute(module, statement, types, "self.", annotated)

    def _attribute(
        self,
        module: Module,
        statement: ast.Assign | ast.AnnAssign,
        types: dict[str, str],
        prefix: str = "",
        annotated: Set[str] = frozenset(),
    ) -> Iterator[Member]:
        """Give the attribute that a statement sets, if it is public.

        Raises:
            CannotGenerate: its type is neither written there nor plain to see.
        """
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            whole = ast.unparse(target)
            name = whole.removeprefix(prefix)
            if not whole.startswith(prefix) or name.startswith("_") or not name.isidentifier() or name in annotated:
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
        decorators = [decorator for decorator in decorators if not decorator.startswith(SILENT)]
        if decorators not in ([], ["property"], ["operation"], ["overload"], ["asynccontextmanager"]):
            raise cannot(module.path, node, f"{node.name} has a decorator that the generator does not know")
        if node.returns is None:
            raise cannot(module.path, node, f"{node.name} does not say what it returns")
        return Member(
            node.name,
            module.text.segment(node.returns),
            tuple(_parameters(module, node)),
            module.doc(node),
            tuple(decorators),
            isinstance(node, ast.AsyncFunctionDef),
            is_method=True,
        )


def _parameters(module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Parameter]:
    """Return the parameters of a method without ``self``, or of a function."""
    if [argument.arg for argument in node.args.args][:1] != ["self"]:
        node = copy(node)
        node.args = copy(node.args)
        node.args.args = [ast.arg("self"), *node.args.args]
    parameters = list(module.parameters(node))
    rest = node.args.vararg
    if rest is not None and rest.annotation is not None:
        place = sum(not parameter.keyword_only for parameter in parameters)
        parameters.insert(place, Parameter(f"*{rest.arg}", module.text.segment(rest.annotation), None, False))
    named = node.args.kwarg
    if named is not None and named.annotation is not None:
        parameters.append(Parameter(f"**{named.arg}", module.text.segment(named.annotation), None, False))
    return parameters


def _marks_operations(function: ast.FunctionDef) -> bool:
    """Tell whether this is a decorator that makes operations: one that returns ``operation(...)``."""
    return any(
        isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "operation"
        for node in ast.walk(function)
    )
