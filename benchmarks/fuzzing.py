"""Spoilt recordings for every reader, spoilt manifests and coders' files, each tried in a process under limits.

`python -m benchmarks.fuzzing [--inputs N] [--reader NAME] [--keep DIR]`

A coverage-guided loop (after the way of Zalewski, american fuzzy lop, technical details, 2013): inputs that reach new
pairs of lines are kept and spoilt further. Each input must be read, or refused by a `TelltaleError` that says what is
wrong; anything else that comes through, a dead process, too much time or too much memory is a finding. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz_coding import CODERS, coded_seeds, exercise_coding
from benchmarks.fuzz_coverage import Edges, watched
from benchmarks.fuzz_exercise import UNSOUND, exercise, exercise_manifest
from benchmarks.fuzz_mutations import mutate
from benchmarks.fuzz_seeds import MANIFEST, Seed, seeds_of
from data_schemas.errors import TelltaleError

CPU_S, WALL_S = 8.0, 120.0
"""Time for one input: of a processor, and by the clock (other programs may be running)."""
MEMORY = 256 << 20
"""Bytes that reading one input of at most 200 kB may take beyond what the process had."""
_ADDRESSES = 4 << 30
_DISK = 256 << 20
_CORPUS = 400
_WATCHED = (
    "/modalities/readers/", "/data_schemas/", "/pipeline/manifest", "/pipeline/coding/", "/pipeline/export/textgrid",
    "/pipeline/export/clock", "/pympi/", "/pyxdf/", "/bioread/", "/wfdb/",
)  # fmt: skip


@dataclass
class Finding:
    """Something that must not happen.

    Attributes:
        reader: Of which reader.
        kind: "traceback", "hang", "crash", "memory", "message" or "unsound".
        what: What came through.
        times: How often.
        example: Where the input was kept.
    """

    reader: str
    kind: str
    what: str
    times: int = 1
    example: str = ""


@dataclass
class Tally:
    """What came of one reader.

    Attributes:
        reader: Which.
        tried: Inputs.
        read: Of which something could be read.
        edges: Pairs of lines that were reached.
        corpus: Inputs kept for reaching something new.
        seconds: How long it took.
        findings: What must not happen, by what came through.
    """

    reader: str
    tried: int = 0
    read: int = 0
    edges: int = 0
    corpus: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def note(self, kind: str, what: str, example: str = "") -> bool:
        """Count a finding; whether it is a new one."""
        known = self.findings.setdefault(f"{kind} {what}", Finding(self.reader, kind, what, 0, example))
        known.times += 1
        return known.times == 1


def fuzz(
    reader: str,
    inputs: int,
    seed: int = 1,
    guided: bool = True,
    keep: Path | None = None,
    given: Sequence[Seed] | None = None,
) -> Tally:
    """Try spoilt inputs on one reader.

    Args:
        reader: One of `readers()`.
        inputs: How many.
        seed: Of all choices.
        guided: Keep inputs that reach something new, and spoil them further.
        keep: Folder for inputs that found something; none is kept without.
        given: Recordings to try as they are, one after the other, instead of spoilt ones.
    """
    tally, started = Tally(reader), time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        (scratch / "seeds").mkdir()
        made = coded_seeds if reader in CODERS else seeds_of
        plan = _Plan(given or made(reader, scratch / "seeds"), inputs, seed, guided, given is None)
        while tally.tried < inputs:
            _one_process(tally, plan, scratch, keep)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tally.seconds = time.monotonic() - started
    return tally


@dataclass(frozen=True)
class _Plan:
    """What is tried: spoilt copies of recordings, or the recordings themselves."""

    seeds: Sequence[Seed]
    inputs: int
    seed: int
    guided: bool
    spoil: bool


def _one_process(tally: Tally, plan: _Plan, scratch: Path, keep: Path | None) -> None:
    """Inputs in a process of their own, until it is through or dies over one."""
    work = scratch / f"from-{tally.tried}"
    work.mkdir()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            _limit()
            _work(writing, tally.reader, plan, work, range(tally.tried, plan.inputs))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    current: dict[str, Any] = {}
    with os.fdopen(reading, encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if "start" in line:
                current = line
                continue
            tally.tried = int(line["number"]) + 1
            tally.read += bool(line["read"])
            tally.edges, tally.corpus = max(tally.edges, line["edges"]), max(tally.corpus, line["corpus"])
            for kind, what in line["findings"]:
                if tally.note(kind, what) and keep is not None:
                    tally.findings[f"{kind} {what}"].example = _keep(
                        keep, tally.reader, line["number"], Path(line["kept"])
                    )
            current = {}
    _, status = os.waitpid(child, 0)
    if current:
        tally.tried = int(current["start"]) + 1
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        hung = number in (signal.SIGPROF, signal.SIGALRM)
        what = f"more than {CPU_S:g} s" if hung else signal.strsignal(number) if number else "the process ended"
        where = _keep(keep, tally.reader, current["start"], Path(current["folder"])) if keep is not None else ""
        tally.note("hang" if hung else "crash", f"{what} in {current['from']}", where)
    elif tally.tried < plan.inputs:
        raise RuntimeError(f"the fuzzing process of '{tally.reader}' ended with {status} between two inputs")
    shutil.rmtree(work, ignore_errors=True)


def _keep(keep: Path, reader: str, number: int, folder: Path) -> str:
    target = keep / f"{reader}-{number}"
    if folder.is_dir():
        shutil.copytree(folder, target, dirs_exist_ok=True)
    return str(target)


def _limit() -> None:
    """Limits of the process: addresses, files, and no noise on the screen."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _linux() else 1 << 30
    if _linux():
        resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESSES, size + _ADDRESSES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_DISK, _DISK))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(nowhere, handle)


