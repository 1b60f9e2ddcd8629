"""Coders' layers: edits pile up, nothing is overwritten, everything can be taken back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import InvalidValueError, MissingTrackError, UnreadableFileError
from data_schemas.event import Event
from pipeline.coding.identity import as_dict, identify, of_dict
from pipeline.coding.layers import Layer, coders_of
from pipeline.export.sample import EVENTS

MACHINE = tuple(sorted(EVENTS, key=lambda event: (event.onset_ns, event.channel, event.kind)))
NEW = Event("face", "macro", 5_000_000_000, 6_000_000_000, person="ada", label="AU9")


def test_identities_do_not_depend_on_the_other_events() -> None:
    whole, part = identify(MACHINE), identify(MACHINE[3:])
    assert len(whole) == len(MACHINE) and part.items() <= whole.items()
    assert len(identify([NEW, NEW, NEW])) == 3, "events that are all alike are told apart"
    assert all(of_dict(json.loads(json.dumps(as_dict(event)))) == event for event in MACHINE)


def test_every_edit_keeps_coder_and_time_and_can_be_taken_back(tmp_path: Path) -> None:
    layer = Layer.open(tmp_path, "anna")
    names = list(identify(MACHINE))
    moved = replace(MACHINE[0], onset_ns=MACHINE[0].onset_ns - 40_000_000)
    layer.add(NEW, "clearly there")
    layer.change(names[0], moved, MACHINE, "began earlier")
    layer.delete(names[1], MACHINE)
    layer.comment(names[2], "unsure", MACHINE)
    again = Layer.open(tmp_path, "anna")
    assert again.edits == layer.edits
    assert all(one.coder == "anna" and one.time.endswith("+00:00") for one in again.edits)
    coded = {one.identity: one for one in again.coded(MACHINE)}
    assert coded[names[0]].event == moved and coded[names[0]].machine == MACHINE[0]
    assert coded[names[0]].verdict == "changed" and coded[names[0]].comments == ("began earlier",)
    assert names[1] not in coded and again.rejected(MACHINE) == [MACHINE[1]]
    assert coded[names[2]].verdict == "confirmed" and coded[names[3]].verdict == "unseen"
    assert [one.event for one in coded.values() if one.verdict == "added"] == [NEW]
    assert again.edits[1].before == MACHINE[0], "what was there before stands in the edit"
    for _ in range(4):
        again.undo()
    assert again.events(MACHINE) == MACHINE
    with pytest.raises(InvalidValueError, match="nothing"):
        again.undo()
    assert len(Layer.open(tmp_path, "anna").edits) == 8, "an undo is a line more, not one less"


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("acdu"), st.integers(0, 30), st.integers(-500, 500)), max_size=12))
def test_a_layer_only_grows_and_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("layer")
    layer = Layer.open(folder, "anna")
    before = b""
    for action, which, ms in steps:
        coded = layer.coded(MACHINE)
        one = coded[which % len(coded)]
        if action == "a":
            layer.add(replace(NEW, onset_ns=NEW.onset_ns + ms * 1_000_000))
        elif action == "c":
            shift = ms * 1_000_000
            start = one.event.onset_ns + shift
            moved = replace(one.event, apex_ns=None, onset_ns=start, offset_ns=start + 10**9)
            layer.change(one.identity, moved, MACHINE)
        elif action == "d" and len(coded) > 1:
            layer.delete(one.identity, MACHINE)
        elif action == "u" and layer.alive():
            layer.undo()
        now = layer.file.read_bytes() if layer.file.exists() else b""
        assert now.startswith(before), "what is written stays"
        before = now
        assert Layer.open(folder, "anna").coded(MACHINE) == layer.coded(MACHINE)
    while layer.alive():
        layer.undo()
    assert layer.events(MACHINE) == MACHINE


def test_two_coders_and_two_programs_at_once(tmp_path: Path) -> None:
    anna, bert = Layer.open(tmp_path, "anna"), Layer.open(tmp_path, "bert")
    anna.add(NEW)
    assert bert.events(MACHINE) == MACHINE and coders_of(tmp_path) == ["anna"]
    other = Layer.open(tmp_path, "anna")
    other.add(replace(NEW, label="from another window"))
    anna.add(replace(NEW, label="from the first one"))
    assert [one.number for one in Layer.open(tmp_path, "anna").edits] == [1, 2, 3]
    assert len(Layer.open(tmp_path, "anna").events(MACHINE)) == len(MACHINE) + 3


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    for name in ("machine", "../anna", "", "a b"):
        with pytest.raises(InvalidValueError, match="no name for a coder"):
            Layer.open(tmp_path, name)
    layer = Layer.open(tmp_path, "anna")
    layer.add(NEW)
    with pytest.raises(MissingTrackError, match="anna"):
        Layer.existing(tmp_path, "bert")
    with pytest.raises(MissingTrackError, match="no such event"):
        layer.delete("m000000000000", MACHINE)
    layer.file.write_text(layer.file.read_text(encoding="utf-8") + '{"number": 2, "action"\n', encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="line 2"):
        Layer.open(tmp_path, "anna")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"event": ["m1"]}, {"comment": 3}, {"undoes": [[1]]}, {"scopes": [[["ada"], "face", "micro"]]},
        {"scopes": [["ada", "face"]]}, {"scopes": [["ada", None, "micro"]]}, {"source": "x"}, {"time": None},
        {"after": {"onset_ns": "1"}}, {"after": {"onset_ns": -(10**30)}}, {"after": {"label": None}},
        {"after": {"details": []}}, {"after": {"score": "high"}}, {"after": {"kind": 1}},
    ],
)  # fmt: skip
def test_a_line_with_impossible_values_is_named(spoilt: dict, tmp_path: Path) -> None:
    """Read without a word, it ended in a traceback where the layer was used."""
    layer = Layer.open(tmp_path, "anna")
    layer.add(NEW)
    said = json.loads(layer.file.read_text(encoding="utf-8"))
    more = {"after": {**said["after"], **spoilt.pop("after")}} if "after" in spoilt else {}
    layer.file.write_text(json.dumps({**said, **spoilt, **more}) + "\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="line 1 of a coder's layer is damaged"):
        Layer.open(tmp_path, "anna")


@pytest.mark.parametrize(("data", "says"), [(b"\xff\xfe{}\n", "no UTF-8"), (b"[" * 50_000 + b"\n", "line 1")])
def test_a_layer_that_is_no_text_of_lines_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "coding").mkdir()
    (tmp_path / "coding" / "anna.jsonl").write_bytes(data)
    with pytest.raises(UnreadableFileError, match=says) as caught:
        Layer.open(tmp_path, "anna")
    assert "anna.jsonl" in str(caught.value)
