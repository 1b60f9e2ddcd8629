"""Video files: exact times, bit-exact pictures, rotation, regions, tracks, chapters, sound tracks, broken files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_schemas.errors import ManifestError, MissingFileError, MissingTrackError, TelltaleError, UnreadableFileError
from data_schemas.session import Region, StreamEntry
from data_schemas.stream import Audio, Video
from modalities.readers import open_stream, probe

TICKS = 90_000


def gradient(n: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames that differ in every pixel and from each other."""
    rows, columns = np.mgrid[0:height, 0:width]
    return [
        np.stack([rows * 3 + k, columns * 2 + 2 * k, rows + columns + 5 * k], axis=2).astype(np.uint8) for k in range(n)
    ]


def write(
    path: Path,
    frames: list[np.ndarray],
    ticks: list[int],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    source: str = "rgb24",
    rotation: int = 0,
    gop: int = 12,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> None:
    """Write frames at given times, in 1/90000 s."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.width, stream.height = frames[0].shape[1], frames[0].shape[0]
        stream.pix_fmt, stream.gop_size = pixels, gop
        stream.time_base = stream.codec_context.time_base = Fraction(1, 30 if path.suffix == ".avi" else TICKS)
        if rotation:
            stream.set_display_rotation(rotation)
        for picture, at in zip(frames, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=source)
            frame.pts, frame.time_base = at, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def entry(kind: str = "face_rgb", **values: object) -> StreamEntry:
    return StreamEntry.model_validate({"name": "face", "kind": kind, **values})


def video(root: Path, **values: object) -> Video:
    stream = open_stream(entry(**values), root, "p01")
    assert isinstance(stream, Video)
    return stream


VARIABLE = np.cumsum([4500, 3000, 2703, 3301, 9000, 3000, 6007, 1801, 3000, 90000] * 3).tolist()


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_variable_frame_times_are_exact_to_the_nanosecond(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"v{suffix}", gradient(30), VARIABLE, container_options={"video_track_timescale": str(TICKS)})
    stream = video(tmp_path, file=f"v{suffix}")
    truth = [round(Fraction(at * 1_000_000_000, TICKS)) for at in VARIABLE]
    assert stream.axis.times_ns.tolist() == truth
    frames = list(stream.frames())
    assert [frame.t_ns for frame in frames] == truth
    assert [frame.index for frame in frames] == list(range(30))
    assert frames[0].image.shape == (48, 64, 3) and frames[0].image.dtype == np.uint8
    assert len(list(stream.frames())) == 30, "the file is opened anew at each call"
    some = list(stream.frames_at([21, 3, 3, 29]))
    assert [(one.index, one.t_ns) for one in some] == [(at, frames[at].t_ns) for at in (3, 21, 29)]
    assert all((one.image == frames[one.index].image).all() for one in some) and not list(stream.frames_at([]))


def test_millisecond_container_keeps_its_own_times(tmp_path: Path) -> None:
    write(tmp_path / "v.mkv", gradient(30), VARIABLE)
    times = video(tmp_path, file="v.mkv").axis.times_ns
    truth = np.array(VARIABLE) * 1e9 / TICKS
    assert np.abs(times - truth).max() <= 500_001
    assert np.all(times % 1_000_000 == 0)


def test_frames_out_of_order_in_the_file_come_in_order_of_presentation(tmp_path: Path) -> None:
    frames = gradient(24)
    write(tmp_path / "b.mp4", frames, [3000 * k for k in range(24)], options={"bf": "3", "crf": "4"})
    shown = [frame.image.astype(int) for frame in video(tmp_path, file="b.mp4").frames()]
    for at, picture in enumerate(shown):
        errors = [np.abs(picture - truth.astype(int)).mean() for truth in frames]
        assert int(np.argmin(errors)) == at


@pytest.mark.parametrize("pixels,source,kind", [("bgr0", "rgb24", "face_rgb"), ("gray", "gray", "face_nir")])
def test_lossless_pictures_are_bit_exact(tmp_path: Path, pixels: str, source: str, kind: str) -> None:
    frames = gradient(6) if source == "rgb24" else [picture[:, :, 0] for picture in gradient(6)]
    write(tmp_path / "l.mkv", frames, [3000 * k for k in range(6)], "ffv1", pixels, source)
    got = [frame.image for frame in video(tmp_path, kind=kind, file="l.mkv").frames()]
    assert all(np.array_equal(a, b) for a, b in zip(got, frames, strict=True))


def depth_frames(n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 65536, (30, 50), dtype=np.uint16) for _ in range(n)]


def test_depth_video_is_bit_exact_in_all_16_bits(tmp_path: Path) -> None:
    frames = depth_frames(5)
    write(tmp_path / "depth.mkv", frames, [3000 * k for k in range(5)], "ffv1", "gray16le", "gray16le")
    stream = video(tmp_path, kind="face_depth", file="depth.mkv", depth_scale_m=0.001)
    got = [frame.image for frame in stream.frames()]
    assert got[0].dtype == np.uint16 and stream.depth_scale_m == 0.001
    assert all(np.array_equal(a, b) for a, b in zip(got, frames, strict=True))
    assert probe(tmp_path / "depth.mkv").tracks[0].kind == "face_depth"
    infrared = video(tmp_path, kind="face_nir", file="depth.mkv")
    assert next(infrared.frames()).image.dtype == np.uint16
    with pytest.raises(ManifestError, match="needs colour"):
        video(tmp_path, kind="face_rgb", file="depth.mkv")
    unscaled = video(tmp_path, kind="face_depth", file="depth.mkv")
    assert any("depth_scale_m" in note for note in unscaled.info.notes)


def test_eight_bits_are_no_depth(tmp_path: Path) -> None:
    write(tmp_path / "d.mkv", [picture[:, :, 0] for picture in gradient(3)], [0, 3000, 6000], "ffv1", "gray", "gray")
    with pytest.raises(ManifestError, match="16-bit mono") as caught:
        video(tmp_path, kind="face_depth", file="d.mkv")
    assert "8 bit" in str(caught.value) and "face" in str(caught.value)


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_stored_rotation_is_applied_and_the_manifest_overrules_it(tmp_path: Path, clockwise: int) -> None:
    frames = gradient(3)
    options = {"crf": "1"}
    write(tmp_path / "r.mp4", frames, [0, 3000, 6000], rotation=-clockwise, options=options)
    write(tmp_path / "plain.mp4", frames, [0, 3000, 6000], options=options)
    flat = next(video(tmp_path, file="plain.mp4").frames()).image
    turned = np.rot90(flat, -clockwise // 90)
    stream = video(tmp_path, file="r.mp4")
    picture = next(stream.frames()).image
    assert picture.shape == turned.shape == (stream.height, stream.width, 3)
    assert np.array_equal(picture, turned)
    assert f"turned by {clockwise} degrees clockwise" in probe(tmp_path / "r.mp4").tracks[0].detail
    assert np.array_equal(next(video(tmp_path, file="r.mp4", rotation=0).frames()).image, flat)
    assert np.array_equal(next(video(tmp_path, file="plain.mp4", rotation=clockwise).frames()).image, turned)


def test_region_is_cut_from_the_stored_picture_before_rotation(tmp_path: Path) -> None:
    frames = gradient(2)
    write(tmp_path / "s.mkv", frames, [0, 3000], "ffv1", "bgr0")
    region = Region(x=8, y=4, width=20, height=10)
    stream = video(tmp_path, file="s.mkv", region=region, rotation=90)
    assert (stream.width, stream.height) == (10, 20)
    assert np.array_equal(next(stream.frames()).image, np.rot90(frames[0][4:14, 8:28], -1))
    with pytest.raises(ManifestError, match="64x48"):
        video(tmp_path, file="s.mkv", region=Region(x=50, y=0, width=20, height=10))


def write_two_videos(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    colour, depth = gradient(4), [frame[:30, :50] for frame in depth_frames(4)]
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=30) for _ in range(2)]
        for stream, (picture, pixels) in zip(streams, ((colour[0], "bgr0"), (depth[0], "gray16le")), strict=True):
            stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], pixels
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k in range(4):
            for stream, picture, source in ((streams[0], colour[k], "rgb24"), (streams[1], depth[k], "gray16le")):
                frame = av.VideoFrame.from_ndarray(picture, format=source)
                frame.pts, frame.time_base = 40 * k, Fraction(1, 1000)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return colour, depth


def test_tracks_of_one_container_are_told_apart(tmp_path: Path) -> None:
    colour, depth = write_two_videos(tmp_path / "two.mkv")
    assert [track.track for track in probe(tmp_path / "two.mkv").tracks] == [0, 1]
    assert np.array_equal(next(video(tmp_path, file="two.mkv", track=0).frames()).image, colour[0])
    second = video(tmp_path, kind="face_depth", file="two.mkv", track=1, depth_scale_m=0.001)
    assert np.array_equal([frame.image for frame in second.frames()], depth)
    with pytest.raises(MissingTrackError, match="one of 0, 1"):
        video(tmp_path, file="two.mkv", track=7)
    with pytest.raises(ManifestError, match="no sound track"):
        open_stream(entry("audio", file="two.mkv"), tmp_path, None)


def test_chapters_are_joined_on_one_axis(tmp_path: Path) -> None:
    frames = gradient(20)
    for name, part in (("a.mkv", frames[:12]), ("b.mkv", frames[12:])):
        write(tmp_path / name, part, [3600 * k for k in range(len(part))], "ffv1", "bgr0")
    stream = video(tmp_path, files=["a.mkv", "b.mkv"])
    assert stream.axis.times_ns.tolist() == [40_000_000 * k for k in range(20)]
    got = list(stream.frames())
    assert [frame.index for frame in got] == list(range(20))
    assert all(np.array_equal(frame.image, truth) for frame, truth in zip(got, frames, strict=True))
    assert len(stream.info.files) == 2
    write(tmp_path / "c.mkv", gradient(2, 32, 32), [0, 3600], "ffv1", "bgr0")
    with pytest.raises(ManifestError, match="picture size"):
        video(tmp_path, files=["a.mkv", "c.mkv"])


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.95])
@pytest.mark.parametrize("suffix,codec,pixels", [(".mkv", "libx264", "yuv420p"), (".avi", "mjpeg", "yuvj420p")])
def test_a_cut_off_file_gives_what_lies_before_the_cut(
    tmp_path: Path, share: float, suffix: str, codec: str, pixels: str
) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(60)]
    whole = tmp_path / f"whole{suffix}"
    write(whole, frames, [3000 * k for k in range(60)], codec, pixels)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    stream = video(tmp_path, file=cut.name)
    decoded = list(stream.frames())
    assert 5 < len(decoded) == stream.axis.n < 60
    assert abs(len(decoded) / 60 - share) < 0.15
    assert stream.axis.times_ns.tolist() == video(tmp_path, file=whole.name).axis.times_ns[: len(decoded)].tolist()
    assert any("cut off" in note for note in stream.info.notes), stream.info.notes


def test_a_cut_off_mp4_with_its_index_in_front_gives_what_is_left(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(40)]
    write(tmp_path / "w.mp4", frames, [3000 * k for k in range(40)], container_options={"movflags": "faststart"})
    data = (tmp_path / "w.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    stream = video(tmp_path, file="cut.mp4")
    assert 5 < len(list(stream.frames())) == stream.axis.n < 40
    assert any("40 frames" in note for note in stream.info.notes)


def test_a_cut_off_mp4_without_its_index_says_so(tmp_path: Path) -> None:
    write(tmp_path / "w.mp4", gradient(20), [3000 * k for k in range(20)])
    data = (tmp_path / "w.mp4").read_bytes()
    for share in (0.3, 0.6, 0.9):
        (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UnreadableFileError, match=r"not readable as a video|neither pictures nor sound") as caught:
            video(tmp_path, file="cut.mp4")
        assert "cut.mp4" in str(caught.value) and "'face'" in str(caught.value)


def test_damage_in_the_middle_costs_frames_but_not_their_times(tmp_path: Path) -> None:
    write(tmp_path / "w.avi", gradient(40), [3000 * k for k in range(40)], "mjpeg", "yuvj420p")
    data = bytearray((tmp_path / "w.avi").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\x00" * 400
    (tmp_path / "hurt.avi").write_bytes(bytes(data))
    stream = video(tmp_path, file="hurt.avi")
    got = list(stream.frames())
    assert len(got) >= 30
    times = stream.axis.times_ns
    assert all(frame.t_ns == times[frame.index] for frame in got)


def test_repeated_time_stamps_are_repaired_and_noted(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "d.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k, (at, picture) in enumerate(zip((0, 33, 66, 66, 100), gradient(5), strict=True)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = 33 * k, Fraction(1, 1000)
            for packet in stream.encode(frame):
                packet.pts = packet.dts = at
                container.mux(packet)
    stream = video(tmp_path, file="d.mkv")
    assert stream.axis.times_ns.tolist() == [0, 33_000_000, 66_000_000, 100_000_000]
    assert [frame.index for frame in stream.frames()] == [0, 1, 2, 3]
    assert any("repeat the time stamp" in note for note in stream.info.notes)


def test_a_stream_without_time_stamps_uses_its_frame_rate_and_says_so(tmp_path: Path) -> None:
    write(tmp_path / "raw.h264", gradient(20), [3600 * k for k in range(20)], options={"bf": "0"})
    stream = video(tmp_path, file="raw.h264")
    assert stream.axis.n == len(list(stream.frames())) == 20
    assert any("no time stamps" in note for note in stream.info.notes)


def test_missing_and_mislabelled_files(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("onset,duration\n1,2\n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="content is text"):
        video(tmp_path, file="text.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="empty"):
        video(tmp_path, file="empty.mp4")
    with pytest.raises(MissingFileError, match=r"Did you mean 'text\.mp4'"):
        video(tmp_path, file="txt.mp4")
    write(tmp_path / "really.avi", gradient(3), [0, 3000, 6000], "ffv1", "bgr0")
    (tmp_path / "really.avi").rename(tmp_path / "named.mp4")
    assert len(list(video(tmp_path, file="named.mp4").frames())) == 3


# Sound tracks ---------------------------------------------------------------------------------------------------------


def write_with_sound(path: Path, rate: int, start_s: float, seconds: float, codec: str = "pcm_s16le") -> np.ndarray:
    """A video from 0 s and stereo sound from `start_s`; returns the samples (n, 2), int16."""
    n = int(rate * seconds)
    t = np.arange(n) / rate
    samples = np.stack([8000 * np.sin(2 * np.pi * 440 * t), 12000 * np.sin(2 * np.pi * 3 * t)], axis=1).astype(np.int16)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mjpeg", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuvj420p"
        sound = container.add_stream(codec, rate=rate, layout="stereo")
        for k, picture in enumerate(gradient(int(25 * (start_s + seconds)))):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(pictures.encode(frame))
        for first in range(0, n, 1024):
            piece = samples[first : first + 1024]
            frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = first + round(start_s * rate)
            container.mux(sound.encode(frame))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    return samples


def test_sound_track_keeps_its_place_and_its_samples(tmp_path: Path) -> None:
    samples = write_with_sound(tmp_path / "s.mkv", 16_000, 0.5, 2.0)
    audio = open_stream(entry("audio", file="s.mkv"), tmp_path, None)
    assert isinstance(audio, Audio)
    assert (audio.rate_hz, audio.channels, audio.axis.n) == (16_000, 2, 32_000)
    assert abs(audio.axis.start_ns - 500_000_000) <= 1_000_000
    truth = samples.astype(np.float32) / 32768
    whole = audio.source(0, audio.axis.n)
    assert np.array_equal(whole, truth)
    for first, count in ((5_000, 3_000), (100, 50), (31_990, 100), (7_999, 1), (0, 10), (12_345, 9_000)):
        assert np.array_equal(audio.source(first, count), truth[first : first + count]), (first, count)
    overlapping = [block for _, block in audio.blocks(4_000, 500)]
    assert np.array_equal(overlapping[1], truth[3_500:7_500])
    one = open_stream(entry("audio", file="s.mkv", columns=["1"]), tmp_path, None)
    assert isinstance(one, Audio)
    assert one.channels == 1 and np.array_equal(one.source(10, 20)[:, 0], truth[10:30, 1])
    pulses = open_stream(entry("pulse", file="s.mkv", columns=["1"]), tmp_path, None)
    assert isinstance(pulses, Audio)
    assert np.array_equal(pulses.source(0, pulses.axis.n)[:, 0], truth[:, 1]) and pulses.axis == audio.axis


def test_lossy_sound_has_the_right_length_and_lag(tmp_path: Path) -> None:
    samples = write_with_sound(tmp_path / "s.mp4", 48_000, 0.0, 2.0, "aac")
    audio = open_stream(entry("audio", file="s.mp4"), tmp_path, None)
    assert isinstance(audio, Audio)
    decoded = audio.source(0, audio.axis.n)[:, 1]
    assert abs(audio.axis.n - len(samples)) <= 2048
    truth = samples[: len(decoded), 1] / 32768
    lags = range(-1200, 1201, 60)
    middle = slice(20_000, 70_000)
    shift = audio.axis.start_ns * 48_000 // 1_000_000_000
    errors = [np.abs(decoded[20_000 - shift + lag : 70_000 - shift + lag] - truth[middle]).mean() for lag in lags]
    assert abs(list(lags)[int(np.argmin(errors))]) <= 60


def test_chaptered_sound_stays_with_its_pictures(tmp_path: Path) -> None:
    first = write_with_sound(tmp_path / "a.mkv", 8_000, 0.0, 1.9)
    second = write_with_sound(tmp_path / "b.mkv", 8_000, 0.0, 1.0)
    pictures = video(tmp_path, files=["a.mkv", "b.mkv"])
    audio = open_stream(entry("audio", files=["a.mkv", "b.mkv"]), tmp_path, None)
    assert isinstance(audio, Audio)
    begins = int(pictures.axis.times_ns[47])
    assert begins == 1_880_000_000, "47 frames of 40 ms"
    at = begins * 8_000 // 1_000_000_000
    assert np.array_equal(audio.source(at, 800), second[:800].astype(np.float32) / 32768)
    assert np.array_equal(audio.source(at - 100, 100), first[at - 100 : at].astype(np.float32) / 32768)


def test_random_damage_never_escapes_as_another_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    for suffix, codec, pixels in (
        (".mkv", "ffv1", "bgr0"),
        (".mp4", "libx264", "yuv420p"),
        (".avi", "mjpeg", "yuvj420p"),
    ):
        whole = tmp_path / f"w{suffix}"
        write(whole, gradient(8), [3000 * k for k in range(8)], codec, pixels)
        data = np.frombuffer(whole.read_bytes(), np.uint8)
        for attempt in range(12):
            hurt = data.copy()
            hurt[rng.integers(0, len(hurt), 1 + 3 * attempt)] = rng.integers(0, 256, 1 + 3 * attempt)
            path = tmp_path / f"h{suffix}"
            path.write_bytes(hurt.tobytes())
            try:
                stream = video(tmp_path, file=path.name)
                times = [frame.t_ns for frame in stream.frames()]
            except TelltaleError:
                continue
            assert np.all(np.diff(times) > 0)
