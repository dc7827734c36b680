"""Country formats applied to a text: which plate was it most likely, and whose?

Bayes' rule with three factors, in natural logarithms:

- the prior of a format: its vehicles, spread evenly over its variants and the texts of each; formats of expected countries get a bonus;
- the likelihood of each substitution: a look-alike costs ``NATS`` times its confusion cost, less where the reader was unsure
  of the character, and less the more of the looks read the other character;
- nothing else: characters are neither added nor dropped, and a character is only replaced by one that some look read there
  or by a look-alike.

A text that fits a format as it stands is not bent into another country's form, unless that country is expected. Only O/0,
I/1 and characters that the looks themselves leave open are then still decided by the odds.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamer.plates.formats import Format, all_formats, known_countries
from streamer.plates.lookalikes import LOOKALIKES
from streamer.plates.tables import CODES, Entry, Fits, Floats, FormatTables, texts
from streamer.plates.text import ALPHABET

NATS = 12.0
"""Logarithm of the odds against an unrelated confusion; O/0 costs 1.4, 5/S 3 nats, which is to say 1 in 4 and 1 in 20."""
FREE = 1.6
"""Nats up to which one substitution is open even where the text fits as it stands: O/0, I/1, and what the looks leave open."""
MAX_NATS = 3.6
"""Nats that all substitutions of a text may cost together: one of the classic pairs, or several of O/0 and I/1."""
MAX_NATS_EXPECTED = 6.5
"""The same for a country that is expected: two classic pairs."""
BONUS = (6.0, 4.0)
"""Nats that the first expected country gains, and the least that a later one gains; 0.5 less for each place in the list."""
SURE_SHARE = 0.8
"""Share of the odds that a country needs to be named."""


class UnknownCountryError(ValueError):
    """A country, state or group that no format file knows; the message names the nearest known one."""


@dataclass(frozen=True, slots=True)
class Change:
    """A character that was decided otherwise than it was read."""

    position: int
    read: str
    plate: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a text may be."""

    plate: str
    country: str | None
    """ISO 3166-1 alpha-2 or a state as ``US-TX``; None if no format fits or several countries' do."""
    format: str | None
    """Name of the format, if the country is clear."""
    score: float
    """Share of the odds among all candidates, 0..1."""
    changes: tuple[Change, ...]
    fits: bool
    """Some country's format fits (chosen texts aside)."""
    expected: bool
    """A format of an expected country fits."""


