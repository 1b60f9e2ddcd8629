"""Withdrawing a person: derived traces go, recordings are listed, models are marked, and a search proves it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_schemas.errors import MissingFileError, TelltaleError
from data_schemas.session import Manifest
from pipeline.batch.discovery import find_sessions
from pipeline.batch.layout import Layout, read_json, write_json
from pipeline.batch.lock import held
from pipeline.catalogue.build import build_catalogue
from pipeline.catalogue.schema import DATABASE, PARQUET
from pipeline.interaction_files import NAMES as OF_SEVERAL
from pipeline.manifest import load_manifest
from pipeline.outcome import FILES
from pipeline.privacy import audit, consent, keys
from pipeline.privacy.prune import prune
from pipeline.privacy.traces import names, traces, word


@dataclass(frozen=True)
class Line:
    """One thing that was, or would be, done.

    Attributes:
        what: "result", "cache", "state", "catalogue", "key", "model", "recording", "manifest", "export", "trace",
            "search".
        where: File or folder.
        action: "removed", "rewritten", "deleted", "retrain", "left as it is", "look at it", "nothing found".
        note: One line.
    """

    what: str
    where: str
    action: str
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What `forget` did.

    Attributes:
        lines: In order.
        remaining: Traces that are still there, which a person must look at.
        models: Models that must be trained again.
    """

    lines: tuple[Line, ...]
    remaining: int
    models: int


def forget(person: str, study: Path, results: Sequence[Path] = (), dry_run: bool = False) -> Report:
    """Withdraw a person from a study.

    Results, finished steps and the catalogue lose all that was derived from them; a session that others are in keeps
    the others' part. Their key is deleted, so that the audit log no longer says who they were. Models trained with
    them are marked and refused. Recordings and manifests are listed and not touched. At the end all results are
    searched for the person's name.

    Args:
        person: As the manifests name them.
        study: The study, or a folder of results of it.
        results: Further folders of results; those that `batch` and `analyze` of this user wrote are known.
        dry_run: List only.

    Raises:
        MissingFileError: there is no such study, or nothing of this person in it.
        BusyError: a batch is at work.
    """
    if not study.exists():
        raise MissingFileError("no such study", file=study)
    root = _root(study)
    manifests = dict(_manifests(root, person))
    outs = _outs(study, root, results)
    base = _base(root)
    name = keys.known_pseudonym(base, person)
    known = name is not None or keys.is_withdrawn(base, person) or bool(manifests)
    if not known and not any(person in _people_in(out) for out in outs):
        raise MissingFileError(
            f"nothing of '{person}' is in this study", file=study,
            mend="Name the person as the manifests do, and further folders of results with --results.",
        )  # fmt: skip
    lines = list(_models(name, root, outs, dry_run))
    if not dry_run:  # first of all: whatever happens from here on, the person is not analysed again
        keys.withdraw(base, person)
    for out in outs:
        layout = Layout(out)
        if layout.inner.is_dir():
            with held(layout.inner / "lock"):
                lines += _from_batch(layout, person, manifests, dry_run)
        else:
            lines += _from_single(out, person, manifests, root, dry_run)
    lines += list(_recordings(person, manifests))
    lines += list(_exports(base, person))
    if dry_run:
        return Report(tuple(lines), 0, sum(line.what == "model" for line in lines))
    audit.record("forget", base, {}, person=name, removed=sum(line.action == "removed" for line in lines))
    lines.append(Line("key", "key store", "deleted", "the audit log no longer says who this was"))
    left = [(out, one) for out in outs if out.exists() for one in traces(out, person)]
    lines += [Line("trace", str(one.file), "look at it", f"{one.what} still names the person") for _, one in left]
    for out in outs:
        mine = sum(which == out for which, _ in left)
        note = f"{mine} traces" if mine else "no trace of the person"
        lines.append(Line("search", str(out), "look at it" if mine else "nothing found", note))
    return Report(tuple(lines), len(left), sum(line.what == "model" for line in lines))


def _people_in(out: Path) -> set[str]:
    """Whom the results in a folder show."""
    records = [read_json(path) for path in (out / "result.json", *out.glob("*/result.json"))]
    states = Layout(out).states().values()
    return {str(one) for record in records for one in record.get("people", [])}.union(*(one.people for one in states))


def _root(study: Path) -> Path:
    """The study itself, where a folder of its results was given."""
    found = Layout(study).study if study.is_dir() else None
    return study.absolute() if found is None else found


def _base(root: Path) -> Path:
    """The folder that the study's keys belong to."""
    return root if root.is_dir() or not root.exists() else root.parent


def _manifests(root: Path, person: str) -> Iterator[tuple[str, tuple[Path, Manifest]]]:
    """The sessions that list the person, by name."""
    try:
        found = find_sessions(root)
    except TelltaleError:  # the recordings are gone already
        return
    for place in found:
        try:
            manifest = load_manifest(place.manifest)
        except (TelltaleError, OSError):
            continue
        if person in [one.id for one in manifest.people]:
            yield place.name, (place.manifest, manifest)


