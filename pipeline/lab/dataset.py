"""Labelled stretches as rows: what the head may read, the label, the person, and what is known beside the channels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.emotion import CHANNELS
from data_schemas.errors import NothingUsableError
from data_schemas.event import Event
from data_schemas.features import Encoding
from data_schemas.intervals import Interval
from data_schemas.time import NS_PER_S, Int64Array, to_ns
from fusion.label_steps import pool, steps_from
from fusion.label_training import Rows
from fusion.tokens import Tokens, tokens_of
from pipeline.lab.labels import LabelRow, LabelTable

if TYPE_CHECKING:
    from torch import nn

Blocks = dict[str, NDArray[np.float32]]
THINNED = 1
"""Copies of each session with random channels left out, for fitting."""
QUESTION_S = 6.0
"""Length of a stretch after a question that has no end and no follower."""
LONGEST_QUESTION_S = 20.0


@dataclass(frozen=True)
class PersonSession:
    """One person of one session as it was read.

    Attributes:
        session: Name of the session.
        person: As the manifest names them.
        about: sex, age_group, culture; "" where the manifest does not say.
        encodings: One per channel.
        extent: Of the session.
    """

    session: str
    person: str
    about: Mapping[str, str]
    encodings: tuple[Encoding, ...]
    extent: Interval


@dataclass(frozen=True, eq=False)
class LabStudy:
    """All labelled stretches of a study.

    Attributes:
        rows: Blocks, labels, people.
        classes: The lab's words.
        positive: Index of the positive class of two.
        people: Name of each person number.
        about: sex, age_group, culture of each person number.
        sessions: Name of the session of each row.
        onset_s: Start of each row.
        offset_s: End of each row.
        nuisance: Column -> values (n,): what is no channel and may tell the label all the same.
        untrained: Name -> probability of the positive class (n,) by models that no label is fitted to.
        without: Channel -> rows whose blocks were made without it; empty unless an ablation is asked for.
        unmatched: Lines of the table that met no session, and why.
    """

    rows: Rows
    classes: tuple[str, ...]
    positive: int | None
    people: tuple[str, ...]
    about: tuple[Mapping[str, str], ...]
    sessions: tuple[str, ...]
    onset_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    nuisance: Mapping[str, NDArray[Any]]
    untrained: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    without: Mapping[str, Rows] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()

    @property
    def length_s(self) -> float:
        """Median length of the labelled stretches, in whole steps of 0.5 s."""
        return max(0.5, round(2 * float(np.median(self.offset_s - self.onset_s))) / 2)

    def fingerprint(self) -> str:
        """What a finished fold depends on of the data, 16 hexadecimal digits."""
        digest = hashlib.sha256(repr((self.classes, self.positive, self.people, self.sessions)).encode())
        for one in (self.rows, *self.without.values()):
            digest.update(one.label.tobytes() + one.person.tobytes())
            for blocks in (one.blocks, *one.thinned):
                for name in sorted(blocks):
                    digest.update(name.encode() + np.ascontiguousarray(blocks[name]).tobytes())
        digest.update(self.onset_s.tobytes() + self.offset_s.tobytes())
        for name, values in (*self.nuisance.items(), *self.untrained.items()):
            digest.update(f"{name}{values.tolist()}".encode())
        return digest.hexdigest()[:16]


def build_study(
    table: LabelTable, sessions: Iterable[PersonSession], network: nn.Module, ablation: bool = False
) -> LabStudy:
    """Rows of all labelled stretches; of each session only what its stretches need is kept.

    Args:
        table: The labels.
        sessions: Of all people, one at a time.
        network: The transformer.
        ablation: Also make the rows without each channel.

    Raises:
        NothingUsableError: no line of the table meets a session, a class is lost, or there are too few people.
    """
    gathered = _Gathered(table, ablation)
    for one in sessions:
        gathered.add(one, network)
    return gathered.study()


class _Gathered:
    """Rows that are being gathered."""

    def __init__(self, table: LabelTable, ablation: bool) -> None:
        self.table = table
        self.views: list[list[Blocks]] = [[] for _ in range(1 + THINNED)]
        left_out = CHANNELS if ablation else ()
        self.without: dict[str, list[list[Blocks]]] = {c: [[] for _ in self.views] for c in left_out}
        self.cells: list[dict[str, Any]] = []
        self.evidence: list[NDArray[np.float64]] = []
        self.matched: set[int] = set()
        self.seen: list[str] = []

    def add(self, one: PersonSession, network: nn.Module) -> None:
        """Take the labelled stretches of one person in one session."""
        self.seen.append(f"{one.session} ({one.person})")
        mine = [row for row in self.table.rows if row.session in ("", one.session) and row.person in ("", one.person)]
        placed = [(row, span) for row in mine for span in stretches_of(row, one.encodings, one.extent)]
        placed.sort(key=lambda pair: pair[1])
        self.matched |= {row.line for row, _ in placed}
        if not placed:
            return
        onset = np.array([span[0] for _, span in placed], dtype=np.int64)
        offset = np.array([span[1] for _, span in placed], dtype=np.int64)
        tokens = tokens_of(one.encodings, one.extent)
        rng = np.random.default_rng([len(self.cells), 9])
        for at, view in enumerate(self.views):
            kept = _some(rng) if at else list(CHANNELS)
            view.append(_blocks(network, tokens.only(kept), onset, offset))
            for channel, views in self.without.items():
                views[at].append(_blocks(network, tokens.only([c for c in kept if c != channel]), onset, offset))
        length_s = one.extent.duration_ns / NS_PER_S
        self.evidence.append(evidence_at(one.encodings, one.extent, (onset + offset) // 2))
        for at, (row, span) in enumerate(placed):
            self.cells.append({
                "label": self.table.classes.index(row.label), "person": one.person, "session": one.session,
                "onset_s": span[0] / NS_PER_S, "offset_s": span[1] / NS_PER_S, "order": at + 1,
                "length_s": (span[1] - span[0]) / NS_PER_S, "recording_length_s": length_s, **one.about,
            })  # fmt: skip

    def study(self) -> LabStudy:
        """All of them."""
        lost = [row for row in self.table.rows if row.line not in self.matched]
        if not self.cells:
            raise NothingUsableError(
                "no line of the table meets a session", file=self.table.file,
                got=f"sessions {', '.join(sorted(self.seen)[:6]) or 'none'}",
                mend="Compare the columns session and person, and the times, with the results.",
            )  # fmt: skip
        people = tuple(sorted({cell["person"] for cell in self.cells}))
        label = np.array([cell["label"] for cell in self.cells], dtype=np.int64)
        person = np.array([people.index(cell["person"]) for cell in self.cells], dtype=np.int64)
        about = {cell["person"]: {name: cell.get(name, "") for name in ABOUT} for cell in self.cells}
        return LabStudy(
            rows=_rows(self.views, label, person),
            classes=self.table.classes,
            positive=self.table.positive,
            people=people,
            about=tuple(about[one] for one in people),
            sessions=tuple(cell["session"] for cell in self.cells),
            onset_s=np.array([cell["onset_s"] for cell in self.cells]),
            offset_s=np.array([cell["offset_s"] for cell in self.cells]),
            nuisance={name: np.array([cell.get(name, "") for cell in self.cells]) for name in NUISANCES},
            untrained={EVIDENCE: np.concatenate(self.evidence)} if self.table.positive is not None else {},
            without={c: _rows(views, label, person) for c, views in self.without.items()},
            unmatched=tuple(_why(row) for row in lost),
        )


EVIDENCE = "evidence model"
ABOUT = ("sex", "age_group", "culture")
NUISANCES = (*ABOUT, "order", "length_s", "recording_length_s")


def evidence_at(encodings: Sequence[Encoding], extent: Interval, times_ns: Int64Array) -> NDArray[np.float64]:
    """What published effects alone say at some times: of statements where questions are asked, else nothing (1/2)."""
    from fusion.evidence_model import evidence

    asked = any(e.kind == "cue" and e.details.get("kind") == "question" for one in encodings for e in one.events)
    return evidence(encodings, extent, "interview" if asked else "viewing").at(times_ns)


def stretches_of(row: LabelRow, encodings: Sequence[Encoding], extent: Interval) -> Iterator[tuple[int, int]]:
    """Start and end in ns of the stretches that a line of the table means, within the session.

    A line with times means those. A line with a question means each cue of that label: from its onset to its end where
    it has one of at least 2 s, else to the next cue, at most 20 s, or 6 s where none follows.
    """
    if row.onset_s is not None and row.offset_s is not None:
        start, end = max(to_ns(row.onset_s), extent.start_ns), min(to_ns(row.offset_s), extent.end_ns)
        if end > start:
            yield start, end
        return
    cues = sorted((e for one in encodings for e in one.events if e.kind == "cue"), key=lambda e: e.onset_ns)
    for at, cue in enumerate(cues):
        if row.item in _names(cue):
            end = cue.offset_ns
            if end - cue.onset_ns < to_ns(2.0):
                later = [one.onset_ns for one in cues[at + 1 :] if one.onset_ns > cue.onset_ns]
                end = (
                    min(later[0], cue.onset_ns + to_ns(LONGEST_QUESTION_S))
                    if later
                    else cue.onset_ns + to_ns(QUESTION_S)
                )
            end = min(end, extent.end_ns)
            if end > cue.onset_ns >= extent.start_ns:
                yield cue.onset_ns, end


def _names(cue: Event) -> set[str]:
    told = {str(cue.details[key]) for key in ("question", "item", "stimulus") if cue.details.get(key) is not None}
    return told | {cue.label}


def _some(rng: np.random.Generator) -> list[str]:
    count = int(rng.integers(1, len(CHANNELS)))
    return [CHANNELS[at] for at in rng.permutation(len(CHANNELS))[:count]]


def _blocks(network: nn.Module, tokens: Tokens, onset: Int64Array, offset: Int64Array) -> Blocks:
    return dict(pool(steps_from(network, tokens), onset, offset))


def _stacked(parts: Sequence[Blocks]) -> Blocks:
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def _rows(views: Sequence[Sequence[Blocks]], label: NDArray[np.int64], person: NDArray[np.int64]) -> Rows:
    whole, *thinned = (_stacked(view) for view in views)
    return Rows(whole, label, person, tuple(thinned))


def _why(row: LabelRow) -> str:
    when = f"question '{row.item}'" if row.onset_s is None else f"{row.onset_s:g} to {row.offset_s:g} s"
    return f"line {row.line}: no such stretch ({row.session or 'any session'}, {row.person or 'anybody'}, {when})"


def read_people(result: Path, session: str, about: Mapping[str, Mapping[str, str]]) -> Iterator[PersonSession]:
    """The people of a result whom the manifest names."""
    from pipeline.lab.results import people_in

    for person, encodings, extent in people_in(result):
        yield PersonSession(session, person, about.get(person, {}), encodings, extent)
