"""Texts of plates: from the country formats with the gaps that they write, and such as no format knows."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from streamer.errors import UsageError
from streamer.plates.pattern import DIGITS, LETTERS, Listed, Variant, expand, parse_list
from train.synth.config import SynthConfig
from train.synth.dice import Dice
from train.synth.places import table

MAX_LENGTH = 10
"""Longest text that is drawn; formats allow more, plates do not."""

_HAN = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_THAI = "กขคฆงจฉชฌญฎฐฒณตถธนพภมยรลวศษสหฬอฮ"
_VOWELS, _CONSONANTS = "AEIOUY", "BCDFGHJKLMNPRSTVWXZ"


@dataclass(frozen=True, slots=True)
class PlateText:
    """What is written on a plate."""

    groups: tuple[str, ...]
    """Characters between the gaps; A-Z and 0-9, and ``*`` for a sign outside the alphabet."""
    country: str
    """ISO 3166-1 alpha-2 with a state as ``US-TX``; empty: none."""
    chosen: bool = False
    """A personal plate: words rather than a serial."""
    signs: str = ""
    """The characters outside the alphabet that the ``*`` stand for, in order."""

    @property
    def text(self) -> str:
        """All groups joined."""
        return "".join(self.groups)


@dataclass(frozen=True, slots=True)
class _Form:
    country: str
    weight: float
    groups: tuple[tuple[Variant, ...], ...]
    optional: tuple[bool, ...]
    max_length: int


def draw_text(dice: Dice, config: SynthConfig) -> PlateText:
    """Draw a text: of a country's format, or one that follows none."""
    if dice.chance(config.random_texts):
        return _random(dice)
    forms = _forms(tuple(sorted(config.countries.items())))
    for _ in range(20):
        form = dice.weighted(forms[dice.weighted({country: own[0] for country, own in forms.items()})][1])
        groups = tuple(
            _fill(dice, dice.pick(variants))
            for variants, optional in zip(form.groups, form.optional, strict=True)
            if not (optional and dice.chance(0.5))
        )
        if 0 < sum(map(len, groups)) <= form.max_length:
            return _signed(dice, groups, form.country)
    return _random(dice)


def _signed(dice: Dice, groups: tuple[str, ...], country: str) -> PlateText:
    """Write signs of other scripts where plates have them and the formats leave them out."""
    if country == "CN":  # the province, then the office's letter, then the serial as one group
        return PlateText((f"*{groups[0]}", "".join(groups[1:])), country, signs=dice.pick(_HAN))
    if country == "TH" and dice.chance(0.6):
        return PlateText(("**", *groups), country, signs=dice.pick(_THAI) + dice.pick(_THAI))
    return PlateText(groups, country)


def _random(dice: Dice) -> PlateText:
    country = dice.weighted({"US": 0.55, "": 0.3, "GB": 0.06, "CA": 0.05, "MX": 0.04})
    if dice.chance(0.45):
        return PlateText(_chosen(dice), country, chosen=True)
    pattern = dice.pick(table("chosen")["forms"])
    draws = {"A": LETTERS, "9": DIGITS, "X": LETTERS + DIGITS}
    return PlateText(tuple("".join(dice.pick(draws[c]) for c in group) for group in pattern.split()), country)


def _chosen(dice: Dice) -> tuple[str, ...]:
    """Words, half-words and numbers as people choose them."""
    parts = [
        dice.pick(table("chosen")["words"]) if dice.chance(0.35) else _syllables(dice, dice.whole(2, 6)) for _ in range(dice.whole(1, 2))
    ]
    if dice.chance(0.4):
        parts.insert(dice.whole(0, len(parts)), str(dice.whole(0, 999)))
    text = " ".join(parts)[:8].strip()
    if dice.chance(0.3):
        text = "".join({"O": "0", "I": "1", "E": "3", "S": "5", "A": "4"}.get(c, c) if dice.chance(0.5) else c for c in text)
    if dice.chance(0.5):
        text = text.replace(" ", "")
    return tuple(text[:7].split()) or ("A1",)


def _syllables(dice: Dice, length: int) -> str:
    start = dice.whole(0, 1)
    return "".join(dice.pick(_VOWELS if (place + start) % 2 else _CONSONANTS) for place in range(length))


def _fill(dice: Dice, variant: Variant) -> str:
    return "".join(dice.pick(part.entries) if isinstance(part, Listed) else dice.pick(part) for part in variant.parts)


@cache
def _forms(factors: tuple[tuple[str, float], ...]) -> dict[str, tuple[float, dict[_Form, float]]]:
    """Formats by country, with the country's weight.

    A country weighs the fourth root of its vehicles: the big ones come more often, and the small ones often enough to be learnt.
    """
    wanted = dict(factors)
    known = {data["country"] for data in _country_files()} - {""}
    if strange := sorted(set(wanted) - known):
        raise UsageError(f"countries: no plate formats are known for {', '.join(strange)}; known are {', '.join(sorted(known))}")
    result: dict[str, tuple[float, dict[_Form, float]]] = {}
    for data in _country_files():
        weight = wanted.get(data["country"], 1.0) * float(data["vehicles"]) ** 0.25
        forms = {form: form.weight for form in _country_forms(data)}
        if data["country"] and weight and forms:
            result[data["country"]] = (weight, forms)
    return result


@cache
def _country_files() -> tuple[dict[str, Any], ...]:
    files = sorted(resources.files("streamer.plates").joinpath("countries").iterdir(), key=lambda f: f.name)
    return tuple(tomllib.loads(file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".toml"))


def _country_forms(data: dict[str, Any]) -> list[_Form]:
    lists = {name: parse_list(entries) for name, entries in data.get("lists", {}).items()}
    forms = []
    for entry in data["format"]:
        if entry.get("vanity"):
            continue
        letters = entry.get("letters", data.get("letters", LETTERS))
        patterns = [entry["pattern"]] if isinstance(entry["pattern"], str) else entry["pattern"]
        limit = min(MAX_LENGTH, entry.get("max_length", MAX_LENGTH))
        places = {f"{data['country']}-{code}": data["regions"][code] for code in entry.get("regions", ())} or {data["country"]: 1.0}
        for pattern in patterns:
            parts = re.split(r"[ -]+(?![^\[]*\])", pattern)
            groups = tuple(expand(part, letters, lists, limit) for part in parts)
            optional = tuple(all("{0," in unit for unit in _units(part)) for part in parts)
            # The square root keeps rare formats of a country in sight.
            forms += [
                _Form(place, (size * entry["share"]) ** 0.5 / len(patterns), groups, optional, limit) for place, size in places.items()
            ]
    return forms


def _units(part: str) -> list[str]:
    return re.findall(r"(?:[A9#]|\[[^\]]+\]|<\w+>)(?:\{[^}]*\})?", part)
