"""What a plate looks like, as plain data: styles.py decides it, render.py draws it. Lengths are in character heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

ItemKind = Literal["char", "mark", "gap", "seal", "emblem", "tower", "sign"]


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of a line of text."""

    kind: ItemKind
    """char: labelled; mark: a hyphen or dot, ink that is no label; gap: nothing; seal, emblem, tower: an ornament, the last
    being small letters above one another; sign: labelled ``*``."""
    value: str = ""
    width: float = 0.0
    size: float = 1.0
    """Height of a character as a share of its line's."""
    down: float = 0.0
    """Where a smaller character stands: 0 at the top of the line, 1 at its foot."""


@dataclass(frozen=True, slots=True)
class Caption:
    """Small text above, below or beside the characters."""

    text: str
    size: float
    colour: Colour
    tag: str = "caption"
    place: Literal["top", "bottom"] = "top"
    across: float = 0.5
    """Where it is centred, as a share of the plate's width."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stripe with a country's letters."""

    side: Literal["left", "right", "top"]
    width: float
    colour: Colour
    text: str
    stars: bool
    flag: tuple[Colour, ...] = ()


@dataclass(frozen=True, slots=True)
class Type:
    """How the characters are drawn."""

    face: str
    """File name of the font."""
    x_scale: float = 1.0
    tracking: float = 0.05
    cell: float = 0.0
    """Fixed pitch; 0: the font's own."""
    fit: bool = False
    """All characters but I and 1 are stretched to the same width."""
    stroke: float = 0.0
    """How much the strokes are thicker (or thinner), on each side."""
    rounding: float = 0.0
    outline: bool = False
    """Only the edges are painted."""


@dataclass(frozen=True, slots=True)
class Look:
    """A plate."""

    lines: tuple[tuple[Item, ...], ...]
    style: str
    country: str
    type: Type
    ground: Colour
    ink: Colour
    pads: tuple[float, float, float, float]
    """Left, top, right, bottom, between the rim and the characters."""
    aspect: float = 0.0
    """Width over height that the plate has at least; 0: as wide as its text."""
    line_gap: float = 0.2
    line_sizes: tuple[float, ...] = (1.0,)
    """Character height of each line, the first being 1."""
    picture: Literal["", "patches", "fade", "hills"] = ""
    rim: float = 0.0
    rim_colour: Colour = (0, 0, 0)
    radius: float = 0.1
    bands: tuple[Band, ...] = ()
    captions: tuple[Caption, ...] = ()
    stickers: int = 0
    screws: int = 0
    emboss: float = 0.0
    """Strength of the relief's light and shade, 0..1."""
    drop: float = 0.0
    """A shadow of the characters, as printed on show plates."""
    frame: bool = False
