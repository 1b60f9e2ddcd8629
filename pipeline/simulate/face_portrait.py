"""A public-domain photograph made ready to be moved: cut out, scaled, its skin and its background known.

The photographs come inside installed packages: NASA's portrait of Eileen Collins ("astronaut", scikit-image) and the US
Navy's of Grace Hopper ("hopper", matplotlib), both works of the United States government and in the public domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError, MissingFileError
from data_schemas.native_log import without_chatter
from modalities.face.synthesis.identity import reshape_face
from modalities.face.synthesis.mesh import OVAL, FaceMesh, Picture, find_mesh
from pipeline.simulate.chance import generator

PHOTOGRAPHS = ("astronaut", "hopper")
MARGIN_PX = 64
"""Rim around the frame that movement may bring into view."""
_FACE_HEIGHT = 0.54
"""Where in the frame the middle of the face lies, as a share of the frame's height."""
_EYE_OUTLINES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))
_LIP_OUTLINE = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)

Mask = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Portrait:
    """A person in front of a background, on a canvas that is larger than the frame by `MARGIN_PX` on every side.

    Attributes:
        person: RGB and opacity 0..255, uint8 (H, W, 4).
        background: What is behind, out of focus, uint8 (h, w, 3), size of the frame.
        skin: 0..1 where blood shows through, float32 (H, W).
        mesh: Landmarks in pixels of the canvas.
    """

    person: Picture
    background: Picture
    skin: Mask
    mesh: FaceMesh


