"""The folder of a study's report: `report.html`, figures, tables, `study.json`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from pipeline import __version__
from pipeline.privacy.derived import MADE_OF
from pipeline.report.markup import as_table, policy
from pipeline.study.analysis import StudyResult
from pipeline.study.effect_figures import draw_courses, draw_forest, draw_raincloud
from pipeline.study.figures import Picture, write_rows
from pipeline.study.methods import REFERENCES, write_limits, write_methods
from pipeline.study.plan import plan_in_words
from pipeline.study.prediction_figures import draw_calibration, draw_decision, draw_null

RESULT_FILE = "study.json"
_TABLES = ("effects", "audit", "sample_sizes", "predictions")
_PICTURES = ("forest", "raincloud", "time_course", "permutation", "calibration", "decision_curve")
FILES = (
    "report.html",
    *(f"{name}.csv" for name in _TABLES),
    *(f"{name}.{kind}" for name in _PICTURES for kind in ("svg", "png", "csv")),
    RESULT_FILE,
)
"""All that a report may consist of."""
_CSS = Path(__file__).parents[1] / "report" / "page.css"
_STYLE = """
body { max-width: 1100px; } figure { margin: 1rem 0; } figure img { max-width: 100%; background: #fff; padding: 6px;
  border-radius: 4px; } figcaption { color: var(--soft); font-size: .86rem; max-width: 46rem; }
.headline { font-size: 1.08rem; background: var(--card); border-left: 4px solid var(--ink); padding: .7rem 1rem;
  overflow-wrap: anywhere; } .leaky { border-color: var(--red); color: var(--red); font-weight: 600; }
.pair { display: flex; flex-wrap: wrap; gap: 1.2rem; } .pair figure { flex: 1 1 22rem; max-width: 34rem; }
code { font-size: .86rem; } p, li { max-width: 60rem; overflow-wrap: anywhere; }
"""
_SIDE_BY_SIDE = ("calibration", "decision_curve")


def write_report(
    result: StudyResult, folder: Path, hook: Hook = silent, made_of: Mapping[str, Any] | None = None
) -> Path:
    """Write everything into a folder.

    Args:
        result: The analysed study.
        folder: Made if absent, private to the user; an earlier report of a study is replaced.
        hook: Told of the figures.
        made_of: Whose data it is made of, in pseudonyms (`pipeline.privacy.records.note_report`).

    Returns:
        `report.html`.

    Raises:
        InvalidValueError: the folder holds something else.
    """
    check_folder(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / RESULT_FILE).unlink(missing_ok=True)
    draws = [draw_forest, draw_raincloud, draw_courses]
    if not result.prediction.summary["refused"]:
        draws += [draw_null, draw_calibration, draw_decision]
    pictures: dict[str, Picture] = {}
    for at, draw in enumerate(draws):
        hook("figures", at, len(draws))
        picture = draw(result, folder)
        if picture is not None:
            pictures[picture.name] = picture
    hook("figures", len(draws), len(draws))
    write_rows(result.effects.rows, folder / "effects.csv")
    write_rows(
        [{"flag": one.flag, "text": one.text, "p": one.p} for one in result.audit.findings], folder / "audit.csv"
    )
    write_rows(result.sizes, folder / "sample_sizes.csv")
    write_rows(prediction_rows(result), folder / "predictions.csv")
    page = folder / "report.html"
    page.write_text(_page(result, pictures, folder), encoding="utf-8", newline="\n")
    record = {**result.as_dict(), MADE_OF: dict(made_of or {})}
    text = json.dumps(record, indent=2, ensure_ascii=False, default=str)
    (folder / RESULT_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")
    return page


def check_folder(folder: Path) -> None:
    """Return if a report may be written there.

    Raises:
        InvalidValueError: it is a file, or holds files that are no earlier report of a study.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidValueError("the place for the report is a file", file=folder, mend="Name a folder with -o.")
    if (folder / "report.html").exists() and not (folder / RESULT_FILE).exists():
        raise InvalidValueError(
            "the folder holds a report that is not of a study", file=folder, mend="Name another folder with -o."
        )


