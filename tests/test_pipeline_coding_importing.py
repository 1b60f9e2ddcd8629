"""Coders' files in: what was not touched stays as it is, what was touched is all that changes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pympi
import pytest

from data_schemas.errors import (
    InvalidValueError,
    ManifestError,
    MissingTrackError,
    NothingUsableError,
    UnreadableFileError,
)
from data_schemas.event import Event
from pipeline.coding.importing import Imported, import_coding
from pipeline.coding.layers import Layer
from pipeline.export.content import read_content
from pipeline.export.run import export_result
from pipeline.export.sample import DRIFT_PPM, EVENTS, START_S, write_sample

MS = 1_000_000
FILES = {"eaf": "a.eaf", "textgrid": "a.TextGrid", "csv": "a.csv", "boris": "a.csv"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("coding"))


@pytest.fixture()
def result(sample: Path, tmp_path: Path) -> Path:
    shutil.copytree(sample.parent, tmp_path / "copy")
    return tmp_path / "copy" / "result"


def exported(result: Path, to: str, options: dict[str, str] | None = None) -> Path:
    target = result.parent / FILES[to]
    export_result(result, to, target, options=options)
    return target.with_name("a_events.csv") if to == "csv" else target


def real(done: Imported) -> list[tuple[str, Event | None, Event | None]]:
    return [(one.action, one.before, one.after) for one in done.edits if one.action != "scope"]


@pytest.mark.parametrize(
    ("to", "options"),
    [("eaf", {}), ("textgrid", {}), ("textgrid", {"clock": "face"}), ("csv", {"units_row": "yes"}), ("boris", {}),
     ("boris", {"clock": "face"})],
)  # fmt: skip
def test_an_untouched_file_changes_nothing(result: Path, to: str, options: dict[str, str]) -> None:
    done = import_coding(result, exported(result, to, options), "anna")
    assert real(done) == [] and done.left_out == ()
    machine = read_content(result).events
    assert done.layer.events(machine) == machine, "to the nanosecond"
    assert {one.verdict for one in done.layer.coded(machine)} == {"confirmed"}
    again = import_coding(result, result.parent / FILES[to] if to != "csv" else result.parent / "a_events.csv", "anna")
    assert again.edits == (), "the second import of the same says nothing new"


def annotation(text: str, value: str) -> tuple[str, str]:
    """The two time slots of an annotation, by its text."""
    match = re.search(rf'TIME_SLOT_REF1="(\w+)" TIME_SLOT_REF2="(\w+)">\s*<ANNOTATION_VALUE>{re.escape(value)}<', text)
    assert match is not None
    return match[1], match[2]


def shift_slot(text: str, slot: str, ms: int) -> str:
    def moved(match: re.Match[str]) -> str:
        return f'{match[1]}"{int(match[2]) + ms}"'

    return re.sub(rf'(TIME_SLOT_ID="{slot}" TIME_VALUE=)"(\d+)"', moved, text)


def test_a_file_edited_by_hand_in_elans_format_comes_back_changed_only_there(result: Path) -> None:
    file = exported(result, "eaf")
    text = file.read_text(encoding="utf-8")
    _, end = annotation(text, "AU6+AU12")
    text = shift_slot(text, end, 120)
    text = text.replace("<ANNOTATION_VALUE>AU4<", "<ANNOTATION_VALUE>AU4+AU7<")
    whole = re.search(
        r"\s*<ANNOTATION>\s*<ALIGNABLE_ANNOTATION[^>]*>\s*<ANNOTATION_VALUE>AU45<.*?</ANNOTATION>", text, re.S
    )
    assert whole is not None
    text = text.replace(whole[0], "")
    text = re.sub(r"\s*<ANNOTATION>\s*<REF_ANNOTATION[^>]*ANNOTATION_REF=\"a\d+\">(?=\s*<ANNOTATION_VALUE>"
                  r"\{\"apex_s\": -1\.3005).*?</ANNOTATION>", "", text, flags=re.S)  # fmt: skip
    file.write_text(text, encoding="utf-8")
    done = import_coding(result, file, "anna")
    by_kind = {(event.kind, event.person): event for event in EVENTS if event.kind in ("macro", "micro", "blink")}
    edits = {action: (before, after) for action, before, after in real(done) if action == "delete"}
    assert edits["delete"][0] == by_kind["blink", "ada"]
    changed = {before.kind: (before, after) for action, before, after in real(done) if action == "change" and before}
    assert len(real(done)) == 3 and set(changed) == {"macro", "micro"}
    before, after = changed["macro"]
    assert after is not None and after.offset_ns == before.offset_ns + 120 * MS
    assert (after.onset_ns, after.apex_ns, after.score, after.details) == (
        before.onset_ns, before.apex_ns, before.score, before.details,
    )  # fmt: skip
    before, after = changed["micro"]
    assert after is not None and after.label == "AU4+AU7" and after.onset_ns == before.onset_ns
    machine = read_content(result).events
    kept = [event for event in done.layer.events(machine) if event in machine]
    assert len(kept) == len(machine) - 3
    assert read_content(result).events == machine, "the machine's events are as they were"
    export_result(result, "eaf", result.parent / "b.eaf", coder="anna")
    assert real(import_coding(result, result.parent / "b.eaf", "anna")) == [], "and out again, and in"
    done.layer.undo()
    assert Layer.open(result, "anna").events(machine) == machine, "one undo takes the whole import back"


def test_ids_and_order_of_an_eaf_do_not_matter(result: Path) -> None:
    """ELAN numbers annotations anew and may order tiers otherwise."""
    file = exported(result, "eaf")
    read = pympi.Eaf(str(file))
    text = re.sub(
        r'((?:ANNOTATION_ID|ANNOTATION_REF)=")a(\d+)"',
        lambda m: f'{m[1]}a{int(m[2]) * 7 + 500}"',
        file.read_text("utf-8"),
    )
    tiers = re.findall(r"\t<TIER .*?(?:</TIER>|/>)\n", text, re.S)
    assert len(tiers) == len(read.tiers)
    text = text.replace("".join(tiers), "".join(reversed(tiers)))
    file.write_text(text, encoding="utf-8")
    assert real(import_coding(result, file, "anna")) == []


def test_apex_that_a_moved_event_has_left_behind_goes(result: Path) -> None:
    file = exported(result, "eaf")
    text = file.read_text(encoding="utf-8")
    start, end = annotation(text, "AU6+AU12")
    file.write_text(shift_slot(shift_slot(text, start, 1500), end, 1500), encoding="utf-8")
    (action, before, after), *rest = real(import_coding(result, file, "anna"))
    assert (action, rest) == ("change", []) and before is not None and after is not None
    assert before.apex_ns is not None and after.apex_ns is None and after.score == before.score


def own_eaf(result: Path, tier: str, video: str = "face.mp4") -> Path:
    """A file that a coder made from the video alone: two expressions, at 3 s and 6 s of its playing time."""
    eaf = pympi.Eaf(author="anna")
    eaf.remove_tier("default")
    eaf.add_linked_file(f"file:///home/anna/{video}", mimetype="video/mp4", time_origin=250)
    eaf.add_linguistic_type("free")
    eaf.add_tier(tier, ling="free")
    eaf.add_annotation(tier, 3000, 3300, "AU4")
    eaf.add_annotation(tier, 6000, 6200, "AU12")
    eaf.to_file(str(result.parent / "own.eaf"))
    return result.parent / "own.eaf"


def test_a_coders_own_eaf_follows_the_video_that_it_links(result: Path) -> None:
    done = import_coding(result, own_eaf(result, "face.micro@ada"), "anna")
    assert done.clock == "face"
    added = [after for action, _, after in real(done) if action == "add" and after is not None]
    assert [event.label for event in added] == ["AU4", "AU12"]
    for event, video_s in zip(added, (3.25, 6.25), strict=True):
        assert event.onset_ns / 1e9 == pytest.approx(START_S + video_s * (1 + DRIFT_PPM * 1e-6), abs=1e-6)
    gone = [before for action, before, _ in real(done) if action == "delete" and before is not None]
    assert [(event.kind, event.person) for event in gone] == [("micro", "ada")], "in her tier it is not"


def test_tiers_of_other_names_are_told_or_left_out(result: Path) -> None:
    file = own_eaf(result, "Smiles")
    with pytest.raises(NothingUsableError, match=r"Smiles \(no known kind of event\)"):
        import_coding(result, file, "anna")
    done = import_coding(result, file, "anna", tiers={"Smiles": "face.macro@p-02"})
    assert set(done.scopes) == {("p-02", "face", "macro")} and len(real(done)) == 2
    with pytest.raises(InvalidValueError, match="option tier"):
        import_coding(result, file, "anna", tiers={"Smiles": "smiling"})


def test_a_clock_that_is_not_told_is_asked_for(result: Path) -> None:
    file = own_eaf(result, "face.micro@ada", video="somewhere else.mp4")
    with pytest.raises(InvalidValueError, match="--clock NAME: one of session, face, voice"):
        import_coding(result, file, "anna")
    done = import_coding(result, file, "anna", clock="session")
    assert [after.onset_ns for action, _, after in real(done) if action == "add" and after] == [3000 * MS, 6000 * MS]


def test_files_that_name_no_schema_and_times_that_are_not_set(result: Path) -> None:
    file = own_eaf(result, "face.micro@ada")
    text = re.sub(r' xsi:noNamespaceSchemaLocation="[^"]*"', "", file.read_text(encoding="utf-8"))
    slots = re.findall(r'TIME_SLOT_ID="(\w+)" TIME_VALUE="6000"', text)
    file.write_text(text.replace(f'TIME_SLOT_ID="{slots[0]}" TIME_VALUE="6000"', f'TIME_SLOT_ID="{slots[0]}"'), "utf-8")
    done = import_coding(result, file, "anna")
    assert [after.label for action, _, after in real(done) if action == "add" and after] == ["AU4"]
    assert done.left_out == ("face.micro@ada: 1 annotations (no time of their own)",)


def test_kinds_that_nobody_found_get_a_tier_to_fill(result: Path) -> None:
    target = result.parent / "gaze.eaf"
    export_result(result, "eaf", target, kinds=["gaze_shift"])
    read = pympi.Eaf(str(target))
    assert sorted(name for name in read.get_tier_names() if "values" not in name) == [
        "face.gaze_shift@ada",
        "face.gaze_shift@p-02",
    ]
    done = import_coding(result, target, "anna")
    assert done.scopes == {("ada", "face", "gaze_shift"), ("p-02", "face", "gaze_shift")} and real(done) == []


def test_a_table_and_boris_with_a_point_and_a_remark(result: Path) -> None:
    head = "Subject,Behavior,Behavioral category,Modifiers,Behavior type,Start (s),Stop (s),Comment start,Media file\n"
    file = result.parent / "boris.csv"
    file.write_text(head + "ada,blink,,AU45,POINT,1.0,,looks tired,C:\\videos\\face.mp4\n", encoding="utf-8")
    done = import_coding(result, file, "bert")
    (_, _, after), *_ = [one for one in real(done) if one[0] == "add"]
    assert after is not None and after.channel == "face" and after.offset_ns - after.onset_ns == MS
    assert done.clock == "face", "all rows name that video"
    assert [one.comment for one in done.edits if one.action == "add"] == ["looks tired"]


def test_a_coder_who_empties_a_table_has_rejected_all(result: Path) -> None:
    file = exported(result, "csv")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if ",macro," not in line), encoding="utf-8")
    done = import_coding(result, file, "anna")
    assert [(action, before.kind) for action, before, _ in real(done) if before] == [("delete", "macro")]


@pytest.mark.parametrize(
    ("name", "text", "error", "match"),
    [
        ("a.eaf", "<ANNOTATION_DOCUMENT>", UnreadableFileError, "damaged"),
        ("a.eaf", "<html/>", UnreadableFileError, "no ELAN file"),
        ("a.TextGrid", "hello", UnreadableFileError, "no TextGrid"),
        ("a.csv", "a,b\n1,2\n", MissingTrackError, "neither"),
        ("a.csv", "person,channel,kind,onset_s,offset_s\nada,face,micro,x,2\n", UnreadableFileError, "line 2"),
        ("a.docx", "x", InvalidValueError, r"\.eaf"),
    ],
)
def test_what_cannot_be_read_says_why(result: Path, name: str, text: str, error: type[Exception], match: str) -> None:
    file = result.parent / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=match):
        import_coding(result, file, "anna")
    assert not (result / "coding").exists()


def test_a_session_folder_of_another_session_is_refused(result: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    text = (result.parent / "sample" / "session.toml").read_text(encoding="utf-8")
    (other / "session.toml").write_text(text.replace('name = "sample"', 'name = "else"'), encoding="utf-8")
    with pytest.raises(ManifestError, match="another session"):
        import_coding(result, exported(result, "eaf"), "anna", session=other)


def test_commands(result: Path, telltale: Callable[..., CompletedProcess[str]]) -> None:
    file = own_eaf(result, "micro")
    text = file.read_text(encoding="utf-8").replace('TIER_ID="micro"', 'TIER_ID="face.micro@nobody"')
    (result.parent / "odd.eaf").write_text(text, encoding="utf-8")
    odd = telltale("import", result, result.parent / "odd.eaf", "--coder", "anna")
    assert odd.returncode == 2 and "nobody called nobody" in odd.stderr
    done = telltale("import", result, file, "--coder", "anna", "--tier", "micro=face.micro@ada", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["edits"] == 3 and said["clock"] == "face"
    assert said["rows"] == [
        {"person": "ada", "kind": "micro", "events": 2, "as before": 0, "changed": 0, "added": 2, "deleted": 1}
    ]
    table = telltale("agreement", result, "--json")
    assert table.returncode == 0, table.stderr
    (row,) = json.loads(table.stdout)["rows"]
    assert (row["kind"], row["a"], row["b"], row["events_a"], row["events_b"]) == ("micro", "machine", "anna", 1, 2)
    assert row["f1"] == 0


@pytest.mark.parametrize("layout", ["wide", "tidy"])
def test_the_timeline_is_not_taken_for_the_events(result: Path, layout: str) -> None:
    exported(result, "csv", {"layout": layout})
    with pytest.raises(MissingTrackError, match=r"this is the timeline; the events are in a_events\.csv") as found:
        import_coding(result, result.parent / "a.csv", "anna")
    assert found.value.mend == "Import a_events.csv." and found.value.got is None


OWN = "person,channel,kind,onset_s,offset_s,apex_s,score,label,details\nada,face,micro,{0},1.5,{1},{2},AU4,{3}\n"
FROM_BORIS = "Behavior,Start (s),Stop (s),Media file,Subject\nmicro,{0},1.5,face.mp4,ada\nblink\n"
OWN_EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2025-01-01" VERSION="3.0" FORMAT="3.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x.xsd">
<HEADER TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="{1}" MIME_TYPE="video/mp4" TIME_ORIGIN="{2}"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="{0}"/></TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="face.micro@ada"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1"
 TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>AU4</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER><LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="t" TIME_ALIGNABLE="true"/></ANNOTATION_DOCUMENT>"""
