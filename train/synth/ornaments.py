"""What stands on plates and is no text: seals, emblems, stickers, stars, printed pictures."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from train.synth.dice import Dice
from train.synth.fonts import ABOVE, CAP, names
from train.synth.lines import caption_mask
from train.synth.looks import Colour
from train.synth.paint import Canvas, paint
from train.synth.places import captions

Box = tuple[float, float, float, float]

_SEALS: tuple[Colour, ...] = (
    (60, 60, 200),
    (180, 110, 50),
    (70, 150, 70),
    (60, 180, 220),
    (180, 180, 180),
    (90, 90, 90),
    (60, 130, 210),
    (190, 170, 150),
    (225, 225, 225),
    (130, 70, 40),
)


def seal(dice: Dice, image: Canvas, box: Box, ink: Colour) -> None:
    """Round stickers and seals between the groups: one, or two above one another."""
    x1, y1, x2, y2 = box
    radius = min((x2 - x1) / 2, (y2 - y1) * dice.between(0.17, 0.25))
    count = dice.weighted({1: 0.45, 2: 0.55})
    for place in range(count):
        x, y = (x1 + x2) / 2, (y1 + y2) / 2 + (place - 0.5 * (count - 1)) * dice.between(2.1, 2.5) * radius
        _disc(dice, image, x, y, radius, dice.pick(_SEALS) if dice.chance(0.8) else dice.colour(0, 255))


def _disc(dice: Dice, image: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    centre, r = (round(x), round(y)), max(1, round(radius))
    cv2.circle(image, centre, r, colour, -1, cv2.LINE_AA)
    if dice.chance(0.5):
        cv2.circle(image, centre, max(1, round(radius * 0.6)), dice.colour(40, 255), -1, cv2.LINE_AA)
    if r > 3:
        for _ in range(dice.whole(0, 5)):
            angle, far = dice.between(0, 2 * math.pi), dice.between(0.1, 0.6) * radius
            cv2.circle(image, (round(x + far * math.cos(angle)), round(y + far * math.sin(angle))), max(1, r // 5), dice.colour(0, 255), -1)
    if dice.chance(0.5):
        cv2.circle(image, centre, r, tuple(c // 2 for c in colour), 1, cv2.LINE_AA)


def emblem(dice: Dice, image: Canvas, box: Box, ink: Colour) -> None:
    """A state's outline, a star, a heart, a small picture between the groups."""
    x1, y1, x2, y2 = box
    x, y, r = (x1 + x2) / 2, (y1 + y2) / 2, min(x2 - x1, y2 - y1) * dice.between(0.3, 0.5)
    colour = ink if dice.chance(0.6) else dice.colour(0, 220)
    if dice.chance(0.25):
        _disc(dice, image, x, y, r * 0.8, colour)
        return
    star = dice.chance(0.3)
    corners = 10 if star else dice.whole(5, 9)
    turn = -math.pi / 2
    points = []
    for k in range(corners):
        far = (r if k % 2 == 0 else 0.42 * r) if star else r * dice.between(0.45, 1.0)
        angle = turn + 2 * math.pi * k / corners
        points.append((round(x + far * math.cos(angle)), round(y + 1.1 * far * math.sin(angle))))
    outline = [np.array(points, np.int32)]
    if dice.chance(0.8):
        cv2.fillPoly(image, outline, colour, cv2.LINE_AA)
    else:
        cv2.polylines(image, outline, True, colour, 1, cv2.LINE_AA)


def tower(dice: Dice, image: Canvas, box: Box, ink: Colour) -> None:
    """Two to four small letters above one another: a state, a kind of vehicle."""
    x1, y1, x2, y2 = box
    letters = dice.pick(captions("towers"))
    step = (y2 - y1) / len(letters)
    size = min(step * 0.7, (x2 - x1) * 0.9)
    font = dice.pick(names("caption"))
    for place, letter in enumerate(letters):
        mask = caption_mask(letter, font, size)
        y = y1 + (place + 0.5) * step - size / 2 - ABOVE * size / CAP
        paint(image, mask, ink, round((x1 + x2 - mask.shape[1]) / 2), round(y))


