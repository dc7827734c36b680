"""The pictures that belong to an event: lossless, never overwritten, whole or not there."""

from __future__ import annotations

import errno
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from logging import getLogger
from pathlib import Path
from typing import Any

from streamer import private
from streamer.errors import DiskFullError, StoreError
from streamer.events import EvidenceFile, EvidenceKind
from streamer.sealing import SUFFIX, Sealer
from streamer.types import ClipFacts, EncodedPicture, Image, Passage

_log = getLogger(__name__)

CROPS = "crops"
FOLDERS: dict[EvidenceKind, str] = {"crop": CROPS, "vehicle": "vehicles", "scene": "scenes", "clip": "clips"}
"""Inside the folder of the log."""

JOURNAL = "evidence.pending"
"""Names of the files that were written last, one a line: the only ones that a crash can have left without an event."""

WRITERS = 8
"""Files that are forced to disk at the same time."""

_NAME = re.compile(rf"({'|'.join(FOLDERS.values())})/[0-9-]+/[A-Za-z0-9][A-Za-z0-9._-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SOURCE_CHARS = 80
_REMEMBERED = 4096
"""Sealed files that are known again."""
_HASH_CHARS = 12


class EvidenceFolder:
    """The evidence of one event log, beside it: ``crops/YYYY-MM-DD/<source>_<time>_<passage>_<hash>.png``, day and time in UTC.

    ``vehicles``, ``scenes`` and ``clips`` are like it.
    The name never holds the plate, which would put personal data into every listing and backup log. It holds the beginning of the
    file's SHA-256, so that another picture of the same moment gets another name, and the same one is stored once.
    """

    def __init__(self, directory: Path, sealer: Sealer | None = None) -> None:
        """``sealer``: encrypts everything that is saved; None: nothing is encrypted."""
        self.sealer = sealer
        """May be changed between calls."""
        self._sealed: OrderedDict[tuple[str, str], EvidenceFile] = OrderedDict()
        """What the plain files that were sealed last, by name and hash, became."""
        self._directory = directory
        self._journal = directory / JOURNAL
        self._pending: dict[str, None] = {}
        """In the order of their coming: what the journal has of them stays where it is."""

    def save(self, passages: Sequence[Passage]) -> list[list[EvidenceFile]]:
        """Store the crops of passages as PNG, and their other pictures; force them to disk, before the transaction that records them.

        Gives the files of each passage, the crop first.

        What is about to be written is noted first, so that ``recover`` finds what a crash leaves behind.

        Raises:
            StoreError: a file cannot be written; nothing half-written is left.
        """
        staged = [[self._seal(*one) for one in _staged(passage)] for passage in passages]
        self._store(staged)
        return [[one for one, _ in pictures] for pictures in staged]

    def add(self, passage: Passage, picture: EncodedPicture) -> EvidenceFile:
        """Store a picture of a passage that came later, as ``save`` does. Raises StoreError."""
        staged = self._seal(*_encoded(passage, picture))
        self._store([[staged]])
        return staged[0]

    def discard(self, recorded: Callable[[Sequence[str]], Collection[str]]) -> None:
        """Delete the files that were saved and will never be recorded; ``recorded`` as for ``recover``. Raises StoreError."""
        orphans = [self._directory / name for name in set(self._pending) - set(recorded(list(self._pending)))]
        for file in orphans:
            with _told(file):
                file.unlink(missing_ok=True)
        self._pending.clear()

    def _seal(self, one: EvidenceFile, content: bytes) -> tuple[EvidenceFile, bytes]:
        """Give what is to be written of a file, and what is said of it: all evidence comes this way.

        A picture that comes again (a batch that could not be recorded, a final event after its preview) is sealed once, as plain ones are
        stored once: each time it would be another file.
        """
        if self.sealer is None:
            return one, content
        key = (one.file, one.sha256)
        known = self._sealed.get(key)
        if known is not None and known.sealed is not None and known.sealed.to == self.sealer.to:
            file = self._directory / known.file
            with _told(file):
                there = file.read_bytes() if file.exists() else b""
            if hashlib.sha256(there).hexdigest() == known.sha256:
                return known, there
        suffix = Path(one.file).suffix
        encrypted, sealed = self.sealer.seal(content, suffix)
        sha256 = hashlib.sha256(encrypted).hexdigest()
        # The hash in the plain name is one of the plain picture: whoever guesses which picture it is must not find out.
        name = f"{one.file.rpartition('_')[0]}_{sha256[:_HASH_CHARS]}{suffix}{SUFFIX}"
        made = replace(one, file=name, sha256=sha256, sealed=sealed)
        self._sealed[key] = made
        while len(self._sealed) > _REMEMBERED:
            self._sealed.popitem(last=False)
        return made, encrypted

    def _store(self, staged: Sequence[Sequence[tuple[EvidenceFile, bytes]]]) -> None:
        made = {self._directory / one.file: (one.file, content) for pictures in staged for one, content in pictures}
        if made:
            self._pending |= dict.fromkeys(name for name, _ in made.values())
            self._write({file: content for file, (_, content) in made.items() if not _is_there(file, content)}, made)

    def _write(self, contents: Mapping[Path, bytes], files: Collection[Path]) -> None:
        """Write and name files, and have all of ``files`` on disk. Forced writes go on side by side: the file system joins them."""
        with ThreadPoolExecutor(WRITERS, "evidence") as pool:
            noted = pool.submit(self._note)
            writing = {file: pool.submit(_part_of, file, content) for file, content in contents.items()}
            wait([noted])
            wait(writing.values())
            parts = {file: future.result() for file, future in writing.items() if future.exception() is None}
            try:
                _finish(self._journal, noted)
                for file, future in writing.items():
                    _finish(file, future)
                for file, part in parts.items():
                    with _told(file):
                        part.replace(file)
            except BaseException:
                for part in parts.values():
                    part.unlink(missing_ok=True)
                raise
            # Also those of files that were there: what an attempt that failed has renamed may not be on disk yet.
            syncing = {folder: pool.submit(private.sync_folder, folder) for folder in sorted({file.parent for file in files})}
            for folder, synced in syncing.items():
                _finish(folder, synced)

    def _note(self) -> None:
        is_new = not self._journal.exists()
        private.make_folder(self._directory)
        private.write_over(self._journal, "\n".join(self._pending).encode())
        if is_new:
            private.sync_folder(self._directory)

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
            noted = self._journal.read_text("utf-8", "replace").splitlines() if self._journal.exists() else []
            names = {name for name in noted if _NAME.fullmatch(name)}  # a crash may have come before the list was whole
            orphans = sorted(names - set(recorded(sorted(names))))
            files = [self._directory / name for name in orphans]
            # Those of earlier versions lie beside the files that they were to become.
            places = {self._directory / folder for folder in FOLDERS.values()} | {(self._directory / name).parent for name in names}
            torn = [part for folder in places for part in folder.glob(private.PARTS)]
            for file in [*files, *torn]:
                file.unlink(missing_ok=True)
            self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._journal}: what a crash left behind cannot be deleted: {error.strerror or error}") from error
        if orphans:
            _log.warning("%s: deleted %d pictures that a crash left without an event", self._directory, len(orphans))
        return len(orphans)


