"""The network's output to detections in frame pixels (pure but for OpenCV's non-maximum suppression)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.detector.letterbox import Placement
from streamer.types import Box, Detection

RawBoxes = npt.NDArray[np.float32]
"""(5, anchors), float32: centre x, centre y, width, height in pixels of the input, score 0..1."""


def detections(raw: RawBoxes, placement: Placement, confidence: float, iou: float) -> list[Detection]:
    """Give the plates of one picture, best score first, boxes in its pixels and within it.

    ``confidence``: weaker boxes are left out. ``iou``: of two boxes that overlap by more than this, the weaker is removed.
    """
    import cv2

    candidates = raw[:, raw[4] >= confidence].astype(np.float64)
    if not candidates.shape[1]:
        return []
    corners = candidates[:2] - candidates[2:4] / 2
    upright = np.vstack((corners, candidates[2:4])).T
    kept = np.asarray(cv2.dnn.NMSBoxes(upright.tolist(), candidates[4].tolist(), 0.0, iou), dtype=np.int64)
    boxes = _to_frame(corners[:, kept], candidates[2:4, kept], placement)
    found = [Detection(Box(*map(float, box)), float(score)) for box, score in zip(boxes.T, candidates[4, kept], strict=True)]
    return [d for d in found if d.box.width > 0 and d.box.height > 0]


def _to_frame(corners: npt.NDArray[Any], sizes: npt.NDArray[Any], at: Placement) -> npt.NDArray[Any]:
    """Give (4, n) x1 y1 x2 y2 in pixels of the picture; boxes that lie in the border only become empty."""
    offset = np.array([[at.left], [at.top]])
    scale = np.array([[at.scale_x], [at.scale_y]])
    limit = np.array([[at.width], [at.height]])
    low = np.clip((corners - offset) / scale, 0, limit)
    high = np.clip((corners + sizes - offset) / scale, 0, limit)
    return np.vstack((low, high))
