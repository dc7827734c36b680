"""Folders of plate crops that are named by their text: ``AB12CDE.jpg``, ``AB12CDE_2.png``, ``AB-12-CD (3).jpg``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from train.collect.found import Found, Item, Mark, Options, Skipped, is_plate_text, pictures_in, plate_text, split_in

SHORTEST, LONGEST = 2, 12
WIDE = 2
"""Width over height from which a picture is no photograph of a camera."""
SMALL = 400
"""Longest side in pixels of a crop that is squat."""
_COUNTER = re.compile(r"(_\d+| ?\(\d+\)|#\d+)$")
"""Tells several crops of one plate apart. A hyphen does not: plates are written with it."""


def read_crops(source: Path, options: Options) -> Iterator[Item]:
    """Read the crops of a folder by their names."""
    for picture in pictures_in(source):
        name = picture.relative_to(source)
        text = text_of(picture.stem, options.letters)
        if text is None:
            yield Skipped(name.as_posix(), "picture", f"its name is no plate text of {SHORTEST} to {LONGEST} characters")
        else:
            # Several crops of one plate are of one vehicle, as in the product's own log.
            yield Found(
                picture,
                name.as_posix(),
                (Mark(text=text),),
                kind="crop",
                split=split_in(name),
                nearby=f"plate {plate_text(text, options.letters)[0]}",
            )


def text_of(stem: str, letters: str = "") -> str | None:
    """Give the text that a name tells, as written; None if it tells none."""
    written = _COUNTER.sub("", stem)
    text, _, _ = plate_text(written, letters)
    return written if text and SHORTEST <= len(text) <= LONGEST and is_plate_text(text, letters) else None


def names_a_plate(stem: str) -> bool:
    """Tell whether a name may be a plate's rather than a camera's (``IMG_0001``): a text with a letter and a digit."""
    text = text_of(stem) or ""
    return any(map(str.isalpha, text)) and any(map(str.isdigit, text))


def has_shape_of_crop(picture: Path) -> bool:
    """Tell whether a picture is as wide or as small as crops are; cameras number photographs as plates are (``DSC00012``)."""
    from streamer.errors import SourceError
    from streamer.stills import load_picture

    try:
        height, width = load_picture(picture).shape[:2]
    except SourceError:
        return False
    return bool(width >= WIDE * height or max(width, height) <= SMALL)
