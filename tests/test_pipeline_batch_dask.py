"""Where the work may be done: a running cluster on loopback, Slurm workers, and no address that is not safe."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_schemas.errors import InvalidValueError, ManifestError, MissingExtraError, MissingFileError
from data_schemas.threads import ONE_THREAD
from pipeline.batch.engine import local, require_safe, running
from pipeline.batch.run import run_batch
from pipeline.batch.slurm import load_profile
from pipeline.batch.waiting import waiting_told
from pipeline.batch.worker import run_session
from pipeline.cli.batch_display import Lines
from pipeline.config import Config
from pipeline.simulate.session import simulate_study

if TYPE_CHECKING:
    from distributed import Client

Telltale = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).resolve().parent.parent
TABLES = ("timeline.parquet", "events.parquet", "events.csv")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler and two workers as processes of their own, on loopback; its address."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict.fromkeys(ONE_THREAD, "2")}
    common = [sys.executable, "-m", "distributed.cli"]
    scheduler = [*common, "dask_scheduler"]
    begin = "from distributed.cli.dask_{0} import main; main()"
    scheduler = [sys.executable, "-c", begin.format("scheduler"), "--host", "127.0.0.1", "--port", "0",
                 "--no-dashboard", "--scheduler-file", str(file)]  # fmt: skip
    worker = [sys.executable, "-c", begin.format("worker"), "--scheduler-file", str(file), "--nthreads", "1",
              "--no-dashboard", "--no-nanny", "--local-directory", str(folder), "--host", "127.0.0.1"]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": folder}
    running = [subprocess.Popen(scheduler, **quiet)]
    try:
        end = time.monotonic() + 180
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.1)
        import json

        running += [subprocess.Popen(worker, **quiet) for _ in range(2)]
        yield json.loads(file.read_text())["address"]
    finally:
        for one in reversed(running):  # the scheduler last: a worker that has lost it goes on looking for it
            one.terminate()
            one.wait(timeout=60)


@contextmanager
def within(jobs: int) -> Iterator[Client]:
    """A cluster within this process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as alone,
        Client(alone, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize("sessions", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_a_running_cluster_gives_the_same_tables(
    telltale: Telltale, cluster: str, tmp_path: Path, sessions: int
) -> None:
    study = tmp_path / "study"
    simulate_study(study, sessions, seconds=10, seed=40, fidelity="signal")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert run_batch(study, ours, Config(), within, Lines(), ours=False).exit_status == 0
    run = telltale("batch", study, "-o", theirs, "--scheduler", cluster)
    assert run.returncode == 0, run.stderr
    for folder in study.iterdir():
        for name in TABLES:
            assert (ours / folder.name / name).read_bytes() == (theirs / folder.name / name).read_bytes()
    assert (ours / "study.parquet").read_bytes() == (theirs / "study.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["local", "running"])
def test_every_kind_of_worker_takes_one_thread(cluster: str, kind: str, tmp_path: Path) -> None:
    work = {"session": "none", "manifest": str(tmp_path / "none.toml"), "out": str(tmp_path), "program": "another"}
    ask = {
        "torch": "__import__('torch').get_num_threads()",
        "cv2": "__import__('cv2').getNumThreads()",
        "pools": "[one['num_threads'] for one in __import__('threadpoolctl').threadpool_info()]",
        "environment": f"[__import__('os').environ.get(name) for name in {tuple(ONE_THREAD)}]",
        "process": "__import__('os').getpid()",
    }
    with local(1) if kind == "local" else running(cluster) as client:
        worker = sorted(client.scheduler_info()["workers"])[:1]
        answer = client.submit(run_session, {**work, "quiet": kind == "local"}, workers=worker, pure=False).result()
        assert "another version" in answer["reason"] and answer["cause"] == "machine"
        found = {name: client.submit(eval, code, workers=worker, pure=False).result() for name, code in ask.items()}
    assert found.pop("process") != os.getpid()
    assert found["torch"] == found["cv2"] == 1
    assert found["pools"] and set(found["pools"]) == {1}
    assert set(found["environment"]) == {"1"}


def test_a_cluster_without_workers_is_told_at_once_and_goes_on_once_it_has_one(tmp_path: Path) -> None:
    from distributed import LocalCluster

    simulate_study(tmp_path / "study", 1, seconds=10, seed=1, fidelity="signal")
    options = {"n_workers": 0, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options, host="127.0.0.1", protocol="tcp://") as empty:
        words = ["batch", tmp_path / "study", "-o", tmp_path / "out", "--scheduler", empty.scheduler_address]
        run = subprocess.Popen(
            [sys.executable, "-c", "from pipeline.cli import main; main()", *map(str, words)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert run.stderr is not None
        told = next((line for line in run.stderr if "waiting for workers" in line), "")
        assert f"workers of {empty.scheduler_address} (1 session waits); Ctrl-C stops" in told
        assert run.poll() is None and not (tmp_path / "out" / "sim01").exists()
        empty.scale(1)
        rest = run.stderr.read()
    assert run.wait(timeout=60) == 0, rest
    assert "waiting" not in rest


def test_that_there_is_no_worker_is_told_again_but_rarely(tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    told: list[tuple[str, bool]] = []
    options = {"n_workers": 0, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options) as empty, Client(empty, set_as_default=False) as client:
        with waiting_told(client, lambda address, none: told.append((address, none)), again_s=1.5):
            time.sleep(4)
            assert 2 <= len(told) <= 3 and set(told) == {(empty.scheduler_address, True)}
            empty.scale(1)
            end = time.monotonic() + 60
            while time.monotonic() < end and told[-1][1]:
                time.sleep(0.2)
        assert told[-1] == (empty.scheduler_address, False), "once one came, that is said too"


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:8786", "127.0.0.1:8786", "tcp://[::1]:8786", "localhost:1", "tls://head.example:8786"]
)
def test_loopback_and_tls_are_safe(address: str) -> None:
    require_safe(address)


@pytest.mark.parametrize(
    "address",
    ["tcp://10.0.0.5:8786", "head.example:8786", "tcp://0.0.0.0:8786", "ws://127.0.0.1:1", "ucx://127.0.0.1:1",
     "inproc://x", "tcp://127.0.0.1.example:1", "tls://", "http://localhost:1", "tcp://[::]:1"],
)  # fmt: skip
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidValueError, match="neither on loopback nor TLS"):
        require_safe(address)


def test_an_address_that_is_not_safe_or_not_there_stops_before_anything_is_run(
    telltale: Telltale, tmp_path: Path
) -> None:
    simulate_study(tmp_path / "study", 1, seconds=10, seed=1, fidelity="signal")
    run = telltale("batch", tmp_path / "study", "-o", tmp_path / "out", "--scheduler", "tcp://192.0.2.7:8786")
    assert run.returncode == 2 and "pickles" not in run.stdout and "TLS" in run.stderr
    assert not (tmp_path / "out").exists()


def profile(folder: Path, text: str) -> Path:
    file = folder / "slurm.toml"
    file.write_text(text)
    return file


def test_a_profile_is_checked(tmp_path: Path) -> None:
    good = load_profile(profile(tmp_path, 'queue = "short"\nmemory = "6GB"\nwalltime = "02:00:00"\nworkers = 8\n'))
    assert (good.queue, good.workers, good.cores) == ("short", 8, 1)
    for text in ('quue = "short"\n', 'memory = "much"\n', "workers = 0\n", "workers = \n", 'tls_ca = "ca.pem"\n'):
        with pytest.raises(ManifestError):
            load_profile(profile(tmp_path, text))
    with pytest.raises(MissingFileError):
        load_profile(profile(tmp_path, 'tls_ca = "a"\ntls_cert = "b"\ntls_key = "c"\n'))
    with pytest.raises(MissingFileError):
        load_profile(tmp_path / "none.toml")


SBATCH = """#!/bin/sh
# Stands in for Slurm: keeps the job's script, as Slurm does, and runs it here.
for last; do :; done
cp "$last" "$0.script"
setsid sh "$0.script" >>"$0.log" 2>&1 &
echo $! >>"$0.pids"
echo "Submitted batch job $!"
"""


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A certificate of its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=telltale",
             "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]  # fmt: skip
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return tmp_path


def test_slurm_workers_talk_by_tls(certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "sbatch").write_text(SBATCH)
    (bin_ / "scancel").write_text("#!/bin/sh\nkill -- -$1 2>/dev/null; exit 0\n")
    for file in bin_.iterdir():
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    text = 'tls_ca = "cert.pem"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\nworkers = 1\nmemory = "2GB"\n'
    simulate_study(tmp_path / "study", 1, seconds=10, seed=1, fidelity="signal")
    out = tmp_path / "out"
    try:
        words = ["batch", tmp_path / "study", "-o", out, "--slurm", profile(tmp_path, text)]
        code = "from pipeline.cli import main; main()"
        run = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=300, cwd=ROOT
        )
    finally:
        for pid in (bin_ / "sbatch.pids").read_text().split() if (bin_ / "sbatch.pids").exists() else ():
            subprocess.run(["kill", "--", f"-{pid}"], check=False, capture_output=True)
    log = (bin_ / "sbatch.log").read_text() if (bin_ / "sbatch.log").exists() else ""
    assert run.returncode == 0, run.stderr + log
    assert (out / "sim01" / "result.json").is_file()
    assert "tls://" in log and "tcp://" not in log


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to make keys with, whether or not the package `cryptography` is installed here."""
    monkeypatch.setitem(sys.modules, "cryptography", None)


@pytest.mark.usefixtures("keyless")
def test_without_certificates_slurm_workers_are_not_started(tmp_path: Path) -> None:
    from pipeline.batch.slurm import slurm

    pytest.importorskip("dask_jobqueue")
    with pytest.raises(MissingExtraError, match="tls_ca"), slurm(load_profile(profile(tmp_path, "")), tmp_path):
        pass


@pytest.mark.usefixtures("keyless")
def test_slurm_workers_never_talk_without_tls(tmp_path: Path) -> None:
    """What is said and done where neither Slurm nor dask-jobqueue is needed to find out."""
    from pipeline.batch.slurm import _security

    with pytest.raises(MissingExtraError) as caught:
        _security(load_profile(profile(tmp_path, "")))
    said = str(caught.value)
    assert "by TLS" in said and "no certificates" in said
    assert "tls_ca, tls_cert and tls_key" in said and "pip install cryptography" in said, "both ways out are named"

    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text(name)
    named = 'tls_ca = "ca.pem"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n'
    made = _security(load_profile(profile(tmp_path, named)))
    assert made.require_encryption is True
    for role in ("client", "scheduler", "worker"):
        keys = made.get_tls_config_for_role(role)
        assert keys["ca_file"] == str(tmp_path / "ca.pem")
        assert (keys["cert"], keys["key"]) == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


@pytest.mark.usefixtures("keyless")
def test_a_batch_without_certificates_for_slurm_ends_with_that_message(telltale, tmp_path: Path) -> None:
    """On the command line, as far as dask-jobqueue and cryptography let it: a sentence with a mend, never a start."""
    simulate_study(tmp_path / "study", 1, seconds=10, seed=1, fidelity="signal")
    for text, said in (('tls_ca = "ca.pem"\n', "Give all three or none"), (_NOWHERE, "no such certificate or key")):
        run = telltale("batch", tmp_path / "study", "-o", tmp_path / "out", "--slurm", profile(tmp_path, text))
        assert run.returncode == 2 and said in " ".join(run.stderr.split()), run.stderr
        assert not (tmp_path / "out" / "sim01").exists()


_NOWHERE = 'tls_ca = "ca.pem"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n'
