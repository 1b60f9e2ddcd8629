"""Consent beyond one manifest: people who have withdrawn, and models that were trained with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from data_schemas.errors import ConsentError, TelltaleError
from data_schemas.session import Manifest
from data_schemas.weights import withdrawn
from pipeline.batch.layout import read_json, write_json
from pipeline.manifest import MANIFEST_NAME, load_manifest, require_consent
from pipeline.privacy import keys

if TYPE_CHECKING:
    from pipeline.config import Config

_CARD_BYTES = 20_000_000


class WithdrawnError(ConsentError):
    """Somebody in the session has withdrawn."""


def share_doubt(session: Path | None) -> tuple[Literal["yes", "no", "unknown"], str]:
    """Whether the people of a session agreed to what is made of it being handed on; and in words why not.

    Args:
        session: Its folder; None where it is not at hand.

    Returns:
        The answer, and a clause that names the manifest; "" for "yes".
    """
    if session is None:
        return "unknown", "the session folder is not at hand (--session DIR), so no consent to share could be looked up"
    path = session / MANIFEST_NAME
    try:
        require_consent(load_manifest(session), "share", path)
    except ConsentError as error:
        return "no", f"{error.what} ({path})"
    except TelltaleError as error:
        return "unknown", f"no consent to share could be looked up: {error.what} ({path})"
    except OSError as error:
        return "unknown", f"no consent to share could be looked up: {error.strerror} ({path})"
    return "yes", ""


def require_nobody_withdrawn(manifest: Manifest, path: Path, root: Path | None = None) -> None:
    """Return if nobody in the manifest has withdrawn from it, or from a folder that it lies in.

    Args:
        manifest: Of a session.
        path: Where it lies.
        root: Folder of the study, where the manifest does not lie in it.

    Raises:
        WithdrawnError: somebody has.
    """
    people = [one.id for one in manifest.people]
    places = [path] if root is None else [path, root]
    gone = sorted(set().union(*(keys.withdrawn_among(place, people) for place in places)))
    if gone:
        raise WithdrawnError(
            f"{', '.join(gone)} has withdrawn from this study",
            file=path,
            mend="Take them and their streams out of the manifest, or leave the session out.",
        )


def trained_on(root: Path, people: Sequence[str]) -> dict[str, Any]:
    """What a model's card says under `trained_on`: the pseudonyms of the people whose data it was trained with.

    Write it into the JSON card beside the weights, at its top or under `training`, and note the card with
    `keys.note_place(root, "models", card)`; `forget` then finds and marks the model.

    Args:
        root: Folder of the study.
        people: As the manifests name them.
    """
    return {"study": root.absolute().name, "people": sorted(set(keys.pseudonyms(root, people).values()))}


def people_of_card(card: dict[str, Any]) -> set[str]:
    """The pseudonyms that a card says it was trained on; empty where it says nothing."""
    for place in (card, card.get("training")):
        told = place.get("trained_on") if isinstance(place, dict) else None
        if isinstance(told, dict) and isinstance(told.get("people"), list):
            return {str(one) for one in told["people"]}
    return set()


def require_usable(weights: Path) -> None:
    """Return if a model may be used: none of the people it was trained with has withdrawn.

    Every loader of weights asks this through `data_schemas.weights.require_usable`.

    Args:
        weights: The weights; their card is the .json beside them.

    Raises:
        ConsentError: somebody has.
    """
    card = read_json(weights.with_suffix(".json"))
    people = people_of_card(card)
    if card.get("withdrawn") or (people and people & keys.revoked()):
        raise withdrawn(weights)


def weights_named(config: Config) -> Iterator[Path]:
    """The files of weights that settings name, wherever in them."""
    if config.fusion_weights is not None:
        yield config.fusion_weights
    for settings in config.settings.values():
        for value in settings.values():
            if isinstance(value, str | Path) and str(value).endswith(".safetensors"):
                yield Path(value)


def cards_with(name: str, folders: Sequence[Path], known: Sequence[Path] = ()) -> Iterator[Path]:
    """Cards of models that were trained with a person, below some folders and in known places.

    Args:
        name: The person's pseudonym.
        folders: Where to look.
        known: Cards, or weights beside their cards.
    """
    seen: set[Path] = set()
    beside = [path.with_suffix(".json") for path in known]
    for path in [*beside, *(one for folder in folders if folder.is_dir() for one in sorted(folder.rglob("*.json")))]:
        real = path.resolve()
        if real in seen or not path.is_file() or path.stat().st_size > _CARD_BYTES:
            continue
        seen.add(real)
        if name in people_of_card(read_json(path)):
            yield path


def mark(card: Path) -> None:
    """Say in a model's card that somebody it was trained with has withdrawn: it is refused from now on."""
    values = read_json(card)
    before = values.get("withdrawn") or {}
    told = {"since": before.get("since", dt.date.today().isoformat()), "people": int(before.get("people", 0)) + 1}
    write_json(card, {**values, "withdrawn": told}, mode=card.stat().st_mode & 0o777)
