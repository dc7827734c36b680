"""Families of looks, each with the spread that real plates have: European, British, American, South American, Indian, Chinese, others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.synth.dice import Dice
from train.synth.looks import Band, Caption, Colour, Item, Look
from train.synth.places import captions, places, table
from train.synth.traits import BLACK, WHITE, YELLOW, blue_band, dark_ink, pads, rim, rim_text, sizes, tint, type_of
from train.synth.wording import Wording


def _led(first: tuple[Item, ...], lines: tuple[tuple[Item, ...], ...]) -> tuple[tuple[Item, ...], ...]:
    """Put ornaments before the first line."""
    return ((*first, *lines[0]), *lines[1:])


def european(dice: Dice, words: Wording) -> Look:
    """White plates with a blue band, seals and stickers between the groups; yellow for some."""
    seals = table("seals").get(words.state, table("seals")["other"])
    rest = 1 - seals
    between = {"seal": seals, "gap": 0.7 * rest, "none": 0.12 * rest, "-": 0.12 * rest, "·": 0.06 * rest}
    if words.state == "NL":
        between = {"-": 0.9, "gap": 0.1}
    ink = (40, 30, 160) if words.state == "BE" else dark_ink(dice)
    fixed = dice.chance(0.35)
    two = len(words.lines) > 1
    return Look(
        lines=words.items(dice, between),
        style="eu",
        country=words.country,
        type=type_of(dice, {"fe": 1.0} if fixed else {"din": 0.8, "uk": 0.2}, (0.8, 1.12), (0.6, 0.76), float(fixed)),
        ground=tint(dice, YELLOW if words.state in ("NL", "LU") else WHITE, 30),
        ink=ink,
        pads=pads(dice, (0.08, 0.4), (0.12, 0.32)),
        aspect=0.0 if two or dice.chance(0.4) else dice.between(4.2, 4.9),
        line_gap=dice.between(0.1, 0.35),
        line_sizes=sizes(dice, len(words.lines)),
        rim=rim(dice, 0.7),
        rim_colour=ink,
        radius=dice.between(0.05, 0.2),
        bands=_european_bands(dice, words.state),
        captions=rim_text(dice, 0.1),
        emboss=dice.between(0.0, 0.5),
    )


def _european_bands(dice: Dice, state: str) -> tuple[Band, ...]:
    """The country's band, and in some countries one at the other end, with a year or a department."""
    letters = table("bands").get(state) or dice.pick(tuple(table("bands").values()))
    first = (blue_band(dice, letters, 0.85),) * dice.chance(0.85)
    if not dice.chance({"FR": 0.75, "IT": 0.6, "PT": 0.3, "AL": 0.5}.get(state, 0.02)):
        return first
    last = replace(blue_band(dice, f"{dice.whole(1, 95):02}", 0.0), side="right")
    yellow = state == "PT" and dice.chance(0.7)
    return (*first, replace(last, colour=YELLOW) if yellow else last)


def british(dice: Dice, words: Wording) -> Look:
    """White in front, yellow behind, bold and unframed."""
    letters = dice.pick(("GB", "UK", "IRL", "M"))
    return Look(
        lines=words.items(dice, {"gap": 0.85, "none": 0.1, "-": 0.05}),
        style="uk",
        country=words.country,
        type=type_of(dice, {"uk": 1.0}, (0.9, 1.2), (0.62, 0.74), 0.4),
        ground=tint(dice, YELLOW if dice.chance(0.55) else WHITE, 40),
        ink=dice.colour(5, 45),
        pads=pads(dice, (0.15, 0.5), (0.14, 0.3)),
        aspect=0.0 if len(words.lines) > 1 or dice.chance(0.5) else 4.68,
        line_gap=dice.between(0.12, 0.3),
        rim=rim(dice, 0.25),
        rim_colour=dice.colour(0, 60),
        radius=dice.between(0.05, 0.2),
        bands=(blue_band(dice, letters, 0.6, (0.4, 0.6)),) * dice.chance(0.3),
        captions=rim_text(dice, 0.45),
        drop=dice.between(0.2, 0.7) if dice.chance(0.1) else 0.0,
    )


def american(dice: Dice, words: Wording) -> Look:
    """Twice as wide as tall: a state's name above, a slogan below, stickers in the corners, often a picture behind the characters."""
    ground, ink = _american_colours(dice)
    other = ink if dice.chance(0.5) else dice.colour(0, 170)
    sides = dice.between(0.12, 0.5)
    return Look(
        lines=_led(
            words.before(dice, 0.12, {"emblem": 0.7, "tower": 0.3}),
            words.items(dice, {"gap": 0.5, "emblem": 0.2, "-": 0.12, "·": 0.12, "none": 0.06}),
        ),
        style="us",
        country=words.country,
        type=type_of(dice, {"us": 0.9, "din": 0.1}, (0.62, 0.95), (0.6, 0.75), 0.6),
        ground=ground,
        ink=ink,
        pads=(sides, dice.between(0.4, 0.75), sides, dice.between(0.35, 0.65)),
        aspect=dice.between(1.85, 2.1),
        line_sizes=sizes(dice, len(words.lines)),
        picture=dice.weighted({"": 0.35, "patches": 0.25, "fade": 0.25, "hills": 0.15}),
        rim=rim(dice, 0.4),
        rim_colour=other,
        radius=dice.between(0.1, 0.25),
        captions=_american_captions(dice, words.country, other),
        stickers=dice.weighted({0: 0.3, 1: 0.35, 2: 0.35}),
        emboss=dice.between(0.15, 0.9) if dice.chance(0.7) else 0.0,
    )


