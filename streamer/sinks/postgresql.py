"""Events to a table of PostgreSQL: one row a revision, by its key, so that none is there twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from streamer.config_sinks import PostgresqlSinkConfig
from streamer.errors import MissingPackageError, RefusedError, SinkError
from streamer.outgoing import Outgoing
from streamer.sinks.secret import secret_of

try:
    import psycopg
    from psycopg import sql
except ImportError as error:  # also where libpq is missing
    raise MissingPackageError("sinks of the type postgresql need psycopg: pip install 'plate-streamer[postgresql]'") from error

_CREATE: Final = """CREATE TABLE IF NOT EXISTS {table} (
    event_id uuid, revision integer, sequence bigint NOT NULL, state text NOT NULL, source text NOT NULL, "time" timestamptz NOT NULL,
    plate text, score double precision, country text, event jsonb NOT NULL, PRIMARY KEY (event_id, revision))"""
_INSERT: Final = """INSERT INTO {table} (event_id, revision, sequence, state, source, "time", plate, score, country, event)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (event_id, revision) DO NOTHING"""


class PostgresqlSink:
    """An ``outgoing.EventSink``."""

    batch: Final = 100

    def __init__(self, name: str, config: PostgresqlSinkConfig) -> None:
        """Take name and section of the sink. Raises UsageError: the password cannot be had."""
        self._config = config
        self._where = f"PostgreSQL {config.host}:{config.port}/{config.database}"
        self._password = secret_of(config, "password", name)
        self._table = sql.Identifier(*config.table.split("."))
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def patience_s(self) -> float:
        """To connect and for the statements."""
        return 4 * max(self._config.timeout_s, 2.0)

    def send(self, events: Sequence[Outgoing]) -> None:
        """Insert all of them, or none. Raises SinkError, RefusedError."""
        try:
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(sql.SQL(_INSERT).format(table=self._table), [_row(event) for event in events])
        except psycopg.DataError as error:
            # What it says holds the value that it does not like.
            raise RefusedError(f"{self._where}: refuses a value: {type(error).__name__} ({error.sqlstate})") from error
        except psycopg.Error as error:
            self.close()
            raise SinkError(f"{self._where}: {_words(error)}") from error

    def tend(self) -> None:
        """Nothing is to be kept: a connection that was closed is made anew by the next event."""

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            config, milliseconds = self._config, round(self._config.timeout_s * 1000)
            self._connection = psycopg.connect(
                host=config.host,
                port=config.port,
                dbname=config.database,
                user=config.user,
                password=self._password,
                sslmode=config.tls,
                sslrootcert=str(config.ca_file) if config.ca_file is not None else None,
                connect_timeout=max(round(config.timeout_s), 2),  # libpq takes no less
                tcp_user_timeout=milliseconds,
                options=f"-c statement_timeout={milliseconds}",
                application_name="plate-streamer",
                autocommit=True,
            )
            self._connection.execute(sql.SQL(_CREATE).format(table=self._table))
        return self._connection


def _row(event: Outgoing) -> tuple[Any, ...]:
    told = event.event
    columns = tuple(told[name] for name in ("plate", "score", "country"))
    head = (event.event_id, event.revision, event.sequence, told["state"], told["source"], told["best"]["time"])
    return (*head, *columns, event.payload)


def _words(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip() or type(error).__name__
