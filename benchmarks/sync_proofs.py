"""How well pulse and lips prove that clocks agree: simulated signals with known lags, and rendered sessions.

`python -m benchmarks.sync_proofs [--sessions N] [--seconds S] [--rendered N]` prints the table. People come from
`benchmarks.simulated_bodies`, at signal level; rendered ones from the session simulator.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated_bodies import FPS, Body, draw_body
from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import Interval
from data_schemas.recording import Session
from data_schemas.result import SyncReport
from data_schemas.session import Manifest
from data_schemas.time import to_ns
from modalities.face.pulse import describe_pulse
from pipeline.proofs import Proof, proofs_of

Curve = NDArray[np.floating[Any]]

SHIFT_S = 0.5


def session_of(body: Body, **entries: object) -> tuple[Session, list[Encoding]]:
    """A session of one person, as the encoders would describe it.

    Args:
        body: Who.
        entries: Further keys of the face video in the manifest (`tolerance_ms`, `same_body`).
    """
    manifest = Manifest.model_validate(
        {
            "name": "proof",
            "people": [{"id": "p01"}],
            "streams": [
                {"name": "face", "kind": "face_rgb", "file": "face.mp4", **entries},
                {"name": "ecg", "kind": "ecg", "file": "ecg.csv"},
                {"name": "voice", "kind": "audio", "file": "voice.wav"},
            ],
        }
    )
    pulse, times = body.pulse, to_ns(body.times_s)
    face: dict[str, tuple[Curve, NDArray[np.bool_]]] = {
        "pulse": (pulse.values, pulse.valid),
        "pulse_hz": (pulse.rate_hz, pulse.rated),
        "mouth_opening": (body.mouth, np.ones(len(times), bool)),
    }
    beats = [Event("physiology", "r_peak", at, at + 1_000_000, at, "p01", 1.0) for at in to_ns(body.r_s).tolist()]
    sound = to_ns(body.sound_s)
    encodings = [
        _encoding("face", times, face, "face", quality={"pulse": describe_pulse(pulse)}),
        _encoding("physiology", sound[:1], {}, "ecg", events=tuple(beats), quality={"ecg": {"stream": "ecg"}}),
        _encoding("voice", sound, {"intensity_db": (body.level_db, np.ones(len(sound), bool))}, "voice"),
    ]
    extent = Interval(min(int(times[0]), int(sound[0])), max(int(times[-1]), int(sound[-1])) + 1)
    report = SyncReport(streams=[], session_start_s=0.0, session_end_s=float(body.sound_s[-1]))
    return Session(manifest, Path(), {}, extent, report), encodings


def _encoding(
    channel: str, times: NDArray[np.int64], columns: Mapping[str, tuple[Curve, NDArray[np.bool_]]], stream: str,
    events: tuple[Event, ...] = (), quality: Mapping[str, object] | None = None,
) -> Encoding:  # fmt: skip
    spec = EncoderSpec(channel, "1", channel, (), tuple(FeatureSpec(name, "1", "") for name in columns), ("r_peak",))
    shape = (len(times), len(columns))
    values, valid = np.zeros(shape, np.float32), np.zeros(shape, bool)
    for at, (value, known) in enumerate(columns.values()):
        values[:, at], valid[:, at] = value, known
    track = Track(times, tuple(columns), values, valid, np.full(len(times), "", object))
    return Encoding(spec, "p01", track, events, dict(quality or {}), (stream,))


def flagged(proofs: list[Proof]) -> bool:
    """Whether any proof warns."""
    return any(proof.verdict == "warns" for proof in proofs)


def measure(full: bool) -> Mapping[str, float]:
    """Figures over signal-level sessions.

    Args:
        full: 200 sessions instead of 20, and five rendered ones.
    """
    figures = measure_signals(200 if full else 20)
    return {**figures, **(measure_rendered(5) if full else {})}


def measure_signals(sessions: int, seconds: float = 120.0, first: int = 0) -> dict[str, float]:
    """Errors, coverage and alarms over simulated people; each session once as it is, once shifted by half a second.

    Args:
        sessions: How many.
        seconds: Length of each.
        first: Seed of the first.

    Returns:
        `pulse_*` and `lips_*`: `error_ms` (median absolute), `covered` (share of 95 % intervals of the lag that hold
        the truth), `clock_covered` (the same of the clock's), `silent` (share too weak to claim anything);
        `snr_db_least`, `_median`, `_most` of the face's pulse; `flagged` of those shifted, by `pulse` alone, `lips`
        alone and either; `false_alarms` of those not; `strangers_flagged` of a face with another's heart and voice.
    """
    out: dict[str, list[float]] = {}
    before: Body | None = None
    for seed in range(first, first + sessions):
        body = draw_body(seed, seconds)
        out.setdefault("snr_db", []).append(body.snr_db())
        pulse, lips = body.by_pulse(), body.by_lips()
        for kind, weak, lag, half, truth, offset, reach in (
            ("pulse", pulse.weak, pulse.lag_s, pulse.lag_ci95_s, body.transit_s, pulse.offset_s, pulse.ci95_s),
            ("lips", lips.weak, lips.lead_s, lips.lead_ci95_s, body.lead_s, lips.offset_s, lips.ci95_s),
        ):
            out.setdefault(f"{kind}_silent", []).append(bool(weak))
            if not weak:
                out.setdefault(f"{kind}_error", []).append(1000 * abs(lag - truth))
                out.setdefault(f"{kind}_covered", []).append(abs(lag - truth) <= half)
                out.setdefault(f"{kind}_clock_covered", []).append(abs(offset) <= reach)
        out.setdefault("false_alarms", []).append(flagged(proofs_of(*session_of(body))))
        moved = proofs_of(*session_of(body.shifted(SHIFT_S if seed % 2 else -SHIFT_S)))
        for kind in ("pulse", "lips"):
            out.setdefault(f"flagged_{kind}", []).append(flagged([one for one in moved if one.kind == kind]))
        out.setdefault("flagged", []).append(flagged(moved))
        if before is not None:
            strangers = proofs_of(*session_of(body.with_video_of(before)))
            out.setdefault("strangers_flagged", []).append(flagged(strangers))
        before = body
    figures = {name: float(np.mean(values)) for name, values in out.items() if name not in _MEDIANS}
    for kind in ("pulse", "lips"):
        figures[f"{kind}_error_ms"] = float(np.median(out.get(f"{kind}_error", [np.nan])))
    for name, share in (("least", 0), ("median", 50), ("most", 100)):
        figures[f"snr_db_{name}"] = float(np.percentile(out["snr_db"], share))
    return figures


_MEDIANS = ("snr_db", "pulse_error", "lips_error")


def measure_rendered(sessions: int, seconds: float = 60.0, first: int = 0) -> dict[str, float]:
    """Rendered faces with simulated ECG and voice, encoded from their files: as they are, and with the video shifted.

    Args:
        sessions: How many are rendered.
        seconds: Length of each.
        first: Seed of the first.

    Returns:
        Shares: `rendered_flagged` (shifted by half a second), `rendered_false_alarms`, and how many said nothing by
        pulse and by lips; `rendered_lag_error_ms`, median absolute, of the pulse.
    """
    out: dict[str, list[float]] = {"false_alarms": [], "flagged": [], "pulse_silent": [], "lips_silent": []}
    errors = []
    for seed in range(first, first + sessions):
        with tempfile.TemporaryDirectory() as folder:
            session, encodings, transit_s = render_session(Path(folder) / "session", seed, seconds)
            right = proofs_of(session, encodings)
        late = [_later(one, SHIFT_S) if one.spec.channel == "face" else one for one in encodings]
        wrong = proofs_of(session, late)
        for proof in (*right, *wrong):
            sys.stderr.write(f"rendered {seed}: {proof.kind} {proof.verdict}: {proof.what}\n")
        out["false_alarms"].append(flagged(right))
        out["flagged"].append(flagged(wrong))
        for proof in right:
            out[f"{proof.kind}_silent"].append(proof.verdict == "too weak")
            if proof.kind == "pulse" and proof.lag_s is not None:
                errors.append(1000 * abs(proof.lag_s - transit_s))
    figures = {f"rendered_{name}": float(np.mean(values)) for name, values in out.items() if values}
    figures["rendered_lag_error_ms"] = float(np.median(errors)) if errors else float("nan")
    return figures


def render_session(folder: Path, seed: int, seconds: float) -> tuple[Session, list[Encoding], float]:
    """A session with a rendered face, encoded; and the true transit time in seconds."""
    from pipeline import steps
    from pipeline.config import Config
    from pipeline.manifest import load_manifest
    from pipeline.simulate.clocks import draw_clocks
    from pipeline.simulate.face import PULSE_GAIN
    from pipeline.simulate.manifest import write_manifest
    from pipeline.simulate.physiology import Heart, draw_heart
    from pipeline.simulate.recordings import film_face, write_markers
    from pipeline.simulate.script import plan_script
    from pipeline.simulate.session import simulate_session

    class Blood(Heart):
        """More blood makes skin darker, whichever sign the renderer has."""

        def pulse_at(self, times_s: NDArray[np.float64], transit_s: float) -> NDArray[np.float64]:
            return -float(np.sign(PULSE_GAIN[1])) * super().pulse_at(times_s, transit_s)

    simulate_session(folder, seconds=seconds, seed=seed, fidelity="signal")
    script, clocks = plan_script(seconds, seed), draw_clocks(seconds, seed)
    heart = draw_heart(script, min(c.start_s for c in clocks.values()) - 1, max(c.end_s for c in clocks.values()) + 1)
    blood = Blood(heart.r_peaks_s, heart.grid_s, heart.rate_bpm, heart.breathing)
    text = write_manifest(name="sim01", seed=seed, seconds=seconds, fidelity="rendered", clocks=clocks)
    (folder / "session.toml").write_text(text, encoding="utf-8")
    write_markers(folder / "face_log.csv", clocks["camera"].seen(script.markers_s))
    film_face(folder / "face.mp4", script, blood, clocks["camera"], fps=FPS, size=(640, 480))
    config = Config(settings={"face": {"spotter": "regional", "recogniser": "none"}})
    manifest = load_manifest(folder)
    session = steps.synchronize(steps.read(manifest, folder))
    encodings, _ = steps.encode(session, config)
    return session, encodings, script.person.pulse_transit_s


def _later(encoding: Encoding, shift_s: float) -> Encoding:
    """What the encoder would have said had the stream's clock been late."""
    track = encoding.track
    moved = Track(track.times_ns + to_ns(shift_s), track.names, track.values, track.valid, track.reason)
    return replace(encoding, track=moved)


def main(arguments: list[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--first", type=int, default=0, help="seed of the first session")
    parser.add_argument("--rendered", type=int, default=0, help="rendered sessions of 60 s besides")
    options = parser.parse_args(arguments)
    figures = measure_signals(options.sessions, options.seconds, options.first) if options.sessions else {}
    if options.rendered:
        figures |= measure_rendered(options.rendered, first=options.first)
    for name, value in figures.items():
        sys.stdout.write(f"{name:28s} {value:.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
