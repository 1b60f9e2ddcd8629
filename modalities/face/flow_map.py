"""Onset-apex flow maps: what moved between two moments of a face, as a picture that networks take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, NothingUsableError
from data_schemas.time import Int64Array, to_s
from modalities.face.flow_methods import DenseFlow, dense_flow
from modalities.face.head_motion import POINTS, FacePicture, HeadMotion
from modalities.face.models import FaceModels, Picture
from modalities.face.pictures import Toner
from modalities.face.strain import optical_strain

if TYPE_CHECKING:
    from data_schemas.stream import Video
    from modalities.face.landmarks import Sighting
    from modalities.face.registration import Aligner

PAIRS = 3
"""So many pairs of frames are averaged: what noise and registration leave in one flow is not in the others."""
BEFORE_NS, AROUND = 100_000_000, 0.2
"""Frames up to 0.1 s before the onset show the face at rest; those within a fifth of the rise, its apex."""
MAP_SIDE = 28
"""Side of the maps of the MEGC 2019 networks (Liong et al. 2019)."""


@dataclass(frozen=True, eq=False)
class FlowMap:
    """Motion of one face from onset to apex, the head's taken out.

    Attributes:
        onset_ns: Time of the picture at the onset.
        apex_ns: Time of the picture at the apex.
        u: Displacement to the right, pixels of the aligned picture, float32 (s, s).
        v: The same down.
        strain: Optical strain, without unit, float32 (s, s).
    """

    onset_ns: int
    apex_ns: int
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    strain: NDArray[np.float32]

    def stack(self, side: int | None = MAP_SIDE) -> NDArray[np.float32]:
        """The three as channels u, v, strain, float32 (side, side, 3).

        Args:
            side: Averaged down to this side; None keeps the full size.
        """
        import cv2

        full = np.stack([self.u, self.v, self.strain], axis=-1)
        if side is None:
            return full
        return np.asarray(cv2.resize(full, (side, side), interpolation=cv2.INTER_AREA), np.float32)

    def stretched(self, side: int | None = MAP_SIDE) -> Picture:
        """As an image: each channel from its least to its greatest value over 0..255, uint8 (side, side, 3).

        That is the form of the shared MEGC 2019 inputs of STSTNet (Liong et al. 2019). Magnitude and the level of no
        motion are lost.
        """
        maps = self.stack(side)
        low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
        return np.rint(255 * (maps - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)


def face_picture(sighting: Sighting, aligner: Aligner, t_ns: int) -> FacePicture:
    """The aligned picture of a face, and where the points are in it at which flow is read."""
    from modalities.face.registration import fit_head

    patch, points = aligner.align(sighting, t_ns)
    depth = fit_head(sighting.points).frontal[POINTS, 2].astype(np.float32)
    return FacePicture(patch, points[POINTS], depth, t_ns)


def maps_of_events(
    video: Video, rows: NDArray[np.void], events: Sequence[tuple[int, int]], models: FaceModels, *, method: str = "dis"
) -> list[FlowMap | None]:
    """Maps of the events of a video that was looked at before: only their two frames are decoded again.

    Args:
        video: The stream.
        rows: What was kept of its frames and one person (`observation.ROW`).
        events: Onset and apex of each, ns on the stream's clock; the nearest frames with a face are taken.
        models: Lent for this video.
        method: Of `flow_methods.FLOW_METHODS`.

    Returns:
        A map for each event in the order given; None where a face could not be found again, or onset and apex are one.

    Raises:
        InvalidValueError: unknown method.
        UnreadableFileError: the file can no longer be opened.
    """
    from modalities.face.landmarks import FaceWindow
    from modalities.face.registration import PatchAligner

    flow, found = dense_flow(method), np.flatnonzero(rows["found"])
    if not len(found) or not events:
        return [None] * len(events)
    chosen = [_pairs_of(rows["t_ns"], found, event) for event in events]
    wanted = {at for pairs in chosen for pair in pairs for at in pair}
    numbers = {int(np.searchsorted(video.times_ns, rows["t_ns"][at])): at for at in wanted}
    toner, window = Toner(depth=video.info.kind == "face_depth"), FaceWindow(models.mesh())
    seen: dict[int, FacePicture] = {}
    for frame in video.frames_at(numbers):
        row = rows[numbers[frame.index]]
        sighting = window.begin(toner.tone(frame.image, frame.t_ns), row["box"].astype(np.float64), frame.t_ns)
        if sighting is not None:
            seen[numbers[frame.index]] = face_picture(sighting, PatchAligner(), frame.t_ns)
    return [
        _mean_map([flow_between(seen[a], seen[b], flow) for a, b in pairs if a < b and a in seen and b in seen])
        for pairs in chosen
    ]


def _pairs_of(times_ns: Int64Array, found: Int64Array, event: tuple[int, int]) -> list[tuple[int, int]]:
    """Rows of the frames at onset and apex, and of further frames that show the same rest and the same height."""
    onset, apex = (int(found[np.abs(times_ns[found] - t_ns).argmin()]) for t_ns in event)
    rise = times_ns[apex] - times_ns[onset]
    rest = found[(found <= onset) & (times_ns[found] >= times_ns[onset] - BEFORE_NS)]
    height = found[np.abs(times_ns[found] - times_ns[apex]) <= AROUND * rise]
    rest = rest[np.argsort(-rest)][:PAIRS]
    height = height[np.argsort(np.abs(times_ns[height] - times_ns[apex]), kind="stable")][:PAIRS]
    count = max(len(rest), len(height))
    return [(int(rest[at % len(rest)]), int(height[at % len(height)])) for at in range(count)]


def _mean_map(maps: Sequence[FlowMap]) -> FlowMap | None:
    """The mean movement of maps of one event, its strain anew; None of none."""
    if not maps:
        return None
    moved = np.mean([np.stack([one.u, one.v], axis=-1) for one in maps], axis=0).astype(np.float32)
    return FlowMap(maps[0].onset_ns, maps[0].apex_ns, moved[..., 0], moved[..., 1], optical_strain(moved))


def flow_between(onset: FacePicture, apex: FacePicture, flow: DenseFlow, head: HeadMotion | None = None) -> FlowMap:
    """The map between two aligned pictures.

    Args:
        onset: Earlier picture, with the landmarks `head_motion.POINTS`.
        apex: Later picture.
        flow: From `flow_methods.dense_flow`.
        head: What was learnt of this face's depth so far; nothing by default.
    """
    moved = (head or HeadMotion()).remove(onset, apex, flow).dense()
    return FlowMap(onset.t_ns, apex.t_ns, moved[..., 0], moved[..., 1], optical_strain(moved))


def flow_maps(
    frames: Iterable[tuple[int, Picture]],
    events: Sequence[tuple[int, int]],
    models: FaceModels,
    *,
    method: str = "dis",
) -> Iterator[FlowMap | None]:
    """Maps of the events of any video in one pass; only the pictures that are asked for are kept.

    Args:
        frames: Time in ns and RGB picture, uint8 (h, w, 3), in order of time.
        events: Onset and apex of each, ns, by any order; the nearest frames are taken.
        models: Lent for this video (`models.borrowed_models`).
        method: Of `flow_methods.FLOW_METHODS`.

    Yields:
        A map for each event in the order given, None where one of its two frames shows no face.

    Raises:
        InvalidValueError: unknown method, or an event whose apex is not after its onset.
        NothingUsableError: no frame at all.
    """
    flow = dense_flow(method)
    for onset, apex in events:
        if apex <= onset:
            raise InvalidValueError("an apex comes after its onset", time_s=to_s(onset), got=f"apex {to_s(apex):.3f} s")
    wanted = sorted({moment for event in events for moment in event})
    seen = _nearest_faces(frames, wanted, models)
    for onset, apex in events:
        before, after = seen[onset], seen[apex]
        yield None if before is None or after is None else flow_between(before, after, flow)


def _nearest_faces(
    frames: Iterable[tuple[int, Picture]], wanted: Sequence[int], models: FaceModels
) -> dict[int, FacePicture | None]:
    """The face in the frame nearest to each of the wanted times (increasing); None where it shows none."""
    out: dict[int, FacePicture | None] = {}
    due = list(wanted)
    last: tuple[int, FacePicture | None] | None = None
    for t_ns, face in _watch(frames, models):
        while due and t_ns >= due[0]:
            moment = due.pop(0)
            earlier = last is not None and moment - last[0] < t_ns - moment
            out[moment] = last[1] if earlier and last is not None else face
        last = (t_ns, face)
        if not due:
            break
    if last is None:
        raise NothingUsableError("the video holds no frames")
    out.update(dict.fromkeys(due, last[1]))
    return out


def _watch(frames: Iterable[tuple[int, Picture]], models: FaceModels) -> Iterator[tuple[int, FacePicture | None]]:
    """Each frame's aligned face."""
    from modalities.face.landmarks import FaceTracker
    from modalities.face.registration import PatchAligner

    tracker, aligner = FaceTracker(models), PatchAligner()
    for t_ns, picture in frames:
        sighting = tracker.find(picture, t_ns)
        if sighting is None:
            aligner.restart()
        yield t_ns, None if sighting is None else face_picture(sighting, aligner, t_ns)
