"""The whole of `telltale train`: sessions and labels in, validated weights and their card out."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.errors import InvalidValueError, TelltaleError
from data_schemas.hook import Hook, silent
from data_schemas.threads import one_thread
from fusion.calibration import cannot_say_threshold
from fusion.checkpoint import DEFAULT, Checkpoint, load_checkpoint
from fusion.label_head import LabelHead, combine, together
from fusion.label_model import LabelSpec, save_label_model
from fusion.label_training import FittedHead, HeadPlan, fit_head
from pipeline import __version__
from pipeline.lab.dataset import ABOUT, LabStudy, PersonSession, build_study, read_people
from pipeline.lab.folds import MODEL, STATES_ALONE, WITHOUT, Protocol, Validated, validate
from pipeline.lab.labels import LabelTable
from pipeline.lab.people import note_model, note_work, trained_on
from pipeline.lab.scores import DRAWS, Scored, difference_row, draw_people, score_system, subgroup_rows
from pipeline.lab.sessions import Source, analysed

CHANCE = "chance"


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        name: Of the label's column.
        protocol: Folds and seeds.
        ablation: Also validate without each channel.
        base: Fusion weights to build on; the shipped ones by default.
        draws: Studies drawn anew for the intervals.
        jobs: Worker processes of one thread each.
    """

    name: str = "label"
    protocol: Protocol = field(default_factory=Protocol)
    ablation: bool = False
    base: Path | None = None
    draws: int = DRAWS
    jobs: int = 1


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        weights: Where the model lies.
        rows: One line per system: scores with intervals.
        differences: The model against each baseline.
        ablation: One line per channel left out; empty unless asked for.
        subgroups: Scores within sex, age group and culture.
        warnings: What a reader must know before the scores.
        headline: One sentence.
        failed: Session -> why it was not used.
        record: The JSON beside the weights.
    """

    weights: Path
    rows: Sequence[Mapping[str, Any]]
    differences: Sequence[Mapping[str, Any]]
    ablation: Sequence[Mapping[str, Any]]
    subgroups: Sequence[Mapping[str, Any]]
    warnings: Sequence[str]
    headline: str
    failed: Mapping[str, str]
    record: Mapping[str, Any]


def place_of(out: Path) -> Path:
    """The weights' file: OUT where it ends in .safetensors, else `model.safetensors` in the folder OUT.

    Raises:
        InvalidValueError: OUT is a folder named like weights, or a file that is none.
    """
    if out.suffix == ".safetensors":
        if out.is_dir():
            raise InvalidValueError("the place for the model is a folder", file=out, mend="Name a .safetensors file.")
        return out
    if out.is_file():
        raise InvalidValueError(
            "the model would replace a file that is no weights", file=out, mend="Name a folder or a .safetensors file."
        )
    return out / "model.safetensors"


def work_of(weights: Path) -> Path:
    """Folder of what an interrupted run left: analysed sessions and finished folds. It holds personal data."""
    return weights.with_suffix(".work")


def train(
    sources: Sequence[Source], table: LabelTable, out: Path, order: Order | None = None, hook: Hook = silent
) -> Trained:
    """Read, validate, fit on everybody, write.

    Args:
        sources: Sessions with consent to train.
        table: Their labels.
        out: Where the model goes; see `place_of`. A folder that is made for it is private to the user.
        order: Settings.
        hook: Progress.

    Raises:
        NothingUsableError: too little to train on.
        TelltaleError: the base weights cannot be read.
        OSError: the model cannot be written.
    """
    how = order or Order()
    LabelSpec(how.name, ("a", "b"), 1, 1.0)
    weights = place_of(out)
    base = load_checkpoint(how.base)
    failed: dict[str, str] = {}
    used: list[Source] = []
    work = work_of(weights)
    note_work(sources, work)
    for folder in (weights.parent, work):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        study = build_study(table, _people(sources, work, failed, used, hook), base.network, how.ablation)
    except TelltaleError:
        if not any(work.iterdir()):
            work.rmdir()
        raise
    with one_thread():
        found = validate(study, how.protocol, work / "folds", _hash(how.base or DEFAULT), hook, how.jobs)
        members = fit_on_all(study, how.protocol, hook)
    return finish(study, found, members, base, used, weights, how, table, failed)


def _people(
    sources: Sequence[Source], work: Path, failed: dict[str, str], used: list[Source], hook: Hook
) -> Iterator[PersonSession]:
    for source, why in analysed(sources, work, hook):
        if why or source.result is None:
            failed[source.name] = why
            continue
        about = {one.id: {name: getattr(one, name) for name in ABOUT} for one in source.manifest.people}
        try:
            people = list(read_people(source.result, source.name, about))
        except TelltaleError as error:
            failed[source.name] = str(error)
            continue
        used.append(source)
        yield from people


def fit_on_all(study: LabStudy, protocol: Protocol, hook: Hook = silent) -> list[FittedHead]:
    """One head per seed on everybody, all with the reading that is best over the seeds."""
    k = len(study.classes)
    first = []
    for seed in range(protocol.seeds):
        first.append(fit_head(study.rows, k, protocol.head, seed))
        hook("final", seed + 1, protocol.seeds)
    readings = sorted({one.reading for one in first})
    tried = {
        reading: [
            one if one.reading == reading else fit_head(study.rows, k, fixed(protocol.head, reading), seed)
            for seed, one in enumerate(first)
        ]
        for reading in readings
    }
    return min(tried.values(), key=lambda heads: float(np.mean([one.losses[one.reading] for one in heads])))


def fixed(plan: HeadPlan, reading: str) -> HeadPlan:
    """The same plan with the blocks of a reading and no choice."""
    return replace(plan, blocks=tuple(reading.split(" + ")), choose=False)


def finish(
    study: LabStudy, found: Validated, members: Sequence[FittedHead], base: Checkpoint, used: Sequence[Source],
    weights: Path, how: Order, table: LabelTable, failed: Mapping[str, str],
) -> Trained:  # fmt: skip
    """Score, decide when nothing can be said, and write weights, record and card."""
    from pipeline.lab.card import write_lab_card

    label, person, positive = study.rows.label, study.rows.person, study.positive
    drawn = draw_people(person, how.draws)
    scored = {name: score_system(name, deals, label, positive, drawn) for name, deals in found.by_seed.items()}
    names = sorted(scored, key=lambda name: (name not in (MODEL, STATES_ALONE), name == STATES_ALONE))
    main = [scored[name].row for name in names if not name.startswith(WITHOUT)]
    differences = [
        difference_row(scored[MODEL], scored[name]) for name in names if name != MODEL and not name.startswith(WITHOUT)
    ]
    ablation = [_lost(scored[MODEL], scored[name]) for name in names if name.startswith(WITHOUT)]
    groups = {name: np.array([study.about[one].get(name, "") for one in person]) for name in ABOUT}
    subgroups = subgroup_rows(found.by_seed[MODEL], label, person, positive, groups)
    band = main[0]["auc_ci95"]
    usable = band is not None and band[0] > 0.5
    head = together([one.head for one in members])
    spec = LabelSpec(
        how.name, study.classes, positive, study.length_s, _threshold(members, head, study), usable
    )  # fmt: skip
    notes, headline = _warn(study, main, differences, usable), _headline(main[0], usable)
    about = {
        "column": table.column,
        "data": _data(study, used, failed, table),
        "protocol": _protocol(how, members, found),
        "figures": {"systems": main, "differences": differences, "ablation": ablation, "subgroups": subgroups},
        "headline": headline,
        "warnings": notes,
        "limits": limits(study),
        "base": {"name": base.name, "trained_on": base.training.get("data", "not stated")},
        "made": {"date": dt.date.today().isoformat(), "telltale_version": __version__},
        "trained_on": trained_on(used, study.people),
    }
    record = save_label_model(base, head, spec, about, weights)
    write_lab_card(record, weights.with_suffix(".md"))
    note_model(used, weights.with_suffix(".json"))
    return Trained(weights, main, differences, ablation, subgroups, notes, headline, failed, record)


def _lost(whole: Scored, thinner: Scored) -> dict[str, Any]:
    told = difference_row(whole, thinner)
    return {"without": told.pop("against").removeprefix(WITHOUT), "auc": thinner.row["auc"], **told}


def _threshold(members: Sequence[FittedHead], head: LabelHead, study: LabStudy) -> float:
    """Uncertainty from which people left out are told wrong more often than right, over the members of all seeds."""
    from scipy.special import softmax

    said = softmax(np.stack([one.left_out for one in members]) / head.temperature, axis=-1)
    answer = combine(said)
    return cannot_say_threshold(answer.uncertainty, answer.probability.argmax(axis=1) == study.rows.label)


def _headline(row: Mapping[str, Any], usable: bool) -> str:
    if row["auc_ci95"] is None:
        return "No interval could be computed for the model: too few people."
    band = "{:.2f} to {:.2f}".format(*row["auc_ci95"])
    if not usable:
        return f"{CHANCE.capitalize()}: people left out are told with an AUC of {row['auc']:.2f} (95 % {band})."
    return f"People left out are told with an AUC of {row['auc']:.2f} (95 % {band})."


def _warn(
    study: LabStudy, rows: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]], usable: bool
) -> list[str]:
    """What must be read before the scores."""
    notes = []
    if not usable:
        notes.append("The label was not told from chance; the model's column says cannot_say throughout.")
    model = rows[0]["auc"]
    by_name = {row["system"]: row for row in rows}
    for name in ("nuisance only", "identity only"):
        other = by_name.get(name, {}).get("auc")
        if model is not None and other is not None and other >= model:
            notes.append(f"{name.capitalize()} tells the label as well as the model does (AUC {other:.2f}).")
    context = by_name.get("context alone", {}).get("auc")
    if model is not None and context is not None and usable and context >= model - 0.01:
        notes.append(
            f"The cues alone tell the label as well as the model (AUC {context:.2f}): what was asked may decide it."
        )
    unclear = [
        one["against"] for one in differences
        if one["against"] not in ("majority", "identity only") and one["ci95"] is not None and one["ci95"][0] <= 0
    ]  # fmt: skip
    if usable and unclear:
        notes.append(f"Not clearly better than: {', '.join(unclear)}.")
    counts = np.bincount(study.rows.person)
    if counts.max() > 0.3 * len(study.rows):
        notes.append(f"One person gives {counts.max() / len(study.rows):.0%} of all rows.")
    both = sum(len(np.unique(study.rows.label[study.rows.person == p])) > 1 for p in range(len(study.people)))
    if both < 0.5 * len(study.people):
        notes.append(f"Only {both} of {len(study.people)} people have rows of more than one class.")
    return notes


def _data(study: LabStudy, used: Sequence[Source], failed: Mapping[str, str], table: LabelTable) -> dict[str, Any]:
    label = study.rows.label
    return {
        "people": len(study.people),
        "sessions": len({*study.sessions}),
        "rows": len(study.rows),
        "rows_per_class": {word: int((label == at).sum()) for at, word in enumerate(study.classes)},
        "median_length_s": study.length_s,
        "labels": table.file.name,
        "lines_without_label": table.unlabelled,
        "lines_without_session": len(study.unmatched),
        "sessions_not_used": len(failed),
        "consent": "train, by the manifest of each session",
        "purposes": sorted({one.manifest.purpose for one in used if one.manifest.purpose}),
    }


def _protocol(how: Order, members: Sequence[FittedHead], found: Validated) -> dict[str, Any]:
    plan: HeadPlan = how.protocol.head
    readings = [str(one["reading"]) for one in found.choices]
    return {
        "outer": f"{how.protocol.folds} folds of people, {how.protocol.seeds} seeds",
        "inner": f"{plan.parts} parts of the training people: what is read, penalty and early stopping chosen there",
        "readings_chosen": {name: readings.count(name) for name in sorted(set(readings))},
        "classes": "alike in fitting; the lab's own shares come back as a prior; one temperature",
        "channels": "rows with random channels left out join the fitting",
        "final": f"reads {members[0].reading}; {how.protocol.seeds} x {plan.parts} members",
        "penalties": [one.penalty for one in members],
        "passes": [list(one.epochs) for one in members],
        "choices": [dict(one) for one in found.choices],
        "intervals": f"95 %, {how.draws} studies of people drawn anew; AUC within folds, mean over seeds",
    }


def limits(study: LabStudy) -> list[str]:
    """What the model cannot do, in sentences."""
    said = [
        "It says what this lab's labels would say, of people like these in sessions like these; elsewhere it must be "
        "tested anew.",
        "A label is what somebody noted. Where labels follow from what was asked, the model may read the question.",
        f"Each moment is judged by the {study.length_s:g} s around it, the median length of the labelled stretches.",
        "Nothing here detects lies, and nothing is for decisions about a person.",
    ]
    if len(study.people) < 30:
        said.append(f"{len(study.people)} people are few: intervals are wide, and subgroups say next to nothing.")
    if all(not any(one.values()) for one in study.about):
        said.append("The manifests name no sex, age group or culture, so subgroups could not be looked at.")
    return said


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
