"""What the physiology encoder declares: its columns, events and their sources."""

from __future__ import annotations

from data_schemas.features import EncoderSpec, FeatureSpec

SPEC = EncoderSpec(
    name="physiology",
    version="2",
    channel="physiology",
    inputs=("ecg", "eda", "respiration", "ppg", "temperature"),
    features=(
        FeatureSpec(
            "heart_rate_bpm", "bpm", "60 over the interval between beats, missed, extra and ectopic ones corrected; "
            "from the PPG where there is no ECG", 30, 220, source="beats: own detector after Pan & Tompkins 1985",
        ),
        FeatureSpec(
            "rmssd_ms", "ms", "root mean square of successive differences of normal intervals in the 30 s before",
            0, 2000, "linear", "Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec(
            "ecg_quality", "1", "correlation of the beats with the typical beat around them, median of 5 beats", 0, 1,
            source="after Orphanidou et al. 2015 (template matching)",
        ),
        FeatureSpec("eda_tonic_us", "uS", "skin conductance below 0.05 Hz", source="neurokit2, highpass"),
        FeatureSpec("eda_phasic_us", "uS", "skin conductance above 0.05 Hz", source="neurokit2, highpass"),
        FeatureSpec(
            "scr_rate", "1/min", "onsets of skin conductance responses in the 60 s before, per minute", 0, 60,
            "linear", "after Benedek & Kaernbach 2010",
        ),
        FeatureSpec(
            "respiration_rate_bpm", "bpm", "60 over the interval between breaths", 3, 60,
            source="peaks of the 0.05 to 1 Hz band",
        ),
        FeatureSpec(
            "temperature_degc", "degC", "skin temperature", 10, 45, source="as measured; range of skin in contact"
        ),
        FeatureSpec(
            "sdnn_ms", "ms", "standard deviation of normal intervals in the 60 s before", 0, 2000,
            source="Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec(
            "pnn50", "1", "share of successive normal intervals more than 50 ms apart, in the 60 s before", 0, 1,
            source="Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec(
            "lf_ms2", "ms2", "power of the beat-to-beat interval from 0.04 to 0.15 Hz in the 120 s before", 0,
            source="Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec(
            "hf_ms2", "ms2", "power of the beat-to-beat interval from 0.15 to 0.4 Hz in the 60 s before", 0,
            source="Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec(
            "lf_hf", "1", "LF over HF power, both of the 120 s before", 0, 1000,
            source="Task Force of the ESC and NASPE 1996",
        ),
        FeatureSpec(
            "beat_quality", "1", "how sure the beats are beats and in their place, median of 5 beats", 0, 1,
            source="own index, fitted to simulated ECG (benchmarks/beat_index.py)",
        ),
        FeatureSpec(
            "respiration_line_length", "1/s", "way of the breathing line per second over the 10 s before, in depths of "
            "an ordinary breath of the person", 0, source="Timm 1982",
        ),
        FeatureSpec(
            "pulse_amplitude", "1", "height of the pulse wave over the person's median, median of 5 pulses", 0, 100,
            source="Elaad & Ben-Shakhar 2006 (vasoconstriction)",
        ),
    ),
    event_kinds=("r_peak", "scr", "reaction"),
    max_gap_s=0.3,
)  # fmt: skip
