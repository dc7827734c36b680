"""The health server, asked over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streamer.config import HealthConfig
from streamer.errors import UsageError
from streamer.health import HealthServer, status_of
from streamer.health.http import MAX_CLIENTS
from streamer.live.health_state import (
    INFERENCE_STUCK_S,
    RECORD_STUCK_S,
    Health,
    HostClockState,
    QueueState,
    Recent,
    needs_restart,
    obstacles,
    problems,
)
from streamer.live.stats import CameraStats
from streamer.metrics import Metrics
from streamer.types import ModelInfo

MODEL = ModelInfo("plate-detector", "ab" * 32, "openvino cpu int8")


def camera(name: str, state: str = "live") -> CameraStats:
    stats = CameraStats(name)
    stats.enter("connecting", 1)
    stats.enter(state)
    return stats


FINE = Health(
    version="1.2.3",
    uptime_s=60.0,
    stopping=False,
    detector=MODEL,
    reader=MODEL,
    inference_age_s=0.1,
    recorder=QueueState(0, 0.0),
    recorder_error=None,
    dead_threads=(),
    cameras=(camera("gate").snapshot(), camera("yard", "backoff").snapshot()),
    host_clock=HostClockState("chrony", True, 0.001, 0.02),
)


class State:
    """What the program would fill."""

    def __init__(self) -> None:
        self.health = FINE

    def __call__(self) -> Health:
        return self.health


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def serve(state) -> Iterator[Callable[..., HealthServer]]:
    """Gives a server that runs; what is given is its configuration."""
    servers = []

    def start(client_timeout_s: float = 5.0, health: Callable[[], Health] = state, **config: Any) -> HealthServer:
        server = HealthServer(HealthConfig(**{"port": 0, **config}), Metrics("1.2.3"), health, client_timeout_s=client_timeout_s)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


def bound(server: HealthServer) -> tuple[str, int]:
    address = urlsplit(server.address)
    return str(address.hostname), int(address.port or 0)


def ask(server: HealthServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*bound(server), timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def document(server: HealthServer, path: str) -> tuple[int, dict[str, Any]]:
    status, headers, body = ask(server, path)
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    return status, json.loads(body)


# What is said


def test_a_healthy_program_says_so(serve):
    server = serve()
    assert document(server, "/healthz") == (200, {"healthy": True, "problems": [], "degraded": []})
    status, answer = document(server, "/readyz")
    assert status == 200
    assert answer["ready"] is True
    assert {name: camera["state"] for name, camera in answer["cameras"].items()} == {"gate": "live", "yard": "backoff"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"inference_age_s": INFERENCE_STUCK_S + 1}, "the analysis has stood still for 11 s"),
        ({"dead_threads": ("capture-gate",)}, "thread capture-gate has ended"),
        ({"recorder_error": "no space left"}, "events cannot be recorded: no space left"),
        ({"recorder": QueueState(3, RECORD_STUCK_S + 1)}, "3 passages wait to be recorded, the oldest for 31 s"),
    ],
)
def test_what_is_wrong_is_said(serve, state, wrong, said):
    server = serve()
    state.health = replace(FINE, **wrong)
    assert document(server, "/healthz") == (503, {"healthy": False, "problems": [said], "degraded": []})


@pytest.mark.parametrize("fine", [{"inference_age_s": None}, {"inference_age_s": INFERENCE_STUCK_S}, {"cameras": ()}, {"host_clock": None}])
def test_what_is_not_wrong_is_not_said(fine):
    assert problems(replace(FINE, **fine)) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"detector": None, "reader": None}, "the models are not loaded yet"),
        ({"cameras": (camera("gate", "backoff").snapshot(),)}, "no camera is live"),
        ({"stopping": True}, "the program is stopping"),
    ],
)
def test_who_is_not_ready_says_why(serve, state, change, said):
    server = serve()
    state.health = replace(FINE, **change)
    status, answer = document(server, "/readyz")
    assert (status, answer["ready"], answer["problems"]) == (503, False, [said])
    assert document(server, "/healthz")[0] == 200


@pytest.mark.parametrize("wrong", [{"recorder_error": "disk full"}, {"dead_threads": ("recording",)}, {"inference_age_s": None}])
def test_who_would_not_record_a_vehicle_is_not_ready(wrong):
    assert obstacles(replace(FINE, **wrong)) != ()


def test_without_cameras_the_program_is_ready():
    assert obstacles(replace(FINE, cameras=())) == ()


def test_only_what_a_restart_repairs_asks_for_one():
    assert needs_restart(replace(FINE, recorder_error="disk full", recorder=QueueState(9, 999.0))) == ()
    assert needs_restart(replace(FINE, dead_threads=("recorder",))) != ()
    assert needs_restart(replace(FINE, inference_age_s=999.0)) != ()
    assert needs_restart(replace(FINE, inference_age_s=999.0, stopping=True)) == ()


def test_the_status_tells_everything(serve):
    status, answer = document(serve(), "/status")
    assert status == 200
    assert (answer["healthy"], answer["ready"], answer["version"], answer["uptime_s"]) == (True, True, "1.2.3", 60.0)
    assert answer["detector"] == {"name": "plate-detector", "sha256": "ab" * 32, "backend": "openvino cpu int8"}
    assert answer["recorder"] == {"depth": 0, "oldest_s": 0.0}
    assert answer["host_clock"]["source"] == "chrony"
    assert answer["recent"]["event_latency_p50_s"] is None
    assert [camera["source_id"] for camera in answer["cameras"]] == ["gate", "yard"]
    assert answer["cameras"][0]["waiting"] == 0


def test_the_status_of_a_sick_program_is_told_all_the_same(serve, state):
    server = serve()
    state.health = replace(FINE, recorder_error="no space left", detector=None)
    status, answer = document(server, "/status")
    assert (status, answer["healthy"], answer["ready"]) == (200, False, False)
    assert answer["problems"]
    assert answer["obstacles"]


def test_values_that_json_cannot_hold_and_credentials_do_not_come_out(serve, state):
    server = serve()
    stats = camera("gate")
    stats.see(float("nan"), float("inf"), None)
    stats.enter("backoff")
    stats.fault("refused", "rtsp://anpr:hunter2@10.0.0.8/ refused")
    state.health = replace(FINE, cameras=(stats.snapshot(),), recorder_error="password=hunter2")
    for path in ("/status", "/healthz"):
        body = ask(server, path)[2]
        assert b"hunter2" not in body
        json.loads(body, parse_constant=pytest.fail)


@given(st.floats(0, 100), st.integers(0, 100), st.floats(0, 100), st.booleans(), st.booleans())
def test_healthy_and_ready_are_what_problems_and_obstacles_say(age, depth, oldest, loaded, stopping):
    health = replace(FINE, inference_age_s=age, recorder=QueueState(depth, oldest), detector=MODEL if loaded else None, stopping=stopping)
    status = status_of(health, Recent())
    assert status["healthy"] == ((age <= INFERENCE_STUCK_S or stopping) and oldest <= RECORD_STUCK_S)
    assert status["ready"] == (status["healthy"] and loaded and not stopping)
    assert set(needs_restart(health)) <= set(problems(health))


def test_metrics_come_in_the_form_that_is_asked_for(serve):
    server = serve()
    status, headers, body = ask(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert b'plate_streamer_build_info{python="' in body
    status, headers, body = ask(server, "/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert any(family.name == "plate_streamer_build" for family in text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize("path", ["/", "/status/", "/metrics/x", "//[", "/%2e%2e/etc/passwd", "*"])
def test_there_is_nothing_else(serve, path):
    status, answer = document(serve(), path)
    assert status == 404
    assert answer["pages"] == ["/healthz", "/readyz", "/metrics", "/status"]


def test_a_query_does_not_matter(serve):
    assert ask(serve(), "/healthz?verbose=1")[0] == 200


def test_a_state_that_cannot_be_told_is_an_error_and_logged(serve, caplog):
    def broken() -> Health:
        raise RuntimeError("secret detail")

    server = serve(health=broken)
    status, _, body = ask(server, "/healthz")
    assert status == 500
    assert b"secret detail" not in body
    assert "secret detail" in caplog.text
    assert ask(server, "/metrics")[0] == 200


# How it is said


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/status", "/nothing"])
def test_head_gives_the_head_of_get(serve, path):
    server = serve()
    got, headers, body = ask(server, path)
    status, head, nothing = ask(server, path, "HEAD")
    assert (status, nothing) == (got, b"")
    assert abs(int(head["Content-Length"]) - len(body)) < 200  # metrics of the process grow by a digit
    assert set(head) == set(headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused(serve, method):
    status, headers, _ = ask(serve(), "/status", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


def test_nothing_tells_what_serves(serve, capfd):
    server = serve()
    for path, method in (("/healthz", "GET"), ("/nothing", "GET"), ("/", "POST")):
        _, headers, body = ask(server, path, method)
        assert "Server" not in headers
        assert b"Python" not in body
        assert headers["Cache-Control"] == "no-store"
    assert capfd.readouterr() == ("", "")


def exchange(server: HealthServer, request: bytes) -> bytes:
    with socket.create_connection(bound(server), timeout=10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while part := client.recv(65536):
            received += part
        return received


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    ],
)
def test_nonsense_breaks_nothing(serve, request_bytes, caplog):
    server = serve()
    exchange(server, request_bytes)
    assert ask(server, "/healthz")[0] == 200
    assert caplog.text == ""


@given(st.binary(max_size=300))
def test_no_request_breaks_it(fuzzed, request_bytes):
    exchange(fuzzed, request_bytes)
    assert ask(fuzzed, "/healthz")[0] == 200


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[HealthServer]:
    server = HealthServer(HealthConfig(port=0), Metrics("1"), lambda: FINE)
    server.start()
    yield server
    server.close()


# Who may ask


def test_who_has_the_token_is_served(serve, tmp_path):
    file = tmp_path / "token"
    file.write_text("  geheim-ß \nsecond line\n", encoding="utf-8")
    server = serve(token_file=file)
    right = "geheim-ß".encode().decode("latin-1")
    for sent in (f"Bearer {right}", f"bearer {right}"):
        assert ask(server, "/status", Authorization=sent)[0] == 200
    for sent in ("Bearer wrong", "Bearer ", "Bearer", right, f"Basic {right}", f"Bearer {right}x", "Bearer second line"):
        for path in ("/status", "/metrics", "/healthz", "/readyz", "/nothing"):
            status, headers, _ = ask(server, path, Authorization=sent)
            assert status == 401
            assert headers["WWW-Authenticate"] == 'Bearer realm="plate-streamer"'
    assert ask(server, "/status")[0] == 401


def test_the_token_may_stand_in_the_environment(serve, monkeypatch):
    monkeypatch.setenv("HEALTH_TOKEN", "abc")
    server = serve(token_env="HEALTH_TOKEN")
    assert ask(server, "/status", Authorization="Bearer abc")[0] == 200
    assert ask(server, "/status")[0] == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - that is the point
def test_other_machines_need_a_token(serve, monkeypatch, host):
    with pytest.raises(UsageError, match=r"health\.host: .*set health\.token_file"):
        serve(host=host)
    monkeypatch.setenv("HEALTH_TOKEN", "abc")
    server = serve(host=host, token_env="HEALTH_TOKEN")
    port = bound(server)[1]
    connection = http.client.HTTPConnection("::1" if ":" in host else "127.0.0.1", port, timeout=10)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 401
    connection.close()


def test_tokens_that_cannot_be_used_are_refused(tmp_path, monkeypatch):
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\nsecond line")
    binary.write_bytes(b"\xff\xfe\x00")
    monkeypatch.delenv("HEALTH_TOKEN", raising=False)
    for config, said in [
        ({"token_file": tmp_path / "absent"}, "health.token_file: .*absent cannot be read: No such file"),
        ({"token_file": empty}, "health.token_file: there is no token in"),
        ({"token_file": binary}, "health.token_file: .*is no text"),
        ({"token_env": "HEALTH_TOKEN"}, "health.token_env: there is no token in HEALTH_TOKEN"),
        ({"token_file": empty, "token_env": "HEALTH_TOKEN"}, "by token_file or by token_env, not by both"),
    ]:
        with pytest.raises(UsageError, match=said):
            HealthServer(HealthConfig(port=0, **config), Metrics("1"), lambda: FINE)


# Where it listens


def test_ipv6_is_served(serve):
    server = serve(host="::1")
    assert ask(server, "/healthz")[0] == 200
    assert server.address == f"http://[::1]:{bound(server)[1]}"


def test_a_port_in_use_is_named(serve):
    port = bound(serve())[1]
    with pytest.raises(UsageError, match=rf"health\.port: port {port} of 127\.0\.0\.1 is in use"):
        serve(port=port)


@pytest.mark.parametrize(("host", "said"), [("", "is no address"), ("no such host", "is no address"), ("a" * 70, "is no address")])
def test_an_address_that_is_none_is_named(serve, host, said):
    with pytest.raises(UsageError, match=rf"health\.host: .*{said}"):
        serve(host=host)


def test_an_address_of_another_machine_is_named(serve, monkeypatch):
    monkeypatch.setenv("HEALTH_TOKEN", "abc")
    with pytest.raises(UsageError, match=r"health\.host: 192\.0\.2\.1 cannot be bound"):
        serve(host="192.0.2.1", token_env="HEALTH_TOKEN")


# How it ends


def test_close_is_quick_repeatable_and_frees_the_port(serve):
    server = serve()
    port = bound(server)[1]
    silent = socket.create_connection(bound(server), timeout=10)
    ask(server, "/healthz")
    began = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - began < 1
    assert silent.recv(1) == b""
    silent.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("health-client")] == []
    assert ask(serve(port=port), "/healthz")[0] == 200


def test_close_without_start(state):
    server = HealthServer(HealthConfig(port=0), Metrics("1"), state)
    server.close()


def test_close_right_after_start(serve):
    for _ in range(20):
        serve().close()


# Slow and many clients


def descriptors_open() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def clients_served() -> int:
    return sum(thread.name == "health-client" for thread in threading.enumerate())


def test_a_silent_client_is_cut_off(serve):
    server = serve(client_timeout_s=0.3)
    with socket.create_connection(bound(server), timeout=10) as client:
        assert client.recv(1) == b""


def sends_on(client: socket.socket) -> bool:
    """Send one more byte; tells whether the server still listens."""
    try:
        client.sendall(b"x")
        return client.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_a_client_that_sends_drop_by_drop_is_cut_off(serve):
    server = serve(client_timeout_s=0.5)
    with socket.create_connection(bound(server), timeout=10) as client:
        client.settimeout(0.05)
        began = time.monotonic()
        while sends_on(client):
            assert time.monotonic() - began < 5
    assert ask(server, "/healthz")[0] == 200


def test_many_silent_clients_take_neither_threads_nor_the_answer(serve):
    server = serve(client_timeout_s=60)
    descriptors = descriptors_open()
    silent = [socket.create_connection(bound(server), timeout=10) for _ in range(5 * MAX_CLIENTS)]
    began = time.monotonic()
    assert ask(server, "/healthz")[0] == 200
    assert time.monotonic() - began < 2
    assert clients_served() <= MAX_CLIENTS
    for client in silent:
        client.close()
    server.close()
    assert clients_served() == 0
    assert descriptors_open() <= descriptors


def test_a_state_that_hangs_does_not_hold_up_the_metrics(serve):
    go_on = threading.Event()
    entered = threading.Semaphore(0)

    def hanging() -> Health:
        entered.release()
        go_on.wait(30)
        return FINE

    server = serve(health=hanging)
    stuck = [socket.create_connection(bound(server), timeout=10) for _ in range(2)]
    try:
        for client in stuck:
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert entered.acquire(timeout=10)
        silent = [socket.create_connection(bound(server), timeout=10) for _ in range(2 * MAX_CLIENTS)]
        assert ask(server, "/metrics")[0] == 200
        for client in (*silent, *stuck):
            client.close()
    finally:
        go_on.set()
