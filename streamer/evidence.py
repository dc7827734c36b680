"""The pictures that belong to an event: lossless, never overwritten, whole or not there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC
from logging import getLogger
from pathlib import Path

from streamer import private
from streamer.errors import StoreError
from streamer.events import EvidenceFile, EvidenceKind
from streamer.types import Image, Passage

_log = getLogger(__name__)

CROPS = "crops"
FOLDERS: dict[EvidenceKind, str] = {"crop": CROPS, "vehicle": "vehicles", "scene": "scenes", "clip": "clips"}
"""Inside the folder of the log."""

JOURNAL = "evidence.pending"
"""Names of the files that were written last, one a line: the only ones that a crash can have left without an event."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SOURCE_CHARS = 80
_HASH_CHARS = 12


class EvidenceFolder:
    """The evidence of one event log, beside it: ``crops/YYYY-MM-DD/<source>_<time>_<passage>_<hash>.png``, day and time in UTC.

    ``vehicles`` and ``scenes`` are like it.
    The name never holds the plate, which would put personal data into every listing and backup log. It holds the beginning of the
    file's SHA-256, so that another picture of the same moment gets another name, and the same one is stored once.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._journal = directory / JOURNAL
        self._pending: set[str] = set()

    def save(self, passages: Sequence[Passage]) -> list[list[EvidenceFile]]:
        """Store the crops of passages as PNG, and their other pictures; force them to disk, before the transaction that records them.

        Gives the files of each passage, the crop first.

        What is about to be written is noted first, so that ``recover`` finds what a crash leaves behind.

        Raises:
            StoreError: a file cannot be written; nothing half-written is left.
        """
        staged = [_staged(passage) for passage in passages]
        made = [picture for pictures in staged for picture in pictures]
        if not made:
            return [[] for _ in passages]
        self._pending |= {one.file for one, _ in made}
        _write(self._journal, "\n".join(sorted(self._pending)).encode(), "the list of crops")
        for one, content in made:
            _write(self._directory / one.file, content, "the crop")
        return [[one for one, _ in pictures] for pictures in staged]

    def check(self, pictures: Sequence[EvidenceFile]) -> None:
        """Raise StoreError if a file that was saved was deleted: an earlier event had the same one and was erased just now.

        To be called in the transaction that records the event: those that erase take turns with it.
        """
        for picture in pictures:
            if not (self._directory / picture.file).exists():
                raise StoreError(f"{self._directory / picture.file}: was deleted before its event was recorded; try again")

    def settled(self) -> None:
        """Note that the files saved so far are recorded: a later crash is no concern of theirs."""
        self._pending.clear()

    def recover(self, recorded: Callable[[Sequence[str]], Collection[str]]) -> int:
        """Delete the files that a crash left without an event; gives how many. Call it before the first ``save``.

        Args:
            recorded: gives those of some names that belong to events.

        Raises:
            StoreError: they cannot be deleted.
        """
        try:
            names = self._journal.read_text().splitlines() if self._journal.exists() else []
            orphans = sorted(set(names) - set(recorded(names)))
            files = [self._directory / name for name in orphans]
            torn = [part for folder in {(self._directory / name).parent for name in names} for part in folder.glob(private.PARTS)]
            for file in [*files, *torn]:
                file.unlink(missing_ok=True)
            self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._journal}: what a crash left behind cannot be deleted: {error.strerror or error}") from error
        if orphans:
            _log.warning("%s: deleted %d pictures that a crash left without an event", self._directory, len(orphans))
        return len(orphans)


def _write(file: Path, content: bytes, what: str) -> None:
    try:
        private.make_folder(file.parent)
        if not file.exists() or file.read_bytes() != content:
            private.write_whole(file, content)
    except OSError as error:
        raise StoreError(f"{file}: {what} cannot be written: {error.strerror or error}. Free space or allow writing there.") from error


def _staged(passage: Passage) -> list[tuple[EvidenceFile, bytes]]:
    """Give the files of a passage and their contents, the crop first; none if its crop is empty: no picture of it may be kept."""
    if passage.crop.size == 0:
        return []
    height, width = passage.crop.shape[:2]
    crop = _file(passage, "crop", ".png", _png(passage.crop), width, height)
    return [crop, *(_file(passage, one.kind, one.suffix, one.content, one.width, one.height) for one in passage.pictures)]


def _file(passage: Passage, kind: EvidenceKind, suffix: str, content: bytes, width: int, height: int) -> tuple[EvidenceFile, bytes]:
    sha256 = hashlib.sha256(content).hexdigest()
    moment = passage.best.wall.astimezone(UTC)
    name = f"{_safe(passage.source_id)}_{moment:%Y%m%dT%H%M%S.%fZ}_{_safe(passage.key)}_{sha256[:_HASH_CHARS]}{suffix}"
    return EvidenceFile(kind, f"{FOLDERS[kind]}/{moment:%Y-%m-%d}/{name}", sha256, width, height), content


def _png(picture: Image) -> bytes:
    import cv2

    done, content = cv2.imencode(".png", picture)
    assert done, "every uint8 BGR picture with pixels can be a PNG"
    return content.tobytes()


def _safe(text: str) -> str:
    """Give a part of a file name: never empty, hidden, too long or with a separator in it."""
    return _UNSAFE.sub("-", text)[:_SOURCE_CHARS].strip(".-") or "x"
