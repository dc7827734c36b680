"""What becomes of the full files of an event log: they are compressed, and deleted when they are old enough."""

from __future__ import annotations

import gzip
import logging
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from streamer import private

_log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"events-(\d{8}T\d{6}Z)-\d+\.jsonl(\.gz)?")


def tidy(directory: Path, *, compress: bool, keep_days: float | None, now: datetime) -> None:
    """Compress and delete the full files of a log. Raises OSError; what was done until then stays.

    Args:
        directory: of the log.
        compress: all but the newest, whose end a sink must see after a crash.
        keep_days: a file is deleted when all of its events are older, by the time when they were recorded: when the next file was begun
            before that. None: never. Neither the newest nor the current file is ever deleted.
        now: aware.
    """
    files = sorted(file for file in directory.iterdir() if _NAME.fullmatch(file.name))
    for file, following in pairwise(files):
        if keep_days is not None and _begun(following) < now - timedelta(days=keep_days):
            file.unlink()
            _log.info("%s: deleted, its events are older than %g days", file, keep_days)
        elif compress and file.suffix != ".gz":
            _compress(file)


def _begun(file: Path) -> datetime:
    found = _NAME.fullmatch(file.name)
    assert found is not None, "chosen by its name"
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _compress(file: Path) -> None:
    """Put a compressed file in the place of a file: after a crash either is there, and whole."""
    target = file.with_name(file.name + ".gz")
    part = target.with_name(f".{target.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, private.FILE_MODE)
    with os.fdopen(handle, "wb") as out, file.open("rb") as lines:
        with gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as packed:
            shutil.copyfileobj(lines, packed)
        out.flush()
        os.fsync(out.fileno())
    part.replace(target)
    private.sync_folder(target.parent)
    file.unlink()
