"""What is due to be forgotten, what must be kept, and what is known of one plate."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from streamer.errors import UsageError
from streamer.store import PAGE, Store
from streamer.store import tables as t

AUDIT: Final = "audit"
_SCANNED: Final = 5000
"""Entries a look when all payloads are searched."""

Outcome = Literal["without_plate", "read"]
"""What became of a vehicle, over all revisions. Events that broke a rule (``hit``) have their place here once there are rules."""

_OF_OUTCOME: Final[dict[Outcome, Callable[[], sa.ColumnElement[bool]]]] = {
    # By ``text``, the plate that holds: it has an index.
    "without_plate": lambda: sa.and_(t.events.c.text.is_(None), t.events.c.plate.is_(None), ~_any_revision_with_plate()),
    "read": lambda: _has_plate(t.events),
}


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody needs an event: it is not erased."""

    event_id: str
    held_at: str
    """UTC, ``2026-05-01T08:00:00.000000Z``."""
    who: str
    purpose: str


Place = tuple[str, int]
"""Where a look for what is due has come to; ``BEGIN`` at first."""
BEGIN: Final[Place] = ("", 0)


class Retention:
    """Holds, and what is due. All methods may be called from any thread; all raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def store(self) -> Store:
        """The record."""
        return self._store

    def hold(self, holds: Sequence[Hold], audit: str) -> None:
        """Keep events from being erased, in one transaction with its audit entry. Raises UsageError, too: there is no such event."""

        def also(connection: sa.Connection) -> None:
            ids = [hold.event_id for hold in holds]
            known = set(connection.execute(sa.select(t.events.c.event_id).where(t.events.c.event_id.in_(ids))).scalars())
            if missing := [one for one in ids if one not in known]:
                raise UsageError(f"{self._store.name}: there is no event {', '.join(missing)}")
            connection.execute(sa.delete(t.holds).where(t.holds.c.event_id.in_(ids)))
            rows = [{"event_id": h.event_id, "held_at": h.held_at, "who": h.who, "purpose": h.purpose} for h in holds]
            connection.execute(sa.insert(t.holds), rows)

        self._store.append_entries(AUDIT, [audit], also)

    def release(self, event_ids: Sequence[str], audit: str) -> None:
        """Let events go. Raises UsageError, too: one of them is not held."""

        def also(connection: sa.Connection) -> None:
            held = set(connection.execute(sa.select(t.holds.c.event_id).where(t.holds.c.event_id.in_(event_ids))).scalars())
            if missing := [one for one in event_ids if one not in held]:
                raise UsageError(f"{self._store.name}: not held: {', '.join(missing)}")
            connection.execute(sa.delete(t.holds).where(t.holds.c.event_id.in_(event_ids)))

        self._store.append_entries(AUDIT, [audit], also)

    def holds(self) -> list[Hold]:
        """Give what is held, oldest first."""
        columns = (t.holds.c.event_id, t.holds.c.held_at, t.holds.c.who, t.holds.c.purpose)
        with self._store.transaction("read") as connection:
            return [Hold(*row) for row in connection.execute(sa.select(*columns).order_by(t.holds.c.held_at))]

    def due(self, outcome: Outcome, before: str, after: Place = BEGIN, limit: int = PAGE) -> tuple[list[str], Place]:
        """Give events of an outcome that were seen before a time and are not held, and where to go on; in the order of that time.

        Events come again with each of their revisions.
        """
        query = sa.select(t.events.c.best_time, t.events.c.sequence, t.events.c.event_id).where(
            t.events.c.best_time < before, _beyond(t.events.c.best_time, t.events.c.sequence, after), _OF_OUTCOME[outcome](), ~is_held()
        )
        return self._page(query.order_by(t.events.c.best_time, t.events.c.sequence).limit(limit), after)

    def due_of_future(self, outcome: Outcome, seen_after: str, id_before: str, limit: int = PAGE) -> list[str]:
        """Give events that say they were seen later than now (a clock was wrong), but have ids of before a time."""
        query = sa.select(t.events.c.best_time, t.events.c.sequence, t.events.c.event_id).where(
            t.events.c.best_time > seen_after, t.events.c.event_id < id_before, _OF_OUTCOME[outcome](), ~is_held()
        )
        return self._page(query.order_by(t.events.c.best_time, t.events.c.sequence).limit(limit), BEGIN)[0]

    def due_pictures(self, before: str, after: int = 0, limit: int = PAGE) -> tuple[list[str], int]:
        """Give events that have pictures, were seen before a time and are not held, and where to go on; in the order of recording."""
        query = (
            sa.select(t.evidence.c.sequence, t.events.c.event_id)
            .join(t.events, t.events.c.sequence == t.evidence.c.sequence)
            .where(t.evidence.c.sequence > after, t.events.c.best_time < before, ~is_held())
            .order_by(t.evidence.c.sequence)
            .limit(limit)
        )
        with self._store.transaction("read") as connection:
            rows = connection.execute(query).all()
        return _distinct(row.event_id for row in rows), rows[-1].sequence if rows else after

    def count_pictures(self, before: str, going: Sequence[tuple[Outcome, str]] = ()) -> int:
        """Give how many files ``due_pictures`` is about, without those of events that go themselves, by outcome and time."""
        query = (
            sa.select(sa.func.count(t.evidence.c.file.distinct()))
            .join(t.events, t.events.c.sequence == t.evidence.c.sequence)
            .where(t.events.c.best_time < before, ~is_held())
            .where(*(~sa.and_(t.events.c.best_time < cut, _OF_OUTCOME[outcome]()) for outcome, cut in going))
        )
        with self._store.transaction("read") as connection:
            return int(connection.execute(query).scalar_one())

    def due_audit(self, before: str, limit: int = PAGE) -> list[int]:
        """Give the numbers of audit entries of before a time."""
        query = _audit_entries().order_by(t.entries.c.number).limit(limit)
        with self._store.transaction("read") as connection:
            return [int(row.number) for row in connection.execute(query) if json.loads(row.payload)["time"] < before]

    def audits(self) -> Iterator[dict[str, Any]]:
        """Give the audit entries, oldest first, each with its number in the chain as ``entry``."""
        after, more = 0, True
        while more:
            query = _audit_entries().where(t.entries.c.number > after)
            with self._store.transaction("read") as connection:
                rows = connection.execute(query.order_by(t.entries.c.number).limit(PAGE)).all()
            for row in rows:
                yield {"entry": int(row.number), **json.loads(row.payload)}
            after, more = rows[-1].number if rows else after, len(rows) == PAGE

    def revisions(self, event_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Give all revisions of some events, as they were recorded, in order."""
        query = (
            sa.select(t.events.c.sequence, t.entries.c.payload)
            .join(t.events, t.events.c.entry == t.entries.c.number)
            .where(t.entries.c.payload.is_not(None))
        )
        found: dict[int, str] = {}
        with self._store.transaction("read") as connection:
            for start in range(0, len(event_ids), PAGE):
                some = query.where(t.events.c.event_id.in_(event_ids[start : start + PAGE]))
                found |= {row.sequence: row.payload for row in connection.execute(some)}
        return [json.loads(found[sequence]) for sequence in sorted(found)]

    def naming(
        self,
        texts: Collection[str],
        names: Callable[[dict[str, Any], Collection[str]], bool],
        progress: Callable[[int, int], None] = lambda done, all_: None,
    ) -> list[str]:
        """Give the events that name one of some plates in any revision or review.

        Other readings and what was read at first stand in the contents only, so all of these are looked at: it takes as long as it takes
        to read the record from disk.

        Args:
            texts: with O as 0 and I as 1, as ``plates.fold`` writes them.
            names: says whether a content in which one of them occurs somewhere really names it.
            progress: is told how many entries were looked at, of how many.
        """
        of_event = sa.select(t.events.c.event_id, t.entries.c.payload).join(t.entries, t.entries.c.number == t.events.c.entry)
        reviewed = t.reviews.join(t.entries, t.entries.c.number == t.reviews.c.entry).join(t.queue, t.queue.c.id == t.reviews.c.item)
        of_review = sa.select(t.queue.c.event_id, t.entries.c.payload).select_from(reviewed).where(t.queue.c.event_id.is_not(None))
        found: list[str] = []
        last, _ = self._store.head()
        for start in range(0, last, _SCANNED):
            progress(start, last)
            here = t.entries.c.number.between(start + 1, start + _SCANNED)
            with self._store.transaction("read") as connection:
                holds = sa.or_(*(_occurs(text, sqlite=connection.dialect.name == "sqlite") for text in texts))
                rows = [row for query in (of_event, of_review) for row in connection.execute(query.where(here, holds))]
            found += [row.event_id for row in rows if names(json.loads(row.payload), texts)]
        return _distinct(found)

    def _page(self, query: sa.Select[Any], after: Place) -> tuple[list[str], Place]:
        with self._store.transaction("read") as connection:
            rows = connection.execute(query).all()
        return _distinct(row.event_id for row in rows), (rows[-1].best_time, rows[-1].sequence) if rows else after


