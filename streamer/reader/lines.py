"""Where the lines of text are in a crop.

A crop is loose: beside the number it shows bands, names of states, slogans, stickers, screws and frames. The text detector
(DB, https://arxiv.org/abs/1911.08947) gives the probability of every pixel to lie in the core of a line of text; here
these become rectangles, and the rectangles that are the number become rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.reader.nets import Floats
from streamer.types import Image

LONGEST_SIDE = 224
"""Pixels of the detector's input: of 64 to 320 the smallest that finds the lines as well as any."""
STRIDE = 32
"""Sides of the input are multiples of it."""

CORE = 0.3
"""A pixel is in the core of a line from this probability on."""
MIN_SCORE = 0.45
"""Mean probability over the core of a line."""
UNCLIP = 1.5
"""Cores are drawn shrunk (section 3.4 of the paper): a line reaches ``area * UNCLIP / perimeter`` further on every side."""

LINE_HEIGHT = 48
"""Pixels of a line's picture: what recognition networks are made for."""
MIN_LINE_WIDTH = 160
"""Pixels: narrow lines are stretched, because CTC needs several steps (of 8 pixels) for each character."""
MAX_LINE_WIDTH = 640
WIDTH_STEP = 32
"""Widths of lines are multiples of it, so that few shapes occur."""

SLANTS = (0.0, -0.5, -0.4, -0.3, -0.2, 0.2, 0.3, 0.4, 0.5)
"""Slants of characters that are tried, in columns per row of a line's picture."""
SLANT_GAIN = 1.3
"""A slant must be clearer than none by this factor."""

