"""Plate text: the alphabet A-Z 0-9 and what is brought into it."""

from __future__ import annotations

import unicodedata

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""All characters that a plate text may hold, in code order."""

# Letters of other scripts that plates write with the Latin letter of the same look (Vienna Convention on Road Traffic, annex 2),
# and Latin letters that Unicode does not decompose.
_SAME_LOOK = str.maketrans(
    {
        **dict(zip("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS", strict=True)),
        **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
        **dict(zip("ØĐŁ", "ODL", strict=True)),
    }
)
_FOLD = str.maketrans("OI", "01")


def normalise(text: str) -> str:
    """Bring ``text`` into A-Z 0-9.

    Upper case; marks removed (``Ü`` to ``U``); digits of any script to 0-9; Cyrillic and Greek capitals to the Latin letter of the
    same look; everything else dropped.
    Works character by character: ``normalise(a + b) == normalise(a) + normalise(b)``, so scores can follow their characters.
    """
    upper = unicodedata.normalize("NFKD", text.upper()).translate(_SAME_LOOK)
    return "".join(c for c in map(_digit, upper) if c in ALPHABET)


def fold(text: str) -> str:
    """Write ``O`` as ``0`` and ``I`` as ``1``: texts that differ only in what many plate fonts do not tell apart become equal."""
    return text.translate(_FOLD)


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)
