"""Clips end to end: the events of a replay against the vehicles that pass (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from streamer.plates import fold
from streamer.types import Passage
from train.evaluate.curves import Answer, abstain
from train.evaluate.data import Clip
from train.evaluate.figures import ALL, Miss, Part, Tally
from train.evaluate.reads import plain, right

ALIKE = 0.5
"""An event is taken for a vehicle's if at most this share of the characters differs."""


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A clip and its final passages, in order."""

    clip: Clip
    passages: Sequence[Passage]


def measure(replayed: Sequence[Replayed]) -> Part:
    """Measure clips by vehicle: ``given`` (yield), ``folded`` (right), ``wrong`` of those given, ``once`` (no second event).

    ``extra``: other texts that were given, per vehicle; they are wrong only where the truth is complete, and count there.
    """
    tally, part = Tally(), Part()
    answers: list[Answer] = []
    for clip in replayed:
        groups = [ALL, *([f"region {clip.clip.region}"] if clip.clip.region else []), f"clip {clip.clip.path.name}"]
        texts = [(passage.plate, passage.score or 0.0) for passage in clip.passages if passage.plate is not None]
        meant = _assign(clip.clip.plates, [text for text, _ in texts])
        for truth in clip.clip.plates:
            place = meant.get(truth)
            given, score = texts[place] if place is not None else ("", None)
            good = bool(given) and right(truth, given)
            repeats = sum(right(truth, text) for text, _ in texts) if good else 1
            tally.rate(groups, "given", bool(given))
            tally.rate(groups, "folded", good)
            tally.rate(groups, "exact", given == plain(truth))
            tally.rate(groups, "once", repeats == 1)
            if given:
                tally.rate(groups, "wrong", not good)
            answers.append((score, good))
            part.items.append({"file": str(clip.clip.path), "truth": truth, "given": given, "score": score, "right": good})
            if not good:
                tile = clip.passages[[p.plate for p in clip.passages].index(given)].crop if given else None
                part.misses.append(Miss("wrong in clip", "", str(clip.clip.path), truth, given or "nothing", score, picture=tile))
        others = [text for place, (text, _) in enumerate(texts) if place not in meant.values()]
        tally.ratio(groups, "extra", len(others), len(clip.clip.plates))
        part.curves.setdefault("others", {})[clip.clip.path.name] = others
        if clip.clip.complete:
            tally.ratio(groups, "made_up", len(others), len(clip.clip.plates))
    part.slices = tally.slices()
    part.curves["abstain"] = abstain(answers)
    return part


def _assign(plates: Sequence[str], texts: Sequence[str]) -> dict[str, int]:
    """Give for each plate the place of the text that is meant for it: the most alike first, each text once."""
    pairs = sorted(
        (Levenshtein.normalized_distance(fold(plain(plate)), fold(text)), order, place)
        for order, plate in enumerate(plates)
        for place, text in enumerate(texts)
    )
    meant: dict[str, int] = {}
    for distance, order, place in pairs:
        if distance <= ALIKE and plates[order] not in meant and place not in meant.values():
            meant[plates[order]] = place
    return meant
