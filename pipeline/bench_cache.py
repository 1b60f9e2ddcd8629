"""What was seen of each copy, kept on disk so that a spotter under development is asked again without looking again."""

from __future__ import annotations

import ast
import hashlib
import zipfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.time import Int64Array
from data_schemas.whole_file import write_arrays
from pipeline.bench_plan import CopyPlan
from pipeline.bench_scores import Planted

if TYPE_CHECKING:
    from modalities.face.models import FloatArray

_PLANTED = [
    ("kind", "U8"),
    ("onset", np.int64),
    ("apex", np.int64),
    ("offset", np.int64),
    ("percent", np.float64),
    ("duration_s", np.float64),
]
_OURS = ("data_schemas", "modalities", "pipeline", "sync")


@dataclass(frozen=True, eq=False)
class Seen:
    """What the face encoder and the spotters' reducers kept of one copy, and what was planted.

    Attributes:
        times_ns: Times of the copy's frames, (frames,).
        planted: Truth.
        rows: dtype `modalities.face.observation.ROW`, (frames,).
        reduced: By name of the spotter, (frames, k).
        looking_s: Seconds that looking took, without the reducers.
        reducing_s: Seconds that each reducer took.
    """

    times_ns: Int64Array
    planted: tuple[Planted, ...]
    rows: NDArray[np.void]
    reduced: dict[str, FloatArray]
    looking_s: float
    reducing_s: dict[str, float]


def cached(folder: Path, plan: CopyPlan, version: str, reducers: Collection[str]) -> Seen | None:
    """What was kept of a copy; None if nothing was, or not what these reducers say.

    Args:
        folder: The cache.
        plan: The copy.
        version: Of the code that makes and looks at copies.
        reducers: Names of the spotters whose reducers are wanted.
    """
    file = _place(folder, plan, version)
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as kept:
            if any(f"reduced {name}" not in kept for name in reducers):
                return None
            seconds = {name: float(kept[f"seconds {name}"]) for name in reducers}
            reduced = {name: kept[f"reduced {name}"] for name in reducers}
            planted = tuple(Planted(*row) for row in kept["planted"].tolist())
            return Seen(kept["times_ns"], planted, kept["rows"], reduced, float(kept["looking_s"]), seconds)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def store(folder: Path, plan: CopyPlan, version: str, seen: Seen) -> None:
    """Keep what was seen of a copy; what other reducers said of it before is kept besides."""
    file = _place(folder, plan, version)
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {
        "times_ns": seen.times_ns,
        "planted": np.array([astuple(one) for one in seen.planted], _PLANTED),
        "rows": seen.rows,
        "looking_s": np.asarray(seen.looking_s),
    }
    for name, values in seen.reduced.items():
        arrays[f"reduced {name}"] = values
        arrays[f"seconds {name}"] = np.asarray(seen.reducing_s[name])
    with suppress(OSError, ValueError, EOFError, zipfile.BadZipFile), np.load(file, allow_pickle=False) as before:
        others = {name: before[name] for name in before.files if name.startswith(("reduced ", "seconds "))}
        arrays = {**others, **arrays}
    write_arrays(file, arrays)


def _place(folder: Path, plan: CopyPlan, version: str) -> Path:
    about = [plan.material, plan.number, plan.seed, round(plan.length_s, 6), plan.expressions]
    if plan.file is not None:
        facts = plan.file.stat()
        about += [facts.st_size, facts.st_mtime_ns]
    key = hashlib.sha256(repr(about).encode()).hexdigest()[:12]
    stem = "".join(c if c.isalnum() else "_" for c in plan.name)
    return folder / f"v{version}" / f"{stem}-seed{plan.seed}-{key}.npz"


def code_version(modules: Iterable[str]) -> str:
    """Hash of the source of these modules and of all of ours that they import, at the top or within functions, and of
    the weights that lie in the same folders or in `weights` below them.

    Args:
        modules: Names, such as "modalities.face.observation".
    """
    waiting, files, folders = list(modules), dict[str, bytes](), set[Path]()
    while waiting:
        name = waiting.pop()
        if name in files or name.partition(".")[0] not in _OURS:
            continue
        spec = find_spec(name)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            continue
        files[name] = Path(spec.origin).read_bytes()
        folders.add(Path(spec.origin).parent)
        for node in ast.walk(ast.parse(files[name])):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                waiting += [node.module]
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name])
    for file in sorted({file for folder in folders for file in _weights(folder)}):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _weights(folder: Path) -> list[Path]:
    return [*folder.glob("*.safetensors"), *folder.glob("weights/*.safetensors")]
