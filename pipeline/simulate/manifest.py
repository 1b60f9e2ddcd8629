"""The `session.toml` of a simulated session, commented for those who learn the format from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from data_schemas.camera import Camera
from pipeline.simulate.clocks import DeviceClock
from pipeline.simulate.session_cameras import PARTS

_HEAD = """\
# A simulated session: nobody was recorded. Made by `telltale simulate` from seed {seed}, {seconds:g} s, {fidelity}.
# What was planted lies in truth/; nothing of this file comes from there but the body camera's clock.
schema_version = 1
name = "{name}"
purpose = "trying Telltale out on a session with known truth"

[consent]
scope = ["analyse", "share", "train"]
date = {date}

[[people]]
id = "{first}"
role = "participant"
{partner}
# Clocks: session = (1 + drift) * device + offset. The stimulus computer's clock is the session clock.
[clocks.lab]
reference = true

# Found from events that both sides saw: `own` is the stream on this clock, `against` the one on another.
"""

_PARTNER = """
# Whom {first} talks to: another set of devices, whose names begin with {second}_.
[[people]]
id = "{second}"
role = "partner"
"""

_CLOCKS = """\
[clocks.{p}physio]
align = "markers"
own = "{p}trigger"
against = "markers"

[clocks.{p}recorder]
align = "markers"
own = "{p}audio_sync"
against = "markers"
"""

_CAMERA_CLOCK = """
[clocks.{p}{device}]
align = "markers"
own = "{p}{stream}_log"
against = "markers"
"""

_BODY_CLOCK = """
# The body camera saw no markers; the lab measured its clock by other means.
[clocks.{p}body_camera]
align = "offset"
offset_s = {offset_s:.6f}
drift_ppm = {drift_ppm:.3f}
"""

_SHARED_STREAMS = """
[[streams]]
name = "cues"
kind = "cues"
file = "events.csv"
time_column = "onset_s"
clock = "lab"

[[streams]]
name = "markers"
kind = "markers"
file = "markers.csv"
time_column = "onset_s"
clock = "lab"
"""

_SOUND_STREAMS = """
# Two channels of one sound file: speech, and the sync pulses of the lab.
[[streams]]
name = "{p}voice"
kind = "audio"
file = "{p}voice.wav"
columns = ["0"]
person = "{person}"
clock = "{p}recorder"

