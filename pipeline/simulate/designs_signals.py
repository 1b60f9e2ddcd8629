"""A concealed information test as the amplifier records it: ECG, skin conductance, breathing, planted reactions.

The heart, the shapes of skin responses and the amplifier's noise are those of simulated sessions (`physiology`); only
what each item does is put in from a `CitSession`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_schemas.errors import InvalidValueError
from data_schemas.stream import Mark, Marks, Signal, Stream, StreamInfo
from data_schemas.time import Regular, to_s
from pipeline.simulate.chance import between, generator
from pipeline.simulate.designs_cit import PERSON, Array, CitSession
from pipeline.simulate.physiology import draw_heart, record_physiology
from pipeline.simulate.script import plan_script
from pipeline.simulate.trials import Response

RATE_HZ = 250.0
BREATH_HZ = 25.0
_SURGE_S = 2.5
_SURGE_MEAN = 0.577
"""Mean over 15 s of a heart response of unit height and this time constant."""
_BREATH_S = 10.0


def cit_streams(session: CitSession) -> Mapping[str, Stream]:
    """The session's streams on the session clock, by name: cues, ECG in mV, EDA in uS, respiration.

    Every measure is rendered that the session has; a missing value becomes a presentation without reaction.
    """
    seconds = to_s(session.extent.end_ns)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = generator(session.seed, "cit signals")
    quiet = replace(plan_script(float(seconds), session.seed), scrs=(), heart=())
    script = replace(quiet, scrs=_skin(rng, session), heart=_heart(session, quiet.person.heart_rate_bpm))
    heart = draw_heart(script, 0.0, float(seconds))
    ecg, eda, belt = record_physiology(script, heart, times).T
    step = round(RATE_HZ / BREATH_HZ)
    belt = (belt * _depth(session, times))[::step]
    streams: dict[str, Stream] = {"cues": _cues(session)}
    if "heart_rate" in session.values:
        streams["ecg"] = _signal("ecg", ecg, RATE_HZ, "mV")
    if "scr" in session.values:
        streams["eda"] = _signal("eda", eda, RATE_HZ, "uS")
    if "line_length" in session.values:
        streams["respiration"] = _signal("respiration", belt, BREATH_HZ, "1")
    return streams


def write_cit_session(folder: Path, session: CitSession) -> None:
    """Write a session folder that `telltale analyze` runs on: `session.toml`, `events.csv`, one table per signal.

    Args:
        folder: Made if absent; must not hold anything.
        session: What happens.

    Raises:
        InvalidValueError: the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InvalidValueError("a session is simulated into a new or empty folder", file=folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_HEAD.format(seed=session.seed, person=PERSON)]
    for name, stream in cit_streams(session).items():
        if isinstance(stream, Signal):
            table = np.column_stack([to_s(stream.times_ns), stream.values[:, 0]])
            np.savetxt(folder / f"{name}.csv", table, "%.4f", ",", header=f"time_s,{name}", comments="")
            parts.append(_STREAM.format(name=name, unit=stream.units[0], person=PERSON))
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("onset_s", "duration_s", "kind", "label", "cit", "item"))
        for cue in session.cues:
            length = to_s(cue.offset_ns - cue.onset_ns)
            details = cue.details
            rows.writerow(
                (f"{to_s(cue.onset_ns):.6f}", f"{length:.3f}", "stimulus", cue.label, details["cit"], details["item"])
            )
    (folder / "session.toml").write_text("".join(parts), encoding="utf-8")


_HEAD = """# A simulated concealed information test, seed {seed}.
schema_version = 1
name = "cit-{seed}"
purpose = "simulation"

[consent]
scope = ["analyse", "share", "train"]
date = 2025-01-01

[[people]]
id = "{person}"

[[streams]]
name = "cues"
kind = "cues"
file = "events.csv"
time_column = "onset_s"
"""
_STREAM = """
[[streams]]
name = "{name}"
kind = "{name}"
file = "{name}.csv"
columns = ["{name}"]
units = ["{unit}"]
time_column = "time_s"
person = "{person}"
"""


def _cues(session: CitSession) -> Marks:
    rows = [
        Mark(
            cue.onset_ns, cue.offset_ns - cue.onset_ns, cue.label,
            {"kind": "stimulus", "cit": cue.details["cit"], "item": cue.details["item"]},
        )
        for cue in session.cues
    ]  # fmt: skip
    return Marks.of(StreamInfo("cues", "cues", "session"), rows)


def _signal(kind: str, values: Array, rate_hz: float, unit: str) -> Signal:
    axis = Regular.from_rate(rate_hz, len(values))
    return Signal(
        info=StreamInfo(kind, kind, "session", PERSON),
        axis=axis,
        values=values[:, None],
        columns=(kind,),
        units=(unit,),
    )


def _reactions(session: CitSession, name: str, without: float) -> list[tuple[float, float]]:
    values = session.values.get(name, np.full(len(session.onsets_s), np.nan))
    pairs = zip(session.onsets_s.tolist(), np.nan_to_num(values, nan=without).tolist(), strict=True)
    return list(pairs)


def _skin(rng: np.random.Generator, session: CitSession) -> tuple[Response, ...]:
    """One response 1.3 to 3 s after each item that has an amplitude, in uS; the same decay for all of a person."""
    decay = between(rng, 2.0, 3.5)
    return tuple(
        Response(at + between(rng, 1.3, 3.0), amplitude, decay)
        for at, amplitude in _reactions(session, "scr", 0.0)
        if amplitude > 0
    )


def _heart(session: CitSession, rate_bpm: float) -> tuple[Response, ...]:
    """A change of the heart rate after each item whose mean over 15 s is the planted one."""
    return tuple(
        Response(at + 0.3, change / _SURGE_MEAN / rate_bpm, _SURGE_S)
        for at, change in _reactions(session, "heart_rate", 0.0)
    )


def _depth(session: CitSession, times_s: Array) -> Array:
    """Depth of breathing: the planted ratio in the 10 s after each item, 1 elsewhere, with flanks of half a second."""
    depth = np.ones(len(times_s))
    for at, ratio in _reactions(session, "line_length", 1.0):
        first, stop = np.searchsorted(times_s, (at, at + _BREATH_S))
        since = times_s[first:stop] - at
        flank = np.clip(np.minimum(since, _BREATH_S - since) / 0.5, 0.0, 1.0)
        depth[first:stop] *= 1 + (ratio - 1) * flank
    return depth
