"""Whose data a recogniser may be trained with, where samples are a table of their own: a study's manifests say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_schemas.errors import ConsentError, MissingFileError, NothingUsableError
from pipeline.lab.people import note_kept, note_model, trained_on
from pipeline.lab.sessions import Source

UNKNOWN = {"study": "unknown", "people": "unknown"}
"""What a card says under `trained_on` where no study was named."""


@dataclass(frozen=True)
class Trainees:
    """The people of some samples.

    Attributes:
        people: Those who agreed to training, as manifests and samples name them.
        refused: Who did not -> why.
        sessions: The sessions of those who did.
    """

    people: tuple[str, ...]
    refused: dict[str, str]
    sessions: tuple[Source, ...]

    def card(self) -> dict[str, Any]:
        """What the model's card says under `trained_on`."""
        return trained_on(self.sessions, self.people)

    def note(self, weights: Path, kept: Path | None = None) -> None:
        """Remember the model, so that `telltale forget` finds, marks and refuses it.

        Args:
            weights: The model.
            kept: Folder in which what was computed of the people's recordings is kept; `forget` points at it.
        """
        note_model(self.sessions, weights.with_suffix(".json"))
        if kept is not None:
            note_kept(self.sessions, kept)

    def aliases(self) -> dict[str, str]:
        """The pseudonym of everybody who agreed."""
        return {one: str(trained_on(self.sessions, [one])["people"][0]) for one in self.people}


def find_trainees(study: Path, subjects: Iterable[str]) -> Trainees:
    """Who of some people agreed to training, by all manifests that name them.

    Nobody can tell from which session a sample is, so that consent is needed in each of a person's sessions.

    Args:
        study: A folder of sessions or manifests, a table of them, a session, or results of one of these.
        subjects: The people of the samples.

    Raises:
        MissingFileError: no such study.
        NothingUsableError: nobody agreed; the message says why.
    """
    from pipeline.manifest import require_consent
    from pipeline.privacy import keys
    from pipeline.privacy.scope import Scope

    if not study.exists():
        raise MissingFileError("no such study", file=study)
    scope = Scope.of(study)
    people: list[str] = []
    refused: dict[str, str] = {}
    used: dict[Path, Source] = {}
    for person in dict.fromkeys(subjects):
        own = scope.with_person(person)
        if not own:
            refused[person] = "no manifest of the study names them"
            continue
        try:
            for path, manifest in own.values():
                require_consent(manifest, "train", path)
        except ConsentError as error:
            refused[person] = str(error)
            continue
        if any(keys.is_withdrawn(place, person) for place in (scope.root, *own)):
            refused[person] = "they have withdrawn from this study"
            continue
        people.append(person)
        used |= {place: Source(place.stem, manifest, place) for place, (_, manifest) in own.items()}
    if not people:
        told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:3])
        raise NothingUsableError("nobody in the samples may be trained on", file=study, got=told)
    return Trainees(tuple(people), refused, tuple(used.values()))


def begin_training(
    what: str, data: Path, subjects: Iterable[str], study: Path | None, say: Callable[[str], None]
) -> Trainees | None:
    """Who may be trained with, said and noted in the audit log before it is done.

    Args:
        what: The command.
        data: The samples.
        subjects: Their people.
        study: Whose manifests give consent; None where none is named.
        say: Messages to the user.

    Returns:
        None without a study.

    Raises:
        TelltaleError: see `find_trainees`.
    """
    from pipeline.privacy import keys, records

    if study is None:
        records.begin(what, (data if data.is_dir() else data.parent).absolute(), {}, None, say)
        say("Without --study the model's people are unknown to Telltale: a withdrawal will not find this model.")
        return None
    found = find_trainees(study, subjects)
    for person, why in found.refused.items():
        say(f"{person} is not used: {why}")
    roots: dict[Path, dict[str, list[str]]] = {}
    for one in found.sessions:
        own = [person.id for person in one.manifest.people if person.id in found.people]
        roots.setdefault(keys.study_root(one.root), {})[one.name] = own
    for root, sessions in roots.items():
        records.begin(what, root, sessions, None, say)
    return found
