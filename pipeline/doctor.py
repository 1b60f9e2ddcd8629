"""What this installation consists of and what is wrong with it; looks only at this machine."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Status = Literal["ok", "missing", "warning"]

PYTHONS = ((3, 11), (3, 12))
"""First and last Python that Telltale is tested on."""
LEAST_FREE_GB = 5.0
"""Free disk below this is a warning: an hour's session needs about 1 GB of results and temporary files."""

MODELS: dict[str, tuple[str, ...]] = {
    "face mesh": ("face_landmark/face_landmark.tflite", "face_landmark/face_landmark_with_attention.tflite"),
    "face detection, short range": ("face_detection/face_detection_short_range.tflite",),
    "face detection, full range": ("face_detection/face_detection_full_range_sparse.tflite",),
    "pose, complexity 1": ("pose_detection/pose_detection.tflite", "pose_landmark/pose_landmark_full.tflite"),
    "hands": ("palm_detection/palm_detection_full.tflite", "hand_landmark/hand_landmark_full.tflite"),
}
"""Models that MediaPipe's package brings along, as files below its `modules` folder."""

EXTRAS: dict[str, str] = {
    "dev": "tests, linters and type checks, for work on Telltale itself",
    "export": "exports to netCDF and NWB",
    "rerun": "exports to and views in Rerun",
    "slurm": "batches on a Slurm cluster",
    "references": "openSMILE and Praat, which python -m benchmarks.voice compares with",
    "egemaps": "eGeMAPS by openSMILE itself instead of our own; its licence is for research only",
}
"""What each optional extra of the package adds."""

DECODERS = ("h264", "hevc", "vp9", "mjpeg", "aac", "mp3", "pcm_s16le")
"""Codecs of the recordings that labs bring."""

_BROKEN = (ImportError, OSError, RuntimeError, AttributeError)
"""What importing a library that was built for another machine or partner raises."""


def diagnose() -> list[dict[str, str]]:
    """Everything that Telltale needs or can use on this machine.

    Returns:
        Rows of part, status ("ok"; "warning": works, but worse or untested; "missing": something cannot run), version
        ("" where it has none) and detail, which for all but "ok" says how to mend it.
    """
    return [
        *_describe_python(),
        *_describe_dependencies(),
        *_describe_models(),
        *_describe_torch(),
        *_describe_media(),
        *_describe_weights(),
        *_describe_machine(),
        _describe_audit_log(),
        *_describe_extras(),
    ]


def _row(part: str, status: Status, found: str = "", detail: str = "") -> dict[str, str]:
    return {"part": part, "status": status, "version": found, "detail": detail}


def _describe_python() -> Iterator[dict[str, str]]:
    from packaging.requirements import Requirement

    from pipeline import __version__

    fits = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    tested = " and ".join(".".join(map(str, numbers)) for numbers in PYTHONS)
    where = f"{platform.system()} {platform.machine()}"
    yield _row(
        "python",
        "ok" if fits else "warning",
        platform.python_version(),
        where if fits else f"{where}; tested on Python {tested} only",
    )
    home = str(Path(__file__).resolve().parent.parent)
    recorded = {Requirement(line).name for line in requires("telltale") or []} if _installed("telltale") else set()
    if recorded and not {need.name for need in _requirements()} <= recorded:
        home += "; the installation is older than these sources: pip install -e ."
        yield _row("telltale", "warning", __version__, home)
    else:
        yield _row("telltale", "ok", __version__, home)


def _requirements(extra: str = "") -> list[Requirement]:
    """What Telltale declares for an extra, or without one; empty where it declares nothing.

    Read from `pyproject.toml` where this is a source folder, because the record of an editable installation ages.
    """
    from packaging.requirements import Requirement

    source = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if source.is_file():
        project = tomllib.loads(source.read_text(encoding="utf-8"))["project"]
        lines = project["optional-dependencies"].get(extra, []) if extra else project["dependencies"]
        return [Requirement(line) for line in lines]
    declared = [Requirement(line) for line in (requires("telltale") or [])] if _installed("telltale") else []
    plain = [need for need in declared if "extra ==" not in str(need.marker or "")]
    if not extra:
        return plain
    return [need for need in declared if need not in plain and need.marker and need.marker.evaluate({"extra": extra})]


