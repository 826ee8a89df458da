"""Writes the facades: classes that hold an object of the core and forward every call to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .source import Class, Method, Module, Parameter

LINE_LENGTH = 120

#: What names the resource: it is settled with the object.
SETTLED = ("host", "port", "path", "ssl")

#: Attributes of another type than the parameter that they come from.
TYPES = {"retry": "Retry"}

#: Properties that any thread may read.
UNGUARDED = ("log",)

#: Attributes that are not parameters of the constructor: name, type, what it is.
MORE_ATTRIBUTES = (
    ("resource", "str", "What it is connected to, as a URL."),
    ("connection_counter", "int", "How many connections have been made so far."),
)


@dataclass(frozen=True)
class Flavour:
    """How a facade differs from another.

    Args:
        call: what a coroutine of the core is given to.
        look: what a plain method is called by; empty if directly.
        result: the type of a call, where ``{}`` is that of the core's.
    """

    call: str
    look: str
    result: str


class Core:
    """What the facades are made from.

    Attributes:
        common: the methods that all streams have.
        attributes: the parameters of the constructor that all streams have.
        streams: the classes of streams, by name.
    """

    def __init__(self) -> None:
        lineage = Module("stream.py").lineage("Stream")
        methods = {method.name: method for ancestor in lineage for method in ancestor.methods}
        self.common = tuple(methods.values())
        parameters = {parameter.name: parameter for ancestor in reversed(lineage) for parameter in ancestor.constructor}
        self.attributes = tuple(parameter for name, parameter in parameters.items() if name != "resource")
        classes = (
            Module("tcp.py").read_class("TCP"),
            Module("unix.py").read_class("Unix"),
            Module("serial_port.py").read_class("Serial"),
        )
        self.streams = {stream.name: stream for stream in classes}


def stream_class(core: Core, flavour: Flavour) -> str:
    """Return the source of the class that all streams of a facade derive from."""
    parts = [
        """

class Stream:
    \"\"\"What `TCP`, `Unix` and `Serial` have in common.

    Attributes:
        stream: the object of the core that does the work.
    \"\"\"

    stream: stream.Stream""",
        *(_copy(method) for method in core.common if method.is_name),
        *(_attribute(name, annotation, doc) for name, annotation, doc in MORE_ATTRIBUTES),
        *(_attribute_of(parameter) for parameter in core.attributes),
        *(_forward(method, flavour) for method in core.common if method.is_public),
        '''    def __iter__(self) -> Iterator[bytes]:
        """Go through the lines of one connection; see `LineStream`."""
        return iter(LineStream(self))''',
    ]
    return "\n\n".join(parts) + "\n"


def own_attributes(core: Core, stream: Class) -> str:
    """Return the source of properties for what one class of streams has beyond the others."""
    common = [parameter.name for parameter in core.attributes]
    own = [parameter for parameter in stream.constructor if parameter.name not in common]
    return "\n\n".join(_attribute_of(parameter, "self._core") for parameter in own)


def arguments_of(parameters: Iterable[Parameter], indent: str = 12 * " ") -> str:
    """Return the source of the arguments that pass parameters on, one a line."""
    return "\n".join(
        f"{indent}{parameter.name}={parameter.name}," if parameter.keyword_only else f"{indent}{parameter.name},"
        for parameter in parameters
    )


def server_class(flavour: Flavour) -> str:
    """Return the source of the methods and properties of a facade's ``Server``."""
    core = Module("server.py").read_class("Server")
    parts = [
        *(_copy(method) for method in core.methods if method.name == "__str__"),
        *(_attribute_of(parameter, "self._core") for parameter in core.constructor),
        _attribute("refused", "int", "How many clients were disconnected because of ``max_clients``.", "self._core"),
        *(_forward(method, flavour, "self._core") for method in core.methods if method.is_public),
    ]
    return "\n\n".join(parts) + "\n"


