"""Micro-gestures: the vocabularies, and a recogniser trained on a user's own skeletons."""

from __future__ import annotations

from pathlib import Path

import typer

from data_schemas.errors import InvalidValueError
from data_schemas.gesture_schemes import GEOMETRIC, SCHEMES
from pipeline.cli.terminal import progress, say, show_object, show_table

_JSON = "Print one JSON object."
_STUDY = (
    "Study whose manifests name the subjects: only who agreed to train is used, and telltale forget finds the model."
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Micro-gestures: vocabularies, and recognisers of your own.\n\n"
        "Example: telltale gestures train skeletons/ -o gestures.safetensors",
    )
    app.add_typer(group, name="gestures")

    @group.command(help="Classes of the vocabularies, and the gestures that geometry decides.")
    def schemes(as_json: bool = typer.Option(False, "--json", help=_JSON)) -> None:
        rows = [
            {"scheme": scheme.name, "class": one.index, "name": one.name, "region": one.region}
            for scheme in SCHEMES.values()
            for one in scheme.classes
        ]
        rows += [
            {"scheme": "geometric", "class": at, "name": one.name, "region": one.role}
            for at, one in enumerate(GEOMETRIC.values())
        ]
        show_table(rows, "Classes of micro-gestures", as_json)

    @group.command(
        help="Train a recogniser on labelled skeletons (iMiGUE, MA-52, SMG or your own), and judge it by people whom "
        "it never saw.\n\n"
        "DATA is one npz (x, y, subject) or a folder with labels.csv (clip, label, subject) and one npz or csv per "
        "clip. The model goes into the body channel: telltale body video.mp4 --gesture-model MODEL.\n\n"
        "Example: telltale gestures train skeletons/ -o gestures.safetensors --scheme imigue"
    )
    def train(
        data: Path = typer.Argument(..., metavar="DATA", help="File or folder of labelled skeletons."),
        out: Path = typer.Option(..., "-o", "--out", metavar="MODEL", help="Weights (.safetensors); a .json beside."),
        study: Path | None = typer.Option(None, "--study", metavar="DIR", help=_STUDY),
        scheme: str | None = typer.Option(None, "--scheme", help="imigue or ma52: what numbers mean as labels."),
        layout: str | None = typer.Option(None, "--layout", help="Order of the joints, where their number is unclear."),
        epochs: int = typer.Option(40, "--epochs", min=1, help="Passes over the clips."),
        frames: int = typer.Option(48, "--frames", min=16, help="Frames that a clip is brought to."),
        hold_out: float = typer.Option(0.2, "--hold-out", help="Share of the clips whose people are held out."),
        seed: int = typer.Option(0, "--seed", help="Of weights, order and augmentation."),
        as_json: bool = typer.Option(False, "--json", help=_JSON),
    ) -> None:
        from dataclasses import replace

        from modalities.body.gestures.clips import read_clips
        from modalities.body.gestures.learned import save_gestures
        from modalities.body.gestures.training import GesturePlan, train_gestures
        from pipeline.lab.trainees import begin_training

        if out.suffix != ".safetensors":
            raise InvalidValueError("the model is a .safetensors file", file=out, mend="Name one with -o.")
        plan = GesturePlan(epochs=epochs, frames=frames, hold_out=hold_out, seed=seed)
        clips = read_clips(data, layout, scheme)
        who = begin_training("gestures train", data, clips.subjects, study, say)
        if who is not None:
            clips = clips.pick([at for at, name in enumerate(clips.subjects) if name in who.people])
        with progress() as hook:
            trained = train_gestures(clips, plan, hook)
        if who is not None:  # the card names people by pseudonyms alone
            aliases = who.aliases()
            held = sorted(aliases[name] for name in trained.figures["subjects_held_out"])
            trained = replace(trained, figures={**trained.figures, "subjects_held_out": held}, trained_on=who.card())
        out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_gestures(trained, out)
        if who is not None:
            who.note(out)
        left_out = 1 if who is not None and who.refused else 0
        figures = trained.figures
        if as_json:
            show_object({**figures, "classes": list(trained.classes), "model": str(out)})
            raise typer.Exit(left_out)
        rows = [{"class": name, "recall": value} for name, value in figures["recall"].items()]
        show_table(rows, "Recall on people held out of the training")
        say(
            f"{figures['clips_held_out']} clips of {len(figures['subjects_held_out'])} people held out: accuracy "
            f"{figures['accuracy']:.3f}, macro F1 {figures['macro_f1']:.3f} (always the commonest class: "
            f"{figures['chance']:.3f}); written to {out}"
        )
        raise typer.Exit(left_out)
