"""Session files and Value Change Dumps: ours read by sigrok-cli, its read by us, and malformed ones."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from instruments.sigrok import Annotation, Capture, load, vcd
from instruments.sigrok.codec import (
    Layout,
    parse_annotations,
    parse_rate,
    parse_show,
    parse_wav_header,
    unpack_logic,
)
from sockio.errors import ProtocolError

needs_sigrok = pytest.mark.skipif(shutil.which("sigrok-cli") is None, reason="no sigrok-cli (Debian: sigrok-cli)")

RANDOM = np.random.default_rng(1)


def example(count: int = 1000, channels: int = 10) -> Capture:
    data: dict[str, Any] = {f"L{number}": RANDOM.integers(0, 2, count).astype(np.uint8) for number in range(channels)}
    data["sine"] = np.sin(np.arange(count) / 10).astype(np.float32)
    return Capture(data, 48e6)


def same(one: Capture, other: Capture) -> None:
    assert (one.samplerate, one.start) == (other.samplerate, other.start)
    assert list(one.data) == list(other.data)
    np.testing.assert_array_equal(one.t, other.t)
    for name in one.data:
        assert one.data[name].dtype == other.data[name].dtype
        np.testing.assert_array_equal(one.data[name], other.data[name])


def sigrok(*arguments: str) -> str:
    return subprocess.run(["sigrok-cli", *arguments], capture_output=True, text=True, check=True).stdout


def test_a_capture_is_times_and_samples() -> None:
    t, data = capture = Capture({"D0": np.array([0, 1, 1], np.uint8)}, 1e3, 5, [Annotation(0, 1, "uart-1", "rx", "x")])
    assert t.tolist() == [0.005, 0.006, 0.007]
    assert data["D0"].tolist() == [0, 1, 1]
    copy = pickle.loads(pickle.dumps(capture))
    same(copy, capture)
    assert copy.records == capture.records
    with pytest.raises(ValueError, match="different numbers of samples"):
        Capture({"D0": np.zeros(3), "D1": np.zeros(4)}, 1e3)


@pytest.mark.parametrize("kind", [".sr", ".vcd"])
def test_there_and_back(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"capture{kind}"
    capture = example()
    capture.save(path)
    same(load(path), capture)


def test_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.sr or \.vcd"):
        example().save(tmp_path / "capture.csv")
    with pytest.raises(ValueError, match=r"must end in \.sr or \.vcd"):
        load(tmp_path / "capture.csv")


@needs_sigrok
@pytest.mark.parametrize("channels", [1, 8, 9, 20])
def test_sigrok_reads_our_session(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "ours.sr"
    capture = example(64, channels)
    del capture.data["sine"]
    capture.save(path)
    lines = sigrok("-i", str(path), "-O", "bits:width=64").splitlines()
    found = {name: bits.replace(" ", "") for name, _, bits in (line.partition(":") for line in lines) if bits}
    assert "48 MHz" in lines[1]
    assert {name: found[name] for name in capture.data} == {
        name: "".join(map(str, samples)) for name, samples in capture.data.items()
    }


@needs_sigrok
def test_sigrok_reads_our_dump(tmp_path: Path) -> None:
    path = tmp_path / "ours.vcd"
    capture = Capture({f"L{number}": RANDOM.integers(0, 2, 64).astype(np.uint8) for number in range(8)}, 1e6)
    capture.save(path)
    lines = sigrok("-I", "vcd", "-i", str(path), "-O", "bits:width=64").splitlines()
    found = {name: bits.replace(" ", "") for name, _, bits in (line.partition(":") for line in lines) if bits}
    assert {name: found[name][:64] for name in capture.data} == {
        name: "".join(map(str, samples)) for name, samples in capture.data.items()
    }


@needs_sigrok
def test_we_read_sigroks_files(tmp_path: Path) -> None:
    """The same capture as a session, and from that as a dump and as bits."""
    session, dump = tmp_path / "theirs.sr", tmp_path / "theirs.vcd"
    sigrok("-d", "demo:analog_channels=0", "-c", "samplerate=1M", "--samples", "500", "-o", str(session))
    sigrok("-i", str(session), "-o", str(dump), "-O", "vcd")
    ours = load(session)
    assert ours.samplerate == 1e6
    lines = sigrok("-i", str(session), "-O", "bits:width=500").splitlines()[2:]
    for line in lines:
        name, _, bits = line.partition(":")
        assert "".join(map(str, ours.data[name])) == bits.replace(" ", "")
    same(load(dump), ours)


@needs_sigrok
def test_we_read_analog_channels(tmp_path: Path) -> None:
    session = tmp_path / "theirs.sr"
    sigrok("-d", "demo", "-C", "D0,A0,A2", "-c", "samplerate=1M", "--samples", "100", "-o", str(session))
    capture = load(session)
    assert list(capture.data) == ["D0", "A0", "A2"]
    np.testing.assert_array_equal(capture.data["A0"][:10], np.repeat(np.float32([-10, 10]), 5))


# Value Change Dumps of others

HEAD = """$date today $end
$timescale 10 ns $end
$scope module top $end
$var wire 1 ! clock $end
$var reg 4 " bus $end
$var real 64 # volts $end
$upscope $end
$enddefinitions $end
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "other.vcd"
    path.write_text(text)
    return path


