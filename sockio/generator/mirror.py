"""The text of ``instruments/sio``: the drivers that are made from a resource string, with calls that block.

For type checkers, completion and readers it says what the classes are; at run time the twins have their names.
"""

from __future__ import annotations

import builtins
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from . import drivers
from .driver_source import ROOT, Package
from .drivers import Flavour, Writer
from .facade import define
from .layout import import_line, listed, plain_code, rank, relative, shifted, sorted_imports
from .source import Parameter

MIRROR = f"{ROOT}.sio"

BLOCKING = Flavour("", "{}", "block")
FUTURES = Flavour("Futures", "Future[{}]", "give futures")

#: What is no family of drivers.
LEFT_OUT = ("__init__", "sio", "simulators")

GENERATED = "Written by ``python -m sockio.generate`` from `{}`: change that instead."

HEAD = f'''"""`{{name}}` with calls that block, or give futures with ``resolve_futures=False``.

{GENERATED}
"""

from __future__ import annotations
'''

SAME_HEAD = f'''"""`{{name}}`, which is the same here: its classes take the flavour of the connection.

{GENERATED}
"""

from __future__ import annotations
'''

PACKAGE_HEAD = f'''"""`{ROOT}` with calls that block, module by module::

    from {MIRROR} import ScpiPipe

    pipe = ScpiPipe("tcp::192.168.1.12:5025")
    print(pipe.query("*IDN?"))

With ``resolve_futures=False`` they give futures: ``ScpiPipe("tcp::192.168.1.12:5025", resolve_futures=False)`` is a
`FuturesScpiPipe`. A class of your own is derived from that in `{ROOT}`, with coroutines for methods, and
``blocking(cls)`` is the same with calls that block.

{GENERATED.format(ROOT)}
"""

from __future__ import annotations
'''


@dataclass(frozen=True)
class Mirrored:
    """A module that has a mirror.

    Args:
        package: its source.
        offered: the names that it offers.
    """

    package: Package
    offered: tuple[str, ...]

    @property
    def module(self) -> str:
        """What the mirror is imported by."""
        return mirror_of(self.package.name)

    @property
    def classes(self) -> list[str]:
        """The classes with twins, those that others derive from before these."""
        ordered: list[str] = []
        for name in self.package.standalone():
            self._add(name, ordered)
        return ordered

    @property
    def functions(self) -> list[str]:
        """The coroutine functions that are offered."""
        return [name for name in self.offered if name in self.package.functions]

    @property
    def same(self) -> list[str]:
        """What else is offered."""
        return [name for name in self.offered if name not in self.classes and name not in self.functions]

    @property
    def names(self) -> list[str]:
        """What the mirror offers."""
        twins = [name for name in self.classes if name in self.offered]
        return sorted([*self.offered, *(FUTURES.prefix + name for name in twins)], key=rank)

    def _add(self, name: str, ordered: list[str]) -> None:
        if name not in ordered and self.package.home(name) == self.package.name:
            for base in self.package.bases(name):
                self._add(base, ordered)
            ordered.append(name)


def modules() -> dict[str, Callable[[], str]]:
    """Return what writes each module, by its path."""
    mirrors = mirrored()
    same = [package for package in drivers.packages() if package.name not in [each.package.name for each in mirrors]]
    folder = drivers.INSTRUMENTS / "sio"
    written: dict[str, Callable[[], str]] = {}
    for each in mirrors:
        written[str(folder / f"{each.package.path.stem}.py")] = partial(write, each)
    for package in same:
        written[str(folder / f"{package.path.stem}.py")] = partial(write_same, package)
    if written:
        written[str(folder / "__init__.py")] = partial(write_package, mirrors)
    return written


