"""Fonts of the plates: glyphs as masks, cached, all at one cap height so that a line of any face has the same rows."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from streamer.errors import UsageError

FOLDER = Path(__file__).parent.parent / "fonts"
CAP = 64
"""Pixels from the top of an H to its foot in a glyph's mask."""
ABOVE, BELOW = 16, 24
"""Rows above and below that, for accents, overshoot and descenders."""
ROWS = ABOVE + CAP + BELOW

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Glyph:
    """A character, drawn."""

    mask: Mask
    """uint8 (ROWS, width), 255 is ink; as wide as the ink."""
    left: float
    """Pixels of free room before the ink."""
    advance: float
    """Pixels from the start of this character to the start of the next."""


class Face:
    """A font file."""

    def __init__(self, path: Path) -> None:
        """Open it at the size that makes an H ``CAP`` pixels tall. Raises UsageError."""
        try:
            probe = ImageFont.truetype(str(path), 200)
            top, foot = _rows(probe)
            self._font = ImageFont.truetype(str(path), 200.0 * CAP / (foot - top))
        except (OSError, ZeroDivisionError) as error:
            raise UsageError(f"{path}: is no usable font ({error})") from error
        self.name = path.name
        self._top = _rows(self._font)[0]
        self._glyphs: dict[str, Glyph] = {}

    def glyph(self, character: str) -> Glyph:
        """Give a character's mask. It is drawn once."""
        if character not in self._glyphs:
            self._glyphs[character] = self._draw(character)
        return self._glyphs[character]

    def _draw(self, character: str) -> Glyph:
        advance = self._font.getlength(character)
        side = CAP
        image = Image.new("L", (int(advance) + 2 * side, ROWS), 0)
        ImageDraw.Draw(image).text((side, ABOVE - self._top), character, font=self._font, fill=255)
        mask = np.asarray(image)
        columns = np.flatnonzero(mask.max(axis=0) > 32)
        if not len(columns):
            return Glyph(np.zeros((ROWS, 1), np.uint8), 0.0, max(advance, 1.0))
        first, last = int(columns[0]), int(columns[-1]) + 1
        return Glyph(np.ascontiguousarray(mask[:, first:last]), float(first - side), advance)


def _rows(font: ImageFont.FreeTypeFont) -> tuple[float, float]:
    """Top and foot of a capital, or of what the font has instead."""
    for probe in ("H", "京", "ا", "ก"):
        if font.getmask(probe).getbbox() and (probe == "H" or not _is_missing(font, probe)) and not _is_missing(font, probe):
            box = font.getbbox(probe)
            return box[1], box[3]
    raise OSError("has none of the characters that plates need")


def _is_missing(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether the font draws its sign for missing characters."""
    return bytes(font.getmask(character)) == bytes(font.getmask("\U000f1234"))


@cache
def _tags() -> dict[str, tuple[str, ...]]:
    return {tag: tuple(names) for tag, names in tomllib.loads((FOLDER / "fonts.toml").read_text("utf-8"))["tags"].items()}


@cache
def face(name: str) -> Face:
    """Open a font of the folder once per process."""
    return Face(FOLDER / name)


def names(tag: str) -> tuple[str, ...]:
    """Give the font files of a tag, see fonts.toml."""
    return _tags()[tag]
