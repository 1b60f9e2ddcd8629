"""Small valid recordings of every reader, written here: what fuzzing starts from."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.fuzz_seeds_text import TEXTS

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

MANIFEST = "manifest"
"""Stands among the readers for the manifest."""


@dataclass(frozen=True)
class Seed:
    """One recording.

    Attributes:
        name: File or folder to open, below its folder.
        files: Path below the folder -> content; all of them are changed in turn.
        kinds: Kinds of streams to ask for where probing gives none.
    """

    name: str
    files: dict[str, bytes]
    kinds: tuple[str, ...] = ("ecg", "markers", "audio", "face_rgb")


def seeds_of(reader: str, folder: Path) -> list[Seed]:
    """Recordings of one reader.

    Args:
        reader: Key of `modalities.readers.registry.READERS`.
        folder: Empty folder for libraries that only write files.
    """
    if reader in TEXTS:
        return [Seed(name, {name: data}, _KINDS.get(reader, ("ecg",))) for name, data in TEXTS[reader]]
    return _MADE[reader](folder)


_KINDS = {
    "eyetracker": ("gaze", "pupil", "cues"),
    "experiment_log": ("cues",),
    "events": ("markers", "cues"),
    "table": ("ecg", "eda", "temperature"),
    "labchart": ("ecg", "markers"),
    "empatica": ("eda", "markers"),
}


def read_back(folder: Path, name: str, kinds: tuple[str, ...]) -> Seed:
    """All files of a folder as one recording."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return Seed(name, files, kinds)


def _media(folder: Path) -> list[Seed]:
    import av

    def write(name: str, codec: str, form: str, sound: str | None = None, **options: str) -> Seed:
        path = folder / name
        with av.open(str(path), "w") as out:
            video = cast("VideoStream", out.add_stream(codec, rate=25, options=options))
            video.width, video.height, video.pix_fmt = 64, 48, form
            audio = cast("AudioStream", out.add_stream(sound, rate=16000)) if sound else None
            for at in range(10):
                gray = form.startswith("gray16")
                picture = np.full((48, 64) if gray else (48, 64, 3), at * 20, np.uint16 if gray else np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="gray16le" if gray else "rgb24")
                frame.pts = at
                out.mux(video.encode(frame.reformat(format=form)))
            if audio is not None:
                tone = (np.sin(np.arange(4096) / 20) * 8000).astype(np.int16)[None]
                piece = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
                piece.sample_rate, piece.pts = 16000, 0
                out.mux(audio.encode(piece))
                out.mux(audio.encode(None))
            out.mux(video.encode(None))
        return Seed(name, {name: path.read_bytes()}, ("face_rgb", "body_video", "audio", "pulse", "face_depth"))

    lab = [write(f"{codec}.mp4", codec, "yuv420p", "aac") for codec in ("libx264",) if _can_write(codec)]
    return [
        write("a.mp4", "mpeg4", "yuv420p", "aac"),
        write("b.mkv", "ffv1", "gray16le", "pcm_s16le"),
        write("c.avi", "mjpeg", "yuvj420p", "pcm_s16le"),
        write("d.ts", "mpeg2video", "yuv420p", "mp2"),
        write("e.webm", "libvpx", "yuv420p"),
        *lab,
    ]


def _can_write(codec: str) -> bool:
    """Whether the FFmpeg that is installed has this encoder; H.264's is left out of some."""
    import av

    try:
        av.codec.Codec(codec, "w")
    except ValueError:
        return False
    return True


def _images(folder: Path) -> list[Seed]:
    import cv2

    found = []
    for name, suffix, kind in (
        ("p", ".png", np.uint16),
        ("j", ".jpg", np.uint8),
        ("t", ".tif", np.uint16),
        ("b", ".pgm", np.uint8),
    ):
        place = folder / name / "cam"
        place.mkdir(parents=True)
        for at in range(4):
            picture: NDArray[Any] = (np.arange(16 * 12).reshape(12, 16) * (at + 1)).astype(kind)
            (place / f"f_{at:03d}{suffix}").write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
        if name in "pj":
            rows = "".join(f"f_{at:03d}{suffix},{at * 0.04}\n" for at in range(4))
            (place / "timestamps.csv").write_text("file,time_s\n" + rows)
        found.append(read_back(folder / name, "cam", ("face_nir", "face_depth", "face_rgb")))
    return found


