"""A session with three face cameras from its folder to the timeline, any one stream taken out of the manifest; and
infrared pictures that tell the same motion as colour does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data_schemas.intervals import Interval
from data_schemas.stream import StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit
from modalities.base import Task
from modalities.face.encoder import SETTINGS
from modalities.face.regions import NAMES
from modalities.face.spotting.base import load_spotter
from modalities.face.view import View, look_at
from modalities.face.watching import watch
from pipeline import Analyzer, load_config
from pipeline.simulate.face import puppet_of
from pipeline.simulate.face_cameras import CAMERAS, Cameras, Rig
from pipeline.simulate.face_nir import InfraredSensor
from pipeline.simulate.face_view import View as Place
from pipeline.simulate.motion import FaceMotion
from pipeline.simulate.video import write_video

FPS, SECONDS, SIZE, WIDTH = 15, 4.5, (320, 240), 150
TIMES = np.arange(int(FPS * SECONDS)) / FPS
FILES: Mapping[str, tuple[str, dict]] = {
    "rgb": ("face.mp4", {}), "nir": ("nir.mkv", {"quality": 12}), "depth": ("depth.mkv", {"codec": "ffv1"}),
}  # fmt: skip


def bump(first: float, last: float, times: np.ndarray = TIMES) -> np.ndarray:
    inside = (times > first) & (times < last)
    return np.where(inside, 0.5 - 0.5 * np.cos(2 * np.pi * (times - first) / (last - first)), 0.0)


# --- from a folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three videos and no manifest yet; the face smiles from 1 to 2.5 s."""
    folder = tmp_path_factory.mktemp("three cameras")
    smile = 0.8 * bump(1.0, 2.5)
    motion = FaceMotion(TIMES, {"au12_left": smile, "au12_right": smile}, yaw_deg=2 * np.sin(TIMES))
    cameras = Cameras(puppet_of("astronaut", SIZE, WIDTH, 3, 0), seed=3)
    for name, (file, how) in FILES.items():
        write_video(folder / file, cameras.frames(name, motion), TIMES, **how)
    return folder


def manifest(folder: Path, cameras: Sequence[str]) -> None:
    made = Cameras(puppet_of("astronaut", SIZE, WIDTH, 3, 0), seed=3)
    head = 'schema_version = 1\nname = "s"\n[consent]\nscope = ["analyse"]\ndate = 2026-01-01\n'
    parts = [head + '[[people]]\nid = "p01"\n[clocks.lab]\nreference = true\n']
    for name in cameras:
        lens = made.lenses[name]
        rows = np.column_stack([lens.pose.rotation, lens.pose.translation_mm]).tolist()
        parts.append(
            f'[[streams]]\nname = "{name}"\nkind = "face_{name}"\nfile = "{FILES[name][0]}"\nclock = "lab"\n'
            f"intrinsics = {[lens.fx, lens.fy, lens.cx, lens.cy]}\nextrinsics = {rows}\n"
            + ("depth_scale_m = 0.0001\n" if name == "depth" else "")
        )
    (folder / "session.toml").write_text("\n".join(parts), encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("missing", CAMERAS)
def test_the_channel_is_valid_whichever_camera_is_taken_out_of_the_manifest(
    missing: str, recorded: Path, tmp_path: Path
) -> None:
    kept = [name for name in CAMERAS if name != missing]
    manifest(recorded, kept)
    result = Analyzer(load_config(None, faces=False)).run(recorded)
    told = result.timeline.to_pydict()
    assert np.mean(told["face.valid"]) > 0.9, "the face channel is valid"
    valid = np.array([value is not None for value in told["face.au12"]])
    values = np.array([value for value in told["face.au12"] if value is not None])
    truth = np.interp(np.array(told["t_ns"])[valid] / NS_PER_S, TIMES, bump(1.0, 2.5))
    assert valid.mean() > 0.9 and np.corrcoef(values, truth)[0, 1] > 0.8
    distances = np.array([value is not None for value in told["face.distance_mm"]])
    assert distances.any() == (missing != "depth")
    saved = result.save(tmp_path / "out")
    assert (saved / "timeline.parquet").is_file()


# --- infrared beside colour


def seen(glasses: bool) -> dict[str, View]:
    """Colour and infrared from the same place: the same face makes the same movements."""
    times = np.arange(int(20 * 4.5)) / 20
    smile, brows = 0.8 * bump(0.6, 1.8, times), 0.8 * bump(1.6, 2.8, times)
    units = {"au12_left": smile, "au12_right": smile, "au01": brows, "au02": brows}
    units |= {"au04": 0.6 * bump(3.0, 4.2, times)}
    motion = FaceMotion(times, units, yaw_deg=3 * np.sin(0.9 * times))
    rig = Rig(infrared=InfraredSensor(shine=1.5, glasses=glasses), views={"nir": Place()})
    cameras = Cameras(puppet_of("astronaut", SIZE, WIDTH, 3, 0), ("rgb", "nir"), rig, seed=3)
    out = {}
    for name in cameras.names:
        pictures = list(cameras.frames(name, motion))
        stream = Video(
            info=StreamInfo(name, f"face_{name}", "session", "p01"),
            axis=Explicit(np.rint(times * NS_PER_S).astype(np.int64)),
            source=partial(enumerate, pictures),
            width=SIZE[0],
            height=SIZE[1],
        )
        task = Task("p01", {name: stream}, Interval(0, round(4.5 * NS_PER_S)))
        ((watched,),) = watch(task, ["p01"], load_spotter("temporal"), SETTINGS)
        out[name] = look_at(watched.rows, watched.reduced)
    return out


@pytest.mark.long
def test_movement_behind_a_frame_of_glasses_is_seen() -> None:
    found = agreement(seen(glasses=True))
    for name in ("brow_inner_left y", "brow_inner_right y"):
        r, slope = found[name]
        assert r > 0.8 and 0.4 < slope < 1.3, name


def agreement(views: Mapping[str, View]) -> dict[str, tuple[float, float]]:
    """By region and axis that moves: correlation with colour, and how far infrared goes where colour goes by 1."""
    colour, infrared = views["rgb"], views["nir"]
    both = colour.judged & infrared.judged
    assert both.mean() > 0.95
    out = {}
    for at, name in enumerate(NAMES):
        for axis in (0, 1):
            x, y = (one.moved[both, 2 * at + axis].astype(float) for one in (colour, infrared))
            if x.std() > 0.75:
                out[f"{name} {'xy'[axis]}"] = (float(np.corrcoef(x, y)[0, 1]), float(np.polyfit(x, y, 1)[0]))
    return out


@pytest.mark.long
@pytest.mark.parametrize("glasses", [False, True])
def test_the_same_face_moves_alike_in_infrared_and_colour(glasses: bool) -> None:
    found = agreement(seen(glasses))
    behind = {name for name in found if glasses and name.startswith("brow")}
    assert {name.partition(" ")[0] for name in found} >= {"lip_corner_left", "lip_corner_right", "brow_inner_left"}
    for name in found.keys() - behind:
        r, slope = found[name]
        assert r > 0.9 and 0.7 < slope < 1.3, name
    if not glasses:
        assert np.median([r for r, _ in found.values()]) > 0.97
