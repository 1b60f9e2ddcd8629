"""`report.html`: one page that opens from disk, with no network and no server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from data_schemas.event import Event
from data_schemas.result import ResultRecord, SyncReport

if TYPE_CHECKING:
    import pyarrow as pa

_TEMPLATE = Path(__file__).with_name("page.html")


def write_report(
    record: ResultRecord, timeline: pa.Table, events: Sequence[Event], sync: SyncReport, path: Path
) -> None:
    """Write the page of a result.

    Args:
        record: Summary, problems, provenance.
        timeline: The table of `timeline.parquet`.
        events: All events.
        sync: Clock report.
        path: HTML file to write; about 5 MB, most of it the drawing library.
    """
    from plotly.offline import get_plotlyjs

    from pipeline.report.lanes import draw_lanes

    figures = []
    for number, person in enumerate(record.people):
        spec = draw_lanes(timeline, events, person).to_json()
        title = f"<h2>{escape(person)}</h2>" if len(record.people) > 1 else ""
        figures.append(f'{title}<div class="lanes" id="lanes{number}" role="img" aria-label="Timeline lanes"></div>')
        figures.append(f"<script>draw('lanes{number}', {_inline(spec or '{}')});</script>")
    worst = {one.verdict for one in sync.streams}
    verdict = next((word for word in ("fail", "warn", "pass") if word in worst), "pass")
    loud = [problem for problem in record.problems if problem.severity != "note"]
    quiet = [problem for problem in record.problems if problem.severity == "note"]
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(record.session),
        duration=f"{record.duration_s:.1f} s",
        people=escape(", ".join(record.people)),
        purpose=escape(record.purpose or "not stated"),
        version=escape(record.telltale_version),
        verdict=verdict,
        caveats="".join(f"<li>{escape(text)}</li>" for text in record.caveats),
        problems=_problems(loud) or "<p>None.</p>",
        notes=_problems(quiet) or "<p>None.</p>",
        figures="\n".join(figures),
        channels=_table([_channel_row(one.model_dump()) for one in record.channels]),
        sync=_table([_sync_row(one.model_dump()) for one in sync.streams]),
        provenance=_table([_step_row(one.model_dump(mode="json")) for one in record.provenance]),
        plotly=get_plotlyjs(),
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _inline(text: str) -> str:
    """JSON that is safe inside a script element."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _problems(problems: Sequence[Any]) -> str:
    items = "".join(f'<li class="{p.severity}"><b>{p.severity}</b> {escape(p.what)}</li>' for p in problems)
    return f"<ul>{items}</ul>" if items else ""


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f'<td class="{_class(value)}">{escape(_text(value))}</td>' for value in row.values()) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _class(value: Any) -> str:
    if isinstance(value, int | float):
        return "number"
    return str(value) if value in ("pass", "warn", "fail") else ""


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _channel_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "person": one["person"],
        "channel": one["channel"],
        "valid": f"{one['valid_share']:.0%}",
        "null because": ", ".join(f"{word} {share:.0%}" for word, share in one["reasons"].items()) or None,
        "events": ", ".join(f"{count} {kind}" for kind, count in one["events"].items()) or None,
        "quality": ", ".join(f"{key} {_text(value)}" for key, value in one["quality"].items()) or None,
    }


def _sync_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stream": one["stream"],
        "clock": one["clock"],
        "method": one["method"],
        "offset [s]": f"{one['offset_s']:+.4f}",
        "drift [ppm]": f"{one['drift_ppm']:+.1f}",
        "residual [ms]": None if one["residual_ms"] is None else f"{one['residual_ms']:.2f}",
        "events matched": one["matched"],
        "from [s]": f"{one['start_s']:.2f}",
        "to [s]": f"{one['end_s']:.2f}",
        "coverage": f"{one['coverage']:.0%}",
        "verdict": one["verdict"],
        "why": one["why"],
    }


def _step_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "step": one["step"],
        "version": one["version"],
        "parameters": json.dumps(one["parameters"], ensure_ascii=False),
        "inputs (SHA-256)": ", ".join(f"{name} {digest[:12]}" for name, digest in one["inputs"].items()) or None,
    }
