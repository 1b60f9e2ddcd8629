"""Sessions to measure speed on: of any length, frame rate, picture size and number of people.

A long one has simulated signals of its full length and the videos of a short one over and over: rendering half an hour
would take longer than everything that is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

LOOP_S = 60.0
_VIDEO = """
[[streams]]
name = "{name}"
kind = "{kind}"
file = "{name}.mp4"
person = "p01"
clock = "lab"
"""


def make_session(folder: Path, seconds: float = LOOP_S, **how: Any) -> Path:
    """A rendered session in `folder`, made if it is not there.

    Args:
        folder: Of the session.
        seconds: Its length.
        how: `fps`, `size`, `people` of `simulate_session`.
    """
    from pipeline.simulate.session import simulate_session

    if not folder.exists():
        simulate_session(folder, seconds=seconds, seed=1, fidelity="rendered", **how)
    return folder


def lengthen(short: Path, folder: Path, times: int, short_s: float = LOOP_S) -> Path:
    """A session `times` as long as `short`, made if it is not there."""
    from pipeline.simulate.session import simulate_session

    if folder.exists():
        return folder
    simulate_session(folder, seconds=short_s * times, seed=1, fidelity="signal")
    manifest = folder / "session.toml"
    text = manifest.read_text(encoding="utf-8")
    for name, kind in (("face", "face_rgb"), ("body", "body_video")):
        loop(short / f"{name}.mp4", folder / f"{name}.mp4", times)
        text += _VIDEO.format(name=name, kind=kind)
    manifest.write_text(text, encoding="utf-8")
    return folder


def loop(source: Path, target: Path, times: int) -> None:
    """The packets of a video `times` over, unchanged, each round behind the one before."""
    import av

    with av.open(str(target), "w") as out:
        with av.open(str(source)) as first:
            stream = out.add_stream_from_template(first.streams.video[0])
        shift = 0
        for _ in range(times):
            with av.open(str(source)) as container:
                video, end = container.streams.video[0], 0
                for packet in container.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = stream
                    out.mux(packet)
                shift += end
