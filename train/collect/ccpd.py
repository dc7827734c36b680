"""CCPD: everything is in the name of the file.

``025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg``: area, tilt, box (top left and bottom
right), the four corners from the bottom right one (bottom left, top left, top right follow), the characters as places in three
tables (province, city, the rest), brightness, blur. Source of the order and the tables: README of detectRecog/CCPD.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from train.collect.found import OUTSIDE, Found, Item, Mark, Options, Skipped, pictures_in, split_in

_PROVINCES = 34
"""Signs in the first table, all outside the alphabet; which one it is makes no difference here, only in groups."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
# The last entry of every table is the letter O, which no plate there has: it stands for "no character".
_NOTHING = "O"
_CITY = _LETTERS + _NOTHING
_REST = _LETTERS + "0123456789" + _NOTHING


def read_ccpd(source: Path, options: Options) -> Iterator[Item]:
    """Read the pictures of a folder by their names."""
    for picture in pictures_in(source):
        where = picture.relative_to(source).as_posix()
        try:
            mark, group = parse_name(picture.stem)
        except ValueError as error:
            yield Skipped(where, "picture", f"its name is not CCPD's ({error})")
            continue
        yield Found(picture, where, (mark,), group=group, region=options.region or "CN", split=split_in(picture.relative_to(source)))


def is_ccpd(stem: str) -> bool:
    """Tell whether a file is named CCPD's way."""
    try:
        parse_name(stem)
    except ValueError:
        return False
    return True


def parse_name(stem: str) -> tuple[Mark, str]:
    """Give the plate that a name tells, and its vehicle as a word. Raises ValueError."""
    fields = stem.split("-")
    if len(fields) < 5:
        raise ValueError("fewer than five fields")
    top_left, bottom_right = map(_point, _pair(fields[2]))
    corners = tuple(map(_point, fields[3].split("_")))
    if len(corners) != 4:
        raise ValueError("not four corners")
    codes = [int(code) for code in fields[4].split("_")]
    text = _text(codes)
    return Mark((*top_left, *bottom_right), (*corners[2:], *corners[:2]), text), f"ccpd {fields[4]}"


def _text(codes: list[int]) -> str:
    if len(codes) not in (7, 8) or min(codes) < 0 or codes[0] >= _PROVINCES:
        raise ValueError("the characters are not seven or eight places in the tables")
    try:
        rest = _CITY[codes[1]] + "".join(_REST[code] for code in codes[2:])
    except IndexError as error:
        raise ValueError("a character is outside its table") from error
    return OUTSIDE + rest.replace(_NOTHING, "")


def _pair(field: str) -> tuple[str, str]:
    first, second = field.split("_")
    return first, second


def _point(field: str) -> tuple[float, float]:
    x, y = field.split("&")
    return float(x), float(y)
