"""What every spotter takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.named import find_named
from data_schemas.time import Int64Array
from modalities.face.eyes import Blink
from modalities.face.models import FloatArray, Picture

MICRO_S = 0.5
"""Longest micro-expression (Yan et al. 2013)."""
MACRO_S = 4.0
"""Longest macro-expression."""


@dataclass(frozen=True, eq=False)
class FaceSignals:
    """One face over n frames, neutral and head motion taken out.

    Attributes:
        times_ns: int64 (n,), strictly increasing; any frame rate, even a varying one.
        motion: Displacement of each of `regions.NAMES` from the person's neutral, percent of the inter-ocular
            distance (IOD), x to the person's left and y up, (n, regions, 2).
        lids: The same of the heights of upper and lower lid, right and left, (n, 2, 2).
        mouth: The same of the gap between the lips, (n,).
        angles: Yaw, pitch, roll in degrees, (n, 3).
        judged: Frames that can be used, bool (n,).
        blinks: Blinks, by onset.
        speaking: Where the mouth moves as in speech, bool (n,).
        reduced: By name of the spotter, what its reducer kept of each frame, (n, k).
    """

    times_ns: Int64Array
    motion: FloatArray
    lids: FloatArray
    mouth: FloatArray
    angles: FloatArray
    judged: NDArray[np.bool_]
    blinks: tuple[Blink, ...]
    speaking: NDArray[np.bool_]
    reduced: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Expression:
    """One spotted expression.

    Attributes:
        kind: "micro" or "macro".
        onset_ns: Start.
        apex_ns: Greatest movement.
        offset_ns: End.
        score: 0..1, the higher the surer; each spotter has its own threshold (`thresholds`; 0.5 where it names none).
        movement: Movement at the apex, percent of the IOD.
        aus: Intensity 0..1 of each action unit that takes part, strongest first.
        regions: Movement of the regions that moved most, percent of the IOD.
    """

    kind: Literal["micro", "macro"]
    onset_ns: int
    apex_ns: int
    offset_ns: int
    score: float
    movement: float
    aus: Mapping[str, float] = field(default_factory=dict)
    regions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Spotting:
    """What a spotter says: expressions by onset, and its evidence for one at each frame, 0..1, (n,)."""

    expressions: tuple[Expression, ...]
    evidence: FloatArray


class Reducer(Protocol):
    """Watches the aligned pictures of one face and keeps a few numbers of each, so that memory stays flat."""

    def add(self, patch: Picture, points: NDArray[np.float32], t_ns: int, number: int) -> None:
        """Take the next picture that shows the face; frames without a face are left out.

        Args:
            patch: Aligned picture, grey uint8 (s, s).
            points: Landmarks in it, x right and y down in pixels, (478, 2).
            t_ns: Its time; increases from call to call.
            number: Its frame number, counted over all frames of the video.
        """

    def finish(self, n: int) -> FloatArray:
        """What was kept, (n, k), one row for each frame of the video; 0 where there was no face.

        Args:
            n: Frames of the video.
        """


class Spotter(Protocol):
    """Finds expressions in the signals of one face."""

    name: str

    def reducer(self) -> Reducer | None:
        """A fresh reducer for one video, whose result `spot` finds in `FaceSignals.reduced`; None: needs nothing."""

    def spot(self, signals: FaceSignals) -> Spotting:
        """Expressions and evidence; frames that are not judged give none."""


def reducers_of(spotters: Iterable[Spotter]) -> dict[str, Reducer]:
    """Fresh reducers of those spotters that need one, by name."""
    made = {spotter.name: spotter.reducer() for spotter in spotters}
    return {name: reducer for name, reducer in made.items() if reducer is not None}


SPOTTERS: dict[str, str] = {
    "temporal": "modalities.face.spotting.temporal:TemporalSpotter",
    "regional": "modalities.face.spotting.regional:RegionalSpotter",
    "strain": "modalities.face.spotting.strain:StrainSpotter",
    "lbp": "modalities.face.spotting.lbp:LbpSpotter",
    "mdmd": "modalities.face.spotting.mdmd:MdmdSpotter",
    "hoof": "modalities.face.spotting.hoof:HoofSpotter",
    "cfd": "modalities.face.spotting.collaborative:CollaborativeSpotter",
    "riesz": "modalities.face.spotting.riesz:RieszSpotter",
    "pattern": "modalities.face.spotting.multiscale:PatternSpotter",
    "ltp-ml": "modalities.face.spotting.ltp:LtpSpotter",
    "hog-lstm": "modalities.face.spotting.recurrent_gradients:HogLstmSpotter",
    "higo-lstm": "modalities.face.spotting.recurrent_gradients:HigoLstmSpotter",
    "hoof-lstm": "modalities.face.spotting.recurrent_flow:HoofLstmSpotter",
    "time-contrast": "modalities.face.spotting.time_contrast:TimeContrastSpotter",
    "apex-frequency": "modalities.face.spotting.apex_spotter:FrequencyApexSpotter",
    "apex-lbp": "modalities.face.spotting.apex_spotter:LbpApexSpotter",
    "apex-cnn": "modalities.face.spotting.apex_spotter:CnnApexSpotter",
}
"""Name -> "module:Class", imported only when used."""


def load_spotter(name: str) -> Spotter:
    """The spotter of this name.

    Raises:
        InvalidValueError: unknown name; the message lists the known ones.
    """
    return cast(Spotter, find_named(SPOTTERS, name, "spotter")())
