"""`import pipeline` costs nothing: no heavy library, well under 0.3 s."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = "torch torchaudio mediapipe cv2 mne librosa scipy neurokit2 pandas sklearn av numba".split()  # noqa: SIM905

_PROBE = """
import sys, time, json
started = time.perf_counter()
import {module}
took = time.perf_counter() - started
print(json.dumps([took, sorted(set(sys.modules) & set({heavy}))]))
"""


def probe(module: str) -> tuple[float, list[str]]:
    code = _PROBE.format(module=module, heavy=HEAVY)
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    results = [json.loads(run.stdout) for run in runs]
    return min(took for took, _ in results), results[0][1]


def test_import_pipeline_is_light() -> None:
    took, heavy = probe("pipeline")
    assert heavy == []
    assert took < 0.3


def test_front_door_stays_free_of_models() -> None:
    _, heavy = probe("pipeline.analyzer, pipeline.config, pipeline.cli.app, pipeline.steps")
    assert heavy == []


def test_unknown_attribute_is_an_attribute_error() -> None:
    import pipeline

    try:
        pipeline.nonsense  # noqa: B018
    except AttributeError as error:
        assert "nonsense" in str(error)
    else:
        raise AssertionError("pipeline.nonsense exists")
