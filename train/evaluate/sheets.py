"""Contact sheets of what came out wrong: the picture, what is there, what was given, its score; sorted by source."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from streamer.private import make_file
from streamer.types import Box, Image
from train.evaluate.data import VIDEOS
from train.evaluate.figures import Miss
from train.evaluate.run import Side
from train.evaluate.show import order

WIDTH, HEIGHT, TEXT = 240, 120, 54
"""Of a tile's picture and the text under it, pixels."""
ACROSS, DOWN = 6, 8
AROUND = 0.25
"""What is shown around a plate, as a share of its size."""
AROUND_DETECTIONS = 1.0
_GREEN, _RED, _GREY = (60, 200, 60), (60, 60, 255), (160, 160, 160)


def lay_out(sides: Sequence[Side], out: Path) -> list[Path]:
    """Draw the sheets into a folder; gives the files, ``misread-1.jpg`` and the like."""
    files = []
    for side in sides:
        misses = sorted((miss for part in side.parts.values() for miss in part.misses), key=order)
        for what, group in groupby(misses, key=lambda miss: miss.what):
            wrong = list(group)
            stem = what.replace(" ", "-") + ("" if side.label == "weights" else f"-{side.label}")
            for page, begin in enumerate(range(0, len(wrong), ACROSS * DOWN), 1):
                file = out / f"{stem}-{page}.jpg"
                _save(_sheet(wrong[begin : begin + ACROSS * DOWN]), file)
                files.append(file)
    return files


def _sheet(misses: Sequence[Miss]) -> Image:
    import numpy as np

    down = -(-len(misses) // ACROSS)
    sheet = np.zeros((down * (HEIGHT + TEXT), ACROSS * WIDTH, 3), np.uint8)
    for place, miss in enumerate(misses):
        y, x = place // ACROSS * (HEIGHT + TEXT), place % ACROSS * WIDTH
        sheet[y : y + HEIGHT + TEXT, x : x + WIDTH] = _tile(miss)
    return sheet


def _tile(miss: Miss) -> Image:
    import cv2
    import numpy as np

    tile = np.zeros((HEIGHT + TEXT, WIDTH, 3), np.uint8)
    picture = _shown(miss)
    scale = min((WIDTH - 4) / picture.shape[1], (HEIGHT - 2) / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left = (WIDTH - size[0]) // 2
    tile[: size[1], left : left + size[0]] = small
    score = "" if miss.score is None else f"  {miss.score:.2f}"
    rows = ((miss.truth or "no plate", _GREEN), (miss.given + score, _RED), (f"{Path(miss.file).name} {miss.source}", _GREY))
    for number, (text, colour) in enumerate(rows):
        small_print = number == len(rows) - 1
        at, font = (4, HEIGHT + 15 + 17 * number), 0.33 if small_print else 0.5
        cv2.putText(tile, text, at, cv2.FONT_HERSHEY_SIMPLEX, font, colour, 1, cv2.LINE_AA)
    return tile


def _shown(miss: Miss) -> Image:
    from streamer.crops import cut
    from streamer.stills import load_picture

    if miss.picture is not None:
        return miss.picture
    if Path(miss.file).suffix.lower() in VIDEOS:
        return _nothing()
    picture = load_picture(Path(miss.file))
    if miss.box is None:
        return picture
    by_detector = miss.what in ("missed plate", "false box")
    if by_detector:
        picture = picture.copy()
        if miss.what == "missed plate":
            _draw(picture, miss.box, _GREEN)
        for box in miss.drawn:
            _draw(picture, box, _RED)
    return cut(picture, miss.box, AROUND_DETECTIONS if by_detector else AROUND)


def _nothing() -> Image:
    import numpy as np

    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def _draw(picture: Image, box: Box, colour: tuple[int, int, int]) -> None:
    import cv2

    thickness = max(1, round(box.height / 30))
    cv2.rectangle(picture, (round(box.x1), round(box.y1)), (round(box.x2), round(box.y2)), colour, thickness)


def _save(sheet: Image, file: Path) -> None:
    import cv2

    _, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    make_file(file)
    file.write_bytes(data.tobytes())
