"""Findings about clocks from a person's body: agreement, shifts, strangers, tolerance, what is switched off."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.simulated_bodies import Body, draw_body
from benchmarks.sync_proofs import measure_signals, session_of
from pipeline.proofs import Proof, proofs_of


@lru_cache
def somebody(seed: int = 6) -> Body:
    return draw_body(seed, 80.0)


def both(body: Body, **entries: object) -> dict[str, Proof]:
    return {proof.kind: proof for proof in proofs_of(*session_of(body, **entries))}


def test_streams_that_agree_pass() -> None:
    proofs = both(somebody())
    assert set(proofs) == {"pulse", "lips"}
    for proof in proofs.values():
        assert (proof.verdict, proof.severity, proof.person, proof.own) == ("passes", "note", "p01", "face")
        assert proof.shift_s is not None and proof.ci95_s is not None and abs(proof.shift_s) <= proof.ci95_s
        assert proof.estimate is not None and proof.estimate.offset_s == pytest.approx(-proof.shift_s)
    assert (proofs["pulse"].against, proofs["lips"].against) == ("ecg", "voice")
    lag, half = proofs["pulse"].lag_s, proofs["pulse"].lag_ci95_s
    assert lag is not None and half is not None and abs(lag - somebody().transit_s) <= half


def test_a_late_video_is_flagged_with_its_direction() -> None:
    for shift, word in ((0.5, "late"), (-0.5, "early")):
        for proof in both(somebody().shifted(shift)).values():
            assert (proof.verdict, proof.severity) == ("warns", "warning")
            assert proof.shift_s is not None and proof.ci95_s is not None
            assert abs(proof.shift_s - shift) <= proof.ci95_s and word in proof.what


def test_only_a_tolerance_that_is_excluded_makes_an_error() -> None:
    late = somebody().shifted(0.8)
    assert {proof.severity for proof in both(late, tolerance_ms=50).values()} == {"error"}
    assert "tolerance_ms = 50 of 'face'" in both(late, tolerance_ms=50)["lips"].what
    assert {proof.severity for proof in both(late, tolerance_ms=2000).values()} == {"warning"}
    assert {proof.severity for proof in both(somebody(), tolerance_ms=1).values()} == {"note"}


def test_strangers_are_called_so_and_are_quiet_when_the_manifest_says_so() -> None:
    mixed = somebody(8).with_video_of(somebody(6))
    for proof in both(mixed).values():
        assert proof.verdict == "warns" and proof.strangers and proof.shift_s is None
        assert "same_body = false" in proof.what
    assert not both(mixed, same_body=False)


def test_a_grey_video_or_a_silent_mouth_is_too_weak_and_says_why() -> None:
    body = somebody()
    blank = replace(body.pulse, valid=np.zeros(len(body.times_s), bool), rated=np.zeros(len(body.times_s), bool),
                    why_not="no colour: a near-infrared video")  # fmt: skip
    proofs = both(replace(body, pulse=blank, mouth=np.zeros(len(body.times_s))))
    assert {proof.verdict for proof in proofs.values()} == {"too weak"}
    assert {proof.severity for proof in proofs.values()} == {"note"}
    assert "no colour" in proofs["pulse"].what and "hardly moves" in proofs["lips"].what


def test_people_without_a_pair_of_streams_prove_nothing() -> None:
    session, encodings = session_of(somebody())
    assert proofs_of(session, []) == []
    assert proofs_of(session, encodings[1:]) == []
    assert [proof.kind for proof in proofs_of(session, [encodings[0], encodings[2]])] == ["lips"]


def test_the_table_has_every_figure() -> None:
    figures = measure_signals(2, 60.0, first=12)
    assert {"pulse_error_ms", "lips_error_ms", "pulse_covered", "flagged", "false_alarms", "strangers_flagged"} <= set(
        figures
    )
    assert figures["flagged"] == 1.0 and figures["false_alarms"] == 0.0
