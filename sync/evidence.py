"""The table of cues, and the gathering of what a manifest names as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from data_schemas.errors import ClockError
from data_schemas.stream import Stream
from sync.estimate import Estimate, Evidence

CUES: dict[str, str] = {
    "markers": "sync.cues.events:EventEvidence",
    "sound": "sync.cues.sound:SoundEvidence",
    "motion": "sync.cues.motion:MotionEvidence",
    "ltc": "sync.cues.ltc:LtcEvidence",
    "flash": "sync.cues.flash:FlashEvidence",
    "frame_index": "sync.cues.frame_index:FrameIndexEvidence",
    "wall": "sync.cues.pairs:WallClockEvidence",
}
"""Name in the manifest -> "module:Class"."""


def load_cue(name: str) -> Evidence:
    """A cue with its default settings.

    Raises:
        ClockError: no cue has this name; the message lists those there are.
    """
    if name not in CUES:
        raise ClockError(f"no cue is called '{name}'", expected=f"one of {', '.join(CUES)}")
    module, cls = CUES[name].split(":")
    found: Evidence = getattr(import_module(module), cls)()
    return found


def compare(streams: Mapping[str, Stream], own: str, against: str, by: str) -> Estimate:
    """What one cue says of two streams of a recording.

    Args:
        streams: Those that could be read, on their own clocks.
        own: Name of the stream whose clock is mapped.
        against: Name of the other.
        by: Name of the cue.

    Raises:
        ClockError: a stream is not there, or the two share nothing of the kind.
    """
    for name in (own, against):
        if name not in streams:
            raise ClockError(
                "the stream could not be read", stream=name, mend="Mend the stream, or align the clock in another way."
            )
    return load_cue(by).compare(streams[own], streams[against]).named(own, against)
