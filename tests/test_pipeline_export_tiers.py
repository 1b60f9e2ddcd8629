"""ELAN, Praat and WebVTT: references resolve, media are linked, events come back within a millisecond."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pympi
import pytest
import webvtt

from data_schemas.event import Event
from pipeline.export.clock import FileClock
from pipeline.export.run import export_result
from pipeline.export.sample import DRIFT_PPM, EVENTS, START_S, write_sample
from pipeline.export.textgrid import as_text, read_textgrid
from pipeline.export.tiers import VALUES, TierName

MS = 1e-3


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("tiers"))


@pytest.fixture(scope="module")
def eaf(result: Path) -> Path:
    target = result.parent / "a.eaf"
    export_result(result, "eaf", target)
    return target


def expected() -> list[tuple[str, str, str, float, float, str]]:
    return sorted(key(e, e.onset_ns / 1e9, e.offset_ns / 1e9) for e in EVENTS)


def key(event: Event, start: float, end: float) -> tuple[str, str, str, float, float, str]:
    return (event.person or "", event.channel, event.kind, start, end, event.label or event.kind)


def assert_same(found: list[tuple[str, str, str, float, float, str]]) -> None:
    assert len(found) == len(EVENTS)
    for got, want in zip(sorted(found), expected(), strict=True):
        assert got[:3] == want[:3] and got[5].split() == want[5].split()
        assert got[3] == pytest.approx(want[3], abs=MS) and got[4] == pytest.approx(want[4], abs=2 * MS)


def test_eaf_gives_back_the_same_events(eaf: Path) -> None:
    read = pympi.Eaf(str(eaf))
    zero = json.loads(dict(read.properties)["telltale"])["time"]["zero_s"]
    found, values = [], {}
    for tier in read.get_tier_names():
        name = TierName.parse(tier.removesuffix(VALUES))
        assert name is not None
        if tier.endswith(VALUES):
            for start, _, text, *_ in read.get_ref_annotation_data_for_tier(tier):
                values[name.person, name.kind, start] = json.loads(text)
            continue
        spans = sorted(read.get_annotation_data_for_tier(tier))
        assert all(a[1] <= b[0] for a, b in pairwise(spans)), "nothing overlaps within a tier"
        for start, end, text in spans:
            found.append((name.person, name.channel, name.kind, zero + start / 1000, zero + end / 1000, text))
    assert_same(found)
    micro = next(said for (person, kind, _), said in values.items() if (person, kind) == ("ada", "micro"))
    assert micro == {"apex_s": 1.1005, "score": 0.75, "details": {"aus": {"au04": 0.31}}}
    assert len(values) == sum(e.apex_ns is not None or e.score is not None or bool(e.details) for e in EVENTS)


def test_eaf_references_resolve(eaf: Path) -> None:
    root = ElementTree.parse(eaf).getroot()
    ids: dict[str, set[str]] = defaultdict(set)
    for element in root.iter():
        for attribute in ("TIME_SLOT_ID", "TIER_ID", "LINGUISTIC_TYPE_ID", "CV_ID", "LANG_ID", "STEREOTYPE"):
            if attribute in element.attrib:
                assert element.attrib[attribute] not in ids[attribute]
                ids[attribute].add(element.attrib[attribute])
        if "ANNOTATION_ID" in element.attrib:
            ids["ANNOTATION_ID"].add(element.attrib["ANNOTATION_ID"])
    refs = {
        "TIME_SLOT_REF1": "TIME_SLOT_ID",
        "TIME_SLOT_REF2": "TIME_SLOT_ID",
        "ANNOTATION_REF": "ANNOTATION_ID",
        "LINGUISTIC_TYPE_REF": "LINGUISTIC_TYPE_ID",
        "CONTROLLED_VOCABULARY_REF": "CV_ID",
        "PARENT_REF": "TIER_ID",
        "LANG_REF": "LANG_ID",
        "CONSTRAINTS": "STEREOTYPE",
    }
    seen = set()
    for element in root.iter():
        for attribute, target in refs.items():
            if attribute in element.attrib:
                seen.add(attribute)
                assert element.attrib[attribute] in ids[target], (attribute, element.attrib)
    assert seen == set(refs)
    times = [int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")]
    assert times == sorted(times) and times[0] >= 0
    words = {v.text for cv in root.iter("CONTROLLED_VOCABULARY") for v in cv.iter("CVE_VALUE")}
    texts = {a.findtext("ANNOTATION_VALUE") for a in root.iter("ALIGNABLE_ANNOTATION")}
    assert texts <= words, "every annotation is a word of its vocabulary"
    assert "AU12" in words, "and the coder finds the usual action units"


def test_eaf_links_media_at_their_place(eaf: Path, result: Path) -> None:
    links = {Path(m["RELATIVE_MEDIA_URL"]).name: m for m in pympi.Eaf(str(eaf)).media_descriptors}
    assert set(links) == {"face.mp4", "voice.wav"}
    assert all((eaf.parent / m["RELATIVE_MEDIA_URL"]).is_file() for m in links.values())
    assert links["voice.wav"]["TIME_ORIGIN"] == "-500", "the sound starts half a second after the video"
    middle_s = 4.0
    off_ms = int(links["face.mp4"]["TIME_ORIGIN"]) + middle_s * 1000 - middle_s * 1000 / (1 + DRIFT_PPM * 1e-6)
    assert abs(off_ms) <= 1, "in the middle of the session the drift costs nothing"


def test_eaf_may_start_where_all_media_run(result: Path, tmp_path: Path) -> None:
    done = export_result(result, "eaf", tmp_path / "o.eaf", options={"zero": "overlap"})
    read = pympi.Eaf(str(tmp_path / "o.eaf"))
    assert all(int(m["TIME_ORIGIN"]) >= 0 for m in read.media_descriptors)
    assert any("left out" in note for note in done.notes)


def test_eaf_keeps_to_the_official_schema(eaf: Path) -> None:
    place = os.environ.get("TELLTALE_EAF_XSD")
    if not place:
        pytest.skip("TELLTALE_EAF_XSD does not name the official schema (EAFv3.0.xsd)")
    xmlschema = pytest.importorskip("xmlschema")
    errors = list(xmlschema.XMLSchema(place).iter_errors(str(eaf)))
    assert errors == []


@pytest.mark.parametrize("clock", ["session", "face"])
def test_textgrid_is_read_by_praat(result: Path, tmp_path: Path, clock: str) -> None:
    export_result(result, "textgrid", tmp_path / "a.TextGrid", options={"clock": clock})
    own = {tier.name: tier.intervals for tier in read_textgrid(tmp_path / "a.TextGrid")}
    said = FileClock.of_dict(json.loads(own["telltale"][0][2])["time"])
    found = []
    for name, intervals in own.items():
        tier = TierName.parse(name)
        if tier is not None:
            for start, end, text in intervals:
                times = [int(said.to_session(round(t * 1e9))) / 1e9 for t in (start, end)]
                found.append((tier.person, tier.channel, tier.kind, *times, text))
    assert_same(found)
    parselmouth = pytest.importorskip("parselmouth")
    praat = parselmouth.read(str(tmp_path / "a.TextGrid"))
    count = parselmouth.praat.call(praat, "Get number of tiers")
    names = [parselmouth.praat.call(praat, "Get tier name...", n + 1) for n in range(count)]
    assert names == list(own)
    at = names.index("face.macro@ada") + 1
    full = [
        parselmouth.praat.call(praat, "Get label of interval...", at, n + 1)
        for n in range(parselmouth.praat.call(praat, "Get number of intervals...", at))
    ]
    assert full == ["", "AU6+AU12", ""]


def test_textgrid_short_form_and_points(tmp_path: Path) -> None:
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n2\n"IntervalTier"\n"a ""b"" 3"\n0\n2\n'
    )
    text += '2\n0\n1.5\n""\n1.5\n2\n"x 7"\n"TextTier"\n"p"\n0\n2\n1\n0.25\n"y"\n'
    (tmp_path / "s.TextGrid").write_text(text, encoding="utf-16")
    tiers = read_textgrid(tmp_path / "s.TextGrid")
    assert [(tier.name, tier.intervals) for tier in tiers] == [
        ('a "b" 3', [(1.5, 2.0, "x 7")]),
        ("p", [(0.25, 0.25, "y")]),
    ]
    (tmp_path / "l.TextGrid").write_text(as_text(tiers[:1], 0.0, 2.0), encoding="utf-8")
    assert read_textgrid(tmp_path / "l.TextGrid") == tiers[:1]


def test_subtitles_follow_the_video(result: Path, tmp_path: Path) -> None:
    export_result(result, "webvtt", tmp_path / "a.vtt")
    captions = webvtt.read(tmp_path / "a.vtt").captions
    assert len(captions) == len(EVENTS)
    ordered = sorted(EVENTS, key=lambda e: (e.onset_ns, e.offset_ns))
    for caption, event in zip(captions, ordered, strict=True):
        session_s = START_S + seconds(caption.start) * (1 + DRIFT_PPM * 1e-6)
        assert session_s == pytest.approx(event.onset_ns / 1e9, abs=1.1 * MS)
        assert caption.voice == event.person
        assert f"{event.channel} {event.kind}" in caption.text
    assert any('"who, ' in caption.raw_text and "&lt;me&gt;" in caption.raw_text for caption in captions)
    note = (tmp_path / "a.vtt").read_text(encoding="utf-8").split("\n\n")[1]
    assert json.loads(note.removeprefix("NOTE telltale "))["time"]["clock"] == "face"


def seconds(text: str) -> float:
    return sum(float(part) * 60**n for n, part in enumerate(reversed(text.split(":"))))


def test_subtitles_on_the_session_clock_say_what_they_leave_out(result: Path, tmp_path: Path) -> None:
    done = export_result(result, "webvtt", tmp_path / "s.vtt", options={"clock": "session"})
    early = sum(event.onset_ns < 0 for event in EVENTS)
    assert len(webvtt.read(tmp_path / "s.vtt").captions) == len(EVENTS) - early
    assert any(str(early) in note for note in done.notes)
