"""What is known about one track: its looks, the crops worth reading and the vote over their reads (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.crops import cut, legibility, sharpness
from streamer.types import Box, Clock, Detection, Frame, Image, PlateRead, Stamp
from streamer.vote import Decision, Vote

MORE_LEGIBLE = 1.5
"""A sure vote is put to the test again by a crop so many times as legible as the best one read: looks that agree from
afar may agree on a mistake."""

RESERVE = 4
"""How many unread crops of a track are kept, for vehicles that pass faster than the reading interval."""

MIN_WEIGHT = 0.05
"""Even the worst crop that gave a text counts a little."""

PATIENCE = 10
"""After so many attempts without a sure vote the reading interval doubles, and again: a parked, unreadable plate must not
keep the reader busy for ever."""

BLURRED = 0.12
"""Sharpness below which a crop counts as blurred: an edge smeared over more than eight pixels."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A shot and what was read in it."""

    shot: Shot
    read: PlateRead


class TrackRecord:
    """The looks and reads of one track. Reads are asked for through ``due`` and ``closing`` and given back by ``give``."""

    def __init__(self, session: int, number: int, vote: Vote, *, read_interval_s: float, min_plate_height_px: float) -> None:
        self.session = session
        self.number = number
        self.looks = 0
        self.score_sum = 0.0
        self.tallest_px = 0.0
        self.first: Stamp | None = None
        self.last: Stamp | None = None
        self.first_box: Box | None = None
        self.last_box: Box | None = None
        self.best: Shot | None = None
        """The most legible shot, read or not."""
        self.readings: list[Reading] = []
        """The most legible reading of each text, in order of appearance."""
        self._votes: list[tuple[PlateRead, float]] = []
        self._vote = vote
        self._decision: Decision | None = None
        self._interval_s = read_interval_s
        self._min_height_px = min_plate_height_px
        self._nominee: Shot | None = None
        self._reserve: list[Shot] = []
        self._best_read = 0.0
        self._attempts = 0

    @property
    def decision(self) -> Decision:
        """What the reads so far amount to."""
        if self._decision is None:
            self._decision = self._vote.decision()
        return self._decision

    @property
    def votes(self) -> tuple[tuple[PlateRead, float], ...]:
        """All reads with their weights, in order: enough to count the vote again together with another track's."""
        return tuple(self._votes)

    def look(self, frame: Frame, detection: Detection) -> Shot | None:
        """Count a look. Gives the best shot of the interval that this look's time has ended, if it should be read now.

        A look in a suspect frame tells where the plate went, and nothing else: damage must not vote.
        """
        stamp = Stamp(frame.t, frame.wall, frame.index)
        due = self._interval_ended(frame.t)
        if frame.suspect and self.first is not None:
            self.last, self.last_box = stamp, detection.box
            return due
        self.looks += 1
        self.score_sum += detection.score
        self.tallest_px = max(self.tallest_px, detection.box.height)
        if self.first is None:
            self.first, self.first_box = stamp, detection.box
        self.last, self.last_box = stamp, detection.box
        crop = cut(frame.image, detection.box)
        sharp = sharpness(crop)
        grade = legibility(detection.box, sharp)
        if self._wanted(grade) or self.best is None or grade > self.best.legibility:
            size = (frame.image.shape[1], frame.image.shape[0])
            told = (frame.clock, frame.clock_offset_s, frame.age_s)
            shot = Shot(crop.copy(), grade, sharp, stamp, detection.box, detection.score, size, *told)
            if self.best is None or grade > self.best.legibility:
                self.best = shot
            if self._wanted(grade) and detection.box.height >= self._min_height_px:
                self._nominate(shot)
        return due

    def closing(self) -> list[Shot]:
        """Give the shots that are still worth reading now that the track has ended, most legible first."""
        left = [*self._reserve, *([self._nominee] if self._nominee else [])]
        self._reserve, self._nominee = [], None
        wanted = sorted((shot for shot in left if self._wanted(shot.legibility)), key=lambda shot: (-shot.legibility, shot.stamp.t))
        return wanted[:RESERVE]

    def give(self, shot: Shot, read: PlateRead | None) -> None:
        """Take what the reader found in a shot."""
        self._best_read = max(self._best_read, shot.legibility)
        self._attempts += 1
        if read is None or not read.text:
            return
        weight = max(shot.legibility, MIN_WEIGHT)
        self._vote.add(read, weight=weight, order=len(self._votes))
        self._votes.append((read, weight))
        self._decision = None
        for place, known in enumerate(self.readings):
            if known.read.text == read.text:
                if shot.legibility > known.shot.legibility:
                    self.readings[place] = Reading(shot, read)
                return
        self.readings.append(Reading(shot, read))

    @property
    def blurred(self) -> bool:
        """True if no look was sharp."""
        return self.best is None or self.best.sharpness < BLURRED

    def _wanted(self, grade: float) -> bool:
        return not self.decision.sure or grade > MORE_LEGIBLE * self._best_read

    def _interval_ended(self, t: float) -> Shot | None:
        nominee = self._nominee
        if nominee is None or self._interval(nominee.stamp.t) == self._interval(t):
            return None
        self._nominee = None
        return nominee if self._wanted(nominee.legibility) else None

    def _interval(self, t: float) -> int:
        # Half a millisecond of tolerance: time stamps that mean a multiple of the interval fall on either side of it.
        interval_s = self._interval_s * 2 ** (self._attempts // PATIENCE)
        return math.floor((t + 0.0005) / interval_s) if interval_s > 0 else round(t * 1e6)

    def _nominate(self, shot: Shot) -> None:
        loser = shot
        if self._nominee is None or shot.legibility > self._nominee.legibility:
            self._nominee, loser = shot, self._nominee or shot
        if loser is not self._nominee:
            self._reserve = sorted([*self._reserve, loser], key=lambda kept: (-kept.legibility, kept.stamp.t))[:RESERVE]
