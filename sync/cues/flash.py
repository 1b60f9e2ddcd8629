"""An LED that flashes in the picture: which part of the picture it is, and when it went on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import ClockError
from data_schemas.session import Region
from data_schemas.stream import Signal, Stream, StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit, Int64Array
from sync.cues.brightness import COLUMNS, ROWS, Brightness, measure_brightness
from sync.cues.events import estimate_of, events_of
from sync.estimate import Estimate
from sync.match import Match, match_events
from sync.pulses import Pulse, find_pulses

Floats = NDArray[np.float64]

STAMP_SHARE = 0.5
"""A frame's time may be that of the start, middle or end of its exposure, and rows are exposed one after the other: by
about half a frame, which no number of flashes makes smaller."""
_LEAST_HEIGHT = 1.5
_LEAST_FLASHES = 3
_TRIED, _KEPT = 128, 5
_ALIKE = 0.25
"""Largest spread of heights, relative to their median, of a light that is on or off."""
_LIGHT, _USUAL_FLASHES = 0.6, 6
"""Quality from which a part of the picture that nobody named is taken for a light, when it flashes so many times; by
movement the more steps between the same two levels are the less likely."""
_SHARP = 0.7
"""Share of the height that must be passed within two frames."""


@dataclass(frozen=True, eq=False)
class Flashes:
    """Flashes of one part of the picture.

    Attributes:
        times_ns: When the light went on, int64 ns on the video's clock, shape (k,): between the last dark and the first
            bright frame, by the share of the exposure that was lit.
        period_ns: Usual distance of frames.
        region: Pixels that flash; the whole picture where all of it does.
        height: Step of the mean brightness of the region in grey levels, > 0.
        quality: How much it looks like a light that is on or off, 0..1.
    """

    times_ns: Int64Array
    period_ns: float
    region: Region
    height: float
    quality: float


@dataclass(frozen=True, slots=True)
class FlashEvidence:
    """Matches the flashes of an LED in a video with the events of another stream.

    Attributes:
        region: Where the own video shows the LED; None to look for it.
        max_offset_s: Largest absolute offset, seconds; None for no limit.
    """

    region: Region | None = None
    max_offset_s: float | None = None
    method: str = "flash"

    def compare(self, own: Stream, against: Stream) -> Estimate:
        """How the own stream's clock relates to the other's.

        Either may be a video, a pulse or photosensor signal, or a table of events. Of several parts of a picture that
        step up and down, the one with the most partners in the other stream is the LED.

        Raises:
            ClockError: nothing flashes, a stream holds no events, or no flash has a partner.
        """
        mine, others = self._trains(own, self.region), self._trains(against, None)
        best: tuple[float, Match, _Train, _Train] | None = None
        failure: ClockError | None = None
        for one in mine:
            for other in others:
                try:
                    match = match_events(
                        one.times_ns,
                        other.times_ns,
                        max_offset_s=self.max_offset_s,
                        tolerance_s=max(0.05, one.frame_s, other.frame_s),
                        resolution_s=float(np.hypot(one.frame_s, other.frame_s)),
                    )
                except ClockError as error:
                    failure = error
                    continue
                share = len(match.pairs) / (len(match.pairs) + match.unmatched_own + match.unmatched_other)
                if best is None or share * np.sqrt(len(match.pairs)) > best[0]:
                    best = (share * float(np.sqrt(len(match.pairs))), match, one, other)
        if best is None:
            raise ClockError(
                failure.what if failure else "no flash has a partner",
                stream=own.info.name,
                got=failure.got if failure else None,
                mend="Check that the video shows the LED that the other stream recorded, or name its region.",
            )
        _, match, one, other = best
        found = estimate_of(match, one.times_ns)
        stamp = STAMP_SHARE * float(np.hypot(one.frame_s, other.frame_s))
        return replace(
            found,
            method=self.method,
            own=own.info.name,
            against=against.info.name,
            ci95_s=float(np.hypot(match.ci95_s, stamp)),
        )

    def _trains(self, stream: Stream, region: Region | None) -> list[_Train]:
        if isinstance(stream, Video):
            return [_Train(one.times_ns, one.period_ns / NS_PER_S) for one in find_flashes(stream, region)]
        return [_Train(events_of(stream)[0], 0.0)]


@dataclass(frozen=True, eq=False)
class _Train:
    """Events, and the distance of the pictures in which they were seen, 0 for none."""

    times_ns: Int64Array
    frame_s: float


def find_flashes(video: Video, region: Region | None = None) -> list[Flashes]:
    """Parts of the picture that flash, and when, the likeliest first.

    The video is read once. Exposure that all blocks of the picture share is divided out; then each block is looked at
    for steps up and down between two levels (`sync.pulses`). Movement steps between many levels, and slowly.

    Args:
        video: Any video.
        region: Where the LED is; None to look for it.

    Raises:
        ClockError: nothing in the picture, or in the region, flashes.
    """
    light = measure_brightness(video, region)
    if len(light.times_ns) < 8:
        raise ClockError("a video of so few frames shows no flashes", stream=video.info.name, got=len(light.times_ns))
    gain = light.gain()
    whole = Region(x=0, y=0, width=max(1, video.width), height=max(1, video.height))
    found: list[Flashes] = []
    if region is not None and light.region is not None:
        for levels in (light.region / gain, light.region):
            found += _judge(light.times_ns, levels, region, 1)
    else:
        for group in _groups(light, gain):
            levels = np.mean([light.levels(block) for block in group], axis=0) / gain
            judged = _judge(light.times_ns, levels, _around(light, group), _LEAST_FLASHES)
            weighed = [replace(one, quality=one.quality * _stillness(light, gain, group, one)) for one in judged]
            found += [one for one in weighed if one.quality * np.sqrt(len(one.times_ns) / _USUAL_FLASHES) >= _LIGHT]
        found += _judge(light.times_ns, gain * float(light.blocks.mean()) / 256, whole, _LEAST_FLASHES)
    if not found:
        where = "in the region" if region is not None else "in the picture"
        raise ClockError(
            f"nothing flashes {where}: no part steps up and down between two levels of brightness",
            stream=video.info.name,
            file=video.info.files[0] if video.info.files else None,
            mend="Name the region of the LED, or align by another cue.",
        )
    return sorted(found, key=lambda one: -one.quality * np.log1p(one.height) * np.sqrt(len(one.times_ns)))[:_KEPT]


def _groups(light: Brightness, gain: Floats) -> list[list[int]]:
    """Blocks that may flash, each with those neighbours that step with it; the likeliest first."""
    scores = np.zeros(ROWS * COLUMNS)
    for block in range(len(scores)):
        steps = np.abs(np.diff(light.levels(block) / gain))
        scores[block] = _two_levels(steps)
    order = [int(block) for block in np.argsort(-scores)[:_TRIED] if scores[block] > 0]
    groups: list[list[int]] = []
    taken: set[int] = set()
    for block in order:
        if block in taken:
            continue
        steps = np.diff(light.levels(block) / gain)
        edges = np.abs(steps) > 0.5 * _usual_step(np.abs(steps))
        group = [block]
        for other in order:
            near = max(abs(other // COLUMNS - block // COLUMNS), abs(other % COLUMNS - block % COLUMNS)) <= 2
            if other in taken or other == block or not near:
                continue
            theirs = np.diff(light.levels(other) / gain)[edges]
            ours = steps[edges]
            norm = float(np.linalg.norm(theirs) * np.linalg.norm(ours))
            if norm > 0 and float(theirs @ ours) / norm > 0.95:
                group.append(other)
        taken.update(group)
        groups.append(group)
    return groups


def _usual_step(steps: Floats) -> float:
    """Height of the greatest steps but five: three flashes have six edges."""
    return float(np.partition(steps, -6)[-6]) if len(steps) >= 6 else float(steps.max())


def _two_levels(steps: Floats) -> float:
    """How much the steps of a block look like those of a light: some are great and alike, hardly any lie between."""
    great = _usual_step(steps)
    noise = max(1.4826 * float(np.median(steps)), 0.02)
    if great < max(_LEAST_HEIGHT / 2, 5 * noise):
        return 0.0
    alike, between = (
        np.sum(steps > 0.5 * great),
        np.sum((steps > max(0.15 * great, 5 * noise)) & (steps <= 0.5 * great)),
    )
    return float(np.log(great / noise) * alike / (alike + between))


def _judge(times: Int64Array, levels: Floats, region: Region, least: int) -> list[Flashes]:
    """The flashes of one part of the picture; none where it does not step between two levels."""
    signal = Signal(
        info=StreamInfo("", "pulse", ""),
        axis=Explicit(times),
        values=levels[:, None],
        columns=("level",),
        units=("1",),
    )
    pulses = find_pulses(signal)
    if len(pulses) < least:
        return []
    heights = np.array([pulse.height for pulse in pulses])
    usual = float(np.median(np.abs(heights)))
    spread = 1.4826 * float(np.median(np.abs(np.abs(heights) - usual))) / usual
    onsets = np.array([pulse.onset_ns for pulse in pulses], np.int64)
    sharp = float(np.median([_sharpness(times, levels, pulse) for pulse in pulses]))
    if usual < _LEAST_HEIGHT or spread > _ALIKE or sharp < _SHARP:
        return []
    quality = float(np.clip((1 - spread / _ALIKE) * min(1.0, sharp), 0.05, 1))
    return [Flashes(onsets, float(np.median(np.diff(times))), region, usual, quality)]


def _sharpness(times: Int64Array, levels: Floats, pulse: Pulse) -> float:
    """Share of the height that is passed between the frames around an onset and their neighbours."""
    after = int(np.clip(np.searchsorted(times, pulse.onset_ns), 1, len(times) - 1))
    low, high = max(0, after - 2), min(len(times) - 1, after + 1)
    steps = (levels[after] - levels[low], levels[high] - levels[after - 1], levels[after] - levels[after - 1])
    return float(max(step / pulse.height for step in steps))


def _stillness(light: Brightness, gain: Floats, group: list[int], flashes: Flashes) -> float:
    """1 where the surroundings rest just before and after each flash began, less where something moves through them."""
    rows, columns = np.array(group) // COLUMNS, np.array(group) % COLUMNS
    y, x = np.mgrid[rows.min() - 2 : rows.max() + 3, columns.min() - 2 : columns.max() + 3].reshape(2, -1)
    inside = (y >= 0) & (y < ROWS) & (x >= 0) & (x < COLUMNS)
    ring = sorted(set((y * COLUMNS + x)[inside].tolist()) - set(group))
    onsets = np.searchsorted(light.times_ns, flashes.times_ns)
    if not ring:
        return 1.0
    stirred = np.zeros(len(onsets))
    for block in ring:
        steps = np.abs(np.diff(light.levels(block) / gain))
        calm = 6 * 1.4826 * float(np.median(steps))
        for away in (-6, -5, -4, -3, 3, 4, 5, 6):
            at = np.clip(onsets + away, 0, len(steps) - 1)
            stirred = np.maximum(stirred, steps[at] - calm)
    return float(1 / (1 + 3 * np.median(stirred) / flashes.height))


def _around(light: Brightness, group: list[int]) -> Region:
    """The smallest rectangle of pixels around these blocks."""
    parts = [light.region_of(block) for block in group]
    x, y = min(part.x for part in parts), min(part.y for part in parts)
    right, bottom = max(part.x + part.width for part in parts), max(part.y + part.height for part in parts)
    return Region(x=x, y=y, width=right - x, height=bottom - y)
