"""What a user may write about where events go, beside the log: each kind of sink. What they have in common: ``config_sink_section``."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, SecretStr, ValidationInfo, field_validator

from streamer.config_section import Seconds
from streamer.config_sink_section import AccountSection, HttpUrl, Port, SinkSection, wrong

PREFIX_FIELDS = ("source", "year", "month", "day", "hour")
"""What may stand in ``prefix``: nothing of a plate, and nothing that is not known any more when an event was erased."""


def _factory(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", text):
        raise wrong("must be written module:function, as in mypackage.sinks:make")
    return text


def _topic(text: str) -> str:
    if re.search(r"[+#\x00]", text) or text.startswith(("/", "$")) or text.endswith("/"):
        raise wrong("must be the beginning of a topic, without + and #, and without / at its ends")
    return text


def _only_host(url: str) -> str:
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong("must be a host, as in https://s3.example.org; the bucket has a key of its own")
    return url


def _object_prefix(text: str) -> str:
    try:
        fields = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(text) if name is not None]
    except ValueError:
        raise wrong("has a brace too much or too few") from None
    if any(name not in PREFIX_FIELDS or spec or conversion for name, spec, conversion in fields):
        raise wrong("may have in braces: ", ", ".join(f"{{{name}}}" for name in PREFIX_FIELDS))
    if not re.fullmatch(r"[A-Za-z0-9._/{}-]*", text) or text.startswith("/") or text.endswith("/") or "//" in text:
        raise wrong("must be letters, digits, '.', '_', '-' and '/' within")
    return text


class JsonlSinkConfig(SinkSection):
    """Another event log, like that of ``events`` in a folder of its own."""

    type: Literal["jsonl"]
    directory: Path
    flush: Literal["event", "interval", "system"] = "event"
    flush_interval_s: Seconds = 1.0
    rotate_mb: float = Field(default=64.0, gt=0)
    rotate_daily: bool = True
    compress: Literal["none", "gzip"] = "none"
    keep_days: Annotated[float, Field(gt=0)] | None = None

    @field_validator("template")
    @classmethod
    def _no_template(cls, value: dict[str, str]) -> dict[str, str]:
        if value:
            raise wrong("a log holds events as they were recorded: use another type of sink")
        return value


class CsvSinkConfig(SinkSection):
    """Tables, one file a day (UTC). ``template`` names the columns; event_id and revision come first, always."""

    type: Literal["csv"]
    directory: Path
    delimiter: Literal[",", ";", "\t"] = ","


class SyslogSinkConfig(SinkSection):
    """Messages of syslog (RFC 5424)."""

    type: Literal["syslog"]
    host: str = Field(min_length=1)
    port: Port | None = None
    """Without it: 514 (UDP), 601 (TCP), 6514 (TLS)."""
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    """UDP loses messages and nobody is told."""
    facility: int = Field(default=16, ge=0, le=23)
    """16 to 23: local0 to local7."""
    severity: int = Field(default=6, ge=0, le=7)
    """6: informational."""
    app_name: str = Field(default="plate-streamer", pattern=r"^[\x21-\x7e]{1,48}$", description="at most 48 printable characters")
    ca_file: Path | None = None
    """Certificates that the receiver is checked against; without it, the system's."""
    verify_tls: bool = True
    timeout_s: float = Field(default=5.0, gt=0)


class WebhookSinkConfig(SinkSection):
    """A request for each event, signed as in the Standard Webhooks specification."""

    type: Literal["webhook"]
    url: HttpUrl
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")], Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]] = Field(
        default={}
    )
    """Further headers; none of them secret."""
    secret: SecretStr | None = None
    """Key of the signature. Better: ``secret_file`` or ``secret_env``."""
    secret_file: Path | None = None
    secret_env: str | None = None
    token: SecretStr | None = None
    """Sent as ``Authorization: Bearer ...``. Better: ``token_file`` or ``token_env``."""
    token_file: Path | None = None
    token_env: str | None = None
    ca_file: Path | None = None
    verify_tls: bool = True
    timeout_s: float = Field(default=5.0, gt=0)
    """For connecting, and again for the answer."""

    secrets: ClassVar[tuple[str, ...]] = ("secret", "token")


class MqttSinkConfig(AccountSection):
    """An MQTT 5 broker; cameras show up in Home Assistant by themselves."""

    type: Literal["mqtt"]
    host: str = Field(min_length=1)
    port: Port | None = None
    """Without it: 1883, or 8883 with TLS."""
    tls: bool = False
    verify_tls: bool = True
    client_id: str | None = Field(default=None, min_length=1)
    """Without it: plate-streamer and the sink's name."""
    topic: Annotated[str, AfterValidator(_topic)] = Field(default="plate-streamer", min_length=1)
    """Events go to TOPIC/CAMERA/event, the last plate of each camera to TOPIC/CAMERA/last, and whether the program runs to TOPIC/status."""
    discovery: bool = True
    """Tell Home Assistant of the cameras."""
    discovery_prefix: Annotated[str, AfterValidator(_topic)] = Field(default="homeassistant", min_length=1)


