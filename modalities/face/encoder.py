"""The face encoder: one pass over the pictures, a second over the little that was kept of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding
from data_schemas.time import NS_PER_S, to_s
from modalities.base import Task
from modalities.face.action_units import AU_NAMES, FULL_SCALE
from modalities.face.analysis import Analysis, analyse_views
from modalities.face.eyes import Blink
from modalities.face.features import FEATURES
from modalities.face.flow_methods import FLOW_METHODS
from modalities.face.gaze import GazeShift
from modalities.face.models import OWN, borrowed_models
from modalities.face.pulse import describe_pulse
from modalities.face.pupil import describe_pupils
from modalities.face.recognition.live import DEFAULT, NONE, recognise_events
from modalities.face.registration import ALIGNERS
from modalities.face.spotting.base import Expression, load_spotter
from modalities.face.view import View, look_at
from modalities.face.watching import KINDS, Watched, watch

SETTINGS: dict[str, Any] = {
    "spotter": "temporal", "detector": OWN, "landmarks": OWN, "registration": "similarity", "flow": "dis",
    "recogniser": DEFAULT,
}  # fmt: skip
"""Settings and their defaults.

`spotter`: a name of `spotting.base.SPOTTERS`. `detector`: "mediapipe", or "module:Class" of a detector of one's own
(`own_models.Detector`). `landmarks`: "mediapipe", or the path of a MediaPipe Face Landmarker bundle (.task).
`registration`: a name of `registration.ALIGNERS`. `flow`: a name of `flow_methods.FLOW_METHODS`; the spotter's weights
are those for "dis". `recogniser`: "default", "none", or the path of weights (.safetensors) of one's own.
"""
SURE_NEUTRAL_S = 10.0
"""With less of a face than this its neutral is uncertain."""


class FaceEncoder:
    """Landmarks, regional motion, action units, eyes, head and expressions of one person's face.

    Streams of several kinds - colour, near infrared, depth - are combined (`combination`); of several of one kind the
    first that shows a face is used.
    """

    spec = EncoderSpec(
        name="face",
        version="2",
        channel="face",
        inputs=KINDS,
        features=FEATURES,
        event_kinds=("micro", "macro", "blink", "gaze_shift", "eye_response"),
        max_gap_s=0.25,
    )

    def encode(self, task: Task) -> Encoding:
        """See `modalities.base.Encoder.encode`.

        Settings: see `SETTINGS`.

        Raises:
            InvalidValueError: unknown setting, spotter or detector.
            MissingFileError: the landmark model of the settings is not there.
            UnreadableFileError: every face stream broke before its first picture, or the landmark model is none.
        """
        return self._encode(task, [task.person])[0]

    def encode_several(self, task: Task, people: Sequence[str]) -> list[Encoding]:
        """See `modalities.base.EncoderOfSeveral.encode_several`; raises what `encode` does."""
        return self._encode(task, people)

    def _encode(self, task: Task, people: Sequence[str]) -> list[Encoding]:
        settings = check_settings(task.settings)
        spotter = load_spotter(settings["spotter"])
        encodings = []
        for cameras in watch(task, people, spotter, settings):
            views = [look_at(one.rows, one.reduced, kind=one.stream.info.kind) for one in cameras]
            analysis = analyse_views(views, spotter)
            encodings.append(
                Encoding(
                    spec=self.spec,
                    person=cameras[0].person,
                    track=analysis.track,
                    events=tuple(_events(analysis, _recognise(cameras, analysis, settings), cameras[0].person)),
                    quality=_quality(cameras, views, analysis),
                    streams=tuple(one.stream.info.name for one in cameras),
                    parameters={**settings, "kind": " + ".join(one.stream.info.kind for one in cameras)},
                    warnings=tuple([text for one in cameras for text in one.warnings] + _caveats(cameras, analysis)),
                    problems=tuple(problem for one in cameras for problem in one.problems),
                )
            )
        return encodings


def check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, defaults filled in.

    Raises:
        InvalidValueError: an unknown setting, or a value of the wrong kind; the message names it and what it may be.
    """
    odd = sorted(set(given) - set(SETTINGS))
    if odd:
        near = get_close_matches(odd[0], SETTINGS, n=1, cutoff=0.5)
        raise InvalidValueError(
            "unknown setting of the face encoder",
            got=", ".join(odd),
            expected=" or ".join(SETTINGS),
            mend=f"Did you mean '{near[0]}'?" if near else None,
        )
    for name, value in given.items():
        if not isinstance(value, str) or not value.strip():
            raise InvalidValueError(
                f"the face encoder's setting '{name}' must be a name or path",
                got=repr(value),
                expected=f'e.g. {name} = "{SETTINGS[name]}"',
            )
    settings = {**SETTINGS, **given}
    if settings["detector"].endswith(".task"):
        raise InvalidValueError(
            "a .task file gives landmarks, not a detector",
            got=f'detector = "{settings["detector"]}"',
            mend='Write it as landmarks = "...".',
        )
    if settings["landmarks"] != OWN and not settings["landmarks"].endswith(".task"):
        raise InvalidValueError(
            "the landmark model is not known",
            got=f'landmarks = "{settings["landmarks"]}"',
            expected=f'"{OWN}" or the path of a MediaPipe Face Landmarker bundle (.task)',
        )
    if settings["recogniser"] not in (DEFAULT, NONE) and not settings["recogniser"].endswith(".safetensors"):
        raise InvalidValueError(
            "the recogniser is not known",
            got=f'recogniser = "{settings["recogniser"]}"',
            expected=f'"{DEFAULT}", "{NONE}" or the path of its weights (.safetensors)',
        )
    for name, known in (("registration", tuple(ALIGNERS)), ("flow", FLOW_METHODS)):
        if settings[name] not in known:
            raise InvalidValueError(
                f"no such {name}", got=f'{name} = "{settings[name]}"', expected=" or ".join(known)
            )  # fmt: skip
    return settings


