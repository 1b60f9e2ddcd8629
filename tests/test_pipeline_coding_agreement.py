"""Agreement against figures worked out by hand, and the set that trainers get."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import ConsentError, InvalidValueError
from data_schemas.event import Event
from data_schemas.time import NS_PER_S
from pipeline.coding.agreement import ALL, Rater, agreement, cohen_kappa, krippendorff_alpha, occupied
from pipeline.coding.compare import best_pairs
from pipeline.coding.identity import identify
from pipeline.coding.layers import Layer, edit
from pipeline.export.content import Content, read_content
from pipeline.export.run import export_result
from pipeline.export.sample import write_sample

SCOPE = ("ada", "face", "macro")


@pytest.fixture()
def content(tmp_path: Path) -> Content:
    return read_content(write_sample(tmp_path / "own"))


def macro(start_s: float, end_s: float, label: str = "") -> Event:
    return Event("face", "macro", round(start_s * NS_PER_S), round(end_s * NS_PER_S), person="ada", label=label)


def coded(content: Content, coder: str, events: list[Event]) -> Layer:
    """Somebody who coded ada's macro-expressions and nothing else."""
    layer = Layer.open(content.folder, coder)
    own = {name: event for name, event in identify(content.events).items() if event.kind == "macro"}
    layer.append([replace(edit("scope", ""), scopes=(SCOPE,))])
    for name in own:
        layer.delete(name, content.events)
    for event in events:
        layer.add(event)
    return layer


def row(rows: list[dict[str, object]], a: str, b: str) -> dict[str, object]:
    return next(one for one in rows if (one["a"], one["b"]) == (a, b))


def test_figures_worked_out_by_hand(content: Content) -> None:
    """Of 80 steps of 0.1 s anna fills 20 and bert 20, 10 of them both, 50 neither.

    Observed 60/80 = .75; by chance (20*20 + 60*60) / 6400 = .625; kappa = .125/.375 = 1/3. Krippendorff: of 160
    ratings 40 say yes; disagreement expected 2*40*120/(160*159) = .37736, observed 20/80 = .25; alpha = .3375.
    """
    coded(content, "anna", [macro(0, 1, "AU4"), macro(2, 3, "AU12")])
    coded(content, "bert", [macro(0, 1, "AU4"), macro(4, 5, "AU9")])
    one = row(agreement(content, step_s=0.1), "anna", "bert")
    assert (one["events_a"], one["events_b"], one["matched"], one["f1"]) == (2, 2, 1, 0.5)
    assert one["kappa"] == pytest.approx(1 / 3, abs=1e-4)
    assert one["alpha"] == pytest.approx(1 - 0.25 / (2 * 40 * 120 / (160 * 159)), abs=1e-4)
    assert one["labels_kappa"] is None, "one pair with one label says nothing"
    assert one["onset_ms"] == 0


def test_the_least_overlap_decides_what_matches(content: Content) -> None:
    coded(content, "anna", [macro(0, 1), macro(3, 4)])
    coded(content, "bert", [macro(0.4, 1.4), macro(3.1, 4.1)])
    loose, strict = agreement(content, iou=0.4), agreement(content, iou=0.5)
    assert row(loose, "anna", "bert")["matched"] == 2 and row(strict, "anna", "bert")["matched"] == 1
    assert row(strict, "anna", "bert")["onset_ms"] == 100 and row(loose, "anna", "bert")["onset_ms"] == 250


def test_labels_of_paired_events_and_all_coders_together(content: Content) -> None:
    spans = [(0, 1), (1.5, 2.5), (3, 4), (4.5, 5.5)]
    for coder, labels in (("anna", "xxyy"), ("bert", "xyyy"), ("carl", "xxyy")):
        coded(content, coder, [macro(a, b, label) for (a, b), label in zip(spans, labels, strict=True)])
    rows = agreement(content)
    assert row(rows, "anna", "bert")["labels_kappa"] == pytest.approx((0.75 - 0.5) / 0.5)
    assert row(rows, "anna", "carl")["labels_kappa"] == 1 and row(rows, "anna", "bert")["kappa"] == 1
    assert row(rows, ALL, "3")["alpha"] == 1 and row(rows, ALL, "3")["f1"] is None
    assert {one["kind"] for one in rows} == {"macro"}, "only what coders have looked at"
    assert row(rows, "machine", "anna")["events_a"] == 1


def test_nobody_has_coded(content: Content) -> None:
    with pytest.raises(InvalidValueError, match="telltale import"):
        agreement(content)
    with pytest.raises(InvalidValueError, match="out of range"):
        agreement(content, iou=0)


