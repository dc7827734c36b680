"""What the recogniser is shown of a plate: a line of text, 48 x 224 pixels, cut well or badly as the program cuts."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from streamer.reader.lines import LINE_HEIGHT, scaled
from streamer.reader.platelayout import CUT_WIDTH

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

HEIGHT, WIDTH = LINE_HEIGHT, CUT_WIDTH


def whole(crop: Picture) -> Picture:
    """Stretch a whole crop, uint8 (h, w, 3), to (48, 224, 3): squat plates need the width, CTC wants several steps a character."""
    return scaled(crop, WIDTH, HEIGHT)


def quad_view(crop: Picture, boxes: npt.NDArray[Any], dice: np.random.Generator) -> Picture:
    """Cut the line of the characters in ``boxes``, (n, 4) x1 y1 x2 y2 in order, as a net would that is a little wrong everywhere."""
    first, last = boxes[0], boxes[-1]
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    quad = np.array([first[:2], (last[2], last[1]), last[2:], (first[0], first[3])], np.float32)
    margin_x, margin_y = dice.uniform(0.05, 0.5), dice.uniform(0.02, 0.25)
    quad += height * np.array([(-margin_x, -margin_y), (margin_x, -margin_y), (margin_x, margin_y), (-margin_x, margin_y)], np.float32)
    quad += height * dice.normal(0, 0.05, (4, 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(quad, np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float32))
    return np.asarray(cv2.warpPerspective(crop, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def to_input(picture: Picture) -> Floats:
    """Give float32 (3, 48, 224) in -1..1, BGR, which PaddleOCR's recognisers take."""
    return np.ascontiguousarray((picture.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1))


def worn(picture: Picture, dice: np.random.Generator) -> Picture:
    """Degrade a real crop or line: light, blur, noise, few pixels, compression."""
    image = picture.astype(np.float32)
    if dice.random() < 0.6:
        image = (image - 128) * dice.uniform(0.6, 1.3) + 128 + dice.uniform(-40, 40)
    if dice.random() < 0.2:
        image = image[..., dice.permutation(3)]
    if dice.random() < 0.15:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    if dice.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), dice.uniform(0.4, 1.2))
    if dice.random() < 0.25:
        factor = dice.uniform(0.4, 0.9)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (picture.shape[1], picture.shape[0]))
    image = image + dice.normal(0, dice.choice([0.0, 2.0, 5.0, 9.0]), image.shape)
    result = np.clip(image, 0, 255).astype(np.uint8)
    if dice.random() < 0.4:
        result = cv2.imdecode(cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(dice.integers(30, 90))])[1], cv2.IMREAD_COLOR)
    return np.asarray(result, np.uint8)
