"""The index of a study: its sessions in one table with quality, clocks and counts, each linked to its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from data_schemas.errors import InvalidValueError, MissingFileError, UnreadableFileError
from data_schemas.result import ResultRecord, SyncReport
from pipeline import __version__
from pipeline.batch.layout import Layout
from pipeline.report.clocks import worst_verdict
from pipeline.report.markup import policy, render, script_text, style_text

CHANNELS = ("face", "voice", "body", "physiology", "context", "fused")
KINDS = ("incongruence", "micro", "macro", "blink", "gesture", "speech_turn", "scr", "cue")


@dataclass(frozen=True)
class Index:
    """What was made.

    Attributes:
        page: The index.
        sessions: How many it lists.
        notes: Results that could not be read.
    """

    page: Path
    sessions: int
    notes: tuple[str, ...]


def is_study(folder: Path) -> bool:
    """Whether results of several sessions lie in a folder, rather than one result.

    Raises:
        MissingFileError: no such folder.
        UnreadableFileError: neither lies there.
    """
    if not folder.is_dir():
        raise MissingFileError("no such folder", file=folder, mend="Name what analyze or batch left with -o.")
    if (folder / "result.json").is_file():
        return False
    if Layout(folder).states() or any(folder.glob("*/result.json")):
        return True
    raise UnreadableFileError(
        "the folder holds no complete result",
        file=folder,
        mend="Name what telltale analyze or telltale batch left with -o.",
    )


def write_index(folder: Path, out: Path | None = None) -> Index:
    """Write the index of a study as `report.html` into its folder, or elsewhere.

    Args:
        folder: What `telltale batch` left, or any folder with results in it.
        out: HTML file; its links lead to the results where they lie now.

    Raises:
        InvalidValueError: `out` is no HTML file.
        OSError: it cannot be written.
    """
    from markupsafe import Markup

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise InvalidValueError("the index of a study is one file", file=out, expected="NAME.html")
    page = out or folder / "report.html"
    states = Layout(folder).states()
    names = sorted({path.parent.name for path in folder.glob("*/result.json")} | set(states))
    rows, notes = [], []
    for name in names:
        state = states.get(name)
        try:
            rows.append(_row(folder / name, name, page, "" if state is None else state.status))
        except UnreadableFileError as error:
            notes.append(str(error))
            rows.append(_Row(name, "", "unreadable", 2, str(error.what), {}, {}, "", 0.0, ()))
        except MissingFileError:
            status, why = ("?", "") if state is None else (state.status, state.reason)
            rows.append(_Row(name, "", status, 1, why, {}, {}, "", 0.0, ()))
    own = script_text("study")
    text = render(
        "study.html",
        policy=policy(own),
        title=folder.resolve().name,
        version=__version__,
        counts=", ".join(f"{n} {word}" for word, n in Counter(row.status for row in rows).items()),
        clocks=_verdicts(rows),
        style=Markup(style_text()),
        table=Markup(_table(rows)),
        script=Markup(f"<script>{own}</script>"),
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8", newline="\n")
    return Index(page, len(rows), tuple(notes))


@dataclass(frozen=True)
class _Row:
    name: str
    address: str
    status: str
    rank: int
    why: str
    valid: Mapping[str, float]
    events: Mapping[str, int]
    verdict: str
    duration_s: float
    people: tuple[str, ...]


def _row(result: Path, name: str, page: Path, status: str) -> _Row:
    if not (result / "result.json").is_file():
        raise MissingFileError("no result", file=result)
    try:
        record = ResultRecord.model_validate_json((result / "result.json").read_text(encoding="utf-8"))
        sync = SyncReport.model_validate_json((result / "sync.json").read_text(encoding="utf-8"))
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError("the result is damaged", file=result, got=str(error)[:200]) from error
    valid: dict[str, list[float]] = {}
    events: Counter[str] = Counter()
    for one in record.channels:
        valid.setdefault(one.channel, []).append(one.valid_share)
        events.update(one.events)
    loud = [problem.what for problem in record.problems if problem.severity != "note"]
    whole = "done" if record.exit_status == 0 else "in part"
    return _Row(
        name,
        _address(result / "report.html", page),
        status if status not in ("", "done") else whole,
        record.exit_status,
        "; ".join(loud),
        {channel: sum(shares) / len(shares) for channel, shares in valid.items()},
        dict(events),
        worst_verdict(sync),
        record.duration_s,
        tuple(record.people),
    )


def _address(file: Path, page: Path) -> str:
    if not file.is_file():
        return ""
    try:
        return quote(file.resolve().relative_to(page.parent.resolve()).as_posix())
    except ValueError:
        return file.resolve().as_uri()


def _table(rows: Sequence[_Row]) -> str:
    channels = [name for name in CHANNELS if any(name in row.valid for row in rows)]
    channels += sorted({name for row in rows for name in row.valid} - set(CHANNELS))
    kinds = [name for name in KINDS if any(row.events.get(name) for row in rows)]
    columns = ["session", "status", "people", "duration [s]", "clocks", *channels]
    columns += [kind.replace("_", " ") for kind in kinds]
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{escape(name)}</button></th>' for name in columns
    )
    body = "".join(f"<tr>{_cells(row, channels, kinds)}</tr>" for row in rows)
    return (
        f'<table class="study"><thead><tr>{head}<th scope="col">remarks</th></tr></thead><tbody>{body}</tbody></table>'
    )


def _cells(row: _Row, channels: Sequence[str], kinds: Sequence[str]) -> str:
    name = escape(row.name)
    link = f'<a href="{escape(row.address)}">{name}</a>' if row.address else name
    colour = {0: "pass", 1: "warn"}.get(row.rank, "fail")
    cells = [
        f'<th scope="row" data-value="{name}">{link}</th>',
        _cell(row.status, row.rank, "fail" if row.status == "failed" else colour),
        _cell(", ".join(row.people), len(row.people)),
        _cell(f"{row.duration_s:.0f}" if row.duration_s else "–", row.duration_s, "number"),
        _cell(row.verdict or "–", ("pass", "warn", "fail", "").index(row.verdict), row.verdict),
    ]
    for channel in channels:
        share = row.valid.get(channel)
        cells.append(_cell("–" if share is None else f"{share:.0%}", -1 if share is None else share, "number"))
    for kind in kinds:
        count = row.events.get(kind, 0)
        cells.append(_cell(count if row.valid else "–", count, "number"))
    why = row.why if len(row.why) <= 300 else f"{row.why[:297]}..."
    return "".join(cells) + f'<td class="why">{escape(why)}</td>'


def _cell(text: Any, value: Any, style: str = "") -> str:
    return f'<td class="{style}" data-value="{escape(str(value))}">{escape(str(text))}</td>'


def _verdicts(rows: Sequence[_Row]) -> str:
    found = Counter(row.verdict for row in rows if row.verdict)
    return ", ".join(f"{found[word]} {word}" for word in ("pass", "warn", "fail") if found[word]) or "none"
