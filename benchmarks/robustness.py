"""How much ill use the program stands. `python -m benchmarks.robustness [--full]`.

Spoilt inputs for every reader and the manifest (`fuzzing`), and workers killed at random moments and resumed (`kills`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.kills import ROOT, kill_worker


def measure(full: bool) -> dict[str, float]:
    """Figures over all readers.

    Args:
        full: 10,000 inputs for each reader and 120 kills, instead of 300 and 16.

    Returns:
        `readers`, the manifest among them; `inputs_least` and `inputs_NAME`, inputs tried; `findings`, inputs that were
        neither read nor refused with a reason, or took too long or too much; `read_share_least`, least share of inputs
        of which something could be read; `kills_survived`, `resumed` results, made from what killed workers had
        finished, `half_results` seen after a kill, `bytes_lost` of the tables
        after resuming, `left_over` files.
    """
    words = [sys.executable, "-m", "benchmarks.fuzzing", "--json", "--inputs", str(10_000 if full else 300)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"fuzzing ended with {done.returncode}: {done.stderr[-2000:]}")
    rows = json.loads(done.stdout)["rows"]
    with tempfile.TemporaryDirectory() as folder:
        survived = kill_worker(Path(folder), 120 if full else 16)
    return {
        "readers": float(len(rows)),
        "inputs_least": float(min(row["tried"] for row in rows)),
        "read_share_least": min(row["read"] / max(1, row["tried"]) for row in rows),
        "findings": float(sum(one["times"] for row in rows for one in row["findings"])),
        **{f"inputs_{row['reader']}": float(row["tried"]) for row in rows},
        "kills_survived": float(survived.kills),
        "resumed": float(survived.resumed),
        "half_results": float(survived.halves),
        "bytes_lost": float(survived.bytes_lost),
        "left_over": float(survived.left_over),
    }


if __name__ == "__main__":
    for name, value in measure("--full" in sys.argv).items():
        print(f"{name:40} {value:.4g}")
