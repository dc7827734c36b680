"""How a camera sees a plate: from aside, on a bumper, cut out as a detector cuts, blurred, noisy, small, compressed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.config import SynthConfig
from train.synth.dice import Dice
from train.synth.fonts import ABOVE, CAP, names
from train.synth.lines import caption_mask
from train.synth.looks import Colour
from train.synth.paint import Canvas, paint
from train.synth.places import captions
from train.synth.render import Drawn

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A crop before the sensor."""

    image: Canvas
    matrix: Matrix
    """(3, 3): pixels of the drawn plate to pixels of the crop."""


def look_at(dice: Dice, config: SynthConfig, plate: Drawn) -> View:
    """Set a plate before a bumper, turn it, and cut it out with the margins of a detector."""
    turned = turn(dice, config, plate)
    corners = transform(turned, plate.corners)
    x1, y1 = corners.min(0)
    x2, y2 = corners.max(0)
    chars = transform(turned, _box_corners(plate.boxes)).reshape(-1, 2)
    edges = _margins(dice, config, x2 - x1, y2 - y1)
    # A cut never takes a part of a character away.
    x1, y1 = min(x1 - edges[0], chars[:, 0].min() - 1), min(y1 - edges[1], chars[:, 1].min() - 1)
    x2, y2 = max(x2 + edges[2], chars[:, 0].max() + 1), max(y2 + edges[3], chars[:, 1].max() + 1)
    width, height = max(12, round(x2 - x1)), max(8, round(y2 - y1))
    matrix = np.array(((1, 0, -x1), (0, 1, -y1), (0, 0, 1))) @ turned
    scene = background(dice, width, height)
    warped = cv2.warpPerspective(plate.image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(plate.alpha, matrix, (width, height), flags=cv2.INTER_LINEAR)
    share = alpha.astype(np.float32)[..., None] / 255.0
    return View((scene + (warped - scene) * share).astype(np.uint8), matrix)


def turn(dice: Dice, config: SynthConfig, plate: Drawn) -> Matrix:
    """Perspective of a plate turned in space: yaw, pitch, roll, seen from some plate widths away."""
    tall, width = plate.image.shape[:2]
    slanted = dice.chance(config.slanted)
    most = config.slant_degrees
    yaw = dice.between(-55, 55) if slanted else dice.bell(0, 14)
    pitch = dice.between(-35, 35) if slanted else dice.bell(0, 9)
    roll = dice.between(-most, most) * 0.6 if slanted else dice.bell(0, 2.5)
    y, p, r = (math.radians(a) for a in (yaw, pitch, roll))
    about_y = np.array(((math.cos(y), 0, math.sin(y)), (0, 1, 0), (-math.sin(y), 0, math.cos(y))))
    about_x = np.array(((1, 0, 0), (0, math.cos(p), -math.sin(p)), (0, math.sin(p), math.cos(p))))
    about_z = np.array(((math.cos(r), -math.sin(r), 0), (math.sin(r), math.cos(r), 0), (0, 0, 1)))
    turn = about_z @ about_x @ about_y
    far = width * dice.between(2.5, 9.0)
    camera = np.array(((far, 0, 0), (0, far, 0), (0, 0, 1.0)))
    plane = np.stack((turn[:, 0], turn[:, 1], np.array((0, 0, far))), axis=1)
    centre = np.array(((1, 0, -width / 2), (0, 1, -tall / 2), (0, 0, 1.0)))
    shear = dice.between(-1, 1) * math.tan(math.radians(most)) * 0.7 if slanted and dice.chance(0.5) else dice.bell(0, 0.04)
    lean = np.array(((1, shear, 0), (0, 1, 0), (0, 0, 1.0)))
    squat = dice.between(*config.squat)
    return np.array(np.diag((math.sqrt(squat), 1 / math.sqrt(squat), 1.0)) @ lean @ camera @ plane @ centre)


def _margins(dice: Dice, config: SynthConfig, width: float, height: float) -> tuple[float, float, float, float]:
    """Room at the left, top, right, bottom: mostly 0 to 14 % of the plate, some more, some into its rim."""
    kind = dice.weighted({"loose": config.loose, "cut": config.cut, "usual": max(0.0, 1 - config.loose - config.cut)})
    low, high = {"loose": (0.0, 0.3), "cut": (-0.06, 0.03), "usual": (-0.01, 0.14)}[kind]
    return (
        dice.between(low, high) * width * 0.7,
        dice.between(low, high) * height,
        dice.between(low, high) * width * 0.7,
        dice.between(low, high) * height,
    )


def background(dice: Dice, width: int, height: int) -> Canvas:
    """Paint a bumper, a boot lid, a grille: colour that changes from top to bottom, edges, slats, lettering, texture."""
    soft = _body(dice, -(-width // 2), -(-height // 2))  # it is out of focus: half the pixels do
    scene = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    if dice.chance(0.15):
        _lettering(dice, scene)
    return scene


def _body(dice: Dice, width: int, height: int) -> Canvas:
    """A piece of a vehicle's body."""
    base = dice.weighted({dice.paint(0, 60, 12): 0.45, dice.paint(20, 235, 8): 0.4, dice.paint(40, 220, 60): 0.15})
    if dice.chance(0.12):
        base = dice.pick(((30, 30, 180), (150, 60, 20), (40, 120, 40), (20, 140, 220)))
    top, bottom = dice.between(0.5, 1.4), dice.between(0.5, 1.4)
    scene = np.empty((height, width, 3), np.float32)
    scene[:] = np.array(base, np.float32) * np.linspace(top, bottom, height, dtype=np.float32)[:, None, None]
    if dice.chance(0.25):  # slats of a grille
        period, tilt = dice.between(0.08, 0.3) * height, dice.between(-0.1, 0.1)
        y, x = np.ogrid[0:height, 0:width]
        slats = np.sin((y + tilt * x) * (2 * math.pi / max(3.0, period)))
        scene *= (1 + dice.between(0.1, 0.6) * slats).astype(np.float32)[..., None]
    for _ in range(dice.whole(0, 4)):
        _body_edge(dice, scene, base)
    if dice.chance(0.4):
        scene += dice.noise(height, width, 1) * dice.between(2, 14)
    return np.clip(cv2.GaussianBlur(scene, (0, 0), dice.between(0.3, 1.3)), 0, 255).astype(np.uint8)


def _body_edge(dice: Dice, scene: NDArray[np.float32], base: Colour) -> None:
    """The edge between two parts of a body: all above or below a line in another colour."""
    height, width = scene.shape[:2]
    y, beyond = dice.between(0, 1) * height, height * dice.pick((-1, 2))
    points = np.array(((0, y), (width, y + dice.between(-0.25, 0.25) * height), (width, beyond), (0, beyond)))
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], (1,))
    other = np.array(dice.paint(0, 240, 25) if dice.chance(0.4) else base, np.float32) * dice.between(0.3, 1.5)
    scene[mask > 0] = other


def _lettering(dice: Dice, scene: Canvas) -> None:
    """A maker's name or a dealer's on the body, above or below the plate."""
    height, width = scene.shape[:2]
    size = height * dice.between(0.06, 0.16)
    mask = caption_mask(dice.pick(captions("dealers")), dice.pick(names("caption")), size)
    y = dice.between(-0.3, 0.4) * size if dice.chance(0.4) else height - dice.between(0.8, 1.6) * size
    bright = 30 if scene.mean() > 120 else 210
    paint(scene, mask, (bright, bright, bright), dice.whole(-mask.shape[1] // 2, max(1, width // 2)), round(y - ABOVE * size / CAP))


def _box_corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) boxes to (4n, 2) corners."""
    return boxes[:, (0, 1, 2, 1, 2, 3, 0, 3)].reshape(-1, 2)


def transform(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (n, 2) points by a (3, 3) matrix."""
    mapped = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def transform_boxes(matrix: Matrix, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (n, 4) boxes: upright boxes around what they become."""
    quads = transform(matrix, _box_corners(boxes)).reshape(-1, 4, 2)
    return np.concatenate((quads.min(1), quads.max(1)), axis=1)
