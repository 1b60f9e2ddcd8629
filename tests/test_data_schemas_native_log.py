from __future__ import annotations

import os
import subprocess
import sys
import textwrap

CHATTER = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    "W0000 00:00:1795299924.002889   11949 inference_feedback_manager.cc:114] Feedback manager requires a model",
    "I20260101 10:00:00.123456 11949 gl_context_egl.cc:85] Successfully initialized EGL",
)
ERRORS = (
    "E0000 00:00:1795299924.002889   11949 calculator_graph.cc:9] the graph failed",
    "F20260101 10:00:00.123456 11949 model.cc:1] Check failed",
    "ERROR: Didn't find op for builtin opcode",
    "WARNING: the disk is full",
    "INFO of another library",
)


def stderr_of(code: str, **environment: str) -> list[str]:
    """What a script writes whose stderr is no terminal."""
    plain = {name: value for name, value in os.environ.items() if name != "TELLTALE_NATIVE_LOG"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**plain, **environment},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


NATIVE = f"""
    import os, sys
    from data_schemas.native_log import without_chatter
    print("before", file=sys.stderr)
    try:
        with without_chatter(), without_chatter():
            for line in {CHATTER + ERRORS!r}:
                os.write(2, (line + "\\n").encode())
            print("python's own", file=sys.stderr)
            raise KeyError("x")
    except KeyError:
        os.write(2, b"after\\n")
"""


def test_chatter_is_dropped_and_every_other_line_is_passed_on() -> None:
    assert stderr_of(NATIVE) == ["before", *ERRORS, "python's own", "after"]


def test_all_is_kept_where_that_is_asked_for() -> None:
    assert stderr_of(NATIVE, TELLTALE_NATIVE_LOG="1") == ["before", *CHATTER, *ERRORS, "python's own", "after"]


def test_a_script_without_stderr_goes_on() -> None:
    code = """
        import os
        from data_schemas.native_log import without_chatter
        os.close(2)
        with without_chatter():
            done = True
        assert done
    """
    assert stderr_of(code) == []


def test_models_load_in_a_script_without_a_word() -> None:
    code = """
        import numpy as np
        from modalities.body.hand_model import load_hand_model
        from modalities.body.pose import load_tracker
        from modalities.face.models import BundledMesh, borrowed_models

        picture = np.zeros((240, 320, 3), np.uint8)
        assert BundledMesh().find(picture) is None
        with borrowed_models() as models:
            assert not len(models.boxes(picture, far=False))
        assert load_tracker().find(picture) is None
        load_hand_model()
    """
    assert stderr_of(code) == []
