"""What a column's name and unit say it is: kind of stream, canonical unit, unit of the field."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

_WORDS: dict[str, tuple[str, ...]] = {
    "ppg": ("ppg", "bvp", "pleth", "pox", "photoplethysmogram"),
    "ecg": ("ecg", "ekg", "mlii", "mli", "mliii", "avr", "avl", "avf"),
    "eda": ("eda", "gsr", "scl", "sympathetic", "skincond", "conductance", "galvanic"),
    "respiration": ("rsp", "resp", "rip", "pzt", "airflow", "belt", "thorax", "abdomen"),
    "temperature": ("temp", "skt", "thermistor", "sktemp"),
    "acceleration": ("acc", "accel", "accx", "accy", "accz", "imu"),
    "pulse": (
        *("photosensor", "photodiode", "photocell", "photo", "ttl", "trigger", "triggers", "trig", "trg", "sync"),
        *("digital", "dig", "di", "din", "marker", "markers", "stim", "sti"),
    ),
}
_STEMS: dict[str, tuple[str, ...]] = {
    "ppg": ("plethysm", "photopleth"),
    "ecg": ("electrocard",),
    "eda": ("electroderm",),
    "respiration": ("respir", "breath"),
    "temperature": ("temperat",),
    "acceleration": ("acceler",),
}
_DERIVED = frozenset(
    [
        "differentiated",
        "derivative",
        "diff",
        "rate",
        "bpm",
        "hr",
        "hrv",
        "ibi",
        "rr",
        "peak",
        "peaks",
        "quality",
        "phasic",
        "tonic",
        "scr",
        "onsets",
        "offsets",
        "amplitude",
        "phase",
        "symmetry",
        "variability",
        "interval",
        "intervals",
        "integrated",
        "index",
    ]
)
_LEADS = frozenset(("i", "ii", "iii", "v1", "v2", "v3", "v4", "v5", "v6"))
_UNIT_KINDS = {"uS": "eda", "S": "eda", "mS": "eda", "degC": "temperature", "degF": "temperature"}
_UNIT_KINDS |= {"g": "acceleration", "m/s2": "acceleration"}

_UNITS: dict[str, str] = {
    **dict.fromkeys(("mv", "millivolt", "millivolts"), "mV"),
    **dict.fromkeys(("uv", "microvolt", "microvolts"), "uV"),
    **dict.fromkeys(("v", "volt", "volts"), "V"),
    **dict.fromkeys(
        ("us", "microsiemens", "microsiemen", "micro siemens", "usiemens", "umho", "umhos", "micromho"), "uS"
    ),
    **dict.fromkeys(("siemens",), "S"),
    **dict.fromkeys(("degc", "deg c", "c", "celsius", "degrees celsius", "°c", "deg.c"), "degC"),
    **dict.fromkeys(("degf", "deg f", "f", "fahrenheit", "°f"), "degF"),
    **dict.fromkeys(("k", "kelvin"), "K"),
    **dict.fromkeys(("m/s2", "m/s^2", "m/s/s", "m s-2", "m/s²"), "m/s2"),
    **dict.fromkeys(("g",), "g"),
    **dict.fromkeys(("", "1", "n/a", "na", "none", "unknown", "au", "a.u.", "arb"), "1"),
}
_NAME_UNITS = ("mv", "uv", "v", "us", "degc", "degf", "celsius", "volt", "volts", "microsiemens")
_TIME_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "usec", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("sample", "samples"), "samples"),
}
_FIELD: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "ecg": ("mV", {"V": (1e3, 0.0), "uV": (1e-3, 0.0), "nV": (1e-6, 0.0)}),
    "eda": ("uS", {"S": (1e6, 0.0), "mS": (1e3, 0.0), "nS": (1e-3, 0.0)}),
    "temperature": ("degC", {"K": (1.0, -273.15), "degF": (5 / 9, -160 / 9)}),
}


def words_of(name: str) -> list[str]:
    """The words of a column name, lower case: "PhotoSensor_1" gives photo, sensor, photosensor, 1."""
    out: list[str] = []
    for chunk in re.findall(r"[^\W_]+", name):
        parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", chunk)
        out += [part.lower() for part in parts]
        letters = re.sub(r"\d+", "", chunk).lower()
        if len(parts) > 1 and letters:
            out.append(letters)
    return out


def guess_kind(name: str, unit: str) -> str | None:
    """Kind of stream of a column by its name, or by its unit where the name says nothing.

    Args:
        name: Column or channel name.
        unit: Its unit as the file has it; "" for none.

    Returns:
        A key of `data_schemas.session.STREAM_KINDS`, or None when it cannot be told. Columns that were derived from a
        signal (rates, peaks, derivatives) are no signal themselves.
    """
    words = words_of(name)
    if _DERIVED & set(words):
        return None
    for kind, known in _WORDS.items():
        stems = _STEMS.get(kind, ())
        if any(word in known or (stems and word.startswith(stems)) for word in words):
            return kind
    if "skin" in words and any(word.startswith("cond") for word in words):
        return "eda"
    if name.strip().lower() in _LEADS:
        return "ecg"
    return _UNIT_KINDS.get(canonical_unit(unit))


def canonical_unit(unit: str | None) -> str:
    """One spelling for each unit: "Volts" gives "V", "microsiemens" and "µS" give "uS"; "1" where none is stated."""
    text = (unit or "").strip().replace("µ", "u").replace("μ", "u")
    if text in ("S", "mS", "nS", "kS"):
        return text
    return _UNITS.get(text.lower(), text)


def unit_in_name(name: str) -> str:
    """Unit that a column's name ends with ("EDA [uS]", "ecg_mv"), canonical; "1" where it states none."""
    bracket = re.search(r"[\[(]([^\])]*)[\])]", name)
    if bracket:
        return canonical_unit(bracket.group(1))
    words = re.split(r"[\s_.-]+", name.strip().lower().replace("µ", "u").replace("μ", "u"))
    return canonical_unit(words[-1]) if len(words) > 1 and words[-1] in _NAME_UNITS else "1"


def time_unit_in_name(name: str) -> str | None:
    """Unit of time in a column's name ("time_ms", "Time [s]", "onset_samples"); None where it states none."""
    bracket = re.search(r"[\[(]([^\])]*)[\])]", name)
    text = bracket.group(1) if bracket else re.split(r"[\s_.-]+", name.strip())[-1]
    return _TIME_UNITS.get(text.strip().lower().replace("µ", "u").replace("μ", "u"))


def to_field_unit(kind: str, values: NDArray[np.floating], unit: str) -> tuple[NDArray[np.floating], str]:
    """Values in the unit that the field uses for this kind: mV for ECG, uS for EDA, degC for temperature.

    Args:
        kind: Kind of the stream.
        values: Any shape.
        unit: Canonical unit they are in.

    Returns:
        Converted values and unit; both as given where the unit is not one of this quantity.
    """
    wanted, known = _FIELD.get(kind, ("", {}))
    if unit not in known:
        return values, unit
    scale, shift = known[unit]
    return (values * scale + shift).astype(values.dtype), wanted
