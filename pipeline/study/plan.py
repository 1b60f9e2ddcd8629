"""Freezing an analysis before the labels are joined, and saying afterwards whether it was followed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from pipeline import __version__
from pipeline.study.roles import Roles
from pipeline.study.settings import Settings

PLAN_FILE = "study_plan.json"


def freeze(roles: Roles, settings: Settings, cues: list[str], inputs: dict[str, str], labelled: bool) -> dict[str, Any]:
    """An analysis as it is meant to be run, with date and hash.

    Args:
        roles: Which column is what.
        settings: Parameters.
        cues: Names of the cues.
        inputs: File name to SHA-256 at this time.
        labelled: Whether the labels are there already, so that nobody can say they were not seen.
    """
    analysis = {
        "roles": roles.as_dict(),
        "settings": settings.as_dict(),
        "cues": sorted(cues),
        "primary_outcome": "AUC of new people (and items) by permutation within the design, one-sided",
        "effects": "permutation within the design, max-T over all cues",
    }
    body = {
        "telltale_version": __version__,
        "frozen_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "labels_present_when_frozen": labelled,
        "inputs": inputs,
        "analysis": analysis,
    }
    return {**body, "hash": digest(body)}


def digest(body: dict[str, Any]) -> str:
    """SHA-256 of a plan without its own hash."""
    text = json.dumps({key: value for key, value in body.items() if key != "hash"}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_plan(plan: dict[str, Any], path: Path) -> None:
    """Write a plan; one that is there already is never replaced.

    Raises:
        InvalidValueError: there is one already.
        OSError: the folder cannot be written.
    """
    if path.exists():
        raise InvalidValueError(
            "there is a frozen plan already, and a plan is never replaced",
            file=path,
            mend="Keep it, or write another one with -o and say in the paper why.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plan, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def read_plan(path: Path) -> dict[str, Any]:
    """A plan from its file.

    Raises:
        MissingFileError: it does not exist.
        UnreadableFileError: it is no plan.
    """
    if not path.is_file():
        raise MissingFileError("there is no such plan", file=path, mend="telltale study plan writes one.")
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise UnreadableFileError("the plan is no JSON", file=path, got=str(error)) from error
    if not isinstance(plan, dict) or not {"hash", "frozen_at", "analysis"} <= set(plan):
        raise UnreadableFileError("the file is no plan of telltale study", file=path)
    return plan


def compare(plan: dict[str, Any], roles: Roles, settings: Settings, cues: list[str]) -> dict[str, Any]:
    """Whether an analysis follows a plan: `frozen`, `hash`, `frozen_at`, `intact`, `followed`, `departures`."""
    analysis = plan["analysis"]
    intact = digest(plan) == plan["hash"]
    departures = [] if intact else ["the plan was changed after it was frozen: its hash is not that of its content"]
    for what, frozen, now in (
        ("role", analysis.get("roles", {}), roles.as_dict()),
        ("setting", analysis.get("settings", {}), settings.as_dict()),
    ):
        departures += [
            f"{what} {name}: planned {frozen.get(name)!r}, used {value!r}"
            for name, value in now.items()
            if frozen.get(name) != value
        ]
    planned = set(analysis.get("cues", []))
    for word, names in (("added", set(cues) - planned), ("left out", planned - set(cues))):
        if names:
            departures.append(f"cues {word}: {', '.join(sorted(names)[:8])}{' ...' if len(names) > 8 else ''}")
    return {
        "frozen": True,
        "hash": plan["hash"],
        "frozen_at": plan["frozen_at"],
        "labels_present_when_frozen": plan.get("labels_present_when_frozen"),
        "intact": intact,
        "followed": not departures,
        "departures": departures,
    }


def plan_in_words(plan: dict[str, Any]) -> str:
    """What the report says of a plan."""
    if not plan.get("frozen"):
        return "No plan was frozen before this analysis: treat it as exploratory."
    text = f"The analysis was frozen on {plan['frozen_at']} (SHA-256 {plan['hash'][:16]}) and was "
    text += "followed." if plan["followed"] else f"not followed: {'; '.join(plan['departures'])}."
    if plan.get("labels_present_when_frozen"):
        text += " The labels were in the table already when it was frozen."
    return text
