"""What the temporal network sees of a face: second differences of regional movement over many time scales.

A movement that goes and comes back within a time scale stands out of the second difference over that scale, while
drift, slow turns of the head and held expressions cancel in it. Each region's second difference is measured in units
of what it usually is there and then, so that neither camera, nor face, nor a stretch of head motion sets the scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import NS_PER_S, Int64Array, to_s
from modalities.face.models import FloatArray
from modalities.face.pieces import pieces
from modalities.face.regions import LOWER, NAMES, UPPER
from modalities.face.spotting.bands import resample, smooth
from modalities.face.spotting.base import FaceSignals

RATE_HZ = 50.0
"""Signals are brought to this rate, whatever the camera's."""
SCALES_S = (0.04, 0.06, 0.1, 0.14, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.2)
"""Half widths of the second differences: from half of the shortest micro- to half of the longest macro-expression."""
NOISE_S, NOISE_SCALES = 3.0, 4.0
"""What is usual is taken over so many seconds, or so many times the scale if that is longer."""
NOISE_PERCENT = 60.0
NOISE_FLOOR = 0.15
"""Percent of the inter-ocular distance: no camera is better than that."""
STRONGEST = 3
GROUPS = {
    "all": list(range(26)),
    "upper": [NAMES.index(name) for name in UPPER],
    "lower": [at for at, name in enumerate(NAMES[:26]) if name in LOWER],
}
"""Regions whose strongest few are averaged."""
CHANNELS = len(SCALES_S) * (len(GROUPS) + 2) + 5
_BLOCK = 5


def even_grid(times_ns: Int64Array) -> Int64Array:
    """Times at `RATE_HZ` over the same span, int64 (m,)."""
    step = round(NS_PER_S / RATE_HZ)
    return np.arange(int(times_ns[0]), int(times_ns[-1]) + 1, step, dtype=np.int64)


def describe_run(signals: FaceSignals, rows: NDArray[np.int64]) -> tuple[Int64Array, NDArray[np.float32], FloatArray]:
    """Features of one unbroken run of frames.

    Args:
        signals: One face.
        rows: Frame numbers of the run.

    Returns:
        Times, int64 (m,); features, float32 (m, `CHANNELS`); and the movement of the regions at those times, (m,
        regions, 2).
    """
    times = signals.times_ns[rows]
    even = even_grid(times)
    motion = even_motion(signals.motion[rows, : len(GROUPS["all"])], times, even)
    turning = np.linalg.norm(np.gradient(signals.angles[rows], to_s(times - times[0]), axis=0), axis=1)
    blinking = np.zeros(len(even))
    for blink in signals.blinks:
        blinking[(even >= blink.onset_ns) & (even <= blink.offset_ns)] = 1
    beside = resample(np.column_stack([turning, signals.speaking[rows]]), times, even)
    return even, describe_motion(motion, beside[:, 0], blinking, beside[:, 1]), motion


def even_motion(motion: FloatArray, times_ns: Int64Array, even_ns: Int64Array) -> FloatArray:
    """Movement (n, regions, 2) at frame times as movement at even times, (m, regions, 2)."""
    flat = resample(motion.reshape(len(motion), -1), times_ns, even_ns)
    return smooth(flat, RATE_HZ, 0.012).reshape(len(even_ns), *motion.shape[1:])


