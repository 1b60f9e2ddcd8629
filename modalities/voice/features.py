"""What the voice encoder declares: its columns, events and their sources."""

from __future__ import annotations

from data_schemas.features import EncoderSpec, FeatureSpec

SPEC = EncoderSpec(
    name="voice",
    version="1",
    channel="voice",
    inputs=("audio",),
    features=(
        FeatureSpec(
            "speech",
            "1",
            "1 where there is speech",
            0,
            1,
            "nearest",
            "Ramirez et al. 2004; Martin 2001; Ghosh et al. 2011",
        ),
        FeatureSpec("pitch_hz", "Hz", "fundamental frequency; only where voiced", 60, 500, "linear", "Boersma 1993"),
        FeatureSpec("voicing", "1", "probability that the sound is voiced", 0, 1, "linear", "Boersma 1993"),
        FeatureSpec("intensity_db", "dB", "level in 50 ms re full scale; a sine of full scale has -3 dB", -120, 20),
        FeatureSpec("mel_mean_db", "dB", "mean level of 40 mel bands re full scale", -100, 20, "linear", "torchaudio"),
        FeatureSpec("mel_std_db", "dB", "spread of the levels of 40 mel bands", 0, 100, "linear", "torchaudio"),
        FeatureSpec("spectral_centroid_hz", "Hz", "centre of gravity of the power spectrum above 50 Hz", 0, 8001),
        FeatureSpec(
            "spectral_tilt_db_per_octave", "dB/octave", "slope of the power density from 125 to 5000 Hz", -60, 60
        ),
        FeatureSpec("talking_share", "1", "share of speech in the 10 s before", 0, 1),
        FeatureSpec(
            "syllable_rate_hz",
            "Hz",
            "syllable nuclei per second of speech within 3 s around; only near speech",
            0,
            15,
            "linear",
            "de Jong & Wempe 2009",
        ),
    ),
    event_kinds=("speech_turn", "pause"),
    max_gap_s=0.05,
)