def _american_colours(dice: Dice) -> tuple[Colour, Colour]:
    if dice.chance(0.06):
        return dice.pick(((120, 40, 10), (60, 40, 20), (30, 90, 20), (20, 20, 20))), tint(dice, WHITE, 50)
    pale, light = tint(dice, WHITE, 60), dice.paint(160, 245, 30)
    ground = dice.weighted({pale: 0.5, light: 0.35, tint(dice, YELLOW, 40): 0.06, (190, 130, 60): 0.09})
    blue, red, green = (120, 50, 20), (40, 30, 140), (60, 90, 10)
    return ground, dice.weighted({dice.paint(0, 50, 15): 0.4, blue: 0.28, red: 0.13, green: 0.12, dice.paint(50, 100, 20): 0.07})


def _american_captions(dice: Dice, country: str, colour: Colour) -> tuple[Caption, ...]:
    name, slogan = table("states").get(country[3:]) or dice.pick(places())
    script = dice.chance(0.22)
    above = Caption(
        name if script or dice.chance(0.3) else name.upper(), dice.between(0.2, 0.38), colour, "script" if script else "caption"
    )
    below = Caption(slogan if dice.chance(0.5) else slogan.upper(), dice.between(0.12, 0.24), colour, place="bottom")
    return (above,) * dice.chance(0.93) + (below,) * bool(slogan and dice.chance(0.75))


_MERCOSUR = {"BR": "BRASIL", "AR": "REPUBLICA ARGENTINA", "UY": "URUGUAY", "PY": "PARAGUAY"}


def south_american(dice: Dice, words: Wording) -> Look:
    """Brazil's grey plates with city and state, Argentina's black ones, others of their kind; Mercosur's with the blue strip."""
    mercosur = words.state in _MERCOSUR and dice.chance(0.5)
    ground, ink = _south_american_colours(dice, words.state, mercosur)
    bands: tuple[Band, ...] = ()
    names: tuple[Caption, ...] = ()
    if mercosur:
        flag: tuple[Colour, ...] = ((60, 150, 0), (0, 220, 250))
        bands = (Band("top", dice.between(0.3, 0.5), tint(dice, (150, 50, 10), 20), _MERCOSUR[words.state], False, flag),)
    elif dice.chance(0.9):
        names = (Caption(dice.pick(captions("BR" if words.state == "BR" else "LA")), dice.between(0.2, 0.32), ink),)
    side = dice.between(0.15, 0.5)
    above = dice.between(0.3, 0.5) if names else dice.between(0.12, 0.3)
    return Look(
        lines=words.items(dice, {"gap": 0.35, "none": 0.4, "-": 0.1, "·": 0.1, "emblem": 0.05}),
        style="la",
        country=words.country,
        type=type_of(dice, {"fe": 0.25, "us": 0.3, "din": 0.45}, (0.8, 1.15), (0.62, 0.78), 0.4),
        ground=ground,
        ink=ink,
        pads=(side, above, side, dice.between(0.12, 0.35)),
        aspect=dice.between(1.2, 1.6) if len(words.lines) > 1 else dice.between(2.2, 3.1),
        line_gap=dice.between(0.1, 0.3),
        rim=rim(dice, 0.6),
        rim_colour=ink,
        bands=bands,
        captions=names,
        emboss=dice.between(0.0, 0.7),
        line_sizes=sizes(dice, len(words.lines)),
    )


def _south_american_colours(dice: Dice, state: str, mercosur: bool) -> tuple[Colour, Colour]:
    if state == "AR" and not mercosur:
        return tint(dice, BLACK, 20), tint(dice, WHITE, 40)
    if state == "BR" and not mercosur and dice.chance(0.15):
        red_or_black = dice.pick(((40, 30, 170), BLACK))
        return red_or_black, tint(dice, WHITE, 30)
    return tint(dice, WHITE if mercosur else (195, 195, 195), 40), dice.colour(5, 50)


