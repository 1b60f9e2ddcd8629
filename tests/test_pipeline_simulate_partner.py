"""A second person in simulated session files: their own devices, and what they take over from the first."""

from __future__ import annotations

import json
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from data_schemas.errors import InvalidValueError
from data_schemas.session import Manifest
from data_schemas.time import to_s
from pipeline.simulate.pairs_of_people import Planted
from pipeline.simulate.partner import BEHAVIOURS, draw_mimicry, plan_partner, read_mimicry, smiles_of
from pipeline.simulate.physiology import Followed, draw_heart
from pipeline.simulate.script import plan_script
from pipeline.simulate.session import simulate_session
from pipeline.simulate.trials import CALM_S
from pipeline.simulate.truth import Truth

EXACT = {"smile": Planted(0.8, 1.0, 0.0), "gesture": Planted(1.4, 1.0, 0.0)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("pair") / "s"
    return folder, simulate_session(folder, seconds=30, seed=4, fidelity="signal", people=2, mimicry=EXACT)


def test_the_manifest_names_both_and_every_file_is_there(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    manifest = Manifest.model_validate(tomllib.loads((folder / "session.toml").read_text(encoding="utf-8")))
    assert [person.id for person in manifest.people] == ["p01", "p02"]
    assert all((folder / path).is_file() for stream in manifest.streams for path in stream.paths)
    assert {stream.person for stream in manifest.streams if stream.kind == "ecg"} == {"p01", "p02"}
    assert truth.partner is not None and truth.partner.clocks.keys() <= manifest.clocks.keys()
    cues = pd.read_csv(folder / "events.csv")
    assert set(cues.person) == {"p01", "p02"} and cues.onset_s.is_monotonic_increasing


def test_the_first_person_is_the_one_of_a_session_alone(made: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, truth = made
    alone = simulate_session(tmp_path / "s", seconds=30, seed=4, fidelity="signal")
    assert alone.events == truth.events and alone.partner is None and not alone.mimicry
    for name in ("physio.csv", "voice.wav", "markers.csv", "truth/events.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "s" / name).read_bytes()
    assert (folder / "p02_physio.csv").read_bytes() != (folder / "physio.csv").read_bytes()


def test_the_truth_of_both_survives_its_files(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    again = Truth.load(folder / "truth")
    assert again.partner is not None and truth.partner is not None
    assert (again.person, again.partner.person) == ("p01", "p02")
    assert again.partner.events == truth.partner.events and again.events == truth.events
    assert again.partner.clocks == truth.partner.clocks
    assert again.partner.figures["photograph"] != again.figures["photograph"]
    told = json.loads((folder / "truth" / "truth.json").read_text(encoding="utf-8"))
    assert told["people"] == ["p01", "p02"]
    assert {(row["leader"], row["follower"], row["behaviour"], row["lag_s"]) for row in told["mimicry"]} == {
        ("p01", "p02", "smile", 0.8),
        ("p01", "p02", "gesture", 1.4),
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(30, 150))
def test_every_smile_and_gesture_is_answered_and_the_script_stays_whole(seed: int, seconds: float) -> None:
    first = plan_script(seconds, seed)
    second = plan_partner(first, EXACT)
    for mine, wanted, how in (
        (smiles_of(second), smiles_of(first), EXACT["smile"]),
        ([g.profile for g in second.gestures], [g.profile for g in first.gestures], EXACT["gesture"]),
    ):
        expected = [p for p in wanted if p.offset_s + how.lag_s < seconds - 0.3]
        onsets = np.array([p.onset_s for p in mine])
        assert all(np.abs(onsets - p.onset_s - how.lag_s).min() < 1e-9 for p in expected)
    assert second.person.photograph != first.person.photograph
    np.testing.assert_array_equal(second.markers_s, first.markers_s)
    assert all(b.profile.onset_s - a.profile.offset_s >= CALM_S - 1e-9 for a, b in pairwise(second.expressions))
    assert all(b.onset_s >= a.offset_s for a, b in pairwise(second.episodes))
    assert all(b.profile.onset_s > a.profile.offset_s for a, b in pairwise(second.gestures))
    assert not any(a.onset_s < b.offset_s and b.onset_s < a.offset_s for a in first.turns for b in second.turns)
    inside = [e for e in second.episodes for one in second.expressions if e.onset_s <= one.profile.apex_s < e.offset_s]
    assert len(inside) == len(second.expressions), "every expression belongs to one episode"


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 4.0))
def test_a_heart_follows_by_the_delay_and_an_independent_one_does_not(seed: int, lag_s: float) -> None:
    first = plan_script(120, seed)
    lead = draw_heart(first, -6, 121)
    times = np.arange(10, 110, 0.02)

    def likeness(share: float) -> tuple[float, float, float]:
        """Lag of the highest correlation, that correlation, and the one at the planted lag."""
        script = plan_partner(first, {})
        heart = draw_heart(script, -6, 121, Followed(lead, lag_s, share) if share else None)
        own = heart.rate_at(times)
        lags = np.arange(0, 5, 0.02)
        r = [np.corrcoef(lead.rate_at(times - lag), own)[0, 1] for lag in lags]
        planted = np.corrcoef(lead.rate_at(times - lag_s), own)[0, 1]
        return float(lags[int(np.argmax(r))]), float(max(r)), float(planted)

    _, highest, there = likeness(0.95)
    assert there > 0.85 and highest - there < 0.02, "own noise may move the top of a flat peak"
    exact_s, whole, _ = likeness(1.0)
    assert abs(exact_s - lag_s) < 0.021 and whole > 0.999


@pytest.mark.long
def test_two_people_are_filmed_by_cameras_of_their_own(tmp_path: Path) -> None:
    import av

    folder = tmp_path / "s"
    truth = simulate_session(folder, seconds=10, seed=11, fps=6, size=(320, 240), people=2)
    assert {row["behaviour"] for row in truth.mimicry} == set(BEHAVIOURS)
    assert truth.partner is not None and "p02_camera" in truth.partner.clocks
    manifest = Manifest.model_validate(tomllib.loads((folder / "session.toml").read_text(encoding="utf-8")))
    assert all((folder / path).is_file() for stream in manifest.streams for path in stream.paths)
    firsts = {}
    for name, clock in (("face.mp4", truth.clocks["camera"]), ("p02_face.mp4", truth.partner.clocks["p02_camera"])):
        with av.open(str(folder / name)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert abs(len(frames) - 6 * (clock["end_s"] - clock["start_s"])) <= 2
        firsts[name] = frames[0].astype(float)
    assert np.abs(firsts["face.mp4"] - firsts["p02_face.mp4"]).mean() > 10, "two different faces"


def test_mimicry_is_drawn_written_and_refused() -> None:
    assert draw_mimicry(3) == draw_mimicry(3) != draw_mimicry(4)
    assert set(draw_mimicry(3)) == set(BEHAVIOURS)
    assert {name: how.lag_s for name, how in read_mimicry("smile=0.8, heart_rate=1.5").items()} == {
        "smile": 0.8,
        "heart_rate": 1.5,
    }
    assert read_mimicry("none") == {}
    for text in ("smile", "smile=soon", "yawn=1", "smile=-1", "smile=9", "", "smile=nan"):
        with pytest.raises(InvalidValueError):
            read_mimicry(text)


@pytest.mark.parametrize(
    "arguments", [{"people": 3}, {"mimicry": EXACT}, {"people": 2, "mimicry": {"yawn": Planted(1)}}]
)
def test_what_cannot_be_simulated_is_refused_and_leaves_nothing(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        simulate_session(tmp_path / "s", seconds=10, fidelity="signal", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_the_command_makes_pairs(tmp_path: Path) -> None:
    from pipeline.cli.app import app

    made = ["simulate", "-o", str(tmp_path / "pair"), "--seconds", "10", "--fidelity", "signal", "--json"]
    ran = CliRunner().invoke(app, [*made, "--people", "2", "--mimicry", "heart_rate=1.2"])
    assert ran.exit_code == 0, ran.output
    truth = Truth.load(tmp_path / "pair" / "sim01" / "truth")
    assert [(row["behaviour"], row["lag_s"]) for row in truth.mimicry] == [("heart_rate", 1.2)]
    assert truth.partner is not None and to_s(truth.partner.times_ns[-1]) < 10
