"""Forgetting in a whole folder: record, pictures, logs and tables; in small steps between which recording goes on; resumed after a crash.

Of the folder and the logs that are named, nothing is left of what was erased, in no byte of any file: SQLite overwrites what it deletes,
its write-ahead log is cut off, logs and tables are written anew without the lines. What the file system keeps of freed blocks, and what
was delivered elsewhere, is out of reach.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest
from logging import getLogger
from pathlib import Path
from typing import Final

from streamer import linefiles, private
from streamer.errors import StoreError, StreamerError
from streamer.events import utc_text
from streamer.privacy import Limits, before, id_before
from streamer.store import Store
from streamer.store.erasure import Erased, Erasures, Removal
from streamer.store.retention import BEGIN, Outcome, Retention

_log = getLogger(__name__)

BATCH: Final = 100
"""Events, files ... a transaction: some ten milliseconds."""
REST: Final = 1.0
"""After a transaction others have as long a turn, times this."""
LEAST_REST_S: Final = 0.01
LINES: Final = 100_000
"""Revisions whose lines are taken out of the logs in one go."""
IN_HAND_S: Final = 60.0
"""So long after an erasure a sink may still write a line that it had read before: it is looked for again."""
LOCK: Final = ".purge.lock"
LOGS: Final = ("events.jsonl", "events-*.jsonl", "events-*.jsonl.gz", "events-*.csv")
"""The current log first: if it gets another name meanwhile, it is found among those."""

_ID: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ROTATED: Final = re.compile(r"events-\d{8}T\d{6}Z-(\d{10,})\.jsonl(\.gz)?")
_FUTURE_DAYS: Final = 1.0

Pause = Callable[[float], bool]
"""Waits so many seconds; True if it is time to stop."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge erased."""

    without_plate: int = 0
    """Events."""
    reads: int = 0
    """Events."""
    pictures: int = 0
    """Of events that stay."""
    audit: int = 0
    """Entries."""

    @property
    def any(self) -> bool:
        """Whether there was something to do."""
        return bool(self.without_plate or self.reads or self.pictures or self.audit)


