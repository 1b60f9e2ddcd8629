"""Withdrawing a person: derived traces go, recordings are listed, models are marked, and a search proves it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_schemas.errors import MissingFileError
from data_schemas.session import Manifest
from pipeline.batch.layout import OURS, Layout, read_json, write_json
from pipeline.batch.lock import held
from pipeline.catalogue.build import build_catalogue
from pipeline.catalogue.schema import DATABASE, PARQUET
from pipeline.interaction_files import NAMES as OF_SEVERAL
from pipeline.outcome import FILES, OF_PAGE
from pipeline.privacy import audit, consent, keys
from pipeline.privacy.derived import Derived, derived_of, search
from pipeline.privacy.known import Keys, known_keys
from pipeline.privacy.prune import finish_pruning, prune
from pipeline.privacy.scope import Found, Scope, results_of
from pipeline.privacy.traces import Trace, names, traces, word
from pipeline.report.page import drop_folder


@dataclass(frozen=True)
class Line:
    """One thing that was, or would be, done.

    Attributes:
        what: "result", "cache", "state", "catalogue", "report", "clocks", "work", "key", "model", "recording",
            "manifest", "export", "trace", "search".
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
        remaining: Traces that are, or would be, still there, which somebody must look at.
        models: Models that must be trained again.
    """

    lines: tuple[Line, ...]
    remaining: int
    models: int


def forget(person: str, study: Path, results: Sequence[Path] = (), dry_run: bool = False) -> Report:
    """Withdraw a person from a study: the folder, table or session that is named, with all below it, and no other.

    Results, finished steps and the catalogue lose all that was derived from them; a session that others are in keeps
    the others' part. Reports of studies and clocks, and unfinished trainings, that were made with them go. Their key
    is deleted, so that the audit log no longer says who they were. Models trained with them are marked and refused.
    Recordings and manifests are listed and not touched. At the end all results are searched for the person's name.
    Interrupted at any moment, the same call goes on and comes to the same end.

    Args:
        person: As the manifests name them.
        study: The study, a session of it, or a folder of results of it.
        results: Further folders of results; those that `batch` and `analyze` of this user wrote are known.
        dry_run: List only, the same lines.

    Raises:
        MissingFileError: there is no such study, or nothing of this person in it.
        BusyError: a batch is at work.
    """
    if not study.exists():
        raise MissingFileError("no such study", file=study)
    scope = Scope.of(study)
    if not dry_run:
        _finish_interrupted((study, *results, *keys.every_place("results")))
    found = results_of(scope, study, results)
    told = known_keys(scope, person)
    sessions = scope.with_person(person)
    if not (told.known or sessions or any(person in _people_in(one) for one in found)):
        raise MissingFileError(
            f"nothing of '{person}' is in this study", file=study,
            mend="Name the person as the manifests do, and further folders of results with --results.",
        )  # fmt: skip
    outs = [one.out for one in found]
    gone: set[Path] = set()
    others = derived_of(scope, told, sessions, person)
    lines = list(_models(told, scope, outs, dry_run))
    lines += list(_derived(others, gone, dry_run))
    if not dry_run:  # first of all: whatever happens from here on, the person is not analysed again
        for place in dict.fromkeys((scope.root, *(sessions if scope.root.is_file() else ()))):
            keys.withdraw(place, person)
        for root in told.own.values():
            keys.revoke(root, person)
    for one in found:
        if one.of_batch:
            with held(Layout(one.out).inner / "lock"):
                lines += _from_batch(one, person, sessions, gone, dry_run)
        else:
            lines += _from_single(one, person, sessions, gone, dry_run)
    lines += list(_recordings(person, sessions))
    lines += list(_exports(told, scope, person))
    if not dry_run:
        name = next(iter(told.own), None)
        audit.record("forget", scope.base, {}, person=name, removed=sum(line.action == "removed" for line in lines))
    lines.append(Line("key", "key store", "deleted", "the audit log no longer says who this was"))
    for root in told.shared.values():
        lines.append(Line("key", str(root), "left as it is", f"'{person}' is also in other sessions below this folder"))
    searched = dict(search(others, person, gone))
    searched |= {one.out: [trace for trace in _search(one, person) if not _within(trace.file, gone)] for one in found}
    lines += [
        Line("trace", str(trace.file), "look at it", f"{trace.what} still names the person")
        for left in searched.values() for trace in left
    ]  # fmt: skip
    for out, left in searched.items():
        note = f"{len(left)} traces" if left else "no trace of the person"
        lines.append(Line("search", str(out), "look at it" if left else "nothing found", note))
    remaining = sum(len(left) for left in searched.values())
    return Report(tuple(lines), remaining, sum(line.action == "retrain" for line in lines))


def _finish_interrupted(places: Sequence[Path]) -> None:
    """Go on where an earlier call was stopped in the middle of a result; those of a batch follow under its lock."""
    for place in dict.fromkeys(places):
        for result in (place, *place.glob("*/")):
            if not Layout(result).inner.is_dir() and not Layout(result.parent).inner.is_dir():
                finish_pruning(result)


def _derived(others: Sequence[Derived], gone: set[Path], dry_run: bool) -> Iterator[Line]:
    """Reports of studies and clocks, and unfinished trainings."""
    for one in others:
        if one.goes and one.shared:
            yield Line(one.what, str(one.place), "look at it", one.note)
        elif one.goes:
            if dry_run:
                gone |= {*one.parts()}
            else:
                one.remove()
            yield Line(one.what, str(one.place), "removed", one.note)


def _people_in(found: Found) -> set[str]:
    """Whom the results of the study show."""
    if not found.of_batch:
        return {str(one) for one in read_json(found.out / "result.json").get("people", [])}
    states = Layout(found.out).states()
    records = [read_json(found.out / name / "result.json") for name in found.sessions]
    return {str(one) for record in records for one in record.get("people", [])}.union(
        *(states[name].people for name in found.sessions if name in states)
    )


def _search(found: Found, person: str) -> list[Trace]:
    """What still names the person in results of the study; what else lies in the same folder is not of it."""
    if found.whole:
        return traces(found.out, person) if found.out.exists() else []
    layout = Layout(found.out)
    places = [place for name in found.sessions for place in (layout.root / name, layout.cache_of(name))]
    return [one for place in places if place.is_dir() for one in traces(place, person)]


def _within(path: Path, gone: set[Path]) -> bool:
    """Whether a dry run has listed a file as one that would be removed or written anew."""
    return any(one in gone for one in (path, *path.parents))


def _from_batch(
    found: Found, person: str, manifests: Mapping[Path, tuple[Path, Manifest]], gone: set[Path], dry_run: bool
) -> Iterator[Line]:
    layout = Layout(found.out)
    states = layout.states()
    touched = False
    if not dry_run and (layout.inner / "work").is_dir():
        layout.clean()
    if not dry_run:
        for session in found.sessions:
            finish_pruning(layout.root / session)
    for session, where in sorted(found.sessions.items()):
        result, state = layout.root / session, states.get(session)
        people = {*read_json(result / "result.json").get("people", []), *(state.people if state else ())}
        manifest = None if where is None or where not in manifests else manifests[where][1]
        if manifest is not None:
            people |= {one.id for one in manifest.people}
        if person not in people:
            continue
        touched = True
        stays = layout.is_done(session)
        for what, place in (("cache", layout.cache_of(session)), ("result", result)):
            if place.is_dir():
                action, note = _drop(place, person, what, len(people) > 1, manifest, dry_run)
                stays = stays and (what != "result" or action == "rewritten")
                if dry_run:
                    gone.add(place)
                yield Line(what, str(place), action, note)
        file = layout.inner / "state" / f"{session}.json"
        if state is None:
            continue
        if dry_run:
            gone.add(file)
        elif stays:
            others = tuple(one for one in state.people if one != person)
            layout.note(replace(state, people=others, reason="", took_s=0.0))
        else:
            file.unlink(missing_ok=True)
        if not stays:
            yield Line("state", str(file), "removed")
    tables = [name for name in (PARQUET, DATABASE) if (layout.root / name).is_file()]
    if touched or (found.whole and any(names(layout.root / name, person) for name in tables)):
        if dry_run:
            gone |= {layout.root / name for name in tables} | {layout.inner / "labels.json", layout.inner / "slurm"}
            gone.add(layout.inner / "work")
        else:
            _drop_labels(layout, person, found)
            shutil.rmtree(layout.inner / "slurm", ignore_errors=True)
            build_catalogue(layout)
        for name in tables:
            yield Line("catalogue", str(layout.root / name), "rewritten", "without the person's rows")


def _drop_labels(layout: Layout, person: str, found: Found) -> None:
    """Keep what the study's table says of sessions that are still there, except where it names the person."""
    file = layout.inner / "labels.json"
    kept = {
        session: {
            key: value
            for key, value in values.items()
            if session not in found.sessions or not word(person).search(f"{key} {value}")
        }
        for session, values in read_json(file).items()
        if layout.is_done(session)
    }
    if file.exists():
        write_json(file, kept)


