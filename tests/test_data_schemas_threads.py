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


def test_two_runs_in_two_threads_leave_the_environment_as_it_was() -> None:
    from data_schemas.threads import ONE_THREAD, sums_in_order

    def told() -> list[str | None]:
        return [os.environ.get(name) for name in ONE_THREAD]

    before = told()
    first, second = sums_in_order(), sums_in_order()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert told() == ["1"] * len(ONE_THREAD), "the second still works"
    second.__exit__(None, None, None)
    assert told() == before


POOLS = """
import os
import numpy, threadpoolctl
from data_schemas.threads import sums_in_order
def threads(): return {one["num_threads"] for one in threadpoolctl.threadpool_info()}
before = threads()
with sums_in_order():
    loaded = threads()
    import scipy.linalg
    print(loaded | threads(), os.environ["OMP_NUM_THREADS"])
print(threads() <= before | {1}, os.environ.get("OMP_NUM_THREADS"), before != {1})
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread")
def test_sums_are_taken_in_one_thread_by_what_is_loaded_and_what_will_be() -> None:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    said = subprocess.run(
        [sys.executable, "-c", POOLS], capture_output=True, text=True, check=True, env={**free, "PYTHONPATH": root}
    ).stdout
    assert said.splitlines() == ["{1} 1", "True None True"]
