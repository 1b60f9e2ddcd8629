from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_schemas.errors import ClockError
from data_schemas.session import Region
from data_schemas.stream import Mark, Marks, Signal, StreamInfo, Video
from data_schemas.time import NS_PER_S, Explicit, Regular, to_ns
from pipeline.simulate.flashes import FlashCamera, flash_video
from sync.cues.brightness import measure_brightness
from sync.cues.flash import FlashEvidence, find_flashes

LED = Region(x=95, y=10, width=10, height=10)


def moments(seed: int, n: int, spacing_s: float = 2.0) -> np.ndarray:
    return 1 + np.cumsum(np.random.default_rng(seed).uniform(0.4, 1.6, n) * spacing_s)


def video(seed: int, on: np.ndarray, camera: FlashCamera | None = None, lit_s: float = 0.25) -> Video:
    return flash_video(camera or FlashCamera(), on, on + lit_s, float(on[-1]) + 2, seed)


def half_s(one: Video, onsets_ns: np.ndarray) -> np.ndarray:
    """Half the time between the frames around each onset: how far the true moment may lie off."""
    after = np.searchsorted(one.axis.times_ns, onsets_ns)
    return (one.axis.times_ns[after] - one.axis.times_ns[after - 1]) / 2 / NS_PER_S


def marks(times_s: np.ndarray) -> Marks:
    return Marks.of(StreamInfo("ttl", "markers", "amp"), [Mark(int(t)) for t in to_ns(times_s)])


@pytest.mark.parametrize(
    "camera",
    [
        FlashCamera(),
        FlashCamera(fps=15, exposure=1.0, readout=0.9, stamp="end"),
        FlashCamera(fps=60, exposure=0.1, stamp="middle", breathing=0.3),
        FlashCamera(led_xy=(8, 75), led_px=1.6, led_height=60),
        FlashCamera(dropped=0.05),
    ],
    ids=["plain", "slow", "breathing", "small", "dropped"],
)
def test_the_led_is_found_and_each_flash_timed_within_a_frame(camera: FlashCamera) -> None:
    on = moments(1, 12)
    shown = video(3, on, camera)
    found = find_flashes(shown)[0]
    assert len(found.times_ns) == len(on)
    off = np.abs(found.times_ns / NS_PER_S - on)
    assert np.median(off) < 1 / camera.fps
    assert np.all(off < 1.5 * half_s(shown, found.times_ns) + 1 / camera.fps)
    x, y = camera.led_xy
    assert found.region.x <= x < found.region.x + found.region.width
    assert found.region.y <= y < found.region.y + found.region.height


def test_a_dropped_frame_at_the_onset_leaves_it_between_its_neighbours() -> None:
    on = np.array([1.31, 3.52, 6.11, 7.93])
    whole = video(5, on, FlashCamera(exposure=0.05, readout=0.0))
    times, first = whole.axis.times_ns, int(np.searchsorted(whole.axis.times_ns, to_ns(on[1])))
    kept = np.delete(np.arange(len(times)), first)
    frames = [image for index, image in whole.source() if index != first]
    info = StreamInfo("v", "body_video", "v")
    thinned = Video(info=info, axis=Explicit(times[kept]), source=lambda: enumerate(frames), width=120, height=90)
    found = find_flashes(thinned)[0]
    half = half_s(thinned, found.times_ns)
    assert half[1] == pytest.approx(2 * half[0], rel=0.1)
    assert np.all(np.abs(found.times_ns / NS_PER_S - on) <= half + 0.002)


def test_a_region_may_be_named_and_shows_a_single_flash() -> None:
    found = find_flashes(video(7, np.array([4.0])), LED)[0]
    assert found.region == LED
    assert found.times_ns[0] / NS_PER_S == pytest.approx(4.0, abs=0.04)
    with pytest.raises(ClockError, match="nothing flashes in the region"):
        find_flashes(video(7, np.array([4.0])), Region(x=2, y=2, width=8, height=8))
    with pytest.raises(ClockError, match="outside the picture"):
        find_flashes(video(7, np.array([4.0])), Region(x=500, y=2, width=8, height=8))


@pytest.mark.parametrize("people", [True, False])
def test_movement_and_exposure_are_no_flash(people: bool) -> None:
    still = flash_video(FlashCamera(people=people, breathing=0.3), np.zeros(0), np.zeros(0), 25.0, 11)
    with pytest.raises(ClockError, match=r"nothing flashes in the picture.*video\.mp4"):
        find_flashes(still)


