"""The simulated near-infrared camera: brighter, evener skin than in grey, hot spots, glasses, 8 or 16 bits."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pytest

from data_schemas.errors import InvalidValueError
from modalities.face.models import borrowed_models
from modalities.face.synthesis.mesh import look_up
from pipeline.simulate.face import PULSE_GAIN, puppet_of
from pipeline.simulate.face_nir import GAMMA, InfraredCamera, InfraredSensor
from pipeline.simulate.face_view import View
from pipeline.simulate.motion import FaceMotion


def motion(aus: dict[str, float] | None = None, **curves: float) -> FaceMotion:
    return FaceMotion(
        times_s=np.zeros(1),
        aus={name: np.full(1, value) for name, value in (aus or {}).items()},
        **{name: np.full(1, value) for name, value in curves.items()},
    )


@lru_cache(maxsize=6)
def camera(photograph: str = "astronaut", **quality: float) -> InfraredCamera:
    return InfraredCamera(puppet_of(photograph).seen_by(View()), InfraredSensor(**quality), 2)


def values(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    return look_up(picture.astype(np.float32), places[None].astype(np.float32))[0]


@pytest.mark.parametrize("photograph", ["astronaut", "hopper"])
def test_skin_is_brighter_and_evener_than_in_grey_and_features_are_weaker(photograph: str) -> None:
    one = camera(photograph)
    infrared = next(one.frames(motion())).astype(float)
    seen = puppet_of(photograph).seen_by(View())
    grey = cv2.cvtColor(np.clip(seen.draw(motion(), 0), 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(float)
    skin = look_up(puppet_of(photograph).portrait.skin, seen.trace(motion(), 0).place) > 0.8
    assert infrared[skin].mean() > grey[skin].mean() + 8
    assert infrared[skin].std() / infrared[skin].mean() < 0.85 * grey[skin].std() / grey[skin].mean()
    marks = seen.landmarks(motion(), 0)
    ring = marks[[205, 425, 118, 347]]
    features = [[0, 17]] if photograph == "hopper" else [[0, 17], [105, 334]]  # her brows are white, behind glasses
    for places in features:
        assert values(infrared, marks[places]).mean() / values(infrared, ring).mean() > (
            values(grey, marks[places]).mean() / values(grey, ring).mean()
        )
    assert infrared[:20, :20].mean() < 90


def test_hot_spots_lie_where_the_skin_faces_the_lamp_and_stay_there_when_the_head_turns() -> None:
    shiny, dull = camera(shine=1.0), camera(shine=0.0)
    for yaw in (0.0, 15.0):
        what = motion(yaw_deg=yaw)
        spots = shiny.draw(what, 0) - dull.draw(what, 0)
        marks = shiny.puppet.landmarks(what, 0)
        middle = values(spots, marks[[9, 8, 195, 4]]).max()
        rim = values(spots, marks[[127, 356, 132, 361]]).max()
        assert middle > 0.12 and rim < 0.05
        points = shiny.puppet.landmarks_mm(what, 0)
        assert points[:, 2].min() > 400
    straight, turned = (shiny.draw(m, 0) - dull.draw(m, 0) for m in (motion(), motion(yaw_deg=15.0)))
    nose = shiny.puppet.landmarks(motion(yaw_deg=15.0), 0)[4] - shiny.puppet.landmarks(motion(), 0)[4]
    rows, columns = slice(60, 180), slice(200, 460)

    def centre(spots: np.ndarray) -> float:
        part = np.clip(spots[rows, columns] - 0.08, 0, None)
        return float((part * np.arange(200, 460)).sum() / part.sum())

    assert abs(centre(turned) - centre(straight)) < 0.6 * abs(nose[0])
    light = shiny.draw(motion(), 0)
    assert 0.001 < np.mean(light > 1) < 0.08


def test_the_lamp_falls_off_towards_the_rim_and_with_distance() -> None:
    one = camera(shine=0.0)
    light = one.draw(motion(), 0)
    marks = one.puppet.landmarks(motion(), 0)
    assert values(light, marks[[127, 356]]).mean() < 0.75 * values(light, marks[[9, 195]]).mean()
    far = InfraredCamera(puppet_of().seen_by(View(distance_mm=1200.0)), InfraredSensor(shine=0.0), 2)
    assert np.median(far.draw(motion(), 0)[200:300, 260:380]) == pytest.approx(
        np.median(light[200:300, 260:380]), rel=0.25
    )


def test_both_depths_have_one_response_and_noise_of_their_own() -> None:
    eight, sixteen = camera(bits=8), camera(bits=16)
    light = eight.draw(motion(), 0)
    a, b = eight.expose(light), sixteen.expose(light)
    assert (a.dtype, b.dtype) == (np.uint8, np.uint16)
    assert np.abs(a / 255 - b / 65_535).mean() < 0.02
    signal = np.clip(light, 0, 1) ** (1 / GAMMA)
    middle = (signal > 0.4) & (signal < 0.9)
    found = (b / 65_535 - signal)[middle].std()
    assert found == pytest.approx(InfraredSensor().noise * (0.5 + signal[middle]).mean(), rel=0.1)
    assert not np.array_equal(eight.expose(light), eight.expose(light))


def test_the_pulse_is_there_but_weak() -> None:
    one = camera(shine=0.0)
    still, beating = (one.draw(motion(skin_pulse=value), 0) ** (1 / GAMMA) for value in (0.0, 1.0))
    skin = look_up(one.puppet.portrait.skin, one.puppet.trace(motion(), 0).place) > 0.9
    change = float(np.log(beating[skin] / still[skin]).mean())
    assert 0.1 * PULSE_GAIN[1] > change > 0.6 * PULSE_GAIN[1]


def test_glasses_have_a_dark_frame_that_moves_with_the_head_and_not_with_the_brows() -> None:
    bare, worn = camera(), camera(glasses=True)
    for what in (motion(), motion({"au01": 1.0, "au02": 1.0})):
        without, with_them = bare.draw(what, 0), worn.draw(what, 0)
        change = with_them - without
        assert np.mean(change < -0.2) > 0.008
        dark = change < -0.2
        rows, columns = np.nonzero(dark)
        eyes = worn.puppet.landmarks(motion(), 0)[[33, 263]]
        assert abs(columns.mean() - eyes[:, 0].mean()) < 15 and abs(rows.mean() - eyes[:, 1].mean()) < 25
    raised = (
        worn.draw(motion({"au01": 1.0, "au02": 1.0}), 0) - bare.draw(motion({"au01": 1.0, "au02": 1.0}), 0)
    ) < -0.2
    rest = (worn.draw(motion(), 0) - bare.draw(motion(), 0)) < -0.2
    assert np.mean(raised ^ rest) < 0.25 * np.mean(rest)


@pytest.mark.parametrize("glasses", [False, True])
@pytest.mark.parametrize("what", [motion({"au12_left": 0.5, "au12_right": 0.5}), motion(yaw_deg=15.0)])
def test_mediapipe_finds_the_face(what: FaceMotion, glasses: bool) -> None:
    one = camera(glasses=glasses)
    picture = one.expose(one.draw(what, 0))
    with borrowed_models() as models:
        mesh = models.mesh()
        found = mesh.find(np.repeat(picture[..., None], 3, axis=2))
        models.give_back(mesh)
    assert found is not None
    away = np.linalg.norm(found[:468, :2] - one.puppet.landmarks(what, 0)[:468], axis=1)
    assert np.median(away) / puppet_of().portrait.mesh.iod < 0.08


def test_wrong_sensors_are_refused() -> None:
    for wrong in ({"bits": 10}, {"noise": -0.1}, {"shine": -1.0}):
        with pytest.raises(InvalidValueError):
            InfraredSensor(**wrong)
    with pytest.raises(InvalidValueError, match="before a camera"):
        InfraredCamera(puppet_of())