def describe_motion(
    motion: FloatArray, turning: FloatArray, blinking: FloatArray, speaking: FloatArray
) -> NDArray[np.float32]:
    """Features of evenly sampled movement.

    Args:
        motion: Percent of the inter-ocular distance, (m, regions, 2), at `RATE_HZ`.
        turning: Speed of the head, degrees per second, (m,).
        blinking: 1 while the eyes blink, (m,).
        speaking: 1 while the mouth speaks, (m,).

    Returns:
        float32 (m, `CHANNELS`).
    """
    out = np.empty((len(motion), CHANNELS), np.float32)
    usual, width = np.zeros(len(motion)), len(GROUPS) + 2
    for number, scale_s in enumerate(SCALES_S):
        size = np.empty(motion.shape[:2])
        for part in pieces(len(motion)):
            back, ahead = steps(motion, scale_s, part)
            size[part] = np.linalg.norm(back + ahead, axis=2)
        noise = usual_size(size, scale_s)
        for part in pieces(len(motion)):
            columns = _describe_scale(*steps(motion, scale_s, part), size[part], noise[part])
            out[part, number * width : (number + 1) * width] = columns
            usual[part] += np.log1p(noise[part].mean(axis=1))
    gentle = smooth(turning[:, None], RATE_HZ, 0.05)[:, 0]
    rest = [np.log1p(gentle / 5), np.log1p(smooth(turning[:, None], RATE_HZ, 0.5)[:, 0] / 5)]
    out[:, len(SCALES_S) * width :] = np.column_stack([*rest, blinking, speaking, usual / len(SCALES_S)])
    return out


def _describe_scale(back: FloatArray, ahead: FloatArray, size: FloatArray, noise: FloatArray) -> FloatArray:
    """Of one scale: the strongest regions of each group and of all, and whether they went and came back, (m, 5)."""
    ranked = size / noise
    columns = [np.log1p(_strongest(ranked[:, group])) for group in GROUPS.values()]
    columns.append(np.log1p(_strongest(size)))
    weight = 1 / noise[:, :, None]
    first, second = (back * weight).reshape(len(back), -1), (ahead * weight).reshape(len(ahead), -1)
    product = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    columns.append((first * second).sum(axis=1) / np.maximum(product, 1e-6))
    return np.column_stack(columns)


def steps(motion: FloatArray, scale_s: float, part: slice = slice(None)) -> tuple[FloatArray, FloatArray]:
    """How the place now differs from that one scale earlier, and from that one scale later; both as `motion[part]`.

    Before the beginning and after the end the face is taken to stand still.
    """
    lag = max(1, round(scale_s * RATE_HZ))
    at, now = np.arange(len(motion))[part], motion[part]
    return now - motion[np.maximum(at - lag, 0)], now - motion[np.minimum(at + lag, len(motion) - 1)]


def usual_size(size: FloatArray, scale_s: float) -> FloatArray:
    """What is usual of each region there and then: a rolling percentile, never below a share of the overall one.

    Args:
        size: (m, regions), percent of the inter-ocular distance.
        scale_s: Of the second difference.

    Returns:
        Above 0, (m, regions).
    """
    from scipy.ndimage import percentile_filter

    blocks, whole = -(-len(size) // _BLOCK), len(size) // _BLOCK
    means = np.empty((blocks, *size.shape[1:]))
    means[:whole] = size[: whole * _BLOCK].reshape(whole, _BLOCK, size.shape[1]).mean(axis=1)
    if blocks > whole:
        rest = size[whole * _BLOCK :]
        means[whole] = np.pad(rest, ((0, _BLOCK - len(rest)), (0, 0)), mode="edge").mean(axis=0)
    window = 1 + 2 * round(max(NOISE_S, NOISE_SCALES * scale_s) * RATE_HZ / _BLOCK / 2)
    rolling = percentile_filter(means, NOISE_PERCENT, size=(window, 1), mode="mirror" if blocks > 1 else "nearest")
    least = 0.3 * np.median(means, axis=0)
    out = np.empty(size.shape)
    for part in pieces(len(size)):
        at = (np.arange(len(size))[part] - (_BLOCK - 1) / 2) / _BLOCK
        low = np.clip(np.floor(at), 0, blocks - 1).astype(int)
        high = np.minimum(low + 1, blocks - 1)
        share = np.clip(at - low, 0, 1)[:, None]
        out[part] = (1 - share) * rolling[low] + share * rolling[high] + least + NOISE_FLOOR
    return out


def _strongest(values: FloatArray) -> FloatArray:
    """Mean of the few greatest of each row, (m,)."""
    return np.partition(values, -STRONGEST, axis=1)[:, -STRONGEST:].mean(axis=1)
