"""Crops of the looks at one plate, and what was read in them."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.types import Box, Clock, Image, PlateRead, Stamp


@dataclass(frozen=True, slots=True)
class Tally:
    """Looks that were counted."""

    looks: int = 0
    score_sum: float = 0.0
    """Of their detection scores, each 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A crop of one look, copied out of its frame."""

    crop: Image
    legibility: float
    """0..1"""
    sharpness: float
    """0..1"""
    stamp: Stamp
    box: Box
    box_score: float
    frame_size: tuple[int, int]
    """(width, height), pixels."""
    clock: Clock
    clock_offset_s: float | None = None
    age_s: float | None = None
    before: Tally = Tally()
    """All looks of the track that came before this one."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A shot and what was read in it."""

    shot: Shot
    read: PlateRead
