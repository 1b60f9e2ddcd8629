"""The pulse in the colour of the skin (remote photoplethysmography), with neither gap nor frame rate filled in.

Each heart beat brings more blood under the skin, which then reflects less light, most of all less green. Mean colours
of forehead and cheeks are kept of each frame; afterwards the plane orthogonal to the skin tone (POS: Wang, den Brinker,
Stuijk & de Haan 2017, "Algorithmic principles of remote PPG", IEEE TBME 64:1479) takes brightness changes out. Frames
keep their own times, so variable frame rates and dropped frames need no repair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array, to_ns, to_s
from modalities.face.landmarks import Sighting
from modalities.face.models import FloatArray

SKIN: dict[str, tuple[int, ...]] = {
    "forehead": (104, 69, 108, 151, 337, 299, 333, 296, 9, 66),
    "cheek_right": (123, 117, 118, 101, 36, 205, 187),
    "cheek_left": (352, 346, 347, 330, 266, 425, 411),
}
"""Outline of each patch of skin on the face mesh, clear of hair, brows, eyes and nostrils."""
KEPT = "skin"
"""Under this name the colours are kept beside what the spotters' reducers keep."""
WINDOW_S = 1.6
"""Window of the projection (Wang et al. 2017): just over one beat at 40 bpm."""
GAP_S = 0.25
"""Frames without skin for longer than this split the signal; nothing is carried across."""
LEAST_S = 3.0
"""Shorter stretches of skin give no pulse."""
LEAST_RATE_HZ = 8.0
"""Fewer frames per second cannot show the fastest pulse."""
LEAST_COLOUR = 0.5
"""Grey levels by which red and green or green and blue must differ, in the median, for a picture to be in colour."""
PULSE_HZ = (0.7, 3.5)
"""42 to 210 beats per minute."""
RATE_WINDOW_S, RATE_STEP_S = 15.0, 1.0
LEAST_SNR_DB = 1.0
"""Below this the rate is not told: of noise alone about 1 window in 100 seems better."""
NEAR_HZ = 0.1
"""Half width around the rate and its double that counts as pulse."""
_FLOOR = 4.0
"""Darker skin than so many grey levels has no colour to speak of."""
_FRACTION_BITS = 4

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FacePulse:
    """The pulse of one face.

    Attributes:
        values: Change of the skin's blood volume, percent of its colour, positive with more blood, (frames,).
        valid: Where there is a signal, (frames,).
        rate_hz: Beats per second around each frame, (frames,).
        snr_db: Power at the rate and its double over the rest of `PULSE_HZ` (de Haan & Jeanne 2013), (frames,).
        rated: Where `rate_hz` is told, (frames,); `snr_db` is known wherever a window fitted around the frame.
        known: Where `snr_db` is known, (frames,).
        why_not: Why nothing is valid, or why no rate is; "" where some is.
    """

    values: FloatArray
    valid: Flags
    rate_hz: FloatArray
    snr_db: FloatArray
    rated: Flags
    known: Flags
    why_not: str


def skin_colours(sighting: Sighting) -> NDArray[np.float32]:
    """Mean red, green and blue of each patch of `SKIN`, grey levels, (3, 3); 0 where a patch is out of view."""
    import cv2

    out = np.zeros((len(SKIN), 3), np.float32)
    height, width = sighting.window.shape[:2]
    unit = 1 << _FRACTION_BITS
    for at, outline in enumerate(_OUTLINES):
        corners = sighting.in_window(sighting.points[outline, :2])
        left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        if left < 0 or top < 0 or right >= width or bottom >= height:
            continue
        patch = sighting.window[top : bottom + 1, left : right + 1]
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.rint((corners - (left, top)) * unit).astype(np.int32), 255, 8, _FRACTION_BITS)
        out[at] = cv2.mean(patch, mask)[:3]
    return out


_OUTLINES = [np.array(outline) for outline in SKIN.values()]


