"""The names that programs import, and their values."""

from __future__ import annotations

import inspect
import unittest

import pytest

import sockio
from sockio import tcpip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEFAULT_ENCODING", "utf-8"),
        ("DEFAULT_TERMINATOR", b"\r\n"),
        ("TERMINATOR", b"\r\n"),
        ("DEFAULT_MONITOR_CONNECTION_INTERVAL", 0.1),
        ("HEARTBEAT", b"heartbeat"),
        ("LOCALHOST_IPV4", "127.0.0.1"),
        ("LOCALHOST_IPV6", "::1"),
        ("DEFAULT_LOCALHOST", "127.0.0.1"),
        ("LOCAL_HOST", "127.0.0.1"),
        ("KEEPALIVE_TIME", 60),
        ("KEEPALIVE_INTERVAL", 15),
        ("KEEPALIVE_PROBES", 4),
        ("DEFAULT_MAX_HEARTBEAT_INTERVAL", 10.0),
        ("__version__", sockio.__version__),
    ],
)
def test_constants(name, value):
    assert getattr(tcpip, name) == value
    assert name in tcpip.__all__


def test_everything_that_is_announced_is_there():
    assert all(hasattr(tcpip, name) for name in tcpip.__all__)


@pytest.mark.parametrize("name", ["close_stream_writer", "read_into", "write_from", "set_socket_options"])
def test_functions_are_coroutine_functions(name):
    assert inspect.iscoroutinefunction(getattr(tcpip, name))


def defaults(cls):
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters if p.kind != p.VAR_KEYWORD}


NEEDED = inspect.Parameter.empty
COMMON = {
    "log": NEEDED,
    "connect_callback": None,
    "monitor_connection_interval": 0.1,
    "name": "",
    "encoding": "utf-8",
    "terminator": b"\r\n",
}


@pytest.mark.parametrize(
    ("cls", "positional", "arguments"),
    [
        (tcpip.BaseClientOrServer, False, COMMON | {"do_start": True}),
        (
            tcpip.Client,
            True,
            {"host": NEEDED, "port": NEEDED} | COMMON | {"run_heartbeat_send_task": False, "heartbeat_send_sleep": 1.0},
        ),
        (tcpip.OneClientServer, True, {"host": NEEDED, "port": NEEDED} | COMMON),
        (
            tcpip.OneClientReadLoopServer,
            False,
            {
                "port": NEEDED,
                "host": "127.0.0.1",
                "log": NEEDED,
                "connect_callback": None,
                "name": "",
                "encoding": "utf-8",
                "terminator": b"\r\n",
                "run_heartbeat_monitor_task": False,
                "max_heartbeat_interval": 10.0,
            },
        ),
    ],
)
def test_arguments_of_the_classes(cls, positional, arguments):
    assert defaults(cls) == arguments
    parameters = list(inspect.signature(cls).parameters.values())
    assert parameters[-1].kind == inspect.Parameter.VAR_KEYWORD
    assert all((p.kind == p.POSITIONAL_OR_KEYWORD) == positional for p in parameters[:-1])
    if positional:
        assert [p.name for p in parameters[:-1]] == list(arguments)


def test_what_is_a_kind_of_what():
    assert issubclass(tcpip.Client, tcpip.BaseClientOrServer)
    assert issubclass(tcpip.OneClientServer, tcpip.BaseClientOrServer)
    assert issubclass(tcpip.OneClientReadLoopServer, tcpip.OneClientServer)
    assert issubclass(tcpip.TestOneClientReadLoopServer, tcpip.OneClientReadLoopServer)
    assert issubclass(tcpip.BaseOneClientServerTestCase, unittest.IsolatedAsyncioTestCase)
    assert inspect.isabstract(tcpip.BaseClientOrServer)
    assert inspect.isabstract(tcpip.OneClientReadLoopServer)
    assert not inspect.isabstract(tcpip.Client)


def test_pytest_takes_the_server_for_tests_for_no_test():
    assert not tcpip.TestOneClientReadLoopServer.__test__
