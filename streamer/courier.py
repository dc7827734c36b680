"""Brings one sink what the record has after the sink's cursor: at least once, in order. No thread, no waits: those are ``delivery``'s."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Final, Literal

from streamer.errors import RefusedError, SinkError, StoreError
from streamer.outgoing import EventSink, Outgoing, RetryPolicy, SinkActivity, SinkSnapshot, Skipping
from streamer.payloads import without_plates
from streamer.store import StoredEvent
from streamer.store.deliveries import Burial, DeadLetter, Deliveries

_log = logging.getLogger(__name__)

PAGE: Final = 200
"""Events that are read at once."""
SAVE_EVERY_S: Final = 0.5
"""The cursor is written so often at most: a write is as slow as the disk, and what a crash repeats has the same key."""
JITTER: Final = 0.2
"""Waits vary by this share, so that sinks which failed together do not come back in one breath."""
LONGEST_ASKED_S: Final = 3600.0
"""A receiver that asks to be left alone for longer is asked again after so long."""
_MOST_DOUBLINGS: Final = 30

Stop = Callable[[], bool]
"""Says whether there is no time left."""


@dataclass(frozen=True, slots=True)
class Route:
    """A sink, and all that is said about it."""

    name: str
    kind: str
    sink: EventSink
    policy: RetryPolicy
    wants: Callable[[Mapping[str, Any]], bool]
    payload: Callable[[Mapping[str, Any], str], str]
    """Gives what is sent of an event, from it and its line."""
    start: Literal["now", "beginning"] = "now"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Courier:
    """Delivers to one sink. ``tell`` and ``snapshot`` are called by any thread, all else by one."""

    def __init__(
        self,
        route: Route,
        deliveries: Deliveries,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utc_now,
        rng: random.Random | None = None,
        save_every_s: float = SAVE_EVERY_S,
    ) -> None:
        """Take built parts; a sink of a new name gets its place in the store. Raises StoreError."""
        self._save_every_s = save_every_s
        self._route = route
        self._deliveries = deliveries
        self._clock = clock
        self._wall = wall
        self._rng = rng or random.Random()  # noqa: S311 (nothing secret hangs on it)
        self._lock = threading.Lock()
        self._position = self._saved = self._known = deliveries.begin(route.name, route.start)
        self._saved_at = self._since = clock()
        self._page: tuple[tuple[int, datetime], ...] = ()
        self._told_at: datetime | None = None
        self._state: SinkActivity = "starting"
        self._delivered = self._errors = self._failures = 0
        self._dead = deliveries.count_dead().get(route.name, 0)
        self._failure: str | None = None
        self._failing_since: float | None = None
        self._refusals = (0, 0)  # of the event at the head: its sequence number, how often
        self._alone_until = 0

    @property
    def has_to_save(self) -> bool:
        """The cursor is not written yet: ``run`` must come again within ``SAVE_EVERY_S``."""
        return self._position != self._saved

    def tell(self, sequence: int) -> None:
        """Take that the store has events up to this one."""
        with self._lock:
            if sequence > self._known:
                self._told_at = self._told_at if self._known > self._position else self._wall()
                self._known = sequence

    def run(self, stop: Stop) -> float | None:
        """Deliver all that there is; gives how long to wait before the next attempt, seconds, or None if there was no failure."""
        try:
            while not stop():
                if not self._deliver_page(stop):
                    self._guarded(self._route.sink.tend, ())
                    self._settle()
                    break
        except (SinkError, StoreError) as error:
            return self._failed(error)
        return None

    def retry_dead(self, stop: Stop) -> float | None:
        """Send the dead letters once more, in order; gives what ``run`` gives. Those that are refused again stay."""
        after = 0
        try:
            while not stop() and (letters := self._deliveries.dead_letters(self._route.name, after=after)):
                for letter in letters:
                    if stop():
                        break
                    self._retry(letter)
                    after = letter.sequence
        except (SinkError, StoreError) as error:
            return self._failed(error)
        return None

    def end(self) -> None:
        """Write the cursor and let go of the sink."""
        for what in (self._save, self._route.sink.close):
            try:
                what()
            except (SinkError, StoreError) as error:
                _log.warning("sink %s: %s", self._route.name, error)
        with self._lock:
            self._state = "stopped"

    def snapshot(self, *, alive: bool) -> SinkSnapshot:
        """Give how it goes."""
        with self._lock:
            lag = max(self._known - self._position, 0)
            oldest = next((at for sequence, at in self._page if sequence > self._position), self._told_at)
            return SinkSnapshot(
                name=self._route.name,
                kind=self._route.kind,
                state=self._state,
                since_s=self._clock() - self._since,
                lag_events=lag,
                lag_s=max((self._wall() - oldest).total_seconds(), 0.0) if lag and oldest is not None else 0.0,
                delivered=self._delivered,
                errors=self._errors,
                dead_letters=self._dead,
                failure=self._failure,
                alive=alive,
                skipped=self._route.sink.skipped if isinstance(self._route.sink, Skipping) else 0,
            )

    def _deliver_page(self, stop: Stop) -> bool:
        """Deliver the next events; False if there are none. Raises SinkError, StoreError."""
        with self._lock:
            known = self._known
        stored = self._deliveries.store.read_after(self._position, PAGE)
        if not stored:
            self._caught_up(known)
            return False
        last = stored[-1].sequence if len(stored) < PAGE else self._deliveries.store.last_sequence()
        events = [(one, json.loads(one.line)) for one in stored]
        with self._lock:
            self._known = max(self._known, last)
            self._page = tuple((one.sequence, datetime.fromisoformat(event["written_at"])) for one, event in events)
            if self._failure is None:
                self._state = "delivering"
        wanted = [self._outgoing(one, event) for one, event in events if self._route.wants(event)]
        while wanted and not stop():
            size = 1 if self._position < self._alone_until else self._route.sink.batch
            del wanted[: self._send(wanted[:size], wanted)]
        if not wanted:
            with self._lock:
                self._position = max(self._position, stored[-1].sequence)
        self._save_if_due()
        return True

    def _outgoing(self, stored: StoredEvent, event: Mapping[str, Any]) -> Outgoing:
        return Outgoing(stored.sequence, stored.event_id, stored.revision, event, self._route.payload(event, stored.line))

    def _send(self, events: Sequence[Outgoing], rest: Sequence[Outgoing]) -> int:
        """Send some of the ``rest``; gives how many of it are done. Raises SinkError, StoreError."""
        try:
            self._hand_over(events)
        except RefusedError as error:
            if len(events) > 1:
                self._alone_until = events[-1].sequence  # one of them; sent one by one, they tell which
                return 0
            self._refused(events[0], error)
            return 1
        except SinkError as error:
            self._give_up(rest, error)
            raise
        with self._lock:
            self._delivered += len(events)
            self._position = events[-1].sequence
        self._goes_on()
        self._save_if_due()
        return len(events)

    def _hand_over(self, events: Sequence[Outgoing]) -> None:
        """Send. Raises SinkError."""
        self._guarded(lambda: self._route.sink.send(events), [one.event for one in events])

    def _guarded(self, call: Callable[[], None], told: Sequence[Mapping[str, Any]]) -> None:
        """Call the sink. Raises SinkError only, without the plates of what it was told: errors are kept and logged longer than events."""
        try:
            call()
        except SinkError as error:
            raise type(error)(without_plates(str(error), told), retry_after_s=error.retry_after_s) from error
        except Exception as error:  # a library's, or a fault of the program: delivery must go on
            if self._failure is None:
                bare = SinkError(type(error).__name__)  # where it came from, but not what it says
                _log.error("sink %s: unexpected error", self._route.name, exc_info=(SinkError, bare, error.__traceback__))
            raise SinkError(without_plates(f"{type(error).__name__}: {error}", told)) from error

    def _refused(self, event: Outgoing, error: RefusedError) -> None:
        """Count; raises the error unless that was the last time."""
        sequence, before = self._refusals
        attempts = before + 1 if sequence == event.sequence else 1
        self._refusals = (event.sequence, attempts)
        if self._route.policy.on_refusal == "block" or attempts < self._route.policy.refused_attempts:
            raise error
        with self._lock:
            self._errors += 1
        self._bury([Burial(event.sequence, attempts, str(error))])
        self._failures = 0  # it answers

    def _give_up(self, rest: Sequence[Outgoing], error: SinkError) -> None:
        """Bury those at the head that have waited too long."""
        limit, now = self._route.policy.give_up_after_s, self._wall()
        if limit is None or self._failing_since is None or self._clock() - self._failing_since < limit:
            return
        late = takewhile(lambda one: (now - datetime.fromisoformat(one.event["written_at"])).total_seconds() >= limit, rest)
        burials = [Burial(one.sequence, self._failures + 1, str(error)) for one in late]
        if burials:
            self._bury(burials)

    def _bury(self, burials: Sequence[Burial]) -> None:
        name, last = self._route.name, burials[-1].sequence
        self._deliveries.bury(name, burials, sequence=last, at=self._wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        dead = self._deliveries.count_dead().get(name, 0)
        with self._lock:
            self._position = self._saved = last
            self._dead = dead
        _log.warning("sink %s: dead letters: %d more, %d in all: %s", name, len(burials), dead, burials[-1].error)

    def _retry(self, letter: DeadLetter) -> None:
        stored = self._deliveries.event(letter.sequence)
        if stored is not None:
            try:
                self._hand_over([self._outgoing(stored, json.loads(stored.line))])
            except RefusedError as error:
                with self._lock:
                    self._errors += 1
                self._deliveries.refused_again(letter.id, str(error))
                return
            with self._lock:
                self._delivered += 1
        self._deliveries.take_back(letter.id)
        with self._lock:
            self._dead -= 1

    def _save_if_due(self) -> None:
        if self._clock() - self._saved_at >= self._save_every_s:
            self._save()

    def _save(self) -> None:
        if self._position != self._saved:
            self._deliveries.move(self._route.name, self._position)
            self._saved = self._position
        self._saved_at = self._clock()

    def _failed(self, error: SinkError | StoreError) -> float:
        if isinstance(error, SinkError):
            try:
                self._save()  # what it took before
            except StoreError as also:
                _log.debug("sink %s: its cursor is written later: %s", self._route.name, also)
        if self._failure is None:
            _log.error("sink %s fails: %s; trying again", self._route.name, error)
        now = self._clock()
        with self._lock:
            self._errors += 1
            if self._failure is None:
                self._failing_since = self._since = now
            self._state, self._failure = "failing", str(error)
        wait_s = self._route.policy.backoff_min_s * 2.0 ** min(self._failures, _MOST_DOUBLINGS)
        self._failures += 1
        wait_s = min(wait_s * self._rng.uniform(1.0 - JITTER, 1.0 + JITTER), self._route.policy.backoff_max_s)
        asked_s = error.retry_after_s if isinstance(error, SinkError) else None
        return wait_s if asked_s is None else max(wait_s, min(asked_s, LONGEST_ASKED_S))

    def _goes_on(self) -> None:
        self._failures = 0
        if self._failure is not None:
            _log.info("sink %s goes on", self._route.name)
            with self._lock:
                self._state, self._failure, self._failing_since, self._since = "delivering", None, None, self._clock()

    def _settle(self) -> None:
        """Nothing is left to send, so nothing fails."""
        self._goes_on()
        with self._lock:
            self._state = "idle"

    def _caught_up(self, known: int) -> None:
        """Erased events are never read: what was known before the store had nothing is done."""
        self._save_if_due()
        dead = self._deliveries.count_dead().get(self._route.name, 0)  # the command `deliver` takes some back
        with self._lock:
            self._dead = dead
            if self._known == known:
                self._known, self._told_at = self._position, None
            self._page = ()
