"""The page in a real browser: it opens from disk, alone, and does what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_schemas.event import Event
from data_schemas.features import FeatureSpec
from data_schemas.time import NS_PER_S
from pipeline.export.events import as_arrow
from pipeline.export.sample import EVENTS, START_S, write_sample
from pipeline.report.lanes import LANES
from pipeline.report.run import report_result
from pipeline.timeline import ChannelGrid, as_table

PATIENCE_MS = 240_000
FRAME_S = 0.04 * (1 + 80e-6)
OPENS_WITHIN_S = 3.0
CUT_OFF = """[...document.querySelectorAll('.gutter .head, .gutter .chips, button, .controls > :not(.sr), #kinds')]
    .filter((box) => !box.closest('#list'))
    .filter((box) => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).display !== 'inline')
    .map((box) => box.textContent)"""
OVERLAPPING = """[...document.querySelectorAll('.lane')].filter((lane, k, all) => k && lane.getBoundingClientRect().top
    < all[k - 1].getBoundingClientRect().bottom - 1).length"""
NAMELESS = """[...document.querySelectorAll('button, select, input, [role=img], video')]
    .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || (one.labels || []).length))
    .map((one) => one.outerHTML)"""
DRAWN = """[...document.querySelectorAll('.plot.js-plotly-plot')]
    .map((one) => Math.max(0, ...one.data.map((trace) => trace.x.length)))"""
HEART_LINE = """(T.chunks['0-heart'] && T.lanes.drawn.get('heart').plot.data || [])
    .find((one) => one.line && one.line.color === '#d6483f' && one.x.length > 490)"""


class Looked:
    """A page, what it complained of, and what it asked a network for."""

    def __init__(self, browser: Any, page: Path, **settings: Any) -> None:
        self.page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda one: one.type in ("error", "warning") and self.complaints.append(one.text))
        self.page.on("pageerror", lambda one: self.complaints.append(str(one)))
        self.page.on("requestfailed", lambda one: self.complaints.append(f"failed: {one.url}"))
        self.page.on("request", lambda one: one.url.startswith(("http", "ws")) and self.asked.append(one.url))
        self.page.goto(page.as_uri(), wait_until="commit")
        self.page.wait_for_selector("html[data-ready]")

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)

    def until(self, script: str) -> Any:
        return until(self.page, script)

    def __enter__(self) -> Looked:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.page.close()
        if kind is None:
            assert self.complaints == [] and self.asked == []


def until(page: Any, script: str) -> Any:
    """What a script gives once it gives something; the page's policy forbids to evaluate it within."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not (given := page.evaluate(script)):
        assert time.monotonic() < end, script
        page.wait_for_timeout(50)
    return given


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pyarrow.parquet as pq

    result = write_sample(tmp_path_factory.mktemp("page"))
    details = {
        "felt": "negative", "shown": "positive", "grade": "possible", "shares": {"face": 0.7, "voice": 0.3},
        "evidence": [{"channel": "face", "kind": "micro", "label": "AU4", "onset_s": 1.000123, "score": 0.75}],
    }  # fmt: skip
    onset = round(2.0 * NS_PER_S)
    apart = Event("fused", "incongruence", onset, onset + NS_PER_S, None, "ada", 0.8, "<b>apart</b>", details)
    pq.write_table(as_arrow([*EVENTS, apart]), result / "events.parquet")
    return report_result(result).page


@pytest.fixture
def looked(browser: Any, made: Path) -> Iterator[Looked]:
    with Looked(browser, made) as one:
        yield one


def test_the_video_and_the_cursor_are_at_the_same_frame(looked: Looked) -> None:
    looked.until("T.player.main && T.player.main.video.readyState >= 2")
    looked.page.keyboard.press("Home")
    for _ in range(3):
        looked.page.keyboard.press("ArrowRight")
    assert abs(looked.ask("T.state.now") - (START_S + 3 * FRAME_S)) < 1e-5
    assert looked.ask("document.getElementById('frame').textContent") == "frame 3"
    looked.ask("""window.seen = []; T.player.main.video.requestVideoFrameCallback(function again(now, meta) {
        window.seen.push([meta.mediaTime, T.state.now, Number(document.getElementById("cursor").dataset.t)]);
        T.player.main.video.requestVideoFrameCallback(again); })""")
    looked.page.keyboard.press("Space")
    looked.until("window.seen.length > 8 && T.state.now > -0.8")
    looked.page.keyboard.press("Space")
    seen = np.array(looked.ask("window.seen"))
    true = START_S + seen[:, 0] * (1 + 80e-6)
    playing = seen[:, 0] > 0.15
    assert playing.sum() > 3 and np.abs(seen[playing, 1] - true[playing]).max() < FRAME_S
    np.testing.assert_array_equal(seen[:, 1], seen[:, 2])
    x = looked.ask("document.getElementById('cursor').getBoundingClientRect().left + 1")
    axis = looked.ask("(({left, width}) => [left, width])(document.getElementById('axis').getBoundingClientRect())")
    drawn = looked.ask("T.state.from") + (x - axis[0]) / axis[1] * looked.ask("T.state.to - T.state.from")
    assert abs(drawn - looked.ask("T.state.now")) < FRAME_S


