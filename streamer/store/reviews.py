"""The queue of events that people review, and what they saw there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from streamer.chain import new_salt
from streamer.errors import UsageError
from streamer.events import Event, utc_text
from streamer.review import Candidate, Material, Outcome, Reviewed, Stratum, Truth, allocate, draw, outcome_of
from streamer.store import PAGE, Store
from streamer.store import tables as t
from streamer.store.samples import Span, candidates, check_plates, counts_of, drawn_from, holds, of_days, populations, queued_of


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample that was drawn from one stratum."""

    stratum: Stratum
    population: int
    queued: int
    """Drawn from it before."""
    drawn: int


@dataclass(frozen=True, slots=True)
class Item:
    """An event of the queue."""

    number: int
    event: Event
    """Its last revision."""


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody says about an event of the queue."""

    item: Item
    truth: Truth


class Reviews:
    """The queue. All methods may be called from any thread; all raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def draw(self, span: Span, size: int, seed: str, *, by: str, now: datetime) -> list[Drawn]:
        """Draw events into the queue; sizes and seed are an entry of the chain (``sample``).

        Args:
            span: from which events.
            size: how many to draw; fewer if there are no more.
            seed: the same one draws the same events from the same store.
            by: who asks for it.
            now: aware.

        Returns:
            What was drawn from each stratum; empty if there are no events.

        Raises:
            UsageError: there are more strata than ``size``, or the record holds pseudonyms.
        """
        with self._store.transaction("searched") as connection:
            check_plates(connection)
            sizes = populations(counts_of(connection, span))
            known = set(connection.execute(sa.select(t.queue.c.event_id).where(t.queue.c.event_id.is_not(None))).scalars())
            queued = queued_of(connection, span, erased=False)
            wanted = allocate(sizes, queued, size)
            found = draw((one for one in candidates(connection, span) if one.event_id not in known), wanted, seed)
        drawn = Counter(candidate.stratum for candidate in found)
        strata = [Drawn(one, sizes[one], queued.get(one, 0), drawn[one]) for one in sorted(sizes)]
        if not found:
            return strata
        payload = {
            "seed": seed,
            "strata": [[d.stratum.camera, d.stratum.day, d.stratum.given, d.population, d.drawn] for d in strata],
            "events_sha256": sha256("\n".join(candidate.event_id for candidate in found).encode()).hexdigest(),
            "by": by,
            "time": utc_text(now),
            "salt": new_salt(),
        }
        self._store.append_entries("sample", [_text(payload)], lambda connection: _note_sample(connection, seed, now, strata, found))
        return strata

    def waiting(self, span: Span, limit: int | None = None) -> list[Item]:
        """Give what nobody has reviewed yet, in the order to review it in."""
        reviewed = sa.exists().where(t.reviews.c.item == t.queue.c.id)
        return self._items(span, ~reviewed, limit)

    def all(self, span: Span) -> list[Item]:
        """Give what was drawn and was not erased."""
        return self._items(span, sa.true(), None)

    def count(self, span: Span) -> int:
        """Give how many events were drawn, erased ones included."""
        with self._store.transaction("read") as connection:
            query = sa.select(sa.func.count()).select_from(t.queue).where(*of_days(connection, span, t.queue))
            return int(connection.execute(query).scalar_one())

    def record(self, reviews: Sequence[Review], *, by: str, now: datetime) -> list[Outcome]:
        """Record what people saw, all of it or nothing, as entries of the chain (``review``); a later review of an event holds.

        Raises UsageError: an event was erased meanwhile, or the record holds pseudonyms.
        """
        with self._store.transaction("read") as connection:
            check_plates(connection)
        rows, payloads, outcomes = [], [], []
        at = utc_text(now)
        for review in reviews:
            plate, truth = review.item.event["plate"], review.truth
            outcomes.append(outcome_of(plate, truth))
            said = {"kind": truth.kind, "truth": truth.text, "reason": truth.reason, "outcome": outcomes[-1]}
            rows.append({"item": review.item.number, **said, "reviewer": by, "at": at})
            about = {"event_id": review.item.event["event_id"], "item": review.item.number, "plate": plate}
            payloads.append(_text({**about, **said, "by": by, "time": at, "salt": new_salt()}))
        if rows:
            self._store.append_entries("review", payloads, lambda connection: _note_reviews(connection, rows))
        return outcomes

    def material(self, span: Span) -> Material:
        """Give what a report is made of."""
        with self._store.transaction("read") as connection:
            counts = counts_of(connection, span)
            queued, then = queued_of(connection, span, erased=True), drawn_from(connection, span)
            row, review = t.queue.c, t.reviews.c
            columns = (row.event_id, row.source, row.day, row.given, row.score, row.reason)
            said = (review.outcome, review.reason.label("exclusion"))
            joined = t.queue.outerjoin(t.reviews, sa.and_(review.item == row.id, review.replaced_by.is_(None)))
            query = sa.select(*columns, *said).select_from(joined).where(*of_days(connection, span, t.queue)).order_by(row.id)
            found = connection.execute(query).all()
        now = populations(counts)
        return Material(
            events={one: max(now.get(one, 0), then.get(one, 0)) for one in sorted({*now, *then})},
            queued=queued,
            erased=sum(one.outcome is None and one.event_id is None for one in found),
            reviewed=tuple(
                Reviewed(Stratum(one.source, one.day, one.given), one.score, one.reason, one.outcome, one.exclusion)
                for one in found
                if one.outcome is not None
            ),
            misses={(source, day, reason): events for (source, day, reason), events in counts.items() if reason is not None},
        )

    def misses(self, span: Span) -> Iterator[Event]:
        """Give the passages without a plate, in order of time, page by page."""
        last = ("", 0)
        more = True
        while more:
            with self._store.transaction("read") as connection:
                event = t.events.c
                query = (
                    sa.select(event.best_time, event.sequence, t.entries.c.payload)
                    .join(t.entries, t.entries.c.number == event.entry)
                    .where(event.plate.is_(None), *holds(connection, span), sa.tuple_(event.best_time, event.sequence) > last)
                    .order_by(event.best_time, event.sequence)
                    .limit(PAGE)
                )
                page = connection.execute(query).all()
            for row in page:
                if row.payload is not None:
                    yield json.loads(row.payload)
            more = len(page) == PAGE
            last = (page[-1].best_time, page[-1].sequence) if page else last

    def _items(self, span: Span, where: sa.ColumnElement[bool], limit: int | None) -> list[Item]:
        with self._store.transaction("read") as connection:
            query = (
                sa.select(t.queue.c.id, t.entries.c.payload)
                .join(t.events, sa.and_(t.events.c.event_id == t.queue.c.event_id, t.events.c.replaced_by.is_(None)))
                .join(t.entries, t.entries.c.number == t.events.c.entry)
                .where(where, t.entries.c.payload.is_not(None), *of_days(connection, span, t.queue))
                .order_by(t.queue.c.id)
                .limit(limit)
            )
            return [Item(number, json.loads(payload)) for number, payload in connection.execute(query)]


