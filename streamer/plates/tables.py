"""All forms of all formats side by side, as arrays, so that a text meets them all at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamer.plates.formats import Format
from streamer.plates.pattern import Listed
from streamer.plates.text import ALPHABET

CODES = {character: code for code, character in enumerate(ALPHABET)}
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entry:
    """A format with what a book thinks of it."""

    format: Format
    bonus: float
    """Nats that are added to its prior."""
    limit: float
    """Nats that all substitutions of a text may cost together."""


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """For N forms the likeliest text of each."""

    formats: Ints
    """(N,) numbers of the formats."""
    codes: Ints
    """(N, L) the texts, as places in the alphabet."""
    cost: Floats
    """(N,) nats of all substitutions."""
    dearest: Floats
    """(N,) nats of the dearest one."""
    log_odds: Floats
    """(N,) prior less cost, nats."""

    def only(self, keep: npt.NDArray[np.bool_]) -> Fits:
        """Give some of them; ``keep``: (N,)."""
        return Fits(self.formats[keep], self.codes[keep], self.cost[keep], self.dearest[keep], self.log_odds[keep])


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """V forms of L places."""

    classes: Ints
    """(V, L) number of the character class at each place."""
    log_prior: Floats
    """(V,)"""
    limits: Floats
    """(V,)"""
    formats: Ints
    """(V,)"""
    listed: dict[int, tuple[tuple[int, int], ...]]
    """Form to its closed lists: (first place, number of the list)."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One form, before it is laid beside the others."""

    classes: list[int]
    log_prior: float
    limit: float
    format: int
    listed: tuple[tuple[int, int], ...]


@dataclass(slots=True, eq=False)
class _Builder:
    """Numbers the character classes and lists while forms are collected."""

    classes: dict[str, int] = field(default_factory=dict)
    lists: dict[tuple[str, ...], int] = field(default_factory=dict)
    rows: dict[int, list[_Row]] = field(default_factory=dict)

    def add(self, number: int, entry: Entry) -> None:
        """Add all forms of a format: its prior is spread evenly over them, and over the texts of each."""
        variants = entry.format.variants
        for variant in variants:
            row: list[int] = []
            listed: list[tuple[int, int]] = []
            for part in variant.parts:
                if isinstance(part, Listed):
                    listed.append((len(row), self.lists.setdefault(part.entries, len(self.lists))))
                    row += [self._class("".join(sorted(set(column)))) for column in zip(*part.entries, strict=True)]
                else:
                    row.append(self._class(part))
            log_prior = math.log(entry.format.vehicles) - math.log(len(variants)) - math.log(variant.size) + entry.bonus
            self.rows.setdefault(len(row), []).append(_Row(row, log_prior, entry.limit, number, tuple(listed)))

    def tables(self) -> dict[int, _Table]:
        """Give the tables by length."""
        return {
            length: _Table(
                classes=np.array([row.classes for row in rows], dtype=np.int64),
                log_prior=np.array([row.log_prior for row in rows]),
                limits=np.array([row.limit for row in rows]),
                formats=np.array([row.format for row in rows], dtype=np.int64),
                listed={index: row.listed for index, row in enumerate(rows) if row.listed},
            )
            for length, rows in self.rows.items()
        }

    def _class(self, members: str) -> int:
        return self.classes.setdefault(members, len(self.classes))


class FormatTables:
    """The forms by length. Immutable; its methods are pure."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        builder = _Builder()
        for number, entry in enumerate(entries):
            builder.add(number, entry)
        self._tables = builder.tables()
        self._masks = np.full((len(builder.classes), len(ALPHABET)), np.inf)
        for members, index in builder.classes.items():
            self._masks[index, [CODES[c] for c in members]] = 0.0
        self._members = np.isfinite(self._masks)
        self._lists = [np.array([[CODES[c] for c in entry] for entry in entries], dtype=np.int64) for entries in builder.lists]

    def has(self, length: int) -> bool:
        """Whether any format has texts of this length."""
        return length in self._tables

    def fits(self, costs: Floats) -> Fits:
        """Give the likeliest text of each form whose substitutions do not cost more than it allows.

        ``costs``: (L, 36) nats for each character at each place, infinite where it cannot stand; some form must have L places.
        """
        table = self._tables[len(costs)]
        masked = costs[:, None, :] + self._masks[None, :, :]
        choice = masked.argmin(axis=2)
        least = np.take_along_axis(masked, choice[:, :, None], axis=2)[:, :, 0]
        places = np.arange(len(costs))
        near = np.flatnonzero(least[places, table.classes].sum(axis=1) <= table.limits)
        codes = choice[places, table.classes[near]]
        best: dict[tuple[int, int], Ints] = {}
        for row, index in enumerate(near.tolist()):
            for start, number in table.listed.get(index, ()):
                if (start, number) not in best:
                    members = self._lists[number]
                    best[start, number] = members[costs[places[start : start + members.shape[1]], members].sum(axis=1).argmin()]
                codes[row, start : start + len(best[start, number])] = best[start, number]
        each = costs[places, codes]
        cost = each.sum(axis=1)
        found = Fits(table.formats[near], codes, cost, each.max(axis=1), table.log_prior[near] - cost)
        return found.only(cost <= table.limits[near])

    def holding(self, plate: str) -> list[tuple[int, float]]:
        """Give format number and log prior of every form that the plate fits as it stands."""
        table = self._tables[len(plate)]
        codes = np.array([CODES[c] for c in plate])
        allowed = np.flatnonzero(self._members[table.classes, codes].all(axis=1)).tolist()
        known: dict[tuple[int, int], bool] = {}
        for start, number in {pair for index in allowed for pair in table.listed.get(index, ())}:
            members = self._lists[number]
            known[start, number] = bool((members == codes[start : start + members.shape[1]]).all(axis=1).any())
        held = [index for index in allowed if all(known[pair] for pair in table.listed.get(index, ()))]
        return [(int(table.formats[index]), float(table.log_prior[index])) for index in held]


def texts(codes: Ints) -> Sequence[str]:
    """Write codes (N, L) as N texts."""
    return ["".join(map(ALPHABET.__getitem__, row)) for row in codes.tolist()]
