"""The audit log: who ran what on which data. Lines are only ever added, and each holds the hash of the one before.

People and sessions stand in it by keyed pseudonyms (`pipeline.privacy.keys`), so that it stays whole when somebody is
forgotten, and says nothing of them any more.
"""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.batch.layout import read_json, write_json
from pipeline.privacy.home import alone, home
from pipeline.privacy.keys import tokens

NAME, HEAD = "audit.jsonl", "audit.head.json"
FIRST = "0" * 64


def record(
    what: str, root: Path, sessions: Mapping[str, Sequence[str]] | None = None, **details: Any
) -> dict[str, Any]:
    """Add one line.

    Args:
        what: The command.
        root: Folder of the study.
        sessions: Sessions concerned, each with its people.
        **details: Anything else that names nobody; JSON-serialisable.

    Returns:
        The line.

    Raises:
        OSError: the log cannot be written.
    """
    data = tokens(root, sessions or {})
    with alone() as folder:
        file = folder / NAME
        last = _last(file)
        line = {
            "n": int(last.get("n", 0)) + 1,
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "who": f"{getpass.getuser()}@{platform.node()}",
            "what": what,
            "study": str(root.absolute()),
            "data": data,
            **details,
            "before": last.get("hash", FIRST),
        }
        line["hash"] = _hash(line)
        text = json.dumps(line, ensure_ascii=False) + "\n"
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if _torn(file):  # a line that a crash cut short: it is ended, and the chain goes on from the last whole one
                os.write(handle, b"\n")
            os.write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        write_json(folder / HEAD, {"n": line["n"], "hash": line["hash"]})
    return line


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines in order; one that a crash cut short is left out."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as source:
        for text in source:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            yield line if isinstance(line, dict) else {}


def _last(file: Path) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in _lines(file):
        last = line
    return last


def _torn(file: Path) -> bool:
    if not file.stat().st_size:
        return False
    with file.open("rb") as source:
        source.seek(-1, os.SEEK_END)
        return source.read(1) != b"\n"


def _hash(line: Mapping[str, Any]) -> str:
    values = {key: value for key, value in line.items() if key != "hash"}
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """Whether the log is as it was written.

    Attributes:
        entries: Whole lines.
        broken: What is wrong, in words; empty where nothing is.
    """

    entries: int
    broken: tuple[str, ...]


def verify() -> Verdict:
    """Hold every line against the hash of the one before, and against what was noted beside the log of the last."""
    head = read_json(home() / HEAD)
    before, n, noted = FIRST, 0, not head
    for line in _lines(home() / NAME):
        if line.get("before") != before or line.get("n") != n + 1 or line.get("hash") != _hash(line):
            return Verdict(n, (f"what should be line {n + 1} was changed, or lines were taken out before it",))
        before, n = line["hash"], line["n"]
        noted = noted or (n == head.get("n") and before == head.get("hash"))
    if not noted:
        return Verdict(n, (f"the log has {n} lines and had {head.get('n')}: its end was taken off",))
    return Verdict(n, ())
