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
{partner}
# Clocks: session = (1 + drift) * device + offset. The stimulus computer's clock is the session clock.
[clocks.lab]
reference = true

# Found from events that both sides saw: `own` is the stream on this clock, `against` the one on another.
"""

_PARTNER = """
# Whom p01 talks to: another set of devices, whose names begin with p02_.
[[people]]
id = "p02"
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

_CAMERA_CLOCKS = """
[clocks.{p}camera]
align = "markers"
own = "{p}face_log"
against = "markers"

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
name = "{p}face"
kind = "face_rgb"
file = "{p}face.mp4"
person = "{person}"
clock = "{p}camera"

# When the camera's trigger input saw the sync markers, by the camera's clock.
[[streams]]
name = "{p}face_log"
kind = "markers"
file = "{p}face_log.csv"
time_column = "onset_s"
clock = "{p}camera"

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
) -> str:
    """Text of the `session.toml`; valid under `data_schemas.session.Manifest`.

    Args:
        name: Of the session.
        seed: What it was drawn from.
        seconds: Its length.
        fidelity: "signal" leaves the cameras out, "rendered" has them.
        clocks: The true clocks; only the body camera's is told.
        partner: Those of the second person's devices; None for one person.
    """
    rendered = fidelity == "rendered"
    people = {FIRST: clocks} if partner is None else {FIRST: clocks, SECOND: partner}
    head = _HEAD.format(
        seed=seed, seconds=seconds, fidelity=fidelity, name=name, date=CONSENT_DATE,
        partner="" if partner is None else _PARTNER,
    )  # fmt: skip
    parts = [head]
    for person, devices in people.items():
        prefix = prefix_of(person)
        parts.append(("" if person == FIRST else "\n") + _CLOCKS.format(p=prefix))
        if rendered:
            body = devices["body_camera"]
            parts.append(_CAMERA_CLOCKS.format(p=prefix, offset_s=body.offset_s, drift_ppm=body.drift_ppm))
    parts.append(_SHARED_STREAMS)
    for person in people:
        prefix = prefix_of(person)
        parts.append(_SOUND_STREAMS.format(p=prefix, person=person))
        for stream, kind, column, unit in PHYSIO_STREAMS:
            entry = _PHYSIO_STREAM.format(p=prefix, name=stream, kind=kind, column=column, unit=unit)
            parts.append(entry if kind == "pulse" else entry + f'person = "{person}"\n')
        if rendered:
            parts.append(_CAMERA_STREAMS.format(p=prefix, person=person))
    return "".join(parts)


def prefix_of(person: str) -> str:
    """What the names of a person's files, streams and clocks begin with: nothing for the first person."""
    return "" if person == FIRST else f"{person}_"
