"""What tests share: the folder of real recordings, and simulated sessions made once per run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from modalities.face.recognition.samples import Samples


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and audit log of the tests lie in a folder of their own, not in the home of whoever runs them."""
    folder = tmp_path_factory.mktemp("home") / "telltale"
    os.environ["TELLTALE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings, from TELLTALE_DATA; tests that need it skip where it is not set."""
    value = os.environ.get("TELLTALE_DATA")
    if not value:
        pytest.skip("TELLTALE_DATA is not set: the real recordings are not on this machine")
    path = Path(value).resolve()
    if not path.is_dir():
        pytest.fail(f"TELLTALE_DATA names {path}, which is no folder")
    return path


Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def telltale() -> Callable[..., Run]:
    """Runs the `telltale` command in a process of its own; whatever happens, it must not end in a traceback."""

    def run(*words: object) -> Run:
        code = "from pipeline.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=540,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """The command in this process: the same entry point as `telltale`, without loading all libraries anew."""
    from pipeline.cli.app import run as run_command

    monkeypatch.setenv("TELLTALE_NATIVE_LOG", "1")

    def call(*words: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["telltale", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            run_command()
        told = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), told.out, told.err)

    return call


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; without one its tests skip, or fail where TELLTALE_REQUIRE_BROWSER is 1."""
    from pipeline.report.browser import find_browser, headless

    if find_browser() is None:
        if os.environ.get("TELLTALE_REQUIRE_BROWSER") == "1":
            pytest.fail("TELLTALE_REQUIRE_BROWSER is set, and no Chromium is on the PATH")
        pytest.skip("no Chromium on the PATH (Debian: apt-get install chromium)")
    with headless() as opened:
        yield opened


@pytest.fixture(scope="session")
def flows() -> Samples:
    """Simulated flow maps of 16 people with 8 expressions each."""
    from modalities.face.recognition.simulation import simulate_flow_set

    return simulate_flow_set(16, 8, seed=3)