def prediction_rows(result: StudyResult) -> list[dict[str, Any]]:
    """What was predicted for every row."""
    if result.prediction.summary["refused"]:
        return []
    table = result.table
    items = table.finest_item
    return [
        {
            "subject": table.subject[at],
            "item": "" if items is None else items[at],
            "label": table.label_values[int(table.label[at])],
            "score": float(result.prediction.scores[at]),
            "probability": float(result.prediction.probability[at]),
            **({"leakage": f"LEAKY: folds share {result.prediction.leaks}"} if result.prediction.leaks else {}),
        }
        for at in range(len(table))
    ]


def _page(result: StudyResult, pictures: Mapping[str, Picture], folder: Path) -> str:
    table, audit, one = result.table, result.audit, result.prediction.summary
    leaky = ' class="headline leaky"' if result.prediction.leaks else ' class="headline"'
    alarms = [finding for finding in audit.findings if finding.flag]
    facts = [finding for finding in audit.findings if not finding.flag]
    parts = [
        f"<h1>{escape(table.label_name)}: {escape(table.label_values[0])} against {escape(table.label_values[1])}</h1>",
        f'<p class="meta">{len(table)} rows &middot; <b>{result.design.people}</b> people &middot; '
        f"<b>{len(table.names)}</b> cues &middot; Telltale {escape(__version__)}</p>",
        f"<p{leaky}>{escape(result.headline)}</p>",
        "<h2>Audit: what could fool the author</h2>",
        _list([f'<span class="fail">{escape(f.flag)}</span> {escape(f.text)}' for f in alarms], "No alarm."),
        _list([escape(f.text) for f in facts], ""),
        as_table(score_rows(result)),
        '<p class="hint">Balanced accuracy, 0.5 is chance. Identity: what the person mostly has elsewhere; item: what '
        "other people mostly have with it.</p>",
        _details("Tests of the audit", as_table(_rounded(audit.tested))),
        "<h2>Design</h2>",
        as_table([{"what": key.replace("_", " "), "value": _word(v)} for key, v in result.design.as_dict().items()]),
        f"<p>{escape(plan_in_words(result.plan))}</p>",
        _list([escape(note) for note in table.notes], ""),
        "<h2>Effects</h2>",
        f"<p>{escape(_effects_in_words(result))}</p>",
        _figure(pictures, "forest", folder),
        _figure(pictures, "raincloud", folder),
        _figure(pictures, "time_course", folder),
        _details(f"All {len(result.effects.rows)} cues", as_table(_rounded(_effect_rows(result)))),
        "<h2>Prediction</h2>",
        f"<p>{escape(one['refused'] or _prediction_in_words(result))}</p>",
        _figure(pictures, "permutation", folder),
        '<div class="pair">' + "".join(_figure(pictures, name, folder) for name in _SIDE_BY_SIDE) + "</div>",
        "<h2>What the next study needs</h2>",
        f"<p>{escape(_least_in_words(result))}</p>",
        as_table(list(result.sizes)),
        f'<p class="hint">{_sizes_in_words(result)}</p>',
        "<h2>Limits</h2>",
        _list([escape(text) for text in write_limits(result)], ""),
        "<h2>Methods</h2>",
        f"<p>{escape(write_methods(result))}</p>",
        _details("References", _list([escape(text) for text in REFERENCES], "")),
        _details(
            "Files", _list([f"{escape(k)} <code>{escape(v[:16])}</code>" for k, v in table.inputs.items()], "None.")
        ),
    ]
    body = "\n".join(part for part in parts if part)
    style = _CSS.read_text(encoding="utf-8") + _STYLE
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy())}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Telltale study: {escape(table.label_name)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def score_rows(result: StudyResult) -> list[dict[str, Any]]:
    """Balanced accuracy of the baselines and of the cues."""
    words = {"majority": "majority", "identity_only": "identity alone", "item_only": "item alone"}
    rows = [{"predicted from": word, "balanced accuracy": result.audit.scores[key]} for key, word in words.items()]
    rows.append({"predicted from": "nuisances alone", "balanced accuracy": result.audit.scores["nuisance_only"]})
    name = "cues" + (f" (LEAKY: folds share {result.prediction.leaks})" if result.prediction.leaks else "")
    rows.append({"predicted from": name, "balanced accuracy": result.prediction.summary["balanced_accuracy"]})
    return rows


def _effects_in_words(result: StudyResult) -> str:
    alpha, rows = result.settings.alpha, result.effects.rows
    count = {key: sum(row[key] is not None and row[key] <= alpha for row in rows) for key in ("p", "p_fdr", "p_max_t")}
    by_chance = f"{alpha * len(rows):.0f} would by chance alone" if alpha * len(rows) >= 1 else "one level for each"
    return (
        f"Of {len(rows)} cues {count['p']} have p <= {alpha:g} by themselves ({by_chance}), "
        f"{count['p_fdr']} after Benjamini and Hochberg, {count['p_max_t']} by max-T over all cues. Tests compare "
        f"{result.effects.units}."
    )


def _least_in_words(result: StudyResult) -> str:
    one, every = result.effects.least_detectable
    return (
        f"With {result.effects.units}, this study finds an effect of d = {one:.2f} in one cue, or "
        f"{every:.2f} in any of {len(result.effects.rows)} cues, with a power of {result.settings.power:g}."
    )


def _sizes_in_words(result: StudyResult) -> str:
    what = {"trial": "people", "person": "people", "item": "items"}[result.design.unit]
    if result.design.unit == "item" and result.design.stratum is not None:
        what = "items in two versions"
    how = (
        "of paired differences (effect: d<sub>z</sub>)"
        if result.effects.paired
        else "of two groups of equal size, both together"
    )
    return f"How many {what} a two-sided t test {how} needs. All cues: Bonferroni."


def _prediction_in_words(result: StudyResult) -> str:
    one = result.prediction.summary
    text = (
        f"{one['model'].capitalize()}; {one['groups']}. Balanced accuracy {one['balanced_accuracy']:.3f}"
        f"{_limits(one['balanced_accuracy_interval'])}, AUC {one['auc']:.3f}{_limits(one['auc_interval'])}; "
        f"permutation p {one['permutation_p']:.3g} (AUC), {one['permutation_p_balanced_accuracy']:.3g} (balanced "
        f"accuracy). Calibration error {one['calibration_error']:.3f}, Brier score {one['brier']:.3f}."
    )
    return f"{one['label']}. {text}" if result.prediction.leaks else text


def _limits(limits: tuple[float | None, float | None]) -> str:
    return "" if limits[0] is None else f" [{limits[0]:.3f}, {limits[1]:.3f}]"


def _effect_rows(result: StudyResult) -> list[dict[str, Any]]:
    keys = {
        "cue": "cue", "difference": "difference", "g": "g", "g_low": "low", "g_high": "high", "d_z": "d_z",
        "people_1": "people", "p": "p", "p_fdr": "p (BH)", "p_max_t": "p (max-T)", "bf10": "BF10",
        "mixed_estimate": "mixed, sd", "mixed_low": "mixed low", "mixed_high": "mixed high", "missing": "missing",
    }  # fmt: skip
    return [{word: row[key] for key, word in keys.items()} for row in result.effects.rows]


def _rounded(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def _word(value: Any) -> Any:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _figure(pictures: Mapping[str, Picture], name: str, folder: Path) -> str:
    picture = pictures.get(name)
    if picture is None:
        return ""
    data = base64.b64encode((folder / f"{name}.svg").read_bytes()).decode("ascii")
    links = ", ".join(f'<a href="{name}.{kind}">{kind.upper()}</a>' for kind in ("svg", "png", "csv"))
    return (
        f'<figure><h3>{escape(picture.title)}</h3><img alt="{escape(picture.title)}" '
        f'src="data:image/svg+xml;base64,{data}"><figcaption>{escape(picture.caption)} {links}</figcaption></figure>'
    )


def _list(items: Sequence[str], nothing: str) -> str:
    return (
        "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>" if items else nothing and f"<p>{nothing}</p>"
    )


def _details(title: str, body: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{body}</details>"
