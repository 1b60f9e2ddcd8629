"""One picture for a whole clip: dynamic image and active image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError

SMOOTH_PX, QUIET, GAIN = 1.5, 0.2, 3.0
"""Spread of the smoothing of activity, pixels; share of the greatest activity below which a pixel is
at rest; how many times as large the change of the most active pixel is drawn."""


def dynamic_image(clip: NDArray[np.number]) -> NDArray[np.float32]:
    """Dynamic image by approximate rank pooling (Bilen, Fernando, Gavves, Vedaldi & Gould 2016).

    The direction along which running means of the pictures grow in order of time, as the first step of the ranking
    machine finds it: the sum over all pairs of a later minus an earlier running mean. Pictures count 2 (t - i + 1) -
    (t + 1) (H_t - H_(i-1)), H being harmonic numbers.

    Args:
        clip: Grey or colour pictures, (t, ...), t >= 2.

    Returns:
        Float32 (...), without a fixed range; 0 where nothing changes. `as_picture` makes it one of 8 bits.

    Raises:
        InvalidValueError: fewer than two pictures.
    """
    weights = rank_weights(_length(clip))
    return np.tensordot(weights, clip.astype(np.float64), axes=(0, 0)).astype(np.float32)


def rank_weights(t: int) -> NDArray[np.float64]:
    """What each picture counts in the dynamic image, (t,); sums to 0."""
    harmonic = np.r_[0.0, np.cumsum(1 / np.arange(1, t + 1))]
    at = np.arange(1, t + 1)
    return np.asarray(2 * (t - at + 1) - (t + 1) * (harmonic[t] - harmonic[at - 1]))


def active_image(clip: NDArray[np.number]) -> NDArray[np.float32]:
    """Active image, after Verma, Vipparthi & Singh (2020): changes of the whole clip in one picture of the face.

    They ask for the changes of the expressive regions in a single picture that keeps the face's appearance; their
    formula is not followed. Here: the mean picture, and in each pixel that is active up to three times the signed
    change from the mean picture that is greatest over the clip, in proportion to its activity. Activity is the mean
    absolute change between neighbouring pictures, smoothed, less the part below 0.2 of its greatest value.

    Args:
        clip: Grey pictures, (t, h, w), t >= 2.

    Returns:
        Float32 (h, w), about the grey levels of the clip, some beyond 0..255; the mean picture where nothing moves.

    Raises:
        InvalidValueError: fewer than two pictures, or no grey ones.
    """
    from scipy.ndimage import gaussian_filter

    _length(clip)
    if clip.ndim != 3:
        raise InvalidValueError("an active image is made of grey pictures", got=clip.shape, expected="(t, h, w)")
    real = clip.astype(np.float32)
    mean = real.mean(axis=0)
    activity = gaussian_filter(np.abs(np.diff(real, axis=0)).mean(axis=0), SMOOTH_PX)
    most = float(activity.max())
    share = np.clip(activity / most - QUIET, 0, None) / (1 - QUIET) if most > 1e-6 else np.zeros_like(mean)
    away = real - mean
    greatest = np.take_along_axis(away, np.abs(away).argmax(axis=0)[None], axis=0)[0]
    return np.asarray(mean + GAIN * share * greatest, np.float32)


def as_picture(values: NDArray[np.floating], percent: float = 0.5) -> NDArray[np.uint8]:
    """Values over 0..255 between two percentiles, uint8; 128 all over where they are all alike."""
    low, high = np.percentile(values, (percent, 100 - percent))
    if high - low < 1e-9:
        return np.full(values.shape, 128, np.uint8)
    return np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _length(clip: NDArray[np.number]) -> int:
    if clip.ndim < 3 or len(clip) < 2:
        raise InvalidValueError("no clip", got=f"shape {clip.shape}", expected="2 pictures or more, (t, h, w, ...)")
    return len(clip)
