"""Recognition: protocols that refuse to leak, scores against hand counts, folds in processes, reading of flow sets."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError, WorkerDiedError
from modalities.face.recognition.crossvalidation import Job, best_of, pool_answers, run_jobs
from modalities.face.recognition.flow_set import read_flow_set
from modalities.face.recognition.protocols import PROTOCOLS, Fold, check, find_protocol, grouped
from modalities.face.recognition.samples import CLASSES, Samples
from modalities.face.recognition.scores import Answers, confusion, interval, score, subgroups, uf1_of
from modalities.face.recognition.selection import learn
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.systems import SYSTEMS, find_system


def plain_set(subjects: list[str], datasets: list[str] | None = None, y: list[int] | None = None) -> Samples:
    n = len(subjects)
    named = np.array(datasets or ["a"] * n, dtype=np.str_)
    labels = np.array(y or [at % 3 for at in range(n)], np.int64)
    clips = np.array([f"c{at}" for at in range(n)], dtype=np.str_)
    return Samples("flow_map", np.zeros((n, 28, 28, 3), np.float32), labels, np.array(subjects), named, clips)


# --- protocols


def test_subjects_and_videos_are_left_out_whole() -> None:
    samples = plain_set(["s1", "s1", "s2", "s2", "s1"], ["a", "a", "a", "a", "b"])
    folds = find_protocol("loso").folds(samples)
    assert [(fold.name, fold.test.tolist()) for fold in folds] == [("a/s1", [0, 1]), ("a/s2", [2, 3]), ("b/s1", [4])]
    assert [fold.group.tolist() for fold in folds] == [["a", "a"], ["a", "a"], ["b"]]
    assert len(find_protocol("lovo").folds(samples)) == 5
    assert [fold.name for fold in find_protocol("cde").folds(samples)] == [fold.name for fold in folds]
    with pytest.raises(InvalidValueError, match="two data sets"):
        find_protocol("cde").folds(plain_set(["s1", "s2"]))
    with pytest.raises(InvalidValueError, match="nobody to train on"):
        find_protocol("loso").folds(plain_set(["s1", "s1"]))
    with pytest.raises(InvalidValueError, match="loso"):
        find_protocol("crystal ball")


def test_a_leak_is_refused() -> None:
    samples = plain_set(["s1", "s1", "s2", "s3"])
    rows = np.arange(4)
    with pytest.raises(InvalidValueError, match=r"leaks.*a/s1"):
        check(samples, Fold("x", rows[1:], rows[:1], samples.dataset[:1]))
    with pytest.raises(InvalidValueError, match="leaks"):
        check(samples, Fold("x", rows, rows[2:], samples.dataset[2:]), "video")
    check(samples, Fold("x", rows[2:], rows[:2], samples.dataset[:2]))
    cameras = plain_set(["s1", "s2"], ["smic_hs", "SMIC-VIS"])
    check(cameras, Fold("x", rows[:1], rows[1:2], cameras.dataset[1:]))
    same = plain_set(["s1", "s1"], ["smic_hs", "SMIC-VIS"])
    with pytest.raises(InvalidValueError, match="smic/s1"):
        check(same, Fold("x", rows[:1], rows[1:2], same.dataset[1:]))


def test_cross_database_protocols() -> None:
    subjects = ["s1", "s2", "s3", "s1", "s2", "p1", "p2"]
    datasets = ["smic_hs"] * 3 + ["smic_vis"] * 2 + ["casme2"] * 2
    samples = plain_set(subjects, datasets)
    held = {fold.name: (fold.train.tolist(), fold.test.tolist()) for fold in find_protocol("hde").folds(samples)}
    assert held["casme2"] == ([0, 1, 2, 3, 4], [5, 6])
    assert held["smic_hs"] == ([5, 6], [0, 1, 2]), "the other camera saw the same persons"
    first = find_protocol("type1").folds(samples)
    assert {name for fold in first for name in fold.group.tolist()} == {"smic_hs to smic_vis", "smic_vis to smic_hs"}
    tested = [fold for fold in first if fold.name.startswith("smic_hs to smic_vis: smic/s1")]
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in tested] == [([1, 2], [3])]
    second = {fold.name for fold in find_protocol("type2").folds(samples)}
    assert second == {"smic_hs to casme2", "smic_vis to casme2", "casme2 to smic_hs", "casme2 to smic_vis"}
    with pytest.raises(InvalidValueError, match="gives no fold"):
        find_protocol("type1").folds(plain_set(["s1", "s2"]))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=6, max_size=60), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_no_protocol_shares_a_person(pairs: list[tuple[int, int]], seed: int) -> None:
    samples = plain_set(
        [f"s{who}" for who, _ in pairs], [("x", "y")[who % 2] for who, _ in pairs], [kind for _, kind in pairs]
    )
    for protocol in PROTOCOLS.values():
        if protocol.whole != "person":
            continue
        try:
            folds = protocol.folds(samples, seed)
        except InvalidValueError:
            continue
        for fold in folds:
            assert not set(samples.person[fold.train].tolist()) & set(samples.person[fold.test].tolist())
        if protocol.name in ("loso", "kfold"):
            assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(len(samples)))


def test_grouped_folds_share_classes_evenly() -> None:
    subjects = [f"s{at // 6}" for at in range(120)]
    samples = plain_set(subjects, y=[0 if at // 6 < 10 else 1 for at in range(120)])
    for _, test in grouped(samples, np.arange(120), 5, 0):
        assert np.bincount(samples.y[test]).tolist() == [12, 12]


# --- scores


def table(truth: list[int], said: list[int], persons: list[str] | None = None) -> Answers:
    n = len(truth)
    who = np.array(persons or [f"p{at}" for at in range(n)])
    return Answers(np.arange(n), np.array(truth), np.array(said), who, np.full(n, "a"))


def test_scores_against_hand_counts() -> None:
    scores = score(table([0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 0, 2, 1]), CLASSES)
    assert scores["confusion"] == [[3, 1, 0], [1, 1, 0], [0, 1, 1]]
    f1 = (6 / 8, 2 / 5, 2 / 3)
    assert scores["uf1"] == pytest.approx(np.mean(f1), abs=1e-4)
    assert scores["uar"] == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3, abs=1e-4)
    assert scores["accuracy"] == scores["war"] == 0.625
    assert scores["f1"] == pytest.approx((4 * f1[0] + 2 * f1[1] + 2 * f1[2]) / 8, abs=1e-4)
    majority = score(table([0] * 6 + [1] * 3 + [2], [0] * 10), CLASSES)
    assert majority["uf1"] == pytest.approx(2 * 6 / 16 / 3, abs=1e-4)
    assert score(table([0, 0, 1], [0, 1, 1]), CLASSES)["f1_surprise"] is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=50))
@settings(max_examples=50, deadline=None)
def test_scores_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import f1_score, recall_score

    truth, said = (np.array(one) for one in zip(*pairs, strict=True))
    present = sorted(set(truth.tolist()))
    found = score(table(truth.tolist(), said.tolist()), CLASSES)
    assert found["uf1"] == pytest.approx(
        f1_score(truth, said, labels=present, average="macro", zero_division=0), abs=1e-4
    )
    assert found["uar"] == pytest.approx(
        recall_score(truth, said, labels=present, average="macro", zero_division=0), abs=1e-4
    )
    assert confusion(truth, said, 3).sum() == len(pairs)


def test_intervals_hold_the_score_and_pair_persons() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    said = np.where(rng.random(200) < 0.7, truth, rng.integers(0, 3, 200))
    persons = [f"p{at // 10}" for at in range(200)]
    one = table(truth.tolist(), said.tolist(), persons)
    low, high = interval(one, 3)
    assert low < uf1_of(truth, said, 3) < high
    assert 0.05 < high - low < 0.3
    assert interval(one, 3, other=one) == (0.0, 0.0)
    worse = table(truth.tolist(), rng.integers(0, 3, 200).tolist(), persons)
    assert interval(one, 3, other=worse)[0] > 0.1


def test_subgroups_by_column() -> None:
    one = table([0, 1, 2] * 4, [0, 1, 2] * 2 + [1, 1, 1] * 2)
    columns = {"light": np.array(["day"] * 6 + ["night"] * 6), "same": np.full(12, "x")}
    rows = {row["value"]: row for row in subgroups(one, columns, CLASSES)}
    assert set(rows) == {"day", "night"}
    assert rows["day"]["uf1"] == 1.0 > rows["night"]["uf1"]


# --- folds as jobs


def test_jobs_resume_in_processes_and_give_the_same(flows: Samples, tmp_path: Path) -> None:
    small = flows.take(np.arange(40))
    folds = find_protocol("loso").folds(small)
    jobs = [Job(find_system("hoof-linear"), fold, oracle=True) for fold in folds]
    seen: list[tuple[int, int | None]] = []
    here = run_jobs(small, jobs)
    beside = run_jobs(small, jobs, workers=2, keep=tmp_path)
    assert here == beside
    assert len(list(tmp_path.glob("*.json"))) == len(jobs)
    next(tmp_path.glob("*.json")).write_text("{ half", encoding="utf-8")
    again = run_jobs(small, jobs, keep=tmp_path, hook=lambda step, done, total: seen.append((done, total)))
    assert again == here
    assert seen == [(len(jobs) - 1, len(jobs)), (len(jobs), len(jobs))], "only the broken one was done again"
    digest = small.digest()
    keys = {jobs[0].key(digest), replace(jobs[0], seed=1).key(digest), replace(jobs[0], shuffled=True).key(digest)}
    keys |= {jobs[1].key(digest), jobs[0].key(small.labelled(2 - small.y).digest())}
    assert len(keys) == 5
    honest = pool_answers(small, folds, [one.said for one in here])
    picked = pool_answers(small, folds, [best_of(small, fold, one) for fold, one in zip(folds, here, strict=True)])
    assert (picked.said == picked.truth).mean() >= (honest.said == honest.truth).mean()


def test_a_worker_that_is_killed_is_told_in_one_message(flows: Samples, tmp_path: Path) -> None:
    small = flows.take(np.arange(40))
    jobs = [Job(find_system("hoof-linear"), fold) for fold in find_protocol("loso").folds(small)]

    def kill(step: str, done: int, total: int | None) -> None:
        for child in multiprocessing.active_children() if done else ():
            child.kill()

    with pytest.raises(WorkerDiedError, match=r"memory.*Take fewer workers \(-j 1\); the finished folds are kept"):
        run_jobs(small, jobs, workers=2, keep=tmp_path, hook=kill)
    assert list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("name", ["loss-balanced", "sdf", "nmer", "mtm-net"])
def test_peeking_at_the_test_changes_nothing_of_the_honest_answers(name: str) -> None:
    small = simulate_flow_set(6, 5, seed=3)
    (fold, *_) = find_protocol("kfold").folds(small)
    system = find_system(name)
    plain, peeked = run_jobs(small, [Job(system, fold), Job(system, fold, oracle=True)])
    assert plain.said == peeked.said and plain.setting == peeked.setting
    assert plain.candidates == {} and len(peeked.candidates) > 1


def test_shuffled_training_labels_give_chance(flows: Samples) -> None:
    folds = find_protocol("kfold").folds(flows)
    system = find_system("kernel-ridge")
    real, control = [], []
    for seed in range(3):
        for shuffled, into in ((False, real), (True, control)):
            said = run_jobs(flows, [Job(system, fold, seed, shuffled=shuffled) for fold in folds])
            pooled_answers = pool_answers(flows, folds, [one.said for one in said])
            into.append(score(pooled_answers, CLASSES)["uar"])
    assert np.mean(real) > 0.6
    assert abs(np.mean(control) - 1 / 3) < 0.1


def test_choosing_never_opens_the_test_set(flows: Samples) -> None:
    system = find_system("kernel-ridge")
    prepared = system.prepare(flows)
    train_rows, test = grouped(flows, np.arange(len(flows)), 3, 0)[0]
    y = flows.y.copy()
    y[test] = (y[test] + 1) % 3
    one, two = (learn(system, prepared, samples, train_rows, 0) for samples in (flows, flows.labelled(y)))
    assert one[1] == two[1]
    assert np.array_equal(one[0].scores(prepared, test), two[0].scores(prepared, test))


# --- files


def write_set(folder: Path, samples: Samples, **changed: object) -> Path:
    arrays = {
        "x": samples.x.astype(np.uint8), "y": samples.y.astype(np.int8), "subject": samples.subject,
        "dataset": samples.dataset, "clip": samples.clip, **changed,
    }  # fmt: skip
    np.savez(folder / "flow.npz", **{name: value for name, value in arrays.items() if value is not None})
    return folder


def test_reading_a_folder(flows: Samples, tmp_path: Path) -> None:
    small = flows.take(np.arange(6))
    write_set(tmp_path, small)
    lines = ["dataset,subject,clip,label,emotion", f"simulated,{small.subject[0]},{small.clip[0]},0,fear"]
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    read = read_flow_set(tmp_path)
    assert np.array_equal(read.x, small.x) and np.array_equal(read.y, small.y)
    assert read.attributes["emotion"].tolist() == ["fear"] + [""] * 5
    assert read.digest() == small.digest()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"subject": None}, "no array subject"),
        ({"y": np.zeros(3, np.int8)}, "differ in length"),
        ({"y": np.full(6, 7, np.int8)}, "class number"),
        ({"y": np.full(6, 0.5)}, "no numbers"),
        ({"x": np.zeros((6, 20, 20, 3), np.uint8)}, "another shape"),
        ({"x": np.full((6, 28, 28, 3), np.nan, np.float32)}, "leave their range"),
    ],
)
def test_wrong_files_say_what_is_wrong(flows: Samples, tmp_path: Path, changed: dict, words: str) -> None:
    write_set(tmp_path, flows.take(np.arange(6)), **changed)
    with pytest.raises((UnreadableFileError, InvalidValueError), match=words):
        read_flow_set(tmp_path)


def test_absent_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        read_flow_set(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match="no flow maps"):
        read_flow_set(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK broken")
    with pytest.raises(UnreadableFileError, match=r"a\.npz"):
        read_flow_set(tmp_path)


def test_unknown_systems_are_named() -> None:
    with pytest.raises(InvalidValueError, match=r"such as .*kernel-ridge.*`telltale me models` lists all"):
        find_system("crystal ball")
    with pytest.raises(InvalidValueError, match="such as ststnet"):
        find_system("ststnett")
    assert len({repr(one) for one in SYSTEMS.values()}) == len(SYSTEMS)