def find_pulse(times_ns: Int64Array, skin: NDArray[np.floating] | None, seen: Flags) -> FacePulse:
    """The pulse of a face from the colours of its skin.

    Args:
        times_ns: Frame times, increasing, (frames,).
        skin: From `skin_colours`, (frames, patches, 3) or (frames, 3 * patches); None where none were kept.
        seen: Where the face was found, (frames,).
    """
    n = len(times_ns)
    skin = np.zeros((n, len(SKIN), 3)) if skin is None else skin.reshape(n, -1, 3)
    values, valid = np.zeros(n), np.zeros(n, bool)
    lit = seen[:, None] & (skin > _FLOOR).all(axis=2)
    why = _why_not(times_ns, skin, seen, lit)
    if not why:
        for first, stop in _stretches(times_ns, np.asarray(lit.any(axis=1))):
            part = np.flatnonzero(lit[first:stop].any(axis=1)) + first
            values[part] = _stretch_pulse(to_s(times_ns[part] - times_ns[first]), skin[part].astype(float), lit[part])
            valid[part] = True
        if not valid.any():
            why = f"the face was never seen for {LEAST_S:g} s on end"
    rate, snr, known = _rates(times_ns, values, valid)
    rated = known & (snr >= LEAST_SNR_DB)
    if not why and not rated.any():
        why = "too weak to tell its rate" if known.any() else f"shorter than {RATE_WINDOW_S:g} s"
    return FacePulse(values, valid, rate, snr, rated, known, why)


def describe_pulse(pulse: FacePulse) -> dict[str, float | str | None]:
    """Figures for the report: median rate and signal-to-noise ratio, share of frames with a rate, or why there is none.

    Args:
        pulse: From `find_pulse`.
    """
    return {
        "state": pulse.why_not or "measured",
        "hz": round(float(np.median(pulse.rate_hz[pulse.rated])), 3) if pulse.rated.any() else None,
        "snr_db": round(float(np.median(pulse.snr_db[pulse.known])), 2) if pulse.known.any() else None,
        "rated_share": round(float(pulse.rated.mean()), 4) if len(pulse.rated) else 0.0,
    }


def _why_not(times_ns: Int64Array, skin: NDArray[np.floating], seen: Flags, lit: Flags) -> str:
    if not seen.any():
        return "no face"
    if not lit.any():
        return "the skin is too dark, or out of the picture"
    tone = skin[lit].astype(np.float64)
    if np.median(np.abs(np.diff(tone, axis=1)), axis=0).max() < LEAST_COLOUR:
        return "no colour: the pulse needs a colour video, not a grey, near-infrared or depth one"
    step_s = to_s(int(np.median(np.diff(times_ns)))) if len(times_ns) > 1 else 1.0
    if step_s * LEAST_RATE_HZ > 1:
        return f"{1 / step_s:.1f} frames per second; {LEAST_RATE_HZ:g} are needed"
    return ""


def _stretches(times_ns: Int64Array, usable: Flags) -> list[tuple[int, int]]:
    """First frame and one past the last of each run of usable frames, long enough and without a gap."""
    at = np.flatnonzero(usable)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(times_ns[at]) > to_ns(GAP_S)) + 1
    runs = [(int(run[0]), int(run[-1]) + 1) for run in np.split(at, cuts)]
    return [(first, stop) for first, stop in runs if times_ns[stop - 1] - times_ns[first] >= to_ns(LEAST_S)]


def _stretch_pulse(times_s: FloatArray, skin: FloatArray, lit: Flags) -> FloatArray:
    """Pulse of one stretch: that of each patch, the steadier ones trusted more, percent, (frames,)."""
    total, weight = np.zeros(len(times_s)), np.zeros(len(times_s))
    for patch in range(skin.shape[1]):
        at = np.flatnonzero(lit[:, patch])
        if len(at) < 2 or times_s[at[-1]] - times_s[at[0]] < WINDOW_S:
            continue
        one = project(times_s[at], skin[at, patch])
        trust = 1 / (_local_power(times_s[at], one, 5.0) + 1e-12)
        total[at] += trust * one
        weight[at] += trust
    return 100 * total / np.maximum(weight, 1e-300)