def test_a_dump_with_everything(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + '#0 $dumpvars 0! b0 " r0.5 # $end\n#2\n1!\n#4 0!\nb1010 "\n#6 1! r-2.5e0 #\n#8\n')
    capture = vcd.read(path)
    assert capture.samplerate == pytest.approx(1 / 20e-9)  # what all changes fit into
    assert capture.data["clock"].tolist() == [0, 1, 0, 1]
    assert [capture.data[f"bus.{bit}"].tolist() for bit in range(4)] == [[0] * 4, [0, 0, 1, 1], [0] * 4, [0, 0, 1, 1]]
    assert capture.data["volts"].tolist() == [0.5, 0.5, 0.5, -2.5]
    assert vcd.read(path, samplerate=100e6).data["clock"].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_unknown_values(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + '#0 x! bzz01 " r0 #\n#1 1!\n#2\n')
    with pytest.raises(ProtocolError, match="'clock' is 'x' at #0"):
        vcd.read(path)
    capture = vcd.read(path, unknown=0)
    assert capture.data["clock"].tolist() == [0, 1]
    assert [capture.data[f"bus.{bit}"][0] for bit in range(4)] == [1, 0, 0, 0]
    path = written(tmp_path, HEAD + '#0 b0 " r0 #\n#1 1!\n#2\n')
    with pytest.raises(ProtocolError, match="'clock' has no value at first"):
        vcd.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected variables and times"),
        (HEAD, "expected variables and times"),
        ("$timescale 3 ns $end", "expected a timescale"),
        ("$timescale 1 ns", "without an \\$end"),
        ("$var wire $end", "expected a variable"),
        (HEAD + "#x", "expected a time, got '#x'"),
        (HEAD + "#0 1?", "expected a change of a variable, got '1\\?'"),
        (HEAD + "#0 2!", "expected 1 bits of 'clock', got '2'"),
        (HEAD + '#0 b10101 "', "expected 4 bits of 'bus'"),
        (HEAD + "#0 r1 !", "cannot be"),
        (HEAD + "#0 1#", "cannot be"),
        (HEAD + "#0 rabc #", "expected a real number"),
        (HEAD + '#0 0! b0 " r0 #\n#5 1!\n#3 0!', "goes backwards"),
        (HEAD + "#0 b1", "expected a change of a variable"),
        (HEAD + "#² 1!", "expected a time, got '#²'"),
        (HEAD + "#" + "9" * 5000, "expected a time"),
        ("$var wire ² ! a $end #0 1!", "expected a variable"),
        ("$var wire 999999999 ! a $end #0 1!", "expected a variable"),
        ("$var wire 0 ! a $end #0 1!", "expected a variable"),
        ('$var wire 1 ! a $end $var wire 1 " a $end #0 0! 1"', "two variables are called 'a'"),
        ('$var wire 2 ! a $end $var wire 1 " a.1 $end #0 b0 ! 1"', "two variables are called 'a.1'"),
        (HEAD + '#0 0! b0 " r0 #\n#1 1!\n#1000000000000000', "too many samples at .* Hz: give a lower rate"),
        (HEAD + '#0 0! b0 " r0 #\n#1 1!\n#999999999999999999', "too many samples at .* Hz: give a lower rate"),
    ],
)
def test_malformed_dumps(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        load(written(tmp_path, text))


def test_what_is_said_before_the_first_time(tmp_path: Path) -> None:
    """It is so when the time begins."""
    text = '$timescale 1 us $end $var wire 1 ! a $end $var wire 1 " b $end 0! 1" #5 1! #8 0" #10'
    capture = vcd.read(written(tmp_path, text), samplerate=1e6)
    assert capture.start == 5
    assert {name: samples.tolist() for name, samples in capture.data.items()} == {"a": [1] * 5, "b": [1, 1, 1, 0, 0]}
    np.testing.assert_allclose(capture.t, np.arange(5, 10) / 1e6)


def test_variables_of_one_name(tmp_path: Path) -> None:
    """Each module has its clock; some programs write a bus bit by bit, or how its bits are numbered."""
    text = """$timescale 1 ns $end
        $scope module top $end $var wire 1 ! clock $end
        $scope module counter $end $var wire 1 " clock $end $var reg 2 # bus [1:0] $end $upscope $end
        $var wire 1 $ out [0] $end $var wire 1 % out [1] $end $var realtime 64 & t $end $upscope $end
        #0 0! 1" b10 # 1$ 0% r1.5 & #1 1! r2e39 & #2"""
    data = vcd.read(written(tmp_path, text)).data
    assert {name: samples.tolist() for name, samples in data.items()} == {
        "top.clock": [0, 1],
        "top.counter.clock": [1, 1],
        "bus.0": [0, 0],
        "bus.1": [1, 1],
        "out[0]": [1, 1],
        "out[1]": [0, 0],
        "t": [1.5, np.inf],
    }


@pytest.mark.parametrize("comment", ["Look at 100 MHz", "Acquisition at 0 Hz", "Acquisition at 1.2.3 Hz"])
def test_comments_that_tell_no_samplerate(tmp_path: Path, comment: str) -> None:
    text = f"$comment {comment} $end $timescale 1 us $end $var wire 1 ! a $end #0 0! #2 1! #4"
    assert vcd.read(written(tmp_path, text)).samplerate == pytest.approx(5e5)


@pytest.mark.parametrize("samplerate", [0, -1, float("nan"), float("inf")])
def test_samplerates_that_cannot_be(tmp_path: Path, samplerate: float) -> None:
    with pytest.raises(ValueError, match="samplerate must be hertz, more than 0"):
        vcd.read(written(tmp_path, HEAD + '#0 0! b0 " r0 # #1'), samplerate=samplerate)
    with pytest.raises(ValueError, match="samplerate must be hertz, more than 0"):
        Capture({"D0": np.zeros(3, np.uint8)}, samplerate)


@settings(max_examples=300, deadline=None)
@given(
    some.lists(some.sampled_from(["#0", "#1", "#7", "1!", "0!", "x!", "b1", '"', "r1", "#", "$end", "$var", "1 ns"]))
)
def test_fuzzed_dumps(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.vcd"
    path.write_text(HEAD + " ".join(words))
    try:
        vcd.read(path)
    except ProtocolError:
        pass


# Malformed session files


def session(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "other.sr"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


METADATA = b"[device 1]\ncapturefile=logic-1\nsamplerate=1 MHz\nprobe1=D0\nprobe9=D8\nunitsize=2\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no session file"),
        ({"version": b"2"}, "no session file"),
        ({"version": b"3", "metadata": METADATA}, "expected version 2"),
        ({"version": b"2", "metadata": b"\xff"}, "no session file"),
        ({"version": b"2", "metadata": b"nothing"}, "malformed metadata"),
        ({"version": b"2", "metadata": b"[global]\n"}, "malformed metadata"),
        ({"version": b"2", "metadata": METADATA.replace(b"1 MHz", b"fast")}, "expected a samplerate"),
        ({"version": b"2", "metadata": METADATA.replace(b"unitsize=2", b"unitsize=1")}, "samples of 1 bytes"),
        ({"version": b"2", "metadata": METADATA.replace(b"unitsize=2", b"unitsize=x")}, "malformed metadata"),
        ({"version": b"2", "metadata": METADATA.replace(b"capturefile=logic-1\n", b"")}, "not a whole one"),
        ({"version": b"2", "metadata": METADATA, "logic-1-1": b"abc"}, "samples of 2 bytes"),
        ({"version": b"2", "metadata": METADATA + b"analog10=A0\n", "analog-1-10-1": b"abc"}, "no whole number"),
        ({"version": b"2", "metadata": METADATA + b"analog10=A0\n", "logic-1": b"ab"}, "different numbers of samples"),
        ({"version": b"2", "metadata": METADATA + b"probe0=X\n", "logic-1": b"ab"}, "samples of 2 bytes"),
        ({"version": b"2", "metadata": METADATA + b"probe2=D0\n", "logic-1": b"ab"}, "two channels of one name"),
        ({"version": b"2", "metadata": METADATA.replace(b"1 MHz", b"0 Hz"), "logic-1": b"ab"}, "more than 0"),
        ({"version": b"2", "metadata": METADATA.replace(b"1 MHz", b"1.2.3 Hz"), "logic-1": b"ab"}, "a samplerate"),
    ],
)
def test_malformed_sessions(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    path = session(tmp_path, files)
    with pytest.raises(ProtocolError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


@settings(max_examples=300, deadline=None)
@given(some.data())
def test_fuzzed_sessions(tmp_path_factory: pytest.TempPathFactory, data: some.DataObject) -> None:
    """Bytes of a good one are changed: it is refused, or what was changed does not matter."""
    path = tmp_path_factory.getbasetemp() / "fuzzed.sr"
    Capture({"D0": np.array([0, 1] * 50, np.uint8), "A0": np.arange(100, dtype=np.float32)}, 1e6).save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(some.integers(1, 4))):
        content[data.draw(some.integers(0, len(content) - 1))] = data.draw(some.integers(0, 255))
    path.write_bytes(content)
    try:
        load(path)
    except ProtocolError:
        pass


@settings(max_examples=300, deadline=None)
@given(some.lists(some.sampled_from(["[device 1]", "capturefile=logic-1", "samplerate=1 Hz", "probe1=a", "analog2=a"])))
def test_fuzzed_metadata(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    files = {"version": b"2", "metadata": "\n".join([*lines, "unitsize=1"]).encode(), "logic-1": b"ab"}
    try:
        capture = load(session(tmp_path_factory.getbasetemp(), files))
    except ProtocolError:
        return
    assert all(samples.tolist() in ([1, 0], []) for samples in capture.data.values())


def test_no_archive_at_all(tmp_path: Path) -> None:
    path = tmp_path / "none.sr"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ProtocolError, match="no session file"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere.sr")


def test_parts_and_old_single_files(tmp_path: Path) -> None:
    parts = {"version": b"2", "metadata": METADATA, "logic-1-1": b"\1\0\0\1", "logic-1-2": b"\1\1"}
    assert load(session(tmp_path, parts)).data["D8"].tolist() == [0, 1, 1]
    single = {"version": b"2", "metadata": METADATA, "logic-1": b"\1\0\0\1"}
    assert load(session(tmp_path, single)).data["D0"].tolist() == [1, 0]


def test_logic_is_0_and_1(tmp_path: Path) -> None:
    for name in ("two.sr", "two.vcd"):
        with pytest.raises(ValueError, match="must be 0 and 1"):
            Capture({"D0": np.array([0, 2])}, 1e6).save(tmp_path / name)
        Capture({"D0": np.array([False, True, True])}, 1e6).save(tmp_path / name.replace("two", "good"))
        assert load(tmp_path / name.replace("two", "good")).data["D0"].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.sr", "D\n0"),
        ("a.sr", " D0"),
        ("a.vcd", "D\n0"),
        ("a.vcd", "D0 "),
        ("a.vcd", "D  0"),
        ("a.vcd", "$end"),
        ("a.vcd", ""),
    ],
)
def test_names_that_would_not_come_back(tmp_path: Path, file: str, name: str) -> None:
    with pytest.raises(ValueError, match="names of"):
        Capture({name: np.zeros(2, np.uint8)}, 1e6).save(tmp_path / file)
    assert not (tmp_path / file).exists()


