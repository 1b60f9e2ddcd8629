"""Parquet and Feather: the timeline with all its metadata, the events beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.export.content import Content
from pipeline.export.events import as_arrow
from pipeline.export.format import one_of

if TYPE_CHECKING:
    import pyarrow as pa

METADATA_KEY = "telltale"


def described_tables(content: Content) -> tuple[pa.Table, pa.Table]:
    """Timeline and events as Arrow tables, both with what `Content.about` says under the metadata key "telltale"."""
    about: dict[str | bytes, str | bytes] = {METADATA_KEY: json.dumps(content.about(), sort_keys=True)}
    return content.timeline.replace_schema_metadata(about), as_arrow(content.events).replace_schema_metadata(about)


class Parquet:
    """`x.parquet` is the timeline, `x_events.parquet` the events; null cells stay null."""

    suffix = ".parquet"
    options: Mapping[str, str] = {}

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        import pyarrow.parquet as pq

        timeline, events = described_tables(content)
        pq.write_table(timeline, target, compression="zstd")
        pq.write_table(events, target.with_name(f"{target.stem}_events{target.suffix}"), compression="zstd")
        return []


class Feather:
    """The same as Arrow files, which R, Julia and pandas open without conversion."""

    suffix = ".feather"
    options: Mapping[str, str] = {"compression": "zstd (default), lz4 or uncompressed"}

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        from pyarrow import feather

        how: Any = one_of(options, "compression", ("zstd", "lz4", "uncompressed"))
        timeline, events = described_tables(content)
        feather.write_feather(timeline, str(target), compression=how)
        beside = target.with_name(f"{target.stem}_events{target.suffix}")
        feather.write_feather(events, str(beside), compression=how)
        return []