def test_nothing_to_agree_on_is_none() -> None:
    assert cohen_kappa([0, 0, 0], [0, 0, 0]) is None and cohen_kappa([], []) is None
    assert cohen_kappa([0, 1], [0, 1]) == 1
    assert krippendorff_alpha(np.array([[0.0, 1, np.nan], [np.nan, np.nan, 1]])) is None
    assert krippendorff_alpha(np.zeros((2, 5))) is None


def test_independent_coders_agree_by_chance_alone() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((2, 20_000)) < 0.2
    assert abs(cohen_kappa(a, b) or 0) < 0.03
    assert abs(krippendorff_alpha(np.stack([a, b]).astype(float)) or 0) < 0.03


def test_an_event_shorter_than_a_step_is_in_one() -> None:
    edges = np.arange(0, NS_PER_S + 1, NS_PER_S // 10)
    beat = Event("physiology", "r_peak", 310_000_000, 311_000_000, person="ada")
    on = occupied(Rater("x", (beat,), frozenset()), ("ada", "physiology", "r_peak"), edges)
    assert np.flatnonzero(on).tolist() == [3]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), max_size=9), st.integers(0, 10**6))
def test_pairs_are_one_to_one_overlap_and_do_not_depend_on_order(spans: list[tuple[int, int]], seed: int) -> None:
    events = [macro(a, a + n) for a, n in spans]
    rng = np.random.default_rng(seed)
    others = [macro(a + int(rng.integers(-5, 6)), a + n + 6) for a, n in spans]
    pairs = best_pairs(events, others, 0.1)
    assert len({i for i, _ in pairs}) == len(pairs) == len({j for _, j in pairs})
    for i, j in pairs:
        assert events[i].onset_ns < others[j].offset_ns and others[j].onset_ns < events[i].offset_ns
    assert len(best_pairs(others, events, 0.1)) == len(pairs)
    assert best_pairs(events, events, 1.0) == [] or len(best_pairs(events, events, 1.0)) == len(events)


def test_retraining_set_tells_what_became_of_the_machines_events(
    content: Content, telltale: Callable[..., CompletedProcess[str]]
) -> None:
    layer = Layer.open(content.folder, "anna")
    names = {(event.kind, event.person): name for name, event in identify(content.events).items()}
    events = identify(content.events)
    layer.change(names["micro", "ada"], replace(events[names["micro", "ada"]], label="AU9"), content.events, "nose")
    layer.delete(names["macro", "ada"], content.events, "talking")
    layer.add(macro(4, 5.5, "AU12"))
    target = content.folder.parent / "set"
    export_result(content.folder, "retraining", target)
    with (target / "examples.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    verdicts = {one["verdict"]: one for one in rows}
    assert len(rows) == 3 and set(verdicts) == {"changed", "rejected", "added"}
    assert (verdicts["changed"]["label"], verdicts["changed"]["machine_label"]) == ("AU9", "AU4")
    assert verdicts["changed"]["comments"] == "nose" and verdicts["changed"]["machine_score"] == "0.75"
    assert verdicts["rejected"]["machine_label"] == "AU6+AU12" and verdicts["added"]["machine_kind"] == ""
    assert {one["coder"] for one in rows} == {"anna"}
    about = json.loads((target / "about.json").read_text(encoding="utf-8"))
    assert about["verdicts"] == {"added": 1, "changed": 1, "rejected": 1} and about["consent"] == "train"
    export_result(content.folder, "megc", content.folder.parent / "m.csv")
    scored = telltale(
        "evaluate",
        "spotting",
        "--truth",
        target / "truth.csv",
        "--detections",
        content.folder.parent / "m.csv",
        "--json",
    )
    said = json.loads(scored.stdout)
    assert (said["micro"]["tp"], said["macro"]["tp"], said["macro"]["fp"], said["macro"]["fn"]) == (1, 0, 1, 1)


def test_retraining_needs_consent_and_a_coder(content: Content, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="nobody has coded"):
        export_result(content.folder, "retraining", tmp_path / "set")
    for coder in ("anna", "bert"):
        Layer.open(content.folder, coder).add(macro(4, 5))
    with pytest.raises(InvalidValueError, match="anna, bert"):
        export_result(content.folder, "retraining", tmp_path / "set")
    manifest = content.folder.parent / "sample" / "session.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(', "train"', ""), encoding="utf-8")
    with pytest.raises(ConsentError, match="train"):
        export_result(content.folder, "retraining", tmp_path / "set", coder="anna")
    shutil.rmtree(content.folder.parent / "sample")
    with pytest.raises(InvalidValueError, match="--session"):
        export_result(content.folder, "retraining", tmp_path / "set", coder="anna")
