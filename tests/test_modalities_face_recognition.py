"""Recognition: parts of systems against known truth, networks that learn what is there to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.schedule_study import curve
from data_schemas.errors import InvalidValueError
from modalities.face.descriptors.flow import BiWoof, FlowGradients, Hoof, Mdmo, PooledFlow, pooled
from modalities.face.descriptors.lbp_top import LbpTop
from modalities.face.descriptors.sampling import LABELS
from modalities.face.recognition.inputs import levelled
from modalities.face.recognition.kernel_machine import Setting, solve
from modalities.face.recognition.networks import NetworkModel, count_parameters
from modalities.face.recognition.protocols import grouped
from modalities.face.recognition.samples import Samples, mirrored
from modalities.face.recognition.schedule import Schedule, train
from modalities.face.recognition.scores import uf1_of
from modalities.face.recognition.selection import answers, learn
from modalities.face.recognition.simulation import simulate_flow_set
from modalities.face.recognition.systems import core_for, find_system, systems_for


def uniform_flow(u: float, v: float, n: int = 1) -> np.ndarray:
    maps = np.zeros((n, 28, 28, 3), np.float32)
    maps[..., 0], maps[..., 1], maps[..., 2] = u, v, 0.5
    return maps


def held_out(name: str, flows: Samples) -> float:
    system = find_system(name)
    prepared = system.prepare(flows)
    train_rows, test = grouped(flows, np.arange(len(flows)), 2, 0)[0]
    model, _ = learn(system, prepared, flows, train_rows, 0)
    return uf1_of(flows.y[test], answers(model, prepared, test), 3)


# --- parts


def test_sizes_of_published_networks() -> None:
    sizes = {}
    for name in ("ststnet", "off-apexnet", "dual-inception", "rcn-f"):
        system = find_system(name)
        sizes[name] = count_parameters(system.architecture.build(system.block, 3))
    convolutions = (3 + 5 + 8) * (3 * 9 + 1)
    assert sizes["ststnet"] == convolutions + 2 * 16 + (400 * 3 + 3)
    streams = 2 * (6 * 25 + 6 + 16 * 6 * 25 + 16)
    assert sizes["off-apexnet"] == streams + (2 * 784 * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 3 + 3)
    assert round(sizes["dual-inception"] / 1e6, 2) == 6.45
    first = (32 + 16 + 16) * 28 + 2 * 64
    assert sizes["rcn-f"] == first + (64 * 64 + 64 + 128) + (64 * 64 * 9 + 64 + 128) + (64 * 25 * 3 + 3)


def test_equal_streams_computed_at_once_are_the_published_ones() -> None:
    import torch

    system = find_system("ststnet")
    apart = replace(system.architecture, views=((0, 1, 2), (0, 1, 2), (2, 1, 0)))
    one, three = (part.build(system.block, 3).eval() for part in (system.architecture, apart))
    start = 0
    with torch.no_grad():
        for stream, width in zip(three.streams, (3, 5, 8), strict=True):
            weight = one.streams[0][0][0].weight[start : start + width]
            stream[0][0].weight.copy_(weight.flip(1) if width == 8 else weight)
            stream[0][0].bias.copy_(one.streams[0][0][0].bias[start : start + width])
            start += width
        three.head.load_state_dict(one.head.state_dict())
        x = torch.rand(4, 3, 28, 28) * 255
        assert torch.allclose(one(x), three(x), rtol=1e-4, atol=1e-3)


def test_levelling_finds_the_still_level() -> None:
    maps = np.full((2, 28, 28, 3), 97.0, np.float32)
    maps[:, 5:12, 5:12, 0] = 240
    maps[:, 20:24, 3:20, 1] = 10
    for level in ("mode", "median"):
        out = levelled(maps, level)
        still = np.median(out[..., :2].reshape(2, -1, 2), axis=1)
        assert np.abs(still).max() < 0.02, level
        assert np.sqrt((out[..., :2] ** 2).mean()) == pytest.approx(1.0, abs=1e-4)
        assert out[0, 8, 8, 0] > 0 > out[0, 21, 10, 1]
        assert out[..., 2].max() == pytest.approx(97 / 255)


@given(st.integers(1, 28), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_pooling_keeps_the_mean(grid: int, seed: int) -> None:
    maps = np.random.default_rng(seed).normal(size=(2, 28, 28, 2))
    cells = pooled(maps, grid)
    assert cells.shape == (2, grid, grid, 2)
    assert np.allclose(cells.mean(axis=(1, 2)), maps.mean(axis=(1, 2)))


def test_directions_fall_into_their_bins() -> None:
    for bin_at, (u, v) in enumerate(((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))):
        maps = uniform_flow(u, v)
        hoof = Hoof(2, 8).describe(maps).reshape(4, 8)
        assert np.allclose(hoof[:, bin_at], 1, atol=1e-5)
        mdmo = Mdmo(2, 8).describe(maps).reshape(2, 2, 2)
        angle = mdmo[..., 1] * np.pi / 0.1
        assert np.allclose(np.exp(1j * angle), np.exp(1j * np.arctan2(v, u)), atol=1e-5)
    between = Hoof(1, 8).describe(uniform_flow(np.cos(np.pi / 8), np.sin(np.pi / 8)))[0]
    assert between[:2] == pytest.approx([0.5, 0.5], abs=1e-5)


def test_strain_weights_the_cells_of_bi_woof() -> None:
    maps = uniform_flow(1, 0)
    maps[..., 2] = 0
    maps[:, :14, :14, 2] = 1
    woof = BiWoof(2, 8).describe(maps).reshape(4, 8)
    assert woof[0, 0] == pytest.approx(1.0)
    assert np.allclose(woof[1:], 0)


def test_gradients_ignore_shift_and_see_stretch() -> None:
    maps = uniform_flow(3, -2)
    assert np.allclose(FlowGradients(4).describe(maps), 0, atol=1e-6)
    maps[..., 0] = 0.25 * np.arange(28)
    found = FlowGradients(4).describe(maps).reshape(4, 4, 4)
    assert np.allclose(found, [0.25, 0, 0, 0], atol=1e-5)


def test_mirror_images_swap_sides_and_reverse_u() -> None:
    maps = np.zeros((1, 28, 28, 3), np.float32)
    maps[0, :, :14, 0] = 1
    other = mirrored(maps)
    assert other[0, 0, 27, 0] == -1 and other[0, 0, 0, 0] == 0
    assert np.array_equal(mirrored(other), maps)
    assert PooledFlow(2).describe(other).reshape(2, 2, 2)[:, 1, 0].tolist() == [-1, -1]


def test_lbp_top_of_known_clips() -> None:
    rng = np.random.default_rng(0)
    flat = np.empty(2, object)
    flat[0], flat[1] = np.full((6, 30, 30), 90, np.uint8), rng.integers(0, 255, (9, 34, 30)).astype(np.uint8)
    found = LbpTop(grid=5).describe(flat).reshape(2, 25, 3, LABELS)
    assert np.allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert np.allclose(found[0].max(axis=-1), 1), "every pattern of a flat clip is the same"
    assert found[1].max() < 0.5
    still = np.empty(2, object)
    picture = rng.integers(0, 255, (30, 30)).astype(np.uint8)
    still[0], still[1] = np.stack([picture] * 8), np.stack([np.roll(picture, at, axis=1) for at in range(8)])
    parts = LbpTop(grid=1, frames=8).describe(still).reshape(2, 3, LABELS)
    assert np.abs(parts[0, 0] - parts[1, 0]).sum() < 0.2, "the XY plane hardly sees motion"
    assert np.abs(parts[0, 1] - parts[1, 1]).sum() > 0.3, "the XT plane does"
    with pytest.raises(InvalidValueError, match="too small"):
        LbpTop().describe(np.array([np.zeros((1, 30, 30), np.uint8), None], object)[:1])


def test_lbp_top_recognises_clips_and_refuses_flow(flows: Samples) -> None:
    rng = np.random.default_rng(1)
    x = np.empty(30, object)
    y = np.arange(30) % 3
    for at in range(30):
        base = rng.integers(0, 255, (32, 32)).astype(np.uint8)
        axis = (None, 0, 1)[y[at]]
        x[at] = np.stack([base if axis is None else np.roll(base, t, axis=axis) for t in range(8)])
    names = np.array([f"s{at // 3}" for at in range(30)])
    clips = Samples("clip", x, y, names, np.full(30, "c"), np.array([str(at) for at in range(30)]))
    system = find_system("lbp-top-linear")
    prepared = system.prepare(clips)
    model, _ = learn(system, prepared, clips, np.arange(21), 0)
    assert (answers(model, prepared, np.arange(21, 30)) == y[21:]).all()
    with pytest.raises(InvalidValueError, match=r"lbp-top-linear.*maps of flow.*expected clips"):
        system.prepare(flows)
    assert all("lbp" not in one.name for one in systems_for("flow_map"))


def test_ridge_solves_its_equations_and_vector_machines_separate() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(size=(40, 2))
    y = (points[:, 0] > 0).astype(np.int64) * 2
    gram = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1))
    weights, offsets = solve("squared", gram, y, 3, 10.0)
    counts = np.bincount(y, minlength=3)
    penalty = np.diag(2 * counts[y] / 40 / 10)
    assert np.allclose((gram + penalty) @ weights[:, 2] + offsets[2], np.where(y == 2, 1, -1))
    assert weights[:, 1].tolist() == [0] * 40 and offsets[1] == -1, "nobody has class 1"
    for loss in ("squared", "hinge"):
        weights, offsets = solve(loss, gram, y, 3, 10.0)
        assert ((gram @ weights + offsets).argmax(axis=1) == y).mean() > 0.95
    with pytest.raises(InvalidValueError, match="loss"):
        solve("cross_entropy", gram, y, 3, 1.0)


def test_kernel_ridge_knows_the_mirror_image(flows: Samples) -> None:
    reversed_maps = mirrored(levelled(flows.x, "median"))
    as_stored = np.stack([(one - one.min((0, 1))) / np.ptp(one, axis=(0, 1)) * 255 for one in reversed_maps])
    n = len(flows)
    both = Samples(
        "flow_map", np.concatenate([flows.x, as_stored]), np.tile(flows.y, 2), np.tile(flows.subject, 2),
        np.tile(flows.dataset, 2), np.tile(flows.clip, 2),
    )  # fmt: skip
    system = find_system("kernel-ridge")
    prepared = system.prepare(both)
    (model,) = system.architecture.fits(system, prepared, flows.y, np.arange(n), [Setting(1, 1.0, 3.0)], 3, 0)
    first, second = model.scores(prepared, np.arange(n)), model.scores(prepared, np.arange(n, 2 * n))
    assert np.abs(first - second).max() < 0.02


# --- training


def test_classical_systems_recognise_simulated_expressions(flows: Samples) -> None:
    found = {name: held_out(name, flows) for name in ("hoof-linear", "bi-woof-rbf", "mdmo-linear", "kernel-ridge")}
    assert min(found.values()) > 0.4, found
    assert found["kernel-ridge"] > 0.6, found


@pytest.mark.parametrize("name", ["ststnet", "off-apexnet", "rcn-f", "dual-inception"])
def test_networks_learn_repeatably(name: str) -> None:
    flows = simulate_flow_set(6, 6, seed=5, nuisance=0.0)
    system = find_system(name)
    quick = replace(system, strategy=Schedule(updates=16 if name == "dual-inception" else 30, rate=1e-3, batch=36))
    prepared = quick.prepare(flows)
    rows = np.arange(len(flows))
    twice = [quick.strategy] * 2
    one, two = (
        one.scores(prepared, rows) for one in quick.architecture.fits(quick, prepared, flows.y, rows, twice, 3, 7)
    )
    assert np.array_equal(one, two), "the same seed gives the same network"
    assert np.allclose(one.sum(axis=1), 1, atol=1e-5)
    assert uf1_of(flows.y, one.argmax(axis=1), 3) > 0.55


def test_mirroring_happens_in_training_alone() -> None:
    import torch

    seen: list[torch.Tensor] = []

    class Spy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(3 * 28 * 28, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach().clone())
            return self.head(x.flatten(1) / 255)

    maps = np.zeros((40, 3, 28, 28), np.float32)
    maps[:, 0, :, :14] = 200
    plan = Schedule(updates=1, rate=1e-3, batch=40, mirror=True)
    (network,) = train(Spy, maps, np.arange(40) % 3, 3, plan, "cross_entropy", 0)
    batch = seen[0].numpy()
    reversed_ones = batch[:, 0, 0, 27] == 55
    assert 8 < reversed_ones.sum() < 32
    assert (batch[reversed_ones][:, 0, 0, 0] == 255).all() and (batch[~reversed_ones][:, 0, 0, 0] == 200).all()
    NetworkModel(network).scores(maps, np.arange(40))
    assert np.array_equal(seen[-1].numpy(), maps)
    with pytest.raises(InvalidValueError, match="loss"):
        next(train(Spy, maps, np.arange(40) % 3, 3, plan, "hinge", 0))


def test_as_long_as_updates_times_rate_stays_the_curve_stays() -> None:
    known, strangers = (simulate_flow_set(8, 6, seed=one, nuisance=0.3) for one in (1, 2))
    system = find_system("ststnet")
    slow, fast = (
        curve(replace(system, strategy=Schedule(updates, rate, 48)), known, strangers, 0)
        for updates, rate in ((120, 5e-4), (60, 1e-3))
    )
    assert len(slow) == len(fast) == 4
    assert slow[-1] > slow[0]
    assert fast[-1] == pytest.approx(slow[-1], abs=0.15)


def test_without_names_the_best_known_systems_are_measured() -> None:
    core = [one.name for one in core_for("flow_map")]
    assert {"ststnet", "off-apexnet", "dual-inception", "rcn-f", "kernel-ridge", "hoof-linear", "mdmo-rbf"} <= set(core)
    assert len(core) == 11 and [one.name for one in core_for("clip")] == ["lbp-top-linear", "lbp-top-rbf"]
    assert set(core) < {one.name for one in systems_for("flow_map")}
