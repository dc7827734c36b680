"""The section `sinks:`: what is accepted, how mistakes are told, and that secrets stay secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from streamer.config import Config
from streamer.config_file import check, load_config
from streamer.config_sink_section import FilterConfig, RetryConfig, SinkSection
from streamer.config_sinks import CsvSinkConfig, MqttSinkConfig, SinkConfig, WebhookSinkConfig


def write(folder: Path, text: str) -> Path:
    file = folder / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_sinks_there_is_the_log_alone() -> None:
    assert load_config().sinks == {}


def test_each_type_has_keys_of_its_own(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "sinks:\n  hook: {type: webhook, url: 'https://host/x', secret_file: s.key}\n"
        "  table: {type: csv, directory: tables}\n  broker: {type: mqtt, host: broker, start: beginning}\n",
    )
    sinks = load_config(file).sinks
    hook, table, broker = sinks["hook"], sinks["table"], sinks["broker"]
    assert isinstance(hook, WebhookSinkConfig)
    assert isinstance(table, CsvSinkConfig)
    assert isinstance(broker, MqttSinkConfig)
    assert (hook.secret_file, table.directory) == (tmp_path / "s.key", tmp_path / "tables"), "relative to the file"
    assert (hook.start, broker.start) == ("now", "beginning")
    assert (hook.filter, hook.retry, hook.template) == (FilterConfig(), RetryConfig(), {})


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("a: {type: mqtt}", "sinks.a.host", "is missing; it must be text"),
        ("a: {type: mqtt, host: x, hots: y}", "sinks.a.hots", r"unknown key; did you mean 'host'\?"),
        ("a: {}", "sinks.a.type", "must be one of csv, jsonl, kafka, mqtt, nats, postgresql, python, redis, s3, syslog, webhook"),
        ("a: {type: mqt}", "sinks.a.type", r"must be one of .*; did you mean 'mqtt'\?"),
        ("a: 3", "sinks.a", "must be a section"),
        ("a b: {type: csv, directory: x}", "sinks.a b", "a source's name begins with"),
        ("a: {type: csv, directory: x, filter: {states: [fianl]}}", "sinks.a.filter.states.0", r"did you mean 'final'\?"),
        ("a: {type: csv, directory: x, filter: {states: [preview]}}", "sinks", "a wants previews .* events.states: all"),
        ("a: {type: csv, directory: x, filter: {min_score: 2}}", "sinks.a.filter.min_score", "from 0 to 1"),
        ("a: {type: csv, directory: x, retry: {backoff_min_s: 90}}", "sinks.a.retry.backoff_min_s", "must not exceed"),
        ("a: {type: csv, directory: x, retry: {give_up_after_s: 0}}", "sinks.a.retry.give_up_after_s", "above 0"),
        ("a: {type: csv, directory: x, template: {a: '{plate'}}", "sinks.a.template.a", "a brace itself is written twice"),
        ("a: {type: csv, directory: x, template: {a: 3}}", "sinks.a.template.a", "must be text"),
        ("a: {type: webhook, url: 'ftp://x'}", "sinks.a.url", "an address such as https://"),
        ("a: {type: webhook, url: 'https://h/', headers: {'a b': c}}", "sinks.a.headers.a b", "is no name that can stand here"),
        (
            "a: {type: webhook, url: 'https://h/', secret: a, secret_env: B}",
            "sinks.a.secret_env",
            "only one may be given of secret, secret_env",
        ),
        ("a: {type: webhook, url: 'https://h/', token_file: a, token_env: B}", "sinks.a.token_env", "only one may be given"),
        ("a: {type: mqtt, host: x, topic: 'a/#'}", "sinks.a.topic", "without \\+ and #"),
        ("a: {type: python, factory: x}", "sinks.a.factory", "module:function"),
        ("a: {type: s3, bucket: A, access_key: k}", "sinks.a.bucket", "the name of a bucket"),
        ("a: {type: s3, bucket: abc, access_key: k, endpoint: 'https://h/b'}", "sinks.a.endpoint", "the bucket has a key of its own"),
        ("a: {type: s3, bucket: abc, access_key: k, prefix: '{plate}'}", "sinks.a.prefix", "may have in braces: {source}"),
        ("a: {type: s3, bucket: abc, access_key: k, prefix: '/a'}", "sinks.a.prefix", "within"),
        ("a: {type: s3, bucket: abc, access_key: k, prefix: '{'}", "sinks.a.prefix", "a brace too much"),
        ("a: {type: s3, bucket: abc, access_key: k, kms_key: x}", "sinks.a.kms_key", "needs encryption: kms"),
        ("a: {type: s3, bucket: abc, access_key: k, lock: governance, forget: true}", "sinks.a.forget", "what is locked cannot be deleted"),
        ("a: {type: kafka, brokers: [x]}", "sinks.a.brokers.0", "must be host:port"),
        ("a: {type: kafka, brokers: []}", "sinks.a.brokers", "must name a broker"),
        ("a: {type: postgresql, host: x, database: d, user: u, table: 'a b'}", "sinks.a.table", "a name, or schema.name"),
        ("a: {type: nats, host: x, subject: 'plates.>'}", "sinks.a.subject", "words with dots"),
        ("a: {type: syslog, host: x, facility: 24}", "sinks.a.facility", "from 0 to 23"),
        ("a: {type: jsonl, directory: x, template: {a: b}}", "sinks.a.template", "as they were recorded"),
        ("jsonl: {type: csv, directory: x}", "sinks", "jsonl is the name of the event log"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, text: str, key: str, message: str) -> None:
    [problem] = check(write(tmp_path, f"sinks:\n  {text}\n"))
    assert problem.key == key
    assert problem.line is not None
    assert re.search(message, problem.message), problem.message


@pytest.mark.parametrize(
    "text",
    [
        "{type: mqtt, host: x, port: no, password: hunter2}",
        "{type: webhook, url: 'https://me:hunter2@host/'}",
        "{type: webhook, url: 'https://h/', secret: [hunter2]}",
        "{type: webhook, url: 'https://h/', token: hunter2, token_env: hunter2}",
    ],
)
def test_secrets_are_never_shown(tmp_path: Path, text: str) -> None:
    problems = check(write(tmp_path, f"sinks: {{a: {text}}}\n"))
    assert problems
    assert "hunter2" not in " ".join(map(str, problems))


def test_secrets_are_not_in_what_the_configuration_shows() -> None:
    config = Config.model_validate({"sinks": {"a": {"type": "webhook", "url": "https://h/", "secret": "hunter2", "token": "hunter2"}}})
    assert "hunter2" not in f"{config!r} {config} {config.model_dump_json()}"


def test_previews_may_be_wanted_where_they_are_recorded(tmp_path: Path) -> None:
    text = "events: {states: all}\nsinks: {a: {type: csv, directory: x, filter: {states: [preview, withdrawn]}}}\n"
    assert check(write(tmp_path, text)) == []


# The example

EXAMPLES = {
    "directory",
    "host",
    "port",
    "url",
    "client_id",
    "user",
    "ca_file",
    "path",
    "factory",
    "template",
    "start",
    "brokers",
    "database",
    "bucket",
    "access_key",
}
SECRETS = re.compile(r"^ +#? *(secret|token|password|secret_key)(_env)?: ")


def test_the_example_names_every_key_of_every_sink_at_its_default(tmp_path: Path, root: Path) -> None:
    text = (root / "configs" / "sinks.yaml").read_text(encoding="utf-8")
    lines = [re.sub(r"^( +)# ( *(?:[a-z_]+|- ).*)$", _uncommented, line) for line in text.splitlines()]
    file = write(tmp_path, "\n".join(line for line in lines if not SECRETS.match(line)))
    sinks = load_config(file).sinks
    assert {type(sink) for sink in sinks.values()} == set(get_args(get_args(SinkConfig)[0]))
    common = set(SinkSection.model_fields)
    assert sinks["table"].model_fields_set >= common
    for sink in sinks.values():
        own = set(type(sink).model_fields) - common
        left_out = {name for name in own if name in sink.secrets or name.endswith("_env")}
        assert own - left_out <= sink.model_fields_set, sink.type
        for name in own - left_out - EXAMPLES:
            if not name.endswith("_file") and name != "type":
                assert getattr(sink, name) == type(sink).model_fields[name].default, name
    assert sinks["table"].filter == FilterConfig()
    assert sinks["table"].retry == RetryConfig()


def _uncommented(match: re.Match[str]) -> str:
    """Take a commented-out key as one, and leave sentences alone."""
    return f"{match[1]}{match[2]}" if re.match(r" *[a-z_]+:( |$)", match[2]) and "not here" not in match[0] else match[0]
