"""Workers that Slurm starts, by dask-jobqueue, from a profile in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_schemas.errors import InvalidValueError, ManifestError, MissingExtraError, MissingFileError
from pipeline.batch.engine import DEATHS, hush
from pipeline.complaints import explain

if TYPE_CHECKING:
    from distributed import Client


class Profile(BaseModel):
    """What a Slurm cluster needs to know. One worker is one Slurm job with one process.

    Attributes:
        workers: Slurm jobs at most.
        queue: Partition.
        account: Whom the time is charged to.
        walltime: Of one worker, "HH:MM:SS".
        memory: Of one worker, e.g. "4GB".
        cores: Of one worker.
        interface: Network interface that scheduler and workers talk over, e.g. "ib0".
        python: Interpreter of the workers; by default the one that runs the batch.
        prologue: Lines of shell before a worker starts, e.g. "module load ffmpeg".
        directives: Further #SBATCH lines, e.g. "--constraint=avx2".
        tls_ca: Certificate of the authority that signed `tls_cert`.
        tls_cert: Certificate of scheduler and workers.
        tls_key: Its key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(4, ge=1, le=10_000)
    queue: str | None = None
    account: str | None = None
    walltime: str = Field("04:00:00", pattern=r"^(\d+-)?\d{1,3}:\d{2}:\d{2}$")
    memory: str = Field("4GB", pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    cores: int = Field(1, ge=1)
    interface: str | None = None
    python: str | None = None
    prologue: list[str] = Field(default_factory=list)
    directives: list[str] = Field(default_factory=list)
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


def load_profile(path: Path) -> Profile:
    """A profile from a TOML file; paths in it are below its folder.

    Raises:
        MissingFileError: there is no such file, or a certificate that it names.
        ManifestError: it is no TOML, or a key or value is wrong.
    """
    if not path.is_file():
        raise MissingFileError("no such Slurm profile", file=path)
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        profile = Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ManifestError("the Slurm profile is no valid TOML", file=path, got=str(error)) from error
    except ValidationError as error:
        raise ManifestError(explain(error, Profile, text), file=path) from error
    named = {key: getattr(profile, key) for key in ("tls_ca", "tls_cert", "tls_key")}
    if any(named.values()) and not all(named.values()):
        raise ManifestError("tls_ca, tls_cert and tls_key belong together", file=path, mend="Give all three or none.")
    placed = {key: (path.parent / value).absolute() for key, value in named.items() if value is not None}
    for value in placed.values():
        if not value.is_file():
            raise MissingFileError("no such certificate or key", file=value)
    return profile.model_copy(update=placed)


@contextmanager
def slurm(profile: Profile, scratch: Path) -> Iterator[Client]:
    """A cluster whose workers are Slurm jobs; they end with this run.

    Everything goes by TLS: with the certificates of the profile, or with keys made for this run where the package
    `cryptography` is installed.

    Args:
        profile: Of the cluster.
        scratch: Folder that all machines see, for job logs and keys.

    Raises:
        MissingExtraError: dask-jobqueue is not installed, or no certificates and nothing to make them with.
        InvalidValueError: Slurm refuses, or is not on this machine.
    """
    import dask
    from distributed import Client

    hush()
    with dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}):
        try:
            cluster = _cluster(profile, scratch)
            cluster.scale(jobs=profile.workers)
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidValueError(
                "the workers could not be asked for", got=f"{type(error).__name__}: {error}",
                mend="Run this on a machine where sbatch works, and see the profile.",
            ) from error  # fmt: skip
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


def _cluster(profile: Profile, scratch: Path) -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise MissingExtraError(
            "--slurm needs dask-jobqueue, which is not installed", mend="pip install 'telltale[slurm]'"
        ) from error
    logs = scratch / "slurm"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SLURMCluster(
        queue=profile.queue,
        account=profile.account,
        walltime=profile.walltime,
        memory=profile.memory,
        cores=profile.cores,
        processes=1,
        interface=profile.interface,
        python=profile.python,
        job_script_prologue=list(profile.prologue),
        job_extra_directives=list(profile.directives),
        log_directory=str(logs),
        local_directory=str(logs),
        shared_temp_directory=str(logs),
        worker_extra_args=["--nthreads", "1", "--no-dashboard"],
        protocol="tls://",
        security=_security(profile),
        scheduler_options={"dashboard": False},
        name="telltale",
    )


def _security(profile: Profile) -> Any:
    from importlib.util import find_spec

    from distributed.security import Security

    if profile.tls_cert is not None:
        keys = {"tls_ca_file": str(profile.tls_ca)}
        for role in ("client", "scheduler", "worker"):
            keys |= {f"tls_{role}_cert": str(profile.tls_cert), f"tls_{role}_key": str(profile.tls_key)}
        return Security(require_encryption=True, **keys)
    if find_spec("cryptography") is None:
        raise MissingExtraError(
            "the workers are talked to by TLS, and there are no certificates for it",
            mend="Name tls_ca, tls_cert and tls_key in the profile, or pip install cryptography.",
        )
    return Security.temporary()
