"""Photographs end to end: what the program gives against the plates that are there (pure).

A plate counts as right if the whole text is; *folded* takes 0 and O, 1 and I as equal, which only a country's format can tell apart;
*best folded* looks at the first plate that the program gives for a photograph with one plate, the others at all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.pipeline import PlateResult
from train.evaluate.boxes import iou
from train.evaluate.curves import Answer, abstain, calibration
from train.evaluate.data import Sample, Truth
from train.evaluate.figures import ALL, Miss, Part, Tally
from train.evaluate.reads import plain, right
from train.evaluate.slices import picture_slices, plate_slices

SAME_PLACE = 0.3
"""IoU from which a box is taken for that of a plate."""
UNKNOWN_SIZE = (100.0, 25.0)
"""Width and height taken for a plate whose box is not known and that was not found either."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A photograph and what the program gives for it, best first."""

    sample: Sample
    results: Sequence[PlateResult]
    brightness: float
    """Mean of the picture, 0..255."""


def measure(told: Sequence[Told]) -> Part:
    """Measure photographs: exact, folded, best folded, how many plates are given, and how many are made up where there is none."""
    tally, part = Tally(), Part()
    answers: list[Answer] = []
    for photo in told:
        readable = [truth for truth in photo.sample.truths if truth.text is not None]
        texts = [result.plate for result in photo.results if result.plate is not None]
        for truth in readable:
            _count(photo, truth, texts, tally, part, answers, single=len(readable) == 1)
        if photo.sample.boxed == "all" and not photo.sample.truths:
            tally.rate(picture_slices(photo.sample, photo.brightness), "silent", not texts)
    part.slices = tally.slices()
    part.curves |= {"abstain": abstain(answers), "calibration": calibration(answers)}
    return part


def _count(photo: Told, truth: Truth, texts: Sequence[str], tally: Tally, part: Part, answers: list[Answer], *, single: bool) -> None:
    text = plain(truth.text or "")
    answer = _answer(photo, truth, single=single)
    box = truth.box or (answer.box if answer else None)
    size = (box.width, box.height) if box else UNKNOWN_SIZE
    groups = plate_slices(photo.sample, truth, photo.brightness, *size)
    if box is None:
        groups = [name for name in groups if not name.startswith("width")]
    good = any(right(text, given) for given in texts)
    tally.rate(groups, "exact", text in texts)
    tally.rate(groups, "folded", good)
    if single:
        tally.rate(groups, "best_folded", bool(texts) and right(text, texts[0]))
    given, score = (answer.plate, answer.score) if answer and answer.plate else ("", None)
    tally.rate(groups, "given", bool(given))
    if ALL in groups:
        answers.append((score, good))
    sample = photo.sample
    part.items.append({"file": str(sample.path), "truth": truth.text, "given": given, "score": score, "right": good})
    if not good:
        others = given or ", ".join(texts) or "nothing"
        part.misses.append(
            Miss("wrong in photograph", sample.source, str(sample.path), text, others, score, answer.box if answer else truth.box)
        )


def _answer(photo: Told, truth: Truth, *, single: bool) -> PlateResult | None:
    """Give the result that is meant for a plate: the one with its text, else the one at its place, else (one plate) the best."""
    text = truth.text or ""
    same = next((result for result in photo.results if result.plate and right(text, result.plate)), None)
    if same is not None:
        return same
    box = truth.box
    if box is not None:
        near = max(photo.results, key=lambda result: iou(result.box, box), default=None)
        return near if near is not None and iou(near.box, box) >= SAME_PLACE else None
    return photo.results[0] if single and photo.results else None