def test_light_of_the_whole_room_counts_too() -> None:
    on = moments(2, 8)
    camera = FlashCamera(led_px=300.0, led_height=30.0, breathing=0.02, people=False)
    found = find_flashes(video(4, on, camera))[0]
    assert len(found.times_ns) == len(on)
    assert np.abs(found.times_ns / NS_PER_S - on).max() < 0.06


@pytest.mark.parametrize(("offset_s", "drift_ppm", "seed"), [(12.5, 120.0, 1), (-40.0, -80.0, 2), (0.02, 0.0, 3)])
def test_flashes_against_triggers_within_one_frame(offset_s: float, drift_ppm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    on = moments(seed, 20)
    other = on * (1 + drift_ppm * 1e-6) + offset_s
    seen = np.sort(np.r_[np.delete(other, [3, 11]), rng.uniform(other[0], other[-1], 2)])
    shown = np.delete(on, [7])
    found = FlashEvidence().compare(video(seed, shown, FlashCamera(dropped=0.05)), marks(seen))
    at = found.anchor_ns / NS_PER_S
    assert abs(found.offset_s - (at * drift_ppm * 1e-6 + offset_s)) < 1 / 30
    assert 0.5 / 30 <= found.ci95_s < 1.5 / 30
    assert (found.method, found.own, found.against) == ("flash", "video", "ttl")
    assert len(found.times_ns) >= 15


def test_two_cameras_that_see_one_led() -> None:
    on = moments(9, 12)
    slow = FlashCamera(fps=25, led_xy=(15, 20), stamp="middle")
    one = video(1, on)
    other = flash_video(slow, on + 7.25, on + 7.5, float(on[-1]) + 9.5, 2, "other")
    found = FlashEvidence().compare(one, other)
    assert found.offset_s == pytest.approx(7.25, abs=0.04)
    back = FlashEvidence().compare(other, one)
    assert back.offset_s == pytest.approx(-found.offset_s, abs=0.01)


def test_a_photosensor_may_be_the_own_stream() -> None:
    on, rate = moments(6, 10), 500
    t = np.arange(round((on[-1] + 2) * rate)) / rate
    x = ((t[:, None] >= on) & (t[:, None] < on + 0.2)).any(axis=1).astype(float)
    sensor = Signal(
        info=StreamInfo("light", "pulse", "amp"),
        axis=Regular.from_rate(rate, len(t)),
        values=x[:, None],
        columns=("light",),
        units=("V",),
    )
    found = FlashEvidence().compare(sensor, marks(on - 3))
    assert found.offset_s == pytest.approx(-3, abs=0.002)


def test_of_two_blinking_things_the_one_with_partners_is_the_led() -> None:
    on, other = moments(1, 14), moments(50, 16)
    with_led = video(8, on, FlashCamera(led_height=40))
    lamp = flash_video(FlashCamera(led_xy=(10, 80), led_height=90, people=False), other, other + 0.3, 40, 8)

    def both() -> object:
        for (index, image), (_, extra) in zip(with_led.source(), lamp.source(), strict=False):
            mixed = image.copy()
            mixed[70:, :30] = extra[70:, :30]
            yield index, mixed

    found = FlashEvidence().compare(replace(with_led, source=both), marks(on + 5))  # type: ignore[arg-type]
    assert found.offset_s == pytest.approx(5, abs=0.04)


def test_nothing_in_common_is_said() -> None:
    with pytest.raises(ClockError, match="event"):
        FlashEvidence(max_offset_s=1.0).compare(video(1, moments(1, 6)), marks(np.array([500.0, 501.0])))
    with pytest.raises(ClockError, match="no event"):
        FlashEvidence().compare(video(1, moments(1, 6)), marks(np.zeros(0)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_brightness_is_kept_in_grey_levels_of_eight_bits(dtype: str) -> None:
    scale = np.iinfo(dtype).max // 255
    image = np.full((240, 320), 100 * scale, dtype)
    image[:40] = 20 * scale
    info = StreamInfo("nir", "face_nir", "nir")
    one = Video(
        info=info, axis=Regular.from_rate(10, 3), source=lambda: ((k, image) for k in range(3)), width=320, height=240
    )
    light = measure_brightness(one, Region(x=0, y=100, width=50, height=50))
    assert light.blocks.shape == (3, 18 * 24)
    assert light.levels(0) == pytest.approx(20, abs=0.1)
    assert light.levels(18 * 24 - 1) == pytest.approx(100, abs=0.1)
    assert light.region is not None
    assert light.region == pytest.approx(100, abs=0.1)
    assert light.gain() == pytest.approx(1)
    region = light.region_of(25)
    assert (region.x, region.y, region.width, region.height) == (13, 13, 13, 13)
