"""Small pictures for the report, and sheets of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamer.errors import SourceError
from streamer.types import Image
from train.check.finding import Entry

Points = tuple[tuple[float, float], ...]

SIZE = (240, 170)
"""Width and height of a tile, pixels."""
_COLUMNS = 6
_GREY = 90
_AROUND = 1.5
"""Widths of the plate that are shown around it on each side."""
_RED, _YELLOW = (40, 40, 230), (0, 210, 255)


def tile(entry: Entry, plate: int | None = None) -> Image:
    """Give a tile, uint8 (170, 240, 3) BGR: the picture with its boxes, or the surroundings of one plate; grey if it cannot be read."""
    import cv2

    from streamer.stills import load_picture

    try:
        image = load_picture(entry.path)
    except SourceError:
        return _blank()
    x1, y1, x2, y2 = _part(entry, plate, image.shape[1], image.shape[0])
    image = image[y1:y2, x1:x2]
    scale = min(SIZE[0] / image.shape[1], SIZE[1] / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for number, other in enumerate(entry.picture.plates):
        colour = _RED if number == plate else _YELLOW
        if other.box is not None and np.isfinite(other.box).all():
            first, second = _drawn((other.box[:2], other.box[2:]), (x1, y1), scale).tolist()
            cv2.rectangle(small, first, second, colour, 1)
        if other.corners is not None and np.isfinite(other.corners).all():
            cv2.polylines(small, [_drawn(other.corners, (x1, y1), scale)], True, colour, 1)
    whole = _blank()
    left, top = (SIZE[0] - size[0]) // 2, (SIZE[1] - size[1]) // 2
    whole[top : top + size[1], left : left + size[0]] = small
    return whole


def sheet(tiles: Sequence[Image], captions: Sequence[str]) -> Image:
    """Lay tiles out in rows of six with a line of text under each (what OpenCV's font lacks is written as ``?``)."""
    import cv2

    framed = []
    for picture, caption in zip(tiles, captions, strict=True):
        line = np.full((18, SIZE[0], 3), 255, np.uint8)
        text = caption.encode("ascii", "replace").decode()[:38]
        cv2.putText(line, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
        framed.append(np.vstack([picture, line]))
    framed += [np.full_like(framed[0], 255)] * (-len(framed) % _COLUMNS if len(framed) > _COLUMNS else 0)
    return np.vstack([np.hstack(framed[start : start + _COLUMNS]) for start in range(0, len(framed), _COLUMNS)])


def save(image: Image, path: Path) -> None:
    """Write a JPEG."""
    import cv2

    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    path.write_bytes(data.tobytes())


def _blank() -> Image:
    return np.full((SIZE[1], SIZE[0], 3), _GREY, np.uint8)


def _drawn(points: Points, origin: tuple[int, int], scale: float) -> npt.NDArray[np.int32]:
    """Bring points of the picture into its tile, (n, 2); those far outside come to just outside, because OpenCV takes no large numbers."""
    placed = (np.array(points, np.float64) - origin) * scale
    return np.round(placed.clip(-SIZE[0], 2 * SIZE[0])).astype(np.int32)


def _part(entry: Entry, plate: int | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Choose the part of a picture that is shown: never empty."""
    box = entry.picture.plates[plate].box if plate is not None else None
    if box is None or not np.isfinite(box).all():
        return 0, 0, width, height
    margin = _AROUND * max(box[2] - box[0], box[3] - box[1], 8.0)
    x1, y1 = int(np.clip(box[0] - margin, 0, width - 1)), int(np.clip(box[1] - margin, 0, height - 1))
    return x1, y1, int(np.clip(box[2] + margin, x1 + 1, width)), int(np.clip(box[3] + margin, y1 + 1, height))
