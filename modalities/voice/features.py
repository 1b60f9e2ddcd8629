"""What the voice encoder declares: its columns, events and their sources."""

from __future__ import annotations

from data_schemas.features import EncoderSpec, FeatureSpec
from modalities.voice.egemaps_names import EGEMAPS_UNITS

EYBEN = "Eyben et al. 2016"
BOERSMA = "Boersma 1993"

SPEC = EncoderSpec(
    name="voice",
    version="2",
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
        FeatureSpec("hnr_db", "dB", "harmonics-to-noise ratio in 50 ms; only where voiced", -30, 50, "linear", BOERSMA),
        FeatureSpec(
            "jitter",
            "1",
            "difference of successive glottal periods over the mean period, in 0.2 s; only where voiced",
            0,
            0.5,
            "linear",
            f"{EYBEN}; inverse filtering: Davis 1976",
        ),
        FeatureSpec(
            "shimmer_db",
            "dB",
            "difference of the levels of successive glottal periods, in 0.2 s; only where voiced",
            0,
            30,
            "linear",
            f"{EYBEN}; inverse filtering: Davis 1976",
        ),
        *(
            FeatureSpec(
                f"f{number}_hz",
                "Hz",
                f"frequency of formant {number} in 25 ms; only where voiced",
                90,
                5300,
                "linear",
                "Markel & Gray 1976; Talkin 1987",
            )
            for number in (1, 2, 3)
        ),
        FeatureSpec("loudness", "1", "sum of the compressed auditory bands in 20 ms", 0, None, "linear", EYBEN),
        *(
            FeatureSpec(
                f"mfcc_{number}",
                "1",
                f"mel-frequency cepstral coefficient {number} of 26 bands in 20 ms, liftered",
                None,
                None,
                "linear",
                "Davis & Mermelstein 1980",
            )
            for number in range(1, 13)
        ),
    ),
    event_kinds=("speech_turn", "pause", "filled_pause", "response"),
    max_gap_s=0.05,
)

EGEMAPS_SPEC = tuple(
    FeatureSpec(name, unit, f"eGeMAPS low-level descriptor {name}", None, None, "linear", EYBEN)
    for name, unit in EGEMAPS_UNITS.items()
)
"""Columns that the setting `egemaps` adds, under their standard names."""
