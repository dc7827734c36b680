"""A line of plate characters as a mask, with a box for every labelled character and a slot for every ornament."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.fonts import ABOVE, CAP, ROWS, Glyph, Mask, face, names
from train.synth.looks import Item, Type

OVER = 8
"""Rows at font size that a line's mask has above and below the cap height."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A drawn line; its origin is the top left of the capitals' box, so that the mask starts ``over`` rows above."""

    mask: Mask
    over: int
    text: str
    boxes: NDArray[np.float64]
    """(n, 4) x1, y1, x2, y2 in pixels from the origin, a row per labelled character."""
    slots: tuple[tuple[Item, float, float], ...]
    """Ornaments with the x of their left and right edge."""

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.mask.shape[1])


def draw_line(items: tuple[Item, ...], style: Type, height: float, squeeze: float = 1.0) -> Line:
    """Draw ``items`` with capitals ``height`` pixels tall, their widths multiplied by ``squeeze``."""
    placed, slots, width = _place(items, style)
    mask = np.zeros((ROWS, max(1, int(np.ceil(width)) + 2)), np.uint8)
    boxes, text = [], ""
    for item, drawn, x in placed:
        column = max(0, min(round(x), mask.shape[1] - drawn.shape[1]))
        part = mask[:, column : column + drawn.shape[1]]
        np.maximum(part, drawn[:, : part.shape[1]], out=part)
        if item.kind in ("char", "sign"):
            rows = np.flatnonzero(drawn.max(axis=1) > 64)
            top, foot = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (ABOVE, ABOVE + CAP)
            boxes.append((column, top - ABOVE, column + drawn.shape[1], foot - ABOVE))
            text += item.value if item.kind == "char" else "*"
    mask = _stroke(mask[ABOVE - OVER : ABOVE + CAP + OVER], style)
    down, across = height / CAP, height / CAP * style.x_scale * squeeze
    size = (max(1, round(mask.shape[1] * across)), max(1, round(mask.shape[0] * down)))
    scale = np.array((size[0] / mask.shape[1], down) * 2)
    resized = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return Line(
        mask=resized.astype(np.uint8),
        over=round(OVER * down),
        text=text,
        boxes=np.array(boxes, np.float64).reshape(-1, 4) * scale,
        slots=tuple((item, x1 * scale[0], x2 * scale[0]) for item, x1, x2 in slots),
    )


def _place(items: tuple[Item, ...], style: Type) -> tuple[list[tuple[Item, Mask, float]], list[tuple[Item, float, float]], float]:
    """Where each glyph and each ornament comes to lie, at font size."""
    placed: list[tuple[Item, Mask, float]] = []
    slots: list[tuple[Item, float, float]] = []
    x, tracking = 2.0, style.tracking * CAP
    for item in items:
        if item.kind in ("gap", "seal", "emblem", "tower"):
            wide = item.width * CAP
            if item.kind != "gap":
                slots.append((item, x, x + wide))
            x += wide
            continue
        if item.kind == "mark":
            placed.append((item, _mark(item), x))
            x += item.width * CAP + tracking
            continue
        glyph = _sign(item.value) if item.kind == "sign" else face(style.face).glyph(item.value)
        mask, left, advance = _fitted(glyph, item, style)
        if item.size != 1.0:
            mask, left, advance = _smaller(mask, item), left * item.size, advance * item.size
        placed.append((item, mask, x + left))
        x += advance + tracking
    return placed, slots, x


def _fitted(glyph: Glyph, item: Item, style: Type) -> tuple[Mask, float, float]:
    """A glyph with its left bearing and advance, brought to the style's pitch."""
    mask, left, advance = glyph.mask, glyph.left, glyph.advance
    if not style.cell or item.kind == "sign":
        return mask, left, advance
    cell = style.cell * CAP
    widest = cell * 0.84
    if (style.fit and item.value not in "I1" and mask.shape[1] > 0.3 * CAP) or mask.shape[1] > widest:
        mask = cv2.resize(mask, (max(1, round(widest)), ROWS), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return mask, (cell - mask.shape[1]) / 2, cell


def _smaller(mask: Mask, item: Item) -> Mask:
    """Shrink a glyph to the item's size and set it as far down its line as the item says."""
    width, rows = max(1, round(mask.shape[1] * item.size)), round(ROWS * item.size)
    top = round(ABOVE * (1 - item.size) + item.down * CAP * (1 - item.size))
    small = np.zeros((ROWS, width), np.uint8)
    small[top : top + rows] = cv2.resize(mask, (width, rows), interpolation=cv2.INTER_AREA)[: ROWS - top]
    return small


def _mark(item: Item) -> Mask:
    """A hyphen, a dot in the middle or a full stop, drawn here since not every font has them."""
    width = max(6, round(item.width * CAP))
    mask = np.zeros((ROWS, width), np.uint8)
    if item.value == "-":
        thick = max(5, round(0.11 * CAP))
        mask[ABOVE + (CAP - thick) // 2 :][:thick, 1:-1] = 255
    else:
        radius = min(width // 2, CAP // 10)
        y = ABOVE + (CAP // 2 if item.value == "·" else CAP - radius)
        cv2.circle(mask, (width // 2, y), radius, (255,), -1, cv2.LINE_AA)
    return mask


def _sign(value: str) -> Glyph:
    """A sign outside the alphabet, with the height of the Latin characters."""
    tag = "han" if "\u4e00" <= value <= "\u9fff" else "arabic" if "\u0600" <= value <= "\u06ff" else "thai"
    glyph = face(names(tag)[0]).glyph(value)
    rows = np.flatnonzero(glyph.mask.max(axis=1) > 64)
    ink = glyph.mask[rows[0] : rows[-1] + 1]
    width = max(8, round(ink.shape[1] * CAP / ink.shape[0] * 0.85)) if tag == "han" else ink.shape[1]
    mask = np.zeros((ROWS, width), np.uint8)
    if tag == "han":
        mask[ABOVE : ABOVE + CAP] = cv2.resize(ink, (width, CAP), interpolation=cv2.INTER_AREA)
    else:
        mask = glyph.mask
    return Glyph(mask, 0.06 * CAP, width + 0.1 * CAP)


def _stroke(mask: Mask, style: Type) -> Mask:
    """Thicken or thin the strokes, then round their corners as a die does."""
    radius = round(abs(style.stroke) * CAP)
    if radius:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        mask = (cv2.dilate if style.stroke > 0 else cv2.erode)(mask, kernel).astype(np.uint8)
    if style.rounding:
        soft = cv2.GaussianBlur(mask, (0, 0), style.rounding * CAP)
        mask = np.clip((soft.astype(np.float32) - 96) * 4, 0, 255).astype(np.uint8)
    if style.outline:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        mask = cv2.subtract(cv2.dilate(mask, kernel), cv2.erode(mask, np.ones((3, 3), np.uint8))).astype(np.uint8)
    return mask


def caption_mask(text: str, font: str, height: float, x_scale: float = 1.0) -> Mask:
    """Draw small text, any characters, with capitals ``height`` pixels tall; uint8 (rows, width) with the font's rows."""
    items = [(face(font).glyph(c)) for c in text]
    width = sum(g.advance for g in items) + CAP / 2
    mask = np.zeros((ROWS, max(1, int(width) + 2)), np.uint8)
    x = CAP / 8
    for g in items:
        column = max(0, round(x + g.left))
        part = mask[:, column : column + g.mask.shape[1]]
        np.maximum(part, g.mask[:, : part.shape[1]], out=part)
        x += g.advance
    scale = height / CAP
    size = (max(1, round(mask.shape[1] * scale * x_scale)), max(1, round(ROWS * scale)))
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
