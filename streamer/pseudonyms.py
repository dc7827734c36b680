"""How a plate is found in a record that holds pseudonyms: by the keys that are still held, and as a whole only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from streamer.errors import UsageError
from streamer.privacy import KeyRing
from streamer.search import is_pattern
from streamer.store.query import Query
from streamer.store.search import Search

WHOLE: Final = "this record holds pseudonyms, which wildcards and --fuzzy cannot find: give the whole plate"
NO_KEYS: Final = "this record holds pseudonyms, and their keys are not beside it: name the configuration (privacy.key_file) with --config"


def by_pseudonym(query: Query, search: Search, keys: KeyRing | None) -> tuple[Query, str | None]:
    """Give the query that finds a plate by its pseudonyms, too, and what people must know: what cannot be found.

    Args:
        query: what was asked for.
        search: in the record.
        keys: those that are held; None: there is no file of keys.

    Raises:
        UsageError: nothing could be found at all.
        StoreError: the record cannot be read.
    """
    ids = search.pseudonym_keys() if query.plate is not None else []
    if query.plate is None or not ids:
        return query, None
    if is_pattern(query.plate) or query.edits is not None:
        return query, _unless_nothing_else(search, WHOLE)
    if keys is None:
        return query, _unless_nothing_else(search, NO_KEYS)
    return replace(query, pseudonyms=keys.pseudonyms("event", query.plate)), given_up(ids, keys)


def given_up(ids: Sequence[str], keys: KeyRing | None) -> str | None:
    """Say that there are pseudonyms by keys that are not held any more; None if there are none.

    ``ids``: of the keys that a record's pseudonyms are by.
    """
    lost = set(ids) - {key.id for key in keys.keys} if keys is not None else set(ids)
    if not lost:
        return None
    which = "a key that is" if len(lost) == 1 else f"{len(lost)} keys that are"
    return f"pseudonyms by {which} not held any more cannot be found: nobody knows whose they are"


def _unless_nothing_else(search: Search, what: str) -> str:
    if not search.has_plates():
        raise UsageError(what)
    return f"{what}; events with plates are searched"
