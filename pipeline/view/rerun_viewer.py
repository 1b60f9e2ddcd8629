"""A result in the viewer of Rerun, an optional part."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from data_schemas.errors import MissingExtraError
from data_schemas.hook import Hook, silent


def open_rerun(folder: Path, session: Path | None = None, hook: Hook = silent) -> Path:
    """Write a result as `.rrd` into a private folder for temporary files and open it in the viewer.

    Args:
        folder: What `telltale analyze` left.
        session: The session folder, where the recordings are not found beside the result.
        hook: Progress.

    Returns:
        The file; it may be deleted once the viewer is closed.

    Raises:
        MissingExtraError: Rerun is not installed.
        TelltaleError: the result cannot be read.
    """
    from pipeline.export.run import export_result

    viewer = shutil.which("rerun", path=str(Path(sys.executable).parent)) or shutil.which("rerun")
    if viewer is None:
        raise MissingExtraError(
            "the viewer of Rerun is not installed",
            mend="Install the optional part: pip install 'telltale[rerun]' (rerun-sdk).",
        )
    hook("write for Rerun", 0, 1)
    file = Path(tempfile.mkdtemp(prefix="telltale-rerun-")) / f"{folder.resolve().name}.rrd"
    export_result(folder, "rrd", file, session=session)
    hook("write for Rerun", 1, 1)
    subprocess.Popen([viewer, str(file)], stdin=subprocess.DEVNULL, start_new_session=True)
    return file
