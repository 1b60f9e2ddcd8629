"""What the default face path costs: CPU time against bare third-party work, two faces against one, peak memory.

`python -m benchmarks.face_path` simulates videos and prints two tables; nothing is asserted. The floor, measured in the
same run on the same frames, is bare PyAV decoding, MediaPipe's face mesh on the whole pictures, and one dense inverse
search flow per frame between successive pictures of 160 px, with the settings that the face path uses.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from modalities.face.models import Picture

FPS = 30
SIZES = {"640x480": ((640, 480), 220), "1920x1080": ((1920, 1080), 360)}
"""Size of the pictures, and width of the face in them."""
STAGES = {
    "decoding": ("modalities/readers/video.py", ("__call__",)),
    "landmarks": ("modalities/face/landmarks.py", ("find",)),
    "registration": ("modalities/face/registration.py", ("align", "fit_head")),
    "flow": ("modalities/face/flow.py", ("measure",)),
    "flow from key pictures": ("modalities/face/anchor.py", ("compare",)),
    "pupils": ("modalities/face/pupil.py", ("measure_pupils",)),
    "quality": ("modalities/face/quality.py", ("measure_quality",)),
    "spotting, AUs, tables": ("modalities/face/analysis.py", ("analyse_rows",)),
}
"""Functions whose time is shown apart."""
SEEN = {"recogniser": "none"}
"""Settings of the path as it is compared with the floor: nothing is decoded again to recognise what was spotted."""
_PEAK = """
import sys, threading, psutil
from pathlib import Path
from pipeline.single import encode_file
process, peak, done = psutil.Process(), [0], threading.Event()
def watch():
    while not done.wait(0.02):
        peak[0] = max(peak[0], process.memory_info().rss)
