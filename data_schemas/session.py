"""The session manifest: what was recorded, of whom, with what consent, on which clocks. Stored as `session.toml`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_schemas.camera import Camera, Pose

STREAM_KINDS: dict[str, str] = {
    "face_rgb": "colour video of a face",
    "face_nir": "near-infrared video of a face (mono, 8 or 16 bit)",
    "face_depth": "depth video of a face (16 bit; depth_scale_m gives metres per unit)",
    "body_video": "colour video of the body",
    "audio": "sound; speech is looked for in it",
    "ecg": "electrocardiogram",
    "eda": "electrodermal activity (skin conductance)",
    "respiration": "breathing belt or flow",
    "ppg": "photoplethysmogram (BVP)",
    "temperature": "skin temperature",
    "acceleration": "accelerometer axes",
    "sync_audio": "sound for clocks only, no speech is looked for: a camera's own track, LTC timecode",
    "gaze": "an eye tracker's gaze, in degrees or pixels of a screen; replaces the video's estimate",
    "pupil": "an eye tracker's pupils, in mm; replaces the video's estimate",
    "pulse": "voltage of a trigger, TTL, photosensor or sound-borne pulse; its steps are events",
    "markers": "table or stream of events that devices share",
    "cues": "table of context: questions, stimuli, conditions, baseline",
    "ignore": "listed but not read",
}

NOBODYS_KINDS = ("markers", "pulse", "sync_audio", "cues", "ignore")
"""Kinds that may record nobody in particular."""
CUE_NAMES = ("markers", "sound", "motion", "ltc", "flash", "frame_index", "wall")
"""What two streams may share that relates their clocks."""

Alignment = Literal[
    "offset", "markers", "sound", "motion", "ltc", "flash", "frame_index", "wall", "pairs", "lsl", "assumed"
]  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Consent(_Strict):
    """What the recorded people agreed to. Without "analyse" in the scope nothing is analysed."""

    scope: tuple[Literal["analyse", "share", "train"], ...] = ()
    date: dt.date | None = Field(default=None, description="day on which consent was given")
    expires: dt.date | None = Field(default=None, description="first day on which it no longer holds")


class Person(_Strict):
    """Somebody recorded in the session; others in view are neither tracked nor stored."""

    id: Name
    role: str = ""
    sex: str = ""
    age_group: str = ""
    culture: str = ""


class Clock(_Strict):
    """How one device's clock relates to the session clock: session = (1 + drift) * device + offset."""

    reference: bool = Field(False, description="this clock is the session clock")
    align: Alignment = Field(
        "assumed",
        description="offset: as stated here; markers, sound, motion, ltc, flash, frame_index: by what two streams, "
        "own and against, both recorded (events, sound, movement, timecode, an LED, frame numbers); wall: by the start "
        "times that the files of own and against state, good to seconds; pairs: by pairs of clock readings; "
        "lsl: by the XDF's clock offsets; assumed: nobody has said, so device zero is taken as "
        "session zero and the report warns",
    )
    offset_s: float = Field(0.0, description="session time of the device's time zero, seconds")
    drift_ppm: float = Field(0.0, ge=-10_000, le=10_000, description="how much slow the device runs, parts per million")
    own: Name | None = Field(None, description="align by a cue: the stream on this clock that recorded it")
    against: Name | None = Field(None, description="align by a cue: the stream on another clock that recorded it too")
    pairs: list[tuple[float, float]] = Field(
        default_factory=list, description="align = pairs: readings [of this clock, of the session clock], seconds"
    )
    tolerance_ms: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _cues_need_two_streams(self) -> Self:
        if self.align in CUE_NAMES and not (self.own and self.against):
            raise ValueError(
                f'align = "{self.align}" needs own = "<stream of this clock>" and against = "<stream of another>"'
            )
        if self.align == "pairs" and not self.pairs:
            raise ValueError('align = "pairs" needs pairs = [[reading of this clock, of the session clock], ...]')
        if self.reference and self.align in (*CUE_NAMES, "pairs"):
            raise ValueError("the reference clock cannot be aligned to another one")
        return self


class EvidenceEntry(_Strict):
    """Two streams that recorded the same: further evidence, or a check of what the clocks are aligned by."""

    own: Name
    against: Name
    by: Literal["markers", "sound", "motion", "ltc", "flash", "frame_index", "wall"]


