"""The context of a simulated session: the lab's cues, as the context encoder gives them."""

from __future__ import annotations

import numpy as np

from data_schemas.emotion import EMOTIONS
from data_schemas.features import Encoding
from pipeline.simulate.profiles import Curve
from pipeline.simulate.tokens_course import covers
from pipeline.simulate.tokens_signals import Scene, encoding_of, event

INSTANT_S = 1.0
"""How long an instant counts as present in the context encoder's columns."""


def draw_context(rng: np.random.Generator, scene: Scene) -> Encoding:
    """Columns and cue events; in a third of the sessions the lab logs onsets alone."""
    times, cues = scene.times_s, scene.course.cues
    onsets_only = rng.random() < 0.33
    spans = [(cue, cue.onset_s, cue.onset_s + INSTANT_S if onsets_only else cue.offset_s) for cue in cues]
    columns: dict[str, Curve] = {}
    for kind in ("question", "stimulus"):
        columns[kind] = _present(times, [(a, b) for cue, a, b in spans if cue.kind == kind])
    rest = scene.course.baseline
    columns["baseline"] = covers((rest,), times).astype(float) if rest else np.zeros(len(times))
    for emotion in EMOTIONS:
        columns[f"expected_{emotion}"] = _present(times, [(a, b) for cue, a, b in spans if cue.expected == emotion])
    valid = {}
    for kind in ("question", "stimulus"):
        onsets = np.array([cue.onset_s for cue in cues if cue.kind == kind])
        at = np.searchsorted(onsets, times, side="right") - 1
        valid[f"since_{kind}_s"] = at >= 0
        last = onsets[np.clip(at, 0, None)] if len(onsets) else times
        columns[f"since_{kind}_s"] = np.where(at >= 0, times - last, 0.0)
    found = [event("context", "cue", a, max(b, a + 0.001), label=cue.kind, kind=cue.kind) for cue, a, b in spans]
    return encoding_of("context", times, columns, np.ones(len(times), bool), found, valid)


def _present(times_s: Curve, spans: list[tuple[float, float]]) -> Curve:
    out = np.zeros(len(times_s))
    for start, end in spans:
        out[(times_s >= start) & (times_s < end)] = 1.0
    return out
