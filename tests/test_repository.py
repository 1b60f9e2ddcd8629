"""Rules of the house: package names nobody else owns, files of readable length, no heavy repository."""

from __future__ import annotations

import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("data_schemas", "sync", "modalities", "fusion", "pipeline")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("name", PACKAGES)
def test_nobody_else_owns_our_names(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"telltale"}
    module = __import__(name)
    assert Path(str(module.__file__)).resolve().parent == ROOT / name


def test_no_file_is_too_long() -> None:
    long = {path.name: n for path in tracked("*.py") if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}


def test_tests_are_flat() -> None:
    assert [path for path in tracked("tests/*") if path.parent != ROOT / "tests" or path.name == "__init__.py"] == []


def test_repository_stays_small_and_free_of_recordings() -> None:
    sizes = {path.name: path.stat().st_size for path in tracked()}
    assert {name for name, size in sizes.items() if size > 6_000_000} == set()
    recordings = {".mp4", ".avi", ".mov", ".wav", ".flac", ".mp3", ".ogg", ".xdf", ".acq", ".edf", ".npz"}
    assert [path for path in tracked() if path.suffix in recordings] == []
