"""What a user may write about where events go, beside the log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from streamer.config_section import Fraction, Seconds, Section, in_order
from streamer.payloads import paths_in

State = Literal["preview", "final", "withdrawn", "corrected"]

_FIELD = r"^[^\x00-\x1f{}]{1,100}$"


def _wrong(what: str, why: str = "") -> PydanticCustomError:
    return PydanticCustomError("bad_pattern", what + "{why}", {"why": why})


def _template_field(text: str) -> str:
    try:
        paths_in(text)
    except ValueError as error:
        raise _wrong("", str(error)) from None
    return text


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, has_user = parts.hostname, parts.username is not None
    except ValueError:
        raise _wrong("must be an address such as https://host/path") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        raise _wrong("must be an address such as https://host/path")
    if has_user:
        raise _wrong("must not hold a user or password: use the key token_file")
    return url


def _factory(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", text):
        raise _wrong("must be written module:function, as in mypackage.sinks:make")
    return text


def _topic(text: str) -> str:
    if re.search(r"[+#\x00]", text) or text.startswith(("/", "$")) or text.endswith("/"):
        raise _wrong("must be the beginning of a topic, without + and #, and without / at its ends")
    return text


HttpUrl = Annotated[str, AfterValidator(_http_url), Field(description="an address such as https://host/path")]
Template = dict[Annotated[str, Field(pattern=_FIELD)], Annotated[str, AfterValidator(_template_field)]]
Port = Annotated[int, Field(ge=1, le=65535)]


class FilterConfig(Section):
    """Which events a sink gets: those that fulfil all of it."""

    states: tuple[State, ...] = ("final", "corrected")
    """Previews and withdrawals are there only with ``events.states: all``."""
    cameras: tuple[str, ...] = ()
    """Names with ``*`` and ``?``; empty: all."""
    min_score: Fraction = 0.0
    """Least score of the plate."""
    with_plate: bool = False
    """Leave out vehicles whose plate could not be read."""


class RetryConfig(Section):
    """What happens to what a sink does not take."""

    backoff_min_s: float = Field(default=0.5, gt=0)
    backoff_max_s: float = Field(default=60.0, gt=0)
    """Waits between attempts double from the one to the other."""
    give_up_after_s: Annotated[float, Field(gt=0)] | None = None
    """An event that has waited so long for a sink that fails becomes a dead letter; without it the sink is waited for, in order."""
    on_refusal: Literal["dead_letter", "block"] = "dead_letter"
    """What becomes of an event that the sink will not take: it is put aside, or it holds up those behind it."""
    refused_attempts: int = Field(default=3, ge=1)
    """So often it is refused before it is put aside."""

    @field_validator("backoff_max_s")
    @classmethod
    def _in_order(cls, value: float, info: ValidationInfo) -> float:
        return in_order(value, info, "backoff_min_s")


class SinkSection(Section):
    """What every sink has."""

    start: Literal["now", "beginning"] = "now"
    """Where a sink of a new name begins: with what comes from now on, or with all that the store has."""
    filter: FilterConfig = FilterConfig()
    template: Template = Field(default={})
    """What is sent instead of the event: field name -> text with ``{path}`` of the event in it; a lone ``{path}`` keeps its kind."""
    retry: RetryConfig = RetryConfig()

    secrets: ClassVar[tuple[str, ...]] = ()
    """Keys that may be given as they are, by NAME_file or by NAME_env."""

    @field_validator("*", mode="after")
    @classmethod
    def _one_secret(cls, value: Any, info: ValidationInfo) -> Any:
        name = (info.field_name or "").removesuffix("_env")
        if name == info.field_name or name not in cls.secrets:
            return value
        given = [key for key in (name, f"{name}_file") if info.data.get(key) is not None] + [f"{name}_env"] * (value is not None)
        if len(given) > 1:
            raise _wrong("only one may be given of ", ", ".join(given))
        return value


class AccountSection(SinkSection):
    """A sink that a server takes events for from those that it knows."""

    ca_file: Path | None = None
    user: str | None = None
    password: SecretStr | None = None
    """Better: ``password_file`` or ``password_env``."""
    password_file: Path | None = None
    password_env: str | None = None
    timeout_s: float = Field(default=5.0, gt=0)

    secrets: ClassVar[tuple[str, ...]] = ("password",)


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
            raise _wrong("a log holds events as they were recorded: use another type of sink")
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
            raise _wrong("must name a broker at least, host:port")
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
    | PythonSinkConfig,
    Field(discriminator="type"),
]