def _arrays(folder: Path) -> list[Seed]:
    found = []
    for name, kind in (("depth.npy", np.uint16), ("ir.npy", np.uint8), ("metres.npy", np.float32)):
        np.save(
            folder / name, (np.arange(6 * 12 * 16).reshape(6, 12, 16) / (1 if kind != np.float32 else 900)).astype(kind)
        )
        files = {name: (folder / name).read_bytes()}
        if kind == np.uint16:
            files["depth_timestamps.csv"] = ("time_s\n" + "".join(f"{at * 0.04:.2f}\n" for at in range(6))).encode()
        found.append(Seed(name, files, ("face_depth", "face_nir")))
    return found


def _sound(folder: Path) -> list[Seed]:
    import soundfile

    tone = np.sin(np.arange(1600) / 20)[:, None] * [0.3, 0.2]
    forms = [("a.wav", "PCM_16"), ("b.wav", "FLOAT"), ("c.flac", "PCM_16"), ("d.ogg", "VORBIS"), ("e.aiff", "PCM_24")]
    forms += [("f.w64", "PCM_16"), ("g.au", "ULAW"), ("h.mp3", "MPEG_LAYER_III"), ("i.wav", "MS_ADPCM")]
    found = []
    for name, subtype in forms:
        path = folder / name
        soundfile.write(path, tone, 16000, subtype=subtype)
        found.append(Seed(name, {name: path.read_bytes()}, ("audio", "pulse")))
    return found


def _xdf(folder: Path) -> list[Seed]:
    from pipeline.simulate.xdf import DeviceClock, SimulatedStream, write_xdf

    times = 100 + np.arange(60) / 50
    rng = np.random.default_rng(1)
    streams = [
        SimulatedStream("amp", "ECG", times, rng.normal(size=(60, 2)).astype(np.float32), 50, "float32", ("ECG", "EDA"),
                        DeviceClock((3.0,), (10.0,)), deduced=True),
        SimulatedStream("ints", "EEG", times, rng.integers(-9, 9, (60, 1)), 50, "int16"),
        SimulatedStream("stim", "Markers", times[::20], ["a", "b", "c"], format="string"),
    ]  # fmt: skip
    write_xdf(folder / "r.xdf", streams)
    whole = (folder / "r.xdf").read_bytes()
    kinds = ("ecg", "markers", "eda")
    return [Seed("r.xdf", {"r.xdf": whole}, kinds), Seed("r.xdfz", {"r.xdfz": gzip.compress(whole)}, kinds)]


def _edf(folder: Path) -> list[Seed]:
    rows = [("ECG II", "uV", 50, np.arange(150)), ("GSR", "uS", 4, np.arange(12))]
    notes = [f"+{at}\x14\x14\x00+{at}.5\x14go\x14\x00".encode().ljust(60, b"\x00") for at in range(3)]
    n = len(rows) + 1
    fields: list[tuple[int, list[str]]] = [
        (16, [row[0] for row in rows] + ["EDF Annotations"]), (80, [""] * n), (8, [row[1] for row in rows] + [""]),
        (8, ["-3276.8"] * 2 + ["-1"]), (8, ["3276.7"] * 2 + ["1"]), (8, ["-32768"] * n), (8, ["32767"] * n),
        (80, [""] * n), (8, [str(row[2]) for row in rows] + ["30"]), (32, [""] * n),
    ]  # fmt: skip
    head = "0".ljust(8) + "X X X X".ljust(80) + "Startdate 02-FEB-2021 X X X".ljust(80) + "02.02.2110.20.30"
    head += str(256 * (n + 1)).ljust(8) + "EDF+C".ljust(44) + "3".ljust(8) + "1".ljust(8) + str(n).ljust(4)
    head += "".join(text.ljust(width) for width, texts in fields for text in texts)
    body = b"".join(
        b"".join(row[3][at * row[2] : (at + 1) * row[2]].astype("<i2").tobytes() for row in rows) + notes[at]
        for at in range(3)
    )
    edf = head.encode("ascii") + body
    bdf = b"\xffBIOSEMI" + head.encode("ascii")[8:192] + b"24BIT".ljust(44) + head.encode("ascii")[236:]
    samples = b"".join(b"\x01\x02\x00" * (50 + 4 + 30) for _ in range(3))
    return [
        Seed("r.edf", {"r.edf": edf}, ("ecg", "eda", "markers")),
        Seed("r.bdf", {"r.bdf": bdf + samples}, ("ecg", "eda")),
    ]


def _brainvision(folder: Path) -> list[Seed]:
    head = (
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=b.eeg\n"
        "MarkerFile=b.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=2000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=ECG,,0.5,µV\nCh2=GSR,,0.01,µS\n"
    )
    marks = (
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=b.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0,20210202102030000000\nMk2=Stimulus,S  1,101,1,0\n"
    )
    data = np.random.default_rng(1).integers(-3000, 3000, (120, 2)).astype("<i2").tobytes()
    files = {"b.vhdr": head.encode(), "b.vmrk": marks.encode(), "b.eeg": data}
    return [Seed("b.vhdr", files, ("ecg", "eda", "markers"))]


