"""Syslog against real receivers: UDP, TCP with octet counting, TLS."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time

import pytest

from streamer.config_sinks import SyslogSinkConfig
from streamer.errors import RefusedError, SinkError, UsageError
from streamer.events import to_line
from streamer.outgoing import Outgoing
from streamer.sinks import make_sink
from streamer.sinks.syslog import message_of
from tests.certificates import self_signed
from tests.receivers import Stream, free_port, wait_until

# RFC 5424, section 6: HEADER SP STRUCTURED-DATA SP MSG
MESSAGE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<process>\d+) (?P<id>[!-~]{1,32}) "
    r'\[meta sequenceId="(?P<sequence>\d+)"\] (?P<text>.*)',
    re.DOTALL,
)


@pytest.fixture
def tcp():
    stream = Stream()
    yield stream
    stream.go()


@pytest.fixture
def syslog():
    made = []

    def make(port, **more):
        config = {"host": "127.0.0.1", "port": port, "timeout_s": 5.0, **more}
        made.append(make_sink("log", SyslogSinkConfig(type="syslog", **config)))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture(scope="module")
def outgoing(make_event):
    def make(number=1, payload=None, **fields):
        event = make_event(number, **fields)
        return Outgoing(number, event["event_id"], 1, event, payload or to_line(event))

    return make


def parsed(message):
    found = MESSAGE.fullmatch(message.decode())
    assert found is not None, message
    return found


def test_a_message_says_who_when_and_what(outgoing):
    event = outgoing(7)
    config = SyslogSinkConfig(type="syslog", host="x", facility=20, severity=5, app_name="anpr")
    found = parsed(message_of(event, config, "gate host", 42))
    assert (found["pri"], found["time"], found["host"], found["app"], found["process"]) == (
        "165",
        event.event["written_at"],
        "gate?host",
        "anpr",
        "42",
    )
    assert (found["id"], found["sequence"]) == ("final", "7")
    assert json.loads(found["text"]) == event.event


def test_sequence_numbers_stay_in_the_range_of_the_standard(outgoing, make_event):
    config = SyslogSinkConfig(type="syslog", host="x")
    event = make_event(1)
    for sequence, told in ((2**31 - 1, str(2**31 - 1)), (2**31, "1")):
        assert parsed(message_of(Outgoing(sequence, "a", 1, event, "{}"), config, "h", 1))["sequence"] == told


def test_over_tcp_messages_are_counted_in_octets(tcp, syslog, outgoing):
    sink = syslog(tcp.port)
    sink.send([outgoing(1), outgoing(2, payload="ä\nö 3 ")])
    sink.send([outgoing(3)])
    wait_until(lambda: len(tcp.messages) == 3)
    assert [parsed(message)["sequence"] for message in tcp.messages] == ["1", "2", "3"]
    assert parsed(tcp.messages[1])["text"] == "ä\nö 3 "
    assert tcp.connections == 1


def test_over_udp_each_is_a_datagram(syslog, outgoing):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sink = syslog(receiver.getsockname()[1], transport="udp")
        sink.send([outgoing(1), outgoing(2)])
        assert [parsed(receiver.recv(65536))["sequence"] for _ in range(2)] == ["1", "2"]
        with pytest.raises(RefusedError, match="65507 bytes"):
            sink.send([outgoing(3, payload="x" * 65507)])


def test_over_udp_nobody_there_is_noticed_late(syslog, outgoing):
    sink = syslog(free_port(), transport="udp")
    sink.send([outgoing(1)])
    with pytest.raises(SinkError, match="refused"):
        wait_until(lambda: sink.send([outgoing(2)]))


@pytest.fixture
def tls(tmp_path):
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    stream = Stream(context=context)
    yield stream, certificate
    stream.go()


def test_over_tls_the_receiver_is_checked(tls, syslog, outgoing):
    stream, certificate = tls
    with pytest.raises(SinkError, match="certificate verify failed"):
        syslog(stream.port, transport="tls").send([outgoing(1)])
    sink = syslog(stream.port, transport="tls", ca_file=certificate)
    for number in range(1, 6):
        sink.send([outgoing(number)])
    syslog(stream.port, transport="tls", verify_tls=False).send([outgoing(6)])
    wait_until(lambda: len(stream.messages) == 6)
    assert stream.connections == 2
    with pytest.raises(UsageError, match="ca_file"):
        syslog(stream.port, transport="tls", ca_file="/nowhere/ca.pem")


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_receiver_that_goes_and_comes_back(tls, tcp, syslog, outgoing, transport):
    stream, more = (tls[0], {"ca_file": tls[1]}) if transport == "tls" else (tcp, {})
    sink = syslog(stream.port, transport=transport, **more)
    sink.send([outgoing(1)])
    wait_until(lambda: len(stream.messages) == 1)
    stream.cut()
    sink.send([outgoing(2)])
    wait_until(lambda: len(stream.messages) == 2)
    assert stream.connections == 2, "a connection that was closed meanwhile is not written to"
    stream.go()
    with pytest.raises(SinkError, match="refused"):
        sink.send([outgoing(3)])
    stream.come()
    sink.send([outgoing(3)])
    wait_until(lambda: len(stream.messages) == 3)
    assert [parsed(message)["sequence"] for message in stream.messages] == ["1", "2", "3"]


def test_one_that_does_not_read_holds_it_up_no_longer_than_its_timeout(syslog, outgoing):
    stream = Stream()
    stream.go()
    stream.reads = False
    stream.come()
    try:
        sink = syslog(stream.port, timeout_s=0.3)
        began = time.monotonic()
        with pytest.raises(SinkError, match="no answer in time"):
            sink.send([outgoing(number, payload="x" * 100_000) for number in range(1, 201)])
        assert time.monotonic() - began < 5.0
    finally:
        stream.go()
