"""eGeMAPS as openSMILE computes it, behind the same names; an optional extra that is not free for commercial use."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingExtraError
from data_schemas.stream import Audio
from modalities.voice.egemaps import Descriptors
from modalities.voice.egemaps_names import FUNCTIONAL_NAMES, LLD_NAMES, VOICED_NAMES

_SHORTEST_S = 0.1
_HOP_S = 0.01
"""openSMILE's hop is a whole number of samples (10.02 ms at 22.05 kHz), whatever the times it prints say."""


def lld_of_opensmile(audio: Audio, channel: int | None) -> Descriptors:
    """See `egemaps.egemaps_lld`. Holds the whole recording in memory, as openSMILE does.

    The time of a frame is the middle of its 20 ms; the descriptors of voice look at 60 ms that begin with it.
    """
    values, starts = _process(audio, channel, "LowLevelDescriptors", LLD_NAMES)
    centres = audio.times_of(np.rint((starts + 0.01) * audio.rate_hz).astype(np.int64))
    voiced = values[:, LLD_NAMES.index("F0semitoneFrom27.5Hz_sma3nz")] > 0
    valid = np.ones(values.shape, bool)
    for name in VOICED_NAMES:
        valid[:, LLD_NAMES.index(name)] = voiced
    level = np.full(len(values), np.nan, np.float32)
    return Descriptors(centres, values, valid, voiced, level)


def functionals_of_opensmile(audio: Audio, channel: int | None) -> dict[str, float]:
    """See `egemaps_functionals.egemaps_functionals`."""
    values, _ = _process(audio, channel, "Functionals", FUNCTIONAL_NAMES)
    return dict(zip(FUNCTIONAL_NAMES, values[0].tolist(), strict=True))


def _process(
    audio: Audio, channel: int | None, level: str, names: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The table of one level, columns as `names`, and the starts of its rows in seconds."""
    smile = _library()
    sound = audio.source(0, audio.axis.n)
    if channel is not None and not 0 <= channel < audio.channels:
        raise InvalidValueError(
            "the sound has no such channel", stream=audio.info.name, got=channel, expected=f"0 to {audio.channels - 1}"
        )
    mono = sound.mean(axis=1) if channel is None else sound[:, channel]
    if len(mono) < _SHORTEST_S * audio.rate_hz:
        raise InvalidValueError(
            "too little sound for eGeMAPS", stream=audio.info.name, expected=f"at least {_SHORTEST_S} s"
        )
    extractor = smile.Smile(feature_set=smile.FeatureSet.eGeMAPSv02, feature_level=getattr(smile.FeatureLevel, level))
    table = extractor.process_signal(np.nan_to_num(mono).astype(np.float32), round(audio.rate_hz))
    step = np.floor(_HOP_S * audio.rate_hz + 0.5) / audio.rate_hz
    return table[list(names)].to_numpy(np.float32), step * np.arange(len(table))


def _library() -> ModuleType:
    try:
        import opensmile
    except ImportError as error:
        raise MissingExtraError(
            "openSMILE is not installed",
            mend="Install the extra: python -m pip install 'telltale[egemaps]' (its licence allows research only).",
        ) from error
    return opensmile
