"""Make the picture of docs/face_cameras.md, one face before three cameras: `python -m docs.pictures.cameras`.

A public-domain photograph smiles, lifts its brows and opens its mouth before the simulated cameras: what colour,
infrared (with hot spots and glasses) and depth (with holes) see at the apex, the surface that depth alone is tracked
on, and where the landmarks went from where they were at rest, in the face's own axes.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalities.face.depth.measured import MeasuredFace
from modalities.face.depth.shading import Shader
from pipeline.simulate.face import puppet_of
from pipeline.simulate.face_cameras import Cameras, Rig
from pipeline.simulate.face_depth import DepthSensor
from pipeline.simulate.face_nir import InfraredSensor
from pipeline.simulate.motion import FaceMotion

FILE = Path(__file__).with_name("cameras.png")
SIZE, WIDTH = (480, 400), 250
FPS, FRAMES = 15.0, 10
HOLES = 0.1
FACE = (slice(40, 380), slice(70, 410))
COLOURS = 200


def main() -> None:
    """Draw it."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    cameras, motion = film()
    last = FRAMES - 1
    pictures = {name: list(cameras.frames(name, motion)) for name in cameras.names}
    shader = Shader(cameras.lenses["depth"], DepthSensor().unit_mm / 1000)
    shaded = [shader.tone(one, round(at * 1e9 / FPS)) for at, one in enumerate(pictures["depth"])]
    faces = [_measured(shaded[at], pictures["depth"][at], cameras) for at in (0, last)]
    depth = pictures["depth"][last] * DepthSensor().unit_mm
    figure, axes = pyplot.subplots(1, 5, figsize=(15, 3.7), layout="constrained")
    axes[0].imshow(pictures["rgb"][last][FACE])
    axes[1].imshow(pictures["nir"][last][FACE], cmap="gray", vmin=0, vmax=255)
    near = np.percentile(depth[depth > 0], 1)
    shown = np.ma.masked_where(depth == 0, depth)[FACE]
    colours = pyplot.get_cmap("viridis_r").copy()
    colours.set_bad("white")
    drawn = axes[2].imshow(shown, cmap=colours, vmin=near, vmax=near + 130)
    figure.colorbar(drawn, ax=axes[2], shrink=0.75, label="mm")
    axes[3].imshow(shaded[last][FACE])
    _arrows(axes[4], faces)
    titles = ("colour", "near-infrared: hot spots, glasses", "depth: white is a hole", "depth alone is tracked on this",
              "motion in space, from depth alone")  # fmt: skip
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title, fontsize=11)
        panel.set_axis_off()
    _keep(figure)


def film() -> tuple[Cameras, FaceMotion]:
    """The cameras, and a face that smiles, lifts its brows and opens its mouth while it turns a little."""
    course = (1 - np.cos(np.pi * np.arange(FRAMES) / (FRAMES - 1))) / 2
    motion = FaceMotion(
        times_s=np.arange(FRAMES) / FPS,
        aus={"au12_left": course, "au12_right": course, "au01": 0.8 * course, "au26": 0.5 * course},
        yaw_deg=5 * course,
    )
    rig = Rig(infrared=InfraredSensor(shine=1.5, glasses=True), depth=DepthSensor(holes=HOLES))
    return Cameras(puppet_of("astronaut", SIZE, WIDTH, 3, 0), rig=rig, seed=3), motion


def _arrows(panel: Any, faces: list[MeasuredFace]) -> None:
    """Where landmarks went from the first face to the last, the head's own motion taken out; colour: forwards, mm.

    Those of the outline are left out: they follow the edge of what is seen, not the skin.
    """
    from matplotlib import pyplot

    from modalities.face.synthesis.mesh import OVAL

    rest, apex = (face.head.frontal[:468] * face.eyes_mm for face in (faces[0], faces[-1]))
    seen = faces[0].valid[:468] & faces[-1].valid[:468]
    seen[list(OVAL)] = False
    (x, y, _), (right, up, forward) = rest[seen].T, (apex - rest)[seen].T
    drawn = panel.quiver(
        x, y, right, up, forward, cmap="coolwarm", clim=(-4, 4), angles="xy", scale_units="xy", scale=1, width=0.006
    )
    panel.scatter(x, y, s=2, color="0.6", zorder=0)
    panel.set_aspect("equal")
    pyplot.gcf().colorbar(drawn, ax=panel, shrink=0.75, label="forwards, mm")


def _measured(shaded: NDArray[np.uint8], units: NDArray[np.uint16], cameras: Cameras) -> MeasuredFace:
    """The face of one depth picture in millimetres, its landmarks found in the shaded surface."""
    from modalities.face.depth.measured import measure_face
    from modalities.face.depth.surface import surface_of
    from modalities.face.synthesis.mesh import find_mesh

    mesh = find_mesh(shaded)
    surface = surface_of(units, DepthSensor().unit_mm / 1000, cameras.lenses["depth"])
    found = measure_face(np.column_stack([mesh.points, -mesh.depth]), surface)
    if found is None:
        raise SystemExit("the depth picture shows no face")
    return found


def _keep(figure: Any) -> None:
    """Write it with few colours, so that it stays small."""
    from PIL import Image

    held = io.BytesIO()
    figure.savefig(held, dpi=90)
    Image.open(held).convert("RGB").quantize(COLOURS).save(FILE, optimize=True)
    sys.stdout.write(f"{FILE} {FILE.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
