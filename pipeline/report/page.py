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
from pipeline import __version__
from pipeline.report.clocks import clocks_section, worst_verdict
from pipeline.report.expressions import expressions_section
from pipeline.report.markup import as_table, as_text, inline
from pipeline.report.together import together_section

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.interaction import Interaction

_TEMPLATE = Path(__file__).with_name("page.html")


def write_report(
    record: ResultRecord,
    timeline: pa.Table,
    events: Sequence[Event],
    sync: SyncReport,
    path: Path,
    interaction: Interaction | None = None,
) -> None:
    """Write the page of a result.

    Args:
        record: Summary, problems, provenance.
        timeline: The table of `timeline.parquet`.
        events: All events.
        sync: Clock report.
        path: HTML file to write; about 5 MB, most of it the drawing library.
        interaction: What several people do to each other.
    """
    from modalities.face.features import UNIT_WORDS
    from pipeline.report.lanes import draw_lanes

    figures, expressions = [], []
    for number, person in enumerate(record.people):
        spec = draw_lanes(timeline, events, person).to_json()
        title = f"<h2>{escape(person)}</h2>" if len(record.people) > 1 else ""
        figures.append(f'{title}<div class="lanes" id="lanes{number}" role="img" aria-label="Timeline lanes"></div>')
        figures.append(f"<script>draw('lanes{number}', {inline(spec or '{}')});</script>")
        cards = expressions_section([event for event in events if event.person in (person, None)], UNIT_WORDS)
        if cards:
            expressions.append(f"{title.replace('h2>', 'h3>')}{cards}")
    loud = [problem for problem in record.problems if problem.severity != "note"]
    quiet = [problem for problem in record.problems if problem.severity == "note"]
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(record.session),
        duration=f"{record.duration_s:.1f} s",
        people=escape(", ".join(record.people)),
        purpose=escape(record.purpose or "not stated"),
        version=escape(record.telltale_version),
        verdict=worst_verdict(sync),
        caveats="".join(f"<li>{escape(text)}</li>" for text in record.caveats),
        problems=_problems(loud) or "<p>None.</p>",
        notes=_problems(quiet) or "<p>None.</p>",
        figures="\n".join(figures),
        expressions="\n".join(expressions) or "<p>None was found.</p>",
        together=together_section(interaction),
        channels=as_table([_channel_row(one.model_dump()) for one in record.channels]),
        clocks=clocks_section(sync),
        provenance=as_table([_step_row(one.model_dump(mode="json")) for one in record.provenance]),
        **_parts(),
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def write_sync_report(name: str, sync: SyncReport, path: Path) -> None:
    """Write a page about the clocks alone.

    Args:
        name: Of the session.
        sync: Clock report.
        path: HTML file to write.
    """
    page = Template(_TEMPLATE.with_name("sync.html").read_text(encoding="utf-8")).substitute(
        title=escape(name),
        version=escape(__version__),
        verdict=worst_verdict(sync),
        clocks=clocks_section(sync),
        **_parts(),
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _parts() -> dict[str, str]:
    """What every page carries: style, the drawing library, the call that draws."""
    from plotly.offline import get_plotlyjs

    return {
        "style": _TEMPLATE.with_suffix(".css").read_text(encoding="utf-8"),
        "script": _TEMPLATE.with_suffix(".js").read_text(encoding="utf-8"),
        "plotly": get_plotlyjs(),
    }


def _problems(problems: Sequence[Any]) -> str:
    items = "".join(f'<li class="{p.severity}"><b>{p.severity}</b> {escape(p.what)}</li>' for p in problems)
    return f"<ul>{items}</ul>" if items else ""


def _channel_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "person": one["person"],
        "channel": one["channel"],
        "valid": f"{one['valid_share']:.0%}",
        "null because": ", ".join(f"{word} {share:.0%}" for word, share in one["reasons"].items()) or None,
        "events": ", ".join(f"{count} {kind}" for kind, count in one["events"].items()) or None,
        "quality": ", ".join(f"{key} {as_text(value)}" for key, value in one["quality"].items()) or None,
    }


def _step_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "step": one["step"],
        "version": one["version"],
        "parameters": json.dumps(one["parameters"], ensure_ascii=False),
        "inputs (SHA-256)": ", ".join(f"{name} {digest[:12]}" for name, digest in one["inputs"].items()) or None,
    }
