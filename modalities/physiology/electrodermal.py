"""The skin's columns and events: tonic and phasic conductance, responses and their rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.intervals import runs_of
from data_schemas.stream import Signal
from data_schemas.time import NS_PER_S, Int64Array
from modalities.physiology import skin
from modalities.physiology.channels import Reading, reasons
from modalities.physiology.heart import Column
from modalities.physiology.stretches import Cut, Stretch, cut

_TO_US = {
    "us": 1.0, "usiemens": 1.0, "microsiemens": 1.0, "micros": 1.0, "umho": 1.0, "ns": 1e-3, "nanosiemens": 1e-3,
    "s": 1e6, "siemens": 1e6, "ms": 1e3, "millisiemens": 1e3,
}  # fmt: skip
_RESISTANCE = {"ohm": 1e6, "kohm": 1e3, "mohm": 1.0, "ohms": 1e6, "kohms": 1e3}
_RATE_WINDOW_S, _LEAST_OBSERVED_S = 60.0, 10.0


def read_skin(signal: Signal, column: str, grid_ns: Int64Array, person: str) -> Reading:
    """Tonic and phasic conductance, responses and their rate from an EDA signal.

    Conductance in S, mS, uS or nS and resistance in ohm, kohm or Mohm are brought to uS. In any other unit the values
    stay as they are, thresholds follow the signal's own robust range, and a warning says so.
    """
    unit = signal.units[signal.columns.index(column)]
    known = _plain(unit)
    microsiemens = known in _TO_US or known in _RESISTANCE
    parts = cut(signal, column, bridge_s=0.5, flat_s=10.0)
    tonic, phasic = Column.blank(len(grid_ns)), Column.blank(len(grid_ns))
    kept: list[Stretch] = []
    events: list[Event] = []
    off: list[tuple[int, int]] = []
    noisy: list[tuple[int, int]] = []
    for stretch in parts.stretches:
        slow, thinned = _in_us(stretch, known)
        is_off, is_noisy = skin.find_artefacts(slow, microsiemens)
        off += _bounds(slow, is_off)
        noisy += _bounds(slow, is_noisy)
        spoiled = is_off | is_noisy
        for first, stop in runs_of(~_long(spoiled, skin.LONGEST_BRIDGE_S * slow.rate_hz)):
            whole = first == 0 and stop == len(slow.values)
            piece = slow if whole else Stretch(int(slow.times_of([first])[0]), slow.rate_hz, slow.values[first:stop])
            bad = spoiled[first:stop]
            if piece.seconds < skin.SHORTEST_S:
                continue
            bridged, level = skin.bridged(piece, bad) if bad.any() else (piece, piece)
            kept += [Stretch(int(piece.times_of([a])[0]), piece.rate_hz, piece.values[a:b]) for a, b in runs_of(~bad)]
            _fill(grid_ns, skin.smooth(bridged), bad, tonic, phasic)
            smooth = skin.smooth(level)
            found = skin.find_responses(smooth, skin.noise_in(piece, thinned), microsiemens)
            events += [_event(smooth, one, person) for one in found if _seen(one, bad)]
    columns = {"eda_tonic_us": tonic, "eda_phasic_us": phasic, "scr_rate": _response_rate(grid_ns, kept, events)}
    off_ns = np.array([*parts.off_ns.tolist(), *off], np.int64).reshape(-1, 2)
    reason, usable = reasons(grid_ns, Cut(parts.stretches, parts.off_ns, parts.recorded_s), columns, skin.SHORTEST_S)
    for start, end in off:
        here = slice(*np.searchsorted(grid_ns, (start, end)))
        reason[here] = np.where(reason[here] == "", "", "electrode_off")
    quality = {
        "column": column,
        "rate_hz": round(max((one.rate_hz for one in parts.stretches), default=0.0), 3),
        "unit": "uS" if microsiemens else unit or "unknown",
        "usable_share": usable,
        "responses": len(events),
        "noisy_s": round(sum(end - start for start, end in noisy) / NS_PER_S, 3),
        "electrode_off_s": round(float((off_ns[:, 1] - off_ns[:, 0]).sum()) / NS_PER_S, 3),
    }
    reading = Reading(signal.info.name, columns, reason, sorted(events, key=lambda event: event.onset_ns), quality)
    if not microsiemens:
        reading.warnings.append(
            f"'{signal.info.name}': the unit of the EDA is {unit or 'unknown'!r}, not uS; its columns and amplitudes "
            "are in that unit and the SCR threshold is 5 % of the signal's range. State units = ['uS'] if it is so"
        )
    if kept and max(one.rate_hz for one in kept) < skin.LOWEST_RATE_HZ:
        reading.warnings.append(f"'{signal.info.name}' is sampled too slowly for skin conductance responses (2 Hz)")
    return reading


def _plain(unit: str) -> str:
    """Lower case, micro sign and Greek mu as "u", ohm sign and Greek omega as "ohm"."""
    plain = unit.strip().lower()
    for letter, word in (("\u00b5", "u"), ("\u03bc", "u"), ("\u2126", "ohm"), ("\u03c9", "ohm")):
        plain = plain.replace(letter, word)
    return plain


def _in_us(stretch: Stretch, unit: str) -> tuple[Stretch, bool]:
    """The stretch at 10 to 20 Hz in uS where the unit is known, and whether it was thinned out."""
    slow = stretch.slowed(skin.RATE_HZ)
    values = slow.values
    if unit in _RESISTANCE:
        values = _RESISTANCE[unit] / np.maximum(values, 1e-6 * _RESISTANCE[unit])
    return Stretch(slow.start_ns, slow.rate_hz, values * _TO_US.get(unit, 1.0)), slow is not stretch


def _seen(one: skin.Response, bad: NDArray[np.bool_]) -> bool:
    """Whether the onset of a response, or the moment after it, and most of its rise were recorded."""
    return not bad[one.onset : one.onset + 3].all() and float(np.mean(bad[one.onset : one.peak + 1])) < 0.5


def _long(spoiled: NDArray[np.bool_], samples: float) -> NDArray[np.bool_]:
    """Runs that are longer than this, or touch an end."""
    out = np.zeros(len(spoiled), bool)
    for first, stop in runs_of(spoiled):
        out[first:stop] = stop - first > samples or first == 0 or stop == len(spoiled)
    return out


def _fill(grid_ns: Int64Array, smooth: Stretch, bad: NDArray[np.bool_], tonic: Column, phasic: Column) -> None:
    low, high = skin.decompose(smooth)
    first, stop = np.searchsorted(grid_ns, (smooth.start_ns, smooth.end_ns))
    here = (grid_ns[first:stop] - smooth.start_ns) / NS_PER_S
    since = np.arange(len(low)) / smooth.rate_hz
    # A grid time is spoiled where the sample before or after it is.
    sound = np.interp(here, since, bad.astype(np.float64)) == 0
    for column, part in ((tonic, low), (phasic, high)):
        column.values[first:stop] = np.interp(here, since, part)
        column.valid[first:stop] = sound


def _event(smooth: Stretch, one: skin.Response, person: str) -> Event:
    onset, peak, end = smooth.times_of([one.onset, one.peak, max(one.end, one.onset + 1)]).tolist()
    details = {
        "amplitude_us": round(one.amplitude, 5),
        "rise_time_s": round((peak - onset) / NS_PER_S, 3),
        "recovery_time_s": round((end - peak) / NS_PER_S, 3) if one.recovered else None,
    }
    return Event("physiology", "scr", onset, end, peak, person, round(one.amplitude, 5), details=details)


def _response_rate(grid_ns: Int64Array, kept: list[Stretch], events: list[Event]) -> Column:
    """Responses per minute over the 60 s before, where at least 10 s of them were observed and the signal is there."""
    if len(grid_ns) < 2 or not kept:
        return Column.blank(len(grid_ns))
    here = np.zeros(len(grid_ns), bool)
    for piece in kept:
        if piece.rate_hz >= skin.LOWEST_RATE_HZ:
            here[slice(*np.searchsorted(grid_ns, (piece.start_ns, piece.end_ns)))] = True
    step_s = (grid_ns[-1] - grid_ns[0]) / NS_PER_S / (len(grid_ns) - 1)
    seen = np.r_[0.0, np.cumsum(here) * step_s]
    since = np.searchsorted(grid_ns, grid_ns - round(_RATE_WINDOW_S * NS_PER_S), "right")
    observed = seen[1:] - seen[since]
    onsets = np.sort(np.array([event.onset_ns for event in events], dtype=np.int64))
    count = np.searchsorted(onsets, grid_ns, "right") - np.searchsorted(
        onsets, grid_ns - round(_RATE_WINDOW_S * NS_PER_S), "right"
    )
    rate = np.minimum(60 * count / np.maximum(observed, step_s), 60.0)
    return Column(rate, here & (observed >= _LEAST_OBSERVED_S))


def _bounds(stretch: Stretch, flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in (stretch.times_of(run).tolist() for run in runs_of(flags))]
