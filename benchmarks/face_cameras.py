"""One simulated face before three cameras - colour, near-infrared, depth - and what each, and all together, find in it.

The cameras stand beside each other and see the same head, in perspective, with noise, hot spots and holes of their own
(`pipeline.simulate.face_nir`, `face_depth`): half the people wear glasses, and half the depth cameras miss 20 % of the
face. Expressions are planted through the face's own action units. Measured are
spotting (kinds must agree, intersection over union of at least 0.5) and the correlation of action units with what was
planted, for each camera alone, for all three, and with each one missing. `python -m benchmarks.face_cameras [--full]`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Track
from data_schemas.intervals import Interval
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit
from modalities.base import Task
from modalities.face.action_units import AU_NAMES
from modalities.face.analysis import analyse_views
from modalities.face.encoder import SETTINGS
from modalities.face.spotting.base import load_spotter
from modalities.face.spotting.evaluation import Spotted, pair
from modalities.face.spotting.table import nearest_frame
from modalities.face.synthesis.action_units import planted_displacement
from modalities.face.synthesis.events import PlantedExpression, plan_events
from modalities.face.view import View, look_at
from modalities.face.watching import watch
from pipeline.bench_workers import share_out, usable_cores
from pipeline.cli.terminal import silence_native_libraries
from pipeline.simulate.chance import generator
from pipeline.simulate.face_cameras import CAMERAS, Cameras, Rig
from pipeline.simulate.face_depth import DepthSensor
from pipeline.simulate.face_nir import InfraredSensor
from pipeline.simulate.motion import ACTION_UNITS, FaceMotion
from pipeline.simulate.spotter_backgrounds import natural_motion

FPS, SIZE, FACE_WIDTH_PX = 30.0, (480, 360), 200
CLIP_S, EVENTS = 20.0, 4
CLIPS = (2, 16)
FIRST_FACE = 70_001
BLINK_NEAR_S = 0.15
HOLES = (0.02, 0.2)
"""Share of the face that the depth camera does not see, in turn."""
UNITS = (
    ("au01", "au02"), ("au04",), ("au06", "au12"), ("au12",), ("au12_left",), ("au12_right",), ("au09",), ("au10",),
    ("au14",), ("au15",), ("au17",), ("au20",), ("au24",), ("au25", "au26"),
)  # fmt: skip
"""What moves together; brows, cheeks, nose, lips and jaw: what all three cameras can see."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One planted face, and what the cameras saw of it.

    Attributes:
        times_ns: Frame times.
        events: What was planted.
        aus: Intensity of the renderer's action units.
        blinks_ns: When the eyes are most closed.
        alone: What colour and infrared saw without the depth camera's help.
        views: What each saw with all of them there.
    """

    times_ns: NDArray[np.int64]
    events: tuple[PlantedExpression, ...]
    aus: Mapping[str, NDArray[np.float64]]
    blinks_ns: NDArray[np.int64]
    alone: Mapping[str, View]
    views: Mapping[str, View]


def observe_clip(number: int) -> Clip:
    """Draw one face and let three cameras look at it.

    Args:
        number: Of the clip; fixes everything.
    """
    from pipeline.simulate.face import puppet_of
    from pipeline.simulate.face_portrait import PHOTOGRAPHS

    face = FIRST_FACE + number
    times = np.arange(int(CLIP_S * FPS)) / FPS
    events = _plan(generator(face, "three cameras"))
    motion = replace(natural_motion("quiet", face, times), aus=_planted(events, times))
    puppet = puppet_of(PHOTOGRAPHS[number % 2], SIZE, FACE_WIDTH_PX, face, face)
    rig = Rig(
        infrared=InfraredSensor(glasses=number % 4 >= 2), depth=DepthSensor(holes=HOLES[number // 2 % len(HOLES)])
    )
    streams = streams_of(Cameras(puppet, CAMERAS, rig, face), motion)
    alone = {name: _watch([streams[name]])[name] for name in ("rgb", "nir")}
    closing = np.asarray(motion.blink)
    peaks = 1 + np.flatnonzero((closing[1:-1] > closing[:-2]) & (closing[1:-1] >= closing[2:]) & (closing[1:-1] > 0.3))
    times_ns = streams["rgb"].times_ns
    return Clip(times_ns, events, motion.aus, times_ns[peaks], alone, _watch(list(streams.values())))


def streams_of(cameras: Cameras, motion: FaceMotion) -> dict[str, Video]:
    """What the cameras film, as the streams of a session, pictures held in memory."""
    out = {}
    for name in cameras.names:
        pictures = list(cameras.frames(name, motion))
        height, width = pictures[0].shape[:2]
        out[name] = Video(
            info=StreamInfo(name, f"face_{name}", "session", "p01"),
            axis=Explicit(np.rint(motion.times_s * NS_PER_S).astype(np.int64)),
            source=partial(_numbered, pictures),
            width=width,
            height=height,
            depth_scale_m=DepthSensor().unit_mm / 1000 if name == "depth" else None,
            camera=cameras.lenses[name],
        )
    return out


def _numbered(pictures: Sequence[NDArray[Any]]) -> Iterator[tuple[int, NDArray[Any]]]:
    return iter(enumerate(pictures))


def _watch(streams: Sequence[Video]) -> dict[str, View]:
    """What the face encoder keeps of each stream, all of them being there."""
    task = Task("p01", {one.info.name: one for one in streams}, Interval(0, round(CLIP_S * NS_PER_S)))
    (cameras,) = watch(task, ["p01"], load_spotter("temporal"), SETTINGS)
    return {one.stream.info.name: look_at(one.rows, one.reduced, kind=one.stream.info.kind) for one in cameras}


def _plan(rng: np.random.Generator) -> tuple[PlantedExpression, ...]:
    plan = plan_events(CLIP_S, 6.0, rng, count=EVENTS, micro_percent=(2.0, 5.0), micro_s=(0.2, 0.5))
    return tuple(replace(event, aus=UNITS[int(rng.integers(len(UNITS)))]) for event in plan)


def _planted(events: Sequence[PlantedExpression], times_s: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Intensity of each of the renderer's action units."""
    out: dict[str, NDArray[np.float64]] = {}
    for event in events:
        for au in event.aus:
            for name in (au,) if au in ACTION_UNITS else (f"{au}_left", f"{au}_right"):
                out[name] = out.get(name, np.zeros(len(times_s))) + event.at(times_s) / (100 * planted_displacement(au))
    return out


