"""The pictures that belong to an event: lossless, never overwritten, whole or not there."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC
from pathlib import Path

from streamer import private
from streamer.errors import StoreError
from streamer.events import EvidenceFile
from streamer.types import Image, Passage

CROPS = "crops"
"""Folder of the crops, inside the folder of the log."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SOURCE_CHARS = 80
_HASH_CHARS = 12


class EvidenceFolder:
    """The evidence of one event log, beside it: ``crops/YYYY-MM-DD/<source>_<time>_<passage>_<hash>.png``, day and time in UTC.

    The name never holds the plate, which would put personal data into every listing and backup log. It holds the beginning of the
    file's SHA-256, so that another picture of the same moment gets another name, and the same one is stored once.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, passage: Passage) -> EvidenceFile:
        """Store the passage's crop as PNG and force it to disk.

        Raises:
            StoreError: the file cannot be written; nothing half-written is left.
        """
        content = _png(passage.crop)
        sha256 = hashlib.sha256(content).hexdigest()
        moment = passage.best.wall.astimezone(UTC)
        name = f"{_safe(passage.source_id)}_{moment:%Y%m%dT%H%M%S.%fZ}_{_safe(passage.key)}_{sha256[:_HASH_CHARS]}.png"
        relative = f"{CROPS}/{moment:%Y-%m-%d}/{name}"
        file = self._directory / relative
        try:
            private.make_folder(file.parent)
            if not file.exists() or file.read_bytes() != content:
                private.write_whole(file, content)
        except OSError as error:
            raise StoreError(
                f"{file}: the crop cannot be written: {error.strerror or error}. Free space or allow writing there."
            ) from error
        height, width = passage.crop.shape[:2]
        return EvidenceFile("crop", relative, sha256, width, height)


def _png(picture: Image) -> bytes:
    import cv2

    done, content = cv2.imencode(".png", picture)
    assert done, "every uint8 BGR picture with pixels can be a PNG"
    return content.tobytes()


def _safe(text: str) -> str:
    """Give a part of a file name: never empty, hidden, too long or with a separator in it."""
    return _UNSAFE.sub("-", text)[:_SOURCE_CHARS].strip(".-") or "x"
