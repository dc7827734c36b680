"""Looks of plates: what a country's plates look like, with the spread that real ones have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.synth.config import SynthConfig
from train.synth.dice import Dice
from train.synth.fonts import names
from train.synth.looks import Band, Caption, Colour, Item, Look, Type
from train.synth.places import BAND_LETTERS, DEALERS, OTHER_CAPTIONS, PLACES, STATES

WHITE, YELLOW, BLACK = (245, 246, 244), (40, 190, 240), (28, 26, 25)
_BLUES = ((150, 60, 10), (170, 80, 20), (140, 40, 0), (200, 90, 30))


def draw_look(dice: Dice, config: SynthConfig, groups: tuple[str, ...], country: str, chosen: bool, sign: str) -> Look:
    """Decide what the plate with this text looks like."""
    two = len("".join(groups)) >= 4 and dice.chance(config.two_lines * TWO_LINES.get(country[:2], 0.4))
    lines = _split(dice, groups) if two else (groups,)
    style = _style_of(dice, country)
    look = STYLES[style](dice, lines, country, sign)
    if chosen:
        look = replace(look, lines=tuple(_items(dice, line, {"gap": 0.9, "emblem": 0.1}, sign) for line in lines))
    if dice.chance(config.inverted) and style not in ("cn", "dark"):
        ink, ground = _tint(dice, look.ground, 30), dice.pick((BLACK, dice.colour(0, 60), (120, 40, 10), (30, 30, 150), (40, 90, 20)))
        look = replace(look, ground=ground, ink=ink, rim_colour=ink)
    if dice.chance(config.frames):
        look = replace(look, frame=True)
    return replace(look, screws=dice.weighted({0: 0.45, 2: 0.35, 4: 0.2}), style=style)


def _style_of(dice: Dice, country: str) -> str:
    state = country[:2]
    if state in STYLE_OF:
        return dice.weighted(STYLE_OF[state])
    return "eu" if state in BAND_LETTERS else dice.weighted({"plain": 0.55, "eu": 0.2, "us": 0.15, "dark": 0.1})


def _split(dice: Dice, groups: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Two lines: parted between groups where there are several, else about the middle."""
    if len(groups) > 1:
        at = dice.whole(1, len(groups) - 1)
        return groups[:at], groups[at:]
    text = groups[0]
    at = min(max(1, len(text) // 2 + dice.whole(-1, 1)), len(text) - 1)
    return (text[:at],), (text[at:],)


def _items(dice: Dice, groups: tuple[str, ...], between: dict[str, float], sign: str) -> tuple[Item, ...]:
    """Characters with what stands between the groups."""
    items: list[Item] = []
    for place, group in enumerate(groups):
        if place:
            items += _separator(dice, dice.weighted(between))
        items += [Item("sign", sign) if c == "*" else Item("char", c) for c in group]
    return tuple(items)


def _separator(dice: Dice, kind: str) -> list[Item]:
    if kind == "seal":
        return [Item("gap", width=0.06), Item("seal", width=dice.between(0.28, 0.55)), Item("gap", width=0.1)]
    if kind == "emblem":
        return [Item("emblem", width=dice.between(0.35, 0.8)), Item("gap", width=0.05)]
    if kind in ("-", "·", "."):
        mark = {"·": "dot", ".": "point"}.get(kind, "dash")
        return [Item("gap", width=0.04), Item("mark", {"dot": "·", "point": ".", "dash": "-"}[mark]), Item("gap", width=0.04)]
    return [Item("gap", width=dice.between(0.0, 0.1) if kind == "none" else dice.between(0.18, 0.55))]


def _tint(dice: Dice, colour: Colour, spread: int) -> Colour:
    """A colour near another: print and age differ."""
    shift = dice.whole(-spread, spread // 3)
    blue, green, red = (min(255, max(0, c + shift + dice.whole(-6, 6))) for c in colour)
    return blue, green, red


def _type(dice: Dice, tag: str, squeeze: tuple[float, float] = (0.85, 1.15), cell: tuple[float, float] | None = None) -> Type:
    return Type(
        face=dice.pick(names(tag)),
        x_scale=dice.between(*squeeze),
        tracking=dice.between(0.0, 0.14),
        cell=dice.between(*cell) if cell else 0.0,
        fit=dice.chance(0.4),
        stroke=dice.bell(0.0, 0.012),
        rounding=dice.between(0.0, 0.05) if dice.chance(0.5) else 0.0,
    )


def _dark_ink(dice: Dice) -> Colour:
    return dice.weighted({dice.paint(0, 45, 12): 0.8, (110, 40, 20): 0.08, (30, 25, 140): 0.06, (60, 90, 20): 0.06})


def _pads(dice: Dice, side: tuple[float, float], high: tuple[float, float]) -> tuple[float, float, float, float]:
    return dice.between(*side), dice.between(*high), dice.between(*side), dice.between(*high)


def _sizes(dice: Dice, lines: tuple[tuple[str, ...], ...]) -> tuple[float, ...]:
    return (1.0, dice.between(0.85, 1.15) if dice.chance(0.4) else 1.0)[: len(lines)]


def _eu(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    """White plates with a blue band, seals and stickers between the groups; yellow for some."""
    state = country[:2]
    seals = {
        "DE": 0.85,
        "CZ": 0.6,
        "SK": 0.75,
        "AT": 0.6,
        "CH": 0.5,
        "PL": 0.3,
        "HU": 0.3,
        "SI": 0.5,
        "HR": 0.5,
        "RO": 0.35,
        "LT": 0.4,
    }.get(state, 0.18)
    between = {"seal": seals, "gap": 0.7 * (1 - seals), "none": 0.12 * (1 - seals), "-": 0.12 * (1 - seals), "·": 0.06 * (1 - seals)}
    if state == "NL":
        between = {"-": 0.9, "gap": 0.1}
    ground = _tint(dice, YELLOW if state in ("NL", "LU") else WHITE, 30)
    ink = {"BE": (40, 30, 160)}.get(state, _dark_ink(dice) if dice.chance(0.25) else dice.colour(5, 50))
    band = None
    if dice.chance(0.85):
        text = BAND_LETTERS.get(state, dice.pick(tuple(BAND_LETTERS.values())))
        band = Band("left", dice.between(0.42, 0.7), _tint(dice, dice.pick(_BLUES), 30), text, dice.chance(0.85))
    cell = (0.6, 0.76) if dice.chance(0.35) else None
    return Look(
        lines=tuple(_items(dice, line, between, sign) for line in lines), style="eu", country=country,
        type=_type(dice, "fe" if cell else dice.weighted({"din": 0.8, "uk": 0.2}), (0.8, 1.12), cell),
        ground=ground, ink=ink, pads=_pads(dice, (0.08, 0.4), (0.12, 0.32)),
        aspect=0.0 if len(lines) > 1 or dice.chance(0.4) else dice.between(4.2, 4.9),
        line_gap=dice.between(0.1, 0.35), line_sizes=_sizes(dice, lines),
        rim=dice.between(0.02, 0.05) if dice.chance(0.7) else 0.0, rim_colour=ink, radius=dice.between(0.05, 0.2), band=band,
        captions=_rim_text(dice, 0.1), emboss=dice.between(0.0, 0.6),
    )  # fmt: skip


def _rim_text(dice: Dice, share: float) -> tuple[Caption, ...]:
    """A dealer's name in the lower rim."""
    return (Caption(dice.pick(DEALERS), dice.between(0.1, 0.16), dice.colour(20, 120), place="bottom"),) if dice.chance(share) else ()


def _uk(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    ground = _tint(dice, YELLOW if dice.chance(0.55) else WHITE, 40)
    band = None
    if dice.chance(0.3):
        band = Band(
            "left", dice.between(0.4, 0.6), _tint(dice, dice.pick(_BLUES), 30), dice.pick(("GB", "UK", "IRL", "M")), dice.chance(0.6)
        )
    two = len(lines) > 1
    return Look(
        lines=tuple(_items(dice, line, {"gap": 0.85, "none": 0.1, "-": 0.05}, sign) for line in lines), style="uk", country=country,
        type=_type(dice, "uk", (0.9, 1.2), (0.62, 0.74) if dice.chance(0.4) else None), ground=ground, ink=dice.colour(5, 45),
        pads=_pads(dice, (0.15, 0.5), (0.14, 0.3)), aspect=0.0 if two or dice.chance(0.5) else 4.68, line_gap=dice.between(0.12, 0.3),
        rim=dice.between(0.02, 0.04) if dice.chance(0.25) else 0.0, rim_colour=dice.colour(0, 60), radius=dice.between(0.05, 0.2), band=band,
        captions=_rim_text(dice, 0.45), drop=dice.between(0.2, 0.7) if dice.chance(0.1) else 0.0,
    )  # fmt: skip


def _us(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    """Twice as wide as tall: a state's name above, a slogan below, stickers in the corners, often a picture behind the characters."""
    ground = dice.weighted(
        {_tint(dice, WHITE, 60): 0.5, dice.paint(160, 245, 30): 0.35, _tint(dice, YELLOW, 40): 0.06, (190, 130, 60): 0.09}
    )
    ink = dice.weighted(
        {dice.paint(0, 50, 15): 0.4, (120, 50, 20): 0.28, (40, 30, 140): 0.13, (60, 90, 10): 0.12, dice.colour(40, 110): 0.07}
    )
    if dice.chance(0.06):
        ground, ink = dice.pick(((120, 40, 10), (60, 40, 20), (30, 90, 20), (20, 20, 20))), _tint(dice, WHITE, 50)
    state = STATES.get(country[3:]) if len(country) > 3 else None
    name, slogan = state or dice.pick(PLACES)
    other = ink if dice.chance(0.5) else dice.colour(0, 170)
    captions = []
    if dice.chance(0.93):
        script = dice.chance(0.22)
        captions.append(
            Caption(name if script or dice.chance(0.3) else name.upper(), dice.between(0.2, 0.38), other, "script" if script else "caption")
        )
    if slogan and dice.chance(0.75):
        captions.append(Caption(slogan if dice.chance(0.5) else slogan.upper(), dice.between(0.12, 0.24), other, place="bottom"))
    between = {"gap": 0.5, "emblem": 0.2, "-": 0.12, "·": 0.12, "none": 0.06}
    sides = dice.between(0.12, 0.5)
    return Look(
        lines=tuple(_items(dice, line, between, sign) for line in lines), style="us", country=country,
        type=_type(dice, dice.weighted({"us": 0.9, "din": 0.1}), (0.62, 0.95), (0.6, 0.75) if dice.chance(0.6) else None), ground=ground, ink=ink,
        pads=(sides, dice.between(0.4, 0.75), sides, dice.between(0.35, 0.65)), aspect=dice.between(1.85, 2.1), line_sizes=_sizes(dice, lines),
        picture=dice.weighted({"": 0.35, "patches": 0.25, "fade": 0.25, "hills": 0.15}), rim=dice.between(0.02, 0.05) if dice.chance(0.4) else 0.0,
        rim_colour=other, radius=dice.between(0.1, 0.25), captions=tuple(captions), stickers=dice.weighted({0: 0.3, 1: 0.35, 2: 0.35}),
        emboss=dice.between(0.2, 1.0) if dice.chance(0.75) else 0.0,
    )  # fmt: skip


def _latin_america(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    """Brazil's grey plates with city and state, Mercosur's with the blue strip, Mexico's, Argentina's black ones."""
    state = country[:2]
    mercosur = state in ("BR", "AR", "UY", "PY") and dice.chance(0.5)
    old_argentine = state == "AR" and not mercosur
    ground = _tint(dice, WHITE if mercosur else BLACK if old_argentine else (195, 195, 195), 40)
    ink = _tint(dice, WHITE, 40) if old_argentine else dice.colour(5, 50)
    if state == "BR" and not mercosur and dice.chance(0.15):
        ground, ink = dice.pick(((40, 30, 170), BLACK, YELLOW)), _tint(dice, WHITE, 30)
    band, captions = None, ()
    if mercosur:
        name = {"BR": "BRASIL", "AR": "REPUBLICA ARGENTINA", "UY": "URUGUAY", "PY": "PARAGUAY"}[state]
        band = Band("top", dice.between(0.3, 0.5), _tint(dice, (150, 50, 10), 20), name, False, flag=((60, 150, 0), (0, 220, 250)))
    elif dice.chance(0.9):
        captions = (Caption(dice.pick(OTHER_CAPTIONS["BR" if state == "BR" else "LA"]), dice.between(0.2, 0.32), ink),)
    between = {"gap": 0.35, "none": 0.4, "-": 0.1, "·": 0.1, "emblem": 0.05}
    return Look(
        lines=tuple(_items(dice, line, between, sign) for line in lines), style="la", country=country,
        type=_type(dice, dice.weighted({"fe": 0.25, "us": 0.3, "din": 0.45}), (0.8, 1.15), (0.62, 0.78) if dice.chance(0.4) else None),
        ground=ground, ink=ink, pads=(dice.between(0.15, 0.5), dice.between(0.3, 0.5) if captions else dice.between(0.12, 0.3),
        dice.between(0.15, 0.5), dice.between(0.12, 0.35)), aspect=dice.between(1.3, 1.6) if len(lines) > 1 else dice.between(2.2, 3.1),
        line_gap=dice.between(0.1, 0.3), rim=dice.between(0.02, 0.05) if dice.chance(0.6) else 0.0, rim_colour=ink, band=band,
        captions=captions, emboss=dice.between(0.0, 0.8), line_sizes=_sizes(dice, lines),
    )  # fmt: skip


def _in(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    """India and its neighbours: pressed, painted or glued, any font."""
    ground = _tint(dice, WHITE if dice.chance(0.7) else YELLOW, 50)
    band = None
    if dice.chance(0.35):
        band = Band("left", dice.between(0.3, 0.5), _tint(dice, (160, 70, 20), 30), dice.pick(("IND", "IND", "")), False)
        if dice.chance(0.3):
            band = replace(band, colour=ground)
    captions = (
        Caption(dice.pick(OTHER_CAPTIONS["IN"]), dice.between(0.15, 0.28), dice.colour(10, 120), place=dice.pick(("top", "bottom"))),
    )
    captions = captions if dice.chance(0.25) else ()
    between = {"gap": 0.55, "none": 0.2, "-": 0.1, "·": 0.05, ".": 0.1}
    ink = _dark_ink(dice)
    return Look(
        lines=tuple(_items(dice, line, between, sign) for line in lines), style="in", country=country,
        type=_type(dice, dice.weighted({"hand": 0.35, "din": 0.25, "uk": 0.2, "fe": 0.1, "us": 0.1}), (0.75, 1.2)),
        ground=ground, ink=ink, pads=_pads(dice, (0.08, 0.5), (0.12, 0.45)), line_gap=dice.between(0.12, 0.45), line_sizes=_sizes(dice, lines),
        rim=dice.between(0.02, 0.06) if dice.chance(0.55) else 0.0, rim_colour=ink, radius=dice.between(0.0, 0.2), band=band, captions=captions,
        emboss=dice.between(0.1, 0.8) if dice.chance(0.5) else 0.0, drop=dice.between(0.2, 0.7) if dice.chance(0.06) else 0.0,
    )  # fmt: skip


def _cn(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    ground, ink = dice.weighted(
        {((150, 60, 10), WHITE): 0.6, ((200, 100, 30), WHITE): 0.12, ((170, 220, 140), BLACK): 0.15, (YELLOW, BLACK): 0.13}
    )
    first = lines[0][0]
    groups = (first, *lines[0][1:]) if len(first) > 2 or len(lines[0]) < 2 else (first[:2], *lines[0][1:])
    between = {"·": 0.8, "gap": 0.2}
    return Look(
        lines=(_items(dice, groups, between, sign), *(_items(dice, line, between, sign) for line in lines[1:])), style="cn", country=country,
        type=_type(dice, dice.weighted({"din": 0.5, "us": 0.25, "uk": 0.25}), (0.85, 1.1), (0.55, 0.68) if dice.chance(0.6) else None),
        ground=_tint(dice, ground, 40), ink=_tint(dice, ink, 20), pads=_pads(dice, (0.1, 0.3), (0.15, 0.3)), line_gap=0.2,
        rim=dice.between(0.02, 0.04), rim_colour=ink, radius=0.1, emboss=dice.between(0.0, 0.5),
    )  # fmt: skip


def _plain(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    """Everywhere else: a ground, characters, perhaps a name."""
    ground = dice.weighted({_tint(dice, WHITE, 60): 0.6, _tint(dice, YELLOW, 40): 0.25, dice.paint(140, 250, 40): 0.15})
    ink = _dark_ink(dice)
    captions = ()
    if dice.chance(0.3):
        captions = (Caption(dice.pick(OTHER_CAPTIONS["ANY"]), dice.between(0.15, 0.3), ink, place=dice.pick(("top", "bottom"))),)
    between = {"gap": 0.4, "none": 0.15, "-": 0.22, "·": 0.1, "seal": 0.08, ".": 0.05}
    return Look(
        lines=tuple(_items(dice, line, between, sign) for line in lines), style="plain", country=country,
        type=_type(dice, dice.weighted({"din": 0.35, "uk": 0.25, "us": 0.2, "fe": 0.1, "hand": 0.1}), (0.75, 1.2), (0.6, 0.75) if dice.chance(0.3) else None),
        ground=ground, ink=ink, pads=_pads(dice, (0.12, 0.6), (0.15, 0.4)), aspect=dice.pick((0.0, 0.0, 2.0, 3.0, 4.6)) if len(lines) == 1 else 0.0,
        line_gap=dice.between(0.1, 0.4), line_sizes=_sizes(dice, lines), rim=dice.between(0.02, 0.06) if dice.chance(0.6) else 0.0, rim_colour=ink,
        radius=dice.between(0.0, 0.25), captions=captions, emboss=dice.between(0.0, 0.7),
    )  # fmt: skip


def _dark(dice: Dice, lines: tuple[tuple[str, ...], ...], country: str, sign: str) -> Look:
    """Light characters on black: Malaysia, old plates, New South Wales."""
    look = _plain(dice, lines, country, sign)
    ink = _tint(dice, WHITE, 50)
    return replace(look, ground=dice.colour(0, 50), ink=ink, rim_colour=ink, captions=tuple(replace(c, colour=ink) for c in look.captions))


STYLES: dict[str, Callable[[Dice, tuple[tuple[str, ...], ...], str, str], Look]] = {
    "eu": _eu, "uk": _uk, "us": _us, "la": _latin_america, "in": _in, "cn": _cn, "plain": _plain, "dark": _dark,
}  # fmt: skip
STYLE_OF: dict[str, dict[str, float]] = {
    "GB": {"uk": 1.0}, "IE": {"eu": 0.9, "uk": 0.1}, "US": {"us": 0.96, "dark": 0.04}, "CA": {"us": 1.0}, "MX": {"us": 0.7, "la": 0.3}, "BR": {"la": 1.0},
    "AR": {"la": 1.0}, "UY": {"la": 1.0}, "PY": {"la": 1.0}, "CL": {"la": 0.6, "plain": 0.4}, "CO": {"la": 0.6, "us": 0.4}, "PE": {"la": 0.7, "us": 0.3},
    "EC": {"la": 0.7, "us": 0.3}, "IN": {"in": 1.0}, "PK": {"in": 0.8, "us": 0.2}, "BD": {"in": 1.0}, "CN": {"cn": 1.0}, "MY": {"dark": 0.9, "plain": 0.1},
    "ID": {"dark": 0.7, "plain": 0.3}, "SG": {"dark": 0.7, "plain": 0.3}, "AU": {"plain": 0.5, "us": 0.3, "dark": 0.2}, "HK": {"uk": 1.0},
    "VN": {"plain": 0.9, "in": 0.1}, "ZA": {"us": 0.4, "plain": 0.6}, "PH": {"us": 0.6, "plain": 0.4}, "IL": {"eu": 0.2, "plain": 0.8}, "MT": {"eu": 1.0},
}  # fmt: skip
TWO_LINES: dict[str, float] = {
    "IN": 1.8, "VN": 2.2, "BR": 1.2, "PK": 1.6, "BD": 2.0, "TH": 1.5, "ID": 0.6, "GB": 1.1, "US": 0.12, "CA": 0.12, "MX": 0.2, "CN": 0.5, "DE": 0.8, "PL": 0.8,
    "": 0.6, "IT": 0.8, "FR": 0.7, "ES": 0.7, "NL": 0.8, "CZ": 0.8, "SK": 0.8, "CH": 1.2, "AT": 0.8, "IE": 0.8, "PT": 0.8, "SE": 0.6, "RU": 0.8, "MY": 0.9,
}  # fmt: skip
"""How often a plate has two lines, as a factor on the configured share."""
