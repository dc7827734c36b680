"""What a store says of many events at once: how many, when, where, how sure, why not, and how often the same plate.

Whole days are read from tallies that triggers keep; of what is left at both ends of a span the events themselves are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa

from streamer.store import Store
from streamer.store import tables as t
from streamer.store.search import chosen_sources

Period = Literal["hour", "day", "month", "hour_of_day"]
BUCKETS: Final = 20
"""Of scores."""
VISITS: Final = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""Classes of how often a plate was seen: from, to (None: and more)."""
VISITED: Final = 200_000
"""Events of a span whose plates are counted without being asked to."""
FREQUENT: Final = 10
"""Plates that were seen so often have an index."""
TYPED: Final = "typed"


@dataclass(slots=True)
class _Counts:
    """Events by period and camera, and by kind and value as in the table of tallies."""

    periods: Counter[tuple[str, str]] = field(default_factory=Counter)
    others: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: _Counts) -> None:
        self.periods.update(other.periods)
        self.others.update(other.others)


@dataclass(frozen=True, slots=True)
class Span:
    """Which events are counted. Without withdrawn ones, each as its last revision has it."""

    since: str | None = None
    """UTC as in events, inclusive."""
    until: str | None = None
    """Exclusive."""
    cameras: tuple[str, ...] = ()
    """Patterns with ``*`` and ``?``; empty: all."""


