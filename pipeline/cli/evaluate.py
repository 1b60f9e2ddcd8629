"""Scores of detections against truth."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.terminal import show_object, show_table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Score detections against truth.\n\n"
        "Example: telltale evaluate spotting --truth truth.csv --detections events.csv",
    )
    app.add_typer(group, name="evaluate")

    @group.callback()
    def _group() -> None:
        """Keep `spotting` a word of its own, also while it is the only one."""

    @group.command(help="Interval scores: one-to-one matches of IoU >= 0.5, for micro, macro and both.")
    def spotting(
        truth: Path = typer.Option(..., "--truth", help="Table with video, kind, onset, offset (inclusive frames)."),
        detections: Path = typer.Option(..., "--detections", help="The same, or the table of telltale spot."),
        iou: float = typer.Option(0.5, "--iou", help="Least intersection over union of a match."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from modalities.face.spotting.evaluation import score
        from pipeline.interval_table import read_intervals

        counts = score(read_intervals(truth), read_intervals(detections), iou)
        if as_json:
            show_object({kind: one.as_row() for kind, one in counts.items()})
        else:
            show_table([{"kind": kind, **one.as_row()} for kind, one in counts.items()], f"IoU >= {iou:g}")
