"""Columns of tokens made from events: what kind of event lies in each token's window, and how strong it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.time import Int64Array
from fusion.families import family_shares
from fusion.vocabulary import FAMILIES, TABLES

Columns = NDArray[np.float32]
LEAST_SCR_US = 0.05
"""Amplitude from which skin conductance responses are usually counted (Boucsein et al. 2012): unit of the column."""


def event_columns(channel: str, events: Sequence[Event], starts_ns: Int64Array, ends_ns: Int64Array) -> Columns:
    """Event columns of one channel for n windows.

    Args:
        channel: One of `CHANNELS`.
        events: That channel's events, in any order.
        starts_ns: Starts of the windows, shape (n,), increasing.
        ends_ns: Their ends, shape (n,), increasing.

    Returns:
        float32 (n, number of event columns of the channel), columns as in `TABLES[channel].events`:
        - `micro_<family>`, `macro_<family>`: greatest share of the family among the expressions in the window, 0..1
        - `micro_strength`, `macro_strength`: strength against the median of the session's events of the kind, 0..1
        - `blink`, `scr_onset`, `cue_onset`: 1 where one peaks or begins in the window
        - `scr_amplitude`: log(1 + uS / 0.05 uS) / 3 of the greatest response that begins in the window
        - all others: share of the window that such events cover, 0..1
    """
    names = TABLES[channel].events
    out = np.zeros((len(starts_ns), len(names)), np.float32)
    for kind in sorted({event.kind for event in events}):
        fill = _FILLS.get((channel, kind))
        if fill is not None:
            fill(names, out, [event for event in events if event.kind == kind], starts_ns, ends_ns)
    return out


def _touched(begin: int, end: int, starts: Int64Array, ends: Int64Array) -> slice:
    """Windows that overlap [begin, end)."""
    return slice(int(np.searchsorted(ends, begin, side="right")), int(np.searchsorted(starts, end, side="left")))


def _raise_to(out: Columns, at: slice, column: int, value: float) -> None:
    out[at, column] = np.maximum(out[at, column], value)


def _fill_expressions(
    names: tuple[str, ...], out: Columns, events: Sequence[Event], starts: Int64Array, ends: Int64Array
) -> None:
    strengths = np.array([strength_of(event) for event in events])
    usual = float(np.median(strengths)) if len(strengths) else 0.0
    kind = events[0].kind
    first, column = names.index(f"{kind}_{FAMILIES[0]}"), names.index(f"{kind}_strength")
    for event, strength in zip(events, strengths, strict=True):
        at = _touched(event.onset_ns, event.offset_ns, starts, ends)
        for position, share in enumerate(family_shares(event)):
            _raise_to(out, at, first + position, float(share))
        _raise_to(out, at, column, float(strength / (strength + usual)) if strength > 0 else 0.5)


def _fill_moments(column: str, moment: Callable[[Event], int]) -> Callable[..., None]:
    def fill(
        names: tuple[str, ...], out: Columns, events: Sequence[Event], starts: Int64Array, ends: Int64Array
    ) -> None:
        for event in events:
            _raise_to(out, _touched(moment(event), moment(event) + 1, starts, ends), names.index(column), 1.0)

    return fill


def _fill_cover(
    names: tuple[str, ...], out: Columns, events: Sequence[Event], starts: Int64Array, ends: Int64Array
) -> None:
    column = names.index(events[0].kind)
    for event in events:
        at = _touched(event.onset_ns, event.offset_ns, starts, ends)
        covered = np.minimum(ends[at], event.offset_ns) - np.maximum(starts[at], event.onset_ns)
        out[at, column] = np.minimum(1.0, out[at, column] + covered / (ends[at] - starts[at]))


def _fill_responses(
    names: tuple[str, ...], out: Columns, events: Sequence[Event], starts: Int64Array, ends: Int64Array
) -> None:
    _fill_moments("scr_onset", lambda event: event.onset_ns)(names, out, events, starts, ends)
    for event in events:
        amplitude = event.score if event.score is not None else event.details.get("amplitude_us", 0.0)
        size = float(np.log1p(max(0.0, float(amplitude)) / LEAST_SCR_US) / 3)
        at = _touched(event.onset_ns, event.onset_ns + 1, starts, ends)
        _raise_to(out, at, names.index("scr_amplitude"), min(size, 2.0))


def strength_of(event: Event) -> float:
    """Intensity of an expression where its details state one, else its score; 0 where it has neither."""
    stated = event.details.get("intensity", event.score)
    return max(0.0, float(stated)) if isinstance(stated, int | float) and np.isfinite(stated) else 0.0


def peak_of(event: Event) -> int:
    """Apex in ns, or the onset where there is none."""
    return event.onset_ns if event.apex_ns is None else event.apex_ns


_FILLS: dict[tuple[str, str], Callable[..., None]] = {
    ("face", "micro"): _fill_expressions,
    ("face", "macro"): _fill_expressions,
    ("face", "blink"): _fill_moments("blink", peak_of),
    ("voice", "speech_turn"): _fill_cover,
    ("voice", "pause"): _fill_cover,
    ("body", "gesture"): _fill_cover,
    ("body", "hand_to_face"): _fill_cover,
    ("physiology", "scr"): _fill_responses,
    ("context", "cue"): _fill_moments("cue_onset", lambda event: event.onset_ns),
}