def _describe_dependencies() -> Iterator[dict[str, str]]:
    needed = [need for need in _requirements() if need.marker is None or need.marker.evaluate({"extra": ""})]
    if _installed("telltale") is None:
        yield _row("dependencies", "missing", "", "Telltale is not installed as a package: pip install -e .")
    for need in sorted(needed, key=lambda need: need.name.lower()):
        found = _installed(need.name)
        if found is None:
            yield _row(need.name, "missing", "", f"pip install '{need}'")
        elif not need.specifier.contains(found, prereleases=True):
            yield _row(need.name, "warning", found, f"Telltale is tested with {need.specifier}: pip install '{need}'")
        else:
            yield _row(need.name, "ok", found, str(need.specifier))
    rivals = [name for name in ("opencv-python", "opencv-python-headless") if _installed(name)]
    if rivals:
        mend = f"overwrites parts of opencv-contrib-python: pip uninstall {' '.join(rivals)}, then install that again"
        yield _row(", ".join(rivals), "warning", _installed(rivals[0]) or "", mend)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _load(name: str) -> tuple[ModuleType | None, str]:
    """The module, or None and why it cannot be loaded."""
    try:
        return import_module(name), ""
    except _BROKEN as error:
        return None, f"{type(error).__name__}: {error}"


def _describe_models() -> Iterator[dict[str, str]]:
    spec = find_spec("mediapipe")
    homes = list(spec.submodule_search_locations or []) if spec is not None else []
    home = Path(homes[0]) / "modules" if homes else None
    mend = "the package is incomplete: pip install --force-reinstall --no-deps mediapipe==0.10.14"
    for part, files in MODELS.items():
        absent = [file for file in files if home is None or not (home / file).is_file()]
        if home is None or absent:
            yield _row(f"model: {part}", "missing", "", f"{', '.join(absent)} not found; {mend}")
            continue
        size_mb = sum((home / file).stat().st_size for file in files) / 1e6
        names = ", ".join(Path(file).name for file in files)
        yield _row(f"model: {part}", "ok", _installed("mediapipe") or "", f"{names} ({size_mb:.1f} MB)")
    module, why = _load("mediapipe.python.solutions.pose")
    if module is None:
        yield _row("mediapipe import", "missing", "", f"{why}; faces and bodies cannot be encoded")
    else:
        yield _row("mediapipe import", "ok", _installed("mediapipe") or "", "loads")


