"""The 88 functionals of eGeMAPS: one row of numbers for a stretch of speech.

Eyben et al. (2016), section 3: means and normalised deviations of all descriptors over their valid frames; percentiles
and slopes of pitch and loudness; the balance of the spectrum over voiced and over unvoiced frames apart; rates and
lengths of segments. A part of a contour rises or falls from one turning point to the next; smaller turns than a tenth
of the contour's range (5th to 95th percentile) are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from data_schemas.intervals import runs_of
from data_schemas.stream import Audio
from modalities.voice.activity import FRAMES_PER_S
from modalities.voice.egemaps import BACKENDS, Descriptors, egemaps_lld
from modalities.voice.egemaps_names import FUNCTIONAL_NAMES, LLD_NAMES, SPLIT, split_name

Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]

_PITCH, _LOUDNESS = "F0semitoneFrom27.5Hz_sma3nz", "Loudness_sma3"
_TURN_SHARE = 0.1


def egemaps_functionals(
    audio: Audio, channel: int | None = None, *, backend: str = "own", hook: Hook = silent
) -> dict[str, float]:
    """The 88 functionals of a whole recording, by their standard names.

    Args:
        audio: The stream of sound.
        channel: Which of its channels; None for their mean.
        backend: "own", or "opensmile" where that extra is installed.
        hook: Progress.

    Returns:
        Values in the order of `FUNCTIONAL_NAMES`; NaN where there is nothing to take one of (no voice at all).

    Raises:
        InvalidValueError: no such channel, no sample, or no such backend.
        MissingExtraError: openSMILE is not installed.
        UnreadableFileError: the file cannot be read.
    """
    if backend not in BACKENDS:
        raise InvalidValueError("no such backend of eGeMAPS", got=backend, expected=" or ".join(BACKENDS))
    if backend == "opensmile":
        from modalities.voice.egemaps_opensmile import functionals_of_opensmile

        return functionals_of_opensmile(audio, channel)
    return summarise(egemaps_lld(audio, channel, hook=hook))


def summarise(descriptors: Descriptors, within: Flags | None = None) -> dict[str, float]:
    """The 88 functionals of some frames.

    Args:
        descriptors: Low-level descriptors (n frames).
        within: Which frames to take (n,): a turn, the answers to one kind of question; all by default.
    """
    taken = np.ones(len(descriptors.voiced), bool) if within is None else within
    recorded = taken & descriptors.column(_LOUDNESS)[1]
    voiced, unvoiced = recorded & descriptors.voiced, recorded & ~descriptors.voiced
    out: dict[str, float] = {}
    for name in LLD_NAMES:
        values, valid = descriptors.column(name)
        stem = "loudness_sma3" if name == _LOUDNESS else name
        out |= _moments(stem, values[valid & taken])
        if name in (_PITCH, _LOUDNESS):
            out |= _shape(stem, values.astype(np.float64), valid & taken)
    for stem, name in SPLIT.items():
        values, _ = descriptors.column(name)
        out |= _moments(split_name(stem, "V"), values[voiced])
        out[f"{split_name(stem, 'UV')}_amean"] = _mean(values[unvoiced])
    out |= _segments(descriptors, recorded)
    return {name: out[name] for name in FUNCTIONAL_NAMES}


def _moments(stem: str, values: NDArray[np.floating]) -> dict[str, float]:
    mean = _mean(values)
    spread = float(np.std(values, dtype=np.float64)) / mean if len(values) and mean else float("nan")
    return {f"{stem}_amean": mean, f"{stem}_stddevNorm": spread}


def _shape(stem: str, values: Doubles, valid: Flags) -> dict[str, float]:
    """Percentiles and slopes of a contour; slopes per second, never across a break."""
    low, middle, high = np.percentile(values[valid], (20, 50, 80)) if valid.any() else (float("nan"),) * 3
    rising: list[float] = []
    falling: list[float] = []
    if valid.any():
        least = _TURN_SHARE * float(np.ptp(np.percentile(values[valid], (5, 95))))
        for first, stop in runs_of(valid):
            points = turning_points(values[first:stop], max(least, 1e-9))
            for start, end in pairwise(points):
                slope = (values[first + end] - values[first + start]) * FRAMES_PER_S / (end - start)
                (rising if slope > 0 else falling).append(float(slope))
    falling = [-slope for slope in falling]
    return {
        f"{stem}_percentile20.0": float(low),
        f"{stem}_percentile50.0": float(middle),
        f"{stem}_percentile80.0": float(high),
        f"{stem}_pctlrange0-2": float(high - low),
        f"{stem}_meanRisingSlope": _mean(np.array(rising)),
        f"{stem}_stddevRisingSlope": _std(np.array(rising)),
        f"{stem}_meanFallingSlope": _mean(np.array(falling)),
        f"{stem}_stddevFallingSlope": _std(np.array(falling)),
    }


def turning_points(values: Doubles, least: float) -> list[int]:
    """Indices of the ends and of alternating highs and lows that lie at least `least` apart."""
    points, direction, extreme = [0], 0, 0
    for at, value in enumerate(values.tolist()):
        since = value - float(values[extreme])
        if direction == 0:
            if abs(value - float(values[0])) >= least:
                direction, extreme = (1 if value > values[0] else -1), at
        elif since * direction >= 0:
            extreme = at
        elif abs(since) >= least:
            points.append(extreme)
            direction, extreme = -direction, at
    if direction:
        points.append(extreme)
    return points


def _segments(descriptors: Descriptors, recorded: Flags) -> dict[str, float]:
    seconds = np.count_nonzero(recorded) / FRAMES_PER_S
    loudness = descriptors.column(_LOUDNESS)[0].astype(np.float64)
    peaks = 0
    if recorded.any():
        least = _TURN_SHARE * float(np.ptp(np.percentile(loudness[recorded], (5, 95))))
        for first, stop in runs_of(recorded):
            part = loudness[first:stop]
            points = turning_points(part, max(least, 1e-9))
            peaks += sum(
                part[b] > part[a] and part[b] > part[c] for a, b, c in zip(points, points[1:], points[2:], strict=False)
            )
    voiced = _lengths(runs_of(recorded & descriptors.voiced))
    unvoiced = _lengths(runs_of(recorded & ~descriptors.voiced))
    level = descriptors.level_db[recorded].astype(np.float64)
    return {
        "loudnessPeaksPerSec": peaks / seconds if seconds else float("nan"),
        "VoicedSegmentsPerSec": len(voiced) / seconds if seconds else float("nan"),
        "MeanVoicedSegmentLengthSec": _mean(voiced),
        "StddevVoicedSegmentLengthSec": _std(voiced),
        "MeanUnvoicedSegmentLength": _mean(unvoiced),
        "StddevUnvoicedSegmentLength": _std(unvoiced),
        "equivalentSoundLevel_dBp": float(10 * np.log10(np.mean(10 ** (level / 10)))) if len(level) else float("nan"),
    }


def _lengths(found: Sequence[tuple[int, int]]) -> Doubles:
    return np.array([(stop - first) / FRAMES_PER_S for first, stop in found])


def _mean(values: NDArray[np.floating]) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")


def _std(values: NDArray[np.floating]) -> float:
    return float(np.std(values, dtype=np.float64)) if len(values) else float("nan")
