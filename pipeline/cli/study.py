"""Deception and concealment studies: `telltale study`, `telltale study plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from data_schemas.errors import InvalidValueError, MissingFileError
from pipeline.cli.terminal import progress, quoted, say, show_object, show_table

if TYPE_CHECKING:
    from pipeline.study.analysis import StudyResult
    from pipeline.study.roles import Roles
    from pipeline.study.settings import Settings
    from pipeline.study.table import StudyTable

_RUN = "run"
_EXAMPLE = (
    "Example: telltale study cues.csv --label condition --subject person --item question --nuisance sex,order\n\n"
    "Example: telltale study plan STUDY; telltale study STUDY"
)


class _Group(TyperGroup):
    """`telltale study X` means `telltale study run X` unless X is a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word in where it was left out."""
        if args and args[0] not in (*self.commands, "--help"):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


_TARGET = typer.Argument(..., metavar="DIR|TABLE", help="Folder of analysed sessions, or a table of cues.")
_LABEL = typer.Option(None, "--label", metavar="COLUMN", help="What is to be told apart: two values.")
_SUBJECT = typer.Option(None, "--subject", metavar="COLUMN", help="Who.")
_ITEM = typer.Option(None, "--item", metavar="COLUMN", help="Question, stimulus or video, where people share them.")
_NUISANCE = typer.Option("", "--nuisance", metavar="A,B", help="Columns that are no cues: sex, order, length, device.")
_PARSE = typer.Option(
    None, "--parse", metavar="COLUMN=REGEX", help="Named groups of an identifier: subject, item, label, nuisances."
)
_CONTRAST = typer.Option("", "--contrast", metavar="A,B", help="Two values of the label; B counts as positive.")
_FOLDS = typer.Option(
    None, "--folds", metavar="COLUMN", help="Your own folds; refused where they share people or items."
)
_CHANNELS = typer.Option("", "--channels", metavar="A,B", help="Of sessions: face, voice, body, physiology (all).")
_LEAK = typer.Option(False, "--allow-leakage", help="Let folds share people or items; every output then says so.")
_SEED = typer.Option(1, "--seed", help="Of all random numbers.")
_PERMUTATIONS = typer.Option(
    1000, "--permutations", help="Of the test of the prediction; the cues' have five times as many."
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        cls=_Group,
        no_args_is_help=True,
        help="Analyse a deception or concealment study: audit first, then effects, then prediction of new people.\n\n"
        f"telltale study DIR|TABLE is short for telltale study run DIR|TABLE.\n\n{_EXAMPLE}",
    )
    app.add_typer(group, name="study")

    @group.command(_RUN, help=f"Audit, effects and prediction, with a report.\n\n{_EXAMPLE}")
    def run(
        target: Path = _TARGET,
        label: str | None = _LABEL,
        subject: str | None = _SUBJECT,
        item: str | None = _ITEM,
        nuisance: str = _NUISANCE,
        parse: str | None = _PARSE,
        contrast: str = _CONTRAST,
        folds: str | None = _FOLDS,
        channels: str = _CHANNELS,
        allow_leakage: bool = _LEAK,
        seed: int = _SEED,
        permutations: int = _PERMUTATIONS,
        plan: Path | None = typer.Option(None, "--plan", metavar="FILE", help="A frozen plan; else the one beside."),
        out: Path | None = typer.Option(None, "-o", "--out", metavar="OUT", help="Folder of the report."),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.privacy import records
        from pipeline.study.analysis import analyse_study
        from pipeline.study.plan import compare, read_plan
        from pipeline.study.report import check_folder, write_report
        from pipeline.study.roles import Roles

        roles = _roles(label, subject, item, nuisance, parse, contrast, folds)
        settings = _settings(seed, permutations, allow_leakage)
        folder = out or Path(f"study-{target.resolve().stem}")
        check_folder(folder)
        records.begin_with_results("study", target, say)
        with progress() as hook:
            file = plan or _plan_beside(target)
            frozen = None if file is None else read_plan(file)
            if frozen is not None and roles == Roles() and target.is_file():
                roles = Roles.from_dict(frozen["analysis"]["roles"])
            table, used = _read(target, roles, _listed(channels), hook)
            followed = None if frozen is None else compare(frozen, used, settings, table.names)
            result = analyse_study(table, settings, followed, hook)
            page = write_report(result, folder, hook, records.note_report(_place(target), table.subject, folder))
        if as_json:
            show_object({**result.as_dict(), "report": str(page)})
        else:
            _show(result)
        say(f"written to {quoted(page)}")
        raise typer.Exit(result.exit_status)

    @group.command(
        help="Freeze the analysis, with hash and date, before the labels are joined.\n\n"
        "telltale study then says whether it was followed.\n\nExample: telltale study plan STUDY"
    )
    def plan(
        target: Path = _TARGET,
        label: str | None = _LABEL,
        subject: str | None = _SUBJECT,
        item: str | None = _ITEM,
        nuisance: str = _NUISANCE,
        parse: str | None = _PARSE,
        contrast: str = _CONTRAST,
        folds: str | None = _FOLDS,
        channels: str = _CHANNELS,
        allow_leakage: bool = _LEAK,
        seed: int = _SEED,
        permutations: int = _PERMUTATIONS,
        out: Path | None = typer.Option(
            None, "-o", "--out", metavar="FILE", help="The plan; by default beside the data."
        ),
        as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    ) -> None:
        from pipeline.study.plan import PLAN_FILE, freeze, write_plan

        roles = _roles(label, subject, item, nuisance, parse, contrast, folds)
        settings = _settings(seed, permutations, allow_leakage)
        with progress() as hook:
            table, used, labelled = _read_unlabelled(target, roles, _listed(channels), hook)
        frozen = freeze(used, settings, table.names, table.inputs, labelled)
        file = out or (target if target.is_dir() else target.parent) / PLAN_FILE
        write_plan(frozen, file)
        if labelled:
            say("The labels are there already: the plan says so, and so will the report.", "yellow")
        if as_json:
            show_object({**frozen, "file": str(file)})
        else:
            show_table([{"frozen at": frozen["frozen_at"], "cues": len(table.names), "sha256": frozen["hash"]}])
        say(f"frozen in {quoted(file)}")


def _roles(
    label: str | None, subject: str | None, item: str | None, nuisance: str, parse: str | None, contrast: str,
    folds: str | None,
) -> Roles:  # fmt: skip
    from pipeline.study.roles import Roles

    return Roles(label, subject, item, _listed(nuisance), parse, folds, _listed(contrast))


def _settings(seed: int, permutations: int, allow_leakage: bool) -> Settings:
    from pipeline.study.settings import Settings

    return Settings(
        permutations=5 * permutations, prediction_permutations=permutations, seed=seed, allow_leakage=allow_leakage
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _read(target: Path, roles: Roles, channels: tuple[str, ...], hook: Any) -> tuple[StudyTable, Roles]:
    """The table of a file, of the one table in a folder, or of sessions; and the roles as they were filled in."""
    from pipeline.study.reading import read_cues
    from pipeline.study.sessions import read_sessions
    from pipeline.study.windows import CHANNELS

    table = _table_in(target)
    if table is not None:
        return read_cues(table, roles), roles
    return read_sessions(target, roles, _known(channels) or CHANNELS, hook)


def _read_unlabelled(
    target: Path, roles: Roles, channels: tuple[str, ...], hook: Any
) -> tuple[StudyTable, Roles, bool]:
    """The same before the labels are joined, and whether they are there already."""
    from pipeline.study.reading import read_unlabelled
    from pipeline.study.sessions import read_sessions_unlabelled
    from pipeline.study.windows import CHANNELS

    table = _table_in(target)
    if table is not None:
        found, labelled = read_unlabelled(table, roles)
        return found, roles, labelled
    return read_sessions_unlabelled(target, roles, _known(channels) or CHANNELS, hook)


def _place(target: Path) -> Path:
    """Where the people of the study are named: the table itself, or the folder of results."""
    return _table_in(target) or target


def _known(channels: tuple[str, ...]) -> tuple[str, ...]:
    from pipeline.study.windows import CHANNELS

    wrong = [one for one in channels if one not in (*CHANNELS, "fused")]
    if wrong:
        raise InvalidValueError("no such channel", got=", ".join(wrong), expected=", ".join((*CHANNELS, "fused")))
    return channels


def _table_in(target: Path) -> Path | None:
    """The table that is meant, None where it is a folder of sessions."""
    from pipeline.study.sessions import DESIGN_FILE

    if not target.exists():
        raise MissingFileError("there is no such table or folder", file=target)
    if target.is_file():
        return target
    tables = [
        file for kind in ("csv", "tsv", "parquet") for file in sorted(target.glob(f"*.{kind}"))
        if file.name not in (DESIGN_FILE, "study.parquet", "timeline.parquet", "events.parquet", "events.csv")
    ]  # fmt: skip
    sessions = (
        (target / DESIGN_FILE).is_file() or any(target.glob("*/result.json")) or (target / "result.json").is_file()
    )
    return tables[0] if len(tables) == 1 and not sessions else None


def _plan_beside(target: Path) -> Path | None:
    from pipeline.study.plan import PLAN_FILE

    file = (target if target.is_dir() else target.parent) / PLAN_FILE
    return file if file.is_file() else None


def _show(result: StudyResult) -> None:
    """The audit first, then effects and prediction, for people."""
    from pipeline.study.plan import plan_in_words
    from pipeline.study.report import score_rows

    for note in result.table.notes:
        say(note, "yellow")
    findings = [
        {"": "alarm" if one.flag else "", "audit": one.flag or "fact", "what": one.text}
        for one in result.audit.findings
    ]
    show_table(findings, "Audit")
    show_table(score_rows(result), "What predicts the label (balanced accuracy, 0.5 is chance)")
    keys = ("cue", "g", "g_low", "g_high", "p", "p_fdr", "p_max_t", "bf10")
    shown = [{key: row[key] for key in keys} for row in result.effects.rows[:10]]
    show_table(shown, f"Effects: {len(shown)} of {len(result.effects.rows)} cues, {result.effects.units}")
    one = result.prediction.summary
    if not one["refused"]:
        names = ("balanced_accuracy", "auc", "permutation_p", "calibration_error")
        title = "Prediction" + (f", LEAKY: folds share {result.prediction.leaks}" if result.prediction.leaks else "")
        show_table([{name: one[name] for name in names} | {"groups": one["groups"]}], title)
    show_table([{"headline": result.headline}])
    say(plan_in_words(result.plan))
