"""A result in Python: as pandas frames and as an xarray dataset.

Example:
    `from pipeline.export.views import read_content, timeline_frame`
    `timeline_frame(read_content(Path("results/p01")))["face.au12"]`
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.errors import MissingExtraError
from data_schemas.time import NS_PER_S
from pipeline.export.content import Content, read_content
from pipeline.export.events import as_rows

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["events_dataset", "events_frame", "read_content", "timeline_dataset", "timeline_frame"]

EVENT_TEXTS = ("person", "channel", "kind", "label", "details")
EVENT_NUMBERS = ("onset_s", "apex_s", "offset_s", "score")


def timeline_frame(content: Content) -> pd.DataFrame:
    """The timeline, one row per person and time.

    Returns:
        Index (person, time_s) with time in seconds on the session clock; columns `channel.feature` (float32, NaN where
        null), `channel.valid` (bool) and `channel.reason` (text, missing where something is valid). `attrs["units"]`
        has the unit of each column, `attrs["about"]` clock and provenance.
    """
    frame = content.timeline.to_pandas()
    times = frame.pop("t_ns").to_numpy() / NS_PER_S
    frame.insert(1, "time_s", times)
    frame["person"] = frame["person"].astype(str)
    frame = frame.set_index(["person", "time_s"])
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in content.features}
    frame.attrs.update({"units": units, "about": content.about()})
    return frame


def events_frame(content: Content) -> pd.DataFrame:
    """The events, one row each, with the columns of `events.csv`; `details` as dictionaries.

    Times are seconds on the session clock; NaN where there is no apex or score.
    """
    import pandas as pd

    from pipeline.export.events import COLUMNS

    frame = pd.DataFrame(as_rows(content.events), columns=list(COLUMNS))
    frame["details"] = [json.loads(text) for text in frame["details"]]
    for name in EVENT_NUMBERS:
        frame[name] = frame[name].astype(float)
    frame.attrs["about"] = content.about()
    return frame


def timeline_dataset(content: Content) -> xr.Dataset:
    """The timeline as labelled arrays.

    Returns:
        Dimensions `person` and `time` (seconds on the session clock; `t_ns` has the exact nanoseconds). One float32
        variable (person, time) per feature, named with underscores (`face_au12`), NaN where null, its unit, description
        and source as attributes `units`, `long_name`, `references`; one text variable per channel with the reasons.

    Raises:
        MissingExtraError: xarray is not installed.
    """
    xr = _xarray()
    grid = content.grid_ns
    variables: dict[str, Any] = {}
    for field in content.features:
        values = np.stack([content.column(field.name, person) for person in content.people])
        said = {key.decode(): value.decode() for key, value in (field.metadata or {}).items() if value}
        attributes = {"units": said.get("unit", "1"), "long_name": said.get("description", ""), "column": field.name}
        if "source" in said:
            attributes["references"] = said["source"]
        variables[field.name.replace(".", "_")] = (("person", "time"), values, attributes)
    for channel in content.channels:
        reasons = np.array([content.reasons(channel, person) for person in content.people], dtype=object)
        about = {"long_name": f"why the {channel} channel says nothing; empty where it does"}
        variables[f"{channel}_reason"] = (("person", "time"), reasons, about)
    clock = {"units": "s", "long_name": "time on the session clock", "axis": "T"}
    coordinates = {
        "person": ("person", np.array(content.people, dtype=object)),
        "time": ("time", grid / NS_PER_S, clock),
        "t_ns": ("time", grid, {"long_name": "the same in whole nanoseconds"}),
    }
    return xr.Dataset(variables, coordinates, _attributes(content))


def events_dataset(content: Content) -> xr.Dataset:
    """The events with the one dimension `event`; variables as the columns of `events.csv`, NaN for no apex or score.

    Raises:
        MissingExtraError: xarray is not installed.
    """
    xr = _xarray()
    rows = as_rows(content.events)
    variables: dict[str, Any] = {}
    for name in EVENT_TEXTS:
        variables[name] = ("event", np.array([row[name] or "" for row in rows], dtype=object))
    for name in EVENT_NUMBERS:
        values = np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
        variables[name] = ("event", values, {"units": "1" if name == "score" else "s"})
    return xr.Dataset(variables, attrs=_attributes(content))


def _attributes(content: Content) -> dict[str, Any]:
    about = content.about()
    return {
        "Conventions": "CF-1.11",
        "title": f"Telltale timeline of session {content.record.session}",
        "source": f"Telltale {content.record.telltale_version}",
        "comment": " ".join(content.record.caveats),
        "telltale": json.dumps(about, ensure_ascii=False),
    }


def _xarray() -> Any:
    try:
        import xarray
    except ImportError as error:
        raise MissingExtraError(
            "xarray is not installed", mend="Install the optional part: pip install 'telltale[export]'."
        ) from error
    return xarray
