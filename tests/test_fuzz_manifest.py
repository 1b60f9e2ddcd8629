"""Manifests of every shape: accepted, or refused in a sentence that names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.errors import ManifestError, TelltaleError
from data_schemas.session import Clock, Consent, Cue, Manifest, Person, StreamEntry
from modalities.readers import open_stream
from pipeline.manifest import ALLOWED, load_manifest

QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ODD = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.text(max_size=20),
    st.lists(st.integers(-5, 5), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(0, 5), max_size=2),
    st.sampled_from(["p01", "ecg", "face_rgb", "session", "camera", "markers", "a.csv", "../a.csv", "/etc/passwd"]),
)  # fmt: skip


def table(model: Any, sure: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A table with some of a model's keys, each with a sound value or with anything."""
    odd = dict.fromkeys(model.model_fields, ODD)
    return st.fixed_dictionaries(
        {name: st.one_of(st.just(value), st.just(value), st.just(value), ODD) for name, value in sure.items()},
        optional={name: one for name, one in odd.items() if name not in sure} | {"unknwon": ODD},
    ).map(lambda values: dict(list(values.items())[: len(sure) + 2]))


MANIFESTS = st.fixed_dictionaries(
    {
        "name": st.one_of(st.just("p01"), ODD),
        "people": st.one_of(st.lists(table(Person, {"id": "p01"}), max_size=3), ODD),
        "streams": st.one_of(
            st.lists(table(StreamEntry, {"name": "ecg", "kind": "ecg", "file": "a.csv"}), max_size=3), ODD
        ),
    },
    optional={
        "consent": st.one_of(table(Consent, {"scope": ["analyse"]}), ODD),
        "clocks": st.one_of(st.dictionaries(st.sampled_from(["camera", "a b", ""]), table(Clock, {})), ODD),
        "cues": st.one_of(st.lists(table(Cue, {"kind": "question", "onset_s": 1.5}), max_size=2), ODD),
        "labels": ODD,
        "evidence": ODD,
        "": ODD,
    },
)


@QUIET
@given(values=MANIFESTS)
def test_tables_of_any_values(tmp_path: Path, values: dict[str, Any]) -> None:
    file = tmp_path / "session.toml"
    try:
        file.write_text(tomlkit.dumps(values), encoding="utf-8")
    except (ValueError, UnicodeEncodeError, TypeError):  # lone surrogates and the like, which no file can hold
        return
    try:
        assert isinstance(load_manifest(tmp_path), Manifest)
    except ManifestError as error:
        assert "session.toml" in str(error) and error.mend and len(str(error)) < 3000


@QUIET
@given(data=st.binary(max_size=400))
def test_bytes_of_any_kind(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "session.toml").write_bytes(data)
    with pytest.raises(ManifestError, match=r"session\.toml"):
        load_manifest(tmp_path)


COLUMNS = st.one_of(st.sampled_from(["ecg_mV", "time_s", "ECG_MV ", "0"]), st.text(max_size=8))
UNITS = st.one_of(st.sampled_from(["mV", "uV", "%", ""]), st.text(max_size=4))
ENTRIES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["ecg", "eda", "markers", "cues", "audio", "face_rgb", "pulse", "gaze", "acceleration"])},
    optional={
        "columns": st.lists(COLUMNS, max_size=3),
        "units": st.lists(UNITS, max_size=3),
        "track": st.one_of(st.integers(-3, 10**12), st.text(max_size=8)),
        "rate_hz": st.floats(min_value=0, exclude_min=True, allow_nan=False),
        "time_column": st.one_of(st.sampled_from(["time_s", "ecg_mV", "sample"]), st.text(max_size=8)),
        "time_unit": st.sampled_from(["s", "ms", "us", "ns", "samples"]),
        "rotation": st.sampled_from([0, 90, 180, 270]),
        "depth_scale_m": st.floats(min_value=0, exclude_min=True, allow_nan=False),
    },
)  # fmt: skip


@QUIET
@given(wish=ENTRIES)
def test_entries_of_any_kind_on_a_sound_file(tmp_path: Path, wish: dict[str, Any]) -> None:
    rows = "".join(f"{at / 50:.3f},{at % 7},{2 + at / 100},x\n" for at in range(40))
    (tmp_path / "t.csv").write_text("time_s,ecg_mV,eda_uS,word\n" + rows, encoding="utf-8")
    try:
        entry = StreamEntry.model_validate({"name": "s", "file": "t.csv", **wish})
    except ValueError:
        return
    try:
        stream = open_stream(entry, tmp_path, "p01")
    except TelltaleError as error:
        assert "t.csv" in str(error) or "'s'" in str(error)
        return
    assert len(stream.times_ns) == stream.axis.n


PLACES = ["../../secret.csv", "/etc/passwd", "a/../../../b.csv", "../../sim/../../x"]


@pytest.mark.parametrize("place", PLACES)
def test_paths_cannot_leave_the_study(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lab" / "study" / "sim"
    folder.mkdir(parents=True)
    text = '[[people]]\nid = "p01"\n[[streams]]\nname = "ecg"\nkind = "ecg"\nfile = "{}"\n'
    (folder / "session.toml").write_text(f'name = "sim"\n{text.format(place)}')
    with pytest.raises(ManifestError, match="leads out of the study's folder"):
        load_manifest(folder)
    monkeypatch.setenv(ALLOWED, str(tmp_path / "elsewhere") + ":/")
    assert load_manifest(folder).streams[0].file == place
    (folder / "session.toml").write_text(f'name = "sim"\n{text.format("../shared/room.csv")}')
    monkeypatch.delenv(ALLOWED)
    assert load_manifest(folder).streams[0].file == "../shared/room.csv", "sessions of one study may share a file"
    (folder / "alone.toml").write_text(f'name = "sim"\n{text.format("../shared/room.csv")}')
    with pytest.raises(ManifestError, match="leads out"):
        load_manifest(folder / "alone.toml")


def test_a_link_that_climbs_is_followed(tmp_path: Path) -> None:
    folder, far = tmp_path / "study" / "sim", tmp_path / "far" / "big"
    folder.mkdir(parents=True)
    far.mkdir(parents=True)
    (folder / "video").symlink_to(far)
    text = 'name = "s"\n[[people]]\nid = "p01"\n[[streams]]\nname = "ecg"\nkind = "ecg"\nfile = "{}"\n'
    (folder / "session.toml").write_text(text.format("video/a.csv"))
    assert load_manifest(folder).streams, "a link in the study is the user's own doing"
    (folder / "session.toml").write_text(text.format("video/../secret.csv"))
    with pytest.raises(ManifestError, match="leads out"):
        load_manifest(folder)
