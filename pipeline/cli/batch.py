"""Commands over many sessions: batch, query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli.terminal import counted, only_given, quoted, say, show_object, show_table

if TYPE_CHECKING:
    from pipeline.batch.layout import State
    from pipeline.batch.plan import Entry
    from pipeline.batch.run import Engine


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(help="Analyse all sessions of a study; run again to go on after an interruption.\n\n"
                 "Example: telltale batch sessions -o results -j 4")  # fmt: skip
    def batch(
        study: Path = typer.Argument(
            ..., metavar="STUDY", help="Folder with session folders or manifests, or a table (csv, tsv) of them."
        ),
        out: Path = typer.Option(..., "-o", "--out", metavar="OUT", help="Folder for the results."),
        jobs: int = typer.Option(0, "-j", "--jobs", min=0, help="Worker processes; 0 means one per core."),
        scheduler: str = typer.Option("", "--scheduler", metavar="ADDR", help="A running Dask cluster."),
        slurm: Path | None = typer.Option(None, "--slurm", metavar="FILE", help="Profile of a Slurm cluster (TOML)."),
        dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done; write nothing."),
        only: str = typer.Option("", "--only", metavar="P", help='Sessions by name or pattern: "p01,sub-0*".'),
        retry: bool = typer.Option(False, "--retry", help="Run sessions again that failed or are done in part."),
        grid_hz: float | None = typer.Option(None, "--grid-hz", help="Rows per second of the timelines (25)."),
        no_faces: bool = typer.Option(False, "--no-faces", help="No pictures of faces in the reports."),
        device: str | None = typer.Option(None, "--device", help="auto, cpu, cuda or mps, for the torch parts."),
        config: Path | None = typer.Option(None, "--config", help="TOML file with further settings."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline import load_config
        from pipeline.batch.run import base_of, look, run_batch
        from pipeline.cli.batch_display import display
        from pipeline.privacy import records

        faces = False if no_faces else None
        settings = load_config(config, **only_given(faces=faces, grid_hz=grid_hz, device=device))
        if settings.fusion_weights is not None:
            settings = settings.model_copy(update={"fusion_weights": settings.fusion_weights.absolute()})
        engine = _engine(jobs, scheduler, slurm, out)
        if dry_run:
            entries, left_out = look(study, out, settings, patterns=only, retry=retry)
            _tell_left_out(left_out)
            _tell_shared(entries)
            show_table([_plan_row(entry) for entry in entries], f"What batch would do with {study}", as_json)
            raise typer.Exit(1 if any(_refused(entry) for entry in entries) else 0)

        def note(entries: Sequence[Entry]) -> None:
            _tell_shared(entries)
            running = {entry.place.name: entry.state.people for entry in entries if entry.todo == "run"}
            records.begin("batch", base_of(study), running, out, say)

        with display() as shown:
            outcome = run_batch(
                study, out, settings, engine, shown, patterns=only, retry=retry, ours=not scheduler, begun=note
            )
        counts = {name: sum(state.status == name for state in outcome.states) for name in ("done", "failed", "skipped")}
        records.end("batch", base_of(study), **counts)
        show_table([_row(state, out) for state in outcome.states], f"Sessions of {study}", as_json)
        _tell(outcome.states, outcome.taken, outcome.spoilt)
        if counts["done"]:
            say(f'Results: {out}   Next: telltale query {quoted(out)} "SELECT * FROM sessions"')
        raise typer.Exit(outcome.exit_status)

    @app.command(help="Ask the catalogue of a study by SQL; tables: sessions, people, labels, channels, events, "
                 "timeline.\n\n"
                 "Example: telltale query results \"SELECT kind, count(*) FROM events GROUP BY kind\"")  # fmt: skip
    def query(
        out: Path = typer.Argument(..., metavar="OUT", help="Folder that batch wrote its results into."),
        sql: str = typer.Argument(..., metavar="SQL", help="A query in DuckDB's SQL."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.catalogue.query import query as ask
        from pipeline.privacy import records

        records.begin_with_results("query", out, say)
        rows = ask(out, sql)
        if as_json:
            show_object({"rows": rows})
        else:
            show_table(rows, as_named=True, mend="--json shows them, or SELECT fewer")
            say(counted(len(rows), "row"))


def _engine(jobs: int, scheduler: str, slurm: Path | None, out: Path) -> Engine:
    """Where the work is done, by the options.

    Raises:
        InvalidValueError: two of them at once, or an address that is not safe.
        TelltaleError: the Slurm profile is missing or wrong.
    """
    from pipeline.batch import engine

    if sum([bool(jobs), bool(scheduler), slurm is not None]) > 1:
        raise InvalidValueError(
            "-j, --scheduler and --slurm each say where the work is done", mend="Give one of them."
        )  # fmt: skip
    if scheduler:
        engine.require_safe(scheduler)
        return lambda sessions: engine.running(scheduler)
    if slurm is not None:
        from pipeline.batch.slurm import load_profile
        from pipeline.batch.slurm import slurm as start

        profile = load_profile(slurm)
        return lambda sessions: start(profile, (out / ".telltale").absolute())
    from pipeline.bench_workers import usable_cores

    return lambda sessions: engine.local(min(jobs or usable_cores(), sessions))


def _row(state: State, out: Path) -> dict[str, Any]:
    where = str(out / state.session) if state.status == "done" else None
    took = round(state.took_s, 3) or None
    return {"session": state.session, "status": state.status, "reason": state.reason, "took_s": took, "result": where}


def _plan_row(entry: Entry) -> dict[str, Any]:
    state = entry.state
    what = "would run" if entry.todo == "run" else state.status
    reason = entry.why if entry.todo == "run" else (state.reason or "done before")
    return {"session": entry.place.name, "status": what, "reason": reason, "manifest": str(entry.place.manifest)}


def _refused(entry: Entry) -> bool:
    return entry.todo == "keep" and (entry.state.status != "done" or bool(entry.state.exit_status))


def _tell_left_out(left_out: int) -> None:
    if left_out:
        say(f"--only leaves out {left_out} sessions")


def _tell_shared(entries: Sequence[Entry]) -> None:
    """Name people who occur in several sessions, unless the folders say so too: sub-01/ses-a, sub-01/ses-b."""
    places: dict[str, list[Path]] = {}
    for entry in entries:
        for person in entry.state.people:
            places.setdefault(person, []).append(entry.place.manifest)
    shared = [
        f"{person} occurs in {len(own)} sessions"
        for person, own in sorted(places.items())
        if len(own) > 1 and not _says_so(person, own)
    ]
    if shared:
        more = f"; and {len(shared) - 3} more" if len(shared) > 3 else ""
        each = "each taken as one person" if len(shared) > 1 else "taken as one person"
        say(f"{'; '.join(shared[:3])}{more}: {each}")


def _says_so(person: str, manifests: Sequence[Path]) -> bool:
    """Whether the paths of all sessions name one subject of BIDS, or this person."""
    paths = [path.absolute().as_posix() for path in manifests]
    subjects = {found.group() if (found := re.search(r"(?<=/)sub-[A-Za-z0-9]+", path)) else None for path in paths}
    own = re.compile(rf"(?<![A-Za-z0-9]){re.escape(person)}(?![A-Za-z0-9])")
    return (len(subjects) == 1 and None not in subjects) or all(own.search(path) for path in paths)


def _tell(states: Sequence[State], taken: int, spoilt: int) -> None:
    counts = {name: sum(state.status == name for state in states) for name in ("done", "failed", "skipped")}
    say(", ".join(f"{number} {name}" for name, number in counts.items()))
    if taken:
        say(f"{taken} finished steps of an earlier run were kept")
    if spoilt:
        say(f"{spoilt} damaged files in the cache were found, and their steps done anew", "yellow")
