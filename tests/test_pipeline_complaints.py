"""What is said of a wrong manifest: in words of TOML, never of the library that checks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_schemas.errors import ManifestError
from pipeline.config import load_config
from pipeline.manifest import load_manifest

GOOD = """name = "p01"

[consent]
scope = ["analyse"]
date = 2026-11-21

[[people]]
id = "p01"

[[streams]]
name = "face"
kind = "face_rgb"
file = "f.mp4"
rate_hz = 25
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('scope = ["analyse"]', 'scope = "analyse"', 'line 4.*a list: scope = \\["analyse"\\]'),
        ("date = 2026-11-21", 'date = "21.11.2026"', "line 5.*YYYY-MM-DD"),
        ("date = 2026-11-21", 'date = "yesterday"', "line 5.*YYYY-MM-DD"),
        ("rate_hz = 25", 'rate_hz = "fast"', "rate_hz = 'fast'.*line 14.*a number"),
        ("rate_hz = 25", "same_body = 7.5", "same_body.*true or false"),
        ("rate_hz = 25", 'region = "left"', "region = 'left'.*a table"),
        ('file = "f.mp4"', "file = 7", "file = 7.*text in quotes"),
        ("rate_hz = 25", 'columns = "ecg"', 'a list: columns = \\["ecg"\\]'),
        ("rate_hz = 25", "region = {x = 0.5, y = 0, width = 2, height = 2}", "x = 0.5.*a whole number"),
        ('[[people]]\nid = "p01"', "", "'people' is missing"),
    ],
)
def test_wrong_values_are_told_in_words_of_toml(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    (tmp_path / "session.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(ManifestError, match=said) as found:
        load_manifest(tmp_path)
    assert "Input should" not in str(found.value)


def test_the_good_one_is_good(tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_text(GOOD)
    assert load_manifest(tmp_path).consent.scope == ("analyse",)


def test_settings_are_told_the_same_way() -> None:
    with pytest.raises(ManifestError, match=r"grid_hz = 'often'.*a number") as found:
        load_config({"grid_hz": "often"})
    assert "Input should" not in str(found.value)
