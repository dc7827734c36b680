"""What samples are drawn from: passages by camera, day, and whether they have a plate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import sqlalchemy as sa

from streamer.errors import UsageError
from streamer.events import PSEUDONYM
from streamer.review import Candidate, Stratum
from streamer.store import PAGE
from streamer.store import tables as t
from streamer.store.search import chosen_sources

"""Pseudonyms begin so, see ``privacy.Key``."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which events."""

    since: str | None = None
    """First day, UTC, ``2026-05-01``."""
    until: str | None = None
    """The day after the last one."""
    cameras: tuple[str, ...] = ()
    """Patterns with ``*`` and ``?``; empty: all."""


def holds(connection: sa.Connection, span: Span) -> Iterator[sa.ColumnElement[bool]]:
    """Give what is true of the last revisions of passages that are over."""
    event = t.events.c
    yield event.replaced_by.is_(None)
    yield event.state.in_(("final", "corrected"))
    if span.since is not None:
        yield event.best_time >= span.since
    if span.until is not None:
        yield event.best_time < span.until
    cameras = chosen_sources(connection, span.cameras)
    if cameras is not None:
        yield event.source.in_(cameras)


def of_days(connection: sa.Connection, span: Span, table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
    """Give what is true of the rows of a span in ``queue`` or ``strata``, whose events may be erased."""
    if span.since is not None:
        yield table.c.day >= span.since
    if span.until is not None:
        yield table.c.day < span.until
    if span.cameras:
        patterns = [pattern.encode("utf-8", "backslashreplace").decode() for pattern in span.cameras]
        names = connection.execute(sa.select(table.c.source).distinct()).scalars()
        yield table.c.source.in_([name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)])


def check_plates(connection: sa.Connection) -> None:
    """Raise UsageError if the record holds pseudonyms: the truth cannot be compared with them, and would be a plate in the record."""
    text = t.events.c.text
    # The range is found by the index; LIKE makes it exact whatever the order of the database.
    where = (text >= PSEUDONYM, text < f"{PSEUDONYM[:-1]};", text.like(f"{PSEUDONYM}%"))
    if connection.execute(sa.select(sa.literal(1)).where(*where).limit(1)).first() is not None:
        raise UsageError("the record holds pseudonyms, not plates: nobody can review it, and a typed plate would not be one")


def counts_of(connection: sa.Connection, span: Span) -> dict[tuple[str, str, str | None], int]:
    """Give the number of passages by camera, day and why there is no plate (None: there is one)."""
    event = t.events.c
    day = sa.func.substr(event.best_time, sa.literal_column("1"), sa.literal_column("10"))  # parameters would not be the same in GROUP BY
    missed = sa.case((event.plate.is_not(None), sa.null()), else_=sa.func.coalesce(event.reason, sa.literal_column("'unknown'")))
    query = sa.select(event.source, day, missed, sa.func.count()).where(*holds(connection, span)).group_by(event.source, day, missed)
    return {(source, on, reason): int(count) for source, on, reason, count in connection.execute(query)}


def populations(counts: Mapping[tuple[str, str, str | None], int]) -> dict[Stratum, int]:
    """Give the number of passages of each stratum."""
    sizes: dict[Stratum, int] = {}
    for (source, day, reason), count in counts.items():
        stratum = Stratum(source, day, reason is None)
        sizes[stratum] = sizes.get(stratum, 0) + count
    return sizes


def candidates(connection: sa.Connection, span: Span) -> Iterator[Candidate]:
    """Give the passages of a span, in any order."""
    event = t.events.c
    query = sa.select(event.event_id, event.source, event.best_time, event.plate.is_not(None), event.score, event.reason)
    found = connection.execute(query.where(*holds(connection, span)).execution_options(yield_per=PAGE))
    for event_id, source, time, given, score, reason in found:
        yield Candidate(event_id, Stratum(source, time[:10], bool(given)), score, reason)


def queued_of(connection: sa.Connection, span: Span, *, erased: bool) -> dict[Stratum, int]:
    """Give how many events of each stratum are in the queue, with or without those that were erased since."""
    row = t.queue.c
    query = sa.select(row.source, row.day, row.given, sa.func.count()).where(*of_days(connection, span, t.queue))
    if not erased:
        query = query.where(row.event_id.is_not(None))
    found = connection.execute(query.group_by(row.source, row.day, row.given))
    return {Stratum(source, day, given): int(count) for source, day, given, count in found}


def drawn_from(connection: sa.Connection, span: Span) -> dict[Stratum, int]:
    """Give the population of each stratum when a sample was drawn from it."""
    row = t.strata.c
    query = sa.select(row.source, row.day, row.given, sa.func.max(row.population)).where(*of_days(connection, span, t.strata))
    found = connection.execute(query.group_by(row.source, row.day, row.given))
    return {Stratum(source, day, given): int(count) for source, day, given, count in found}
