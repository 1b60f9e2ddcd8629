"""A small result that is made up, with recordings: to try a format on, without an analysis.

Nobody was recorded. Two people, a session clock that starts below 0, a face video that drifts against it, events that
overlap, cells that are null, and words that need quoting: what a format must get right.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_schemas.event import Event
from data_schemas.features import FeatureSpec
from data_schemas.result import ChannelSummary, Provenance, ResultRecord, StreamSync, SyncReport
from data_schemas.time import NS_PER_S, Int64Array

if TYPE_CHECKING:
    from pipeline.timeline import ChannelGrid

PEOPLE = ("ada", "p-02")
GRID_HZ = 25.0
START_S, SECONDS = -1.5, 8.0
DRIFT_PPM = 80.0
MS = NS_PER_S // 1000

MANIFEST = """schema_version = 1
name = "sample"
purpose = "trying a format"
[consent]
scope = ["analyse", "share", "train"]
[[people]]
id = "ada"
[[people]]
id = "p-02"
[clocks.lab]
reference = true
[clocks.camera]
align = "offset"
offset_s = -1.5
drift_ppm = 80.0
[[streams]]
name = "face"
kind = "face_rgb"
file = "face.mp4"
person = "ada"
clock = "camera"
[[streams]]
name = "voice"
kind = "audio"
file = "voice.wav"
person = "ada"
clock = "lab"
"""

FEATURES = {
    "face": (
        FeatureSpec("au12", "1", "lip corner puller", 0, 1, source="FACS (Ekman, Friesen & Hager 2002)"),
        FeatureSpec("yaw_deg", "deg", 'head turn, "left" positive', -90, 90),
        FeatureSpec("pitch_deg", "deg", "head tilt", -90, 90),
        FeatureSpec("roll_deg", "deg", "head lean", -90, 90),
    ),
    "physiology": (FeatureSpec("heart_rate_bpm", "bpm", "beats per minute, by ECG", 20, 250),),
}


def write_sample(folder: Path) -> Path:
    """Write the session into `folder/sample` and its result into `folder/result`.

    Args:
        folder: Made if absent.

    Returns:
        The folder of the result.
    """
    import pyarrow.parquet as pq

    from pipeline.export.events import as_arrow, as_csv, as_rows
    from pipeline.timeline import as_table

    session, result = folder / "sample", folder / "result"
    for place in (session, result):
        place.mkdir(parents=True)
    _write_session(session)
    grid = np.arange(START_S * NS_PER_S, (START_S + SECONDS) * NS_PER_S, NS_PER_S / GRID_HZ).astype(np.int64)
    about = {"telltale_version": "0.0.0", "session": "sample", "clock": "session", "grid_hz": GRID_HZ}
    table = as_table([(person, _grids(number, grid)) for number, person in enumerate(PEOPLE)], grid, about)
    pq.write_table(table, result / "timeline.parquet")
    pq.write_table(as_arrow(EVENTS), result / "events.parquet")
    (result / "events.csv").write_text(as_csv(as_rows(EVENTS)), encoding="utf-8", newline="")
    (result / "sync.json").write_text(_sync().model_dump_json(indent=2), encoding="utf-8")
    (result / "result.json").write_text(_record().model_dump_json(indent=2), encoding="utf-8")
    return result


def _event(person: str | None, kind: str, onset_ms: float, offset_ms: float, label: str = "", **more: Any) -> Event:
    channel = {"cue": "context", "r_peak": "physiology", "reaction": "physiology"}.get(kind, "face")
    apex = more.pop("apex_ms", None)
    apex_ns = None if apex is None else round(apex * MS)
    score, details = more.pop("score", None), more.pop("details", {})
    return Event(channel, kind, round(onset_ms * MS), round(offset_ms * MS), apex_ns, person, score, label, details)


EVENTS = (
    _event("ada", "blink", -1400.4, -1200.6, "AU45", apex_ms=-1300.5, score=1.0),
    _event(None, "cue", 0, 2000, 'question 1: "who, <me> & you?"', details={"expected": "neutral", "stream": "cues"}),
    _event("ada", "micro", 1000.123, 1300.789, "AU4", apex_ms=1100.5, score=0.75, details={"aus": {"au04": 0.31}}),
    _event("ada", "macro", 1200, 3100, "AU6+AU12", apex_ms=2000, score=0.5, details={"onset_s": 1.2}),
    _event("p-02", "micro", 1500, 1700.25, "AU12\tAU25", apex_ms=1600),
    *(_event("ada", "r_peak", -1000 + 813.257 * n, -999 + 813.257 * n, apex_ms=-1000 + 813.257 * n) for n in range(9)),
    *(_event("ada", "reaction", 1000 * n, 1000 * n + 2500, f"cue {n}, ada", score=n / 4) for n in range(3)),
)
"""Labels hold what formats stumble over: quotes, markup, a tab, a comma, somebody's name."""


