"""Worker processes end with their parent, and what is imported apart holds on to nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

CODE = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from data_schemas.threads import end_with_parent
if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 60).result()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes by POSIX signals")
def test_a_worker_does_not_outlive_its_killed_parent(tmp_path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(CODE)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker went on without its parent")


KEEPER = """
from data_schemas.threads import import_apart
import gc, sys, weakref
class Big: pass
def run(how):
    big = Big()
    how()
    return weakref.ref(big)
def plain(): import keeper
gone = run(plain)
print(gone() is None)
del sys.modules["keeper"]
gone = run(lambda: import_apart("keeper"))
print(gone() is None, "keeper" in sys.modules)
try:
    import_apart("no_such_module")
except ModuleNotFoundError as error:
    print(error)
"""


def test_a_module_that_keeps_an_error_of_its_import_keeps_nothing_of_ours(tmp_path) -> None:
    (tmp_path / "keeper.py").write_text("try:\n    raise OSError\nexcept OSError as e:\n    error = e\n")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    said = subprocess.run(
        [sys.executable, "-c", KEEPER], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((root, str(tmp_path)))},
    ).stdout  # fmt: skip
    assert said.splitlines() == ["False", "True True", "No module named 'no_such_module'"]
