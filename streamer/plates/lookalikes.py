"""Which characters are taken for which, and how far two plate texts are apart.

Costs are fractions of an unrelated confusion (1.0); 0 is the same character. They are ordered by what plate readers confuse:
pairs that many plate fonts draw alike (O and 0, I and 1) cost least, the classic pairs of optical character recognition
(2 Z, 5 S, 8 B, 6 G, 0 Q D) about a quarter, and weaker ones, seen on small, blurred or partly covered plates, about a half. They
are judged, not measured. Symmetrical: a vote over looks does not know which of the two was there.
"""

from __future__ import annotations

from functools import lru_cache

from streamer.plates.text import ALPHABET

ALIKE = 0.30
"""Pairs up to this cost count as one reading: looks that differ only in them agree."""

GAP = 0.8
"""Cost of a missing or additional character at either end of a text, where borders, bands and bolts are read as characters."""
INNER_GAP = 1.0
"""Cost of a missing or additional character inside a text."""

_PAIRS: dict[float, str] = {
    0.12: "0O",
    0.13: "1I",
    0.25: "2Z 5S 8B OQ",
    0.30: "6G 0D 0Q OD",
    0.40: "EF 1L IL 17 CG UV VY 38 PR",
    0.45: "IT 7T 4A MN HN KX FP BR 3B 68 08",
    0.50: "1T I7 7Z 27 DQ CO HM MW VW XY TY 89 8S 56 06 BD 6B",
    0.55: "0C GO GQ NW HK BE 35 09 49 DP KR IJ AR",
    0.60: "0U 39 EL KW 1J JU 3E OU 9P 46 59",
}
_COSTS: dict[tuple[str, str], float] = {}
for _cost, _names in _PAIRS.items():
    for _pair in _names.split():
        _COSTS[_pair[0], _pair[1]] = _COSTS[_pair[1], _pair[0]] = _cost

LOOKALIKES: dict[str, tuple[tuple[str, float], ...]] = {
    a: tuple(sorted(((b, cost) for (x, b), cost in _COSTS.items() if x == a), key=lambda pair: (pair[1], pair[0]))) for a in ALPHABET
}
"""For each character the ones it is taken for, with their costs, likeliest first."""


def confusion(a: str, b: str) -> float:
    """Cost of taking ``a`` for ``b``: 0 the same, 1 unrelated. Symmetrical."""
    return 0.0 if a == b else _COSTS.get((a, b), 1.0)


def alike(a: str, b: str) -> bool:
    """Whether two texts are one reading: the same length, and at each place the same character or a close look-alike."""
    return len(a) == len(b) and all(confusion(x, y) <= ALIKE for x, y in zip(a, b, strict=True))


def align(a: str, b: str) -> tuple[tuple[int | None, int | None], ...]:
    """Pair the characters of two texts so that the weighted edit distance is least: indices into ``a`` and ``b``, None for a gap.

    Wagner and Fischer's algorithm (1974) with the costs of this module; of equal alignments the one that pairs, then the one that drops
    from ``a``, is taken from the end of the texts.
    """
    table = _table(a, b)
    pairs: list[tuple[int | None, int | None]] = []
    i, j = len(a), len(b)
    while i or j:
        here = table[i][j]
        if i and j and here == table[i - 1][j - 1] + confusion(a[i - 1], b[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and (not j or here == table[i - 1][j] + _gap(j, len(b))):
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return tuple(reversed(pairs))


@lru_cache(maxsize=8192)
def distance(a: str, b: str) -> float:
    """Weighted edit distance: 1.0 is one unrelated character. Symmetrical."""
    return _table(a, b)[-1][-1]


def similarity(a: str, b: str) -> float:
    """1 for equal texts, 0 for texts with nothing in common: 1 - distance / length of the longer one."""
    longest = max(len(a), len(b))
    return max(0.0, 1.0 - distance(a, b) / longest) if longest else 1.0


def similar(a: str, b: str) -> bool:
    """Whether two texts are at most one misread apart: one wrong, missing or additional character, or several close look-alikes.

    In texts of fewer than five characters one character is too much of the text: only look-alikes count there.
    """
    return distance(a, b) <= (1.0 if min(len(a), len(b)) >= 5 else 0.5)


def _gap(place: int, length: int) -> float:
    return GAP if place in (0, length) else INNER_GAP


def _table(a: str, b: str) -> list[list[float]]:
    """Least cost of turning each beginning of ``a`` into each beginning of ``b``."""
    rows = [[GAP * j for j in range(len(b) + 1)]]
    for i, x in enumerate(a, start=1):
        above = rows[-1]
        row = [GAP * i]
        across = _gap(i, len(a))
        for j, y in enumerate(b, start=1):
            row.append(min(above[j - 1] + confusion(x, y), above[j] + _gap(j, len(b)), row[j - 1] + across))
        rows.append(row)
    return rows
