"""Reference spotter: phase of the Riesz transform.

After Duque, Alata, Emonet, Legrand & Konik, "Micro-expression spotting using the Riesz pyramid" (2018): subtle motion
is read off the phase of local waves, without flow. Phase differences from picture to picture are weighted by the
squared amplitude, which silences flat skin, added up, and band-passed over time without delay; their size over the
parts of the face that express is a curve whose peaks are expressions, here of the length of the windows of `lbp`.

What differs: phases are averaged over twelve squares (`areas`) before the filter instead of after it, so that a few
numbers are kept of each picture; bands are those of the lengths of expressions, 1 to 8 Hz for micro- and 0.25 to 1.25
Hz for macro-expressions, which the paper does not spot; the threshold T = mean + tau (max - mean) with tau = 0.3 is
that of `lbp` (the paper sweeps its own), and at least what a movement of 1 % of the inter-ocular distance makes.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, to_s
from modalities.face.models import FloatArray, Picture
from modalities.face.registration import PATCH_IOD_PX
from modalities.face.spotting.areas import AREAS, Squares, cut_squares
from modalities.face.spotting.bands import even_times, judged_runs, resample
from modalities.face.spotting.base import MICRO_S, Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import describe, reduced_of
from modalities.face.spotting.lbp import WINDOWS_S

OCTAVES = (2, 3)
"""Of `magnification.riesz.octaves`, for micro and for macro: waves of about 12 and 24 pixels, a fifth and two fifths of
the inter-ocular distance. Small movements shift short waves; a brow drawn along its own edge shifts only long ones."""
BANDS_HZ: dict[Literal["micro", "macro"], tuple[float, float]] = {"micro": (1.0, 8.0), "macro": (0.25, 1.25)}
TAU = 0.3
LEAST_PERCENT = 0.5
STRONGEST = 3
"""The curve is the mean of the squares that move most."""
LEAST_STEP_S = 0.0155
"""At most about 60 pictures a second are looked at."""
_EACH = 2 * len(AREAS)
_COLUMNS = len(OCTAVES) * _EACH + 1


Waves = list[NDArray[np.float32]]
"""A band of a picture and its Riesz transforms along x and y."""


class RieszSpotter:
    """Peaks of the band-passed phase.

    Args:
        tau: Threshold between the mean (0) and the maximum (1) of the curve.
    """

    name = "riesz"

    def __init__(self, tau: float = TAU) -> None:
        self._tau = tau

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        return RieszReducer()

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        from scipy.signal import find_peaks

        table = reduced_of(signals, self.name, _COLUMNS)
        rows = np.flatnonzero(signals.judged & (table[:, -1] > 0))
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        times_ns, steps = signals.times_ns[rows], table[rows, :-1].astype(np.float64)
        for run in judged_runs(times_ns, np.ones(len(rows), bool), least_s=MICRO_S):
            even = even_times(times_ns[run])
            rate = (len(even) - 1) / to_s(int(even[-1] - even[0]))
            place = resample(np.cumsum(steps[run], axis=0), times_ns[run], even)
            for at, (kind, band) in enumerate(BANDS_HZ.items()):
                window_s = WINDOWS_S[at]
                score = self._score(band_sizes(place[:, at * _EACH : (at + 1) * _EACH], rate, band))
                said = resample(score[:, None], even, times_ns[run])[:, 0]
                evidence[rows[run]] = np.maximum(evidence[rows[run]], said)
                half = round(window_s / 2 * NS_PER_S)
                peaks, _ = find_peaks(np.r_[0.0, score, 0.0], height=0.5, distance=max(1, round(window_s / 2 * rate)))
                for top in (peaks - 1).tolist():
                    apex = int(even[top])
                    moments = max(apex - half, int(even[0])), apex, min(apex + half, int(even[-1]))
                    found.append(describe(kind, moments, float(score[top]), signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)

    def _score(self, size: FloatArray) -> FloatArray:
        """0..1, 0.5 at the threshold, which is at least `LEAST_PERCENT`."""
        mean, most = float(size.mean()), float(size.max())
        return size / (size + max(LEAST_PERCENT, mean + self._tau * (most - mean)))


def band_sizes(place: FloatArray, rate_hz: float, band_hz: tuple[float, float]) -> FloatArray:
    """Size of the motion within a band, mean of the squares that move most, percent of the inter-ocular distance, (m,).

    Args:
        place: Where the skin of each square is, x and y side by side, percent, (m, 2 areas).
        rate_hz: Samples per second.
        band_hz: Butterworth filter of second order, run forwards and backwards.
    """
    from scipy.signal import butter, sosfiltfilt

    high = min(band_hz[1], 0.45 * rate_hz)
    own = place.reshape(len(place), -1, 2)
    filter_ = butter(2, (band_hz[0], high), "bandpass", fs=rate_hz, output="sos")
    padding = min(len(own) - 1, round(3 * rate_hz / band_hz[0]))
    moved = sosfiltfilt(filter_, own, axis=0, padlen=padding)
    size = np.linalg.norm(moved, axis=2)
    return np.asarray(np.sort(size, axis=1)[:, -STRONGEST:].mean(axis=1))


class RieszReducer:
    """Keeps how far the waves of each square went since the picture before, percent of the inter-ocular distance."""

    def __init__(self) -> None:
        self._squares = Squares()
        self._filters: list[tuple[float, list[NDArray[Any]]]] = []
        self._last: list[Waves] | None = None
        self._last_ns: int | None = None
        self._rows: list[tuple[int, NDArray[np.float32]]] = []

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        if self._last_ns is not None and t_ns - self._last_ns < LEAST_STEP_S * NS_PER_S:
            return
        now = self._waves(patch)
        corners = self._squares.place(points, t_ns, len(patch))
        if self._last is not None:
            went = [
                square_steps(before, after, corners) * (100 * length / (2 * np.pi) / PATCH_IOD_PX)
                for before, after, (length, _) in zip(self._last, now, self._filters, strict=True)
            ]
            self._rows.append((number, np.concatenate([one.ravel() for one in went]).astype(np.float32)))
        self._last, self._last_ns = now, t_ns

    def _waves(self, patch: Picture) -> list[Waves]:
        """Each octave and its two Riesz transforms."""
        from scipy import fft

        from modalities.face.magnification.riesz import octaves

        if not self._filters:
            for at, (length, band, right, down) in enumerate(octaves(*patch.shape)):
                if at in OCTAVES:
                    self._filters.append((length, [(band * one).astype(np.complex64) for one in (1.0, right, down)]))
        spectrum = fft.rfft2(patch.astype(np.float32))
        return [[fft.irfft2(spectrum * one, patch.shape) for one in filters] for _, filters in self._filters]

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: by octave x and y of each of `AREAS` since the picture before, and whether there are any,
        (n, 49).
        """
        out = np.zeros((n, _COLUMNS), np.float32)
        for number, values in self._rows:
            out[number, :-1] = values
            out[number, -1] = 1
        return out


def square_steps(before: Waves, after: Waves, corners: NDArray[np.int64]) -> NDArray[np.floating]:
    """Mean phase between two pictures in each square along x and y, squared amplitude as weight, (areas, 2).

    Each wave tells what moves across it alone: where waves have all directions, the mean is half of the movement.
    """
    from modalities.face.magnification.riesz import phase_steps

    steps, weight = phase_steps([np.stack(pair) for pair in zip(before, after, strict=True)])
    trust = weight.min(axis=0)
    total = cut_squares(trust, corners).sum(axis=(1, 2)) + 1e-6
    return np.stack([cut_squares(one[1] * trust, corners).sum(axis=(1, 2)) / total for one in steps], axis=1)