class RedisSinkConfig(AccountSection):
    """A stream of Redis (or Valkey): one entry an event."""

    type: Literal["redis"]
    host: str = Field(min_length=1)
    port: Port = 6379
    database: int = Field(default=0, ge=0)
    stream: str = Field(default="plate-streamer", min_length=1)
    max_length: int | None = Field(default=None, ge=1)
    """Entries that the stream keeps, about; without it, all."""
    tls: bool = False
    verify_tls: bool = True


class NatsSinkConfig(AccountSection):
    """NATS JetStream: a stream there must take SUBJECT.CAMERA."""

    type: Literal["nats"]
    host: str = Field(min_length=1)
    port: Port = 4222
    subject: str = Field(default="plates", pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", description="words with dots between them")
    tls: bool = False
    verify_tls: bool = True
    token: SecretStr | None = None
    """Better: ``token_file`` or ``token_env``."""
    token_file: Path | None = None
    token_env: str | None = None

    secrets: ClassVar[tuple[str, ...]] = ("password", "token")


class KafkaSinkConfig(AccountSection):
    """A topic of Kafka, keyed by camera, so that each camera's events keep their order."""

    type: Literal["kafka"]
    brokers: tuple[Annotated[str, Field(pattern=r"^[^\s,]+:\d+$", description="host:port")], ...]
    topic: str = Field(default="plates", pattern=r"^[A-Za-z0-9._-]{1,249}$", description="letters, digits, '.', '_' and '-'")
    tls: bool = False
    verify_tls: bool = True
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How user and password are proved (SASL)."""
    settings: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9._]*$")], str] = Field(default={})
    """Further settings of librdkafka."""
    timeout_s: float = Field(default=10.0, gt=0)

    @field_validator("brokers")
    @classmethod
    def _some_broker(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise wrong("must name a broker at least, host:port")
        return value


class PostgresqlSinkConfig(AccountSection):
    """A table of PostgreSQL, a row an event, each once."""

    type: Literal["postgresql"]
    host: str = Field(min_length=1)
    port: Port = 5432
    database: str = Field(min_length=1)
    table: str = Field(default="plate_events", pattern=r"^([A-Za-z_]\w*\.)?[A-Za-z_]\w*$", description="a name, or schema.name")
    """Made if it is not there."""
    tls: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
    """As libpq's sslmode."""
    user: str = Field(min_length=1)


class S3SinkConfig(SinkSection):
    """A bucket of S3-compatible storage: of each event, its evidence and the event as JSON."""

    type: Literal["s3"]
    bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="the name of a bucket: small letters, digits, '-' and '.'"
    )
    endpoint: Annotated[HttpUrl, AfterValidator(_only_host)] = "https://s3.amazonaws.com"
    region: str = Field(default="us-east-1", min_length=1)
    path_style: bool | None = None
    """Whether the bucket stands in the path (true) or in the host's name (false); without it, as is usual at the endpoint."""
    prefix: Annotated[str, AfterValidator(_object_prefix)] = "{year}/{month}/{day}"
    """Objects are called PREFIX/EVENT_ID/..., with {source} and, of when the event was made (UTC), {year}, {month}, {day}, {hour} in it."""
    access_key: str = Field(min_length=1)
    secret_key: SecretStr | None = None
    """Better: ``secret_key_file`` or ``secret_key_env``."""
    secret_key_file: Path | None = None
    secret_key_env: str | None = None
    ca_file: Path | None = None
    verify_tls: bool = True
    timeout_s: float = Field(default=10.0, gt=0)
    """For connecting, and again for the answer."""
    encryption: Literal["none", "s3", "kms"] = "none"
    """By the server: with keys of its own, or with ``kms_key``."""
    kms_key: str | None = Field(default=None, min_length=1)
    lock: Literal["none", "governance", "compliance"] = "none"
    """Object lock: nobody can change or delete what was sent for ``lock_days``; the bucket must have been made for it."""
    lock_days: float = Field(default=30.0, gt=0)
    forget: bool = False
    """Delete there, in all versions, what is erased or purged here."""

    secrets: ClassVar[tuple[str, ...]] = ("secret_key",)

    @field_validator("kms_key")
    @classmethod
    def _key_is_used(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("encryption") != "kms":
            raise wrong("needs encryption: kms")
        return value

    @field_validator("forget")
    @classmethod
    def _can_be_deleted(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("lock", "none") != "none":
            raise wrong("cannot be true with a lock: what is locked cannot be deleted")
        return value


class PythonSinkConfig(SinkSection):
    """A sink of your own: an object with ``write(lines)`` and ``close()``."""

    type: Literal["python"]
    factory: Annotated[str, AfterValidator(_factory)]
    """``module:function``; the function takes ``options`` and gives the sink."""
    path: Path | None = None
    """Folder to look for the module in, before all others."""
    options: dict[str, JsonValue] = Field(default={})
    batch: int = Field(default=100, ge=1)
    """Lines a call at most."""


SinkConfig = Annotated[
    JsonlSinkConfig
    | CsvSinkConfig
    | SyslogSinkConfig
    | WebhookSinkConfig
    | MqttSinkConfig
    | RedisSinkConfig
    | NatsSinkConfig
    | KafkaSinkConfig
    | PostgresqlSinkConfig
    | S3SinkConfig
    | PythonSinkConfig,
    Field(discriminator="type"),
]
