"""A request of 6 bytes and its reply of 26, one after the other on one connection."""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks import limits, ours
from tests.benchmarks.harness import Address, Comparison, Contender, Local, Options, Row, at_most, server

ALTERNATIONS = 60
REQUESTS = 1000

BLOCKING_PEERS = {
    "PyVISA-py": ("visa", "request_reply"),
    "sockio 0.15": ("sockio_0_15", "blocking"),
    "sockio 0.15, timeout": ("sockio_0_15", "blocking_timeout"),
}
ASYNCIO_PEERS = {
    "asyncio streams": ("asyncio_streams", "request_reply"),
    "asyncio streams, timeout": ("asyncio_streams", "request_reply_timeout"),
    "sockio 0.15": ("sockio_0_15", "asyncio"),
    "sockio 0.15, timeout": ("sockio_0_15", "asyncio_timeout"),
}


def rows(options: Options) -> list[Row]:
    with server() as address, ExitStack() as stack:
        return [*blocking(options, address, stack), *asynchronous(options, address, stack)]


def blocking(options: Options, address: Address, stack: ExitStack) -> list[Row]:
    contenders: dict[str, Contender] = {
        "limit": Local(limits.blocking(*address)),
        "sockio": Local(ours.blocking(*address)),
        "sockio, timeout": Local(ours.blocking_timeout(*address)),
        **options.peers(stack, BLOCKING_PEERS, *address),
    }
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(REQUESTS, 10))
    plain = ["PyVISA-py", "sockio 0.15"]
    limited = ["PyVISA-py", "sockio 0.15, timeout"]
    wall = "blocking request-reply, wall over a raw socket loop"
    cpu = "blocking request-reply, processor time a call beyond the raw loop"
    return [
        result.row(wall, result.ratio, "sockio", plain, at_most(1.15)),
        result.row(f"{wall}, with `timeout=`", result.ratio, "sockio, timeout", limited, at_most(1.25)),
        result.row(cpu, result.extra_cpu, "sockio", plain, at_most(3), "us"),
        result.row(f"{cpu}, with `timeout=`", result.extra_cpu, "sockio, timeout", limited, at_most(4.5), "us"),
        result.row("blocking request-reply, wall a call", result.microseconds, "sockio", ["limit", *plain], unit="us"),
    ]


def asynchronous(options: Options, address: Address, stack: ExitStack) -> list[Row]:
    contenders: dict[str, Contender] = {
        "limit": Local(limits.asynchronous(*address)),
        "sockio": Local(ours.asynchronous(*address)),
        "sockio, timeout": Local(ours.asynchronous_timeout(*address)),
        **options.peers(stack, ASYNCIO_PEERS, *address),
    }
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(REQUESTS, 10))
    plain = ["asyncio streams", "sockio 0.15"]
    limited = ["asyncio streams, timeout", "sockio 0.15, timeout"]
    wall = "asyncio request-reply, wall over a bare `asyncio.Protocol`"
    return [
        result.row(wall, result.ratio, "sockio", plain, at_most(1.05)),
        result.row(f"{wall}, with `timeout=`", result.ratio, "sockio, timeout", limited, at_most(1.12)),
        result.row("asyncio request-reply, wall a call", result.microseconds, "sockio", ["limit", *plain], unit="us"),
    ]
