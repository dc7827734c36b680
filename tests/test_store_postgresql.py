"""The record in PostgreSQL: found, counted and erased as in SQLite."""

from __future__ import annotations

import random

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.store import Store
from streamer.store.search import Search
from streamer.store.statistics import Span
from streamer.store.tables import metadata
from tests.servers import postgres_server
from tests.test_store_search import counted, erase_all, fill, hour, ids, order, paged, queries, told, wanted


@pytest.fixture(scope="module")
def filled(make_event):
    """A store and the last revisions of its events."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with postgres_server() as server, Store(server.url("postgres")) as store:
        yield store, fill(store, make_event, random.Random(5), 200, 100)  # noqa: S311 (repeatable on purpose)


def test_migrations_make_the_tables_that_the_program_uses(filled):
    with filled[0].transaction("read") as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@settings(max_examples=100)
@given(query=queries(), limit=st.sampled_from((7, 1000)), few=st.booleans())
def test_a_search_finds_what_a_look_at_all_events_finds(filled, query, limit, few):
    store, last = filled
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr("streamer.store.search.MOST_TEXTS", 1)
            patch.setattr("streamer.store.search.FEW_EVENTS", 0)
        found = paged(Search(store), query, limit)
    assert found == ids(sorted((event for event in last if wanted(event, query)), key=lambda event: order(event, query)))


def test_statistics_are_those_of_the_events(filled):
    store, last = filled
    assert told(store, Span(), "day") == counted(last, 10)
    held = [event for event in last if hour(3) <= event["best"]["time"] < hour(40)]
    assert told(store, Span(hour(3), hour(40)), "hour") == counted(held, 13)


def test_what_is_erased_is_counted_nowhere_and_found_nowhere(filled):
    store, last = filled
    erase_all(store, list(last))
