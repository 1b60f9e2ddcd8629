"""Make the pictures of docs/face_methods.md: `python -m docs.pictures.face_methods`.

Faces are the two public-domain photographs of the simulator, moved by it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modalities.face.divisions.base import DIVISIONS, find_division
from modalities.face.interpolation.summary import active_image, as_picture, dynamic_image
from modalities.face.magnification.base import find_magnifier

HERE = Path(__file__).parent
COLOURS = 120
FACTOR, INTENSITY = 8.0, 0.0625
"""Lip corners move by 8 % of the inter-ocular distance at intensity 1, so this is 0.5 %."""
WAYS = ("eulerian", "riesz", "lagrangian")

Clip = NDArray[np.uint8]


def main() -> None:
    """Make all of them."""
    for name, draw in (("regions", _regions), ("magnification", _magnification), ("clip_pictures", _clip_pictures)):
        _keep(draw(), HERE / f"{name}.png")


def smile(photograph: str, intensity: float, frames: int = 17) -> tuple[Clip, NDArray[np.float64]]:
    """A short smile on a still head, grey pictures cut to the face, and the landmarks of the first one."""
    import cv2

    from modalities.face.synthesis.mesh import find_mesh
    from pipeline.simulate.face import render_face
    from pipeline.simulate.motion import FaceMotion

    course = intensity * (1 - np.cos(2 * np.pi * np.arange(frames) / (frames - 1))) / 2
    motion = FaceMotion(np.arange(frames) / 30, dict.fromkeys(("au12_left", "au12_right", "au06"), course))
    pictures = list(render_face(motion, photograph=photograph, size=(480, 400), face_width_px=250))
    points = find_mesh(pictures[0]).points
    left, top = np.maximum(points.min(axis=0).astype(int) - 20, 0)
    right, bottom = points.max(axis=0).astype(int) + 20
    whole = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), np.uint8) for one in pictures]
    grey = np.stack([one[top:bottom, left:right] for one in whole])
    return grey, points - (left, top)


def _regions() -> Any:
    figure, axes = _panels(2, 3, (9.6, 8.0))
    clip, points = smile("hopper", 0.5)
    for panel, name in zip(axes.ravel(), DIVISIONS, strict=True):
        found = find_division(name).divide(clip, points)
        coloured = np.repeat(clip[0][..., None].astype(float), 3, axis=2)
        for at, mask in enumerate(found.masks):
            colour = np.array(_colour(at))
            coloured[mask] = 0.62 * coloured[mask] + 0.38 * 255 * colour
            panel.contour(mask, levels=[0.5], colors=[colour], linewidths=0.9)
        panel.imshow(coloured.astype(np.uint8))
        panel.set_title(f"{name} ({len(found.names)})", fontsize=11)
    return figure


def _magnification() -> Any:
    clip, points = smile("astronaut", INTENSITY)
    apex, corner = len(clip) // 2, points[291]
    shown = {"0.5 %": clip.astype(np.float32)}
    shown |= {f"{name}, 8 times": find_magnifier(name).magnify(clip, FACTOR) for name in WAYS}
    shown["4 % planted"] = smile("astronaut", FACTOR * INTENSITY)[0].astype(np.float32)
    figure, axes = _panels(3, len(shown), (12.0, 6.7), (10, 9, 4))
    x, y = (round(one) for one in corner)
    half = 45
    for (above, middle, below), (name, pictures) in zip(axes.T, shown.items(), strict=True):
        above.imshow(pictures[apex], cmap="gray", vmin=0, vmax=255)
        above.set_title(name, fontsize=11)
        window = (slice(max(0, y - half), y + half), slice(max(0, x - half), x + half))
        change = pictures[apex] - pictures[0]
        middle.imshow(change[window], cmap="RdBu", vmin=-40, vmax=40)
        below.imshow(pictures[:, y - 4, window[1]], cmap="gray", vmin=0, vmax=255, aspect="auto")
    for panel, name in zip(axes[:, 0], ("apex", "apex minus first", "time down"), strict=True):
        panel.set_ylabel(name, fontsize=10)
    return figure


def _clip_pictures() -> Any:
    clip, _ = smile("hopper", 0.4)
    rising = clip[: len(clip) // 2 + 1]
    shown = {
        "first picture": clip[0],
        "apex": rising[-1],
        "dynamic image": as_picture(dynamic_image(rising)),
        "active image": np.clip(active_image(rising), 0, 255),
    }
    figure, axes = _panels(1, 4, (11.0, 3.6))
    for panel, (name, picture) in zip(axes.ravel(), shown.items(), strict=True):
        panel.imshow(picture, cmap="gray", vmin=0, vmax=255)
        panel.set_title(name, fontsize=11)
    return figure


def _panels(rows: int, columns: int, size: tuple[float, float], heights: tuple[int, ...] | None = None) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        rows, columns, figsize=size, squeeze=False, gridspec_kw={"height_ratios": heights or (1,) * rows}
    )
    for panel in axes.ravel():
        panel.set_xticks([])
        panel.set_yticks([])
    figure.tight_layout(pad=0.6)
    return figure, axes


def _colour(at: int) -> tuple[float, float, float]:
    from matplotlib import colormaps

    red, green, blue, _ = colormaps["tab20"]((at * 2 + at // 10) % 20)
    return red, green, blue


def _keep(figure: Any, path: Path) -> None:
    """Write it with few colours, so that it stays small."""
    import io

    from PIL import Image

    held = io.BytesIO()
    figure.tight_layout(pad=0.6)
    figure.savefig(held, dpi=90)
    Image.open(held).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
