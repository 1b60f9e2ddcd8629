"""Parts that must be what their names say: belief networks, graphs with neighbours, accretive sums, apex channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from modalities.face.recognition import schedule_features
from modalities.face.recognition.inputs_clip import ClipFrames, apex_of, flow_between, sized
from modalities.face.recognition.layers_graph import GraphAttention, GraphConvolution, neighbours
from modalities.face.recognition.layers_parts import Accretive, Conv
from modalities.face.recognition.schedule import Lesson, Schedule
from modalities.face.recognition.schedule_features import LayerByLayer
from modalities.face.recognition.simulation_clips import simulate_clip_set
from modalities.face.recognition.systems import find_system


def test_boltzmann_layers_learn_from_what_they_get_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers over 0..1, and the same units: what a layer learnt to give back is what it is run on."""
    system: Any = find_system("dwld-dbn")
    x = np.random.default_rng(0).normal(0, 0.7, (40, 1, 24, 24)).astype(np.float32)
    seen: list[Any] = []
    inner = schedule_features._boltzmann

    def watched(linear: Any, given: Any, *rest: Any) -> None:
        inner(linear, given, *rest)
        seen.append((linear, given))

    monkeypatch.setattr(schedule_features, "_boltzmann", watched)
    lesson = Lesson(
        lambda: system.architecture.build(system.block, 3, (1, 24, 24)), x, np.arange(40) % 3, {}, 3, system.loss, 0
    )
    strategy = LayerByLayer(Schedule(20, 0.05, 16), Schedule(1, 0.0, 16))
    (network,) = strategy.networks(lesson, system)
    assert len(seen) == 2
    first = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    assert np.allclose(seen[0][1].numpy(), first.reshape(40, -1), atol=1e-5)
    given, caught = torch.from_numpy(x), []
    for linear, _ in seen:
        linear.register_forward_hook(lambda _, got, out: caught.append((got[0], out)))
    with torch.no_grad():
        found = network.eval().features(given)
    for (linear, learnt_from), (got, out) in zip(seen, caught, strict=True):
        assert torch.allclose(learnt_from, got, atol=1e-5), "in training of the layer and in the network"
        assert torch.allclose(out, got @ linear.weight.T + linear.bias, atol=1e-4)
    assert torch.allclose(found, torch.sigmoid(caught[-1][1]), atol=1e-6), "units of the machine"
    strangers = torch.from_numpy(3 * x)
    assert 0 <= float(network.streams[0][0](strangers).min()) <= float(network.streams[0][0](strangers).max()) <= 1


@pytest.mark.parametrize("nodes", [14, 28])
def test_attention_stays_among_neighbours(nodes: int) -> None:
    torch.manual_seed(0)
    layer = GraphAttention(8, 2).build((nodes, 5)).eval()
    x = torch.randn(1, nodes, 5)
    moved = x.clone()
    moved[0, 3] += 5
    with torch.no_grad():
        changed = (layer(moved) - layer(x)).abs().amax(dim=2)[0] > 0
    near = torch.from_numpy(neighbours(nodes)[:, 3] > 0)
    assert not changed[~near].any() and (~near).sum() > 3
    assert changed[3] and changed.sum() > 1


@pytest.mark.parametrize("nodes", [14, 28])
def test_learnt_edges_begin_as_the_fixed_ones(nodes: int) -> None:
    made = []
    for learnt in (True, False):
        torch.manual_seed(1)
        made.append(GraphConvolution(6, learnt=learnt).build((nodes, 5)).eval())
    x = torch.randn(3, nodes, 5)
    with torch.no_grad():
        assert torch.allclose(made[0](x), made[1](x), atol=1e-6)
    made[0](x).square().sum().backward()
    (edges,) = [one for name, one in made[0].named_parameters() if name.endswith("edges")]
    strangers = torch.from_numpy(neighbours(nodes) == 0)
    assert edges.grad is not None and float(edges.grad[strangers].abs().max()) > 0, "a new edge can be learnt"


def test_accretive_branches_are_sums() -> None:
    torch.manual_seed(2)
    part: Any = Accretive(((Conv(4, 1),), (Conv(4, 3),), (Conv(4, 5),))).build((3, 8, 8)).eval()
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        one, two, three = (chain(x) for chain in part.chains)
        assert torch.allclose(part(x), torch.cat([one, one + two, one + two + three], dim=1), atol=1e-6)


def test_the_apex_of_a_clip_is_its_apex() -> None:
    samples = simulate_clip_set(3, 4, seed=5, side=48, nuisance=0.0)
    part = ClipFrames(9, 24, ("flow", "apex", "strain", "apex_flow"))
    read = part.read(samples)
    assert read.shape == (12, *part.shape) == (12, 6, 9, 24, 24)
    alone = ClipFrames(9, 24, ("apex_flow",)).read(samples)
    assert np.array_equal(alone, read[:, 4:])
    ats = set()
    for clip, one in zip(samples.x, read, strict=True):
        from modalities.face.interpolation.length import bring_to_length

        small = bring_to_length(sized(clip, 24), 9)
        at = apex_of(small)
        ats.add(at)
        assert np.allclose(one[2], 5 * (small[at] - small.mean(axis=0)), atol=1e-6)
        assert np.allclose(one[4:], flow_between(small[0], small[at])[:2, None])
        assert np.array_equal(one[4:, 0], one[:2, at])
    assert len(ats) > 1, "the apex is not always the middle"
