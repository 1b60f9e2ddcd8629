"""What the encoders and the fusion said, as the table of the timeline and a summary of every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data_schemas.event import Event
from data_schemas.features import EncoderSpec, Encoding
from data_schemas.intervals import IntervalSet, grid
from data_schemas.recording import Session
from data_schemas.result import ChannelSummary, Problem
from modalities.registry import load_encoder
from pipeline import __version__, steps
from pipeline.config import Config
from pipeline.joining import baseline_of
from pipeline.timeline import ChannelGrid, TableBuilder, absent, fused, joined, with_label, with_relative

if TYPE_CHECKING:
    import pyarrow as pa

    from data_schemas.emotion import EmotionTrack
    from data_schemas.time import Int64Array
    from fusion.label_inference import LabelTrack


def tabulate(
    session: Session,
    encodings: Sequence[Encoding],
    tracks: Sequence[EmotionTrack],
    events: Sequence[Event],
    labels: Sequence[LabelTrack],
    config: Config,
    about: Mapping[str, Any],
) -> tuple[pa.Table, list[ChannelSummary], list[Problem]]:
    """Bring every channel of every person to the grid, one channel after the other.

    Args:
        session: What was recorded, on one clock.
        encodings: Of all channels and people.
        tracks: What was fused of each person.
        events: All events.
        labels: What a lab's own model says of each person.
        config: Rate of the grid, and which channels there are.
        about: Told in the table's metadata, beside version, session, clock and rate.

    Returns:
        The table of `timeline.parquet`; summaries by person, then channel; what a user should know.
    """
    grid_ns = grid(session.extent, config.grid_hz)
    specs = {channel: load_encoder(name).spec for channel, name in config.encoders.items()}
    people = [person.id for person in session.manifest.people]
    by_place = {(encoding.person, encoding.spec.channel): encoding for encoding in encodings}
    baselines = {person: baseline_of(person, encodings) for person in people}
    table = TableBuilder(people, grid_ns)
    summaries: dict[tuple[str, str], ChannelSummary] = {}
    told: dict[tuple[str, str], list[Problem]] = {}
    for channel, spec in specs.items():
        grids = []
        for person in people:
            own = by_place.get((person, channel))
            one, relative = _on_grid(session, spec, person, own, grid_ns), dict[str, int]()
            if channel != "context":
                one, relative, said = with_relative(one, grid_ns, baselines[person])
                told[person, channel] = [Problem(severity="note", what=f"{person}: {words}") for words in said]
            summaries[person, channel] = _summary(person, one, own, events, relative)
            grids.append(one)
        table.add(grids)
    grids = []
    for person in people:
        track = next((track for track in tracks if track.person == person), None)
        one = with_label(fused(track, grid_ns), labels, person, grid_ns)
        summaries[person, one.channel] = _summary(person, one, None, events, {})
        grids.append(one)
    table.add(grids)
    known = {"telltale_version": __version__, "session": session.manifest.name, "clock": "session",
             "grid_hz": config.grid_hz}  # fmt: skip
    ordered = [(person, channel) for person in people for channel in (*specs, "fused")]
    notes = [note for place in ordered for note in told.get(place, [])]
    return table.finish({**known, **about}), [summaries[place] for place in ordered], notes


def _on_grid(
    session: Session, spec: EncoderSpec, person: str, own: Encoding | None, grid_ns: Int64Array
) -> ChannelGrid:
    if own is None:
        tried = any(
            s.info.kind in spec.inputs
            and (person in s.info.people or (not s.info.people and s.info.person in (person, None)))
            for s in session.streams.values()
        )
        return absent(spec, grid_ns, "encoder_failed" if tried else "no_stream")
    whole = spec.channel == "context"
    return joined(own, grid_ns, IntervalSet([session.extent]) if whole else steps.support_of(session, own.streams))


def _summary(
    person: str, one: ChannelGrid, encoding: Encoding | None, events: Sequence[Event], relative: Mapping[str, int]
) -> ChannelSummary:
    n = max(1, len(one.reason))
    words = [str(word) for word in one.reason if word]
    theirs = [event for event in events if event.person in (person, None)]
    kinds = [event.kind for event in theirs if event.channel == one.channel]
    quality: Mapping[str, Any] = encoding.quality if encoding is not None else {}
    if relative:
        quality = {**quality, "z_relative_to": relative}
    names = [feature.name for feature in one.features]
    if one.channel == "fused" and len(one.reason):
        quality = {"cannot_say": round(float((one.values[:, names.index("cannot_say")] > 0.5).mean()), 4)}
    return ChannelSummary(
        person=person,
        channel=one.channel,
        valid_share=round(float(one.valid.any(axis=1).mean()) if len(one.reason) else 0.0, 4),
        reasons={word: round(words.count(word) / n, 4) for word in sorted(set(words))},
        events={kind: kinds.count(kind) for kind in sorted(set(kinds))},
        quality=flatten(quality),
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots: {"ecg": {"beats": 44}} becomes {"ecg.beats": 44}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
