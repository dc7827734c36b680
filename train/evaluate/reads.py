"""The reader's texts against the true ones (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.plates import fold
from streamer.types import Image, PlateRead
from train.evaluate.curves import Answer, calibration
from train.evaluate.data import Sample, Truth
from train.evaluate.figures import ALL, Miss, Part, Tally
from train.evaluate.slices import plate_slices

NOTHING = "-"
"""Stands for no character in the confusions: missed, or made up."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A true crop and what was read in it."""

    sample: Sample
    truth: Truth
    read: PlateRead | None
    size: tuple[float, float]
    """Width and height of the plate, pixels."""
    brightness: float
    """Mean of the crop, 0..255."""
    picture: Image | None = None
    """To show what came out wrong, if it is in no file; uint8 (h, w, 3) BGR."""


def plain(text: str) -> str:
    """Give a text without its characters outside the alphabet: those are not read."""
    return text.replace("*", "")


def right(truth: str, given: str) -> bool:
    """Whether a text is right with 0/O and 1/I folded."""
    return fold(plain(truth)) == fold(plain(given))


def measure(reads: Sequence[Read], ms_per_crop: float, cpu_ms_per_crop: float = 0.0) -> Part:
    """Measure a reader: exact, folded, character error rate, confusions, calibration of the plate's score."""
    from rapidfuzz.distance import Levenshtein

    tally, part = Tally(), Part()
    confusions: Counter[tuple[str, str]] = Counter()
    answers: list[Answer] = []
    for read in reads:
        if read.truth.text is None:
            continue
        truth = plain(read.truth.text)
        given, score = (plain(read.read.text), read.read.score) if read.read else ("", None)
        groups = plate_slices(read.sample, read.truth, read.brightness, *read.size)
        good = right(truth, given)
        tally.rate(groups, "exact", truth == given)
        tally.rate(groups, "folded", good)
        tally.rate(groups, "given", bool(given))
        tally.ratio(groups, "character_error", Levenshtein.distance(truth, given), max(1, len(truth)))
        tally.ratio(groups, "character_error_folded", Levenshtein.distance(fold(truth), fold(given)), max(1, len(truth)))
        if ALL in groups:
            answers.append((score, good))
            confusions.update(pairs(truth, given))
        part.items.append({"file": str(read.sample.path), "truth": read.truth.text, "given": given, "score": score, "right": good})
        if not good:
            sample, text = read.sample, read.truth.text
            place = None if read.picture is not None else read.truth.box
            part.misses.append(Miss("misread", sample.source, str(sample.path), text, given or "nothing", score, place, (), read.picture))
    part.slices = tally.slices()
    if ALL in part.slices:
        part.slices[ALL].values |= {"ms_per_crop": ms_per_crop, "cpu_ms_per_crop": cpu_ms_per_crop}
    part.curves["confusions"] = [{"truth": a, "given": b, "count": count} for (a, b), count in confusions.most_common()]
    part.curves["calibration"] = calibration(answers)
    return part


def pairs(truth: str, given: str) -> list[tuple[str, str]]:
    """Pair the characters of two texts by the least number of edits (Levenshtein): what is missed or made up stands against NOTHING."""
    from rapidfuzz.distance import Levenshtein

    found: list[tuple[str, str]] = []
    for step in Levenshtein.opcodes(truth, given):
        a, b = truth[step.src_start : step.src_end], given[step.dest_start : step.dest_end]
        found += zip(a.ljust(len(b), NOTHING), b.ljust(len(a), NOTHING), strict=True)
    return found
