"""A coder's file becomes edits in the coder's layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.coding.compare import changes
from pipeline.coding.files import read_coded
from pipeline.coding.layers import Edit, Layer, Scope, edit
from pipeline.export.content import read_content


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        layer: The coder's layer, edits included.
        edits: The edits of this import; none where the file says nothing new.
        scopes: What the file holds all events of.
        rows: Per person and kind: how many events the file has, and how many are as before, changed, added, deleted.
        left_out: Tiers that could not be used, with the reason.
        clock: What the file's times were on.
    """

    layer: Layer
    edits: tuple[Edit, ...]
    scopes: frozenset[Scope]
    rows: tuple[dict[str, object], ...]
    left_out: tuple[str, ...]
    clock: str


def import_coding(
    result: Path,
    file: Path,
    coder: str,
    *,
    clock: str | None = None,
    tiers: Mapping[str, str] | None = None,
    session: Path | None = None,
) -> Imported:
    """Read a coder's file and add what it changes to the coder's layer; the machine's events stay as they are.

    Args:
        result: The result that was coded.
        file: ELAN, TextGrid, or CSV of Telltale or BORIS.
        coder: Who coded it.
        clock: "session" or a stream, where the file does not tell what its times count from.
        tiers: What tiers of other names mean; see `read_coded`.
        session: The session folder, where it is not found beside the result.

    Raises:
        TelltaleError: the result or the file cannot be used, or `coder` is no name.
    """
    from pipeline.provenance import hash_file

    layer = Layer.open(result, coder)
    content = read_content(result, session)
    coded = read_coded(file, content, clock, tiers)
    before = {one.identity: one.event for one in layer.coded(content.events)}
    made = changes(before, coded.found, set(coded.scopes))
    fresh = coded.scopes - layer.scopes()
    if fresh:
        made = [replace(edit("scope", ""), scopes=tuple(sorted(fresh, key=str))), *made]
    source = {"file": file.name, "sha256": hash_file(file)}
    done = layer.append(replace(one, source=source) for one in made)
    rows = _rows(coded.scopes, done, Counter(_key(one.event.person, one.event.kind) for one in coded.found))
    return Imported(layer, tuple(done), coded.scopes, rows, coded.left_out, coded.clock.name)


def _rows(
    scopes: frozenset[Scope], edits: list[Edit], found: Mapping[tuple[str, str], int]
) -> tuple[dict[str, object], ...]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in edits:
        event = one.after or one.before
        if event is not None:
            counts.setdefault(_key(event.person, event.kind), Counter())[one.action] += 1
    rows = []
    for person, kind in sorted({_key(person, kind) for person, _, kind in scopes}):
        did = counts.get((person, kind), Counter())
        n = found.get((person, kind), 0)
        same = n - did["change"] - did["add"]
        row = {"person": person or "-", "kind": kind, "events": n, "as before": same, "changed": did["change"]}
        rows.append({**row, "added": did["add"], "deleted": did["delete"]})
    return tuple(rows)


def _key(person: str | None, kind: str) -> tuple[str, str]:
    return (person or "", kind)
