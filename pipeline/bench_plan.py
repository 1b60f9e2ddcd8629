"""What the spotting bench is going to look at: every copy of every source, planned before any work begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import MissingFileError, NothingUsableError
from data_schemas.session import StreamEntry
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S
from pipeline.simulate.chance import generator

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
MANNERS = ("quiet", "talking")
RATE_PER_MINUTE = 5.0
"""Planted expressions a minute over all copies of a source, besides the few micro-expressions that ride on
macro-expressions; a short copy carries none or one."""
COPY_S = 30.0
"""Length of one copy of a simulated face."""
SHORTEST_S = 1.5
"""A shorter video cannot hold an expression and the neutral face around it."""
LEAST_S = 10.0
"""Shortest length to which a long video or a simulated copy is cut."""


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """One copy to be made.

    Attributes:
        material: "simulated quiet", "simulated talking", or the name of the video.
        number: Counts the planted copies of the material from 0; -1 is the unplanted one.
        seed: Seed of the bench.
        length_s: Length, seconds.
        expressions: How many expressions are to be planted, those that ride on others not counted.
        file: The video; None for a simulated face.
    """

    material: str
    number: int
    seed: int
    length_s: float
    expressions: int
    file: Path | None = None

    @property
    def natural(self) -> bool:
        """Whether nothing is planted."""
        return self.number < 0

    @property
    def name(self) -> str:
        """Unique name of the copy."""
        return f"{self.material} {'unplanted' if self.natural else self.number}"


def plan_simulated(manner: str, minutes: float, seed: int) -> list[CopyPlan]:
    """Copies of simulated faces, each another face.

    Args:
        manner: One of `MANNERS`.
        minutes: Planted length, above 0.
        seed: Of everything.
    """
    length_s = min(COPY_S, max(LEAST_S, minutes * 60))
    return _plan(f"simulated {manner}", length_s, minutes, seed, None)


def plan_video(file: Path, minutes: float, seed: int) -> list[CopyPlan]:
    """One real video: the unplanted copy first, then planted ones of about `minutes` in all.

    Args:
        file: Video file. Of one longer than `minutes` that much is used.
        minutes: Planted length, above 0.
        seed: Of everything.

    Raises:
        NothingUsableError: it is shorter than `SHORTEST_S`.
        UnreadableFileError: it cannot be decoded.
    """
    times_s = video_times_s(open_video(file))
    times_s = times_s[times_s <= max(LEAST_S, minutes * 60)]
    length_s = float(times_s[-1]) if len(times_s) else 0.0
    if length_s < SHORTEST_S:
        raise NothingUsableError(
            "the video is too short to plant into",
            file=file,
            got=f"{length_s:.1f} s",
            expected=f"at least {SHORTEST_S:g} s",
        )
    return [CopyPlan(file.name, -1, seed, length_s, 0, file), *_plan(file.name, length_s, minutes, seed, file)]


def _plan(material: str, length_s: float, minutes: float, seed: int, file: Path | None) -> list[CopyPlan]:
    """Planted copies; the expressions are shared out so that their total is that of the whole length."""
    count = max(1, round(minutes * 60 / length_s))
    share = length_s * RATE_PER_MINUTE / 60
    start = float(generator(seed, f"bench {plain(material)} share").random())
    edges = np.floor(start + share * np.arange(count + 1)).astype(int)
    return [
        CopyPlan(material, at, seed, length_s, int(edges[at + 1] - edges[at]), file) for at in range(count)
    ]  # fmt: skip


def open_video(file: Path) -> Video:
    """A video as a stream of pictures.

    Raises:
        UnreadableFileError: it cannot be decoded.
    """
    from modalities.readers import open_stream

    return cast(Video, open_stream(StreamEntry(name="face_rgb", kind="face_rgb", file=file.name), file.parent, "p01"))


def video_times_s(stream: Video) -> NDArray[np.float64]:
    """Times of the frames from the first on, seconds, (n,)."""
    times = stream.times_ns
    return (times - times[:1]) / NS_PER_S


def list_videos(folder: Path) -> list[Path]:
    """Video files directly in a folder, by name.

    Raises:
        MissingFileError: no such folder.
        NothingUsableError: no video in it.
    """
    if not folder.is_dir():
        raise MissingFileError("no such folder of videos", file=folder)
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_ENDINGS)
    if not found:
        raise NothingUsableError("the folder holds no video", file=folder, expected=", ".join(VIDEO_ENDINGS))
    return found


def plain(text: str) -> str:
    """ASCII only, as parts of seeds are."""
    return text.encode("ascii", "replace").decode("ascii")


def materials_of(plans: Sequence[CopyPlan]) -> list[str]:
    """Names of the materials in order."""
    return list(dict.fromkeys(plan.material for plan in plans))
