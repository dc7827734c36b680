"""The door to scenes: a maker that gives scene number ``index`` of a seed, the same each time, in any process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.collect.found import extent
from train.manifest import Picture, Plate, tags_of_lines
from train.scenes.config import ScenesConfig
from train.scenes.dark import darkened, lamp
from train.scenes.distant import put, vehicle_about
from train.scenes.light import Light, is_grey, light_of, noise_of, sharpness, window, without_colour
from train.scenes.paste import Look, cover, lay, size_for
from train.scenes.signs import draw_sign
from train.synth.camera import turn
from train.synth.crops import worn_plate
from train.synth.dice import Dice
from train.synth.paint import Canvas
from train.synth.styles import draw_look
from train.synth.texts import draw_text

XYXY = tuple[float, float, float, float]
_DRAWN = 44.0
"""Character height of a plate before it is put into a photograph, pixels."""
_LEAST_HEIGHT = 7.0
"""Plates lower than this, in pixels, stay as they are."""
_DAY = 70.0
"""Mean brightness from which a photograph counts as taken by day; train/evaluate/slices.py has the same."""
_TRIES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A photograph with rendered plates, and everything that is known about them."""

    image: NDArray[np.uint8]
    """uint8 (h, w, 3) BGR."""
    plates: tuple[Plate, ...]
    """All that are in it: rendered ones with box, corners and text, the photograph's own as its row has them."""
    base: Picture
    """Row of the photograph."""
    licence: str
    """SPDX expression of all photographs that it is made of; empty if that of one is not known."""


