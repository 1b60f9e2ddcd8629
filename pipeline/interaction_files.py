"""What several people do to each other, in the files of a result: written and read back."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import UnreadableFileError
from data_schemas.features import Track

TABLE, COURSES = NAMES = "interaction.csv", "synchrony.parquet"
"""Of a result of several people: who mirrors whom, and how much they are in step over time."""

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.interaction_table import Interaction, Tie


def write_interaction(interaction: Interaction, folder: Path) -> None:
    """Write the ties as a table and synchrony over time as Parquet.

    Raises:
        OSError: they cannot be written.
    """
    import pyarrow.parquet as pq

    from pipeline.interaction_table import as_frame

    as_frame(interaction).to_csv(folder / TABLE, index=False)
    pq.write_table(interaction.tracks_table(), folder / COURSES, compression="zstd")


def read_interaction(folder: Path) -> Interaction | None:
    """Ties and synchrony over time, as `write_interaction` left them; None for one person.

    Args:
        folder: Of the result.

    Raises:
        UnreadableFileError: a file is there, but is not what was left.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipeline.interaction_table import Interaction

    table, courses = (folder / name for name in NAMES)
    if not table.is_file():
        return None
    try:
        ties = tuple(_tie(row) for row in pd.read_csv(table, float_precision="round_trip").to_dict("records"))
    except (OSError, TypeError, ValueError) as error:
        raise _unreadable(table, error) from error
    if not courses.is_file():
        return Interaction(ties, {}, None)
    try:
        tracks = _by_pair(pq.read_table(courses))
    except (OSError, KeyError, TypeError, pa.ArrowException) as error:
        raise _unreadable(courses, error) from error
    people = sorted({one for tie in ties for one in (tie.leader, tie.follower)} - {"group"})
    pairs = {pair: tracks[name] for pair in combinations(people, 2) for name in ("-".join(pair),) if name in tracks}
    return Interaction(ties, pairs, tracks.get("group"))


def _unreadable(file: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(
        "what several people do to each other cannot be read", file=file, got=str(error), mend="Analyse it again."
    )


def _tie(row: dict[Any, Any]) -> Tie:
    from pipeline.interaction_table import Tie

    known = {str(key): None if isinstance(cell, float) and math.isnan(cell) else cell for key, cell in row.items()}
    leader, follower = known.pop("events_leader"), known.pop("events_follower")
    events = None if leader is None or follower is None else (int(leader), int(follower))
    return Tie(**known | {"reason": known["reason"] or ""}, events=events)


def _by_pair(table: pa.Table) -> dict[str, Track]:
    """Tracks by the name of the pair; null cells are invalid."""
    from pipeline.interaction_table import group_features, pair_features

    pairs = np.array(table.column("pair").to_pylist(), dtype=object)
    out = {}
    for pair in dict.fromkeys(pairs):
        part = table.filter(pairs == pair)
        names = tuple(one.name for one in (group_features() if pair == "group" else pair_features()))
        cells = [part.column(name).to_numpy(zero_copy_only=False) for name in names]
        values = np.stack(cells, axis=1).astype(np.float32)
        valid = np.isfinite(values)
        reason = np.where(valid.any(axis=1), "", "too_short").astype(object)
        out[pair] = Track(part.column("t_ns").to_numpy(), names, values, valid, reason)
    return out
