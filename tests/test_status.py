"""``plate-streamer status`` against a real health server."""

from __future__ import annotations

import http.server
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from streamer.config import HealthConfig
from streamer.health import HealthServer, status_of
from streamer.live.health_state import Health, HostClockState, QueueState, Recent
from streamer.live.stats import CameraSnapshot, CameraStats
from streamer.metrics import Metrics
from streamer.status_command import run_status, view
from streamer.types import ModelInfo


def cameras() -> tuple[CameraSnapshot, ...]:
    gate, yard, north = CameraStats("gate"), CameraStats("yard"), CameraStats("north")
    gate.enter("live", 1)
    gate.see(0.47, 312.0, None)
    gate.tell_time("rtcp", 0.21)
    gate.record(plate=True)
    yard.enter("backoff", 3)
    yard.fault("refused", "nobody listens at 10.0.0.9:554")
    north.enter("live", 1)
    north.limit(5.0)
    north.see(0.02, 1.0, "dark")
    seen = replace(gate.snapshot(), fps=25.0, analysed_fps=9.8, frame_age_s=0.04, dropped={"idle": 12345, "stale": 2, "rate": 0})
    return seen, yard.snapshot(), north.snapshot()


FINE = Health(
    version="1.2.3",
    uptime_s=93_784.0,
    stopping=False,
    detector=ModelInfo("plate-detector", "ab12cd34" * 8, "openvino cpu int8"),
    reader=ModelInfo("plate-reader", "ef56ab78" * 8, "openvino cpu f32"),
    inference_age_s=0.1,
    recorder=QueueState(2, 0.5),
    recorder_error=None,
    dead_threads=(),
    cameras=cameras(),
    host_clock=HostClockState("chrony", True, 0.0012, 0.02),
)


@pytest.fixture
def serve() -> Iterator[Callable[..., HealthServer]]:
    servers = []

    def start(health: Health = FINE, **config: Any) -> HealthServer:
        metrics = Metrics("1.2.3")
        metrics.batch(2)
        metrics.event_latency("gate", "final", 1.75)
        server = HealthServer(HealthConfig(**{"port": 0, **config}), metrics, lambda: health)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("watch", [False, True])
def test_without_a_terminal_one_plain_table_is_printed(serve, capsys, watch):
    assert run_status(serve().address, None, watch=watch, as_json=False) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    head = " ".join(out.split())
    for part in (
        "healthy",
        "plate-streamer 1.2.3",
        "up 1 d 2 h",
        "detector plate-detector (ab12cd34, openvino cpu int8)",
        "reader plate-reader (ef56ab78, openvino cpu f32)",
        "batch 2.0",
        "event latency p50 1.8 s p95 1.8 s",
        "to record 2, the oldest for 500 ms",
        "host clock synchronised (chrony, 1 ms off)",
    ):
        assert part in head
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.split()}
    for part in ("live", "9.8 of 25.0", "idle 12.3k stale 2", "40 ms", "rtcp 210 ms", "bright 47% sharp 312.0", "1, plates 1"):
        assert part in lines["gate"]
    assert "rate 0" not in lines["gate"]
    assert "backoff" in lines["yard"]
    assert lines["yard"].endswith("refused: nobody listens at 10.0.0.9:554")
    assert "at most 5.0" in lines["north"]
    assert "bright 2% sharp 1.0 dark" in lines["north"]


def test_a_program_that_is_not_healthy_is_code_1(serve, capsys):
    server = serve(replace(FINE, recorder_error="no space left on device", cameras=()))
    assert run_status(server.address, None, watch=False, as_json=False) == 1
    out = capsys.readouterr().out
    assert "not healthy" in out
    assert "events cannot be recorded: no space left on device" in out


def test_what_keeps_it_from_being_ready_is_said(serve, capsys):
    assert run_status(serve(replace(FINE, detector=None)).address, None, watch=False, as_json=False) == 0
    out = capsys.readouterr().out
    assert "healthy, not ready" in out
    assert "the models are not loaded yet" in out
    assert "detector not loaded" in out


@pytest.mark.parametrize("watch", [False, True])
def test_as_json_it_is_one_line(serve, capsys, watch):
    assert run_status(serve().address, None, watch=watch, as_json=True) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert [camera["source_id"] for camera in json.loads(out)["cameras"]] == ["gate", "yard", "north"]


@pytest.mark.parametrize("form", ["{0}", "{0}/", "{0}/status", "{1}", "{1}/status"])
def test_the_address_may_be_short(serve, capsys, form):
    address = serve().address
    assert run_status(form.format(address, address.removeprefix("http://")), None, watch=False, as_json=True) == 0


