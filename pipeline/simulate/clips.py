"""Small noisy videos with known faults of their times: frames dropped or repeated, wrong rates, chapters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from modalities.face.synthesis.nuisance import REPEATABLE
from pipeline.simulate.chance import generator

TICKS_PER_S = 90_000
SOUND_HZ = 16_000

Picture = NDArray[np.uint8]


def noisy_pictures(
    frames: Sequence[int] | NDArray[np.integer],
    seed: int,
    *,
    size: tuple[int, int] = (96, 128),
    noise: float = 3.0,
    moving: float = 4.0,
) -> Iterator[Picture]:
    """A blob that sways over a textured ground, as a camera with a noisy sensor sees it.

    Args:
        frames: Moments, in thirtieths of a second; the same moment gives the same picture, noise and all.
        seed: Of everything.
        size: Height and width, px.
        noise: Standard deviation of each pixel, grey levels.
        moving: Amplitude of the movement, px; 0 for a still scene.

    Yields:
        uint8 (h, w, 3).
    """
    height, width = size
    rows, columns = np.mgrid[0:height, 0:width]
    texture = np.cumsum(generator(seed, "ground").standard_normal(size), axis=1)
    ground = 100 + 30 * np.sin(columns / 17) + 20 * np.cos(rows / 13) + texture
    for frame in np.asarray(frames).tolist():
        phase = 2 * np.pi * frame / 30
        x, y = width / 2 + moving * np.sin(0.4 * phase), height / 2 + 0.6 * moving * np.sin(0.27 * phase)
        blob = 60 * np.exp(-(((columns - x) / 22) ** 2) - ((rows - y) / 28) ** 2)
        rng = generator(seed, f"sensor {frame}")
        grey = ground + blob + noise * rng.standard_normal(size)
        yield np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def write_clip(
    path: Path,
    pictures: Iterable[Picture],
    times_s: NDArray[np.float64],
    *,
    quality: int = 18,
    gop: int = 60,
    sound_s: float | None = None,
    both_ways: bool = False,
    stated: dict[str, str] | None = None,
) -> None:
    """Write a lossy H.264 video, with sound if wanted.

    Args:
        path: .mp4 or .mov.
        pictures: One for each time, all of one even size.
        times_s: Presentation times, increasing, (n,).
        quality: Constant rate factor of x264.
        gop: Frames from one whole picture to the next.
        sound_s: Length of a sound track of noise; None for none.
        both_ways: Let frames be predicted from later ones.
        stated: Metadata of the container, such as "creation_time" and "timecode".

    Raises:
        InvalidValueError: other numbers of pictures than of times.
    """
    import av

    options = {"video_track_timescale": str(TICKS_PER_S), "movflags": "use_metadata_tags"}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(stated or {})
        step = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / 30
        rate = Fraction(1 / step).limit_denominator(1001)
        form = {
            "crf": str(quality),
            "preset": "veryfast",
            "bf": "3" if both_ways else "0",
            "g": str(gop),
            "sc_threshold": "0",
            **REPEATABLE,
        }
        stream = container.add_stream("libx264", rate=rate, options=form)
        sound = container.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound_s else None
        written = 0
        for picture, at in zip(pictures, np.rint(times_s * TICKS_PER_S).astype(int).tolist(), strict=False):
            if not written:
                stream.height, stream.width, stream.pix_fmt = picture.shape[0], picture.shape[1], "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, TICKS_PER_S)
            container.mux(stream.encode(frame))
            written += 1
        if written != len(times_s):
            raise InvalidValueError("every picture needs one time", file=path, got=written, expected=len(times_s))
        container.mux(stream.encode(None))
        if sound is not None and sound_s is not None:
            samples = generator(0, "sound of a clip").standard_normal(round(sound_s * SOUND_HZ)) * 1000
            for first in range(0, len(samples), 1024):
                piece = np.ascontiguousarray(samples[first : first + 1024].astype(np.int16)[None])
                block = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = SOUND_HZ, first, Fraction(1, SOUND_HZ)
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))


def cut_clip(source: Path, path: Path, first: int, count: int, *, keep_times: bool = False) -> None:
    """Copy some frames of a clip without coding them anew, as recorders do that write overlapping files.

    Args:
        source: From `write_clip`, with no frames predicted from later ones.
        path: File to write.
        first: First frame, a whole picture.
        count: Number of frames.
        keep_times: Keep the times of the source; else the file begins at 0.
    """
    import av

    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        zero = None
        for number, packet in enumerate(read.demux(stream)):
            if first <= number < first + count and packet.pts is not None:
                zero = packet.pts if zero is None else zero
                if not keep_times:
                    packet.pts, packet.dts = packet.pts - zero, packet.pts - zero
                packet.stream = copy
                written.mux(packet)
