"""The command that measures the lag between two files."""

from __future__ import annotations

from pathlib import Path

import typer

from data_schemas.errors import InvalidValueError
from pipeline.cli.terminal import say, show_object, show_table


def register(group: typer.Typer) -> None:
    """Add the command to the group `telltale sync`."""

    @group.command(
        help="Lag between two files by what both recorded: sound, movement or events. Positive: B starts after A.\n\n"
        "Examples: telltale sync pair camera.mp4 recorder.wav    "
        "telltale sync pair left.csv right.csv --columns x,y,z --rate 100"
    )
    def pair(
        a: Path = typer.Argument(..., metavar="A", help="Sound, video or signal file, or table of events."),
        b: Path = typer.Argument(..., metavar="B", help="The other one."),
        method: str | None = typer.Option(None, "--method", help="sound, motion or events; found out by default."),
        columns: str | None = typer.Option(
            None, "--columns", help="Columns or channels to compare: x,y,z for both files, or x,y,z/X,Y,Z for A and B."
        ),
        rate: float | None = typer.Option(None, "--rate", help="Sampling rate, Hz, where a file states none."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.pairing import LOW, measure_pair
        from pipeline.privacy import records

        if rate is not None and not rate > 0:
            raise InvalidValueError("a sampling rate must be above 0 Hz", got=rate)
        for file in {one.absolute().parent: one for one in (a, b) if one.is_file()}.values():
            records.begin_with_results("sync pair", file, say)
        found = measure_pair(a, b, method=method, columns=split_columns(columns), rate_hz=rate)
        if as_json:
            show_object(found.as_dict())
        else:
            answer = found.as_dict()
            interval = answer["ci95_s"]
            row = {
                "lag_s": answer["lag_s"],
                "from_s": interval[0] if interval else None,
                "to_s": interval[1] if interval else None,
                "drift_ppm": answer["drift_ppm"],
                "confidence": answer["confidence"],
                "method": answer["method"],
            }
            show_table([row], f"{b.name} starts this long after {a.name} (95 % interval)")
        for warning in found.warnings:
            say(f"warning: {warning}", "yellow")
        raise typer.Exit(1 if found.confidence < LOW else 0)


def split_columns(text: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of A and of B from "x,y,z" or "x,y,z/X,Y,Z".

    Raises:
        InvalidValueError: a part is empty.
    """
    if text is None:
        return (), ()
    parts = [tuple(name.strip() for name in part.split(",")) for part in text.split("/")]
    if len(parts) > 2 or any(not name for part in parts for name in part):
        raise InvalidValueError("--columns is not a list of names", got=text, expected="x,y,z or x,y,z/X,Y,Z")
    return parts[0], parts[-1]
