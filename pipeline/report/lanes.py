"""The session drawn as lanes on one time axis: what was fused, and what each channel said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_schemas.event import Event
from data_schemas.time import to_s

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa

MAX_POINTS = 3000
_BLUE, _RED, _GREEN, _ORANGE, _GREY, _PURPLE = "#3b6fb6", "#c8423b", "#3a8f5c", "#d98a29", "#8a8f98", "#7a5aa6"

_LANES: tuple[tuple[str, tuple[tuple[str, str, str], ...], tuple[str, ...]], ...] = (
    ("concealed", (("fused.concealed", "concealed", _RED), ("fused.uncertainty", "uncertainty", _GREY)),
     ("incongruence",)),
    ("felt", (("fused.felt_negative", "negative", _RED), ("fused.felt_positive", "positive", _GREEN),
              ("fused.felt_surprise", "surprise", _ORANGE), ("fused.felt_neutral", "neutral", _GREY)), ()),
    ("shown", (("fused.shown_negative", "negative", _RED), ("fused.shown_positive", "positive", _GREEN),
               ("fused.shown_surprise", "surprise", _ORANGE), ("fused.shown_neutral", "neutral", _GREY)), ()),
    ("face: AUs", (("face.au12_left", "AU12 left", _GREEN), ("face.au12_right", "AU12 right", _BLUE),
                   ("face.au04", "AU4", _RED), ("face.au01", "AU1", _ORANGE)), ("macro", "micro")),
    ("face: eyes", (("face.eye_opening_left", "eye left", _BLUE), ("face.eye_opening_right", "eye right", _PURPLE)),
     ("blink",)),
    ("voice: pitch [Hz]", (("voice.pitch_hz", "pitch", _BLUE),), ("speech_turn",)),
    ("body: movement", (("body.movement_energy", "movement", _GREEN),), ("gesture", "hand_to_face")),
    ("heart rate [bpm]", (("physiology.heart_rate_bpm", "heart rate", _RED),), ()),
    ("EDA phasic [uS]", (("physiology.eda_phasic_us", "phasic", _PURPLE),), ("scr",)),
    ("context", (), ("cue",)),
)  # fmt: skip
"""Lane title, its lines (column, name, colour), and the event kinds drawn in it."""

_GRID: dict[str, Any] = {"showgrid": True, "gridcolor": "rgba(128,128,128,.18)", "zeroline": False}
_EVENT_COLOURS = {"micro": _RED, "macro": _GREEN, "blink": _GREY, "speech_turn": _BLUE, "gesture": _GREEN,
                  "hand_to_face": _ORANGE, "scr": _PURPLE, "cue": _GREY, "incongruence": _RED}  # fmt: skip


def draw_lanes(timeline: pa.Table, events: Sequence[Event], person: str) -> go.Figure:
    """One plotly figure with a lane per channel for one person.

    Args:
        timeline: The table of `timeline.parquet`.
        events: All events of the session.
        person: Whose rows to draw.
    """
    import plotly.graph_objects as go
    import pyarrow.compute as pc
    from plotly.subplots import make_subplots

    rows = timeline.filter(pc.equal(pc.cast(timeline["person"], "string"), person))
    seconds = to_s(rows["t_ns"].to_numpy())
    own = [event for event in events if event.person in (person, None)]
    figure = make_subplots(rows=len(_LANES), cols=1, shared_xaxes=True, vertical_spacing=0.02)
    for number, (title, lines, kinds) in enumerate(_LANES, 1):
        drawn = False
        for column, name, colour in lines:
            values = _column(rows, column)
            if values is None or not np.isfinite(values).any():
                continue
            x, y = decimate(seconds, values)
            figure.add_trace(
                go.Scatter(x=x, y=y, name=name, mode="lines", line={"color": colour, "width": 1.4}, showlegend=False,
                             connectgaps=False, hovertemplate=f"{name} %{{y:.3g}}<extra>%{{x:.2f}} s</extra>"),
                row=number, col=1,
            )  # fmt: skip
            drawn = True
        span = [float(seconds[0]), float(seconds[-1])] if len(seconds) else [0.0, 1.0]
        figure.add_trace(go.Scatter(x=span, y=[None, None], showlegend=False, hoverinfo="skip"), row=number, col=1)
        found = [event for event in own if event.kind in kinds]
        _draw_events(figure, number, found)
        note = "" if drawn or found else f"no data: {_why(rows, lines, kinds)}"
        axis = "" if number == 1 else str(number)
        figure.update_yaxes(title={"text": title, "font": {"size": 11}}, tickfont={"size": 9}, automargin=True,
                            row=number, col=1, **_GRID)  # fmt: skip
        key = "   ".join(f'<span style="color:{colour}">{name}</span>' for _, name, colour in lines if drawn)
        figure.add_annotation(text=key, xref=f"x{axis} domain", yref=f"y{axis} domain", x=1, y=1, xanchor="right",
                              yanchor="bottom", showarrow=False, font={"size": 10})  # fmt: skip
        if not drawn:
            figure.update_yaxes(range=[0, 1], showticklabels=False, row=number, col=1)
        if note:
            figure.add_annotation(text=note, xref=f"x{axis} domain", yref=f"y{axis} domain", x=0.5, y=0.5,
                                  showarrow=False, font={"size": 12, "color": _GREY})  # fmt: skip
    figure.update_xaxes(**_GRID)
    figure.update_xaxes(range=[float(seconds[0]), float(seconds[-1])] if len(seconds) else None)
    figure.update_xaxes(title="session time [s]", row=len(_LANES), col=1)
    figure.update_layout(height=108 * len(_LANES) + 60, margin={"l": 70, "r": 20, "t": 40, "b": 40},
                         paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", hovermode="x",
                         font={"color": _GREY, "family": "system-ui, sans-serif"}, dragmode="pan")  # fmt: skip
    return figure


def decimate(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most about `MAX_POINTS` points that keep every peak: minimum and maximum of each stretch, gaps kept as NaN."""
    if len(x) <= MAX_POINTS:
        return x, y
    step = int(np.ceil(2 * len(x) / MAX_POINTS))
    keep: list[int] = []
    for start in range(0, len(x), step):
        piece = y[start : start + step]
        fine = np.flatnonzero(np.isfinite(piece))
        if len(fine) < len(piece):
            keep.append(start + int(np.flatnonzero(~np.isfinite(piece))[0]))
        if len(fine):
            keep += [start + int(fine[np.argmin(piece[fine])]), start + int(fine[np.argmax(piece[fine])])]
    at = np.unique(keep)
    return x[at], y[at]


