"""Events as tables: CSV (RFC 4180), one file a UTC day, whole lines only, each revision once."""

from __future__ import annotations

import csv
import fcntl
import io
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, Final

from streamer import linefiles, private
from streamer.config_sinks import CsvSinkConfig
from streamer.errors import SinkError
from streamer.outgoing import Outgoing
from streamer.payloads import filled, text_of

_log = logging.getLogger(__name__)

KEY: Final = ("event_id", "revision")
"""The first columns, always: by them a row that comes again is known."""
COLUMNS: Final[Mapping[str, str]] = {
    "state": "{state}",
    "time": "{best.time}",
    "source": "{source}",
    "plate": "{plate}",
    "score": "{score}",
    "country": "{country}",
    "raw": "{raw}",
    "reason": "{reason}",
    "first": "{first.time}",
    "last": "{last.time}",
    "looks": "{looks}",
}
"""Without a template."""
TAIL_BYTES: Final = 2**20
"""How far back rows are looked for that a crash may bring again: more than ``courier.SAVE_EVERY_S`` of them take."""


class CsvSink:
    """Appends to ``events-2026-05-01.csv`` in a folder, by the day when the event was recorded.

    Erased events may be taken out of it by another thread or process, see ``linefiles``.

    Where a file of the day has other columns (the configuration has changed), another one is begun: ``events-2026-05-01-2.csv``.
    """

    batch = 200
    patience_s = 10.0
    """A disk that hangs."""

    def __init__(self, config: CsvSinkConfig) -> None:
        """Take the section of the sink; nothing is opened yet."""
        self._directory = config.directory
        self._delimiter = config.delimiter
        self._columns = dict(config.template or COLUMNS)
        self._day: date | None = None
        self._file = config.directory
        self._handle: int | None = None
        self._seen: frozenset[tuple[str, str]] = frozenset()

    def send(self, events: Sequence[Outgoing]) -> None:
        """Append, and force it to disk. Raises SinkError; no half line stays."""
        try:
            private.make_folder(self._directory)
            with linefiles.changing(self._directory):
                for day, of_day in groupby(events, _day_of):
                    if self._handle is None or day != self._day or linefiles.replaced(self._handle, self._file):
                        self._open(day)
                    self._append(list(of_day))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.close()
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise SinkError(f"{self._file}: the table cannot be written: {why}. Free space or allow writing there.") from error

    def tend(self) -> None:
        """Nothing is to be kept: all is on disk."""

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self, day: date) -> None:
        self.close()
        number = 1
        while True:
            self._file = self._directory / f"events-{day}{'' if number == 1 else f'-{number}'}.csv"
            self._handle = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT, private.FILE_MODE)
            if self._is_ours(self._handle):
                break
            self.close()
            number += 1
        self._day = day

    def _is_ours(self, handle: int) -> bool:
        """Lock and mend the file, and say whether it has our columns; an empty one gets them."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise SinkError(f"{self._file}: another process writes this table. Stop it, or give this sink its own folder.") from None
        header = self._text([[*KEY, *self._columns]])
        begin = os.pread(handle, len(header), 0)
        if b"\n" not in begin and header.startswith(begin):  # new, or a crash came before the header was whole
            os.ftruncate(handle, 0)
            self._write(handle, header)
            private.sync_folder(self._directory)
            begin = header
        if begin != header:
            return False
        self._seen = self._recent(handle)
        return True

    def _recent(self, handle: int) -> frozenset[tuple[str, str]]:
        """Cut a torn last line off; give the keys of the last rows."""
        size = os.fstat(handle).st_size
        tail = os.pread(handle, TAIL_BYTES, max(0, size - TAIL_BYTES))
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            _log.warning("%s: dropped %d bytes of a line that was not written to its end", self._file, len(tail) - whole)
            os.ftruncate(handle, size - len(tail) + whole)
        rows = csv.reader(tail[:whole].decode("utf-8", "replace").splitlines(), delimiter=self._delimiter)
        return frozenset((row[0], row[1]) for row in rows if len(row) >= len(KEY))

    def _append(self, events: Sequence[Outgoing]) -> None:
        assert self._handle is not None, "opened before"
        rows = [self._row(event) for event in events if (event.event_id, str(event.revision)) not in self._seen]
        if rows:
            self._write(self._handle, self._text(rows))

    def _row(self, event: Outgoing) -> list[str]:
        values = filled(self._columns, event.event).values()
        return [event.event_id, str(event.revision), *(_cell(value) for value in values)]

    def _text(self, rows: Sequence[Sequence[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode("utf-8", "backslashreplace")

    @staticmethod
    def _write(handle: int, text: bytes) -> None:
        """Append all or nothing. Raises OSError."""
        before = os.fstat(handle).st_size
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, before)
            raise


def _day_of(event: Outgoing) -> date:
    return datetime.fromisoformat(event.event["written_at"]).astimezone(UTC).date()


def _cell(value: Any) -> str:
    """Give a value as text of one line."""
    return " ".join(text_of(value).splitlines())
