"""Builds what brings events to the sinks of a configuration."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from streamer.config import Config
from streamer.config_sinks import CsvSinkConfig, JsonlSinkConfig, S3SinkConfig, SinkConfig
from streamer.copies import ErasedCopies
from streamer.courier import Courier, Route
from streamer.delivery import SinkThread, SinkThreads
from streamer.errors import UsageError
from streamer.events import event_schema
from streamer.outgoing import EventSink, RetryPolicy
from streamer.payloads import Selection, payload, unknown_path
from streamer.sinks import make_sink
from streamer.store import Store
from streamer.store.deliveries import Deliveries


def build_sinks(config: Config, store: Store, directory: Path) -> SinkThreads:
    """Give the threads of all sinks of a configuration, not started; ``directory`` is that of the log.

    Sinks of a new name get their place in the store. Raises UsageError, MissingPackageError, StoreError.
    """
    check_directories(config, directory)
    deliveries = Deliveries(store)
    threads = []
    for name, section in config.sinks.items():
        sink = make_sink(name, section, tuple(config.cameras), directory=directory, erased=copies_of(name, section, store))
        courier = Courier(route_of(name, section, sink), deliveries)
        threads.append(SinkThread(name, courier, patience_s=sink.patience_s))
    return SinkThreads(threads)


def copies_of(name: str, config: SinkConfig, store: Store) -> ErasedCopies | None:
    """Give what a sink has to delete, None if it deletes nothing."""
    return ErasedCopies(store, name) if isinstance(config, S3SinkConfig) and config.forget else None


def route_of(name: str, config: SinkConfig, sink: EventSink) -> Route:
    """Give the way to a sink. Raises UsageError: its template asks for what no event has."""
    check_template(name, config)
    selection = Selection(
        frozenset(config.filter.states), config.filter.cameras, min_score=config.filter.min_score, with_plate=config.filter.with_plate
    )
    return Route(
        name=name,
        kind=config.type,
        sink=sink,
        policy=RetryPolicy(**config.retry.model_dump()),
        wants=selection.wants,
        payload=partial(payload, config.template),
        start=config.start,
    )


def check_template(name: str, config: SinkConfig) -> None:
    """Raise UsageError if the template of a sink asks for what no event has."""
    known: Sequence[str] = tuple(event_schema()["properties"])
    wrong = unknown_path(config.template, known)
    if wrong is not None:
        near = difflib.get_close_matches(wrong.split(".")[0], known, n=1)
        hint = f"; did you mean {{{near[0]}}}?" if near else f"; there are {', '.join(known)}"
        raise UsageError(f"sinks.{name}.template: {{{wrong}}} is no field of an event{hint}")


def check_directories(config: Config, directory: Path) -> None:
    """Raise UsageError if two sinks, or one and the log, would write the same files."""
    users = {("jsonl", directory.resolve()): "events"}
    for name, section in config.sinks.items():
        if isinstance(section, JsonlSinkConfig | CsvSinkConfig):
            place = (section.type, section.directory.resolve())
            if place in users:
                raise UsageError(f"sinks.{name}.directory: {section.directory} is that of {users[place]}, too; give it one of its own")
            users[place] = f"sinks.{name}"
