"""The durable record of events, which every sink is fed from: SQLite by default, another database by URL (SQLAlchemy Core).

What ``append`` has returned for survives a crash of the program, of the machine and a power cut. Sequence numbers come from a counter
row that the transaction updates first: they have no gaps, are never given twice even if events are deleted, and their transactions
commit in their order on every database, so a reader that goes by its last number misses nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uuid_utils
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from streamer import private
from streamer.errors import MissingPackageError, StoreError, UsageError
from streamer.events import EventMaker, to_line
from streamer.log import redact

STORE_VERSION = 1
"""Of the tables."""

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another one of this program, or for a reader such as a backup."""

_tables = sa.MetaData()
_events = sa.Table(
    "events",
    _tables,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.String(36), nullable=False, unique=True),
    sa.Column("passage", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("plate", sa.Text),
    sa.Column("best_time", sa.String(27), nullable=False),  # as in the event: sorts as text
    sa.Column("line", sa.Text, nullable=False),
)
_cursors = sa.Table(
    "cursors",
    _tables,
    sa.Column("sink", sa.String(200), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)
_meta = sa.Table("meta", _tables, sa.Column("key", sa.String(50), primary_key=True), sa.Column("value", sa.BigInteger, nullable=False))

_VERSION_KEY = "store_version"
_SEQUENCE_KEY = "last_sequence"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was recorded."""

    sequence: int
    line: str
    """One JSON object, without a line end."""


def new_event_id() -> str:
    """Give a UUIDv7: ids sort by the time they were made."""
    return str(uuid_utils.uuid7())


class Store:
    """The record. All methods may be called from any thread."""

    def __init__(self, where: str | Path) -> None:
        """Open or make the store.

        Args:
            where: SQLite file, or a URL that SQLAlchemy knows (``postgresql+psycopg://user:password@host/name``).

        Raises:
            UsageError: no such kind of store, or it was written by a newer version of the program.
            MissingPackageError: the driver of the database is not installed.
            StoreError: it cannot be opened, or another process has it open.
        """
        url = _url_of(where)
        self._name = redact(url.render_as_string(hide_password=True))
        self._lock: int | None = None
        sqlite = url.get_backend_name() == "sqlite"
        if sqlite:
            self._name = url.database or ""
            self._lock = _locked_file(Path(self._name))
        try:
            self._engine = _engine(url, sqlite=sqlite, name=self._name)
            self._prepare()
        except BaseException:
            self._unlock()
            raise

    def append(self, makers: Sequence[EventMaker]) -> list[int]:
        """Record events in one transaction: all or none of them.

        Args:
            makers: each is called once with the sequence number and gives the event.

        Returns:
            The sequence numbers, in order.

        Raises:
            StoreError: nothing was recorded.
        """
        if not makers:
            return []
        with self._transaction("written") as connection:
            counter = _meta.c.key == _SEQUENCE_KEY
            connection.execute(sa.update(_meta).where(counter).values(value=_meta.c.value + len(makers)))
            last = connection.execute(sa.select(_meta.c.value).where(counter)).scalar_one()
            sequences = list(range(last - len(makers) + 1, last + 1))
            connection.execute(sa.insert(_events), [_row(make, number) for make, number in zip(makers, sequences, strict=True)])
        return sequences

    def read_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """Give up to ``limit`` events after a sequence number (0: from the first), in order. Raises StoreError."""
        query = sa.select(_events.c.sequence, _events.c.line).where(_events.c.sequence > sequence).order_by(_events.c.sequence).limit(limit)
        with self._transaction("read") as connection:
            return [StoredEvent(row.sequence, row.line) for row in connection.execute(query)]

    def cursor(self, sink: str) -> int:
        """Give the sequence number of the last event that a sink took; 0 before the first. Raises StoreError."""
        with self._transaction("read") as connection:
            found = connection.execute(sa.select(_cursors.c.sequence).where(_cursors.c.sink == sink)).scalar()
        return 0 if found is None else int(found)

    def move_cursor(self, sink: str, sequence: int) -> None:
        """Remember that a sink took all events up to this one. Raises StoreError."""
        with self._transaction("written") as connection:
            moved = connection.execute(sa.update(_cursors).where(_cursors.c.sink == sink).values(sequence=sequence))
            if moved.rowcount == 0:
                connection.execute(sa.insert(_cursors).values(sink=sink, sequence=sequence))

    def close(self) -> None:
        """Let go of the database. Idempotent."""
        self._engine.dispose()
        self._unlock()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        with self._transaction("opened") as connection:
            _tables.create_all(connection)
            known = {row.key: row.value for row in connection.execute(sa.select(_meta))}
            fresh = {_VERSION_KEY: STORE_VERSION, _SEQUENCE_KEY: 0}
            missing = [{"key": key, "value": value} for key, value in fresh.items() if key not in known]
            if missing:
                connection.execute(sa.insert(_meta), missing)
        if known.get(_VERSION_KEY, STORE_VERSION) > STORE_VERSION:
            raise UsageError(f"{self._name}: written by a newer version of this program. Update it, or name another store.")

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = redact(str(getattr(error, "orig", None) or error))
            raise StoreError(f"{self._name}: the event store cannot be {what}: {cause}") from error

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _row(make: EventMaker, sequence: int) -> dict[str, object]:
    event = make(sequence)
    row = {key: event[key] for key in ("event_id", "passage", "state", "source", "plate")}
    # Like the line: a database takes no lone surrogates.
    row["source"] = event["source"].encode("utf-8", "backslashreplace").decode()
    return row | {"sequence": sequence, "best_time": event["best"]["time"], "line": to_line(event)}


def _url_of(where: str | Path) -> sa.URL:
    if isinstance(where, Path) or "://" not in where:
        return sa.URL.create("sqlite", database=str(where))
    try:
        url = sa.make_url(where)
    except ArgumentError as error:
        raise UsageError(f"{redact(where)}: not a database URL; write kind://user:password@host/name, or a file") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError(f"{where}: a store in memory would not survive a crash; name a file")
    return url


def _engine(url: sa.URL, *, sqlite: bool, name: str) -> sa.Engine:
    # hide_parameters: plates would stand in error messages.
    arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if sqlite else {"pool_pre_ping": True}
    try:
        engine = sa.create_engine(url, hide_parameters=True, **arguments)
    except NoSuchModuleError as error:
        raise UsageError(f"{name}: an unknown kind of database; sqlite and postgresql are known") from error
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"{name}: the driver of this database is missing: pip install {error.name}") from error
    if sqlite:
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions late and not at all around CREATE; SQLAlchemy's own advice is to do it by hand.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _locked_file(file: Path) -> int:
    """Make the database file for its owner only and lock it against other processes; the lock goes with its process, however that ends."""
    lock = file.with_name(file.name + ".lock")
    try:
        private.make_folder(file.parent)
        private.make_file(file)  # SQLite gives its -wal and -shm files the same mode
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, private.FILE_MODE)
    except OSError as error:
        raise StoreError(f"{file}: the event store cannot be opened: {error.strerror or error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreError(f"{file}: another process has this event store open. Stop it, or give this one its own folder.") from error
    return handle
