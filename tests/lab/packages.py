"""What the lab's machine is made of: Debian packages, unpacked into a folder and not installed."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

QEMU = "qemu-system-x86_64"

#: Modules of the kernel that the guest loads, with their arguments; what they depend on is found.
MODULES = {
    "virtio_pci": "",
    "virtio_console": "",
    "9pnet_virtio": "",
    "9p": "",
    "overlay": "",
    "usbtmc": "",
    "dummy_hcd": "num=4",
    "libcomposite": "",
    "usb_f_fs": "",
    "can_raw": "",
    "vcan": "",
    "usb_f_hid": "",
    "usb_f_acm": "",
    "usbhid": "",
    "hid_generic": "",
    "uhid": "",
    "cdc_acm": "",
}

#: What ends a signed module (scripts/sign-file in the kernel's source).
SIGNED = b"~Module signature appended~\n"

INIT = Path(__file__).with_name("guest") / "init"


class Unavailable(Exception):
    """The machine cannot be had here; the message says why."""


@dataclass(frozen=True)
class Image:
    """What QEMU starts.

    Attributes:
        kernel: the kernel, not compressed.
        initrd: the first file system, with the modules.
        modules: the folder that ``/lib/modules`` is.
        udev: a file tree with udev in it.
    """

    kernel: Path
    initrd: Path
    modules: Path
    udev: Path


def prepare(cache: Path) -> Image:
    """Return the image, made on the first time and kept in *cache*.

    Raises:
        Unavailable: there is no QEMU, or a package cannot be downloaded.
    """
    if shutil.which(QEMU) is None:
        raise Unavailable(f"no {QEMU}; as root: apt-get install qemu-system-x86")
    cache.mkdir(parents=True, exist_ok=True)
    try:
        root = _fetch(_kernel_package(cache), cache)
        busybox = _fetch("busybox-static", cache) / "usr/bin/busybox"
        udev = _fetch("udev", cache)
    except (OSError, subprocess.CalledProcessError, StopIteration) as error:
        said = (getattr(error, "stderr", None) or "").strip()
        raise Unavailable(f"no Debian packages for the machine: {error}" + (f": {said}" if said else "")) from error
    modules = root / "usr/lib/modules"
    (version,) = [folder.name for folder in modules.iterdir()]
    kernel = root / "vmlinux"
    if not kernel.exists():
        _write(kernel, _uncompressed((root / f"boot/vmlinuz-{version}").read_bytes()))
    recipe = hashlib.sha256(repr((INIT.read_text(), MODULES)).encode()).hexdigest()[:12]
    initrd = root / f"initramfs-{recipe}"
    if not initrd.exists():
        _run(str(busybox), "depmod", "-b", str(root / "usr"), version)
        _write(initrd, _initrd(modules / version, busybox))
    return Image(kernel, initrd, modules, udev)


def _kernel_package(cache: Path) -> str:
    """Return the name of the kernel's package: what there is, otherwise the newest."""
    there = sorted(folder.name for folder in cache.glob("linux-image-*"))
    if there:
        return there[-1]
    words = _run("apt-cache", "depends", "linux-image-amd64").split()
    return next(word for word in words if word.startswith("linux-image-") and word[12].isdigit())


def _fetch(package: str, cache: Path) -> Path:
    """Download and unpack a package, with everything under ``usr``; return the folder."""
    folder = cache / package
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=cache) as name:
        work = Path(name)
        _run("apt-get", "download", "-qq", package, cwd=work)
        (archive,) = work.glob("*.deb")
        _run("dpkg-deb", "-x", str(archive), str(work / "root"))
        for top in ("bin", "sbin", "lib"):
            if (work / "root" / top).is_dir():
                shutil.copytree(work / "root" / top, work / "root/usr" / top, symlinks=True, dirs_exist_ok=True)
                shutil.rmtree(work / "root" / top)
        try:
            (work / "root").rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another run was faster
                raise
    return folder


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: others may be looking for it."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.rename(path)


def _uncompressed(kernel: bytes) -> bytes:
    """Return the ELF file in a kernel image. It starts at once: no firmware, no slow unpacking."""
    position = kernel.find(b"\xfd7zXZ\0")
    elf = lzma.LZMADecompressor().decompress(kernel[position:]) if position > 0 else b""
    return elf if elf.startswith(b"\x7fELF") else kernel


def _initrd(modules: Path, busybox: Path) -> bytes:
    """Return the archive of the first file system."""
    folders = ("bin", "dev", "proc", "sys", "modules", "host", "udev", "memory", "new")
    entries = [(folder, 0o40755, b"") for folder in folders]
    entries += [("init", 0o100755, INIT.read_bytes()), ("bin/busybox", 0o100755, busybox.read_bytes())]
    order = _in_order(modules)
    listing = "".join(f"{name} {MODULES.get(name, '')}\n" for name in order)
    entries.append(("modules/list", 0o100644, listing.encode()))
    for name, path in order.items():
        entries.append((f"modules/{name}.ko", 0o100644, _without_signature((modules / path).read_bytes())))
    return _archive(entries)


def _in_order(modules: Path) -> dict[str, str]:
    """Return the path of every module that is needed, each after those that it needs."""
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[_module_name(path)] = path, others.split()
    order: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in order:
            path, others = needs[name]
            for other in others:
                add(_module_name(other))
            order[name] = path

    for name in MODULES:
        add(name)
    return order


def _module_name(path: str) -> str:
    return Path(path).name.removesuffix(".ko").replace("-", "_")


def _without_signature(module: bytes) -> bytes:
    """Checking it takes long where every instruction is emulated."""
    if not module.endswith(SIGNED):
        return module
    body = module[: -len(SIGNED)]
    (size,) = struct.unpack(">I", body[-4:])
    return body[: -12 - size]


def _archive(entries: list[tuple[str, int, bytes]]) -> bytes:
    """Return a cpio archive in the "newc" format: name, mode and content of each file."""
    archive = bytearray()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (header + name.encode() + b"\0", data):
            archive += part
            archive += bytes(-len(archive) % 4)
    return bytes(archive)
