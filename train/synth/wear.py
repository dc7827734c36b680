"""What years and weather do to a plate: faded paint, dirt, scratches, dents, shadows, glare, a frame over its rim."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.dice import Dice
from train.synth.fonts import ABOVE, CAP, names
from train.synth.lines import caption_mask
from train.synth.paint import Canvas, paint, rounded
from train.synth.places import captions
from train.synth.render import Drawn


def age(dice: Dice, plate: Drawn) -> Drawn:
    """Wear a plate. Its characters stay readable and where they are."""
    image = plate.image.copy()
    if dice.chance(0.3):
        _dirt(dice, image)
    if dice.chance(0.15):
        _scratches(dice, image, plate.height)
    if dice.chance(0.12):
        _dents(dice, image)
    worn = replace(plate, image=image)
    return _bent(dice, worn) if dice.chance(0.08) else worn


def light(dice: Dice, plate: Drawn) -> Drawn:
    """Cast shadows and glare over a plate, uneven light in any case."""
    image = plate.image.astype(np.float32)
    tall, width = image.shape[:2]
    if dice.chance(0.6):
        image *= _ramp(dice, tall, width, 0.55, 1.15)[..., None]
    if dice.chance(0.22):
        image *= (1 - dice.between(0.25, 0.65) * _shadow(dice, tall, width))[..., None]
    if dice.chance(0.08):
        image += _glare(dice, tall, width)[..., None]
    return replace(plate, image=np.clip(image, 0, 255).astype(np.uint8))


def _ramp(dice: Dice, tall: int, width: int, low: float, high: float) -> NDArray[np.float32]:
    """Light that changes over the plate, (tall, width)."""
    corners = np.array([[dice.between(low, high), dice.between(low, high)], [dice.between(low, high), dice.between(low, high)]], np.float32)
    if dice.chance(0.5):
        corners[:, 1] = corners[:, 0]  # from above, as most light comes
    return cv2.resize(corners, (width, tall), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _shadow(dice: Dice, tall: int, width: int) -> NDArray[np.float32]:
    """The edge of something's shadow, slanted, or of the bumper above, (tall, width) 0..1."""
    mask = np.zeros((tall, width), np.uint8)
    if dice.chance(0.5):
        depth = dice.between(0.1, 0.6) * tall
        points = np.array(((0, 0), (width, 0), (width, depth + dice.between(-0.2, 0.2) * tall), (0, depth)))
    else:
        x, lean = dice.between(-0.3, 1.1) * width, dice.between(-0.6, 0.6) * width
        wide = dice.between(0.15, 0.9) * width
        points = np.array(((x, 0), (x + wide, 0), (x + wide + lean, tall), (x + lean, tall)))
    cv2.fillPoly(mask, [points.astype(np.int32)], (255,))
    soft = dice.between(0.3, 0.06 * tall + 0.4)
    return cv2.GaussianBlur(mask, (0, 0), soft).astype(np.float32) / 255.0


def _glare(dice: Dice, tall: int, width: int) -> NDArray[np.float32]:
    """A bright spot, (tall, width)."""
    x0, y0 = dice.between(0, 1) * width, dice.between(0, 1) * tall
    y, x = np.ogrid[0:tall, 0:width]
    spread = dice.between(0.3, 1.2) * tall
    far = ((x - x0) / (spread * dice.between(0.8, 2.5))) ** 2 + ((y - y0) / spread) ** 2
    return (dice.between(40, 150) * np.exp(-far)).astype(np.float32)


