"""Several cameras of one face, colour, near-infrared and depth, made one view.

Movement is averaged: each camera counts, region by region, in proportion to how still its numbers are (inverse
variance, the best linear estimate of independent measurements; Aitken 1935), and to how well it sees the face now.
A camera that loses the face is faded out and in over `FADE_S`, because a sudden change of witnesses would look like a
movement. What cannot be averaged (blinks, gaze, light) is the first camera's that tells it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array
from modalities.face.eyes import Blink
from modalities.face.models import FloatArray
from modalities.face.view import Columns, View, spread_of

FADE_S = 0.2
"""A camera that loses the face counts less and less for so long before, and that finds it again so long after."""
GAP_S = 0.25
"""Nothing is carried over a longer gap between two frames of a camera."""
LEAST_NOISE = 0.05
"""Percent of the inter-ocular distance: no measurement is stiller than that."""
LEAST_SHARED = 30
"""Frames that two cameras must share for their angles to be compared."""
_ANGLES = ("yaw_deg", "pitch_deg", "roll_deg")

Flags = NDArray[np.bool_]


def combine_views(views: Sequence[View]) -> View:
    """One view out of those of several cameras.

    Args:
        views: At least one; the first gives the frame times, and goes first in what cannot be averaged.

    Returns:
        At the frame times of the first, and at those of the others where it has none for more than `GAP_S`.
    """
    if len(views) == 1:
        return views[0]
    times = common_times([view.times_ns for view in views])
    sampled = [_Sampled(view, times) for view in views]
    first, rest = sampled[0], sampled[1:]
    for other in rest:
        other.turn_to(first)
    judged = np.any([one.judged for one in sampled], axis=0)
    reasons = np.where(judged, "", first.reasons).astype(object)
    for other in rest:
        reasons = np.where(~judged & (reasons == "no_stream"), other.reasons, reasons).astype(object)
    reasons = np.where(~judged & (reasons == "no_stream"), "gap", reasons).astype(object)
    columns = _first_told(sampled)
    columns["confidence"] = _best(sampled, "confidence")
    angles, _ = _choose([(one.angles, one.known) for one in sampled])
    gaze, gazing = _choose([(one.gaze, one.gazing) for one in sampled])
    return View(
        times_ns=times,
        reasons=reasons,
        moved=_average(sampled).astype(np.float32),
        angles=angles,
        blinks=_all_blinks(views),
        gaze=gaze,
        gazing=gazing,
        columns=columns,
        pulse=next((view.pulse for view in views if view.pulse.valid.any()), views[0].pulse),
        reduced={name: first.at_own_times(kept) for name, kept in views[0].reduced.items()},
        pictured=first.judged,
        noisy=any(view.noisy for view in views),
    )


def common_times(axes: Sequence[Int64Array]) -> Int64Array:
    """Frame times of the first camera, and of the next ones where those before have none for more than `GAP_S`.

    Args:
        axes: Frame times of each camera, increasing.
    """
    times = axes[0]
    for more in axes[1:]:
        if not len(times):
            times = more
            continue
        after = np.searchsorted(times, more)
        before_ns = more - times[np.maximum(after - 1, 0)]
        after_ns = times[np.minimum(after, len(times) - 1)] - more
        far = np.where(after == 0, after_ns, np.where(after == len(times), before_ns, np.minimum(before_ns, after_ns)))
        times = np.union1d(times, more[np.abs(far) > GAP_S * NS_PER_S / 2])
    return times


class _Sampled:
    """One view at other times: between two of its frames linear, and only where both can be used."""

    def __init__(self, view: View, times_ns: Int64Array) -> None:
        self.view = view
        own = view.times_ns
        after = np.clip(np.searchsorted(own, times_ns), 0, max(len(own) - 1, 0))
        exact = own[after] == times_ns
        self._before, self._after = np.where(exact, after, np.maximum(after - 1, 0)), after
        span = own[self._after] - own[self._before]
        inside = exact | ((times_ns > own[self._before]) & (times_ns < own[self._after]) & (span <= GAP_S * NS_PER_S))
        self._share = np.where(exact, 0.0, (times_ns - own[self._before]) / np.maximum(span, 1)) * inside
        self._inside = inside
        nearest = np.where(self._share > 0.5, self._after, self._before)
        self.reasons = np.where(inside, view.reasons[nearest], "no_stream").astype(object)
        self.moved, self.judged = self._between(view.moved, view.judged)
        self._nearest = nearest
        self.angles, self.known = self._between(view.angles, view.columns["yaw_deg"][1])
        self.gaze, self.gazing = self._between(view.gaze, view.gazing)
        self.columns: Columns = {name: self._between(*column) for name, column in view.columns.items()}
        self.weight = _fade(times_ns, self.judged) * np.maximum(self.columns["confidence"][0], 1e-3)
        self.noise = np.maximum(spread_of(view.moved, view.judged), LEAST_NOISE)

    def turn_to(self, first: _Sampled) -> None:
        """Count angles from where the first camera does: cameras stand beside each other."""
        both = self.known & first.known
        if both.sum() < LEAST_SHARED:
            return
        self.angles = self.angles - np.median(self.angles[both] - first.angles[both], axis=0)
        for at, name in enumerate(_ANGLES):
            self.columns[name] = (self.angles[:, at], self.columns[name][1])

    def at_own_times(self, kept: FloatArray) -> FloatArray:
        """What was kept of each frame at the new times; 0 where the view has no frame there."""
        there = self._inside.reshape(-1, *[1] * (kept.ndim - 1))
        return np.where(there, kept[self._nearest], 0).astype(kept.dtype)

    def _between(self, values: NDArray[np.floating], valid: Flags) -> tuple[FloatArray, Flags]:
        share = self._share.reshape(-1, *[1] * (values.ndim - 1))
        mixed = (1 - share) * values[self._before] + share * values[self._after]
        told = self._inside & valid[self._before] & valid[self._after]
        return np.where(told.reshape(share.shape), mixed, 0.0), told


def _average(sampled: Sequence[_Sampled]) -> FloatArray:
    """Movement, (frames, columns), 0 where nobody can judge."""
    total = np.zeros(sampled[0].moved.shape)
    weights = np.zeros(total.shape)
    for one in sampled:
        weight = (one.weight * one.judged)[:, None] / one.noise**2
        total += weight * one.moved
        weights += weight
    return total / np.maximum(weights, 1e-12)


def _fade(times_ns: Int64Array, judged: Flags) -> FloatArray:
    """1 well inside the stretches that can be judged, falling to about 0 at their ends within the recording."""
    lost = np.flatnonzero(~judged)
    if not len(lost):
        return np.ones(len(times_ns))
    after = np.searchsorted(lost, np.arange(len(times_ns)))
    since = np.abs(times_ns - times_ns[lost[np.maximum(after - 1, 0)]])
    until = np.abs(times_ns[lost[np.minimum(after, len(lost) - 1)]] - times_ns)
    return np.clip(np.minimum(since, until) / (FADE_S * NS_PER_S), 1e-3, 1.0)


def _choose(told: Sequence[tuple[FloatArray, Flags]]) -> tuple[FloatArray, Flags]:
    """The first valid of several, and where there is one."""
    values, valid = told[0][0].copy(), told[0][1].copy()
    for more, there in told[1:]:
        new = there & ~valid
        values[new] = more[new]
        valid |= there
    return values, valid


def _first_told(sampled: Sequence[_Sampled]) -> Columns:
    return {name: _choose([one.columns[name] for one in sampled]) for name in sampled[0].columns}


def _best(sampled: Sequence[_Sampled], name: str) -> tuple[FloatArray, Flags]:
    """The greatest of several."""
    columns = [one.columns[name] for one in sampled]
    return np.max([np.where(valid, values, 0) for values, valid in columns], axis=0), np.any(
        [valid for _, valid in columns], axis=0
    )


def _all_blinks(views: Sequence[View]) -> tuple[Blink, ...]:
    """Those of the first camera, and those of the next ones at times at which none before them saw the face."""
    out: list[Blink] = []
    for at, view in enumerate(views):
        for blink in view.blinks:
            if not any(_watched(before, blink) for before in views[:at]):
                out.append(blink)
    return tuple(sorted(out, key=lambda blink: blink.onset_ns))


def _watched(view: View, blink: Blink) -> bool:
    """Whether a view saw the face at any moment of a blink."""
    first, last = np.searchsorted(view.times_ns, (blink.onset_ns, blink.offset_ns))
    return bool(view.judged[first : last + 1].any())