def _linux() -> bool:
    return sys.platform.startswith("linux")


def _work(out: int, reader: str, plan: _Plan, work: Path, numbers: range) -> None:
    seeds, guided = plan.seeds, plan.guided
    corpus = [one.files for one in seeds]
    origin = list(range(len(seeds)))
    known: Edges = set()
    for number in numbers:
        rng = random.Random(f"{plan.seed} {reader} {number}")
        at = rng.randrange(len(corpus)) if rng.random() < 0.7 else rng.randrange(len(seeds))
        at = at if plan.spoil else number % len(seeds)
        one, files = seeds[origin[at]], dict(corpus[at])
        name = rng.choice(sorted(files))
        if plan.spoil:
            files[name] = mutate(files[name], rng, [data for other in seeds for data in other.files.values()])
        root = work / str(number)
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        _tell(out, {"start": number, "folder": str(root), "from": one.name})
        edges: Edges = set()
        read, found = _try(reader, root, one, rng, edges if guided else None)
        fresh = edges - known
        if fresh:
            known |= fresh
            if len(corpus) < _CORPUS:
                corpus.append(files)
                origin.append(origin[at])
        kept = str(root) if found else ""
        told = {
            "number": number,
            "read": read,
            "findings": found,
            "kept": kept,
            "edges": len(known),
            "corpus": len(corpus),
        }
        _tell(out, told)
        if not found:
            shutil.rmtree(root, ignore_errors=True)


def _tell(out: int, line: dict[str, Any]) -> None:
    os.write(out, (json.dumps(line) + "\n").encode())


