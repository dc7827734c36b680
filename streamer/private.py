"""Files that hold personal data: whatever is made here is for the owner's eyes only (files 0600, folders 0700)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
PARTS = ".*.tmp"
"""Names of files that were not written to their end: a crash may leave one."""


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each with mode 0700; what exists keeps its mode. Raises OSError."""
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    for level in reversed(missing):
        level.mkdir(mode=FOLDER_MODE, exist_ok=True)


def make_file(file: Path) -> None:
    """Make an empty file with mode 0600 unless there is one. Raises OSError."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, FILE_MODE))


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that, even after a power cut, either all of it is there under its name or nothing. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".tmp")  # made with mode 0600
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk: without it a new file may be gone after a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
