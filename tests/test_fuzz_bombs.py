"""Small files that claim to be huge, or unpack to it: refused within little time, memory and disk."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_seeds import Seed, seeds_of
from benchmarks.fuzz_seeds_text import TEXTS

ROOT = Path(__file__).resolve().parent.parent

LAUGHS = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and limits of POSIX")


def packed_rows(row: bytes, times: int) -> bytes:
    """Rows without end, packed 1000:1."""
    return gzip.compress(row * times, 1)


def png(width: int, height: int) -> bytes:
    """A picture whose header alone is true to its checksum."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(5000))) + chunk(b"IEND", b"")
    )


def changed(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


def counted_wrongly(mp4: bytes, count: int = 0x7FFFFFFF) -> bytes:
    """An MP4 whose first table of durations (`stts`) states more rows than any memory holds."""
    at = mp4.find(b"stts") + 8
    assert at > 8
    return mp4[:at] + struct.pack(">I", count) + mp4[at + 4 :]


def bombs(folder: Path) -> dict[str, list[Seed]]:
    """Recordings by reader."""

    def made(reader: str, at: int = 0) -> Seed:
        place = folder / f"{reader}-{at}"
        place.mkdir(exist_ok=True)
        return seeds_of(reader, place)[at]

    def with_file(seed: Seed, name: str, data: bytes) -> Seed:
        return Seed(seed.name, {**seed.files, name: data}, seed.kinds)

    rows = packed_rows(b"1.25\t3\t1\n", 6_000_000)
    bids, wave, flac, edf = made("bids_physio"), made("sound"), made("sound", 2), made("edf")
    mp4 = made("media")
    xdf, vhdr, hea, acq, avi = made("xdf"), made("brainvision"), made("wfdb"), made("biopac"), made("media", 2)
    head = edf.files["r.edf"]
    stream = flac.files["c.flac"]
    whole = xdf.files["r.xdf"]
    at = whole.find(b"<channel_count>")
    text = hea.files["rec.hea"]
    counts = acq.files["old.acq"]
    picture, video, marks = made("images"), avi.files["c.avi"], vhdr.files["b.vhdr"]
    signals = dict(TEXTS["opensignals"])["o.txt"]
    return {
        "table": [
            Seed("t.csv.gz", {"t.csv.gz": packed_rows(b"1.25,3\n", 9_000_000)}, ("ecg",)),
            Seed("l.csv.gz", {"l.csv.gz": gzip.compress(bytes([49]) * 60_000_000, 1)}, ("ecg",)),
            Seed("w.csv", {"w.csv": b"a," * 100_000 + b"\n" + b"1," * 100_000 + b"\n"}, ("ecg",)),
            Seed("q.csv", {"q.csv": b'time,ecg\n1,"' + b"x\n" * 90_000}, ("ecg",)),
        ],
        "bids_physio": [with_file(bids, "s_physio.tsv.gz", rows)] + [
            with_file(bids, "s_physio.json", json.dumps({**json.loads(bids.files["s_physio.json"]), **odd}).encode())
            for odd in ({"SamplingFrequency": 1e-300}, {"SamplingFrequency": 1e300}, {"StartTime": 1e300},
                        {"Columns": ["x"] * 100_000})
        ] + [with_file(bids, "s_physio.json", b"[" * 100_000)],
        "xdf": [
            Seed("r.xdfz", {"r.xdfz": gzip.compress(whole + bytes(60_000_000), 1)}, ("ecg",)),
            with_file(xdf, "r.xdf", whole[:at] + b"<channel_count>99999999" + whole[at + 16 :]),
            with_file(xdf, "r.xdf", b"XDF:\x08" + struct.pack("<QH", 2**60, 1) + b"<x/>" * 100),
            with_file(xdf, "r.xdf", whole.replace(b"<?xml version='1.0'?>", LAUGHS)),
        ],
        "images": [Seed("cam", {f"cam/f_{n:03d}.png": png(60_000, 60_000) for n in range(4)}, picture.kinds)],
        "sound": [
            with_file(flac, "c.flac", stream[:21] + b"\x03\xff\xff\xff\xff" + stream[26:]),
            with_file(wave, "a.wav", wave.files["a.wav"][:22] + b"\xff\xff" + wave.files["a.wav"][24:]),
            with_file(wave, "a.wav", wave.files["a.wav"][:24] + b"\xff\xff\xff\x7f" + wave.files["a.wav"][28:]),
        ],
        "media": [
            with_file(avi, "c.avi", changed(video, b"\x11\x08\x00\x30\x00\x40", b"\x11\x08\xff\xf0\xff\xf0")),
            with_file(avi, "c.avi", changed(video, struct.pack("<2I", 64, 48), struct.pack("<2I", 60_000, 60_000))),
            with_file(mp4, "a.mp4", counted_wrongly(mp4.files["a.mp4"])),
        ],
        "edf": [
            with_file(edf, "r.edf", head[:244] + b"1e-300  " + head[252:]),
            with_file(edf, "r.edf", head[:236] + b"99999999" + head[244:]),
            with_file(edf, "r.edf", changed(head, b"50      4       30      ", b"99999999999999999999999 ")),
        ],
        "brainvision": [
            with_file(vhdr, "b.vhdr", changed(marks, b"NumberOfChannels=2", b"NumberOfChannels=100000000")),
            with_file(vhdr, "b.vhdr", changed(marks, b"SamplingInterval=2000", b"SamplingInterval=1e-300")),
        ],
        "wfdb": [
            with_file(hea, "rec.hea", changed(text, b" 100 200", b" 100 99999999999999")),
            with_file(hea, "rec.hea", changed(text, b" 100 200", b" 1e300 200")),
            with_file(hea, "rec.hea", changed(text, b"rec 2", b"rec 99999999")),
        ],
        "biopac": [
            with_file(acq, "old.acq", counts[:10] + struct.pack("<h", 32767) + counts[12:]),
            with_file(acq, "old.acq", changed(counts, struct.pack("<i", 120), struct.pack("<i", 2**31 - 1))),
            with_file(acq, "old.acq", changed(counts, struct.pack("<ii", 80, 1), struct.pack("<ii", 80, 2**31 - 1))),
        ],
        "opensignals": [
            Seed("o.txt", {"o.txt": changed(signals, b'"sampling rate": 100', rate)}, ("ecg",))
            for rate in (b'"sampling rate": 1e-300', b'"sampling rate": 1e300', b'"sampling rate": NaN')
        ] + [
            Seed("o.txt", {"o.txt": changed(signals, b'"nSeq", ', b'"x", ' * 30_000)}, ("ecg",)),
            Seed("o.txt", {"o.txt": changed(signals, b'[10, 10, 10]', b'[99999999, 99999999, 99999999]')}, ("ecg",)),
        ],
        "manifest": [
            Seed("session.toml", {"session.toml": data})
            for data in (b"a = " + b"[" * 90_000, b"a = " + b"1" * 90_000, b"[a" + b".a" * 50_000 + b"]\n",
                         b'name = "' + b"x" * 10**7 + b'"')
        ],
    }  # fmt: skip


CODE = """
import pickle, sys
from pathlib import Path
import benchmarks.fuzzing as fuzzing
from benchmarks.fuzzing import fuzz, preload
fuzzing.CPU_S = 40
preload()
for reader, seeds in pickle.loads(Path(sys.argv[1]).read_bytes()).items():
    tally = fuzz(reader, len(seeds), guided=False, given=seeds)
    for one in tally.findings.values():
        print(reader, one.kind, one.what, one.times)
    print(reader, "tried", tally.tried)
"""


def test_bombs_do_no_harm(tmp_path: Path) -> None:
    found = bombs(tmp_path)
    (tmp_path / "bombs").write_bytes(pickle.dumps(found))  # of this test's own making
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "bombs")], capture_output=True, text=True, cwd=ROOT
    )
    assert run.stdout.splitlines() == [f"{reader} tried {len(seeds)}" for reader, seeds in found.items()], (
        run.stdout + run.stderr
    )


