"""Has the chain stamped by an authority outside, from time to time: an authority that is away costs a count and a line in the log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from streamer.config_timestamps import TimestampsConfig
from streamer.errors import StreamerError
from streamer.events import utc_text
from streamer.store import Store
from streamer.store.timestamps import Timestamp, Timestamps

_log = logging.getLogger(__name__)

POLL_S: Final = 5.0
"""How often the length of the chain is looked at."""
FIRST_WAIT_S: Final = 10.0
"""After a failure; twice as long after each further one."""
LONGEST_WAIT_S: Final = 600.0
_LEAVE_S: Final = 1.0


class Says(Protocol):
    """What a timestamp says."""

    @property
    def time(self) -> datetime:
        """Aware."""


class Authority(Protocol):
    """Who stamps, see ``tsaclient.TsaClient``."""

    name: str

    def stamp(self, hash_hex: str) -> tuple[bytes, Any]:
        """Give the answer for the bytes of a hash (hex), checked, and what it says (``Says``). Raises TimestampError."""


@dataclass(frozen=True, slots=True)
class StampState:
    """How it goes."""

    made: int = 0
    errors: int = 0
    failure: str | None = None
    """Why the last attempt failed."""
    last_time: datetime | None = None
    """That the last timestamp says."""
    waiting: int = 0
    """Entries that no timestamp speaks for."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Pace:
    """When the chain is stamped, if it has grown."""

    every_s: float
    every_events: int | None = None
    """Also after so many entries."""


def stamp_head(store: Store, authority: Authority, wanted: Callable[[], bool] = lambda: True) -> Timestamp | None:
    """Have the end of the chain stamped and keep that; None if the last timestamp speaks for all already.

    ``wanted`` says whether the answer is still to be kept when it has come. Raises TimestampError: none could be had; StoreError.
    """
    stamps = Timestamps(store)
    (entry, own), last = store.head(), stamps.last()
    if not entry or (last is not None and last.entry >= entry):
        return None
    answer, said = authority.stamp(own)
    if not wanted():
        return None
    stamp = Timestamp(entry, utc_text(said.time), authority.name, answer)
    stamps.add(stamp)
    return stamp


class Stamper:
    """Decides when, and remembers how it went. ``state`` may be called by any thread, all else by one."""

    def __init__(
        self,
        store: Store,
        authority: Authority,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utc_now,
    ) -> None:
        """``clock`` gives seconds that only grow, ``wall`` now, aware. Raises StoreError."""
        self._store = store
        self._authority = authority
        self._pace = pace
        self._clock = clock
        self._stamps = Timestamps(store)
        last = self._stamps.last()
        since_s = 0.0 if last is None else (wall() - datetime.fromisoformat(last.time)).total_seconds()
        self._stamped_until = 0 if last is None else last.entry
        self._due_at = clock() if last is None else clock() + max(pace.every_s - max(since_s, 0.0), 0.0)
        self._not_before = clock()
        self._failures = 0
        self._ended = threading.Event()
        self._state = StampState(last_time=None if last is None else datetime.fromisoformat(last.time))

    @property
    def state(self) -> StampState:
        """How it goes."""
        return self._state

    def end(self) -> None:
        """Keep nothing that comes from now on: the store may be closed. Any thread."""
        self._ended.set()

    def work(self) -> None:
        """Stamp, if it is time to; what fails is logged once, counted, and tried again later."""
        now = self._clock()
        if now < self._not_before:
            return
        try:
            entry, _ = self._store.head()
            waiting = entry - self._stamped_until
            self._state = replace(self._state, waiting=waiting)
            many = self._pace.every_events is not None and waiting >= self._pace.every_events
            if not waiting or not (many or now >= self._due_at):
                return
            stamp = stamp_head(self._store, self._authority, lambda: not self._ended.is_set())
        except StreamerError as error:
            self._failed(str(error))
            return
        self._due_at = self._clock() + self._pace.every_s
        self._stamped_until = entry
        if stamp is not None:  # else somebody else had it stamped
            self._made(stamp)

    def _made(self, stamp: Timestamp) -> None:
        if self._state.failure is not None:
            _log.info("timestamps are made again: %s", stamp.authority)
        self._failures, self._stamped_until = 0, stamp.entry
        self._state = StampState(self._state.made + 1, self._state.errors, None, datetime.fromisoformat(stamp.time), 0)

    def _failed(self, why: str) -> None:
        self._not_before = self._clock() + min(FIRST_WAIT_S * 2.0 ** min(self._failures, 30), LONGEST_WAIT_S)
        self._failures += 1
        if self._state.failure != why:
            _log.warning("no timestamp of the chain: %s; it is tried again", why)
        self._state = replace(self._state, errors=self._state.errors + 1, failure=why)


class StampThread:
    """Runs a stamper."""

    def __init__(self, stamper: Stamper) -> None:
        self._stamper = stamper
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timestamps", daemon=True)

    def state(self) -> StampState:
        """How it goes. Any thread."""
        return self._stamper.state

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End. An authority that lets us wait is not waited for: what it still says is not kept. Idempotent."""
        self._stamper.end()
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_LEAVE_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stamper.work()
            self._stop.wait(POLL_S)


def stamping_of(section: TimestampsConfig, store: Store) -> StampThread | None:
    """Give what stamps as a configuration says; None if it says nothing. Raises UsageError, MissingPackageError, StoreError."""
    if section.url is None:
        return None
    from streamer.tsaclient import client_of

    return StampThread(Stamper(store, client_of(section), Pace(section.every_s, section.every_events)))