def _try(reader: str, root: Path, seed: Seed, rng: random.Random, edges: Edges | None) -> tuple[bool, list[list[str]]]:
    """One input: whether anything was read, and what must not happen."""
    refusals: list[TelltaleError] = []
    found: list[list[str]] = []
    before = _fresh_peak()
    signal.setitimer(signal.ITIMER_PROF, CPU_S * (1 if edges is None else 2))
    signal.setitimer(signal.ITIMER_REAL, WALL_S)
    read = False
    try:
        for _ in _traced(edges):
            if reader == MANIFEST:
                read = exercise_manifest(root, refusals.append)
            elif reader in CODERS:
                read = exercise_coding(reader, root, seed, rng, refusals.append)
            else:
                read = exercise(reader, root, seed, rng, refusals.append)
    except BaseException as error:  # noqa: BLE001 - whatever comes through is what is looked for
        found.append(["unsound" if str(error).startswith(UNSOUND) else "traceback", _place_of(error)])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    grown = _peak() - before
    if grown > MEMORY:
        found.append(["memory", f"hundreds of MB for {seed.name}"])
    for refusal in refusals:
        found += _complaints(refusal, seed)
    return read, found


def _traced(edges: Edges | None) -> Iterator[None]:
    if edges is None:
        yield
        return
    with watched(_WATCHED, edges):
        yield


def _complaints(error: TelltaleError, seed: Seed) -> Iterator[list[str]]:
    """What is wrong with a refusal: it hides that the memory or disk was not enough, or says nothing."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            yield ["memory", f"asked for more than there is, {_place_of(cause)}"]
        if isinstance(cause, OSError) and cause.errno == 27:  # EFBIG
            yield ["memory", f"{_DISK >> 20} MB on disk for {seed.name}"]
        cause = cause.__cause__
    if not error.what.strip() or len(str(error)) > 3000 or (error.file is None and error.stream is None):
        yield ["message", f"{error.what[:80]!r}, {len(str(error))} letters, file {error.file is not None}"]


def _place_of(error: BaseException) -> str:
    """Kind and text of an error, and the innermost of our lines that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "site-packages" not in one.filename and "/benchmarks/" not in one.filename]
    where = f"{Path((ours or frames)[-1].filename).name}:{(ours or frames)[-1].lineno}" if frames else "?"
    text = " ".join(str(error).split())
    return f"{type(error).__name__} at {where}: {''.join('0' if c.isdigit() else c for c in text)[:60]}"


def _fresh_peak() -> int:
    """Begin a new peak of memory; bytes in use now."""
    if _linux():
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return _peak()
    return _peak()


def _peak() -> int:
    """Most bytes in use since the last fresh start."""
    if _linux():
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def readers() -> list[str]:
    """All readers, the manifest, and coders' files."""
    from modalities.readers.registry import READERS

    return [*READERS, MANIFEST, *CODERS]


def preload() -> None:
    """Import what readers use, so that every process that is forked has it."""
    import av  # noqa: F401
    import bioread  # noqa: F401
    import cv2
    import mne  # noqa: F401
    import pandas  # noqa: F401
    import pympi  # noqa: F401
    import pyxdf  # noqa: F401
    import soundfile  # noqa: F401
    import wfdb  # noqa: F401

    from modalities.readers.registry import READERS, load_reader

    cv2.setNumThreads(0)
    for name in READERS:
        load_reader(name)


def main(arguments: list[str] | None = None) -> int:
    """Fuzz and print one line per reader; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--reader", action="append", choices=readers())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unguided", action="store_true", help="without coverage, several times as fast")
    parser.add_argument("--keep", type=Path, help="folder for inputs that found something")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    preload()
    tallies = []
    for name in options.reader or readers():
        tally = fuzz(name, options.inputs, options.seed, not options.unguided, options.keep)
        tallies.append(tally)
        if not options.json:
            share = tally.read / max(1, tally.tried)
            counts = f"{tally.tried:7} tried, {share:4.0%} read, {tally.corpus:4} kept, {tally.seconds:6.1f} s"
            print(f"{name:15} {counts}", flush=True)
            for one in tally.findings.values():
                print(f"    {one.kind} x {one.times}: {one.what}  {one.example}", flush=True)
    if options.json:
        said = [{**vars(one), "findings": [vars(two) for two in one.findings.values()]} for one in tallies]
        print(json.dumps({"rows": said}))
    return 1 if any(tally.findings for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
