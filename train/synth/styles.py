"""Decides what the plate with a given text looks like: its family, its lines, what is turned round or added on."""

from __future__ import annotations

from dataclasses import replace

from train.synth.config import SynthConfig
from train.synth.dice import Dice
from train.synth.families import FAMILIES
from train.synth.looks import Look
from train.synth.places import table
from train.synth.texts import PlateText
from train.synth.traits import BLACK, tint
from train.synth.wording import Wording

_DARK_GROUNDS = (BLACK, (45, 42, 40), (120, 40, 10), (30, 30, 150), (40, 90, 20))


def draw_look(dice: Dice, config: SynthConfig, text: PlateText) -> Look:
    """Decide what the plate with this text looks like."""
    factors = table("two_lines")
    factor = factors.get(text.country[:2] or "none", factors["other"])
    two = len(text.text) >= 4 and dice.chance(config.two_lines * factor)
    family = _family(dice, text.country[:2])
    words = Wording(_split(dice, text.groups) if two else (text.groups,), text.country, text.signs, text.chosen)
    look = FAMILIES[family](dice, words)
    if dice.chance(config.inverted) and family not in ("cn", "dark"):
        ink = tint(dice, look.ground, 30)
        look = replace(look, ground=dice.pick(_DARK_GROUNDS), ink=ink, rim_colour=ink)
    frame = dice.chance(config.frames)
    return replace(look, frame=frame, screws=dice.weighted({0: 0.45, 2: 0.35, 4: 0.2}))


def _family(dice: Dice, state: str) -> str:
    looks: dict[str, dict[str, float]] = table("looks")
    if state not in looks and state in table("bands"):
        return "eu"
    return dice.weighted(looks.get(state, looks["other"]))


def _split(dice: Dice, groups: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Two lines: parted between groups where there are several, most often before the last; else about the middle."""
    if len(groups) > 1:
        at = len(groups) - 1 if dice.chance(0.6) else dice.whole(1, len(groups) - 1)
        return groups[:at], groups[at:]
    text = groups[0]
    at = min(max(1, len(text) // 2 + dice.whole(-1, 1)), len(text) - 1)
    return (text[:at],), (text[at:],)
