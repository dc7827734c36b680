"""The event log: ``events.jsonl``, one event a line, only ever whole lines, each event once."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streamer import linefiles, private
from streamer.config import EventsConfig
from streamer.errors import SinkError
from streamer.sinks.logfiles import tidy

_log = logging.getLogger(__name__)

CURRENT: Final = "events.jsonl"
ROTATED: Final = "events-*.jsonl"

TAIL_BYTES: Final = 4 * 2**20
"""How far back a sink looks for events that it already has: more than one delivery batch takes."""

_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Line:
    """What the sink needs to know of an event."""

    text: bytes
    """With its line end."""
    key: tuple[str, int]
    """Id and revision."""
    sequence: int
    state: str
    written_at: datetime


class JsonlSink:
    """Appends events to ``events.jsonl`` in a folder. One process and one thread at a time.

    A file that is full or, if wanted, of an earlier UTC day than the next event (by ``written_at``) is renamed to
    ``events-<time>-<sequence>.jsonl`` after the writing time and the sequence number of its first event, so the names sort in the
    order of the events.

    Erased events may be taken out of it by another thread or process, see ``linefiles``.

    An event that comes again because the program died before it noted the delivery is not written again.
    """

    def __init__(
        self,
        directory: Path,
        config: EventsConfig,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the log, and mend its end if a crash or a full disk tore the last line.

        Args:
            directory: made if it is not there.
            config: its ``states``, ``flush...``, ``rotate...``, ``compress`` and ``keep_days``.
            monotonic: gives seconds, for the flush interval.
            wall: gives now, aware, for the age of files.

        Raises:
            SinkError: the log cannot be opened or is no event log, or another process has it open.
        """
        self._directory = directory
        self._file = directory / CURRENT
        self._config = config
        self._monotonic = monotonic
        self._wall = wall
        self._flushed_at = monotonic()
        self._dirty = False
        self._handle: int | None = None
        self._size = 0
        self._first: _Line | None = None
        self._seen: set[tuple[str, int]] = set()
        try:
            private.make_folder(directory)
            with linefiles.changing(directory):
                self._open()
                self._seen = self._recent_keys()
                self._tidy()
        except OSError as error:
            self._release()
            raise self._error("opened", error) from error
        except SinkError:
            self._release()
            raise

    def write(self, lines: Sequence[str]) -> None:
        """Append events.

        Takes all or, if it raises, a whole number of them, which it knows when they come again. Without lines only a flush that is
        due happens. After ``close`` it opens the log again.

        Raises:
            SinkError: the disk is full or failed, or a line is no event. No half line stays.
        """
        try:
            events = [_parse(line.encode()) for line in lines]
        except ValueError as error:
            raise SinkError(f"{self._file}: will not take a line that is no event: {error}") from error
        wanted = [event for event in events if event.key not in self._seen and self._wants(event)]
        try:
            with linefiles.changing(self._directory):
                if self._handle is not None and linefiles.replaced(self._handle, self._file):
                    self._release()  # somebody took lines out of it
                if self._handle is None:
                    self._open()
                self._append_all(wanted)
        except OSError as error:
            raise self._error("written", error) from error
        if wanted:
            # Nothing older comes again after an event that is new: deliveries are in order.
            self._seen = {event.key for event in events}

    def _wants(self, event: _Line) -> bool:
        return self._config.states == "all" or event.state in ("final", "corrected")

    def _append_all(self, rest: Sequence[_Line]) -> None:
        while rest:
            count = self._how_many_fit(rest)
            if count == 0:
                self._rotate()
                continue
            self._append(rest[:count])
            self._seen.update(event.key for event in rest[:count])
            rest = rest[count:]
        if self._dirty and self._flush_is_due():
            self._flush()

    def close(self) -> None:
        """Force everything to disk and let go. Idempotent. Raises SinkError."""
        try:
            if self._dirty:
                self._flush()
        except OSError as error:
            raise self._error("written", error) from error
        finally:
            self._release()

    def _open(self) -> None:
        is_new = not self._file.exists()
        self._handle = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT, private.FILE_MODE)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._release()
            raise SinkError(f"{self._file}: another process writes this log. Stop it, or give this one its own folder.") from error
        if is_new:
            private.sync_folder(self._directory)
        self._size = os.fstat(self._handle).st_size
        self._mend(self._handle)
        self._first = self._read_first() if self._size else None

    def _mend(self, handle: int) -> None:
        """Drop what follows the last line end, or end it if only that is missing; the store has every event that is dropped."""
        tail = _tail(self._file)
        if b"\n" not in tail:
            tail = self._file.read_bytes()
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return
        if _key(torn) is not None:
            self._size += os.write(handle, b"\n")
        else:
            self._size -= len(torn)
            os.ftruncate(handle, self._size)
            _log.warning("%s: dropped %d bytes of a line that was not written to its end", self._file, len(torn))
        os.fsync(handle)

    def _read_first(self) -> _Line:
        with self._file.open("rb") as log:
            line = log.readline()
        try:
            return _parse(line)
        except ValueError as error:
            raise SinkError(f"{self._file}:1: is no event, so this is no event log. Move the file elsewhere. ({error})") from error

    def _recent_keys(self) -> set[tuple[str, int]]:
        """Give ids and revisions of the events at the end of the log, which may be a file that was rotated just before a crash."""
        tails = [_tail(self._file)]
        rotated = sorted(self._directory.glob(ROTATED))
        if rotated and len(tails[0]) < TAIL_BYTES:
            tails.append(_tail(rotated[-1]))
        found = (_key(line) for tail in tails for line in tail.split(b"\n"))
        return {key for key in found if key is not None}

    def _fits(self, event: _Line, first: _Line, size: int) -> bool:
        """Tell whether a file of ``size`` bytes that begins with ``first`` takes the event."""
        if self._config.rotate_daily and event.written_at.date() > first.written_at.date():
            return False
        return size + len(event.text) <= self._config.rotate_mb * _MEGABYTE

    def _how_many_fit(self, events: Sequence[_Line]) -> int:
        """Count the events that the file takes; an empty file takes at least one, however large."""
        first, size = self._first, self._size
        for count, event in enumerate(events):
            if first is not None and not self._fits(event, first, size):
                return count
            first = first or event
            size += len(event.text)
        return len(events)

    def _rotate(self) -> None:
        assert self._first is not None
        self._flush()
        target = self._directory / f"events-{self._first.written_at:%Y%m%dT%H%M%SZ}-{self._first.sequence:010d}.jsonl"
        if target.exists():
            raise SinkError(f"{target}: is in the way of the log that is full now. Move it elsewhere.")
        self._file.rename(target)
        private.sync_folder(self._directory)
        self._release()
        self._open()
        self._tidy()

    def _tidy(self) -> None:
        config = self._config
        try:
            tidy(self._directory, compress=config.compress == "gzip", keep_days=config.keep_days, now=self._wall())
        except OSError as error:  # events can be written all the same
            _log.warning("%s: full files of the log could not be compressed or deleted: %s", self._directory, error)

    def _append(self, events: Sequence[_Line]) -> None:
        """Append whole lines, flushed if the policy says so, or leave the file as it was."""
        assert self._handle is not None, "the sink is closed"
        rest = memoryview(b"".join(event.text for event in events))
        length = len(rest)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            self._dirty = True
            if self._config.flush == "event":
                self._flush()
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += length
        self._first = self._first or events[0]

    def _flush_is_due(self) -> bool:
        return self._config.flush == "interval" and self._monotonic() - self._flushed_at >= self._config.flush_interval_s

    def _flush(self) -> None:
        assert self._handle is not None, "the sink is closed"
        os.fsync(self._handle)
        self._dirty = False
        self._flushed_at = self._monotonic()

    def _release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _error(self, what: str, error: OSError) -> SinkError:
        return SinkError(f"{self._file}: the event log cannot be {what}: {error.strerror or error}. Free space or allow writing there.")


def _parse(line: bytes) -> _Line:
    """Take a line apart. Raises ValueError if it is no event."""
    try:
        event = json.loads(line)
        return _Line(
            text=line.rstrip(b"\n") + b"\n",
            key=(str(event["event_id"]), int(event["revision"])),
            sequence=int(event["sequence"]),
            state=event["state"],
            written_at=datetime.fromisoformat(event["written_at"]).astimezone(UTC),
        )
    except KeyError as error:
        raise ValueError(f"it has no {error}") from error
    except TypeError as error:
        raise ValueError(str(error)) from error


def _key(line: bytes) -> tuple[str, int] | None:
    """Give id and revision of the event that a line holds, None if it holds none."""
    try:
        return _parse(line).key
    except ValueError:
        return None


def _tail(file: Path) -> bytes:
    """Give the last ``TAIL_BYTES`` of a file."""
    with file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
        return log.read()
