"""A small video with an LED that flashes: people move, exposure adapts, rows are read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_schemas.stream import StreamInfo, Video
from data_schemas.time import Explicit, to_ns
from pipeline.simulate.chance import generator

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 120, 90
_NOISE = 2.0


@dataclass(frozen=True, slots=True)
class FlashCamera:
    """How a simulated camera sees an LED.

    Attributes:
        fps: Frames per second.
        exposure: Share of the frame period during which a row is exposed, 0..1.
        readout: Share of the frame period between the first and the last row, 0..1.
        stamp: What a frame's time is of: start, middle or end of the exposure of the middle row.
        dropped: Share of the frames that are missing.
        led_xy: Middle of the LED, px of 120 x 90.
        led_px: Its radius.
        led_height: Grey levels by which it is brighter when on.
        breathing: Relative depth of the exposure's slow changes; it also jumps now and then.
        people: Whether somebody moves in the picture.
    """

    fps: float = 30.0
    exposure: float = 0.5
    readout: float = 0.5
    stamp: Literal["start", "middle", "end"] = "start"
    dropped: float = 0.0
    led_xy: tuple[int, int] = (100, 15)
    led_px: float = 2.5
    led_height: float = 90.0
    breathing: float = 0.1
    people: bool = True


def flash_video(
    camera: FlashCamera, on_s: Floats, off_s: Floats, seconds: float, seed: int, name: str = "video"
) -> Video:
    """A video whose pictures are made as they are read.

    Args:
        camera: How it sees.
        on_s: When the LED goes on, seconds of the camera's clock, increasing, shape (k,).
        off_s: When it goes off, each before the next on.
        seconds: Length.
        seed: Of noise, movement, lost frames.
        name: Of the stream.
    """
    rng = generator(seed, "flash video")
    starts = np.arange(int(seconds * camera.fps)) / camera.fps
    kept = np.flatnonzero(rng.random(len(starts)) >= camera.dropped)
    starts = starts[kept]
    period = 1 / camera.fps
    late = (camera.readout / 2 + camera.exposure * {"start": 0.0, "middle": 0.5, "end": 1.0}[camera.stamp]) * period
    jitter = np.clip(rng.normal(0, 0.0003, len(starts)), -0.001, 0.001)
    row = starts + camera.readout * period * camera.led_xy[1] / HEIGHT
    lit = _lit_until(row + camera.exposure * period, on_s, off_s) - _lit_until(row, on_s, off_s)
    share = lit / (camera.exposure * period)
    axis = Explicit(to_ns(starts + late + jitter))

    def pictures() -> Iterator[tuple[int, NDArray[np.generic]]]:
        yield from enumerate(_pictures(camera, starts, share, seed))

    info = StreamInfo(name, "body_video", name, files=(f"{name}.mp4",))
    return Video(info=info, axis=axis, source=pictures, width=WIDTH, height=HEIGHT)


def _lit_until(moments: Floats, on_s: Floats, off_s: Floats) -> Floats:
    """For how long the LED was on before each moment, seconds."""
    if not len(on_s):
        return np.zeros(len(moments))
    edges = np.c_[on_s, off_s].ravel()
    total = np.c_[np.r_[0.0, np.cumsum(np.asarray(off_s) - on_s)[:-1]], np.cumsum(np.asarray(off_s) - on_s)].ravel()
    return np.asarray(np.interp(moments, edges, total))


def _pictures(camera: FlashCamera, starts: Floats, share: Floats, seed: int) -> Iterator[NDArray[np.uint8]]:
    rng = generator(seed, "flash pictures")
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    room = 70 + 40 * np.sin(x / rng.uniform(8, 20) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(8, 20))
    noise = rng.normal(0, _NOISE, (2 * HEIGHT, 2 * WIDTH)).astype(np.float32)
    led = (x - camera.led_xy[0]) ** 2 + (y - camera.led_xy[1]) ** 2 <= camera.led_px**2
    jumps = np.cumsum(rng.normal(0, 0.05, len(starts)) * (rng.random(len(starts)) < 0.002))
    phases = rng.uniform(0, 2 * np.pi, 4)
    for at, time in enumerate(starts.tolist()):
        picture = room.copy()
        if camera.people:
            middle = 55 + 18 * np.sin(0.9 * time + phases[0]) + 6 * np.sin(5.3 * time + phases[1])
            height = 55 + 8 * np.sin(1.7 * time + phases[2])
            body = ((x - middle) / 20) ** 2 + ((y - height) / 34) ** 2 < 1
            picture[body] = 150 + 30 * np.sin(y[body] / 3 + 2 * time)
        picture[led] += camera.led_height * share[at]
        gain = 1 + camera.breathing * np.sin(0.4 * time + phases[3]) + jumps[at]
        top, left = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
        picture = gain * picture + noise[top : top + HEIGHT, left : left + WIDTH]
        yield np.repeat(np.clip(np.rint(picture), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
