"""Reads event logs back: a file, or a folder with its rotated files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from streamer.errors import UsageError
from streamer.events import Event

_RECORDED_CLOCKS: Final = ("option", "metadata", "file_name", "file_time")
"""Recordings go by their own time, which is exact and stays when a file is copied; live sources by the time of day."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One event of a log."""

    event: Event
    timeline: tuple[str, int | None]
    """Source and, for recordings, session: only times of one timeline can be compared."""
    start_s: float
    """First look, seconds on the timeline."""
    end_s: float
    """Last look, seconds on the timeline."""

    @property
    def text(self) -> str | None:
        """The plate, or the best read if there is none."""
        text: str | None = self.event["plate"] or self.event["raw"]
        return text


def read_log(path: Path) -> list[Vehicle]:
    """Give the events of a log file, or of all log files in a folder, in the order in which they were written.

    Raises:
        UsageError: there is no log, or a line of it is no event (with file and line number).
    """
    files = [path]
    if path.is_dir():
        current = path / "events.jsonl"
        files = sorted([*path.glob("events-*.jsonl"), *path.glob("events-*.jsonl.gz")])
        files += [current] if current.exists() or not files else []
    return [vehicle for file in files for vehicle in _read_file(file)]


def _read_file(file: Path) -> Iterator[Vehicle]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield _vehicle(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                    raise UsageError(f"{file}:{number}: not an event: {why}") from error
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from error


def _vehicle(event: Event) -> Vehicle:
    """Check what every use of an event needs. Raises KeyError, TypeError or ValueError."""
    for field in ("state", "source", "clock"):
        if not isinstance(event[field], str):
            raise TypeError(f"{field} is no text")
    for field in ("plate", "raw"):
        if not isinstance(event[field], str | None):
            raise TypeError(f"{field} is neither text nor null")
    first, last = event["first"], event["last"]
    if event["clock"] in _RECORDED_CLOCKS:
        return Vehicle(event, (event["source"], int(event["session"])), float(first["media_time_s"]), float(last["media_time_s"]))
    start, end = (datetime.fromisoformat(stamp["time"]).timestamp() for stamp in (first, last))
    return Vehicle(event, (event["source"], None), start, end)
