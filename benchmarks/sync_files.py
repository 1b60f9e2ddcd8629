"""What files say of their own times against what was planted: XDF clocks, salvage, frame numbers, rates, chapters.

Every recording is simulated with known truth. `python -m benchmarks.sync_files` prints planted beside found.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_schemas.errors import TelltaleError
from data_schemas.frame_times import find_holes
from data_schemas.session import StreamEntry
from data_schemas.stream import Signal, Video
from data_schemas.time import NS_PER_S
from modalities.readers import open_stream, probe
from modalities.readers.video_time import DuplicateMeter, predicts_both_ways
from modalities.readers.xdf import clock_of
from pipeline.simulate.chance import generator
from pipeline.simulate.clips import cut_clip, noisy_pictures, write_clip
from pipeline.simulate.xdf import DeviceClock, SimulatedStream, write_xdf
from sync.cues.frame_index import match_frames
from sync.quality import effective_hz

_TRUE_RATE = r"header says [\d.]+ frames per second, ([\d.]+) fits"
"""The sentence of `data_schemas.frame_times.WrongLength`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One planted quantity.

    Attributes:
        name: What it is.
        planted: Its true value.
        found: What was measured; None where nothing was.
        unit: Of both.
    """

    name: str
    planted: float
    found: float | None
    unit: str


def rows(full: bool) -> Iterator[Row]:
    """All planted quantities, each measured.

    Args:
        full: Five recordings of each sort instead of one.
    """
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(5 if full else 1):
            yield from _clocks(Path(folder), seed)
            yield from _salvage(Path(folder), seed)
            yield from _frame_numbers(Path(folder), seed)
            yield from _video_times(Path(folder), seed)
            yield from _chapters(Path(folder), seed)


def measure(full: bool) -> Mapping[str, float]:
    """Largest deviation of found from planted by quantity; `missing` counts what was not found at all.

    Args:
        full: Five recordings of each sort instead of one.
    """
    worst: dict[str, float] = {"missing": 0.0}
    for row in rows(full):
        if row.found is None:
            worst["missing"] += 1
        else:
            worst[row.name] = max(worst.get(row.name, 0.0), abs(row.found - row.planted))
    return worst


def _clocks(folder: Path, seed: int) -> Iterator[Row]:
    """A device that lags, drifts and is switched off for 20 s, so that its clock begins anew."""
    rng = generator(seed, "planted clocks")
    lags, drifts = rng.uniform(-5000, 5000, 2), rng.uniform(-80, 80, 2)
    lsl = np.r_[np.arange(12_000), np.arange(14_000, 26_000)] / 100 + 50
    reset = 50 + 130.0
    clock = DeviceClock((float(lags[0]), float(lags[1])), (float(drifts[0]), float(drifts[1])), (reset,))
    values = np.arange(len(lsl))[:, None]
    path = folder / f"clocks{seed}.xdf"
    write_xdf(path, [SimulatedStream("amp", "ECG", lsl, values, 100.0, labels=("ECG",), clock=clock)], seed)
    stream = open_stream(StreamEntry(name="s", kind="ecg", file=path.name), folder, None)
    off = np.abs(stream.axis.times_ns / NS_PER_S - lsl)
    yield Row("lsl segments", 2, len(stream.support), "")
    yield Row("lsl largest error", 0, float(off.max() * 1e3) if stream.axis.n == len(lsl) else None, "ms")
    yield Row("lsl gap", 20, (stream.support.bounds[1, 0] - stream.support.bounds[0, 1]) / NS_PER_S, "s")
    for at, line in enumerate(clock_of(path, "amp")):
        yield Row("lsl drift", float(drifts[at]), line.drift_ppm, "ppm")


def _salvage(folder: Path, seed: int) -> Iterator[Row]:
    """A file cut at every tenth: share of the samples before the cut that are read."""
    lsl = np.arange(3000) / 50 + 10
    words = [f"word {at}" for at in range(20)]
    values = np.arange(6000.0).reshape(-1, 2)
    streams = [
        SimulatedStream("amp", "ECG", lsl, values, 50.0, labels=("ECG", "EDA"), deduced=bool(seed % 2)),
        SimulatedStream("stim", "Markers", np.linspace(12, 68, 20), words, format="string", labels=("code",)),
    ]
    whole = folder / f"whole{seed}.xdf"
    write_xdf(whole, streams, seed)
    data = whole.read_bytes()
    failed, lost = 0, 0
    for tenth in range(1, 10):
        cut = folder / f"cut{seed}_{tenth}.xdf"
        cut.write_bytes(data[: len(data) * tenth // 10])
        try:
            found = {track.track: track.n or 0 for track in probe(cut).tracks}
            stream = open_stream(StreamEntry(name="s", kind="ecg", file=cut.name, track="amp"), folder, None)
        except TelltaleError:
            failed += 1
            continue
        right = isinstance(stream, Signal) and np.array_equal(stream.values[:, 0], values[: stream.axis.n, 0])
        lost += 0 if right and found["amp"] == stream.axis.n else 1
        # The numbers are written in order, so what lies before the cut can be told from the bytes themselves.
        there = max(at for at in range(3000) if values[at].astype("<f4").tobytes() in data[: cut.stat().st_size])
        lost += there + 1 - stream.axis.n
    yield Row("cut files refused", 0, failed, "of 9")
    yield Row("samples lost before a cut", 0, lost, "")


def _frame_numbers(folder: Path, seed: int) -> Iterator[Row]:
    """A camera that drops 5 % of its frames, whose file runs on without holes, beside its hardware counter."""
    rng = generator(seed, "planted frame numbers")
    kept = np.flatnonzero(rng.random(300) > 0.05)
    truth = 100 + kept / 30 + 0.002 * rng.random(len(kept))
    clip, path = folder / f"counted{seed}.mp4", folder / f"counted{seed}.xdf"
    write_clip(clip, noisy_pictures(kept, seed), np.arange(len(kept)) / 30)
    numbers = (kept + 4321)[:, None]
    write_xdf(path, [SimulatedStream("camera", "VideoRaw", truth, numbers, format="int32", labels=("frame",))], seed)
    video = open_stream(StreamEntry(name="v", kind="face_rgb", file=clip.name), folder, None)
    counter = open_stream(StreamEntry(name="c", kind="markers", file=path.name), folder, None)
    if not isinstance(video, Video):
        return
    found = match_frames(video, counter)
    mapped = found.clock_map(video.axis.times_ns) / NS_PER_S
    span = int(kept[-1] - kept[0]) + 1
    yield Row("frame numbers: dropped", span - len(kept), found.dropped, "frames")
    yield Row("frame numbers: largest error", 0, float(np.abs(mapped - truth).max() * 1e3), "ms")


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of one video: its rate by the notes, else by its times; missing and repeated frames."""

    rate_hz: float | None
    dropped: int
    duplicated: int | None


