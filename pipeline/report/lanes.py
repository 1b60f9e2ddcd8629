"""The lanes of a page: which features and events are drawn together, in which order, and which are open at first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_schemas.event import Event
from pipeline.report.decimation import MAX_POINTS as MAX_POINTS
from pipeline.report.decimation import decimate as decimate

if TYPE_CHECKING:
    import pyarrow as pa

BLUE, RED, GREEN, ORANGE = "#3f7fd0", "#d6483f", "#2f9e62", "#d98a29"
PURPLE, TEAL, PINK, GREY = "#9068c4", "#1f9aa3", "#cf5f9b", "#8a8f98"
_CYCLE = (BLUE, RED, GREEN, ORANGE, PURPLE, TEAL, PINK, GREY)
_FEELINGS = (("negative", RED), ("positive", GREEN), ("surprise", ORANGE), ("neutral", GREY))
_UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "24", "25", "26")

Line = tuple[str, str, str]
"""Feature of the lane's channel, its short name, its colour."""


@dataclass(frozen=True)
class Lane:
    """Some features and events of one channel over time.

    Attributes:
        id: Unique, of letters, digits and underscores.
        channel: Prefix of the columns.
        title: Heading.
        lines: Features drawn from the start.
        more: Features that can be switched on.
        kinds: Kinds of the channel's events drawn above the lines.
        style: "lines", "heat" (one row per feature), or "events" (no lines at all).
        band: Feature drawn as the width of a band around the first line.
        low: Least lower end of the axis; None follows the data.
        high: Least upper end of the axis.
        height: Of the drawing, px.
        open: Whether it is drawn before somebody asks.
        seldom: Whether it is left out where none of its events was found.
    """

    id: str
    channel: str
    title: str
    lines: tuple[Line, ...] = ()
    more: tuple[Line, ...] = ()
    kinds: tuple[str, ...] = ()
    style: str = "lines"
    band: str = ""
    low: float | None = None
    high: float | None = None
    height: int = 72
    open: bool = True
    seldom: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """All features that may be drawn."""
        return tuple(name for name, _, _ in (*self.lines, *self.more)) + ((self.band,) if self.band else ())


LANES: tuple[Lane, ...] = (
    Lane("concealed", "fused", "Concealed", (("concealed", "concealed", RED),),
         (("uncertainty", "uncertainty", GREY),), ("incongruence",), band="uncertainty", low=0, high=1, height=96),
    Lane("cit", "fused", "Response to the concealed item", (("cit_response", "probability", PURPLE),),
         (("cit_uncertainty", "uncertainty", GREY),), ("cit_response",), low=0, high=1, height=56,
         seldom=True),
    Lane("felt", "fused", "Felt", tuple((f"felt_{name}", name, colour) for name, colour in _FEELINGS), low=0, high=1),
    Lane("shown", "fused", "Shown", tuple((f"shown_{name}", name, colour) for name, colour in _FEELINGS),
         low=0, high=1),
    Lane("shares", "fused", "What it rests on",
         (("share_face", "face", BLUE), ("share_voice", "voice", ORANGE), ("share_body", "body", GREEN),
          ("share_physiology", "physiology", RED), ("share_context", "context", GREY)), low=0, high=1, open=False),
    Lane("cues", "context", "Context cues", (), (("expected_negative", "expected negative", RED),
         ("expected_positive", "expected positive", GREEN), ("expected_surprise", "expected surprise", ORANGE),
         ("stakes", "stakes", PURPLE)), ("cue",), "events", height=40),
    Lane("expressions", "face", "Expressions", (("expression_score", "evidence", BLUE),), (), ("micro", "macro")),
    Lane("units", "face", "Action units", tuple((f"au{n}", f"AU{int(n)}", BLUE) for n in _UNITS), style="heat",
         low=0, high=1, height=190),
    Lane("asymmetry", "face", "Asymmetry", (("asymmetry_upper", "upper face", BLUE),
         ("asymmetry_lower", "lower face", ORANGE)), (("asymmetry", "whole face", PURPLE),), low=-1, high=1,
         open=False),
    Lane("eyes", "face", "Eyes and blinks", (("eye_opening_left", "left", BLUE), ("eye_opening_right", "right", TEAL)),
         (("au43", "closure", PURPLE),), ("blink",), low=0),
    Lane("gaze", "face", "Gaze", (("gaze_yaw_deg", "to the left", BLUE), ("gaze_pitch_deg", "up", ORANGE)), (),
         ("gaze_shift",)),
    Lane("head", "face", "Head",
         (("yaw_deg", "turn", BLUE), ("pitch_deg", "tilt", ORANGE), ("roll_deg", "lean", GREEN)), open=False),
    Lane("pupil", "face", "Pupil", (("pupil_ratio", "pupil over iris", PURPLE),), open=False),
    Lane("face_quality", "face", "How well the face is seen", (("confidence", "confidence", GREY),),
         (("covered", "covered", RED),), low=0, high=1, open=False),
    Lane("pitch", "voice", "Pitch and speech turns", (("pitch_hz", "pitch", BLUE),), (),
         ("speech_turn", "pause", "filled_pause")),
    Lane("loudness", "voice", "Loudness", (("intensity_db", "level", TEAL),), open=False),
    Lane("rate", "voice", "Speech rate", (("syllable_rate_hz", "syllables", BLUE),), open=False),
    Lane("voice_quality", "voice", "Voice quality", (("hnr_db", "harmonics to noise", GREEN),
         ("shimmer_db", "shimmer", ORANGE)), open=False),
    Lane("movement", "body", "Body and gestures", (("movement_energy", "whole body", GREEN),),
         (("left_hand_speed", "left hand", BLUE), ("right_hand_speed", "right hand", ORANGE)),
         ("gesture", "hand_to_face"), low=0),
    Lane("posture", "body", "Posture", (("trunk_lean_deg", "trunk", GREEN), ("shoulder_tilt_deg", "shoulders", BLUE),
         ("head_tilt_deg", "head", ORANGE)), open=False),
    Lane("heart", "physiology", "Heart rate", (("heart_rate_bpm", "heart rate", RED),), (), ("r_peak",)),
    Lane("variability", "physiology", "Heart rate variability", (("rmssd_ms", "RMSSD", RED), ("sdnn_ms", "SDNN", PINK)),
         open=False),
    Lane("skin", "physiology", "Skin conductance, phasic", (("eda_phasic_us", "phasic", PURPLE),), (), ("scr",)),
    Lane("skin_level", "physiology", "Skin conductance, level", (("eda_tonic_us", "tonic", PURPLE),), open=False),
    Lane("breath", "physiology", "Breathing", (("respiration_rate_bpm", "breaths", TEAL),), open=False),
    Lane("temperature", "physiology", "Skin temperature", (("temperature_degc", "temperature", ORANGE),), open=False),
    Lane("reactions", "physiology", "Reactions to cues", (), (), ("reaction",), "events", height=34, open=False),
)  # fmt: skip
_MOST_OWN = 8
"""So many features of a channel that is not in the table above."""


