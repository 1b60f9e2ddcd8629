"""Small pictures of faces for a page: each expression at its onset and its height, as data addresses."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import TelltaleError
from data_schemas.event import Event
from data_schemas.hook import Hook, silent
from pipeline.coding.identity import identify
from pipeline.report.footage import Footage
from pipeline.report.proxy import mosaic

SIDE_PX = 96
MOST = 40
"""So many events of a person get their pictures, the strongest ones."""
_AT_ONCE = 8
"""Events whose whole pictures are in memory together."""
_KINDS = ("micro", "macro", "incongruence")


def face_pictures(
    events: Sequence[Event], footage: Sequence[Footage], blur: bool = False, hook: Hook = silent
) -> tuple[dict[str, list[str]], list[str]]:
    """Pictures at onset and height of the strongest expressions and of incongruences.

    Videos of several people are passed over: a picture of the wrong face would be worse than none.

    Args:
        events: All events of the session.
        footage: Its videos, on the session clock.
        blur: In coarse squares.
        hook: Progress.

    Returns:
        Identity of the event -> data addresses of onset and apex; and what could not be read.
    """
    from pipeline.spot_thumbnails import cut_thumbnails, strongest

    found: dict[str, list[str]] = {}
    problems: list[str] = []
    known = identify(events)
    names = {id(event): name for name, event in known.items()}
    done: set[str] = set()
    for one in footage:
        if not one.kind.startswith("face_") or len(one.people) != 1 or one.people[0] in done:
            continue
        person = one.people[0]
        first, last = int(one.video.times_ns[0]), int(one.video.times_ns[-1])
        own = [e for e in known.values() if e.person == person and e.kind in _KINDS and first <= e.onset_ns <= last]
        wanted = strongest([e for e in own if e.kind == "incongruence"], MOST // 2)
        wanted += strongest([e for e in own if e.kind != "incongruence"], MOST - len(wanted))
        wanted.sort(key=lambda event: event.onset_ns)
        done.add(person)
        for first_of in range(0, len(wanted), _AT_ONCE):
            hook(f"pictures of {person}", first_of, len(wanted))
            try:
                cut = cut_thumbnails(one.video, wanted[first_of : first_of + _AT_ONCE])
            except TelltaleError as error:
                problems.append(f"{one.stream}: {error}")
                break
            for thumbnail in cut:
                if thumbnail.onset is not None and thumbnail.apex is not None:
                    pair = [_address(thumbnail.onset, blur), _address(thumbnail.apex, blur)]
                    found[names[id(thumbnail.event)]] = pair
        hook(f"pictures of {person}", len(wanted), len(wanted))
    return found, problems


def _address(picture: NDArray[np.uint8], blur: bool) -> str:
    import cv2

    height, width = picture.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if blur:
        tiny = cv2.resize(small, (8, 8), interpolation=cv2.INTER_AREA)
        small = mosaic(np.asarray(cv2.resize(tiny, size, interpolation=cv2.INTER_NEAREST), np.uint8))
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + b64encode(data.tobytes()).decode("ascii") if done else ""
