"""Redis Streams, NATS JetStream and PostgreSQL against real servers; Kafka against the mock cluster of its client library."""

from __future__ import annotations

import base64
import json
import signal
import time
from urllib.parse import quote

import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer

from streamer.config_sinks import KafkaSinkConfig, NatsSinkConfig, PostgresqlSinkConfig, RedisSinkConfig
from streamer.errors import RefusedError, SinkError
from streamer.events import to_line
from streamer.outgoing import Outgoing
from streamer.sinks import make_sink
from streamer.sinks.nats import Connection
from tests.receivers import black_hole, free_port, wait_until
from tests.servers import nats_server, postgres_server, redis_server


@pytest.fixture(scope="module")
def outgoing(make_event):
    def make(number=1, payload=None, **fields):
        event = make_event(number, **fields)
        return Outgoing(number, event["event_id"], 1, event, payload or to_line(event))

    return make


@pytest.fixture
def sink():
    made = []

    def make(config):
        made.append(make_sink("server", config))
        return made[-1]

    yield make
    for one in made:
        one.close()


def config_of(kind, name, port, **more):
    return kind(type=name, **{"host": "127.0.0.1", "port": port, "timeout_s": 5.0, **more})


def goes_and_comes_back(server, one, outgoing, taken):
    """Any server: what could not be sent while it was away is sent when it is back."""
    one.send([outgoing(1)])
    server.go()
    with pytest.raises(SinkError) as raised:
        one.send([outgoing(2)])
    assert not isinstance(raised.value, RefusedError)
    one.tend()
    with pytest.raises(SinkError):
        one.send([outgoing(2)])
    server.come()
    wait_until(lambda: sent(one, outgoing(2)))
    one.send([outgoing(3)])
    assert taken() == [1, 2, 3]


def sent(one, event):
    try:
        one.send([event])
    except SinkError:
        return False
    return True


def hangs(server, one, outgoing):
    """Any server: one that hangs holds the sink up no longer than its time-outs."""
    one.send([outgoing(1)])
    server.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(2):
            with pytest.raises(SinkError):
                one.send([outgoing(2)])
        one.close()
        assert time.monotonic() - began < 10.0
    finally:
        server.signal(signal.SIGCONT)
    wait_until(lambda: sent(one, outgoing(2)))


# Redis


@pytest.fixture
def redis_at(tmp_path):
    servers = []

    def start(*settings):
        servers.append(redis_server(tmp_path, *settings))
        return servers[-1]

    yield start
    for server in servers:
        server.go()


def entries(server, stream="plate-streamer"):
    with redis.Redis(port=server.port, decode_responses=True) as client:
        return [fields for _, fields in client.xrange(stream)]


def test_redis_gets_an_entry_for_each_event(redis_at, sink, outgoing):
    server = redis_at()
    one = sink(config_of(RedisSinkConfig, "redis", server.port, max_length=1000))
    one.send([outgoing(number) for number in range(1, 101)])
    found = entries(server)
    assert [json.loads(fields["event"])["sequence"] for fields in found] == [*range(1, 101)]
    assert (found[0]["event_id"], found[0]["revision"]) == (outgoing(1).event_id, "1")


def test_redis_keeps_about_as_many_as_it_may(redis_at, sink, outgoing):
    server = redis_at()
    one = sink(config_of(RedisSinkConfig, "redis", server.port, max_length=100, stream="some"))
    for start in range(0, 1000, 100):
        one.send([outgoing(start + number) for number in range(1, 101)])
    assert 100 <= len(entries(server, "some")) < 400


def test_redis_goes_and_comes_back(redis_at, sink, outgoing):
    server = redis_at()
    one = sink(config_of(RedisSinkConfig, "redis", server.port))
    goes_and_comes_back(server, one, outgoing, lambda: [json.loads(fields["event"])["sequence"] for fields in entries(server)])


def test_redis_that_hangs(redis_at, sink, outgoing):
    server = redis_at()
    hangs(server, sink(config_of(RedisSinkConfig, "redis", server.port, timeout_s=0.5)), outgoing)


def test_redis_asks_for_a_password(redis_at, sink, outgoing, tmp_path):
    server = redis_at("--requirepass", "hunter2")
    with pytest.raises(SinkError) as raised:
        sink(config_of(RedisSinkConfig, "redis", server.port, password="wrong-one")).send([outgoing(1)])
    assert "wrong-one" not in str(raised.value)
    (tmp_path / "password").write_text("hunter2\n")
    sink(config_of(RedisSinkConfig, "redis", server.port, password_file=tmp_path / "password")).send([outgoing(1)])


