"""The `session.toml` of a simulated session, commented for those who learn the format from it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.simulate.clocks import DeviceClock

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
id = "p01"
role = "participant"

# Clocks: session = (1 + drift) * device + offset. The stimulus computer's clock is the session clock.
[clocks.lab]
reference = true

# Found from events that both sides saw: `own` is the stream on this clock, `against` the one on another.
[clocks.physio]
align = "markers"
own = "trigger"
against = "markers"

[clocks.recorder]
align = "markers"
own = "audio_sync"
against = "markers"
"""

_CAMERA_CLOCKS = """
[clocks.camera]
align = "markers"
own = "face_log"
against = "markers"

# The body camera saw no markers; the lab measured its clock by other means.
[clocks.body_camera]
align = "offset"
offset_s = {offset_s:.6f}
drift_ppm = {drift_ppm:.3f}
"""

_STREAMS = """
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

# Two channels of one sound file: speech, and the sync pulses of the lab.
[[streams]]
name = "voice"
kind = "audio"
file = "voice.wav"
columns = ["0"]
person = "p01"
clock = "recorder"

[[streams]]
name = "audio_sync"
kind = "pulse"
file = "voice.wav"
columns = ["1"]
clock = "recorder"
"""

_PHYSIO_STREAM = """
[[streams]]
name = "{name}"
kind = "{kind}"
file = "physio.csv"
columns = ["{column}"]
units = ["{unit}"]
time_column = "time_s"
clock = "physio"
"""

_CAMERA_STREAMS = """
[[streams]]
name = "face"
kind = "face_rgb"
file = "face.mp4"
person = "p01"
clock = "camera"

# When the camera's trigger input saw the sync markers, by the camera's clock.
[[streams]]
name = "face_log"
kind = "markers"
file = "face_log.csv"
time_column = "onset_s"
clock = "camera"

[[streams]]
name = "body"
kind = "body_video"
file = "body.mp4"
person = "p01"
clock = "body_camera"
"""

PHYSIO_STREAMS = (
    ("ecg", "ecg", "ecg_mv", "mV"),
    ("eda", "eda", "eda_us", "uS"),
    ("respiration", "respiration", "respiration", "1"),
    ("trigger", "pulse", "trigger", "V"),
)
"""Stream name, kind, column and unit of the columns of `physio.csv`."""
CONSENT_DATE = "2025-01-01"


def write_manifest(*, name: str, seed: int, seconds: float, fidelity: str, clocks: Mapping[str, DeviceClock]) -> str:
    """Text of the `session.toml`; valid under `data_schemas.session.Manifest`.

    Args:
        name: Of the session.
        seed: What it was drawn from.
        seconds: Its length.
        fidelity: "signal" leaves the cameras out, "rendered" has them.
        clocks: The true clocks; only the body camera's is told.
    """
    rendered = fidelity == "rendered"
    parts = [_HEAD.format(seed=seed, seconds=seconds, fidelity=fidelity, name=name, date=CONSENT_DATE)]
    if rendered:
        body = clocks["body_camera"]
        parts.append(_CAMERA_CLOCKS.format(offset_s=body.offset_s, drift_ppm=body.drift_ppm))
    parts.append(_STREAMS)
    for stream, kind, column, unit in PHYSIO_STREAMS:
        entry = _PHYSIO_STREAM.format(name=stream, kind=kind, column=column, unit=unit)
        parts.append(entry if kind == "pulse" else entry + 'person = "p01"\n')
    if rendered:
        parts.append(_CAMERA_STREAMS)
    return "".join(parts)
