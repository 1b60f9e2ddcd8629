from __future__ import annotations

import numpy as np
import pytest

from pipeline.simulate.chance import generator
from pipeline.simulate.formants import glottal_flow, synthesize
from pipeline.simulate.physiology import Heart, draw_heart, phasic_at, record_physiology, scr_half_s, scr_rise_s
from pipeline.simulate.script import Script, plan_script
from pipeline.simulate.speech import draw_turn, mouth_at, pitch_at
from pipeline.simulate.trials import Response

RATE = 16_000


@pytest.fixture(scope="module", params=[0, 1, 2])
def script(request: pytest.FixtureRequest) -> Script:
    return plan_script(60, request.param)


@pytest.fixture(scope="module")
def heart(script: Script) -> Heart:
    return draw_heart(script, -2, 62)


def test_r_peaks_are_the_local_maxima_of_the_ecg(script: Script, heart: Heart) -> None:
    times = np.arange(-1, 61, 1 / 500)
    ecg = record_physiology(script, heart, times)[:, 0]
    known = heart.r_peaks_s[(heart.r_peaks_s > -0.9) & (heart.r_peaks_s < 60.9)]
    for peak in known:
        near = np.flatnonzero(np.abs(times - peak) < 0.25)
        assert abs(times[near[np.argmax(ecg[near])]] - peak) < 0.01
    higher = (ecg[1:-1] > ecg[:-2]) & (ecg[1:-1] >= ecg[2:]) & (ecg[1:-1] > 0.7)
    found = times[1:-1][higher]
    assert all(np.abs(known - t).min() < 0.012 for t in found[(found > -0.9) & (found < 60.9)]), "no beat but the known"


def test_the_heart_beats_at_its_rate_and_changes_with_breath_and_events(script: Script, heart: Heart) -> None:
    beats = heart.r_peaks_s
    momentary = 60 / np.diff(beats)
    assert np.abs(momentary - heart.rate_at((beats[1:] + beats[:-1]) / 2)).max() < 1.0
    assert np.mean(momentary) == pytest.approx(script.person.heart_rate_bpm, rel=0.1)
    assert np.std(momentary) > 1


def test_an_earlier_start_changes_no_beat(script: Script, heart: Heart) -> None:
    longer = draw_heart(script, -60, 62).r_peaks_s
    inside = heart.r_peaks_s[heart.r_peaks_s > 0]
    np.testing.assert_allclose(longer[longer > 0], inside, atol=1e-8)


def test_the_pulse_follows_the_r_peak_by_the_transit_time(heart: Heart) -> None:
    times = np.arange(5, 55, 0.002)
    for transit in (0.1, 0.35):
        pulse = heart.pulse_at(times, transit)
        assert np.abs(np.diff(pulse)).max() < 0.05, "no jumps"
        beats = heart.r_peaks_s[(heart.r_peaks_s > 6) & (heart.r_peaks_s < 53)]
        feet = []
        for beat in beats:
            here = (times > beat + transit - 0.25) & (times < beat + transit + 0.25)
            feet.append(times[here][np.argmin(pulse[here])] - beat)
        assert np.median(feet) == pytest.approx(transit, abs=0.06)
    shift = heart.pulse_at(times, 0.35) - heart.pulse_at(times - 0.25, 0.1)
    assert np.abs(shift).max() < 1e-9


def test_skin_responses_rise_at_their_onset(script: Script, heart: Heart) -> None:
    times = np.arange(0, 60, 1 / 500)
    eda = record_physiology(script, heart, times)[:, 1]
    smooth = np.convolve(eda, np.ones(100) / 100, "same")
    for scr in script.scrs:
        rise = scr_rise_s(scr.decay_s)

        def at(seconds: float) -> float:
            return float(smooth[np.searchsorted(times, min(seconds, 59.7))])

        before, after = at(scr.onset_s) - at(scr.onset_s - 0.8), at(scr.onset_s + 0.8) - at(scr.onset_s)
        assert after > before + 0.3 * scr.amplitude
        assert at(scr.onset_s + rise) > at(scr.onset_s) + 0.3 * scr.amplitude


