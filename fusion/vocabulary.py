"""What the transformer reads of each channel: fixed tables of features and of columns made from events.

The tables are part of the trained weights: a change here needs new weights, and a checkpoint made with other tables is
refused. A feature that an encoder gives and that is not listed is ignored; one that is listed and not given is masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_schemas.emotion import CHANNELS

Scale = Literal["person", "plain", "elapsed"]
FAMILIES = ("positive", "negative", "surprise", "other")
"""Families of facial expressions, by their action units (see `fusion.families`)."""


@dataclass(frozen=True, slots=True)
class ChannelTable:
    """Columns of one channel's tokens.

    Attributes:
        person: Features scaled against the person's own session (robust z-score).
        plain: Features that mean the same for everybody (0..1), taken as they are.
        elapsed: Times in seconds since something, taken on a logarithmic scale.
        events: Columns that `fusion.event_columns` makes from the channel's events.
    """

    person: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    elapsed: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Features of the track, in the order of the columns."""
        return (*self.person, *self.plain, *self.elapsed)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order: features of the track, then event columns."""
        return (*self.features, *(f"event:{name}" for name in self.events))

    def scale_of(self, feature: str) -> Scale:
        """How a feature of the track is scaled."""
        return "person" if feature in self.person else "plain" if feature in self.plain else "elapsed"


_EXPRESSIONS = tuple(f"{kind}_{family}" for kind in ("micro", "macro") for family in FAMILIES)

TABLES: dict[str, ChannelTable] = {
    "face": ChannelTable(
        person=(
            "au01", "au02", "au04", "au05", "au06", "au07", "au09", "au10", "au12_left", "au12_right", "au15", "au17",
            "au20", "au24", "au25", "au26", "au43", "eye_opening_left", "eye_opening_right", "mouth_opening",
            "yaw_deg", "pitch_deg", "roll_deg", "motion_upper", "motion_lower", "motion_left", "motion_right",
            "expression_score", "blink_rate", "face_size_px",
        ),
        plain=("confidence",),
        events=(*_EXPRESSIONS, "micro_strength", "macro_strength", "blink"),
    ),
    "voice": ChannelTable(
        person=(
            "pitch_hz", "intensity_db", "mel_mean_db", "mel_std_db", "spectral_centroid_hz",
            "spectral_tilt_db_per_octave", "syllable_rate_hz",
        ),
        plain=("speech", "voicing", "talking_share"),
        events=("speech_turn", "pause"),
    ),
    "body": ChannelTable(
        person=(
            "movement_energy", "pixel_motion", "left_hand_speed", "right_hand_speed", "hand_face_distance_left",
            "hand_face_distance_right", "trunk_lean_deg", "shoulder_tilt_deg", "head_tilt_deg", "posture_openness",
        ),
        plain=("hand_to_face", "confidence"),
        events=("gesture", "hand_to_face"),
    ),
    "physiology": ChannelTable(
        person=(
            "heart_rate_bpm", "rmssd_ms", "eda_tonic_us", "eda_phasic_us", "scr_rate", "respiration_rate_bpm",
            "temperature_degc",
        ),
        plain=("ecg_quality",),
        events=("scr_onset", "scr_amplitude"),
    ),
    "context": ChannelTable(
        plain=(
            "question", "stimulus", "baseline", "expected_negative", "expected_positive", "expected_surprise",
            "expected_neutral",
        ),
        elapsed=("since_question_s", "since_stimulus_s"),
        events=("cue_onset",),
    ),
}  # fmt: skip
"""One table per channel, in the order of `data_schemas.emotion.CHANNELS`."""

WIDTHS: dict[str, int] = {channel: len(TABLES[channel].columns) for channel in CHANNELS}
"""Number of columns of each channel's tokens."""