def _time_of(folder: Path, name: str) -> _Told:
    """As a user is told: notes of the stream, holes as in the clock report, repeated frames as the face encoder counts
    them.
    """
    video = open_stream(StreamEntry(name="v", kind="face_rgb", file=name), folder, None)
    if not isinstance(video, Video):
        raise TelltaleError("no video", file=name)
    meter = DuplicateMeter(hidden=predicts_both_ways(folder / name))
    for frame in video.frames():
        meter.see(frame.image, frame.index)
    noted = re.search(_TRUE_RATE, " ".join(video.info.notes))
    rate = effective_hz(video.axis) if noted is None else float(noted[1])
    return _Told(rate, find_holes(video.axis.times_ns).dropped, meter.result().count)


def _video_times(folder: Path, seed: int) -> Iterator[Row]:
    rng = generator(seed, "planted video times")
    for true, stated in ((30.0, 25.0), (24.0, 30.0), (30.0, 30.0), (25.0, 24.0)):
        name, n = f"rate{seed}_{true:g}_{stated:g}.mp4", round(15 * true)
        write_clip(folder / name, noisy_pictures(range(n), seed), np.arange(n) / stated, sound_s=15.05)
        said = _time_of(folder, name)
        yield Row(f"header {stated:g}, true rate", true, said.rate_hz, "Hz")
    kept = np.flatnonzero(rng.random(300) > 0.05)
    write_clip(folder / f"drop{seed}.mp4", noisy_pictures(kept, seed), kept / 30)
    said = _time_of(folder, f"drop{seed}.mp4")
    yield Row("dropped frames", int(kept[-1] - kept[0]) + 1 - len(kept), said.dropped, "frames")
    yield Row("dropped frames: repeated", 0, said.duplicated, "frames")
    for moving, word in ((4.0, "moving"), (0.0, "still")):
        for share in (0.05, 0.5, 0.0):
            again = rng.random(300) < share if share != 0.5 else np.arange(300) % 2 == 1
            again[:2] = False
            moments = np.maximum.accumulate(np.where(again, 0, np.arange(300)))
            name = f"twice{seed}_{word}_{share:g}.mp4"
            write_clip(folder / name, noisy_pictures(moments, seed, moving=moving), np.arange(300) / 30, quality=16)
            yield Row(f"repeated {share:.0%}, {word}", int(again.sum()), _time_of(folder, name).duplicated, "frames")
    yield from _hidden_repeats(folder, seed)


