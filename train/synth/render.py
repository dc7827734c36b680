"""Draws a look: a flat, clean plate with the places of its characters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.dice import Dice
from train.synth.fonts import ABOVE, CAP, Mask, names
from train.synth.lines import Line, caption_mask, draw_line
from train.synth.looks import Band, Caption, Look
from train.synth.ornaments import ORNAMENTS, band_stars, picture, sticker
from train.synth.paint import Canvas, paint, rounded, stamp


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A plate, drawn flat."""

    image: Canvas
    """uint8 (h, w, 3) BGR."""
    alpha: Mask
    """uint8 (h, w): where the plate (or its frame) is."""
    ink: Mask
    """uint8 (h, w): where the characters are."""
    corners: NDArray[np.float64]
    """(4, 2) x, y of the plate's corners, from its top left clockwise."""
    boxes: NDArray[np.float64]
    """(n, 4) x1, y1, x2, y2 of the labelled characters."""
    lines: tuple[str, ...]
    height: float
    """Character height in pixels."""


def draw_plate(dice: Dice, look: Look, height: float) -> Drawn:
    """Draw a look with characters ``height`` pixels tall."""
    lines, size, origins = _layout(dice, look, height)
    width, tall = size
    image = np.full((tall, width, 3), look.ground, np.uint8)
    if look.picture:
        picture(dice, image, look.picture, height)
    for band in look.bands:
        _band(dice, image, band, height, dice.pick(names("caption")))
    for caption in look.captions:
        _caption(dice, image, caption, look, height)
    for place in range(look.stickers):
        sticker(dice, image, height, right=bool(place) != (look.stickers == 1 and dice.chance(0.5)))
    ink = np.zeros((tall, width), np.uint8)
    boxes = []
    for line, (x, y) in zip(lines, origins, strict=True):
        stamp(ink, line.mask, x, y - line.over)
        boxes.append(line.boxes + np.array((x, y, x, y), np.float64))
        for item, x1, x2 in line.slots:
            box = (x + x1, y, x + x2, y + line.mask.shape[0] - 2 * line.over)
            ORNAMENTS[item.kind](dice, image, box, look.ink)
    _characters(dice, image, ink, look, height)
    _rim(image, look, height)
    if look.screws:
        _screws(dice, image, look, height)
    corners = np.array(((0, 0), (width, 0), (width, tall), (0, tall)), np.float64)
    return Drawn(
        image, rounded(width, tall, look.radius * height), ink, corners, np.concatenate(boxes), tuple(line.text for line in lines), height
    )


def _layout(dice: Dice, look: Look, height: float) -> tuple[list[Line], tuple[int, int], list[tuple[int, int]]]:
    """Lines, the plate's size and the top left of each line's capitals."""
    left, top, right, bottom = (pad * height for pad in look.pads)
    for band in look.bands:
        left += band.width * height * (band.side == "left")
        right += band.width * height * (band.side == "right")
        top += band.width * height * (band.side == "top")
    heights = [height * size for size in look.line_sizes] + [height] * (len(look.lines) - len(look.line_sizes))
    inner = sum(heights) + look.line_gap * height * (len(heights) - 1)
    tall = round(inner + top + bottom)
    lines = [draw_line(items, look.type, h) for items, h in zip(look.lines, heights, strict=True)]
    widest = max(line.width for line in lines)
    room = look.aspect * tall - left - right if look.aspect else 0.0
    if room and widest > room:  # dies are as narrow as the plate asks, within reason
        squeeze = max(0.68, room / widest)
        lines = [draw_line(items, look.type, h, squeeze) for items, h in zip(look.lines, heights, strict=True)]
        widest = max(line.width for line in lines)
    inner_width = max(widest, room)
    width = round(inner_width + left + right)
    y, origins, middled = top, [], dice.chance(0.8)
    for line, h in zip(lines, heights, strict=True):
        slack = inner_width - line.width
        x = left + slack * (0.5 if middled else dice.between(0.1, 0.9))
        origins.append((round(x), round(y)))
        y += h + look.line_gap * height
    return lines, (width, tall), origins


def _characters(dice: Dice, image: Canvas, ink: Mask, look: Look, height: float) -> None:
    """Paint the characters, with the light and shade of their relief."""
    step = max(1, round(height * 0.03))
    rows = np.flatnonzero(ink.max(axis=1))
    span = slice(max(0, int(rows[0]) - 3 * step), int(rows[-1]) + 3 * step)
    image, ink = image[span], ink[span]  # views: what is painted here is painted there
    if look.drop:
        shifted = np.roll(ink, (2 * step, 2 * step), (0, 1))
        paint(image, shifted, dice.colour(60, 200), strength=look.drop)
    if look.emboss:
        dx, dy = dice.pick(((1, 1), (-1, 1), (0, 1), (1, 0)))
        lower = np.roll(ink, (dy * step, dx * step), (0, 1))
        upper = np.roll(ink, (-dy * step, -dx * step), (0, 1))
        paint(image, lower, (20, 20, 20), strength=0.6 * look.emboss)
        paint(image, upper, (255, 255, 255), strength=0.7 * look.emboss)
    paint(image, ink, look.ink, strength=dice.between(0.82, 1.0))


