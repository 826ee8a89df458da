"""What the annotations of a method say, also those that are imported for type checkers alone."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a method with its annotations resolved; `Unknown` stands for those that cannot be."""
    module = sys.modules[inspect.unwrap(function).__module__]
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=resolve(parameter.annotation, module))
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters, return_annotation=resolve(signature.return_annotation, module))


class Unknown:
    """An annotation that is missing, or means nothing here."""


def resolve(annotation: Any, module: ModuleType) -> Any:
    """Return what an annotation in a module means."""
    if annotation is inspect.Signature.empty:
        return Unknown
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, {}, Names(module))  # what the module itself says
    except (NameError, AttributeError, ImportError, TypeError, SyntaxError):
        return Unknown


class Names(Mapping[str, Any]):
    """The names of a module, with those that it has for type checkers alone."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getitem__(self, name: str) -> Any:
        found = vars(self._module)
        value = found[name] if name in found else self._typed(checkers_only(self._module)[name])
        return resolve(value, self._module)  # an alias may be text

    def _typed(self, statement: ast.stmt) -> Any:
        """Return what a statement for type checkers binds to its name."""
        if isinstance(statement, ast.ImportFrom):
            home = import_module("." * statement.level + (statement.module or ""), self._module.__package__)
            return Names(home)[statement.names[0].name]
        if isinstance(statement, ast.Import):
            return import_module(statement.names[0].name)
        assert isinstance(statement, (ast.Assign, ast.AnnAssign))
        assert statement.value is not None
        return eval(ast.unparse(statement.value), {}, self)

    def __iter__(self) -> Any:
        return iter({*vars(self._module), *checkers_only(self._module)})

    def __len__(self) -> int:
        return len({*vars(self._module), *checkers_only(self._module)})


@cache
def checkers_only(module: ModuleType) -> dict[str, ast.stmt]:
    """Return the statements under ``if TYPE_CHECKING:`` by the name that each binds."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError):
        return {}  # typed in by hand
    found: dict[str, ast.stmt] = {}
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING"):
            for statement in block.body:
                found |= bound_by(statement)
    return found


def bound_by(statement: ast.stmt) -> dict[str, ast.stmt]:
    """Return the names that a statement binds, each with a statement for it alone."""
    if isinstance(statement, ast.ImportFrom):
        return {
            alias.asname or alias.name: ast.ImportFrom(statement.module, [alias], statement.level)
            for alias in statement.names
        }
    if isinstance(statement, ast.Import):
        return {alias.asname or alias.name: ast.Import([alias]) for alias in statement.names}
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return {statement.targets[0].id: statement}
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
        return {statement.target.id: statement}
    return {}


__all__ = ["Unknown", "signature_of"]
