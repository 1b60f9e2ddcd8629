"""Commands about clocks: the report, and writing the maps into the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from data_schemas.recording import Recording, Session
from data_schemas.result import Problem, SyncReport
from pipeline.cli import pair
from pipeline.cli.terminal import progress, say, show_table
from pipeline.outcome import why_failed


class _ReportByDefault(TyperGroup):
    """`telltale sync DIR` means `telltale sync report DIR`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["report", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        cls=_ReportByDefault,
        no_args_is_help=True,
        help="Clock report of a session, and writing it into the manifest.\n\n"
        "Examples: telltale sync sessions/p01    telltale sync apply sessions/p01",
    )
    app.add_typer(group, name="sync")
    pair.register(group)

    @group.command(help="Offset, drift, residual and coverage of every stream (the same as: telltale sync DIR).")
    def report(
        folder: Path = typer.Argument(..., metavar="DIR", help="Session folder."),
        out: Path | None = typer.Option(None, "-o", "--out", help="Where to write sync.json; in DIR by default."),
        proofs: bool = typer.Option(
            False, "--prove", help="Also hold the clocks against pulse and lips; runs the encoders (minutes)."
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline import steps
        from pipeline.privacy import records
        from pipeline.report.page import write_sync_report

        manifest = _begin(folder)
        session = steps.synchronize(_recording(folder))
        doubts: list[Problem] = []
        if proofs:
            session, doubts = _proved(session)
        target = out if out is not None else session.root / "sync.json"
        records.note_clocks(manifest, target)
        target.write_text(session.sync.model_dump_json(indent=2) + "\n", encoding="utf-8")
        page = target.with_suffix(".html")
        write_sync_report(session.manifest.name, session.sync, page)
        rows = sync_rows(session)
        show_table(rows if as_json else [_short(row) for row in rows], f"Clocks of {session.manifest.name}", as_json)
        if session.sync.checks and not as_json:
            show_table(check_rows(session), "Checks by further evidence", as_json)
        say(f"Written: {target} and {page.name}")
        raise typer.Exit(_tell([*session.problems, *doubts], session.sync))

    @group.command(help="Write the clock maps into the manifest as offsets and drifts.")
    def apply(
        folder: Path = typer.Argument(..., metavar="DIR", help="Session folder."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.manifest import MANIFEST_NAME, write_clocks
        from sync.align import align

        _begin(folder)
        recording = _recording(folder)
        found_maps, sync, problems = align(recording)
        maps: dict[str, tuple[float, float]] = {}
        held = []
        for one in sync.streams:
            if one.verdict == "fail" or one.method == "reference" or one.rests_on:
                held.append(f"{one.clock} ({one.rests_on or one.method}, {one.verdict})")
                continue
            found = found_maps.get(one.clock)
            if found is None or len(found.segments) != 1:
                held.append(f"{one.clock} (several segments)")
                continue
            maps[one.clock] = (found.offset_s_at(0), found.drift_ppm_at(0))
        note = f"measured by telltale sync ({', '.join(sorted({s.method for s in sync.streams}))})"
        changed = write_clocks(recording.root / MANIFEST_NAME, maps, note) if maps else []
        rows = [{"clock": name, "offset_s": maps[name][0], "drift_ppm": maps[name][1]} for name in changed]
        show_table(rows, f"Written into {recording.root / MANIFEST_NAME}", as_json)
        if held:
            say(f"Left as they were: {', '.join(dict.fromkeys(held))}")
        raise typer.Exit(_tell([*recording.problems, *problems], sync))


def sync_rows(session: Session) -> list[dict[str, Any]]:
    """One row per stream, rounded for reading."""
    rows = []
    for one in session.sync.streams:
        rows.append(
            {
                "stream": one.stream,
                "clock": one.clock,
                "method": one.method,
                "offset_s": round(one.offset_s, 4),
                "drift_ppm": round(one.drift_ppm, 1),
                "ci95_ms": None if one.ci95_ms is None else round(one.ci95_ms, 2),
                "residual_ms": None if one.residual_ms is None else round(one.residual_ms, 2),
                "matched": one.matched,
                "unmatched": one.unmatched,
                "start_s": round(one.start_s, 3),
                "end_s": round(one.end_s, 3),
                "coverage": round(one.coverage, 3),
                "verdict": one.verdict,
                "why": one.why,
            }
        )
    return rows


def _proved(session: Session) -> tuple[Session, list[Problem]]:
    """The session held against what its encoders show of the people's pulse and lips."""
    from pipeline import steps
    from pipeline.config import load_config
    from pipeline.manifest import MANIFEST_NAME, require_consent
    from pipeline.proving import prove

    require_consent(session.manifest, "analyse", session.root / MANIFEST_NAME)
    with progress() as hook:
        encodings, failed = steps.encode(session, load_config(None), hook)
    session, doubts = prove(session, encodings)
    return session, [*failed, *doubts]


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """What fits a terminal of 100 columns; --json and sync.json have the rest."""
    out = {key: row[key] for key in ("stream", "clock", "method", "offset_s")}
    out["+-ms"], out["ppm"], out["rms_ms"] = row["ci95_ms"], row["drift_ppm"], row["residual_ms"]
    out["covers"] = f"{row['coverage']:.0%}"
    return {**out, "verdict": row["verdict"], "why": row["why"]}


def check_rows(session: Session) -> list[dict[str, Any]]:
    """One row per piece of further evidence, rounded for reading."""
    return [
        {
            "stream": one.own,
            "against": one.against,
            "by": one.by,
            "off_ms": None if one.off_ms is None else round(one.off_ms, 1),
            "ci95_ms": None if one.ci95_ms is None else round(one.ci95_ms, 1),
            "verdict": one.verdict,
            "why": one.why,
        }
        for one in session.sync.checks
    ]


def _begin(folder: Path) -> Path:
    """The manifest; that its session is worked on is noted in the audit log."""
    from pipeline.manifest import MANIFEST_NAME, load_manifest
    from pipeline.privacy import keys, records
    from pipeline.privacy.scope import place_of

    manifest = folder if folder.suffix == ".toml" else folder / MANIFEST_NAME
    people = {place_of(manifest).stem: [one.id for one in load_manifest(folder).people]}
    records.begin("sync", keys.study_root(place_of(manifest)), people, None, say)
    return manifest


def _recording(folder: Path) -> Recording:
    from data_schemas.errors import NothingUsableError
    from pipeline import steps
    from pipeline.manifest import load_manifest

    manifest = load_manifest(folder)
    with progress() as hook:
        recording = steps.read(manifest, folder.parent if folder.suffix == ".toml" else folder, hook)
    if not recording.streams:
        listed = "; ".join(problem.what for problem in recording.problems)
        raise NothingUsableError("not one stream could be read", file=folder, got=listed)
    return recording


def _tell(problems: Sequence[Problem], report: SyncReport) -> int:
    for problem in dict.fromkeys(problems):
        if problem.severity != "note":
            say(f"{problem.severity}: {problem.what}", "red" if problem.severity == "error" else "yellow")
    reasons = why_failed(problems, report)
    if reasons:
        say(f"exit status 1: {'; '.join(reasons)}", "yellow")
    return 1 if reasons else 0
