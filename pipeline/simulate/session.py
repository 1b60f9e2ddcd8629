"""Make a session folder with known truth, or a study of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from data_schemas.errors import InvalidValueError
from data_schemas.hook import Hook, silent
from pipeline.simulate.clocks import DeviceClock, draw_clocks, draw_further_clocks
from pipeline.simulate.face_cameras import check_cameras
from pipeline.simulate.manifest import ids_from, write_manifest
from pipeline.simulate.pairs_of_people import Planted
from pipeline.simulate.partner import check_mimicry, draw_mimicry, plan_partner
from pipeline.simulate.physiology import Followed, Heart, draw_heart
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
from pipeline.simulate.session_cameras import COLOUR_ALONE, FaceCameras, devices_of
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
    people: int = 1,
    mimicry: Mapping[str, Planted] | None = None,
    cameras: Sequence[str] = COLOUR_ALONE,
    first_person: int = 1,
    hook: Hook = silent,
) -> Truth:
    """Write a session folder that `telltale analyze` runs on, and its truth.

    The folder gets `session.toml`, `events.csv`, `markers.csv`, `voice.wav`, `physio.csv`, `truth/` and, where
    rendered, `face.mp4`, `face_log.csv` and `body.mp4`. The same arguments give the same tables and sound, byte for
    byte; the two fidelities share them. The folder appears only when it is complete. A second person has a set of these
    files whose names begin with `p02_` (their id), and changes nothing of the first one's.

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
        people: 1, or 2 who talk to each other.
        mimicry: By behaviour (`partner.BEHAVIOURS`), how the second person follows the first; drawn from the seed by
            default, empty for two people who have nothing to do with each other.
        cameras: Of each face, some of "rgb", "nir", "depth". With any but the colour camera alone all of them see the
            head in perspective, from beside each other, on clocks of their own, and the manifest has their lenses:
            `nir.mkv` is near-infrared, grey; `depth.mkv` 16-bit distances. Everything else stays the same.
        first_person: Number of the first person in the study, from 1: "p01"; a second person has the next one.
        hook: Progress reports: steps "simulate", "face video", "infrared video", "depth video" and "body video".

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
    if people not in (1, 2) or (mimicry and people == 1):
        raise InvalidValueError(
            "mimicry needs two people" if people == 1 else "no session of so many people can be simulated",
            got=people,
            expected="1 or 2",
        )
    cameras = check_cameras(cameras)
    devices = devices_of(cameras)
    if fidelity == "signal" and cameras != COLOUR_ALONE:
        raise InvalidValueError("a session of signals has no cameras", got=", ".join(cameras), mend="Leave them out.")
    if script is None:
        script = plan_script(seconds, seed)
    mimicry = mimicry or (draw_mimicry(seed) if people == 2 and mimicry is None else {})
    check_mimicry(mimicry)
    ids = ids_from(first_person)
    first = _Sitter.of(ids[0], "", script, draw_clocks(script.seconds, seed, max_offset_s), devices)
    sitters = [first]
    if people == 2:
        other = plan_partner(script, mimicry)
        clocks = draw_clocks(other.seconds, other.seed, max_offset_s)
        sitters.append(_Sitter.of(ids[1], f"{ids[1]}_", other, clocks, devices, first.heart, mimicry.get("heart_rate")))
    if cameras != COLOUR_ALONE:
        sitters = [sitter.filmed(cameras, size, max_offset_s) for sitter in sitters]
    truth = _truth_of(sitters, name, fidelity, mimicry)
    filming = [sitter.filming for sitter in sitters if sitter.filming is not None]
    known = [sitter.devices(fidelity) for sitter in sitters]
    text = write_manifest(
        name=name,
        seed=seed,
        seconds=script.seconds,
        fidelity=fidelity,
        clocks=known[0],
        partner=known[1] if people == 2 else None,
        ids=ids,
        lenses=[one.lenses for one in filming],
        depth_scale_m=filming[0].depth_scale_m if filming else 1e-4,
    )

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        total = 1 + people * (3 + len(devices) if fidelity == "rendered" else 2)
        (partial / "session.toml").write_text(text, encoding="utf-8", newline="\n")
        write_cues(partial / "events.csv", {sitter.person: sitter.script for sitter in sitters})
        write_markers(partial / "markers.csv", script.markers_s)
        truth.save(partial / "truth")
        done = 1
        hook("simulate", done, total)
        for sitter in sitters:
            for _ in sitter.record(partial, fidelity, fps, size, hook):
                done += 1
                hook("simulate", done, total)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return truth


