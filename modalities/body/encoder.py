"""The body encoder: one pass over the video, then features and events from the joints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.stream import Video
from data_schemas.time import to_s
from modalities.base import Task
from modalities.body.events import find_events
from modalities.body.geometry import Geometry, clean, measure
from modalities.body.gestures.recogniser import KIND, as_events, recognise
from modalities.body.manner import measure_manner
from modalities.body.observation import BodySettings, Observation, observe

if TYPE_CHECKING:
    from modalities.body.gestures.training import Trained

_POSE = "BlazePose (Bazarevsky et al. 2020)"

FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("movement_energy", "shoulder widths/s", "mean speed of the joints that are seen", 0, None),
    FeatureSpec(
        "pixel_motion",
        "grey levels/s",
        "mean absolute change of brightness inside the person's box since the last sample, at 160 px picture width; "
        "changes of the whole picture's light and below 3 grey levels are left out",
        0,
        None,
    ),
    FeatureSpec("left_hand_speed", "shoulder widths/s", "speed of the person's left wrist against the shoulders", 0),
    FeatureSpec("right_hand_speed", "shoulder widths/s", "speed of the person's right wrist against the shoulders", 0),
    FeatureSpec("hand_face_distance_left", "shoulder widths", "centre of the left hand to centre of the face", 0),
    FeatureSpec("hand_face_distance_right", "shoulder widths", "centre of the right hand to centre of the face", 0),
    FeatureSpec(
        "hand_to_face", "1", "1 while a hand that is seen is at the face, in the picture plane", 0, 1, "nearest"
    ),
    FeatureSpec("trunk_lean_deg", "deg", "hips to shoulders against the vertical, clockwise in the picture", -180, 180),
    FeatureSpec("shoulder_tilt_deg", "deg", "line of the shoulders against the horizontal, clockwise", -90, 90),
    FeatureSpec("head_tilt_deg", "deg", "line of the eyes against the horizontal, clockwise", -90, 90),
    FeatureSpec("posture_openness", "shoulder widths", "distance of the wrists: 0 hands together, above 1 open", 0),
    FeatureSpec("confidence", "1", f"mean visibility of nose, shoulders, arms and hips; {_POSE}", 0, 1),
    FeatureSpec(
        "fidgeting",
        "shoulder widths/s",
        "small movement of hands, head and legs against the trunk, mean of 5 s, above each joint's quietest; movement "
        "above 0.6 shoulder widths/s is left out",
        0,
        None,
    ),
    FeatureSpec(
        "freeze",
        "1",
        "1 while the body has moved less than 40 % as much as it usually does for 1.5 s or more; null for somebody who "
        "hardly ever moves",
        0,
        1,
        "nearest",
        "after van der Zee et al. 2019",
    ),
    FeatureSpec(
        "posture_expansion",
        "shoulder widths",
        "mean distance of elbows and wrists from the line from hips to shoulders",
        0,
        None,
        source="after the contraction index of Camurri et al. 2003",
    ),
    FeatureSpec("rhythm_hz", "Hz", "strongest rate of the body's movement over 6 s", 0, 6, "nearest"),
    FeatureSpec("rhythm_strength", "1", "share of the movement's power within 0.4 Hz of that rate", 0, 1, "nearest"),
)


class BodyEncoder:
    """Pose, movement, hand-to-face and gestures of one person from a body video.

    One shoulder width is the person's own (running median over 10 s). Left and right are the person's own and need a
    picture that is not mirrored. Of several people in view the most prominent one is followed.
    Settings: see `BodySettings`.
    """

    spec = EncoderSpec(
        name="body",
        version="2",
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
        settings = BodySettings.of(task.settings)
        videos = [stream for stream in task.of_kind("body_video") if isinstance(stream, Video)]
        if not videos:
            return Encoding(self.spec, task.person, Track.empty(self.spec.feature_names))
        trained = _model_of(settings)
        seen = observe(videos[0], settings, task.hook, f"body of {task.person}")
        movement = clean(seen.skeleton)
        geometry = measure(seen.skeleton, movement)
        geometry.cells.update(measure_manner(movement, geometry.cells["movement_energy"]))
        times_ns = seen.skeleton.times_ns
        found = [*find_events(geometry, times_ns, task.person), *as_events(recognise(seen.skeleton), task.person)]
        if trained is not None:
            from modalities.body.gestures.learned import name_gestures
            from modalities.body.gestures.spotting import spot

            found += name_gestures(seen.skeleton, spot(seen.skeleton), trained, task.person)
        return Encoding(
            spec=self.spec,
            person=task.person,
            track=_track_of(seen, geometry, self.spec.feature_names),
            events=tuple(sorted(found, key=lambda event: (event.onset_ns, event.kind, event.label))),
            quality=_quality_of(seen, geometry),
            streams=(videos[0].info.name,),
            parameters={**asdict(settings), "reach_shoulder_widths": round(geometry.reach, 3)},
            warnings=_warnings_of(seen, [video.info.name for video in videos]),
        ).check()


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
    if seen.broken is not None:
        notes.append(f"the video could not be read to its end: {seen.broken}")
    if seen.rejected > 0.2 * max(1, len(seen.skeleton.times_ns)):
        notes.append(
            f"in {seen.rejected} of {len(seen.skeleton.times_ns)} pictures a pose was refused because nobody sits or "
            "stands like that; if somebody does, check that the video is not rotated"
        )
    return tuple(notes)
