"""The 25 low-level descriptors and 88 functionals of eGeMAPS under their standard names.

Eyben et al. (2016), "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
computing", IEEE Trans. Affective Computing 7(2), 190-202; computed here from the paper's definitions. openSMILE, the
reference implementation, gives the same tables where it is installed (`backend="opensmile"`); its licence allows
research only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.features import Track
from data_schemas.hook import Hook, silent
from data_schemas.stream import Audio
from data_schemas.time import Int64Array
from modalities.voice.analysis import Voice, analyse
from modalities.voice.egemaps_names import LLD_NAMES

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

BACKENDS = ("own", "opensmile")
LOWEST_SEMITONE_HZ = 27.5
_NEAR_NS = 10_000_000


@dataclass(frozen=True)
class Descriptors:
    """The low-level descriptors of a recording, a frame every 10 ms.

    Attributes:
        times_ns: Middles of the frames on the stream's clock (n,).
        values: Columns as `LLD_NAMES`, units as `EGEMAPS_UNITS`; 0 where not valid (n, 25).
        valid: False where a descriptor of voice has no voice to describe, or nothing was recorded (n, 25).
        voiced: Where there is pitch (n,).
        level_db: Mean power of each frame, dB re full scale (n,).
    """

    times_ns: Int64Array
    values: Floats
    valid: Flags
    voiced: Flags
    level_db: Floats

    def column(self, name: str) -> tuple[Floats, Flags]:
        """Values and validity of one descriptor, (n,) each."""
        at = LLD_NAMES.index(name)
        return self.values[:, at], self.valid[:, at]

    def at(self, times_ns: Int64Array) -> Descriptors:
        """The descriptors nearest to some times (m,), not valid where none is within 10 ms."""
        right = np.clip(np.searchsorted(self.times_ns, times_ns), 0, len(self.times_ns) - 1)
        left = np.maximum(right - 1, 0)
        closer = np.abs(self.times_ns[left] - times_ns) <= np.abs(self.times_ns[right] - times_ns)
        nearest = np.where(closer, left, right)
        near = np.abs(self.times_ns[nearest] - times_ns) <= _NEAR_NS
        return Descriptors(
            times_ns,
            self.values[nearest],
            self.valid[nearest] & near[:, None],
            self.voiced[nearest] & near,
            self.level_db[nearest],
        )

    @classmethod
    def of_track(cls, track: Track) -> Descriptors:
        """The descriptors in the track of a voice encoder that ran with the setting `egemaps`.

        Raises:
            InvalidValueError: it ran without.
        """
        if not set(LLD_NAMES) <= set(track.names):
            raise InvalidValueError("the track holds no eGeMAPS descriptors", expected="the setting egemaps = true")
        first = track.names.index(LLD_NAMES[0])
        values, valid = track.values[:, first : first + 25], track.valid[:, first : first + 25]
        voiced = valid[:, LLD_NAMES.index("F0semitoneFrom27.5Hz_sma3nz")]
        return cls(track.times_ns, values, valid, voiced, track.column("intensity_db")[0])


def egemaps_lld(audio: Audio, channel: int | None = None, *, backend: str = "own", hook: Hook = silent) -> Descriptors:
    """The 25 low-level descriptors.

    Args:
        audio: The stream of sound.
        channel: Which of its channels; None for their mean.
        backend: "own", or "opensmile" where that extra is installed.
        hook: Progress.

    Raises:
        InvalidValueError: no such channel, no sample, or no such backend.
        MissingExtraError: openSMILE is not installed.
        UnreadableFileError: the file cannot be read.
    """
    if backend not in BACKENDS:
        raise InvalidValueError("no such backend of eGeMAPS", got=backend, expected=" or ".join(BACKENDS))
    if audio.axis.n == 0:
        raise InvalidValueError("the stream holds no sound", stream=audio.info.name)
    if backend == "opensmile":
        from modalities.voice.egemaps_opensmile import lld_of_opensmile

        return lld_of_opensmile(audio, channel)
    return describe(analyse(audio, channel, hook, harmonics=True))


def describe(voice: Voice) -> Descriptors:
    """The descriptors of a stream that was analysed with `harmonics=True`.

    Raises:
        InvalidValueError: it was analysed without.
    """
    detail = voice.detail
    if detail.short is None or detail.harmonics is None:
        raise InvalidValueError("eGeMAPS needs an analysis with harmonics", expected="analyse(..., harmonics=True)")
    able, voiced = ~voice.silent & ~voice.gap, voice.voiced & ~voice.gap
    semitones = 12 * np.log2(np.maximum(voice.pitch_hz, LOWEST_SEMITONE_HZ) / LOWEST_SEMITONE_HZ)
    columns = [(voice.rows.ear[:, at], able) for at in range(6)]
    columns += [(voice.rows.mfcc[:, at], able) for at in range(4)]
    columns += [(semitones, voiced)]
    columns += [(detail.short[:, at], voiced & (detail.short[:, at] >= 0)) for at in range(2)]
    third = voiced & (detail.formants_hz[:, 2] > 0)
    columns += [(detail.harmonics[:, at], third if at == 2 else voiced) for at in range(3)]
    for at in range(3):
        there = voiced & (detail.formants_hz[:, at] > 0)
        columns += [(detail.formants_hz[:, at], there), (detail.widths_hz[:, at], there)]
        columns += [(detail.harmonics[:, 3 + at], there)]
    smooth = [_mean_of_3(np.asarray(values, np.float64), ok) for values, ok in columns]
    valid = np.stack([ok for _, ok in columns], axis=1)
    return Descriptors(voice.times_ns, np.stack(smooth, axis=1), valid, voiced, voice.rows.intensity_db)


def _mean_of_3(values: NDArray[np.float64], valid: Flags) -> Floats:
    """Mean over each frame and its two neighbours, as far as they are valid; 0 where the frame itself is not."""
    total = np.convolve(np.where(valid, values, 0), np.ones(3), "same")[: len(values)]
    count = np.convolve(valid, np.ones(3), "same")[: len(values)]
    return np.where(valid, total / np.maximum(count, 1), 0).astype(np.float32)
