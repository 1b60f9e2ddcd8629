"""Whether the same events are found after a video was made smaller, larger, grey, or brighter as it goes on.

Each clip shows a simulated face with planted expressions. It is looked at as it is, and again re-encoded at half and at
double its size, in grey, and under a brightness ramp of 30 %; at half size the face is still 150 px wide. An event is
the same when it is of the same kind and the intersection over union of both intervals is at least 0.5.
`python -m benchmarks.invariance [--full]`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array
from modalities.face.analysis import analyse_rows
from modalities.face.encoder import SETTINGS
from modalities.face.models import borrowed_models
from modalities.face.observation import FaceObserver
from modalities.face.spotting.base import load_spotter, reducers_of
from modalities.face.spotting.evaluation import Spotted, pair
from modalities.face.spotting.table import nearest_frame
from modalities.face.synthesis.events import plan_events
from modalities.face.synthesis.families import family
from modalities.face.synthesis.following import FacePath
from modalities.face.synthesis.nuisance import recompress
from modalities.face.synthesis.planting import plant, visible
from pipeline.bench_material import FAMILY
from pipeline.bench_workers import share_out, usable_cores
from pipeline.cli.terminal import silence_native_libraries
from pipeline.simulate.chance import generator
from pipeline.simulate.spotter_backgrounds import natural_motion

FPS, SIZE, FACE_WIDTH_PX = 30.0, (640, 480), 310
CLIP_S = 20.0
CLIPS = (2, 12)
FIRST_FACE = 50_001
QUALITY = 18
RAMP = 0.3

Picture = NDArray[np.uint8]
Change = Callable[[Iterable[Picture], int], Iterator[Picture]]


def measure(full: bool) -> Mapping[str, float]:
    """Share of the events that are the same, by change: of those before and after together (2 same / (before + after)).

    Args:
        full: 12 clips of 20 s instead of 2.
    """
    clips = list(range(CLIPS[full]))
    answers = share_out(compare, clips, usable_cores(), lambda done: None)
    figures: dict[str, float] = {"failed": float(sum(isinstance(answer, str) for answer in answers))}
    told = [answer for answer in answers if not isinstance(answer, str)]
    for name in CHANGES:
        same, total = (sum(answer[name][at] for answer in told) for at in (0, 1))
        figures[f"same_{name}"] = same / total if total else float("nan")
    figures["events"] = float(sum(answer["half"][2] for answer in told))
    return figures


def compare(clip: int) -> dict[str, tuple[int, int, int]]:
    """One clip: by change, twice the events that are the same, events before and after, and events before."""
    times_ns, pictures = _clip(clip)
    before = _events(times_ns, recompress(pictures(), QUALITY))
    out = {}
    for name, change in CHANGES.items():
        after = _events(times_ns, change(recompress(pictures(), QUALITY), len(times_ns)))
        same = sum(
            len(pair([one for one in before if one.kind == kind], [one for one in after if one.kind == kind]))
            for kind in ("micro", "macro")
        )
        out[name] = (2 * same, len(before) + len(after), len(before))
    return out


def _clip(number: int) -> tuple[Int64Array, Callable[[], Iterator[Picture]]]:
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait

    face = FIRST_FACE + number
    times = np.arange(int(CLIP_S * FPS)) / FPS
    puppet = Puppet(prepare_portrait(family(FAMILY).photograph, SIZE, FACE_WIDTH_PX, face, face))
    motion = natural_motion("quiet", face, times)
    points = np.stack([puppet.landmarks(motion, at) for at in range(len(times))]).astype(np.float32)
    path = FacePath(points, np.ones(len(times), bool))
    planned = plan_events(
        CLIP_S, 6.0, generator(face, "invariance"), family_name=FAMILY, count=4, micro_percent=(2.0, 5.0)
    )
    events = visible(planned, path, times)

    def pictures() -> Iterator[Picture]:
        return plant(puppet.frames(motion, face), path, times, events)

    return np.rint(times * 1e9).astype(np.int64), pictures


def _events(times_ns: Int64Array, pictures: Iterable[Picture]) -> Sequence[Spotted]:
    """Micro- and macro-expressions that the default spotter finds, in frames."""
    spotter = load_spotter(SETTINGS["spotter"])
    with borrowed_models() as models:
        observer = FaceObserver(models, reducers_of([spotter]))
        for t_ns, picture in zip(times_ns.tolist(), pictures, strict=True):
            observer.add(picture, t_ns)
        found = analyse_rows(observer.rows(), spotter, observer.reduced()).spotting.expressions
    return [
        Spotted("clip", one.kind, nearest_frame(one.onset_ns, times_ns), nearest_frame(one.offset_ns, times_ns))
        for one in found
    ]


def _resized(pictures: Iterable[Picture], count: int, scale: float) -> Iterator[Picture]:
    import cv2

    def sized() -> Iterator[Picture]:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        for picture in pictures:
            yield np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)

    return recompress(sized(), QUALITY)


def _grey(pictures: Iterable[Picture], count: int) -> Iterator[Picture]:
    for picture in pictures:
        light = np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        yield np.repeat(light[..., None], 3, axis=2)


def _ramp(pictures: Iterable[Picture], count: int) -> Iterator[Picture]:
    for at, picture in enumerate(pictures):
        light = 1 - RAMP / 2 + RAMP * at / max(1, count - 1)
        yield np.clip(np.rint(picture * light), 0, 255).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "half": partial(_resized, scale=0.5),
    "double": partial(_resized, scale=2.0),
    "grey": _grey,
    "ramp": _ramp,
}
"""Name -> what is done to the pictures of a clip."""


def main() -> None:
    """Print all figures."""
    silence_native_libraries()
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name} {value:.3f}")


if __name__ == "__main__":
    main()
