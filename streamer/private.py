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
    """Make a folder and those above it, each with mode 0700; what exists keeps its mode. New names are forced to disk. Raises OSError."""
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    for level in reversed(missing):
        level.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(level.parent)


def make_file(file: Path) -> None:
    """Make an empty file with mode 0600 unless there is one. Raises OSError."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, FILE_MODE))


def writable(file: Path) -> bool:
    """Say whether a file, and others beside it, can be written: not on a medium for reading only, nor without the right to."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)


def write_whole(file: Path, content: bytes) -> None:
    """Write a file so that, even after a power cut, either all of it is there under its name or nothing. Raises OSError."""
    part = write_part(file.parent, content)
    try:
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def write_part(folder: Path, content: bytes) -> Path:
    """Write a file of a new name (``PARTS``) and force it to disk; gives its path, for a rename. Raises OSError: nothing is left of it."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")  # made with mode 0600
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def write_over(file: Path, content: bytes) -> None:
    """Write to the beginning of a file, made if need be, and force it to disk; what is behind becomes line ends.

    Nothing is moved or cut off: what stays the same is never in danger, and it is the cheapest of all forced writes. Raises OSError.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        rest = memoryview(content.ljust(os.fstat(handle).st_size, b"\n"))
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fdatasync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to disk: without it a new file may be gone after a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
