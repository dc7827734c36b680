"""Whether the plate that a track follows is still the one that was decided on (pure).

At few frames a second a vehicle that comes close behind another one, to the same place, may go on with the other's track. The
first one's vote is sure by then, so nobody would read the second one's plate. Therefore a sure track is read again now and then.

A *switch* is believed only if all of this holds, because a wrong one makes a vehicle that never was, while a missed one loses a vehicle:

- the last ``LOOKS_IN_A_ROW`` reads (or ``VoteRules.min_reads``, if that is more) are alike;
- each of their texts is *strange* to the plate, see ``strangeness``, and very much so if it is shorter: plates that are hidden in part
  or cut off by the rim read as parts of themselves, with some characters of whatever hides them;
- each of them may be a plate: long enough, read with a good score, and it fits a country's format if the first plate does;
- their crops were about as legible as those of the first plate. Whoever asks for the reads sees to that: much less legible crops are
  not read, and what is read in much more legible ones votes on the first plate, which may have been misread from afar.

Plates that share about half of their characters in order (the same district and a digit or two by chance) are not told apart:
one in four pairs of the form 34A 999.99, at most one in twenty of nine other forms that were tried.
"""

from __future__ import annotations

from streamer.plates import FormatBook, align, alike, confusion, similar
from streamer.shots import Reading, Shot
from streamer.types import Box, PlateRead
from streamer.vote import VoteRules

CHECK_AFTER_S = 1.0
"""A sure track is read again so long after its last read. Vehicles that follow each other closely are a second or more apart, so
that an earlier check would nearly always find the same one."""

CHECK_AT_MOST_S = 8.0
"""From check to check the pause doubles up to this, while the plate stays where it is: a parked vehicle costs 450 reads an hour
instead of 18 000, and a vehicle that takes its place and stands for two pauses is read even if nobody saw it come."""

MOVED = 0.5
"""A plate whose middle is further from where it was read last, in plate widths, has moved, and pauses begin anew: parked plates
stay, and boxes of the same plate are less than an eighth of its size apart."""

LOOKS_IN_A_ROW = 2
"""So many reads in a row must be alike. Chance seldom repeats itself."""

STRANGE = 0.45
"""Texts with less ``strangeness`` may be the same plate, badly read; it is also what ``columns.CLUSTER_DISTANCE`` takes for one vehicle.
Tried on made-up texts: of plates half or more of which is to be seen, with random characters for the rest, 1 in 500 passes for another
plate, and if less is to be seen, 1 in 7; of pairs of different plates of ten common forms, 76 to 100 % do."""

STRANGE_IF_SHORT = 0.75
"""The same for texts with fewer characters than the plate by two or more, which may be what is left of it behind something: they
have next to nothing in common with it."""

MIN_CHARS = 5
"""Shorter texts are too easily found in anything."""

CONFIDENT = 0.8
"""Mean character score that a read needs. Of 446 right reads in the clips and scenes of the tests none had less than 0.86. It proves
little, because most wrong reads have as much."""

DOUBTS = 10
"""A doubt that so many reads do not settle is left to the ordinary checks: what stands before the plate may stay there."""


class SwitchRule:
    """Says which reads may be of another vehicle's plate."""

    def __init__(self, vote: VoteRules, formats: FormatBook) -> None:
        """Take what makes a text a plate."""
        self._vote = vote
        self._formats = formats
        self.in_a_row = max(LOOKS_IN_A_ROW, vote.min_reads)
        """So many reads in a row must be alike."""

    def contradicts(self, read: PlateRead, plate: str) -> bool:
        """Whether a read can only be of another plate than ``plate``, as far as one read tells; see the module."""
        text = read.text
        if not max(MIN_CHARS, self._vote.min_chars) <= len(text) <= self._vote.max_chars or read.score < CONFIDENT:
            return False
        needed = STRANGE if len(text) >= len(plate) - 1 else STRANGE_IF_SHORT
        return strangeness(text, plate) >= needed and (self._fits(text) or not self._fits(plate))

    def _fits(self, text: str) -> bool:
        candidates = self._formats.rank(text)
        return bool(candidates) and candidates[0].fits


