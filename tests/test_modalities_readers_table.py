"""Tables of samples and of events in text: every way of writing them, times, masks, and hostile content."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_schemas.errors import ManifestError, MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import StreamEntry
from data_schemas.stream import Marks, Signal
from data_schemas.time import Explicit, Regular
from modalities.readers import open_stream, probe
from modalities.readers.labels import canonical_unit, guess_kind, time_unit_in_name, to_field_unit, unit_in_name
from modalities.readers.timing import axis_of, print_step_ns, stamps_to_ns


def signal(root: Path, text: str | bytes, kind: str = "ecg", name: str = "t.csv", **values: object) -> Signal:
    data = text.encode("utf-8") if isinstance(text, str) else text
    (root / name).write_bytes(data)
    entry = StreamEntry.model_validate({"name": "s", "kind": kind, "file": name, **values})
    stream = open_stream(entry, root, "p01")
    assert isinstance(stream, Signal)
    return stream


def marks(root: Path, text: str, kind: str = "markers", **values: object) -> Marks:
    (root / "m.csv").write_text(text, encoding="utf-8")
    entry = StreamEntry.model_validate({"name": "m", "kind": kind, "file": "m.csv", **values})
    stream = open_stream(entry, root, None)
    assert isinstance(stream, Marks)
    return stream


WRITTEN = {
    "commas": "time,ecg,eda\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1\n",
    "tabs": "time\tecg\teda\n0.0\t1.5\t-2\n0.1\t2.5\t3\n0.2\t3.5\t4e1\n",
    "semicolons and decimal commas": "time;ecg;eda\n0,0;1,5;-2\n0,1;2,5;3\n0,2;3,5;4e1\n",
    "white space": "time ecg eda\n0.0  1.5 -2\n0.1 2.5   3\n0.2 3.5 4e1\n",
    "comments": "# made by a lab\n# 3 columns\ntime,ecg,eda\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1\n",
    "names in the last comment": "# made by a lab\n# time,ecg,eda\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1\n",
    "a row of units": "time,ecg,eda\ns,mV,uS\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1\n",
    "quotes and spaces": '"time", "ecg", "eda"\n"0.0", "1.5", "-2"\n0.1, 2.5, 3\n0.2, 3.5, 4e1\n',
    "trailing commas": "time,ecg,eda,\n0.0,1.5,-2,\n0.1,2.5,3,\n0.2,3.5,4e1,\n",
    "windows line ends": "time,ecg,eda\r\n0.0,1.5,-2\r\n0.1,2.5,3\r\n0.2,3.5,4e1\r\n",
    "no last line end": "time,ecg,eda\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1",
    "a preamble": "Lab export\nsubject 7\n\ntime,ecg,eda\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1\n",
    "a byte order mark": "\ufefftime,ecg,eda\n0.0,1.5,-2\n0.1,2.5,3\n0.2,3.5,4e1\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_way_of_writing_gives_the_same(tmp_path: Path, text: str) -> None:
    stream = signal(tmp_path, text, columns=["ecg", "eda"], time_column="time")
    assert stream.columns == ("ecg", "eda")
    assert stream.values.tolist() == [[1.5, -2.0], [2.5, 3.0], [3.5, 40.0]]
    assert stream.mask.all() and stream.axis == Regular(0, 1e8, 3)
    info = probe(tmp_path / "t.csv")
    assert [track.kind for track in info.tracks] == ["ecg", "eda"]
    assert all(track.time_column == "time" and track.n == 3 for track in info.tracks)
    assert info.tracks[0].rate_hz == pytest.approx(10)


def test_utf16_and_gzip(tmp_path: Path) -> None:
    text = WRITTEN["tabs"]
    assert signal(tmp_path, text.encode("utf-16"), time_column="time").values[:, 0].tolist() == [1.5, 2.5, 3.5]
    packed = gzip.compress(text.encode())
    assert signal(tmp_path, packed, name="t.tsv.gz", time_column="time").values[:, 0].tolist() == [1.5, 2.5, 3.5]


def test_table_without_header(tmp_path: Path) -> None:
    stream = signal(tmp_path, "-6.67\n-6.65\n-6.62\n", rate_hz=360)
    assert stream.columns == ("column_1",) and stream.values[:, 0].tolist() == [-6.67, -6.65, -6.62]
    assert stream.axis == Regular.from_rate(360, 3)
    assert signal(tmp_path, "v\n-6,67\n-6,65\n-6,62\n", rate_hz=360).values[:, 0].tolist() == [-6.67, -6.65, -6.62]


def test_bad_cells_are_masked_and_counted(tmp_path: Path) -> None:
    text = "time,ecg\n0.0,1.0\n0.1,oops\n0.2,\n0.3,NaN\n0.4,inf\n0.5,2.0\n"
    stream = signal(tmp_path, text, time_column="time")
    assert stream.mask[:, 0].tolist() == [True, False, False, False, False, True]
    assert stream.axis.n == 6 and np.isfinite(stream.values).all()
    notes = " ".join(stream.info.notes)
    assert "1 cells of 'ecg' are no numbers" in notes and "row 2" in notes and "oops" in notes


def test_time_units(tmp_path: Path) -> None:
    rows = "".join(f"{at},{at}\n" for at in (0, 10, 20, 30))
    for unit, period in (("ms", 1e7), ("us", 1e4), ("s", 1e10)):
        stream = signal(tmp_path, "t,ecg\n" + rows, time_column="t", time_unit=unit)
        assert stream.axis == Regular(0, period, 4), unit
    assert signal(tmp_path, "t,ecg\n" + rows, time_column="t", time_unit="samples", rate_hz=100).axis.period_ns == 1e8
    named = signal(tmp_path, "time_ms,ecg\n" + rows, time_column="time_ms")
    assert named.axis.period_ns == 1e7 and any("time_ms" in note for note in named.info.notes)
    overruled = signal(tmp_path, "time_ms,ecg\n" + rows, time_column="time_ms", time_unit="s")
    assert overruled.axis.period_ns == 1e10
    with pytest.raises(ManifestError, match="rate_hz"):
        signal(tmp_path, "t,ecg\n" + rows, time_column="t", time_unit="samples")


def test_unix_times_keep_their_zero(tmp_path: Path) -> None:
    start = 1_560_279_825
    rows = "".join(f"{start + k * 0.5:.3f},{k}\n" for k in range(5))
    stream = signal(tmp_path, "timestamp,eda\n" + rows, "eda", time_column="timestamp")
    assert stream.axis.start_ns == start * 1_000_000_000 and stream.axis.period_ns == pytest.approx(5e8)
    assert stream.info.wall_start == datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = "".join(f"{start * 1000 + k * 500},{k}\n" for k in range(5))
    again = signal(tmp_path, "timestamp,eda\n" + milliseconds, "eda", time_column="timestamp")
    assert again.axis.start_ns == stream.axis.start_ns and any("Unix time in ms" in note for note in again.info.notes)
    dates = "".join(f"2019-06-11 19:03:{45 + k // 2}.{5 * (k % 2)}00,{k}\n" for k in range(5))
    dated = signal(tmp_path, "timestamp,eda\n" + dates, "eda", time_column="timestamp")
    assert dated.axis.start_ns == stream.axis.start_ns and dated.axis.n == 5


def test_times_of_day_count_from_midnight_and_across_it(tmp_path: Path) -> None:
    text = "clock,eda\n23:59:58.500,1\n23:59:59.250,2\n00:00:00.000,3\n00:00:00.750,4\n"
    stream = signal(tmp_path, text, "eda", time_column="clock")
    assert stream.axis.times_ns.tolist() == [86_398_500_000_000 + k * 750_000_000 for k in range(4)]


def test_irregular_times_stay_as_they_are(tmp_path: Path) -> None:
    stream = signal(tmp_path, "t,eda\n0.000,1\n0.101,2\n0.199,3\n0.420,4\n", "eda", time_column="t")
    assert isinstance(stream.axis, Explicit)
    assert stream.axis.times_ns.tolist() == [0, 101_000_000, 199_000_000, 420_000_000]


def test_times_rounded_in_print_are_regular(tmp_path: Path) -> None:
    text = "t,ecg\n" + "".join(f"{k / 360 + 5:.3f},{k}\n" for k in range(2000))
    axis = signal(tmp_path, text, time_column="t").axis
    assert isinstance(axis, Regular)
    assert axis.rate_hz == pytest.approx(360, rel=1e-5) and abs(axis.start_ns - 5_000_000_000) < 500_000
    gap = "t,ecg\n" + "".join(f"{k / 360 + (3 if k > 999 else 0):.3f},{k}\n" for k in range(2000))
    stream = signal(tmp_path, gap, time_column="t")
    assert isinstance(stream.axis, Explicit) and len(stream.support) == 2


def test_disorder_is_repaired_and_counted(tmp_path: Path) -> None:
    text = "t,ecg\n" + "".join(f"{t},{t}\n" for t in (0, 1, 2, 2, 3, 9, 4, 5, 6, 7.5))
    stream = signal(tmp_path, text, time_column="t")
    assert stream.values[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7.5]
    assert any("2 of 10 time stamps" in note for note in stream.info.notes)
    with pytest.raises(UnreadableFileError, match="rate_hz"):
        signal(tmp_path, "t,ecg\n" + "".join(f"{k // 50},{k}\n" for k in range(200)), time_column="t")


def test_only_declared_columns_and_clear_errors(tmp_path: Path) -> None:
    text = "time,ecg_lead,gsr,subject\n0,1,2,a\n0.1,1,2,a\n0.2,1,2,a\n"
    assert signal(tmp_path, text, "eda", time_column="time").columns == ("gsr",)
    with pytest.raises(MissingTrackError, match=r"one of .*ecg_lead.*Did you mean 'ecg_lead'"):
        signal(tmp_path, text, time_column="time", columns=["ecg_leed"])
    with pytest.raises(MissingTrackError, match="no time column 'tyme'"):
        signal(tmp_path, text, time_column="tyme")
    with pytest.raises(ManifestError, match=r"nothing states the sampling rate.*'time' may hold the times"):
        signal(tmp_path, text)
    with pytest.raises(UnreadableFileError, match="'subject' holds no number"):
        signal(tmp_path, text, columns=["subject"], rate_hz=10)
    with pytest.raises(ManifestError, match="cannot be told"):
        signal(tmp_path, "a,b\n1,2\n3,4\n", rate_hz=10)
    with pytest.raises(ManifestError, match="does not fit"):
        signal(tmp_path, text, "face_rgb")
    with pytest.raises(UnreadableFileError, match="empty"):
        signal(tmp_path, "", rate_hz=10)
    with pytest.raises(UnreadableFileError, match="no row"):
        signal(tmp_path, "ecg\n", rate_hz=10)


def test_units_come_from_names_and_become_those_of_the_field(tmp_path: Path) -> None:
    text = "time,ECG (V),EDA [uS],temp_degF\n0,0.001,5,95\n1,0.002,6,104\n2,0.003,7,104\n"
    assert signal(tmp_path, text, time_column="time").values[:, 0] == pytest.approx([1, 2, 3])
    assert signal(tmp_path, text, time_column="time").units == ("mV",)
    assert signal(tmp_path, text, "eda", time_column="time").units == ("uS",)
    heat = signal(tmp_path, text, "temperature", time_column="time")
    assert heat.units == ("degC",) and heat.values[:, 0] == pytest.approx([35, 40, 40])
    told = signal(tmp_path, text, time_column="time", columns=["ECG (V)"], units=["uV"])
    assert told.values[:, 0] == pytest.approx([1e-6, 2e-6, 3e-6]) and told.units == ("mV",)


def test_a_long_table_is_read_in_pieces(tmp_path: Path) -> None:
    n = 450_000
    text = "ecg,other\n" + "".join(f"{k % 977},{k}\n" for k in range(n))
    stream = signal(tmp_path, text.replace("976,", "x,", 1), rate_hz=1000, columns=["ecg"])
    assert stream.axis.n == n
    assert np.array_equal(stream.values[stream.mask[:, 0], 0], np.delete(np.arange(n) % 977, 976))


def test_chaptered_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ecg\n1\n2\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("ecg\n3\n4\n", encoding="utf-8")
    entry = StreamEntry(name="s", kind="ecg", files=["a.csv", "b.csv"], rate_hz=4)
    stream = open_stream(entry, tmp_path, None)
    assert isinstance(stream, Signal)
    assert stream.axis == Regular.from_rate(4, 4) and stream.values[:, 0].tolist() == [1, 2, 3, 4]
    for name, first in (("a.csv", 0), ("b.csv", 100)):
        rows = "".join(f"{first + k},{k}\n" for k in range(3))
        (tmp_path / name).write_text("time,ecg\n" + rows, encoding="utf-8")
    timed = open_stream(entry.model_copy(update={"rate_hz": None, "time_column": "time"}), tmp_path, None)
    assert (timed.axis.times_ns // 1_000_000_000).tolist() == [0, 1, 2, 100, 101, 102]
    assert len(timed.support) == 2


# Events ---------------------------------------------------------------------------------------------------------------


def test_event_table(tmp_path: Path) -> None:
    text = "onset_s,duration_s,kind,label,expected,item\n1.5,2,question,Where were you?,,7\n"
    text += "0.25,0,stimulus,film,negative,8\n"
    stream = marks(tmp_path, text, "cues")
    assert [row.onset_ns for row in stream.rows] == [250_000_000, 1_500_000_000]
    assert [row.duration_ns for row in stream.rows] == [0, 2_000_000_000]
    assert stream.rows[0].label == "film"
    assert stream.rows[0].columns == {"kind": "stimulus", "expected": "negative", "item": 8}
    track = probe(tmp_path / "m.csv").tracks[0]
    assert (track.kind, track.n, track.time_column) == ("cues", 2, "onset_s")


@pytest.mark.parametrize(
    "text,onsets,lengths,labels",
    [
        ("onset\tduration\ttrial_type\n1\t0.5\tgo\n2\tn/a\tstop\n", [1, 2], [0.5, 0], ["go", "stop"]),
        ("start_ms,end_ms,name\n1000,1500,a\n3000,2500,b\n", [1, 3], [0.5, 0], ["a", "b"]),
        ("time;event\n1,5;x\n2,5;y\n", [1.5, 2.5], [0, 0], ["x", "y"]),
        ("Time [s],Marker\n1,S1\n,S2\n3,S3\n", [1, 3], [0, 0], ["S1", "S3"]),
        ("3\n1\n2\n", [1, 2, 3], [0, 0, 0], ["", "", ""]),
        ("onset_s,duration_s,label\n", [], [], []),
    ],
)
def test_event_tables_as_labs_write_them(
    tmp_path: Path, text: str, onsets: list[float], lengths: list[float], labels: list[str]
) -> None:
    stream = marks(tmp_path, text)
    assert (stream.onsets_ns / 1e9).tolist() == onsets
    assert [row.duration_ns / 1e9 for row in stream.rows] == lengths
    assert [row.label for row in stream.rows] == labels


def test_events_in_samples_and_by_a_named_column(tmp_path: Path) -> None:
    stream = marks(tmp_path, "frame,what\n30,a\n45,b\n", time_column="frame", time_unit="samples", rate_hz=30)
    assert (stream.onsets_ns / 1e9).tolist() == [1, 1.5] and stream.rows[1].label == "b"
    with pytest.raises(ManifestError, match="time_column = one of frame, what"):
        marks(tmp_path, "frame,what\n30,a\n45,b\n")
    with pytest.raises(MissingTrackError, match="no column 'wat'"):
        marks(tmp_path, "onset,what\n30,a\n45,b\n", columns=["wat"])
    assert marks(tmp_path, "onset,what,more\n30,a,1\n", columns=["what"]).rows[0].columns == {}


def test_dropped_rows_are_counted(tmp_path: Path) -> None:
    stream = marks(tmp_path, "onset,label\n1,a\nsoon,b\n3,c\n")
    assert len(stream.rows) == 2 and any("1 rows without an onset" in note for note in stream.info.notes)


# Units of the module --------------------------------------------------------------------------------------------------


NAMED = {
    "ecg": ["ECG", "EKG - ERS100C/mV", "II", "MLII/mV", "ecg_mv"],
    "eda": ["EDA", "GSR100C", "SCL", "skin conductance", "ch3/µS"],
    "respiration": ["RSP", "Resp belt/V", "respiratory"],
    "ppg": ["BVP", "PPG", "Pleth", "photoplethysmogram"],
    "temperature": ["TEMP", "skin temperature", "ch1/°C"],
    "acceleration": ["ACC_X", "accX", "x/m/s^2"],
    "pulse": ["Photosensor", "PhotoSensor", "TTL", "Trigger 1", "sync/V", "Digital input"],
    None: ["EDA filtered, differentiated/uS", "ECG_Rate", "HR/bpm", "pupil/mm", "response", "temporal", "voltage/mV"],
}


@pytest.mark.parametrize("kind,column", [(kind, column) for kind, columns in NAMED.items() for column in columns])
def test_what_a_column_is(kind: str | None, column: str) -> None:
    name, _, unit = column.partition("/")
    assert guess_kind(name, unit) == kind


def test_units() -> None:
    assert [canonical_unit(one) for one in ("microsiemens", "Volts", "µV", "", "n/a", "mS", "bar")] == [
        "uS", "V", "uV", "1", "1", "mS", "bar",
    ]  # fmt: skip
    assert [unit_in_name(one) for one in ("ecg_mv", "EDA (µS)", "ecg", "Temp [°C]", "plain name")] == [
        "mV", "uS", "1", "degC", "1",
    ]  # fmt: skip
    assert [time_unit_in_name(one) for one in ("time_ms", "Time [s]", "onset_samples", "time", "frame")] == [
        "ms", "s", "samples", None, None,
    ]  # fmt: skip
    values, unit = to_field_unit("eda", np.array([1e-6]), "S")
    assert values[0] == pytest.approx(1) and unit == "uS"
    assert to_field_unit("respiration", np.array([1.0]), "V")[1] == "V"


@given(st.floats(0.5, 5000), st.integers(3, 400), st.integers(0, 4), st.floats(-1e5, 1e5))
def test_rounded_regular_times_come_back_regular_or_exact(rate: float, n: int, decimals: int, start: float) -> None:
    printed = np.round(start + np.arange(n) / rate, decimals)
    times = stamps_to_ns(printed, "s")
    if np.any(np.diff(times) <= 0):
        return
    axis, kept, notes = axis_of(times, print_step_ns(printed, "s"))
    assert kept is None and not notes
    assert np.abs(axis.times_ns - times).max() <= 10.0 ** (9 - decimals) + 2
    if 1 / rate > 2.5 * 10.0**-decimals and n > 10 and abs(start) < 1000:
        assert isinstance(axis, Regular)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="0123456789.,;\t\n -+eE#\"'xNa", max_size=300).map(str.encode),
        st.lists(
            st.lists(st.sampled_from(["time", "ecg", "1", "2.5", "", "x", "-3e4", "1,5", "NaN", "9e999"]), max_size=5),
            max_size=12,
        ).map(lambda rows: "\n".join(";".join(row) for row in rows).encode()),
    ),
    kind=st.sampled_from(["ecg", "markers"]),
    declared=st.sampled_from([{}, {"rate_hz": 100.0}, {"time_column": "time"}, {"time_column": "column_1"}]),
)
def test_hostile_tables_only_ever_raise_our_errors(
    tmp_path: Path, data: bytes, kind: str, declared: dict[str, object]
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(data)
    entry = StreamEntry.model_validate({"name": "s", "kind": kind, "file": "f.csv", **declared})
    try:
        stream = open_stream(entry, tmp_path, None)
    except TelltaleError as error:
        assert "f.csv" in str(error) and "'s'" in str(error)
        return
    if isinstance(stream, Signal):
        assert np.isfinite(stream.values[stream.mask]).all() and stream.axis.n == len(stream.values)
        assert np.all(np.diff(stream.times_ns) > 0)