def _is_there(file: Path, content: bytes) -> bool:
    with _told(file):
        return file.exists() and file.read_bytes() == content


def _part_of(file: Path, content: bytes) -> Path:
    """Write what is to become a file, in the folder above its day's: there it is found after a crash, whatever the journal says."""
    private.make_folder(file.parent)
    return private.write_part(file.parent.parent, content)


def _finish(file: Path, future: Future[Any]) -> None:
    with _told(file):
        future.result()


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        raise kind(f"{file}: the evidence cannot be written: {error.strerror or error}. Free space or allow writing there.") from error


def _staged(passage: Passage) -> list[tuple[EvidenceFile, bytes]]:
    """Give the files of a passage and their contents, the crop first; none if its crop is empty: no picture of it may be kept."""
    if passage.crop.size == 0:
        return []
    height, width = passage.crop.shape[:2]
    crop = _file(passage, "crop", ".png", _png(passage.crop), width, height)
    return [crop, *(_encoded(passage, one) for one in passage.pictures)]


def _encoded(passage: Passage, picture: EncodedPicture) -> tuple[EvidenceFile, bytes]:
    one, content = _file(passage, picture.kind, picture.suffix, picture.content, picture.width, picture.height, picture.clip)
    return replace(one, redacted=picture.redacted), content


def _file(
    passage: Passage, kind: EvidenceKind, suffix: str, content: bytes, width: int, height: int, clip: ClipFacts | None = None
) -> tuple[EvidenceFile, bytes]:
    sha256 = hashlib.sha256(content).hexdigest()
    moment = passage.best.wall.astimezone(UTC)
    name = f"{_safe(passage.source_id)}_{moment:%Y%m%dT%H%M%S.%fZ}_{_safe(passage.key)}_{sha256[:_HASH_CHARS]}{suffix}"
    return EvidenceFile(kind, f"{FOLDERS[kind]}/{moment:%Y-%m-%d}/{name}", sha256, width, height, clip=clip), content


def _png(picture: Image) -> bytes:
    import cv2

    done, content = cv2.imencode(".png", picture)
    assert done, "every uint8 BGR picture with pixels can be a PNG"
    return content.tobytes()


def _safe(text: str) -> str:
    """Give a part of a file name: never empty, hidden, too long or with a separator in it."""
    return _UNSAFE.sub("-", text)[:_SOURCE_CHARS].strip(".-") or "x"