def _recognise(
    cameras: Sequence[Watched], analysis: Analysis, settings: Mapping[str, Any]
) -> list[dict[str, Any] | None]:
    """The emotion of each expression, told from the first camera that has a map of it."""
    moments = [(found.onset_ns, found.apex_ns) for found in analysis.spotting.expressions]
    emotions: list[dict[str, Any] | None] = [None] * len(moments)
    for one in cameras:
        left = [at for at, emotion in enumerate(emotions) if emotion is None]
        if not left:
            break
        with borrowed_models(settings["detector"], settings["landmarks"]) as models:
            told = recognise_events(one.stream, one.rows, [moments[at] for at in left], settings["recogniser"], models)
        for at, emotion in zip(left, told, strict=True):
            emotions[at] = emotion
    return emotions


def _caveats(cameras: Sequence[Watched], analysis: Analysis) -> list[str]:
    """What a user should know about this face before trusting its numbers."""
    track = analysis.track
    judged = track.column(AU_NAMES[0])[1]
    if not any(one.rows["found"].any() for one in cameras):
        return []
    if not judged.any():
        return ["too little of the face to judge expressions: seen for less than half a second, or turned away"]
    steps = np.diff(track.times_ns, append=track.times_ns[-1:])
    seen_s = to_s(int(np.minimum(steps, NS_PER_S)[judged].sum()))
    if seen_s < SURE_NEUTRAL_S:
        return [
            f"only {seen_s:.1f} s of face: what is held for most of that time counts as the person's neutral, so a "
            "smile that fills most of a recording this short is not seen as one"
        ]
    return []


def _events(analysis: Analysis, emotions: Sequence[dict[str, Any] | None], person: str) -> list[Event]:
    events = [_blink_event(blink, person) for blink in analysis.blinks]
    events += [_gaze_event(shift, person) for shift in analysis.gaze_shifts]
    told = zip(analysis.spotting.expressions, emotions, strict=True)
    events += [_expression_event(one, emotion, person) for one, emotion in told]
    return sorted(events, key=lambda event: (event.onset_ns, event.kind))


