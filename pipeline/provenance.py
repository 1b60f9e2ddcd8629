"""How every number came about: versions, parameters and the hashes of what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data_schemas.features import Encoding
from data_schemas.recording import Recording
from data_schemas.result import Provenance
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


def trace(recording: Recording, encodings: Sequence[Encoding], config: Config) -> list[Provenance]:
    """One record per step of a run: what ran, in which version, with which parameters, on which content."""
    files = sorted({file for stream in recording.streams.values() for file in stream.info.files})
    hashes = {_below(file, recording.root): hash_file(Path(file)) for file in files if Path(file).is_file()}
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
    return [*records, Provenance(step="fuse", version=__version__, parameters=fusion, inputs=fusion_inputs)]


def _below(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
