"""Rates and curves from a sample, each with how sure it is (pure).

**Rates.** Events are drawn by strata (camera, day, with or without a plate), so an event that was reviewed stands for N/n others of its
stratum (N events, n reviewed): its weight. A rate among events with a plate, or among those without one, is the weighted share, and its
interval is Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927)
with Kish's effective size (sum of weights)^2 / (sum of their squares) for the number of trials (L. Kish, "Survey Sampling", Wiley 1965;
C. Franco, R. Little, T. Louis, E. Slud, "Comparative study of confidence intervals for proportions in complex sample surveys", Journal of
Survey Statistics and Methodology 7(3), 2019). There is no correction for finite populations: the rates speak of the camera in such traffic,
not of these very vehicles.

**Rates over both kinds.** How many events have a plate is known, not estimated, so both kinds are looked at apart and put together:
N1*p1 + N0*p0 as a linear function (G. Y. Zou, W. Huang, X. Zhang, "A note on confidence interval estimation for a linear function of
binomial proportions", Computational Statistics & Data Analysis 53, 2009), N1*p1 / (N1*p1 + N0*p0) as a ratio (A. Donner, G. Y. Zou,
"Closed-form confidence intervals for functions of the normal mean and standard deviation", Statistical Methods in Medical Research 21,
2012): both recover variances from the limits of the parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

Z: Final = 1.959963984540054
"""Quantile of the normal distribution for intervals of 95 %."""
BINS: Final = 10
LEAST_IN_BIN: Final = 8
_STEPS: Final = 60
"""Of a bisection: the limits are then as exact as a float."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its interval of 95 %."""

    value: float
    """0..1"""
    low: float
    high: float
    of: int
    """How many reviewed events it rests on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A plate that was given where a person reads one."""

    score: float
    """0..1"""
    right: bool
    weight: float
    """How many events it stands for, above 0."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about one score."""

    least: float
    """Lowest score in it."""
    most: float
    score: float
    """Mean, weighted."""
    right: Rate


@dataclass(frozen=True, slots=True)
class Reliability:
    """What scores are worth."""

    bins: tuple[Bin, ...]
    expected_error: float | None
    """Mean over the events of how far the mean score of their bin is from the share that is right; None without answers."""


@dataclass(frozen=True, slots=True)
class Point:
    """What is left when plates with a lower score are withheld."""

    threshold: float
    share: float
    """Yield: plates given of all that a person can read."""
    error: Rate
    """Wrong ones of those given."""


def wilson(share: float, trials: float) -> tuple[float, float]:
    """Give the score interval of a share (0..1) out of ``trials`` (above 0, need not be whole)."""
    z2 = Z * Z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z / (1 + z2 / trials) * math.sqrt(max(share * (1 - share), 0.0) / trials + z2 / (4 * trials * trials))
    # At the ends the limit is the share itself, which rounding would miss.
    return (0.0 if share <= 0 else max(0.0, centre - half), 1.0 if share >= 1 else min(1.0, centre + half))


def effective_size(weights: Sequence[float]) -> float:
    """Give Kish's effective number of draws: their number if all weights are equal, else fewer. ``weights``: at least one, above 0."""
    most = max(weights)  # so that squares neither overflow nor vanish
    parts = [weight / most for weight in weights]
    return math.fsum(parts) ** 2 / math.fsum(part * part for part in parts)


def weighted(draws: Iterable[tuple[float, bool]]) -> Rate | None:
    """Give the share of the draws (weight, whether it is so) that are so; None without draws. Their order does not matter."""
    known = list(draws)
    if not known:
        return None
    everything = math.fsum(weight for weight, _ in known)
    share = min(1.0, math.fsum(weight for weight, so in known if so) / everything)
    return Rate(share, *wilson(share, effective_size([weight for weight, _ in known])), len(known))


def mean_of(parts: Iterable[tuple[int, Rate | None]]) -> Rate | None:
    """Give the share in all kinds together from the shares in each.

    ``parts``: how many events a kind has, and the share in it; None where nobody looked. Gives None if a kind that has events has no
    share, or there are no events.
    """
    known = [(size, rate) for size, rate in parts if size]
    total = sum(size for size, _ in known)
    rates = [(size / total, rate) for size, rate in known if rate is not None]
    if not rates or len(rates) < len(known):
        return None
    value = math.fsum(part * rate.value for part, rate in rates)
    down = math.sqrt(math.fsum((part * (rate.value - rate.low)) ** 2 for part, rate in rates))
    up = math.sqrt(math.fsum((part * (rate.high - rate.value)) ** 2 for part, rate in rates))
    return Rate(value, max(0.0, value - down), min(1.0, value + up), sum(rate.of for _, rate in rates))


