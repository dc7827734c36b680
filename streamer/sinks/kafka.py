"""Events to a topic of Kafka, acknowledged by all replicas in sync. The message's key is the camera; headers hold id and revision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from streamer.config_sinks import KafkaSinkConfig
from streamer.errors import MissingPackageError, RefusedError, SinkError
from streamer.outgoing import Outgoing
from streamer.sinks.secret import secret_of

try:
    from confluent_kafka import KafkaError, KafkaException, Producer
except ModuleNotFoundError as error:
    raise MissingPackageError("sinks of the type kafka need confluent-kafka: pip install 'plate-streamer[kafka]'") from error

_REFUSALS: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG_SIZE}
)


class KafkaSink:
    """An ``outgoing.EventSink``."""

    batch: Final = 100

    def __init__(self, name: str, config: KafkaSinkConfig) -> None:
        """Take name and section of the sink. Raises UsageError: the password cannot be had."""
        self._config = config
        self._password = secret_of(config, "password", name)
        self._producer: Any = None
        self._last_error = ""

    @property
    def patience_s(self) -> float:
        """For the acknowledgements, and to give up what is on its way."""
        return 2 * self._config.timeout_s + 2.0

    def send(self, events: Sequence[Outgoing]) -> None:
        """Send, and wait for the acknowledgement of each. Raises SinkError, RefusedError."""
        producer, failures = self._made(), []
        left = {event.key for event in events}

        def delivered(key: str, error: Any) -> None:
            left.discard(key)
            if error is not None:
                failures.append(error)

        try:
            for event in events:
                producer.produce(
                    self._config.topic,
                    event.payload.encode("utf-8", "backslashreplace"),
                    key=str(event.event["source"]).encode("utf-8", "backslashreplace"),
                    headers=[("event_id", event.event_id.encode()), ("revision", str(event.revision).encode())],
                    on_delivery=lambda error, message, key=event.key: delivered(key, error),
                )
            producer.flush(self._config.timeout_s + 1.0)
        except (KafkaException, BufferError) as error:
            failures.append(error.args[0] if isinstance(error, KafkaException) else error)
        if failures or left:
            self._complain(failures[0] if failures else None)

    def tend(self) -> None:
        """Let the client do what it has to. Raises nothing: it connects by itself."""
        if self._producer is not None:
            self._producer.poll(0)

    def close(self) -> None:
        """Let go of it, with all that is on its way. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(1.0)

    def _complain(self, error: Any) -> None:
        said = f"Kafka {self._config.brokers[0]}: {error.str() if isinstance(error, KafkaError) else error or 'no acknowledgement in time'}"
        if isinstance(error, KafkaError) and error.code() in _REFUSALS:
            raise RefusedError(said)
        self.close()  # what is on its way comes again, in order
        raise SinkError(said + (f" ({self._last_error})" if self._last_error else ""))

    def _made(self) -> Any:
        if self._producer is None:
            self._last_error = ""
            self._producer = Producer(self._settings(), logger=_Quiet())
        return self._producer

    def _settings(self) -> dict[str, Any]:
        config = self._config
        security = ("SASL_" if config.user is not None else "") + ("SSL" if config.tls else "PLAINTEXT")
        settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(config.brokers),
            "client.id": "plate-streamer",
            "enable.idempotence": True,  # and with it acks=all, and order
            "linger.ms": 0,
            "message.timeout.ms": round(config.timeout_s * 1000),
            "security.protocol": security,
            "error_cb": self._on_error,
        }
        if config.ca_file is not None:
            settings["ssl.ca.location"] = str(config.ca_file)
        if not config.verify_tls:
            settings |= {"enable.ssl.certificate.verification": False}
        if config.user is not None:
            settings |= {"sasl.mechanism": config.mechanism, "sasl.username": config.user, "sasl.password": self._password or ""}
        return settings | config.settings

    def _on_error(self, error: Any) -> None:
        self._last_error = error.str()


class _Quiet:
    """Takes the client's own words: what matters is in the error."""

    def log(self, *_: object) -> None:
        """Leave it."""
