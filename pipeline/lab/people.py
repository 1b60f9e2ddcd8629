"""Whom a model was trained on, in pseudonyms, so that a person who withdraws can be found in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.lab.sessions import Source


def trained_on(used: Sequence[Source], people: Sequence[str]) -> dict[str, Any]:
    """What the card says under `trained_on`: name of the study and pseudonyms of the people with labelled rows."""
    from pipeline.privacy.consent import trained_on as of_study

    studies, names = [], set()
    for root, own in _by_study(used, people).items():
        told = of_study(root, own)
        studies.append(str(told["study"]))
        names |= set(told["people"])
    return {"study": ", ".join(sorted(studies)), "people": sorted(names)}


def note_model(used: Sequence[Source], card: Path) -> None:
    """Remember where the model lies, so that `telltale forget` finds it."""
    from pipeline.privacy.keys import note_place

    for root in _by_study(used, []):
        note_place(root, "models", card)


def note_kept(used: Sequence[Source], folder: Path) -> None:
    """Remember a folder of what was computed of recordings: `telltale forget` points at it."""
    from pipeline.privacy.keys import note_place

    for root in _by_study(used, []):
        note_place(root, "exports", folder)


def note_work(used: Sequence[Source], work: Path) -> None:
    """Remember where an interrupted training leaves people's data; a key store that fails stops nobody's work."""
    from contextlib import suppress

    from data_schemas.errors import TelltaleError
    from pipeline.privacy.derived import WORK
    from pipeline.privacy.keys import note_place

    with suppress(OSError, TelltaleError):
        for root in _by_study(used, []):
            note_place(root, WORK, work)


def _by_study(used: Sequence[Source], people: Sequence[str]) -> dict[Path, list[str]]:
    from pipeline.privacy.keys import study_root

    found: dict[Path, list[str]] = {}
    for source in used:
        own = found.setdefault(study_root(source.root), [])
        own += [one.id for one in source.manifest.people if one.id in people and one.id not in own]
    return found
