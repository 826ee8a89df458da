"""What cannot be is refused at once, with a message that says what can; nothing has been opened by then."""

from __future__ import annotations

from typing import Any

import pytest

from .flavours import Flavour
from .server import Server

CONSTRUCTOR: list[tuple[str, Any, type[Exception], str]] = [
    ("port", 70000, ValueError, "65535"),
    ("port", 0, ValueError, "65535"),
    ("port", -1, ValueError, "65535"),
    ("port", "x", TypeError, "65535"),
    ("port", 5000.0, TypeError, "65535"),
    ("port", True, TypeError, "65535"),
    ("port", None, TypeError, "65535"),
    ("host", "", ValueError, "host must be"),
    ("host", "two words", ValueError, "host must be"),
    ("host", None, TypeError, "host must be"),
    ("host", b"localhost", TypeError, "host must be"),
    ("host", "[::1]", ValueError, "without brackets"),
    ("eol", b"", ValueError, "at least one byte"),
    ("eol", "\n", TypeError, "must be bytes"),
    ("eol", None, TypeError, "must be bytes"),
    ("eol", 10, TypeError, "must be bytes"),
    ("timeout", -1, ValueError, "timeout must be zero or more"),
    ("timeout", "1", TypeError, "timeout must be a number"),
    ("timeout", float("nan"), ValueError, "timeout must be zero or more"),
    ("timeout", True, TypeError, "timeout must be a number"),
    ("connection_timeout", -0.1, ValueError, "connection_timeout must be zero or more"),
    ("connection_timeout", "1", TypeError, "connection_timeout must be a number"),
    ("quiet", -1, ValueError, "quiet must be zero or more"),
    ("quiet", "1", TypeError, "quiet must be a number"),
    ("quiet", float("nan"), ValueError, "quiet must be zero or more"),
    ("buffer_size", 0, ValueError, "buffer_size must be 1 or more"),
    ("buffer_size", -1, ValueError, "buffer_size must be 1 or more"),
    ("buffer_size", 1.5, TypeError, "buffer_size must be a whole number"),
    ("buffer_size", None, TypeError, "buffer_size must be a whole number"),
    ("keep_alive", "yes", TypeError, "keep_alive must be"),
    ("keep_alive", [1], TypeError, "keep_alive must be"),
    ("keep_alive", 2.5, TypeError, "keep_alive must be"),
    ("keep_alive", {"idel": 5}, ValueError, "idle"),
    ("keep_alive", {"idle": -5}, ValueError, "idle"),
    ("keep_alive", {"idle": "5"}, ValueError, "idle"),
    ("keep_alive", {"idle": 0}, ValueError, "idle"),
    ("keep_alive", {"interval": 0}, ValueError, "interval"),
    ("keep_alive", {"retry": 0}, ValueError, "retry"),
    ("keep_alive", {"retry": 128}, ValueError, "retry"),
    ("keep_alive", {"idle": 32768}, ValueError, "idle"),
    ("tos", 256, ValueError, "tos must be 0"),
    ("tos", -1, ValueError, "tos must be 0"),
    ("tos", "low", TypeError, "tos must be"),
]


@pytest.mark.parametrize(("name", "value", "kind", "message"), CONSTRUCTOR, ids=lambda value: repr(value)[:24])
async def test_the_constructor(
    flavour: Flavour, server: Server, name: str, value: Any, kind: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"host": server.host, "port": server.port, name: value}
    with pytest.raises(kind, match=message) as caught:
        flavour.TCP(**arguments)
    assert type(caught.value) is kind
    assert repr(value) in str(caught.value) or isinstance(value, dict), "the message shows what was given"
    assert server.connections == 0


