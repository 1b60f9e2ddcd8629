"""Magnified motion against planted motion, noise, and frames in between: `python -m benchmarks.magnification`.

A corner of the mouth of a photographed face (public domain) is moved by 0.5 % of the inter-ocular distance and back,
with and without sensor noise; each way of magnifying is asked for 8 times as much. What came out is measured by optical
flow (TV-L1) from the first picture to that of the greatest movement, and compared with what the same flow says of a
clip in which eight times the movement was planted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modalities.face.flow_methods import dense_flow
from modalities.face.interpolation.length import WAYS, bring_to_length
from modalities.face.magnification.base import Magnifier, find_magnifier

PERCENT, FACTOR = 0.5, 8.0
IOD_PX = 60.0
SPREAD_PX = 18.0
"""Of the planted blob."""
NOISE = 1.0
"""Grey levels."""
COARSE_PX = 3.0
"""Blur that leaves waves of 8 times the greatest movement, to which the bound of linear magnification holds."""
NAMES = ("eulerian", "riesz", "lagrangian")
KINDS = ("percent", "coarse")
PEOPLE = (("astronaut", 0), ("hopper", 0), ("astronaut", 4), ("hopper", 9))


@dataclass(frozen=True, eq=False)
class Planted:
    """A clip with known movement.

    Attributes:
        clip: uint8 (t, h, w).
        apex: Number of the picture with the greatest movement.
        blob: Movement relative to its greatest, (h, w).
        greatest_px: Movement to the right there.
    """

    clip: NDArray[np.uint8]
    apex: int
    blob: NDArray[np.float32]
    greatest_px: float


def plant(
    picture: NDArray[np.uint8], centre: tuple[float, float], greatest_px: float, *, frames: int = 13,
    noise: float = NOISE, seed: int = 0,
) -> Planted:  # fmt: skip
    """Move skin around a place to the right and back, along half a cosine wave.

    Args:
        picture: Grey (h, w).
        centre: Column and row of the blob.
        greatest_px: Movement at its centre, in the middle of the clip.
        frames: Length.
        noise: Of each picture, grey levels.
        seed: Of the noise.
    """
    import cv2

    rng = np.random.default_rng(seed)
    y, x = (np.asarray(one) for one in np.indices(picture.shape, dtype=np.float32))
    blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * SPREAD_PX**2)).astype(np.float32)
    out = []
    for way in (1 - np.cos(2 * np.pi * np.arange(frames) / (frames - 1))) / 2:
        source = np.asarray(x - np.float32(way * greatest_px) * blob)
        moved = cv2.remap(picture.astype(np.float32), source, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        out.append(moved + noise * rng.normal(size=picture.shape))
    clip = np.clip(np.rint(np.stack(out)), 0, 255).astype(np.uint8)
    return Planted(clip, (frames - 1) // 2, blob, greatest_px)


def gain(magnifier: Magnifier, planted: Planted, wanted: Planted, factor: float, blur_px: float = 0.0) -> float:
    """How many times as far the planted blob moves in the magnified clip.

    Args:
        magnifier: What to test.
        planted: With the small movement.
        wanted: The same with the movement `factor` times as large, by which the flow is gauged.
        factor: Asked for.
        blur_px: Spread of a Gaussian through which both are looked at.
    """
    found = magnifier.magnify(planted.clip, factor)
    return factor * moved_px(found, planted, blur_px) / moved_px(wanted.clip, planted, blur_px)


def moved_px(clip: NDArray[np.number], planted: Planted, blur_px: float = 0.0) -> float:
    """Movement to the right from the first picture to the apex within the blob, by optical flow."""
    from scipy.ndimage import gaussian_filter

    pair = (gaussian_filter(clip[at].astype(np.float32), blur_px) for at in (0, planted.apex))
    flow = dense_flow("tvl1")(*(np.ascontiguousarray(np.rint(one).astype(np.uint8)) for one in pair))[..., 0]
    weight = planted.blob * (planted.blob > 0.5)
    return float((flow * weight).sum() / weight.sum())


def noise_gain(magnifier: Magnifier, still: NDArray[np.uint8], factor: float) -> float:
    """How many times as much a still, noisy clip changes from picture to picture when magnified."""
    out = magnifier.magnify(still, factor)
    return float(np.diff(out, axis=0)[1:].std() / np.diff(still.astype(np.float32), axis=0)[1:].std())


def interpolation_errors(planted: Planted) -> dict[str, float]:
    """Root mean square error where every other picture was left out and put back, grey levels, by way."""
    known = planted.clip[::2]
    hidden = planted.clip[1::2].astype(np.float32)
    return {
        way: float(np.sqrt(((bring_to_length(known, len(planted.clip), way)[1::2] - hidden) ** 2).mean()))
        for way in WAYS
    }


def portraits(full: bool) -> list[tuple[NDArray[np.uint8], tuple[float, float]]]:
    """Aligned pictures of photographed faces, with the place of the left corner of the mouth."""
    from modalities.face.landmarks import FaceTracker
    from modalities.face.models import borrowed_models
    from modalities.face.regions import REGIONS
    from modalities.face.registration import PatchAligner
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait
    from pipeline.simulate.motion import FaceMotion

    out = []
    for photograph, identity in PEOPLE if full else PEOPLE[:2]:
        puppet = Puppet(prepare_portrait(photograph, (480, 360), 230, identity, identity))
        picture = next(iter(puppet.frames(FaceMotion(np.zeros(1)), 0)))
        with borrowed_models() as models:
            sighting = FaceTracker(models).find(picture, 0)
            if sighting is None:
                continue
            patch, points = PatchAligner().align(sighting, 0)
        x, y = points[list(REGIONS["lip_corner_left"])].mean(axis=0).tolist()
        out.append((patch, (x, y)))
    return out


def measure(full: bool) -> Mapping[str, float]:
    """Gain and noise of each way to magnify, time per clip, and errors of each way to interpolate.

    `NAME_percent_least` and `_most`: what 0.5 % became, percent of the inter-ocular distance, over faces and noise;
    `NAME_coarse_*`: the same of pictures blurred to waves of 19 px (8 times the movement), for which alone linear
    magnification is made;
    `NAME_noise`: noise from picture to picture, times that of the clip; `NAME_ms`: per clip of 13 pictures of 160 px;
    `tim_error`, `linear_error`: grey levels, movement of 2.5 %, without noise.

    Args:
        full: Four faces instead of two.
    """
    figures: dict[str, float] = {}
    faces = portraits(full)
    size = PERCENT / 100 * IOD_PX
    for name in NAMES:
        magnifier = find_magnifier(name)
        percents, coarse, noises, spent = [], [], [], []
        for seed, (picture, centre) in enumerate(faces):
            wanted = plant(picture, centre, FACTOR * size, noise=0.0)
            for noise in (0.0, NOISE):
                planted = plant(picture, centre, size, noise=noise, seed=seed)
                percents.append(PERCENT * gain(magnifier, planted, wanted, FACTOR))
                coarse.append(PERCENT * gain(magnifier, planted, wanted, FACTOR, COARSE_PX))
            still = plant(picture, centre, 0.0, seed=seed).clip
            noises.append(noise_gain(magnifier, still, FACTOR))
            started = time.perf_counter()
            magnifier.magnify(still, FACTOR)
            spent.append(time.perf_counter() - started)
        figures |= {
            f"{name}_coarse_least": min(coarse), f"{name}_coarse_most": max(coarse),
            f"{name}_percent_least": min(percents), f"{name}_percent_most": max(percents),
            f"{name}_noise": float(np.mean(noises)), f"{name}_ms": 1000 * float(np.median(spent)),
        }  # fmt: skip
    errors = [interpolation_errors(plant(picture, centre, 5 * size, noise=0.0)) for picture, centre in faces]
    return {**figures, **{f"{way}_error": float(np.mean([one[way] for one in errors])) for way in WAYS}}


def main() -> None:
    """Print a table."""
    figures = measure("--full" in sys.argv)
    print(f"{PERCENT} % magnified {FACTOR:g} times: {PERCENT * FACTOR:g} % is asked for")
    print(f"{'way':12s} {'percent':>15s} {'coarse only':>15s} {'noise':>8s} {'ms a clip':>10s}")
    for name in NAMES:
        spans = [f"{figures[f'{name}_{one}_least']:.2f} to {figures[f'{name}_{one}_most']:.2f}" for one in KINDS]
        noise, spent = figures[f"{name}_noise"], figures[f"{name}_ms"]
        print(f"{name:12s} {spans[0]:>15s} {spans[1]:>15s} {noise:7.2f}x {spent:10.0f}")
    for way in WAYS:
        print(f"every other picture put back, {way}: error {figures[f'{way}_error']:.4f} grey levels")


if __name__ == "__main__":
    main()
