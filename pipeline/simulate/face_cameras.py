"""Colour, near-infrared and depth of one face, from cameras that stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.camera import Camera, Pose
from data_schemas.errors import InvalidValueError
from pipeline.simulate.face import Puppet, puppet_of
from pipeline.simulate.face_depth import DepthCamera, DepthSensor
from pipeline.simulate.face_nir import InfraredCamera, InfraredSensor
from pipeline.simulate.face_surface import photographing_camera
from pipeline.simulate.face_view import DISTANCE_MM, View
from pipeline.simulate.motion import FaceMotion

CAMERAS = ("rgb", "nir", "depth")
_BESIDE = {"nir": (-20.0, 0.96, 1.0), "depth": (20.0, 0.90, -1.0)}
"""How far to the right of the colour camera each stands, mm; its focal length as a share of that camera's; by how much
it is turned about the vertical, degrees, so that it looks at the same face."""


@dataclass(frozen=True)
class Rig:
    """What films a face.

    Attributes:
        distance_mm: From the colour camera to the plane of the eyes at rest.
        infrared: Quality of the near-infrared camera.
        depth: Quality of the depth camera.
        views: Other places and lenses than those of `views_of`, by camera.
    """

    distance_mm: float = DISTANCE_MM
    infrared: InfraredSensor = field(default_factory=InfraredSensor)
    depth: DepthSensor = field(default_factory=DepthSensor)
    views: Mapping[str, View] = field(default_factory=dict)


def check_cameras(cameras: Sequence[str]) -> tuple[str, ...]:
    """The cameras, each once and in the order of `CAMERAS`.

    Raises:
        InvalidValueError: none, or one that there is not.
    """
    if not cameras or not set(cameras) <= set(CAMERAS):
        raise InvalidValueError(
            "no such cameras", got=", ".join(cameras) or "none", expected=f"some of {', '.join(CAMERAS)}"
        )
    return tuple(camera for camera in CAMERAS if camera in cameras)


def views_of(puppet: Puppet, rig: Rig) -> dict[str, View]:
    """Where each of `CAMERAS` stands and what lens it has: side by side, looking at the face."""
    picture = puppet.portrait.background
    size = (picture.shape[1], picture.shape[0])
    colour = photographing_camera(puppet.portrait.mesh, size, rig.distance_mm)
    out = {"rgb": View(distance_mm=rig.distance_mm)}
    for name, (right, share, turned) in _BESIDE.items():
        angle = np.radians(turned)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        focal = share * colour.fx
        place = Pose(turn.round(8), np.array([right, 0.0, 0.0]))
        out[name] = View(Camera(focal, focal, colour.cx, colour.cy, pose=place), size, rig.distance_mm)
    return out | dict(rig.views)


class Cameras:
    """The cameras of one face.

    Args:
        puppet: The face, without a view.
        cameras: Some of `CAMERAS`.
        rig: Where they stand and how good they are.
        seed: Of all their noise, >= 0.

    Attributes:
        seen: The puppet before each camera; `seen["depth"].landmarks_mm(motion, i)` is the truth in its axes.
        lenses: Lens and place of each.

    Raises:
        InvalidValueError: unknown cameras, or a distance at which nobody sits.
    """

    def __init__(self, puppet: Puppet, cameras: Sequence[str] = CAMERAS, rig: Rig | None = None, seed: int = 0) -> None:
        self.names, self._rig, self._seed = check_cameras(cameras), rig or Rig(), seed
        views = views_of(puppet, self._rig)
        self.seen = {name: puppet.seen_by(views[name]) for name in self.names}
        self.lenses: dict[str, Camera] = {
            name: one.sight.camera for name, one in self.seen.items() if one.sight is not None
        }

    def frames(self, name: str, motion: FaceMotion) -> Iterator[NDArray[Any]]:
        """The pictures of one camera: RGB uint8 (h, w, 3); grey uint8 or uint16 (h, w); depth uint16 (h, w)."""
        puppet = self.seen[name]
        if name == "nir":
            yield from InfraredCamera(puppet, self._rig.infrared, self._seed).frames(motion)
        elif name == "depth":
            yield from DepthCamera(puppet, self._rig.depth, self._seed).frames(motion)
        else:
            yield from puppet.frames(motion, self._seed)


def render_cameras(
    motion: FaceMotion,
    cameras: Sequence[str] = CAMERAS,
    *,
    photograph: str = "astronaut",
    size: tuple[int, int] = (640, 480),
    face_width_px: int = 300,
    seed: int = 0,
    identity: int = 0,
    rig: Rig | None = None,
) -> Iterator[dict[str, NDArray[Any]]]:
    """One face filmed by several cameras at the same moments.

    Args:
        motion: What the face does, one value per frame.
        cameras: Some of `CAMERAS`.
        photograph: As `render_face`, like all that follows.
        size: Width and height of the colour frames, and of the others by default.
        face_width_px: Width of the face at rest in the colour frames.
        seed: Of skin texture and noise, >= 0.
        identity: Another face out of the same photograph.
        rig: Where the cameras stand and how good they are.

    Yields:
        By camera: "rgb" uint8 (h, w, 3), "nir" uint8 or uint16 (h, w), "depth" uint16 (h, w) in units of the sensor.

    Raises:
        InvalidValueError: unknown cameras, or as `render_face`.
    """
    filmed = Cameras(puppet_of(photograph, size, face_width_px, seed, identity), cameras, rig, seed)
    streams = {name: filmed.frames(name, motion) for name in filmed.names}
    for _ in range(len(motion.times_s)):
        yield {name: next(stream) for name, stream in streams.items()}
