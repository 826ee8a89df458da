"""Lines of 26 bytes, read by iteration as fast as they come."""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks import limits, ours
from tests.benchmarks.harness import Comparison, Contender, Local, Options, Row, at_least, server

ALTERNATIONS = 20
LINES = 300_000

PEERS = {
    "asyncio streams": ("asyncio_streams", "lines"),
    "sockio 0.15": ("sockio_0_15", "lines"),
}


def rows(options: Options) -> list[Row]:
    with server() as address, ExitStack() as stack:
        contenders: dict[str, Contender] = {
            "raw `recv` and `split`": Local(limits.lines(*address)),
            "blocking": Local(ours.blocking_lines(*address)),
            "asyncio": Local(ours.asynchronous_lines(*address)),
            **options.peers(stack, PEERS, *address),
        }
        result = Comparison(contenders, options.turns(ALTERNATIONS), options.amount(LINES, 1000))
    limit = "raw `recv` and `split`"
    unit = "million/s"
    return [
        result.row("asyncio `async for line`", result.millions, "asyncio", [limit, *PEERS], at_least(5), unit),
        result.row("blocking `for line`", result.millions, "blocking", [limit], at_least(7), unit),
    ]
