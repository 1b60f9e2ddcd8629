"""XDF files with known truth: device clocks that lag, drift and are reset, lost samples, markers, frame numbers.

Chunks as LabRecorder writes them: every half second of samples, a clock offset every five seconds, a boundary every
ten, footers at the end. Format: Kothe, "XDF file format specification 1.0" (2014).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from data_schemas.errors import InvalidValueError
from pipeline.simulate.chance import generator

CHUNK_S, OFFSET_S, BOUNDARY_S = 0.5, 5.0, 10.0
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_TYPES = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DeviceClock:
    """How a device counts: `own = lsl - offset_s - drift * (lsl - start)`, anew after each reset.

    Attributes:
        offset_s: LSL time minus the device's, at the start of each segment, seconds.
        drift_ppm: How much faster the recording computer counts, in each segment.
        resets_s: LSL times from which the next segment holds.
        noise_s: Standard deviation of the measured clock offsets; every tenth is ten times as far off.
    """

    offset_s: tuple[float, ...] = (0.0,)
    drift_ppm: tuple[float, ...] = (0.0,)
    resets_s: tuple[float, ...] = ()
    noise_s: float = 1e-4

    def own(self, lsl_s: Floats) -> Floats:
        """Device times of LSL times."""
        which = np.searchsorted(np.asarray(self.resets_s), lsl_s, side="right")
        starts = np.r_[0.0, self.resets_s]
        lag = np.asarray(self.offset_s)[which] + 1e-6 * np.asarray(self.drift_ppm)[which] * (lsl_s - starts[which])
        return np.asarray(lsl_s - lag, np.float64)


@dataclass(frozen=True, eq=False)
class SimulatedStream:
    """One stream to write.

    Attributes:
        name: Its name.
        type: Content type.
        lsl_s: True LSL time of each sample, increasing, shape (n,).
        values: Numbers, shape (n, c), or one word for each sample.
        rate_hz: Nominal rate, 0 for irregular.
        format: Channel format; "string" for words.
        labels: Channel labels.
        clock: Of the device.
        jitter_s: Standard deviation by which time stamps miss the truth.
        number: Stream id; the streams' order by default.
        uid: Of the outlet; differs for every stream by default.
        source_id: Of the device; the name by default.
        deduced: Leave out the time stamps that follow from the one before and the rate, as recorders do.
    """

    name: str
    type: str
    lsl_s: Floats
    values: NDArray[np.generic] | Sequence[str]
    rate_hz: float = 0.0
    format: str = "float32"
    labels: tuple[str, ...] = ("value",)
    clock: DeviceClock = DeviceClock()
    jitter_s: float = 0.0
    number: int | None = None
    uid: str | None = None
    source_id: str | None = None
    deduced: bool = False


def write_xdf(path: Path, streams: Sequence[SimulatedStream], seed: int = 0, *, footers: bool = True) -> None:
    """Write a recording.

    Args:
        path: File to write.
        streams: At least one.
        seed: Of jitter and of the noise of the clock offsets.
        footers: Close the recording properly.

    Raises:
        InvalidValueError: a stream whose values, labels and times do not fit each other.
    """
    for stream in streams:
        words = stream.format == "string"
        shape = (len(stream.values), 1) if words else np.shape(stream.values)
        if shape != (len(stream.lsl_s), len(stream.labels)) or (not words and stream.format not in _TYPES):
            raise InvalidValueError("the values of a simulated stream do not fit", stream=stream.name, got=shape)
    pieces: list[tuple[float, int, bytes]] = []
    ends: list[bytes] = []
    last = max((float(stream.lsl_s[-1]) for stream in streams if len(stream.lsl_s)), default=0.0)
    first = min((float(stream.lsl_s[0]) for stream in streams if len(stream.lsl_s)), default=0.0)
    head = chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
    for at, stream in enumerate(streams, 1):
        number = at if stream.number is None else stream.number
        head += header(stream, number)
        rng = generator(seed, f"xdf {number}")
        own = stream.clock.own(stream.lsl_s) + stream.jitter_s * rng.standard_normal(len(stream.lsl_s))
        slots = np.floor((stream.lsl_s - first) / CHUNK_S).astype(int) if len(own) else np.zeros(0, int)
        for slot in np.unique(slots).tolist():
            rows = np.flatnonzero(slots == slot)
            pieces.append((first + (slot + 1) * CHUNK_S, at, samples(stream, number, own, rows)))
        for when in np.arange(first, last + OFFSET_S / 2, OFFSET_S).tolist():
            there = float(stream.clock.own(np.array([when]))[0])
            off = stream.clock.noise_s * rng.standard_normal() * (10 if rng.random() < 0.1 else 1)
            pieces.append((when, at, chunk(4, struct.pack("<Idd", number, there, when - there + off))))
        text = f"<?xml version='1.0'?><info><sample_count>{len(own)}</sample_count></info>"
        ends.append(chunk(6, struct.pack("<I", number) + text.encode()))
    pieces += [(float(when), -1, chunk(5, BOUNDARY)) for when in np.arange(first, last, BOUNDARY_S)]
    body = b"".join(piece for _, _, piece in sorted(pieces, key=lambda one: one[:2]))
    path.write_bytes(b"XDF:" + head + body + (b"".join(ends) if footers else b""))


def chunk(tag: int, content: bytes) -> bytes:
    """One chunk with its length."""
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def header(stream: SimulatedStream, number: int) -> bytes:
    """The header chunk of a stream."""
    channels = "".join(f"<channel><label>{escape(label)}</label></channel>" for label in stream.labels)
    uid = f"{stream.name}-{number}" if stream.uid is None else stream.uid
    source = stream.name if stream.source_id is None else stream.source_id
    text = (
        f"<?xml version='1.0'?><info><name>{escape(stream.name)}</name><type>{escape(stream.type)}</type>"
        f"<channel_count>{len(stream.labels)}</channel_count><nominal_srate>{stream.rate_hz}</nominal_srate>"
        f"<channel_format>{stream.format}</channel_format><source_id>{escape(source)}</source_id><uid>{escape(uid)}</uid>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    return chunk(2, struct.pack("<I", number) + text.encode())


def samples(stream: SimulatedStream, number: int, own_s: Floats, rows: NDArray[np.integer]) -> bytes:
    """One chunk with the samples of these rows."""
    out = [struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(rows))]
    for place, row in enumerate(rows.tolist()):
        follows = place > 0 and stream.rate_hz > 0 and abs(own_s[row] - own_s[row - 1] - 1 / stream.rate_hz) < 1e-6
        out.append(b"\x00" if stream.deduced and follows else b"\x08" + struct.pack("<d", own_s[row]))
        if stream.format == "string":
            word = str(stream.values[row]).encode()
            out.append(b"\x04" + struct.pack("<I", len(word)) + word)
        else:
            out.append(np.asarray(stream.values[row]).astype(_TYPES[stream.format]).tobytes())
    return chunk(3, b"".join(out))
