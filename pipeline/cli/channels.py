"""One channel of plain files, without a manifest: spot, voice, body, physio."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from data_schemas.errors import InvalidValueError, NothingUsableError, TelltaleError
from data_schemas.features import Encoding
from data_schemas.hook import Hook
from modalities.face.spotting.base import SPOTTERS
from pipeline.cli.terminal import counted, progress, say, show_table

if TYPE_CHECKING:
    from data_schemas.stream import Stream
    from pipeline.spotting import SpottedVideo


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @app.command(
        help="Find micro- and macro-expressions in videos.\n\n"
        "With --plot a picture of each video is left beside the table: score, intervals, faces at the apexes.\n\n"
        "Example: telltale spot a.mp4 b.mp4 -o events.csv --plot"
    )
    def spot(
        videos: list[Path] = typer.Argument(..., metavar="VIDEO...", help="Video files."),
        out: Path = typer.Option(..., "-o", "--out", help="Table of events (CSV)."),
        spotter: str | None = typer.Option(
            None, "--spotter", metavar="NAME", help=f"One of {', '.join(SPOTTERS)}; by default the best."
        ),
        plot: bool = typer.Option(False, "--plot", help="Draw each video into a PNG beside the table."),
        form: str = typer.Option(
            "table",
            "--format",
            help="table; or megc: vid, pred_onset, pred_offset, type, as the MEGC challenges ask for.",
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from modalities.face.spotting.base import load_spotter
        from pipeline.spotting import FORMATS, KINDS, spot_video, write_spots

        if spotter is not None:
            load_spotter(spotter)
        if form not in FORMATS:
            raise InvalidValueError("unknown format of a table of events", got=form, expected=" or ".join(FORMATS))
        say(_no_consent())
        if out.is_dir():
            raise InvalidValueError("the table of events would replace a folder", file=out, mend="Name a file with -o.")
        rows: list[dict[str, Any]] = []
        summary: list[dict[str, Any]] = []
        drawn: dict[Path, Path] = {}
        with progress() as hook:
            for video in videos:
                try:
                    found = spot_video(video, hook, spotter)
                    rows += found.rows
                    about = found.summary
                    if plot:
                        drawn[video] = _draw(found, out, drawn.values(), hook)
                except TelltaleError as error:
                    about = {"video": video.name, "frames": 0, "face_found": "0%", "problem": str(error)}
                summary.append(about)
        failed = [about for about in summary if about["problem"]]
        for about in failed:
            say(f"{about['video']}: {about['problem']}", "red")
        if all(about["frames"] == 0 for about in summary):
            raise NothingUsableError("not one video could be read", got=", ".join(about["video"] for about in summary))
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(write_spots(rows, form), encoding="utf-8", newline="")
        found_what = counted(len(rows), "micro- or macro-expression")
        about_videos = ("video", "frames", "face_found", *KINDS, "problem")
        show_table(
            rows if as_json else summary, f"{found_what}, written to {out}", as_json,
            columns=None if as_json else about_videos,
        )  # fmt: skip
        for video, picture in drawn.items():
            say(f"{video.name}: drawn to {picture}")
        raise typer.Exit(1 if failed else 0)

    @app.command(
        help="Speech, pitch and pauses of sound files.\n\n"
        "With --egemaps the 25 low-level descriptors of eGeMAPS join the tracks, and egemaps.csv holds its 88 "
        "functionals.\n\n"
        "Example: telltale voice interview.wav -o voice/ --egemaps"
    )
    def voice(
        files: list[Path] = _FILES,
        out: Path = _OUT,
        egemaps: bool = typer.Option(False, "--egemaps", help="Add eGeMAPS under its standard names."),
        opensmile: bool = typer.Option(False, "--opensmile", help="Add eGeMAPS as openSMILE computes it."),
        embedding: Path | None = typer.Option(
            None, "--embedding", metavar="FILE", help="Your own speech model: TorchScript, or weights."
        ),
        architecture: str | None = typer.Option(
            None, "--architecture", metavar="NAME", help="Factory in torchaudio.models that the weights belong to."
        ),
        as_json: bool = _JSON,
    ) -> None:
        wanted: dict[str, Any] = {}
        if egemaps or opensmile:
            wanted["egemaps"] = "opensmile" if opensmile else True
        if embedding is not None:
            wanted |= {"embedding": str(embedding), "embedding_architecture": architecture}
        raise typer.Exit(_run("voice", files, out, as_json, settings=wanted))

    @app.command(
        help="Pose, movement and micro-gestures of body videos.\n\n"
        "With --gesture-model your own recogniser names gestures, too: telltale gestures train makes one.\n\n"
        "Example: telltale body camera2.mp4 -o body/"
    )
    def body(
        files: list[Path] = _FILES,
        out: Path = _OUT,
        pose_rate: float | None = typer.Option(None, "--pose-rate", metavar="HZ", help="Poses per second (10)."),
        gesture_model: Path | None = typer.Option(
            None, "--gesture-model", metavar="FILE", help="Your own recogniser (.safetensors)."
        ),
        as_json: bool = _JSON,
    ) -> None:
        wanted: dict[str, Any] = {} if pose_rate is None else {"pose_hz": pose_rate}
        if gesture_model is not None:
            wanted["gesture_model"] = str(gesture_model)
        raise typer.Exit(_run("body", files, out, as_json, settings=wanted))

    @app.command(help="Heart, skin, breath and temperature of physiology files, and what they do after each marker.\n\n"
                 "Example: telltale physio p01.acq -o physio/")  # fmt: skip
    def physio(
        files: list[Path] = _FILES,
        out: Path = _OUT,
        rate: float | None = typer.Option(None, "--rate", metavar="HZ", help="Sampling rate where a file states none."),
        columns: str = typer.Option("", "--columns", help="Columns to use, comma-separated."),
        as_json: bool = _JSON,
    ) -> None:
        names = [name.strip() for name in columns.split(",") if name.strip()]
        raise typer.Exit(_run("physiology", files, out, as_json, rate, names))


_FILES = typer.Argument(..., metavar="FILE...", help="Recordings.")
_OUT = typer.Option(..., "-o", "--out", metavar="OUT", help="Folder for events.csv and tracks.parquet.")
_JSON = typer.Option(False, "--json", help="Print one JSON object.")


def _draw(found: SpottedVideo, out: Path, taken: Collection[Path], hook: Hook) -> Path:
    """Draw one video beside the table, never over the picture of another one."""
    from modalities.face.spotting.base import load_spotter
    from pipeline.spot_plot import draw_spots, thresholds_of

    file = out.with_name(f"{out.stem}_{found.path.stem}.png")
    number = 1
    while file in taken:
        number += 1
        file = out.with_name(f"{out.stem}_{found.path.stem}_{number}.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    hook(f"picture of {found.path.name}", 0, 1)
    draw_spots(found, file, thresholds_of(load_spotter(found.encoding.parameters["spotter"])))
    hook(f"picture of {found.path.name}", 1, 1)
    return file


def _no_consent() -> str:
    from pipeline.single import NO_CONSENT

    return NO_CONSENT


def _run(
    channel: str,
    files: Sequence[Path],
    out: Path,
    as_json: bool,
    rate: float | None = None,
    columns: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> int:
    from data_schemas.hook import silent
    from pipeline.journal import Journal
    from pipeline.reactions import react_to_markers
    from pipeline.single import NO_CONSENT, encode_file

    say(NO_CONSENT)
    journal = Journal(silent)
    journal.note(NO_CONSENT, files=[str(file) for file in files])
    rows: list[dict[str, Any]] = []
    status, usable = 0, 0
    for file in files:
        target = out if len(files) == 1 else out / file.stem
        try:
            with progress() as hook:
                encoding, streams = encode_file(
                    file, channel, rate_hz=rate, columns=columns, settings=settings, hook=hook
                )
                if channel == "physiology":
                    encoding = react_to_markers(file, encoding, rate, hook)
        except TelltaleError as error:
            if channel == "physiology":
                _name_options(error)
            if len(files) == 1:
                raise
            if not as_json:
                say(f"{file.name}: {error}", "red")
            journal.note("problem", file=str(file), what=str(error))
            rows.append({"file": file.name, "problem": str(error)})
            status = 1
            continue
        usable += 1
        status = max(status, 0 if encoding.track.valid.any() else 1)
        _save(encoding, target)
        if settings and settings.get("egemaps"):
            _save_functionals(encoding, streams, target)
        rows.append(_quality_row(file, encoding))
        for warning in encoding.warnings:
            say(f"{file.name}: {warning}", "yellow")
    if not usable:
        raise NothingUsableError(
            f"no file gave anything for the {channel} channel",
            got="; ".join(row["problem"] for row in rows) if as_json else ", ".join(row["file"] for row in rows),
        )
    journal.write(out / "log.jsonl")
    if as_json:
        show_table(rows, as_json=True)
        return status
    for row in rows:
        measures = [{"measure": key, "value": value} for key, value in row.items() if key != "file"]
        show_table(measures, f"{row['file']}: written to {out}")
    return status


def _name_options(error: TelltaleError) -> None:
    """Say in options of the command what the readers expect in a manifest."""
    if error.expected is not None and "rate_hz = " in str(error.expected):
        error.stream = None
        error.expected = "--rate HZ"
        times = f"{error.mend} " if error.mend else ""
        error.mend = f"{times}A column of times is named in a manifest: telltale init writes one."


def _save(encoding: Encoding, folder: Path) -> None:
    import pyarrow.parquet as pq

    from pipeline.export.events import as_csv, as_rows
    from pipeline.single import track_table

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.csv").write_text(as_csv(as_rows(encoding.events)), encoding="utf-8", newline="")
    pq.write_table(track_table(encoding), folder / "tracks.parquet", compression="zstd")


def _save_functionals(encoding: Encoding, streams: Mapping[str, Stream], folder: Path) -> None:
    """The 88 functionals of eGeMAPS of the whole recording, one row; empty where undefined."""
    import csv
    import math

    from data_schemas.stream import Audio
    from modalities.voice.egemaps import Descriptors
    from modalities.voice.egemaps_functionals import egemaps_functionals, summarise

    sound = next(one for one in streams.values() if isinstance(one, Audio))
    if encoding.parameters.get("egemaps") == "opensmile":
        row = egemaps_functionals(sound, backend="opensmile")
    else:
        row = summarise(Descriptors.of_track(encoding.track))
    with (folder / "egemaps.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(row)
        writer.writerow("" if math.isnan(value) else f"{value:.7g}" for value in row.values())


def _quality_row(file: Path, encoding: Encoding) -> dict[str, Any]:
    from pipeline.tabulating import flatten

    track = encoding.track
    kinds = [event.kind for event in encoding.events]
    row: dict[str, Any] = {
        "file": file.name,
        "valid": f"{track.valid.any(axis=1).mean() if len(track.reason) else 0:.0%}",
    }
    row |= {kind: kinds.count(kind) for kind in encoding.spec.event_kinds}
    quality = flatten(encoding.quality)
    row |= {key: value for key, value in quality.items() if isinstance(value, int | float | str)}
    invalid = sorted({str(reason) for reason in track.reason} - {""})
    return row | {"reasons": ", ".join(invalid), "problem": ""}
