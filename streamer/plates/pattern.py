"""The language in which country formats are written, and what it means.

::

    A        a letter of the format (``letters``, by default A-Z)
    9        a digit
    #        a letter of the format or a digit
    [1-9]    one of these characters; ranges are allowed; ``[T]`` is the letter T itself
    <name>   an entry of the list ``name`` of the file, for example a district code
    {m,n}    after any of them but a list: between m and n times; ``{n}``: n times
    space -  for the eye only

A list is a text of entries with spaces between; ``01..81`` is all numbers between them with the same number of digits.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streamer.plates.text import ALPHABET

LETTERS = ALPHABET[10:]
DIGITS = ALPHABET[:10]

_TOKEN = re.compile(r"(?P<unit>[A9#]|\[(?P<set>[A-Z0-9-]+)\])(?:\{(?P<low>\d+)(?:,(?P<high>\d+))?\})?|<(?P<list>\w+)>|[ -]")


@dataclass(frozen=True, slots=True)
class Listed:
    """Several places that must hold an entry of a closed list; all entries have the same length."""

    entries: tuple[str, ...]


Part = str | Listed
"""The characters allowed at one place, in code order; or several places with a closed list."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One fixed length form of a pattern."""

    parts: tuple[Part, ...]

    @property
    def length(self) -> int:
        """Number of characters."""
        return sum(len(part.entries[0]) if isinstance(part, Listed) else 1 for part in self.parts)

    @property
    def size(self) -> int:
        """How many texts it has."""
        product = 1
        for part in self.parts:
            product *= len(part.entries) if isinstance(part, Listed) else len(part)
        return product


def parse_list(text: str) -> tuple[str, ...]:
    """Expand the entries of a list: ``"A B 01..03"`` to ``("A", "B", "01", "02", "03")``. Raises ValueError for an entry that is none."""
    entries: list[str] = []
    for word in text.split():
        first, dots, last = word.partition("..")
        if dots:
            if len(first) != len(last) or not (first + last).isdecimal() or first > last:
                raise ValueError(f"range {word!r}: write two numbers of the same length, the smaller one first, such as 01..81")
            entries += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
        else:
            entries.append(word)
    strange = [entry for entry in entries if not set(entry) <= set(ALPHABET)]
    if strange or not entries:
        raise ValueError(f"list entries must be of A-Z and 0-9, got {strange}")
    return tuple(dict.fromkeys(entries))


def expand(pattern: str, letters: str, lists: Mapping[str, tuple[str, ...]], max_length: int) -> tuple[Variant, ...]:
    """Give all forms of ``pattern`` with at most ``max_length`` characters. Raises ValueError for a pattern that is none."""
    choices = [tuple(_choices(match, letters, lists)) for match in _tokens(pattern)]
    variants = (Variant(tuple(itertools.chain.from_iterable(parts))) for parts in itertools.product(*choices))
    unique = dict.fromkeys(variant for variant in variants if 0 < variant.length <= max_length)
    if not unique:
        raise ValueError(f"pattern {pattern!r} has no form of 1 to {max_length} characters")
    return tuple(unique)


def _tokens(pattern: str) -> Iterator[re.Match[str]]:
    position = 0
    while position < len(pattern):
        match = _TOKEN.match(pattern, position)
        if match is None:
            raise ValueError(f"pattern {pattern!r}: cannot read {pattern[position:]!r}")
        position = match.end()
        if match.group().strip(" -"):
            yield match


def _choices(match: re.Match[str], letters: str, lists: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Part, ...]]:
    name = match.group("list")
    if name is not None:
        if name not in lists:
            raise ValueError(f"there is no list {name!r}; there are {sorted(lists)}")
        for length in sorted({len(entry) for entry in lists[name]}):
            yield (Listed(tuple(entry for entry in lists[name] if len(entry) == length)),)
        return
    allowed = _allowed(match.group("unit"), match.group("set"), letters)
    low = int(match.group("low") or 1)
    high = int(match.group("high") or low)
    for times in range(low, high + 1):
        yield (allowed,) * times


def _allowed(unit: str, explicit: str | None, letters: str) -> str:
    if explicit is None:
        members = {"A": letters, "9": DIGITS, "#": DIGITS + letters}[unit]
    else:
        members = "".join(_range(found) for found in re.finditer(r"([A-Z0-9])(?:-([A-Z0-9]))?", explicit))
    return "".join(sorted(set(members)))


def _range(found: re.Match[str]) -> str:
    first, last = found.group(1), found.group(2) or found.group(1)
    if first > last:
        raise ValueError(f"range {found.group()!r}: the smaller character comes first")
    return ALPHABET[ALPHABET.index(first) : ALPHABET.index(last) + 1]
