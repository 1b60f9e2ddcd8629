"""How well coders agree with each other and with the machine, by kind of event.

Three questions, since no single figure answers them: do they find the same events (F1 of pairs with enough overlap), do
they agree on when something is going on (Cohen's kappa, Krippendorff's alpha over steps of time), do they call the
same event the same (kappa of the labels of paired events). Cohen 1960, Educational and Psychological Measurement 20,
37-46; Krippendorff 2011, Computing Krippendorff's alpha-reliability; overlap matching as in the MEGC challenges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from data_schemas.event import EVENT_KINDS, Event
from data_schemas.time import NS_PER_S, to_ns
from pipeline.coding.compare import best_pairs
from pipeline.coding.layers import MACHINE, Layer, Scope, coders_of, scope_of
from pipeline.export.content import Content

ALL = "all coders"


@dataclass(frozen=True)
class Rater:
    """One coder, or the machine.

    Attributes:
        name: "machine", or the coder.
        events: As this rater has them.
        scopes: Of which person, channel and kind all events were coded.
    """

    name: str
    events: tuple[Event, ...]
    scopes: frozenset[Scope]


def raters_of(content: Content) -> list[Rater]:
    """The machine and everybody who has coded the result.

    The machine has coded, for each person, every known kind of the channels that were analysed.
    """
    machine = content.events
    kinds = {(event.channel, event.kind) for event in machine}
    kinds |= {(channel, kind) for channel, kind in _usual_kinds() if kind in EVENT_KINDS}
    analysed = {(one.person, one.channel) for one in content.record.channels if one.valid_share > 0 or one.events}
    scopes = {(person, channel, kind) for person, channel in analysed for own, kind in kinds if own == channel}
    out = [Rater(MACHINE, machine, frozenset(scopes | {scope_of(event) for event in machine}))]
    for name in coders_of(content.folder):
        layer = Layer.open(content.folder, name)
        touched = {scope_of(one.after or one.before) for one in layer.alive() if one.after or one.before}  # type: ignore[arg-type]
        out.append(Rater(name, layer.events(machine), frozenset(layer.scopes() | touched)))
    return out


def _usual_kinds() -> list[tuple[str, str]]:
    from pipeline.export.tiers import CHANNELS

    return [(channel, kind) for channel, kinds in CHANNELS.items() for kind in kinds]


def agreement(content: Content, *, iou: float = 0.5, step_s: float = 0.04) -> list[dict[str, Any]]:
    """Agreement of all pairs of raters, and of all coders together, for each kind that both have coded.

    Args:
        content: The result, with the coders' layers in its folder.
        iou: Least intersection over union of paired events.
        step_s: Steps of time over which kappa and alpha are taken.

    Returns:
        Rows with `kind`, `a`, `b`; `events_a`, `events_b`, `matched`, `f1`; `kappa`, `alpha` over steps of time;
        `labels_kappa` over the matched events; `onset_ms`, `offset_ms`: median of b minus a over matched events. A
        figure is None where it means nothing: no variation, no events. The row of all coders has `alpha` alone.

    Raises:
        InvalidValueError: nobody has coded, or `iou` or `step_s` is out of range.
    """
    if not 0 < iou <= 1 or not 0.001 <= step_s <= 10:
        raise InvalidValueError(
            "out of range", got=f"iou {iou}, step {step_s} s", expected="0 < iou <= 1, 1 ms to 10 s"
        )
    raters = raters_of(content)
    if len(raters) < 2:
        raise InvalidValueError(
            "nobody has coded this result yet", file=content.folder, mend="Bring events in with telltale import."
        )
    edges = np.arange(content.start_ns, content.end_ns + 1, to_ns(step_s))
    rows = []
    kinds = {kind for one in raters[1:] for _, _, kind in one.scopes}
    for kind in sorted(kinds):
        for a, b in combinations(raters, 2):
            shared = {scope for scope in a.scopes & b.scopes if scope[2] == kind}
            if shared:
                rows.append(_pair(kind, a, b, shared, edges, iou))
        coders = [one for one in raters[1:] if any(scope[2] == kind for scope in one.scopes)]
        if len(coders) > 2:
            scopes = {scope for one in coders for scope in one.scopes if scope[2] == kind}
            row = dict.fromkeys(rows[-1])
            rows.append({**row, "kind": kind, "a": ALL, "b": f"{len(coders)}", "alpha": _alpha(coders, scopes, edges)})
    return rows


def _pair(kind: str, a: Rater, b: Rater, scopes: set[Scope], edges: NDArray[np.int64], iou: float) -> dict[str, Any]:
    matched: list[tuple[Event, Event]] = []
    counts = [0, 0]
    for scope in sorted(scopes, key=str):
        ours = [event for event in a.events if scope_of(event) == scope]
        theirs = [event for event in b.events if scope_of(event) == scope]
        counts[0] += len(ours)
        counts[1] += len(theirs)
        matched += [(ours[i], theirs[j]) for i, j in best_pairs(ours, theirs, iou)]
    on = [np.concatenate([occupied(one, scope, edges) for scope in sorted(scopes, key=str)]) for one in (a, b)]
    return {
        "kind": kind,
        "a": a.name,
        "b": b.name,
        "events_a": counts[0],
        "events_b": counts[1],
        "matched": len(matched),
        "f1": round(2 * len(matched) / sum(counts), 4) if sum(counts) else None,
        "kappa": cohen_kappa(on[0], on[1]),
        "alpha": krippendorff_alpha(np.stack(on).astype(np.float64)),
        "labels_kappa": cohen_kappa([x.label for x, _ in matched], [y.label for _, y in matched]),
        "onset_ms": _median_ms([y.onset_ns - x.onset_ns for x, y in matched]),
        "offset_ms": _median_ms([y.offset_ns - x.offset_ns for x, y in matched]),
    }


def occupied(rater: Rater, scope: Scope, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Steps of time in which the rater has such an event, bool, shape (len(edges) - 1,).

    An event is in a step where it covers the step's middle, or, being shorter than a step, where it begins.
    """
    middles = (edges[:-1] + edges[1:]) // 2
    out = np.zeros(len(middles), bool)
    for event in rater.events:
        if scope_of(event) == scope:
            first, last = np.searchsorted(middles, [event.onset_ns, event.offset_ns])
            if first == last:
                first = int(np.clip(np.searchsorted(edges, event.onset_ns, side="right") - 1, 0, len(out) - 1))
                last = first + 1
            out[first:last] = True
    return out


