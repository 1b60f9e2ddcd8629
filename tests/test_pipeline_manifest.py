"""Manifests: faults are named with place, line and mend; consent is enforced; clocks are written back in place."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from data_schemas.errors import ConsentError, ManifestError, MissingFileError
from pipeline.config import load_config
from pipeline.inspect import write_manifest
from pipeline.manifest import load_manifest, require_consent, write_clocks

GOOD = """\
schema_version = 1
name = "p01"
[consent]
scope = ["analyse"]   # asked on paper
date = 2026-01-02
[[people]]
id = "p01"
[clocks.camera]
align = "assumed"
[clocks.lab]
reference = true
[[streams]]
name = "face"
kind = "face_rgb"
file = "face.mp4"
clock = "camera"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "session.toml").write_text(text, encoding="utf-8")
    return folder


def fault(folder: Path, text: str) -> str:
    with pytest.raises(ManifestError) as caught:
        load_manifest(write(folder, text))
    assert caught.value.file is not None and caught.value.file.endswith("session.toml")
    return str(caught.value)


def test_good_manifest_loads(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, GOOD))
    assert manifest.streams[0].clock == "camera"
    assert manifest.person_of(manifest.streams[0]) == "p01"
    assert load_manifest(tmp_path / "session.toml") == manifest


def test_missing_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="telltale init"):
        load_manifest(tmp_path)
    with pytest.raises(MissingFileError, match="no such folder"):
        load_manifest(tmp_path / "nowhere")


def test_misspelt_key_names_line_place_and_nearest_word(tmp_path: Path) -> None:
    text = fault(tmp_path, GOOD.replace('file = "face.mp4"', 'flie = "face.mp4"'))
    assert "unknown key 'flie' in streams[1] (line 15); did you mean 'file'?" in text


def test_misspelt_kind_names_the_nearest(tmp_path: Path) -> None:
    assert "did you mean 'face_rgb'?" in fault(tmp_path, GOOD.replace("face_rgb", "face_rbg"))


def test_unknown_person_clock_and_stream_are_named(tmp_path: Path) -> None:
    assert "no person 'p02'; there are p01" in fault(tmp_path, GOOD + 'person = "p02"\n')
    assert "no clock 'cam'; there are session, camera, lab" in fault(
        tmp_path, GOOD.replace('clock = "camera"', 'clock = "cam"')
    )
    markers = GOOD.replace('align = "assumed"', 'align = "markers"\nown = "face"\nagainst = "nothing"')
    assert "against = 'nothing' is no stream" in fault(tmp_path, markers)


def test_broken_toml_and_wrong_encoding(tmp_path: Path) -> None:
    assert "no valid TOML" in fault(tmp_path, "name = \n")
    (tmp_path / "session.toml").write_bytes("name = 'Bär'".encode("latin-1"))
    with pytest.raises(ManifestError, match="UTF-8"):
        load_manifest(tmp_path)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD)
    (folder / "session.toml").write_text(GOOD, encoding="utf-8-sig")
    assert load_manifest(folder).name == "p01"
    assert write_clocks(folder / "session.toml", {"camera": (1.25, 0.0)}, "measured") == ["camera"]
    assert load_manifest(folder).clocks["camera"].offset_s == 1.25


def test_an_unknown_version_names_the_one_that_is_known(tmp_path: Path) -> None:
    text = fault(tmp_path, GOOD.replace("schema_version = 1", "schema_version = 2"))
    assert "schema_version = 2 is not known" in text and "known is 1" in text


def test_a_folder_of_sessions_is_no_session_and_gets_no_manifest(tmp_path: Path) -> None:
    for name in ("sim01", "sub-02/ses-a"):
        (tmp_path / name).mkdir(parents=True)
        write(tmp_path / name, GOOD)
    with pytest.raises(MissingFileError, match="holds the sessions sim01, sub-02/ses-a") as caught:
        load_manifest(tmp_path)
    assert "telltale batch" in str(caught.value) and "telltale init" not in str(caught.value)
    with pytest.raises(ManifestError, match="sessions already"):
        write_manifest(tmp_path)
    assert not (tmp_path / "session.toml").exists()


@pytest.mark.parametrize(
    ("place", "who"),
    [
        ("anna", "anna"), ("P_07-b", "P_07-b"), ("sub-03", "sub-03"), ("sub-03/ses-a", "sub-03"), ("mine", "mine"),
        ("sub-03_ses-a_task-x", "sub-03"), ("session", "p01"), ("Session_2", "p01"), ("recordings", "p01"),
        ("my_session", "p01"), ("ses-01", "p01"), ("data", "p01"), ("2026-01-31", "p01"), ("größe", "p01"),
        ("a b", "p01"), ("x" * 70, "p01"),
    ],
)  # fmt: skip
def test_the_person_is_named_after_the_folder(tmp_path: Path, place: str, who: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    times = np.arange(0, 20, 0.01)
    rows = "".join(f"{t:.2f},{np.sin(t):.4f}\n" for t in times)
    (folder / "ecg.csv").write_text(f"time_s,ecg_mv\n{rows}", encoding="utf-8")
    write_manifest(folder, ["analyse"])
    assert [one.id for one in load_manifest(folder).people] == [who]


def test_consent_is_enforced(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, GOOD))
    require_consent(manifest, "analyse", tmp_path)
    with pytest.raises(ConsentError, match="no consent to train"):
        require_consent(manifest, "train", tmp_path)
    with pytest.raises(ConsentError, match=r'scope = \["analyse", "train"\]\.'):  # what is there already stays
        require_consent(manifest, "train", tmp_path)
    nothing = load_manifest(write(tmp_path, GOOD.replace('["analyse"]', "[]").replace("date = 2026-01-02", "")))
    with pytest.raises(ConsentError, match=r'scope = \["share"\] and date = YYYY-MM-DD'):
        require_consent(nothing, "share", tmp_path)
    expired = load_manifest(write(tmp_path, GOOD.replace("date = 2026-01-02", "expires = 2026-03-01")))
    require_consent(expired, "analyse", tmp_path, today=dt.date(2026, 2, 28))
    with pytest.raises(ConsentError, match="expired on 2026-03-01"):
        require_consent(expired, "analyse", tmp_path, today=dt.date(2026, 3, 1))


def test_clocks_are_written_in_place(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD)
    changed = write_clocks(folder / "session.toml", {"camera": (1.25, -12.5), "lab": (9.0, 0.0)}, "measured")
    assert changed == ["camera"], "the reference clock is left alone"
    text = (folder / "session.toml").read_text(encoding="utf-8")
    assert "# asked on paper" in text
    clock = load_manifest(folder).clocks["camera"]
    assert (clock.align, clock.offset_s, clock.drift_ppm) == ("offset", 1.25, -12.5)


def test_config_faults(tmp_path: Path) -> None:
    assert load_config(grid_hz=50).grid_hz == 50
    with pytest.raises(ManifestError, match="did you mean 'grid_hz'"):
        load_config({"grid_hs": 50})
    with pytest.raises(ManifestError, match="grid_hz"):
        load_config(grid_hz=0)
    with pytest.raises(MissingFileError):
        load_config(tmp_path / "none.toml")
    (tmp_path / "c.toml").write_text("strict = true\n", encoding="utf-8")
    assert load_config(tmp_path / "c.toml").strict
