"""The benchmarks by family: those that share their contenders."""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from tests.benchmarks.harness import Options, Row, pin_to_client_core

PATIENCE = 300
"""Seconds after which a family is taken to hang: it prints where it is, and ends."""

FAMILIES = [
    "request_reply",
    "lines",
    "blocks",
    "connections",
    "serial_port",
    "scpi",
    "modbus",
    "can_bus",
    "sigrok",
    "servers",
    "messages",
    "tango_devices",
    "importing",
]


def run(family: str, options: Options) -> list[Row]:
    """The rows of a family, measured in a process that nothing else has used, on the client's core."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), pin_to_client_core) as executor:
        return executor.submit(rows, family, options).result()


def rows(family: str, options: Options) -> list[Row]:
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    found: list[Row] = importlib.import_module(f"tests.benchmarks.{family}").rows(options)
    return found
