"""What is known about one track: its looks, the crops worth reading and the vote over their reads (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamer.crops import cut, legibility, sharpness
from streamer.shots import Reading, Shot, TakePictures, Tally, Views
from streamer.switches import SwitchRule, Watch, agrees
from streamer.types import Box, Detection, Frame, Image, KnownPlate, PlateRead, Stamp
from streamer.vote import Decision, Vote

MORE_LEGIBLE = 1.5
"""A sure vote is put to the test again by a crop so many times as legible as the best one read: looks that agree from
afar may agree on a mistake."""

LESS_LEGIBLE = 0.5
"""A sure vote is not checked by crops with less than this part of the legibility of the best one read: what is read differently in
them would prove nothing."""

RESERVE = 4
"""How many unread crops of a track are kept, for vehicles that pass faster than the reading interval."""

MIN_WEIGHT = 0.05
"""Even the worst crop that gave a text counts a little."""

PATIENCE = 10
"""After so many attempts without a sure vote the reading interval doubles, and again: a parked, unreadable plate must not
keep the reader busy for ever."""

BLURRED = 0.12
"""Sharpness below which a crop counts as blurred: an edge smeared over more than eight pixels."""

RIM_PX = 2.0
"""A box that comes so near to the rim of the picture ends there because the picture does: what is left of the plate reads like a plate,
again and again, and is none."""


class TrackRecord:
    """The looks and reads of one track. Reads are asked for through ``look`` and ``closing`` and given back by ``give``.

    Once the vote is sure, reads are checks: they do not vote, but tell whether the track still follows the same plate. If it does not
    (``switched``), ``hand_over`` gives the new one's looks and reads to a record of its own, the next part of the track.
    """

    def __init__(
        self,
        session: int,
        number: int,
        vote: Vote,
        switch_rule: SwitchRule,
        *,
        read_interval_s: float,
        min_plate_height_px: float,
        part: int = 1,
        take_pictures: TakePictures | None = None,
    ) -> None:
        """Take an empty vote. ``part``: 1 for a track, 2 for what follows its first switch, and so on.

        ``take_pictures``: who makes the pictures around a plate, if they are wanted.
        """
        self._take_pictures = take_pictures
        self.session = session
        self.number = number
        self.part = part
        self.tallest_px = 0.0
        self.cut_off = True
        """No look was away from the rim of the picture, which may cut plates."""
        self.first: Stamp | None = None
        self.last: Stamp | None = None
        self.first_box: Box | None = None
        self.last_box: Box | None = None
        self.best: Shot | None = None
        """The most legible shot, read or not."""
        self.readings: list[Reading] = []
        """The most legible reading of each text, in order of appearance."""
        self._tally = Tally()
        self._others = Tally()
        self._votes: list[tuple[PlateRead, float]] = []
        self._checks = 0
        self._vote = vote
        self._decision: Decision | None = None
        self._interval_s = read_interval_s
        self._min_height_px = min_plate_height_px
        self._nominee: Shot | None = None
        self._reserve: list[Shot] = []
        self._best_read = 0.0
        self._attempts = 0
        self._watch = Watch(switch_rule)
        self._asked: tuple[Shot, ...] = ()

    @property
    def looks(self) -> int:
        """Detections of the plate."""
        return self._tally.looks - self._others.looks

    @property
    def score_sum(self) -> float:
        """Of their scores, each 0..1."""
        return self._tally.score_sum - self._others.score_sum

    @property
    def reads(self) -> int:
        """Crops that gave a text, whether they voted or not."""
        return len(self._votes) + self._checks

    @property
    def switched(self) -> bool:
        """True if the track goes on with another vehicle's plate; see ``switches``."""
        return self.decision.sure and self._watch.agreed is not None and bool(self._watch.others)

    @property
    def decision(self) -> Decision:
        """What the reads so far amount to."""
        if self._decision is None:
            self._decision = self._vote.decision()
        return self._decision

    @property
    def votes(self) -> tuple[tuple[PlateRead, float], ...]:
        """The reads that voted with their weights, in order: enough to count the vote again together with another track's."""
        return tuple(self._votes)

    def look(self, frame: Frame, detection: Detection, plates: Sequence[KnownPlate] = ()) -> Shot | None:
        """Count a look. Gives the best shot of the interval that this look's time has ended, if it should be read now.

        ``plates``: all that are known to be in the frame, for its pictures. A look in a suspect frame tells where the plate went,
        and nothing else: damage must not vote.
        """
        stamp = Stamp(frame.t, frame.wall, frame.index)
        due = self._interval_ended(frame.t)
        if frame.suspect and self.first is not None:
            self.last, self.last_box = stamp, detection.box
            return due
        before, self._tally = self._tally, Tally(self._tally.looks + 1, self._tally.score_sum + detection.score)
        self.tallest_px = max(self.tallest_px, detection.box.height)
        if self.first is None:
            self.first, self.first_box = stamp, detection.box
        self.last, self.last_box = stamp, detection.box
        whole = not _at_rim(detection.box, frame.image)
        self.cut_off &= not whole
        crop = cut(frame.image, detection.box)
        sharp = sharpness(crop)
        grade = legibility(detection.box, sharp)
        wanted = self._wanted(grade, frame.t, detection.box)
        if wanted or self.best is None or grade > self.best.legibility:
            size = (frame.image.shape[1], frame.image.shape[0])
            told = (frame.clock, frame.clock_offset_s, frame.age_s, before)
            views = Views(frame.image, detection.box, plates, self._take_pictures) if self._take_pictures is not None else None
            shot = Shot(crop.copy(), grade, sharp, stamp, detection.box, detection.score, size, *told, views)
            if self.best is None or grade > self.best.legibility:
                self.best = shot
            if wanted and whole and detection.box.height >= self._min_height_px:
                self._nominate(shot)
        return due

    def closing(self) -> list[Shot]:
        """Give the shots that are still worth reading now that the track has ended.

        Most legible first; in order of time once the vote is sure. One shot alone cannot tell that the plate was switched.
        """
        left = [*self._reserve, *([self._nominee] if self._nominee else [])]
        self._reserve, self._nominee = [], None
        wanted = sorted((shot for shot in left if self._worth_reading(shot)), key=lambda shot: (-shot.legibility, shot.stamp.t))[:RESERVE]
        if not self.decision.sure:
            self._asked = ()
            return wanted
        checks = [shot for shot in wanted if not self._more_legible(shot.legibility)]
        if len(checks) == 1 and not self._watch.in_doubt:
            wanted.remove(checks.pop())
        self._asked = tuple(checks)
        return sorted(wanted, key=lambda shot: shot.stamp.t)

    def give(self, shot: Shot, read: PlateRead | None) -> None:
        """Take what the reader found in a shot."""
        self._best_read = max(self._best_read, shot.legibility)
        plate = self.decision.plate
        if plate is not None and self.decision.sure and shot in self._asked:
            self._checks += read is not None and bool(read.text)
            self._watch.checked(shot, read, plate)
            return
        self._attempts += 1
        if read is not None and read.text:
            self._count(shot, read)
        plate = self.decision.plate
        self._watch.voted(shot, agrees=read is not None and plate is not None and agrees(read.text, plate))

    def hand_over(self, part: TrackRecord) -> None:
        """End with the last look that was read as this record's plate; give the other vehicle's looks and reads to a new record.

        Only if ``switched``. Looks between the two are nobody's: they were not read, or not as one of the two plates.
        """
        others, agreed = self._watch.others, self._watch.agreed
        assert agreed is not None, "it has switched"
        begun = others[0].shot
        part._tally, part._others = self._tally, begun.before
        part.first, part.first_box = begun.stamp, begun.box
        part.last, part.last_box = self.last, self.last_box
        part.cut_off = False  # they were read
        part.tallest_px = max(found.shot.box.height for found in others)
        part.best = max((found.shot for found in others), key=lambda shot: shot.legibility)
        part._reserve = [shot for shot in self._reserve if shot.stamp.t > begun.stamp.t]
        part._nominee = self._nominee
        for found in others:
            part.give(found.shot, found.read)
        self._tally = Tally(agreed.before.looks + 1, agreed.before.score_sum + agreed.box_score)
        self.last, self.last_box = agreed.stamp, agreed.box
        self.best = max((reading.shot for reading in self.readings), key=lambda shot: shot.legibility)
        self._reserve, self._nominee = [], None
        self._checks -= len(others)
        self._watch.end()

    def _count(self, shot: Shot, read: PlateRead) -> None:
        weight = max(shot.legibility, MIN_WEIGHT)
        self._vote.add(read, weight=weight, order=len(self._votes))
        self._votes.append((read, weight))
        self._decision = None
        for place, known in enumerate(self.readings):
            if known.read.text == read.text:
                if shot.legibility > known.shot.legibility:
                    self.readings[place] = _kept(shot, read)
                return
        self.readings.append(_kept(shot, read))

    @property
    def blurred(self) -> bool:
        """True if no look was sharp."""
        return self.best is None or self.best.sharpness < BLURRED

    def _wanted(self, grade: float, t: float, box: Box) -> bool:
        if not self.decision.sure or self._more_legible(grade):
            return True
        return grade >= LESS_LEGIBLE * self._best_read and self._watch.due(t, box)

    def _worth_reading(self, shot: Shot) -> bool:
        return self._wanted(shot.legibility, shot.stamp.t, shot.box)

    def _more_legible(self, grade: float) -> bool:
        return grade > MORE_LEGIBLE * self._best_read

    def _interval_ended(self, t: float) -> Shot | None:
        nominee = self._nominee
        if nominee is None or self._interval(nominee.stamp.t) == self._interval(t):
            return None
        self._nominee = None
        if not self._worth_reading(nominee):
            return None
        check = self.decision.sure and not self._more_legible(nominee.legibility)
        self._asked = (nominee,) if check else ()
        return nominee

    def _interval(self, t: float) -> int:
        # Half a millisecond of tolerance: time stamps that mean a multiple of the interval fall on either side of it.
        patience = 1 if self.decision.sure else 2 ** (self._attempts // PATIENCE)
        interval_s = self._interval_s * patience
        return math.floor((t + 0.0005) / interval_s) if interval_s > 0 else round(t * 1e6)

    def _nominate(self, shot: Shot) -> None:
        loser = shot
        if self._nominee is None or shot.legibility > self._nominee.legibility:
            self._nominee, loser = shot, self._nominee or shot
        if loser is not self._nominee:
            self._reserve = sorted([*self._reserve, loser], key=lambda kept: (-kept.legibility, kept.stamp.t))[:RESERVE]


def _at_rim(box: Box, image: Image) -> bool:
    height, width = image.shape[:2]
    return box.x1 < RIM_PX or box.y1 < RIM_PX or box.x2 > width - RIM_PX or box.y2 > height - RIM_PX


def _kept(shot: Shot, read: PlateRead) -> Reading:
    """Give a reading that may become the evidence, without the frame that it is of."""
    if shot.views is not None:
        shot.views.develop()
    return Reading(shot, read)