@dataclass(frozen=True, eq=False)
class _Sitter:
    """One person of a session with the devices that record them."""

    person: str
    prefix: str
    script: Script
    heart: Heart
    clocks: Mapping[str, DeviceClock]
    face_clocks: tuple[str, ...]
    filming: FaceCameras | None = None

    @classmethod
    def of(
        cls,
        person: str,
        prefix: str,
        script: Script,
        clocks: Mapping[str, DeviceClock],
        face_clocks: tuple[str, ...],
        other: Heart | None = None,
        how: Planted | None = None,
    ) -> _Sitter:
        """With a heart of their own, which follows another one where that is planted."""
        start = min(clock.start_s for clock in clocks.values()) - 1
        followed = Followed(other, how.lag_s, how.share) if other is not None and how is not None else None
        heart = draw_heart(script, start, max(clock.end_s for clock in clocks.values()) + 1, followed)
        return cls(person, prefix, script, heart, clocks, face_clocks)

    def filmed(self, cameras: Sequence[str], size: tuple[int, int], max_offset_s: float) -> _Sitter:
        """The same person before several face cameras."""
        further = draw_further_clocks(self.clocks, self.script.seconds, self.script.seed, max_offset_s)
        filming = FaceCameras(self.script, cameras, size)
        return replace(self, clocks={**self.clocks, **further}, filming=filming)

    def devices(self, fidelity: str) -> dict[str, DeviceClock]:
        """Clocks of the devices that there are at a fidelity."""
        there: tuple[str, ...] = ("physio", "recorder")
        if fidelity == "rendered":
            there = (*there, *self.face_clocks, "body_camera")
        return {device: self.clocks[device] for device in there}

    def truth(self, name: str, fidelity: str) -> Truth:
        """What was planted of them, clocks by their names in the manifest."""
        told = tell_truth(self.script, self.heart, self.devices(fidelity), name, fidelity)
        clocks = {f"{self.prefix}{device}": clock for device, clock in told.clocks.items()}
        cameras = {} if self.filming is None else self.filming.truth()
        for camera in cameras.values():
            camera["stream"], camera["clock"] = (self.prefix + camera[key] for key in ("stream", "clock"))
        return replace(told, person=self.person, clocks=clocks, cameras=cameras)

    def record(self, folder: Path, fidelity: str, fps: float, size: tuple[int, int], hook: Hook) -> Iterator[None]:
        """Write their files, one after each step."""
        script, clocks = self.script, self.clocks

        def file(name: str) -> Path:
            return folder / f"{self.prefix}{name}"

        write_physio(file("physio.csv"), script, self.heart, clocks["physio"])
        yield
        write_sound(file("voice.wav"), script, clocks["recorder"])
        yield
        if self.filming is not None:
            yield from self.filming.film(file, self.heart, clocks, fps, hook)
        elif fidelity == "rendered":
            write_markers(file("face_log.csv"), clocks["camera"].seen(script.markers_s))
            film_face(file("face.mp4"), script, self.heart, clocks["camera"], fps=fps, size=size, hook=hook)
            yield
        if fidelity == "rendered":
            film_body(file("body.mp4"), script, clocks["body_camera"], hook=hook)
            yield


def _truth_of(sitters: Sequence[_Sitter], name: str, fidelity: str, mimicry: Mapping[str, Planted]) -> Truth:
    """The first person's truth, with the second one's and what was planted between them."""
    truths = [sitter.truth(name, fidelity) for sitter in sitters]
    if len(truths) == 1:
        return truths[0]
    rows = [
        {"leader": truths[0].person, "follower": truths[1].person, "behaviour": behaviour, **asdict(how)}
        for behaviour, how in mimicry.items()
    ]
    return replace(truths[0], partner=truths[1], mimicry=tuple(rows))


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
    people: int = 1,
    mimicry: Mapping[str, Planted] | None = None,
    cameras: Sequence[str] = COLOUR_ALONE,
    hook: Hook = silent,
) -> list[Path]:
    """Simulate several sessions into `folder/sim01`, `folder/sim02` ..., with seeds `seed`, `seed + 1` ...

    Everybody is in one session only: `p01`, `p02` ..., or `p01` with `p02`, `p03` with `p04` ... where there are two.

    Args:
        folder: Of the study; made if need be.
        sessions: How many, at least 1.
        seconds: Length of each.
        seed: Of the first.
        fidelity: As in `simulate_session`, like all that follows.
        fps: Nominal frame rate of the face cameras.
        size: Of the face cameras' pictures.
        max_offset_s: Greatest offset of a device's clock.
        people: In each session.
        mimicry: Between them; drawn anew for each session by default.
        cameras: Of each face.
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
            people=people,
            mimicry=mimicry,
            cameras=cameras,
            first_person=1 + at * people,
            hook=hook,
        )
        hook("simulate session", at + 1, sessions)
    return folders
