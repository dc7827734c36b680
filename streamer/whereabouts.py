"""Where and when the plates of track records were, and how far they are apart (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamer.shots import Reading, Shot
from streamer.trackrecord import TrackRecord
from streamer.types import Box, Stamp
from streamer.vote import Decision

STITCH_REACH = 4.0
"""How far the ends of two tracks of one vehicle may be apart, in plate widths."""

STITCH_SIZE_RATIO = 2.0
"""How much their plate heights may differ."""


def evidence(records: Sequence[TrackRecord], decision: Decision) -> Shot:
    """Give the shot that was read for the decision: the most legible one whose text is the decision's raw text."""
    readings: list[Reading] = [reading for record in records for reading in record.readings]
    agreeing = [reading.shot for reading in readings if reading.read.text == decision.raw]
    shots = agreeing or [record.best for record in records if record.best is not None]
    return max(shots, key=lambda shot: shot.legibility)


def key_of(record: TrackRecord) -> str:
    """Name a record in its source: session and number of its track, and which part of it if it was split."""
    return f"{record.session}-{record.number}" + (f".{record.part}" if record.part > 1 else "")


def began(record: TrackRecord) -> Stamp:
    """Give when the first look was."""
    assert record.first is not None, "a record is made by its first look"
    return record.first


def ended(record: TrackRecord) -> Stamp:
    """Give when the last look was, so far."""
    assert record.last is not None, "a record is made by its first look"
    return record.last


def after_s(record: TrackRecord, stamp: Stamp, session: int) -> float:
    """Give the seconds from the last look of a record to a stamp.

    Within a session by its own clock; only between sessions, which share none, by the time of day.
    """
    if record.session == session:
        return stamp.t - ended(record).t
    return (stamp.wall - ended(record).wall).total_seconds()


def between_s(one: TrackRecord, other: TrackRecord) -> float:
    """Seconds between the end of one and the beginning of the other, whichever came first; 0 if they overlap."""
    return max(after_s(one, began(other), other.session), after_s(other, began(one), one.session), 0.0)


def overlap_s(one: TrackRecord, other: TrackRecord) -> float:
    """Seconds for which both were in view, below 0 by how far they are apart; 0 between sessions."""
    if one.session != other.session:
        return 0.0
    return min(ended(one).t, ended(other).t) - max(began(one).t, began(other).t)


def near(one: TrackRecord, other: TrackRecord) -> bool:
    """True if one begins about where the other ended, at about the same size."""
    early, late = sorted((one, other), key=lambda record: began(record).wall)
    box, start = early.last_box, late.first_box
    assert box is not None
    assert start is not None
    return _distance(box, start) <= STITCH_REACH * max(box.width, start.width) and (
        max(box.height, start.height) <= STITCH_SIZE_RATIO * min(box.height, start.height)
    )


def _distance(one: Box, other: Box) -> float:
    (x1, y1), (x2, y2) = one.centre, other.centre
    return math.hypot(x2 - x1, y2 - y1)
