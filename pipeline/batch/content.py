"""Hashes of what a step depends on: the content of its streams, its settings, and the program itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.session import Manifest
from data_schemas.stream import Audio, Marks, Signal, Stream, Video
from data_schemas.time import Regular

PACKAGES = ("data_schemas", "sync", "modalities", "fusion", "pipeline")
_CODE = (".py", ".safetensors", ".json", ".csv")
_LIBRARIES = ("mediapipe", "opencv-contrib-python", "neurokit2", "torch", "torchaudio", "av", "mne", "numpy", "scipy",
              "librosa", "scikit-image", "scikit-learn")  # fmt: skip


@cache
def program_version(packages: tuple[str, ...] = PACKAGES) -> str:
    """Hash of the sources and weights of these packages and of the versions of the libraries that they compute with.

    Any change of the program changes it, so that results of two versions are never mixed.
    """
    digest = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        if spec is None or not spec.origin:
            digest.update(f"{package} absent\0".encode())
            continue
        root = Path(spec.origin).parent
        files = [path for path in root.rglob("*") if path.suffix in _CODE] if spec.submodule_search_locations else []
        for path in sorted(files) or [Path(spec.origin)]:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    for name in _LIBRARIES:
        try:
            digest.update(f"{name} {version(name)}\0".encode())
        except PackageNotFoundError:
            digest.update(f"{name} absent\0".encode())
    return digest.hexdigest()[:16]


def encoder_version(path: str) -> str:
    """Version of the program that an encoder of the registry, or one given as "module:Class", consists of."""
    own = path.partition(":")[0] if ":" in path else ""
    packages = ("data_schemas", "sync", "modalities")
    return program_version((*packages, own) if own and own.partition(".")[0] not in PACKAGES else packages)


def digest_of_streams(streams: Mapping[str, Stream], manifest: Manifest, files: FileHashes) -> str:
    """Hash of all that streams say: their entries in the manifest, times, clock maps and content.

    Raises:
        OSError: a file cannot be read.
    """
    entries = {entry.name: entry for entry in manifest.streams}
    digest = hashlib.sha256()
    for name, stream in streams.items():
        entry = entries.get(name)
        info = stream.info
        about = [
            name, info.kind, info.clock, info.person, list(info.people), [asdict(seat) for seat in info.seats],
            info.nominal_rate_hz, None if entry is None else entry.model_dump(mode="json"), _map(stream),
        ]  # fmt: skip
        digest.update(json.dumps(about, sort_keys=True, default=str).encode() + b"\0")
        _add_axis(digest, stream)
        _add_content(digest, stream, files)
    return digest.hexdigest()


def _map(stream: Stream) -> Any:
    segments = getattr(stream.time_map, "segments", None)
    return repr(stream.time_map) if segments is None else [asdict(one) for one in segments]


def _add_axis(digest: Any, stream: Stream) -> None:
    axis = stream.axis
    if isinstance(axis, Regular):
        digest.update(repr((axis.start_ns, axis.period_ns, axis.n)).encode())
    else:
        digest.update(np.ascontiguousarray(axis.times_ns).tobytes())
    if stream.native_support is not None:
        digest.update(np.ascontiguousarray(stream.native_support.bounds).tobytes())


def _add_content(digest: Any, stream: Stream, files: FileHashes) -> None:
    if isinstance(stream, Signal):
        digest.update(repr((stream.columns, stream.units, str(stream.values.dtype))).encode())
        digest.update(np.ascontiguousarray(stream.values).tobytes() + np.ascontiguousarray(stream.mask).tobytes())
        return
    if isinstance(stream, Marks):
        rows = [[row.onset_ns, row.duration_ns, row.label, dict(row.columns)] for row in stream.rows]
        digest.update(json.dumps(rows, sort_keys=True, default=str).encode())
        return
    if isinstance(stream, Video):
        digest.update(repr((stream.width, stream.height, stream.depth_scale_m, stream.camera)).encode())
    elif isinstance(stream, Audio):
        digest.update(repr(stream.channels).encode())
    for file in stream.info.files:
        digest.update(files.hash(Path(file)).encode())


class FileHashes:
    """SHA-256 of files and folders, each read once as long as it does not change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}

    def hash(self, path: Path) -> str:
        """Hash of a file's content, or of the names and contents below a folder.

        Raises:
            OSError: it cannot be read.
        """
        from pipeline.provenance import hash_path

        if path.is_dir():
            return hash_path(path, self.hash)
        facts = path.stat()
        key = (str(path), facts.st_size, facts.st_mtime_ns)
        if key not in self._known:
            self._known[key] = hash_path(path)
        return self._known[key]


def fingerprint(manifest: Path, paths: Sequence[str], settings: str) -> str:
    """What a session's result depends on, without reading the recordings: manifest, files, settings, program.

    Of a file its size and time count, and whether it may be read at all.

    Args:
        manifest: The session's manifest.
        paths: Files that it names, below its folder; what lies beside one under the same stem counts too.
        settings: Of the run, as text.
    """
    digest = hashlib.sha256(manifest.read_bytes() + settings.encode() + program_version().encode())
    found: set[Path] = set()
    for name in paths:
        path = manifest.parent / name
        if path.is_dir():
            found |= {one for one in path.rglob("*") if one.is_file()}
        elif path.parent.is_dir():
            found |= {one for one in path.parent.iterdir() if one.name.startswith(path.stem) and one.is_file()}
    for one in sorted(found):
        facts = one.stat()
        digest.update(f"{one.name} {facts.st_size} {facts.st_mtime_ns}\0".encode())
        if not _may_be_read(one):
            digest.update(b"may not be read\0")
    return digest.hexdigest()[:32]


def _may_be_read(path: Path) -> bool:
    try:
        path.open("rb").close()
    except PermissionError:
        return False
    return True
