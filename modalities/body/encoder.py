"""The body encoder: one pass over the video, then features and events from the joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.features import EncoderSpec, Encoding, Track
from data_schemas.stream import Video
from data_schemas.time import to_s
from modalities.base import Listener, Task
from modalities.body.events import find_events
from modalities.body.features import FEATURES
from modalities.body.geometry import Cells, Geometry, Movement, clean, measure
from modalities.body.gestures.recogniser import KIND, as_events, recognise
from modalities.body.hands import measure_hands
from modalities.body.manner import measure_manner
from modalities.body.observation import BodyObserver, BodySettings, Looking, Observation, observe
from modalities.body.skeleton import MOUTH

if TYPE_CHECKING:
    from modalities.body.gestures.training import Trained


class BodyEncoder:
    """Pose, movement, hand-to-face and gestures of one person from a body video.

    One shoulder width is the person's own (running median over 10 s). Left and right are the person's own and need a
    picture that is not mirrored. Of several people in view the most prominent one is followed, unless the stream
    says who they are: then everybody is (`modalities.body.people`).
    Settings: see `BodySettings`.
    """

    spec = EncoderSpec(
        name="body",
        version="4",
        channel="body",
        inputs=("body_video",),
        features=FEATURES,
        event_kinds=("hand_to_face", "gesture", KIND),
        max_gap_s=0.5,
    )

    def encode(self, task: Task) -> Encoding:
        """Encode one person from the first body video of the task.

        Raises:
            InvalidValueError: a setting is unknown or out of range.
            UnreadableFileError: not a single frame of the video could be read, or the gesture model is none.
            MissingFileError: the gesture model does not exist.
        """
        settings, videos = BodySettings.of(task.settings), _videos_of(task)
        if not videos:
            return Encoding(self.spec, task.person, Track.empty(self.spec.feature_names))
        trained = _model_of(settings)
        heard = _heard(task, videos[0], settings)
        step = f"body of {task.person}"
        if isinstance(heard, BodyObserver):
            seen = heard.result()
            task.hook(step, seen.frames, seen.frames)
        else:
            seen = observe(videos[0], settings, task.hook, step)
        return self._encoding(seen, task.person, videos, settings, trained)

    def encode_several(self, task: Task, people: Sequence[str]) -> list[Encoding]:
        """Encode everybody whom the first body video of the task shows, each by the pose under the own face.

        Who is who is asked only where the face channel, which asks the same, has not seen them.

        Raises:
            As `encode`.
        """
        settings, videos = BodySettings.of(task.settings), _videos_of(task)
        if not videos:
            return [Encoding(self.spec, person, Track.empty(self.spec.feature_names)) for person in people]
        from modalities.body.people import BodiesObserver, observe_several, questions_of

        trained = _model_of(settings)
        heard = _heard(task, videos[0], settings)
        step = f"body of {', '.join(people)}"
        if isinstance(heard, BodiesObserver):
            seen = {person: heard.result(person) for person in people}
            questions = questions_of(heard, videos[0])
            task.hook(step, heard.frames, heard.frames)
        else:
            seen, questions = observe_several(videos[0], people, settings, task.hook, step)
        found = [self._encoding(seen[person], person, videos, settings, trained) for person in people]
        if not found or any((person, "face") in task.others for person in people):
            return found
        return [replace(found[0], problems=(*found[0].problems, *questions)), *found[1:]]

    def listen(self, video: Video, settings: Mapping[str, Any]) -> Listener:
        """See `modalities.base.EncoderThatListens.listen`."""
        from modalities.body.listening import BodyListener

        own = BodySettings.of(settings)
        _model_of(own)  # a wrong file is known before the video is read
        return BodyListener(video, own)

    def _encoding(
        self, seen: Observation, person: str, videos: Sequence[Video], settings: BodySettings, trained: Trained | None
    ) -> Encoding:
        movement = clean(seen.skeleton)
        geometry = measure(seen.skeleton, movement)
        geometry.cells.update(measure_manner(movement, geometry.cells["movement_energy"]))
        geometry.cells.update(_hands_of(seen, movement, settings))
        times_ns = seen.skeleton.times_ns
        found = [*find_events(geometry, times_ns, person), *as_events(recognise(seen.skeleton), person)]
        if trained is not None:
            from modalities.body.gestures.learned import name_gestures
            from modalities.body.gestures.spotting import spot

            found += name_gestures(seen.skeleton, spot(seen.skeleton), trained, person)
        return Encoding(
            spec=self.spec,
            person=person,
            track=_track_of(seen, geometry, self.spec.feature_names),
            events=tuple(sorted(found, key=lambda event: (event.onset_ns, event.kind, event.label))),
            quality=_quality_of(seen, geometry),
            streams=(videos[0].info.name,),
            parameters={**asdict(settings), "reach_shoulder_widths": round(geometry.reach, 3)},
            warnings=_warnings_of(seen, [video.info.name for video in videos]),
            problems=(seen.broken,) if seen.broken is not None and seen.broken.machine else (),
        ).check()


def _hands_of(seen: Observation, movement: Movement, settings: BodySettings) -> dict[str, Cells]:
    return measure_hands(
        seen.hands,
        seen.skeleton.times_ns,
        movement.points[:, MOUTH].mean(axis=1),
        np.asarray(movement.seen[:, MOUTH].all(axis=1)),
        movement.scale,
        movement.scaled,
        min(settings.hands_hz or settings.pose_hz, settings.pose_hz),
    )


def _heard(task: Task, video: Video, settings: BodySettings) -> Looking | None:
    """What looked at the video while another encoder read it; None where nobody did to the end."""
    from modalities.body.listening import BodyListener

    heard = task.heard.get(video.info.name)
    return heard.seen if isinstance(heard, BodyListener) and heard.settings == settings else None


def _videos_of(task: Task) -> list[Video]:
    return [stream for stream in task.of_kind("body_video") if isinstance(stream, Video)]


def _model_of(settings: BodySettings) -> Trained | None:
    """The user's recogniser, read before the video so that a wrong file is known at once."""
    if settings.gesture_model is None:
        return None
    from modalities.body.gestures.learned import load_gestures

    return load_gestures(Path(settings.gesture_model))


