"""Action units, blinks and head angles measured against what was planted into faces that nothing was fitted to.

Faces, displacement fields, time profile and photograph are those of the "bench" family. Every face shows each action
unit on the left, on the right and on both sides, at intensities of 0.25 to 1 (1 is the displacement of the synthesis
table: 8 % of the inter-ocular distance for an inner brow, 3.5 % for a lid) and durations of 0.2 to 4 s, with blinks, a
swaying head, changing light, noise and compression; and once nothing at all. `python -m benchmarks.planted_units`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.features import Track
from data_schemas.time import NS_PER_S
from modalities.face.action_units import ACTIVE, AU_NAMES, MIDLINE, PAIRED
from modalities.face.analysis import Analysis, analyse_rows
from modalities.face.models import borrowed_models
from modalities.face.observation import FaceObserver
from modalities.face.spotting.base import load_spotter
from modalities.face.synthesis.action_units import planted_displacement
from modalities.face.synthesis.events import PlantedExpression
from modalities.face.synthesis.families import family
from modalities.face.synthesis.following import FacePath
from modalities.face.synthesis.mesh import Picture
from modalities.face.synthesis.nuisance import disturb, draw_nuisance
from modalities.face.synthesis.planting import plant
from pipeline.bench_workers import share_out, usable_cores
from pipeline.simulate.chance import generator
from pipeline.simulate.motion import FaceMotion
from pipeline.simulate.spotter_backgrounds import natural_motion

FAMILY = "bench"
FIRST_FACE = 30_001
FPS, SIZE, FACE_WIDTH_PX = 30.0, (360, 300), (150.0, 220.0)
INTENSITY, DURATION_S = (0.25, 1.0), (0.2, 4.0)
GAP_S = (0.8, 1.6)
NEUTRAL_S, TURN_S = 30.0, 12.0
MOST_TURN_DEG = (25.0, 20.0, 20.0)
KINDS = ("units", "neutral", "talking", "turning")
PLANTED = (*(f"{au}{side}" for au in PAIRED for side in ("_left", "_right", "")), *MIDLINE)
BLINK_NEAR_S = 0.15
"""A blink is found when one is reported whose apex is nearer than this."""

Curve = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clip:
    """One observed video and its truth.

    Attributes:
        number: Of the face.
        kind: "units", "neutral", "talking" or "turning".
        rows: What the face path kept.
        events: What was planted.
        motion: What the face did besides.
    """

    number: int
    kind: str
    rows: NDArray[np.void]
    events: tuple[PlantedExpression, ...]
    motion: FaceMotion

    @property
    def times_s(self) -> Curve:
        """Frame times."""
        return self.motion.times_s

    def truth(self, unit: str) -> Curve:
        """Planted intensity of one unit ("au12_left", "au25") at each frame."""
        out = np.zeros(len(self.times_s))
        for event in self.events:
            (au,) = event.aus
            if au in (unit, unit.partition("_")[0]):
                out += event.at(self.times_s) / (100 * planted_displacement(au))
        return out


def observe_clip(number: int, kind: str) -> Clip:
    """Draw one face, plant, disturb, and look at it.

    Args:
        number: Of the face; fixes everything.
        kind: "units", "neutral", "talking" or "turning".
    """
    from pipeline.simulate.face import Puppet
    from pipeline.simulate.face_portrait import prepare_portrait

    rng = generator(number, f"planted units {kind}")
    events = _plan(rng) if kind == "units" else ()
    length = {"units": events[-1].offset_s + 2 if events else 0.0, "turning": TURN_S}.get(kind, NEUTRAL_S)
    times = np.arange(int(length * FPS)) / FPS
    width = float(generator(number, "face width").uniform(*FACE_WIDTH_PX))
    puppet = Puppet(prepare_portrait(family(FAMILY).photograph, SIZE, width, number, number))
    motion = natural_motion("talking" if kind == "talking" else "quiet", number, times)
    if kind == "turning":
        yaw, pitch, roll = _turns(times, rng)
        motion = replace(motion, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
    points = np.stack([puppet.landmarks(motion, at) for at in range(len(times))]).astype(np.float32)
    path = FacePath(points, np.ones(len(times), bool))
    pictures: Iterator[Picture] = plant(puppet.frames(motion, number), path, times, events)
    pictures = disturb(pictures, times, draw_nuisance(rng), generator(number, "planted units chance"))
    with borrowed_models() as models:
        observer = FaceObserver(models)
        for time_s, picture in zip(times.tolist(), pictures, strict=False):
            observer.add(picture, round(time_s * NS_PER_S))
        return Clip(number, kind, observer.rows(), tuple(events), motion)


def _plan(rng: np.random.Generator) -> tuple[PlantedExpression, ...]:
    """Every unit once, in random order."""
    out, now = [], 2.0
    for at in rng.permutation(len(PLANTED)).tolist():
        unit = PLANTED[at]
        length = float(np.exp(rng.uniform(*np.log(DURATION_S))))
        apex, hold = rng.uniform(0.25, 0.5), rng.uniform(0.05, 0.3)
        percent = 100 * planted_displacement(unit) * float(rng.uniform(*INTENSITY))
        nodes = (now, now + apex * length, now + (apex + hold) * length, now + length)
        out.append(PlantedExpression("micro" if length < 0.5 else "macro", (unit,), *nodes, percent, FAMILY))
        now += length + float(rng.uniform(*GAP_S))
    return tuple(out)


def _turns(times_s: Curve, rng: np.random.Generator) -> list[Curve]:
    """Yaw, pitch and roll: one after the other out to both sides, then all at once; rest at the beginning."""
    out = []
    phase = (times_s - 1.0) / (times_s[-1] - 1.0)
    for at, most in enumerate(MOST_TURN_DEG):
        alone = np.where((phase >= at / 4) & (phase < (at + 1) / 4), np.sin(2 * np.pi * (4 * phase - at)), 0.0)
        together = np.where(phase >= 0.75, np.sin(2 * np.pi * (4 * phase - 3) + 0), 0.0) * rng.uniform(0.3, 0.6)
        out.append(most * (alone + together))
    return out


def measure(full: bool) -> Mapping[str, float]:
    """Figures over all clips.

    Args:
        full: 12 faces instead of 2.

    Returns:
        `r_<unit>` (Pearson's r of intensity per frame over clips with every unit, both sides pooled, and neutral ones:
        what other units light up counts against it), `own_r_<unit>` (only frames within 1 s of the unit's own
        movements), `r_least`, `r_median`, `own_r_least`, `side_right` in all and by unit, `neutral_active`,
        `talking_active`, `turning_active` (share of frames with any unit above `ACTIVE`; while talking, lips and jaw
        part, so that AU25 and AU26 are left out), `blink_f1`, `head_error_deg` (95th percentile),
        `head_error_mean_deg`, `head_within_5_deg` (share); `failed` clips, of which nothing could be said.
    """
    wanted = [(FIRST_FACE + at, kind) for at in range(12 if full else 2) for kind in KINDS]
    answers = share_out(_observe, wanted, usable_cores(), lambda done: None)
    clips = [answer for answer in answers if isinstance(answer, Clip)]
    figures = judge_clips(clips)
    return {**figures, "failed": float(len(answers) - len(clips))}


def _observe(wanted: tuple[int, str]) -> Clip:
    return observe_clip(*wanted)


def judge_clips(clips: list[Clip]) -> dict[str, float]:
    """See `measure`."""
    spotter = load_spotter("regional")
    analysed = [(clip, analyse_rows(clip.rows, spotter)) for clip in clips]
    figures: dict[str, float] = {}
    everywhere, own = {}, {}
    for au in (*PAIRED, *MIDLINE):
        pairs = [pair for pair in analysed if pair[0].kind in ("units", "neutral")]
        everywhere[au], own[au] = correlate(pairs, au)
        figures[f"r_{au}"] = everywhere[au]
        figures[f"own_r_{au}"] = own[au]
    figures["r_least"], figures["r_median"] = min(everywhere.values()), float(np.median(list(everywhere.values())))
    figures["own_r_least"] = min(own.values())
    sides = [right for clip, analysis in analysed if clip.kind == "units" for right in side_hits(clip, analysis)]
    figures["side_right"] = float(np.mean([right for _, right in sides]))
    for au in PAIRED:
        figures[f"side_right_{au}"] = float(np.mean([right for unit, right in sides if unit == au]))
    for kind in ("neutral", "talking", "turning"):
        units = [au for au in AU_NAMES if kind != "talking" or au not in ("au25", "au26")]
        shares = [active_share(analysis.track, units) for clip, analysis in analysed if clip.kind == kind]
        figures[f"{kind}_active"] = float(np.mean(shares)) if shares else float("nan")
    figures["blink_f1"] = blink_f1([pair for pair in analysed if pair[0].kind in ("units", "neutral", "talking")])
    errors = np.concatenate([head_errors(clip) for clip in clips if clip.kind == "turning"] or [np.zeros((0, 3))])
    if len(errors):
        figures["head_error_deg"] = float(np.percentile(errors, 95))
        figures["head_error_mean_deg"] = float(errors.mean())
        figures["head_within_5_deg"] = float((errors <= 5).mean())
    return figures


def correlate(pairs: list[tuple[Clip, Analysis]], au: str) -> tuple[float, float]:
    """Pearson's r of one unit over all frames, and over frames near its own movements, both sides pooled."""
    truth, found, near = [], [], []
    for clip, analysis in pairs:
        for name in AU_NAMES:
            if name.partition("_")[0] != au:
                continue
            value, valid = analysis.track.column(name)
            planted = clip.truth(name)
            truth.append(planted[valid])
            found.append(value[valid])
            within = np.zeros(len(planted), bool)
            for event in clip.events:
                if event.aus[0].partition("_")[0] == au:
                    within |= (clip.times_s > event.onset_s - 1) & (clip.times_s < event.offset_s + 1)
            near.append(within[valid])
    one, other, mine = np.concatenate(truth), np.concatenate(found), np.concatenate(near)
    return _pearson(one, other), _pearson(one[mine], other[mine])


