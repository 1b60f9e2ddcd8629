"""How every number came about: versions, parameters and the hashes of what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data_schemas.causes import NO_RIGHT
from data_schemas.errors import UnreadableFileError
from data_schemas.features import Encoding
from data_schemas.recording import Recording
from data_schemas.result import Problem, Provenance
from pipeline import __version__
from pipeline.config import Config

_LIBRARIES = ("mediapipe", "opencv-contrib-python", "neurokit2", "torch", "torchaudio", "av", "mne", "numpy", "scipy")


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def hash_path(path: Path, of: Callable[[Path], str] | None = None) -> str:
    """SHA-256 of a file's content, or of the names and contents below a folder of pictures, hexadecimal.

    Args:
        path: File or folder.
        of: Gives the hash of a file below; by default `hash_file`.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_dir():
        return hash_file(path)
    inside = sorted(one for one in path.rglob("*") if one.is_file())
    names = [f"{one.relative_to(path).as_posix()} {(of or hash_file)(one)}" for one in inside]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def trace(
    recording: Recording, encodings: Sequence[Encoding], config: Config
) -> tuple[list[Provenance], list[Problem]]:
    """One record per step of a run: what ran, in which version, with which parameters, on which content.

    Returns:
        The records, and a problem for each recording that cannot be read to its end: it has no hash.
    """
    hashes, problems = _hashes(recording)
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "absent"
    records = [
        Provenance(step="read", version=__version__, parameters={"libraries": libraries}, inputs=hashes),
        Provenance(
            step="synchronize",
            version=__version__,
            parameters={name: clock.model_dump() for name, clock in recording.manifest.clocks.items()},
        ),
    ]
    records += [
        Provenance(
            step=f"encode {encoding.spec.channel} of {encoding.person}",
            version=f"{encoding.spec.name} {encoding.spec.version}",
            parameters={"streams": list(encoding.streams), **encoding.parameters},
        )
        for encoding in encodings
    ]
    weights = config.fusion_weights
    fusion = {"grid_hz": config.grid_hz, "device": config.device, "weights": str(weights) if weights else "shipped"}
    shipped = Path(__file__).resolve().parent.parent / "fusion" / "weights" / "default.safetensors"
    used = weights or shipped
    fusion_inputs = {used.name: hash_file(used)} if used.is_file() else {}
    fused = Provenance(step="fuse", version=__version__, parameters=fusion, inputs=fusion_inputs)
    return [*records, fused], problems


def _hashes(recording: Recording) -> tuple[dict[str, str], list[Problem]]:
    """Of each recording, by its path in the session; and those that the disk does not read to the end."""
    readers: dict[str, str] = {}
    for name, stream in recording.streams.items():
        for file in stream.info.files:
            readers.setdefault(file, name)
    hashes: dict[str, str] = {}
    problems: list[Problem] = []
    for file in sorted(readers):
        if not Path(file).exists():
            continue
        try:
            hashes[_below(file, recording.root)] = hash_path(Path(file))
        except OSError as error:
            refusal = UnreadableFileError(
                "the recording cannot be read to its end, so a part of what it holds may be missing",
                file=error.filename or file,
                stream=readers[file],
                got=error.strerror,
                mend="Give yourself the right to read it."
                if error.errno in NO_RIGHT
                else "Copy it again, or from a backup.",
            )
            refusal.__cause__ = error
            problems.append(Problem.of(refusal))
    return hashes, problems


def _below(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
