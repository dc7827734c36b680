"""Passages to durable events: the evidence first, then one transaction, then the log is fed from the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from streamer.delivery import deliver_pending
from streamer.events import Event, event_of
from streamer.evidence import Evidence, EvidenceFolder
from streamer.ports import Sink
from streamer.store import Store, new_event_id
from streamer.types import ModelInfo, Passage

HostClock = Callable[[], dict[str, object] | None]
"""Gives what is known about this machine's clock, as it stands in live events; None where nobody asked."""

LOG_CURSOR = "jsonl"
"""Name of the log's place in the store."""


class Recorder:
    """Records passages. What ``record`` has returned for survives a crash."""

    def __init__(
        self,
        store: Store,
        evidence: EvidenceFolder,
        sink: Sink,
        *,
        detector: ModelInfo,
        reader: ModelInfo,
        states: Literal["final", "all"],
        program_version: str,
        clock: Callable[[], datetime],
        host_clock: HostClock = lambda: None,
    ) -> None:
        """Take built parts; ``states``: which passages are recorded; ``clock`` gives now, aware. Delivers what an earlier run left."""
        self._store = store
        self._evidence = evidence
        self._sink = sink
        self._detector = detector
        self._reader = reader
        self._states = states
        self._program_version = program_version
        self._clock = clock
        self._host_clock = host_clock
        self.deliver()

    def record(self, passages: Sequence[Passage]) -> list[Event]:
        """Record passages and write them to the log; gives their events, in order. Raises StoreError or SinkError."""
        events = self.append(passages)
        self.deliver()
        return events

    def append(self, passages: Sequence[Passage]) -> list[Event]:
        """Record passages, without writing them to the log; gives their events, in order. Raises StoreError: none of them was recorded."""
        wanted = [passage for passage in passages if self._states == "all" or passage.state == "final"]
        events: list[Event] = []
        if not wanted:
            return events

        def make(passage: Passage, crop: Evidence, sequence: int) -> Event:
            event = event_of(
                passage,
                event_id=new_event_id(),
                sequence=sequence,
                detector=self._detector,
                reader=self._reader,
                crop_file=crop.file,
                crop_sha256=crop.sha256,
                program_version=self._program_version,
                written_at=self._clock(),
                host_clock=self._host_clock(),
            )
            events.append(event)
            return event

        self._store.append([partial(make, passage, self._evidence.save(passage)) for passage in wanted])
        return events

    def deliver(self) -> None:
        """Write to the log what is recorded and not in it yet. Raises SinkError, StoreError; the next call tries it again."""
        deliver_pending(self._store, self._sink, LOG_CURSOR)
