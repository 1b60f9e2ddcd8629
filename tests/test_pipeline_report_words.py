"""What stands in the tables of the pages: words and units, no raw keys; nothing pushed out of view."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.result import StreamSync, SyncReport
from pipeline.report.clocks import clocks_section
from pipeline.report.markup import as_table, as_text, in_words, measures_in_words
from pipeline.report.page import _channel_row, write_sync_report

LONG = "nobody vouches for its offset_s: set align = 'offset' if it is right; covers 40% of the session; 3 gaps; slips"


def report() -> SyncReport:
    rows = [
        StreamSync(
            stream=f"stream_{name}", clock=f"clock_of_{name}", method="markers", offset_s=-4.6213, drift_ppm=-92.1,
            ci95_ms=0.04, residual_ms=0.02, residual_max_ms=0.04, matched=800, start_s=-4.62, end_s=3660.85,
            coverage=0.99, gaps=1, effective_hz=22050.0, dropped=12, verdict="warn", why=LONG,
        )
        for name in ("camera", "recorder", "physiology")
    ]  # fmt: skip
    return SyncReport(streams=rows, session_start_s=0, session_end_s=3600)


def cells(html: str) -> list[str]:
    return [re.sub(r"<.*?>", "", cell).replace("\u00a0", " ") for cell in re.findall(r"<t[hd].*?</t[hd]>", html)]


def test_the_clocks_have_their_reasons_near_and_rates_in_hertz() -> None:
    found = cells(clocks_section(report()))
    heads = found[: found.index("stream_camera")]
    assert heads[:3] == ["stream", "verdict", "why"] and len(heads) <= 11
    assert "22050 Hz" in found and "-4.6213 s ± 0.04 ms" in found and "12, ?" in found
    assert "-4.62 to 3660.85 s, 99%, 1 gap" in found


def test_columns_without_a_single_value_are_left_out() -> None:
    unknown = {"dropped": None, "residual_ms": None, "effective_hz": None}
    bare = [one.model_copy(update=unknown) for one in report().streams]
    found = cells(clocks_section(report().model_copy(update={"streams": bare})))
    assert not {"rate", "residual RMS, max", "dropped, repeated"} & set(found) and "drift" in found


def test_the_page_of_clocks_fits_a_screen(browser: Any, tmp_path: Path) -> None:
    write_sync_report("p01", report(), tmp_path / "sync.html")
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto((tmp_path / "sync.html").as_uri())
    rows = "[...document.querySelectorAll('tbody tr')].map(row => row.offsetHeight)"
    assert max(page.evaluate(rows)) < 120
    seen = "[...document.querySelectorAll('td.why')].map(cell => cell.getBoundingClientRect().right)"
    assert max(page.evaluate(seen)) < 1440 and len(page.evaluate(seen)) == 3
    page.close()


def test_quality_is_told_in_words_and_units() -> None:
    quality = {
        "face_found": 1.0, "median_pitch_hz": 219.11, "speech_share": 0.182, "syllables_per_s": 3.86, "repeats": None,
        "ecg.rate_hz": 500.0, "ecg.beats_missed": 0, "ecg.inverted": False, "pulse.hz": 1.04, "by_kind.question": 5,
        "conditions": np.zeros(0), "areas": np.array([1.0, 2.5]),
    }  # fmt: skip
    said = measures_in_words(quality).replace("\u00a0", " ")
    assert said == (
        "face found 100%, median pitch 219.1 Hz, speech 18%, syllables per s 3.86, areas 1, 2.5; "
        "ECG: rate 500 Hz, beats missed 0, inverted: no; pulse: 1.04 Hz; by kind: question 5"
    )
    row = _channel_row(
        {"person": "p", "channel": "voice", "valid_share": 1.0, "reasons": {"no_stream": 0.5},
         "events": {"speech_turn": 2}, "quality": {}}
    )  # fmt: skip
    assert row["null because"] == "no stream 50%" and row["events"] == "2 speech turn" and row["quality"] is None


@given(st.floats(-9e14, 9e14))
def test_numbers_are_never_in_powers_of_ten_unless_tiny(value: float) -> None:
    text = as_text(value)
    assert "e+" not in text
    assert abs(float(text) - value) <= max(0.5, abs(value) * 1e-3)


def test_words_and_the_class_of_reasons() -> None:
    assert in_words("eda_scr_count") == "EDA SCR count"
    assert '<td class="why">pass</td>' in as_table([{"why": "pass"}])
