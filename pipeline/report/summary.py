"""At the top of a page: whether the clocks can be trusted, and how much of each channel there is."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from data_schemas.result import ChannelSummary, ResultRecord, SyncReport
from pipeline.report.clocks import worst_verdict

_WORDS = {
    "pass": "The clocks agree.",
    "warn": "The clocks can be used with care.",
    "fail": "The clocks cannot be trusted.",
}
_SHOWN = 4


def summary_section(record: ResultRecord, sync: SyncReport) -> str:
    """HTML: three boxes, for clocks, data quality and what went wrong.

    Args:
        record: Of the result.
        sync: Its clock report.
    """
    return _clocks(sync) + _quality(record.channels, len(record.people) > 1) + _problems(record)


def _clocks(sync: SyncReport) -> str:
    worst = worst_verdict(sync)
    bad = [one for one in sync.streams if one.verdict != "pass"]
    known = [one.ci95_ms for one in sync.streams if one.ci95_ms is not None]
    lines = []
    if known:
        lines.append(f"<p>Widest 95 % interval of an offset: ±{max(known):.2f} ms.</p>")
    lines += [f"<li><b>{escape(one.stream)}</b> {one.verdict}: {escape(one.why or one.method)}</li>" for one in bad]
    contradicting = [one for one in sync.checks if one.verdict == "contradicts"]
    lines += [
        f"<li><b>{escape(one.own)}</b> contradicts {escape(one.against)} by {escape(one.by)}"
        f"{'' if one.off_ms is None else f', off by {one.off_ms:+.1f} ms'}</li>"
        for one in contradicting
    ]
    body = "".join(line for line in lines if line.startswith("<p>"))
    items = [line for line in lines if line.startswith("<li>")]
    more = f"<li>and {len(items) - _SHOWN} more, under Clocks</li>" if len(items) > _SHOWN else ""
    body += f"<ul>{''.join(items[:_SHOWN])}{more}</ul>" if items else ""
    return (
        f'<section><h2>Clocks: <span class="{worst}">{worst}</span></h2><p>{_WORDS[worst]} '
        f"{len(sync.streams)} {'stream' if len(sync.streams) == 1 else 'streams'}.</p>{body}</section>"
    )


def _quality(channels: Sequence[ChannelSummary], several: bool) -> str:
    rows = []
    for one in channels:
        name = f"{one.person} {one.channel}" if several else one.channel
        why = ", ".join(
            f"{word.replace('_', ' ')} {share:.0%}"
            for word, share in sorted(one.reasons.items(), key=lambda item: -item[1])[:3]
        )
        silent = one.quality.get("cannot_say") if one.channel == "fused" else None
        if isinstance(silent, float) and silent > 0:
            why = f"cannot say {silent:.0%}" + (f", {why}" if why else "")
        rows.append(
            f"<span>{escape(name)}</span>"
            f'<span class="bar" aria-hidden="true"><i style="width:{round(100 * one.valid_share)}%"></i></span>'
            f'<b>{one.valid_share:.0%}</b><span class="why" title="{escape(why)}">{escape(why)}</span>'
        )
    return f'<section><h2>Data: share of time with a value</h2><div class="quality">{"".join(rows)}</div></section>'


def _problems(record: ResultRecord) -> str:
    loud = [one for one in record.problems if one.severity != "note"]
    worst = "fail" if any(one.severity == "error" for one in loud) else "warn" if loud else "pass"
    items = "".join(
        f'<li class="{one.severity}"><b>{one.severity}</b> {escape(_brief(one.what))}</li>' for one in loud[:_SHOWN]
    )
    more = f"<li>and {len(loud) - _SHOWN} more, under Problems</li>" if len(loud) > _SHOWN else ""
    body = f"<ul>{items}{more}</ul>" if loud else "<p>Nothing failed and nothing was missing.</p>"
    found: dict[str, int] = {}
    for one in record.channels:
        for kind, count in one.events.items():
            found[kind] = found.get(kind, 0) + count
    wanted = ("incongruence", "micro", "macro", "blink", "gesture", "speech_turn", "scr", "cue")
    counts = ", ".join(f"{found[kind]} {kind.replace('_', ' ')}" for kind in wanted if found.get(kind))
    told = f"<p>Events: {escape(counts)}.</p>" if counts else "<p>No events were found.</p>"
    return f'<section><h2>Problems: <span class="{worst}">{len(loud)}</span></h2>{body}{told}</section>'


def _brief(text: str) -> str:
    return text if len(text) <= 220 else f"{text[:217]}..."
