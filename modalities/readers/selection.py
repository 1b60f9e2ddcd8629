"""Choosing what the manifest asks for: a column, a track; and saying what there is when it is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from data_schemas.errors import ManifestError, MissingTrackError
from data_schemas.session import StreamEntry
from modalities.readers.info import TrackInfo
from modalities.readers.labels import guess_kind


@dataclass(frozen=True)
class Channel:
    """One column or channel of a file, as its header describes it.

    Attributes:
        name: Its name.
        unit: Canonical unit, "1" for none.
        rate_hz: Its own sampling rate; None where the file does not state it.
        n: Its number of samples, if known.
        kind: What it is, if that is known better than by name and unit; "" for certainly nothing known.
    """

    name: str
    unit: str = "1"
    rate_hz: float | None = None
    n: int | None = None
    kind: str | None = None

    @property
    def guess(self) -> str | None:
        """Its kind, or the best guess at it."""
        if self.kind is None:
            return guess_kind(self.name, self.unit)
        return self.kind or None


def missing(what: str, asked: object, there: Sequence[str], entry: StreamEntry, path: Path) -> MissingTrackError:
    """The error for something that the file does not have: lists what it has, and the nearest name."""
    near = get_close_matches(str(asked).lower(), [name.lower() for name in there], n=1, cutoff=0.5)
    meant = next((name for name in there if near and name.lower() == near[0]), None)
    listed = ", ".join(there[:40]) + (f" and {len(there) - 40} more" if len(there) > 40 else "")
    return MissingTrackError(
        f"no {what} '{asked}'",
        file=path,
        stream=entry.name,
        expected=f"one of {listed}" if there else "nothing: the file has none",
        mend=f"Did you mean '{meant}'?" if meant else None,
    )


def unfit(entry: StreamEntry, path: Path, what: str, fits: Sequence[str]) -> ManifestError:
    """The error for a kind of stream that a file cannot hold."""
    return ManifestError(
        f"kind = '{entry.kind}' does not fit: {what}",
        file=path,
        stream=entry.name,
        expected=f"kind = {' or '.join(fits)}",
    )


def choose(entry: StreamEntry, path: Path, channels: Sequence[Channel]) -> list[int]:
    """Indices of the channels that an entry means: those it names, else those that look like its kind.

    Raises:
        MissingTrackError: a named channel is not there.
        ManifestError: none is named and none, or nothing but several unknown ones, could be meant; or the chosen ones
            have different rates.
    """
    names = [channel.name for channel in channels]
    if entry.columns:
        chosen = [_find(name, names, entry, path) for name in entry.columns]
    else:
        chosen = [at for at, channel in enumerate(channels) if channel.guess == entry.kind]
        if not chosen and len(channels) == 1:
            chosen = [0]
        if not chosen:
            raise ManifestError(
                f"which column is the {entry.kind} cannot be told",
                file=path,
                stream=entry.name,
                expected=f"columns = [...] out of {', '.join(names)}",
            )
        rates = {channels[at].rate_hz for at in chosen}
        if len(rates) > 1:
            first = channels[chosen[0]].rate_hz
            chosen = [at for at in chosen if channels[at].rate_hz == first]
    rates = {channels[at].rate_hz for at in chosen}
    if len(rates) > 1:
        listed = ", ".join(f"{channels[at].name} {channels[at].rate_hz:g} Hz" for at in chosen)
        raise ManifestError(
            "the columns of one stream need one rate",
            file=path,
            stream=entry.name,
            got=listed,
            mend="List one stream each.",
        )
    return chosen


def _find(name: str, names: Sequence[str], entry: StreamEntry, path: Path) -> int:
    if name in names:
        return list(names).index(name)
    lower = [one.strip().lower() for one in names]
    if lower.count(name.strip().lower()) == 1:
        return lower.index(name.strip().lower())
    raise missing("column", name, names, entry, path)


def tracks_of(channels: Sequence[Channel], track: int | str | None = None, start_s: float = 0.0) -> list[TrackInfo]:
    """One track for each kind and rate among the channels, in order of first appearance."""
    groups: dict[tuple[str | None, float | None], list[Channel]] = {}
    for channel in channels:
        groups.setdefault((channel.guess, channel.rate_hz), []).append(channel)
    out = []
    for (kind, rate), members in groups.items():
        n = members[0].n
        text = f"{len(members)} column{'s' if len(members) > 1 else ''}" + (f", {rate:g} Hz" if rate else "")
        out.append(
            TrackInfo(
                track=track,
                kind=kind,
                columns=tuple(channel.name for channel in members),
                units=tuple(channel.unit for channel in members),
                rate_hz=rate,
                n=n,
                start_s=start_s,
                duration_s=n / rate if n is not None and rate else None,
                detail=text,
            )
        )
    return out
