"""The main command."""

from __future__ import annotations

from collections.abc import Sequence
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli.terminal import counted, only_given, progress, quoted, say, show_object, show_table

if TYPE_CHECKING:
    from pipeline.outcome import Result

_PLAIN = {"video": "spot", "audio": "voice"}
"""Kind of a file by its name -> the command that takes it without a manifest."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command(help="Analyse a session: one fused timeline, events, clock report, page.\n\n"
                 "Example: telltale analyze sessions/p01 -o results/p01")  # fmt: skip
    def analyze(
        folder: Path = typer.Argument(..., metavar="DIR", help="Session folder with a session.toml."),
        out: Path = typer.Option(..., "-o", "--out", metavar="OUT", help="Folder for the result."),
        strict: bool = typer.Option(False, "--strict", help="Stop at the first problem instead of going on."),
        grid_hz: float | None = typer.Option(None, "--grid-hz", help="Rows per second of the timeline (25)."),
        no_faces: bool = typer.Option(False, "--no-faces", help="No pictures of faces in the report."),
        device: str | None = typer.Option(None, "--device", help="auto, cpu, cuda or mps, for the torch parts."),
        weights: Path | None = typer.Option(None, "--weights", metavar="MODEL", help="Of telltale train, or your own."),
        config: Path | None = typer.Option(None, "--config", help="TOML file with further settings."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline import Analyzer, load_config
        from pipeline.manifest import load_manifest
        from pipeline.outcome import refuse_overwriting, why_failed
        from pipeline.privacy import keys, records

        _refuse_file(folder)
        refuse_overwriting(out, folder)
        faces = False if no_faces else None
        given = only_given(
            strict=strict or None, faces=faces, grid_hz=grid_hz, device=device, fusion_weights=weights
        )  # fmt: skip
        settings = load_config(config, **given)
        if settings.device not in ("auto", "cpu"):
            from fusion.inference import pick_device

            pick_device(settings.device)
        manifest = load_manifest(folder)
        people = {manifest.name: [person.id for person in manifest.people]}
        records.begin("analyze", keys.study_root(folder), people, out, say)
        with progress() as hook:
            result = Analyzer(settings).run(folder, hook)
            saved = result.save(out)
        if as_json:
            show_object({**result.record.model_dump(mode="json"), "out": str(saved)})
        else:
            show_table(summary_rows(result), f"{result.record.session}: {result.record.duration_s:.1f} s")
        tell_problems(result)
        say(f"Timeline: {saved / 'timeline.parquet'}   Report: {saved / 'report.html'}")
        if result.exit_status:
            say(f"exit status 1: {'; '.join(why_failed(result.record.problems, result.sync))}", "yellow")
        raise typer.Exit(result.exit_status)


def _refuse_file(path: Path) -> None:
    """Return unless a recording was named where a session folder is wanted.

    Raises:
        InvalidValueError: it is a file other than a manifest.
    """
    if not path.is_file() or path.suffix == ".toml":
        return
    kind, _ = guess_type(path.name)
    command = _PLAIN.get((kind or "").partition("/")[0])
    alone = f"Run telltale {command} {quoted(path)} -o OUT, or put it" if command else "Put it"
    raise InvalidValueError(
        f"that is a {'video' if command == 'spot' else 'sound file' if command else 'file'}, not a session folder",
        file=path,
        mend=f"{alone} into a session folder: telltale init writes the manifest.",
    )


def summary_rows(result: Result) -> Sequence[dict[str, object]]:
    """One row per person and channel."""
    rows: list[dict[str, object]] = []
    for channel in result.record.channels:
        null = ", ".join(f"{reason} {share:.0%}" for reason, share in channel.reasons.items())
        events = ", ".join(f"{count} {kind}" for kind, count in channel.events.items())
        valid = f"{channel.valid_share:.0%}"
        rows.append(
            {"person": channel.person, "channel": channel.channel, "valid": valid, "null": null, "events": events}
        )
    return rows


def tell_problems(result: Result) -> None:
    """Every error and warning, and how many notes, to stderr."""
    colours = {"error": "red", "warning": "yellow"}
    for problem in result.record.problems:
        if problem.severity in colours:
            say(f"{problem.severity}: {problem.what}", colours[problem.severity])
    notes = sum(problem.severity == "note" for problem in result.record.problems)
    if notes:
        say(f"{counted(notes, 'note')} in result.json")
