"""Scores of detections against truth."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import typer

from pipeline.cli.terminal import say, show_object, show_table


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

    @group.command(
        help="Interval scores: matches of IoU >= 0.5, for micro, macro and both.\n\n"
        "Tables: CSV with video, kind, onset, offset in inclusive frames; the table of telltale spot; the CSV (vid, "
        "pred_onset, pred_offset, type) or the log (.txt) of the MEGC challenges. With apexes in both tables their "
        "distance is told, with emotions in both the spot-then-recognise score.\n\n"
        "Example: telltale evaluate spotting --truth truth.csv --detections events.csv"
    )
    def spotting(
        truth: Path = typer.Option(..., "--truth", help="Table of true intervals."),
        detections: Path = typer.Option(..., "--detections", help="Table of what was found."),
        iou: float = typer.Option(0.5, "--iou", help="Least intersection over union of a match."),
        counting: str = typer.Option(
            "field",
            "--counting",
            help="field: true intervals that overlap one another may share a detection, as in the published figures; "
            "one-to-one: they may not.",
        ),
        fps: float | None = typer.Option(None, "--fps", help="Frame rate; only a MEGC log needs it."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from modalities.face.spotting.evaluation import apex_errors, score
        from modalities.face.spotting.spot_then_recognise import spot_then_recognise
        from pipeline.interval_table import bring_together, read_intervals

        true, found, notes = bring_together(read_intervals(truth, "truth", fps), read_intervals(detections, fps=fps))
        for note in notes:
            say(note, "yellow")
        scores: dict[str, Any] = {kind: one.as_row() for kind, one in score(true, found, iou, counting).items()}
        errors = apex_errors(true, found, iou)
        if errors:
            scores["apex_error_frames"] = float(median(errors))
        if any(one.emotion for one in true) and any(one.emotion for one in found):
            scores["spot_then_recognise"] = spot_then_recognise(true, found, iou).as_row()
        if as_json:
            show_object(scores)
            return
        show_table([{"kind": kind, **scores[kind]} for kind in ("micro", "macro", "overall")], f"IoU >= {iou:g}")
        if errors:
            say(f"median distance of the apexes: {scores['apex_error_frames']:g} frames, {len(errors)} pairs")
        if "spot_then_recognise" in scores:
            show_table([scores["spot_then_recognise"]], "Spot, then recognise (micro)")
