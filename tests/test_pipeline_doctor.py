"""The doctor: it tells the truth about this machine, and finds what is taken away."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import socket
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.doctor import EXTRAS, MODELS, diagnose

ROOT = Path(doctor.__file__).resolve().parent.parent


def by_part(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {row["part"]: row for row in rows}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return diagnose()


def test_rows_have_the_same_keys_known_states_and_unique_parts(rows):
    assert all(list(row) == ["part", "status", "version", "detail"] for row in rows)
    assert {row["status"] for row in rows} <= {"ok", "missing", "warning"}
    assert len({row["part"] for row in rows}) == len(rows)
    assert all(isinstance(value, str) for row in rows for value in row.values())
    assert all(row["detail"] for row in rows if row["status"] != "ok")
    assert json.loads(json.dumps(rows)) == rows


def test_every_declared_dependency_is_listed_with_its_installed_version(rows):
    from packaging.requirements import Requirement

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    parts = by_part(rows)
    for line in declared:
        name = Requirement(line).name
        assert parts[name]["version"] == importlib.metadata.version(name)
        assert parts[name]["status"] == "ok", parts[name]


def test_python_models_devices_and_libraries_are_those_of_this_machine(rows):
    parts = by_part(rows)
    assert parts["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    for part in MODELS:
        assert parts[f"model: {part}"]["status"] == "ok"
        assert ".tflite" in parts[f"model: {part}"]["detail"]
    for part in ("torch device: cpu", "torchaudio import", "mediapipe import", "opencv import", "sound library"):
        assert parts[part]["status"] == "ok", parts[part]
    assert "libavcodec" in parts["ffmpeg libraries"]["detail"]
    assert str(os.cpu_count()) in parts["processor cores"]["detail"]
    assert set(EXTRAS) == {part.removeprefix("extra: ") for part in parts if part.startswith("extra: ")}


def test_the_declared_extras_are_the_described_ones():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(declared) == set(EXTRAS)


def test_models_are_those_that_mediapipe_would_use():
    from mediapipe.python import solution_base

    home = Path(solution_base.__file__).parent.parent / "modules"
    files = [file for group in MODELS.values() for file in group]
    assert all((home / file).stat().st_size > 100_000 for file in files)
    assert not any("lite.tflite" in file or "heavy" in file for file in files)


def test_no_connection_is_opened(monkeypatch):
    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("the doctor opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert diagnose()


def test_a_missing_and_an_untested_dependency_are_told_apart(monkeypatch):
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "wfdb":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "mne" else real(name)

    monkeypatch.setattr(doctor, "version", version)
    parts = by_part(list(doctor._describe_dependencies()))
    assert parts["wfdb"]["status"] == "missing" and "pip install" in parts["wfdb"]["detail"]
    assert parts["mne"]["status"] == "warning" and "0.0.1" in parts["mne"]["version"]
    assert parts["numpy"]["status"] == "ok"


def test_a_model_that_is_not_there_is_named(tmp_path, monkeypatch):
    home = tmp_path / "mediapipe"
    for file in (file for part, group in MODELS.items() if part != "hands" for file in group):
        (home / "modules" / file).parent.mkdir(parents=True, exist_ok=True)
        (home / "modules" / file).write_bytes(b"x")
    (home / "__init__.py").write_text("")
    real = doctor.find_spec

    def find(name: str) -> object:
        if name != "mediapipe":
            return real(name)
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, home / "__init__.py", submodule_search_locations=[str(home)])

    monkeypatch.setattr(doctor, "find_spec", find)
    parts = by_part(list(doctor._describe_models()))
    assert parts["model: hands"]["status"] == "missing"
    assert "hand_landmark_full.tflite" in parts["model: hands"]["detail"]
    assert parts["model: face mesh"]["status"] == "ok"


def test_a_library_that_does_not_load_is_missing_with_its_reason(tmp_path, monkeypatch):
    (tmp_path / "soundfile.py").write_text("raise OSError('libsndfile.so: wrong ELF class')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "soundfile", raising=False)
    row = by_part(list(doctor._describe_media()))["sound library"]
    assert row["status"] == "missing" and "wrong ELF class" in row["detail"]


def test_weights_are_hashed_and_their_absence_is_said(tmp_path, monkeypatch):
    folder = tmp_path / "fusion" / "weights"
    folder.mkdir(parents=True)
    (tmp_path / "fusion" / "__init__.py").write_text("")
    from importlib.util import spec_from_file_location

    spec = spec_from_file_location(
        "fusion", tmp_path / "fusion" / "__init__.py", submodule_search_locations=[str(tmp_path / "fusion")]
    )
    monkeypatch.setattr(doctor, "find_spec", lambda name: spec)
    (row,) = doctor._describe_weights()
    assert row["status"] == "missing"
    (folder / "default.safetensors").write_bytes(b"weights")
    (row,) = doctor._describe_weights()
    assert row["status"] == "ok" and hashlib.sha256(b"weights").hexdigest() in row["detail"]


def test_little_disk_is_a_warning(monkeypatch):
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**9))
    row = by_part(list(doctor._describe_machine()))["free disk"]
    assert row["status"] == "warning" and "1.0 GB" in row["detail"]


def test_a_torchaudio_that_cannot_be_loaded_is_missing(monkeypatch):
    import torch

    from modalities.voice import torchaudio_import

    def refuse() -> None:
        raise OSError("wrong ELF class")

    monkeypatch.setattr(torchaudio_import, "load_torchaudio", refuse)
    row = doctor._describe_torchaudio(torch)
    assert row["status"] == "missing" and "wrong ELF class" in row["detail"]


def test_without_a_source_folder_the_installed_record_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "pipeline" / "doctor.py"))
    lines = ["numpy>=2", 'tomli>=1; python_version < "3"', 'pytest>=8; extra == "dev"', 'h5py; extra == "other"']
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    assert [need.name for need in doctor._requirements()] == ["numpy", "tomli"]
    assert [need.name for need in doctor._requirements("dev")] == ["pytest"]
    assert "tomli" not in by_part(list(doctor._describe_dependencies()))


def test_an_installation_older_than_its_sources_is_a_warning(monkeypatch):
    current = [str(need) for need in doctor._requirements()]
    monkeypatch.setattr(doctor, "requires", lambda name: current)
    assert by_part(list(doctor._describe_python()))["telltale"]["status"] == "ok"
    monkeypatch.setattr(doctor, "requires", lambda name: current[1:])
    row = by_part(list(doctor._describe_python()))["telltale"]
    assert row["status"] == "warning" and "pip install -e ." in row["detail"]


def test_the_audit_log_is_checked(tmp_path, monkeypatch):
    from pipeline.privacy import audit

    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    assert doctor._describe_audit_log()["detail"] == "no line yet" and not (tmp_path / "home").exists()
    for what in ("analyze", "export"):
        audit.record(what, tmp_path)
    row = doctor._describe_audit_log()
    assert row["status"] == "ok" and "2 lines" in row["detail"]
    log = tmp_path / "home" / audit.NAME
    log.write_text(log.read_text().replace("analyze", "forget"))
    row = doctor._describe_audit_log()
    assert row["status"] == "warning" and "line 1" in row["detail"] and str(log) in row["detail"]
    log.unlink()
    log.mkdir()
    assert doctor._describe_audit_log()["status"] == "warning"
