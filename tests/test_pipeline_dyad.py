"""Two people in one session, an eye tracker, values against the own baseline: what channels say of each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data_schemas.errors import ManifestError
from pipeline import steps
from pipeline.analyzer import Analyzer
from pipeline.config import load_config
from pipeline.joining import with_shared_people
from pipeline.manifest import load_manifest
from pipeline.outcome import Result
from pipeline.simulate.body import render_body
from pipeline.simulate.motion import BodyMotion
from pipeline.simulate.pairs_of_people import Planted
from pipeline.simulate.profiles import Profile
from pipeline.simulate.session import simulate_session
from pipeline.simulate.video import write_video

SECONDS = 60
CHANNELS = {"voice": "voice", "physiology": "physiology", "context": "context", "face": "face"}


def dyad(folder: Path) -> Path:
    """A simulated session of two people, the first one with an eye tracker."""
    simulate_session(folder, seconds=SECONDS, seed=3, fidelity="signal", people=2)
    manifest = folder / "session.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n" + with_tracker(folder), encoding="utf-8")
    return folder


def with_tracker(folder: Path) -> str:
    """A table of an eye tracker for the first person, 120 Hz: looks 20 degrees aside from 30 s on, blinks each 5 s."""
    times = np.arange(0, SECONDS, 1 / 120)
    aside = np.where(times < SECONDS * 0.6, 0.0, 960 * 0.6)
    shut = times % 5 < 0.15
    pupil = np.where(shut, np.nan, 3.51)
    table = pd.DataFrame({
        "Recording timestamp [ms]": times * 1000, "Gaze point X": 960 - aside, "Gaze point Y": 540.0,
        "Pupil diameter left": pupil, "Pupil diameter right": pupil,
        "Validity left": np.where(shut, "Invalid", "Valid"), "Validity right": np.where(shut, "Invalid", "Valid"),
    })  # fmt: skip
    table.to_csv(folder / "tobii.tsv", sep="\t", index=False)
    stream = '[[streams]]\nname = "{0}"\nkind = "{0}"\nfile = "tobii.tsv"\nperson = "p01"\nclock = "lab"\n'
    return "\n".join(
        [
            stream.format("gaze") + "screen = { width_px = 1920, width_mm = 520, distance_mm = 600 }\n",
            stream.format("pupil"),
        ]
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, Path]]:
    folder = tmp_path_factory.mktemp("dyad")
    found = Analyzer(load_config(encoders=CHANNELS)).run(dyad(folder / "session"))
    found.save(folder / "out")
    yield found, folder / "out"


def test_who_mirrors_whom_is_a_table_and_a_course(result: tuple[Result, Path]) -> None:
    ties = pd.read_csv(result[1] / "interaction.csv")
    hearts = ties[(ties.behaviour == "heart_rate") & (ties.measure == "correlation")]
    assert set(zip(hearts.leader, hearts.follower, strict=True)) == {("p01", "p02"), ("p02", "p01")}
    assert hearts.p.between(0, 1).all() and (ties.q.dropna() >= ties.p.dropna() - 1e-12).all()
    assert hearts.lag_s.between(-0.1, 8.1).all() and (hearts.valid_s > 20).all()
    courses = pq.read_table(result[1] / "synchrony.parquet").to_pandas()
    assert set(courses.pair) == {"p01-p02", "group"} and courses.heart_rate_shared.notna().any()

    page = (result[1] / "report.html").read_text(encoding="utf-8")
    assert "People together" in page


def test_a_planted_lag_is_found_in_session_files_and_none_where_none_was_planted(tmp_path: Path) -> None:
    settings = load_config(encoders={"physiology": "physiology", "context": "context"})
    ties = {}
    for name, mimicry in (("follows", {"heart_rate": Planted(1.5, 0.9)}), ("alone", {})):
        simulate_session(tmp_path / name, seconds=180, seed=3, fidelity="signal", people=2, mimicry=mimicry)
        Analyzer(settings).run(tmp_path / name).save(tmp_path / f"{name}_out")
        table = pd.read_csv(tmp_path / f"{name}_out" / "interaction.csv").set_index(["leader", "follower"])
        ties[name] = table[table.behaviour == "heart_rate"]
    found, back = ties["follows"].loc[("p01", "p02")], ties["follows"].loc[("p02", "p01")]
    assert found.found and found.p < 0.01 and abs(found.lag_s - 1.5) < 0.1 and found.strength > 0.8
    assert not back.found and not back.leads
    assert not ties["alone"].found.any()


def test_the_body_of_each_face_in_one_video_of_both(tmp_path: Path) -> None:
    times = np.arange(22) / 10
    lifted, still = Profile(0.3, 0.7, 1.4, 1.8)(times), np.zeros(22)
    sitters = [BodyMotion(times, lifted, still, still, still), BodyMotion(times, still, still, still, still)]
    pictures = (np.hstack(pair) for pair in zip(*(render_body(one, size=(320, 240)) for one in sitters), strict=True))
    write_video(tmp_path / "room.mp4", pictures, times)
    head = 'name = "x"\npurpose = "t"\n[consent]\nscope = ["analyse"]\n[[people]]\nid = "a"\n[[people]]\nid = "b"\n'
    stream = '[[streams]]\nname = "{0}"\nkind = "{1}"\nfile = "room.mp4"\n'
    lines = [head, stream.format("faces", "face_rgb"), 'people = ["b", "a"]\n', stream.format("body", "body_video")]
    (tmp_path / "session.toml").write_text("".join(lines))
    session = steps.synchronize(steps.read(load_manifest(tmp_path), tmp_path))
    found, problems = steps.encode(session, load_config(encoders={"body": "body"}))
    assert [(one.person, one.streams) for one in found] == [("a", ("body",)), ("b", ("body",))]
    assert not [problem for problem in problems if problem.severity == "error"]
    left, right = found[1], found[0]
    assert left.track.column("left_hand_speed")[0].max() > 5 * right.track.column("left_hand_speed")[0].max()
    assert left.quality["body_found"] > 0.9 and right.quality["body_found"] > 0.9


def test_body_videos_take_their_people_from_the_face_video_of_the_same_pictures_alone(tmp_path: Path) -> None:
    write_video(tmp_path / "room.mp4", [np.full((48, 64, 3), 99, np.uint8)] * 4, np.arange(4) / 4)
    head = 'name = "x"\npurpose = "t"\n[[people]]\nid = "a"\n[[people]]\nid = "b"\n'
    stream = '[[streams]]\nname = "{0}"\nkind = "{1}"\nfile = "room.mp4"\n{2}\n'
    seat = '[[streams.seats]]\ntime_s = 1.0\nx = 0.2\nperson = "a"'
    region = "region = {{ x = 0, y = 0, width = 32, height = 48 }}"

    def shared(*bodies: str) -> dict[str, tuple[str | None, tuple[str, ...]]]:
        faces = stream.format("faces", "face_rgb", f'people = ["b", "a"]\n{seat}')
        parts = [stream.format(f"body{at}", "body_video", one.format()) for at, one in enumerate(bodies)]
        (tmp_path / "session.toml").write_text(head + faces + "".join(parts))
        session = with_shared_people(steps.synchronize(steps.read(load_manifest(tmp_path), tmp_path)))
        infos = {name: one.info for name, one in session.streams.items() if name.startswith("body")}
        assert all(len(info.seats) == bool(info.people) for info in infos.values())
        return {name: (info.person, info.people) for name, info in infos.items()}

    both = (None, ("b", "a"))
    assert shared("") == {"body0": both}
    assert shared('person = "a"', 'person = "b"') == {"body0": both}, "one look at the pictures serves both"
    assert shared(f'person = "a"\n{region}') == {"body0": ("a", ())}, "another part of the picture is another view"
    assert shared(region) == {"body0": (None, ())}


def test_an_eye_tracker_stands_in_for_the_video(result: tuple[Result, Path]) -> None:
    table = result[0].timeline.to_pandas()
    own = table[table.person == "p01"].reset_index(drop=True)
    yaw = own["face.gaze_yaw_deg"].dropna()
    aside = np.degrees(np.arctan2(960 * 0.6 * 520 / 1920, 600))
    assert abs(abs(yaw.max() - yaw.min()) - aside) < 0.1
    assert own["face.pupil_ratio"].median() == pytest.approx(3.51 / 11.7, rel=1e-3)
    assert own["face.au12_left"].isna().all() and table[table.person == "p02"]["face.gaze_yaw_deg"].isna().all()
    blinks = [event for event in result[0].events if event.kind == "blink"]
    assert {event.person for event in blinks} == {"p01"}
    assert len(blinks) == pytest.approx(SECONDS / 5, abs=1)


def test_eyes_answers_and_body_are_told_around_each_question(result: tuple[Result, Path]) -> None:
    events = result[0].events
    cues = [e for e in events if e.kind == "cue" and e.person == "p01"]
    asked = [e for e in cues if e.details.get("kind") in ("question", "stimulus", "answer")]
    eyes = [e for e in events if e.kind == "eye_response"]
    assert {e.person for e in eyes} == {"p01"} and len(eyes) == len(asked) > 0
    assert all(e.details["seen"] > 0.5 for e in eyes)
    assert any(e.kind == "reaction" and e.person == "p02" for e in events)
    answers = [e for e in events if e.kind == "response" and e.person == "p01"]
    assert answers and all(0 < e.details["latency_s"] < 15 for e in answers)


def test_every_measure_is_also_told_against_the_own_baseline(result: tuple[Result, Path]) -> None:
    table = result[0].timeline.to_pandas()
    for person in ("p01", "p02"):
        own = table[table.person == person]
        rate, relative = own["physiology.heart_rate_bpm"], own["physiology.heart_rate_bpm_z"]
        rest = own["context.baseline"] > 0
        assert abs(relative[rest].median()) < 0.2 and relative.notna().sum() == rate.notna().sum()
        assert np.corrcoef(rate.dropna(), relative.dropna())[0, 1] > 0.999
    assert "voice.speech_z" not in table and "context.question_z" not in table
    told = {one.channel: one.quality for one in result[0].record.channels if one.person == "p01"}
    assert told["physiology"]["z_relative_to.baseline"] >= 1 and told["voice"]["z_relative_to.session"] >= 0
    assert not any(key.startswith("z_") for key in told["context"])


def test_one_microphone_may_have_several_people_but_no_other_device(tmp_path: Path) -> None:
    head = 'name = "x"\npurpose = "t"\n[[people]]\nid = "a"\n[[people]]\nid = "b"\n[[streams]]\nname = "s"\n'
    (tmp_path / "session.toml").write_text(head + 'kind = "audio"\nfile = "a.wav"\npeople = ["a", "b"]\n')
    assert load_manifest(tmp_path).streams[0].people == ["a", "b"]
    (tmp_path / "session.toml").write_text(head + 'kind = "ecg"\nfile = "a.csv"\npeople = ["a", "b"]\n')
    with pytest.raises(ManifestError, match="only a face video or a microphone"):
        load_manifest(tmp_path)
