"""Opens pictures for the checks: a thread for each core, because decoding leaves Python's lock alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from streamer.errors import SourceError
from streamer.types import Image
from train.check.finding import Entry, Look

_WORKERS = 4
_SIDE = 64
_THUMBNAIL = 32
_FLAT = 4.0
"""Standard deviation of grey values below which a picture counts as flat."""


def look_at_all(entries: Sequence[Entry]) -> Iterable[Look | str]:
    """Give for each entry what a look at its picture gave, or why it cannot be read."""
    with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
        yield from pool.map(look_at, entries)


def look_at(entry: Entry) -> Look | str:
    """Open one picture."""
    from streamer.stills import load_picture

    try:
        digest = hashlib.sha256(entry.path.read_bytes()).hexdigest()
        image = load_picture(entry.path)
    except OSError as error:
        return error.strerror or str(error)
    except SourceError as error:
        return str(error)
    return measure(image, digest)


def measure(image: Image, digest: str) -> Look:
    """Hash and shrink a picture, uint8 (h, w, 3) BGR.

    The hashes are ImageHash's phash (DCT of 32 x 32) and dhash, each of 64 bits; taken of a 64 x 64 reduction, which changes them by a bit
    or two and takes a tenth of the time.
    """
    import cv2

    small = cv2.cvtColor(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    tiny = cv2.resize(small, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    centred = tiny - tiny.mean()
    length = float(np.linalg.norm(centred))
    height, width = image.shape[:2]
    grey = np.asarray(small, np.uint8)
    thumbnail = np.asarray(centred / max(length, 1e-6), np.float32)
    return Look(digest, width, height, _hashes(grey), _hashes(grey[:, ::-1]), thumbnail, length / _THUMBNAIL < _FLAT)


def mirror(thumbnail: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give thumbnails (..., 1024) of the mirrored pictures."""
    return np.ascontiguousarray(thumbnail.reshape(*thumbnail.shape[:-1], _THUMBNAIL, _THUMBNAIL)[..., ::-1]).reshape(thumbnail.shape)


def _hashes(grey: npt.NDArray[np.uint8]) -> tuple[int, int]:
    import imagehash
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(grey))
    return _number(imagehash.phash(picture)), _number(imagehash.dhash(picture))


def _number(hashed: object) -> int:
    return int(str(hashed), 16)
