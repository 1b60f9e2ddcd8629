"""The head of a lab's label: what it reads, how it is fitted, what it says when it cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from data_schemas.emotion import CHANNELS
from data_schemas.errors import InvalidValueError, NothingUsableError
from data_schemas.ranking import auc_of
from data_schemas.time import to_ns
from fusion.checkpoint import load_checkpoint
from fusion.label_head import LabelHead, combine, together
from fusion.label_steps import STATEMENTS, STATES, Steps, block_widths, pool, sliding, steps_from
from fusion.label_training import HeadPlan, Rows, deal_people, fit_head, fit_one_temperature
from fusion.tokens import tokens_of
from fusion.vocabulary import WIDTHS
from pipeline.simulate.tokens import simulate_tokens

QUICK = HeadPlan(blocks=("face", "voice", "body"), penalties=(1e-3, 1e-2), epochs=80)


def rows_of(rng: np.random.Generator, people: int = 24, each: int = 12, share: float = 0.5) -> Rows:
    """Rows of which the third column of `voice` tells the label, and `face` who it is."""
    person = np.repeat(np.arange(people), each)
    label = (rng.random(len(person)) < share).astype(np.int64)
    face = rng.normal(0, 1, (people, 20))[person] + rng.normal(0, 0.1, (len(person), 20))
    voice = rng.normal(0, 1, (len(person), 10))
    voice[:, 2] += 1.8 * label
    body = rng.normal(0, 1, (len(person), 10))
    blocks = {"face": face.astype(np.float32), "voice": voice.astype(np.float32), "body": body.astype(np.float32)}
    return Rows(blocks, label, person)


def test_the_channel_that_tells_the_label_is_taken_and_the_one_that_tells_who_is_not() -> None:
    rng = np.random.default_rng(0)
    fitted = fit_head(rows_of(rng), 2, QUICK)
    assert fitted.reading.split(" + ")[0] == "voice" and "face" not in fitted.reading
    fresh = rows_of(np.random.default_rng(1))
    said = fitted.head.answer(fresh.blocks).probability
    assert auc_of(said[:, 1], fresh.label == 1) > 0.85
    assert fitted.losses["voice"] < fitted.losses["face"]
    again = fit_head(rows_of(np.random.default_rng(0)), 2, QUICK)
    np.testing.assert_array_equal(again.head.weights, fitted.head.weights)


def test_rare_classes_keep_their_share_and_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    fitted = fit_head(rows_of(rng, people=40, share=0.12), 2, QUICK)
    fresh = rows_of(np.random.default_rng(3), people=60, share=0.12)
    said = fitted.head.answer(fresh.blocks).probability[:, 1]
    assert said.mean() == pytest.approx(0.12, abs=0.05)
    assert auc_of(said, fresh.label == 1) > 0.8


def test_members_stop_where_people_left_out_are_told_best() -> None:
    rng = np.random.default_rng(4)
    noise = Rows({"body": rng.normal(0, 1, (60, 200)).astype(np.float32)}, rng.integers(0, 2, 60), np.arange(60) // 5)
    fitted = fit_head(noise, 2, HeadPlan(blocks=("body",), epochs=200))
    assert fitted.losses["body"] <= np.log(2) + 1e-4, "zero weights are among what may be kept"
    assert max(fitted.epochs) < 60, "noise must stop early"


def test_what_cannot_be_fitted_is_refused() -> None:
    one = Rows({"body": np.zeros((6, 2), np.float32)}, np.array([0, 1] * 3), np.zeros(6, np.int64))
    with pytest.raises(NothingUsableError, match="two people"):
        fit_head(one, 2, HeadPlan(blocks=("body",)))
    single = Rows({"body": np.zeros((6, 2), np.float32)}, np.zeros(6, np.int64), np.arange(6))
    with pytest.raises(NothingUsableError, match="every class"):
        fit_head(single, 2, HeadPlan(blocks=("body",)))


@settings(max_examples=30, deadline=None)
@given(people=st.integers(2, 30), parts=st.integers(2, 6), seed=st.integers(0, 99))
def test_people_are_dealt_whole_and_evenly(people: int, parts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = np.repeat(rng.permutation(people), rng.integers(1, 9, people))
    label = rng.integers(0, 3, len(person))
    dealt = deal_people(person, label, parts, seed)
    own = [set(dealt[person == one].tolist()) for one in range(people)]
    assert all(len(one) == 1 for one in own)
    sizes = np.bincount([one.pop() for one in own], minlength=min(parts, people))
    assert len(sizes) == min(parts, people) and sizes.max() - sizes.min() <= 1


def test_doubt_is_split_into_what_more_people_would_settle_and_what_not() -> None:
    agreed = combine(np.tile([[[0.5, 0.5]]], (4, 1, 1)))
    assert agreed.data[0] == pytest.approx(1.0) and agreed.epistemic[0] == pytest.approx(0.0)
    quarrel = combine(np.array([[[0.99, 0.01]], [[0.01, 0.99]]]))
    assert quarrel.epistemic[0] > 0.8 and quarrel.data[0] < 0.1
    assert quarrel.uncertainty[0] == pytest.approx(1.0)
    sure = combine(np.tile([[[0.999, 0.001]]], (3, 1, 1)))
    assert sure.uncertainty[0] < 0.02


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 1.5, (6000, 3))
    label = (softmax(logits, axis=-1).cumsum(axis=1) < rng.random((6000, 1))).sum(axis=1)
    assert fit_one_temperature(2.5 * logits, label) == pytest.approx(2.5, rel=0.1)


def test_heads_of_different_columns_are_not_joined() -> None:
    parts = {
        "middle": np.zeros(3, np.float32),
        "scale": np.ones(3, np.float32),
        "prior": np.array([0.4, 0.6], np.float32),
    }
    head = LabelHead(("voice",), weights=np.zeros((2, 3, 2), np.float32), offsets=np.zeros((2, 2), np.float32), **parts)
    assert together([head, head]).weights.shape == (4, 3, 2)
    np.testing.assert_allclose(
        head.answer({"voice": np.zeros((5, 3), np.float32)}).probability[0], [0.4, 0.6], rtol=1e-6
    )
    other = LabelHead(("body",), weights=head.weights, offsets=head.offsets, **parts)
    with pytest.raises(InvalidValueError, match="joined"):
        together([head, other])
    with pytest.raises(InvalidValueError, match="fit together"):
        LabelHead(("voice",), weights=np.zeros((2, 4, 2), np.float32), offsets=head.offsets, **parts)


def test_pooled_columns_are_what_they_say() -> None:
    model = load_checkpoint()
    session = simulate_tokens(3, seconds=20, channels=("face", "voice", "physiology"))
    tokens = tokens_of(session.encodings, session.extent)
    steps = steps_from(model.network, tokens)
    onset, offset = to_ns(np.array([4.0, 15.0, 7.1])), to_ns(np.array([8.0, 20.0, 7.12]))
    blocks = pool(steps, onset, offset)
    assert {name: block.shape for name, block in blocks.items()} == {
        name: (3, width) for name, width in block_widths(model.shape.width).items()
    }
    inside = (tokens.times_ns >= onset[0]) & (tokens.times_ns < offset[0])
    after = (tokens.times_ns >= offset[0]) & (tokens.times_ns < offset[0] + to_ns(4.0))
    width = steps.states.shape[1]
    np.testing.assert_allclose(blocks[STATES][0, :width], steps.states[inside].mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(blocks[STATES][0, width:], steps.states[after].mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(blocks[STATEMENTS][0, 9:], steps.statements[inside].max(axis=0), atol=1e-5)
    share = tokens.shares["voice"][inside]
    expected = (tokens.values["voice"][inside] * share).sum(0) / np.maximum(share.sum(0), 1e-6)
    np.testing.assert_allclose(blocks["voice"][0, : WIDTHS["voice"]], expected, atol=1e-4)
    assert not blocks["body"].any(), "a channel that is not there gives nothing"
    assert not blocks[STATES][1, width:].any(), "nothing comes after the end"
    assert np.isfinite(blocks[STATES][2]).all() and blocks[STATES][2].any(), "a stretch between two steps is read too"


def test_sliding_stretches_are_as_long_as_asked_for() -> None:
    times = to_ns(np.arange(10) * 0.5 + 0.25)
    start, end = sliding(times, to_ns(3.0))
    assert set((end - start).tolist()) == {to_ns(3.0)}
    steps = Steps(times, np.ones((10, 4), np.float32), np.ones((10, 9), np.float32),
                  {c: np.ones((10, WIDTHS[c]), np.float32) for c in CHANNELS},
                  {c: np.ones((10, WIDTHS[c]), np.float32) for c in CHANNELS})  # fmt: skip
    assert np.allclose(pool(steps, start, end)["face"], 1) is False, "after the end there is nothing"
    assert np.allclose(pool(steps, start, end)["face"][:, : WIDTHS["face"]], 1)