ORNAMENTS: dict[str, Callable[[Dice, Canvas, Box, Colour], None]] = {"seal": seal, "emblem": emblem, "tower": tower}


def sticker(dice: Dice, image: Canvas, height: float, right: bool) -> None:
    """Month and year stickers in an upper corner (or a lower one), with small text."""
    tall, width = image.shape[:2]
    wide, high = height * dice.between(0.3, 0.6), height * dice.between(0.22, 0.36)
    x = width - wide - height * dice.between(0.05, 0.25) if right else height * dice.between(0.05, 0.25)
    y = height * dice.between(0.03, 0.12) if dice.chance(0.85) else tall - high - height * dice.between(0.03, 0.1)
    colour = dice.pick((dice.colour(60, 255), (40, 40, 200), (60, 200, 240), (200, 120, 30), (240, 240, 240), (80, 180, 80)))
    cv2.rectangle(image, (round(x), round(y)), (round(x + wide), round(y + high)), colour, -1)
    text = dice.pick(captions("stickers"))
    size = min(high * 0.6, wide / len(text))
    mask = caption_mask(text, dice.pick(names("caption")), size)
    dark = sum(colour) > 380
    paint(
        image,
        mask,
        (20, 20, 20) if dark else (240, 240, 240),
        round(x + (wide - mask.shape[1]) / 2),
        round(y + (high - size) / 2 - ABOVE * size / CAP),
    )


def band_stars(image: Canvas, x: float, y: float, radius: float) -> None:
    """The ring of twelve stars, as dots."""
    for k in range(12):
        angle = k * math.pi / 6
        cv2.circle(
            image,
            (round(x + radius * math.cos(angle)), round(y + radius * math.sin(angle))),
            max(0, round(radius * 0.13)),
            (60, 220, 240),
            -1,
        )


def picture(dice: Dice, image: Canvas, kind: str, height: float) -> None:
    """A printed picture behind the characters, low in contrast."""
    tall, width = image.shape[:2]
    ground = image[0, 0].astype(np.float32)
    other = np.array(dice.paint(90, 250, 60), np.float32)
    strength = dice.between(0.15, 0.65)
    if kind == "fade":
        ramp = np.linspace(1.0, 0.0, tall, dtype=np.float32) ** dice.between(0.6, 3.0)
        if dice.chance(0.4):
            ramp = np.maximum(ramp, ramp[::-1])
        image[:] = (ground + (other - ground) * (strength + 0.2) * ramp[:, None, None]).astype(np.uint8)
        return
    layer = image.copy()
    if kind == "hills":
        for _ in range(dice.whole(1, 3)):
            base, steps = dice.between(0.3, 0.8) * tall, dice.whole(3, 9)
            xs = np.linspace(0, width, steps)
            ys = base + (dice.even(steps) - 0.5) * tall * dice.between(0.1, 0.5)
            points = np.concatenate((np.stack((xs, ys), 1), [(width, tall), (0, tall)])).astype(np.int32)
            cv2.fillPoly(layer, [points], dice.paint(60, 240, 60), cv2.LINE_AA)
    else:
        for _ in range(dice.whole(2, 9)):
            centre = (dice.whole(0, width), dice.whole(0, tall))
            axes = (dice.whole(2, max(3, int(height))), dice.whole(2, max(3, int(0.7 * height))))
            cv2.ellipse(layer, centre, axes, dice.between(0, 180), 0, 360, dice.paint(40, 250, 70), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(layer, (0, 0), max(0.5, height * dice.between(0.01, 0.08)))
    cv2.addWeighted(image, 1 - strength, soft, strength, 0, dst=image)
