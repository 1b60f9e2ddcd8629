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
from modalities.face.pictures import toner_of
from modalities.face.strain import optical_strain

if TYPE_CHECKING:
    from data_schemas.stream import Video
    from modalities.face.landmarks import Sighting
    from modalities.face.registration import Aligner

LEAD_NS = 250_000_000
"""The face is followed from so long before onset and apex, so that its place is filtered as in the whole video."""
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
    """Maps of the events of a video that was looked at before: only what leads to their two frames is decoded again.

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
    nearest = [tuple(int(found[np.abs(rows["t_ns"][found] - t_ns).argmin()]) for t_ns in event) for event in events]
    wanted = {at for pair in nearest for at in pair}
    leads = {at for one in wanted for at in _lead_to(one, rows["t_ns"], found)}
    numbers = {int(np.searchsorted(video.times_ns, rows["t_ns"][at])): at for at in leads}
    toner, window, aligner = toner_of(video), FaceWindow(models.mesh()), PatchAligner()
    seen: dict[int, FacePicture] = {}
    before = -1
    for frame in video.frames_at(numbers):
        at, picture = numbers[frame.index], toner.tone(frame.image, frame.t_ns)
        sighting = window.find(picture, frame.t_ns) if at - 1 == before else None
        if sighting is None:
            aligner.restart()
            sighting = window.begin(picture, rows["box"][at].astype(np.float64), frame.t_ns)
        before = at if sighting is not None else -1
        if sighting is None:
            continue
        if at in wanted:
            seen[at] = face_picture(sighting, aligner, frame.t_ns)
        else:
            aligner.place(sighting, frame.t_ns)
    return [
        flow_between(seen[onset], seen[apex], flow) if onset < apex and onset in seen and apex in seen else None
        for onset, apex in nearest
    ]


def _lead_to(at: int, times_ns: Int64Array, found: Int64Array) -> list[int]:
    """A row and those right before it that show the face."""
    place = int(np.searchsorted(found, at))
    first = place
    while first > 0 and found[first - 1] == found[first] - 1 and times_ns[at] - times_ns[found[first - 1]] <= LEAD_NS:
        first -= 1
    return [int(one) for one in found[first : place + 1]]


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