@dataclass(frozen=True, slots=True)
class Visitors:
    """How often the same plate was seen."""

    plates: int
    """Different ones."""
    by_times: Mapping[int, int]
    """How many plates were seen so often."""
    most: Sequence[tuple[str, int]]
    """The plates that were seen most often, and how often."""

    @property
    def repeated(self) -> int:
        """How many plates were seen more than once."""
        return self.plates - self.by_times.get(1, 0)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of events."""

    events: int
    by_period: Mapping[tuple[str, str], int]
    """By period (``2026-05-01T08``, ``2026-05-01``, ``2026-05`` or, of hours of the day, ``08``; UTC) and camera."""
    by_score: Sequence[int]
    """``BUCKETS`` of equal width from 0 to 1."""
    typed: int
    """Whose plate only people could read: it has no score."""
    by_reason: Mapping[str, int]
    """Without a plate, and why; ``corrected``: somebody says that none can be read."""
    by_country: Mapping[str, int]
    """Of those with a plate; empty text: not known."""
    visitors: Visitors | None
    """None: not counted, see ``StatisticsOf.count``."""


class StatisticsOf:
    """Counts what is in a store, which may be open for reading only. All methods may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self, span: Span, *, by: Period = "day", most: int = 0, visitors: bool = False) -> Statistics:
        """Count events.

        Args:
            span: which.
            by: periods that are counted.
            most: how many of the plates that were seen most often are named.
            visitors: count visitors whatever time it takes. Those of everything are known; those of a span take seconds for each some
                hundred thousand events, and without this are counted up to ``VISITED`` events only.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._store.transaction("searched") as connection:
            sources = chosen_sources(connection, span.cameras)
            counts = _counts(connection, span, sources, by)
            whole = span.since is None and span.until is None and sources is None
            seen: Visitors | None = None
            if whole:
                seen = _all_visitors(connection, most)
            elif visitors or counts.periods.total() <= VISITED:
                seen = _visitors(connection, span, sources, most)
        return _statistics(counts, seen)

    def ends(self) -> tuple[str, str] | None:
        """Give the times of the first and of the last event; None if there is none. Raises StoreError."""
        time = t.events.c.best_time
        with self._store.transaction("searched") as connection:
            first = connection.execute(sa.select(sa.func.min(time))).scalar_one()
            last = connection.execute(sa.select(sa.func.max(time))).scalar_one()
        return None if first is None else (str(first), str(last))


def _counts(connection: sa.Connection, span: Span, sources: Sequence[str] | None, by: Period) -> _Counts:
    """Count by tallies where whole days are asked for, else by events."""
    first = None if span.since is None else _day_from(span.since)
    last = None if span.until is None else span.until[:10]
    if first is not None and last is not None and first >= last:
        return _of_events(connection, span.since, span.until, sources, by)
    counts = _of_tallies(connection, first, last, sources, by)
    if span.since is not None and first != span.since[:10]:
        counts.add(_of_events(connection, span.since, first, sources, by))
    if span.until is not None and last is not None:
        counts.add(_of_events(connection, last, span.until, sources, by))
    return counts


def _day_from(since: str) -> str:
    """Give the first whole day from a time on."""
    day = since[:10]
    return day if since == f"{day}T00:00:00.000000Z" else (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _of_tallies(connection: sa.Connection, first: str | None, last: str | None, sources: Sequence[str] | None, by: Period) -> _Counts:
    """Count the events of whole days: from the first on, before the last one."""
    tally = t.tallies.c
    where = [] if first is None else [tally.day >= first]
    where += [] if last is None else [tally.day < last]
    where += [] if sources is None else [tally.source.in_(sources)]
    others = sa.select(tally.kind, tally.value, sa.func.sum(tally.events))
    others = others.where(*where, tally.kind != "hour").group_by(tally.kind, tally.value)
    return _Counts(
        Counter(_periods(connection, [*where, tally.kind == "hour"], by)),
        Counter({(kind, value): int(events) for kind, value, events in connection.execute(others)}),
    )


def _periods(connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]], by: Period) -> dict[tuple[str, str], int]:
    """Give the tallies of hours by period and camera."""
    tally = t.tallies.c
    if by != "hour":
        period = {"day": tally.day, "month": sa.func.substr(tally.day, 1, 7), "hour_of_day": tally.value}[by]
        query = sa.select(period, tally.source, sa.func.sum(tally.events)).where(*where)
        rows = connection.execute(query.group_by(sa.literal_column("1"), sa.literal_column("2")))
        return {(period, source): int(events) for period, source, events in rows}
    # Years have hundreds of thousands of hours and cameras: a row for a day and camera takes a third of the time of one for each hour.
    hours = sa.func.aggregate_strings(tally.value + "=" + sa.cast(tally.events, sa.Text), ",")
    days = sa.select(tally.day, tally.source, hours).where(*where).group_by(tally.day, tally.source).order_by(tally.day, tally.source)
    found: dict[tuple[str, str], int] = {}
    names: dict[str, str] = {}
    for day, source, told in connection.execute(days).all():
        if names.get("00") != f"{day}T00":
            names = {f"{hour:02d}": f"{day}T{hour:02d}" for hour in range(24)}
        for one in told.split(","):
            found[names[one[:2]], source] = int(one[3:])
    return found


def _of_events(connection: sa.Connection, since: str | None, until: str | None, sources: Sequence[str] | None, by: Period) -> _Counts:
    """Count the events themselves; times may be days."""
    event = t.events.c
    hour = sa.func.substr(event.best_time, 1, 13)
    twentieth = sa.cast(sa.func.round(event.score * 10_000), sa.Integer).op("/")(10_000 // BUCKETS)
    keys = (hour, event.source, event.text.is_(None), twentieth, event.reason, event.country)
    query = sa.select(*keys, sa.func.count()).where(*_held(since, until, sources))
    counts = _Counts()
    for moment, source, plateless, score, reason, country, number in connection.execute(_indexed(query, sources).group_by(*keys)):
        counts.periods[_period(moment, by), source] += number
        for kind, value in _kinds(plateless, score, reason, country):
            counts.others[kind, value] += number
    return counts


def _kinds(plateless: bool, score: int | None, reason: str | None, country: str | None) -> Iterator[tuple[str, str]]:
    """Give what an event is counted as, in the words of tallies."""
    if plateless:
        yield "reason", reason or "corrected"
    else:
        yield "score", TYPED if score is None else str(score)
        yield "country", country or ""


def _held(since: str | None, until: str | None, sources: Sequence[str] | None) -> Iterator[sa.ColumnElement[bool]]:
    event = t.events.c
    yield event.replaced_by.is_(None)
    yield event.state != "withdrawn"
    if since is not None:
        yield event.best_time >= since
    if until is not None:
        yield event.best_time < until
    if sources is not None:
        yield event.source.in_(sources)


def _indexed(query: sa.Select[Any], sources: Sequence[str] | None) -> sa.Select[Any]:
    return query.with_hint(t.events, f"INDEXED BY {'events_best_time' if sources is None else 'events_source'}", "sqlite")


def _all_visitors(connection: sa.Connection, most: int) -> Visitors:
    """Count by what triggers keep."""
    by_times = {row.times: int(row.plates) for row in connection.execute(sa.select(t.visits).where(t.visits.c.plates > 0))}
    if not most:
        return Visitors(sum(by_times.values()), by_times, ())
    plate = t.plates.c
    least = _least_of(by_times, most)
    query = sa.select(plate.text, plate.visits).where(plate.visits >= least).order_by(plate.visits.desc(), plate.text).limit(most)
    if least >= FREQUENT:
        # Written as in the index of frequent plates, so that it is taken; few are in it.
        query = query.where(sa.text(f"visits >= {FREQUENT}"))
    return Visitors(sum(by_times.values()), by_times, [(row.text, int(row.visits)) for row in connection.execute(query)])


def _least_of(by_times: Mapping[int, int], most: int) -> int:
    """Give how often the plates were seen at least that are among those that were seen most often."""
    seen = 0
    for times in sorted(by_times, reverse=True):
        seen += by_times[times]
        if seen >= most:
            return times
    return 1


def _visitors(connection: sa.Connection, span: Span, sources: Sequence[str] | None, most: int) -> Visitors:
    """Count the plates of a span; it takes as long as there are events in it."""
    event = t.events.c
    query = sa.select(event.text, sa.func.count().label("times")).where(event.text.is_not(None), *_held(span.since, span.until, sources))
    times = _indexed(query, sources).group_by(event.text).subquery()
    by_times = {row[0]: int(row[1]) for row in connection.execute(sa.select(times.c.times, sa.func.count()).group_by(times.c.times))}
    named: list[tuple[str, int]] = []
    if most:
        ranked = sa.select(times).where(times.c.times >= _least_of(by_times, most)).order_by(times.c.times.desc(), times.c.text).limit(most)
        named = [(row.text, int(row.times)) for row in connection.execute(ranked)]
    return Visitors(sum(by_times.values()), by_times, named)


def _statistics(counts: _Counts, visitors: Visitors | None) -> Statistics:
    by_score, others = [0] * BUCKETS, {"reason": Counter[str](), "country": Counter[str]()}
    typed = 0
    for (kind, value), events in counts.others.items():
        if kind != "score":
            others[kind][value] += events
        elif value == TYPED:
            typed += events
        else:
            by_score[min(int(value), BUCKETS - 1)] += events
    return Statistics(
        events=counts.periods.total(),
        by_period={key: counts.periods[key] for key in sorted(counts.periods)},
        by_score=by_score,
        typed=typed,
        by_reason=dict(others["reason"].most_common()),
        by_country=dict(others["country"].most_common()),
        visitors=visitors,
    )


def _period(hour: str, by: Period) -> str:
    """Give the period that an hour (``2026-05-01T08``) is in."""
    return {"hour": hour, "day": hour[:10], "month": hour[:7], "hour_of_day": hour[11:]}[by]