def _drop(
    place: Path, person: str, what: str, shared: bool, manifest: Manifest | None, dry_run: bool
) -> tuple[str, str]:
    """Take a result or cache away, or the person out of it; action and note."""
    note = ""
    if what == "result" and shared and (place / "result.json").is_file():
        if prune(place, person, manifest, dry_run):
            return "rewritten", "the others' part stays"
        note = "others were in it too, and the person could not be taken out of it"
    if not dry_run:
        for path in place.iterdir():  # first all that it would not be found again without
            if path.name != "result.json":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(place)
    return "removed", note


def _from_single(
    found: Found, person: str, manifests: Mapping[Path, tuple[Path, Manifest]], gone: set[Path], dry_run: bool
) -> Iterator[Line]:
    """A folder that `analyze` wrote."""
    out = found.out
    record = read_json(out / "result.json")
    people = record.get("people", [])
    if person not in people:
        return
    if len(people) > 1:
        (where,) = found.sessions.values()
        by_name = next((m for _, m in manifests.values() if m.name == record.get("session")), None)
        manifest = by_name if where is None or where not in manifests else manifests[where][1]
        yield Line("result", str(out), *_drop(out, person, "result", True, manifest, dry_run))
        gone |= {out} if dry_run else set()
    else:
        if dry_run:
            gone |= {out / name for name in OURS}
        else:
            drop_folder(out / OF_PAGE)
            for name in (*OF_SEVERAL, *FILES):
                (out / name).unlink(missing_ok=True)
            if not any(out.iterdir()):
                out.rmdir()
        yield Line("result", str(out), "removed")
    if not dry_run and not (out / "result.json").is_file():
        keys.drop_place("results", out)


def _models(told: Keys, scope: Scope, outs: Sequence[Path], dry_run: bool) -> Iterator[Line]:
    for name, root in told.own.items():
        for card in consent.cards_with(name, [scope.base, *outs], keys.places(root, "models")):
            if not dry_run:
                consent.mark(card)
            yield Line("model", str(card), "retrain", "trained with the person; marked, and refused from now on")
    for name, root in told.shared.items():
        for card in consent.cards_with(name, [scope.base, *outs], keys.places(root, "models")):
            yield Line(
                "model", str(card), "look at it", "trained with the person, here or in another session of theirs"
            )


def _exports(told: Keys, scope: Scope, person: str) -> Iterator[Line]:
    """What was written to give away and is still there: whoever has a copy must be told."""
    roots = dict.fromkeys((scope.root, *told.roots))
    for place in dict.fromkeys(place for root in roots for place in keys.places(root, "exports")):
        if place.exists():
            note = "names the person" if names(place, person) else "may hold the person's data"
            yield Line("export", str(place), "look at it", note)


def _recordings(person: str, manifests: Mapping[Path, tuple[Path, Manifest]]) -> Iterator[Line]:
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