def test_keys_zoom_move_and_jump_and_the_evidence_is_shown(looked: Looked) -> None:
    whole = looked.ask("T.state.to - T.state.from")
    looked.page.keyboard.press("+")
    assert looked.ask("T.state.to - T.state.from") == pytest.approx(whole / 2)
    looked.page.keyboard.press("]")
    looked.page.keyboard.press("0")
    assert looked.ask("T.state.to - T.state.from") == pytest.approx(whole)
    looked.page.keyboard.press("Home")
    looked.page.keyboard.press("i")
    assert looked.ask("T.state.now") == 2.0
    shown = looked.page.inner_text("#inspector")
    for words in ("<b>apart</b>", "Felt negative, shown positive", "graded possible", "70 %", "1.00 s face: micro AU4"):
        assert words in shown
    looked.page.get_by_role("button", name="1.00 s face: micro AU4").click()
    assert "AU4" in looked.page.inner_text("#inspector h3")
    assert looked.page.inner_text("#list button[aria-current]").startswith("1.00 s")
    assert "micro" in looked.page.inner_text("#live") or "incongruence" in looked.page.inner_text("#live")
    looked.page.keyboard.press("Tab")
    assert looked.ask("document.activeElement !== document.body")


def test_the_mouse_tells_values_with_units_and_moves_the_lanes(looked: Looked) -> None:
    lane = looked.page.locator('.lane[aria-label="Heart rate"] .plot')
    box = lane.bounding_box()
    lane.hover(position={"x": box["width"] / 2, "y": box["height"] - 10})
    told = looked.page.inner_text("#hover")
    value = looked.ask(f"T.valueAt(0, 'heart', 'physiology.heart_rate_bpm', T.tOf({box['width'] / 2}))")
    assert f"heart rate {value:.1f} bpm" in told
    looked.page.locator('.lane[aria-label="Eyes and blinks"] .plot').hover(position={"x": 3, "y": 5})
    lane.click(position={"x": box["width"] * 0.75, "y": 40})
    assert looked.ask("T.state.now") == pytest.approx(looked.ask(f"T.tOf({box['width'] * 0.75})"), abs=0.02)
    before = looked.ask("[T.state.from, T.state.to]")
    x, y = box["x"] + box["width"] / 2, looked.page.locator('.lane[aria-label="Heart rate"]').bounding_box()["y"] + 40
    looked.page.mouse.move(x, y)
    looked.page.keyboard.down("Control")
    looked.page.mouse.wheel(0, -300)
    looked.page.keyboard.up("Control")
    looked.until(f"T.state.to - T.state.from < {before[1] - before[0]} * 0.7")
    begin = looked.ask("T.state.from")
    looked.page.mouse.down()
    looked.page.mouse.move(x + 60, y, steps=3)
    looked.page.mouse.up()
    assert looked.ask("T.state.from") < begin
    looked.page.get_by_role("button", name="Whole session").click()
    assert looked.ask("[T.state.from, T.state.to]") == before


def test_nothing_overlaps_and_nothing_is_cut_off(browser: Any, made: Path) -> None:
    for width in (1440, 1280, 800):
        with Looked(browser, made, viewport={"width": width, "height": 900}) as one:
            assert one.ask("document.documentElement.scrollWidth") <= width
            assert one.ask(CUT_OFF) == []
            assert one.ask(OVERLAPPING) == 0


def test_a_recorders_sound_follows_the_session_and_can_be_silenced(browser: Any, made: Path) -> None:
    heard = "T.player.sounds[0].element"
    with Looked(browser, made) as one:
        one.until("T.player.sounds.length === 1 && T.player.sounds[0].ready")
        assert one.page.locator("#sound option").all_inner_texts() == ["sound: voice", "sound: video", "no sound"]
        one.page.keyboard.press("Space")
        one.until(f"{heard}.currentTime > 0.4 && T.player.main.video.currentTime > 1.5")
        assert one.ask("T.player.main.video.muted") and not one.ask(f"{heard}.paused")
        assert abs(one.ask(f"toSession(T.player.sounds[0].map, {heard}.currentTime) - T.state.now")) < 0.3
        one.page.locator("#sound").select_option("video")
        assert one.ask(f"{heard}.paused") and not one.ask("T.player.main.video.muted")
        one.page.locator("#sound").select_option("0")
        one.page.keyboard.press("Escape")
        one.ask("T.player.pause()")
        assert one.ask(f"{heard}.paused")


