"""NetCDF-4: the timeline as the root group, the events as the group `events`; xarray opens both."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data_schemas.errors import MissingExtraError
from pipeline.export.content import Content
from pipeline.export.views import events_dataset, timeline_dataset


class NetCdf:
    """`.nc` by the CF conventions; null cells are NaN, the declared fill value."""

    suffix = ".nc"
    options: Mapping[str, str] = {}

    def write(self, content: Content, target: Path, options: Mapping[str, str]) -> list[str]:
        """See `Format.write`."""
        if find_spec("netCDF4") is None:
            raise MissingExtraError(
                "netCDF4 is not installed", mend="Install the optional part: pip install 'telltale[export]'."
            )
        timeline = timeline_dataset(content)
        timeline.to_netcdf(target, engine="netcdf4", encoding=_packed(timeline))
        events_dataset(content).to_netcdf(target, mode="a", group="events", engine="netcdf4")
        return []


def _packed(timeline: Any) -> dict[Any, dict[str, Any]]:
    return {name: {"zlib": True, "complevel": 4} for name, one in timeline.data_vars.items() if one.dtype.kind == "f"}
