"""Writes the modules that follow from the core and from the drivers: ``python -m sockio.generate``.

With ``--check`` it writes nothing, shows what is different, and exits with 1 if anything is.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence

from .generator import drivers, futures, mirror, python2, sio
from .generator.source import PACKAGE, CannotGenerate

MODULES: dict[str, Callable[[], str]] = {"sio.py": sio.write, "futures.py": futures.write, "py2.py": python2.write}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check all of them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sockio.generate", description="Write the generated modules.")
    parser.add_argument("--check", action="store_true", help="only compare; exit with 1 if a file is out of date")
    check = parser.parse_args(arguments).check
    try:
        return write_modules(check)
    except CannotGenerate as error:
        print(error, file=sys.stderr)
        return 1


def write_modules(check: bool) -> int:
    """Write the modules, or only compare them; return the exit status.

    Raises:
        CannotGenerate: a source says something that the generator has no words for.
    """
    status = 0
    texts = {name: write() for name, write in (MODULES | drivers.modules() | mirror.modules()).items()}
    for name, wanted in texts.items():
        path = PACKAGE / name
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if there == wanted:
            continue
        if check:
            status = 1
            sys.stdout.writelines(
                difflib.unified_diff(
                    there.splitlines(keepends=True), wanted.splitlines(keepends=True), f"{path}", f"{path} (generated)"
                )
            )
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            print(f"written: {path}")
    return status


if __name__ == "__main__":
    sys.exit(main())