def mirrored() -> list[Mirrored]:
    """Return the modules with a mirror: those that offer standalone drivers or coroutine functions, and their bases."""
    paths = [*drivers.INSTRUMENTS.glob("*.py"), *(file.parent for file in drivers.INSTRUMENTS.glob("*/__init__.py"))]
    sources = [Package(path, drivers.MODULE) for path in sorted(paths) if path.stem not in LEFT_OUT]
    from_root = offered_by_root()
    found: dict[str, Mirrored] = {}
    for source in sources:
        offered = source.offered() or from_root.get(source.name, [])
        own = [name for name in offered if source.is_standalone(name) and source.home(name) == source.name]
        if own or any(name in source.functions for name in offered):
            found[source.name] = Mirrored(source, tuple(offered))
    for needed in list(found.values()):
        for name in needed.package.standalone():
            home = needed.package.home(name)
            if home not in found:
                source = next(source for source in sources if source.name == home)
                public = [each for each in source.standalone() if source.home(each) == home]
                found[home] = Mirrored(source, tuple(public))
    return sorted(found.values(), key=lambda each: each.package.name)


def offered_by_root() -> dict[str, list[str]]:
    """Return the names that `instruments` itself offers, by module."""
    path = drivers.INSTRUMENTS / "__init__.py"
    return Package(path).homes() if path.exists() else {}


def mirror_of(module: str) -> str:
    """Return the mirror of a module."""
    return MIRROR + module.removeprefix(ROOT)


def write(mirror: Mirrored) -> str:
    """Return the whole mirror of a module."""
    writer = MirrorWriter(mirror)
    source = mirror.package
    classes = [writer.twin(name, flavour) for flavour in (BLOCKING, FUTURES) for name in mirror.classes]
    functions = [writer.function(name) for name in mirror.functions]
    from_typing, imports = sorted_imports(map(writer.origin, writer.used), MIRROR)
    same = [import_line(relative(source.name, MIRROR), set(mirror.same)), ""] if mirror.same else []
    twins = [name for name in mirror.classes if name in mirror.offered]
    bound = [f"    {name} = blocking({source.path.stem}.{name})" for name in (*twins, *mirror.functions)]
    bound += [f"    {FUTURES.prefix}{name} = futures({source.path.stem}.{name})" for name in twins]
    makers = {"blocking", *(["futures"] if twins else [])}
    return "\n".join(
        [
            HEAD.format(source.name, name=source.name).rstrip("\n"),
            "",
            import_line("typing", {"TYPE_CHECKING", *from_typing}),
            "",
            *same,
            "if TYPE_CHECKING:",
            textwrap.indent(imports, "    "),
            "",
            *("\n".join([part, ""]) for part in (*functions, *classes)),
            "else:",
            f"    from .. import {source.path.stem}",
            f"    {import_line('..base', makers)}",
            "",
            *bound,
            "",
            listed("__all__", mirror.names),
            "",
        ]
    )


def write_same(package: Package) -> str:
    """Return the whole mirror of a package whose classes take the flavour of the connection."""
    offered = package.offered()
    return "\n".join(
        [
            SAME_HEAD.format(package.name, name=package.name),
            import_line(relative(package.name, MIRROR), set(offered)),
            "",
            listed("__all__", sorted(offered, key=rank)),
            "",
        ]
    )


def write_package(mirrors: Iterable[Mirrored]) -> str:
    """Return the whole of ``instruments/sio/__init__.py``."""
    known = {each.package.name: each for each in mirrors}
    homes = {"blocking": f"{ROOT}.base"}
    for module, names in offered_by_root().items():
        mirror = known.get(module)
        for name in names:
            homes[name] = mirror_of(module) if mirror else module
            if mirror and name in mirror.classes:
                homes[FUTURES.prefix + name] = homes[name]
    _, imports = sorted_imports([(module, name) for name, module in homes.items()], MIRROR)
    table = [f'            "{name}": "{relative(homes[name], MIRROR)}",' for name in sorted(homes, key=rank)]
    return "\n".join(
        [
            PACKAGE_HEAD,
            "from sockio.lazy import lazily",
            "",
            "TYPE_CHECKING = False",
            "if TYPE_CHECKING:",
            textwrap.indent(imports, "    "),
            "else:",
            "    __getattr__, __dir__ = lazily(",
            "        __name__,",
            "        {",
            *table,
            "        },",
            "    )",
            "",
            listed("__all__", sorted(homes, key=rank)),
            "",
        ]
    )


