"""Pieces that the looks of many countries share: what stands between the groups, colours, type, margins."""

from __future__ import annotations

from train.synth.dice import Dice
from train.synth.fonts import names
from train.synth.looks import Band, Caption, Colour, Item, Type
from train.synth.places import captions

WHITE: Colour = (245, 246, 244)
YELLOW: Colour = (40, 190, 240)
BLACK: Colour = (28, 26, 25)
_BLUES: tuple[Colour, ...] = ((150, 60, 10), (170, 80, 20), (140, 40, 0), (200, 90, 30))


def items(dice: Dice, groups: tuple[str, ...], between: dict[str, float], signs: list[str]) -> tuple[Item, ...]:
    """Give the characters with what stands between the groups; each ``*`` takes the next of ``signs``."""
    line: list[Item] = []
    for place, group in enumerate(groups):
        if place:
            line += _separator(dice, dice.weighted(between))
        line += [Item("sign", signs.pop(0)) if c == "*" else Item("char", c) for c in group]
    return tuple(line)


def _separator(dice: Dice, kind: str) -> list[Item]:
    if kind == "seal":
        return [Item("gap", width=0.06), Item("seal", width=dice.between(0.28, 0.55)), Item("gap", width=0.1)]
    if kind == "emblem":
        return [Item("emblem", width=dice.between(0.35, 0.8)), Item("gap", width=0.05)]
    if kind in ("-", "·", "."):
        room = dice.between(0.02, 0.16)
        return [Item("gap", width=room), Item("mark", kind, width=dice.between(0.12, 0.36)), Item("gap", width=room)]
    return [Item("gap", width=dice.between(0.0, 0.1) if kind == "none" else dice.between(0.18, 0.55))]


def tint(dice: Dice, colour: Colour, spread: int) -> Colour:
    """Give a colour near another: print and age differ."""
    shift = dice.whole(-spread, spread // 3)
    blue, green, red = (min(255, max(0, c + shift + dice.whole(-6, 6))) for c in colour)
    return blue, green, red


def dark_ink(dice: Dice) -> Colour:
    """Give a colour of characters on a light ground."""
    return dice.weighted({dice.paint(0, 45, 12): 0.8, (110, 40, 20): 0.08, (30, 25, 140): 0.06, (60, 90, 20): 0.06})


def blue_band(dice: Dice, letters: str, stars: float, width: tuple[float, float] = (0.42, 0.7)) -> Band:
    """Give the stripe of European and like plates; ``stars``: share that has the ring of stars."""
    return Band("left", dice.between(*width), tint(dice, dice.pick(_BLUES), 30), letters, dice.chance(stars))


def type_of(dice: Dice, tags: dict[str, float], squeeze: tuple[float, float], pitch: tuple[float, float], fixed: float) -> Type:
    """Give a face of one of ``tags``, its width varied by ``squeeze``; a share ``fixed`` has a fixed ``pitch``."""
    return Type(
        face=dice.pick(names(dice.weighted(tags))),
        x_scale=dice.between(*squeeze),
        tracking=dice.between(0.0, 0.14),
        cell=dice.between(*pitch) if dice.chance(fixed) else 0.0,
        fit=dice.chance(0.4),
        stroke=dice.bell(0.0, 0.012),
        rounding=dice.between(0.0, 0.05) if dice.chance(0.5) else 0.0,
        outline=dice.chance(0.012),
    )


def pads(dice: Dice, side: tuple[float, float], high: tuple[float, float]) -> tuple[float, float, float, float]:
    """Give the room left, above, right and below the characters."""
    return dice.between(*side), dice.between(*high), dice.between(*side), dice.between(*high)


def sizes(dice: Dice, count: int) -> tuple[float, ...]:
    """Give the character height of each line: mostly the same."""
    return (1.0, dice.between(0.8, 1.2) if dice.chance(0.4) else 1.0)[:count]


def rim_text(dice: Dice, share: float) -> tuple[Caption, ...]:
    """Give a dealer's name in the lower rim, or nothing."""
    if not dice.chance(share):
        return ()
    return (Caption(dice.pick(captions("dealers")), dice.between(0.1, 0.16), dice.colour(20, 120), place="bottom"),)


def rim(dice: Dice, share: float) -> float:
    """Give the width of a painted rim, or 0."""
    return dice.between(0.02, 0.05) if dice.chance(share) else 0.0