class Region(_Strict):
    """Part of a picture, in pixels of the stored picture before rotation: split screens, one of two people."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class SeatEntry(_Strict):
    """The answer to a question of `analyze`: who was where in a video of several people."""

    time_s: float = Field(description="session time, as the question has it")
    person: Name
    x: float | None = Field(
        None, ge=0, le=1, description="middle of the face, share of the picture's width; may be left out for one face"
    )


class ScreenEntry(_Strict):
    """How the pixels of an eye tracker's gaze lie in front of the person."""

    width_px: float = Field(gt=0, description="width of the screen in pixels")
    width_mm: float = Field(gt=0, description="its width in millimetres")
    distance_mm: float = Field(gt=0, description="from the eyes to the screen")


class StreamEntry(_Strict):
    """One recorded signal: what it is, where it lies, on which clock."""

    name: Name
    kind: Literal[
        "face_rgb", "face_nir", "face_depth", "body_video", "audio", "sync_audio", "ecg", "eda", "respiration",
        "ppg", "temperature", "acceleration", "gaze", "pupil", "pulse", "markers", "cues", "ignore",
    ]  # fmt: skip
    file: str | None = Field(None, description="path below the session folder; a folder for image sequences and E4")
    files: list[str] | None = Field(None, description="chapters of one recording, in order")
    track: int | str | None = Field(None, description="track number or stream name within the file")
    columns: list[str] | None = Field(None, description="columns or channels within the file")
    units: list[str] | None = Field(None, description="unit of each column where the file has none or a wrong one")
    rate_hz: float | None = Field(None, gt=0, description="sampling rate where the file states none")
    time_column: str | None = None
    time_unit: Literal["s", "ms", "us", "ns", "samples"] = "s"
    region: Region | None = None
    rotation: Literal[0, 90, 180, 270] | None = Field(None, description="clockwise, instead of what the file says")
    depth_scale_m: float | None = Field(None, gt=0)
    intrinsics: tuple[float, float, float, float] | None = Field(
        None, description="lens of a face camera, [fx, fy, cx, cy]: pixels of the stored picture"
    )
    distortion: list[float] | None = Field(
        None, min_length=4, max_length=5, description="of that lens, [k1, k2, p1, p2] or with k3 after them"
    )
    extrinsics: list[tuple[float, float, float, float]] | None = Field(
        None,
        min_length=3,
        max_length=3,
        description="where a face camera stands: three rows of a rotation and a shift, [[r, r, r, t], ...], that take "
        "points from its axes (x right, y down, z away) to those that all cameras share, t in millimetres; left out "
        "for the camera whose axes these are",
    )
    screen: ScreenEntry | None = Field(None, description="of an eye tracker whose gaze is in pixels")
    person: Name | None = None
    people: list[Name] | None = Field(
        None,
        description="several people of the session whom one stream records: those in a face video from the camera's "
        "left to right; those who share a microphone, told apart by whose lips move",
    )
    seats: list[SeatEntry] = Field(
        default_factory=list, description="answers: who was where, when somebody came back and could not be told"
    )
    clock: Name = "session"
    tolerance_ms: float | None = Field(
        None, gt=0, description="stop with an error where pulse or lips show that this stream is off by more than this"
    )
    same_body: bool = Field(
        True, description="false: not the same body as the person's other streams, so pulse and lips prove nothing"
    )

    @model_validator(mode="after")
    def _people_of_a_face_video(self) -> Self:
        if self.people is None:
            if self.seats:
                raise ValueError("seats answers for a video of several people: give people = [...] too")
            return self
        if self.person is not None:
            raise ValueError("give either person or people, not both")
        if not self.kind.startswith("face_") and self.kind != "audio":
            raise ValueError("only a face video or a microphone may record several people; give this one person = ...")
        if self.seats and self.kind == "audio":
            raise ValueError("seats answers for a face video; a microphone has none")
        if len(self.people) < 2 or len(set(self.people)) < len(self.people):
            raise ValueError("people names two or more different people; for one write person = ...")
        for seat in self.seats:
            if seat.person not in self.people:
                raise ValueError(f"seats: '{seat.person}' is not among people = {', '.join(self.people)}")
        return self

    @model_validator(mode="after")
    def _camera_of_a_face(self) -> Self:
        given = [name for name in ("intrinsics", "distortion", "extrinsics") if getattr(self, name) is not None]
        if given and not self.kind.startswith("face_"):
            raise ValueError(f"{given[0]} describes a camera of a face video; this one is kind = '{self.kind}'")
        if given and self.intrinsics is None:
            raise ValueError(f"{given[0]} without intrinsics: give intrinsics = [fx, fy, cx, cy] in pixels too")
        _ = self.camera
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.files is None):
            raise ValueError('give either file = "..." or files = ["...", ...]')
        if self.units is not None and self.columns is not None and len(self.units) != len(self.columns):
            raise ValueError("units must have one entry per column")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """The file or files, in order."""
        return (self.file,) if self.file is not None else tuple(self.files or ())

    @property
    def camera(self) -> Camera | None:
        """Lens and place of the camera, of the stored picture; None where nothing is stated."""
        if self.intrinsics is None:
            return None
        rows = np.eye(4)[:3] if self.extrinsics is None else np.array(self.extrinsics)
        return Camera(*self.intrinsics, tuple(self.distortion or ()), Pose(rows[:, :3], rows[:, 3]))


