"""Do the timestamps of a chain fit it? Who holds the signing key can make the chain anew, but not what others stamped before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from streamer.chain import Entry
from streamer.errors import OtherHashError, TimestampError
from streamer.verify import Fault


class Stamp(Protocol):
    """A timestamp as it was kept."""

    @property
    def entry(self) -> int:
        """Number of the entry whose hash was stamped."""

    @property
    def time(self) -> str:
        """That is said to stand in it, UTC as in events."""

    @property
    def answer(self) -> bytes:
        """``TimeStampResp``, DER."""


class Tells(Protocol):
    """What a timestamp says."""

    @property
    def time(self) -> datetime:
        """Aware."""


class Checks(Protocol):
    """Knows the authorities that are trusted, see ``tsatoken.Checker``."""

    def check(self, answer: bytes, hash_hex: str) -> Tells:
        """Give what a timestamp says of the bytes of a hash (hex). Raises TimestampError: nothing, or nothing that is trusted."""


@dataclass(slots=True)
class Stamped:
    """What the timestamps that fit say."""

    stamps: int = 0
    until: int = 0
    """They speak for the entries up to this one."""
    first: str | None = None
    """When the first of them was made, ISO 8601, UTC."""
    last: str | None = None
    """When the last of them was made."""
    longest_s: float | None = None
    """How long after it says it was written an entry was stamped, at most: what was made up later shows here."""
    after: int = 0
    """Entries that no timestamp speaks for yet."""


class StampCheck:
    """Goes along a chain with its timestamps."""

    def __init__(self, stamps: Iterable[Stamp], checker: Checks, told: Stamped) -> None:
        """Take timestamps in the order of their entries, who checks them, and what is filled with what they say."""
        self._waiting = iter(stamps)
        self._next = next(self._waiting, None)
        self._checker = checker
        self._told = told
        self._faults: list[Fault] = []
        self._whole = False
        self._last = 0
        self._oldest: datetime | None = None
        """When the oldest entry since the last good timestamp was written."""

    def watch(self, pairs: Iterable[tuple[Entry, Any]]) -> Iterator[tuple[Entry, Any]]:
        """Give entries of a chain on as they come, each with what belongs to it; look at the timestamps of each."""
        for pair in pairs:
            self.see(pair[0])
            yield pair
        self._whole = True

    def see(self, entry: Entry) -> None:
        """Look at the timestamps of an entry; they come in order."""
        self._last = entry.number
        written = _written(entry.payload)
        if written is not None and (self._oldest is None or written < self._oldest):
            self._oldest = written
        while self._next is not None and self._next.entry <= entry.number:
            self._check(self._next, entry)
            self._next = next(self._waiting, None)

    def faults(self) -> Iterator[Fault]:
        """Give what does not fit, in the order of the chain; to be called after ``watch``."""
        yield from self._faults
        self._told.after = max(self._last - self._told.until, 0)
        while self._whole and self._next is not None:
            yield Fault(_where(self._next), f"the chain ends before it, with entry {self._last}: entries at the end were removed")
            self._next = next(self._waiting, None)

    def _check(self, stamp: Stamp, entry: Entry) -> None:
        if stamp.entry != entry.number:
            self._faults.append(Fault(_where(stamp), "is of an entry that is not there"))
            return
        try:
            said = self._checker.check(stamp.answer, entry.hash)
        except OtherHashError:
            what = "is of another chain: entries up to this one were changed after it was made, by somebody who holds the signing key"
            self._faults.append(Fault(_where(stamp), what))
            return
        except TimestampError as error:
            self._faults.append(Fault(_where(stamp), str(error)))
            return
        told = self._told
        told.stamps += 1
        told.until = entry.number
        told.last = said.time.isoformat()
        told.first = told.first or told.last
        if self._oldest is not None:
            told.longest_s = max(told.longest_s or 0.0, (said.time - self._oldest).total_seconds())
        self._oldest = None


def _where(stamp: Stamp) -> str:
    return f"timestamp of entry {stamp.entry} ({stamp.time[:19].replace('T', ' ')} UTC)"


def _written(payload: str | None) -> datetime | None:
    """Give when an entry says that it was written; None if it says nothing of it, or was erased."""
    try:
        said = json.loads(payload or "null")
        moment = datetime.fromisoformat(said.get("written_at") or said["time"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return moment if moment.utcoffset() is not None else None
