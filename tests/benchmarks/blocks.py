"""A block of 64 MiB in one piece: how fast, and in how much memory."""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks import limits, ours
from tests.benchmarks.estimates import Estimate, estimate
from tests.benchmarks.harness import (
    Address,
    Comparison,
    Contender,
    Local,
    Options,
    Row,
    Worker,
    at_least,
    at_most,
    server,
)

ALTERNATIONS = 20
SIZE = 2**26

PEERS = {
    "asyncio streams": ("asyncio_streams", "block"),
    "PyVISA-py": ("visa", "block"),
    "sockio 0.15": ("sockio_0_15", "block"),
}


def rows(options: Options) -> list[Row]:
    with server() as address, ExitStack() as stack:
        return [*speed(options, address, stack), *memory(options, address, stack)]


def speed(options: Options, address: Address, stack: ExitStack) -> list[Row]:
    contenders: dict[str, Contender] = {
        "limit": Local(limits.block(*address)),
        "limit, same buffer": Local(limits.block_into(*address)),
        "asyncio": Local(ours.asynchronous_block(*address)),
        "blocking": Local(ours.blocking_block(*address)),
        "blocking, same buffer": Local(ours.blocking_block_into(*address)),
        **options.peers(stack, PEERS, *address),
    }
    result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(SIZE, 2**20))

    def speed_into(name: str) -> Estimate:
        return result.speed(name, "limit, same buffer")

    new = "`readexactly` of 64 MiB, speed over raw `recv_into` a new buffer"
    same = "`read_into` of 64 MiB, speed over raw `recv_into` the same buffer"
    return [
        result.row(f"asyncio {new}", result.speed, "asyncio", PEERS, at_least(0.85)),
        result.row(f"blocking {new}", result.speed, "blocking", []),
        result.row(f"blocking {same}", speed_into, "blocking, same buffer", [], at_least(0.95)),
    ]


def memory(options: Options, address: Address, stack: ExitStack) -> list[Row]:
    workers = {
        "asyncio": options.worker(stack, "ours", "asynchronous_block", *address),
        "blocking": options.worker(stack, "ours", "blocking_block", *address),
        "limit": options.worker(stack, "limits", "block", *address),
        **options.peers(stack, PEERS, *address),
    }
    size = options.amount(SIZE, 2**24)
    peaks = {name: peak(worker, size) for name, worker in workers.items()}
    others = {name: peaks[name] for name in ["limit", *PEERS] if name in peaks}
    what = "`readexactly` of 64 MiB, peak memory in blocks"
    return [
        Row(f"asyncio {what}", "", peaks["asyncio"], at_most(1.05), others),
        Row(f"blocking {what}", "", peaks["blocking"], at_most(1.05), others),
    ]


def peak(worker: Worker, size: int) -> Estimate:
    """How much the resident memory grew at most while a block was read, in units of the block."""
    worker.measure(1000)
    before = worker.resident()
    worker.measure(size)
    return estimate([(worker.peak() - before) / size])