GRID = """File type = "ooTextFile"
Object class = "TextGrid"
0 8 <exists> 1 "IntervalTier" "face.micro@ada" 0 8 1 {0} 1.5 "AU4"
"""
FAR = "1e300"
DEEP = "[" * 50_000


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("far.csv", OWN.format(FAR, "", "", ""), "line 2 .* no time of a recording"),
        ("endless.csv", OWN.format("inf", "", "", ""), "line 2 .* no time of a recording"),
        ("apex.csv", OWN.format("1", "1e400", "", ""), "values of an annotation"),
        ("score.csv", OWN.format("1", "", "nan", ""), "values of an annotation"),
        ("list.csv", OWN.format("1", "", "", '"[[1, 2]]"'), "values of an annotation"),
        ("deep.csv", OWN.format("1", "", "", DEEP), "line 2 .* without end"),
        ("half.csv", OWN.format("1", "", "", '"{""a"": ""\\ud800""}"'), "line 2"),
        ("long.csv", OWN.format("1", "", "", "x" * 200_000), "damaged.*field larger"),
        ("far_boris.csv", FROM_BORIS.format(FAR), "line 2 .* no time of a recording"),
        ("short_boris.csv", FROM_BORIS.format("1"), "line 3"),
        ("far.eaf", OWN_EAF.format("9" * 25, "face.mp4", "0"), "something else there.*no time"),
        ("huge.eaf", OWN_EAF.format("9" * 400, "face.mp4", "0"), "something else there.*no time"),
        ("huge_apex.csv", OWN.format("1", "", "", '"{""a"": 1e999}"'), "line 2"),
        ("origin.eaf", OWN_EAF.format("1200", "face.mp4", "0.5"), "something else there"),
        ("media.eaf", OWN_EAF.format("1200", "//[x", "0"), "something else there"),
        ("far.TextGrid", GRID.format("1e300"), "tier 'face.micro@ada' has an impossible time"),
    ],
)
def test_impossible_values_are_refused_where_they_stand(result: Path, name: str, text: str, says: str) -> None:
    """Each of these ended in a traceback, or in a layer that could not be read again."""
    file = result.parent / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=f"(?s){says}") as caught:
        import_coding(result, file, "anna", clock="session" if name.endswith("Grid") else None)
    assert caught.value.file == str(file)
    assert not (result / "coding" / "anna.jsonl").exists()


