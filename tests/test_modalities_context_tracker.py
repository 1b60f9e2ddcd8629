from __future__ import annotations

import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from data_schemas.features import Track
from data_schemas.stream import Signal, StreamInfo
from data_schemas.time import NS_PER_S, Regular
from modalities.context.tracker import Screen, blinks_of, replace_eyes

NAMES = ("gaze_yaw_deg", "gaze_pitch_deg", "pupil_ratio", "au12_left")
SCREEN = Screen(width_px=1920, width_mm=530, distance_mm=650)


def face(seconds: float = 10.0) -> Track:
    n = round(seconds * 25)
    times = (np.arange(n) * (NS_PER_S / 25)).astype(np.int64)
    return Track(times, NAMES, np.full((n, 4), 0.3, np.float32), np.ones((n, 4), bool), np.full(n, "", object))


def tracker(columns: dict[str, np.ndarray], unit: str, mask: np.ndarray | None = None, hz: float = 250.0) -> Signal:
    values = np.stack(list(columns.values()), axis=1)
    return Signal(
        info=StreamInfo("eyes", "gaze", "session"),
        axis=Regular.from_rate(hz, len(values)),
        values=values,
        columns=tuple(columns),
        units=(unit,) * len(columns),
        mask=None if mask is None else np.repeat(mask[:, None], len(columns), axis=1),
    )


def test_pixels_become_degrees_away_from_where_the_person_mostly_looks() -> None:
    x, y = np.full(2500, 1000.0), np.full(2500, 500.0)
    x[1000:1250] += 411.8
    y[1000:1250] -= 100
    track, notes = replace_eyes(face(), tracker({"gaze_x": x, "gaze_y": y}, "px"), None, SCREEN)
    assert notes == ()
    yaw, there = track.column("gaze_yaw_deg")
    assert there.all()
    right = np.degrees(np.arctan(411.8 * 530 / 1920 / 650))
    assert yaw[110] == pytest.approx(-right, abs=1e-3) and yaw[50] == pytest.approx(0)
    assert track.column("gaze_pitch_deg")[0][110] == pytest.approx(
        np.degrees(np.arctan(100 * 530 / 1920 / 650)), abs=1e-3
    )
    assert np.all(track.column("au12_left")[0] == np.float32(0.3))


def test_pupils_become_shares_of_the_iris_and_gaps_stay_gaps() -> None:
    size = np.full(2500, 3.51)
    seen = np.ones(2500, bool)
    seen[500:600] = False
    track, _ = replace_eyes(face(), None, tracker({"pupil_left": size, "pupil_right": size + 0.2}, "mm", seen))
    ratio, good = track.column("pupil_ratio")
    assert ratio[10] == pytest.approx(3.61 / 11.7, abs=1e-5)
    assert not good[51:59].any() and good[:50].all() and good[61:].all()


def test_what_cannot_be_used_is_said_and_leaves_the_video() -> None:
    before = face()
    px = tracker({"gaze_x": np.zeros(100), "gaze_y": np.zeros(100)}, "px")
    track, notes = replace_eyes(before, px, tracker({"pupil_left": np.full(100, 900.0)}, "1"))
    assert len(notes) == 2 and "screen" in notes[0] and "mm" in notes[1]
    assert np.array_equal(track.values, before.values) and track.valid.all()
    assert "no columns" in replace_eyes(before, tracker({"gaze": np.zeros(9)}, "px"), None)[1][0]
    with pytest.raises(InvalidValueError, match="above 0"):
        Screen(1920, 0, 600)


def test_blinks_are_short_losses_of_both_pupils() -> None:
    seen = np.ones(2500, bool)
    seen[250:300] = False
    seen[500:505] = False
    seen[1000:1500] = False
    seen[2450:] = False
    size = np.full(2500, 3.0)
    found = blinks_of(tracker({"pupil_left": size, "pupil_right": size}, "mm", seen), "p01")
    assert [(event.onset_ns, event.offset_ns) for event in found] == [(NS_PER_S, 1_200_000_000)]
    assert found[0].person == "p01" and found[0].kind == "blink"
