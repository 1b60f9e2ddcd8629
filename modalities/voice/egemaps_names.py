"""Standard names of eGeMAPS (v02): 25 low-level descriptors and 88 functionals; Eyben et al. (2016), tables 1 and 2."""

from __future__ import annotations

_FORMANTS = {
    f"F{number}{what}_sma3nz": unit
    for number in (1, 2, 3)
    for what, unit in (("frequency", "Hz"), ("bandwidth", "Hz"), ("amplitudeLogRelF0", "dB"))
}

EGEMAPS_UNITS: dict[str, str] = {
    "Loudness_sma3": "1",
    "alphaRatio_sma3": "dB",
    "hammarbergIndex_sma3": "dB",
    "slope0-500_sma3": "dB/Hz",
    "slope500-1500_sma3": "dB/Hz",
    "spectralFlux_sma3": "1",
    "mfcc1_sma3": "1",
    "mfcc2_sma3": "1",
    "mfcc3_sma3": "1",
    "mfcc4_sma3": "1",
    "F0semitoneFrom27.5Hz_sma3nz": "semitone",
    "jitterLocal_sma3nz": "1",
    "shimmerLocaldB_sma3nz": "dB",
    "HNRdBACF_sma3nz": "dB",
    "logRelF0-H1-H2_sma3nz": "dB",
    "logRelF0-H1-A3_sma3nz": "dB",
    **_FORMANTS,
}
"""The 25 low-level descriptors in their standard order, each with its unit. "sma3": mean over 3 frames; "nz": only
voiced frames, 0 elsewhere."""

LLD_NAMES = tuple(EGEMAPS_UNITS)
VOICED_NAMES = tuple(name for name in LLD_NAMES if name.endswith("nz"))
"""Descriptors that exist only where there is voice."""

_PITCH = "F0semitoneFrom27.5Hz_sma3nz"
_MOMENTS = ("amean", "stddevNorm")
_SHAPE = (
    *_MOMENTS,
    "percentile20.0",
    "percentile50.0",
    "percentile80.0",
    "pctlrange0-2",
    "meanRisingSlope",
    "stddevRisingSlope",
    "meanFallingSlope",
    "stddevFallingSlope",
)
SPLIT = {
    "alphaRatio": "alphaRatio_sma3",
    "hammarbergIndex": "hammarbergIndex_sma3",
    "slope{}0-500": "slope0-500_sma3",
    "slope{}500-1500": "slope500-1500_sma3",
    "spectralFlux": "spectralFlux_sma3",
    "mfcc1": "mfcc1_sma3",
    "mfcc2": "mfcc2_sma3",
    "mfcc3": "mfcc3_sma3",
    "mfcc4": "mfcc4_sma3",
}
"""Descriptors whose functionals are also taken over voiced frames, or over unvoiced ones, alone."""
_UNVOICED = tuple(SPLIT)[:5]


def split_name(stem: str, part: str) -> str:
    """Name of a descriptor over voiced ("V") or unvoiced ("UV") frames."""
    return f"{stem.format(part)}_sma3nz" if "{}" in stem else f"{stem}{part}_sma3nz"


FUNCTIONAL_NAMES: tuple[str, ...] = (
    *(f"{_PITCH}_{what}" for what in _SHAPE),
    *(f"loudness_sma3_{what}" for what in _SHAPE),
    *(f"{name}_{what}" for name in LLD_NAMES[5:10] for what in _MOMENTS),
    *(f"{name}_{what}" for name in LLD_NAMES[11:] for what in _MOMENTS),
    *(f"{split_name(stem, 'V')}_{what}" for stem in SPLIT for what in _MOMENTS),
    *(f"{split_name(stem, 'UV')}_amean" for stem in _UNVOICED),
    "loudnessPeaksPerSec",
    "VoicedSegmentsPerSec",
    "MeanVoicedSegmentLengthSec",
    "StddevVoicedSegmentLengthSec",
    "MeanUnvoicedSegmentLength",
    "StddevUnvoicedSegmentLength",
    "equivalentSoundLevel_dBp",
)
"""The 88 functionals in their standard order."""
