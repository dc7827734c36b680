"""What the rates of a report mean, in plain words.

The words are those that toll contracts use (Perceptics, "Standardizing terminology to move the tolling market forward"): exclusions first,
then yield of what is left, then the error of what was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RATES: Final[Mapping[str, str]] = {
    "capture": (
        "of the vehicles that passed, those that became an event. Somebody else has to count the vehicles (--counts); events that are no"
        " vehicle, or a vehicle once more, are taken off."
    ),
    "yield": (
        "of the events whose plate a person can read and that are not excluded, those for which the program gave a plate, right or wrong."
    ),
    "error": "of the plates given where a person can read the plate, those that differ from it in any character.",
    "error_alike": "the same, but O and 0 count as one character, and I and 1: many plates do not tell them apart.",
    "read_rate": "of the events whose plate a person can read, those for which the program gave the right one: yield x (1 - error).",
    "excluded": "of the events, those that a person left out for a reason: no vehicle, a foreign, covered or damaged plate ...",
    "unreadable": "of the events, those where a person can read no plate in the pictures either.",
    "unconfirmed": "of the plates given, those where a person can read none, or that are excluded: nobody knows if they are right.",
    "missed_readable": "of the events without a plate, those whose plate a person can read.",
}
HOW: Final = (
    (
        "An event is one passage that is over. Withdrawn events and previews do not count. Corrections change no rate: they come from"
        " whoever saw something, the sample comes by chance."
    ),
    (
        "The truth is what a person typed for a random sample, drawn by camera, day (UTC) and whether there is a plate"
        " (`plate-streamer review`). An event that was reviewed stands for all events of its kind divided by those reviewed of it."
    ),
    (
        "Figures in brackets: in 95 of 100 such samples the true rate lies between them. They are Wilson's score intervals with Kish's"
        " effective sample size, put together over events with and without a plate by the methods of Zou, Huang and Zhang (2009, sums) and"
        " of Donner and Zou (2012, ratios)."
    ),
    (
        "Kinds of events (camera, day, with or without a plate) that nobody reviewed are taken to be like the reviewed ones of the same"
        " row; a note says how many events these are."
    ),
    (
        "Vehicles that were never noticed are no event: only a count of somebody else shows them. Detections that came and went within a"
        " few looks, and frames that were dropped, are told in the log and the metrics, not here."
    ),
    (
        "Scores: `right` is how often plates of about that score are right; the expected calibration error is the mean distance between the"
        " score and that (Naeini, Cooper and Hauskrecht, 2015). If plates with a lower score are withheld, yield falls, and so should the"
        " error. A threshold that was chosen on this sample looks better on it than it will be."
    ),
)
"""How the report was worked out."""
REASONS: Final[Mapping[str, str]] = {
    "too_small": "its characters were too small to be read",
    "cut_off": "it was seen at the rim of the picture only, where a part may be missing",
    "blurred": "no picture was sharp enough",
    "rejected": "what was read cannot be a plate, or the looks contradict each other",
    "too_few_looks": "too few looks agree",
    "unknown": "not told",
}
"""Why there is no plate."""