def part_of(inside: tuple[int, Rate | None], outside: tuple[int, Rate | None]) -> Rate | None:
    """Give N1*p1 / (N1*p1 + N0*p0), for example the plates given (``inside``) of all that can be read.

    Args:
        inside: N1, how many events the kind has, and p1, the share of them that counts; None where nobody looked.
        outside: N0 and p0 of the other kind.

    Returns:
        None if it cannot be told: a kind that has events has no share, or nothing counts.
    """
    (n1, one), (n0, other) = inside, outside
    if (n1 and one is None) or (n0 and other is None):
        return None
    a, b = n1 * _value(one), n0 * _value(other)
    if a + b <= 0:
        return None
    value = a / (a + b)
    a_down, a_up = (n1 * (one.value - one.low), n1 * (one.high - one.value)) if one else (0.0, 0.0)
    b_down, b_up = (n0 * (other.value - other.low), n0 * (other.high - other.value)) if other else (0.0, 0.0)
    # Shares R for which (1-R)*N1*p1 - R*N0*p0 may be 0.
    low = _root(lambda r: (1 - r) * a - r * b - math.hypot((1 - r) * a_down, r * b_up), 0.0, value)
    high = _root(lambda r: (1 - r) * a - r * b + math.hypot((1 - r) * a_up, r * b_down), value, 1.0)
    return Rate(value, low, high, sum(rate.of for rate in (one, other) if rate))


def product(one: Rate, other: Rate) -> Rate:
    """Give the product of two rates that know nothing of each other, by their logarithms; rests on the smaller number of events."""
    value, of = one.value * other.value, min(one.of, other.of)
    if value <= 0:
        return Rate(0.0, 0.0, one.high * other.high, of)
    up = math.hypot(math.log(one.high / one.value), math.log(other.high / other.value))
    high = min(1.0, value * math.exp(up))
    if one.low <= 0 or other.low <= 0:
        return Rate(value, 0.0, high, of)
    down = math.hypot(math.log(one.value / one.low), math.log(other.value / other.low))
    return Rate(value, value * math.exp(-down), high, of)


def inverse(rate: Rate) -> Rate:
    """Give the share that is not so."""
    return Rate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.of)


def reliability(answers: Iterable[Answer]) -> Reliability:
    """Give how often answers are right over bins of about equal count by score, and the expected calibration error.

    Bins of equal count, because scores crowd below 1, where bins of equal width would be one (M. P. Naeini, G. F. Cooper, M. Hauskrecht,
    "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015). Equal scores share a bin.
    """
    known = sorted(answers, key=lambda answer: answer.score)
    wanted = max(LEAST_IN_BIN, math.ceil(len(known) / BINS))
    groups: list[list[Answer]] = []
    for _, same in groupby(known, key=lambda answer: answer.score):
        if not groups or len(groups[-1]) >= wanted:
            groups.append([])
        groups[-1].extend(same)
    if len(groups) > 1 and len(groups[-1]) < LEAST_IN_BIN:
        last = groups.pop()
        groups[-1].extend(last)
    bins = tuple(_bin(group) for group in groups)
    everything = math.fsum(answer.weight for answer in known)
    off = [abs(one.score - one.right.value) * math.fsum(a.weight for a in group) for one, group in zip(bins, groups, strict=True)]
    return Reliability(bins, math.fsum(off) / everything if known else None)


def abstain(answers: Iterable[Answer], readable: float) -> list[Point]:
    """Give yield and error for every threshold that matters: 0 and each score that was given, lowest first.

    Args:
        answers: plates that were given where a person reads one.
        readable: how many events have a plate that a person reads, with and without an answer, in the unit of the weights.
    """
    known = sorted(answers, key=lambda answer: (answer.score, answer.right, answer.weight), reverse=True)
    points: list[Point] = []
    weight = squares = wrong = 0.0
    count = 0
    for score, same in groupby(known, key=lambda answer: answer.score):
        for answer in same:
            count += 1
            weight += answer.weight
            squares += answer.weight**2
            wrong += 0.0 if answer.right else answer.weight
        error = min(1.0, wrong / weight)
        rate = Rate(error, *wilson(error, weight * weight / squares), count)
        points.append(Point(score, min(1.0, weight / readable), rate))
    if points and points[-1].threshold > 0:
        points.append(replace(points[-1], threshold=0.0))
    return points[::-1]


def best_within(points: Iterable[Point], error: float) -> Point | None:
    """Give the point with the largest yield whose error is at most ``error``; None if there is none."""
    return max((point for point in points if point.error.value <= error), key=lambda point: point.share, default=None)


def _bin(group: Sequence[Answer]) -> Bin:
    weight = math.fsum(answer.weight for answer in group)
    mean = math.fsum(answer.weight * answer.score for answer in group) / weight
    right = weighted((answer.weight, answer.right) for answer in group)
    assert right is not None, "no bin is empty"
    return Bin(group[0].score, group[-1].score, mean, right)


def _value(rate: Rate | None) -> float:
    return rate.value if rate else 0.0


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Give where a function that is at least 0 at ``low`` and at most 0 at ``high`` crosses 0."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
