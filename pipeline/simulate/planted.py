"""From the script of a session to its truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from data_schemas.emotion import EMOTIONS
from data_schemas.event import Event
from data_schemas.time import to_s
from pipeline.simulate.clocks import DeviceClock
from pipeline.simulate.emotion import labels_at
from pipeline.simulate.physiology import Heart, phasic_at, scr_half_s, scr_rise_s, tonic_at
from pipeline.simulate.script import Script
from pipeline.simulate.speech import pitch_at
from pipeline.simulate.truth import Truth, grid_ns, micro_ns

R_WAVE_S = 0.02
"""Length given to an R peak as an event; its apex is the peak itself."""


def tell_truth(script: Script, heart: Heart, clocks: Mapping[str, DeviceClock], name: str, fidelity: str) -> Truth:
    """Everything planted: events by onset, tracks on the 25 Hz grid, clocks, single figures.

    R peaks are those that the physiology recorder saw, so some lie before 0 and after the end of the session.
    """
    times_ns = grid_ns(script.seconds)
    times = to_s(times_ns)
    felt, shown = labels_at(script.episodes, times)
    words = np.array(EMOTIONS)
    f0, voiced = pitch_at(script.turns, times)
    events = tuple(sorted(_events(script, heart, clocks["physio"]), key=lambda e: (e.onset_ns, e.channel, e.kind)))
    inside = heart.r_peaks_s[(heart.r_peaks_s >= 0) & (heart.r_peaks_s < script.seconds)]
    person = script.person
    figures: dict[str, Any] = {
        "photograph": person.photograph,
        "mean_heart_rate_bpm": round(60.0 / float(np.mean(np.diff(inside))), 4),
        "resting_heart_rate_bpm": round(person.heart_rate_bpm, 4),
        "pulse_transit_s": round(person.pulse_transit_s, 6),
        "breathing_hz": round(person.breathing_hz, 4),
        "resting_f0_hz": round(person.f0_hz, 4),
        "median_f0_hz": round(float(np.median(f0[voiced])), 4) if voiced.any() else None,
        "concealed_share": round(float(np.mean(felt != shown)), 6),
        "counts": dict(sorted(Counter(event.kind for event in events).items())),
    }
    return Truth(
        name=name,
        seed=script.seed,
        seconds=float(script.seconds),
        fidelity=fidelity,
        clocks={
            device: {
                "offset_s": clock.offset_s,
                "drift_ppm": clock.drift_ppm,
                "start_s": clock.start_s,
                "end_s": clock.end_s,
            }
            for device, clock in clocks.items()
        },
        markers_s=tuple(script.markers_s.tolist()),
        figures=figures,
        events=events,
        times_ns=times_ns,
        tracks={
            "f0_hz": f0,
            "voiced": voiced,
            "heart_rate_bpm": heart.rate_at(times),
            "eda_tonic_us": tonic_at(script, times),
            "eda_phasic_us": phasic_at(script.scrs, times),
            "felt": words[felt],
            "shown": words[shown],
            "concealed": felt != shown,
        },
    )


def _event(
    channel: str,
    kind: str,
    onset_s: float,
    offset_s: float,
    apex_s: float | None = None,
    label: str = "",
    /,
    **details: Any,
) -> Event:
    apex = None if apex_s is None else micro_ns(apex_s)
    return Event(channel, kind, micro_ns(onset_s), micro_ns(offset_s), apex, label=label, details=details)


def _events(script: Script, heart: Heart, physio: DeviceClock) -> Iterator[Event]:
    for expression in script.expressions:
        p = expression.profile
        yield _event(
            "face", expression.kind, p.onset_s, p.offset_s, p.apex_s, expression.label,
            aus=dict(expression.aus), intensity=max(expression.aus.values()), emotion=expression.emotion,
            concealed=expression.concealed, side=expression.side, release_s=round(p.release_s, 6),
        )  # fmt: skip
    for blink in script.blinks:
        yield _event("face", "blink", blink.onset_s, blink.offset_s, blink.apex_s)
    for turn in script.turns:
        f0 = round(float(np.mean([s.f0_hz for s in turn.syllables])), 3)
        yield _event("voice", "speech_turn", turn.onset_s, turn.offset_s, syllables=len(turn.syllables), mean_f0_hz=f0)
        for start, end in turn.pauses_s:
            yield _event("voice", "pause", start, end)
    for gesture in script.gestures:
        p = gesture.profile
        yield _event("body", "hand_to_face", p.onset_s, p.offset_s, p.apex_s, gesture.side, side=gesture.side,
                     release_s=round(p.release_s, 6))  # fmt: skip
    for scr in script.scrs:
        peak, half = scr_rise_s(scr.decay_s), scr_half_s(scr.decay_s)
        yield _event(
            "physiology", "scr", scr.onset_s, scr.onset_s + half, scr.onset_s + peak,
            amplitude_us=round(scr.amplitude, 6), decay_s=round(scr.decay_s, 6),
        )  # fmt: skip
    for peak in heart.r_peaks_s[(heart.r_peaks_s >= physio.start_s) & (heart.r_peaks_s < physio.end_s)].tolist():
        yield _event("physiology", "r_peak", peak - R_WAVE_S / 2, peak + R_WAVE_S / 2, peak)
    for cue in script.cues:
        yield _event("context", "cue", cue.onset_s, cue.offset_s, None, cue.label, kind=cue.kind, expected=cue.expected)
    for episode in script.episodes:
        if episode.concealed:
            label = f"{episode.felt} felt, {episode.shown} shown"
            emotions = {"felt": episode.felt, "shown": episode.shown}
            yield _event("fused", "incongruence", episode.onset_s, episode.offset_s, None, label, **emotions)