[[streams]]
name = "{p}audio_sync"
kind = "pulse"
file = "{p}voice.wav"
columns = ["1"]
clock = "{p}recorder"
"""

_PHYSIO_STREAM = """
[[streams]]
name = "{p}{name}"
kind = "{kind}"
file = "{p}physio.csv"
columns = ["{column}"]
units = ["{unit}"]
time_column = "time_s"
clock = "{p}physio"
"""

_CAMERA_STREAMS = """
[[streams]]
name = "{p}{stream}"
kind = "{kind}"
file = "{p}{file}"
person = "{person}"
clock = "{p}{device}"
{lens}
# When the camera's trigger input saw the sync markers, by the camera's clock.
[[streams]]
name = "{p}{stream}_log"
kind = "markers"
file = "{p}{stream}_log.csv"
time_column = "onset_s"
clock = "{p}{device}"
"""

_LENS = """\
# Lens and place of the camera, from its calibration.
intrinsics = [{fx:.3f}, {fy:.3f}, {cx:g}, {cy:g}]
"""

_BODY_STREAM = """
[[streams]]
name = "{p}body"
kind = "body_video"
file = "{p}body.mp4"
person = "{person}"
clock = "{p}body_camera"
"""

PHYSIO_STREAMS = (
    ("ecg", "ecg", "ecg_mv", "mV"),
    ("eda", "eda", "eda_us", "uS"),
    ("respiration", "respiration", "respiration", "1"),
    ("trigger", "pulse", "trigger", "V"),
)
"""Stream name, kind, column and unit of the columns of `physio.csv`."""
CONSENT_DATE = "2025-01-01"
FIRST, SECOND = "p01", "p02"
"""The people of a session."""


def write_manifest(
    *,
    name: str,
    seed: int,
    seconds: float,
    fidelity: str,
    clocks: Mapping[str, DeviceClock],
    partner: Mapping[str, DeviceClock] | None = None,
    lenses: Sequence[Mapping[str, Camera]] = (),
    ids: tuple[str, str] = (FIRST, SECOND),
    depth_scale_m: float = 1e-4,
) -> str:
    """Text of the `session.toml`; valid under `data_schemas.session.Manifest`.

    Args:
        name: Of the session.
        seed: What it was drawn from.
        seconds: Its length.
        fidelity: "signal" leaves the cameras out, "rendered" has them.
        clocks: The true clocks; only the body camera's is told.
        partner: Those of the second person's devices; None for one person.
        lenses: Of each person's face cameras; without them there is the colour camera, whose lens nobody measured.
        ids: Of the first and the second person.
        depth_scale_m: Metres per unit of depth videos.
    """
    rendered = fidelity == "rendered"
    people = dict(zip(ids, (clocks,) if partner is None else (clocks, partner), strict=False))
    head = _HEAD.format(
        seed=seed, seconds=seconds, fidelity=fidelity, name=name, date=CONSENT_DATE,
        first=ids[0], partner="" if partner is None else _PARTNER.format(first=ids[0], second=ids[1]),
    )  # fmt: skip
    parts = [head]
    filmed: dict[str, Mapping[str, Camera | None]] = {person: {"rgb": None} for person in people}
    filmed |= dict(zip(people, lenses, strict=False))
    for person, devices in people.items():
        prefix = prefix_of(person, ids[0])
        parts.append(("" if person == ids[0] else "\n") + _CLOCKS.format(p=prefix))
        if rendered:
            for camera in filmed[person]:
                part = PARTS[camera]
                parts.append(_CAMERA_CLOCK.format(p=prefix, device=part.device, stream=part.stream))
            body = devices["body_camera"]
            parts.append(_BODY_CLOCK.format(p=prefix, offset_s=body.offset_s, drift_ppm=body.drift_ppm))
    parts.append(_SHARED_STREAMS)
    for person in people:
        prefix = prefix_of(person, ids[0])
        parts.append(_SOUND_STREAMS.format(p=prefix, person=person))
        for stream, kind, column, unit in PHYSIO_STREAMS:
            entry = _PHYSIO_STREAM.format(p=prefix, name=stream, kind=kind, column=column, unit=unit)
            parts.append(entry if kind == "pulse" else entry + f'person = "{person}"\n')
        if rendered:
            for camera, lens in filmed[person].items():
                part = PARTS[camera]
                entry = _lens_of(camera, lens, depth_scale_m)
                parts.append(
                    _CAMERA_STREAMS.format(
                        p=prefix, person=person, stream=part.stream, kind=part.kind, file=part.file,
                        device=part.device, lens=entry,
                    )
                )  # fmt: skip
            parts.append(_BODY_STREAM.format(p=prefix, person=person))
    return "".join(parts)


def _lens_of(camera: str, lens: Camera | None, depth_scale_m: float) -> str:
    """What the manifest says of a camera's unit, lens and place."""
    scale = f"depth_scale_m = {depth_scale_m:g}\n" if camera == "depth" else ""
    if lens is None:
        return scale
    out = scale + _LENS.format(fx=lens.fx, fy=lens.fy, cx=lens.cx, cy=lens.cy)
    if camera == "rgb":
        return out
    rows = np.column_stack([lens.pose.rotation, lens.pose.translation_mm])
    text = ", ".join(f"[{', '.join(f'{value:.8g}' for value in row)}]" for row in rows + 0.0)
    return f"{out}extrinsics = [{text}]\n"


def prefix_of(person: str, first: str = FIRST) -> str:
    """What the names of a person's files, streams and clocks begin with: nothing for the session's first person."""
    return "" if person == first else f"{person}_"


def ids_from(number: int) -> tuple[str, str]:
    """The people of a session whose first is the study's so manieth: "p01" and "p02" from 1."""
    return f"p{number:02d}", f"p{number + 1:02d}"
