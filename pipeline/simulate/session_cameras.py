"""The face cameras of a simulated session: which there are, on which clocks, what they write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.camera import Camera
from data_schemas.hook import Hook
from pipeline.simulate.chance import generator
from pipeline.simulate.clocks import DeviceClock
from pipeline.simulate.face import puppet_of
from pipeline.simulate.face_cameras import Cameras, Rig, check_cameras
from pipeline.simulate.frames import face_motion
from pipeline.simulate.physiology import Heart
from pipeline.simulate.recordings import face_width, named, write_markers
from pipeline.simulate.script import Script

COLOUR_ALONE = ("rgb",)
"""What a session has by default: one camera, drawn without perspective and without a lens in the manifest."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a camera is in a session.

    Attributes:
        stream: Name of its stream, and of its marker log with `_log` after it.
        kind: Of the stream.
        device: Name of its clock.
        file: What it writes.
        step: What progress reports call it.
        form: How its pictures are stored, for `write_video`.
    """

    stream: str
    kind: str
    device: str
    file: str
    step: str
    form: Mapping[str, Any]


PARTS: Mapping[str, Part] = {
    "rgb": Part("face", "face_rgb", "camera", "face.mp4", "face video", {}),
    "nir": Part("nir", "face_nir", "nir_camera", "nir.mkv", "infrared video", {"quality": 12}),
    "depth": Part("depth", "face_depth", "depth_camera", "depth.mkv", "depth video", {"codec": "ffv1"}),
}


def devices_of(cameras: Sequence[str]) -> tuple[str, ...]:
    """Clocks of some cameras, in the order of `CAMERAS`.

    Raises:
        InvalidValueError: no such cameras.
    """
    return tuple(PARTS[camera].device for camera in check_cameras(cameras))


class FaceCameras:
    """The cameras before one person, several or other than the colour camera alone.

    Args:
        script: What happens.
        cameras: Some of `face_cameras.CAMERAS`.
        size: Width and height of the pictures, px.
    """

    def __init__(self, script: Script, cameras: Sequence[str], size: tuple[int, int]) -> None:
        self._script, self._rig = script, Rig()
        puppet = puppet_of(script.person.photograph, size, face_width(size), script.seed)
        self._cameras = Cameras(puppet, cameras, self._rig, script.seed)

    @property
    def lenses(self) -> dict[str, Camera]:
        """Lens and place of each camera."""
        return self._cameras.lenses

    @property
    def depth_scale_m(self) -> float:
        """Metres per unit of the depth video."""
        return self._rig.depth.unit_mm / 1000

    def truth(self) -> dict[str, dict[str, Any]]:
        """What `truth/` says of the cameras."""
        return {
            name: {
                "stream": PARTS[name].stream,
                "clock": PARTS[name].device,
                "intrinsics": [lens.fx, lens.fy, lens.cx, lens.cy],
                "extrinsics": np.column_stack([lens.pose.rotation, lens.pose.translation_mm]).tolist(),
                "distance_mm": self._rig.distance_mm,
            }
            for name, lens in self.lenses.items()
        }

    def film(
        self, file: Callable[[str], Path], heart: Heart, clocks: Mapping[str, DeviceClock], fps: float, hook: Hook
    ) -> Iterator[None]:
        """Write the videos and the marker logs, one camera after each step.

        Args:
            file: Path of a file by its name.
            heart: Of the person.
            clocks: By device.
            fps: Nominal frame rate of all of them.
            hook: Told of the frames of each video.
        """
        from pipeline.simulate.video import write_video

        for name in self._cameras.names:
            part = PARTS[name]
            clock = clocks[part.device]
            write_markers(file(f"{part.stream}_log.csv"), clock.seen(self._script.markers_s))
            device = clock.frames(fps, generator(self._script.seed, part.device.replace("_", " ")))
            motion = face_motion(self._script, heart, clock.to_session(device))
            frames = self._cameras.frames(name, motion)
            write_video(file(part.file), frames, device, hook=named(hook, part.step), **part.form)
            yield
