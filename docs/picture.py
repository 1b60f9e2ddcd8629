"""Make docs/report.png, the picture of the README: the report of the demo session in a headless Chromium.

`python -m docs.picture` needs Chromium on the PATH (Debian: apt-get install chromium). Nothing but simulation is shown.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.demo import run_demo


def take(page: Path, picture: Path, width: int = 1400, height: int = 1560) -> None:
    """A screenshot of a local page.

    Raises:
        RuntimeError: no Chromium on the PATH.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError("no Chromium on the PATH (Debian: apt-get install chromium)")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars"
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            *flags.split(),
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=8000",
        ]
        command += [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={picture}"]
        subprocess.run([*command, page.resolve().as_uri()], check=True, capture_output=True, timeout=120)


def main() -> None:
    """Run the demo and take the picture."""
    target = Path(__file__).with_name("report.png")
    with tempfile.TemporaryDirectory() as folder:
        take(run_demo(Path(folder), seed=0).saved / "report.html", target)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