def _gaze_event(shift: GazeShift, person: str) -> Event:
    details = {"yaw_deg": round(shift.yaw_deg, 1), "pitch_deg": round(shift.pitch_deg, 1)}
    return Event(
        "face",
        "gaze_shift",
        shift.onset_ns,
        shift.offset_ns,
        shift.apex_ns,
        person,
        round(shift.size_deg, 1),
        shift.direction,
        details,
    )


def _blink_event(blink: Blink, person: str) -> Event:
    return Event(
        "face",
        "blink",
        blink.onset_ns,
        blink.offset_ns,
        blink.apex_ns,
        person,
        round(blink.closure, 3),
        "AU45",
        {"duration_s": round(blink.duration_s, 3)},
    )


def _expression_event(one: Expression, emotion: dict[str, Any] | None, person: str) -> Event:
    details: dict[str, Any] = {
        "aus": dict(one.aus),
        "intensity": round(min(1.0, one.movement / FULL_SCALE), 3),
        "movement_iod_percent": round(one.movement, 2),
        "regions": dict(one.regions),
    }
    if emotion is not None:
        details["emotion"] = emotion
    return Event(
        "face",
        one.kind,
        one.onset_ns,
        one.offset_ns,
        one.apex_ns,
        person,
        round(one.score, 3),
        label_of(one.aus),
        details,
    )


def label_of(aus: Mapping[str, float]) -> str:
    """Action units in words, "AU6+AU12"; a side is named where the other one takes no part ("AU12 left").

    Args:
        aus: Intensity by action unit, those that take part.
    """
    words = []
    for name in sorted(aus):
        unit, _, side = name.partition("_")
        other = f"{unit}_{'right' if side == 'left' else 'left'}"
        alone = side and other not in aus and unit not in aus
        word = f"AU{int(unit.removeprefix('au'))}" + (f" {side}" if alone else "")
        if word not in words:
            words.append(word)
    return "+".join(words)


def _quality(cameras: Sequence[Watched], views: Sequence[View], analysis: Analysis) -> dict[str, Any]:
    """Summary for the report: of the face as a whole, and under `cameras` of each camera where there are several."""
    each = [_camera_quality(one, view) for one, view in zip(cameras, views, strict=True)]
    pulse = {"pulse": None if analysis.pulse is None else describe_pulse(analysis.pulse)}
    if len(each) == 1:
        return {**each[0], **pulse}
    judged = analysis.track.column("au12_left")[1]
    whole = {"judged": round(float(judged.mean()), 4), **pulse}
    return {**each[0], **whole, "cameras": {c.stream.info.name: own for c, own in zip(cameras, each, strict=True)}}


def _camera_quality(one: Watched, view: View) -> dict[str, Any]:
    rows, found = one.rows, one.rows["found"]
    if not len(rows):
        return {"frames": 0, "fps": None, "face_found": 0.0, "judged": 0.0, "face_size_px": None, "confidence": None}
    confidence, _ = view.columns["confidence"]
    steps = np.diff(rows["t_ns"])
    repeats = one.repeats
    told = {} if repeats is None else {"repeated_frames": repeats.count, "repeats": repeats.sentence or None}
    return {
        "kind": one.stream.info.kind,
        "frames": len(rows),
        "fps": round(1e9 / float(np.median(steps)), 3) if len(steps) else None,
        "face_found": round(float(found.mean()), 4),
        "judged": round(float(view.judged.mean()), 4),
        "face_size_px": round(float(np.median(rows["width_px"][found])), 1) if found.any() else None,
        "pupil": describe_pupils(rows["iris_px"][found], rows["pupil"][found]) if view.gazing.any() else None,
        "confidence": round(float(np.median(confidence[found])), 3) if found.any() else None,
        **told,
    }
