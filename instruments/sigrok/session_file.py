"""Session files of sigrok, format 2: a zip archive of samples, with an INI file that says what they are."""

from __future__ import annotations

import configparser
import errno
import lzma
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sockio.errors import ProtocolError

from .capture import Capture
from .codec import Layout, check_logic, parse_rate, unpack_logic

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Path = str | PathLike[str]

VERSION = b"2"

#: Samples in each file of the archive that is written.
CHUNK = 1 << 22

#: What reading a malformed archive ends with: some say which kind of compression or encryption it would take.
MALFORMED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, KeyError),
    *(ValueError, NotImplementedError, RuntimeError, OverflowError),
)


def read(path: Path) -> Capture:
    """Read a session file.

    Raises:
        ProtocolError: it is none, or not whole.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            device = _device(archive)
            layout = _layout(device)
            rate = parse_rate(device.get("samplerate", "none"))
            data: dict[str, Array] = {}
            if layout.logic:
                packed = _samples(archive, device["capturefile"], np.uint8)
                data.update(unpack_logic(_whole(packed, layout.unit), layout, tuple(layout.logic)))
            for key, name in device.items():
                if re.fullmatch(r"analog\d+", key):
                    data[name] = _samples(archive, f"analog-1-{key.removeprefix('analog')}", np.float32)
            return Capture(data, rate)
    except (*MALFORMED, OSError) as error:
        raise _malformed(path, error) from error


def layout_of(path: Path) -> Layout:
    """Return which channels are where in a session file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _layout(_device(archive))
    except (*MALFORMED, OSError) as error:
        raise _malformed(path, error) from error


def _malformed(path: Path, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that is a place before the file's beginning
        return error
    if isinstance(error, ProtocolError):
        return ProtocolError(f"{path}: {error}", error.data)
    return ProtocolError(f"{path}: no session file of sigrok, or not a whole one: {error}")


def write(path: Path, capture: Capture) -> None:
    """Write a session file. Channels of integers are logic channels, channels of floats are analog ones.

    Raises:
        ValueError: a logic channel with something else than 0 and 1, or a channel whose name the file cannot hold.
    """
    for name in capture.data:
        if name != name.strip() or len(name.splitlines()) > 1:
            raise ValueError(f"session files have channels with names of one line without spaces around, not {name!r}")
    logic = {name: samples for name, samples in capture.data.items() if samples.dtype.kind != "f"}
    analog = {name: samples for name, samples in capture.data.items() if samples.dtype.kind == "f"}
    check_logic(logic)
    unit = max(1, (len(logic) + 7) // 8)
    lines = ["[global]", "sigrok version=0.5.2", "", "[device 1]"]
    if logic:
        lines += ["capturefile=logic-1"]
    lines += [f"total probes={len(logic)}", f"samplerate={_rate(capture.samplerate)}", f"total analog={len(analog)}"]
    lines += [f"probe{number}={name}" for number, name in enumerate(logic, 1)]
    lines += [f"analog{number}={name}" for number, name in enumerate(analog, len(logic) + 1)]
    lines += [f"unitsize={unit}"] if logic else []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("version", VERSION)
        archive.writestr("metadata", "\n".join([*lines, ""]))
        for number, start in enumerate(range(0, len(capture.t), CHUNK), 1):
            stop = start + CHUNK
            if logic:
                packed = _pack([samples[start:stop] for samples in logic.values()], unit)
                archive.writestr(f"logic-1-{number}", packed.tobytes())
            for channel, samples in enumerate(analog.values(), len(logic) + 1):
                archive.writestr(f"analog-1-{channel}-{number}", samples[start:stop].astype("<f4").tobytes())


def _rate(samplerate: float) -> str:
    """Return a samplerate as sigrok reads it: whole hertz."""
    if samplerate != int(samplerate):
        raise ValueError(f"session files have samplerates of whole hertz, not {samplerate:g}")
    return f"{int(samplerate)} Hz"


def _pack(channels: list[Array], unit: int) -> Array:
    packed = np.zeros((len(channels[0]), unit), np.uint8)
    for number, samples in enumerate(channels):
        packed[:, number // 8] |= samples.astype(np.uint8) << np.uint8(number % 8)
    return packed


def _device(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return what the archive says of its device."""
    try:
        version, metadata = archive.read("version").strip(), archive.read("metadata").decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise ProtocolError(f"no session file of sigrok: {error}") from error
    if version != VERSION:
        raise ProtocolError(f"expected version 2 of session files, got {version!r}", version)
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    try:
        parser.read_string(metadata)
        return dict(parser["device 1"])
    except (configparser.Error, KeyError) as error:
        raise ProtocolError(f"malformed metadata: {error}", metadata.encode()) from error


def _layout(device: dict[str, str]) -> Layout:
    bits = [(name, int(key[5:]) - 1) for key, name in device.items() if re.fullmatch(r"probe[0-9]{1,9}", key)]
    analog = tuple(name for key, name in device.items() if re.fullmatch(r"analog\d+", key))
    try:
        unit = int(device.get("unitsize", 0))
    except ValueError as error:
        raise ProtocolError(f"malformed metadata of a session file: {error}") from error
    logic = dict(bits)
    if len({*logic, *analog}) < len(bits) + len(analog):
        raise ProtocolError(f"a session file with two channels of one name: {[*(name for name, _ in bits), *analog]}")
    if logic and not 0 <= min(logic.values()) <= max(logic.values()) < 8 * unit:
        raise ProtocolError(f"a session file with channels {list(logic)} in samples of {unit} bytes")
    return Layout(logic, analog, unit)


def _samples(archive: zipfile.ZipFile, name: str, kind: Any) -> Array:
    """Return the samples of one file, or of its parts ``name-1``, ``name-2``, ..."""
    there = set(archive.namelist())
    names = [name] if name in there else []
    number = 1
    while f"{name}-{number}" in there:
        names.append(f"{name}-{number}")
        number += 1
    size = np.dtype(kind).itemsize
    parts = [archive.read(each) for each in names]
    for each, part in zip(names, parts, strict=True):
        if len(part) % size:
            raise ProtocolError(f"{each} of a session file has {len(part)} bytes, no whole number of samples")
    return np.frombuffer(b"".join(parts), np.dtype(kind).newbyteorder("<")).astype(kind)


def _whole(packed: Array, unit: int) -> Array:
    if len(packed) % unit:
        raise ProtocolError(f"a session file with {len(packed)} bytes of samples of {unit} bytes")
    return packed
