"""Events as rows of a table: for CSV, for Parquet. A file is there as a whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from streamer import private
from streamer.errors import MissingPackageError, UsageError
from streamer.events import Event, plate_that_holds

if TYPE_CHECKING:
    from pyarrow import Schema

COLUMNS: Final[Mapping[str, Literal["text", "time", "number", "count"]]] = {
    "event_id": "text",
    "revision": "count",
    "state": "text",
    "time": "time",
    "camera": "text",
    "plate": "text",
    "decided": "text",
    "raw": "text",
    "unread_chars": "count",
    "country": "text",
    "format": "text",
    "score": "number",
    "reason": "text",
    "distance": "number",
    "first": "time",
    "last": "time",
    "looks": "count",
    "reads": "count",
    "crop": "text",
    "corrected_by": "text",
    "corrected_at": "time",
}
"""``plate`` is the corrected one where there is one, ``decided`` what the program said; times are UTC."""

Row = dict[str, Any]


def row_of(event: Event, distance: float | None = None) -> Row:
    """Give the row of an event; ``distance``: from the plate that was looked for."""
    said = event["correction"] or {}
    crops = [one["file"] for one in event["evidence"] if one["kind"] == "crop"]
    same = ("event_id", "revision", "state", "raw", "unread_chars", "country", "format", "score", "reason", "looks", "reads")
    return {key: event[key] for key in same} | {
        "time": event["best"]["time"],
        "camera": event["source"],
        "plate": plate_that_holds(event),
        "decided": event["plate"],
        "distance": distance,
        "first": event["first"]["time"],
        "last": event["last"]["time"],
        "crop": crops[0] if crops else None,
        "corrected_by": said.get("by"),
        "corrected_at": said.get("time"),
    }


def write_csv(pages: Iterable[Sequence[Row]], out: TextIO) -> None:
    """Write a table with a line of names, UTF-8, as RFC 4180 wants it but for the line ends."""
    writer = csv.DictWriter(out, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    for rows in pages:
        writer.writerows({key: _printable(value) for key, value in row.items()} for row in rows)


def check_parquet() -> None:
    """Raise MissingPackageError if Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingPackageError("Parquet needs a package: pip install 'plate-streamer[parquet]'") from error


def write_parquet(pages: Iterable[Sequence[Row]], file: Path) -> int:
    """Write a file for its owner only, page by page; gives the number of rows.

    Raises:
        MissingPackageError: pyarrow is not installed.
        UsageError: the file cannot be written.
    """
    check_parquet()
    from pyarrow import Table
    from pyarrow.parquet import ParquetWriter

    schema = _schema()
    part = file.with_name(f".{file.name}.tmp")
    number = 0
    try:
        private.make_file(part)
        with part.open("wb") as out, ParquetWriter(out, schema, compression="zstd") as writer:
            for rows in pages:
                number += len(rows)
                writer.write_table(Table.from_pylist([_typed(row) for row in rows], schema=schema))
        part.replace(file)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return number


def _schema() -> Schema:
    import pyarrow as pa

    kinds = {"text": pa.string(), "time": pa.timestamp("us", tz="UTC"), "number": pa.float64(), "count": pa.int64()}
    return pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])


def _typed(row: Row) -> Row:
    """Give a row with times as times."""
    return {
        name: datetime.fromisoformat(row[name]) if kind == "time" and row[name] is not None else _printable(row[name])
        for name, kind in COLUMNS.items()
    }


def _printable(value: Any) -> Any:
    r"""Replace what UTF-8 cannot hold by ``\udcXX``: names of recordings may be any bytes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