class SceneMaker:
    """Makes scenes of photographs. Safe to use in several processes, each with its own indices."""

    def __init__(self, rows: Sequence[Picture], folder: Path, config: ScenesConfig | None = None, seed: int = 0) -> None:
        """Take the photographs' rows (each with all its plates boxed; of one split, for they are mixed) and the manifest's folder."""
        self._rows = sorted((row for row in rows if usable(row)), key=lambda row: row.sha256)
        Dice(seed, -1).shuffle(self._rows)
        self._donors = [row for row in self._rows if any(plate.box and plate.box[2] - plate.box[0] >= 48 for plate in row.plates)]
        self._folder, self._seed = folder, seed
        self.config = config or ScenesConfig()

    def __len__(self) -> int:
        """Count the photographs that can be used."""
        return len(self._rows)

    def scene(self, index: int) -> Scene:
        """Give scene ``index``: of photograph ``index`` of a shuffled pack that starts again at its end.

        The same pixels for the same seed, index, settings and photographs. Raises SourceError if a photograph cannot be read.
        """
        dice, base = Dice(self._seed, index), self._rows[index % len(self._rows)]
        image = self._photograph(base)
        dark = image.mean() >= _DAY and dice.chance(self.config.night)
        if dark:
            image = darkened(dice, image)
        plates = [plate for plate in (self._plate(dice, image, plate, dark) for plate in base.plates) if plate is not None]
        licences = {base.licence}
        if self._donors and (not base.plates or dice.chance(self.config.distant)):
            for _ in range(dice.whole(1, 3)):
                licences |= self._distant(dice, image, plates)
        if dice.chance(self.config.signs):
            self._sign(dice, image, plates)
        if dice.chance(self.config.grey):
            image = without_colour(image)
        return Scene(image, tuple(plates), base, " AND ".join(sorted(licences)) if all(licences) else "")

    def _photograph(self, row: Picture) -> Canvas:
        from streamer.stills import load_picture

        return np.array(load_picture(self._folder / row.file), np.uint8)

    def _plate(self, dice: Dice, image: Canvas, plate: Plate, dark: bool) -> Plate | None:
        """Replace a plate, take it away or let it be; changes the picture."""
        box = plate.box
        kind = dice.weighted(self._shares)
        if box is None or box[3] - box[1] < _LEAST_HEIGHT or kind == "kept":
            return plate
        look = look_of(dice, image, box, dark)
        cover(dice, image, box)
        return self._render(dice, image, box, look) if kind == "replaced" else None

    @property
    def _shares(self) -> dict[str, float]:
        replaced, erased = self.config.replaced, self.config.erased
        return {"replaced": replaced, "erased": erased, "kept": max(0.0, 1 - replaced - erased)}

    def _render(self, dice: Dice, image: Canvas, box: XYXY, look: Look) -> Plate:
        """Put a rendered plate where one was."""
        synth = self.config.synth
        text = draw_text(dice, synth)
        drawn = worn_plate(dice, draw_look(dice, synth, text), _DRAWN)
        turned = turn(dice, synth, drawn)
        factor = size_for(dice, drawn, turned, box, self.config.size)
        wide, high = box[2] - box[0], box[3] - box[1]
        middle = ((box[0] + box[2]) / 2 + dice.bell(0, 0.03) * wide, (box[1] + box[3]) / 2 + dice.bell(0, 0.06) * high)
        if is_grey(image):
            drawn = replace(drawn, image=without_colour(drawn.image))
        corners = lay(dice, image, drawn, turned, factor, middle, look)
        points = tuple((round(float(x), 2), round(float(y), 2)) for x, y in corners)
        return Plate(extent(points), points, "".join(drawn.lines), tags=tags_of_lines(len(drawn.lines)))

    def _distant(self, dice: Dice, image: Canvas, plates: list[Plate]) -> set[str]:
        """Put a small vehicle into the picture; gives the licence of the photograph it is from."""
        for _ in range(_TRIES):
            donor = dice.pick(self._donors)
            number = dice.whole(0, len(donor.plates) - 1)
            box = donor.plates[number].box
            if box is None or box[2] - box[0] < 48:
                continue
            photograph, row = self._photograph(donor), list(donor.plates)
            if dice.chance(0.5):
                look = look_of(dice, photograph, box, dark=False)
                cover(dice, photograph, box)
                row[number] = self._render(dice, photograph, box, look)
            vehicle = vehicle_about(photograph, row, number)
            if vehicle is None:
                continue
            low, high = self.config.distant_width
            width = low * (high / low) ** dice.between(0, 1)
            new = put(dice, image, vehicle, width, [plate.box for plate in plates if plate.box])
            if new:
                plates += new
                return {donor.licence}
        return set()

    def _sign(self, dice: Dice, image: Canvas, plates: Sequence[Plate]) -> None:
        """Put a sign somewhere beside the plates."""
        tall, width = image.shape[:2]
        sign = draw_sign(dice)
        factor = width * dice.between(0.06, 0.3) / sign.image.shape[1]
        half = (sign.image.shape[1] * factor * 0.7 + 4, sign.image.shape[0] * factor * 0.7 + 4)
        for _ in range(_TRIES):
            x, y = dice.between(0, width), dice.between(0, tall)
            place = window((x - half[0], y - half[1], x + half[0], y + half[1]), width, tall)
            clear = not any(
                a < place[2] and c > place[0] and b < place[3] and d > place[1] for a, b, c, d in (p.box for p in plates if p.box)
            )
            if clear and half[0] < x < width - half[0] and half[1] < y < tall - half[1]:
                look = look_of(dice, image, (x - half[0], y - half[1], x + half[0], y + half[1]), dark=False)
                bright = replace(look.light, high=min(255.0, max(look.light.high, 60.0)))
                turned = turn(dice, self.config.synth, sign)
                lay(dice, image, sign, turned, factor, (x, y), replace(look, light=bright))
                return


def usable(row: Picture) -> bool:
    """Whether scenes can be made of a row: a photograph whose plates are all boxed."""
    return row.kind == "photo" and all(plate.box is not None for plate in row.plates)


def look_of(dice: Dice, image: Canvas, box: XYXY, dark: bool) -> Look:
    """Tell how a place looks; in a picture that was darkened, as if a lamp or infrared lit it."""
    tall, width = image.shape[:2]
    place = window(box, width, tall)
    x1, y1, x2, y2 = place
    light: Light = light_of(image, place)
    sharp = sharpness(image[y1:y2, x1:x2].mean(axis=2).astype(np.float32))
    return Look(lamp(dice, light) if dark else light, sharp if math.isfinite(sharp) else 0.0, noise_of(image, place))
