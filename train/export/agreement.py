"""How far two forms of one model give the same answers (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamer.reader.nets import Floats
from streamer.types import Box, Detection

SAME_PLATE = 0.5
"""Boxes that overlap by this much (intersection over union) are of one plate."""
CLEAR = 0.05
"""Only boxes whose score is so far above the detector's threshold must be found again: at the threshold, chance decides."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What still counts as the same."""

    pixels: float = 1.0
    """Exact forms of a detector: of the network's input, any side of a box."""
    probability: float = 1e-3
    """Exact forms of a reader: of any class at any step."""
    agreement: float = 0.97
    """bf16 and int8: share of boxes found again, and of boxes not new, or of right texts that are read again."""
    overlap: float = 0.9
    """bf16 and int8: mean intersection over union of boxes found again."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The verdict and the figures behind it."""

    same: bool
    figures: Mapping[str, float]


def compare_boxes(
    original: Sequence[Sequence[Detection]],
    other: Sequence[Sequence[Detection]],
    scales: Sequence[float],
    threshold: float,
    tolerance: Tolerance,
    *,
    exact: bool,
) -> Agreement:
    """Compare boxes picture by picture; ``scales``: pixels of the network's input per pixel of each picture."""
    lost = new = clear = found = 0
    overlaps: list[float] = [1.0]
    pixels: list[float] = [0.0]
    scores: list[float] = [0.0]
    for ours, theirs, scale in zip(original, other, scales, strict=True):
        for detection in (d for d in ours if d.score >= threshold + CLEAR):
            clear += 1
            match = max(theirs, key=lambda d: overlap(d.box, detection.box), default=None)
            if match is None or (share := overlap(match.box, detection.box)) < SAME_PLATE:
                lost += 1
                continue
            overlaps.append(share)
            pixels.append(scale * max(abs(a - b) for a, b in zip(_sides(match.box), _sides(detection.box), strict=True)))
            scores.append(abs(match.score - detection.score))
        for detection in (d for d in theirs if d.score >= threshold + CLEAR):
            found += 1
            new += not any(overlap(d.box, detection.box) >= SAME_PLATE for d in ours)
    figures = {
        "boxes": clear,
        "found_again": 1 - lost / clear if clear else 1.0,
        "not_new": 1 - new / found if found else 1.0,
        "mean_overlap": float(np.mean(overlaps[1:] or overlaps)),
        "largest_pixels": max(pixels),
        "largest_score": max(scores),
    }
    least = min(figures["found_again"], figures["not_new"])
    if exact:
        return Agreement(least == 1.0 and figures["largest_pixels"] <= tolerance.pixels, figures)
    return Agreement(least >= tolerance.agreement and figures["mean_overlap"] >= tolerance.overlap, figures)


def compare_texts(
    original: Sequence[tuple[str, Floats]],
    other: Sequence[tuple[str, Floats]],
    truth: Sequence[str | None],
    tolerance: Tolerance,
    *,
    exact: bool,
) -> Agreement:
    """Compare texts and probabilities, (steps, classes) each, crop by crop; where the truth is known, count who is right.

    A form in fewer bits must read what the original reads right; where no truth is known, the same as the original.
    """
    differences = [float(np.abs(a[1] - b[1]).max()) for a, b in zip(original, other, strict=True)]
    figures = {
        "crops": float(len(original)),
        "equal_texts": float(np.mean([a[0] == b[0] for a, b in zip(original, other, strict=True)])),
        "largest_probability": max(differences),
    }
    known = [(a[0] == text, b[0] == text) for a, b, text in zip(original, other, truth, strict=True) if text]
    if known:
        figures |= {"right_before": float(np.mean([k[0] for k in known])), "right": float(np.mean([k[1] for k in known]))}
    kept = [after for before, after in known if before]
    if kept:
        figures["right_again"] = float(np.mean(kept))
    if exact:
        return Agreement(figures["largest_probability"] <= tolerance.probability, figures)
    return Agreement(figures.get("right_again", figures["equal_texts"]) >= tolerance.agreement, figures)


def overlap(a: Box, b: Box) -> float:
    """Give intersection over union."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.width * a.height + b.width * b.height - width * height)


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2