# What sigrok-cli prints

#: As sigrok-cli 0.7.2 prints it for a Saleae Logic clone.
FX2LAFW = """\
Driver functions:
    Logic analyzer
    Oscilloscope
Scan options:
    conn
    probe_names
fx2lafw:conn=1.7 - Saleae Logic with 8 channels: D0 D1 D2 D3 D4 D5 D6 D7
Channel groups:
    Logic: channels D0 D1 D2 D3 D4 D5 D6 D7
Supported configuration options across all channel groups:
    continuous: on, off
    limit_samples: 0 (current)
    conn: 1.7 (current)
    samplerate - supported samplerates:
      20 kHz (current)
      25 kHz
      1 MHz
      24 MHz
    Supported triggers: 0 1 r f e \n    captureratio: 0 (current)
"""


def test_what_is_said_of_a_device() -> None:
    found = parse_show(FX2LAFW)
    assert found.channels == tuple(f"D{number}" for number in range(8))
    assert found.functions == ("Logic analyzer", "Oscilloscope")
    assert found.samplerates is not None
    assert found.samplerates.listed == (20e3, 25e3, 1e6, 24e6)
    assert found.samplerates.fastest == 24e6
    assert found.triggers == "01rfe"
    assert {"continuous", "samplerate", "captureratio"} <= set(found.options)
    with pytest.raises(ValueError, match=r"one of 20000, 25000, 1e\+06, 2\.4e\+07 Hz, not 48000"):
        found.samplerates.check(48e3)
    with pytest.raises(ProtocolError, match="channels of a device"):
        parse_show("Driver functions:\n    Logic analyzer\n")


