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
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        raise RuntimeError("no Chromium on the PATH (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--hide-scrollbars",
             "--virtual-time-budget=8000", f"--window-size={width},{height}", f"--screenshot={picture}", page.resolve().as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def main() -> None:
    """Run the demo and take the picture."""
    target = Path(__file__).with_name("report.png")
    with tempfile.TemporaryDirectory() as folder:
        take(run_demo(Path(folder), seed=0).saved / "report.html", target)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
