"""The test case for mock controllers, used as its users do: with unittest, and with pytest."""

# ruff: noqa: PT009, PT027 - written as users of unittest write

from __future__ import annotations

import asyncio
import json
import logging
import unittest.mock

from sockio import tcpip

from .helpers import PATIENCE, soon

pytest_plugins = ["sockio.tcpip.pytest_plugin"]


class MockDomeController(tcpip.OneClientServer):
    """A controller as there are many: it starts a loop of its own when it has a client."""

    def __init__(self, port, log, connect_callback=None, host="127.0.0.1", **kwargs):
        self.azimuth = 0.0
        self.read_loop_task = asyncio.get_running_loop().create_future()
        self.read_loop_task.set_result(None)
        self.users_callback = connect_callback
        super().__init__(
            host=host,
            port=port,
            log=log,
            connect_callback=self.connected_callback,
            name="MockDomeController",
            **kwargs,
        )

    async def connected_callback(self, server):
        self.read_loop_task.cancel()
        if server.connected:
            self.read_loop_task = asyncio.create_task(self.read_loop())
        if self.users_callback is not None:
            await self.users_callback(server)

    async def read_loop(self):
        try:
            while self.connected:
                command = await self.read_json()
                self.azimuth = command["move"]
                await self.write_json({"azimuth": self.azimuth})
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.close_client()

    async def close(self):
        self.read_loop_task.cancel()
        await super().close()


class DomeTestCase(tcpip.BaseOneClientServerTestCase):
    """A user's own test case."""

    server_class = MockDomeController

    async def test_moving(self):
        async with self.create_server() as server, self.create_client(server) as client:
            await self.assert_next_connected(True)
            self.assertIs(server.connected, True)
            await client.write_json({"move": 12.5})
            self.assertEqual(await asyncio.wait_for(client.read_json(), PATIENCE), {"azimuth": 12.5})
            self.assertEqual(server.azimuth, 12.5)
            await client.close()
            await self.assert_next_connected(False)

    async def test_the_server_hangs_up(self):
        async with self.create_server() as server:
            async with self.create_client(server, name="test") as client:
                self.assertEqual(client.name, "test")
                await server.close_client()
                with self.assertRaises(ConnectionError):
                    await asyncio.wait_for(client.read_json(), PATIENCE)


class PlainTestCase(tcpip.BaseOneClientServerTestCase):
    server_class = tcpip.OneClientServer

    async def test_arguments(self):
        self.assertEqual(self.log.name, "PlainTestCase")
        async with self.create_server(name="mine") as server:
            self.assertEqual((server.host, server.name), ("127.0.0.1", "mine"))
            self.assertGreater(server.port, 0)
            self.assertEqual(server.log.name, "PlainTestCase.OneClientServer(mine)")
            self.assertIsInstance(self.connect_queue, asyncio.Queue)
            async with self.create_client(server, wait_connected=False) as client:
                await asyncio.wait_for(server.connected_task, PATIENCE)
                self.assertIsInstance(client, tcpip.Client)
            async with self.create_client(server, encoding="ascii") as client:
                self.assertEqual(client.encoding, "ascii")

    async def test_the_next_state_is_waited_for(self):
        async with self.create_server() as server:
            with self.assertRaises(asyncio.TimeoutError):
                await self.assert_next_connected(True, timeout=0.01)
            async with self.create_client(server):
                with self.assertRaises(AssertionError):
                    await self.assert_next_connected(False)

    async def test_a_client_that_does_not_get_in(self):
        async with self.create_server() as server, self.create_client(server):
            server.connected_task = asyncio.get_running_loop().create_future()
            with unittest.mock.patch("sockio.tcpip.testing.STANDARD_TIMEOUT", 0.01):
                with self.assertRaises(asyncio.TimeoutError):
                    async with self.create_client(server):
                        self.fail("it got in")


class LoggingTestCase(tcpip.BaseOneClientServerTestCase):
    """A case with a logger of its own."""

    server_class = tcpip.OneClientServer

    def setUp(self):
        self.log = logging.getLogger("mine")

    async def test_the_logger(self):
        async with self.create_server(name="dome") as server:
            self.assertEqual(server.log.name, "mine.OneClientServer(dome)")


class ReadLoopTestCase(tcpip.BaseOneClientServerTestCase):
    server_class = tcpip.TestOneClientReadLoopServer

    async def test_what_is_sent_is_kept(self):
        async with self.create_server(terminator=b"\n") as server:
            async with self.create_client(server, terminator=b"\n") as client:
                await client.write_json({"id": 1})
                self.assertEqual(json.loads(await asyncio.wait_for(server.get_next_data(), PATIENCE)), {"id": 1})


class ForgetfulTestCase(tcpip.BaseOneClientServerTestCase):
    async def test_there_has_to_be_a_class(self):
        with self.assertRaisesRegex(RuntimeError, "server_class"):
            async with self.create_server():
                self.fail("of which class is it?")

    async def test_there_has_to_be_a_server(self):
        with self.assertRaisesRegex(RuntimeError, "create_server"):
            await self.assert_next_connected(True)


async def test_the_fixture(one_client_server_case):
    case = one_client_server_case
    case.server_class = MockDomeController
    assert isinstance(case.log, logging.Logger)
    async with case.create_server() as server, case.create_client(server) as client:
        await case.assert_next_connected(True)
        assert await soon(client.exchange_json({"move": 90}, PATIENCE)) == {"azimuth": 90}
    await case.assert_next_connected(False)