def test_no_proxy_is_asked(serve, capsys, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert run_status(serve().address, None, watch=False, as_json=True) == 0


def test_a_token_opens(serve, tmp_path, capsys):
    file = tmp_path / "token"
    file.write_text("geheim-ßΩ", encoding="utf-8")
    address = serve(token_file=file).address
    assert run_status(address, "geheim-ßΩ", watch=False, as_json=True) == 0
    assert run_status(address, None, watch=False, as_json=False) == 2
    assert "wants a token: that of health.token_file or health.token_env" in capsys.readouterr().err
    assert run_status(address, "hunter2", watch=False, as_json=False) == 2
    err = capsys.readouterr().err
    assert "wants another token" in err
    assert "hunter2" not in err


def test_nobody_answers(serve, capsys):
    server = serve()
    address = server.address
    server.close()
    assert run_status(address, None, watch=False, as_json=False) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"nobody answers at {address}/status" in captured.err
    assert "health.port" in captured.err


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://", "http://[::1", "http://127.0.0.1:port", "ftp://127.0.0.1"])
def test_what_is_no_address_is_said(url, capsys):
    assert run_status(url, None, watch=False, as_json=False) == 2
    assert capsys.readouterr().err.startswith("plate-streamer: ")


def test_credentials_in_the_address_are_not_shown(capsys):
    assert run_status("http://me:hunter2@127.0.0.1:9/", None, watch=False, as_json=False) == 2
    assert "hunter2" not in capsys.readouterr().err


@pytest.fixture
def other() -> Iterator[Callable[[int, dict[str, str], bytes], str]]:
    """Gives the address of a server that is something else."""
    servers = []

    def start(code: int, headers: dict[str, str], body: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        asked: list = []
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        servers.append((server, thread))
        start.asked = asked
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (200, b"<html>", "what answers there is no plate-streamer"),
        (200, b"[]", "is no plate-streamer"),
        (200, b"{}", "is no plate-streamer"),
        (200, b"\xff\xfe", "is no plate-streamer"),
        (404, b"", "answers 404: is that plate-streamer?"),
    ],
)
def test_somebody_else_answers(other, capsys, code, body, said):
    assert run_status(other(code, {}, body), None, watch=False, as_json=False) == 2
    assert said in capsys.readouterr().err


def test_the_token_goes_to_nobody_else(other, capsys):
    address = other(302, {"Location": "/elsewhere"}, b"")
    assert run_status(address, "abc", watch=False, as_json=False) == 2
    assert other.asked == [("/status", "Bearer abc")]
    assert "answers 302" in capsys.readouterr().err


# What is shown


def shown(status: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=250, markup=False, highlight=False, emoji=False)
    console.print(view(status))
    return console.file.getvalue()


STATUS = status_of(FINE, Recent(1.5, 0.01, 0.02, 1.7, 2.3))


def test_a_camera_cannot_drive_the_terminal():
    camera = dict(STATUS["cameras"][1], message="\x1b]0;owned\x07\n[bold]x[/bold]\x9b1m")
    out = shown(STATUS | {"cameras": [camera]})
    assert "?]0;owned??[bold]x[/bold]?1m" in out


@given(st.data())
def test_the_status_of_another_version_may_lack_anything(data):
    keep = data.draw(st.sets(st.sampled_from(sorted(set(STATUS) - {"healthy"}))))
    fields = data.draw(st.sets(st.sampled_from(sorted(STATUS["cameras"][0]))))
    status = {key: STATUS[key] for key in keep | {"healthy"}}
    status["cameras"] = [{key: value for key, value in camera.items() if key in fields} for camera in STATUS["cameras"]]
    assert "healthy" in shown(status)


@given(st.data())
def test_what_is_not_known_is_shown_as_such(data):
    fields = data.draw(st.sets(st.sampled_from(sorted(set(STATUS["cameras"][0]) - {"state", "source_id"}))))
    camera = STATUS["cameras"][0] | dict.fromkeys(fields)
    assert "gate" in shown(STATUS | {"cameras": [camera]})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.9, "59 min 59 s"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (None, "-"),
    ],
)
def test_times_are_short(seconds, words):
    assert f"| up {words} |" in shown(STATUS | {"uptime_s": seconds})


@pytest.mark.parametrize(
    ("count", "words"), [(999, "999"), (1000, "1.0k"), (999_949, "999.9k"), (999_950, "1.0M"), (4_500_000_000, "4.5G")]
)
def test_counts_are_short(count, words):
    camera = dict(STATUS["cameras"][0], dropped={"idle": count})
    assert f"idle {words} " in shown(STATUS | {"cameras": [camera]})


def test_an_offset_behind_has_a_sign():
    clock = {"synchronised": False, "source": "kernel", "offset_s": -1.25, "error_s": None}
    assert "host clock NOT SYNCHRONISED (kernel, -1.2 s off)" in shown(STATUS | {"host_clock": clock})


# Live


class Terminal:
    """``run_status`` with --watch in a terminal of its own."""

    def __init__(self, address: str) -> None:
        self._master, slave = pty.openpty()
        program = (
            "import signal, sys; from streamer.status_command import run_status as run\n"
            # A shell that started the tests in the background has SIGINT ignored, and children inherit that.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "sys.exit(run(sys.argv[1], None, watch=True, as_json=False))"
        )
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "220", "LINES": "40"}
        self.process = subprocess.Popen([sys.executable, "-c", program, address], stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Read on until the text was shown."""
        end = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < end, self.seen[-3000:]
            if select.select([self._master], [], [], 0.1)[0]:
                self.seen += os.read(self._master, 65536).decode("utf-8", "replace")

    def end(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Callable[[str], Terminal]]:
    terminals = []

    def start(address: str) -> Terminal:
        terminals.append(Terminal(address))
        return terminals[-1]

    yield start
    for one in terminals:
        one.close()


def test_it_is_shown_live_until_it_is_interrupted(serve, terminal):
    port = int((server := serve()).address.rpartition(":")[2])
    shell = terminal(server.address)
    shell.wait_for("gate")
    assert "\x1b[32mlive" in shell.seen
    server.close()
    shell.wait_for("nobody answers")
    serve(replace(FINE, recorder_error="no space left"), port=port)
    shell.wait_for("no space left")
    assert shell.end() == 1


def test_a_program_that_stays_away_is_code_2(serve, terminal):
    server = serve()
    shell = terminal(server.address)
    shell.wait_for("gate")
    server.close()
    shell.wait_for("nobody answers")
    assert shell.end() == 2