@pytest.mark.parametrize(
    ("text", "rate"), [("1 Hz", 1), ("20 kHz", 20e3), ("1.5 MHz", 1.5e6), ("1 GHz", 1e9), ("524.861649 MHz", 524861649)]
)
def test_rates(text: str, rate: float) -> None:
    """To the hertz, as one compares them."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "Hz", "1", ". MHz", "1.2.3 MHz", "-1 Hz", "1 THz", "1e6 Hz"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ProtocolError, match="expected a samplerate"):
        parse_rate(text)


def test_annotations() -> None:
    text = '183-253 uart-1: rx-data: "48"\n252-261 uart-1: rx-stop: "Stop bit" "Stop" "T"\n'
    assert parse_annotations(text) == [
        Annotation(183, 253, "uart-1", "rx-data", "48"),
        Annotation(252, 261, "uart-1", "rx-stop", "Stop bit"),
    ]
    with pytest.raises(ProtocolError, match="expected an annotation, got 'Stop bit'"):
        parse_annotations("Stop bit")
    assert parse_annotations('1-2 lcd-1: text: "a\x0bb\x85\u2028c"\n')[0].text == "a\x0bb\x85\u2028c"


@given(some.text(max_size=60))
def test_fuzzed_words_of_sigrok(text: str) -> None:
    for parse in (parse_annotations, parse_show, parse_rate):
        try:
            parse(text)
        except ProtocolError:
            pass


def test_wav_headers() -> None:
    # As sigrok-cli 0.7.2 writes it for two channels at 1 MHz, whose sizes it does not know yet.
    header = bytes.fromhex(
        "52494646 ffffffff 57415645 666d7420 12000000 0300 0200 40420f00 00127a00 0800 2000 0000 64617461 ffffffff"
    )
    assert parse_wav_header(header + b"more") == (2, 1e6, 46)
    for end in range(46):
        assert parse_wav_header(header[:end]) is None
    with pytest.raises(ProtocolError, match="expected floats"):
        parse_wav_header(header.replace(bytes.fromhex("12000000 0300"), bytes.fromhex("12000000 0100")))
    with pytest.raises(ProtocolError, match="expected a WAV file"):
        parse_wav_header(b"A0: 1.0 V DC and more")
    with pytest.raises(ProtocolError, match="expected a format of 16 bytes, got 2"):
        parse_wav_header(b"RIFF\xff\xff\xff\xffWAVEfmt \x02\0\0\0\x03\0data\0\0\0\0")


@given(some.binary(max_size=60))
def test_fuzzed_wav_headers(rest: bytes) -> None:
    try:
        found = parse_wav_header(b"RIFF\xff\xff\xff\xffWAVEfmt " + rest)
    except ProtocolError:
        return
    assert found is None or found[2] <= 60 + 16


def test_bits_are_where_the_layout_says() -> None:
    packed = np.array([0x01, 0x80, 0x00, 0x00, 0xFF, 0x7F], np.uint8)
    data = unpack_logic(packed, Layout({"D0": 0, "D15": 15}, (), 2), ("D15", "D0"))
    assert {name: samples.tolist() for name, samples in data.items()} == {"D15": [1, 0, 0], "D0": [1, 0, 1]}
