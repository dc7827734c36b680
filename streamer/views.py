"""The pictures around a plate: the vehicle and the whole scene, encoded for keeping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from streamer.redaction import Area, Hidden, Redacted, Redaction, Redactor
from streamer.types import Box, EncodedPicture, Image, KnownPlate

if TYPE_CHECKING:
    from streamer.config import EvidenceConfig
    from streamer.shots import TakePictures

Kind = Literal["vehicle", "scene"]

SIDE, ABOVE, BELOW = 2.4, 2.9, 1.3
"""How far a vehicle reaches from the middle of its plate, in plate sizes of about 0.45 m (see ``tracker``): a car is 1.8 m wide and 1.5 m
high, and carries its plate some half a metre above the road. Of lorries it shows the front."""
_SUFFIXES: Final = {"jpeg": ".jpg", "webp": ".webp"}


def taker_of(config: EvidenceConfig, redaction: Redaction | None = None) -> TakePictures | None:
    """Give who makes the pictures that a configuration asks for; None if it asks for none. ``redaction``: what is hidden in them."""
    if not (config.vehicle or config.scene):
        return None
    redactor = Redactor(redaction or Redaction())

    def take(image: Image, box: Box, plates: Sequence[KnownPlate]) -> tuple[EncodedPicture, ...]:
        height, width = image.shape[:2]
        redacted = redactor.apply(image, box, plates)
        views: list[tuple[Kind, Area]] = []
        if config.vehicle:
            views.append(("vehicle", around(width, height, box)))
        if config.scene:
            views.append(("scene", (0, 0, width, height)))
        return tuple(_picture(kind, redacted, view, config) for kind, view in views)

    return take


def around(width: int, height: int, box: Box) -> Area:
    """Give the part of a picture of so many pixels in which the vehicle of a plate must be; at least one pixel."""
    size = 2.0 * math.sqrt(max(box.width * box.height, 1.0))
    x, y = box.centre
    left, top = max(0, math.floor(x - SIDE * size)), max(0, math.floor(y - ABOVE * size))
    right, bottom = min(width, math.ceil(x + SIDE * size)), min(height, math.ceil(y + BELOW * size))
    return min(left, width - 1), min(top, height - 1), max(right, left + 1), max(bottom, top + 1)


def _picture(kind: Kind, redacted: Redacted, view: Area, config: EvidenceConfig) -> EncodedPicture:
    left, top, right, bottom = view
    part = redacted.image[top:bottom, left:right]
    return _encoded(kind, part if kind == "vehicle" else _fitted(part, config.scene_max_px), config, redacted.counts(view))


def _fitted(image: Image, most: int) -> Image:
    """Shrink a picture until its longer side has at most so many pixels."""
    import cv2

    height, width = image.shape[:2]
    scale = most / max(height, width)
    if scale >= 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(kind: Kind, image: Image, config: EvidenceConfig, redacted: Mapping[Hidden, int] | None) -> EncodedPicture:
    import cv2

    flag = cv2.IMWRITE_JPEG_QUALITY if config.format == "jpeg" else cv2.IMWRITE_WEBP_QUALITY
    suffix = _SUFFIXES[config.format]
    done, content = cv2.imencode(suffix, image, [flag, config.quality])
    assert done, "every uint8 BGR picture with pixels can be encoded"
    height, width = image.shape[:2]
    hidden = None if redacted is None else {str(name): count for name, count in redacted.items()}
    return EncodedPicture(kind, content.tobytes(), suffix, width, height, redacted=hidden)
