"""What was planted in a simulated session, and its files: `truth.json`, `events.csv`, `tracks.parquet`.

Of a session of two people the first one's files are these, the second one's the same in the folder `p02` (their id)
beside them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import MissingFileError, UnreadableFileError
from data_schemas.event import Event
from data_schemas.time import NS_PER_S, Int64Array, to_s
from sync.clock import ClockMap

CONVENTION = "session = (1 + drift_ppm * 1e-6) * device + offset_s"
COLUMNS = ("channel", "kind", "onset_s", "apex_s", "offset_s", "label", "details")
GRID_HZ = 25


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of one simulated session.

    Attributes:
        name: Of the session.
        seed: What it was drawn from.
        seconds: Length of the session.
        fidelity: "signal" or "rendered".
        clocks: Per device `offset_s` and `drift_ppm` (see `CONVENTION`), `start_s` and `end_s` of its recording.
        markers_s: Shared sync markers on the session clock, shape (m,).
        figures: Single numbers and words: mean heart rate, pulse transit time, photograph ...
        events: Planted events on the session clock, by onset.
        times_ns: Grid of the tracks, 25 Hz from 0, int64 (n,).
        tracks: Columns on the grid, shape (n,) each: f0_hz (0 where not voiced), voiced, heart_rate_bpm,
            eda_tonic_us, eda_phasic_us, felt, shown (words of `data_schemas.emotion.EMOTIONS`), concealed.
        person: Whom it is about.
        partner: The truth of the second person; None in a session of one. Its files lie in a folder of their name.
        mimicry: What the second person takes over from the first: `leader`, `follower`, `behaviour`, `lag_s`, `share`
            (of the events that are answered, or weight of the course), `jitter_s`.
        cameras: Of the face, "rgb", "nir" and "depth": `stream`, `clock`, `intrinsics` [fx, fy, cx, cy] in px,
            `extrinsics` (3 rows of [R | t], t in mm, to the axes of the colour camera), `distance_mm` of the eyes at
            rest. Empty where there is the colour camera alone, which has no perspective.
    """

    name: str
    seed: int
    seconds: float
    fidelity: str
    clocks: Mapping[str, Mapping[str, float]]
    markers_s: tuple[float, ...]
    figures: Mapping[str, Any]
    events: tuple[Event, ...]
    times_ns: Int64Array
    tracks: Mapping[str, NDArray[Any]]
    person: str = "p01"
    partner: Truth | None = None
    mimicry: tuple[Mapping[str, Any], ...] = ()
    cameras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Event]:
        """Planted events of these kinds, by onset."""
        return [event for event in self.events if event.kind in kinds]

    def clock_map(self, clock: str) -> ClockMap:
        """The true map from a device's clock to the session clock."""
        return ClockMap.affine(self.clocks[clock]["offset_s"], self.clocks[clock]["drift_ppm"])

    def save(self, folder: Path) -> None:
        """Write the three files into `folder`, which is made if need be."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        head = {
            "name": self.name,
            "seed": self.seed,
            "seconds": self.seconds,
            "fidelity": self.fidelity,
            "convention": CONVENTION,
            "clocks": {name: dict(clock) for name, clock in self.clocks.items()},
            "markers_s": list(self.markers_s),
            "figures": dict(self.figures),
        }
        if self.cameras:
            head["cameras"] = {name: dict(camera) for name, camera in self.cameras.items()}
        if self.person != "p01":
            head["people"] = [self.person]
        if self.partner is not None:
            head |= {"people": [self.person, self.partner.person], "mimicry": [dict(one) for one in self.mimicry]}
            replace(self.partner, person="p01").save(folder / self.partner.person)  # the folder says who it is
        (folder / "truth.json").write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8", newline="\n")
        with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_row(event) for event in self.events)
        columns = {"t_ns": self.times_ns, **self.tracks}
        pq.write_table(
            pa.table({name: pa.array(values) for name, values in columns.items()}), folder / "tracks.parquet"
        )

    @classmethod
    def load(cls, folder: Path) -> Truth:
        """Read what `save` wrote.

        Raises:
            MissingFileError: one of the three files is not there.
            UnreadableFileError: one of them is not what `save` writes.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name in ("truth.json", "events.csv", "tracks.parquet"):
            if not (folder / name).is_file():
                raise MissingFileError(
                    "the truth of a simulated session is incomplete",
                    file=folder / name,
                    mend="Only simulated sessions have one; simulate it again.",
                )
        try:
            head = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
            with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
                events = tuple(_event(row) for row in csv.DictReader(file))
            table = pq.read_table(folder / "tracks.parquet")
            tracks = {name: table.column(name).to_numpy() for name in table.column_names}
            people = head.get("people", ["p01"])
            return cls(
                name=head["name"],
                seed=head["seed"],
                seconds=head["seconds"],
                fidelity=head["fidelity"],
                clocks=head["clocks"],
                markers_s=tuple(head["markers_s"]),
                figures=head["figures"],
                events=events,
                times_ns=tracks.pop("t_ns"),
                tracks={name: _words(values) for name, values in tracks.items()},
                person=people[0],
                partner=replace(cls.load(folder / people[1]), person=people[1]) if len(people) > 1 else None,
                mimicry=tuple(head.get("mimicry", ())),
                cameras=head.get("cameras", {}),
            )
        except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
            raise UnreadableFileError(
                "the truth of a simulated session cannot be read",
                file=folder,
                got=repr(error),
                mend="Simulate it again.",
            ) from error


def _words(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(str) if values.dtype == object else values


def _row(event: Event) -> tuple[str, ...]:
    apex = "" if event.apex_ns is None else f"{to_s(event.apex_ns):.6f}"
    details = json.dumps(dict(event.details), sort_keys=True) if event.details else ""
    onset, offset = f"{to_s(event.onset_ns):.6f}", f"{to_s(event.offset_ns):.6f}"
    return (event.channel, event.kind, onset, apex, offset, event.label, details)


def _event(row: Mapping[str, str]) -> Event:
    return Event(
        channel=row["channel"],
        kind=row["kind"],
        onset_ns=micro_ns(float(row["onset_s"])),
        apex_ns=micro_ns(float(row["apex_s"])) if row["apex_s"] else None,
        offset_ns=micro_ns(float(row["offset_s"])),
        label=row["label"],
        details=json.loads(row["details"]) if row["details"] else {},
    )


def micro_ns(seconds: float) -> int:
    """Nanoseconds, to the nearest microsecond: the precision of the table."""
    return round(seconds * 1e6) * (NS_PER_S // 1_000_000)


def grid_ns(seconds: float) -> Int64Array:
    """The 25 Hz grid of a session of this length."""
    return np.arange(int(np.floor(seconds * GRID_HZ)), dtype=np.int64) * (NS_PER_S // GRID_HZ)