def _wfdb(folder: Path) -> list[Seed]:
    import wfdb

    rng = np.random.default_rng(2)
    values = rng.normal(size=(200, 2))
    wfdb.wrsamp("rec", 100, ["mV", "uS"], ["ECG", "EDA"], p_signal=values, fmt=["16", "212"], write_dir=str(folder))
    wfdb.wrann(
        "rec", "atr", np.array([10, 60, 130]), np.array(["N", "V", "+"]), aux_note=["", "", "(N"], write_dir=str(folder)
    )
    return [read_back(folder, "rec.hea", ("ecg", "eda", "markers"))]


def _biopac(folder: Path) -> list[Seed]:
    """AcqKnowledge files of versions 3.8.1 and 4.0, by the layouts that bioread knows."""
    return [_acq(39, "<", "old.acq"), _acq(76, ">", "new.acq")]


def _acq(version: int, order: str, name: str) -> Seed:
    from bioread import headers

    def fill(kind: type, **values: object) -> bytes:
        made = kind.for_revision(version, order)._struct_class()  # type: ignore[attr-defined]
        for key, value in values.items():
            if hasattr(made, key):
                setattr(made, key, value)
        return bytes(made)

    def size(kind: type) -> int:
        return int(kind.for_revision(version, order).struct_length)  # type: ignore[attr-defined]

    graph, channel = headers.GraphHeader, headers.ChannelHeader
    out = fill(graph, lVersion=version, lExtItemHeaderLen=size(graph), nChannels=2, dSampleTime=10.0)
    for number, (label, unit, divider) in enumerate([(b"ECG", b"mV", 1), (b"EDA", b"microsiemens", 2)]):
        out += fill(channel, lChanHeaderLen=size(channel), nNum=number, szCommentText=label, szUnitsText=unit,
                    lBufLength=120 // divider, dAmplScale=0.5, nVarSampleDivider=divider)  # fmt: skip
    out += fill(headers.ForeignHeader, nLength=4, nType=0, lLength=4)
    out += 2 * fill(headers.ChannelDTypeHeader, nSize=2, nType=2)
    out += np.arange(180, dtype=f"{order}i2").tobytes()
    out += fill(headers.MarkerHeader, lLength=80, lMarkers=1, lMarkersExtra=2)
    out += fill(headers.MarkerItemHeader, lSample=50, nTextLength=2 if version < 61 else 3) + b"go\0"
    journal = b"\x44\x33\x22\x11" + struct.pack("<hi", 0, 5) + b"notes" if version < 61 else bytes(600)
    out += journal
    return Seed(name, {name: out}, ("ecg", "eda", "markers"))


def _empatica(folder: Path) -> list[Seed]:
    start = 1_560_279_825
    files = {
        "EDA.csv": f"{start}.0\n4.0\n" + "".join(f"{k / 10}\n" for k in range(40)),
        "ACC.csv": f"{start}.0,{start}.0,{start}.0\n32.0,32.0,32.0\n" + "64,0,-32\n" * 60,
        "TEMP.csv": f"{start + 1}.5\n4.0\n" + "33.5\n" * 20,
        "IBI.csv": f"{start}.0, IBI\n3.5,0.75\n4.25,0.80\n",
        "tags.csv": f"{start + 2}.25\n{start + 7}.00\n",
    }
    return [
        Seed("e4", {f"e4/{name}": text.encode() for name, text in files.items()}, ("eda", "markers", "temperature"))
    ]


def _bids(folder: Path) -> list[Seed]:
    rows = "".join(f"{k / 10}\t{k}\t{int(k > 5)}\n" for k in range(40)).replace("1.0\t10", "n/a\t10")
    fields = {
        "SamplingFrequency": 50, "StartTime": -2.5, "Columns": ["cardiac", "respiratory", "trigger"],
        "cardiac": {"Units": "mV"},
    }  # fmt: skip
    files = {"s_physio.tsv.gz": gzip.compress(rows.encode()), "s_physio.json": json.dumps(fields).encode()}
    return [Seed("s_physio.tsv.gz", files, ("ecg", "respiration", "pulse"))]


_MADE: dict[str, Callable[[Path], list[Seed]]] = {
    "media": _media,
    "images": _images,
    "arrays": _arrays,
    "sound": _sound,
    "xdf": _xdf,
    "edf": _edf,
    "brainvision": _brainvision,
    "wfdb": _wfdb,
    "biopac": _biopac,
    "empatica": _empatica,
    "bids_physio": _bids,
}
