"""The clocks of a session on a page: verdicts, further evidence, and what was measured between each pair of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from data_schemas.result import SyncEvidence, SyncReport
from pipeline.report.markup import as_figure, as_table, as_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

_BLUE, _RED, _GREY = "#3b6fb6", "#c8423b", "#8a8f98"
_NEAR_S = 1.0
"""Of the agreement curve this much is shown around its peak; the rest lies outside and can be moved to."""


def clocks_section(sync: SyncReport) -> str:
    """HTML: a table of all streams, a table of checks, and a figure for each piece of evidence.

    Args:
        sync: Clock report.
    """
    parts = [as_table(_without_empty([_stream_row(one.model_dump()) for one in sync.streams]))]
    if sync.checks:
        parts.append("<h3>Checks by further evidence</h3>")
        parts.append(as_table([_check_row(one.model_dump()) for one in sync.checks]))
    for number, one in enumerate(sync.evidence):
        figure = draw_evidence(one)
        parts.append(f'<h3 class="evidence">{escape(caption_of(one))}</h3>')
        if figure is not None:
            parts.append(as_figure(f"evidence{number}", figure, caption_of(one)))
    return "\n".join(parts)


def worst_verdict(sync: SyncReport) -> str:
    """The worst verdict of any stream: "fail", "warn" or "pass"."""
    found = {one.verdict for one in sync.streams}
    return next((word for word in ("fail", "warn") if word in found), "pass")


def _stream_row(one: Mapping[str, Any]) -> dict[str, Any]:
    interval = "" if one["ci95_ms"] is None else f" ±\u00a0{one['ci95_ms']:.2f}\u00a0ms"
    gaps = f", {one['gaps']} {'gap' if one['gaps'] == 1 else 'gaps'}" if one["gaps"] else ""
    matched = f", {one['matched']} measured" if one["matched"] else ""
    return {
        "stream": one["stream"],
        "verdict": one["verdict"],
        "why": one["why"],
        "clock": one["clock"],
        "aligned by": f"{one['method'].replace('_', ' ')}{matched}",
        "offset ± 95 %": f"{one['offset_s']:+.4f}\u00a0s{interval}",
        "drift": f"{one['drift_ppm']:+.1f}\u00a0ppm",
        "residual RMS, max": None
        if one["residual_ms"] is None
        else f"{one['residual_ms']:.2f}, {one['residual_max_ms']:.2f}\u00a0ms",
        "covers": f"{one['start_s']:.2f} to {one['end_s']:.2f}\u00a0s, {one['coverage']:.0%}{gaps}",
        "rate": None if one["effective_hz"] is None else f"{as_text(float(one['effective_hz']))}\u00a0Hz",
        "dropped, repeated": None if one["dropped"] is None else f"{one['dropped']}, {_known(one['duplicated'])}",
    }


def _without_empty(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the columns that say nothing in any of them."""
    used = [name for name in (rows[0] if rows else ()) if any(row[name] not in (None, "") for row in rows)]
    return [{name: row[name] for name in used} for row in rows]


def _known(count: int | None) -> str:
    return "?" if count is None else str(count)


def _check_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stream": one["own"],
        "against": one["against"],
        "by": one["by"],
        "off by [ms]": None if one["off_ms"] is None else f"{one['off_ms']:+.1f}",
        "95 % [ms]": None if one["ci95_ms"] is None else f"±{one['ci95_ms']:.1f}",
        "confidence": None if one["confidence"] is None else f"{one['confidence']:.2f}",
        "verdict": one["verdict"].replace("_", " "),
        "why": one["why"],
    }


def draw_evidence(one: SyncEvidence) -> go.Figure | None:
    """Residuals over session time, and agreement by lag; only what there is, None for neither.

    Args:
        one: Evidence of a clock report.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    panels = [name for name, there in (("residuals", one.times_s), ("agreement", one.lags_s)) if there]
    if not panels:
        return None
    titles = {"residuals": "residual over time (shaded: interval of the offset)", "agreement": "agreement by lag"}
    figure = make_subplots(
        rows=1, cols=len(panels), subplot_titles=[titles[name] for name in panels], horizontal_spacing=0.08
    )
    if one.times_s:
        figure.add_trace(
            go.Scatter(x=one.times_s, y=one.residuals_ms, mode="markers", marker={"size": 5, "color": _BLUE},
                         hovertemplate="%{x:.2f} s: %{y:.2f} ms<extra></extra>"), row=1, col=1,
        )  # fmt: skip
        figure.add_hrect(y0=-one.ci95_ms, y1=one.ci95_ms, fillcolor=_BLUE, opacity=0.15, line_width=0, row=1, col=1)
        figure.update_xaxes(title_text="session time [s]", row=1, col=1)
        figure.update_yaxes(title_text="residual [ms]", row=1, col=1)
    if one.lags_s:
        at = len(panels)
        peak = one.lags_s[max(range(len(one.scores)), key=one.scores.__getitem__)]
        figure.add_trace(
            go.Scatter(x=one.lags_s, y=one.scores, mode="lines", line={"width": 1.2, "color": _GREY},
                         hovertemplate="%{x:.4f} s: %{y:.3f}<extra></extra>"), row=1, col=at,
        )  # fmt: skip
        figure.add_vline(x=peak, line={"color": _RED, "width": 1, "dash": "dot"}, row=1, col=at)
        figure.update_xaxes(title_text="lag [s]", range=[peak - _NEAR_S, peak + _NEAR_S], row=1, col=at)
        figure.update_yaxes(title_text=one.score, row=1, col=at)
    figure.update_xaxes(showgrid=True, gridcolor="rgba(128,128,128,.18)", zeroline=False)
    figure.update_yaxes(showgrid=True, gridcolor="rgba(128,128,128,.18)", zeroline=True)
    figure.update_layout(
        height=260, margin={"l": 60, "r": 20, "t": 40, "b": 40}, showlegend=False, font={"color": _GREY},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return figure


def caption_of(one: SyncEvidence) -> str:
    """The evidence in words and figures."""
    drift = f", drift {one.drift_ppm:+.1f} ppm" if one.drift_ppm else ""
    return (
        f"{one.own} against {one.against} by {one.by}: offset {one.offset_s:+.4f} s, 95 % interval "
        f"±{one.ci95_ms:.2f} ms{drift}, confidence {one.confidence:.2f}"
    )