def _track_of(seen: Observation, geometry: Geometry, names: tuple[str, ...]) -> Track:
    cells = {**geometry.cells, "pixel_motion": (seen.pixel_motion, seen.pixel_valid)}
    found = seen.skeleton.found
    valid = np.stack([cells[name][1] for name in names], axis=1) & found[:, None]
    values = np.stack([cells[name][0] for name in names], axis=1)
    reason = np.where(found, "", "no_body").astype(object)
    if seen.unsure is not None:
        reason[seen.unsure & ~found] = "unsure_who"
    return Track(seen.skeleton.times_ns, names, values.astype(np.float32), valid, reason)


def _quality_of(seen: Observation, geometry: Geometry) -> dict[str, float | int | None]:
    found, times_ns = seen.skeleton.found, seen.skeleton.times_ns
    confidence = geometry.cells["confidence"][0][found]
    hands = geometry.cells["hand_to_face"][1]
    steps = np.diff(times_ns)
    steps = steps[steps <= 5 * np.median(steps)] if len(steps) else steps
    return {
        "body_found": round(float(found.mean()), 4) if len(found) else 0.0,
        "hands_judged": round(float(hands.mean()), 4) if len(hands) else 0.0,
        "median_confidence": round(float(np.median(confidence)), 4) if len(confidence) else None,
        "processed_hz": round(1 / to_s(int(steps.mean())), 3) if len(steps) else None,
        "frames_read": seen.frames,
        "frames_processed": len(times_ns),
        "poses_rejected": seen.rejected,
    }


def _warnings_of(seen: Observation, videos: list[str]) -> tuple[str, ...]:
    notes = []
    if len(videos) > 1:
        notes.append(f"only the first of {len(videos)} body videos was used ({videos[0]})")
    if seen.broken is not None and not seen.broken.machine:
        notes.append(f"the video could not be read to its end: {seen.broken.what}")
    if seen.unsure is not None and seen.frames and not seen.skeleton.found.any():
        notes.append("their face was not seen in the body video, and without it nobody can tell whose body is whose")
    if seen.rejected > 0.2 * max(1, len(seen.skeleton.times_ns)):
        notes.append(
            f"in {seen.rejected} of {len(seen.skeleton.times_ns)} pictures a pose was refused because nobody sits or "
            "stands like that; if somebody does, check that the video is not rotated"
        )
    return tuple(notes)
