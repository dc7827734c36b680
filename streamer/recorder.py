"""Passages to durable events: the evidence first, then one transaction, then the log is fed from the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

from streamer.chain import new_salt
from streamer.configentry import CONFIGURATION, Configuration, payload_of
from streamer.delivery import deliver_pending
from streamer.errors import DiskFullError
from streamer.events import Event, EventMaker, EvidenceFile, Making, Place, event_of
from streamer.evidence import EvidenceFolder
from streamer.ports import Sink
from streamer.revisions import interrupted
from streamer.shedding import Shed, Shedding
from streamer.store import Store, new_event_id
from streamer.types import Passage

HostClock = Callable[[], dict[str, object] | None]
"""Gives what is known about this machine's clock, as it stands in live events; None where nobody asked."""


class Clips(Protocol):
    """Who adds clips to passages, see ``lateclips``."""

    def with_clip(self, passage: Passage) -> Passage:
        """Give the passage with its clip, if there is one already; ``recorded`` follows."""

    def recorded(self, passage: Passage, event: Event) -> None:
        """Take note that the passage is in the record, as this event."""


Disclose = Callable[[Passage], Passage | None]
"""Gives what of a passage may be recorded, see ``privacy.Disclosure``."""

LOG_CURSOR = "jsonl"
"""Name of the log's place in the store."""


class Recorder:
    """Records passages. What ``record`` has returned for survives a crash. For one thread."""

    def __init__(
        self,
        store: Store,
        evidence: EvidenceFolder,
        sink: Sink,
        making: Making,
        *,
        configuration: Configuration | None = None,
        states: Literal["final", "all"],
        clock: Callable[[], datetime],
        host_clock: HostClock = lambda: None,
        disclose: Disclose = lambda passage: passage,
        left_out: Callable[[Passage], None] = lambda passage: None,
        shedding: Shedding | None = None,
        clips: Clips | None = None,
    ) -> None:
        """Take built parts.

        ``configuration``: the settings in use, which become an entry of the chain; ``states``: which passages are recorded; ``clock``
        gives now, aware.

        ``disclose`` gives a passage as it may be recorded, None if not at all; ``left_out`` is told of those, to count them;
        ``clips`` adds clips to those that are over.

        ``shedding`` says which evidence is left out when the disk gets full; without it, none is.

        What an earlier run left is put in order: pictures without an event deleted, open previews withdrawn, the rest delivered.
        Raises StoreError, SinkError.
        """
        self._store = store
        self._evidence = evidence
        self._sink = sink
        self._making = making
        self._in_use = configuration
        self._noted: Configuration | None = None
        self._states = states
        self._clock = clock
        self._host_clock = host_clock
        self._shedding = shedding or Shedding(0, lambda: 0)
        self._disclose = disclose
        self._left_out = left_out
        self._clips = clips
        self._open: dict[tuple[str, str], tuple[str, int]] = {}
        """Id and last revision of the events whose passages go on, by source and passage."""
        self._evidence.recover(store.recorded_files)
        self._withdraw_open()
        self.deliver()

    def record(self, passages: Sequence[Passage]) -> list[Event]:
        """Record passages and write them to the log; gives their events, in order. Raises StoreError or SinkError."""
        events = self.append(passages)
        self.deliver()
        return events

    def adopt(self, configuration: Configuration) -> None:
        """Take note that other settings are in use from now on. Any thread."""
        self._in_use = configuration

    def append(self, passages: Sequence[Passage]) -> list[Event]:
        """Record passages, without writing them to the log; gives their events, in order. Raises StoreError: none of them was recorded."""
        asked = [passage for passage in passages if self._states == "all" or passage.state == "final"]
        shown = [self._disclose(passage) for passage in asked]
        wanted = [self._clips.with_clip(passage) if self._clips else passage for passage in shown if passage is not None]
        making = self._with_configuration() if wanted else self._making
        going_on = dict(self._open)
        makers: list[EventMaker] = []
        saved = self._saved(wanted)
        for passage, (pictures, shed) in zip(wanted, saved, strict=True):
            key = (passage.source_id, passage.key)
            event_id, before = going_on.pop(key) if key in going_on else (new_event_id(), 0)
            if passage.state == "preview":
                going_on[key] = (event_id, before + 1)
            makers.append(partial(self._event, making, passage, pictures, shed, event_id, before + 1))
        events = self._store.append(makers)
        self._evidence.settled()
        for _, shed in saved:
            self._shedding.count(shed)
        self._open = going_on
        if self._clips is not None:
            for passage, event in zip(wanted, events, strict=True):
                self._clips.recorded(passage, event)
        for passage, kept in zip(asked, shown, strict=True):
            if kept is None:
                self._left_out(passage)
        return events

    def _saved(self, passages: Sequence[Passage]) -> list[tuple[list[EvidenceFile], tuple[Shed, ...]]]:
        """Save what there is room for of the evidence; gives it with what was left out. Raises StoreError."""
        trimmed = self._shedding.trim(passages)
        try:
            files = self._evidence.save([passage for passage, _ in trimmed])
        except DiskFullError as error:
            if self._shedding.found_full(error):
                return self._saved(passages)
            raise
        return [(pictures, shed) for pictures, (_, shed) in zip(files, trimmed, strict=True)]

    def _with_configuration(self) -> Making:
        """Have the settings in use in the chain before the events that name them. Raises StoreError."""
        configuration = self._in_use
        if configuration is None:
            return self._making
        if configuration != self._noted:
            version, now = self._making.program_version, self._clock()
            self._store.append_entries(CONFIGURATION, [payload_of(configuration, program_version=version, salt=new_salt(), written_at=now)])
            self._noted, self._making = configuration, replace(self._making, configuration=configuration.sha256)
        return self._making

    def _event(
        self,
        making: Making,
        passage: Passage,
        pictures: Sequence[EvidenceFile],
        shed: Sequence[Shed],
        event_id: str,
        revision: int,
        place: Place,
    ) -> Event:
        self._evidence.check(pictures)
        return event_of(
            passage,
            place,
            making,
            event_id=event_id,
            revision=revision,
            evidence=pictures,
            shed=[(one.kind, one.why) for one in shed],
            salt=new_salt(),
            written_at=self._clock(),
            host_clock=self._host_clock(),
        )

    def _withdraw_open(self) -> None:
        """Nobody will follow them to their end: sessions of an earlier run do not come back."""
        previews = [json.loads(stored.line) for stored in self._store.open_previews()]
        self._store.append([partial(_withdrawn, preview, self._clock()) for preview in previews])

    def deliver(self) -> None:
        """Write to the log what is recorded and not in it yet. Raises SinkError, StoreError; the next call tries it again."""
        deliver_pending(self._store, self._sink, LOG_CURSOR)


def _withdrawn(preview: Event, now: datetime, place: Place) -> Event:
    return interrupted(preview, place, salt=new_salt(), written_at=now)