def test_redis_that_is_full_is_tried_again(redis_at, sink, outgoing):
    server = redis_at("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
    one = sink(config_of(RedisSinkConfig, "redis", server.port))
    with pytest.raises(SinkError, match="maxmemory") as raised:
        wait_until(lambda: one.send([outgoing(1, payload="x" * 100_000)]))
    assert not isinstance(raised.value, RefusedError)


# NATS


@pytest.fixture
def nats_at(tmp_path):
    servers = []

    def start(*settings):
        servers.append(nats_server(tmp_path, *settings))
        return servers[-1]

    yield start
    for server in servers:
        server.go()


class Js:
    """JetStream's own interface, by our connection."""

    def __init__(self, server, login=None):
        self._server = server
        self._login = login or {}

    def ask(self, subject, body):
        connection = Connection("127.0.0.1", self._server.port, self._login, None, 10.0, time.monotonic)
        [answer] = connection.request([(f"$JS.API.{subject}", {}, json.dumps(body).encode())])
        connection.close()
        assert answer is not None
        assert "error" not in answer, answer
        return answer

    def make(self, **more):
        self.ask("STREAM.CREATE.PLATES", {"name": "PLATES", "subjects": ["plates.>"], "storage": "file", **more})

    def numbers(self):
        count = self.ask("STREAM.INFO.PLATES", {})["state"]["messages"]
        found = [self.ask("STREAM.MSG.GET.PLATES", {"seq": number + 1})["message"] for number in range(count)]
        return [(message["subject"], json.loads(base64.b64decode(message["data"]))["sequence"]) for message in found]


def nats(server, **more):
    return config_of(NatsSinkConfig, "nats", server.port, **more)


def test_nats_keeps_each_event_once(nats_at, sink, outgoing):
    server = nats_at()
    js = Js(server)
    js.make()
    one = sink(nats(server))
    one.send([outgoing(1), outgoing(2, source_id="süd tor.1")])
    one.send([outgoing(2, source_id="süd tor.1"), outgoing(3)])
    assert js.numbers() == [("plates.gate", 1), ("plates.s_d_tor_1", 2), ("plates.gate", 3)], "what comes again is left out"


def test_nats_without_a_stream_is_told(nats_at, sink, outgoing):
    server = nats_at()
    with pytest.raises(SinkError, match=r"no stream takes plates\.\*") as raised:
        sink(nats(server)).send([outgoing(1)])
    assert not isinstance(raised.value, RefusedError)


def test_nats_goes_and_comes_back(nats_at, sink, outgoing):
    server = nats_at()
    Js(server).make()
    goes_and_comes_back(server, sink(nats(server)), outgoing, lambda: [number for _, number in Js(server).numbers()])


def test_nats_that_hangs(nats_at, sink, outgoing):
    server = nats_at()
    Js(server).make()
    hangs(server, sink(nats(server, timeout_s=0.5)), outgoing)


def test_nats_refuses_what_is_too_large(nats_at, sink, outgoing):
    server = nats_at()
    js = Js(server)
    js.make(max_msg_size=10_000)
    one = sink(nats(server))
    for size in (20_000, 2_000_000):
        with pytest.raises(RefusedError):
            one.send([outgoing(1, payload="x" * size)])
    one.send([outgoing(2)])
    assert [number for _, number in js.numbers()] == [2]


def test_nats_asks_who_it_is(nats_at, sink, outgoing, monkeypatch):
    server = nats_at("--user", "anpr", "--pass", "hunter2")
    Js(server, {"user": "anpr", "pass": "hunter2"}).make()
    with pytest.raises(SinkError, match="Authorization Violation") as raised:
        sink(nats(server, user="anpr", password="wrong-one")).send([outgoing(1)])
    assert "wrong-one" not in str(raised.value)
    monkeypatch.setenv("NATS_PASSWORD", "hunter2")
    sink(nats(server, user="anpr", password_env="NATS_PASSWORD")).send([outgoing(1)])


def test_what_is_no_nats(sink, outgoing, redis_at):
    with black_hole() as port, pytest.raises(SinkError, match="no answer in time"):
        sink(config_of(NatsSinkConfig, "nats", port, timeout_s=0.3)).send([outgoing(1)])
    with pytest.raises(SinkError, match="refused"):
        sink(config_of(NatsSinkConfig, "nats", free_port())).send([outgoing(1)])


# PostgreSQL


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


def rows(server, table="plate_events"):
    address = f"postgresql://anpr:{quote('hunter2')}@127.0.0.1:{server.port}/postgres"
    with psycopg.connect(address) as connection:
        return connection.execute(f"SELECT sequence, plate, source, event FROM {table} ORDER BY sequence").fetchall()  # noqa: S608


def pg(server, **more):
    return config_of(
        PostgresqlSinkConfig, "postgresql", server.port, **{"database": "postgres", "user": "anpr", "password": "hunter2", **more}
    )


def test_postgresql_has_a_row_for_each_revision_once(postgres, sink, outgoing):
    one = sink(pg(postgres))
    one.send([outgoing(1), outgoing(2, plate=None, score=None, reason="no_reads")])
    one.send([outgoing(2), outgoing(3)])
    found = rows(postgres)
    assert [(number, plate, source) for number, plate, source, _ in found] == [
        (1, "KA12BC", "gate"),
        (2, None, "gate"),
        (3, "KA12BC", "gate"),
    ]
    assert found[0][3] == outgoing(1).event


def test_postgresql_goes_and_comes_back(postgres, sink, outgoing):
    one = sink(pg(postgres, table="public.others"))
    server = postgres
    goes_and_comes_back(server, one, outgoing, lambda: [number for number, *_ in rows(server, "others")])


def test_postgresql_that_waits_for_somebody_else(postgres, sink, outgoing):
    one = sink(pg(postgres, table="locked", timeout_s=0.5))
    one.send([outgoing(1)])
    address = f"postgresql://anpr:hunter2@127.0.0.1:{postgres.port}/postgres"
    with psycopg.connect(address) as other:
        other.execute("LOCK TABLE locked")
        with pytest.raises(SinkError, match="statement timeout"):
            one.send([outgoing(2)])
    one.send([outgoing(2)])
    assert len(rows(postgres, "locked")) == 2


def test_postgresql_refuses_a_value_without_saying_it(postgres, sink, outgoing):
    with pytest.raises(RefusedError) as raised:
        sink(pg(postgres)).send([outgoing(9, payload='{"plate": KA12BC}')])
    assert "KA12BC" not in str(raised.value)


def test_postgresql_asks_for_a_password(postgres, sink, outgoing):
    with pytest.raises(SinkError, match="password authentication failed") as raised:
        sink(pg(postgres, password="wrong-one")).send([outgoing(1)])
    assert "wrong-one" not in str(raised.value)


# Kafka

MOCK = {"test.mock.num.brokers": "1"}


def kafka(**more):
    return KafkaSinkConfig(type="kafka", **{"brokers": ("127.0.0.1:1",), "timeout_s": 10.0, "settings": MOCK, **more})


@pytest.fixture
def cluster():
    """A mock cluster of librdkafka's, which lives as long as its client; gives its address."""
    producer = Producer(MOCK)
    [broker] = producer.list_topics(timeout=20).brokers.values()
    yield f"{broker.host}:{broker.port}"
    del producer


def messages(address, count):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe(["plates"])
    found = []
    wait_until(lambda: [found.extend(one for one in consumer.consume(100, 0.2) if one.error() is None)] and len(found) >= count, 60.0)
    consumer.close()
    return found


def test_kafka_gets_a_message_for_each_event(cluster, sink, outgoing):
    one = sink(kafka(brokers=(cluster,), settings={}))
    one.send([outgoing(number) for number in range(1, 51)])
    one.send([outgoing(51, source_id="süd")])
    found = messages(cluster, 51)
    gate = [json.loads(message.value())["sequence"] for message in found if message.key() == b"gate"]
    assert gate == [*range(1, 51)]
    [other] = [message for message in found if message.key() == "süd".encode()]
    assert dict(other.headers()) == {"event_id": outgoing(51).event_id.encode(), "revision": b"1"}


def test_kafka_refuses_what_is_too_large(sink, outgoing):
    one = sink(kafka())
    with pytest.raises(RefusedError):
        one.send([outgoing(1, payload="x" * 2_000_000)])
    one.send([outgoing(2)])


def test_kafka_that_is_not_there(sink, outgoing):
    one = sink(kafka(brokers=(f"127.0.0.1:{free_port()}",), settings={}, timeout_s=1.0))
    began = time.monotonic()
    with pytest.raises(SinkError, match=r"timed out|refused") as raised:
        one.send([outgoing(1)])
    assert not isinstance(raised.value, RefusedError)
    assert time.monotonic() - began < 6.0
