"""Gestures of animated people: recall and precision per class on clips, and spotting in long sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from data_schemas.intervals import Interval
from data_schemas.time import to_ns
from modalities.body.animation.camera import TrackerErrors
from modalities.body.animation.performance import GESTURES, NEGATIVE, Act
from modalities.body.animation.script import draw_clip, draw_sequence
from modalities.body.gestures.clips import Clips
from modalities.body.gestures.layouts import of_skeleton
from modalities.body.gestures.recogniser import Found, recognise
from modalities.body.gestures.spotting import spot
from modalities.body.gestures.training import GesturePlan, train_gestures

CLIP_IOU, SPOT_IOU = 0.3, 0.5


def measure_clips(
    each: int, held_out: bool = True, first_seed: int = 0, errors: TrackerErrors | None = None
) -> dict[str, tuple[float, float]]:
    """Recall and precision by class; a gesture counts as found by an event of its class and side with IoU >= 0.3.

    Every event of a class that hits no planted gesture of that class counts against its precision.
    """
    planted, found, hits = Counter[str](), Counter[str](), Counter[str]()
    for name in (*GESTURES, *NEGATIVE):
        for seed in range(first_seed, first_seed + each):
            scene = draw_clip(name, seed, held_out, errors)
            events = recognise(scene.skeleton)
            planted.update(act.name for act in scene.acts)
            found.update(one.name for one in events)
            hits.update(act.name for act, _ in matches(scene.acts, events, CLIP_IOU))
    return {name: (hits[name] / planted[name], hits[name] / found[name] if found[name] else 0.0) for name in GESTURES}


def measure_spotting(sequences: int, seconds: float, held_out: bool = True, first_seed: int = 0) -> dict[str, float]:
    """F1 with IoU >= 0.5: of intervals of the right class, and of intervals whatever their class."""
    right = anyhow = planted = found = proposed = 0
    for seed in range(first_seed, first_seed + sequences):
        scene = draw_sequence(seed, seconds, held_out)
        events = recognise(scene.skeleton)
        right += len(matches(scene.acts, events, SPOT_IOU))
        anyhow += len(matches(scene.acts, events, SPOT_IOU, by_class=False))
        proposed += _covered(scene.acts, spot(scene.skeleton))
        planted, found = planted + len(scene.acts), found + len(events)
    return {
        "spotting_f1": 2 * right / max(1, planted + found),
        "spotting_recall": right / max(1, planted),
        "spotting_precision": right / max(1, found),
        "interval_f1": 2 * anyhow / max(1, planted + found),
        "proposal_recall": proposed / max(1, planted),
        "planted": float(planted),
    }


def measure_network(full: bool) -> dict[str, float]:
    """The trained recogniser on animated people it never saw: accuracy over eight gestures, and that of chance."""
    names = ("touch_nose", "touch_hair", "fold_arms", "hands_together", "illustrate", "nod", "shrug", "shake_leg")
    clips, labels, subjects = [], [], []
    for name in names:
        for seed in range(40 if full else 16):
            scene = draw_clip(name, 500 + seed, seed % 2 == 1)
            begin, end = scene.acts[0].whole_s
            inside = (scene.skeleton.times_s >= begin) & (scene.skeleton.times_s <= end)
            clips.append(of_skeleton(scene.skeleton)[inside])
            labels.append(name)
            subjects.append(f"person {seed % 8}")
    plan = GesturePlan(epochs=20 if full else 14, frames=32 if full else 24, batch=16)
    figures = train_gestures(Clips(tuple(clips), tuple(labels), tuple(subjects)), plan).figures
    return {"network_accuracy": figures["accuracy"], "network_chance": figures["chance"]}


def _covered(acts: Sequence[Act], spans: Sequence[Interval]) -> int:
    """How many planted gestures an interval overlaps with IoU >= 0.5."""
    planted = [Interval(*(to_ns(s) for s in act.span_s)) for act in acts]
    return sum(any(span.iou(one) >= SPOT_IOU for one in spans) for span in planted)


def matches(
    acts: Sequence[Act], events: Sequence[Found], least: float, by_class: bool = True
) -> list[tuple[Act, Found]]:
    """Pairs of planted and found, one to one, best overlap first."""
    pairs = []
    for act in acts:
        span = Interval(*(to_ns(s) for s in act.span_s))
        for one in events:
            fits = not by_class or (act.name == one.name and (act.side == one.side or not act.side))
            iou = span.iou(Interval(one.onset_ns, one.offset_ns))
            if fits and iou >= least:
                pairs.append((iou, act, one))
    out: list[tuple[Act, Found]] = []
    for _, act, one in sorted(pairs, key=lambda pair: -pair[0]):
        if all(act is not a and one is not f for a, f in out):
            out.append((act, one))
    return out