def agrees(text: str, plate: str) -> bool:
    """Whether a read is the plate, up to one misread."""
    return alike(text, plate) or similar(text, plate)


def strangeness(a: str, b: str) -> float:
    """Give 0..1: the part of one text that the other does not have in the same order; of either text, the lesser.

    A part of a text, or a text with something around it, is not strange to it at all. Look-alikes are strange by the cost of
    their confusion. Symmetrical up to ties of ``plates.align``; both texts must have characters.
    """
    pairs = align(a, b)
    paired = sum(confusion(a[i], b[j]) for i, j in pairs if i is not None and j is not None)
    only_a = sum(j is None for _, j in pairs)
    only_b = sum(i is None for i, _ in pairs)
    return min((paired + only_a) / len(a), (paired + only_b) / len(b))


class Watch:
    """When a track should be read although its vote is sure, and what these checks found.

    Reads are told in order of their shots' times.
    """

    def __init__(self, rule: SwitchRule) -> None:
        self._rule = rule
        self._last: Shot | None = None
        self._pause_s = CHECK_AFTER_S
        self._found: list[Reading | None] = []
        self._tries = 0
        self.agreed: Shot | None = None
        """The last shot that was read as the plate that was decided on, up to one misread."""

    @property
    def in_doubt(self) -> bool:
        """True while the last read contradicts the decision and it is worth finding out why."""
        return bool(self._found) and self._found[-1] is not None and self._tries < DOUBTS

    @property
    def others(self) -> tuple[Reading, ...]:
        """The reads of the other vehicle, in order of time, if the plate has been switched; else empty."""
        row = self._found[-self._rule.in_a_row :]
        last = row[-1] if len(row) == self._rule.in_a_row else None
        if last is None or not all(found is not None and alike(found.read.text, last.read.text) for found in row):
            return ()
        return tuple(found for found in self._found if found is not None and similar(found.read.text, last.read.text))

    def due(self, t: float, box: Box) -> bool:
        """Whether a look at ``t`` (seconds of the source's clock) is worth reading although the vote is sure."""
        if self._last is None or t <= self._last.stamp.t:
            return False
        # Half a millisecond of tolerance, as for the reading interval.
        return self.in_doubt or t + 0.0005 - self._last.stamp.t >= (CHECK_AFTER_S if self._moved(box) else self._pause_s)

    def voted(self, shot: Shot, *, agrees: bool) -> None:
        """Take note of a shot whose read, if any, was counted in the vote."""
        self._pause_s = CHECK_AFTER_S
        self._last = shot
        if agrees:
            self._agree(shot)

    def checked(self, shot: Shot, read: PlateRead | None, plate: str) -> None:
        """Take what was read in a check of a track that was surely decided to be ``plate``."""
        if not self.in_doubt:
            self._pause_s = min(2 * (CHECK_AFTER_S if self._moved(shot.box) else self._pause_s), CHECK_AT_MOST_S)
        self._last = shot
        self._tries += 1
        if read is None or not read.text:
            return
        if agrees(read.text, plate):
            self._agree(shot)
        elif self._rule.contradicts(read, plate):
            self._tries = self._tries if self._found and self._found[-1] else 1
            self._note(Reading(shot, read))
        else:
            self._note(None)

    def end(self) -> None:
        """Forget what was found: the other vehicle has a record of its own."""
        self._found = []

    def _agree(self, shot: Shot) -> None:
        self.agreed = shot
        self._found = []

    def _note(self, found: Reading | None) -> None:
        """Remember what does not agree; None for a text that need not be another plate, which ends a row."""
        self._found = [*self._found, found][-max(DOUBTS, self._rule.in_a_row) :]

    def _moved(self, box: Box) -> bool:
        if self._last is None:
            return False
        (x, y), (old_x, old_y) = box.centre, self._last.box.centre
        return max(abs(x - old_x), abs(y - old_y)) > MOVED * max(box.width, self._last.box.width)
