"""What flows from the record to a sink, and what is told about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A revision of an event on its way to a sink."""

    sequence: int
    """Of the revision in its store: grows, but with gaps where a filter left something out."""
    event_id: str
    revision: int
    event: Mapping[str, Any]
    """As it was recorded; ``events.event_schema`` tells the fields."""
    payload: str
    """What the sink's template makes of it: one JSON object without a line end; without a template, the event as it was recorded."""

    @property
    def key(self) -> str:
        """Name of the revision, the same however often it is sent: a receiver that honours it takes nothing twice."""
        return f"{self.event_id}-{self.revision}"


class EventSink(Protocol):
    """Where events go, as a sink's thread uses it. Only that thread calls it.

    Making one connects to nothing: ``tend`` and ``send`` do, and again after a failure.
    """

    @property
    def batch(self) -> int:
        """Revisions that ``send`` takes at once, at most; 1 where each is acknowledged alone."""

    @property
    def patience_s(self) -> float:
        """How long ``send``, ``tend`` or ``close`` may take when nobody answers, seconds."""

    def send(self, events: Sequence[Outgoing]) -> None:
        """Send revisions, in order; returns when the receiver has them. What was sent once may come again.

        Raises:
            RefusedError: the receiver will not take one of these revisions, however often it is sent.
            SinkError: they, or some of them, could not be sent now.
        """

    def tend(self) -> None:
        """Keep a connection, write what waits: called every few seconds while there is nothing to send. Raises SinkError."""

    def close(self) -> None:
        """Let go of everything. Idempotent; ``send`` may come again all the same. Raises SinkError."""


@runtime_checkable
class Skipping(Protocol):
    """A sink that leaves out what was erased before it could be sent, and counts it."""

    skipped: int
    """Since the program began."""


@dataclass(frozen=True, slots=True)
class ErasedCopy:
    """An event, or its pictures, that was erased here, and whose copies a sink is to delete."""

    id: int
    event_id: str
    source: str
    pictures_only: bool
    """The event stays."""
    erased_at: str
    """UTC, as in the event."""


class Copies(Protocol):
    """What a sink that deletes copies has to do. Raises StoreError."""

    def due(self, limit: int, after: int) -> Sequence[ErasedCopy]:
        """Give what was erased, oldest first, with ids above ``after``."""

    def done(self, copies: Sequence[ErasedCopy]) -> None:
        """Take that there is nothing of it left, and nothing can come any more."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What happens to what a sink does not take."""

    backoff_min_s: float = 0.5
    backoff_max_s: float = 60.0
    """Waits between attempts double from the one to the other."""
    give_up_after_s: float | None = None
    """A revision that has waited so long for a sink that fails becomes a dead letter; None: the sink is waited for, for ever, in order."""
    on_refusal: Literal["dead_letter", "block"] = "dead_letter"
    """``block``: a revision that the sink refuses holds up those behind it until the sink takes it."""
    refused_attempts: int = 3
    """A revision that was refused so often becomes a dead letter."""


SinkActivity = Literal["starting", "idle", "delivering", "failing", "stopped"]
"""``failing``: the last attempt failed, another one comes."""


@dataclass(frozen=True, slots=True)
class SinkSnapshot:
    """One moment of a sink."""

    name: str
    kind: str
    """``webhook``, ``mqtt``, ..."""
    state: SinkActivity
    since_s: float
    """Seconds since it began or stopped to fail."""
    lag_events: int
    """Revisions in the store that it has not had; those that its filter will leave out count until they are looked at."""
    lag_s: float
    """How long ago the oldest of them was recorded, seconds; 0.0 if there is none."""
    delivered: int
    """Since the program began; revisions that were sent twice count once."""
    errors: int
    """Attempts that failed."""
    dead_letters: int
    """Revisions that were given up, and are kept."""
    failure: str | None
    """Why it fails, in words, without credentials; None while it does not."""
    alive: bool
    """Its thread runs."""
    skipped: int = 0
    """Files of evidence that were erased before they could be sent."""
