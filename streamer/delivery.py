"""Feeds sinks from the store: at least once, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.ports import Sink

if TYPE_CHECKING:
    from streamer.store import Store

BATCH = 200
"""Events a write."""


def deliver_pending(store: Store, sink: Sink, name: str, batch: int = BATCH) -> int:
    """Hand a sink all events that it has not had yet.

    The cursor moves after each write, so events are repeated, never lost, if the program dies in between.

    Args:
        store: where the events are.
        sink: who takes them.
        name: names the sink's cursor in the store.
        batch: events a write at most.

    Returns:
        How many were delivered.

    Raises:
        SinkError: the sink did not take a batch; the next call tries it again.
        StoreError: the store cannot be read or written.
    """
    delivered = 0
    cursor = store.cursor(name)
    while events := store.read_after(cursor, batch):
        sink.write([event.line for event in events])
        cursor = events[-1].sequence
        store.move_cursor(name, cursor)
        delivered += len(events)
    return delivered