def _audit_entries() -> sa.Select[Any]:
    """Ask for audit entries by the index of entries that are no events, whose condition has to stand here as it stands there."""
    query = sa.select(t.entries.c.number, t.entries.c.payload).with_hint(t.entries, "INDEXED BY entries_others", "sqlite")
    return query.where(sa.text("kind <> 'event'"), t.entries.c.kind == AUDIT, t.entries.c.payload.is_not(None))


def _occurs(text: str, *, sqlite: bool) -> sa.ColumnElement[bool]:
    """Say whether a folded text, or one that only differs in O for 0 and I for 1, occurs in a payload.

    By GLOB: SQLite's REPLACE, to fold the payload, takes seven times as long.
    """
    pattern = "".join({"0": "[0O]", "1": "[1I]"}.get(one, one) for one in text)
    payload = t.entries.c.payload
    return payload.op("GLOB", is_comparison=True)(f"*{pattern}*") if sqlite else payload.regexp_match(pattern)


def _any_revision_with_plate() -> sa.Exists:
    other = t.events.alias()
    return sa.exists().where(other.c.event_id == t.events.c.event_id, _has_plate(other))


def _has_plate(events: sa.FromClause) -> sa.ColumnElement[bool]:
    """Say whether a revision may hold a plate: decided by the program, or typed by somebody."""
    return sa.or_(events.c.plate.is_not(None), events.c.text.is_not(None))


def is_held() -> sa.Exists:
    """Give the condition that a row of events belongs to an event that is held."""
    return sa.exists().where(t.holds.c.event_id == t.events.c.event_id)


def _beyond(time: sa.ColumnElement[Any], sequence: sa.ColumnElement[Any], after: Place) -> sa.ColumnElement[bool]:
    return sa.and_(time >= after[0], sa.or_(time > after[0], sequence > after[1]))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