def _band(dice: Dice, image: Canvas, band: Band, height: float, font: str) -> None:
    tall, width = image.shape[:2]
    wide = round(band.width * height)
    if band.side == "top":
        image[:wide] = band.colour
        mask = caption_mask(band.text, font, wide * 0.5)
        paint(image, mask, (245, 245, 245), (width - mask.shape[1]) // 2, round(wide * 0.25 - ABOVE * wide * 0.5 / CAP))
        if band.flag:
            side = round(wide * 0.5)
            cv2.rectangle(image, (width - 3 * side, side // 2), (width - round(1.4 * side), side // 2 + side), band.flag[0], -1)
        return
    start = 0 if band.side == "left" else width - wide
    image[:, start : start + wide] = band.colour
    if band.text:
        size = min(0.3 * height, 0.8 * wide / max(1, len(band.text)) * 1.3)
        mask = caption_mask(band.text, font, size)
        paint(image, mask, (240, 240, 240), start + (wide - mask.shape[1]) // 2, round(tall * dice.between(0.6, 0.72) - ABOVE * size / CAP))
    if band.stars:
        band_stars(image, start + wide / 2, tall * dice.between(0.26, 0.36), wide * 0.32)


def _caption(dice: Dice, image: Canvas, caption: Caption, look: Look, height: float) -> None:
    """Small text in the room above or below the characters, never over them."""
    tall, width = image.shape[:2]
    room = look.pads[1 if caption.place == "top" else 3] * height
    size = min(caption.size * height, 0.78 * room)
    if size < 2.5:
        return
    mask = caption_mask(caption.text, dice.pick(names(caption.tag)), size)
    most = 0.94 * width
    if mask.shape[1] > most:
        mask = cv2.resize(mask, (round(most), mask.shape[0]), interpolation=cv2.INTER_AREA).astype(np.uint8)
    slack = (room - size) * dice.between(0.25, 0.75)
    offset = sum(band.width * height for band in look.bands if band.side == "top")
    y = offset + slack if caption.place == "top" else tall - room + slack
    paint(image, mask, caption.colour, round(caption.across * width - mask.shape[1] / 2), round(y - ABOVE * size / CAP))


def _rim(image: Canvas, look: Look, height: float) -> None:
    if not look.rim:
        return
    tall, width = image.shape[:2]
    thick = max(1, round(look.rim * height))
    inset = max(1, thick // 2 + 1)
    mask = rounded(width, tall, look.radius * height)
    inner = np.zeros_like(mask)
    inner[inset + thick : tall - inset - thick, inset + thick : width - inset - thick] = rounded(
        width - 2 * (inset + thick), tall - 2 * (inset + thick), look.radius * height
    )
    outer = np.zeros_like(mask)
    outer[inset : tall - inset, inset : width - inset] = rounded(width - 2 * inset, tall - 2 * inset, look.radius * height)
    paint(image, cv2.subtract(outer, inner).astype(np.uint8), look.rim_colour)


def _screws(dice: Dice, image: Canvas, look: Look, height: float) -> None:
    """Bolts near the rim, or between the characters' rows."""
    tall, width = image.shape[:2]
    radius = max(1, round(height * dice.between(0.04, 0.11)))
    across = dice.between(0.08, 0.3)
    down = dice.between(0.06, 0.16) if dice.chance(0.75) else dice.between(0.3, 0.5)
    colour = dice.pick((dice.colour(40, 110), dice.colour(140, 220), (30, 160, 220)))
    rows = (down,) if look.screws == 2 else (down, 1 - down)
    for share_y in rows:
        for share_x in (across, 1 - across):
            x, y = round(share_x * width), round(share_y * tall)
            cv2.circle(image, (x, y), radius, colour, -1, cv2.LINE_AA)
            if radius > 2:
                cv2.circle(image, (x, y), radius, tuple(c // 2 for c in colour), 1, cv2.LINE_AA)
                angle = dice.between(0, math.pi)
                dx, dy = round(radius * 0.7 * math.cos(angle)), round(radius * 0.7 * math.sin(angle))
                cv2.line(image, (x - dx, y - dy), (x + dx, y + dy), tuple(c // 3 for c in colour), 1, cv2.LINE_AA)
