"""Make a session folder with known truth, or a study of them."""

from __future__ import annotations

import shutil
from pathlib import Path

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from pipeline.simulate.clocks import draw_clocks
from pipeline.simulate.manifest import write_manifest
from pipeline.simulate.physiology import draw_heart
from pipeline.simulate.planted import tell_truth
from pipeline.simulate.recordings import (
    film_body,
    film_face,
    write_cues,
    write_markers,
    write_physio,
    write_sound,
)
from pipeline.simulate.script import Script, plan_script
from pipeline.simulate.truth import Truth

FIDELITIES = ("signal", "rendered")


def simulate_session(
    folder: Path,
    *,
    seconds: float = 60,
    seed: int = 0,
    fidelity: str = "rendered",
    name: str = "sim01",
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    max_offset_s: float = 5.0,
    script: Script | None = None,
    hook: Hook = silent,
) -> Truth:
    """Write a session folder that `telltale analyze` runs on, and its truth.

    The folder gets `session.toml`, `events.csv`, `markers.csv`, `voice.wav`, `physio.csv`, `truth/` and, where
    rendered, `face.mp4`, `face_log.csv` and `body.mp4`. The same arguments give the same tables and sound, byte for
    byte; the two fidelities share them. The folder appears only when it is complete.

    Args:
        folder: The session's own folder; must not exist or be empty.
        seconds: Length of the session, at least 10.
        seed: Everything follows from it, >= 0.
        fidelity: "signal" (no videos, well under a second) or "rendered".
        name: Of the session in its manifest.
        fps: Nominal frame rate of the face camera, above 0.
        size: Width and height of its picture, px, multiples of 4.
        max_offset_s: Greatest offset of a device's clock, >= 0.5.
        script: What happens, instead of one drawn from the seed; its length counts.
        hook: Progress reports: steps "simulate", "face video" and "body video".

    Raises:
        InvalidValueError: an argument out of its range, or a folder that holds something.
    """
    if fidelity not in FIDELITIES:
        raise InvalidValueError("unknown fidelity", got=fidelity, expected="signal or rendered")
    if not 1 <= fps <= 1000:
        raise InvalidValueError("a camera's frame rate is out of range", got=fps, expected="1 to 1000 Hz")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidValueError(
            "a session is simulated into a new or empty folder", file=folder, mend="Name another, or remove it first."
        )
    if script is None:
        script = plan_script(seconds, seed)
    seconds = script.seconds
    clocks = draw_clocks(seconds, seed, max_offset_s)
    heart = draw_heart(script, min(c.start_s for c in clocks.values()) - 1, max(c.end_s for c in clocks.values()) + 1)
    if fidelity == "signal":
        clocks = {device: clocks[device] for device in ("physio", "recorder")}
    truth = tell_truth(script, heart, clocks, name, fidelity)
    text = write_manifest(name=name, seed=seed, seconds=seconds, fidelity=fidelity, clocks=clocks)

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        total = 5 if fidelity == "rendered" else 3
        (partial / "session.toml").write_text(text, encoding="utf-8", newline="\n")
        write_cues(partial / "events.csv", script)
        write_markers(partial / "markers.csv", script.markers_s)
        truth.save(partial / "truth")
        hook("simulate", 1, total)
        write_physio(partial / "physio.csv", script, heart, clocks["physio"])
        hook("simulate", 2, total)
        write_sound(partial / "voice.wav", script, clocks["recorder"])
        hook("simulate", 3, total)
        if fidelity == "rendered":
            write_markers(partial / "face_log.csv", clocks["camera"].seen(script.markers_s))
            film_face(partial / "face.mp4", script, heart, clocks["camera"], fps=fps, size=size, hook=hook)
            hook("simulate", 4, total)
            film_body(partial / "body.mp4", script, clocks["body_camera"], hook=hook)
            hook("simulate", 5, total)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return truth


def simulate_study(
    folder: Path,
    sessions: int,
    *,
    seconds: float = 60,
    seed: int = 0,
    fidelity: str = "rendered",
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    max_offset_s: float = 5.0,
    hook: Hook = silent,
) -> list[Path]:
    """Simulate several sessions into `folder/sim01`, `folder/sim02` ..., with seeds `seed`, `seed + 1` ...

    Args:
        folder: Of the study; made if need be.
        sessions: How many, at least 1.
        seconds: Length of each.
        seed: Of the first.
        fidelity: As in `simulate_session`, like all that follows.
        fps: Nominal frame rate of the face cameras.
        size: Of the face cameras' pictures.
        max_offset_s: Greatest offset of a device's clock.
        hook: Progress reports, step "simulate session".

    Returns:
        The session folders; `Truth.load(folder / "truth")` gives their truth.

    Raises:
        InvalidValueError: fewer than one session, or as `simulate_session`.
    """
    if sessions < 1:
        raise InvalidValueError("a study needs at least one session", got=sessions)
    folders = []
    for at in range(sessions):
        name = f"sim{at + 1:02d}"
        folders.append(folder / name)
        simulate_session(
            folder / name,
            seconds=seconds,
            seed=seed + at,
            fidelity=fidelity,
            name=name,
            fps=fps,
            size=size,
            max_offset_s=max_offset_s,
            hook=hook,
        )
        hook("simulate session", at + 1, sessions)
    return folders