def _hidden_repeats(folder: Path, seed: int) -> Iterator[Row]:
    """Repeated frames that compression hides: 1 for "cannot be told", which is the right answer."""
    again = generator(seed, "hidden repeats").random(300) < 0.05
    moments = np.maximum.accumulate(np.where(again, 0, np.arange(300)))
    for word, quality, both in (("predicted both ways", 20, True), ("strongly compressed", 30, False)):
        name = f"hidden{seed}_{quality}.mp4"
        write_clip(folder / name, noisy_pictures(moments, seed), np.arange(300) / 30, quality=quality, both_ways=both)
        found = _time_of(folder, name).duplicated
        yield Row(f"repeated, {word}", 1, float(found is None), "cannot be told")


def _chapters(folder: Path, seed: int) -> Iterator[Row]:
    """Two files of one recording: end to end, with a gap by timecode, by header, and overlapping."""
    n = 150
    for word, later, stated in (
        ("none", 5, ({}, {})),
        ("timecode", 12, ({"timecode": "09:59:55:00"}, {"timecode": "10:00:07:00"})),
        ("header", 12, ({"creation_time": "2026-01-01T10:00:00Z"}, {"creation_time": "2026-01-01T10:00:12Z"})),
    ):
        for at, start in enumerate((0, later * 30)):
            pictures = noisy_pictures(range(start, start + n), seed)
            write_clip(folder / f"chapter{at}.mp4", pictures, np.arange(n) / 30, stated=stated[at])
        yield Row(f"chapters, {word}: gap", later - 5, _gap(folder, "chapter0.mp4", "chapter1.mp4"), "s")
    write_clip(folder / "long.mp4", noisy_pictures(range(600), seed), np.arange(600) / 30, gop=30)
    for word, keep in (("anew", False), ("on", True)):
        cut_clip(folder / "long.mp4", folder / "first.mp4", 0, 300)
        cut_clip(folder / "long.mp4", folder / "second.mp4", 270, 300, keep_times=keep)
        yield Row(f"chapters, times run {word}: frames", 570, _joined(folder, "first.mp4", "second.mp4").axis.n, "")


def _joined(folder: Path, *names: str) -> Video:
    video = open_stream(StreamEntry(name="v", kind="face_rgb", files=list(names)), folder, None)
    if not isinstance(video, Video):
        raise TelltaleError("no video", file=names[0])
    return video


def _gap(folder: Path, *names: str) -> float:
    steps = np.diff(_joined(folder, *names).axis.times_ns)
    return float(steps.max() - np.median(steps)) / NS_PER_S


if __name__ == "__main__":
    sys.stdout.write(f"{'':36s}{'planted':>12s}{'found':>12s}\n")
    for one in rows("--full" in sys.argv):
        shown = "-" if one.found is None else f"{one.found:.4f}"
        sys.stdout.write(f"{one.name:36s}{one.planted:12.4f}{shown:>12s} {one.unit}\n")