def client_stream_members(flavour: Flavour) -> str:
    """Return the source of what a ``ClientStream`` has beyond other streams."""
    own = [method for method in Module("client_stream.py").read_class("ClientStream").methods if method.is_public]
    members = [_forward(method, flavour, "self._core") for method in own if method.name != "log"]
    where = _attribute(
        "address", "tuple[str, int] | None", "The client's host and port; None on a unix domain socket.", "self._core"
    )
    return "\n\n".join([where, *members]) + "\n"


def _copy(method: Method) -> str:
    return "\n".join([define(method.name, method.parameters, method.returns), method.body])


def _forward(method: Method, flavour: Flavour, core: str = "self.stream") -> str:
    target = f"{core}.{method.name}"
    arguments = ", ".join(
        f"{parameter.name}={parameter.name}" if parameter.keyword_only else parameter.name
        for parameter in method.parameters
    )
    if method.is_property:
        guarded = flavour.look and method.name not in UNGUARDED
        body = f"{flavour.look}(lambda: {target})" if guarded else target
        return "\n".join(["    @property", *_function(method, method.returns, f"return {body}")])
    overloads = "".join(_overload(overload, flavour) for overload in method.overloads)
    if overloads:
        overloads = f"    if TYPE_CHECKING:\n\n{overloads}\n"
    if method.is_async:
        returns = flavour.result.format(method.returns)
        body = f"{flavour.call}({target}({arguments}))"
    else:
        returns = method.returns
        body = f"{flavour.look}({target})" if flavour.look else f"{target}({arguments})"
        assert not (flavour.look and arguments), method.name
    return overloads + "\n".join(_function(method, returns, body if returns == "None" else f"return {body}"))


def _overload(method: Method, flavour: Flavour) -> str:
    returns = flavour.result.format(method.returns) if method.is_async else method.returns
    return f"        @overload\n{define(method.name, method.parameters, returns, 8 * ' ', body=' ...')}\n"


def _function(method: Method, returns: str, body: str) -> list[str]:
    return [define(method.name, method.parameters, returns), f"        {method.doc}", f"        {body}"]


def _attribute_of(parameter: Parameter, core: str = "self.stream") -> str:
    name = parameter.name
    annotation = TYPES.get(name, parameter.annotation)
    lines = [_attribute(name, annotation, "", core)]
    if name not in SETTLED:
        lines += [
            "",
            f"    @{name}.setter",
            define(name, [Parameter(name, annotation, None, False)], "None"),
            f"        {core}.{name} = {name}",
        ]
    return "\n".join(lines)


def _attribute(name: str, annotation: str, doc: str, core: str = "self.stream") -> str:
    lines = ["    @property", f"    def {name}(self) -> {annotation}:"]
    if doc:
        lines.append(f'        """{doc}"""')
    return "\n".join([*lines, f"        return {core}.{name}"])


def define(
    name: str,
    parameters: Iterable[Parameter],
    returns: str,
    indent: str = "    ",
    first: str = "self",
    comment: str = "",
    body: str = "",
) -> str:
    """Return the ``def`` line or lines of a method, laid out as ruff does.

    Args:
        name, parameters, returns: of the method.
        indent: what the lines begin with.
        first: the parameter that the call does not give.
        comment: what follows the first line.
        body: what follows the last one.
    """
    listed = [first]
    for parameter in parameters:
        if parameter.keyword_only and "*" not in listed:
            listed.append("*")
        listed.append(str(parameter))
    one_line = f"{indent}def {name}({', '.join(listed)}) -> {returns}:{body}"
    if len(one_line) <= LINE_LENGTH:
        return one_line
    inner = indent + "    "
    listing = f"{inner}{', '.join(listed)}"
    if len(listing) > LINE_LENGTH:
        listing = "\n".join(f"{inner}{item}," for item in listed)
    return f"{indent}def {name}({comment}\n{listing}\n{indent}) -> {returns}:{body}"
