"""The command that writes a result in other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from pipeline.cli.terminal import progress, say, show_object, show_table

EPILOG = "parquet, csv, eaf, textgrid, bids, nwb, netcdf, webvtt, megc, rrd, media, feather, boris, retraining"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command(
        help="Write a result for other programs.\n\n"
        "Formats: " + EPILOG + ", or module:Class of your own. docs/exports.md says what each holds.\n\n"
        "Example: telltale export results/p01 --to eaf -o p01.eaf"
    )
    def export(
        result: Path = typer.Argument(..., metavar="OUT", help="What telltale analyze left."),
        to: str = typer.Option(..., "--to", metavar="FORMAT", help="Name of the format."),
        out: Path = typer.Option(..., "-o", "--out", metavar="FILE", help="File to write; a folder for bids, media."),
        deidentify: bool = typer.Option(
            False, "--deidentify", help="Pseudonyms, shifted times, no recordings of faces or voices."
        ),
        coder: str | None = typer.Option(None, "--coder", metavar="NAME", help="The events as this coder has them."),
        kinds: str = typer.Option("", "--kinds", help="Only these kinds of events, comma-separated."),
        session: Path | None = typer.Option(None, "--session", metavar="DIR", help="Session folder, for recordings."),
        option: list[str] = typer.Option([], "--option", metavar="NAME=VALUE", help="A setting of the format."),
        overwrite: bool = typer.Option(False, "--overwrite", help="Replace what is there."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.export.format import LeftOut
        from pipeline.export.run import export_result
        from pipeline.privacy import records

        records.begin_with_results("export", result, say)
        with progress() as hook:
            done = export_result(
                result,
                to,
                out,
                deidentify=deidentify,
                coder=coder,
                kinds=[word.strip() for word in kinds.split(",") if word.strip()],
                session=session,
                options=_settings(option),
                overwrite=overwrite,
                hook=hook,
            )
        records.note_export(result, *done.files)
        records.end_with_results("export", result, deidentified=deidentify, consent_to_share=done.share)
        for note in done.notes:
            say(note, "yellow")
        if deidentify:
            say("Labels are the lab's own words: read them before you share the file.", "yellow")
        if as_json:
            show_object(
                {
                    "format": to,
                    "out": str(done.target),
                    "files": [str(path) for path in done.files],
                    "events": done.events,
                    "rows": list(done.rows),
                    "people": done.people,
                    "notes": list(done.notes),
                }
            )
        else:
            tables = any(count is not None for count in done.rows)
            rows = [
                {"file": str(path), **({"rows": count} if tables else {}), "bytes": _size(path)}
                for path, count in zip(done.files, done.rows, strict=True)
            ]
            show_table(rows, f"Written as {to}")
        raise typer.Exit(1 if any(isinstance(note, LeftOut) for note in done.notes) else 0)


def _settings(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping.

    Raises:
        InvalidValueError: a word without an equals sign.
    """
    from data_schemas.errors import InvalidValueError

    out = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise InvalidValueError("a setting is NAME=VALUE", got=word, expected="--option layout=tidy")
        out[name.strip()] = value.strip()
    return out


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
