"""Reference spotter: local temporal patterns and a linear machine (LTP-ML).

After Li, Soladie & Seguier, "LTP-ML: micro-expression detection by recognition of local temporal pattern of facial
movements" (2018): in each of twelve regions (`areas`) the pictures of a second are brought to two principal
components along time; the local temporal pattern of a moment is how far the region goes from there over the next 0.3
s, the time that a micro-expression takes to rise; a linear support vector machine tells the S-shaped patterns of
expressions from others; findings of all regions are fused by adding up.

What differs: distances are divided by the contrast of the region, which makes pixels of them, and their greatest one
is given to the machine besides the shape, where the paper scales by the greatest one of the video; the same with all
times four times as long serves macro-expressions, which the paper does not spot; the threshold is where F1 is best on
simulated faces held out from training.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.models import FloatArray, Picture
from modalities.face.registration import PATCH_IOD_PX
from modalities.face.spotting.areas import SIDE_PX, Squares, grey_squares
from modalities.face.spotting.bands import judged_runs
from modalities.face.spotting.base import Expression, FaceSignals, Reducer, Spotting
from modalities.face.spotting.differences import describe, reduced_of
from modalities.face.spotting.learned import load_learned

PATTERN_S = (0.3, 1.2)
"""Length of a pattern for micro and for macro."""
WINDOW = 10 / 3
"""Length of the window whose components are taken, in patterns: 1 s for micro-expressions."""
POINTS = 9
"""Distances of a pattern."""
FEATURES = POINTS + 1
LEAST_STEP_S = 0.0305
MOST_MISSING = 0.3
NOISE_GREY = 3.0
"""Contrast is never taken to be less than this many grey levels a pixel."""
_KINDS: tuple[Literal["micro", "macro"], ...] = ("micro", "macro")

Judge = Callable[[int, NDArray[np.float64]], NDArray[np.floating]]
"""From which of `PATTERN_S` and patterns (moments, areas, `FEATURES`) to a number for each moment."""


class LtpSpotter:
    """Peaks of what the machine says of all regions together."""

    name = "ltp-ml"

    def reducer(self) -> Reducer:
        """See `base.Spotter`."""
        tables = load_learned(self.name).tables

        def judge(scale: int, patterns: NDArray[np.float64]) -> NDArray[np.floating]:
            return fused(patterns, tables[f"weights{scale}"], float(tables[f"offset{scale}"][0]))

        return LtpReducer(judge)

    def spot(self, signals: FaceSignals) -> Spotting:
        """See `base.Spotter`."""
        from scipy.signal import find_peaks

        least = load_learned(self.name).card["threshold"]
        table = reduced_of(signals, self.name, 2 * len(PATTERN_S)).astype(np.float64)
        evidence = np.zeros(len(signals.times_ns))
        found: list[Expression] = []
        for scale, kind in enumerate(_KINDS):
            rows = np.flatnonzero(signals.judged & (table[:, 2 * scale + 1] > 0))
            length_ns = round(PATTERN_S[scale] * NS_PER_S)
            for run in judged_runs(signals.times_ns[rows], np.ones(len(rows), bool), least_s=PATTERN_S[scale]):
                times, said = signals.times_ns[rows[run]], table[rows[run], 2 * scale]
                score = said / (said + least[kind])
                evidence[rows[run]] = np.maximum(evidence[rows[run]], score)
                apart = max(1, round(length_ns / float(np.median(np.diff(times)))))
                peaks, _ = find_peaks(np.r_[0.0, score, 0.0], height=0.5, distance=apart)
                for at in (peaks - 1).tolist():
                    onset = int(times[at])
                    offset = min(onset + length_ns, int(times[-1]))
                    found.append(describe(kind, (onset, (onset + offset) // 2, offset), float(score[at]), signals))
        return Spotting(tuple(sorted(found, key=lambda one: one.onset_ns)), evidence)


def fused(patterns: NDArray[np.float64], weights: NDArray[np.floating], offset: float) -> NDArray[np.floating]:
    """What the machine says on the right side of its plane, added up over the regions, (moments,), >= 0."""
    return np.asarray(np.maximum(patterns @ weights + offset, 0).sum(axis=1))


class LtpReducer:
    """Keeps what is said of each moment at both lengths.

    Args:
        judge: What says it.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._squares = Squares()
        self._kept: list[deque[tuple[int, int, NDArray[np.float32]]]] = [deque() for _ in PATTERN_S]
        self._rows: list[tuple[int, int, float]] = []

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """See `base.Reducer`."""
        corners = self._squares.place(points, t_ns, len(patch))
        squares: NDArray[np.float32] | None = None
        for scale, pattern_s in enumerate(PATTERN_S):
            kept = self._kept[scale]
            step_s = LEAST_STEP_S * pattern_s / PATTERN_S[0]
            if kept and t_ns - kept[-1][0] < step_s * NS_PER_S:
                continue
            squares = grey_squares(patch, corners) if squares is None else squares
            kept.append((t_ns, number, squares))
            if kept[-1][0] - kept[0][0] >= WINDOW * pattern_s * NS_PER_S:
                self._judge_window(scale)

    def _judge_window(self, scale: int) -> None:
        """Say something of every moment of the window that has a whole pattern before it, and let those go."""
        kept = self._kept[scale]
        times = np.array([one[0] for one in kept], np.int64)
        pattern_ns = round(PATTERN_S[scale] * NS_PER_S)
        starts = np.flatnonzero(times <= times[-1] - pattern_ns)
        if np.diff(times).max() <= MOST_MISSING * pattern_ns:
            patterns = local_patterns(np.stack([one[2] for one in kept]), times, starts, pattern_ns)
            for at, said in zip(starts.tolist(), self._judge(scale, patterns).tolist(), strict=True):
                self._rows.append((kept[at][1], scale, said))
        for _ in range(len(starts)):
            kept.popleft()

    def finish(self, n: int) -> FloatArray:
        """See `base.Reducer`: what is said and whether anything is, at both lengths, (n, 4)."""
        out = np.zeros((n, 2 * len(PATTERN_S)), np.float32)
        for number, scale, said in self._rows:
            out[number, 2 * scale : 2 * scale + 2] = said, 1
        return out


