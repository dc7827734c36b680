"""Tracks and their reads to one passage per vehicle (pure).

A track that ends is *held*: the same vehicle may come back as another track (hidden for a while, lost between two frames,
the next file of a recording). Only when its windows have passed does it become a final passage. All of it depends on the
order and the times of the frames alone, so the same recording gives the same passages, whatever the batches were.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamer.plates import FormatBook, fold, similar
from streamer.shots import Shot, TakePictures
from streamer.switches import SwitchRule
from streamer.trackrecord import TrackRecord
from streamer.types import Detection, Frame, KnownPlate, NoPlateReason, Passage, PassageState, PlateRead, Stamp
from streamer.vote import Decision, Vote, VoteRules
from streamer.whereabouts import after_s, began, between_s, ended, evidence, key_of, near, overlap_s

_log = logging.getLogger(__name__)

STITCH_WITHIN_S = 1.5
"""An unread track and another one that follow each other within this time, at about the same place, are one vehicle."""

CLOCK_STEP_S = 5.0
"""Between two sessions, the time of day does not go back by more than this unless somebody sets the clock."""

FLEETING_LOOKS = 3
"""Unread tracks with fewer looks are taken for false detections and counted, not recorded."""

FLEETING_SCORE = 0.5
"""And so are unread tracks whose mean detection score is lower."""


@dataclass(frozen=True, slots=True)
class PassageRules:
    """How reads become passages; the meaning of each is told in ``config.PassagesConfig``."""

    read_interval_s: float
    min_plate_height_px: float
    same_plate_window_s: float
    similar_plate_window_s: float
    vote: VoteRules


@dataclass(frozen=True, slots=True, eq=False)
class CropRequest:
    """A crop that should be read now; hand the answer to ``PassageBook.give``."""

    record: TrackRecord
    shot: Shot


@dataclass(slots=True, eq=False)
class _Held:
    """A vehicle that may have passed: one or more ended tracks."""

    records: list[TrackRecord]
    decision: Decision
    previewed: set[str] = field(default_factory=set)

    @property
    def first(self) -> TrackRecord:
        return self.records[0]

    @property
    def last(self) -> TrackRecord:
        return max(self.records, key=lambda record: ended(record).wall)

    @property
    def text(self) -> str | None:
        """The plate, or the best guess while there is none."""
        return self.decision.plate or self.decision.raw


class PassageBook:
    """The passages of one source."""

    def __init__(self, source_id: str, rules: PassageRules, formats: FormatBook, take_pictures: TakePictures | None = None) -> None:
        """``take_pictures``: who makes the pictures around a plate, if they are wanted: called once for each shot that may be evidence."""
        self._take_pictures = take_pictures
        self._source_id = source_id
        self._rules = rules
        self._formats = formats
        self._open: dict[tuple[int, int], TrackRecord] = {}
        self._held: list[_Held] = []
        self._previews: dict[str, str] = {}
        self._closing: list[TrackRecord] = []
        self.fleeting: Counter[str] = Counter()
        """Tracks that were taken for false detections, by cause: ``few_looks``, ``low_score``."""

    def look(self, frame: Frame, pairs: Sequence[tuple[int, Detection]], others: Sequence[KnownPlate] = ()) -> list[CropRequest]:
        """Count what the tracker saw in a frame; gives the crops that should be read before the next frame comes.

        ``others``: plates in the frame beside those.
        """
        plates = (*(KnownPlate(detection.box) for _, detection in pairs), *others)
        due = []
        for number, detection in pairs:
            key = (frame.session, number)
            record = self._open.get(key)
            if record is None:
                record = self._open[key] = self._new_record(*key, part=1)
            shot = record.look(frame, detection, plates)
            if shot is not None:
                due.append(CropRequest(record, shot))
        return due

    def ended(self, session: int, numbers: Sequence[int]) -> list[CropRequest]:
        """Close tracks; gives the crops that should be read before ``decide`` is called."""
        records = [self._open.pop((session, number)) for number in numbers if (session, number) in self._open]
        self._closing.extend(records)
        return [CropRequest(record, shot) for record in records for shot in record.closing()]

    def give(self, request: CropRequest, read: PlateRead | None) -> None:
        """Take what the reader found in a crop."""
        request.record.give(request.shot, read)

    def best_text(self, session: int, number: int) -> str | None:
        """What an open track reads so far, for people who watch; None if nothing."""
        record = self._open.get((session, number))
        return (record.decision.plate or record.decision.raw) if record else None

    def decide(self, now: Stamp, session: int) -> list[Passage]:
        """Hold the tracks that have ended; give the passages that are due at ``now``, a time of ``session``."""
        self._part_switched()
        passages = self._previews_due()
        for record in self._closing:
            passages.extend(self._hold(record))
        self._closing.clear()
        keep_s = max(self._rules.same_plate_window_s, self._rules.similar_plate_window_s, STITCH_WITHIN_S)
        for held in list(self._held):
            waits = any(self._may_continue(held, record, keep_s) for record in self._open.values())
            gap_s = after_s(held.last, now, session)
            # Far before what is held: the clock was set back, and nobody knows how long ago it was.
            if not waits and (gap_s > keep_s or gap_s < -CLOCK_STEP_S):
                self._held.remove(held)
                passages.extend(self._finish(held))
        return passages

    def flush(self) -> list[Passage]:
        """Give everything that is held: nothing more will come from this source. Call ``ended`` for open tracks before."""
        self._part_switched()
        passages = [passage for record in self._closing for passage in self._hold(record)]
        self._closing.clear()
        passages.extend(passage for held in self._held for passage in self._finish(held))
        self._held.clear()
        return passages

    def adopt(self, other: PassageBook) -> None:
        """Take over the rules and formats of another book for what comes; votes that have begun keep theirs."""
        self._rules, self._formats, self._take_pictures = other._rules, other._formats, other._take_pictures

    def open_tracks(self, session: int) -> list[int]:
        """Numbers of the session's tracks that have not ended."""
        return [number for owner, number in self._open if owner == session]

    def _new_record(self, session: int, number: int, part: int) -> TrackRecord:
        return TrackRecord(
            session,
            number,
            Vote(self._rules.vote, self._formats),
            SwitchRule(self._rules.vote, self._formats),
            read_interval_s=self._rules.read_interval_s,
            min_plate_height_px=self._rules.min_plate_height_px,
            part=part,
            take_pictures=self._take_pictures,
        )

    def _part_switched(self) -> None:
        """Close the records of vehicles whose tracks went on with another one, and begin records for those."""
        for key, record in self._open.items():
            if record.switched:
                self._open[key] = self._part(record)
                self._closing.append(record)
        self._closing.extend([self._part(record) for record in self._closing if record.switched])

    def _part(self, record: TrackRecord) -> TrackRecord:
        part = self._new_record(record.session, record.number, record.part + 1)
        record.hand_over(part)
        _log.debug("%s: track %d.%d goes on with another vehicle", self._source_id, record.session, record.number)
        return part

    def _previews_due(self) -> list[Passage]:
        passages = []
        for record in self._open.values():
            key, decision = key_of(record), record.decision
            if decision.sure and decision.plate is not None and self._previews.get(key) != decision.plate:
                self._previews[key] = decision.plate
                passages.append(self._passage([record], decision, "preview"))
        return passages

    def _hold(self, record: TrackRecord) -> list[Passage]:
        key = key_of(record)
        held = _Held([record], record.decision, {key} if self._previews.pop(key, None) is not None else set())
        other = next((known for known in self._held if self._one_vehicle(known, held)), None)
        if other is None:
            self._held.append(held)
            return []
        withdrawn = [self._passage([record], record.decision, "withdrawn")] if held.previewed else []
        # Sorted, so that the passage is named by its earliest track whichever of them ended first.
        other.records = sorted([*other.records, record], key=lambda known: (began(known).wall, known.session, known.number, known.part))
        other.decision = self._count_again(other.records)
        _log.debug("%s: track %d.%d continues a passage", self._source_id, record.session, record.number)
        return withdrawn

    def _count_again(self, records: Sequence[TrackRecord]) -> Decision:
        vote = Vote(self._rules.vote, self._formats)
        for order, (read, weight) in enumerate(cast for record in records for cast in record.votes):
            vote.add(read, weight=weight, order=order)
        return vote.decision()

    def _may_continue(self, held: _Held, record: TrackRecord, keep_s: float) -> bool:
        """True while an open track that began within the windows may turn out to be the held vehicle."""
        if between_s(held.last, record) > keep_s:
            return False
        text = record.decision.plate
        if record.decision.sure and text is not None and held.text is not None:
            return fold(text) == fold(held.text) or similar(text, held.text)
        return ended(record).t - began(record).t <= keep_s  # not for ever: a parked car that nobody can read stays for days

    def _one_vehicle(self, known: _Held, new: _Held) -> bool:
        record = new.first
        gap_s = min(between_s(old, record) for old in known.records)
        together = any(overlap_s(old, record) > 0 for old in known.records)
        if known.text and new.text:
            if fold(known.text) == fold(new.text):
                return gap_s <= self._rules.same_plate_window_s
            # Two plates in view at the same time are two vehicles, however alike their texts are.
            return not together and gap_s <= self._rules.similar_plate_window_s and similar(known.text, new.text)
        # Near they are, but then they would not have been told apart.
        parts = any((old.session, old.number) == (record.session, record.number) for old in known.records)
        if together or parts or gap_s > STITCH_WITHIN_S:
            return False
        return any(near(old, record) for old in known.records)

    def _finish(self, held: _Held) -> list[Passage]:
        if held.decision.plate is None and self._is_fleeting(held):
            return [self._passage([held.first], held.decision, "withdrawn")] if held.previewed else []
        return [self._passage(held.records, held.decision, "final")]

    def _is_fleeting(self, held: _Held) -> bool:
        looks = sum(record.looks for record in held.records)
        if looks < FLEETING_LOOKS:
            self.fleeting["few_looks"] += 1
            return True
        if sum(record.score_sum for record in held.records) / looks < FLEETING_SCORE:
            self.fleeting["low_score"] += 1
            return True
        return False

    def _passage(self, records: Sequence[TrackRecord], decision: Decision, state: PassageState) -> Passage:
        shot = evidence(records, decision)
        return Passage(
            key=key_of(records[0]),
            state=state,
            source_id=self._source_id,
            session=records[0].session,
            tracks=tuple(record.number for record in records),
            plate=decision.plate,
            raw=decision.raw,
            score=decision.score if decision.plate is not None else None,
            char_scores=decision.char_scores if decision.plate is not None else (),
            alternatives=decision.alternatives,
            country=decision.country,
            format=decision.format,
            reason=self._reason(records, decision),
            looks=sum(record.looks for record in records),
            reads=sum(record.reads for record in records),
            first=min((began(record) for record in records), key=lambda stamp: stamp.wall),
            last=max((ended(record) for record in records), key=lambda stamp: stamp.wall),
            best=shot.stamp,
            clock=shot.clock,
            box=shot.box,
            box_score=shot.box_score,
            frame_size=shot.frame_size,
            crop=shot.crop,
            unread_chars=decision.unread_chars,
            clock_offset_s=shot.clock_offset_s,
            age_s=shot.age_s,
            pictures=shot.views.develop() if shot.views is not None else (),
        )

    def _reason(self, records: Sequence[TrackRecord], decision: Decision) -> NoPlateReason | None:
        if decision.plate is not None:
            return None
        if all(record.tallest_px < self._rules.min_plate_height_px for record in records):
            return "too_small"
        if all(record.cut_off for record in records):
            return "cut_off"
        if all(record.blurred for record in records):
            return "blurred"
        return decision.reason or "too_few_looks"


MakeBook = Callable[[str], PassageBook]
"""Gives the empty book of a source."""