def cohen_kappa(a: Sequence[Any] | NDArray[Any], b: Sequence[Any] | NDArray[Any]) -> float | None:
    """Cohen's kappa of two raters' categories, -1 to 1.

    Returns:
        None where neither rater used more than one category, the same one: there is nothing to agree on by chance.
    """
    import warnings

    from sklearn.metrics import cohen_kappa_score

    if not len(a) or len({*list(a), *list(b)}) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return round(float(cohen_kappa_score(list(a), list(b))), 4)


def krippendorff_alpha(ratings: NDArray[np.float64]) -> float | None:
    """Krippendorff's alpha for nominal categories, up to 1.

    Args:
        ratings: Shape (raters, units), NaN where a rater has not coded the unit.

    Returns:
        None where all ratings are the same, or no unit was coded by two.
    """
    import krippendorff

    paired = ratings[:, np.isfinite(ratings).sum(axis=0) > 1]
    seen = paired[np.isfinite(paired)]
    if not seen.size or len(np.unique(seen)) < 2:
        return None
    return round(float(krippendorff.alpha(reliability_data=ratings, level_of_measurement="nominal")), 4)


def _alpha(coders: Sequence[Rater], scopes: set[Scope], edges: NDArray[np.int64]) -> float | None:
    whole = []
    for one in coders:
        parts = []
        for scope in sorted(scopes, key=str):
            on = occupied(one, scope, edges).astype(np.float64)
            parts.append(on if scope in one.scopes else np.full(len(on), np.nan))
        whole.append(np.concatenate(parts))
    return krippendorff_alpha(np.stack(whole))


def _median_ms(differences_ns: Sequence[int]) -> float | None:
    return round(float(np.median(differences_ns)) / (NS_PER_S / 1000), 2) if differences_ns else None
