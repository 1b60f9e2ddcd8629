"""The table of readers: format -> "module:Class", imported only when used; and what suffixes promise."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from modalities.readers.info import Reader

READERS: dict[str, str] = {
    "media": "modalities.readers.media:MediaReader",
    "images": "modalities.readers.image_sequence:ImageSequenceReader",
    "arrays": "modalities.readers.picture_arrays:PictureArrayReader",
    "sound": "modalities.readers.sound_file:SoundFileReader",
    "xdf": "modalities.readers.xdf:XdfReader",
    "edf": "modalities.readers.edf:EdfReader",
    "brainvision": "modalities.readers.brainvision:BrainVisionReader",
    "wfdb": "modalities.readers.wfdb_record:WfdbReader",
    "biopac": "modalities.readers.biopac:BiopacReader",
    "opensignals": "modalities.readers.opensignals:OpenSignalsReader",
    "empatica": "modalities.readers.empatica:EmpaticaReader",
    "bids_physio": "modalities.readers.bids_physio:BidsPhysioReader",
    "eyetracker": "modalities.readers.eyetracker:EyeTrackerReader",
    "experiment_log": "modalities.readers.experiment_logs:ExperimentLogReader",
    "labchart": "modalities.readers.labchart:LabChartReader",
    "biopac_text": "modalities.readers.biopac_text:BiopacTextReader",
    "table": "modalities.readers.table:TableReader",
    "events": "modalities.readers.events:EventTableReader",
}

_VIDEO = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".wmv",
    ".asf",
    ".flv",
    ".3gp",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
)
_MORE_MEDIA = (".mpeg", ".vob", ".ogv", ".mjpeg", ".h264", ".y4m", ".m4a", ".aac", ".wma", ".opus", ".mka")

SUFFIXES: dict[str, str] = {
    **dict.fromkeys((*_VIDEO, *_MORE_MEDIA), "media"),
    **dict.fromkeys([".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".w64", ".au"], "sound"),
    **dict.fromkeys([".xdf", ".xdfz"], "xdf"),
    **dict.fromkeys([".edf", ".bdf", ".rec"], "edf"),
    ".vhdr": "brainvision",
    ".hea": "wfdb",
    ".acq": "biopac",
    ".npy": "arrays",
    **dict.fromkeys([".csv", ".tsv", ".txt", ".tab", ".asc"], "table"),
}
"""What a suffix promises; the content may overrule it."""

PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".pgm")

COMPANIONS: dict[str, str] = {
    ".dat": ".hea",
    ".atr": ".hea",
    ".qrs": ".hea",
    ".eeg": ".vhdr",
    ".vmrk": ".vhdr",
}
"""Files that are read through a header beside them."""

UNSUPPORTED: dict[str, str] = {
    ".mat": "Save the signals as CSV, with a time column or a known rate.",
    ".xlsx": "Save the sheet as CSV.",
    ".xls": "Save the sheet as CSV.",
    ".ods": "Save the sheet as CSV.",
    ".h5": "Export the signals as CSV or EDF.",
    ".hdf5": "Export the signals as CSV or EDF.",
    ".npz": "Save depth or infrared pictures as one .npy array, 16-bit PNG or FFV1 video, signals as CSV.",
    ".bag": "Export the streams as FFV1 video or numbered 16-bit PNG.",
    ".adicht": "Export the channels as text or EDF from LabChart.",
    ".smr": "Export the channels as text or EDF from Spike2.",
    ".cnt": "Export the recording as EDF or BrainVision.",
    ".set": "Export the recording as EDF or BrainVision.",
    ".fif": "Export the recording as EDF or BrainVision.",
    ".gdf": "Export the recording as EDF or BDF.",
    ".c3d": "Export the channels as CSV.",
}
"""Recordings that cannot be read, and what to do instead."""


def load_reader(name: str) -> Reader:
    """The reader of this format."""
    module, _, attribute = READERS[name].partition(":")
    return cast(Reader, getattr(import_module(module), attribute)())