class FormatBook:
    """The formats of the countries that a user expects, or of all. Immutable; its methods are pure."""

    def __init__(self, formats: Sequence[Format], countries: Sequence[str] = ()) -> None:
        """Compile ``formats``; ``countries`` are the expected ones, most likely first (states and groups count)."""
        self._formats = tuple(formats)
        places = [_place(fmt, countries) for fmt in formats]
        self._expected = np.array([place is not None for place in places])
        self._vanity = np.array([fmt.vanity for fmt in formats])
        self._tables = FormatTables(
            Entry(fmt, 0.0, MAX_NATS) if place is None else Entry(fmt, max(BONUS[1], BONUS[0] - 0.5 * place), MAX_NATS_EXPECTED)
            for fmt, place in zip(formats, places, strict=True)
        )

    @classmethod
    def load(cls, countries: Sequence[str] = (), only: bool = False) -> FormatBook:
        """Compile the package's formats.

        ``countries``: the expected ones, most likely first: ``DE``, ``US``, ``US-TX``, or a group such as ``EU``; ``only``: leave all
        others out, so that a text that fits none of theirs has no candidate (without ``countries`` it means nothing). Raises
        UnknownCountryError.
        """
        for name in countries:
            if name not in known_countries():
                near = difflib.get_close_matches(name.upper(), known_countries(), n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known_countries())}"
                raise UnknownCountryError(f"no plate formats are known for {name!r}{hint}")
        formats = all_formats()
        return cls([fmt for fmt in formats if _place(fmt, countries) is not None] if only and countries else formats, countries)

    def rank(
        self, text: str, char_scores: Sequence[float] | None = None, shares: Sequence[Mapping[str, float]] | None = None, limit: int = 5
    ) -> list[Candidate]:
        """Say what ``text`` (A-Z 0-9) may be, likeliest first; empty if no format of the book fits.

        ``char_scores``: the reader's, 0..1, one per character (default 1). ``shares``: for each place the characters that the looks had
        there with their shares of the votes, 0..1; ``text`` has the winners. Ties are broken by fewer substitutions, then by the alphabet.
        """
        if not self._tables.has(len(text)):
            return []
        costs = _costs(text, char_scores or (1.0,) * len(text), shares or ({},) * len(text))
        fits = self._admitted(self._tables.fits(costs))
        if not len(fits.cost):
            return []
        odds: dict[str, float] = {}
        cost: dict[str, float] = {}
        for plate, own_cost, own_odds in zip(texts(fits.codes), fits.cost, np.exp(fits.log_odds - fits.log_odds.max()), strict=True):
            odds[plate] = odds.get(plate, 0.0) + float(own_odds)
            cost[plate] = float(own_cost)
        best = sorted(odds, key=lambda plate: (-odds[plate], cost[plate], plate))[:limit]
        total = sum(odds.values())
        return [self._candidate(text, plate, odds[plate] / total) for plate in best]

    def _admitted(self, fits: Fits) -> Fits:
        """Leave out what would bend a text that fits as it stands into another, unexpected country's form."""
        as_read = bool(((fits.cost == 0.0) & ~self._vanity[fits.formats]).any())
        return fits.only(self._expected[fits.formats] | (fits.dearest <= FREE)) if as_read else fits

    def _candidate(self, text: str, plate: str, score: float) -> Candidate:
        """Say whose plate it is: of all formats that it fits as it stands."""
        telling = [(number, log_prior) for number, log_prior in self._tables.holding(plate) if not self._vanity[number]]
        country, name = self._whose(telling) if telling else (None, None)
        return Candidate(
            plate=plate,
            country=country,
            format=name,
            score=score,
            changes=tuple(Change(i, a, b) for i, (a, b) in enumerate(zip(text, plate, strict=True)) if a != b),
            fits=bool(telling),
            expected=any(bool(self._expected[number]) for number, _ in telling),
        )

    def _whose(self, holding: Sequence[tuple[int, float]]) -> tuple[str | None, str | None]:
        """Name the country that has most of the odds, and its likeliest format; a whole country if only its states compete."""
        top = max(log_prior for _, log_prior in holding)
        states: dict[str, float] = {}
        nations: dict[str, float] = {}
        for number, log_prior in holding:
            odds, country = math.exp(log_prior - top), self._formats[number].country
            states[country] = states.get(country, 0.0) + odds
            nations[country[:2]] = nations.get(country[:2], 0.0) + odds
        for shares in (states, nations):
            best = max(shares, key=lambda country: shares[country])
            if shares[best] >= SURE_SHARE * sum(shares.values()):
                own = [(log_prior, number) for number, log_prior in holding if self._formats[number].country == best]
                return best, self._formats[max(own)[1]].name if own else None
        return None, None


def _place(fmt: Format, countries: Sequence[str]) -> int | None:
    """Where the format's country stands among the expected ones."""
    return next((place for place, name in enumerate(countries) if name in (fmt.country, *fmt.groups)), None)


def _costs(text: str, char_scores: Sequence[float], shares: Sequence[Mapping[str, float]]) -> Floats:
    """(L, 36) nats for taking each character for each other one; infinite where nothing speaks for it."""
    costs = np.full((len(text), len(ALPHABET)), np.inf)
    for place, (read, score, seen) in enumerate(zip(text, char_scores, shares, strict=True)):
        certainty = 0.5 + 0.5 * min(max(score, 0.0), 1.0)
        for other, confusion in LOOKALIKES[read]:
            costs[place, CODES[other]] = NATS * confusion * certainty
        winner = seen.get(read, 0.0)
        for other, share in seen.items():
            if other != read and winner > 0.0:
                unlike = min(NATS, costs[place, CODES[other]])
                costs[place, CODES[other]] = unlike * max(0.0, 1.0 - share / winner)
        costs[place, CODES[read]] = 0.0
    return costs