async def test_unknown_arguments(flavour: Flavour, server: Server) -> None:
    with pytest.raises(TypeError, match="baudrate"):
        flavour.TCP(*server.address, baudrate=9600)
    with pytest.raises(TypeError):
        flavour.TCP(server.host)
    with pytest.raises(TypeError):
        flavour.TCP()


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("write", ("text",), {}, TypeError, "must be bytes"),
    ("write", (5,), {}, TypeError, "must be bytes"),
    ("write", (None,), {}, TypeError, "must be bytes"),
    ("write", ([b"x"],), {}, TypeError, "must be bytes"),
    ("writelines", (b"lines",), {}, TypeError, "sequence of bytes"),
    ("writelines", ("lines",), {}, TypeError, "sequence of bytes"),
    ("writelines", (["x"],), {}, TypeError, "must be bytes"),
    ("write_read", ("text",), {}, TypeError, "must be bytes"),
    ("write_readline", ("text",), {}, TypeError, "must be bytes"),
    ("write_readlines", ("text", 1), {}, TypeError, "must be bytes"),
    ("writelines_readlines", ("text",), {}, TypeError, "sequence of bytes"),
    ("write_readblock", ("text",), {}, TypeError, "must be bytes"),
    ("readline", ("\n",), {}, TypeError, "must be bytes"),
    ("readline", (b"",), {}, ValueError, "at least one byte"),
    ("readline", (), {"eol": 10}, TypeError, "must be bytes"),
    ("readlines", (1, ""), {}, TypeError, "must be bytes"),
    ("readlines", (-1,), {}, ValueError, "n must be 0 or more"),
    ("readlines", ("1",), {}, TypeError, "n must be a whole number"),
    ("readuntil", ("\n",), {}, TypeError, "must be bytes"),
    ("readuntil", (b"",), {}, ValueError, "at least one byte"),
    ("readexactly", (-1,), {}, ValueError, "n must be 0 or more"),
    ("readexactly", (1.0,), {}, TypeError, "n must be a whole number"),
    ("readexactly", (True,), {}, TypeError, "n must be a whole number"),
    ("read", (-2,), {}, ValueError, "n must be -1 or more"),
    ("read", ("1",), {}, TypeError, "n must be a whole number"),
    ("write_read", (b"?\n", -2), {}, ValueError, "n must be -1 or more"),
    ("write_readlines", (b"?\n", -1), {}, ValueError, "n must be 0 or more"),
    ("writelines_readlines", ([b"?\n"], -1), {}, ValueError, "n must be 0 or more"),
    ("readblock", ("\n",), {}, TypeError, "must be bytes"),
    ("readline", (), {"timeout": -1}, ValueError, "zero or more"),
    ("readline", (), {"timeout": "1"}, TypeError, "number of seconds"),
    ("write", (b"x",), {"timeout": float("nan")}, ValueError, "zero or more"),
    ("write_readline", (b"?\n",), {"timeout": True}, TypeError, "number of seconds"),
    ("open", (), {"timeout": -1}, ValueError, "zero or more"),
    ("open", (), {"timeout": "soon"}, TypeError, "number of seconds"),
]


@pytest.mark.parametrize(
    ("method", "arguments", "options", "kind", "message"),
    CALLS,
    ids=[f"{method}-{arguments}-{options}" for method, arguments, options, _, _ in CALLS],
)
async def test_calls(
    flavour: Flavour,
    server: Server,
    method: str,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    kind: type[Exception],
    message: str,
) -> None:
    stream = flavour.TCP(*server.address)
    with pytest.raises(kind, match=message):
        await getattr(stream, method)(*arguments, **options)
    assert stream.connection_counter == server.connections == 0, "it has connected first"
    # And it harms no connection either.
    assert await stream.write_readline(b"a?\n") == b"answer to a?\n"
    if method != "open":
        with pytest.raises(kind, match=message):
            await getattr(stream, method)(*arguments, **options)
    assert await stream.write_readline(b"b?\n") == b"answer to b?\n"
    assert stream.connection_counter == 1


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        ("LineStream", ("\n",), TypeError),
        ("LineStream", (b"",), ValueError),
        ("BlockStream", (0,), ValueError),
        ("BlockStream", (-1,), ValueError),
        ("BlockStream", (b"",), ValueError),
        ("BlockStream", ("\n",), TypeError),
        ("BlockStream", (1.5,), TypeError),
    ],
)
async def test_iterations(flavour: Flavour, server: Server, kind: str, arguments: Any, error: type[Exception]) -> None:
    stream = flavour.TCP(*server.address)
    with pytest.raises(error):
        getattr(flavour, kind)(stream, *arguments)
    assert server.connections == 0