class Cue(_Strict):
    """One piece of context on the session clock: a question, a stimulus, a condition, a baseline interval."""

    kind: str = Field(description="question, answer, stimulus, condition, baseline, or the lab's own word")
    onset_s: float
    offset_s: float | None = None
    label: str = ""
    person: Name | None = None
    expected: Literal["negative", "positive", "surprise", "neutral"] | None = Field(
        None, description="emotion that the stimulus is meant to evoke"
    )
    columns: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.offset_s is not None and self.offset_s <= self.onset_s:
            raise ValueError("offset_s must come after onset_s")
        return self


class Manifest(_Strict):
    """A whole `session.toml`."""

    schema_version: Literal[1] = 1
    name: Name
    purpose: str = Field("", description="what the recording is analysed for; recorded in every result")
    consent: Consent = Consent()
    people: list[Person] = Field(min_length=1)
    clocks: dict[Name, Clock] = Field(default_factory=dict)
    streams: list[StreamEntry] = Field(min_length=1)
    evidence: list[EvidenceEntry] = Field(
        default_factory=list, description="further evidence on how clocks relate, beside what each clock is aligned by"
    )
    cues: list[Cue] = Field(default_factory=list)
    labels: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_resolve(self) -> Self:
        people = [person.id for person in self.people]
        streams = [stream.name for stream in self.streams]
        for what, names in (("people", people), ("streams", streams)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: named twice: {', '.join(twice)}")
        for stream in self.streams:
            for person in (stream.person, *(stream.people or ())):
                if person is not None and person not in people:
                    raise ValueError(f"stream '{stream.name}': no person '{person}'; there are {', '.join(people)}")
            if stream.clock != "session" and stream.clock not in self.clocks:
                known = ", ".join(["session", *self.clocks])
                raise ValueError(f"stream '{stream.name}': no clock '{stream.clock}'; there are {known}")
        for cue in self.cues:
            if cue.person is not None and cue.person not in people:
                raise ValueError(f"cue at {cue.onset_s} s: no person '{cue.person}'; there are {', '.join(people)}")
        if sum(clock.reference for clock in self.clocks.values()) > 1:
            raise ValueError("more than one clock is marked reference = true")
        by_name = {stream.name: stream for stream in self.streams}
        for name, clock in self.clocks.items():
            self._check_ends(f"clock '{name}'", clock.own, clock.against, by_name)
            if clock.own is not None and by_name[clock.own].clock != name:
                raise ValueError(f"clock '{name}': own = '{clock.own}' is on clock '{by_name[clock.own].clock}'")
            if clock.against is not None and by_name[clock.against].clock == name:
                raise ValueError(f"clock '{name}': against = '{clock.against}' is on the same clock")
        for number, entry in enumerate(self.evidence, 1):
            self._check_ends(f"evidence {number}", entry.own, entry.against, by_name)
            if by_name[entry.own].clock == by_name[entry.against].clock:
                raise ValueError(f"evidence {number}: '{entry.own}' and '{entry.against}' are on the same clock")
        return self

    @staticmethod
    def _check_ends(what: str, own: str | None, against: str | None, streams: Mapping[str, StreamEntry]) -> None:
        for end, wanted in (("own", own), ("against", against)):
            if wanted is not None and wanted not in streams:
                raise ValueError(f"{what}: {end} = '{wanted}' is no stream; there are {', '.join(streams)}")

    def person_of(self, stream: StreamEntry) -> str | None:
        """Whom a stream records: as stated, or the session's only person; None when it is shared or shows several."""
        if stream.person is not None or stream.people or stream.kind in NOBODYS_KINDS:
            return stream.person
        return self.people[0].id if len(self.people) == 1 else None
