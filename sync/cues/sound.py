"""Shared sound: a clap, speech or anything else that two recordings heard, by generalised cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.stream import Audio, Stream
from data_schemas.time import to_s
from sync.cues.correlation import Band
from sync.cues.lag import Search, compare_recordings
from sync.cues.search import Features
from sync.cues.sliding import Recorded, Sliding
from sync.estimate import Estimate

_FRAMES_HZ = 50.0
_FRAME_S = 0.032
_EDGES_HZ = (90.0, 180.0, 355.0, 710.0, 1400.0, 2800.0, 5600.0, 11200.0)
_BLOCK_FRAMES = 3000
_LEVEL_S = 3.0
_CLIP = 3.0


@dataclass(frozen=True)
class SoundEvidence:
    """Sound that both streams recorded.

    The loudness of octave bands finds the place, window by window in the whole other recording; the sound itself then
    gives the offset in windows along the recording, each to a fraction of a sample, and a robust line through them the
    drift. Different microphones, rooms, gains and sampling rates change neither: only the phase counts, and only at
    frequencies where both hold something (Knapp and Carter, 1976). Both recordings are read in blocks.

    Attributes:
        low_hz: Lowest frequency used.
        high_hz: Highest frequency used.
        max_drift_ppm: Largest drift looked for.
        margin_s: How far the fine search looks around the place that loudness found.
        windows: Largest number of fine windows.
    """

    low_hz: float = 100.0
    high_hz: float = 6000.0
    max_drift_ppm: float = 1000.0
    margin_s: float = 0.25
    windows: int = 100

    @property
    def method(self) -> str:
        """The name of the cue."""
        return "sound"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """Offset and drift between the clocks of two sound recordings.

        Raises:
            ClockError: a stream is no sound, is silent, or has been mapped to another clock already; or nothing in the
                one was found in the other.
        """
        how = Sliding(
            band=Band(self.low_hz, self.high_hz, 80.0),
            window_s=(0.5, 4.0),
            share=1 / 12,
            margin_s=self.margin_s,
            tolerance_s=0.004,
            least_s=0.0005,
            prior_s=0.0001,
            floor_s=0.00008,
            max_drift=self.max_drift_ppm * 1e-6,
        )
        search = Search("sound", "sound", how, paired=True, tolerance_s=0.04, windows=self.windows)
        return compare_recordings(own, against, recorded_of, search)


def recorded_of(stream: Stream) -> Recorded:
    """A sound stream as windows are cut from it: mono, with the loudness of its octave bands.

    Raises:
        ClockError: it is no sound, silent throughout, too short, or already mapped.
    """
    if not isinstance(stream, Audio):
        raise ClockError(
            "only sound can be compared by sound",
            stream=stream.info.name,
            got=stream.info.kind,
            mend='Name a stream of kind "audio", or compare by another cue.',
        )
    if stream.time_map is not None:
        raise ClockError(
            "the sound is on another clock than its own", stream=stream.info.name, mend="Give the native stream."
        )
    if stream.axis.n < 0.5 * stream.rate_hz:
        raise ClockError(
            "the sound is too short to be compared",
            stream=stream.info.name,
            got=f"{stream.axis.n / stream.rate_hz:.2f} s",
            expected="at least 0.5 s",
            mend="Name a longer recording.",
        )

    def read(first: int, count: int) -> NDArray[np.float32]:
        block = stream.source(first, count)
        return np.asarray(block.mean(axis=1, keepdims=True), dtype=np.float32)

    start_s = to_s(stream.axis.start_ns)
    return Recorded(read, stream.axis.n, stream.rate_hz, start_s, loudness(stream))


def loudness(stream: Audio) -> Features:
    """Loudness of octave bands, 50 per second, by what it differs from its surroundings.

    Logarithms of the power above the quiet of the recording, less their running mean over 3 s, so that gain, its
    automatic control and steady noise do not count.

    Raises:
        ClockError: the sound is silent throughout.
    """
    from scipy.ndimage import uniform_filter1d

    rate = stream.rate_hz
    size = max(8, round(_FRAME_S * rate))
    n = max(1, int((stream.axis.n - size) / rate * _FRAMES_HZ) + 1)
    edges = [edge for edge in _EDGES_HZ if edge < 0.5 * rate]
    bins = np.unique(np.ceil(np.array(edges) * size / rate).astype(int))
    taper = np.hanning(size + 2)[1:-1].astype(np.float32)
    rows = []
    for begin in range(0, n, _BLOCK_FRAMES):
        frames = np.arange(begin, min(begin + _BLOCK_FRAMES, n))
        first = np.rint(frames * rate / _FRAMES_HZ).astype(np.int64)
        block = stream.source(int(first[0]), int(first[-1] - first[0]) + size).mean(axis=1)
        wanted = int(first[-1] - first[0]) + size
        if len(block) < wanted:
            block = np.r_[block, np.zeros(wanted - len(block), np.float32)]
        cut = np.lib.stride_tricks.sliding_window_view(block, size)[first - first[0]]
        rows.append(_band_powers(cut, taper, bins))
    power = np.concatenate(rows)
    if not np.any(power > 1e-14):
        raise ClockError(
            "the sound is silent throughout", stream=stream.info.name, mend="Name another sound track or another cue."
        )
    quiet = np.percentile(power, 20, axis=0) * 2 + 1e-6 * power.mean(axis=0) + 1e-20
    level = np.log(power + quiet)
    level -= uniform_filter1d(level, max(3, round(_LEVEL_S * _FRAMES_HZ)), axis=0)
    level /= np.maximum(level.std(axis=0), 1e-6)
    values = np.clip(level, -_CLIP, 2 * _CLIP).astype(np.float32)
    start_s = to_s(stream.axis.start_ns) + size / rate / 2
    return Features(values, _FRAMES_HZ, start_s)


def _band_powers(cut: NDArray[np.float32], taper: NDArray[np.float32], bins: NDArray[np.int64]) -> NDArray[np.float64]:
    from scipy.fft import rfft

    out = np.empty((len(cut), len(bins) - 1))
    for begin in range(0, len(cut), 250):
        power = np.abs(rfft(cut[begin : begin + 250] * taper, axis=1)) ** 2
        sums = np.add.reduceat(power[:, : bins[-1]], bins[:-1], axis=1)
        out[begin : begin + 250] = sums
    return out