class Purge:
    """Forgets in one folder. All methods raise StoreError; what was begun is finished by the next ``finish``."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        pause: Pause,
        logs: Sequence[Path] = (),
        copies: Sequence[str] = (),
    ) -> None:
        """Take the record, its folder, now (aware), how to wait, further folders with logs or tables, and sinks that delete copies."""
        self._store = store
        self._retention = Retention(store)
        self._erasures = Erasures(store, copies)
        self._folder = folder
        self._clock = clock
        self._pause = pause
        self._logs = tuple(dict.fromkeys((folder, *logs)))

    def run(self, limits: Limits) -> Purged:
        """Erase what is due, as far as ``pause`` lets it."""
        done = Purged(
            without_plate=self._events("without_plate", "events_without_plate_days", limits.events_without_plate_days),
            reads=self._events("read", "reads_days", limits.reads_days),
            # hits_days has its place here, once an outcome ``hit`` exists.
            pictures=self._pictures(limits.evidence_days),
            audit=self._audit(limits.audit_days),
        )
        self.finish(forget_after_s=IN_HAND_S)
        return done

    def due(self, limits: Limits) -> Purged:
        """Count what ``run`` would erase."""
        now, found = self._clock(), Purged()
        kinds: tuple[tuple[Outcome, float | None], ...] = (("without_plate", limits.events_without_plate_days), ("read", limits.reads_days))
        counts = {outcome: len({*self._due_events(outcome, now, days)}) if days is not None else 0 for outcome, days in kinds}
        found = replace(found, without_plate=counts["without_plate"], reads=counts["read"])
        if limits.evidence_days is not None:
            going = [(outcome, before(now, days)) for outcome, days in kinds if days is not None]
            found = replace(found, pictures=self._retention.count_pictures(before(now, limits.evidence_days), going))
        if limits.audit_days is not None:
            found = replace(found, audit=len(self._retention.due_audit(before(now, limits.audit_days))))
        return found

    def erase(self, event_ids: Sequence[str], why: str) -> Erased:
        """Erase events, all that is known of them; those that are held or still go on stay, and are counted."""
        revisions = pictures = events = 0
        for start in range(0, len(event_ids), BATCH):
            erased = self._turn(lambda part: self._erasures.erase(part, why, utc_text(self._clock())), event_ids[start : start + BATCH])
            events, revisions, pictures = events + erased.events, revisions + erased.revisions, pictures + erased.pictures
        self.finish(forget_after_s=None)
        return Erased(events, revisions, pictures, kept=len(set(event_ids)) - events)

    def finish(self, *, forget_after_s: float | None) -> None:
        """Delete what erasures left to do outside of the database, those before a crash, too.

        ``forget_after_s``: lines of events that were erased so long ago are in no sink's hands any more (0: no sink runs), and need not
        be looked for again; None: somebody else, who knows all logs, will look again.
        """
        try:
            with self._alone():
                while self._erasures.remove_files(self._delete, BATCH) == BATCH:
                    self._pause(LEAST_REST_S)
                self._clean_logs(forget_after_s)
        except OSError as error:
            raise StoreError(f"{error.filename or self._folder}: cannot be purged: {error.strerror or error}") from error
        if not self._store.flush_log():
            _log.warning(
                "%s: a reader keeps old versions of erased events in the write-ahead log; the next purge tries again", self._folder
            )

    def _events(self, outcome: Outcome, key: str, days: float | None) -> int:
        erased = 0
        if days is not None:
            now, batch = self._clock(), list[str]()
            for event_id in self._due_events(outcome, now, days):
                batch.append(event_id)
                if len(batch) == BATCH:
                    erased += self._batch(batch, key, days)
                    batch = []
                    if self._pause(0.0):
                        return erased
            erased += self._batch(batch, key, days)
        return erased

    def _batch(self, event_ids: Sequence[str], key: str, days: float) -> int:
        if not event_ids:
            return 0
        return self._turn(lambda part: self._erasures.erase(part, f"{key}: {days:g}", utc_text(self._clock())), event_ids).events

    def _due_events(self, outcome: Outcome, now: datetime, days: float) -> Iterator[str]:
        """Give the events that are due; those with several revisions more than once."""
        cut, place = before(now, days), BEGIN
        while not self._pause(0.0):
            ids, place = self._retention.due(outcome, cut, place)
            if not ids:
                break
            yield from ids
        yield from self._retention.due_of_future(outcome, before(now, -_FUTURE_DAYS), id_before(now, days))

    def _pictures(self, days: float | None) -> int:
        erased = after = 0
        why = f"evidence_days: {days}"
        while days is not None and not self._pause(0.0):
            ids, after = self._retention.due_pictures(before(self._clock(), days), after, BATCH)
            if not ids:
                break
            erased += self._turn(lambda part: self._erasures.erase_pictures(part, why, utc_text(self._clock())), ids).pictures
        return erased

    def _audit(self, days: float | None) -> int:
        erased = 0
        while days is not None and not self._pause(0.0):
            now = self._clock()
            numbers = self._retention.due_audit(before(now, days))[:BATCH]
            if not numbers:
                break
            erased += self._erasures.erase_entries(numbers, f"audit_days: {days:g}", utc_text(now)).entries
        return erased

    def _turn(self, erase: Callable[[Sequence[str]], Erased], event_ids: Sequence[str]) -> Erased:
        """Erase, and then let others write."""
        began = time.monotonic()
        erased = erase(event_ids)
        self._pause(max(LEAST_REST_S, REST * (time.monotonic() - began)))
        return erased

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from finishing at the same time; delete what a crash left of a log that was written anew."""
        handle = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private.FILE_MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for folder in filter(Path.is_dir, self._logs):
                with linefiles.changing(folder):
                    for part in (*folder.glob(linefiles.PARTS), *folder.glob(linefiles.PACKING)):
                        part.unlink(missing_ok=True)
            yield
        finally:
            os.close(handle)

    def _delete(self, names: Collection[str]) -> None:
        """Delete evidence, and the folders of days that become empty, for good."""
        files = [self._folder / name for name in names]
        for file in files:
            file.unlink(missing_ok=True)
        for folder in {file.parent for file in files}:
            if folder.is_dir():
                private.sync_folder(folder)

    def _clean_logs(self, forget_after_s: float | None) -> None:
        after = 0
        while removals := self._erasures.removals("lines", LINES, after):
            for folder in self._logs:
                self._clean_folder(folder, removals)
            if forget_after_s is not None:
                limit = utc_text(self._clock() - timedelta(seconds=forget_after_s))
                self._erasures.lines_removed([one for one in removals if one.erased_at <= limit])
            after = removals[-1].id

    def _clean_folder(self, folder: Path, removals: Sequence[Removal]) -> None:
        ids = {removal.name.encode() for removal in removals}
        sequences = sorted(removal.sequence for removal in removals if removal.sequence is not None)

        def gone(line: bytes) -> bool:
            return any(found in ids for found in _ID.findall(line))

        for pattern in LOGS:
            files = sorted(folder.glob(pattern))
            # A file that is compressed meanwhile is found among the next ones.
            for file, following in zip_longest(files, files[1:]):
                if _may_hold(file, following, sequences):
                    while linefiles.drop_lines(file, gone) is None:
                        continue


def _may_hold(file: Path, following: Path | None, sequences: Sequence[int]) -> bool:
    """Say whether a log may have lines of some revisions: rotated files are named after their first one."""
    first, end = _ROTATED.fullmatch(file.name), _ROTATED.fullmatch(following.name) if following is not None else None
    least = int(first[1]) if first else 0
    return any(least <= sequence and (end is None or sequence < int(end[1])) for sequence in sequences)


class PurgeThread:
    """Purges from time to time, in a thread of low priority; what fails is told and tried again the next time."""

    def __init__(self, work: Callable[[Pause], Purged], *, every_s: float) -> None:
        """``work``: purges; is given how to wait. ``every_s``: seconds between two purges."""
        self._work = work
        self._every_s = every_s
        self._stop = threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="purge", daemon=True)

    @property
    def failure(self) -> str | None:
        """Why the last purge failed, in words."""
        return self._failure

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, with a purge."""
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> bool:
        """End after the transaction in progress; False if it took too long."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # of this thread, on Linux
        while not self._stop.is_set():
            try:
                purged = self._work(self._stop.wait)
                if purged.any:
                    _log.info("purged: %s", purged)
                self._failure = None
            except StreamerError as error:
                if self._failure != str(error):
                    _log.error("the purge failed: %s; it is tried again", error)
                self._failure = str(error)
            self._stop.wait(self._every_s)
