"""The floor: third-party work that no analysis of these files can do without, at the rates of the shipped settings.

Decoding by PyAV, MediaPipe's face mesh on every face picture and its pose at the encoder's rate, one dense inverse
search flow per face picture at 160 px, neurokit2's ECG and EDA processing, one short-time Fourier transform of the
sound. `python -m benchmarks.speed_floor SESSION...` does it for some sessions, one after the other, with OpenCV in one
thread: what several such processes get done in an hour is what the machine has for them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed_run import timed

POSE_HZ = 10.0


def measure_floor(session: Path) -> dict[str, float]:
    """CPU seconds by part, on the files of a simulated session with one person."""
    spent: dict[str, float] = {}
    _face(session / "face.mp4", spent)
    _body(session / "body.mp4", spent)
    _physiology(session / "physio.csv", spent)
    _sound(session / "voice.wav", spent)
    return spent


def time_floor(sessions: Sequence[Path], processes: int) -> float:
    """Seconds by the clock on the wall until so many processes have done the bare work of all sessions."""
    started = time.monotonic()
    words = [sys.executable, "-m", "benchmarks.speed_floor"]
    shares = [[str(one) for one in sessions[first::processes]] for first in range(processes)]
    running = [subprocess.Popen([*words, *share], stderr=subprocess.PIPE, text=True) for share in shares]
    said = [run.communicate()[1] for run in running]
    took = time.monotonic() - started
    failed = [words for run, words in zip(running, said, strict=True) if run.returncode]
    if failed:
        raise RuntimeError(f"the bare work failed: {failed[0][-2000:]}")
    return took


def _face(path: Path, spent: dict[str, float]) -> None:
    import av
    import cv2
    import mediapipe
    import numpy as np

    from modalities.face.flow_methods import dense_flow

    mesh: Any = mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1)
    flow, before = dense_flow("dis"), None
    with av.open(str(path)) as container:
        pictures = container.decode(video=0)
        while True:
            with timed(spent, "decode face video (PyAV)"):
                frame = next(pictures, None)
                picture = None if frame is None else frame.to_ndarray(format="rgb24")
            if picture is None:
                return
            with timed(spent, "face mesh (MediaPipe)"):
                mesh.process(picture)
            small = np.asarray(cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (160, 160)), np.uint8)
            with timed(spent, "flow (DIS, 160 px)"):
                if before is not None:
                    flow(before, small)
            before = small


def _body(path: Path, spent: dict[str, float]) -> None:
    import av
    import mediapipe

    pose: Any = mediapipe.solutions.pose.Pose(model_complexity=1)
    due = 0.0
    with av.open(str(path)) as container:
        pictures = container.decode(video=0)
        while True:
            with timed(spent, "decode body video (PyAV)"):
                frame = next(pictures, None)
                wanted = frame is not None and frame.time is not None and frame.time >= due
                picture = frame.to_ndarray(format="rgb24") if frame is not None and wanted else None
            if frame is None:
                return
            if picture is not None:
                due += 1 / POSE_HZ
                with timed(spent, f"pose at {POSE_HZ:g} Hz (MediaPipe)"):
                    pose.process(picture)


def _physiology(path: Path, spent: dict[str, float]) -> None:
    import warnings

    import neurokit2
    import pandas as pd

    with timed(spent, "read physiology (pandas)"):
        table = pd.read_csv(path)
    rate = round(1 / table["time_s"].diff().median())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neurokit2.ecg_clean(table["ecg_mv"][: 10 * rate], sampling_rate=rate)  # it imports when it is first used
        with timed(spent, "ECG and EDA (neurokit2)"):
            neurokit2.ecg_process(table["ecg_mv"], sampling_rate=rate)
            neurokit2.eda_process(table["eda_us"], sampling_rate=rate)


def _sound(path: Path, spent: dict[str, float]) -> None:
    import librosa
    import numpy as np
    import soundfile

    librosa.stft(np.zeros(2048, np.float32), n_fft=1024)  # a fresh installation compiles for some seconds: no floor
    with timed(spent, "sound, one FFT pass (librosa)"), soundfile.SoundFile(str(path)) as file:
        for block in file.blocks(blocksize=30 * file.samplerate, dtype="float32", always_2d=True):
            np.abs(librosa.stft(block[:, 0], n_fft=1024, hop_length=file.samplerate // 100))


def main() -> None:
    """Do the bare work of the sessions that the command line names."""
    import cv2

    cv2.setNumThreads(1)
    for session in sys.argv[1:]:
        measure_floor(Path(session))


if __name__ == "__main__":
    main()
