"""The files that the simulated devices write, each on its own clock."""

from __future__ import annotations

import csv
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_schemas.hook import Hook, silent
from pipeline.simulate.chance import generator
from pipeline.simulate.clocks import DeviceClock
from pipeline.simulate.formants import synthesize
from pipeline.simulate.frames import body_motion, face_motion
from pipeline.simulate.physiology import Heart, record_physiology
from pipeline.simulate.profiles import Curve
from pipeline.simulate.script import Script

PHYSIO_HZ = 500.0
SOUND_HZ = 16_000
BODY_HZ = 15.0
BODY_SIZE = (480, 360)
TTL_S, BLIP_S = 0.05, 0.02
"""Length of a marker's pulse on the trigger line and on the sound channel."""
FACE_WIDTH_PX, FACE_PICTURE = 300, (640, 480)
"""Width of the rendered face in a picture of the second size."""


def write_physio(path: Path, script: Script, heart: Heart, clock: DeviceClock) -> None:
    """Write `physio.csv`: time_s (device clock), ecg_mv, eda_us, respiration, trigger (0 or 5 V), at 500 Hz."""
    device = clock.samples(PHYSIO_HZ)
    values = record_physiology(script, heart, clock.to_session(device))
    trigger = pulses(device, clock.seen(script.markers_s), TTL_S, PHYSIO_HZ) * 5
    table = np.column_stack([device, values, trigger])
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("time_s,ecg_mv,eda_us,respiration,trigger\n")
        pattern = "%.3f,%.4f,%.4f,%.4f,%d\n"
        for first in range(0, len(table), 20_000):
            piece = table[first : first + 20_000]
            file.write(pattern * len(piece) % tuple(piece.ravel().tolist()))


def pulses(device_s: Curve, onsets_s: Curve, length_s: float, rate_hz: float) -> Curve:
    """1 for `length_s` from the sample nearest to each onset, else 0; shape as `device_s`."""
    out = np.zeros(len(device_s))
    for at in np.rint((onsets_s - device_s[0]) * rate_hz).astype(int).tolist():
        out[at : at + round(length_s * rate_hz)] = 1
    return out


def write_sound(path: Path, script: Script, clock: DeviceClock) -> None:
    """Write `voice.wav`: 16 bit, 16 kHz, left the speech, right the sync pulses."""
    device = clock.samples(SOUND_HZ)
    rng = generator(script.seed, "sound")
    speech = synthesize(script.turns, len(device), SOUND_HZ, clock.start_s, clock.drift_ppm * 1e-6, rng)
    sync = 0.8 * pulses(device, clock.seen(script.markers_s), BLIP_S, SOUND_HZ)
    sync += 0.0006 * rng.standard_normal(len(device), dtype=np.float32)
    both = np.rint(np.stack([speech, sync], axis=1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SOUND_HZ)
        file.writeframes(both.tobytes())


def write_cues(path: Path, scripts: Mapping[str, Script]) -> None:
    """Write `events.csv`, the stimulus computer's log; with several people a column says whose each cue is."""
    cues = sorted(
        ((cue, person) for person, script in scripts.items() for cue in script.cues), key=lambda pair: pair[0].onset_s
    )
    header = ["onset_s", "duration_s", "kind", "label", "expected"]
    rows = [
        [f"{cue.onset_s:.6f}", f"{cue.offset_s - cue.onset_s:.6f}", cue.kind, cue.label, cue.expected]
        for cue, _ in cues
    ]
    if len(scripts) > 1:
        header.append("person")
        rows = [[*row, person] for row, (_, person) in zip(rows, cues, strict=True)]
    _write_table(path, header, rows)


def write_markers(path: Path, onsets_s: Curve) -> None:
    """Write a table of sync markers: `markers.csv` of the lab, `face_log.csv` of the camera."""
    _write_table(path, ("onset_s", "duration_s", "label"), [(f"{onset:.6f}", "0", "sync") for onset in onsets_s])


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def film_face(
    path: Path,
    script: Script,
    heart: Heart,
    clock: DeviceClock,
    *,
    fps: float,
    size: tuple[int, int],
    hook: Hook = silent,
) -> None:
    """Render and write `face.mp4` with the frame times of the camera's clock."""
    from pipeline.simulate.face import render_face
    from pipeline.simulate.video import write_video

    device = clock.frames(fps, generator(script.seed, "camera"))
    motion = face_motion(script, heart, clock.to_session(device))
    frames = render_face(
        motion, photograph=script.person.photograph, size=size, face_width_px=face_width(size), seed=script.seed
    )
    write_video(path, frames, device, hook=named(hook, "face video"))


def face_width(size: tuple[int, int]) -> int:
    """Width of the face at rest in pictures of a size, px."""
    return round(FACE_WIDTH_PX * min(size[0] / FACE_PICTURE[0], size[1] / FACE_PICTURE[1]))


def film_body(path: Path, script: Script, clock: DeviceClock, hook: Hook = silent) -> None:
    """Render and write `body.mp4` with the frame times of the body camera's clock."""
    from pipeline.simulate.body import render_body
    from pipeline.simulate.video import write_video

    device = clock.frames(BODY_HZ, generator(script.seed, "body camera"))
    motion = body_motion(script, clock.to_session(device))
    frames = render_body(motion, size=BODY_SIZE, seed=script.seed)
    write_video(path, frames, device, hook=named(hook, "body video"))


def named(hook: Hook, name: str) -> Hook:
    """The same hook, but every step it is told of goes by this name."""

    def report(step: str, completed: int, total: int | None) -> None:
        hook(name, completed, total)

    return report
