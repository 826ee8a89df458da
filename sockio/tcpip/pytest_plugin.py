"""Fixtures for pytest. Have them by ``pytest_plugins = ["sockio.tcpip.pytest_plugin"]`` in conftest.py."""

from __future__ import annotations

import pytest

from .testing import OneClientServerCase


@pytest.fixture
def one_client_server_case() -> OneClientServerCase:
    """What makes servers and clients for a test: set its ``server_class``, then use ``create_server``.

    It needs no plugin that runs coroutines, and works with any of them::

        async def test_it_answers(one_client_server_case):
            case = one_client_server_case
            case.server_class = MockDomeController
            async with case.create_server() as server, case.create_client(server) as client:
                assert await client.exchange_str("status") == "closed"
    """
    return OneClientServerCase()
