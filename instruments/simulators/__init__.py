"""Simulated instruments: devices for the engine `sinstruments`, one file each.

They are found by the ``class`` of a configuration file and started by ``sinstruments-server -c config.yml``.
"""

from __future__ import annotations
