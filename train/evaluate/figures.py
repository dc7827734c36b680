"""Counts to rates with their intervals (pure)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from streamer.types import Box, Image

ALL = "all"
"""The slice that everything is in."""
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        """0..1; nan of nothing."""
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Give Wilson's 95 % interval of the share (E. B. Wilson, 1927), 0..1; (0, 1) of nothing."""
        if not self.total:
            return 0.0, 1.0
        z2 = _Z95 * _Z95
        centre = (self.share + z2 / (2 * self.total)) / (1 + z2 / self.total)
        half = _Z95 / (1 + z2 / self.total) * math.sqrt(self.share * (1 - self.share) / self.total + z2 / (4 * self.total**2))
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(slots=True)
class Slice:
    """The figures of one group of plates."""

    rates: dict[str, Rate] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    """What is no rate: means, ratios, milliseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """Something that came out wrong, for people to look at."""

    what: str
    """``missed plate``, ``false box``, ``misread``, ``wrong in photograph``, ``wrong in clip``."""
    source: str
    file: str
    truth: str
    given: str
    score: float | None
    box: Box | None = None
    """Where in the picture, pixels; None: the picture is a crop, or the place is not known."""
    drawn: tuple[Box, ...] = ()
    """Boxes of the detector to draw."""
    picture: Image | None = None
    """What to show if it is not in ``file``, uint8 (h, w, 3) BGR."""


@dataclass(slots=True)
class Part:
    """What one part (detector, reader, photographs, clips) came to."""

    slices: dict[str, Slice] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    """Tables behind the plots; their shapes are told in evaluation.schema.json."""
    items: list[dict[str, Any]] = field(default_factory=list)
    """One for each plate: file, truth, given, score, right."""
    misses: list[Miss] = field(default_factory=list)


class Tally:
    """Collects counts by slice."""

    def __init__(self) -> None:
        self._rates: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        self._ratios: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))

    def rate(self, slices: Iterable[str], name: str, hits: int, total: int = 1) -> None:
        """Add to a rate of every slice named."""
        for known in slices:
            count = self._rates[known][name]
            count[0] += hits
            count[1] += total

    def ratio(self, slices: Iterable[str], name: str, amount: float, per: float = 1.0) -> None:
        """Add to a mean (``per`` 1) or another ratio of every slice named."""
        for known in slices:
            sums = self._ratios[known][name]
            sums[0] += amount
            sums[1] += per

    def slices(self) -> dict[str, Slice]:
        """Give the figures: ``all`` first, then what models find hard, regions and sources last."""
        names = sorted({*self._rates, *self._ratios}, key=_rank)
        return {
            name: Slice(
                {key: Rate(*count) for key, count in self._rates[name].items()},
                {key: amount / per for key, (amount, per) in self._ratios[name].items() if per},
            )
            for name in names
        }


def _rank(name: str) -> tuple[int, str]:
    kinds = (ALL, "two-line", "night", "small", "slanted", "day", "width", "region", "source", "*")
    return next((place for place, kind in enumerate(kinds) if name == kind or name.startswith(f"{kind} ")), len(kinds)), name
