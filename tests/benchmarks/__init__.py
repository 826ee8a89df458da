"""What sockio costs, beside the hand-written limit and its peers: ``python -m tests.benchmarks``."""

from __future__ import annotations
