"""What the expressions of a video show: negative, positive or surprise, from the flow between onset and apex.

The map of each event is made as those of a set of flow maps are, so that the same weights answer in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.stream import Video
from modalities.face.flow_map import FlowMap, maps_of_events
from modalities.face.models import FaceModels
from modalities.face.recognition.explanation import map_places, name_shares, region_shares
from modalities.face.recognition.samples import CLASSES
from modalities.face.registration import PATCH_IOD_PX

DEFAULT, NONE = "default", "none"
"""Names of recognisers, besides the path of weights."""


def recognise_events(
    video: Video, rows: NDArray[np.void], moments: Sequence[tuple[int, int]], recogniser: str, models: FaceModels
) -> list[dict[str, Any] | None]:
    """The class of each event of one person.

    Args:
        video: The stream; only the frames of the events are decoded again.
        rows: What was kept of its frames (`observation.ROW`).
        moments: Onset and apex of each event, ns.
        recogniser: `DEFAULT`, `NONE`, or the path of weights (`default.DefaultRecogniser.load`).
        models: Lent for this video.

    Returns:
        For each event None where there is no map (or no recogniser), or as `describe_map`.

    Raises:
        MissingFileError, UnreadableFileError: no such weights; or the video can no longer be opened.
    """
    if recogniser == NONE or not moments:
        return [None] * len(moments)
    maps = maps_of_events(video, rows, moments, models)
    if not any(maps):
        return [None] * len(maps)
    places = map_places(np.median(rows["place"][rows["found"]], axis=0))
    return [None if one is None else describe_map(one, places, recogniser) for one in maps]


def describe_map(one: FlowMap, places: NDArray[np.floating], recogniser: str = DEFAULT) -> dict[str, Any]:
    """What one map shows.

    Args:
        one: From pictures with `PATCH_IOD_PX` between the eyes.
        places: Of the regions, pixels of the map, (regions, 2).
        recogniser: As in `recognise_events`.

    Returns:
        `class`: negative, positive, surprise, or unsure where too little moves or no class stands out; `probability`:
        of each class, 0..1; `because`: share of the regions that moved the likeliest class most.
    """
    from modalities.face.recognition.default.recogniser import DefaultRecogniser

    judge = DefaultRecogniser.load(None if recogniser == DEFAULT else Path(recogniser))
    maps = one.stack()[None]
    chances = judge.recognise(maps)[0]
    return {
        "class": judge.label(maps, iod_px=PATCH_IOD_PX)[0],
        "probability": {name: round(float(chance), 3) for name, chance in zip(CLASSES, chances, strict=True)},
        "because": name_shares(region_shares(judge.recognise, maps[0], places)),
    }
