"""What must be written on a plate, and in which order its pieces come."""

from __future__ import annotations

from dataclasses import dataclass, replace

from train.synth.dice import Dice
from train.synth.looks import Item, ItemKind
from train.synth.traits import items


@dataclass(frozen=True, slots=True)
class Wording:
    """What a look must show."""

    lines: tuple[tuple[str, ...], ...]
    """Groups of characters, by line."""
    country: str
    """ISO 3166-1 alpha-2 with a state as ``US-TX``; empty: none."""
    signs: str = ""
    """The signs outside the alphabet that the ``*`` stand for, in order."""
    chosen: bool = False

    @property
    def state(self) -> str:
        """The country without its state."""
        return self.country[:2]

    def items(self, dice: Dice, between: dict[str, float]) -> tuple[tuple[Item, ...], ...]:
        """Give the lines with separators drawn by their shares."""
        signs = list(self.signs)
        between = {"gap": 0.9, "emblem": 0.1} if self.chosen else between
        lines = tuple(items(dice, line, between, signs) for line in self.lines)
        if self.state == "RU" and len(self.lines) == 1 and len(self.lines[0]) > 1:
            lines = (_region_smaller(dice, lines[0], len(self.lines[0][-1])),)
        return lines

    def before(self, dice: Dice, share: float, kinds: dict[ItemKind, float]) -> tuple[Item, ...]:
        """Give an ornament that stands before the first character, or nothing."""
        if not dice.chance(share):
            return ()
        kind = dice.weighted(kinds)
        width = dice.between(0.2, 0.35) if kind == "tower" else dice.between(0.5, 1.0)
        return Item(kind, width=width), Item("gap", width=dice.between(0.05, 0.2))


def _region_smaller(dice: Dice, line: tuple[Item, ...], count: int) -> tuple[Item, ...]:
    """Russian plates have the region in smaller digits, raised."""
    size = dice.between(0.62, 0.8)
    return (*line[:-count], Item("gap", width=0.2), *(replace(item, size=size) for item in line[-count:]))
