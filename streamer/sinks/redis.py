"""Events to a stream of Redis or Valkey: one entry each, with the fields ``event_id``, ``revision`` and ``event``."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

from streamer.config_sinks import RedisSinkConfig
from streamer.errors import MissingPackageError, SinkError
from streamer.outgoing import Outgoing
from streamer.sinks.secret import secret_of

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise MissingPackageError("sinks of the type redis need redis: pip install 'plate-streamer[redis]'") from error


class RedisSink:
    """An ``outgoing.EventSink``. How safe an entry is when it is acknowledged is the server's setting (``appendfsync``)."""

    batch: Final = 100

    def __init__(self, name: str, config: RedisSinkConfig) -> None:
        """Take name and section of the sink. Raises UsageError: the password cannot be had."""
        self._config = config
        self._where = f"Redis {config.host}:{config.port}"
        self._password = secret_of(config, "password", name)
        self._client: redis.Redis | None = None

    @property
    def patience_s(self) -> float:
        """To connect, to send and for the answer."""
        return 3 * self._config.timeout_s

    def send(self, events: Sequence[Outgoing]) -> None:
        """Append all of them, or none. Raises SinkError."""
        try:
            pipeline = self._connected().pipeline(transaction=True)
            for event in events:
                fields = {
                    "event_id": event.event_id,
                    "revision": event.revision,
                    "event": event.payload.encode("utf-8", "backslashreplace"),
                }
                pipeline.xadd(self._config.stream, fields, maxlen=self._config.max_length, approximate=True)  # type: ignore[arg-type]
            pipeline.execute()
        except (RedisError, OSError) as error:
            self.close()
            raise SinkError(f"{self._where}: {error}") from error

    def tend(self) -> None:
        """Nothing is to be kept: a connection that was closed is made anew by the next event."""

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> redis.Redis:
        if self._client is None:
            config = self._config
            self._client = redis.Redis(
                host=config.host,
                port=config.port,
                db=config.database,
                username=config.user,
                password=self._password,
                ssl=config.tls,
                ssl_ca_certs=str(config.ca_file) if config.ca_file is not None else None,
                ssl_cert_reqs="required" if config.verify_tls else "none",
                ssl_check_hostname=config.verify_tls,
                ssl_min_version=ssl.TLSVersion.TLSv1_2 if config.tls else None,
                socket_timeout=config.timeout_s,
                socket_connect_timeout=config.timeout_s,
                retry=Retry(NoBackoff(), 0),  # the courier tries again
            )
        return self._client