def _clouds(dice: Dice, tall: int, width: int, cell: float) -> NDArray[np.float32]:
    """Soft noise, (tall, width), evenly spread 0..1 at the cells' centres."""
    grid = dice.even(max(2, round(tall / cell)), max(2, round(width / cell)))
    return cv2.resize(grid, (width, tall), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _dirt(dice: Dice, image: Canvas) -> None:
    """Dust and mud: more of it below."""
    tall, width = image.shape[:2]
    share = _clouds(dice, tall, width, tall * dice.between(0.06, 0.5)) - dice.between(0.3, 0.75)
    if dice.chance(0.5):
        share = share + np.linspace(-0.3, 0.3, tall, dtype=np.float32)[:, None]
    mask = (np.clip(share * dice.between(0.6, 3.0), 0, 1) * 255).astype(np.uint8)
    colour = dice.pick(((60, 80, 100), (40, 50, 60), (120, 140, 150), (90, 110, 140), (190, 190, 190)))
    paint(image, mask, colour, strength=dice.between(0.15, 0.5))


def _scratches(dice: Dice, image: Canvas, height: float) -> None:
    tall, width = image.shape[:2]
    for _ in range(dice.whole(1, 7)):
        x, y = dice.whole(0, width), dice.whole(0, tall)
        reach = height * dice.between(0.1, 0.9)
        end = (round(x + reach * dice.between(-1, 1)), round(y + reach * dice.between(-0.6, 0.6)))
        cv2.line(image, (x, y), end, dice.pick((dice.colour(30, 110), dice.colour(140, 255))), 1, cv2.LINE_AA)


def _dents(dice: Dice, image: Canvas) -> None:
    """Waves in the metal show as waves of light."""
    tall, width = image.shape[:2]
    waves = 1 + dice.between(0.1, 0.3) * (_clouds(dice, tall, width, tall * dice.between(0.5, 1.2)) - 0.5) * 2
    np.copyto(image, np.clip(image * waves[..., None], 0, 255).astype(np.uint8))


def _bent(dice: Dice, plate: Drawn) -> Drawn:
    """Bend the metal: its columns move up and down, characters with them, as far as its rim allows."""
    tall, width = plate.image.shape[:2]
    room = min(plate.boxes[:, 1].min(), tall - plate.boxes[:, 3].max()) - 1
    depth = min(float(room), dice.between(0.04, 0.14) * plate.height)
    if depth < 1:
        return plate
    waves, phase = dice.between(0.3, 1.3), dice.between(0, 2 * np.pi)
    shift = (depth * np.sin(np.arange(width) * (2 * np.pi * waves / width) + phase)).astype(np.float32)
    across = np.tile(np.arange(width, dtype=np.float32), (tall, 1))
    down = np.arange(tall, dtype=np.float32)[:, None] - shift
    image, ink = (
        cv2.remap(source, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
        for source in (plate.image, plate.ink)
    )
    boxes = plate.boxes.copy()
    for box in boxes:
        own = shift[max(0, int(box[0])) : int(box[2]) + 1]
        box[1] += own.min()
        box[3] += own.max()
    return replace(plate, image=image, ink=ink, boxes=boxes)


def framed(dice: Dice, plate: Drawn) -> Drawn:
    """Put a plate holder around the plate; it covers some of the rim, never a character."""
    h = plate.height
    tall, width = plate.image.shape[:2]
    sides = [round(h * dice.between(0.04, 0.16)) for _ in range(4)]
    if dice.chance(0.55):
        sides[3] = round(h * dice.between(0.18, 0.4))
    if dice.chance(0.25):
        sides[1] = round(h * dice.between(0.15, 0.35))
    left, top, right, bottom = sides
    colour = dice.weighted({dice.colour(5, 45): 0.7, dice.colour(120, 220): 0.2, dice.colour(0, 255): 0.1})
    out = np.full((tall + top + bottom, width + left + right, 3), colour, np.uint8)
    # How far the holder reaches over the plate, at most to the first character.
    x1, y1 = plate.boxes[:, :2].min(0)
    x2, y2 = plate.boxes[:, 2:].max(0)
    most = (x1, y1, width - x2, tall - y2)
    over = [min(max(0.0, 0.75 * room), h * (dice.between(0.0, 0.3) if dice.chance(0.4) else 0.03)) for room in most]
    a, b, c, d = (round(o) for o in over)
    out[top + b : top + tall - d, left + a : left + width - c] = plate.image[b : tall - d, a : width - c]
    for place, room in ((0, top + b), (1, bottom + d)):
        if room > 0.16 * h and dice.chance(0.75):
            size = room * dice.between(0.35, 0.6)
            mask = caption_mask(dice.pick(captions("dealers")), dice.pick(names("caption")), size)
            most_wide = round(0.92 * out.shape[1])
            if mask.shape[1] > most_wide:
                mask = cv2.resize(mask, (most_wide, mask.shape[0]), interpolation=cv2.INTER_AREA).astype(np.uint8)
            y = (out.shape[0] - room if place else 0) + (room - size) / 2 - ABOVE * size / CAP
            bright = dice.colour(170, 255) if sum(colour) < 380 else dice.colour(0, 60)
            paint(out, mask, bright, (out.shape[1] - mask.shape[1]) // 2, round(y))
    ink = np.zeros(out.shape[:2], np.uint8)
    ink[top : top + tall, left : left + width] = plate.ink
    alpha = rounded(out.shape[1], out.shape[0], 0.12 * h)
    shift = np.array((left, top), np.float64)
    return replace(plate, image=out, alpha=alpha, ink=ink, corners=plate.corners + shift, boxes=plate.boxes + np.tile(shift, 2))
