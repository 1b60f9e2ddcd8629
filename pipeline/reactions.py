"""Reactions to the markers of a physiology file, for the command that reads no manifest."""

from __future__ import annotations

from pathlib import Path

from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.hook import Hook, silent
from data_schemas.session import StreamEntry
from data_schemas.stream import Audio, Marks, Signal
from modalities.physiology.reactions import with_reactions
from sync.pulses import find_pulses

_KINDS = ("cues", "markers", "pulse")
_MOST_PER_MIN = 20.0
_BEATS = frozenset("NLRBAaJSVrFejnE/fQ?|~+")


def react_to_markers(path: Path, encoding: Encoding, rate_hz: float | None = None, hook: Hook = silent) -> Encoding:
    """The encoding with a reaction to each marker, pulse or cue that the same file holds.

    Beat annotations, and anything that comes more often than twenty times a minute, are no cues and are left out.

    Args:
        path: The file that was encoded.
        encoding: Of the physiology encoder, on the file's own clock.
        rate_hz: Sampling rate where the file states none.
        hook: Progress.

    Raises:
        TelltaleError: the markers cannot be read.
    """
    cues = cues_of(path, rate_hz)
    hook("reactions", len(cues), len(cues))
    return with_reactions(encoding, cues) if cues else encoding


def cues_of(path: Path, rate_hz: float | None = None) -> list[Event]:
    """Markers and pulses of a physiology file as cues, in order of onset.

    Raises:
        TelltaleError: they cannot be read.
    """
    from modalities.readers import open_stream, probe

    found: list[Event] = []
    for track in probe(path).tracks:
        if track.kind not in _KINDS:
            continue
        entry = StreamEntry.model_validate(
            {
                "name": "cues",
                "kind": track.kind,
                "file": path.name,
                "track": track.track,
                "columns": list(track.columns) or None,
                "rate_hz": rate_hz if track.kind == "pulse" else None,
                "time_column": track.time_column,
            }
        )
        stream = open_stream(entry, path.parent, None)
        if isinstance(stream, Signal | Audio):
            name = track.columns[0] if track.columns else "pulse"
            pulses = enumerate(find_pulses(stream), 1)
            cues = [(pulse.onset_ns, max(1, pulse.duration_ns), f"{name} {number}") for number, pulse in pulses]
        elif isinstance(stream, Marks):
            cues = [(row.onset_ns, max(1, row.duration_ns), row.label) for row in stream.rows]
        else:
            continue
        if {label for _, _, label in cues} <= _BEATS or _crowded([onset for onset, _, _ in cues]):
            continue
        found += [
            Event("context", "cue", onset, onset + length, label=label)
            for onset, length, label in dict.fromkeys(cues)  # some devices write a marker twice
        ]
    return sorted(found, key=lambda cue: cue.onset_ns)


def _crowded(onsets_ns: list[int]) -> bool:
    """Whether so many come one after the other that they are no cues."""
    span_min = (max(onsets_ns) - min(onsets_ns)) / 60e9 if len(onsets_ns) > 3 else 0.0
    return span_min > 0 and len(onsets_ns) / span_min > _MOST_PER_MIN
