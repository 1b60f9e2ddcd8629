from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.time import NS_PER_S, to_ns
from sync.clock import ClockMap
from sync.estimate import Estimate
from sync.solve import Link, solve

MIDDLE = 60 * NS_PER_S


@dataclass
class Truth:
    """Clock -> (offset s, drift ppm) to the session clock."""

    clocks: dict[str, tuple[float, float]]

    def map_of(self, name: str) -> ClockMap:
        return ClockMap.affine(*self.clocks[name])

    def link(
        self,
        own: str,
        against: str,
        method: str = "sound",
        wrong_s: float = 0.0,
        ci95_s: float = 4e-3,
        noise_s: float = 0.0,
    ) -> Link:
        """What a cue in the middle of the session says, with an error."""
        anchor = int(self.map_of(own).inverse(np.array([MIDDLE]))[0])
        there = int(self.map_of(against).inverse(np.array([MIDDLE]))[0])
        ratio = (1 + self.clocks[own][1] * 1e-6) / (1 + self.clocks[against][1] * 1e-6) - 1
        offset_s = (there - anchor) / NS_PER_S + wrong_s + noise_s
        estimate = Estimate(
            method, f"{own}_stream", f"{against}_stream", anchor, offset_s, ci95_s, ratio * 1e6, drift_ci95_ppm=5.0
        )
        return Link(own, against, estimate)


TRUTH = Truth({"session": (0.0, 0.0), "cam": (3.2, 40.0), "amp": (-12.5, -80.0), "phone": (41.0, 150.0)})


def tree(*links: Link) -> dict[str, ClockMap]:
    maps = {"session": ClockMap.affine()}
    for link in links:
        maps[link.own] = link.estimate.clock_map.then(maps[link.against])
    return maps


def error_ms(found: ClockMap, name: str) -> float:
    moments = TRUTH.map_of(name).inverse(to_ns(np.array([0.0, 60.0, 120.0])))
    return float(np.abs(found(moments) - TRUTH.map_of(name)(moments)).max()) / 1e6


def test_agreeing_evidence_sharpens_the_maps() -> None:
    rough = TRUTH.link("amp", "session", "markers", noise_s=0.02, ci95_s=0.05)
    cam = TRUTH.link("cam", "session", "markers", noise_s=0.0005)
    sharp = TRUTH.link("amp", "cam", noise_s=0.0005)
    first = tree(rough, cam)
    found = solve(first, [rough, cam, sharp], ["session"], MIDDLE)
    assert error_ms(first["amp"], "amp") > 15
    assert error_ms(found.maps["amp"], "amp") < 4
    assert not any(one.contradicts for one in found.standings)


def test_a_wrong_link_among_two_loops_is_named_with_its_size_and_not_heeded() -> None:
    good = [
        TRUTH.link("cam", "session", "markers"),
        TRUTH.link("amp", "session", "markers"),
        TRUTH.link("phone", "session", "ltc"),
        TRUTH.link("phone", "cam"),
        TRUTH.link("amp", "phone", "motion"),
    ]
    bad = TRUTH.link("amp", "cam", wrong_s=0.503)
    found = solve(tree(*good[:3]), [*good, bad], ["session"], MIDDLE)
    blamed = [one for one in found.standings if one.contradicts]
    assert [one.link for one in blamed] == [bad]
    assert blamed[0].suspects == (bad,)
    assert blamed[0].off_s == pytest.approx(0.503, abs=0.003)
    assert max(error_ms(found.maps[name], name) for name in ("cam", "amp", "phone")) < 2


def test_in_one_loop_all_links_are_suspects_and_the_least_sure_is_not_heeded() -> None:
    cam = TRUTH.link("cam", "session", "markers", ci95_s=2e-3)
    amp = TRUTH.link("amp", "session", "markers", ci95_s=2e-3)
    bad = TRUTH.link("amp", "cam", wrong_s=0.2, ci95_s=2e-2)
    found = solve(tree(cam, amp), [cam, amp, bad], ["session"], MIDDLE)
    assert all(one.contradicts and len(one.suspects) == 3 for one in found.standings)
    assert error_ms(found.maps["amp"], "amp") < 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_noise_within_the_intervals_contradicts_nothing(noise: list[float]) -> None:
    pairs = [("cam", "session"), ("amp", "session"), ("amp", "cam"), ("phone", "cam")]
    links = [
        TRUTH.link(own, against, noise_s=0.5 * 4e-3 * part) for (own, against), part in zip(pairs, noise, strict=True)
    ]
    found = solve(tree(links[0], links[1], links[3]), links, ["session"], MIDDLE)
    assert not any(one.contradicts for one in found.standings)
    assert max(error_ms(found.maps[name], name) for name in ("cam", "amp", "phone")) < 8


def test_a_clock_that_nothing_links_stays() -> None:
    cam = TRUTH.link("cam", "session")
    first = {**tree(cam), "phone": ClockMap.affine(5.0)}
    found = solve(first, [cam, TRUTH.link("cam", "session", "markers", noise_s=1e-3)], ["session"], MIDDLE)
    assert found.maps["phone"] is first["phone"]


@given(st.floats(-60, 60), st.floats(-200, 200), st.integers(0, 10**12))
def test_an_estimate_reversed_is_the_inverse_map(offset_s: float, drift_ppm: float, anchor_ns: int) -> None:
    one = Estimate("sound", "a", "b", anchor_ns, offset_s, 1e-3, drift_ppm)
    moments = anchor_ns + to_ns(np.array([-500.0, 0.0, 500.0]))
    there = one.clock_map(moments)
    assert np.abs(one.reversed().clock_map(there) - moments).max() <= 2
    assert one.reversed().own == "b"