OTHER_LINE = 0.65
"""The other line of a two-line plate is at least so high, measured by the main line; names of states are lower."""
SAME_ROW = 0.75
"""Parts of one line do not differ more in height."""
NARROWEST = 0.4
"""Text is at least so wide, in its heights, even if it is a single 1: narrower are frames, and letters below each other."""
MAX_GAP = 1.2
"""Parts of one line are not further apart, in heights of the line: beyond stand badges and other plates."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A piece of text in a crop."""

    quad: Floats
    """(4, 2): corners x, y in pixels of the crop, from the top left one clockwise."""
    score: float
    """Mean probability of its core, 0..1."""

    @property
    def width(self) -> float:
        """Pixels along the text."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[3])) / 2

    @property
    def height(self) -> float:
        """Pixels across the text."""
        along = self.quad[1] + self.quad[2] - self.quad[0] - self.quad[3]
        across = self.quad[2] + self.quad[3] - self.quad[0] - self.quad[1]
        length = float(np.hypot(*along))
        return abs(float(along[0] * across[1] - along[1] * across[0])) / (2 * length) if length else 0.0

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height


def detector_input(crop: Image) -> Image:
    """Scale a crop, (h, w, 3), to what the text detector takes: the longest side to LONGEST_SIDE, both in steps of STRIDE."""
    height, width = crop.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    size = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (width, height)]
    return scaled(crop, size[0], size[1])


def scaled(picture: Image, width: int, height: int) -> Image:
    """Resize; a picture that shrinks is averaged, because skipped pixels break thin strokes."""
    shrinks = picture.shape[0] * picture.shape[1] > 2 * width * height
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), dtype=np.uint8)


def find_lines(probability: Floats, width: int, height: int, unclip: float = UNCLIP) -> list[Line]:
    """Give all lines of text, in no order, from the detector's output (rows, columns) for a crop of ``width`` x ``height``."""
    core = (probability > CORE).astype(np.uint8)
    contours, _ = cv2.findContours(core, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    scale = np.array([width / core.shape[1], height / core.shape[0]], np.float32)
    lines = []
    for contour in contours:
        if min(cv2.minAreaRect(contour)[1]) < 3:  # pixels of the map: noise
            continue
        inside = np.zeros_like(core)
        cv2.drawContours(inside, [contour], -1, (1,), cv2.FILLED)
        score = float(probability[inside > 0].mean())
        if score >= MIN_SCORE:
            lines.append(Line(_quad(contour, unclip) * scale, score))
    return lines


def _quad(contour: np.ndarray, unclip: float) -> Floats:
    """Give the four corners of a grown core, from the top left one clockwise."""
    (x, y), (a, b), angle = cv2.minAreaRect(contour)
    grow = a * b * unclip / (a + b)
    if a < b:
        a, b, angle = b, a, angle + 90
    # Text runs to the right: of the four ways to name the sides take the one whose first side is nearest to that.
    turns = round(angle / 90)
    if turns % 2:
        a, b = b, a
    angle -= 90 * turns
    turn = math.radians(angle)
    along = np.array([math.cos(turn), math.sin(turn)], np.float32) * (a + grow) / 2
    across = np.array([-math.sin(turn), math.cos(turn)], np.float32) * (b + grow) / 2
    centre = np.array([x, y], np.float32)
    return np.stack([centre - along - across, centre + along - across, centre + along + across, centre - along + across])


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A line in the directions of the main line: how far along and across it lies."""

    line: Line
    left: float
    right: float
    middle: float


def number_lines(lines: Sequence[Line]) -> list[Line]:
    """Give the lines that make up the number, from top to bottom.

    The largest line belongs to it; so do lines of about its height above or below, and pieces of about its height beside,
    which are put together: the recogniser does better with a whole line than with its pieces.
    """
    if not lines:
        return []
    main = max(lines, key=lambda line: line.area)
    placed = [_place(line, main) for line in lines if line is main or _may_belong(line, main, lines)]
    rows: list[list[_Placed]] = []
    for piece in sorted(placed, key=lambda piece: -piece.line.area):
        row = next((r for r in rows if abs(piece.middle - r[0].middle) < 0.5 * max(piece.line.height, r[0].line.height)), None)
        if row is None:
            rows.append([piece])
        elif _continues(piece, row):
            row.append(piece)
    rows = sorted((row for row in rows if _below_each_other(row, rows[0])), key=lambda row: row[0].middle)
    return [_united([piece.line for piece in row]) for row in rows]


def _united(pieces: Sequence[Line]) -> Line:
    """Give the rectangle around pieces, largest first, in the direction of the first."""
    if len(pieces) == 1:
        return pieces[0]
    origin = pieces[0].quad.mean(axis=0)
    axes = _axes(pieces[0])
    corners = (np.concatenate([piece.quad for piece in pieces]) - origin) @ axes.T
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    rectangle = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return Line((rectangle @ axes + origin).astype(np.float32), min(piece.score for piece in pieces))


def _axes(line: Line) -> Floats:
    """Give the unit vectors along and across a line as the rows of a matrix."""
    along = line.quad[1] - line.quad[0]
    x, y = along / max(float(np.hypot(*along)), 1e-6)
    return np.array([[x, y], [-y, x]], np.float32)


def _place(line: Line, main: Line) -> _Placed:
    offset = (line.quad - main.quad.mean(axis=0)) @ _axes(main).T
    return _Placed(line, float(offset[:, 0].min()), float(offset[:, 0].max()), float(offset[:, 1].mean()))


def _may_belong(line: Line, main: Line, lines: Sequence[Line]) -> bool:
    return line.height >= OTHER_LINE * main.height and line.width >= NARROWEST * line.height and not _nested(line, lines)


def _nested(line: Line, lines: Sequence[Line]) -> bool:
    """Say whether the middle of a line lies in a larger one: a sticker, or a second finding of a part."""
    x, y = map(float, line.quad.mean(axis=0))
    return any(other.area > line.area and cv2.pointPolygonTest(other.quad, (x, y), False) >= 0 for other in lines)


def _continues(piece: _Placed, row: Sequence[_Placed]) -> bool:
    """Say whether a piece stands beside the others of a row, about as high and not far away."""
    height = row[0].line.height
    gap = max(piece.left - max(p.right for p in row), min(p.left for p in row) - piece.right)
    return SAME_ROW * height <= piece.line.height <= height / SAME_ROW and gap <= MAX_GAP * height


def _below_each_other(row: Sequence[_Placed], main: Sequence[_Placed]) -> bool:
    left, right = min(p.left for p in row), max(p.right for p in row)
    main_left, main_right = min(p.left for p in main), max(p.right for p in main)
    return min(right, main_right) - max(left, main_left) > 0.3 * min(right - left, main_right - main_left)


def rectified(crop: Image, line: Line) -> Image:
    """Cut a line out, turned, stretched and with upright characters: uint8 (LINE_HEIGHT, width, 3), width a multiple of WIDTH_STEP."""
    width = line_width(line.width, line.height)
    quad = line.quad
    if line.height > 2 * LINE_HEIGHT:
        factor = LINE_HEIGHT / line.height
        crop = scaled(crop, max(1, round(crop.shape[1] * factor)), max(1, round(crop.shape[0] * factor)))
        quad = (quad * factor).astype(np.float32)
    corners = np.array([[0, 0], [width, 0], [width, LINE_HEIGHT], [0, LINE_HEIGHT]], np.float32)
    turned = cv2.warpPerspective(crop, cv2.getPerspectiveTransform(quad, corners), (width, LINE_HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return upright(np.asarray(turned, dtype=np.uint8))


def upright(picture: Image) -> Image:
    """Shear a line, uint8 (h, w, 3), so that its characters stand upright: seen from the side, plates slant.

    Where upright strokes stand upright, whole columns are dark or light, and the mean brightness changes most from column to
    column.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    margin = len(grey) // 8  # frames above and below do not slant
    steepness = {slant: _steepness(_sheared(grey, slant)[margin:-margin]) for slant in SLANTS}
    slant = max(steepness, key=lambda key: steepness[key])
    return np.asarray(_sheared(picture, slant), np.uint8) if steepness[slant] > SLANT_GAIN * steepness[0.0] else picture


def _sheared(picture: np.ndarray, slant: float) -> np.ndarray:
    height, width = picture.shape[:2]
    matrix = np.array([[1, slant, -slant * height / 2], [0, 1, 0]], np.float32)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _steepness(grey: np.ndarray) -> float:
    return float(np.square(np.diff(grey.mean(axis=0))).sum())


def line_width(width: float, height: float, least: int = MIN_LINE_WIDTH) -> int:
    """Give the width in pixels that a line of ``width`` x ``height`` has as a picture for the recogniser."""
    steps = math.ceil(LINE_HEIGHT * width / max(height, 1e-3) / WIDTH_STEP)
    return min(MAX_LINE_WIDTH, max(least, steps * WIDTH_STEP))