thread = threading.Thread(target=watch, daemon=True)
thread.start()
encode_file(Path(sys.argv[1]), "face")
done.set(); thread.join()
print(peak[0] / 1e6)
"""


def measure(full: bool) -> Mapping[str, float]:
    """Path over floor at 640x480, cost of two faces over that of one, and memory at four times the length over once.

    Args:
        full: 60 s of video instead of 12 s.
    """
    seconds = 60.0 if full else 12.0
    with tempfile.TemporaryDirectory() as folder:
        spent = measure_path(Path(folder), "640x480", seconds)
        pair = measure_pair(Path(folder), seconds)
        memory = measure_memory(Path(folder), seconds)
    return {
        "face_path_over_floor": spent["face path"] / spent["floor"],
        "two_faces_over_one": pair["two"] / pair["one"],
        "memory_4x_over_1x": memory[4] / memory[1],
    }


def measure_path(folder: Path, size: str, seconds: float) -> dict[str, float]:
    """CPU seconds of the face path and its stages on a simulated video, and of the floor and its parts."""
    from pipeline.single import encode_file

    path = folder / f"{size}.mp4"
    if not path.exists():
        write_face(path, size, seconds)
    encode_file(path, "face")
    spent = {}
    for name, settings in (("face path", SEEN), ("face path and emotions of its events", {})):
        started = time.process_time()
        encode_file(path, "face", settings=settings)
        spent[name] = time.process_time() - started
    profile = cProfile.Profile(time.process_time)
    profile.runcall(encode_file, path, "face", settings=SEEN)
    spent |= {f"  {name} (profiled)": value for name, value in _by_stage(profile).items()}
    return spent | measure_floor(path)


def _by_stage(profile: cProfile.Profile) -> dict[str, float]:
    """Cumulated seconds of the functions of `STAGES`; a little more than without the profiler."""
    found = dict.fromkeys(STAGES, 0.0)
    for (file, _, function), (_, _, _, cumulated, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        for name, (ending, functions) in STAGES.items():
            if Path(file).as_posix().endswith(ending) and function in functions:
                # Of functions of one name that call each other the outer one counts.
                found[name] = max(found[name], cumulated) if len(functions) == 1 else found[name] + cumulated
    return found


def measure_floor(path: Path) -> dict[str, float]:
    """CPU seconds of bare decoding, bare face mesh and bare flow on a video."""
    import av
    import cv2
    import mediapipe

    from modalities.face.flow_methods import dense_flow

    parts = dict.fromkeys(("floor: decoding (PyAV)", "floor: face mesh (MediaPipe)", "floor: flow (DIS, 160 px)"), 0.0)
    decoding, meshing, flowing = parts
    mesh = mediapipe.solutions.face_mesh.FaceMesh(refine_landmarks=True, max_num_faces=1)
    flow, before = dense_flow("dis"), None
    mesh.process(np.zeros((480, 640, 3), np.uint8))
    with av.open(str(path)) as container:
        clock = time.process_time()
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            decoded = time.process_time()
            mesh.process(picture)
            meshed = time.process_time()
            small = np.asarray(cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (160, 160)), np.uint8)
            ready = time.process_time()
            if before is not None:
                flow(before, small)
            before = small
            parts[decoding] += decoded - clock
            parts[meshing] += meshed - decoded
            clock = time.process_time()
            parts[flowing] += clock - ready
    return {"floor": sum(parts.values()), **parts}


def measure_pair(folder: Path, seconds: float) -> dict[str, float]:
    """CPU seconds for one video with one face, and for one of the same size with two."""
    from data_schemas.intervals import Interval
    from data_schemas.session import StreamEntry
    from data_schemas.stream import StreamInfo
    from modalities.base import Task
    from modalities.face.encoder import FaceEncoder
    from modalities.readers.registry import load_reader
    from sync.clock import ClockMap

    spent = {}
    encoder = FaceEncoder()
    for name, people in (("one", ()), ("two", ("p01", "p02"))):
        path = folder / f"{name}.mp4"
        write_pair(path, seconds, both=name == "two")
        info = StreamInfo("face", "face_rgb", "camera", "p01", (str(path),), people=people)
        entry = StreamEntry(name="face", kind="face_rgb", file=path.name)
        video = load_reader("media").open(entry, path, info).on(ClockMap.affine(), "session")
        task = Task("p01", {"face": video}, Interval(0, round(seconds * 1e9)))
        started = time.process_time()
        if people:
            encoder.encode_several(task, people)
        else:
            encoder.encode(task)
        spent[name] = time.process_time() - started
    return spent


def measure_memory(folder: Path, seconds: float) -> dict[int, float]:
    """Peak resident memory in MB of the face path, in a process of its own, at one and four times the length."""
    peaks = {}
    for times in (1, 4):
        path = folder / f"memory{times}.mp4"
        write_face(path, "640x480", seconds, times)
        run = subprocess.run([sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True)
        peaks[times] = float(run.stdout.split()[-1])
    return peaks


def write_face(path: Path, size: str, seconds: float, times: int = 1) -> None:
    """A simulated face that smiles and turns, `times` over."""
    from pipeline.simulate.video import write_video

    shape, width = SIZES[size]

    def pictures() -> Iterator[Picture]:
        for _ in range(times):
            yield from render("astronaut", shape, width, seconds)

    write_video(path, pictures(), np.arange(times * round(seconds * FPS)) / FPS)


def write_pair(path: Path, seconds: float, *, both: bool) -> None:
    """Two simulated faces side by side, or one beside an empty wall."""
    from pipeline.simulate.video import write_video

    def pictures() -> Iterator[Picture]:
        right = render("hopper", (480, 480), 200, seconds)
        for left in render("astronaut", (480, 480), 200, seconds):
            yield np.hstack([left, next(right) if both else np.full((480, 480, 3), 120, np.uint8)])

    write_video(path, pictures(), np.arange(round(seconds * FPS)) / FPS)


def render(photograph: str, size: tuple[int, int], width: int, seconds: float) -> Iterator[Picture]:
    """A face that smiles now and then, blinks and sways."""
    from pipeline.simulate.face import render_face
    from pipeline.simulate.motion import FaceMotion

    t = np.arange(round(seconds * FPS)) / FPS
    smile = np.clip(np.sin(1.3 * t), 0, 1) ** 2
    motion = FaceMotion(
        times_s=t,
        aus={"au12_left": smile, "au12_right": smile, "au06": 0.7 * smile},
        blink=np.clip(20 * np.sin(0.9 * t) - 19, 0, 1),
        yaw_deg=6 * np.sin(0.7 * t),
        shift_px=4 * np.stack([np.sin(0.6 * t), np.cos(0.5 * t)], axis=1),
    )
    return render_face(motion, photograph=photograph, size=size, face_width_px=width)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    from pipeline.cli.terminal import silence_native_libraries

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the simulated videos")
    options = parser.parse_args(arguments)
    silence_native_libraries()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in SIZES:
            _print_path(console, size, options.seconds, measure_path(folder, size, options.seconds))
        pair = measure_pair(folder, options.seconds)
        memory = measure_memory(folder, options.seconds)
    console.print(
        f"two faces / one face = {pair['two'] / pair['one']:.2f}   ({pair['two']:.1f} s, {pair['one']:.1f} s)"
    )
    words = ", ".join(f"{peak:.0f} MB at {times} x {options.seconds:g} s" for times, peak in memory.items())
    console.print(f"peak memory: {words}")


def _print_path(console: Console, size: str, seconds: float, spent: Mapping[str, float]) -> None:
    frames = seconds * FPS
    title = f"face path, {size}, {seconds:g} s at {FPS} fps, {os.cpu_count()} cores, {platform.machine()}"
    table = Table(title=title, title_justify="left")
    for heading in ("step", "CPU [s]", "ms per frame"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step, value in spent.items():
        table.add_row(step, f"{value:.2f}", f"{1e3 * value / frames:.2f}")
    console.print(table)
    console.print(f"face path / floor = {spent['face path'] / spent['floor']:.2f}")


if __name__ == "__main__":
    main()
