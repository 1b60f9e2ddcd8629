"""Labelled sessions of a lab that does not exist, with known truth: for tests and benchmarks.

The lab asks questions and labels the stretch after each: `hidden` where, for at least a third of it, the emotion felt
was not the one shown. Its people leak in their own way: its effects are one set of `Effects`, not drawn from the priors
of the default model.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_schemas.time import to_s
from pipeline.simulate.tokens import TokenSession, simulate_tokens
from pipeline.simulate.tokens_effects import Effects

HIDDEN, OPEN = "hidden", "open"
LONGEST_S = 8.0
LEAST_S = 2.0
HIDDEN_SHARE = 1 / 3
SEXES, AGES, CULTURES = ("female", "male"), ("18-30", "31-50"), ("north", "south")

LOUD_LAB = Effects(
    design="interview",
    follows=True,
    reliability=0.35,
    micro_rate=1.2,
    micro_family=1.0,
    put_on_smile=-1.0,
    scr=0.55,
    heart_rate=(0.5, 0.5, 0.5),
    voice_shown=(0.3, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0),
    voice_hidden=(1.0, -0.8, 0.0, 0.0, 0.7, 0.0, -0.7),
    body_shown=(0.3, 0.3, 0.0, 0.0),
    body_hidden=(-0.9, -0.7, 0.0, -0.5),
    hand_to_face=1.2,
)
"""A lab in which hiding moves voice and body by 1 to 2.5 widths of the default's priors, one way in all people."""


@dataclass(frozen=True, slots=True)
class LabelledStretch:
    """What the lab says of a stretch: start and end, seconds on the session clock, and the label."""

    onset_s: float
    offset_s: float
    label: str


@dataclass(frozen=True)
class LabSession:
    """A session of one person of the lab.

    Attributes:
        person: "p000", "p001" ...
        sex: One of `SEXES`; as all three, unrelated to anything.
        age_group: One of `AGES`.
        culture: One of `CULTURES`.
        session: Encodings and truth.
        stretches: The lab's labels, in order.
    """

    person: str
    sex: str
    age_group: str
    culture: str
    session: TokenSession
    stretches: tuple[LabelledStretch, ...]


def lab_sessions(
    people: int, seed: int = 0, effects: Effects = LOUD_LAB, seconds: float = 90.0
) -> Iterator[LabSession]:
    """Sessions of different people, one each; those in which nothing was asked are drawn again.

    Args:
        people: How many.
        seed: Labs of different seeds share nobody, up to 50,000 people each.
        effects: How strongly feelings show in this lab.
        seconds: Length of each session.
    """
    rng = np.random.default_rng([seed, 77])
    at, given = 10_000_000 + 50_000 * seed, 0
    while given < people:
        session = simulate_tokens(at, seconds, effects)
        at += 1
        stretches = labelled_stretches(session)
        if len(stretches) < 3:
            continue
        sex, age, culture = (str(rng.choice(kind)) for kind in (SEXES, AGES, CULTURES))
        yield LabSession(f"p{given:03d}", sex, age, culture, session, stretches)
        given += 1


def labelled_stretches(session: TokenSession) -> tuple[LabelledStretch, ...]:
    """From each question or stimulus to the next one, at most 8 s; stretches below 2 s are not labelled."""
    course = session.course
    onsets = [cue.onset_s for cue in course.cues]
    end_s = float(to_s(session.extent.end_ns))
    found = []
    for onset, following in zip(onsets, [*onsets, end_s][1:], strict=True):
        offset = min(following, onset + LONGEST_S, end_s)
        if offset - onset < LEAST_S:
            continue
        times = np.arange(onset, offset, 0.1)
        hidden = float(np.mean(course.felt_at(times) != course.shown_at(times))) >= HIDDEN_SHARE
        found.append(LabelledStretch(round(onset, 3), round(offset, 3), HIDDEN if hidden else OPEN))
    return tuple(found)


def write_lab(folder: Path, sessions: Iterable[LabSession], consent: Sequence[str] = ("analyse", "train")) -> Path:
    """Write a simulated lab as `telltale train` takes it.

    Args:
        folder: Gets `results/<session>`, as `analyze` leaves them without a page, `sessions/<session>/session.toml` and
            `labels.csv`.
        sessions: Whom it has.
        consent: What they agreed to.

    Returns:
        The table of labels.

    Raises:
        OSError: the folder cannot be written.
    """
    from pipeline.lab.results import write_result

    table = folder / "labels.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with table.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("session", "person", "onset_s", "offset_s", "label"))
        for one in sessions:
            name = f"s_{one.person}"
            own = [replace(encoding, person=one.person) for encoding in one.session.encodings]
            write_result(folder / "results" / name, name, {one.person: own}, one.session.extent)
            place = folder / "sessions" / name
            place.mkdir(parents=True, exist_ok=True)
            (place / "session.toml").write_text(_manifest(name, one, consent), encoding="utf-8")
            for stretch in one.stretches:
                lines.writerow((name, one.person, stretch.onset_s, stretch.offset_s, stretch.label))
    return table


def _manifest(name: str, one: LabSession, consent: Sequence[str]) -> str:
    scope = ", ".join(f'"{word}"' for word in consent)
    return (
        f'schema_version = 1\nname = "{name}"\npurpose = "simulation"\n\n[consent]\nscope = [{scope}]\n\n'
        f'[[people]]\nid = "{one.person}"\nsex = "{one.sex}"\nage_group = "{one.age_group}"\n'
        f'culture = "{one.culture}"\n\n[[streams]]\nname = "camera"\nkind = "face_rgb"\nfile = "face.mp4"\n'
    )
