"""A throw-away virtual machine whose Linux has drivers for hardware that is not there: ``python machine.py COMMAND``.

The guest sees the host's file tree at the same paths; what it writes is lost. The command runs as root, in the same
folder and environment, with ``LAB=1``. All is emulated, so Python is about twenty times slower than outside.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
from packages import QEMU, Image, Unavailable, prepare

CACHE = Path(os.environ.get("SOCKIO_LAB_CACHE", Path(tempfile.gettempdir()) / "sockio-lab"))

GUEST = Path(__file__).with_name("guest")

KERNEL_OPTIONS = "console=ttyS0 panic=-1 mitigations=off tsc=reliable no_timer_check random.trust_cpu=on loglevel=4"


class Failed(Exception):
    """The machine has not run the command to its end; the message has the kernel's last words."""


def run(command: list[str], timeout: float, output: BinaryIO, errors: BinaryIO, memory: int = 512) -> int:
    """Run a command in a machine of its own and return its exit status.

    Args:
        command: the program and its arguments.
        timeout: seconds for everything.
        output, errors: files that get what the command writes.
        memory: of the machine, in MiB.

    Raises:
        Unavailable: there can be no machine here.
        Failed: the machine did not start, or time was up.
    """
    image = prepare(CACHE)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as name:
        state = Path(name)
        _write_state(state, command, image)
        late = _boot(image, state, timeout, output, errors, memory)
        status = state / "status"
        if status.exists():
            return int(status.read_text())
        console = (state / "console").read_text(errors="replace")[-2000:]
        raise Failed(f"{'time was up' if late else 'the machine ended early'}; its console:\n{console}")


def _write_state(state: Path, command: list[str], image: Image) -> None:
    """Write what the guest reads when it has started."""
    environment = "".join(
        f"export {key}={shlex.quote(value)}\n" for key, value in os.environ.items() if key.isidentifier()
    )
    (state / "command").write_text(
        f"{environment}export SOCKIO_LAB=1 LAB=/sys/kernel/config/usb_gadget\n"
        'export PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"\n'
        f"cd {shlex.quote(os.getcwd())}\nexec {shlex.join(command)}\n"
    )
    (state / "modules").write_text(str(image.modules))
    (state / "console").touch()
    for name in ("start", "cable"):
        (state / name).write_bytes((GUEST / name).read_bytes())


def _boot(image: Image, state: Path, timeout: float, output: BinaryIO, errors: BinaryIO, memory: int) -> bool:
    """Run the machine to its end; return whether it had to be stopped."""
    pipes = [os.pipe(), os.pipe()]
    arguments = [QEMU, "-M", "q35", "-accel", "tcg", "-cpu", "max,la57=off", "-smp", "2", "-m", str(memory)]
    arguments += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    arguments += ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", KERNEL_OPTIONS]
    arguments += ["-serial", f"file:{state}/console", "-device", "virtio-serial-pci"]
    for tag, path, access in (
        ("host", "/", ",readonly=on"),
        ("udev", image.udev, ",readonly=on"),
        ("state", state, ""),
    ):
        arguments += ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap{access}"]
    for number, (_, end) in enumerate(pipes, 1):
        arguments += ["-add-fd", f"fd={end},set={number}"]
        arguments += ["-chardev", f"file,id=c{number},path=/dev/fdset/{number},append=on"]
        arguments += ["-device", f"virtserialport,chardev=c{number},nr={number}"]
    qemu = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, pass_fds=[end for _, end in pipes])
    copying = [
        threading.Thread(target=_copy, args=(start, file))
        for (start, _), file in zip(pipes, (output, errors), strict=True)
    ]
    for thread, (_, end) in zip(copying, pipes, strict=True):
        os.close(end)
        thread.start()
    late = False
    try:
        qemu.wait(timeout)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        qemu.kill()
        qemu.wait()
        for thread in copying:
            thread.join()
    return late


def _copy(number: int, file: BinaryIO) -> None:
    with open(number, "rb", buffering=0) as start:
        while data := start.read(65536):
            file.write(data)
            file.flush()


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:], 900, sys.stdout.buffer, sys.stderr.buffer))
    except (Unavailable, Failed) as error:
        sys.exit(f"lab: {error}")