def lanes_of(schema: pa.Schema, events: Iterable[Event]) -> list[Lane]:
    """The lanes of a result: those of the table that it has, and one for each channel and kind that the table lacks.

    Args:
        schema: Of the timeline.
        events: All events.
    """
    import pyarrow as pa

    columns = {field.name for field in schema if pa.types.is_floating(field.type)}
    kinds = sorted({(event.channel, event.kind) for event in events})
    found = [lane for known in LANES if (lane := _as_it_is(known, columns, kinds)) is not None]
    channels = dict.fromkeys(name.split(".", 1)[0] for name in (*columns, *(f"{channel}." for channel, _ in kinds)))
    for channel in sorted(channels):
        if all(lane.channel != channel for lane in LANES):
            own = [name.split(".", 1)[1] for name in sorted(columns) if name.startswith(f"{channel}.")]
            lines = [(name, name, _CYCLE[at % len(_CYCLE)]) for at, name in enumerate(_measured(own)[:_MOST_OWN])]
            said = tuple(kind for place, kind in kinds if place == channel)
            style = "lines" if lines else "events"
            found.append(Lane(f"own_{len(found)}", channel, channel, tuple(lines), (), said, style))
            continue
        drawn = {kind for lane in LANES if lane.channel == channel for kind in lane.kinds}
        rest = tuple(kind for place, kind in kinds if place == channel and kind not in drawn)
        if rest:
            title = f"Further events: {channel}"
            found.append(Lane(f"rest_{channel}", channel, title, (), (), rest, "events", height=34))
    return found


def _measured(names: Sequence[str]) -> list[str]:
    return [name for name in names if not name.endswith("_z")]


def _as_it_is(lane: Lane, columns: set[str], kinds: Sequence[tuple[str, str]]) -> Lane | None:
    """The lane without the features that the timeline lacks; None where nothing of it is there."""
    from dataclasses import replace

    lines = tuple(line for line in lane.lines if f"{lane.channel}.{line[0]}" in columns)
    more = tuple(line for line in lane.more if f"{lane.channel}.{line[0]}" in columns)
    happened = any((lane.channel, kind) in kinds for kind in lane.kinds)
    if not happened and (lane.seldom or not (lines or more)):
        return None
    band = lane.band if f"{lane.channel}.{lane.band}" in columns else ""
    return replace(lane, lines=lines, more=more, band=band)


def as_json(lane: Lane) -> dict[str, Any]:
    """What the page knows of a lane."""
    tracks = [
        {"column": f"{lane.channel}.{name}", "name": short, "colour": colour, "on": shown}
        for group, shown in ((lane.lines, True), (lane.more, False))
        for name, short, colour in group
    ]
    return {
        "id": lane.id, "channel": lane.channel, "title": lane.title, "tracks": tracks, "kinds": list(lane.kinds),
        "style": lane.style, "band": f"{lane.channel}.{lane.band}" if lane.band else None, "low": lane.low,
        "high": lane.high, "height": lane.height, "open": lane.open,
    }  # fmt: skip
