"""The database under the record: opened, locked against other processes, its tables brought up to date."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from logging import getLogger
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from streamer import private
from streamer.errors import MissingPackageError, StoreError, UsageError
from streamer.log import redact

BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another one of this program, or for a reader such as a backup."""

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_DIGITS = 4
_log = getLogger(__name__)


class Database:
    """Transactions on one database. All methods may be called from any thread."""

    def __init__(self, where: str | Path, *, read_only: bool = False, alone: bool = True) -> None:
        """Open or make it; see ``Store``. Raises UsageError, MissingPackageError, StoreError."""
        url = _url_of(where)
        self.name = redact(url.render_as_string(hide_password=True))
        """For people; holds no password."""
        self._lock: int | None = None
        self._sqlite = sqlite = url.get_backend_name() == "sqlite"
        if sqlite:
            self.name = url.database or ""
            if alone and not read_only:
                self._lock = _locked_file(Path(self.name))
            elif not Path(self.name).is_file():
                raise UsageError(f"{self.name}: there is no event store")
            elif read_only:
                url = _reading_url(Path(self.name))
        try:
            self._engine = _engine(url, sqlite=sqlite, name=self.name, read_only=read_only)
            with self.transaction("opened") as connection:
                if alone and not read_only:
                    _upgrade(connection, self.name)
                else:
                    _check_version(connection, self.name)
        except BaseException:
            self._unlock()
            raise

    @property
    def shared(self) -> bool:
        """Another process may have it open for writing."""
        return self._lock is None

    def flush_log(self) -> bool:
        """Bring SQLite's write-ahead log into the database and cut it off: it holds earlier versions of what was changed.

        Gives False if a reader, such as a backup, needed it for longer than ``BUSY_TIMEOUT_S``. Other databases do so by themselves.
        Raises StoreError.
        """
        if not self._sqlite:
            return True
        try:
            with closing(self._engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
                return int(next(iter(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")))[0]) == 0
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                return False
            raise StoreError(f"{self.name}: the event store cannot be written: {error}") from error

    @contextmanager
    def transaction(self, what: str) -> Iterator[sa.Connection]:
        """Give a connection; all that is done with it happens, or nothing. ``what`` fails is said by StoreError: written, read ..."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = redact(str(getattr(error, "orig", None) or error))
            raise StoreError(f"{self.name}: the event store cannot be {what}: {cause}") from error

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._engine.dispose()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _check_version(connection: sa.Connection, name: str) -> None:
    """Raise UsageError if the tables are not those of this version."""
    have, want = _version_of(connection), newest_version()
    if have != want:
        raise UsageError(f"{name}: written by another version of this program (tables {have or 'without a version'}, here {want})")


def _upgrade(connection: sa.Connection, name: str) -> None:
    """Bring the tables up to date. Raises UsageError if another program, or a newer or an early version of this one made them."""
    have = _version_of(connection)
    if have == newest_version():
        return
    if have is None and set(sa.inspect(connection).get_table_names()) & {"events", "entries"}:
        raise UsageError(f"{name}: written by an early version of this program, without a chain. Move it away, or name another store.")
    # Half a second of CPU: only where there is something to do.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, told=have is not None)
    if have is not None:
        _log.warning(
            "%s: its tables are brought from version %s to %s; of millions of events that takes minutes. Until it is done nothing is"
            " recorded, and nothing has changed: it can be stopped, and begins again",
            name,
            have,
            newest_version(),
        )
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UsageError(f"{name}: written by a newer version of this program. Update it, or name another store. ({error})") from error


def newest_version() -> str:
    """Give the version of the tables that this program writes: that of the last migration, by the names of their files."""
    return max(file.name[1 : 1 + _VERSION_DIGITS] for file in (MIGRATIONS / "versions").glob("v[0-9]*_*.py"))


def _version_of(connection: sa.Connection) -> str | None:
    """Give the version of the tables, which alembic keeps in one of its own; None if there is none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return version


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


def _reading_url(file: Path) -> sa.URL:
    """Give the address of a database that is only read."""
    query = {"mode": "ro", "uri": "true"}
    log = file.with_name(file.name + "-wal")
    if not private.writable(file) and not (log.exists() and log.stat().st_size):
        # SQLite would make files beside it, which it needs where others write: nobody can here. https://www.sqlite.org/uri.html
        query["immutable"] = "1"
    return sa.URL.create("sqlite", database=f"file:{quote(str(file.absolute()))}", query=query)


def _engine(url: sa.URL, *, sqlite: bool, name: str, read_only: bool) -> sa.Engine:
    # hide_parameters: plates would stand in error messages.
    arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if sqlite else {"pool_pre_ping": True}
    try:
        engine = sa.create_engine(url, hide_parameters=True, **arguments)
    except NoSuchModuleError as error:
        raise UsageError(f"{name}: an unknown kind of database; sqlite and postgresql are known") from error
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"{name}: the driver of this database is missing: pip install {error.name}") from error
    if sqlite:
        engine.dialect.statement_compiler = _Compiler
        sa.event.listen(engine, "connect", _set_up_sqlite_reader if read_only else _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


class _Compiler(SQLiteCompiler):
    """Writes hints (``INDEXED BY``), which SQLAlchemy's own leaves out for SQLite."""

    def get_from_hint_text(self, table: sa.FromClause, text: str | None) -> str | None:
        return text


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions late and not at all around CREATE; SQLAlchemy's own advice is to do it by hand.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten, not left in free pages


def _set_up_sqlite_reader(connection: Any, _record: object) -> None:
    connection.isolation_level = None


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
