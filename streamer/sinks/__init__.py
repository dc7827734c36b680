"""Where events go. ``make_sink`` gives the sink of a configuration; each loads what it needs only then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamer.config_sinks import (
    CsvSinkConfig,
    JsonlSinkConfig,
    KafkaSinkConfig,
    MqttSinkConfig,
    NatsSinkConfig,
    PostgresqlSinkConfig,
    PythonSinkConfig,
    RedisSinkConfig,
    S3SinkConfig,
    SinkConfig,
    SyslogSinkConfig,
    WebhookSinkConfig,
)
from streamer.outgoing import Copies, EventSink


def make_sink(
    name: str,
    config: SinkConfig,
    cameras: Sequence[str] = (),
    *,
    beside: bool = False,
    directory: Path = Path(),
    erased: Copies | None = None,
) -> EventSink:
    """Give the sink of a configuration; it connects when it has something to send.

    Args:
        name: of the sink.
        config: its section.
        cameras: those that there are; others may come with events.
        beside: the program may run meanwhile with the same sink: this one must not take its place.
        directory: of the record, where the evidence lies.
        erased: what a sink that deletes copies has to delete.

    Raises:
        UsageError: a secret or a certificate cannot be had, or the user's own sink cannot be made.
        MissingPackageError: the library that it needs is not installed.
    """
    match config:
        case JsonlSinkConfig():
            from streamer.sinks.lines import JsonlFiles

            return JsonlFiles(config)
        case CsvSinkConfig():
            from streamer.sinks.csv import CsvSink

            return CsvSink(config)
        case SyslogSinkConfig():
            from streamer.sinks.syslog import SyslogSink

            return SyslogSink(name, config)
        case WebhookSinkConfig():
            from streamer.sinks.webhook import WebhookSink

            return WebhookSink(name, config)
        case MqttSinkConfig():
            from streamer.sinks.mqtt import MqttSink

            return MqttSink(name, config, cameras, beside=beside)
        case RedisSinkConfig() | NatsSinkConfig() | KafkaSinkConfig() | PostgresqlSinkConfig():
            return _make_server_sink(name, config)
        case S3SinkConfig():
            from streamer.sinks.s3 import S3Sink

            return S3Sink(name, config, directory, erased)
        case PythonSinkConfig():
            from streamer.sinks.python import PythonSink

            return PythonSink(name, config)


def _make_server_sink(name: str, config: RedisSinkConfig | NatsSinkConfig | KafkaSinkConfig | PostgresqlSinkConfig) -> EventSink:
    match config:
        case RedisSinkConfig():
            from streamer.sinks.redis import RedisSink

            return RedisSink(name, config)
        case NatsSinkConfig():
            from streamer.sinks.nats import NatsSink

            return NatsSink(name, config)
        case KafkaSinkConfig():
            from streamer.sinks.kafka import KafkaSink

            return KafkaSink(name, config)
        case PostgresqlSinkConfig():
            from streamer.sinks.postgresql import PostgresqlSink

            return PostgresqlSink(name, config)
