"""Lines of text in a crop: where they are, which of them belong to the plate, and each straightened.

Detector crops are loose: beside the plate's characters they hold bands, state names, slogans, stickers and frames. A text
detection network (DB: Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020) finds the
lines; geometry tells the plate's own from the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from streamer.reader.nets import Floats, PictureNet, Scaling
from streamer.types import Image

Quad = npt.NDArray[np.float32]
"""(4, 2): corners x, y in pixels of the crop, clockwise from the one where reading starts."""

SCALING = Scaling(mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), scale=(0.229 * 255, 0.224 * 255, 0.225 * 255))
"""PaddleOCR's text detection scales the channels of a BGR picture by ImageNet's RGB figures, in this order."""

LONGEST_PX = 224
"""Longest side of the text detector's input; on plate crops larger inputs found no more, and took longer."""
STRIDE = 32
THRESHOLD = 0.25
"""Probability from which a pixel is text."""
MIN_SCORE = 0.45
"""Mean probability below which a region is no text."""
UNCLIP = 1.5
"""DB shrinks regions; they grow back by area * UNCLIP / perimeter on each side."""

SAME_PLATE_HEIGHT = 0.65
"""Lines lower than this share of the main line are state names and slogans; the lines of a two-line plate differ less."""
SAME_LINE_HEIGHT = 0.7
SAME_LINE_GAP = 1.2
"""Pieces of one line may be so many heights apart."""
SAME_PLATE_OVERLAP = 0.3
"""Lines of one plate stand above each other: they overlap sideways by this share of the narrower one."""

LINE_HEIGHT = 48
"""Rows that the recognition network sees."""
MIN_LINE_WIDTH, MAX_LINE_WIDTH = 160, 640
"""Squat lines are stretched: the network needs time steps (one per 8 columns) to keep characters apart."""
WHOLE_WIDTH = 224

SQUAT = 2.2
"""Width over height below which a plate may have two lines."""
CLEAR_GAP = 0.35
"""The gap between two lines has at most this share of the text's edges."""


@dataclass(frozen=True, slots=True, eq=False)
class TextBox:
    """A piece of text in a crop."""

    quad: Quad

    @property
    def width(self) -> float:
        """Length of the text, pixels."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[3])) / 2

    @property
    def height(self) -> float:
        """Height of the text, pixels."""
        return float(np.linalg.norm(self.quad[3] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[1])) / 2

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> npt.NDArray[np.float32]:
        """(x, y)."""
        middle: npt.NDArray[np.float32] = self.quad.mean(axis=0)
        return middle


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of a plate, ready to be read: its pieces from left to right."""

    pieces: tuple[Image, ...]
    """uint8 (48, w, 3) BGR, w a multiple of 32."""
    height: float
    """Of the text in the crop, pixels."""


class LineFinder:
    """Finds the lines by the text detection network."""

    def __init__(self, net: PictureNet) -> None:
        self._net = net

    def find(self, crops: Sequence[Image]) -> list[list[Line]]:
        """Give the plate's lines in each crop (uint8 (h, w, 3) BGR), top to bottom; none where there is no text."""
        maps = self._net.run([detector_input(crop) for crop in crops])
        found = []
        for crop, probability in zip(crops, maps, strict=True):
            rows = plate_lines(text_boxes(probability[0], crop.shape[1], crop.shape[0]))
            found.append([Line(tuple(straighten(crop, box.quad) for box in row), max(box.height for box in row)) for row in rows])
        return found


class GapFinder:
    """Finds the lines by the gap between them; no network, and so no straightening."""

    def find(self, crops: Sequence[Image]) -> list[list[Line]]:
        """Give one line, or two where a squat crop has a clear gap."""
        return [[Line((stretched(part),), part.shape[0]) for part in split_at_gap(crop)] for crop in crops]


def detector_input(crop: Image) -> Image:
    """Scale a crop to the text detector's input: longest side LONGEST_PX, sides multiples of STRIDE."""
    height, width = crop.shape[:2]
    scale = LONGEST_PX / max(height, width)
    sides = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (width, height)]
    return np.asarray(cv2.resize(crop, (sides[0], sides[1]), interpolation=cv2.INTER_LINEAR), np.uint8)


