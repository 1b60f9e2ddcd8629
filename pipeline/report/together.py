"""Several people on a page: who mirrors whom as a table, and how much they are in step over time."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from data_schemas.time import NS_PER_S
from pipeline.report.markup import as_figure, as_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from pipeline.interaction_table import Interaction, Tie

_COLOURS = ("#3b6fb6", "#c8423b", "#3f8f5f", "#8a5fb0")


def together_section(interaction: Interaction | None) -> str:
    """HTML: a sentence per tie that was found, the table of all, a figure per pair; "" for one person."""
    if interaction is None:
        return ""
    said = [_sentence(tie) for tie in interaction.ties if tie.found]
    parts = ["<h2>People together</h2>"]
    parts.append(
        f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in said)}</ul>"
        if said
        else "<p>Nobody was found to follow anybody: nothing stands out of what chance gives.</p>"
    )
    parts.append(as_table([_row(tie) for tie in interaction.ties]))
    for number, figure in enumerate(_figures(interaction)):
        parts.append(as_figure(f"together{number}", figure, "Synchrony over time"))
    return "\n".join(parts)


def _sentence(tie: Tie) -> str:
    how = f"r = {tie.strength:.2f}" if tie.measure == "correlation" else f"{tie.strength:.0%} of the events answered"
    return (
        f"{tie.follower} follows {tie.leader} in {tie.behaviour.replace('_', ' ')} after {tie.lag_s:.2f} s "
        f"({how}, corrected p = {tie.q:.2g})."
    )


def _row(tie: Tie) -> dict[str, object]:
    def told(value: float | None, how: str) -> str | None:
        return None if value is None else format(value, how)

    return {
        "leader": tie.leader,
        "follower": tie.follower,
        "behaviour": tie.behaviour.replace("_", " "),
        "measure": tie.measure,
        "lag [s]": told(tie.lag_s, ".2f"),
        "strength": told(tie.strength, ".2f"),
        "by chance": told(tie.expected, ".2f"),
        "p": told(tie.p, ".2g"),
        "corrected p": told(tie.q, ".2g"),
        "found": "yes" if tie.found else "no",
        "compared [s]": told(tie.valid_s, ".0f"),
        "why not": tie.reason or None,
    }


def _figures(interaction: Interaction) -> list[go.Figure]:
    import numpy as np
    import plotly.graph_objects as go

    figures = []
    for pair, track in interaction.tracks.items():
        figure = go.Figure()
        names = [name for name in track.names if name.endswith("_synchrony")]
        for name, colour in zip(names, _COLOURS, strict=False):
            values, valid = track.column(name)
            if valid.any():
                seconds, shown = track.times_ns / NS_PER_S, np.where(valid, values, np.nan)
                label = name.removesuffix("_synchrony").replace("_", " ")
                figure.add_scatter(x=seconds, y=shown, name=label, line={"color": colour, "width": 1.5})
        if figure.data:
            figure.update_xaxes(gridcolor="rgba(128,128,128,.18)", zeroline=False)
            figure.update_yaxes(gridcolor="rgba(128,128,128,.18)", zeroline=False)
            figure.add_hline(y=0, line={"color": "#8a8f98", "width": 1, "dash": "dot"})
            figure.update_layout(
                title=f"{pair[0]} and {pair[1]}: in step, standard deviations above chance",
                xaxis_title="session time [s]",
                paper_bgcolor="rgba(0,0,0,0)",
                plot_bgcolor="rgba(0,0,0,0)",
                font={"color": "#8a8f98"},
                height=280,
                margin={"l": 60, "r": 20, "t": 50, "b": 40},
            )
            figures.append(figure)
    return figures
