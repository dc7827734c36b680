"""A short clip around each passage: chosen from the packets that a camera sent, and put into a file as they are.

``packetring`` keeps the packets, ``choice`` takes those of a passage, ``remux`` makes the file, ``cutter`` does it all for live cameras;
``streamer.lateclips`` records it.
"""

from streamer.clips.choice import Chosen, Later, Looks, Missing, Wanted, choose
from streamer.clips.cutter import ClipRules, ClipState, LiveClips
from streamer.clips.remux import clip_of
from streamer.clips.rules import pictures_are_kept, rules_of, wanted_of

__all__ = [
    "Chosen",
    "ClipRules",
    "ClipState",
    "Later",
    "LiveClips",
    "Looks",
    "Missing",
    "Wanted",
    "choose",
    "clip_of",
    "pictures_are_kept",
    "rules_of",
    "wanted_of",
]
