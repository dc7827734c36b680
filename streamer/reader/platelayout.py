"""Lines of characters, cut out of a crop as the recogniser likes them: upright, tight, all of one size.

A small network says where the characters of the number stand, line by line; states, slogans and bands stay outside. Here its
four corners per line become pictures. No text detector is needed, and every line is read in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from streamer.reader.layout import Layout, Row, by_gap
from streamer.reader.lines import LINE_HEIGHT, scaled
from streamer.reader.nets import Floats, Net
from streamer.types import Image

INPUT_WIDTH, INPUT_HEIGHT = 128, 64
"""Pixels of the network's input: every crop is stretched to that."""

OUTPUTS = 1 + 3 * 8
"""The probability of two lines; the corners of the line if there is one, of the upper and of the lower one if there are two."""

SURE_COUNT = 0.9
"""With a probability from here on, the other number of lines is not tried, however the reading looks."""

CUT_WIDTH = 224
"""Pixels: every line is stretched to this width, whatever it has of its own."""

TURNED = 5.0
"""Degrees. Lines that lie steeper are looked at again after turning the crop: the network is best with level ones. Of 632 crops of
validation plates, turned and slanted, 98.6 % are read exactly so, 98.3 % with one look (plate-train evaluate --turned)."""
AROUND = 0.5
"""Room around the lines for the second look, in heights of a line."""

ABOVE = 0.15
"""Room above and below the characters, in heights of the line: corners that are a little wrong cut no character."""
BESIDE = 0.4
"""Room left and right of them, in heights of the line: more, because crops are wide and errors grow with their width. Of the same crops
98.6 % are read exactly so, 97.3 % with 0.25."""


class LearnedLines:
    """layout.Layouts by the small network."""

    def __init__(self, net: Net) -> None:
        """Take the network: INPUT_WIDTH x INPUT_HEIGHT in, OUTPUTS numbers out, corners as shares of the crop's width and height."""
        self._net = net

    def __call__(self, crops: Sequence[Image]) -> Sequence[Iterable[Layout]]:
        """See Layouts: as first seen, after a second look if that was turned, and the whole crop as the last resort."""
        first = self._look(crops)
        turned = [index for index, quads in enumerate(first) if abs(tilt(quads[0])) > TURNED]
        uprights = [upright(crops[index], first[index][0]) for index in turned]
        second = dict(zip(turned, self._look([picture for picture, _ in uprights]), strict=True))
        back = {index: cv2.invertAffineTransform(matrix) for index, (_, matrix) in zip(turned, uprights, strict=True)}
        found = [[quads @ back[i][:, :2].T + back[i][:, 2] for quads in second.get(i, ())] + first[i] for i in range(len(crops))]
        return [_layouts(crop, quads) for crop, quads in zip(crops, found, strict=True)]

    def _look(self, pictures: Sequence[Image]) -> list[list[Floats]]:
        outputs = self._net.run([scaled(picture, INPUT_WIDTH, INPUT_HEIGHT) for picture in pictures])
        return [quads_of(o, p.shape[1], p.shape[0]) for o, p in zip(outputs, pictures, strict=True)]


def _layouts(crop: Image, found: Sequence[Floats]) -> Iterator[Layout]:
    """Cut one after the other: most crops need the first only."""
    yield from (_layout(crop, quads) for quads in found)
    yield by_gap(crop)


def tilt(quads: Floats) -> float:
    """Give the angle of lines, (lines, 4, 2), against the picture's rows: degrees, clockwise."""
    x, y = (quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]).sum(axis=0)
    return math.degrees(math.atan2(y, x))


def upright(crop: Image, quads: Floats) -> tuple[Image, npt.NDArray[np.float64]]:
    """Turn a crop, uint8 (h, w, 3), until its lines, (lines, 4, 2), lie level, and cut it to them and AROUND.

    Gives the picture and the (2, 3) matrix from pixels of the crop to its own.
    """
    angle = math.radians(tilt(quads))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    room = AROUND * max(line_size(quad)[1] for quad in quads)
    corners = quads.reshape(-1, 2) @ turn.T
    low, high = corners.min(axis=0) - room, corners.max(axis=0) + room
    width, height = np.maximum(8, np.ceil(high - low)).astype(int)
    matrix = np.hstack([turn, -low[:, None]])
    picture = cv2.warpAffine(crop, matrix, (int(width), int(height)), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8), matrix


