"""Where a line of characters stands: four corners from the upright boxes around its characters."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


def line_quads(char_boxes: NDArray[np.float64], corners: NDArray[np.float64], lines: Sequence[str]) -> NDArray[np.float64]:
    """Give (lines, 4, 2): x, y of the corners around each line's characters, from the top left one clockwise.

    ``char_boxes``: (n, 4) x1, y1, x2, y2, upright in the picture, one per character of all ``lines`` in order. ``corners``: (4, 2) of the
    plate from its own top left clockwise; its perspective is that of the lines. A box around a character that is turned is larger than
    the character: on the plate a character is ``w`` x ``h``, and where the picture's x and y change by (a, c) with a step along the plate
    and by (b, d) with one down it, the box is ``|a| w + |b| h`` wide and ``|c| w + |d| h`` high. That is solved for ``w`` and ``h``.
    """
    unit = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), np.float32)
    to_picture = cv2.getPerspectiveTransform(unit, np.asarray(corners, np.float32)).astype(np.float64)
    centres = _map(np.linalg.inv(to_picture), np.asarray((char_boxes[:, :2] + char_boxes[:, 2:]) / 2))
    halves = np.array([_half(to_picture, centre, box) for centre, box in zip(centres, char_boxes, strict=True)])
    ends = np.cumsum([len(line) for line in lines])[:-1]
    quads = []
    for low, high in zip(np.split(centres - halves, ends), np.split(centres + halves, ends), strict=True):
        (left, top), (right, bottom) = low.min(0), high.max(0)
        quads.append(_map(to_picture, np.array(((left, top), (right, top), (right, bottom), (left, bottom)))))
    return np.stack(quads)


def _half(matrix: NDArray[np.float64], centre: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the width and height of a character on the plate, from its box in the picture."""
    x, y, depth = matrix @ (*centre, 1.0)
    steps = np.abs(matrix[:2, :2] - np.outer((x / depth, y / depth), matrix[2, :2])) / abs(depth)
    size = box[2:] - box[:2]
    if abs(np.linalg.det(steps)) < 0.2 * steps[0, 0] * steps[1, 1]:  # near 45 degrees nothing can be told
        return np.asarray(size / np.maximum(np.diag(steps), 1e-9) / 2)
    return np.asarray(np.maximum(np.linalg.solve(steps, size), 0) / 2)


def _map(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    mapped = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])