def text_boxes(probability: Floats, width: int, height: int) -> list[TextBox]:
    """Give the boxes of a probability map (h, w, 0..1), in pixels of a crop of the given size."""
    mask = (probability > THRESHOLD).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([width / mask.shape[1], height / mask.shape[0]], np.float32)
    boxes = []
    for contour in contours:
        centre, (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < 3:
            continue
        inside = np.zeros_like(mask)
        cv2.drawContours(inside, [contour], -1, (1,), -1)
        if float(probability[inside > 0].mean()) < MIN_SCORE:
            continue
        grow = w * h * UNCLIP / (2 * (w + h))
        corners = cv2.boxPoints((centre, (w + 2 * grow, h + 2 * grow), angle)) * scale
        boxes.append(TextBox(reading_order(np.asarray(corners, np.float32))))
    return boxes


def reading_order(corners: Quad) -> Quad:
    """Order four corners clockwise, so that the first edge is the one that points right the most."""
    middle = corners.mean(axis=0)
    clockwise = corners[np.argsort(np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0]))]
    turns = [np.roll(clockwise, -k, axis=0) for k in range(4)]
    return min(turns, key=lambda quad: abs(math.atan2(*((quad[1] - quad[0]) + (quad[2] - quad[3]))[::-1])))


def plate_lines(boxes: Sequence[TextBox]) -> list[list[TextBox]]:
    """Give the boxes that belong to the plate: lines from top to bottom, their pieces from left to right."""
    if not boxes:
        return []
    main = max(boxes, key=lambda box: box.area)
    along = main.quad[1] - main.quad[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    down = np.array([-along[1], along[0]], np.float32)
    kept = [box for box in boxes if box is main or (box.height >= SAME_PLATE_HEIGHT * main.height and not _nested(box, boxes))]

    rows: list[list[TextBox]] = []
    for box in sorted(kept, key=lambda box: -box.area):
        depth = float(box.centre @ down)
        for row in rows:
            if abs(depth - float(row[0].centre @ down)) < 0.5 * max(box.height, row[0].height):
                row.append(box)
                break
        else:
            rows.append([box])
    joined = [_joined(row, along) for row in rows]
    begin, end = _extent(joined[0], along)  # the largest box comes first: its row is the main one
    lines = []
    for row in joined:
        a, b = _extent(row, along)
        if min(b, end) - max(a, begin) > SAME_PLATE_OVERLAP * min(b - a, end - begin):
            lines.append(sorted(row, key=lambda box: float(box.centre @ along)))
    return sorted(lines, key=lambda row: float(np.mean([box.centre @ down for box in row])))


def _nested(box: TextBox, boxes: Sequence[TextBox]) -> bool:
    x, y = (float(value) for value in box.centre)
    return any(other is not box and other.area > box.area and cv2.pointPolygonTest(other.quad, (x, y), False) >= 0 for other in boxes)


def _joined(row: Sequence[TextBox], along: npt.NDArray[np.float32]) -> list[TextBox]:
    """Give the largest piece of a row and those that continue it: about as high, and not far away."""
    kept = [row[0]]
    begin, end = _extent(kept, along)
    for box in row[1:]:
        a, b = _extent([box], along)
        if box.height >= SAME_LINE_HEIGHT * row[0].height and max(a - end, begin - b) <= SAME_LINE_GAP * row[0].height:
            begin, end = min(begin, a), max(end, b)
            kept.append(box)
    return kept


def _extent(boxes: Sequence[TextBox], along: npt.NDArray[np.float32]) -> tuple[float, float]:
    places = np.concatenate([box.quad @ along for box in boxes])
    return float(places.min()), float(places.max())


def straighten(crop: Image, quad: Quad) -> Image:
    """Warp a piece of text upright: uint8 (48, w, 3) BGR."""
    box = TextBox(quad)
    width = line_width(box.width / max(box.height, 1e-3))
    target = np.array([[0, 0], [width, 0], [width, LINE_HEIGHT], [0, LINE_HEIGHT]], np.float32)
    warp = cv2.getPerspectiveTransform(quad, target)
    upright = cv2.warpPerspective(crop, warp, (width, LINE_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(upright, np.uint8)


def line_width(aspect: float) -> int:
    """Give the width of a line picture for text of this width over height."""
    wanted = math.ceil(max(MIN_LINE_WIDTH, LINE_HEIGHT * aspect) / STRIDE) * STRIDE
    return min(wanted, MAX_LINE_WIDTH)


def stretched(crop: Image) -> Image:
    """Give the whole crop as one line picture."""
    height, width = crop.shape[:2]
    wide = max(WHOLE_WIDTH, line_width(width / height))
    return np.asarray(cv2.resize(crop, (wide, LINE_HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)


def split_at_gap(crop: Image) -> list[Image]:
    """Split a squat crop at the clear gap between two lines; else give the crop alone."""
    height, width = crop.shape[:2]
    if width >= SQUAT * height or height < 16:
        return [crop]
    edges = np.abs(np.diff(crop[:, :, 1].astype(np.float32), axis=1)).mean(axis=1)
    smooth = np.convolve(edges, np.ones(3, np.float32) / 3, mode="same")
    low, high = round(height * 0.3), round(height * 0.7)
    gap = low + int(np.argmin(smooth[low:high]))
    if smooth[gap] > CLEAR_GAP * min(smooth[:gap].max(), smooth[gap:].max()):
        return [crop]
    return [crop[:gap], crop[gap:]]
