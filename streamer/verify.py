"""Is the record what was recorded? Checks the chain, its signatures, the tables that are searched and the pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from streamer.chain import GENESIS, Entry, digest_of, hash_of
from streamer.configentry import CONFIGURATION, Configurations
from streamer.events import plate_that_holds
from streamer.signing import Verifier

EVENT: Final = "event"
ERASURE: Final = "erasure"
_NEXT: Final = {
    None: {"preview", "final"},
    "preview": {"preview", "final", "withdrawn"},
    "final": {"corrected"},
    "corrected": {"corrected"},
    "withdrawn": set[str](),
}
"""Which states a revision may have after the one before it."""

_SEARCHED: Final = ("sequence", "event_id", "revision", "state", "passage", "source", "plate", "country", "score", "reason")

_UNKNOWN: Final = -1
"""Stands for what a revision was replaced by where its row is missing."""

Row = Mapping[str, Any]
"""A row of the table of events."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is not what was recorded."""

    where: str
    """``entry 12 (event 0190..., revision 1)``, a file ..."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Verified:
    """What was looked at."""

    entries: int = 0
    events: int = 0
    revisions: int = 0
    """Of events; those that were erased do not count."""
    erased: int = 0
    signatures: int = 0
    pictures: int = 0
    """Looked at: once for each revision that names one."""
    unsigned: int = 0
    """Entries after the last signed one."""


@dataclass(slots=True)
class _Missing:
    """What is not there: a fault, unless an erasure that comes later speaks of it."""

    contents: dict[int, str] = field(default_factory=dict)
    """Entries without content."""
    _pictures: dict[tuple[str, str], list[Fault]] = field(default_factory=dict)
    """By event and digest."""
    _events: dict[tuple[int, str], str] = field(default_factory=dict)
    """By entry and digest."""
    _excused: set[tuple[str, str]] = field(default_factory=set)
    """A correction that comes after the erasure of a picture names it again."""

    def note(self, entry: int, event_id: str, sha256: str, where: str, name: str) -> None:
        if (event_id, sha256) not in self._excused:
            self._events[entry, sha256] = event_id
            fault = Fault(where, f"its picture {name} cannot be read: there is no such file, and no entry says that it was erased")
            self._pictures.setdefault((event_id, sha256), []).append(fault)

    def excuse(self, payload: str) -> None:
        """Take what an erasure says; nothing if it is none, which its digest tells."""
        try:
            said = json.loads(payload)
            erases, pictures = [int(number) for number in said["erases"]], [(int(e), str(s)) for e, s in said.get("pictures", ())]
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        for number in erases:
            self.contents.pop(number, None)
        for key in pictures:
            if key in self._events:
                whose = (self._events.pop(key), key[1])
                self._pictures.pop(whose, None)
                self._excused.add(whose)

    def faults(self) -> Iterator[Fault]:
        for where in self.contents.values():
            yield Fault(where, "its content is gone, and no entry says that it was erased")
        for faults in self._pictures.values():
            yield from faults


def check(
    entries: Iterable[tuple[Entry, Row | None]],
    head: tuple[int, str],
    rows: int,
    verifier: Verifier,
    picture: Callable[[str], Path],
    seen: Verified,
) -> Iterator[Fault]:
    """Give what is wrong, in the order of the chain: nothing if all is as it was recorded.

    Args:
        entries: the chain from its first entry on, each with its row in the table of events, None if there is none.
        head: number and hash of the last one, as the store has them beside it.
        rows: how many rows that table has.
        verifier: knows the keys.
        picture: gives the path of an event's file.
        seen: is filled with what was looked at.
    """
    previous, sequence = GENESIS, 0
    last: dict[str, tuple[int, str, int | None]] = {}
    missing, configurations = _Missing(), Configurations()
    for entry, row in entries:
        where = f"entry {entry.number}"
        seen.entries += 1
        if entry.number != seen.entries:
            yield Fault(where, f"should be number {seen.entries}: entries were removed, inserted or swapped")
            return
        yield from _check_link(entry, previous, where)
        yield from _check_signature(entry, verifier, where, seen)
        previous = entry.hash
        if entry.payload is None:
            missing.contents[entry.number] = where
            sequence += entry.kind == EVENT
            seen.erased += 1
        elif entry.kind == ERASURE:
            missing.excuse(entry.payload)
        elif entry.kind == CONFIGURATION:
            yield from (Fault(where, what) for what in configurations.note(entry.payload))
        elif entry.kind == EVENT:
            sequence += 1
            seen.revisions += 1
            try:
                yield from _check_event(entry, json.loads(entry.payload), sequence, last, row, seen)
                yield from (Fault(where, what) for what in configurations.look_up(json.loads(entry.payload)))
                yield from _check_pictures(entry.number, json.loads(entry.payload), picture, missing, seen)
            except (ValueError, KeyError, TypeError):
                yield Fault(where, "is no event")
    seen.events = len(last)
    for event_id, (revision, _, replaced_by) in last.items():
        # What was recorded since is not looked at.
        if replaced_by not in (None, _UNKNOWN) and replaced_by <= sequence:
            yield Fault(f"event {event_id}, revision {revision}", "holds, but is found as replaced in the table of events")
    yield from missing.faults()
    yield from _check_end(previous, head, rows, verifier, seen)


def _check_link(entry: Entry, previous: str, where: str) -> Iterator[Fault]:
    if entry.payload is not None and digest_of(entry.payload) != entry.digest:
        yield Fault(where, "its content was changed")
    if hash_of(previous, entry.number, entry.kind, entry.digest) != entry.hash:
        yield Fault(where, "does not follow from the entry before it: one of the two was changed, or others stood between them")


def _check_signature(entry: Entry, verifier: Verifier, where: str, seen: Verified) -> Iterator[Fault]:
    if entry.signature is None:
        seen.unsigned += 1
        return
    seen.signatures += 1
    seen.unsigned = 0
    if entry.signer not in verifier.key_ids:
        yield Fault(where, f"is signed by the key {entry.signer}, which is not among those that were given")
    elif not verifier.verify(entry.hash, entry.signature, entry.signer or ""):
        yield Fault(where, "its signature is wrong")


def _check_event(
    entry: Entry,
    event: dict[str, Any],
    sequence: int,
    last: dict[str, tuple[int, str, int | None]],
    row: Row | None,
    seen: Verified,
) -> Iterator[Fault]:
    event_id, revision, state = event["event_id"], event["revision"], event["state"]
    where = f"entry {entry.number} (event {event_id}, revision {revision})"
    before = last.get(event_id)
    if revision != (before[0] + 1 if before else 1):
        yield Fault(where, f"follows revision {before[0] if before else 'nothing'} of the event: a revision is missing")
    elif state not in _NEXT[before[1] if before else None] and not (before and _same_with_clip(event, before[1])):
        yield Fault(where, f"is {state} after {before[1] if before else 'nothing'}")
    if before and before[2] not in (_UNKNOWN, sequence):
        yield Fault(where, "replaces the revision before it, which the table of events does not say")
    last[event_id] = (revision, state, row["replaced_by"] if row else _UNKNOWN)
    if event["sequence"] != sequence or event["chain"]["entry"] != entry.number:
        yield Fault(where, "says that it stands elsewhere")
    if row is None:
        yield Fault(where, "cannot be found: its row in the table of events is missing")
    else:
        yield from _check_row(row, event, where)


def _same_with_clip(event: dict[str, Any], before: str) -> bool:
    """Say whether a revision only brings the clip of what is over."""
    return event["revision_reason"] == "clip" and event["state"] == before and before in ("final", "corrected")


def _check_row(row: Row, event: dict[str, Any], where: str) -> Iterator[Fault]:
    wrong = [key for key in _SEARCHED if row[key] != event[key]]
    if row["best_time"] != event["best"]["time"]:
        wrong.append("best_time")
    if row["text"] != plate_that_holds(event):
        wrong.append("text")
    if wrong:
        yield Fault(where, f"is found as something else: {', '.join(wrong)} in the table of events")


def _check_pictures(
    entry: int, event: dict[str, Any], picture: Callable[[str], Path], missing: _Missing, seen: Verified
) -> Iterator[Fault]:
    where = f"entry {entry} (event {event['event_id']}, revision {event['revision']})"
    for one in event["evidence"]:
        seen.pictures += 1
        try:
            content = picture(one["file"]).read_bytes()
        except FileNotFoundError:
            missing.note(entry, event["event_id"], one["sha256"], where, one["file"])
        except OSError as error:
            yield Fault(where, f"its picture {one['file']} cannot be read: {error.strerror or error}")
        else:
            if hashlib.sha256(content).hexdigest() != one["sha256"]:
                yield Fault(where, f"its picture {one['file']} was changed")


def _check_end(previous: str, head: tuple[int, str], rows: int, verifier: Verifier, seen: Verified) -> Iterator[Fault]:
    if head != (seen.entries, previous):
        yield Fault(f"entry {seen.entries}", f"is the last, but the store says {head[0]}: entries at the end were removed or added")
    if rows != seen.revisions:
        yield Fault("the table of events", f"has {rows} rows, the chain {seen.revisions} revisions")
    if verifier.key_ids and seen.unsigned:
        yield Fault(f"entry {seen.entries - seen.unsigned + 1}", f"and what follows ({seen.unsigned} entries) is not signed")