def indian(dice: Dice, words: Wording) -> Look:
    """India and its neighbours: pressed, painted or glued, any font."""
    ground = tint(dice, WHITE if dice.chance(0.7) else YELLOW, 50)
    ink = dark_ink(dice)
    band = blue_band(dice, "IND" if dice.chance(0.7) else "", 0.0, (0.3, 0.5))
    band = replace(band, colour=dice.pick((ground, band.colour, band.colour, (60, 120, 20))))
    small = Caption(dice.pick(captions("IN")), dice.between(0.15, 0.28), dice.colour(10, 120), place=dice.pick(("top", "bottom")))
    return Look(
        lines=words.items(dice, {"gap": 0.55, "none": 0.2, "-": 0.1, "·": 0.05, ".": 0.1}),
        style="in",
        country=words.country,
        type=type_of(dice, {"hand": 0.35, "din": 0.25, "uk": 0.2, "fe": 0.1, "us": 0.1}, (0.75, 1.2), (0.6, 0.7), 0.1),
        ground=ground,
        ink=ink,
        pads=pads(dice, (0.08, 0.5), (0.12, 0.45)),
        line_gap=dice.between(0.12, 0.45),
        line_sizes=sizes(dice, len(words.lines)),
        rim=rim(dice, 0.55),
        rim_colour=ink,
        radius=dice.between(0.0, 0.2),
        bands=(band,) * dice.chance(0.35),
        captions=(small,) * dice.chance(0.25),
        emboss=dice.between(0.1, 0.7) if dice.chance(0.5) else 0.0,
        drop=dice.between(0.2, 0.7) if dice.chance(0.06) else 0.0,
    )


def chinese(dice: Dice, words: Wording) -> Look:
    """Blue, green or yellow; the province's sign first, a dot after the office's letter."""
    blue, pale, green, yellow = (150, 60, 10), (200, 100, 30), (170, 220, 140), YELLOW
    ground = dice.weighted({blue: 0.6, pale: 0.12, green: 0.15, yellow: 0.13})
    ink = WHITE if ground in (blue, pale) else BLACK
    return Look(
        lines=words.items(dice, {"·": 0.8, "gap": 0.2}),
        style="cn",
        country=words.country,
        type=type_of(dice, {"din": 0.5, "us": 0.25, "uk": 0.25}, (0.85, 1.1), (0.55, 0.68), 0.6),
        ground=tint(dice, ground, 40),
        ink=tint(dice, ink, 20),
        pads=pads(dice, (0.1, 0.3), (0.15, 0.3)),
        rim=rim(dice, 1.0),
        rim_colour=ink,
        emboss=dice.between(0.0, 0.5),
    )


def plain(dice: Dice, words: Wording) -> Look:
    """Everywhere else: a ground, characters, perhaps a name."""
    light = dice.paint(140, 250, 40)
    ground = dice.weighted({tint(dice, WHITE, 60): 0.6, tint(dice, YELLOW, 40): 0.25, light: 0.15})
    ink = dark_ink(dice)
    arabic = words.state in ("AE", "SA", "MA") and dice.chance(0.6)
    small = Caption(
        dice.pick(captions("arabic" if arabic else "ANY")),
        dice.between(0.15, 0.35),
        ink,
        tag="arabic" if arabic else "caption",
        place=dice.pick(("top", "bottom")),
    )
    return Look(
        lines=_led(
            words.before(dice, 0.08, {"tower": 0.7, "emblem": 0.3}),
            words.items(dice, {"gap": 0.4, "none": 0.15, "-": 0.22, "·": 0.1, "seal": 0.08, ".": 0.05}),
        ),
        style="plain",
        country=words.country,
        type=type_of(dice, {"din": 0.35, "uk": 0.25, "us": 0.2, "fe": 0.1, "hand": 0.1}, (0.75, 1.2), (0.6, 0.75), 0.3),
        ground=ground,
        ink=ink,
        pads=pads(dice, (0.12, 0.6), (0.15, 0.4)),
        aspect=dice.pick((0.0, 0.0, 2.0, 3.0, 4.6)) if len(words.lines) == 1 else 0.0,
        line_gap=dice.between(0.1, 0.4),
        line_sizes=sizes(dice, len(words.lines)),
        rim=rim(dice, 0.6),
        rim_colour=ink,
        radius=dice.between(0.0, 0.25),
        captions=(small,) * (arabic or dice.chance(0.3)),
        emboss=dice.between(0.0, 0.6),
    )


def dark(dice: Dice, words: Wording) -> Look:
    """Light characters on black: Malaysia, old plates, New South Wales."""
    look = plain(dice, words)
    ink = tint(dice, WHITE, 50)
    names = tuple(replace(small, colour=ink) for small in look.captions)
    return replace(look, style="dark", ground=dice.paint(0, 45, 10), ink=ink, rim_colour=ink, captions=names)


FAMILIES: dict[str, Callable[[Dice, Wording], Look]] = {
    "eu": european,
    "uk": british,
    "us": american,
    "la": south_american,
    "in": indian,
    "cn": chinese,
    "plain": plain,
    "dark": dark,
}