def measure(full: bool) -> Mapping[str, float]:
    """Figures over all clips.

    Args:
        full: 16 clips of 20 s instead of 2.

    Returns:
        For each camera, each pair and all (`rgb`, `rgb_nir`, ... `all`): `f1_*` of micro- and macro-expressions pooled;
        `r_*`, the median over action units of Pearson's r with what was planted, `r_least_*`, and `r_*_au12`, that of
        each; `f1_behind_nir` and `f1_behind_depth`, colour's F1 minus theirs; `judged_*`, the share of frames;
        `blink_f1_*`, a blink being found within `BLINK_NEAR_S`; and `failed`
        clips.
    """
    answers = share_out(_measure_clip, list(range(CLIPS[full])), usable_cores(), lambda done: None)
    told = [answer for answer in answers if not isinstance(answer, str)]
    figures = {"failed": float(len(answers) - len(told))}
    for name in COMBINATIONS:
        hits, planted, found = (sum(one[name].counts[at] for one in told) for at in range(3))
        figures[f"f1_{name}"] = 2 * hits / max(1, planted + found)
        near, planted, found = (sum(one[name].blinks[at] for one in told) for at in range(3))
        figures[f"blink_f1_{name}"] = 2 * near / max(1, planted + found)
        rs = _correlations([one[name] for one in told])
        figures[f"r_{name}"], figures[f"r_least_{name}"] = float(np.median([*rs.values()])), min(rs.values())
        figures |= {f"r_{name}_{unit}": r for unit, r in rs.items()}
        figures[f"judged_{name}"] = float(np.mean([one[name].judged for one in told]))
    for name in ("nir", "depth"):
        figures[f"f1_behind_{name}"] = figures["f1_rgb"] - figures[f"f1_{name}"]
    return figures


