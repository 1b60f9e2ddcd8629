"""Where sessions are analysed: worker processes here, a running Dask cluster, or workers that Slurm starts."""

from __future__ import annotations

import ipaddress
import logging
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from data_schemas.errors import InvalidValueError

if TYPE_CHECKING:
    from distributed import Client

DEATHS = 3
"""So many times a worker may die over a session before the session has failed."""
_CONNECT_S = 30


@contextmanager
def local(jobs: int) -> Iterator[Client]:
    """A cluster of worker processes on this machine, one thread each, that end with this process.

    The scheduler listens on loopback alone; where the package `cryptography` is installed, by TLS with keys made for
    this run, so that no other user of the machine can talk to it.

    Args:
        jobs: How many.
    """
    import dask
    from distributed import Client, LocalCluster

    hush()
    scratch = tempfile.mkdtemp(prefix="telltale-")
    try:
        with (
            dask.config.set(_SETTINGS),
            LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                worker_dashboard_address=None,
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                local_directory=scratch,
                **_temporary_tls(),
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.admin.tick.limit": "1h",
    "distributed.comm.timeouts.connect": f"{_CONNECT_S}s",
    "distributed.scheduler.work-stealing": True,
}


def _temporary_tls() -> dict[str, Any]:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        return {"protocol": "tcp://"}
    from distributed.security import Security

    return {"protocol": "tls://", "security": Security.temporary()}


@contextmanager
def running(address: str) -> Iterator[Client]:
    """A cluster that somebody started, by the address of its scheduler.

    Raises:
        InvalidValueError: the address is neither on loopback nor TLS, or nobody answers there.
    """
    import dask
    from distributed import Client

    require_safe(address)
    hush()
    with dask.config.set({"distributed.comm.timeouts.connect": f"{_CONNECT_S}s"}):
        try:
            client = Client(address, set_as_default=False, timeout=_CONNECT_S)
        except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
            raise InvalidValueError(
                "no Dask scheduler can be reached there", file=address, got=f"{type(error).__name__}: {error}",
                mend="Start one with: dask scheduler; for tls:// give its certificates in Dask's configuration.",
            ) from error  # fmt: skip
    with client:
        yield client


def require_safe(address: str) -> None:
    """Return if a scheduler may be talked to: on this machine's loopback, or by TLS.

    Dask sends pickles, and whoever can talk to a scheduler can run any program as its user.

    Raises:
        InvalidValueError: it is neither.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.scheme == "tls" and parts.hostname:
        return
    if parts.scheme == "tcp" and parts.hostname and _is_loopback(parts.hostname):
        return
    raise InvalidValueError(
        "this scheduler's address is neither on loopback nor TLS, so anybody on the network could run programs there",
        file=address,
        expected="tcp://127.0.0.1:PORT or tls://HOST:PORT",
        mend="Start scheduler and workers with TLS certificates (docs/batch.md shows how).",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        if host.lower() != "localhost":
            return False
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one).is_loopback for one in found)


def hush() -> None:
    """Dask's own log stays quiet: what matters reaches the user as the reason of a session."""
    for name in ("distributed", "asyncio", "tornado", "dask_jobqueue"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def died(error: BaseException) -> bool:
    """Whether a task failed because its worker process ended."""
    from distributed.scheduler import KilledWorker

    return isinstance(error, KilledWorker)
