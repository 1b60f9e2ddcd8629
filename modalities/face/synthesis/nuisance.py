"""What disturbs a recording without meaning anything: light, sensor noise, a swaying head, compression."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.mesh import Picture

if TYPE_CHECKING:
    import av

REPEATABLE = {"x264-params": "cpu-independent=1"}
"""Options of x264 for the same file on every run and processor: pictures 480 or 490 px wide gave another one now and
then with its AVX-512 code."""
_RATE = 30
"""Frames a second that the encoder is told; it only matters for how it shares out the bits."""
_COMPONENTS = 4
_GRAIN_RIM = 128


@dataclass(frozen=True, slots=True)
class Nuisance:
    """How strong each disturbance is.

    Attributes:
        light_ramp: Relative change of brightness from the first to the last frame, -0.9..1.
        flicker: Amplitude of a lamp's flicker relative to brightness, 0..0.5.
        flicker_hz: Its frequency as the camera sees it.
        noise: Standard deviation of the sensor noise, grey levels.
        sway_px: Greatest slow shift of the picture, pixels.
        sway_deg: Greatest slow rotation, degrees.
        sway_zoom: Greatest slow relative change of size.
        sway_hz: Fastest component of the sway.
        quality: Constant rate factor of H.264 (0 best, 51 worst); None leaves the pictures uncompressed.
    """

    light_ramp: float = 0.0
    flicker: float = 0.0
    flicker_hz: float = 5.0
    noise: float = 0.0
    sway_px: float = 0.0
    sway_deg: float = 0.0
    sway_zoom: float = 0.0
    sway_hz: float = 0.4
    quality: int | None = None

    def __post_init__(self) -> None:
        if not (-0.9 <= self.light_ramp <= 1 and 0 <= self.flicker <= 0.5 and self.noise >= 0):
            raise InvalidValueError(
                "a disturbance is out of range", got=(self.light_ramp, self.flicker, self.noise),
                expected="light ramp -0.9..1, flicker 0..0.5, noise from 0 on",
            )  # fmt: skip
        if self.quality is not None and not 0 <= self.quality <= 51:
            raise InvalidValueError("a rate factor lies within 0..51", got=self.quality)


def draw_nuisance(rng: np.random.Generator) -> Nuisance:
    """A random mild mixture, as good webcams and rooms have it."""
    return Nuisance(
        light_ramp=float(rng.uniform(-0.15, 0.15)),
        flicker=float(rng.uniform(0, 0.01)),
        flicker_hz=float(rng.uniform(1, 10)),
        noise=float(rng.uniform(0.5, 2.0)),
        sway_px=float(rng.uniform(0, 4)),
        sway_deg=float(rng.uniform(0, 1)),
        sway_zoom=float(rng.uniform(0, 0.01)),
        quality=int(rng.integers(17, 24)),
    )


def disturb(
    frames: Iterable[Picture], times_s: NDArray[np.float64], nuisance: Nuisance, rng: np.random.Generator
) -> Iterator[Picture]:
    """The same video, disturbed: sway, then light, then noise, then compression.

    Two videos disturbed by generators of the same seed are disturbed alike.

    Args:
        frames: RGB, uint8 (h, w, 3).
        times_s: Their times, shape (n,).
        nuisance: What to do.
        rng: Source of chance.

    Yields:
        RGB pictures of the same size.
    """
    shaken = _shake(frames, np.asarray(times_s, np.float64), nuisance, rng)
    return shaken if nuisance.quality is None else recompress(shaken, nuisance.quality)


def _shake(
    frames: Iterable[Picture], times_s: NDArray[np.float64], nuisance: Nuisance, rng: np.random.Generator
) -> Iterator[Picture]:
    import cv2

    limits = np.array([nuisance.sway_px, nuisance.sway_px, nuisance.sway_deg, nuisance.sway_zoom])
    sway = limits * np.stack([_wander(times_s, nuisance.sway_hz, rng) for _ in limits], axis=1)
    share = (times_s - times_s[0]) / max(1e-9, float(times_s[-1] - times_s[0]))
    phase = rng.uniform(0, 2 * np.pi)
    light = 1 + nuisance.light_ramp * share
    light *= 1 + nuisance.flicker * np.sin(2 * np.pi * nuisance.flicker_hz * times_s + phase)
    grain: NDArray[np.float32] | None = None
    for at, picture in enumerate(frames):
        out: NDArray[np.generic] = picture
        height, width = picture.shape[:2]
        if sway[at].any():
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), sway[at, 2], 1 + sway[at, 3])
            turn[:, 2] += sway[at, :2]
            out = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if nuisance.noise and grain is None:
            shape = (height + _GRAIN_RIM, width + _GRAIN_RIM, 3)
            grain = np.float32(nuisance.noise) * rng.standard_normal(shape, dtype=np.float32)
        if grain is not None or light[at] != 1:
            real = out.astype(np.float32) * np.float32(light[at])
            if grain is not None:
                top, left = rng.integers(_GRAIN_RIM, size=2).tolist()
                real += grain[top : top + height, left : left + width]
            out = np.clip(np.rint(real), 0, 255)
        yield np.asarray(out, np.uint8)


def _wander(times_s: NDArray[np.float64], high_hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Slow wandering within -1..1, shape as the times."""
    rates, phases = rng.uniform(0.1, 1, _COMPONENTS) * high_hz, rng.uniform(0, 2 * np.pi, _COMPONENTS)
    return np.sin(2 * np.pi * times_s[:, None] * rates + phases).mean(axis=1)


def recompress(frames: Iterable[Picture], quality: int) -> Iterator[Picture]:
    """Through H.264 (yuv420p) and back, in memory.

    Args:
        frames: RGB, uint8 (h, w, 3), all of one size.
        quality: Constant rate factor, 0..51.

    Yields:
        As many pictures of the same size.
    """
    import av

    encoder: av.VideoCodecContext | None = None
    decoder = av.VideoCodecContext.create("h264", "r")
    size = (0, 0)
    for at, picture in enumerate(frames):
        height, width = picture.shape[:2]
        even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if encoder is None:
            size = (height, width)
            encoder = av.VideoCodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = even.shape[1], even.shape[0], "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, _RATE), Fraction(_RATE)
            encoder.options = {"crf": str(quality), "preset": "veryfast", "tune": "zerolatency", **REPEATABLE}
            encoder.thread_count = 1
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        frame.pts, frame.time_base = at, Fraction(1, _RATE)
        yield from _decoded(decoder, encoder.encode(frame), size)
    if encoder is not None:
        yield from _decoded(decoder, [*encoder.encode(None), None], size)


def _decoded(
    decoder: av.VideoCodecContext, packets: Sequence[av.Packet | None], size: tuple[int, int]
) -> Iterator[Picture]:
    for packet in packets:
        for frame in decoder.decode(packet):
            yield np.asarray(frame.to_ndarray(format="rgb24")[: size[0], : size[1]], np.uint8)
