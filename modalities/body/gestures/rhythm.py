"""Rhythmic movement: how strongly, and how fast, a signal swings around each moment."""

from __future__ import annotations

import numpy as np

from modalities.body.skeleton import BoolArray, FloatArray

WINDOW_S = 1.4
"""Length of the window, under a Hann weight."""
LEAST_SAMPLES = 7
AT_ONCE = 512
"""Windows that are worked on together."""


def swing(
    times_s: FloatArray, values: FloatArray, valid: BoolArray, low_hz: float, high_hz: float, window_s: float = WINDOW_S
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Amplitude, rate and purity of the swing around each sample.

    In each window constant and slope are taken out and the sine that explains most is found (least squares at any
    sample times, after Lomb 1976, "Least-squares frequency analysis of unequally spaced data").

    Args:
        times_s: (n,).
        values: (n, d); the d signals swing together, at any phase.
        valid: bool (n,).
        low_hz: Slowest rate.
        high_hz: Fastest rate; never above 0.48 of the sampling rate.
        window_s: Length of the window.

    Returns:
        Amplitude (n,), in the unit of the values, over all signals; rate (n,), Hz; share of the variance that the sine
        explains (n,), 0..1. All are 0 where the window holds too few samples.
    """
    n = len(times_s)
    amplitude, rate, purity = np.zeros(n), np.zeros(n), np.zeros(n)
    if n < LEAST_SAMPLES:
        return amplitude, rate, purity
    top = min(high_hz, 0.48 / max(float(np.median(np.diff(times_s))), 1e-6))
    if top <= low_hz:
        return amplitude, rate, purity
    rates = np.linspace(low_hz, top, 14)
    rows = np.flatnonzero(valid)
    first = np.searchsorted(times_s[rows], times_s[rows] - window_s / 2)
    count = np.searchsorted(times_s[rows], times_s[rows] + window_s / 2, side="right") - first
    enough = np.flatnonzero(count >= LEAST_SAMPLES)
    for part in np.array_split(enough, len(enough) // AT_ONCE + 1):
        if not len(part):
            continue
        place = first[part, None] + np.arange(count[part].max())
        inside = place < (first + count)[part, None]
        used = rows[np.minimum(place, len(rows) - 1)]
        since = times_s[used] - times_s[rows[part], None]
        weight = np.where(inside, 0.5 + 0.5 * np.cos(2 * np.pi * since / window_s), 0.0)
        rest = _without_line(since, values[used], weight)
        total = np.einsum("nk,nkd->n", weight, rest**2)
        turned = np.exp(-2j * np.pi * rates[:, None] * since[:, None, :]) * weight[:, None, :]
        power = (np.abs(turned @ rest) ** 2).sum(axis=-1)
        best, whole = power.argmax(axis=1), weight.sum(axis=1)
        top_power, at = power.max(axis=1), rows[part]
        amplitude[at] = 2 * np.sqrt(top_power) / whole
        rate[at] = rates[best]
        purity[at] = np.minimum(1.0, 2 * top_power / np.maximum(whole * total, 1e-30))
    return amplitude, rate, purity


def drift(times_s: FloatArray, values: FloatArray, valid: BoolArray) -> FloatArray:
    """How far the mean of a second moves within 1.2 s, (n,): what swings fast stays.

    Args:
        times_s: (n,).
        values: (n, d).
        valid: bool (n,).
    """
    rows = np.flatnonzero(valid)
    out = np.zeros(len(values))
    if len(rows) < 2:
        return out
    times, total = times_s[rows], np.r_[np.zeros((1, values.shape[1])), np.cumsum(values[rows], axis=0)]

    def mean(shift_s: float) -> FloatArray:
        first = np.searchsorted(times, times + shift_s - 0.5)
        last = np.searchsorted(times, times + shift_s + 0.5, side="right")
        empty = last <= first
        first, last = np.where(empty, np.arange(len(rows)), first), np.where(empty, np.arange(len(rows)) + 1, last)
        return np.asarray((total[last] - total[first]) / (last - first)[:, None])

    out[rows] = np.linalg.norm(mean(0.6) - mean(-0.6), axis=-1)
    return out


def _without_line(since: FloatArray, values: FloatArray, weight: FloatArray) -> FloatArray:
    """Values (m, k, d) less their weighted constant and slope over the times (m, k)."""
    whole = weight.sum(axis=1, keepdims=True)
    moved = since - (weight * since).sum(axis=1, keepdims=True) / whole
    values = values - (weight[..., None] * values).sum(axis=1, keepdims=True) / whole[..., None]
    spread = np.maximum((weight * moved**2).sum(axis=1, keepdims=True), 1e-9)
    slope = np.einsum("mk,mkd->md", weight * moved, values) / spread
    return np.asarray(values - moved[..., None] * slope[:, None])
