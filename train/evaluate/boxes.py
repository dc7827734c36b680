"""The detector's boxes against the true ones (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamer.types import Box, Detection
from train.evaluate.curves import precision_recall
from train.evaluate.data import Sample
from train.evaluate.figures import Miss, Part, Tally
from train.evaluate.slices import picture_slices, plate_slices, width_slice

LOWEST = 0.001
"""Confidence from which boxes count for mAP and the precision-recall curve: what ultralytics takes, too."""
IOUS = (0.5, 0.3)
LOOSE = 0.3
"""Mean IoU is over the plates that are found at least this well."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A photograph, and the boxes from LOWEST on, best first."""

    sample: Sample
    found: Sequence[Detection]
    brightness: float
    """Mean of the picture, 0..255."""


def iou(one: Box, other: Box) -> float:
    """Give intersection over union of two boxes, 0..1."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (one.width * one.height + other.width * other.height - common)


def match(truths: Sequence[Box], found: Sequence[Detection], least: float) -> dict[int, tuple[int, float]]:
    """Pair boxes with true ones: best score first, each with the free one that it covers best, from ``least`` IoU on.

    Gives for the index of each true box that is found the index of its detection and their IoU.
    """
    pairs: dict[int, tuple[int, float]] = {}
    for number, detection in sorted(enumerate(found), key=lambda item: -item[1].score):
        free = [(iou(detection.box, box), place) for place, box in enumerate(truths) if place not in pairs]
        best, place = max(free, default=(0.0, -1))
        if place >= 0 and best >= least:
            pairs[place] = number, best
    return pairs


def measure(seen: Sequence[Seen], confidence: float, *, mean_ap: bool = True) -> Part:
    """Measure a detector; precision and recall count boxes from ``confidence`` on.

    Boxes that are no plate count only in pictures whose plates are all known. ``mean_ap=False`` leaves mAP out.
    """
    tally, part = Tally(), Part()
    for picture in seen:
        if picture.sample.boxed != "none":
            _count(picture, confidence, tally, part)
    part.slices = tally.slices()
    if mean_ap:
        _add_map(seen, part)
    part.curves["precision_recall"] = _curve(seen)
    part.curves["confidence"] = confidence
    return part


def _count(picture: Seen, confidence: float, tally: Tally, part: Part) -> None:
    sample = picture.sample
    known = [truth for truth in sample.truths if truth.box is not None]
    boxes = [truth.box for truth in known if truth.box is not None]
    found = [detection for detection in picture.found if detection.score >= confidence]
    whole = picture_slices(sample, picture.brightness)
    groups = [plate_slices(sample, truth, picture.brightness, box.width, box.height) for truth, box in zip(known, boxes, strict=True)]
    groups = [[name.removeprefix("* ") for name in group] for group in groups]  # a detector need not read
    for least in IOUS:
        pairs = match(boxes, found, least)
        label = f"{round(100 * least)}"
        for place, group in enumerate(groups):
            tally.rate(group, f"recall_{label}", place in pairs)
        if sample.boxed == "all":
            used = {number for number, _ in pairs.values()}
            for place in pairs:
                tally.rate([*whole, width_slice(boxes[place].width)], f"precision_{label}", 1)
            for number, detection in enumerate(found):
                if number not in used:
                    tally.rate([*whole, width_slice(detection.box.width)], f"precision_{label}", 0)
    for place, (_, overlap) in match(boxes, found, LOOSE).items():
        tally.ratio(groups[place], "mean_iou", overlap)
    if sample.boxed == "all" and not sample.truths:
        tally.rate(whole, "quiet", not found)
        tally.ratio(whole, "false_per_empty", len(found))
    _misses(picture, boxes, found, part)


def _misses(picture: Seen, boxes: Sequence[Box], found: Sequence[Detection], part: Part) -> None:
    sample, pairs = picture.sample, match(boxes, found, IOUS[0])
    for place, box in enumerate(boxes):
        best = max((iou(box, detection.box) for detection in found), default=0.0)
        item = {"file": str(sample.path), "box": _rounded(box), "found": place in pairs, "iou": round(best, 3)}
        part.items.append(item)
        if place not in pairs:
            given = f"IoU {best:.2f}" if best else "nothing"
            near = tuple(detection.box for detection in found if iou(box, detection.box) > 0)
            part.misses.append(Miss("missed plate", sample.source, str(sample.path), _text(sample, box), given, None, box, near))
    if sample.boxed == "all":
        used = {number for number, _ in pairs.values()}
        for number, detection in enumerate(found):
            # A loose box of a plate is told as that plate's miss already.
            if number not in used and all(iou(detection.box, box) < LOOSE for box in boxes):
                part.misses.append(
                    Miss("false box", sample.source, str(sample.path), "", "a box", detection.score, detection.box, (detection.box,))
                )


def _text(sample: Sample, box: Box) -> str:
    return next((truth.text for truth in sample.truths if truth.box == box and truth.text), "a plate")


def _rounded(box: Box) -> list[float]:
    return [round(side, 1) for side in (box.x1, box.y1, box.x2, box.y2)]


def _add_map(seen: Sequence[Seen], part: Part) -> None:
    """Add mAP (COCO's, by supervision) to the slices that whole pictures belong to."""
    from supervision.metrics import MeanAveragePrecision

    groups: dict[str, list[Seen]] = defaultdict(list)
    for picture in seen:
        if picture.sample.boxed == "all":
            for name in picture_slices(picture.sample, picture.brightness):
                groups[name].append(picture)
    for name, pictures in groups.items():
        truths = [_truths(picture.sample) for picture in pictures]
        if not any(len(truth) for truth in truths):
            continue
        result = MeanAveragePrecision().update([_found(picture.found) for picture in pictures], truths).compute()
        part.slices[name].values |= {"map50": float(result.map50), "map50_95": float(result.map50_95)}


def _truths(sample: Sample) -> Any:
    return _detections([truth.box for truth in sample.truths if truth.box is not None], None)


def _found(found: Sequence[Detection]) -> Any:
    return _detections([detection.box for detection in found], [detection.score for detection in found])


def _detections(boxes: Sequence[Box], scores: Sequence[float] | None) -> Any:
    import numpy as np
    import supervision as sv

    corners = np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes], np.float32).reshape(-1, 4)
    confidence = None if scores is None else np.array(scores, np.float32)
    return sv.Detections(xyxy=corners, confidence=confidence, class_id=np.zeros(len(boxes), int))


def _curve(seen: Sequence[Seen]) -> list[dict[str, float]]:
    flags: list[tuple[float, bool]] = []
    truths = 0
    for picture in seen:
        if picture.sample.boxed != "all":
            continue
        boxes = [truth.box for truth in picture.sample.truths if truth.box is not None]
        truths += len(boxes)
        hits = {number for number, _ in match(boxes, picture.found, IOUS[0]).values()}
        flags += [(detection.score, number in hits) for number, detection in enumerate(picture.found)]
    return precision_recall(flags, truths)