def test_the_second_person_dark_and_print(browser: Any, made: Path) -> None:
    with Looked(browser, made, color_scheme="dark") as one:
        one.page.get_by_role("radio", name="p-02").check()
        assert one.ask("T.player.all.length") == 0
        assert "no data: no stream" in " ".join(one.page.locator(".lane.empty").all_inner_texts())
        assert one.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
        assert one.page.locator("#whose").is_hidden()
        one.ask("window.dispatchEvent(new Event('beforeprint')) && null")
        one.page.emulate_media(media="print")
        assert one.page.locator("#whose").inner_text().startswith("Lanes of p-02, -1.5 to ")
        assert one.page.locator(".toolbar").first.is_hidden() and one.page.locator("#stack").is_visible()


def test_every_control_has_a_name(looked: Looked) -> None:
    assert looked.ask(NAMELESS) == []
    assert looked.ask("document.querySelectorAll('h1').length") == 1
    assert looked.ask("document.documentElement.lang") == "en"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Half an hour at 25 Hz with more than 60 tracks and 3000 events."""
    import json

    import pyarrow.parquet as pq

    result = write_sample(tmp_path_factory.mktemp("long"))
    random = np.random.default_rng(0)
    n = 30 * 60 * 25
    grid = (np.arange(n) * NS_PER_S // 25).astype(np.int64)
    grids, heart = [], None
    for channel in ("face", "voice", "body", "physiology", "context", "fused"):
        names = list(dict.fromkeys(name for lane in LANES if lane.channel == channel for name in lane.features))
        values = np.cumsum(random.normal(size=(n, len(names))), axis=0).astype(np.float32)
        values = (values - values.min(axis=0)) / np.ptp(values, axis=0)
        valid = np.ones(values.shape, bool)
        valid[5000:5400] = False
        reason = np.where(valid.all(axis=1), "", "gap").astype(object)
        if channel == "physiology":
            heart = np.where(valid[:, 0], values[:, names.index("heart_rate_bpm")], np.nan)
        grids.append(
            ChannelGrid(channel, tuple(FeatureSpec(one, "1", one, 0, 1) for one in names), values, valid, reason)
        )
    pq.write_table(as_table([("ada", grids)], grid, {}), result / "timeline.parquet")
    kinds = [(lane.channel, kind) for lane in LANES for kind in lane.kinds]
    starts = np.sort(random.uniform(0, 1795, 3000))
    events = [
        Event(*kinds[k % len(kinds)], round(t * NS_PER_S), round((t + 0.4) * NS_PER_S), None, "ada", 0.5, f"label {k}")
        for k, t in enumerate(starts)
    ]
    pq.write_table(as_arrow(events), result / "events.parquet")
    record = json.loads((result / "result.json").read_text()) | {"people": ["ada"], "duration_s": 1800.0}
    (result / "result.json").write_text(json.dumps(record | {"channels": record["channels"][:2]}))
    return report_result(result, faces="left out").page, heart


def test_half_an_hour_opens_in_time_and_shows_every_value_when_looked_at_closely(
    browser: Any, long: tuple[Path, np.ndarray], record_property: Any
) -> None:
    page, heart = long
    folder = page.parent / "report"
    assert (folder / "index.html").is_file() and (folder / "data" / "0-heart.js").is_file()
    with Looked(browser, page) as one:  # leads to the folder
        assert one.page.url.endswith("report/index.html")
        assert one.ask("Object.keys(T.page.columns).length") >= 60
    context = browser.new_page(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    meter = context.context.new_cdp_session(context)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    worked = []
    for _ in range(2):
        context.goto((folder / "index.html").as_uri(), wait_until="commit")
        context.wait_for_selector("html[data-ready]")
        worked.append(busy_s(meter))
    wall_s = context.evaluate("performance.getEntriesByName('telltale-ready')[0].startTime / 1000")
    record_property("opened_cpu_s", min(worked))
    record_property("opened_wall_s", wall_s)
    assert 0 < min(worked) < OPENS_WITHIN_S, f"{worked} s of work until drawn; {wall_s:.2f} s on the clock"
    drawn = context.evaluate(DRAWN)
    assert 0 < max(drawn) < 20_000
    assert context.evaluate("Object.keys(T.chunks).length") == 0
    context.evaluate("T.lanes.drawn.get('heart').row.scrollIntoView(); T.setNow(1000); T.setRange(990, 1010)")
    until(context, f"{HEART_LINE} !== undefined")
    context.wait_for_timeout(300)
    x, y = context.evaluate(f"(({{x, y}}) => [x, y])({HEART_LINE})")
    at = np.rint(np.array(x) * 25).astype(int)
    inside = (np.array(x) >= 990) & (np.array(x) <= 1010)
    np.testing.assert_array_equal(np.unique(at[inside]), np.arange(990 * 25, 1010 * 25 + 1))
    np.testing.assert_allclose(np.array(y, float), heart[at], rtol=1e-6)
    context.close()


def busy_s(meter: Any) -> float:
    """Processor time of the page's main thread since it was opened, seconds; other programs are not counted."""
    return next(
        one["value"] for one in meter.send("Performance.getMetrics")["metrics"] if one["name"] == "TaskDuration"
    )