COMBINATIONS = {
    "_".join(chosen) if len(chosen) < len(CAMERAS) else "all": chosen
    for k in (1, 2, 3)
    for chosen in combinations(CAMERAS, k)
}


@dataclass(frozen=True, eq=False)
class Judged:
    """What one combination of cameras found in one clip: counts of hits, planted and found, of expressions and blinks;
    curves of each unit.
    """

    counts: tuple[int, int, int]
    blinks: tuple[int, int, int]
    judged: float
    truth: Mapping[str, NDArray[np.float64]]
    told: Mapping[str, NDArray[np.float64]]


def _measure_clip(number: int) -> dict[str, Judged]:
    return judge_clip(observe_clip(number))


def judge_clip(clip: Clip) -> dict[str, Judged]:
    """Every combination of the cameras of a clip; without the depth camera the others are without its help."""
    out = {}
    for name, chosen in COMBINATIONS.items():
        views = clip.views if "depth" in chosen else clip.alone
        out[name] = _judge(clip, [views[camera] for camera in chosen])
    return out


def _judge(clip: Clip, views: Sequence[View]) -> Judged:
    own = [replace(view, moved=view.moved.copy()) for view in views]
    found = analyse_views(own, load_spotter("temporal"))
    times = clip.times_ns
    place = partial(nearest_frame, times_ns=times)
    told = [Spotted("clip", one.kind, place(one.onset_ns), place(one.offset_ns)) for one in found.spotting.expressions]
    true = [
        Spotted("clip", one.kind, place(round(one.onset_s * NS_PER_S)), place(round(one.offset_s * NS_PER_S)))
        for one in clip.events
    ]
    hits = sum(
        len(pair([one for one in true if one.kind == kind], [one for one in told if one.kind == kind]))
        for kind in ("micro", "macro")
    )
    judged = found.track.column("au12_left")[1]
    curves = {name: _column(found.track, name, judged) for name in AU_NAMES}
    planted = {name: _truth(clip, name)[judged] for name in AU_NAMES}
    apexes = np.array([blink.apex_ns for blink in found.blinks], np.int64)
    near = sum(bool((np.abs(apexes - at) <= BLINK_NEAR_S * NS_PER_S).any()) for at in clip.blinks_ns)
    return Judged(
        (hits, len(true), len(told)), (near, len(clip.blinks_ns), len(apexes)), float(judged.mean()), planted, curves
    )  # fmt: skip


def _column(track: Track, name: str, judged: NDArray[np.bool_]) -> NDArray[np.float64]:
    return track.column(name)[0][judged].astype(np.float64)


def _truth(clip: Clip, name: str) -> NDArray[np.float64]:
    unit = name.partition("_")[0]
    return clip.aus.get(name, clip.aus.get(unit, np.zeros(len(clip.times_ns))))


def _correlations(clips: Sequence[Judged]) -> dict[str, float]:
    """Pearson's r of each action unit that was planted, both sides and all clips pooled."""
    out = {}
    for unit in sorted({name.partition("_")[0] for name in AU_NAMES}):
        names = [name for name in AU_NAMES if name.partition("_")[0] == unit]
        truth = np.concatenate([one.truth[name] for one in clips for name in names])
        told = np.concatenate([one.told[name] for one in clips for name in names])
        if truth.max(initial=0) > 0:
            out[unit] = float(np.corrcoef(truth, told)[0, 1]) if told.std() > 0 else 0.0
    return out


def main() -> None:
    """Print the figures."""
    silence_native_libraries()
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:24} {value:.3f}")


if __name__ == "__main__":
    main()
