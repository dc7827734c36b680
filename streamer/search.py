"""How plates are looked for: patterns, look-alikes made one, and where in an index near texts can stand (pure).

Near texts are found by parts (S. Wu, U. Manber, "Fast text searching allowing errors", Communications of the ACM 35(10), 1992): if a text
is cut in two and another one is an edit away, the edit is in one part, and the other part stands in both. With two edits, one part
stands in both, or each part has one of them. So a beginning and an end, looked up in two sorted indexes, give every text that can be near,
and few others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import Levenshtein

from streamer.plates import ALPHABET, distance, normalise

LOOKALIKES: Final = ("0ODQ", "1I", "2Z", "5S", "6G", "8B")
"""Classes of characters that are taken for one in near searches; the first of each stands for it. They hold the pairs of ``plates`` that
count as one reading (``lookalikes.ALIKE``). Stores hold texts that were made with them: a change needs a migration."""
_SKELETON: Final = str.maketrans({other: one[0] for one in LOOKALIKES for other in one[1:]})
_LETTERS: Final = "".join(sorted(set(ALPHABET.translate(_SKELETON))))

LEAST_CHARS: Final = (1, 3, 5)
"""How long a plate must be at least to be looked for with 0, 1, 2 edits: of a shorter one too little is left."""
MOST_EDITS: Final = len(LEAST_CHARS) - 1
_DIGITS: Final = 6
"""Of distances: they are sums of fractions, and are compared."""


def skeleton(text: str) -> str:
    """Give a plate with close look-alikes made one: ``B`` becomes ``8``, ``O``, ``D`` and ``Q`` become ``0`` ..."""
    return text.translate(_SKELETON)


def clean_pattern(text: str) -> str:
    """Bring what somebody typed into A-Z 0-9 with ``*`` (any characters) and ``?`` (one); everything else is dropped."""
    found = "".join(one if one in "*?" else normalise(one) for one in text)
    while "**" in found:
        found = found.replace("**", "*")
    return found


def is_pattern(text: str) -> bool:
    """Say whether a cleaned text has wildcards."""
    return "*" in text or "?" in text


def literal_ends(pattern: str) -> tuple[str, str]:
    """Give what stands before the first wildcard of a cleaned pattern, and what stands behind its last one."""
    wild = [place for place, one in enumerate(pattern) if one in "*?"]
    return pattern[: wild[0]], pattern[wild[-1] + 1 :]


def like_pattern(pattern: str) -> str:
    """Give a cleaned pattern as SQL's LIKE wants it; there is nothing in it that would need an escape."""
    return pattern.replace("*", "%").replace("?", "_")


def beyond(prefix: str) -> str:
    """Give the first text after all those that begin with a prefix (not empty), in the order of code points."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def how_far(wanted: str, text: str) -> float:
    """Give the distance that near texts are ranked by: ``plates.distance``, rounded so that equal ones are equal."""
    return round(distance(wanted, text), _DIGITS)


def is_near(wanted: str, other: str, edits: int) -> bool:
    """Say whether two skeletons are at most so many characters apart: wrong, missing or additional ones (Levenshtein)."""
    return bool(Levenshtein.distance(wanted, other, score_cutoff=edits) <= edits)


@dataclass(frozen=True, slots=True)
class Places:
    """Where all texts near another one stand, and others too."""

    beginnings: tuple[str, ...]
    """Skeletons begin with one of these ..."""
    endings: tuple[str, ...]
    """... or, written backwards, with one of these."""


def places_of(wanted: str, edits: int, starting: Callable[[str], int], ending: Callable[[str], int]) -> Places:
    """Say where to look for what is near a skeleton.

    Args:
        wanted: the skeleton, at least ``LEAST_CHARS[edits]`` long.
        edits: 1 or 2.
        starting: gives how many texts (roughly, and up to some number) begin with a text.
        ending: the same for those that, written backwards, begin with a text.

    Returns:
        Of all ways to cut the skeleton in two, the one where the fewest texts have to be looked at.
    """
    backwards = wanted[::-1]
    starts = [starting(wanted[:length]) for length in range(len(wanted))]
    ends = [ending(backwards[:length]) for length in range(len(wanted))]
    cuts = range(1, len(wanted))
    if edits == 1:
        cut = min(cuts, key=lambda at: starts[at] + ends[len(wanted) - at])
        return Places((wanted[:cut],), (backwards[: len(wanted) - cut],))
    # Both parts have an edit: either part can be looked up in all its forms. Of a part of n characters these have n - 1 in common with it.
    costs = [(2 * at * starts[at - 1] + ends[len(wanted) - at], at, True) for at in cuts]
    costs += [(starts[at] + 2 * (len(wanted) - at) * ends[len(wanted) - at - 1], at, False) for at in cuts]
    _, cut, by_start = min(costs)
    start, end = wanted[:cut], backwards[: len(wanted) - cut]
    return Places(_shortest(_one_edit(start)), (end,)) if by_start else Places((start,), _shortest(_one_edit(end)))


def near(wanted: str, edits: int, candidates: Iterable[tuple[str, str]]) -> list[tuple[float, list[str]]]:
    """Give those of some texts that are near, nearest first, those of one distance together.

    Args:
        wanted: a plate, A-Z 0-9.
        edits: see ``is_near``.
        candidates: texts and their skeletons; may repeat.
    """
    own = skeleton(wanted)
    groups: dict[float, list[str]] = {}
    for text in sorted({text for text, other in candidates if is_near(own, other, edits)}):
        groups.setdefault(how_far(wanted, text), []).append(text)
    return sorted(groups.items())


def _one_edit(text: str) -> set[str]:
    """Give a skeleton and all that are one edit away from it."""
    found = {text}
    for place in range(len(text) + 1):
        before, after = text[:place], text[place:]
        found |= {before + letter + after for letter in _LETTERS}
        if after:
            found.add(before + after[1:])
            found |= {before + letter + after[1:] for letter in _LETTERS}
    return found


def _shortest(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Leave out what begins with another one."""
    kept: Sequence[str] = ()
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept = (*kept, prefix)
    return tuple(kept)
