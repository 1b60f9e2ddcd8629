from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_schemas.errors import InvalidValueError
from pipeline.export.content import read_content
from pipeline.export.sample import write_sample
from pipeline.view.coding import Desk, StaleError


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    result = write_sample(tmp_path)
    content = read_content(result)
    return Desk(result, content.events, content.people)


def ask(desk: Desk, action: str, coder: str = "anna", **more: Any) -> dict[str, Any]:
    return desk.apply({"action": action, "coder": coder, "seen": desk.state(coder)["edits"], **more})


def event(state: dict[str, Any], kind: str, person: str = "ada") -> dict[str, Any]:
    return next(one for one in state["events"] if one["kind"] == kind and one["person"] == person)


def test_moving_one_end_leaves_all_else_exactly_as_it_was(desk: Desk) -> None:
    before = event(desk.state("anna"), "micro")
    after = event(ask(desk, "change", event=before["id"], after={"off": 1.25}), "micro")
    assert after == before | {"off": 1.25, "verdict": "changed"}
    shorter = event(ask(desk, "change", event=before["id"], after={"off": 1.05}), "micro")
    assert shorter["apex"] == 1.05 and shorter["on"] == before["on"]


def test_add_relabel_comment_delete_and_undo(desk: Desk) -> None:
    start = desk.state("anna")
    new = {"channel": "face", "kind": "macro", "on": 4, "off": 5.5, "label": "smile", "person": "p-02"}
    state = ask(desk, "add", after=new)
    made = event(state, "macro", "p-02")
    assert (made["verdict"], made["label"], made["apex"]) == ("added", "smile", None)
    state = ask(desk, "change", event=made["id"], after={"label": "grin", "kind": "micro", "apex": 4.5})
    state = ask(desk, "comment", event=made["id"], comment="only left")
    told = next(one for one in state["events"] if one["id"] == made["id"])
    assert (told["label"], told["kind"], told["apex"], told["comments"]) == ("grin", "micro", 4.5, ["only left"])
    state = ask(desk, "delete", event=made["id"])
    assert made["id"] not in [one["id"] for one in state["events"]] and state["edits"] == 4
    for _ in range(4):
        state = ask(desk, "undo")
    assert state["events"] == start["events"] and not state["undoable"] and len(state["history"]) == 8
    assert all(one["time"] and one["action"] for one in state["history"])
    with pytest.raises(InvalidValueError, match="undo"):
        ask(desk, "undo")


def test_two_coders_and_the_machine_do_not_touch_each_other(desk: Desk) -> None:
    machine = (desk.result / "events.parquet").read_bytes()
    first = event(desk.state("anna"), "micro")
    ask(desk, "delete", event=first["id"])
    ask(desk, "change", coder="ben", event=first["id"], after={"label": "AU9"})
    assert "AU9" not in [one["label"] for one in desk.state("anna")["events"]]
    assert event(desk.state("ben"), "micro")["label"] == "AU9"
    assert (desk.result / "events.parquet").read_bytes() == machine
    assert event(desk.state("carla"), "micro") == first


def test_what_was_looked_at_is_confirmed(desk: Desk) -> None:
    state = ask(desk, "scope", scope=["ada", "face", "micro"])
    assert event(state, "micro")["verdict"] == "confirmed" and event(state, "blink")["verdict"] == "unseen"
    assert state["scopes"] == [["ada", "face", "micro"]]


def test_an_edit_on_an_outdated_page_is_refused(desk: Desk) -> None:
    one = event(desk.state("anna"), "micro")
    ask(desk, "delete", event=one["id"])
    with pytest.raises(StaleError, match="elsewhere"):
        desk.apply({"action": "undo", "coder": "anna", "seen": 0})


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "format"},
        {"action": "add"},
        {"action": "add", "after": {"on": 1, "off": 1, "kind": "micro", "channel": "face"}},
        {"action": "add", "after": {"on": 1, "off": float("nan"), "kind": "micro", "channel": "face"}},
        {"action": "add", "after": {"on": True, "off": 2, "kind": "micro", "channel": "face"}},
        {"action": "add", "after": {"on": 1, "off": 2, "kind": " ", "channel": "face"}},
        {"action": "add", "after": {"on": 1, "off": 2, "kind": "micro", "channel": "face", "person": "eve"}},
        {"action": "add", "after": {"on": 1, "off": 2, "kind": "micro", "channel": "face", "score": 9}},
        {"action": "change", "event": "m000000000000", "after": {"label": "x"}},
        {"action": "comment", "event": "m000000000000", "comment": ""},
        {"action": "scope", "scope": ["ada"]},
        {"action": "undo", "coder": "../../anna"},
        {"action": "undo", "coder": "machine"},
    ],
)
def test_what_is_no_edit_is_refused_and_leaves_nothing(desk: Desk, asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        desk.apply({"coder": "anna", "seen": 0, **asked})
    assert not (desk.result / "coding").exists()
