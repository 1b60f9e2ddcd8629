"""What is done with a spoilt recording: all that an analysis would do with it, as far as readers are concerned."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fuzz_seeds import Seed
from data_schemas.errors import TelltaleError
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal, Video

_FRAMES = 40
_ODD: tuple[dict[str, Any], ...] = (
    {"rate_hz": 1e-300}, {"rate_hz": 1e300}, {"rate_hz": 1e9}, {"rate_hz": 3.7}, {"columns": ["ECG"]}, {"columns": []},
    {"columns": ["", "0", "\0"]}, {"track": 0}, {"track": 999}, {"track": "amp"}, {"track": ""}, {"units": ["mV"]},
    {"units": ["%", "nonsense"]}, {"time_column": "time_s"}, {"time_column": "onset"}, {"time_unit": "ns"},
    {"time_unit": "samples"}, {"time_column": "timestamp", "time_unit": "us"}, {"rotation": 90},
    {"region": {"x": 1, "y": 1, "width": 5, "height": 3}}, {"region": {"x": 0, "y": 0, "width": 10**9, "height": 1}},
    {"depth_scale_m": 1e-300},
)  # fmt: skip


Refused = Callable[[TelltaleError], None]
"""Told of every refusal."""
UNSOUND = "UNSOUND: "
"""How the error begins where a stream is not what it says of itself."""


def exercise(reader: str, root: Path, seed: Seed, rng: random.Random, refused: Refused) -> bool:
    """Look at a recording, open what it offers and read that through.

    Args:
        reader: Key of `modalities.readers.registry.READERS`.
        root: Folder that the recording lies in.
        seed: What it was made from.
        rng: Of the entries that are asked for.
        refused: Told of refusals.

    Returns:
        Whether anything of it could be read.

    Raises:
        BaseException: whatever comes through that is no `TelltaleError`: a fault of the reader.
    """
    from modalities.readers import probe
    from modalities.readers.faults import reading
    from modalities.readers.registry import load_reader
    from modalities.readers.sniff import resolve

    offered: list[dict[str, Any]] = []
    try:
        path = resolve(root / seed.name)
        with reading(path, reader):  # as `probe` does, whatever the content seems to be
            info = probe(path) if rng.random() < 0.3 else load_reader(reader).probe(path)
        for track in info.tracks[:6]:
            kind = track.kind or rng.choice(seed.kinds)
            rate = {"rate_hz": 25.0} if track.rate_hz is None and kind.startswith(("face", "body")) else {}
            offered.append({"kind": kind, "track": track.track, "time_column": track.time_column, **rate})
    except TelltaleError as error:
        refused(error)
    for kind in seed.kinds[:2] if not offered else (rng.choice(seed.kinds),):
        offered.append({"kind": kind} | ({"rate_hz": 100.0} if rng.random() < 0.5 else {}))
    read = False
    for wish in offered:
        if rng.random() < 0.2:
            wish = {**wish, **rng.choice(_ODD)}
        read |= _open(root, seed, wish, rng, refused)
    return read


def _open(root: Path, seed: Seed, wish: dict[str, Any], rng: random.Random, refused: Refused) -> bool:
    from modalities.readers import open_stream

    values = {"name": "s", "file": seed.name, **{key: value for key, value in wish.items() if value is not None}}
    try:
        entry = StreamEntry.model_validate(values)
    except ValueError:
        return False
    try:
        stream = open_stream(entry, root, "p01")
        read_through(stream, rng)
    except TelltaleError as error:
        refused(error)
        return False
    return True


def exercise_manifest(root: Path, refused: Refused) -> bool:
    """Load a spoilt manifest and ask it what every command asks.

    Returns:
        Whether it was accepted.
    """
    from pipeline.manifest import load_manifest, require_consent

    try:
        manifest = load_manifest(root)
        for entry in manifest.streams:
            manifest.person_of(entry)
        manifest.model_dump_json()
        require_consent(manifest, "analyse", root / "session.toml")
    except TelltaleError as error:
        refused(error)
        return False
    return True


def read_through(stream: Video | Audio | Signal | Marks, rng: random.Random) -> None:
    """Read all of a stream, the pictures up to the 40th.

    Raises:
        ValueError: what it says of itself does not hold.
    """
    import numpy as np

    stream.support.total_ns  # noqa: B018 - computed here
    if isinstance(stream, Audio):
        ends = (0, max(0, stream.axis.n - 1000), stream.axis.n // 2)
        for first in ends:
            block = stream.source(first, 20_000)
            if block.ndim != 2 or block.shape[1] != stream.channels:
                raise ValueError(f"{UNSOUND}a block of sound has another shape than it should")
        return
    times = stream.times_ns
    if len(times) > 1 and not bool(np.all(np.diff(times) >= 0)):
        raise ValueError(f"{UNSOUND}times go backwards")
    if isinstance(stream, Signal):
        if not bool(np.all(np.isfinite(stream.values[stream.mask]))):
            raise ValueError(f"{UNSOUND}a valid value is no number")
        return
    if isinstance(stream, Marks):
        list(stream.spans())
        return
    for number, frame in enumerate(stream.frames()):
        if frame.image.shape[:2] != (stream.height, stream.width):
            raise ValueError(f"{UNSOUND}a picture has another size than the video says")
        if number >= _FRAMES:
            break
    if stream.axis.n:
        list(stream.frames_at({0, rng.randrange(min(stream.axis.n, 60))}))
