"""What the tracker does on a recorded person, and the rhythm of the body against dense flow.

`python -m benchmarks.body_recording VIDEO` prints the tracker's errors; the animator's (`TrackerErrors`) come from it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from data_schemas.intervals import Interval
from data_schemas.session import StreamEntry
from data_schemas.stream import Video
from data_schemas.time import NS_PER_S
from modalities.base import Task
from modalities.body.cleaning import unswap
from modalities.body.encoder import BodyEncoder
from modalities.body.geometry import shoulder_width
from modalities.body.hand_model import load_hand_model
from modalities.body.observation import BodySettings, observe
from modalities.body.pictures import as_picture
from modalities.body.pose import load_tracker
from modalities.body.skeleton import FACE, HANDS, SHOULDERS, FloatArray, index_of
from modalities.readers import open_stream, probe
from sync.clock import ClockMap

RATES_HZ = np.arange(0.3, 6.0, 0.02)


def measure_recording() -> dict[str, float]:
    """On the recording of a seated person, where the shared recordings are.

    Returns:
        `real_rhythm_off_hz`: median of the body's `rhythm_hz` against the dominant rate of the dense flow;
        `real_flow_hz`; `real_confidence_share`: share of the processed frames that carry a confidence;
        `models_loaded`: how often MediaPipe's pose, or its hands, were loaded in this process, whichever is more.
    """
    folder = os.environ.get("TELLTALE_DATA")
    if not folder:
        return {}
    video = open_video(Path(folder) / "body" / "seated_person_1080x1296.mp4")
    encoding = BodyEncoder().encode(Task("p01", {"video": video}, Interval(0, 600 * NS_PER_S)))
    rhythm, valid = encoding.track.column("rhythm_hz")
    flow_hz = flow_rhythm(video)
    off = abs(float(np.median(rhythm[valid])) - flow_hz) if valid.any() else 9.0
    return {
        "real_rhythm_off_hz": off,
        "real_flow_hz": flow_hz,
        "real_confidence_share": float(encoding.track.column("confidence")[1].mean()),
        "models_loaded": float(max(load_tracker.cache_info().misses, load_hand_model.cache_info().misses)),
    }


def open_video(path: Path) -> Video:
    """The first video of a file as a body video."""
    track = next(one for one in probe(path).tracks if one.detail[:1].isdigit())
    entry = StreamEntry.model_validate({"name": "video", "kind": "body_video", "file": path.name, "track": track.track})
    stream = open_stream(entry, path.parent, "p01").on(ClockMap.affine(), "session")
    if not isinstance(stream, Video):
        raise TypeError(f"{path} holds no video")
    return stream


def flow_rhythm(video: Video) -> float:
    """Rate at which the power of the dense flow, summed over all pixels, is greatest, Hz."""
    import cv2

    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before, flows, times = None, [], []
    for frame in video.frames():
        grey = cv2.cvtColor(as_picture(frame.image, 480), cv2.COLOR_RGB2GRAY)
        if before is not None:
            flows.append(method.calc(before, grey, None)[::4, ::4].reshape(-1))
            times.append(frame.t_ns / NS_PER_S)
        before = grey
    moved = np.stack(flows) - np.mean(flows, axis=0)
    waves = np.exp(-2j * np.pi * np.outer(RATES_HZ, times)) * np.hanning(len(times) + 2)[1:-1]
    return float(RATES_HZ[np.argmax((np.abs(waves @ moved) ** 2).sum(axis=1))])


def tracker_errors(video: Video) -> dict[str, float]:
    """Jitter from frame to frame (noise) and its slower part (drift), swaps, dropouts, hidden joints.

    Noise is the robust standard deviation of second differences, which leave smooth movement out; drift is that of the
    distance to the running median of 0.6 s. Both in shoulder widths, for the head, hands (the surer and the less sure
    one), trunk and legs. Swaps are frames that `cleaning.unswap` turns round.
    """
    skeleton = observe(video, BodySettings(pose_hz=60)).skeleton
    scale = float(np.nanmedian(shoulder_width(skeleton)))
    points = skeleton.points / scale
    turned = unswap(skeleton, shoulder_width(skeleton))
    sure, unsure = sorted(HANDS.values(), key=lambda hand: -float(skeleton.visibility[:, hand].mean()))
    groups = {
        "head": FACE, "trunk": [*SHOULDERS, *index_of("left_hip", "right_hip")], "hand": sure, "hidden_hand": unsure,
        "legs": index_of("left_knee", "right_knee", "left_ankle", "right_ankle"),
    }  # fmt: skip
    out = {
        "frames": float(len(points)),
        "dropout": float(1 - skeleton.found.mean()),
        "swaps": float(np.mean(np.any(turned.points != skeleton.points, axis=(1, 2)))),
        "below_limit": float(np.mean(skeleton.visibility[skeleton.found] < 0.3)),
    }
    half = max(1, round(0.3 / float(np.median(np.diff(skeleton.times_s)))))
    for name, group in groups.items():
        x = points[:, group]
        out[f"noise_{name}"] = _spread(x[2:] - 2 * x[1:-1] + x[:-2]) / np.sqrt(6)
        middle = np.stack([np.median(x[max(0, at - half) : at + half + 1], axis=0) for at in range(len(x))])
        out[f"drift_{name}"] = _spread(x - middle)
    return out


def _spread(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values)))


if __name__ == "__main__":
    for figure, value in tracker_errors(open_video(Path(sys.argv[1]))).items():
        print(f"{figure:20} {value:.4g}")
