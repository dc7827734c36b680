"""The pictures of a report: the view with its plates, contact sheets of crops, what is clipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from streamer.cameradoctor.findings import BLUR, CROPS, LIGHT, VIEW
from streamer.cameradoctor.lookout import Exhibit, Lookout, Scene
from streamer.cameradoctor.measures import Motion, PlateLook, smear_of
from streamer.cameradoctor.optics import HIGHLIGHT, SHADOW, grey_of
from streamer.cameradoctor.plates import FAIR_HEIGHT_PX, GOOD_HEIGHT_PX
from streamer.types import Image

Colour = tuple[int, int, int]

GREEN: Final[Colour] = (80, 220, 80)
AMBER: Final[Colour] = (0, 190, 255)
RED: Final[Colour] = (60, 60, 255)
WHITE: Final[Colour] = (255, 255, 255)
PAPER: Final[Colour] = (245, 245, 245)
INK: Final[Colour] = (30, 30, 30)

LONGEST_SIDE: Final = 1600
"""Pixels of the view: larger ones make the report heavy and show no more."""
CELL: Final = (260, 130)
"""Width and height of a crop's place on a sheet, pixels."""
CAPTION: Final = 54
COLUMNS: Final = 4
SHOWN: Final = 8
QUALITY: Final = 88

FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def draw_all(lookout: Lookout, motions: Sequence[Motion | None]) -> dict[str, bytes]:
    """Give the pictures by file name, JPEG; those that nothing was seen for are left out."""
    pictures: dict[str, Image] = {}
    if lookout.scene is not None:
        pictures[VIEW] = draw_view(lookout.scene, lookout.looks)
        pictures[LIGHT] = draw_light(lookout.scene.image)
    if lookout.looks:
        best, worst = lookout.best[:SHOWN], lookout.worst[:SHOWN]
        pictures[CROPS] = draw_sheet({"most legible crop of each vehicle": best, "least legible": worst}, lookout.looks, motions)
        moving = [shown for shown in lookout.fastest if shown.speed_px_s > 0][:SHOWN]
        if moving:
            pictures[BLUR] = draw_sheet({"fastest look of each vehicle": moving}, lookout.looks, motions)
    return {name: _jpeg(picture) for name, picture in pictures.items()}


def draw_view(scene: Scene, looks: Sequence[PlateLook]) -> Image:
    """Draw the boxes of the picture's plates with the height of their characters, and where all other looks were."""
    image, factor = _fitted(scene.image)
    for look in looks:
        x, y = look.box.centre
        cv2.circle(image, (round(x * factor), round(y * factor)), 3, _colour(look.text.height_px), -1, cv2.LINE_AA)
    for index in scene.plates:
        look = looks[index]
        box, colour = look.box, _colour(look.text.height_px)
        corners = [round(v * factor) for v in (box.x1, box.y1, box.x2, box.y2)]
        cv2.rectangle(image, (corners[0], corners[1]), (corners[2], corners[3]), colour, 2, cv2.LINE_AA)
        label = f"{look.text.height_px:.0f} px, {look.text.tilt_deg:+.0f} deg"
        _label(image, label, (corners[0], corners[1] - 6), colour)
    _label(
        image, f"characters: green {GOOD_HEIGHT_PX:.0f} px or more, amber {FAIR_HEIGHT_PX:.0f}, red less; dots: all looks", (8, 22), WHITE
    )
    return image


def draw_light(image: Image) -> Image:
    """Paint what is clipped white red, and what is clipped black blue, over the greyed picture."""
    grey = grey_of(image)
    painted = np.repeat((grey * 0.7 + 40).astype(np.uint8)[:, :, None], 3, axis=2)
    painted[grey >= HIGHLIGHT] = (0, 0, 255)
    painted[grey <= SHADOW] = (255, 80, 0)
    result, _ = _fitted(painted)
    _label(result, "red: clipped white, blue: clipped black", (8, 22), WHITE)
    return result


def draw_sheet(rows: dict[str, Sequence[Exhibit]], looks: Sequence[PlateLook], motions: Sequence[Motion | None]) -> Image:
    """Draw crops side by side, as large as their places allow, with what was measured of them."""
    parts: list[Image] = []
    for title, shown in rows.items():
        heading = np.full((34, CELL[0] * COLUMNS, 3), PAPER, np.uint8)
        cv2.putText(heading, title, (8, 23), FONT, 0.6, INK, 1, cv2.LINE_AA)
        parts.append(heading)
        for start in range(0, len(shown), COLUMNS):
            row = [_cell(one, looks[one.look], motions[one.look]) for one in shown[start : start + COLUMNS]]
            row += [np.full((CELL[1] + CAPTION, CELL[0], 3), PAPER, np.uint8)] * (COLUMNS - len(row))
            parts.append(np.hstack(row))
    return np.vstack(parts)


def _cell(shown: Exhibit, look: PlateLook, motion: Motion | None) -> Image:
    cell = np.full((CELL[1] + CAPTION, CELL[0], 3), PAPER, np.uint8)
    height, width = shown.crop.shape[:2]
    factor = min((CELL[0] - 12) / width, (CELL[1] - 8) / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    crop = cv2.resize(shown.crop, size, interpolation=cv2.INTER_NEAREST if factor > 1 else cv2.INTER_AREA)
    x, y = (CELL[0] - size[0]) // 2, (CELL[1] - size[1]) // 2
    cell[y : y + size[1], x : x + size[0]] = crop
    smear = smear_of(look, motion) if motion is not None else None
    edges = "-" if look.edges is None else f"{look.edges[0]:.1f} x {look.edges[1]:.1f}"
    first = f"{look.text.height_px:.0f} px, {look.text.tilt_deg:+.0f} deg, edges {edges} px"
    light = f"{look.light.highlights:.0%} white, contrast {look.light.contrast:.0f}"
    second = "speed ?" if motion is None else f"{motion.speed_px_s:.0f} px/s"
    second += "" if smear is None else f", smear {smear:.1f} px"
    for line, text in enumerate((first, second, light)):
        cv2.putText(cell, text, (6, CELL[1] + 12 + 15 * line), FONT, 0.36, INK, 1, cv2.LINE_AA)
    return cell


def _colour(height_px: float) -> Colour:
    return GREEN if height_px >= GOOD_HEIGHT_PX else AMBER if height_px >= FAIR_HEIGHT_PX else RED


def _fitted(image: Image) -> tuple[Image, float]:
    """Give a copy that is no larger than LONGEST_SIDE, and the factor."""
    factor = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
    if factor == 1.0:
        return image.copy(), 1.0
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8), factor


def _label(image: Image, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """Write on a dark ground, inside the picture."""
    (width, height), base = cv2.getTextSize(text, FONT, 0.55, 1)
    x = min(max(corner[0], 2), max(2, image.shape[1] - width - 4))
    y = min(max(corner[1], height + 4), image.shape[0] - base - 2)
    cv2.rectangle(image, (x - 3, y - height - 4), (x + width + 3, y + base + 1), (25, 25, 25), -1)
    cv2.putText(image, text, (x, y), FONT, 0.55, colour, 1, cv2.LINE_AA)


def _jpeg(picture: Image) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "JPEG of a uint8 picture never fails"
    return bytes(data)
