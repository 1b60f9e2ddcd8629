"""A headless Chromium that asks nobody anything: for the tests of the pages and the pictures of the documentation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_schemas.errors import MissingExtraError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-gpu-rasterization",
    "--autoplay-policy=no-user-gesture-required",
)


def find_browser() -> str | None:
    """The first of `NAMES` on the PATH; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def headless() -> Iterator[Browser]:
    """A headless browser, closed in the end.

    Raises:
        MissingExtraError: there is no Chromium, or the library that drives it is not installed.
    """
    path = find_browser()
    if path is None:
        raise MissingExtraError("no Chromium on the PATH", mend="On Debian: apt-get install chromium.")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingExtraError(
            "playwright, which drives the browser, is not installed", mend="pip install 'telltale[dev]'"
        ) from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