def project(times_s: FloatArray, colours: FloatArray) -> FloatArray:
    """POS of one patch: all windows of `WINDOW_S` that start at a frame, each less its mean, averaged at every frame.

    What a window adds to a frame is linear in the frame's colour, with factors of the window, so running sums do what
    Wang et al. (2017) do in a loop.

    Args:
        times_s: Frame times, increasing, (n,).
        colours: Red, green, blue, > 0, (n, 3).

    Returns:
        Relative change, positive with more blood, (n,).
    """
    n = len(times_s)
    base = colours.mean(axis=0)
    x = colours / base - 1
    start = np.arange(n)
    stop = np.searchsorted(times_s, times_s + WINDOW_S, side="right")
    whole = times_s + WINDOW_S <= times_s[-1] + 0.02
    whole[0] = True
    start, stop = start[whole], stop[whole]
    size = (stop - start).astype(np.float64)
    mean = _window_sums(x, start, stop) / size[:, None]
    second = _window_sums(x[:, [0, 1, 2, 0, 0, 1]] * x[:, [0, 1, 2, 1, 2, 2]], start, stop) / size[:, None]
    cross = second - mean[:, [0, 1, 2, 0, 0, 1]] * mean[:, [0, 1, 2, 1, 2, 2]]
    level = 1 + mean
    rr, gg, bb, rg, rb, gb = (
        cross[:, at] / (level[:, one] * level[:, two])
        for at, (one, two) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))
    )
    first = np.sqrt(np.maximum(gg + bb - 2 * gb, 0))
    other = np.sqrt(np.maximum(gg + bb + 4 * rr + 2 * gb - 4 * rg - 4 * rb, 1e-18))
    alpha = np.clip(first / other, 0, 100)
    factors = np.stack([-2 * alpha, 1 + alpha, alpha - 1], axis=1) / level
    factors = np.column_stack([factors, (factors * mean).sum(axis=1), np.ones(len(start))])
    edges = np.zeros((n + 1, factors.shape[1]))
    np.add.at(edges, start, factors)
    np.add.at(edges, stop, -factors)
    running = np.cumsum(edges, axis=0)[:n]
    added = (running[:, :3] * x).sum(axis=1) - running[:, 3]
    return -added / np.maximum(running[:, 4], 1)


def _window_sums(values: FloatArray, start: Int64Array, stop: Int64Array) -> FloatArray:
    total = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(total[stop] - total[start])


def _local_power(times_s: FloatArray, values: FloatArray, half_s: float) -> FloatArray:
    """Mean square within `half_s` on either side, (n,)."""
    start = np.searchsorted(times_s, times_s - half_s)
    stop = np.searchsorted(times_s, times_s + half_s, side="right")
    return _window_sums(values[:, None] ** 2, start, stop)[:, 0] / (stop - start)


def _rates(times_ns: Int64Array, values: FloatArray, valid: Flags) -> tuple[FloatArray, FloatArray, Flags]:
    """Rate in Hz and signal-to-noise ratio in dB of the window around each frame, and where there is one."""
    n = len(times_ns)
    rate, snr, known = np.zeros(n), np.full(n, -30.0), np.zeros(n, bool)
    frequencies = np.arange(PULSE_HZ[0], 2 * PULSE_HZ[1] + 1e-9, 0.02)
    for first, stop in _stretches(times_ns, valid):
        part = np.flatnonzero(valid[first:stop]) + first
        now = to_s(times_ns[part] - times_ns[first])
        if now[-1] < RATE_WINDOW_S - 0.1:
            continue
        starts = np.arange(0, max(now[-1] - RATE_WINDOW_S, 0) + 1e-9, RATE_STEP_S)
        found = np.array([_rate_of(now, values[part], begin, frequencies) for begin in starts])
        nearest = np.clip(np.rint((now - RATE_WINDOW_S / 2) / RATE_STEP_S).astype(int), 0, len(starts) - 1)
        rate[part], snr[part] = found[nearest].T
        known[part] = True
    return rate, snr, known


def _rate_of(times_s: FloatArray, values: FloatArray, begin_s: float, frequencies: FloatArray) -> tuple[float, float]:
    """Rate and signal-to-noise ratio of one window by its periodogram at the frames' own times."""
    first, stop = np.searchsorted(times_s, (begin_s, begin_s + RATE_WINDOW_S))
    since = times_s[first:stop] - begin_s
    taper = np.sin(np.pi * np.clip(since / RATE_WINDOW_S, 0, 1)) ** 2
    wave = taper * (values[first:stop] - np.average(values[first:stop], weights=taper + 1e-12))
    # Equal steps of frequency: each column is the one before it, turned by the same angles.
    turn = np.exp(-2j * np.pi * (frequencies[1] - frequencies[0]) * since)
    phase = np.exp(-2j * np.pi * frequencies[0] * since) * wave
    power = np.empty(len(frequencies))
    for at in range(len(frequencies)):
        power[at] = np.abs(phase.sum()) ** 2
        phase = phase * turn
    band = frequencies <= PULSE_HZ[1]
    double = np.interp(2 * frequencies[band], frequencies, power)
    best = float(frequencies[band][np.argmax(power[band] + 0.5 * np.minimum(double, power[band]))])
    pulse = (np.abs(frequencies - best) <= NEAR_HZ) | (np.abs(frequencies - 2 * best) <= NEAR_HZ)
    counted = band | pulse
    signal, rest = power[counted & pulse].sum(), power[counted & ~pulse].sum()
    return best, float(np.clip(10 * np.log10((signal + 1e-300) / (rest + 1e-300)), -30, 40))