def local_patterns(
    squares: NDArray[np.float32], times_ns: Int64Array, starts: NDArray[np.int64], pattern_ns: int
) -> NDArray[np.float64]:
    """Local temporal patterns, (starts, areas, `FEATURES`): distances by their greatest, and the logarithm of that one.

    Args:
        squares: Grey levels of each area less their mean, (t, areas, pixels).
        times_ns: Of the pictures, (t,).
        starts: Pictures from which patterns begin.
        pattern_ns: Their length.
    """
    track = principal_track(squares)
    wanted = times_ns[starts][:, None] + np.rint(np.arange(1, POINTS + 1) / POINTS * pattern_ns)[None]
    right = np.clip(np.searchsorted(times_ns, wanted), 1, len(times_ns) - 1)
    share = np.clip((wanted - times_ns[right - 1]) / (times_ns[right] - times_ns[right - 1]), 0, 1)[..., None, None]
    place = (1 - share) * track[right - 1] + share * track[right]
    away = np.linalg.norm(place - track[starts][:, None], axis=-1).transpose(0, 2, 1)
    most = away.max(axis=2, keepdims=True)
    return np.concatenate([away / np.maximum(most, 1e-9), np.log(np.maximum(most, 0.05))], axis=2)


def principal_track(squares: NDArray[np.float32]) -> NDArray[np.float64]:
    """First two principal components along time of each area, percent of the inter-ocular distance, (t, areas, 2)."""
    own = squares.astype(np.float64).transpose(1, 0, 2)
    side = own.mean(axis=1).reshape(len(own), SIDE_PX, SIDE_PX)
    contrast = np.sqrt((np.gradient(side, axis=1) ** 2 + np.gradient(side, axis=2) ** 2).sum(axis=(1, 2)) / 2)
    own = own - own.mean(axis=1, keepdims=True)
    size, vectors = np.linalg.eigh(own @ own.transpose(0, 2, 1))
    track = vectors[..., -2:] * np.sqrt(np.maximum(size[:, None, -2:], 0))
    percent = 100 / PATCH_IOD_PX / np.maximum(contrast, NOISE_GREY * SIDE_PX)
    return np.asarray((track * percent[:, None, None]).transpose(1, 0, 2))
