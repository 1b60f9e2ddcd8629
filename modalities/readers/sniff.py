"""What a file is: by its content first, by its suffix where the content does not tell."""

from __future__ import annotations

from pathlib import Path

from data_schemas.errors import MissingFileError, UnreadableFileError
from modalities.readers.faults import reading
from modalities.readers.info import FileInfo
from modalities.readers.registry import COMPANIONS, PICTURE_SUFFIXES, READERS, SUFFIXES, UNSUPPORTED, load_reader
from modalities.readers.text_lines import program_of

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"XDF:", "xdf", "an XDF file"),
    (0, b"\x1aE\xdf\xa3", "media", "a Matroska or WebM file"),
    (4, b"ftyp", "media", "an MP4 or QuickTime file"),
    (4, b"moov", "media", "a QuickTime file"),
    (4, b"mdat", "media", "a QuickTime file"),
    (8, b"AVI ", "media", "an AVI file"),
    (0, b"FLV\x01", "media", "a Flash video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "media", "a Windows Media file"),
    (0, b"\x00\x00\x01\xba", "media", "an MPEG file"),
    (8, b"WAVE", "sound", "a WAV file"),
    (0, b"fLaC", "sound", "a FLAC file"),
    (0, b"OggS", "sound", "an Ogg file"),
    (0, b"ID3", "sound", "an MP3 file"),
    (0, b"FORM", "sound", "an AIFF file"),
    (0, b"\xffBIOSEMI", "edf", "a BDF file"),
    (0, b"0       ", "edf", "an EDF file"),
    (0, b"Brain Vision Data Exchange Header", "brainvision", "a BrainVision header"),
    (0, b"BrainVision Data Exchange Header", "brainvision", "a BrainVision header"),
    (0, b"# OpenSignals", "opensignals", "an OpenSignals text file"),
    (0, b"\x93NUMPY", "arrays", "a NumPy array"),
    (0, b"\x89PNG\r\n\x1a\n", "picture", "a PNG picture"),
    (0, b"\xff\xd8\xff", "picture", "a JPEG picture"),
    (0, b"II*\x00", "picture", "a TIFF picture"),
    (0, b"MM\x00*", "picture", "a TIFF picture"),
    (0, b"BM", "picture", "a BMP picture"),
    (0, b"GIF8", "picture", "a GIF picture"),
    (0, b"%PDF", "other", "a PDF document"),
    (0, b"PK\x03\x04", "other", "a zip archive"),
    (0, b"\x89HDF\r\n", "other", "an HDF5 file"),
    (0, b"\xd0\xcf\x11\xe0", "other", "an old Office document"),
    (0, b"\x7fELF", "other", "a program"),
)
_TEXT_MAGIC = ("BM", "FORM", "ID3")
"""Signatures that a table of text could begin with by chance; they count only where binary bytes follow."""
_SUPPORTED = (
    "video, sound, NumPy pictures (.npy), XDF, EDF/BDF, BrainVision, WFDB, BIOPAC .acq or text, LabChart text, "
    "OpenSignals, Empatica E4, eye tracker (Tobii, Pupil Labs, EyeLink ASC), PsychoPy, E-Prime, CSV/TSV or BIDS physio"
)


def probe_path(path: Path) -> FileInfo:
    """`modalities.readers.probe`."""
    path = resolve(path)
    form = identify(path)
    with reading(path, f"a recording ({form})"):
        return load_reader(form).probe(path)


def resolve(path: Path) -> Path:
    """The path that a reader wants: the header for a companion file (`100.dat` gives `100.hea`).

    Raises:
        MissingFileError: it does not exist.
    """
    header = COMPANIONS.get(path.suffix.lower())
    if header is not None and path.with_suffix(header).is_file():
        return path.with_suffix(header)
    if not path.exists():
        raise MissingFileError("no such file", file=path)
    return path


def identify(path: Path) -> str:
    """Format of a file or folder that exists: a key of `modalities.readers.registry.READERS`.

    Raises:
        UnreadableFileError: it is empty, no recording, or of a format that is not supported; or its content is of a
            kind that its suffix cannot mean.
    """
    if path.is_dir():
        return _identify_folder(path)
    try:
        with path.open("rb") as handle:
            head = handle.read(4096)
    except OSError as error:
        raise UnreadableFileError("the file cannot be opened", file=path, got=error.strerror) from error
    if not head:
        raise UnreadableFileError(
            "the file is empty", file=path, mend="Was the recording stopped properly, or copied whole?"
        )
    if not any(head) and path.stat().st_size > 16:
        raise UnreadableFileError("the file begins with nothing but zero bytes", file=path, mend="Copy it again.")
    suffix = path.suffix.lower()
    found, words = _by_content(head)
    if found in ("picture", "other"):
        raise _wrong_content(path, found, words, suffix)
    if found is not None:
        if found == "sound" and head[:4] == b"OggS" and suffix in (".ogv", ".opus", ".ogx"):
            return "media"
        return found
    return _by_suffix(path, head)


