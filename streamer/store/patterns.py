"""Which of the known plates match a pattern with wildcards.

A pattern that begins or ends with letters is a range of an index. One with wildcards at both ends, ``*12CD*``, has its longest part looked
for behind every beginning of one or two characters that there is, and, in the index of texts written backwards, before every end: some
thousand ranges at most, each a step down a tree. What could stand deeper on both sides is longer than ``LONG``, and has its own index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from streamer.search import beyond, like_pattern, literal_ends, skeleton
from streamer.store import tables as t

LEAST_PART: Final = 3
"""Characters of a part that is looked for in its places: shorter ones are in so many plates that going through them finds enough soon."""
DEPTH: Final = 2
"""Characters that may stand before a part, or behind it."""
LONG: Final = 8
"""Texts of more characters have the index ``plates_long``. A shorter one with a part more than ``DEPTH`` from both ends would have
``LEAST_PART + 2 * (DEPTH + 1)`` characters: there is none."""
_LAST: Final = "~"
"""Sorts behind all characters of plates and pseudonyms."""

assert LEAST_PART + 2 * (DEPTH + 1) > LONG


def matching(connection: sa.Connection, pattern: str, most: int) -> list[str] | None:
    """Give the plates that match a cleaned pattern (see ``search.clean_pattern``); None if they are more than ``most``."""
    start, end = literal_ends(pattern)
    part = max(re.split(r"[*?]", pattern), key=len)
    if len(part) < LEAST_PART or max(len(start), len(end)) >= min(len(part), LEAST_PART):
        queries = iter([_anchored(start, end)])
    else:
        queries = _anywhere(skeleton(part), sqlite=connection.dialect.name == "sqlite")
    found: set[str] = set()
    for query in queries:
        some = query.where(matches(connection, t.plates.c.text, pattern)).limit(most + 1)
        found.update(row[0] for row in connection.execute(some))
        if len(found) > most:
            return None
    return sorted(found)


def matches(connection: sa.Connection, column: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    """Compare with a pattern: by GLOB in SQLite, whose LIKE takes four times as long."""
    if connection.dialect.name == "sqlite":
        return column.op("GLOB", is_comparison=True)(pattern)
    return column.like(like_pattern(pattern))


def begins(column: sa.ColumnElement[Any], begin: str) -> list[sa.ColumnElement[bool]]:
    """Say by a range, which an index can be asked for, that a text begins so."""
    return [column >= begin, column < beyond(begin)]


def _anchored(start: str, end: str) -> sa.Select[Any]:
    """Ask for plates by what a pattern begins or ends with; without either, for all of them."""
    query = sa.select(t.plates.c.text)
    if start and len(start) >= len(end):
        return query.where(*begins(t.plates.c.text, start))
    return query.where(*begins(t.plates.c.backwards, skeleton(end)[::-1])) if end else query


def _anywhere(part: str, *, sqlite: bool) -> Iterator[sa.Select[Any]]:
    """Ask for plates by a part of their skeletons, wherever it stands: by all queries together."""
    text = t.plates.c.text
    for column, index, letters in (
        (t.plates.c.skeleton, "plates_skeleton", part),
        (t.plates.c.backwards, "plates_backwards", part[::-1]),
    ):
        yield sa.select(text).where(*begins(column, letters))
        for depth in range(1, DEPTH + 1):
            known = _beginnings(column, depth)
            here = sa.and_(column >= known.c.begin + letters, column < known.c.begin + beyond(letters))
            query = sa.select(text).select_from(known.join(t.plates, here)).where(sa.func.length(known.c.begin) == depth)
            yield query.with_hint(t.plates, f"INDEXED BY {index}", "sqlite") if sqlite else query
    yield sa.select(text).where(sa.text(f"length(text) > {LONG}"))  # as in the index, so that it is taken


def _beginnings(column: sa.ColumnElement[Any], chars: int) -> sa.CTE:
    """Give the different beginnings of a column, each found by one look into its index: DISTINCT would go through all of it."""
    first = sa.select(sa.func.substr(sa.func.min(column), 1, chars).label("begin")).cte("beginnings", recursive=True)
    following = sa.select(sa.func.substr(sa.func.min(column), 1, chars)).where(column > first.c.begin + _LAST).scalar_subquery()
    return first.union_all(sa.select(following).where(first.c.begin.is_not(None)))
