"""How further evidence stands to the solved clocks, for the report and as problems."""

from __future__ import annotations

from collections.abc import Sequence

from data_schemas.result import Problem, SyncCheck
from data_schemas.session import EvidenceEntry
from sync.solve import Link, Solution, Standing


def checks_of(
    solution: Solution, extra: Sequence[Link], failed: Sequence[tuple[EvidenceEntry, str]]
) -> list[SyncCheck]:
    """One row per further piece of evidence, and per other piece that is suspect.

    Args:
        solution: Solved clocks.
        extra: Links beyond what the clocks are aligned by.
        failed: Entries of the manifest that gave no estimate, with the reason.
    """
    rows = [_row(one) for one in solution.standings if one.contradicts or any(one.link is link for link in extra)]
    for entry, why in failed:
        rows.append(SyncCheck(own=entry.own, against=entry.against, by=entry.by, verdict="too_weak", why=why))
    return rows


def problems_of_checks(checks: Sequence[SyncCheck]) -> list[Problem]:
    """A warning for each contradiction and each piece of evidence that could not be used."""
    words = {"contradicts": "evidence contradicts", "too_weak": "evidence could not be used"}
    return [
        Problem(
            severity="warning",
            what=f"{words[one.verdict]}: {one.own} against {one.against} by {one.by}: {one.why}",
            stream=one.own,
        )
        for one in checks
        if one.verdict != "agrees"
    ]


def _row(standing: Standing) -> SyncCheck:
    one = standing.link.estimate
    off_ms = standing.off_s * 1e3
    why = "; ".join(one.warnings)
    if standing.contradicts:
        others = [other for other in standing.suspects if other is not standing.link]
        named = ", ".join(_name(other) for other in others)
        blame = f"it or one of these is wrong, which cannot be told: {named}" if others else "all other evidence agrees"
        blame += "" if standing.heeded else "; it was not heeded"
        why = f"by {off_ms:+.1f} ms (interval +-{one.ci95_s * 1e3:.1f} ms); {blame}"
    return SyncCheck(
        own=one.own,
        against=one.against,
        by=one.method,
        off_ms=off_ms,
        ci95_ms=one.ci95_s * 1e3,
        confidence=one.confidence,
        verdict="contradicts" if standing.contradicts else "agrees",
        why=why,
    )


def _name(link: Link) -> str:
    one = link.estimate
    return f"{one.own} against {one.against} by {one.method}"