def test_the_same_files_with_possible_values_are_read(result: Path) -> None:
    """So that the refusals above are of the values, not of the files."""
    for name, text in (
        ("a.csv", OWN.format("1", "1.2", "0.5", '"{""a"": 1}"')),
        ("b.csv", FROM_BORIS.format("1").replace("blink\n", "")),
        ("a.eaf", OWN_EAF.format("1200", "face.mp4", "5")),
        ("a.TextGrid", GRID.format("1")),
    ):
        (result.parent / name).write_text(text, encoding="utf-8")
        clock = "session" if name.endswith("Grid") else None
        done = import_coding(result, result.parent / name, f"coder-{name}", clock=clock)
        assert [one for one in done.rows if one["kind"] == "micro" and one["events"] == 1], name


@pytest.mark.parametrize(
    "spoilt",
    [
        {"zero_s": 10**400},
        {"zero_s": 1e300},
        {"zero_s": "nan"},
        {"drift_ppm": 1e308},
        {"drift_ppm": None},
        {"clock": "x", "zero_s": []},
    ],
)
def test_an_impossible_clock_in_a_file_is_refused(result: Path, spoilt: dict[str, object]) -> None:
    file = exported(result, "csv")
    beside = result.parent / "a.json"
    said = json.loads(beside.read_text(encoding="utf-8"))
    beside.write_text(json.dumps({**said, "time": {**said["time"], **spoilt}}), encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="clock cannot be understood") as caught:
        import_coding(result, file, "anna")
    assert caught.value.file == str(file)


def test_a_file_beside_a_table_that_says_nonsense_is_refused(result: Path) -> None:
    file = exported(result, "csv")
    beside = result.parent / "a.json"
    said = json.loads(beside.read_text(encoding="utf-8"))
    for nonsense in ([["ada", "face"]], 3, [[["ada"], "face", "micro"]]):
        beside.write_text(json.dumps({**said, "coded": nonsense}), encoding="utf-8")
        with pytest.raises(UnreadableFileError, match=r"under 'coded'.*take the \.json away"):
            import_coding(result, file, "anna")


def test_words_with_line_ends_of_other_scripts_stay_in_one_line_of_the_layer(result: Path) -> None:
    """U+2028, U+2029 and U+0085 end lines for Python, not for JSON."""
    file = result.parent / "a.csv"
    file.write_text(OWN.format("1", "", "", "").replace("AU4", "a\u2028b\u2029c\u0085d"), encoding="utf-8")
    made = import_coding(result, file, "anna")
    labels = [one.after.label for one in Layer.open(result, "anna").edits if one.after is not None]
    assert labels == ["a\u2028b\u2029c\u0085d"]
    assert made.layer.edits == Layer.open(result, "anna").edits
