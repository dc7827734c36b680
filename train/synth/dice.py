"""Chance that can be repeated: everything random in a crop is drawn from one ``Dice``, which its seed and index determine."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Dice:
    """Draws numbers and things. Two with the same seed and index draw the same in the same order, on every machine."""

    def __init__(self, seed: int, index: int) -> None:
        """Take any integers; neighbouring ones give unrelated draws."""
        # Strings are hashed by SHA-512 inside random.Random, so that close seeds do not give alike sequences.
        self._scalars = random.Random(f"{seed}/{index}")  # noqa: S311 - nothing secret
        self._arrays = np.random.Generator(np.random.SFC64(self._scalars.getrandbits(64)))

    def chance(self, share: float) -> bool:
        """Say yes in ``share`` of all cases."""
        return self._scalars.random() < share

    def between(self, low: float, high: float) -> float:
        """Give a number, evenly spread."""
        return self._scalars.uniform(low, high)

    def whole(self, low: int, high: int) -> int:
        """Give a whole number from ``low`` to ``high``, both included."""
        return self._scalars.randint(low, high)

    def bell(self, mean: float, deviation: float, limit: float = 3.0) -> float:
        """Give a normally spread number, cut at ``limit`` deviations."""
        return mean + deviation * min(max(self._scalars.gauss(0.0, 1.0), -limit), limit)

    def pick(self, things: Sequence[T]) -> T:
        """Give one of some things."""
        return things[self._scalars.randrange(len(things))]

    def shuffle(self, things: list[T]) -> None:
        """Bring some things into another order."""
        self._scalars.shuffle(things)

    def weighted(self, shares: Mapping[T, float]) -> T:
        """Give a key, as often as its share says."""
        return self._scalars.choices(tuple(shares), tuple(shares.values()))[0]

    def colour(self, low: int, high: int) -> tuple[int, int, int]:
        """Give a BGR colour with channels between ``low`` and ``high``."""
        return (self.whole(low, high), self.whole(low, high), self.whole(low, high))

    def paint(self, low: int, high: int, vivid: int = 40) -> tuple[int, int, int]:
        """Give a BGR colour as cars and prints have it: a brightness between ``low`` and ``high``, channels up to ``vivid`` from it."""
        level = self.whole(low, high)
        blue, green, red = (min(255, max(0, level + self.whole(-vivid, vivid))) for _ in range(3))
        return blue, green, red

    def noise(self, *shape: int) -> NDArray[np.float32]:
        """Give normally spread float32 numbers of mean 0 and deviation 1."""
        return self._arrays.standard_normal(shape, dtype=np.float32)

    def even(self, *shape: int) -> NDArray[np.float32]:
        """Give float32 numbers spread evenly over 0..1."""
        return self._arrays.random(shape, dtype=np.float32)