def _grids(number: int, grid: Int64Array) -> list[ChannelGrid]:
    """Slow waves, each person's own; the second person's heart was not recorded, the first one's face has a gap."""
    from pipeline.timeline import ChannelGrid

    out = []
    for channel, features in FEATURES.items():
        seconds = grid / NS_PER_S
        waves = [np.sin(seconds * (0.7 + 0.3 * at) + number) for at in range(len(features))]
        values = np.stack(waves, axis=1).astype(np.float32) * (1 if channel == "face" else 20)
        values += 0 if channel == "face" else 70
        valid = np.ones(values.shape, bool)
        reason = np.full(len(grid), "", dtype=object)
        if channel == "face" and number == 0:
            gap = (seconds > 2) & (seconds < 2.5)
            valid[gap], reason[gap] = False, "no_face"
            valid[::7, 0] = False
        if channel == "physiology" and number == 1:
            valid[:], reason[:] = False, "no_stream"
        out.append(ChannelGrid(channel, features, np.where(valid, values, 0), valid, reason))
    return out


def _sync() -> SyncReport:
    end = START_S + SECONDS
    reference: dict[str, Any] = {"clock": "lab", "method": "reference", "offset_s": 0.0, "drift_ppm": 0.0}
    camera: dict[str, Any] = {"clock": "camera", "method": "offset", "offset_s": START_S, "drift_ppm": DRIFT_PPM}
    shared: dict[str, Any] = {"end_s": end, "verdict": "pass"}
    streams = [
        StreamSync(stream="face", **camera, start_s=START_S, coverage=1.0, effective_hz=GRID_HZ, **shared),
        StreamSync(stream="voice", **reference, start_s=-1.0, coverage=0.9, effective_hz=8000.0, **shared),
    ]
    return SyncReport(streams=streams, session_start_s=START_S, session_end_s=end)


def _record() -> ResultRecord:
    channels = []
    for number, person in enumerate(PEOPLE):
        for channel in FEATURES:
            share = 0.0 if number and channel == "physiology" else 1.0
            channels.append(ChannelSummary(person=person, channel=channel, valid_share=share))
    steps = [
        Provenance(step="read", version="0.0.0", parameters={"libraries": {"av": "0"}}, inputs={"face.mp4": "0" * 64}),
        Provenance(step="encode face of ada", version="face 1", parameters={"streams": ["face"], "kind": "face_rgb"}),
        Provenance(step="encode voice of ada", version="voice 1", parameters={"streams": ["voice"]}),
    ]
    return ResultRecord(
        telltale_version="0.0.0",
        session="sample",
        purpose="trying a format",
        people=list(PEOPLE),
        grid_hz=GRID_HZ,
        duration_s=SECONDS,
        exit_status=0,
        channels=channels,
        problems=[],
        provenance=steps,
        caveats=["Made up: nobody was recorded."],
    )


def _write_session(folder: Path) -> None:
    """Two tiny recordings: a moving grey slope, and a tone."""
    import av
    import soundfile

    (folder / "session.toml").write_text(MANIFEST, encoding="utf-8")
    with av.open(str(folder / "face.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=round(GRID_HZ))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(round(SECONDS * GRID_HZ)):
            picture = np.broadcast_to((np.arange(64) * 3 + number)[None, :, None] % 256, (48, 64, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(int(8000 * 7.5)) / 8000)
    soundfile.write(folder / "voice.wav", tone.astype(np.float32), 8000)
