"""Texts of plates: from the country formats with the gaps that they write, and such as no format knows."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from streamer.plates.pattern import DIGITS, LETTERS, Listed, Variant, expand, parse_list
from train.synth.config import SynthConfig
from train.synth.dice import Dice

MAX_LENGTH = 10
"""Longest text that is drawn; formats allow more, plates do not."""

_HAN = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_WORDS = [
    "CRAZY",
    "BEAT",
    "TWO",
    "ACE",
    "SMILE",
    "DR",
    "PLONE",
    "CHEF",
    "GO",
    "RED",
    "NEX",
    "BOSS",
    "LADY",
    "VET",
    "MOM",
    "DAD",
    "LUV",
    "GRL",
    "KING",
    "ROCK",
    "STAR",
    "FAST",
    "CAR",
    "FUN",
    "SKI",
    "SUN",
    "MY",
    "BMW",
    "OLD",
    "TRUK",
    "HOT",
    "ROD",
]
_VOWELS, _CONSONANTS = "AEIOUY", "BCDFGHJKLMNPRSTVWXZ"
_UNKNOWN = (
    "AAA 999", "AAA 9999", "999 AAA", "9AAA999", "AA 9999", "AA 99999", "A99 9AA", "999 9AA", "AA9 A9A", "9A9 999", "A999 AAA", "AAAA 99",
    "AAAA 999", "999 999", "9999 AA", "99999", "999999", "AAA 99A", "9 AAA 99", "XXX XXX", "XXX XXXX", "XXXXXX", "X9X 9X9", "AA 99 99",
    "A 99999", "AA 999 AA", "99 AAA 99", "AAA 9 A 99", "A9 99 AA", "999 99 99", "AA 99 A 9999", "AA 99 AA 9999",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlateText:
    """What is written on a plate."""

    groups: tuple[str, ...]
    """Characters between the gaps; A-Z and 0-9, and ``*`` for the sign in ``sign``."""
    country: str
    """ISO 3166-1 alpha-2 with a state as ``US-TX``; empty: none."""
    chosen: bool = False
    """A personal plate: words rather than a serial."""
    sign: str = ""
    """The character outside the alphabet that each ``*`` stands for."""

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
    """Chinese serials have the sign of the province before them, which the formats leave out."""
    if country == "CN":
        return PlateText((f"*{groups[0]}", *groups[1:]), country, sign=dice.pick(_HAN))
    return PlateText(groups, country)


def _random(dice: Dice) -> PlateText:
    country = dice.weighted({"US": 0.55, "": 0.3, "GB": 0.06, "CA": 0.05, "MX": 0.04})
    if dice.chance(0.45):
        return PlateText(_chosen(dice), country, chosen=True)
    pattern = dice.pick(_UNKNOWN)
    draws = {"A": LETTERS, "9": DIGITS, "X": LETTERS + DIGITS}
    return PlateText(tuple("".join(dice.pick(draws[c]) for c in group) for group in pattern.split()), country)


def _chosen(dice: Dice) -> tuple[str, ...]:
    """Words, half-words and numbers as people choose them."""
    parts = [dice.pick(_WORDS) if dice.chance(0.35) else _syllables(dice, dice.whole(2, 6)) for _ in range(dice.whole(1, 2))]
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
    result: dict[str, tuple[float, dict[_Form, float]]] = {}
    for file in sorted(resources.files("streamer.plates").joinpath("countries").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        weight = wanted.get(data["country"], 1.0) * float(data["vehicles"]) ** 0.25
        forms = {form: form.weight for form in _country_forms(data)}
        if data["country"] and weight and forms:
            result[data["country"]] = (weight, forms)
    return result


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
