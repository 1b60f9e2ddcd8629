from __future__ import annotations

import csv
import hashlib
import tomllib
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.emotion import EMOTIONS
from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.event import EVENT_KINDS
from data_schemas.session import Manifest
from data_schemas.time import to_ns, to_s
from pipeline.manifest import load_manifest
from pipeline.simulate.clocks import DEVICES, DeviceClock, draw_clocks
from pipeline.simulate.manifest import write_manifest
from pipeline.simulate.session import simulate_session, simulate_study
from pipeline.simulate.truth import Truth


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("simulated") / "s"
    return folder, simulate_session(folder, seconds=60, seed=4, fidelity="signal")


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def read_physio(folder: Path) -> tuple[list[str], np.ndarray]:
    with (folder / "physio.csv").open(encoding="utf-8") as file:
        return file.readline().strip().split(","), np.loadtxt(file, delimiter=",")


def read_wav(folder: Path) -> np.ndarray:
    with wave.open(str(folder / "voice.wav"), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        simulate_session(tmp_path / name, seconds=20, seed=seed, fidelity="signal")
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert all(other[name] != first[name] for name in ("physio.csv", "voice.wav", "events.csv", "truth/events.csv"))


@pytest.mark.parametrize("fidelity", ["signal", "rendered"])
def test_the_manifest_is_valid(fidelity: str) -> None:
    clocks = draw_clocks(60, 3)
    text = write_manifest(name="sim01", seed=3, seconds=60, fidelity=fidelity, clocks=clocks)
    manifest = Manifest.model_validate(tomllib.loads(text))
    assert "analyse" in manifest.consent.scope and manifest.clocks["lab"].reference
    kinds = {stream.name: stream.kind for stream in manifest.streams}
    assert kinds["voice"] == "audio" and kinds["audio_sync"] == kinds["trigger"] == "pulse"
    assert ("face" in kinds) == (fidelity == "rendered")
    if fidelity == "rendered":
        assert manifest.clocks["body_camera"].offset_s == clocks["body_camera"].offset_s
        assert manifest.clocks["body_camera"].drift_ppm == clocks["body_camera"].drift_ppm
        assert manifest.clocks["camera"].offset_s == 0, "the aligned clocks are not told"


def test_the_folder_holds_what_the_manifest_names(made: tuple[Path, Truth]) -> None:
    folder, _ = made
    manifest = Manifest.model_validate(tomllib.loads((folder / "session.toml").read_text(encoding="utf-8")))
    assert all((folder / path).is_file() for stream in manifest.streams for path in stream.paths)
    assert not list(folder.parent.glob("*.partial"))
    columns = read_physio(folder)[0]
    assert all(set(s.columns or ()) <= set(columns) for s in manifest.streams if s.file == "physio.csv")


def rising_edges(signal: np.ndarray, threshold: float) -> np.ndarray:
    return np.flatnonzero((signal[1:] > threshold) & (signal[:-1] <= threshold)) + 1


def test_every_device_saw_the_shared_markers(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    with (folder / "markers.csv").open(encoding="utf-8", newline="") as file:
        markers = np.array([float(row["onset_s"]) for row in csv.DictReader(file)])
    np.testing.assert_allclose(markers, truth.markers_s, atol=1e-6)
    _, physio = read_physio(folder)
    trigger = physio[rising_edges(physio[:, 4], 2.5), 0]
    sync = rising_edges(read_wav(folder)[:, 1], 0.4) / 16_000
    for device, seen, period in (("physio", trigger, 1 / 500), ("recorder", sync, 1 / 16_000)):
        session = to_s(truth.clock_map(device)(to_ns(seen)))
        late = truth.clocks[device]["start_s"]
        expected = markers[markers > late + 0.05]
        assert len(session) == len(expected)
        assert np.abs(session - expected).max() <= period / 2 + 2e-6


def test_the_planted_r_peaks_are_in_the_file(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    _, physio = read_physio(folder)
    times = to_s(truth.clock_map("physio")(to_ns(physio[:, 0])))
    assert times[0] < 0 and times[-1] > 60
    beats = [to_s(event.apex_ns) for event in truth.of_kind("r_peak") if event.apex_ns is not None]
    inside = [beat for beat in beats if times[0] + 0.25 < beat < times[-1] - 0.25]
    assert len(inside) > 45
    for beat in inside:
        near = slice(*np.searchsorted(times, (beat - 0.25, beat + 0.25)))
        assert abs(times[near][np.argmax(physio[near, 1])] - beat) < 0.01
    session = np.array([beat for beat in beats if 0 <= beat < 60])
    assert truth.figures["mean_heart_rate_bpm"] == pytest.approx(60 / np.diff(session).mean(), rel=1e-4)


def test_speech_lies_where_the_truth_says(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    voice = read_wav(folder)[:, 0]
    times = to_s(truth.clock_map("recorder")(np.arange(len(voice)) * 62_500))
    loud = np.abs(voice) > 0.01
    spoken = np.zeros(len(voice), bool)
    for turn in truth.of_kind("speech_turn"):
        spoken |= (times >= to_s(turn.onset_ns) - 0.001) & (times < to_s(turn.offset_ns) + 0.001)
    for pause in truth.of_kind("pause"):
        inside = (times > to_s(pause.onset_ns) + 0.001) & (times < to_s(pause.offset_ns) - 0.001)
        assert inside.any() and not loud[inside].any()
    assert not loud[~spoken].any() and loud[spoken].mean() > 0.2


def test_the_truth_is_whole_and_survives_its_files(made: tuple[Path, Truth]) -> None:
    folder, truth = made
    again = Truth.load(folder / "truth")
    assert again.events == truth.events
    assert again.clocks == truth.clocks and again.figures == truth.figures and again.markers_s == truth.markers_s
    assert (again.name, again.seed, again.seconds, again.fidelity) == (truth.name, truth.seed, 60, "signal")
    np.testing.assert_array_equal(again.times_ns, truth.times_ns)
    assert again.tracks.keys() == truth.tracks.keys()
    for name, values in truth.tracks.items():
        assert again.tracks[name].dtype.kind == values.dtype.kind
        np.testing.assert_array_equal(again.tracks[name], values)
    assert {event.kind for event in truth.events} <= set(EVENT_KINDS)
    assert len(truth.times_ns) == 60 * 25
    assert set(np.unique(truth.tracks["felt"])) <= set(EMOTIONS)
    concealed = truth.tracks["felt"] != truth.tracks["shown"]
    np.testing.assert_array_equal(truth.tracks["concealed"], concealed)
    inside = np.zeros(len(truth.times_ns), bool)
    for event in truth.of_kind("incongruence"):
        inside |= (truth.times_ns >= event.onset_ns) & (truth.times_ns < event.offset_ns)
    np.testing.assert_array_equal(inside, concealed)


def test_a_broken_truth_is_named(tmp_path: Path) -> None:
    simulate_session(tmp_path / "s", seconds=10, fidelity="signal")
    with pytest.raises(MissingFileError, match=r"truth\.json"):
        Truth.load(tmp_path)
    (tmp_path / "s" / "truth" / "truth.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="Simulate it again"):
        Truth.load(tmp_path / "s" / "truth")


@settings(max_examples=60, deadline=None)
@given(st.floats(-60, 5), st.floats(-100, 100), st.lists(st.floats(0, 4000), min_size=1, max_size=20))
def test_the_clock_convention_goes_both_ways(offset: float, drift: float, times: list[float]) -> None:
    clock = DeviceClock(offset, drift, offset, 4000)
    device = np.array(times)
    session = (1 + drift * 1e-6) * device + offset
    np.testing.assert_allclose(clock.to_session(device), session, atol=1e-9)
    np.testing.assert_allclose(clock.to_device(session), device, atol=1e-9)
    np.testing.assert_allclose(to_s(clock.map()(to_ns(device))), session, atol=3e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(10, 600), st.integers(0, 2**31), st.floats(0.5, 60))
def test_clocks_keep_their_bounds(seconds: float, seed: int, most: float) -> None:
    clocks = draw_clocks(seconds, seed, most)
    assert set(clocks) == set(DEVICES)
    for name, clock in clocks.items():
        assert abs(clock.offset_s) <= most + 1e-6 and abs(clock.drift_ppm) <= 100
        assert clock.start_s <= 0.075 * seconds + 1e-6 and clock.end_s > seconds
        assert clock.to_device(np.array([clock.start_s]))[0] >= 0
        assert name != "physio" or clock.start_s <= -0.5
        device = clock.samples(100.0)
        inside = clock.to_session(device)
        assert inside[0] >= clock.start_s - 1e-6 and inside[-1] <= clock.end_s + 1e-6
        frames = clock.frames(30.0, np.random.default_rng(0))
        assert frames[0] >= 0 and np.diff(frames).min() > 0.02 and np.diff(frames).max() < 0.045


def test_a_late_device_misses_the_first_markers() -> None:
    clock = DeviceClock(3.0, 50.0, 3.0, 61.0)
    seen = clock.seen(np.array([1.0, 9.0, 17.0]))
    np.testing.assert_allclose(clock.to_session(seen), [9.0, 17.0])


def test_wide_offsets_move_the_clocks_and_nothing_else(tmp_path: Path) -> None:
    near = simulate_session(tmp_path / "near", seconds=20, seed=3, fidelity="signal")
    far = simulate_session(tmp_path / "far", seconds=20, seed=3, fidelity="signal", max_offset_s=60)
    assert max(abs(clock["offset_s"]) for clock in far.clocks.values()) > 5
    assert [e for e in near.events if e.kind != "r_peak"] == [e for e in far.events if e.kind != "r_peak"]
    assert (tmp_path / "near/events.csv").read_bytes() == (tmp_path / "far/events.csv").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [{"seconds": 3}, {"fidelity": "cinema"}, {"seed": -1}, {"fps": 0}, {"max_offset_s": 0}, {"max_offset_s": np.nan}],
)
def test_what_cannot_be_simulated_is_refused_and_leaves_nothing(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        simulate_session(tmp_path / "s", **{"fidelity": "signal", **arguments})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidValueError, match="new or empty"):
        simulate_session(tmp_path, seconds=10, fidelity="signal")
    (tmp_path / "empty").mkdir()
    simulate_session(tmp_path / "empty", seconds=10, fidelity="signal")
    assert (tmp_path / "empty" / "session.toml").is_file()


def test_a_study_is_a_row_of_sessions(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    folders = simulate_study(
        tmp_path / "study", 2, seconds=10, seed=5, fidelity="signal", hook=lambda *report: steps.append(report)
    )
    assert [folder.name for folder in folders] == ["sim01", "sim02"]
    truths = [Truth.load(folder / "truth") for folder in folders]
    assert [truth.seed for truth in truths] == [5, 6]
    assert truths[0].figures["photograph"] != truths[1].figures["photograph"]
    assert ("simulate session", 2, 2) in steps
    assert [truth.person for truth in truths] == ["p01", "p02"]
    alone = simulate_session(tmp_path / "alone", seconds=10, seed=6, fidelity="signal")
    assert alone.events == truths[1].events
    with pytest.raises(InvalidValueError):
        simulate_study(tmp_path / "none", 0)


def test_nobody_is_in_two_sessions_of_a_study(tmp_path: Path) -> None:
    simulate_study(tmp_path / "alone", 3, seconds=10, fidelity="signal")
    simulate_study(tmp_path / "pairs", 2, seconds=10, fidelity="signal", people=2)
    for study, wanted in (("alone", ["p01", "p02", "p03"]), ("pairs", ["p01", "p02", "p03", "p04"])):
        people = []
        for folder in sorted((tmp_path / study).iterdir()):
            manifest = load_manifest(folder)
            told = Truth.load(folder / "truth")
            here = [person.id for person in manifest.people]
            assert here == [one.person for one in (told, told.partner) if one is not None]
            assert {stream.person for stream in manifest.streams} - {None} == set(here)
            with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
                assert {row.get("person", here[0]) for row in csv.DictReader(file)} == set(here)
            assert all({one["leader"], one["follower"]} == set(here) for one in told.mimicry)
            people += here
        assert people == wanted
    assert (tmp_path / "pairs" / "sim02" / "truth" / "p04" / "truth.json").is_file()


def test_a_session_of_its_own_is_that_of_p01(tmp_path: Path) -> None:
    simulate_study(tmp_path / "study", 1, seconds=10, seed=5, fidelity="signal", people=2)
    simulate_session(tmp_path / "alone", seconds=10, seed=5, fidelity="signal", people=2)
    assert digests(tmp_path / "study" / "sim01") == digests(tmp_path / "alone")