def _note_sample(connection: sa.Connection, seed: str, now: datetime, strata: Sequence[Drawn], found: Iterable[Candidate]) -> None:
    entry = int(connection.execute(sa.select(t.head.c.entry)).scalar_one())
    connection.execute(sa.insert(t.samples).values(entry=entry, seed=seed, drawn_at=utc_text(now)))
    rows = [{"sample": entry, **_row(d.stratum), "population": d.population, "drawn": d.drawn} for d in strata]
    connection.execute(sa.insert(t.strata), rows)
    queue = [{"sample": entry, "event_id": one.event_id, **_row(one.stratum), "score": one.score, "reason": one.reason} for one in found]
    connection.execute(sa.insert(t.queue), queue)


def _note_reviews(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    first = int(connection.execute(sa.select(t.head.c.entry)).scalar_one()) - len(rows) + 1
    for entry, row in enumerate(rows, first):
        if connection.execute(sa.select(t.queue.c.event_id).where(t.queue.c.id == row["item"])).scalar() is None:
            raise UsageError("an event was erased while it was reviewed: nothing was recorded. Try it again")
        older = (t.reviews.c.item == row["item"], t.reviews.c.replaced_by.is_(None))
        connection.execute(sa.update(t.reviews).where(*older).values(replaced_by=entry))
        connection.execute(sa.insert(t.reviews).values(entry=entry, **row))


def _row(stratum: Stratum) -> dict[str, Any]:
    return {"source": stratum.camera, "day": stratum.day, "given": stratum.given}


def _text(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace").decode()
