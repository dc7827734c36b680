"""Files of lines that one appends to and another takes lines out of: event logs and tables.

Who appends holds ``changing`` of the folder while it writes or renames, and opens its file again if ``replaced`` says so. ``drop_lines``
copies the lines that stay to a new file beside the log, without the lock; then, under it, those that came meanwhile, and puts the new
file in the place of the old one (``rename``). So a reader sees the old file or the new one, a crash leaves either, nobody waits for more
than the last moment of it, and a process that appends needs not be the one that takes out.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from streamer import private

PARTS: Final = ".lines-*.tmp"
"""New files that are not whole; a crash may leave one."""
PACKING: Final = ".events-*.part"
"""Compressed logs that are not whole."""
_PREFIX, _SUFFIX = PARTS.split("*")
_CHUNK: Final = 1 << 20


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep all others from changing the files of lines in a folder; waits for its turn. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replaced(handle: int, file: Path) -> bool:
    """Say whether an open file is no longer the one of that name. To be asked under ``changing``. Raises OSError."""
    try:
        there = file.stat()
    except FileNotFoundError:
        return True
    return not os.path.samestat(os.fstat(handle), there)


def drop_lines(file: Path, gone: Callable[[bytes], bool]) -> int | None:
    """Take lines out of a file that others may append to; gives how many, None if it got another name meanwhile: look again.

    Args:
        file: if nothing is left of it, it is deleted.
        gone: says of a line, with its end, whether it goes; also of the beginning of a line that a crash left at the end.

    Raises:
        OSError: the file is as it was.
    """
    try:
        raw = file.open("rb")
    except FileNotFoundError:
        return 0
    with raw, _part(file.parent) as (part, name), _packed(file, raw, part) as (old, new):
        dropped, rest = _copy(old, new, gone, b"")
        with changing(file.parent):
            if replaced(raw.fileno(), file):
                return None
            more, rest = _copy(old, new, gone, rest)
            dropped += more
            if rest and gone(rest):
                dropped += 1
            else:
                new.write(rest)
            if dropped:
                _put(new, part, name, file)
    return dropped


def _put(new: BinaryIO, part: BinaryIO, name: Path, file: Path) -> None:
    """Let the new file take the place of the old one; delete it if nothing is left."""
    left = new.tell()
    if new is not part:
        new.close()  # writes the end of what is compressed
    part.flush()
    os.fsync(part.fileno())
    if left:
        name.replace(file)
    else:
        file.unlink()
    private.sync_folder(file.parent)


def _copy(old: BinaryIO, new: BinaryIO, gone: Callable[[bytes], bool], rest: bytes) -> tuple[int, bytes]:
    """Copy the whole lines that there are; gives how many were left out, and the beginning of a line that has no end yet.

    ``rest``: such a beginning that was read before.
    """
    dropped = 0
    while True:
        try:
            line = rest + old.readline()
        except EOFError as error:
            raise OSError(f"{old.name}: the compressed file is damaged: {error}") from error
        rest = b""
        if not line.endswith(b"\n"):
            return dropped, line
        if gone(line):
            dropped += 1
        else:
            new.write(line)


@contextmanager
def _packed(file: Path, raw: BinaryIO, part: BinaryIO) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Give what reads and writes the lines of a file, which may be compressed (gzip; nobody appends to such a file)."""
    if file.suffix != ".gz":
        yield raw, part
        return
    with gzip.open(raw, "rb") as old, gzip.open(part, "wb") as new:
        yield cast(BinaryIO, old), cast(BinaryIO, new)


@contextmanager
def _part(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    handle, name = tempfile.mkstemp(dir=folder, prefix=_PREFIX, suffix=_SUFFIX)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb", _CHUNK) as new:
            yield new, Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
