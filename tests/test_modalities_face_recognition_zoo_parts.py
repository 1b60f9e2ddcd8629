"""Parts, losses and strategies of published systems, each against what is known of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.face.recognition.layers_attention import BlockAttention, MicroAttention, NonLocal, SqueezeExcitation
from modalities.face.recognition.layers_capsule import Capsules, Cosine
from modalities.face.recognition.layers_graph import PLACES, UNITS, GraphAttention, Nodes, neighbours
from modalities.face.recognition.layers_parts import Average, Beside, Conv, Hidden, Region, Residual, chain
from modalities.face.recognition.layers_time import ConvolutionalMemory, EachFrame, Frames, LongShortTerm
from modalities.face.recognition.networks_assembled import Assembled, Stream
from modalities.face.recognition.samples import Samples
from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.schedule_features import _boltzmann, _worth
from modalities.face.recognition.schedule_generation import Painter, strengths
from modalities.face.recognition.schedule_losses import Beside as LabelBeside
from modalities.face.recognition.schedule_losses import CapsuleMargin, Focal, LargeMargin, Metric, reversed_gradient
from modalities.face.recognition.side_labels import side_labels
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.system import System
from modalities.face.recognition.zoo.losses import BLOCK, FIXED


def lesson(n: int = 24, side: dict[str, Any] | None = None) -> tuple[Lesson, Any]:
    rng = np.random.default_rng(0)
    x, y = rng.random((n, 3, 28, 28)).astype(np.float32), np.arange(n) % 3
    build = lambda: FIXED.build(BLOCK, 3)  # noqa: E731
    torch.manual_seed(0)
    return Lesson(build, x, y, side or {}, 3, "cross_entropy", 0), build().eval()


def loss_of(objective: Any, made: Lesson, network: Any, rows: list[int]) -> float:
    started = objective.start(network, made)
    network.eval()
    picked = torch.tensor(rows)
    with torch.no_grad():
        return float(started(network, torch.from_numpy(made.x)[picked], picked))


# --- parts


@given(st.integers(0, 2), st.integers(1, 9), st.integers(6, 14))
@settings(max_examples=20, deadline=None)
def test_parts_fit_any_number_of_axes(axes: int, width: int, side: int) -> None:
    shape = (3, *(side,) * (axes + 1))
    parts = (Conv(width, 3), SqueezeExcitation(2), Residual(4, 2, SqueezeExcitation(2, greatest=True)), Average())
    made = chain(parts, shape).eval()
    assert made(torch.rand(2, *shape)).shape == (2, 4)


def test_shapes_of_parts() -> None:
    clip, picture = torch.rand(2, 3, 6, 12, 12), torch.rand(2, 3, 12, 12)
    for part, given_one, wanted in (
        (EachFrame((Conv(4, 3, pool=2), Average(2))), clip, (6, 16)),
        (Frames(step=2), clip, (3, 3, 12, 12)),
        (Frames(alone=2), clip, (3, 12, 12)),
        (ConvolutionalMemory(5), clip, (5, 12, 12)),
        (NonLocal(4), clip, (3, 6, 12, 12)),
        (BlockAttention(2, 3), picture, (3, 12, 12)),
        (MicroAttention(), picture, (3, 12, 12)),
        (Region(0, 0.5, 0.25, 1), picture, (3, 6, 9)),
        (Beside(((Conv(2),), (Conv(3, 5),))), picture, (5, 12, 12)),
        (Hidden(7), picture, (7,)),
        (Nodes("places", 3), picture, (28, 29)),
        (Nodes("units", 3), picture, (14, 56)),
    ):
        made = part.build(tuple(given_one.shape[1:])).eval()
        assert made(given_one).shape[1:] == wanted, part
    assert LongShortTerm(9).build((6, 16))(torch.rand(2, 6, 16)).shape == (2, 9)
    assert GraphAttention(8, 2, share=0.5).build((28, 5))(torch.rand(2, 28, 5)).shape == (2, 14, 8)


def test_the_order_of_frames_matters_to_memory_alone() -> None:
    torch.manual_seed(1)
    clip = torch.rand(1, 2, 5, 8, 8)
    memory, mean = ConvolutionalMemory(3).build((2, 5, 8, 8)), Average().build((2, 5, 8, 8))
    with torch.no_grad():
        assert not torch.allclose(memory(clip), memory(clip.flip(2)), atol=1e-4)
        assert torch.allclose(mean(clip), mean(clip.flip(2)), atol=1e-6)


def test_nodes_see_their_own_place() -> None:
    maps = torch.zeros(1, 1, 28, 28)
    mouth = PLACES.index((0.30, 0.77))
    maps[0, 0, int(0.77 * 28), int(0.30 * 28)] = 5
    seen = Nodes("places", 3).build((1, 28, 28))(maps)[0]
    assert seen[mouth, :9].max() == 5 and seen[mouth, 9:].tolist() == pytest.approx([-0.2, 0.27])
    assert seen[PLACES.index((0.18, 0.24)), :9].max() == 0
    for nodes in (len(PLACES), len(UNITS), 5):
        edges = neighbours(nodes)
        assert np.allclose(edges.sum(axis=1), 1) and (np.diag(edges) > 0).all()
    units = neighbours(len(UNITS))
    assert units[UNITS.index(6), UNITS.index(12)] > 0 == units[UNITS.index(6), UNITS.index(1)]


def test_capsules_are_shorter_than_one_and_cosines_bounded() -> None:
    torch.manual_seed(0)
    x = 20 * torch.randn(5, 16, 6, 6)
    with torch.no_grad():
        lengths = Capsules(scale=10.0).end((16, 6, 6), 3)(x)
        assert lengths.shape == (5, 3) and float(lengths.min()) >= 0 and float(lengths.max()) <= 10
        scores = Cosine(16.0).end((16, 6, 6), 4)(x)
        assert scores.shape == (5, 4) and float(scores.abs().max()) <= 16.001


def test_streams_see_their_channels_alone() -> None:
    torch.manual_seed(0)
    architecture = Assembled((Stream(channels=(0,)), Stream(channels=(2,))))
    network = architecture.build((Conv(4, 3), Average(2)), 3).eval()
    x = torch.rand(2, 3, 28, 28)
    other = x.clone()
    other[:, 1] = 0
    with torch.no_grad():
        assert torch.equal(network(x), network(other))
        other[:, 2] = 0
        assert not torch.equal(network(x), network(other))
    shared = Assembled((Stream(channels=(0,)), Stream(channels=(1,))), shared=True).build((Conv(4, 3), Average(2)), 3)
    alone = Assembled((Stream(channels=(0,)),)).build((Conv(4, 3), Average(2)), 3)
    count = [sum(one.numel() for one in part.streams.parameters()) for part in (shared, alone)]
    assert count[0] == count[1]


# --- losses


def test_losses_at_known_points() -> None:
    made, network = lesson()
    rows = list(range(12))
    with torch.no_grad():
        plain = float(torch.nn.functional.cross_entropy(network(torch.from_numpy(made.x[:12])), torch.arange(12) % 3))
    assert loss_of(Focal(gamma=0.0), made, network, rows) == pytest.approx(plain, abs=1e-5)
    assert loss_of(Focal(gamma=2.0), made, network, rows) < plain
    assert loss_of(LargeMargin(0.0), made, network, rows) == pytest.approx(plain, abs=1e-5)
    assert loss_of(LargeMargin(2.0), made, network, rows) > plain
    for kind in ("center", "triplet", "contrastive"):
        assert loss_of(Metric(kind, weight=0.0), made, network, rows) == pytest.approx(plain, abs=1e-5)
        assert loss_of(Metric(kind, weight=1.0), made, network, rows) > plain
    assert loss_of(LabelBeside("person", weight=0.0), made_with_people(), network, rows) == pytest.approx(
        plain, abs=1e-5
    )

    class Sure(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            own = torch.nn.functional.one_hot(torch.arange(len(x)) % 3, 3)
            return 10 * (0.05 + 0.9 * own)

    assert loss_of(CapsuleMargin(), made, Sure(), rows) == pytest.approx(0.0, abs=1e-6)


def made_with_people() -> Lesson:
    return lesson(side={"person": np.arange(24) // 4})[0]


def test_gradients_are_reversed() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    out = reversed_gradient(x)
    assert out.tolist() == [1.0, -2.0]
    (3 * out).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [-3.0, -3.0]


def test_further_labels_are_read() -> None:
    n = 5
    names = np.array([f"s{at // 2}" for at in range(n)])
    columns = {
        "au": np.array(["4+L10", "", "AU1, R2B", "28", "12"]),
        "gender": np.array(["F", "male", "", "m", "female"]),
    }
    samples = Samples(
        "flow_map", np.zeros((n, 28, 28, 3), np.float32), np.arange(n) % 3, names, np.full(n, "a"), names,
        attributes=columns,
    )  # fmt: skip
    found = side_labels(samples)
    shown = [[UNITS[at] for at in np.flatnonzero(row > 0)] for row in found["units"]]
    assert shown == [[4, 10], [], [1, 2], [], [12]]
    assert (found["units"][1] == -1).all() and (found["units"][3] == 0).all(), "a unit that is none of ours is coded"
    assert found["gender"].tolist() == [0, 1, -1, 1, 0] and found["person"].tolist() == [0, 0, 1, 1, 2]
    bare = Samples("flow_map", samples.x, samples.y, names, np.full(n, "a"), names)
    assert bare.digest() != samples.digest(), "finished folds depend on what is learnt beside the class"


# --- strategies


def test_features_that_tell_classes_are_worth_more() -> None:
    rng = np.random.default_rng(3)
    y = np.arange(60) % 3
    features = rng.normal(size=(60, 5))
    features[:, 2] += 2 * y
    assert int(_worth(features, y, 3).argmax()) == 2


def test_a_boltzmann_machine_learns_to_give_back() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    kinds = (torch.rand(4, 30) > 0.5).float()
    x = (kinds[torch.from_numpy(rng.integers(0, 4, 200))] * 0.9 + 0.05).float()
    layer = torch.nn.Linear(30, 16)

    def error() -> float:
        with torch.no_grad():
            hidden = torch.sigmoid(layer(x))
            return float((torch.sigmoid(hidden @ layer.weight) - x).square().mean())

    before = error()
    with torch.no_grad():
        _boltzmann(layer, x, Schedule(300, 0.1, 32), rng)
    assert error() < 0.7 * before


@pytest.mark.parametrize("how", [Painter(updates=90, people=12), Painter("map", "units", updates=90, people=12)])
def test_what_is_drawn_shows_what_was_asked_for(how: Painter) -> None:
    drawer = how.learn(0)
    y = np.arange(60) % 3
    drawn = drawer.draw(y, 1)
    assert drawn.shape == (60, 3, 28, 28) and drawn.min() >= 0 and drawn.max() <= 1
    assert np.array_equal(drawn, drawer.draw(y, 1)) and drawer is how.learn(0)
    known = simulate_flow_set(20, 8, seed=77, nuisance=0.5)
    real = known.x.transpose(0, 3, 1, 2) / 255
    means = np.stack([real[known.y == one].mean(axis=0) for one in range(3)]) - real.mean(axis=0)
    said = np.einsum("nchw,kchw->nk", drawn - drawn.mean(axis=0), means).argmax(axis=1)
    assert (said == y).mean() > 0.5, "a third by chance"


def test_simulated_samples_say_which_units_they_show() -> None:
    flows, clips = simulate_flow_set(4, 5, seed=1, units=True), simulate_clip_set(4, 5, seed=1, side=24)
    shown = strengths(flows)
    assert ((shown == 0) | (shown >= 0.6)).all() and (shown.sum(axis=1) > 0).all()
    smiles = side_labels(clips)["units"][clips.y == 1]
    assert (smiles[:, [UNITS.index(6), UNITS.index(12)]].max(axis=1) == 1).all()
    assert len({one.shape[0] for one in clips.x}) > 1 and all(one.dtype == np.uint8 for one in clips.x)
    again = simulate_clip_set(4, 5, seed=1, side=24)
    assert again.digest() == clips.digest() != simulate_clip_set(4, 5, seed=2, side=24).digest()


def test_systems_are_declarations() -> None:
    from modalities.face.recognition.zoo.table import ZOO_LIST

    assert all(isinstance(one, System) and hash(one.architecture) for one in ZOO_LIST)
