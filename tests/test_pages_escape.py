"""Names and labels that are markup come out as words on every page that Telltale writes.

A page is read as a browser reads it; nothing of what was put in may have become an element, an attribute or a script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_schemas.event import Event
from data_schemas.result import SyncCheck, SyncEvidence, SyncReport
from pipeline.export.events import as_arrow
from pipeline.export.sample import EVENTS, write_sample
from pipeline.report.page import write_sync_report
from pipeline.report.run import report_result
from pipeline.report.study import write_index
from pipeline.study.simulated import Plan, simulate_study

EVILS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></script><svg onload=alert(1)>",
    "<a href=javascript:alert(1)>{{ 7 * 191 }}",
)
TEMPLATED = "1337"
"""What a template would make of the last one."""
FILE_NAME = '"><img src=x onerror=alert(1)>'
"""A name without the strokes that a file cannot have."""


class Read(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and text outside scripts and styles."""

    def __init__(self, page: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.source = page.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if not self.elements or self.elements[-1][0] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def harmless(page: Path, *, scripts: int) -> Read:
    """The page, if nothing put into it has become more than words; it runs so many scripts."""
    read = Read(page)
    for tag, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag not in ("iframe", "object", "embed", "base", "form"), (tag, attributes)
        for name in ("src", "href"):
            address = (attributes.get(name) or "").lower().strip()
            assert address != "x" and not address.startswith("javascript:"), (tag, attributes)
    policies = [
        one.get("content") or "" for _, one in read.elements if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1 and "default-src 'none'" in policies[0], "what got in could still not be run or loaded"
    runs = [attributes for tag, attributes in read.elements if tag == "script" and "type" not in attributes]
    assert len(runs) == scripts
    assert TEMPLATED not in read.text
    return read


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "made")


@pytest.mark.parametrize("evil", EVILS)
def test_the_reader_of_these_tests_sees_what_is_not_escaped(evil: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<html><body><p title='{evil}'>{evil.replace('{{ 7 * 191 }}', TEMPLATED)}</p></body></html>")
    with pytest.raises(AssertionError):
        harmless(page, scripts=0)


@pytest.mark.parametrize("evil", EVILS)
def test_clocks(result: Path, tmp_path: Path, evil: str) -> None:
    sync = SyncReport.model_validate_json((result / "sync.json").read_text(encoding="utf-8"))
    stream = sync.streams[0].model_copy(update=dict.fromkeys(("stream", "clock", "method", "why"), evil))
    check = SyncCheck(own=evil, against=evil, by=evil, verdict="contradicts", why=evil)
    drawn = SyncEvidence(
        own=evil, against=evil, by=evil, offset_s=0.1, ci95_ms=1, drift_ppm=3, confidence=0.5, times_s=[0, 1],
        residuals_ms=[0, 1], lags_s=[0, 1], scores=[0, 1], score=evil,
    )  # fmt: skip
    spoilt = sync.model_copy(update={"streams": [stream, *sync.streams], "checks": [check], "evidence": [drawn]})
    write_sync_report(evil, spoilt, tmp_path / "sync.html")
    read = harmless(tmp_path / "sync.html", scripts=2)
    assert read.text.count(evil) >= 10
    data = re.search(r'<script type="application/json" id="evidence0-data">(.*?)</script>', read.source, re.S)
    assert data and evil in json.dumps(json.loads(data[1]), ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize("evil", [" ".join(EVILS)])
def test_session(result: Path, tmp_path: Path, evil: str) -> None:
    record = json.loads((result / "result.json").read_text())
    record |= {"session": evil, "purpose": evil, "caveats": [evil]}
    record["problems"] = [{"severity": "error", "what": evil, "stream": evil, "file": evil}]
    record["people"].append(evil)
    record["channels"].append({**record["channels"][0], "person": evil, "channel": evil, "events": {evil: 3}})
    record["provenance"].append({"step": evil, "version": evil, "parameters": {evil: evil}, "inputs": {evil: evil}})
    (result / "result.json").write_text(json.dumps(record))
    cue = Event("context", "cue", 0, 10**9, None, evil, None, evil, {"stream": evil, evil: evil})
    pq.write_table(as_arrow([*EVENTS, cue]), result / "events.parquet")
    read = harmless(report_result(result).page, scripts=2)
    assert read.text.count(evil) >= 6, "title, heading, purpose, caveat, problem, channel"
    long = report_result(result, tmp_path / "long").page
    harmless(long, scripts=2)
    assert evil in harmless(tmp_path / "long.html", scripts=0).text, "the page that leads there"


@pytest.mark.parametrize("evil", EVILS)
def test_index_of_a_study(result: Path, tmp_path: Path, evil: str) -> None:
    study = tmp_path / f"study {FILE_NAME}"
    for name in ("good", f"s {FILE_NAME}"):
        (study / name).mkdir(parents=True)
        record = json.loads((result / "result.json").read_text())
        record |= {"session": evil, "people": [evil, "ada"], "exit_status": 1}
        record["problems"] = [{"severity": "error", "what": evil, "stream": evil}]
        record["channels"].append({**record["channels"][0], "channel": evil, "events": {evil: 3}})
        (study / name / "result.json").write_text(json.dumps(record))
        (study / name / "sync.json").write_bytes((result / "sync.json").read_bytes())
        (study / name / "report.html").write_text("")
    (study / f"t {FILE_NAME}").mkdir()
    (study / f"t {FILE_NAME}" / "result.json").write_text("{")
    done = write_index(study)
    read = harmless(done.page, scripts=1)
    assert done.sessions == 3 and len(done.notes) == 1
    assert read.text.count(FILE_NAME) >= 4, "the study, in title and heading, and two sessions"
    assert read.text.count(evil) >= 2 * 2 + 1, "people, problems, and the head of a channel's column"
    assert len([1 for tag, attributes in read.elements if tag == "a" and attributes.get("href")]) == 2
    harmless(write_index(study, tmp_path / "elsewhere.html").page, scripts=1)


@pytest.mark.parametrize("evil", [" ".join(EVILS)])
def test_report_of_a_study(here: Callable[..., CompletedProcess[str]], tmp_path: Path, evil: str) -> None:
    table = simulate_study(Plan(people=10, trials=6, effects=(1.5, 0.0, 0.0), confound="sex", strength=0.9), 4)
    names = {name: f"{evil} {name}" for name in table.cues.columns}
    frame = table.cues.rename(columns=names).assign(
        **{
            f"who {evil}": [f"{one} {evil}" for one in table.subject],
            f"said {evil}": np.where(table.label, f"lie {evil}", f"truth {evil}"),
            f"sex {evil}": [f"{one} {evil}" for one in table.nuisance["sex"]],
        }
    )
    file = tmp_path / f"{FILE_NAME}.csv"
    frame.to_csv(file, index=False)
    roles = ("--label", f"said {evil}", "--subject", f"who {evil}", "--nuisance", f"sex {evil}")
    run = here("study", file, *roles, "--permutations", 99, "-o", tmp_path / "report")
    assert run.returncode in (0, 1), run.stderr
    read = harmless(tmp_path / "report" / "report.html", scripts=0)
    assert f"{evil} cue1" in read.text and f"lie {evil}" in read.text and f"said {evil}" in read.text
    assert f"sex {evil}" in read.text and FILE_NAME in read.text