class MirrorWriter(Writer):
    """Writes the classes of one mirror."""

    indent = " " * 8

    def __init__(self, mirror: Mirrored) -> None:
        self.package = mirror.package
        self.module = mirror.module
        self.same = mirror.same
        self.twins = mirror.package.standalone()
        self.used: set[str] = set()

    def twin(self, name: str, flavour: Flavour) -> str:
        """Return the source of a class."""
        bases = [flavour.prefix + base for base in self.package.bases(name)]
        self.used.update(bases)
        head = f"    class {flavour.prefix}{name}" + (f"({', '.join(bases)}):" if bases else ":")
        if flavour is BLOCKING:
            doc = plain_code(shifted(self.package.required_doc(name), self.indent))
            constructor = self._constructor(name)
        else:
            doc, constructor = f'"""A `{name}` whose calls give futures."""', self._initializer(name)
        members = self.package.own_members(name)
        if flavour is FUTURES:
            # Nothing is said again, unless it is different: pyright takes `Future[Self]` for different each time.
            inherited = [member for base in self.package.bases(name) for member in self.package.members(base)]
            known = [replace(member, doc="") for member in inherited]
            members = [member for member in members if replace(member, doc="") not in known]
        attributes, methods = self._members(members, flavour)
        parts = ["\n".join(attributes), constructor, *methods]
        return "\n\n".join([f"{head}\n        {doc}", *filter(None, parts)])

    def function(self, name: str) -> str:
        """Return the source of a function."""
        member = self.package.function(name)
        parameters = self._parameters(member.parameters, BLOCKING)
        first = "" if not parameters else "*" if parameters[0].keyword_only else str(parameters.pop(0))
        signature = define(name, parameters, self._seen(member.annotation, BLOCKING), "    ", first)
        doc = shifted(self.package.required_doc(name), self.indent)
        return "\n".join([signature, f"{self.indent}{doc}", f"{self.indent}..."])

    def origin(self, name: str) -> tuple[str, str] | None:
        """Return where a name comes from: a module, empty for a module itself, and its name there; None for ours."""
        plain = name.removeprefix(FUTURES.prefix)
        if plain in self.twins and name != "Future":
            module = mirror_of(self.package.home(plain))
            return None if module == self.module else (module, name)
        return None if name in self.same else drivers.ORIGINS.get(name) or self.package.origin(name)

    def _constructor(self, name: str) -> str:
        """Return overloads that tell what the call of a class gives."""
        self._use("Any", "Literal", "Self", "overload")
        overloads = []
        for flavour, default, made, comment in (
            (BLOCKING, "True", "Self", ""),
            (FUTURES, None, FUTURES.prefix + name, "  # type: ignore[misc]"),
        ):
            chosen = Parameter("resolve_futures", f"Literal[{flavour is BLOCKING}]", default, True)
            parameters = self._parameters(self.package.constructor(name), flavour)
            parameters.insert(len(parameters) - any(each.name.startswith("**") for each in parameters), chosen)
            signature = define("__new__", parameters, made, self.indent, "cls", comment, " ...")
            # The comment belongs to the first line, wherever that ends.
            overloads.append(f"{self.indent}@overload\n{signature}{comment if chr(10) not in signature else ''}")
        return "\n".join([*overloads, f"{self.indent}def __new__(cls, *args: Any, **kwargs: Any) -> Any: ..."])

    def _initializer(self, name: str) -> str:
        parameters = self._parameters(self.package.constructor(name), FUTURES)
        return define("__init__", parameters, "None", self.indent, body=" ...")

    def _default(self, parameter: Parameter) -> str | None:
        default = parameter.default
        if default is not None and (default in vars(builtins) or self.origin(default) is not None):
            self._use(default)
            return default
        return super()._default(parameter)

    def _doc(self, doc: str) -> str:
        return shifted(doc, f"{self.indent}    ")
