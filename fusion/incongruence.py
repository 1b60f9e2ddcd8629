"""Incongruence events: stretches in which felt and shown emotion may differ, with links to the evidence.

The threshold is not one half: where concealment is rare and evidence weak, its probability seldom passes that. It is
the smallest from which on a third of the steps were truly concealed on held-out sessions. Every event says its
probability and whether it is "probable" (above one half) or only "possible".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS, EMOTIONS
from data_schemas.event import Event
from data_schemas.intervals import runs_of
from data_schemas.time import Int64Array, to_ns, to_s
from fusion.attribution import shares_over
from fusion.calibration import Decisions
from fusion.posterior import concealed_of, emotions_at
from fusion.tokens import HOP_NS
from fusion.windows import Joint

LEAST_NS = to_ns(1.0)
REACH_NS: dict[str, tuple[int, int]] = {
    "micro": (to_ns(0.5), to_ns(0.5)),
    "macro": (to_ns(0.5), to_ns(0.5)),
    "scr": (0, to_ns(4.0)),
    "hand_to_face": (to_ns(0.5), to_ns(1.0)),
    "gesture": (to_ns(0.5), to_ns(1.0)),
    "pause": (to_ns(0.5), to_ns(0.5)),
    "cue": (to_ns(5.0), 0),
}
"""Kinds of events that may be evidence; how long before the stretch and after its end they may begin. A skin response
begins 1 to 4 s after what caused it (Boucsein et al. 2012)."""
MOST_LINKS = 20


def hysteresis(
    probability: NDArray[np.float64], usable: NDArray[np.bool_], enter: float, leave: float
) -> Iterator[slice]:
    """Runs that stay above `leave` and somewhere exceed `enter`; unusable samples end a run. Shapes (n,)."""
    for start, stop in runs_of(usable & (probability >= leave)):
        if probability[start:stop].max() >= enter:
            yield slice(start, stop)


def find_incongruences(
    person: str,
    times_ns: Int64Array,
    joint: Joint,
    usable: NDArray[np.bool_],
    change: NDArray[np.float64],
    decisions: Decisions,
    evidence: Sequence[Event],
) -> tuple[Event, ...]:
    """Incongruence events in order of onset.

    Args:
        person: Whom they concern.
        times_ns: Centres of the n steps, 0.5 s apart.
        joint: Felt x shown, (n, 16).
        usable: Where a statement can be made at all, (n,).
        change: How much taking each channel away changes the statement, (n, 5) (`fusion.attribution`).
        decisions: Thresholds.
        evidence: Events of all channels that may be linked.

    Returns:
        Events of kind "incongruence" of at least 1 s. Apex: the greatest probability of concealment, which is also the
        score. Details: `felt`, `shown` (the likeliest pair that differs), `grade` ("probable" above one half, else
        "possible"), `pair_probability` (of the pair, given that felt and shown differ), `mean_concealed`, `shares`
        (of each channel over the stretch) and `evidence` (channel, kind, onset_s, label, score of each linked event).
    """
    concealed = concealed_of(joint)
    off_diagonal = 1 - np.eye(len(EMOTIONS)).ravel()
    found = []
    for at in hysteresis(concealed, usable, decisions.conceal_enter, decisions.conceal_leave):
        onset, offset = int(times_ns[at.start]) - HOP_NS // 2, int(times_ns[at.stop - 1]) + HOP_NS // 2
        if offset - onset < LEAST_NS:
            continue
        cells = joint[at].mean(axis=0) * off_diagonal
        felt, shown = emotions_at(int(np.argmax(cells)))
        apex = at.start + int(np.argmax(concealed[at]))
        details: dict[str, Any] = {
            "felt": felt,
            "shown": shown,
            "grade": "probable" if concealed[apex] > 0.5 else "possible",
            "pair_probability": round(float(cells.max() / cells.sum()), 4),
            "mean_concealed": round(float(concealed[at].mean()), 4),
            "shares": {c: round(float(share), 4) for c, share in zip(CHANNELS, shares_over(change[at]), strict=True)},
            "evidence": list(links_to(onset, offset, evidence)),
        }
        found.append(
            Event(
                "fused", "incongruence", onset, offset, int(times_ns[apex]), person,
                round(float(concealed[apex]), 4), f"{felt} felt, {shown} shown", details,
            )
        )  # fmt: skip
    return tuple(found)


def links_to(onset_ns: int, offset_ns: int, evidence: Sequence[Event]) -> Iterator[dict[str, Any]]:
    """Events that may have to do with a stretch, in order of onset, at most 20."""
    given = 0
    for event in sorted(evidence, key=lambda one: (one.onset_ns, one.channel, one.kind)):
        if event.kind not in REACH_NS or given == MOST_LINKS:
            continue
        before, after = REACH_NS[event.kind]
        if event.onset_ns < offset_ns + after and event.offset_ns > onset_ns - before:
            given += 1
            score = None if event.score is None else round(float(event.score), 4)
            yield {"channel": event.channel, "kind": event.kind, "onset_s": round(to_s(event.onset_ns), 3),
                   "label": event.label, "score": score}  # fmt: skip
