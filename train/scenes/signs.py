"""What looks like plates and is none: names of dealers, words and numbers on signs and tailgates."""

from __future__ import annotations

import cv2
import numpy as np

from train.synth.dice import Dice
from train.synth.fonts import ABOVE, BELOW, CAP, Mask, names
from train.synth.lines import caption_mask
from train.synth.paint import paint, rounded
from train.synth.places import captions, places
from train.synth.render import Drawn

_HEIGHT = 40.0
"""Pixels of a capital."""


def draw_sign(dice: Dice) -> Drawn:
    """Draw a sign of one or two lines of words or of a telephone number, on a board or straight on what is there."""
    lines = [_line(dice) for _ in range(dice.weighted({1: 0.65, 2: 0.35}))]
    pad, gap = dice.between(0.15, 0.8) * _HEIGHT, dice.between(0.1, 0.5) * _HEIGHT
    width = max(line.shape[1] for line in lines) + round(2 * pad)
    tall = round(sum(line.shape[0] for line in lines) + gap * (len(lines) - 1) + 2 * pad)
    dark = dice.chance(0.5)
    ground = dice.paint(10, 70, 60) if dark else dice.pick((dice.paint(190, 245, 20), dice.paint(120, 235, 90), (40, 190, 240)))
    ink = dice.paint(190, 250, 40) if dark else dice.pick((dice.colour(0, 70), dice.colour(0, 160)))
    image = np.full((tall, width, 3), ground, np.uint8)
    letters = np.zeros((tall, width), np.uint8)
    y = pad
    for line in lines:
        x = (width - line.shape[1]) // 2
        letters[round(y) : round(y) + line.shape[0], x : x + line.shape[1]] = line[: tall - round(y)]
        y += line.shape[0] + gap
    paint(image, letters, ink, strength=dice.between(0.7, 1.0))
    if dice.chance(0.35):
        cv2.rectangle(image, (2, 2), (width - 3, tall - 3), ink, dice.whole(1, 4))
    board = rounded(width, tall, dice.between(0, 0.3) * _HEIGHT)
    alpha = letters if dice.chance(0.35) else board
    corners = np.array(((0, 0), (width, 0), (width, tall), (0, tall)), np.float64)
    return Drawn(image, alpha, letters, corners, np.zeros((0, 4)), (), _HEIGHT)


def _line(dice: Dice) -> Mask:
    """A line of words as a mask, as tall as its ink may be."""
    kind = dice.weighted({"dealer": 0.35, "word": 0.3, "place": 0.15, "number": 0.2})
    if kind == "dealer":
        text = dice.pick(captions("dealers"))
    elif kind == "word":
        text = dice.pick(captions("signs"))
    elif kind == "place":
        text = dice.pick(dice.pick(places())) or "Exit"
    else:
        text = " ".join(str(dice.whole(100, 99999)) for _ in range(dice.whole(2, 3)))
    if dice.chance(0.5):
        text = text.upper()
    mask = caption_mask(text[:22], dice.pick(names(dice.weighted({"caption": 0.85, "script": 0.15}))), _HEIGHT)
    rows = round((ABOVE / 2 + CAP + BELOW) * _HEIGHT / CAP)
    return mask[:rows]
