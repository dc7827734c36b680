"""What a score is worth: calibration and abstaining (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

Answer = tuple[float | None, bool]
"""Score of what was given for a plate (None: nothing was), and whether it is right."""

BINS = 10
LEAST_IN_BIN = 8
STEPS = 101


def calibration(answers: Sequence[Answer]) -> dict[str, Any]:
    """Give the reliability curve over bins of equal count, by score, and the expected calibration error.

    The error is the mean over the answers of how far the mean score of their bin is from the share that is right (Naeini et al.,
    "Obtaining well calibrated probabilities using Bayesian binning", 2015). Bins of equal count, because scores crowd below 1,
    where bins of equal width are one.
    """
    scored = sorted((score, right) for score, right in answers if score is not None)
    count = min(BINS, max(1, len(scored) // LEAST_IN_BIN))
    ends = [round(len(scored) * number / count) for number in range(count + 1)]
    bins, error = [], 0.0
    for begin, end in pairwise(ends):
        inside = scored[begin:end]
        if not inside:
            continue
        mean = sum(score for score, _ in inside) / len(inside)
        share = sum(right for _, right in inside) / len(inside)
        bins.append({"from": inside[0][0], "to": inside[-1][0], "count": len(inside), "score": mean, "right": share})
        error += abs(mean - share) * len(inside)
    return {"bins": bins, "expected_error": error / len(scored) if scored else None}


def abstain(answers: Sequence[Answer]) -> list[dict[str, float | None]]:
    """Give what is left when plates under a score are withheld, for the thresholds 0.00, 0.01 to 1.00 and every score there is.

    ``yield``: plates given of all plates; ``error``: wrong ones of those given, None where none is given.
    """
    given = sorted((score, right) for score, right in answers if score is not None)
    scores = [score for score, _ in given]
    wrong_before = [0, *accumulate(not right for _, right in given)]
    points: list[dict[str, float | None]] = []
    for least in sorted({*(step / (STEPS - 1) for step in range(STEPS)), *scores}):
        first = bisect_left(scores, least)
        left = len(given) - first
        wrong = wrong_before[-1] - wrong_before[first]
        share = left / len(answers) if answers else None
        points.append({"threshold": least, "yield": share, "error": wrong / left if left else None})
    return points


def yield_at(points: Sequence[dict[str, float | None]], error: float) -> float | None:
    """Give the largest yield of an abstain curve whose error is at most ``error``; None if there is none."""
    fitting = [point["yield"] for point in points if point["error"] is not None and point["error"] <= error]
    return max((share for share in fitting if share is not None), default=None)


def precision_recall(flags: Sequence[tuple[float, bool]], truths: int, points: int = 200) -> list[dict[str, float]]:
    """Give precision over recall as the confidence falls; ``flags``: (confidence, whether it is a plate) of every box."""
    ordered = sorted(flags, key=lambda flag: -flag[0])
    curve, hits = [], 0
    for number, (score, hit) in enumerate(ordered, 1):
        hits += hit
        curve.append({"confidence": score, "precision": hits / number, "recall": hits / truths if truths else 0.0})
    step = max(1, len(curve) // points)
    return curve[::step] if len(curve) > points else curve
