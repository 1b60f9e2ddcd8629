"""The page with editing in a real browser, served by the real command."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from pipeline.coding.layers import Layer
from pipeline.export.content import read_content
from pipeline.export.sample import START_S, write_sample

PATIENCE_MS = 240_000
FRAME_S = 0.04 * (1 + 80e-6)
BITS = 8


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with a face video that no browser plays, each picture of which shows its own number."""
    import av

    made = write_sample(tmp_path_factory.mktemp("view"))
    session = made.parent / "sample"
    with av.open(str(session / "face.avi"), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32 * BITS, 96, "yuvj420p"
        for number in range(200):
            bars = [255 * (number >> bit & 1) for bit in range(BITS)]
            picture = np.broadcast_to(np.repeat(bars, 32)[None, :, None], (96, 32 * BITS, 3)).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        out.mux(stream.encode())
    manifest = session / "session.toml"
    manifest.write_text(manifest.read_text().replace("face.mp4", "face.avi"))
    return made


@pytest.fixture(scope="module")
def address(result: Path) -> Iterator[str]:
    command = ["-c", "from pipeline.cli import main; main()", "view", str(result), "--no-open", "--json"]
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as server:
        try:
            line = server.stdout.readline()
            if not line:
                pytest.fail(server.stderr.read())
            yield json.loads(line)["address"]
        finally:
            server.terminate()
            assert server.wait(timeout=60) == 0


def opened(browser: Any, address: str, coder: str) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.complaints = []
    page.on("console", lambda one: one.type == "error" and page.complaints.append(one.text))
    page.on("pageerror", lambda one: page.complaints.append(str(one)))
    page.on("request", lambda one: one.url.startswith(("blob:", "data:", address)) or page.complaints.append(one.url))
    page.goto(address, wait_until="commit")
    page.wait_for_selector("html[data-ready]")
    page.fill("#coder", coder)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("html[data-edits]")
    return page


def until(page: Any, script: str) -> None:
    """Wait for a script to be true; the page's policy forbids to evaluate it within."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(script):
        assert time.monotonic() < end, script
        page.wait_for_timeout(50)


def edits(page: Any, number: int) -> None:
    page.wait_for_selector(f'html[data-edits="{number}"]')


def ask(url: str, *, data: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
    request = Request(url, data=data, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urlopen(request, timeout=120) as answer:
            return answer.status, answer.read(), answer.headers
    except HTTPError as error:
        return error.code, error.read(), error.headers


def test_nobody_else_gets_in(address: str) -> None:
    origin = address.rsplit("/", 2)[0]
    assert address.startswith("http://127.0.0.1:") and len(address.rsplit("/", 2)[1]) >= 32
    status, text, headers = ask(address)
    assert status == 200 and b"Coding" in text and "Set-Cookie" not in headers
    assert headers["X-Frame-Options"] == "DENY" and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    edit = json.dumps({"action": "undo", "coder": "eve", "seen": 0}).encode()
    body = {"Content_Type": "application/json"}
    assert (
        ask(f"{origin}/")[0] == 404
        and ask(f"{origin}/wrong/")[0] == 403
        and ask(f"{origin}/wrong/layer?coder=eve")[0] == 403
    )
    assert ask(address, Host="rebound.example")[0] == 403
    assert ask(f"{address}edit", data=edit, **body)[0] == 403
    assert ask(f"{address}edit", data=edit, Origin="http://evil.example", **body)[0] == 403
    assert ask(f"{address}edit", data=edit, Origin=origin, Content_Type="text/plain")[0] == 403
    assert ask(f"{address}layer?coder=eve", Sec_Fetch_Site="cross-site")[0] == 403
    status, text, _ = ask(f"{address}edit", data=edit, Origin=origin, **body)
    assert status == 400 and b"nothing of 'eve'" in text
    assert ask(f"{address}edit", data=b"no", Origin=origin, **body)[0] == 400
    for wrong in (
        "media/9",
        "media/..%2F..%2Fresult.json",
        "data/../../result.json",
        "layer?coder=..%2Fx",
        "result.json",
    ):
        assert ask(address + wrong)[0] in (400, 403, 404)


def test_a_video_is_sent_in_parts(address: str) -> None:
    whole = ask(f"{address}media/0")
    part = ask(f"{address}media/0", Range="bytes=10-19")
    assert whole[0] == 200 and whole[2]["Content-Type"] == "video/mp4"
    assert part[0] == 206 and part[1] == whole[1][10:20]


def test_the_picture_that_is_shown_is_the_one_at_the_cursor(browser: Any, address: str) -> None:
    page = opened(browser, address, "viewer")
    until(page, "T.player.main && T.player.main.video.readyState >= 2")
    page.evaluate("""() => {
        window.seen = [];
        const video = T.player.main.video, canvas = document.createElement("canvas");
        const pen = canvas.getContext("2d", { willReadFrequently: true });
        canvas.width = video.videoWidth; canvas.height = 1;
        video.requestVideoFrameCallback(function again() {
            pen.drawImage(video, 0, -48);
            const row = pen.getImageData(0, 0, canvas.width, 1).data;
            let number = 0;
            for (let bit = 0; bit < 8; bit++) number += row[4 * (32 * bit + 16)] > 128 ? 1 << bit : 0;
            window.seen.push([number, T.state.now, video.paused]);
            video.requestVideoFrameCallback(again);
        });
    }""")
    page.evaluate("T.setNow(-1.0)")
    until(page, "window.seen.length > 0")
    number, now, _ = page.evaluate("window.seen[window.seen.length - 1]")
    assert 0 <= now - (START_S + number * FRAME_S) < FRAME_S
    page.evaluate("window.seen.length = 0")
    page.keyboard.press("Space")
    until(page, "window.seen.length > 10 && T.state.now > 0")
    page.keyboard.press("Space")
    seen = [(number, now) for number, now, paused in page.evaluate("window.seen") if not paused][1:]
    assert len(seen) > 3
    off = np.array([now - (START_S + number * FRAME_S) for number, now in seen])
    assert np.abs(off).max() < FRAME_S
    assert page.complaints == []
    page.close()


def test_edits_survive_a_reload_and_two_coders_are_independent(browser: Any, address: str, result: Path) -> None:
    before = (result / "events.parquet").read_bytes()
    anna = opened(browser, address, "anna")
    anna.locator("#list button", has_text="micro: AU4").click()
    anna.fill("#f-off", "1.450")
    anna.fill("#f-label", "AU4+AU7")
    anna.fill("#f-comment", "brows <stay> down")
    anna.click("#keep")
    edits(anna, 1)
    anna.evaluate("T.setNow(4)")
    anna.select_option("#newkind", "face/macro")
    anna.keyboard.press("a")
    edits(anna, 2)
    anna.locator("#list button", has_text="macro: AU6+AU12").click()
    anna.keyboard.press("Delete")
    edits(anna, 3)
    grip = anna.locator(".handle.end")
    anna.locator("#list button", has_text="cue: question 1").click()
    box = grip.bounding_box()
    anna.mouse.move(box["x"] + 5, box["y"] + 20)
    anna.mouse.down()
    anna.mouse.move(box["x"] + 45, box["y"] + 20, steps=4)
    anna.mouse.up()
    edits(anna, 4)
    anna.reload(wait_until="commit")
    edits(anna, 4)
    listed = anna.inner_text("#list")
    assert "AU4+AU7" in listed and "changed" in listed and "added" in listed and "AU6+AU12" not in listed
    assert anna.evaluate("T.page.events.find((one) => one.kind === 'cue').off") > 2.1

    ben = opened(browser, address, "ben")
    assert "AU4+AU7" not in ben.inner_text("#list") and "AU6+AU12" in ben.inner_text("#list")
    ben.locator("#list button", has_text="micro: AU4").click()
    ben.get_by_role("button", name="I have looked at all micro events").click()
    edits(ben, 1)
    assert "✓" in ben.inner_text("#list")

    anna.keyboard.press("z")
    edits(anna, 5)
    anna.keyboard.press("z")
    edits(anna, 6)
    assert "AU6+AU12" in anna.inner_text("#list")
    content = read_content(result)
    layer = Layer.existing(result, "anna")
    assert [one.action for one in layer.edits] == ["change", "add", "delete", "change", "undo", "undo"]
    assert {one.coder for one in layer.edits} == {"anna"} and all(one.time for one in layer.edits)
    changed = next(one for one in layer.coded(content.events) if one.verdict == "changed")
    assert changed.event.label == "AU4+AU7" and changed.event.offset_ns == 1_450_000_000
    assert changed.event.onset_ns == changed.machine.onset_ns and changed.comments == ("brows <stay> down",)
    assert len(Layer.existing(result, "ben").edits) == 1
    assert (result / "events.parquet").read_bytes() == before
    assert anna.complaints == [] and ben.complaints == []
    anna.close()
    ben.close()


def test_an_outdated_page_says_so_and_shows_how_things_are(browser: Any, address: str) -> None:
    one, two = opened(browser, address, "carla"), opened(browser, address, "carla")
    for page in (one, two):
        page.evaluate("T.setNow(3)")
    one.keyboard.press("a")
    edits(one, 1)
    two.keyboard.press("a")
    until(two, "(document.querySelector('.trouble') || { textContent: '' }).textContent.includes('elsewhere')")
    edits(two, 1)
    two.keyboard.press("a")
    edits(two, 2)
    one.close()
    two.close()