def test_a_bomb_is_named_as_one(tmp_path: Path) -> None:
    from data_schemas.errors import UnreadableFileError
    from modalities.readers import probe

    (tmp_path / "t.csv.gz").write_bytes(packed_rows(b"1.25,3\n", 7_000_000))
    with pytest.raises(UnreadableFileError, match="unpacks to more than"):
        probe(tmp_path / "t.csv.gz")
    rng = np.random.default_rng(1)
    rows = "".join(f"{at / 50},{value:.3f}\n" for at, value in enumerate(rng.normal(size=3000)))
    (tmp_path / "real.csv.gz").write_bytes(gzip.compress(b"time_s,ecg_mV\n" + rows.encode()))
    assert probe(tmp_path / "real.csv.gz").tracks[0].n == 3000


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from modalities.readers import probe
from pipeline.batch.failures import cause_of
try:
    import av
    if sys.argv[2] == "little":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (600 << 20),) * 2)
    probe(Path(sys.argv[1]))
except OSError as error:
    print(cause_of(error), "|", error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit on addresses, of Linux")
def test_a_length_that_no_memory_holds_is_the_files_fault_unless_the_machine_has_little(tmp_path: Path) -> None:
    """FFmpeg says "Cannot allocate memory" of both."""
    (tmp_path / "seeds").mkdir()
    path = tmp_path / "a.mp4"
    path.write_bytes(counted_wrongly(seeds_of("media", tmp_path / "seeds")[0].files["a.mp4"]))
    said = {}
    for memory in ("enough", "little"):
        words = [sys.executable, "-c", LITTLE_MEMORY, str(path), memory]
        run = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
        said[memory] = run.stdout
        assert run.stdout, run.stderr
    assert said["enough"].startswith("session | not readable as a video or sound file")
    assert str(path) in said["enough"] and "a length in it" in said["enough"] and "repair tool" in said["enough"]
    assert "allocate" not in said["enough"]
    assert said["little"].startswith("machine | ") and "Cannot allocate memory" in said["little"]


def test_a_file_that_is_damaged_between_looking_and_reading_is_refused_the_same_way(tmp_path: Path) -> None:
    from data_schemas.errors import UnreadableFileError
    from modalities.readers.sound_track import decode_sound
    from modalities.readers.video import decode_frames
    from pipeline.batch.failures import cause_of

    (tmp_path / "seeds").mkdir()
    path = tmp_path / "a.mp4"
    path.write_bytes(counted_wrongly(seeds_of("media", tmp_path / "seeds")[0].files["a.mp4"]))
    refused = []
    for first in (lambda: next(decode_frames(path, 0)), lambda: next(decode_sound(path, 1))):
        with pytest.raises(UnreadableFileError, match=r"no longer be opened .*a length in it") as caught:
            first()
        refused.append(cause_of(caught.value))
    assert refused == ["session", "session"]


def test_a_matroska_file_that_is_cut_off_is_no_disk_that_fails(tmp_path: Path) -> None:
    """FFmpeg says "Input/output error" of some lengths."""
    import av

    from data_schemas.errors import UnreadableFileError
    from modalities.readers.faults import reading
    from pipeline.batch.failures import cause_of
    from pipeline.simulate.video import write_video

    whole = tmp_path / "whole.mkv"
    write_video(whole, [np.full((48, 64, 3), 9 * k, np.uint8) for k in range(12)], np.arange(12) / 10)
    data, causes, said = whole.read_bytes(), set(), set()
    for length in range(0, len(data), max(1, len(data) // 300)):
        (tmp_path / "cut.mkv").write_bytes(data[:length])
        try:
            with reading(tmp_path / "cut.mkv", "a video"), av.open(str(tmp_path / "cut.mkv")) as container:
                next(container.decode(video=0), None)
        except UnreadableFileError as error:
            causes.add(cause_of(error))
            said.add(error.got)
    assert causes == {"session"}
    assert any("where it should not" in (text or "") for text in said), said


def test_memory_that_python_asks_for_in_vain_stays_the_machines_fault(tmp_path: Path) -> None:
    from data_schemas.errors import UnreadableFileError
    from modalities.readers.faults import reading
    from pipeline.batch.failures import cause_of

    with pytest.raises(UnreadableFileError, match="allocate") as caught, reading(tmp_path / "x", "a table"):
        np.empty(1 << 60, np.uint8)
    assert cause_of(caught.value) == "machine"