def _describe_torch() -> Iterator[dict[str, str]]:
    torch, why = _load("torch")
    if torch is None:
        yield _row("torch device", "missing", "", f"{why}; reinstall torch")
        yield _row("torchaudio import", "missing", "", "needs torch")
        return
    yield _row("torch device: cpu", "ok", torch.__version__, f"{torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for at in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(at)
            yield _row(
                f"torch device: cuda:{at}", "ok", torch.version.cuda, f"{card.name}, {card.total_memory >> 30} GB"
            )
    elif torch.backends.mps.is_available():
        yield _row("torch device: mps", "ok", torch.__version__, "Apple GPU")
    else:
        text = "none; not needed, but training and recognition run faster with one (a CUDA build of torch)"
        yield _row("torch device: gpu", "ok", "", text)
    yield _describe_torchaudio(torch)


def _describe_torchaudio(torch: ModuleType) -> dict[str, str]:
    from modalities.voice.torchaudio_import import load_torchaudio

    found = _installed("torchaudio") or ""
    try:
        torchaudio = load_torchaudio()
        torchaudio.functional.resample(torch.zeros(1, 160), 16000, 8000)
    except _BROKEN as error:
        return _row("torchaudio import", "missing", found, f"{type(error).__name__}: {error}")
    native = bool(getattr(torchaudio._extension, "_IS_TORCHAUDIO_EXT_AVAILABLE", True))
    text = "" if native else " without its compiled part, which fits another torch and which Telltale does not need"
    return _row("torchaudio import", "ok", found, f"loads{text}")


def _describe_media() -> Iterator[dict[str, str]]:
    av, why = _load("av")
    if av is None:
        yield _row("ffmpeg libraries", "missing", "", f"{why}; no video can be read: pip install --force-reinstall av")
    else:
        libraries = av.library_versions
        text = ", ".join(f"{name} {'.'.join(map(str, libraries[name]))}" for name in sorted(libraries))
        absent = [name for name in DECODERS if name not in av.codecs_available]
        text = f"no decoder for {', '.join(absent)}; pip install --force-reinstall av" if absent else text
        yield _row("ffmpeg libraries", "warning" if absent else "ok", av.__version__, text)
    soundfile, why = _load("soundfile")
    if soundfile is None:
        yield _row("sound library", "missing", "", f"{why}; no sound file can be read: pip install soundfile")
    else:
        yield _row("sound library", "ok", soundfile.__libsndfile_version__, "libsndfile")
    cv2, why = _load("cv2")
    if cv2 is None:
        mend = "on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"
        yield _row("opencv import", "missing", "", f"{why}; {mend}")
    else:
        yield _row("opencv import", "ok", cv2.__version__, "loads")


def _describe_weights() -> Iterator[dict[str, str]]:
    from pipeline.provenance import hash_file

    spec = find_spec("fusion")
    homes = list(spec.submodule_search_locations or []) if spec is not None else []
    found = sorted((Path(homes[0]) / "weights").glob("*.safetensors")) if homes else []
    for file in found:
        yield _row(f"fusion weights: {file.stem}", "ok", hash_file(file)[:12], f"SHA-256 {hash_file(file)}")
    if not found:
        yield _row("fusion weights", "missing", "", "nothing can be fused; reinstall Telltale, or make weights")


def _describe_machine() -> Iterator[dict[str, str]]:
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable is not None else os.cpu_count() or 1
    text = f"{cores} usable of {os.cpu_count() or cores}"
    yield _row("processor cores", "ok", "", f"{text}; sessions of a batch run side by side" if cores > 1 else text)
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    enough = free_gb >= LEAST_FREE_GB
    text = f"{free_gb:.1f} GB free where you are"
    if not enough:
        text += f"; analyses may fail below {LEAST_FREE_GB:g} GB: free some, or write results to another disk"
    yield _row("free disk", "ok" if enough else "warning", "", text)


def _describe_audit_log() -> dict[str, str]:
    from pipeline.privacy.audit import NAME, verify
    from pipeline.privacy.home import home

    part, place = "audit log", home() / NAME
    try:
        verdict = verify()
    except OSError as error:
        return _row(part, "warning", "", f"{place} cannot be read: {error.strerror}; see to its permissions")
    if verdict.broken:
        kept = f"put it aside with {place.with_suffix('.head.json').name}, and a new one begins"
        return _row(part, "warning", "", f"{place}: {'; '.join(verdict.broken)}. Find out who did it; {kept}")
    return _row(part, "ok", "", f"{place}: {verdict.entries} lines, none changed" if verdict.entries else "no line yet")


def _describe_extras() -> Iterator[dict[str, str]]:
    for extra, adds in EXTRAS.items():
        needed = _requirements(extra)
        absent = [need.name for need in needed if _installed(need.name) is None]
        if needed and not absent:
            yield _row(f"extra: {extra}", "ok", "", adds)
        else:
            short = ", ".join(absent) or "the extra"
            yield _row(
                f"extra: {extra}", "warning", "", f"{short} not installed; adds {adds}: pip install -e '.[{extra}]'"
            )