def test_a_skin_response_has_its_amplitude_peak_and_half_recovery() -> None:
    times = np.arange(0, 30, 0.001)
    curve = phasic_at([Response(5.0, 0.4, 3.0)], times)
    assert not curve[times < 5].any()
    assert curve.max() == pytest.approx(0.4, rel=1e-3)
    assert times[np.argmax(curve)] == pytest.approx(5 + scr_rise_s(3.0), abs=0.005)
    assert curve[np.searchsorted(times, 5 + scr_half_s(3.0))] == pytest.approx(0.2, abs=0.002)


def autocorrelation_pitch(frame: np.ndarray, rate: float) -> float:
    frame = frame - frame.mean()
    spectrum = np.fft.rfft(frame * np.hanning(len(frame)), 4 * len(frame))
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(len(frame)), 4 * len(frame))) ** 2)
    lag = np.fft.irfft(np.abs(spectrum) ** 2)[: len(frame) // 2] / window[: len(frame) // 2]
    low, high = int(rate / 320), int(rate / 110)
    tops = [at for at in range(low, high) if lag[at] >= lag[at - 1] and lag[at] > lag[at + 1]]
    best = next(at for at in tops if lag[at] > 0.85 * max(lag[top] for top in tops))
    a, b, c = lag[best - 1 : best + 2]
    return rate / (best + 0.5 * (a - c) / (a - 2 * b + c))


def test_the_pitch_of_the_sound_is_the_pitch_of_the_script(script: Script) -> None:
    start, drift = -1.3, 80e-6
    n = 62 * RATE
    sound = synthesize(script.turns, n, RATE, start, drift, generator(0, "sound"))
    times = start + np.arange(n) * (1 + drift) / RATE
    _, voiced = pitch_at(script.turns, times)
    half, checked = RATE // 50, []
    for syllable in (s for turn in script.turns for s in turn.syllables):
        middle = int(np.searchsorted(times, (syllable.voiced_s + syllable.offset_s) / 2))
        assert voiced[middle - half : middle + half].all()
        true = float(np.mean(pitch_at(script.turns, times[middle - half : middle + half])[0]))
        found = autocorrelation_pitch(sound[middle - half : middle + half].astype(float), RATE / (1 + drift))
        checked.append(abs(found / true - 1))
    assert len(checked) > 15
    assert max(checked) < 0.02 and np.mean(checked) < 0.005


def test_pauses_are_near_silence_but_not_digital_silence(script: Script) -> None:
    n = 60 * RATE
    sound = synthesize(script.turns, n, RATE, 0.0, 0.0, generator(1, "sound"))
    times = np.arange(n) / RATE
    silent = np.ones(n, bool)
    for turn in script.turns:
        for phrase in turn.phrases:
            silent &= (times < phrase[0].onset_s - 0.001) | (times > phrase[-1].offset_s + 0.001)
    voiced = pitch_at(script.turns, times)[1]
    noise, speech = np.sqrt(np.mean(sound[silent] ** 2)), np.sqrt(np.mean(sound[voiced] ** 2))
    assert 1e-4 < noise < 2e-3
    assert speech > 50 * noise and np.abs(sound).max() < 1
    assert all(end - start >= 0.28 - 1e-9 for turn in script.turns for start, end in turn.pauses_s)


def test_a_slower_and_more_hesitant_turn_lasts_longer() -> None:
    def plan(**manner: float) -> float:
        return draw_turn(generator(5, "t"), 1.0, 0.5, 200.0, **manner).offset_s

    assert plan(pace=0.8) > plan()
    assert draw_turn(generator(5, "t"), 1.0, 6.0, 200.0).pauses_s


def test_the_mouth_opens_on_the_vowels() -> None:
    turn = draw_turn(generator(3, "t"), 2.0, 3.0, 200.0)
    times = np.arange(0, 8, 0.01)
    mouth = mouth_at([turn], times)
    assert mouth.min() == 0 and mouth.max() <= 1
    for s in turn.syllables:
        assert mouth[np.searchsorted(times, (s.voiced_s + s.offset_s) / 2)] > 0.15
    for start, end in turn.pauses_s:
        assert mouth[np.searchsorted(times, (start + end) / 2)] < 0.05


def test_the_glottis_opens_and_closes_within_its_period() -> None:
    flow = glottal_flow(np.array([0.0, 0.2, 0.4, 0.6, 0.9]))
    np.testing.assert_allclose(flow, [0, 0.5, 1, 0, 0], atol=1e-12)
