"""SCPI: what pipes add to the bare stream, arrays, VXI-11 and HiSLIP, and many instruments at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.benchmarks import limits, ours, pipes
from tests.benchmarks.blocks import peak
from tests.benchmarks.estimates import Estimate
from tests.benchmarks.harness import (
    ROOT,
    Comparison,
    Contender,
    Local,
    Options,
    Row,
    at_least,
    at_most,
    pin_to_server_core,
    server,
)

QUERIES = 1000
ARRAY = 2**26
CURVE = 2**24
INSTRUMENTS = 100

VISA = "PyVISA-py"


def rows(options: Options) -> list[Row]:
    return [*queries(options), *arrays(options), *messages(options), *many(options)]


def queries(options: Options) -> list[Row]:
    with server() as address, ExitStack() as stack:
        contenders: dict[str, Contender] = {
            "bare stream": Local(ours.blocking_timeout(*address)),
            "sockio": Local(pipes.query(*address)),
            **options.peers(stack, {VISA: ("visa", "request_reply")}, *address),
        }
        result = Comparison(contenders, options.turns(60), options.amount(QUERIES, 10))

    what = "blocking SCPI query, wall over the bare stream's `write_readline`"
    return [result.row(what, lambda name: result.ratio(name, "bare stream"), "sockio", [VISA], at_most(1.1))]


def arrays(options: Options) -> list[Row]:
    peers = {VISA: ("visa", "curve")}
    size = options.amount(ARRAY, 2**20)
    with server() as address, ExitStack() as stack:
        contenders: dict[str, Contender] = {
            "limit": Local(limits.block(*address)),
            "sockio": Local(pipes.array(*address)),
            **options.peers(stack, peers, *address),
        }
        result = Comparison(contenders, options.turns(20), size)
        workers = {
            "sockio": options.worker(stack, "pipes", "array", *address),
            **options.peers(stack, peers, *address),
        }
        peaks = {name: peak(worker, options.amount(ARRAY, 2**24)) for name, worker in workers.items()}
    what = "block of 64 MiB to numpy"
    return [
        result.row(f"{what}, speed over raw `recv_into`", result.speed, "sockio", [VISA], at_least(0.8)),
        Row(f"{what}, peak memory in blocks", "", peaks.pop("sockio"), at_most(1.05), peaks),
    ]


def messages(options: Options) -> list[Row]:
    with other_end("message_server") as (hislip, vxi11), ExitStack() as stack:
        over_vxi11: dict[str, Contender] = {
            "sockio": Local(pipes.query_vxi11("127.0.0.1", vxi11)),
            **options.peers(stack, {VISA: ("visa", "vxi11")}, "127.0.0.1", vxi11),
        }
        vxi11_queries = Comparison(over_vxi11, options.turns(30), options.amount(QUERIES // 2, 10))
        over_hislip: dict[str, Contender] = {
            "limit": Local(limits.hislip("127.0.0.1", hislip)),
            "sockio": Local(pipes.query_hislip("127.0.0.1", hislip)),
            **options.peers(stack, {VISA: ("visa", "hislip")}, "127.0.0.1", hislip),
        }
        hislip_queries = Comparison(over_hislip, options.turns(30), options.amount(QUERIES // 2, 10))
        curves: dict[str, Contender] = {
            "sockio": Local(pipes.array_hislip("127.0.0.1", hislip)),
            **options.peers(stack, {VISA: ("visa", "hislip_curve")}, "127.0.0.1", hislip),
        }
        hislip_curves = Comparison(curves, options.turns(20), options.amount(CURVE, 2**16))
    what = "blocking query over HiSLIP, wall over the bare socket"
    found = [hislip_queries.row(what, hislip_queries.ratio, "sockio", [VISA])]
    for what, result, wanted in [
        ("blocking query over VXI-11", vxi11_queries, 0.8),
        ("blocking query over HiSLIP", hislip_queries, 0.8),
        ("block of 16 MiB over HiSLIP", hislip_curves, 0.3),
    ]:
        if VISA in result.samples:
            found.append(over_visa(result, what, wanted))
        if result is not hislip_curves:
            found.append(result.row(f"{what}, wall a call", result.microseconds, "sockio", [VISA], unit="us"))
    return found


def over_visa(result: Comparison, what: str, wanted: float) -> Row:
    def ratio(name: str) -> Estimate:
        return result.ratio(name, VISA)

    return result.row(f"{what}, wall over {VISA} on the same server", ratio, "sockio", [], at_most(wanted))


def many(options: Options) -> list[Row]:
    with other_end("slow_instruments", str(INSTRUMENTS)) as (port,):
        contenders: dict[str, Contender] = {
            "one": Local(pipes.slow_instruments(port, 1)),
            "sockio": Local(pipes.slow_instruments(port, INSTRUMENTS)),
        }
        result = Comparison(contenders, options.turns(20), options.amount(20, 1))
    what = f"{INSTRUMENTS} instruments of 10 ms each, queried at once on one loop, wall over one"
    return [result.row(what, lambda name: result.ratio(name, "one"), "sockio", [], at_most(1.6))]


@contextmanager
def other_end(module: str, *arguments: str) -> Iterator[list[int]]:
    """A module of the benchmarks in a process and on a core of its own; gives the ports that it prints."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, preexec_fn=pin_to_server_core
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.stdin.close()
