"""What the physiology encoder declares: its columns, events and their sources."""

from __future__ import annotations

from data_schemas.features import EncoderSpec, FeatureSpec

SPEC = EncoderSpec(
    name="physiology",
    version="1",
    channel="physiology",
    inputs=("ecg", "eda", "respiration", "ppg", "temperature"),
    features=(
        FeatureSpec(
            "heart_rate_bpm", "bpm", "60 over the interval between beats; from the PPG where there is no ECG", 30, 220
        ),
        FeatureSpec(
            "rmssd_ms", "ms", "root mean square of successive differences of normal intervals in the 30 s before",
            0, 2000, "linear", "Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec("ecg_quality", "1", "correlation of the beats with the typical beat around them", 0, 1),
        FeatureSpec("eda_tonic_us", "uS", "skin conductance below 0.05 Hz", source="neurokit2, highpass"),
        FeatureSpec("eda_phasic_us", "uS", "skin conductance above 0.05 Hz", source="neurokit2, highpass"),
        FeatureSpec(
            "scr_rate", "1/min", "onsets of skin conductance responses in the 60 s before, per minute", 0, 60,
            "linear", "after Benedek & Kaernbach 2010",
        ),
        FeatureSpec("respiration_rate_bpm", "bpm", "60 over the interval between breaths", 3, 60),
        FeatureSpec("temperature_degc", "degC", "skin temperature", 10, 45),
    ),
    event_kinds=("r_peak", "scr"),
    max_gap_s=0.3,
)  # fmt: skip
