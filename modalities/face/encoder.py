"""The face encoder: one pass over the pictures, a second over the little that was kept of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, TelltaleError
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding
from data_schemas.stream import Stream, Video
from data_schemas.time import NS_PER_S, to_s
from modalities.base import Task
from modalities.face.action_units import AU_NAMES, FULL_SCALE
from modalities.face.analysis import Analysis, analyse_rows
from modalities.face.eyes import Blink
from modalities.face.features import FEATURES
from modalities.face.models import borrowed_models
from modalities.face.observation import FaceObserver
from modalities.face.pictures import Toner
from modalities.face.spotting.base import Expression, load_spotter

SETTINGS: dict[str, Any] = {"spotter": "regional"}
"""Settings and their defaults."""
_KINDS = ("face_rgb", "face_nir", "face_depth")
_REPORT_EVERY = 10
SURE_NEUTRAL_S = 10.0
"""With less of a face than this its neutral is uncertain."""


class FaceEncoder:
    """Landmarks, regional motion, action units, eyes, head and expressions of one person's face.

    Of several face streams the first that shows a face is used, in the order colour, near infrared, depth.
    """

    spec = EncoderSpec(
        name="face",
        version="1",
        channel="face",
        inputs=_KINDS,
        features=FEATURES,
        event_kinds=("micro", "macro", "blink"),
        max_gap_s=0.25,
    )

    def encode(self, task: Task) -> Encoding:
        """See `modalities.base.Encoder.encode`.

        Settings: `spotter`, a name of `spotting.base.SPOTTERS`.

        Raises:
            InvalidValueError: unknown setting or spotter.
            UnreadableFileError: every face stream broke before its first picture.
        """
        settings = _check_settings(task.settings)
        spotter = load_spotter(settings["spotter"])
        streams = [stream for kind in _KINDS for stream in task.of_kind(kind)]
        rows, used, warnings = _look_at(streams, task)
        analysis = analyse_rows(rows, spotter)
        warnings += _caveats(rows, analysis)
        return Encoding(
            spec=self.spec,
            person=task.person,
            track=analysis.track,
            events=tuple(_events(analysis, task.person)),
            quality=_quality(rows, analysis),
            streams=(used.info.name,),
            parameters={**settings, "kind": used.info.kind},
            warnings=tuple(warnings),
        )


def _check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    odd = sorted(set(given) - set(SETTINGS))
    if odd:
        raise InvalidValueError("unknown setting of the face encoder", got=", ".join(odd), expected=", ".join(SETTINGS))
    return {**SETTINGS, **given}


def _look_at(streams: list[Stream], task: Task) -> tuple[NDArray[np.void], Stream, list[str]]:
    """Rows of the first stream that shows a face, or of the first that could be read; that stream; warnings."""
    warnings: list[str] = []
    fallback: tuple[NDArray[np.void], Stream] | None = None
    broken: TelltaleError | None = None
    for stream in streams:
        if not isinstance(stream, Video):
            raise InvalidValueError("a face stream is no video", stream=stream.info.name, got=type(stream).__name__)
        rows, error = _watch(stream, task)
        if error is not None and not len(rows):
            broken = error
            warnings.append(str(error))
            continue
        if error is not None:
            warnings.append(f"'{stream.info.name}' broke off at {to_s(int(rows['t_ns'][-1])):.3f} s: {error}")
        if rows["found"].any():
            others = [other.info.name for other in streams if other is not stream]
            if others:
                warnings.append(f"face taken from '{stream.info.name}', not from {', '.join(others)}")
            return rows, stream, warnings
        if len(streams) > 1:
            warnings.append(f"no face in '{stream.info.name}'")
        fallback = fallback or (rows, stream)
    if fallback is None:
        raise broken or InvalidValueError("the face encoder was given no face stream", expected=" or ".join(_KINDS))
    return *fallback, warnings


def _watch(stream: Video, task: Task) -> tuple[NDArray[np.void], TelltaleError | None]:
    """Look at all pictures of a stream; what broke it off, if anything did."""
    total = stream.axis.n
    toner = Toner(depth=stream.info.kind == "face_depth")
    step = f"face of {task.person}"
    with borrowed_models() as models:
        observer = FaceObserver(models)
        done, error = 0, None
        try:
            for frame in stream.frames():
                observer.add(toner.tone(frame.image, frame.t_ns), frame.t_ns)
                done += 1
                if done % _REPORT_EVERY == 0:
                    task.hook(step, done, total)
        except TelltaleError as found:
            error = found
        task.hook(step, done, total)
        return observer.rows(), error


def _caveats(rows: NDArray[np.void], analysis: Analysis) -> list[str]:
    """What a user should know about this face before trusting its numbers."""
    judged = analysis.track.column(AU_NAMES[0])[1]
    if not rows["found"].any():
        return []
    if not judged.any():
        return ["too little of the face to judge expressions: seen for less than half a second, or turned away"]
    steps = np.diff(rows["t_ns"], append=rows["t_ns"][-1:])
    seen_s = to_s(int(np.minimum(steps, NS_PER_S)[judged].sum()))
    if seen_s < SURE_NEUTRAL_S:
        return [
            f"only {seen_s:.1f} s of face: what is held for most of that time counts as the person's neutral, so a "
            "smile that fills most of a recording this short is not seen as one"
        ]
    return []


def _events(analysis: Analysis, person: str) -> list[Event]:
    events = [_blink_event(blink, person) for blink in analysis.blinks]
    events += [_expression_event(one, person) for one in analysis.spotting.expressions]
    return sorted(events, key=lambda event: (event.onset_ns, event.kind))


def _blink_event(blink: Blink, person: str) -> Event:
    return Event(
        "face", "blink", blink.onset_ns, blink.offset_ns, blink.apex_ns, person, round(blink.closure, 3), "AU45"
    )


def _expression_event(one: Expression, person: str) -> Event:
    details = {
        "aus": dict(one.aus),
        "intensity": round(min(1.0, one.movement / FULL_SCALE), 3),
        "movement_iod_percent": round(one.movement, 2),
        "regions": dict(one.regions),
    }
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
    for name in AU_NAMES:
        unit, _, side = name.partition("_")
        word = f"AU{int(unit.removeprefix('au'))}"
        if name not in aus:
            continue
        other = f"{unit}_{'right' if side == 'left' else 'left'}"
        word += f" {side}" if side and other not in aus else ""
        if word not in words:
            words.append(word)
    return "+".join(words)


def _quality(rows: NDArray[np.void], analysis: Analysis) -> dict[str, Any]:
    """Summary for the report."""
    found = rows["found"]
    if not len(rows):
        return {"frames": 0, "fps": None, "face_found": 0.0, "judged": 0.0, "face_size_px": None, "confidence": None}
    confidence, _ = analysis.track.column("confidence")
    steps = np.diff(rows["t_ns"])
    return {
        "frames": len(rows),
        "fps": round(1e9 / float(np.median(steps)), 3) if len(steps) else None,
        "face_found": round(float(found.mean()), 4),
        "judged": round(float(analysis.track.column("au12_left")[1].mean()), 4),
        "face_size_px": round(float(np.median(rows["width_px"][found])), 1) if found.any() else None,
        "confidence": round(float(np.median(confidence[found])), 3) if found.any() else None,
    }
