"""The pictures around a plate: the vehicle and the whole scene, encoded for keeping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from streamer.types import Box, EncodedPicture, Image

if TYPE_CHECKING:
    from streamer.config import EvidenceConfig
    from streamer.shots import TakePictures

SIDE, ABOVE, BELOW = 2.4, 2.9, 1.3
"""How far a vehicle reaches from the middle of its plate, in plate sizes of about 0.45 m (see ``tracker``): a car is 1.8 m wide and 1.5 m
high, and carries its plate some half a metre above the road. Of lorries it shows the front."""
_SUFFIXES: Final = {"jpeg": ".jpg", "webp": ".webp"}


def taker_of(config: EvidenceConfig) -> TakePictures | None:
    """Give who makes the pictures that a configuration asks for; None if it asks for none."""
    if not (config.vehicle or config.scene):
        return None

    def take(image: Image, box: Box) -> tuple[EncodedPicture, ...]:
        pictures = []
        if config.vehicle:
            pictures.append(_encoded("vehicle", around(image, box), config))
        if config.scene:
            pictures.append(_encoded("scene", _fitted(image, config.scene_max_px), config))
        return tuple(pictures)

    return take


def around(image: Image, box: Box) -> Image:
    """Give the view of ``image`` (uint8 (h, w, 3)) in which the vehicle of a plate must be, clipped to the picture."""
    height, width = image.shape[:2]
    size = 2.0 * math.sqrt(max(box.width * box.height, 1.0))
    x, y = box.centre
    left, top = max(0, math.floor(x - SIDE * size)), max(0, math.floor(y - ABOVE * size))
    right, bottom = min(width, math.ceil(x + SIDE * size)), min(height, math.ceil(y + BELOW * size))
    return image[min(top, height - 1) : max(bottom, top + 1), min(left, width - 1) : max(right, left + 1)]


def _fitted(image: Image, most: int) -> Image:
    """Shrink a picture until its longer side has at most so many pixels."""
    import cv2

    height, width = image.shape[:2]
    scale = most / max(height, width)
    if scale >= 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(kind: str, image: Image, config: EvidenceConfig) -> EncodedPicture:
    import cv2

    flag = cv2.IMWRITE_JPEG_QUALITY if config.format == "jpeg" else cv2.IMWRITE_WEBP_QUALITY
    suffix = _SUFFIXES[config.format]
    done, content = cv2.imencode(suffix, image, [flag, config.quality])
    assert done, "every uint8 BGR picture with pixels can be encoded"
    height, width = image.shape[:2]
    return EncodedPicture("vehicle" if kind == "vehicle" else "scene", content.tobytes(), suffix, width, height)
