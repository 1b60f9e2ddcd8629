"""Make the pictures of the documentation from a simulated session: `python -m docs.pictures.make [RESULT]`.

RESULT is what `telltale demo -o RESULT` left; without it the demo is run first. Needs Chromium on the PATH. Nothing but
simulation is shown, on faces of public-domain photographs.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from pipeline.demo import run_demo
from pipeline.report.browser import headless
from pipeline.report.run import report_result
from pipeline.report.study import write_index

HERE = Path(__file__).parent
PATIENCE_MS = 240_000
COLOURS = 160


def main() -> None:
    """Run the demo where no result is given, and take all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        result = Path(sys.argv[1]) if len(sys.argv) > 1 else run_demo(work / "demo", seed=0).saved
        page = report_result(result).page
        study = work / "study"
        for number in range(1, 5):
            shutil.copytree(result, study / f"p{number:02d}", ignore=shutil.ignore_patterns("session"))
        index = write_index(study).page
        with headless() as browser:
            for name, take in (("report", _whole), ("evidence", _evidence), ("dark", _dark)):
                _keep(take(browser, page), HERE / f"{name}.png")
            _keep(_plain(browser, index), HERE / "study.png")


def _opened(browser: Any, page: Path, width: int, height: int, **more: Any) -> Any:
    tab = browser.new_page(viewport={"width": width, "height": height}, **more)
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_selector("html[data-ready]")
    while not tab.evaluate("T.player.all.every((one) => one.video.readyState >= 2)"):
        tab.wait_for_timeout(100)
    return tab


def _whole(browser: Any, page: Path) -> bytes:
    tab = _opened(browser, page, 1440, 1500)
    tab.evaluate("T.setNow(41.4)")
    tab.wait_for_timeout(2000)
    return bytes(tab.screenshot())


def _evidence(browser: Any, page: Path) -> bytes:
    tab = _opened(browser, page, 1280, 900)
    tab.keyboard.press("i")
    tab.evaluate("T.setRange(T.state.now - 6, T.state.now + 9); document.getElementById('bench').scrollIntoView()")
    tab.evaluate("document.getElementById('inspector').scrollIntoView({block: 'nearest'})")
    tab.wait_for_timeout(2000)
    return bytes(tab.screenshot())


def _dark(browser: Any, page: Path) -> bytes:
    tab = _opened(browser, page, 1280, 900, color_scheme="dark")
    tab.evaluate("T.setRange(8, 34); T.setNow(14.9); document.getElementById('bench').scrollIntoView()")
    tab.wait_for_timeout(2000)
    return bytes(tab.screenshot())


def _plain(browser: Any, page: Path) -> bytes:
    tab = browser.new_page(viewport={"width": 1280, "height": 420})
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_selector("table.study")
    return bytes(tab.screenshot())


def _keep(picture: bytes, path: Path) -> None:
    """Write it with few colours, so that it stays small."""
    from PIL import Image

    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    sys.stdout.write(f"{path} {path.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
