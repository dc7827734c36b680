"""MQTT against Mosquitto: acknowledged, found by Home Assistant, with a broker that refuses, hangs, goes away and comes back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from streamer.config_sinks import MqttSinkConfig
from streamer.errors import RefusedError, SinkError
from streamer.events import to_line
from streamer.outgoing import Outgoing
from streamer.sinks import hass, make_sink
from tests.certificates import self_signed
from tests.receivers import Broker, black_hole, free_port, wait_until


class Listener:
    """Somebody else at the broker."""

    def __init__(self, port, topics=("#",)):
        self.messages = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_message = lambda client, data, message: self.messages.append(message)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_connect = lambda client, *_: [client.subscribe(topic, qos=1) for topic in topics]
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def at(self, topic):
        return [message for message in list(self.messages) if message.topic == topic]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.go()


@pytest.fixture
def listener(broker):
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture
def sink():
    made = []

    def make(port, cameras=(), **more):
        config = {"host": "127.0.0.1", "port": port, "timeout_s": 5.0, **more}
        made.append(make_sink("broker", MqttSinkConfig(type="mqtt", **config), cameras))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def outgoing(make_event):
    def make(number=1, payload=None, **fields):
        event = make_event(number, **fields)
        return Outgoing(number, event["event_id"], 1, event, payload or to_line(event))

    return make


def test_events_come_with_their_keys(broker, listener, sink, outgoing):
    sink(broker.port).send([outgoing(1), outgoing(2, source_id="a/b+c#")])
    wait_until(lambda: listener.at("plate-streamer/a_b_c_/event"))
    [message] = listener.at("plate-streamer/gate/event")
    assert json.loads(message.payload) == outgoing(1).event
    assert (message.qos, message.retain) == (1, False)
    assert dict(message.properties.UserProperty) == {"event_id": outgoing(1).event_id, "revision": "1"}


def test_home_assistant_finds_each_camera(broker, listener, sink, outgoing):
    one = sink(broker.port, cameras=["gate", "süd"])
    one.tend()
    wait_until(lambda: len([message for message in listener.messages if message.topic.startswith("homeassistant/")]) == 2)
    [announced] = [
        message for message in listener.messages if message.topic == "homeassistant/sensor/plate-streamer_gate/last_plate/config"
    ]
    told = json.loads(announced.payload)
    assert told["state_topic"] == told["json_attributes_topic"] == "plate-streamer/gate/last"
    assert told["value_template"] == "{{ value_json.plate }}"
    assert told["availability_topic"] == "plate-streamer/status"
    assert told["device"]["name"] == "gate"
    one.send([outgoing(1), outgoing(2, source_id="yard"), outgoing(3, plate=None)])
    wait_until(lambda: listener.at("plate-streamer/yard/last"))
    [last] = listener.at(told["state_topic"])
    assert json.loads(last.payload)["plate"] == "KA12BC"
    assert json.loads(last.payload)["camera"] == "gate"
    assert listener.at("homeassistant/sensor/plate-streamer_yard/last_plate/config"), "a camera that nobody named"
    late = Listener(broker.port, ["homeassistant/#", "plate-streamer/#"])
    wait_until(lambda: late.at("plate-streamer/yard/last"))
    assert len([message for message in late.messages if message.topic.startswith("homeassistant/")]) == 3, "retained"
    assert not late.at("plate-streamer/gate/event")
    late.close()


def test_identifiers_are_those_that_home_assistant_takes():
    topics = {
        hass.discovery(name, prefix="ha", base="b", state_topic="", status_topic="", version="")[0] for name in ("a.b", "a_b", "a b", "ä")
    }
    assert len(topics) == 4
    for topic in topics:
        assert all(character.isascii() and (character.isalnum() or character in "/_-") for character in topic)


def test_discovery_can_be_left_out(broker, listener, sink, outgoing):
    sink(broker.port, cameras=["gate"], discovery=False, topic="site/7").send([outgoing(1)])
    wait_until(lambda: listener.at("site/7/gate/event"))
    assert not [message for message in listener.messages if message.topic.startswith("homeassistant/")]


def test_an_older_plate_does_not_take_the_place_of_a_newer_one(broker, listener, sink, outgoing):
    one = sink(broker.port)
    one.send([outgoing(1, t=100.0, plate="NEW1")])
    one.send([outgoing(2, t=10.0, plate="OLD1")])
    wait_until(lambda: len(listener.at("plate-streamer/gate/event")) == 2)
    one.close()
    wait_until(lambda: len(listener.at("plate-streamer/status")) == 2)
    assert [json.loads(message.payload)["plate"] for message in listener.at("plate-streamer/gate/last")] == ["NEW1"]


def test_whether_it_runs_is_known(broker, listener, sink, outgoing):
    one = sink(broker.port)
    one.send([outgoing(1)])
    one.close()
    wait_until(lambda: [message.payload for message in listener.at("plate-streamer/status")] == [b"online", b"offline"])
    one.send([outgoing(2)])
    wait_until(lambda: len(listener.at("plate-streamer/status")) == 3)


def test_a_broker_that_goes_and_comes_back(broker, sink, outgoing):
    one = sink(broker.port, cameras=["gate"])
    one.send([outgoing(1)])
    broker.go()
    with pytest.raises(SinkError, match="MQTT broker 127"):
        wait_until(lambda: one.tend(), 5.0)
    with pytest.raises(SinkError, match="refused"):
        one.send([outgoing(2)])
    broker.come()
    listener = Listener(broker.port)
    one.send([outgoing(2)])
    wait_until(lambda: listener.at("plate-streamer/gate/event"))
    assert listener.at("plate-streamer/status")[-1].payload == b"online"
    assert listener.at("homeassistant/sensor/plate-streamer_gate/last_plate/config"), "a broker that forgot is told again"
    listener.close()


def test_a_broker_that_hangs_holds_it_up_no_longer_than_its_timeout(broker, sink, outgoing):
    one = sink(broker.port, timeout_s=0.5)
    one.send([outgoing(1)])
    broker.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(SinkError, match="does not acknowledge in time"):
            one.send([outgoing(2)])
        with pytest.raises(SinkError, match="does not greet in time"):
            one.send([outgoing(2)])
        one.close()
        assert time.monotonic() - began < 6.0
    finally:
        broker.signal(signal.SIGCONT)
    wait_until(lambda: one.send([outgoing(2)]) is None)


def test_no_broker_at_all(sink, outgoing):
    with pytest.raises(SinkError, match="refused"):
        sink(free_port()).send([outgoing(1)])
    with black_hole() as port, pytest.raises(SinkError, match="in time"):
        sink(port, timeout_s=0.3).send([outgoing(1)])


def test_no_thread_is_left(broker, sink, outgoing):
    before = threading.active_count()
    for _ in range(3):
        one = sink(broker.port)
        one.send([outgoing(1)])
        one.close()
    with pytest.raises(SinkError):
        sink(free_port()).send([outgoing(1)])
    wait_until(lambda: threading.active_count() <= before, 5.0)


def test_a_message_that_the_broker_will_not_take_is_refused(tmp_path, sink, outgoing):
    broker = Broker(tmp_path, ["allow_anonymous true", "max_packet_size 20000"])
    try:
        one = sink(broker.port)
        with pytest.raises(RefusedError, match="no more than 20000 bytes"):
            one.send([outgoing(1, payload="x" * 30000)])
        one.send([outgoing(2)])
    finally:
        broker.go()


def test_user_and_password(tmp_path, sink, outgoing, monkeypatch):
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs the program mosquitto_passwd (Debian: apt-get install mosquitto)")
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "anpr", "hunter2"], check=True, capture_output=True, timeout=30)
    broker = Broker(tmp_path, ["allow_anonymous false", f"password_file {passwords}"])
    try:
        with pytest.raises(SinkError, match="Not authorized") as raised:
            sink(broker.port, user="anpr", password="wrong-one").send([outgoing(1)])
        assert "wrong-one" not in str(raised.value)
        monkeypatch.setenv("BROKER_PASSWORD", "hunter2")
        sink(broker.port, user="anpr", password_env="BROKER_PASSWORD").send([outgoing(1)])
    finally:
        broker.go()


def test_over_tls_the_broker_is_checked(tmp_path, sink, outgoing):
    certificate, key = self_signed(tmp_path)
    broker = Broker(tmp_path, ["allow_anonymous true", f"certfile {certificate}", f"keyfile {key}"])
    try:
        with pytest.raises(SinkError, match="certificate verify failed"):
            sink(broker.port, tls=True).send([outgoing(1)])
        sink(broker.port, tls=True, ca_file=certificate).send([outgoing(1)])
        sink(broker.port, tls=True, verify_tls=False).send([outgoing(1)])
    finally:
        broker.go()


def test_many_events_are_all_acknowledged(broker, listener, sink, outgoing):
    one = sink(broker.port)
    events = [outgoing(number) for number in range(1, 301)]
    for start in range(0, len(events), one.batch):
        one.send(events[start : start + one.batch])
    wait_until(lambda: len(listener.at("plate-streamer/gate/event")) == 300)
    assert [json.loads(message.payload)["sequence"] for message in listener.at("plate-streamer/gate/event")] == [*range(1, 301)]
