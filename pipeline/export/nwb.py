"""Neurodata Without Borders: every feature as a time series, the events as a table of intervals.

The format: NWB 2 (Ruebel et al. 2022, eLife 11, e78362), written by pynwb. NWB asks for a date of the session; where
the user states none it is 1970-01-01 UTC, and the notes say so.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError, MissingExtraError
from data_schemas.time import to_s
from pipeline.export.content import Content
from pipeline.export.events import as_rows

NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
MODULES = {"physiology": "physiology", "context": "context", "fused": "emotion"}


class Nwb:
    """`.nwb`: processing modules `behavior`, `physiology`, `context`, `emotion`; the table `telltale_events`."""

    suffix = ".nwb"
    options: Mapping[str, str] = {
        "start": "date and time of session time 0 with its zone, e.g. 2025-03-01T10:00:00+01:00"
    }

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        try:
            import pynwb
        except ImportError as error:
            raise MissingExtraError(
                "pynwb is not installed", mend="Install the optional part: pip install 'telltale[export]'."
            ) from error
        if content.deidentified and "start" in options:
            raise InvalidValueError("a de-identified export has no date", mend="Leave out --option start.")
        start = _start(options.get("start"))
        about = content.about()
        file = pynwb.NWBFile(
            session_description=content.record.purpose or "recording session analysed by Telltale",
            identifier=content.record.session,
            session_id=content.record.session,
            session_start_time=start,
            source_script=f"Telltale {content.record.telltale_version}",
            source_script_file_name="telltale export",
            notes="Times are seconds on the session clock"
            + ("; the date is not known and 1970 stands for it." if start == NO_DATE else "."),
            data_collection=json.dumps(about, ensure_ascii=False),
        )
        if len(content.people) == 1:
            file.subject = pynwb.file.Subject(subject_id=content.people[0], species="Homo sapiens")
        _add_series(file, content)
        _add_events(file, content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pynwb.NWBHDF5IO(str(target), "w") as io:
                io.write(file)
        return ["the date of the session is not known: 1970-01-01 stands for it"] if start == NO_DATE else []


def _start(text: str | None) -> datetime:
    if text is None:
        return NO_DATE
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidValueError("option start is no date", got=text, expected="2025-03-01T10:00:00+01:00") from error
    if start.tzinfo is None:
        raise InvalidValueError("option start lacks its time zone", got=text, expected=f"{text}+01:00, or {text}Z")
    return start


def _add_series(file: Any, content: Content) -> None:
    """One series per person and feature, named as the column; all share the timestamps of the first."""
    import pynwb
    from hdmf.backends.hdf5 import H5DataIO

    seconds = to_s(content.grid_ns)
    first: Any = None
    for channel in content.channels:
        name = MODULES.get(channel, "behavior")
        module = file.processing.get(name) if name in file.processing else None
        module = module or file.create_processing_module(name, f"features of Telltale: {name}")
        for person in content.people:
            for field in content.features:
                if not field.name.startswith(f"{channel}."):
                    continue
                said = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
                series = pynwb.TimeSeries(
                    name=field.name if len(content.people) == 1 else f"{person}.{field.name}",
                    data=H5DataIO(content.column(field.name, person), compression="gzip"),
                    unit=said.get("unit") or "1",
                    description=said.get("description") or "no description",
                    comments=json.dumps({"person": person, "source": said.get("source", ""), "null": "NaN"}),
                    timestamps=seconds if first is None else first,
                )
                first = series if first is None else first
                module.add(series)


def _add_events(file: Any, content: Content) -> None:
    from pynwb.epoch import TimeIntervals

    table = TimeIntervals(name="telltale_events", description="what the encoders, or a coder, found")
    texts = {
        "person": "whom it concerns, empty when shared",
        "channel": "face, voice, body, physiology, context or fused",
        "kind": "what it is",
        "label": "its name in words",
        "details": "further values, JSON",
    }
    numbers = {
        "apex_s": "moment of the greatest intensity, NaN where it has none",
        "score": "by the encoder's own scale",
    }
    for name, text in {**texts, **numbers}.items():
        table.add_column(name=name, description=text)
    for row in as_rows(content.events):
        table.add_interval(
            start_time=row["onset_s"],
            stop_time=row["offset_s"],
            **{name: row[name] or "" for name in texts},
            **{name: np.nan if row[name] is None else float(row[name]) for name in numbers},
        )
    file.add_time_intervals(table)