def load_photograph(name: str) -> Picture:
    """One of `PHOTOGRAPHS`, RGB uint8 (h, w, 3), from the installed packages.

    Raises:
        InvalidValueError: another name.
        MissingFileError: the package came without its picture.
    """
    if name not in PHOTOGRAPHS:
        raise InvalidValueError("unknown photograph", got=name, expected=" or ".join(PHOTOGRAPHS))
    try:
        if name == "astronaut":
            from skimage.data import astronaut

            return np.ascontiguousarray(astronaut())
        from matplotlib.cbook import get_sample_data
        from PIL import Image

        return np.array(Image.open(str(get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB"))
    except OSError as error:
        package = "scikit-image" if name == "astronaut" else "matplotlib"
        raise MissingFileError(
            f"the photograph '{name}' is not where {package} keeps it", got=str(error), mend=f"Install {package} again."
        ) from error


def prepare_portrait(name: str, size: tuple[int, int], face_width_px: float, seed: int, identity: int = 0) -> Portrait:
    """Scale a photograph so that its face is `face_width_px` wide, and cut the person out.

    Args:
        name: One of `PHOTOGRAPHS`.
        size: Width and height of the frame.
        face_width_px: Width of the face, from one side of its outline to the other.
        seed: Of the fine texture of the skin, which the enlarged photograph lacks.
        identity: Another face out of the same photograph (`reshape_face`); 0 is the photographed person.

    Raises:
        InvalidValueError: unknown photograph, or a face that does not fit the frame.
        NothingUsableError: no face was found.
    """
    import cv2

    if not 40 <= face_width_px <= 0.9 * min(size):
        raise InvalidValueError(
            "the face does not fit the frame",
            got=f"{face_width_px} px in {size}",
            expected="40 px to 90 % of the frame",
        )
    photograph = reshape_face(load_photograph(name), identity)
    mesh = find_mesh(photograph)
    opacity = cut_out(photograph)
    scale = face_width_px / mesh.width
    middle = scale * (mesh.points.min(axis=0) + mesh.points.max(axis=0)) / 2
    shift = np.array([size[0] / 2, _FACE_HEIGHT * size[1]]) + MARGIN_PX - middle
    mesh = mesh.moved(scale, shift)
    affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    canvas = (size[0] + 2 * MARGIN_PX, size[1] + 2 * MARGIN_PX)
    picture = np.asarray(
        cv2.warpAffine(photograph, affine, canvas, None, cv2.INTER_LANCZOS4, cv2.BORDER_REPLICATE), np.uint8
    )
    opacity = np.clip(cv2.warpAffine(opacity, affine, canvas, None, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE), 0, 1)
    behind = out_of_focus(picture, opacity, 0.12 * face_width_px)
    skin = skin_mask(picture, mesh)
    person = _sharpen(picture, scale) + _texture(skin, seed)[..., None]
    layers = np.dstack([person, 255 * opacity])
    inner = slice(MARGIN_PX, -MARGIN_PX)
    return Portrait(
        np.clip(np.rint(layers), 0, 255).astype(np.uint8), np.ascontiguousarray(behind[inner, inner]), skin, mesh
    )


def cut_out(photograph: Picture) -> Mask:
    """Opacity 0..1 of the person in a photograph, by MediaPipe's selfie segmentation."""
    import cv2
    import mediapipe

    with without_chatter():
        segmenter = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
        segmenter._graph.wait_until_idle()
    with segmenter:
        mask = segmenter.process(photograph).segmentation_mask
    ramp = np.clip((cv2.GaussianBlur(mask, (0, 0), 1.0) - 0.35) / 0.5, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def out_of_focus(picture: Picture, opacity: Mask, blur_px: float) -> Picture:
    """The background without the person: the surroundings spread into the hole, then blurred as by a lens."""
    import cv2

    seen = np.clip(1 - 4 * cv2.GaussianBlur(opacity, (0, 0), 3), 0, 1)
    total = np.zeros(picture.shape, np.float32)
    share = np.full(picture.shape[:2], 1e-6, np.float32)
    for spread, trust in ((blur_px / 3, 1.0), (blur_px, 0.03), (3 * blur_px, 1e-3), (9 * blur_px, 1e-5)):
        total += trust * _soften(picture * seen[..., None], spread)
        share += trust * _soften(seen, spread)
    return np.clip(np.rint(_soften(total / share[..., None], blur_px / 3)), 0, 255).astype(np.uint8)


def _soften(picture: NDArray[Any], sigma_px: float) -> NDArray[np.float32]:
    """Gaussian blur at a reduced size: wide kernels in little time."""
    import cv2

    step = max(1, int(sigma_px / 3))
    h, w = picture.shape[:2]
    small = cv2.resize(picture.astype(np.float32), (max(1, w // step), max(1, h // step)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma_px / step, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(blurred, (w, h), interpolation=cv2.INTER_CUBIC), np.float32)


def skin_mask(picture: Picture, mesh: FaceMesh) -> Mask:
    """Skin of the face, 0..1: within its outline, without eyes and lips, and of about the colour of the cheeks."""
    import cv2

    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint(mesh.points[list(OVAL)]).astype(np.int32)], 255)
    for outline in (*_EYE_OUTLINES, _LIP_OUTLINE):
        cv2.fillPoly(inside, [np.rint(mesh.points[list(outline)]).astype(np.int32)], 0)
    tone = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.02 * mesh.iod), cv2.COLOR_RGB2LAB).astype(np.float32)
    cheeks = np.array([tone[round(y), round(x)] for x, y in mesh.points[[50, 280, 205, 425, 118, 347]]])
    away = np.linalg.norm((tone - cheeks.mean(axis=0)) / (90.0, 20.0, 20.0), axis=-1)
    mask = (inside / 255.0) * np.clip(2 - away, 0, 1)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.05 * mesh.iod), np.float32)


def _sharpen(picture: Picture, scale: float) -> NDArray[np.float32]:
    """Give back some of the contrast of fine detail that enlarging took."""
    import cv2

    real = picture.astype(np.float32)
    if scale <= 1:
        return real
    return real + 0.3 * min(scale - 1, 2.0) * (real - cv2.GaussianBlur(real, (0, 0), 0.6 * scale))


def _texture(skin: Mask, seed: int) -> Mask:
    """Pores and fine lines: band-limited random relief of about 2 grey levels on the skin."""
    import cv2

    grain = generator(seed, "skin texture").standard_normal(skin.shape, dtype=np.float32)
    band = cv2.GaussianBlur(grain, (0, 0), 0.9) - cv2.GaussianBlur(grain, (0, 0), 2.5)
    return (2.0 * skin * band / float(band.std())).astype(np.float32)
