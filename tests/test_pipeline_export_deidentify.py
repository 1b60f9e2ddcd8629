"""De-identified exports: no names, no recordings, no true times, and a key that stays with the user."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_schemas.errors import InvalidValueError
from pipeline.coding.importing import import_coding
from pipeline.export.content import read_content
from pipeline.export.deidentify import Aliases, hide
from pipeline.export.format import FORMATS
from pipeline.export.run import export_result
from pipeline.export.sample import EVENTS, write_sample

SECRETS = (b"p-02", b"sample", b"face.mp4", b"voice.wav", b"session.toml")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("hidden"))


@pytest.fixture()
def aliases() -> Aliases:
    return Aliases({"ada": "p111", "p-02": "p222", "sample": "s333"}, 700_000_000_000)


def content_of(path: Path) -> bytes:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return b"".join(str(one.relative_to(path.parent)).encode() + one.read_bytes() for one in files)


@pytest.mark.parametrize("to", ["parquet", "csv", "boris", "eaf", "textgrid", "webvtt", "netcdf", "bids"])
def test_nothing_names_anybody_in_any_format(result: Path, tmp_path: Path, to: str) -> None:
    done = export_result(result, to, tmp_path / "out", deidentify=True)
    whole = b"".join(content_of(path) for path in done.files)
    if to != "netcdf":
        assert b"ada" not in whole.replace(b"metadata", b"").replace(b"adata", b"")
    for secret in SECRETS:
        assert secret not in whole, secret
    assert b"cue 1, p" in whole or to in ("parquet", "netcdf"), "a name within a label becomes the pseudonym"


def test_times_are_shifted_alike_everywhere(result: Path, tmp_path: Path) -> None:
    export_result(result, "csv", tmp_path / "a.csv", deidentify=True)
    events = pd.read_csv(tmp_path / "a_events.csv")
    shifts = events.onset_s.to_numpy() - np.array(sorted(event.onset_ns for event in EVENTS)) / 1e9
    shift = shifts[0]
    assert 600 <= shift <= 4200 and np.allclose(shifts, shift, atol=1e-6)
    timeline = pd.read_csv(tmp_path / "a.csv")
    assert timeline.time_s.min() - shift == pytest.approx(-1.5)
    macro = json.loads(events[events.kind == "macro"].details.iloc[0])
    assert macro["onset_s"] == pytest.approx(1.2 + shift, abs=1e-5), "times in the details too"
    cue = json.loads(events[events.kind == "cue"].details.iloc[0])
    assert cue == {"expected": "neutral"}, "names of streams are left out"
    said = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert said["deidentified"] and "offset_s" not in said["session_clock"]["streams"][0]
    assert said["provenance"][0]["inputs"] == {}


def test_the_same_person_has_the_same_pseudonym_and_another_key_gives_another(
    result: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = read_content(result)
    first, again = Aliases.of_user(content), Aliases.of_user(content)
    assert first == again and len(set(first.names.values())) == 3
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "elsewhere"))
    other = Aliases.of_user(content)
    assert other.names["ada"] != first.names["ada"] and other.shift_ns != first.shift_ns
    keys = [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file() and "keys" in path.name]
    assert keys
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o077 == 0 for path in keys), "readable by the user alone"


def test_the_key_never_lies_in_the_result(result: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(result / "home"))
    with pytest.raises(InvalidValueError, match="result that they protect"):
        export_result(result, "csv", tmp_path / "a.csv", deidentify=True)
    assert not (result / "home").exists()


def test_biometric_columns_are_left_out(result: Path, aliases: Aliases) -> None:
    content = read_content(result)
    more = content.timeline.append_column(
        pa.field("voice.embedding_1", pa.float32()), pa.array(np.zeros(content.timeline.num_rows, np.float32))
    )
    hidden = hide(replace(content, timeline=more), aliases)
    assert "voice.embedding_1" not in hidden.timeline.column_names
    assert set(content.timeline.column_names) == set(hidden.timeline.column_names)
    assert hidden.media == () and hidden.people == ["p111", "p222"]
    assert np.array_equal(hidden.column("face.au12", "p222"), content.column("face.au12", "p-02"))


def test_a_hidden_file_is_not_taken_for_a_coders(result: Path, tmp_path: Path) -> None:
    export_result(result, "eaf", tmp_path / "a.eaf", deidentify=True)
    with pytest.raises(InvalidValueError, match="de-identified"):
        import_coding(result, tmp_path / "a.eaf", "anna")


def test_command_says_to_read_the_labels(
    result: Path, tmp_path: Path, telltale: Callable[..., CompletedProcess[str]]
) -> None:
    done = telltale("export", result, "--to", "parquet", "-o", tmp_path / "a.parquet", "--deidentify", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["people"] == 2 and "read them before" in done.stderr
    about = json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[b"telltale"])
    assert about["deidentified"] is True


def test_every_format_is_covered_or_refuses() -> None:
    """Formats not tried above: feather is parquet's table, nwb and rrd come from the same content; two need media."""
    tried = {"parquet", "csv", "boris", "eaf", "textgrid", "webvtt", "netcdf", "bids"}
    assert set(FORMATS) - tried == {"feather", "media", "nwb", "megc", "rrd", "retraining"}
