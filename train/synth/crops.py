"""The door to synthetic plates: a renderer that gives crop number ``index`` of a seed, the same each time, in any process."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.camera import look_at, transform, transform_boxes
from train.synth.config import SynthConfig
from train.synth.dice import Dice
from train.synth.looks import Look
from train.synth.render import Drawn, draw_plate
from train.synth.sensor import blur, expose, record, visible
from train.synth.styles import draw_look
from train.synth.texts import draw_text
from train.synth.wear import age, framed, light


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticCrop:
    """A rendered crop of a plate, with everything that is known about it."""

    image: NDArray[np.uint8]
    """uint8 (h, w, 3) BGR."""
    text: str
    """Characters of all lines joined, A-Z and 0-9; ``*`` for one outside the alphabet."""
    lines: tuple[str, ...]
    """The same by line, from top to bottom."""
    corners: NDArray[np.float64]
    """(4, 2) x, y of the plate's corners in the crop's pixels, from its own top left clockwise; beyond the crop where it cuts the rim."""
    char_boxes: NDArray[np.float64]
    """(n, 4) x1, y1, x2, y2, one per character of ``text``, in its order, within the crop."""
    region: str
    """Country whose format and look it has, with a state as ``US-TX``; empty: none."""
    style: str
    """Name of the look."""

    @property
    def line_boxes(self) -> NDArray[np.float64]:
        """(lines, 4) upright boxes around the characters of each line."""
        ends = np.cumsum([len(line) for line in self.lines])
        parts = np.split(self.char_boxes, ends[:-1])
        return np.array([(*part[:, :2].min(0), *part[:, 2:].max(0)) for part in parts])


class PlateRenderer:
    """Renders crops. Cheap to make, keeps glyphs; safe to use in several processes, each with its own indices."""

    def __init__(self, config: SynthConfig | None = None, seed: int = 0) -> None:
        """Take the settings (default: those of SynthConfig) and a seed."""
        self.config = config or SynthConfig()
        self.seed = seed

    def sample(self, index: int) -> SyntheticCrop:
        """Give crop ``index``: the same bytes for the same seed, index and settings. Raises UsageError where a font is missing."""
        dice, config = Dice(self.seed, index), self.config
        text = draw_text(dice, config)
        look = draw_look(dice, config, text)
        final = _character_height(dice, config.character_height)
        plate = worn_plate(dice, look, min(64.0, max(20.0, 1.4 * final)))
        view = look_at(dice, config, plate)
        image, scale = _shrink(dice, blur(dice, expose(dice, config, view.image), final), plate.height, final)
        matrix = np.diag((scale[0], scale[1], 1.0)) @ view.matrix
        height, width = image.shape[:2]
        boxes = np.clip(transform_boxes(matrix, plate.boxes), 0, (width, height, width, height))
        image = visible(image, np.concatenate((boxes[:, :2].min(0), boxes[:, 2:].max(0))), 24 + 22 * max(0.0, 1 - final / 24))
        return SyntheticCrop(
            image=record(dice, config, image, final),
            text="".join(plate.lines),
            lines=plate.lines,
            corners=transform(matrix, plate.corners),
            char_boxes=boxes,
            region=text.country,
            style=look.style,
        )


def worn_plate(dice: Dice, look: Look, height: float) -> Drawn:
    """Draw a look with characters ``height`` pixels tall: aged, in its frame if it has one, with shadows and glare on it."""
    plate = age(dice, draw_plate(dice, look, height))
    if look.frame:
        plate = framed(dice, plate)
    return light(dice, plate)


def _character_height(dice: Dice, span: tuple[int, int]) -> float:
    """Pixels of a character in the crop: as many between 8 and 16 as between 16 and 32."""
    return float(span[0] * (span[1] / span[0]) ** dice.between(0, 1))


def _shrink(dice: Dice, image: NDArray[np.float32], drawn: float, final: float) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Bring a crop to its size; gives the factors of width and height too."""
    factor = final / drawn
    height, width = image.shape[:2]
    size = (max(12, round(width * factor)), max(8, round(height * factor)))
    method = dice.pick((cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR)) if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method).astype(np.float32), (size[0] / width, size[1] / height)
