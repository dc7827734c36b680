"""What is looked for in a store, and what is found (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from streamer.errors import UsageError
from streamer.search import LEAST_CHARS, MOST_EDITS, clean_pattern, is_pattern
from streamer.store import StoredEvent

STATES: Final = ("preview", "final", "corrected", "withdrawn")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; all of it must hold. Raises UsageError if it cannot be looked for."""

    since: str | None = None
    """UTC as in events, ``2026-05-01T08:00:00.000000Z``; of the best look, inclusive."""
    until: str | None = None
    """Exclusive."""
    cameras: tuple[str, ...] = ()
    """Patterns with ``*`` and ``?``; empty: all."""
    plate: str | None = None
    """A-Z 0-9, with ``*`` and ``?`` where ``edits`` is None; see ``search.clean_pattern``. Of corrected events, the corrected one."""
    pseudonyms: tuple[str, ...] = ()
    """Stand for the plate, too, in records that hold pseudonyms; only with a whole plate."""
    edits: int | None = None
    """Plates so many characters apart count, too, and look-alikes such as O and 0 for nothing: 0, 1, 2."""
    states: frozenset[str] = frozenset()
    """Of the last revision; empty: all but withdrawn."""
    min_score: float | None = None
    country: str | None = None
    """``US`` holds ``US-TX``."""
    no_plate: bool = False
    """Those without a plate only."""

    def __post_init__(self) -> None:
        if self.no_plate and (self.plate is not None or self.min_score is not None or self.country is not None):
            raise UsageError("events without a plate have no score and no country: ask for one or the other")
        if self.pseudonyms and (self.plate is None or is_pattern(self.plate) or self.edits is not None):
            raise UsageError("pseudonyms are of whole plates")
        if self.plate is None:
            if self.edits is not None:
                raise UsageError("near what? Give a plate, too")
            return
        if not self.plate.strip("*?") or self.plate != clean_pattern(self.plate):
            raise UsageError("a plate is looked for by letters and digits, * for any of them and ? for one")
        if self.edits is not None:
            self._check_near(self.plate, self.edits)

    def _check_near(self, plate: str, edits: int) -> None:
        if is_pattern(plate):
            raise UsageError("near plates are looked for without * and ?")
        if not 0 <= edits <= MOST_EDITS:
            raise UsageError(f"at most {MOST_EDITS} characters may differ, besides look-alikes")
        if len(plate) < LEAST_CHARS[edits]:
            raise UsageError(f"a plate of {len(plate)} characters is too short for {edits} other ones; {LEAST_CHARS[edits]} are needed")


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page ended."""

    snapshot: int
    """Sequence number of the last revision when the first page was read."""
    distance: float
    time: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.snapshot}/{self.distance}/{self.time}/{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """Give what ``str`` made a text of. Raises UsageError."""
        parts = text.split("/")
        try:
            snapshot, distance, time, sequence = parts
            if not _TIME.fullmatch(time):
                raise ValueError(time)
            return cls(int(snapshot), float(distance), time, int(sequence))
        except ValueError as error:
            raise UsageError(f"{text}: not the end of a page, which looks like 4711/0.0/2026-05-01T08:00:00.000000Z/815") from error


@dataclass(frozen=True, slots=True)
class Found:
    """An event, as its last revision has it."""

    stored: StoredEvent
    plate: str | None
    """The corrected one where there is one."""
    distance: float
    """From the plate that was looked for, see ``search.how_far``."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the events."""

    found: tuple[Found, ...]
    after: Key | None
    """For the next page; None after the last one."""
