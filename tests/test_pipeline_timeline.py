"""The grid join: validity, reasons and metadata survive on the way into the table."""

from __future__ import annotations

import json

import numpy as np

from data_schemas.features import EncoderSpec, Encoding, FeatureSpec, Track
from data_schemas.intervals import IntervalSet
from data_schemas.time import NS_PER_S, to_ns
from pipeline import timeline
from pipeline.report.lanes import MAX_POINTS, decimate

SPEC = EncoderSpec(
    "toy",
    "1",
    "voice",
    ("audio",),
    (FeatureSpec("pitch_hz", "Hz", "pitch", 0, 1000), FeatureSpec("speech", "1", "speech", 0, 1, "nearest")),
    max_gap_s=0.3,
)
GRID = np.arange(0, 10 * NS_PER_S, NS_PER_S // 10)


def encoding() -> Encoding:
    """10 Hz from 0 to 8 s; no face from 2 to 3 s; a hole in the samples from 5 to 6 s."""
    t = np.r_[np.arange(0, 5, 0.1), np.arange(6, 8, 0.1)]
    values = np.stack([100 + 10 * t, (t > 4).astype(float)], axis=1).astype(np.float32)
    valid = np.ones(values.shape, bool)
    reason = np.full(len(t), "", object)
    silent = (t > 1.95) & (t < 2.95)
    valid[silent], reason[silent] = False, "silent"
    return Encoding(SPEC, "p01", Track(to_ns(t), SPEC.feature_names, values, valid, reason)).check()


def joined() -> timeline.ChannelGrid:
    return timeline.joined(encoding(), GRID, IntervalSet([(0, 8 * NS_PER_S)]))


def test_values_where_valid_and_reasons_elsewhere() -> None:
    grid = joined()
    seconds = GRID / NS_PER_S
    valid = grid.valid[:, 0]
    assert np.allclose(grid.values[valid, 0], 100 + 10 * seconds[valid], atol=0.01)
    assert set(np.unique(grid.values[grid.valid[:, 1], 1])) == {0.0, 1.0}, "a nearest column is never interpolated"
    middle_of_silence = (seconds > 2.2) & (seconds < 2.7)
    assert not valid[middle_of_silence].any()
    assert set(grid.reason[middle_of_silence]) == {"silent"}
    hole = (seconds > 5.35) & (seconds < 5.65)
    assert not valid[hole].any() and set(grid.reason[hole]) == {"gap"}
    assert not valid[seconds >= 8].any() and set(grid.reason[seconds >= 8]) == {"gap"}
    assert all((word == "") == ok for word, ok in zip(grid.reason, grid.valid.any(axis=1), strict=True))


def test_an_encoder_may_ask_for_exact_labels_angles_and_counts() -> None:
    columns = (
        FeatureSpec("label", "1", "label", 0, 9, "exact"),
        FeatureSpec("yaw_deg", "deg", "angle", -180, 180, "angle"),
        FeatureSpec("clicks", "1", "count", 0, None, "event"),
    )
    spec = EncoderSpec("toy", "1", "voice", ("audio",), columns, max_gap_s=1.0)
    t = np.arange(0, 4, 0.2)
    values = np.stack([np.arange(20) % 3, np.where(t < 2, 179.0, -179.0), np.ones(20)], axis=1).astype(np.float32)
    track = Track(to_ns(t), spec.feature_names, values, np.ones(values.shape, bool), np.full(20, "", object))
    ticks = np.arange(0, 4 * NS_PER_S, NS_PER_S // 20)
    support = IntervalSet([(0, 4 * NS_PER_S)])
    grid = timeline.joined(Encoding(spec, "p01", track).check(), ticks, support)
    assert set(grid.values[grid.valid[:, 0], 0].tolist()) == {0.0, 1.0, 2.0}
    assert np.abs(grid.values[grid.valid[:, 1], 1]).min() >= 179, "the short way round"
    assert grid.values[grid.valid[:, 2], 2].sum() == 20, "none is lost or doubled"


def test_table_has_nulls_metadata_and_a_row_per_person_and_time() -> None:
    other = timeline.absent(SPEC, GRID, "no_stream")
    table = timeline.as_table([("p01", [joined()]), ("p02", [other])], GRID, {"grid_hz": 10})
    assert table.num_rows == 2 * len(GRID)
    assert table.column_names == ["person", "t_ns", "voice.pitch_hz", "voice.speech", "voice.valid", "voice.reason"]
    assert table.schema.field("voice.pitch_hz").metadata[b"unit"] == b"Hz"
    assert json.loads(table.schema.metadata[b"telltale"]) == {"grid_hz": 10}
    rows = table.to_pylist()
    assert all(row["voice.pitch_hz"] is None and row["voice.reason"] == "no_stream" for row in rows[len(GRID) :])
    assert all((row["voice.reason"] is None) == row["voice.valid"] for row in rows)
    assert not np.isnan(table["voice.pitch_hz"].drop_null().to_numpy()).any()


def test_decimation_keeps_peaks_and_gaps() -> None:
    x = np.arange(200_000) / 25
    y = np.sin(x / 50)
    y[123_456] = 9.0
    y[50_000:60_000] = np.nan
    fewer_x, fewer_y = decimate(x, y)
    assert len(fewer_x) <= 1.6 * MAX_POINTS
    assert np.nanmax(fewer_y) == 9.0
    assert np.isnan(fewer_y).any()
