"""Eye trackers' files as their makers lay them out, written here and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.errors import MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Signal, StreamInfo
from data_schemas.time import Regular
from modalities.readers import probe
from modalities.readers.eyetracker import EyeTrackerReader
from modalities.readers.sniff import identify

MS = 1_000_000


def opened(path: Path, kind: str, **more: object) -> Signal | Marks:
    assert identify(path) == "eyetracker"
    entry = StreamEntry.model_construct(name="eyes", kind=kind, file=path.name, **more)
    stream = EyeTrackerReader().open(entry, path, StreamInfo("eyes", kind, "tracker", "p01", (str(path),)))
    assert isinstance(stream, Signal | Marks)
    return stream


def signal(path: Path, kind: str, **more: object) -> Signal:
    stream = opened(path, kind, **more)
    assert isinstance(stream, Signal)
    return stream


TOBII = [
    "Recording timestamp [μs]", "Sensor", "Gaze point X [DACS px]", "Gaze point Y [DACS px]",
    "Pupil diameter left [mm]", "Pupil diameter right [mm]", "Validity left", "Validity right", "Event", "Event value",
    "Presented Stimulus name",
]  # fmt: skip


def write_tobii(path: Path, decimal: str = ".", header: list[str] = TOBII, unit: int = 1) -> None:
    rows = ["\t".join(header), f"0{chr(9) * 8}RecordingStart\t\t"]
    for at in range(60):
        time = at * 8333 // unit
        seen = "Invalid" if 20 <= at < 25 else "Valid"
        x, y, size = ("", "", "") if seen == "Invalid" else (str(900 + at), "500", f"3{decimal}{at:02d}")
        shown = "face.png" if at >= 30 else ""
        rows.append(f"{time}\tEye Tracker\t{x}\t{y}\t{size}\t{size}\t{seen}\t{seen}\t\t\t{shown}")
        if at == 30:
            rows.append(f"{time + 10}\t\t\t\t\t\t\t\tKeyboardEvent\tSpace\t{shown}")
        if at % 10 == 0:
            rows.append(f"{time + 20}\tMouse\t\t\t\t\t\t\t\t\t{shown}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")


@pytest.mark.parametrize("decimal", [".", ","])
def test_tobii_gives_gaze_pupil_and_events(tmp_path: Path, decimal: str) -> None:
    path = tmp_path / "p01.tsv"
    write_tobii(path, decimal)
    gaze, pupil = signal(path, "gaze"), signal(path, "pupil")
    assert gaze.columns == ("gaze_x", "gaze_y") and gaze.units == ("px", "px")
    assert gaze.axis.n == 60
    assert gaze.axis.rate_hz == pytest.approx(120.0, rel=1e-3)
    assert np.flatnonzero(~gaze.mask[:, 0]).tolist() == [20, 21, 22, 23, 24]
    assert gaze.values[31].tolist() == [931.0, 500.0]
    assert pupil.columns == ("pupil_left", "pupil_right") and pupil.units == ("mm", "mm")
    assert pupil.values[7, 0] == pytest.approx(3.07)
    assert not pupil.mask[20:25].any() and pupil.mask[:20].all()
    marks = opened(path, "cues")
    assert isinstance(marks, Marks)
    assert [row.label for row in marks.rows] == ["RecordingStart", "face.png", "KeyboardEvent"]
    shown = marks.rows[1]
    assert shown.onset_ns == 30 * 8333 * 1000 and shown.columns["kind"] == "stimulus"
    assert shown.duration_ns == 29 * 8333 * 1000
    assert marks.rows[2].columns == {"value": "Space"}


def test_tobii_without_a_unit_is_judged_by_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "old.tsv"
    write_tobii(path, header=[name.partition(" [")[0] for name in TOBII], unit=1000)
    gaze = signal(path, "gaze")
    assert gaze.axis.rate_hz == pytest.approx(120, rel=0.02)
    assert any("no unit" in note for note in gaze.info.notes)


def test_codes_of_tobii_studio_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "studio.tsv"
    rows = ["RecordingTimestamp\tGazePointX (ADCSpx)\tGazePointY (ADCSpx)\tPupilLeft\tValidityLeft\tValidityRight"]
    rows += [f"{at * 20}\t{at}\t{2 * at}\t3.1\t{code}\t4" for at, code in enumerate([0, 1, 2, 4, 0, 0])]
    path.write_text("\n".join(rows), encoding="utf-8")
    gaze = signal(path, "gaze")
    assert gaze.mask[:, 0].tolist() == [True, True, False, False, True, True]
    assert gaze.axis.times_ns.tolist() == [at * 20 * MS for at in range(6)]


def test_pupil_core_masks_what_it_is_not_sure_of(tmp_path: Path) -> None:
    gaze_file, pupil_file = tmp_path / "gaze_positions.csv", tmp_path / "pupil_positions.csv"
    rows = ["gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data"]
    rows += [f"{2.0 + at / 200:.6f},0,{0.2 if at == 3 else 0.98},0.{at:02d},0.5,{at}-0" for at in range(20)]
    gaze_file.write_text("\n".join(rows), encoding="utf-8")
    gaze = signal(gaze_file, "gaze")
    assert gaze.units == ("1", "1") and gaze.axis.start_ns == 2_000_000_000
    assert np.flatnonzero(~gaze.mask[:, 0]).tolist() == [3]
    assert gaze.values[12, 0] == pytest.approx(0.12)
    rows = ["pupil_timestamp,world_index,eye_id,confidence,norm_pos_x,norm_pos_y,diameter,method,diameter_3d"]
    for at in range(20):
        rows.append(f"{2.0 + at / 100:.4f},0,{at % 2},0.9,0.5,0.5,40.1,3d c++,{3 + at / 100}")
    pupil_file.write_text("\n".join(rows), encoding="utf-8")
    pupil = signal(pupil_file, "pupil")
    assert pupil.columns == ("pupil_left", "pupil_right") and pupil.units == ("mm", "mm")
    assert pupil.mask[:, 0].tolist() == [False, True] * 10 and pupil.mask[:, 1].tolist() == [True, False] * 10
    assert pupil.values[5, 0] == pytest.approx(3.05)


def test_neon_keeps_its_nanoseconds(tmp_path: Path) -> None:
    path = tmp_path / "gaze.csv"
    zero = 1_700_000_000_123_456_789
    rows = ["section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,azimuth [deg],elevation [deg]"]
    rows += [f"a,b,{zero + at * 5 * MS},{800 + at},{600},{int(at > 2)},{at / 10},-2.0" for at in range(40)]
    path.write_text("\n".join(rows), encoding="utf-8")
    gaze = signal(path, "gaze")
    assert int(gaze.axis.times_ns[0]) == zero and gaze.axis.rate_hz == pytest.approx(200)
    assert gaze.info.wall_start is not None and gaze.info.wall_start.year == 1970
    assert gaze.mask[:, 0].tolist() == [False] * 3 + [True] * 37
    angles = signal(path, "gaze", columns=["gaze_x_deg", "gaze_y_deg"])
    assert angles.units == ("deg", "deg") and angles.values[10].tolist() == [1.0, -2.0]


def write_eyelink(path: Path, eyes: str = "LEFT\tRIGHT", samples: bool = True) -> None:
    lines = ["** CONVERTED FROM p01.edf using edfapi 4.2", "** VERSION: EYELINK II 1", "**", "",
             "MSG\t1000000 DISPLAY_COORDS 0 0 1919 1079", f"START\t1000100 \t{eyes}\tSAMPLES\tEVENTS",
             "PRESCALER\t1", f"EVENTS\tGAZE\t{eyes}\tRATE\t 500.00\tTRACKING\tCR\tFILTER\t2",
             f"SAMPLES\tGAZE\t{eyes}\tRATE\t 500.00\tTRACKING\tCR\tFILTER\t2\tINPUT"]  # fmt: skip
    both = "LEFT" in eyes and "RIGHT" in eyes
    for at in range(100):
        time = 1_000_100 + 2 * at
        if at == 30:
            lines += [f"MSG\t{time} TRIALID 7", f"MSG\t{time} -12 QUESTION_ONSET"]
        if at == 50:
            lines.append(f"SBLINK L {time}")
        if at == 60:
            lines.append(f"EBLINK L {time - 20}\t{time}\t22")
        left = "   .\t   .\t    0.0" if 52 <= at < 58 else f"  {900 + at}.0\t  500.5\t 1200.0"
        right = f"\t  {902 + at}.0\t  501.5\t 1300.0" if both else ""
        if samples:
            lines.append(f"{time}\t{left}{right}\t  127.0\t.....")
    lines.append("END\t1000300 \tSAMPLES\tEVENTS\tRES\t  36.77\t  33.31")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_eyelink_gives_both_eyes_blinks_and_messages(tmp_path: Path) -> None:
    path = tmp_path / "p01.asc"
    write_eyelink(path)
    gaze = signal(path, "gaze")
    assert gaze.axis == Regular.from_rate(500.0, 100, 1_000_100 * MS)
    assert gaze.mask.all()
    assert gaze.values[0].tolist() == [901.0, 501.0]
    assert gaze.values[55, 0] == 902 + 55
    left = signal(path, "gaze", columns=["gaze_x_left"])
    assert np.flatnonzero(~left.mask[:, 0]).tolist() == list(range(50, 61))
    assert signal(path, "pupil").values[3].tolist() == [1200.0, 1300.0]
    marks = opened(path, "cues")
    assert isinstance(marks, Marks)
    rows = {row.label: row for row in marks.rows}
    assert rows["QUESTION_ONSET"].onset_ns == (1_000_160 + 12) * MS
    assert rows["TRIALID 7"].onset_ns == 1_000_160 * MS
    assert rows["blink"].duration_ns == 20 * MS and rows["blink"].columns == {"eye": "left"}


def test_eyelink_of_one_eye_and_of_messages_alone(tmp_path: Path) -> None:
    one, none = tmp_path / "one.asc", tmp_path / "none.asc"
    write_eyelink(one, "LEFT")
    gaze = signal(one, "gaze")
    assert np.flatnonzero(~gaze.mask[:, 0]).tolist() == list(range(50, 61))
    assert signal(one, "pupil").columns == ("pupil_left",)
    write_eyelink(none, samples=False)
    assert isinstance(opened(none, "markers"), Marks)
    with pytest.raises(UnreadableFileError, match="messages and no samples"):
        opened(none, "gaze")


def test_probe_lists_gaze_pupil_and_messages(tmp_path: Path) -> None:
    write_eyelink(tmp_path / "p01.asc")
    info = probe(tmp_path / "p01.asc")
    assert info.format == "eyetracker"
    columns = {name for track in info.tracks for name in track.columns}
    assert {"gaze_x", "gaze_y", "pupil_left", "pupil_right"} <= columns
    assert [track.rate_hz for track in info.tracks if track.columns] == [500.0] * sum(
        bool(t.columns) for t in info.tracks
    )
    assert info.tracks[-1].kind == "cues" and info.tracks[-1].n == 4


def test_wrong_files_get_one_clear_message(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text("time,ecg\n0,1\n1,2\n", encoding="utf-8")
    entry = StreamEntry.model_construct(name="eyes", kind="gaze", file="plain.csv")
    info = StreamInfo("eyes", "gaze", "tracker")
    with pytest.raises(UnreadableFileError, match="Recording timestamp"):
        EyeTrackerReader().open(entry, plain, info)
    path = tmp_path / "p01.tsv"
    write_tobii(path)
    with pytest.raises(MissingTrackError, match="gaze_x"):
        signal(path, "gaze", columns=["gaze_z"])
    empty = tmp_path / "empty.tsv"
    empty.write_text("\t".join(TOBII) + "\n", encoding="utf-8")
    with pytest.raises(TelltaleError):
        EyeTrackerReader().open(entry, empty, info)
    cut = tmp_path / "cut.asc"
    cut.write_text("** CONVERTED FROM x.edf\n** VERSION: EYELINK II 1\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="no samples and no messages"):
        EyeTrackerReader().open(entry, cut, info)


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(["tobii", "eyelink"]), st.floats(0, 1), st.integers(0, 900), st.sampled_from(["gaze", "markers"])
)
def test_damaged_files_end_in_a_stream_or_one_message(
    tmp_path_factory: pytest.TempPathFactory, which: str, where: float, size: int, kind: str
) -> None:
    path = tmp_path_factory.mktemp("damaged") / ("x.tsv" if which == "tobii" else "x.asc")
    write_tobii(path) if which == "tobii" else write_eyelink(path)
    text = path.read_text(encoding="utf-8-sig")
    cut = round(where * len(text))
    path.write_text(text[:cut] + text[cut + size :], encoding="utf-8")
    entry = StreamEntry.model_construct(name="eyes", kind=kind, file=path.name)
    try:
        stream = EyeTrackerReader().open(entry, path, StreamInfo("eyes", kind, "tracker", "p01", (str(path),)))
    except TelltaleError:
        return
    assert isinstance(stream, Signal if kind == "gaze" else Marks)
    if isinstance(stream, Signal):
        assert stream.axis.n > 0 and np.isfinite(stream.values).all()