def _pearson(one: Curve, other: NDArray[np.floating]) -> float:
    """0 where either does not vary."""
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 and other.std() > 0 else 0.0


def side_hits(clip: Clip, analysis: Analysis) -> Iterator[tuple[str, bool]]:
    """For each one-sided movement its unit, and whether that side's intensity was the greater one at its apex."""
    for event in clip.events:
        unit, _, side = event.aus[0].partition("_")
        if not side:
            continue
        at = (clip.times_s >= event.apex_s - 1e-6) & (clip.times_s <= event.release_s + 1 / FPS)
        other = "left" if side == "right" else "right"
        mine, theirs = (analysis.track.column(f"{unit}_{which}")[0][at].mean() for which in (side, other))
        yield unit, bool(mine > theirs)


def active_share(track: Track, units: Sequence[str]) -> float:
    """Share of the judged frames in which any of the units is above the activation threshold."""
    columns = [track.column(name) for name in units]
    active = np.any([(value > ACTIVE) & valid for value, valid in columns], axis=0)
    judged = np.any([valid for _, valid in columns], axis=0)
    return float(active[judged].mean())


def blink_f1(pairs: list[tuple[Clip, Analysis]]) -> float:
    """F1 of blinks, matched one to one by their apexes."""
    from scipy.signal import find_peaks

    hits = planted = found = 0
    for clip, analysis in pairs:
        tops, _ = find_peaks(np.asarray(clip.motion.blink), height=0.5)
        left = [clip.times_s[top] for top in tops]
        planted, found = planted + len(left), found + len(analysis.blinks)
        for blink in analysis.blinks:
            near = [apex for apex in left if abs(apex - blink.apex_ns / NS_PER_S) <= BLINK_NEAR_S]
            if near:
                left.remove(min(near, key=lambda apex: abs(apex - blink.apex_ns / NS_PER_S)))
                hits += 1
    return 2 * hits / max(1, planted + found)


def head_errors(clip: Clip) -> Curve:
    """Absolute errors of yaw, pitch and roll in degrees relative to the head at rest, (frames, 3)."""
    motion = clip.motion
    truth = np.column_stack([np.asarray(c) for c in (motion.yaw_deg, motion.pitch_deg, motion.roll_deg)])
    rest = (clip.times_s < 1.0) & clip.rows["found"]
    found = clip.rows["found"]
    angles = clip.rows["angles"].astype(np.float64)
    return np.asarray(np.abs(angles - angles[rest].mean(axis=0) - truth)[found])


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        sys.stdout.write(f"{name:24s} {value:.3f}\n")
