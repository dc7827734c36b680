"""Reads of one vehicle: those with the same text together, similar ones clustered, and those of a cluster side by side (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.plates import align, distance

CLUSTER_DISTANCE = 0.45
"""Reads belong together if they differ in less than this part of their characters."""
FLOOR = 0.05
"""Least score that counts: a reader that gives 0 has still seen something."""


@dataclass(frozen=True, slots=True)
class Look:
    """One read with its weight."""

    text: str
    char_scores: tuple[float, ...]
    weight: float
    """How good the crop was, above 0."""
    order: int
    unread: int
    """See ``PlateRead.unread``."""

    @property
    def strength(self) -> float:
        """Weight times mean character score: what the whole text counts."""
        return self.weight * max(FLOOR, math.fsum(self.char_scores) / len(self.text))


@dataclass(frozen=True, slots=True)
class Group:
    """Looks with the same text."""

    text: str
    looks: tuple[Look, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Ballot:
    """What one look has in one column."""

    character: str
    score: float
    weight: float

    @property
    def vote(self) -> float:
        """What it counts."""
        return self.weight * max(FLOOR, self.score)


@dataclass(slots=True)
class Column:
    """What all looks have at one place of the plate."""

    ballots: list[Ballot] = field(default_factory=list)
    occupancy: float = 0.0
    """Share of the looks that have a character here, smoothed: never quite 0 or 1."""

    @property
    def shares(self) -> dict[str, float]:
        """Characters, heaviest first (of equal ones the earliest), with their shares of the votes in this column."""
        votes: dict[str, float] = {}
        for ballot in self.ballots:
            votes[ballot.character] = votes.get(ballot.character, 0.0) + ballot.vote
        total = math.fsum(votes.values())
        return {c: vote / total for c, vote in sorted(votes.items(), key=lambda item: -item[1])}

    @property
    def winner(self) -> str:
        """The character with most votes."""
        return next(iter(self.shares))

    def mean_score(self, character: str) -> float:
        """Mean score that the reader gave to a character here, weighted, 0..1."""
        own = [ballot for ballot in self.ballots if ballot.character == character]
        return math.fsum(b.score * b.weight for b in own) / math.fsum(b.weight for b in own)


def group(looks: Sequence[Look]) -> list[Group]:
    """Looks by text, heaviest first; of equal ones the earliest."""
    by_text: dict[str, list[Look]] = {}
    for look in looks:
        by_text.setdefault(look.text, []).append(look)
    groups = [Group(text, tuple(same), math.fsum(look.strength for look in same)) for text, same in by_text.items()]
    return sorted(groups, key=lambda group: (-group.weight, group.looks[0].order))


def heaviest_cluster(texts: Sequence[Group]) -> list[Group]:
    """Clusters around leaders, the heaviest text first; of equally heavy clusters the one with the heavier leader."""
    clusters: list[list[Group]] = []
    for same in texts:
        near = [cluster for cluster in clusters if _apart(cluster[0].text, same.text) <= CLUSTER_DISTANCE]
        if near:
            min(near, key=lambda cluster: _apart(cluster[0].text, same.text)).append(same)
        else:
            clusters.append([same])
    return max(clusters, key=lambda cluster: math.fsum(group.weight for group in cluster))


def _apart(a: str, b: str) -> float:
    return distance(a, b) / max(len(a), len(b))


def medoid(cluster: Sequence[Group]) -> Group:
    """The read that is nearest to all others by weight; the heaviest eight are tried."""
    return min(cluster[:8], key=lambda group: math.fsum(other.weight * distance(group.text, other.text) for other in cluster))


def align_looks(pivot: str, looks: Sequence[Look]) -> list[Column]:
    """Align every look onto ``pivot``; what it has between two characters of the pivot gets columns of its own, from left to right.

    ``pivot`` must be the text of one of the looks; every column has at least one ballot.
    """
    columns: dict[tuple[int, int], Column] = {}
    for look in sorted(looks, key=lambda look: look.order):
        place, inserted = 0, 0
        for at, mine in align(pivot, look.text):
            if at is None:
                key, inserted = (place, inserted), inserted + 1
            else:
                key, place, inserted = (at, len(pivot) + 99), at + 1, 0
            if mine is not None:
                columns.setdefault(key, Column()).ballots.append(Ballot(look.text[mine], look.char_scores[mine], look.weight))
    total = math.fsum(look.weight for look in looks)
    for column in columns.values():
        share = math.fsum(ballot.weight for ballot in column.ballots) / total
        column.occupancy = (len(looks) * share + 0.5) / (len(looks) + 1.0)
    return [columns[key] for key in sorted(columns)]
