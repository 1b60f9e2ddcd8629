"""The face of a simulated session: action units that follow the display, expressions found, missed and invented."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from data_schemas.emotion import EMOTIONS
from data_schemas.event import Event
from data_schemas.features import Encoding
from fusion.vocabulary import TABLES
from pipeline.simulate.chance import between
from pipeline.simulate.emotion import PROTOTYPES
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_course import NEUTRAL, Stretch, log_uniform
from pipeline.simulate.tokens_signals import Scene, encoding_of, event, gaps, moments, raised, smooth, swell, wander

UNITS = tuple(name for name in TABLES["face"].person if name.startswith("au"))
_UPPER = ("au01", "au02", "au04", "au05", "au06", "au07", "au43")
_SPECIFIC = {
    **PROTOTYPES,
    "negative": (
        *PROTOTYPES["negative"],
        {"au01": 0.7, "au04": 0.8, "au15": 0.9},
        {"au04": 0.9, "au07": 0.6, "au24": 0.9},
        {"au01": 0.7, "au02": 0.5, "au04": 0.7, "au05": 0.6, "au20": 0.9},
    ),
}
"""Prototypes of displays: those of the rendered simulator, and more negative ones (EMFACS, Friesen & Ekman 1983)."""


def draw_face(rng: np.random.Generator, scene: Scene) -> Encoding:
    """What a face encoder would say of the scene."""
    times, n = scene.times_s, len(scene.times_s)
    expressive, recall = log_uniform(rng, 0.25, 1.2), between(rng, 0.5, 0.98)
    units = {name: np.zeros(n) for name in UNITS}
    found: list[Event] = []
    for stretch in scene.course.shown:
        shape = _shape_of(rng, stretch, scene)
        onset, offset = stretch.onset_s + between(rng, -0.1, 0.5), stretch.offset_s - between(rng, -0.1, 0.5)
        for begin, end in _pieces(rng, onset, offset):
            strength = expressive * between(rng, 0.35, 1.0)
            course = swell(times, begin, end, min(0.6, (end - begin) / 2.2), min(0.8, (end - begin) / 2.2))
            for name, part in shape.items():
                units[name] += strength * part * course
            if rng.random() < recall * min(1.0, 0.55 + strength):
                found.append(_expression(rng, "macro", begin, end, shape, strength))
            elif rng.random() < 0.4:
                found.append(_expression(rng, "micro", begin, begin + between(rng, 0.2, 0.5), shape, strength))
    found += _invented(rng, scene)
    columns = _measured(rng, scene, units)
    blink_rate = log_uniform(rng, 6, 30) * raised(scene.effects.suppressed_blinks, scene.suppressing)
    found += [event("face", "blink", at, at + 0.25, at + 0.1, 1.0) for at in moments(rng, times, blink_rate)]
    columns["blink_rate"] = blink_rate + 3 * wander(rng, n, 1)[:, 0]
    there = gaps(rng, times, log_uniform(rng, 0.05, 3))
    kept = {name: values for name, values in columns.items() if rng.random() > 0.05}
    return encoding_of("face", times, kept, there, found)


def _shape_of(rng: np.random.Generator, stretch: Stretch, scene: Scene) -> dict[str, float]:
    """Action units of one display, each 0..1; a few are dropped or added, as people differ."""
    prototypes = _SPECIFIC[stretch.emotion]
    shape = dict(prototypes[int(rng.integers(len(prototypes)))])
    shape = {name: part * between(rng, 0.4, 1.2) for name, part in shape.items() if rng.random() > 0.12}
    if rng.random() < 0.2:
        shape[str(rng.choice(UNITS))] = between(rng, 0.2, 0.6)
    middle = np.searchsorted(scene.times_s, (stretch.onset_s + stretch.offset_s) / 2)
    felt = EMOTIONS[scene.felt[min(int(middle), len(scene.felt) - 1)]]
    if stretch.emotion == "positive" and felt != "positive" and "au06" in shape:
        shape["au06"] *= float(np.exp(scene.effects.put_on_smile))
    return shape or {str(rng.choice(UNITS)): 0.5}


def _pieces(rng: np.random.Generator, onset_s: float, offset_s: float) -> list[tuple[float, float]]:
    """One expression for the whole display, or several with a breath between."""
    offset_s = max(offset_s, onset_s + 0.5)
    pieces = 1 + int(rng.random() < 0.3 and offset_s - onset_s > 3)
    edges = np.linspace(onset_s, offset_s, pieces + 1)
    return list(pairwise(edges.tolist()))


def _expression(
    rng: np.random.Generator, kind: str, onset_s: float, offset_s: float, shape: dict[str, float], strength: float
) -> Event:
    """An expression as a spotter reports it: some action units missed, some mistaken, times a little off."""
    seen = {name: round(min(1.0, strength * part), 3) for name, part in shape.items() if rng.random() > 0.2}
    if rng.random() < 0.15 or not seen:
        seen[str(rng.choice(UNITS))] = round(between(rng, 0.1, 0.5), 3)
    jitter = 0.15 if kind == "macro" else 0.03
    onset = max(0.0, onset_s + jitter * float(rng.standard_normal()))
    offset = max(onset + (0.5 if kind == "macro" else 0.1), offset_s + jitter * float(rng.standard_normal()))
    apex = onset + between(rng, 0.25, 0.6) * (offset - onset)
    label = "+".join(sorted({name.split("_")[0].upper() for name in seen}))
    score = max(seen.values()) * between(rng, 0.7, 1.3)
    return event("face", kind, onset, offset, apex, score, label, aus=seen, intensity=max(seen.values()))


def _invented(rng: np.random.Generator, scene: Scene) -> list[Event]:
    """Micro-expressions, whose rate and family may depend on what is hidden, and macro-expressions of nothing."""
    effects, times = scene.effects, scene.times_s
    rate = log_uniform(rng, 0.2, 15) * raised(effects.micro_rate, scene.hidden)
    usual = rng.dirichlet([1.5, 1.5, 1.5])
    found = []
    for at in moments(rng, times, np.minimum(rate, 40.0)):
        index = min(int(np.searchsorted(times, at)), len(times) - 1)
        weights = usual.copy()
        if scene.hidden[index] and scene.felt[index] != NEUTRAL:
            weights[scene.felt[index] - 1] *= np.exp(effects.micro_family)
        emotion = EMOTIONS[1:][int(rng.choice(3, p=weights / weights.sum()))]
        options = _SPECIFIC[emotion]
        shape = options[int(rng.integers(len(options)))]
        found.append(_expression(rng, "micro", at, at + between(rng, 0.12, 0.49), shape, between(rng, 0.05, 0.45)))
    alarms = moments(rng, times, log_uniform(rng, 0.05, 3) * (1 + 2 * scene.talking))
    for at in alarms:
        shape = {str(name): between(rng, 0.2, 1) for name in rng.choice(UNITS, 2, replace=False)}
        found.append(_expression(rng, "macro", at, at + between(rng, 0.5, 2.5), shape, between(rng, 0.1, 0.5)))
    return found


def _measured(rng: np.random.Generator, scene: Scene, units: dict[str, Curve]) -> dict[str, Curve]:
    """The columns of the track: gain, cross-talk, talking mouth, turning head and noise over the action units."""
    n = len(scene.times_s)
    talking = smooth(scene.talking, 0.5) * (0.4 + 0.6 * rng.random(n))
    truth = np.stack([units[name] for name in UNITS], axis=1)
    talks = between(rng, 0, 0.5)
    for name in ("au25", "au26", "au12_left", "au12_right", "au17", "au24"):
        truth[:, UNITS.index(name)] += talks * between(rng, 0, 1) * talking
    mixing = np.eye(len(UNITS)) + between(rng, 0, 0.25) * rng.random((len(UNITS), len(UNITS))) ** 3
    turn = wander(rng, n, 3, 20.0)
    noise = wander(rng, n, len(UNITS)) * np.exp(rng.normal(np.log(0.06), 0.6, len(UNITS)))
    noise += between(rng, 0, 0.08) * (turn @ rng.standard_normal((3, len(UNITS))))
    seen = np.maximum(0, truth @ mixing * np.exp(rng.normal(0, 0.3, len(UNITS))) + noise + 0.08)
    columns = {name: seen[:, at] for at, name in enumerate(UNITS)}
    other = wander(rng, n, 12)
    change = np.abs(np.diff(truth, axis=0, prepend=truth[:1])) * between(rng, 0.5, 2)
    upper = change[:, [UNITS.index(name) for name in _UPPER]].sum(axis=1)
    lower = change.sum(axis=1) - upper
    still = np.abs(other[:, :4]) * between(rng, 0.1, 0.5)
    columns["motion_upper"] = upper + still[:, 0]
    columns["motion_lower"] = lower + talks * talking + still[:, 1]
    columns["motion_left"] = (upper + lower + talks * talking) / 2 + still[:, 2]
    columns["motion_right"] = (upper + lower + talks * talking) / 2 + still[:, 3]
    lids = 0.3 * truth[:, UNITS.index("au05")] - 0.3 * truth[:, UNITS.index("au06")]
    columns["eye_opening_left"] = 0.3 + 0.3 * lids + 0.04 * other[:, 4]
    columns["eye_opening_right"] = 0.3 + 0.3 * lids + 0.04 * other[:, 5]
    jaw = truth[:, UNITS.index("au25")] + truth[:, UNITS.index("au26")]
    columns["mouth_opening"] = 0.3 * jaw + 0.05 * np.abs(other[:, 6])
    columns["expression_score"] = truth.sum(axis=1) * between(rng, 0.3, 1) + between(rng, 0.1, 0.6) * np.abs(
        other[:, 7]
    )
    for at, name in enumerate(("yaw_deg", "pitch_deg", "roll_deg")):
        columns[name] = 8 * turn[:, at]
    columns["face_size_px"] = 300 + 20 * other[:, 8]
    columns["confidence"] = np.clip(0.93 + 0.05 * other[:, 9], 0, 1)
    return columns
