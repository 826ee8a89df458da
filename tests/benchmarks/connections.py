"""A thousand open connections, one request on each in turn."""

from __future__ import annotations

import resource
from contextlib import ExitStack

from tests.benchmarks import limits, ours
from tests.benchmarks.estimates import Estimate, estimate
from tests.benchmarks.harness import Address, Comparison, Contender, Local, Options, Row, Worker, at_most, server

ALTERNATIONS = 40
CONNECTIONS = 1000

PEERS = {
    "asyncio streams": ("asyncio_streams", "connections"),
    "sockio 0.15": ("sockio_0_15", "connections"),
}


def rows(options: Options) -> list[Row]:
    allow_open_files(8 * CONNECTIONS)
    with server() as address, ExitStack() as stack:
        return [time(options, address, stack), memory(options, address, stack)]


def time(options: Options, address: Address, stack: ExitStack) -> Row:
    contenders: dict[str, Contender] = {
        "limit": Local(limits.connections(*address)),
        "sockio": Local(ours.connections(*address)),
        **options.peers(stack, PEERS, *address),
    }
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(CONNECTIONS, 20))
    what = "1000 asyncio connections, a request each in turn, wall over bare protocols"
    return result.row(what, result.ratio, "sockio", PEERS, at_most(1.05))


def memory(options: Options, address: Address, stack: ExitStack) -> Row:
    workers = {
        "sockio": options.worker(stack, "ours", "connections", *address),
        "limit": options.worker(stack, "limits", "connections", *address),
        **options.peers(stack, PEERS, *address),
    }
    count = options.amount(CONNECTIONS, 20)
    sizes = {name: memory_each(worker, count) for name, worker in workers.items()}
    return Row("memory of an idle asyncio connection", "KiB", sizes.pop("sockio"), None, sizes)


def memory_each(worker: Worker, count: int) -> Estimate:
    """KiB of resident memory that each connection adds, once it has been used and is idle."""
    worker.measure(1)
    before = worker.resident()
    worker.measure(count)
    return estimate([(worker.resident() - before) / (count - 1) / 1024])


def allow_open_files(wanted: int) -> None:
    """Raises the limit on open files as far as it may, here and in the processes started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
