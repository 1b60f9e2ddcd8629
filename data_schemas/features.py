"""Tracks, encodings and the specs that encoders declare and are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import EncoderOutputError, InvalidValueError
from data_schemas.event import Event
from data_schemas.result import Problem
from data_schemas.time import Int64Array

REASONS: dict[str, str] = {
    "": "valid",
    "no_stream": "the session has no such stream for this person, or it could not be read",
    "gap": "the stream has no data here",
    "no_face": "no face was found",
    "too_small": "the face is too small in the picture to judge it",
    "turned_away": "the head is turned too far to judge the face; its angles are still given",
    "too_dark": "too little light or contrast to judge the face",
    "too_bright": "too much of the face is overexposed",
    "blurred": "out of focus or blurred by motion",
    "occluded": "a hand or an object covers part of the face",
    "unsure_who": "a face is in view that could be one of several people; the warnings ask about it",
    "no_body": "no body was found",
    "silent": "digital silence",
    "unvoiced": "no voiced speech here",
    "electrode_off": "flat or saturated signal",
    "noise": "too noisy to judge",
    "too_short": "too little signal to compute this",
    "encoder_failed": "the encoder stopped with an error; see problems",
}
"""Every reason that a cell of a track or timeline can be null for."""


Join = Literal["linear", "angle", "nearest", "exact", "event", "hold"]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column that an encoder writes.

    Attributes:
        name: Lower-case name without the channel ("heart_rate_bpm").
        unit: "bpm", "Hz", "uS", "deg", "1" for a bare number.
        description: One line for the user.
        low: Smallest possible value; None for unbounded.
        high: Greatest possible value; None for unbounded.
        join: How it is brought to another time grid (`sync.resample.to_grid`): "linear", "angle" (degrees), "nearest"
            (integers and labels), "exact" (labels of their own moment), "event" (counts) or "hold" (states).
        source: Paper or library that defines it.
    """

    name: str
    unit: str
    description: str
    low: float | None = None
    high: float | None = None
    join: Join = "linear"
    source: str = ""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What an encoder takes and gives; its output is checked against this.

    Attributes:
        name: Name in the registry.
        version: Changes whenever its numbers change.
        channel: "face", "voice", "body", "physiology", "context".
        inputs: Stream kinds it can use; it is run when at least one is there.
        features: Columns of its track, in order.
        event_kinds: Kinds of events it may give.
        max_gap_s: Longest distance of track samples across which the grid join may interpolate.
    """

    name: str
    version: str
    channel: str
    inputs: tuple[str, ...]
    features: tuple[FeatureSpec, ...]
    event_kinds: tuple[str, ...] = ()
    max_gap_s: float = 0.5

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        return tuple(feature.name for feature in self.features)


@dataclass(frozen=True, eq=False)
class Track:
    """Features over time for one person and channel, on the session clock.

    Attributes:
        times_ns: int64, shape (n,), strictly increasing.
        names: f feature names.
        values: float32, shape (n, f); the value of an invalid cell means nothing (0 by convention).
        valid: bool, shape (n, f).
        reason: object array of str, shape (n,): why the sample cannot be judged, "" where it can. Cells that describe
            the picture and not the person (the angles of a head that is turned away) may be valid nevertheless.
    """

    times_ns: Int64Array
    names: tuple[str, ...]
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    reason: NDArray[np.object_]

    def __post_init__(self) -> None:
        n, f = len(self.times_ns), len(self.names)
        if self.values.shape != (n, f) or self.valid.shape != (n, f) or self.reason.shape != (n,):
            raise InvalidValueError(
                "the arrays of a track do not fit together",
                got=(self.values.shape, self.valid.shape, self.reason.shape),
                expected=((n, f), (n, f), (n,)),
            )
        if n > 1 and np.any(np.diff(self.times_ns) <= 0):
            raise InvalidValueError("track times must strictly increase")
        usable = self.valid & np.isfinite(self.values)
        # A view of a larger array would keep all of that in memory for as long as the track is.
        object.__setattr__(self, "times_ns", np.array(self.times_ns, np.int64))
        object.__setattr__(self, "valid", usable)
        object.__setattr__(self, "values", np.where(usable, self.values, 0).astype(np.float32, copy=False))

    @classmethod
    def empty(cls, names: tuple[str, ...]) -> Track:
        """A track without a sample."""
        shape = (0, len(names))
        return cls(
            np.zeros(0, np.int64), names, np.zeros(shape, np.float32), np.zeros(shape, bool), np.zeros(0, object)
        )

    def column(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values and validity of one feature, each shape (n,)."""
        at = self.names.index(name)
        return self.values[:, at], self.valid[:, at]


@dataclass(frozen=True)
class Encoding:
    """What one encoder says of one person: a track, events, and how good its signal was.

    Attributes:
        spec: The encoder's declaration.
        person: Whom it concerns.
        track: Features over time.
        events: Events in order of onset.
        quality: Summary figures for the report, JSON-serialisable (e.g. {"face_found": 0.98}).
        streams: Names of the streams it read.
        parameters: Settings it ran with, JSON-serialisable.
        warnings: What a user should know, in plain sentences.
        problems: What more than a sentence is known of: what only the user can tell, with the lines of the manifest
            that tell it; what failed in the machine while a stream was read.
    """

    spec: EncoderSpec
    person: str
    track: Track
    events: tuple[Event, ...] = ()
    quality: Mapping[str, Any] = field(default_factory=dict)
    streams: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def check(self) -> Encoding:
        """Return self if it keeps to its spec.

        Raises:
            EncoderOutputError: wrong columns, values outside the declared range, undeclared events or reasons.
        """
        if self.track.names != self.spec.feature_names:
            raise EncoderOutputError(
                f"encoder '{self.spec.name}' gave other columns than it declares",
                got=self.track.names,
                expected=self.spec.feature_names,
            )
        for feature in self.spec.features:
            values, valid = self.track.column(feature.name)
            seen = values[valid]
            if not seen.size:
                continue
            slack = 1e-4 * max(1.0, abs(feature.low or 0), abs(feature.high or 0))
            too_low = feature.low is not None and seen.min() < feature.low - slack
            too_high = feature.high is not None and seen.max() > feature.high + slack
            if too_low or too_high:
                raise EncoderOutputError(
                    f"encoder '{self.spec.name}' gave {feature.name} outside its declared range",
                    got=f"{seen.min():g} to {seen.max():g} {feature.unit}",
                    expected=f"{feature.low} to {feature.high}",
                )
        odd = {event.kind for event in self.events} - set(self.spec.event_kinds)
        if odd:
            raise EncoderOutputError(
                f"encoder '{self.spec.name}' gave undeclared events",
                got=sorted(odd),
                expected=self.spec.event_kinds,
            )
        unknown = set(np.unique(self.track.reason.astype(str))) - set(REASONS)
        if unknown:
            raise EncoderOutputError(
                f"encoder '{self.spec.name}' gave unknown reasons", got=sorted(unknown), expected=sorted(REASONS)
            )
        return self