def _outs(study: Path, root: Path, results: Sequence[Path]) -> list[Path]:
    """All folders of results: given, known, and within the study."""
    found = [*results, *keys.places(_base(root), "results")]
    if study.is_dir() and (Layout(study).inner / "study.json").is_file():
        found.append(study)
    if root.is_dir():
        found += [path.parent.parent for path in root.rglob(".telltale/study.json")]
    for out in results:
        if not out.is_dir():
            raise MissingFileError("no such folder of results", file=out)
    return list(dict.fromkeys(path.absolute() for path in found if path.is_dir()))


def _from_batch(
    layout: Layout, person: str, manifests: dict[str, tuple[Path, Manifest]], dry_run: bool
) -> Iterator[Line]:
    states = layout.states()
    touched = False
    if not dry_run and (layout.inner / "work").is_dir():
        layout.clean()
    for session in sorted({*states, *(path.name for path in layout.root.iterdir() if path.is_dir())} - {".telltale"}):
        result, state = layout.root / session, states.get(session)
        people = {*read_json(result / "result.json").get("people", []), *(state.people if state else ())}
        if session in manifests:
            people |= {one.id for one in manifests[session][1].people}
        if person not in people:
            continue
        touched = True
        for what, place in (("cache", layout.cache_of(session)), ("result", result)):
            if place.is_dir():
                manifest = manifests[session][1] if session in manifests else None
                yield Line(what, str(place), *_drop(place, person, what, len(people) > 1, manifest, dry_run))
        file = layout.inner / "state" / f"{session}.json"
        if state is None or dry_run:
            continue
        if layout.is_done(session):
            others = tuple(one for one in state.people if one != person)
            layout.note(replace(state, people=others, reason="", took_s=0.0))
        else:
            file.unlink(missing_ok=True)
            yield Line("state", str(file), "removed")
    if touched:
        names = [name for name in (PARQUET, DATABASE) if (layout.root / name).is_file()]
        if not dry_run:
            _drop_labels(layout, person)
            shutil.rmtree(layout.inner / "slurm", ignore_errors=True)
            build_catalogue(layout)
        for name in names:
            yield Line("catalogue", str(layout.root / name), "rewritten", "without the person's rows")


def _drop_labels(layout: Layout, person: str) -> None:
    """Keep what the study's table says of sessions that are still there, except where it names the person."""
    file = layout.inner / "labels.json"
    kept = {
        session: {key: value for key, value in values.items() if not word(person).search(f"{key} {value}")}
        for session, values in read_json(file).items()
        if layout.is_done(session)
    }
    if file.exists():
        write_json(file, kept)


def _drop(
    place: Path, person: str, what: str, shared: bool, manifest: Manifest | None, dry_run: bool
) -> tuple[str, str]:
    """Take a result or cache away, or the person out of it; action and note."""
    if what == "result" and shared and not dry_run and (place / "result.json").is_file():
        if prune(place, person, manifest):
            return "rewritten", "the others' part stays"
        shutil.rmtree(place)
        return "removed", "others were in it too, and the person could not be taken out of it"
    if what == "result" and shared and dry_run:
        return "rewritten", "the others' part stays, where that can be done"
    if not dry_run:
        shutil.rmtree(place)
    return "removed", ""


def _from_single(
    out: Path, person: str, manifests: dict[str, tuple[Path, Manifest]], root: Path, dry_run: bool
) -> Iterator[Line]:
    """A folder that `analyze` wrote."""
    record = read_json(out / "result.json")
    people = record.get("people", [])
    if person not in people:
        return
    if len(people) > 1:
        manifest = next((m for _, m in manifests.values() if m.name == record.get("session")), None)
        yield Line("result", str(out), *_drop(out, person, "result", True, manifest, dry_run))
    else:
        if not dry_run:
            for name in (*FILES, *OF_SEVERAL):
                (out / name).unlink(missing_ok=True)
            if not any(out.iterdir()):
                out.rmdir()
        yield Line("result", str(out), "removed")
    if not dry_run and not (out / "result.json").is_file():
        keys.drop_place(_base(root), "results", out)


def _models(name: str | None, root: Path, outs: Sequence[Path], dry_run: bool) -> Iterator[Line]:
    if name is None:
        return
    base = _base(root)
    for card in consent.cards_with(name, [base, *outs], keys.places(base, "models")):
        if not dry_run:
            consent.mark(card)
        yield Line("model", str(card), "retrain", "trained with the person; marked, and refused from now on")


def _exports(base: Path, person: str) -> Iterator[Line]:
    """What was written to give away and is still there: whoever has a copy must be told."""
    for place in keys.places(base, "exports"):
        if place.exists():
            note = "names the person" if names(place, person) else "may hold the person's data"
            yield Line("export", str(place), "look at it", note)


def _recordings(person: str, manifests: dict[str, tuple[Path, Manifest]]) -> Iterator[Line]:
    for path, manifest in manifests.values():
        yield Line("manifest", str(path), "left as it is", f"take {person} and their streams out of it")
        for entry in manifest.streams:
            shown = {*(entry.people or ()), *([manifest.person_of(entry)] if manifest.person_of(entry) else [])}
            if person not in shown and not (len(manifest.people) > 1 and not shown and entry.kind == "sync_audio"):
                continue
            others = sorted(shown - {person})
            note = f"shared with {', '.join(others)}" if others else "of this person alone"
            for file in entry.paths:
                yield Line("recording", str(path.parent / file), "left as it is", f"{entry.kind}, {note}")