def _column(rows: pa.Table, name: str) -> NDArray[np.float64] | None:
    """A column as floats, NaN where null; what is fused is left out where nothing can be said."""
    if name not in rows.column_names:
        return None
    values = rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
    if name.startswith("fused."):
        silenced = rows["fused.cannot_say"].to_numpy(zero_copy_only=False).astype(np.float64) > 0.5
        values = np.where(silenced, np.nan, values)
    return values


def _why(rows: pa.Table, lines: Sequence[tuple[str, str, str]], kinds: Sequence[str]) -> str:
    if not lines:
        return "no cues" if "cue" in kinds else "none found"
    name = lines[0][0].split(".")[0] + ".reason"
    words = [word for word in rows[name].to_pylist() if word] if name in rows.column_names else []
    return ", ".join(sorted(set(words))) or "no valid value"


def _draw_events(figure: Any, lane: int, events: Sequence[Event]) -> None:
    """Events as shaded stretches that can be hovered."""
    import plotly.graph_objects as go

    axis = "" if lane == 1 else str(lane)
    if len(events) > 400:
        events = sorted(events, key=lambda event: -(event.score or 0))[:400]
    for event in events:
        colour = _EVENT_COLOURS.get(event.kind, _GREY)
        start, end = to_s(event.onset_ns), to_s(event.offset_ns)
        figure.add_shape(type="rect", x0=start, x1=max(end, start + 0.04), y0=0, y1=1, xref=f"x{axis}",
                         yref=f"y{axis} domain", fillcolor=colour, opacity=0.25 if event.kind != "micro" else 0.5,
                         line={"width": 0}, layer="below")  # fmt: skip
    if not events:
        return
    middle = [to_s((event.onset_ns + event.offset_ns) // 2) for event in events]
    words = [
        f"<b>{event.kind}</b> {event.label}<br>{to_s(event.onset_ns):.2f} to {to_s(event.offset_ns):.2f} s"
        + (f"<br>score {event.score:.2f}" if event.score is not None else "")
        for event in events
    ]
    colours = [_EVENT_COLOURS.get(event.kind, _GREY) for event in events]
    overlay = f"y{100 + lane}"
    marker = {"color": colours, "size": 7, "symbol": "triangle-down"}
    figure.add_trace(
        go.Scatter(x=middle, y=[0.94] * len(events), mode="markers", marker=marker, text=words, showlegend=False,
                   hovertemplate="%{text}<extra></extra>", xaxis=f"x{axis}", yaxis=overlay),
    )  # fmt: skip
    hidden = {"overlaying": f"y{axis}", "range": [0, 1], "visible": False, "fixedrange": True}
    figure.update_layout({f"yaxis{100 + lane}": hidden})
