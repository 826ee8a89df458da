"""Tests for hardware that only the lab's machine has are collected there alone."""

from __future__ import annotations

import os

collect_ignore = [] if "SOCKIO_LAB" in os.environ else ["inside"]