def quads_of(output: Floats, width: int, height: int) -> list[Floats]:
    """Give the corners of the lines, (lines, 4, 2) in pixels, of a crop of ``width`` x ``height`` from the network's output.

    The likelier number of lines first; the other one follows only if it is in doubt.
    """
    two = float(output[0])
    corners = output[1:].reshape(3, 4, 2) * np.array((width, height), np.float32)
    counts = [corners[1:], corners[:1]] if two >= 0.5 else [corners[:1], corners[1:]]
    return counts[:1] if max(two, 1 - two) >= SURE_COUNT else counts


def _layout(crop: Image, quads: Floats) -> Layout:
    # What is found is the number: all lines count, the lower one as much as the higher one.
    height = max(line_size(quad)[1] for quad in quads)
    return tuple(Row(picture, height) for picture in cut_lines(crop, quads))


def cut_lines(crop: Image, quads: Floats) -> list[Image]:
    """Cut lines of characters out of a crop and stretch them.

    ``crop``: uint8 (h, w, 3) BGR. ``quads``: (lines, 4, 2), x and y in pixels of the crop, each the corners of a line's characters
    from the top left one clockwise; they may lie outside of the crop. Gives uint8 (LINE_HEIGHT, CUT_WIDTH, 3) BGR for each, with ABOVE
    and BESIDE as room around the characters; what lies beyond the crop repeats its edge. Corners that make no convex shape stand for the
    upright rectangle around them.
    """
    return [_cut(crop, quad) for quad in np.asarray(quads, np.float32).reshape(-1, 4, 2)]


def line_size(quad: Floats) -> tuple[float, float]:
    """Give the mean width and height of four corners, (4, 2), in pixels; at least 1."""
    top_left, top_right, bottom_right, bottom_left = quad.astype(np.float64)
    width = np.hypot(*(top_right - top_left)) + np.hypot(*(bottom_right - bottom_left))
    height = np.hypot(*(bottom_left - top_left)) + np.hypot(*(bottom_right - top_right))
    return max(1.0, float(width) / 2), max(1.0, float(height) / 2)


def cut_matrix(quad: Floats) -> npt.NDArray[np.float64]:
    """Give the (3, 3) homography from pixels of the crop to those of the cut, CUT_WIDTH x LINE_HEIGHT, for the corners (4, 2) of a line."""
    quad = _convex(quad)
    width, height = line_size(quad)
    x, y = CUT_WIDTH * BESIDE * height / (width + 2 * BESIDE * height), LINE_HEIGHT * ABOVE / (1 + 2 * ABOVE)
    inner = np.array([[x, y], [CUT_WIDTH - x, y], [CUT_WIDTH - x, LINE_HEIGHT - y], [x, LINE_HEIGHT - y]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(quad.astype(np.float32), inner), np.float64)


def _cut(crop: Image, quad: Floats) -> Image:
    matrix = cut_matrix(quad)
    # Thin strokes break where pixels are skipped: what is much too large is averaged first.
    factors = np.minimum(1.0, (CUT_WIDTH, LINE_HEIGHT) / np.array(line_size(quad)))
    factors[factors > 0.6] = 1.0
    if factors.min() < 1:
        whole = np.array((crop.shape[1], crop.shape[0]))
        size = np.maximum(1, np.round(factors * whole)).astype(int)
        crop = scaled(crop, int(size[0]), int(size[1]))
        matrix = matrix @ np.diag((*(whole / size), 1.0))
    cut = cv2.warpPerspective(crop, matrix, (CUT_WIDTH, LINE_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)


def _convex(quad: Floats) -> Floats:
    """Give the corners, (4, 2), or those of the upright rectangle around them, at least 1 x 1, if they turn left anywhere or nowhere."""
    sides = np.roll(quad, -1, axis=0) - quad
    following = np.roll(sides, -1, axis=0)
    if (sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0] > 0.5).all():
        return quad
    (left, top), low = quad.min(axis=0), quad.max(axis=0)
    right, bottom = max(left + 1, low[0]), max(top + 1, low[1])
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
