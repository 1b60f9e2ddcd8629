"""The recordings behind a result: where they lie, and how their playing time relates to the session clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_schemas.errors import ManifestError, TelltaleError
from data_schemas.result import ResultRecord, StreamSync, SyncReport
from data_schemas.time import to_ns

VIDEO_KINDS = ("face_rgb", "face_nir", "face_depth", "body_video")
SOUND_KINDS = ("audio", "sync_audio")


@dataclass(frozen=True, slots=True)
class Medium:
    """A sound or a video.

    Attributes:
        stream: Its name in the manifest.
        kind: Kind of the stream.
        person: Whom it records; None when shared.
        start_ns: Session time of its first sample.
        end_ns: Session time of its end.
        drift_ppm: How much slow it runs against the session clock.
        rate_hz: Frames or samples per second of session time; None if not known.
        file: The file; None where the recording is not at hand.
    """

    stream: str
    kind: str
    person: str | None
    start_ns: int
    end_ns: int
    drift_ppm: float
    rate_hz: float | None
    file: Path | None = None

    @property
    def is_video(self) -> bool:
        """Whether it has pictures."""
        return self.kind in VIDEO_KINDS


def find_media(record: ResultRecord, sync: SyncReport, root: Path | None) -> tuple[Medium, ...]:
    """The sounds and videos of a result, face videos first.

    The manifest tells what each stream is. Without one, only the streams that encoders name in the provenance are
    known, without files.

    Args:
        record: Summary of the result.
        sync: Its clock report.
        root: The session folder; None where it is not at hand.

    Raises:
        MissingFileError, ManifestError: the session folder has no manifest, or that of another session.
    """
    figures = {one.stream: one for one in sync.streams}
    found = list(_of_manifest(root, record, figures) if root is not None else _of_provenance(record, figures))
    order = (*VIDEO_KINDS, *SOUND_KINDS)
    return tuple(sorted(found, key=lambda medium: (order.index(medium.kind), medium.stream)))


def find_session(folder: Path, name: str, recorded: str = "") -> Path | None:
    """The session folder of a result, where it lies in a usual place and its manifest is of this session.

    First where it lay when it was analysed; then `session` in the result (where `telltale demo` leaves it), and folders
    of the session's name beside the result, one level up, or in `sessions` one level up.

    Args:
        folder: The result.
        name: Of the session.
        recorded: Where it lay, by the result.
    """
    from pipeline.manifest import MANIFEST_NAME, load_manifest

    whole = folder.resolve()
    places = (
        *([Path(recorded)] if recorded else []),
        whole / "session",
        whole.parent / name,
        whole.parent.parent / "sessions" / name,
        whole.parent.parent / name,
    )
    for place in places:
        if (place / MANIFEST_NAME).is_file():
            try:
                if load_manifest(place).name == name:
                    return place
            except TelltaleError:
                continue
    return None


def _of_manifest(root: Path, record: ResultRecord, figures: dict[str, StreamSync]) -> Iterator[Medium]:
    from pipeline.manifest import load_manifest

    manifest = load_manifest(root)
    if manifest.name != record.session:
        raise ManifestError(
            "the session folder is of another session", file=root, got=manifest.name, expected=record.session
        )
    for entry in manifest.streams:
        if entry.kind in (*VIDEO_KINDS, *SOUND_KINDS) and entry.name in figures:
            path = root / entry.paths[0]
            at_hand = path if path.is_file() else None
            yield _medium(figures[entry.name], entry.kind, manifest.person_of(entry), at_hand)


def _of_provenance(record: ResultRecord, figures: dict[str, StreamSync]) -> Iterator[Medium]:
    kinds = {"face": "face_rgb", "body": "body_video", "voice": "audio"}
    seen = set()
    for one in record.provenance:
        words = one.step.split(" of ", 1)
        channel = words[0].removeprefix("encode ")
        if len(words) < 2 or channel not in kinds:
            continue
        for stream in one.parameters.get("streams", []):
            if stream in figures and stream not in seen:
                seen.add(stream)
                yield _medium(figures[stream], str(one.parameters.get("kind", kinds[channel])), words[1], None)


def _medium(one: StreamSync, kind: str, person: str | None, file: Path | None) -> Medium:
    start, end = to_ns(one.start_s), to_ns(one.end_s)
    known = (*VIDEO_KINDS, *SOUND_KINDS)
    return Medium(
        one.stream, kind if kind in known else "audio", person, start, end, one.drift_ppm, one.effective_hz, file
    )
