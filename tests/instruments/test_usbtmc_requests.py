"""What is asked of the kernel's USBTMC driver; the driver itself needs the hardware of `tests/lab`."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
from typing import Any

import pytest

from instruments.message import NotSupported
from instruments.usbtmc import UsbtmcConnection, driver, sysfs
from sockio.resource import parse
from sockio.runtimes import blocking


class Driver:
    """Stands in for the driver.

    Attributes:
        requests: the codes of the requests that have come.
        limits: the time limits that were set, in milliseconds.
        refused: those that fail, and how.
    """

    def __init__(self) -> None:
        self.requests: list[int] = []
        self.limits: list[int] = []
        self.refused: dict[int, int] = {}
        self.held = threading.Event()
        self.held.set()
        self.asked = threading.Event()

    def ioctl(self, number: int, code: int, argument: Any = 0) -> int:
        assert number >= 0, "the driver has no such file"
        self.requests.append(code)
        if code == driver.SET_TIMEOUT:
            self.limits.append(*struct.unpack("=I", argument))
        self.asked.set()
        if code == driver.SET_TIMEOUT:
            self.held.wait(0.2)
        if code in self.refused:
            raise OSError(self.refused[code], os.strerror(self.refused[code]))
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Driver:
    kernel = Driver()
    monkeypatch.setattr(fcntl, "ioctl", kernel.ioctl)
    monkeypatch.setattr(driver, "open_device", lambda path: os.open(path, os.O_RDWR))
    monkeypatch.setattr(sysfs, "find", lambda *address: os.devnull)
    return kernel


def connection() -> UsbtmcConnection:
    address: Any = parse("USB0::0x0957::0x1755::MY48010001::INSTR")
    return UsbtmcConnection(address, blocking.runtime)


def test_each_request_has_its_own_time_limit(kernel: Driver) -> None:
    """A status poll beside another request must not be given that one's limit, nor the other way round."""
    device = driver.Device(os.devnull)
    kernel.requests.clear()
    kernel.held.clear()  # whoever has set a limit is held up before what the limit is for
    threads = [
        threading.Thread(target=device.request, args=(code, 1000)) for code in (driver.TRIGGER, driver.READ_STATUS_BYTE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    device.close()
    limit, first, limit_too, second = kernel.requests[:4]
    assert limit == limit_too == driver.SET_TIMEOUT
    assert {first, second} == {driver.TRIGGER, driver.READ_STATUS_BYTE}


def test_a_request_on_a_closed_device_is_a_lost_connection(kernel: Driver) -> None:
    device = driver.Device(os.devnull)
    device.close()
    with pytest.raises(ConnectionAbortedError, match="closed"):
        device.request(driver.READ_STATUS_BYTE, 1000, 1)


def test_nothing_is_asked_of_a_device_that_another_thread_has_closed(kernel: Driver) -> None:
    """Whatever comes too late gets an OSError, which is a lost connection."""
    device = driver.Device(os.devnull)
    device.close()
    kernel.requests.clear()
    memory = memoryview(bytearray(driver.UNIT))
    for use in (
        device.fileno,
        device.forget_transfers,
        device.check_sent,
        lambda: device.wait_service_request(100),
        lambda: device.receive_first(memory),
        lambda: device.submit(memory, False),
    ):
        with pytest.raises(ConnectionAbortedError, match="closed"):
            use()
    device.cancel()
    assert not device.is_there()
    assert not kernel.requests


def test_the_status_byte_of_a_service_request_is_waited_for_as_long_as_there_is_time(kernel: Driver) -> None:
    device = connection()
    blocking.run(device.open(5))
    kernel.limits.clear()
    blocking.run(device.wait_for_service_request(0.4))
    blocking.run(device.wait_for_service_request(None))
    short, long = kernel.limits
    assert 300 < short <= 400
    assert long == 1000
    blocking.run(device.close())


def test_a_forked_child_asks_nothing_of_the_driver(kernel: Driver) -> None:
    device = connection()
    blocking.run(device.open(5))
    opened, events = device._device, device._events
    assert opened is not None
    assert events is not None
    numbers = [opened.number, events.number]
    kernel.requests.clear()
    child = os.fork()
    if not child:
        code = 1
        try:
            left_alone = not kernel.requests and not any(map(_is_open, numbers))
            code = 0 if left_alone and not device.connected() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert device.connected()
    assert all(map(_is_open, numbers))
    blocking.run(device.close())


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_a_trigger_that_is_refused_leaves_the_connection_in_step(kernel: Driver) -> None:
    kernel.refused[driver.TRIGGER] = errno.EINVAL
    device = connection()
    for _ in range(2):
        with pytest.raises(NotSupported, match=r"MY48010001.*: this way to the instrument has no trigger"):
            blocking.run(device.trigger(5))
    assert kernel.requests.count(driver.TRIGGER) == 2
    assert driver.CLEAR not in kernel.requests
    blocking.run(device.close())


def test_a_refused_clear_is_an_error_of_the_system(kernel: Driver) -> None:
    kernel.refused[driver.CLEAR] = errno.EPERM  # as the driver says it
    device = connection()
    with pytest.raises(PermissionError, match="MY48010001"):
        blocking.run(device.clear(5))
    blocking.run(device.close())


def test_without_an_interrupt_endpoint_there_are_no_service_requests(kernel: Driver) -> None:
    kernel.refused[driver.WAIT_SERVICE_REQUEST] = errno.EFAULT
    device = connection()
    with pytest.raises(NotSupported, match="no service request"):
        blocking.run(device.wait_for_service_request(5))
    blocking.run(device.close())


def test_the_status_byte_is_read_while_another_call_has_the_turn(kernel: Driver) -> None:
    device = connection()
    blocking.run(device.open(5))
    kernel.requests.clear()
    kernel.asked.clear()
    released = threading.Event()

    async def hold(deadline: float | None) -> None:
        kernel.asked.set()
        assert released.wait(10)

    holder = threading.Thread(target=lambda: blocking.run(device._call("query", 10, hold)))
    holder.start()
    assert kernel.asked.wait(10)
    assert device.polls_aside
    assert blocking.run(device.read_status_byte(5)) == 0
    assert kernel.requests == [driver.SET_TIMEOUT, driver.READ_STATUS_BYTE]
    released.set()
    holder.join()
    blocking.run(device.close())