def _identify_folder(path: Path) -> str:
    from modalities.readers.empatica import is_export
    from modalities.readers.image_sequence import numbered_pictures

    if is_export(path):
        return "empatica"
    if numbered_pictures(path):
        return "images"
    raise UnreadableFileError(
        "the folder is neither an Empatica E4 export nor a sequence of numbered pictures",
        file=path,
        mend="Name a file in it.",
    )


def _by_content(head: bytes) -> tuple[str | None, str]:
    for at, magic, found, words in _MAGIC:
        if head[at : at + len(magic)] != magic:
            continue
        if magic.decode("latin-1") in _TEXT_MAGIC and looks_like_text(head):
            continue
        return found, words
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return "sound", "an MP3 file"
    return None, ""


def _by_suffix(path: Path, head: bytes) -> str:
    from modalities.readers.empatica import is_single_export

    suffix = path.suffix.lower()
    name = path.name.lower()
    if name.endswith((".tsv.gz", ".csv.gz")):
        return "bids_physio" if name.endswith(("_physio.tsv.gz", "_stim.tsv.gz")) else "table"
    if is_single_export(path):
        return "empatica"
    if suffix in UNSUPPORTED:
        raise UnreadableFileError(f"{suffix} files are not supported", file=path, mend=UNSUPPORTED[suffix])
    if suffix in COMPANIONS:
        raise UnreadableFileError(
            f"a {suffix} file is read through its header",
            file=path,
            mend=f"Put the {COMPANIONS[suffix]} file beside it.",
        )
    promised = SUFFIXES.get(suffix)
    if promised == "table" or suffix == ".log":
        promised = program_of(head) or promised
    if promised is None and suffix in PICTURE_SUFFIXES:
        raise UnreadableFileError(f"the content is no picture though the name ends in {suffix}", file=path)
    if promised is None:
        raise UnreadableFileError("not a recording that can be read", file=path, expected=_SUPPORTED)
    if promised in ("media", "sound", "xdf", "edf", "biopac", "arrays") and looks_like_text(head) and suffix != ".xdfz":
        start = " ".join(head[:60].decode("utf-8", "replace").split())
        raise UnreadableFileError(
            f"the name ends in {suffix} but the content is text",
            file=path,
            got=f"'{start}'",
            mend="Rename or replace it.",
        )
    if promised == "xdf" and suffix == ".xdf":
        raise UnreadableFileError("not an XDF file: it does not begin with 'XDF:'", file=path)
    return promised


def _wrong_content(path: Path, found: str, words: str, suffix: str) -> UnreadableFileError:
    if suffix in UNSUPPORTED:
        return UnreadableFileError(f"{suffix} files are not supported", file=path, mend=UNSUPPORTED[suffix])
    if found == "picture" and suffix in PICTURE_SUFFIXES:
        return UnreadableFileError(
            "a single picture is no recording", file=path, mend="For a sequence of pictures name their folder."
        )
    return UnreadableFileError(f"the content is {words}, whatever the name says", file=path, expected=_SUPPORTED)


def looks_like_text(head: bytes) -> bool:
    """Whether bytes are text: no control characters but white space (UTF-16 with its mark counts as text)."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return not any(byte < 9 or 13 < byte < 27 or 27 < byte < 32 or byte == 127 for byte in head)


def is_known(path: Path) -> bool:
    """Whether a file's name promises a recording, supported or not: what `discover` must report when it fails.

    Logs are written by every program: only one whose content is an experiment's counts.
    """
    suffix = path.suffix.lower()
    if suffix == ".log":
        try:
            with path.open("rb") as handle:
                return program_of(handle.read(4096)) is not None
        except OSError:
            return False
    return suffix in SUFFIXES or suffix in UNSUPPORTED or path.name.lower().endswith((".tsv.gz", ".csv.gz"))


def format_of(path: Path, kind: str) -> str:
    """Format with which to open a file for a stream of this kind: tables of events have a reader of their own."""
    found = identify(path)
    if found == "table" and kind in ("markers", "cues"):
        found = "events"
    if found not in READERS:
        raise UnreadableFileError("not a recording that can be read", file=path, expected=_SUPPORTED)
    return found
