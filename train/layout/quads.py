"""Where a line of characters stands: four corners from the upright boxes around its characters."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def line_quads(char_boxes: Floats, corners: Floats, lines: Sequence[str]) -> Floats:
    """Give (lines, 4, 2): x, y of the corners around each line's characters, from the top left one clockwise.

    ``char_boxes``: (n, 4) x1, y1, x2, y2, upright in the picture, one per character of all ``lines`` in order. ``corners``: (4, 2) of the
    plate from its own top left clockwise; its perspective is that of the lines.
    """
    to_picture, flat = _flat(char_boxes, corners)
    ends = np.cumsum([len(line) for line in lines])[:-1]
    parts = np.split(flat, ends)
    return np.stack([_map(to_picture, _corners(np.array((*part[:, :2].min(0), *part[:, 2:].max(0))))) for part in parts])


def char_quads(char_boxes: Floats, corners: Floats) -> Floats:
    """Give (n, 4, 2): the corners of each character itself, arguments as for ``line_quads``."""
    to_picture, flat = _flat(char_boxes, corners)
    return np.stack([_map(to_picture, _corners(box)) for box in flat])


def _flat(char_boxes: Floats, corners: Floats) -> tuple[Floats, Floats]:
    """The homography from the plate, 1 x 1, to the picture, and (n, 4) boxes of the characters on the plate.

    A box around a character that is turned is larger than the character. On the plate a character is ``w`` x ``h``, and where the
    picture's x and y change by (a, c) with a step along the plate and by (b, d) with one down it, the box is ``|a| w + |b| h`` wide and
    ``|c| w + |d| h`` high. That is solved for ``w`` and ``h``.
    """
    unit = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), np.float32)
    to_picture = np.asarray(cv2.getPerspectiveTransform(unit, np.asarray(corners, np.float32)), np.float64)
    middles = np.asarray((char_boxes[:, :2] + char_boxes[:, 2:]) / 2, np.float64)
    centres = _map(np.asarray(np.linalg.inv(to_picture), np.float64), middles)
    halves = np.array([_half(to_picture, centre, box) for centre, box in zip(centres, char_boxes, strict=True)])
    return to_picture, np.concatenate((centres - halves, centres + halves), axis=1)


def _corners(box: Floats) -> Floats:
    return box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)


def _half(matrix: Floats, centre: Floats, box: Floats) -> Floats:
    """Half the width and height of a character on the plate, from its box in the picture."""
    x, y, depth = matrix @ (*centre, 1.0)
    steps = np.abs(matrix[:2, :2] - np.outer((x / depth, y / depth), matrix[2, :2])) / abs(depth)
    size = box[2:] - box[:2]
    if abs(np.linalg.det(steps)) < 0.2 * steps[0, 0] * steps[1, 1]:  # near 45 degrees nothing can be told
        return np.asarray(size / np.maximum(np.diag(steps), 1e-9) / 2)
    return np.asarray(np.maximum(np.linalg.solve(steps, size), 0) / 2)


def _map(matrix: Floats, points: Floats) -> Floats:
    mapped = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])
