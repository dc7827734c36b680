"""What systemd is told, and the unit that ships."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from streamer.config import LiveConfig
from streamer.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path) -> Iterator[tuple[socket.socket, str]]:
    """A socket like systemd's, and its name as systemd gives it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@plate-streamer-test-{tmp_path.name}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        bound.settimeout(5)
        yield bound, name


def test_everything_arrives(systemd):
    bound, name = systemd
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, pid=77)
    before = time.monotonic_ns() // 1000
    notifier.ready()
    notifier.status("2 of 3 cameras\nare live")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping()
    assert bound.recv(4096) == b"READY=1"
    assert bound.recv(4096) == b"STATUS=2 of 3 cameras are live"
    reloading = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", bound.recv(4096))
    assert reloading
    assert before <= int(reloading[1]) <= time.monotonic_ns() // 1000
    assert bound.recv(4096) == b"WATCHDOG=1"
    assert bound.recv(4096) == b"STOPPING=1"


def test_the_watchdog_is_fed_twice_in_its_time(tmp_path):
    environment = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "30000000"}
    assert Notifier(environment).watchdog_interval_s == 15.0


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "30000000"},
        {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"},
        {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/n"},
    ],
)
def test_no_watchdog_where_nobody_asked_for_one(environment):
    notifier = Notifier(environment, pid=77)
    assert notifier.watchdog_interval_s is None
    notifier.watchdog()


def test_without_systemd_nothing_happens():
    notifier = Notifier({})
    notifier.ready()
    notifier.status("fine")
    notifier.reloading()
    notifier.stopping()


@pytest.mark.parametrize("name", ["vsock:2:1234", "relative/path"])
def test_an_unknown_kind_of_socket_is_told_once(name, caplog):
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.stopping()
    assert len(caplog.records) == 1
    assert name in caplog.text


@pytest.mark.parametrize("name", ["/nonexistent/notify", "/" + "long" * 100])
def test_a_systemd_that_cannot_be_reached_is_logged_and_no_error(name, caplog):
    Notifier({"NOTIFY_SOCKET": name}).ready()
    assert "systemd could not be told READY=1" in caplog.text


def test_the_environment_of_the_process_is_the_default(monkeypatch, systemd):
    bound, name = systemd
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    Notifier().ready()
    assert bound.recv(4096) == b"READY=1"


# The unit


@pytest.fixture(scope="module")
def unit(root) -> dict[str, list[str]]:
    """Every key of the unit with its values."""
    keys: dict[str, list[str]] = {}
    for line in (root / "configs" / "systemd" / "plate-streamer.service").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            keys.setdefault(key, []).append(value)
    return keys


def _seconds(value: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|min)?", value).groups()
    return int(number) * (60 if unit == "min" else 1)


def test_the_unit_tells_systemd_how_it_goes(unit):
    assert unit["Type"] == ["notify"]
    assert unit["NotifyAccess"] == ["main"]
    assert _seconds(unit["WatchdogSec"][0]) >= 20
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert unit["Restart"] == ["always"]


def test_the_unit_gives_the_program_time_to_drain(unit):
    assert unit["KillSignal"] == ["SIGTERM"]
    assert _seconds(unit["TimeoutStopSec"][0]) >= LiveConfig().drain_s + 10


def test_the_unit_is_hardened(unit):
    expected = {"DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "UMask": "0077", "LimitCORE": "0"}
    assert {key: unit[key] for key in expected} == {key: [value] for key, value in expected.items()}
    assert unit["StateDirectory"] == ["plate-streamer"]
    assert unit["StateDirectoryMode"] == ["0700"]
    assert unit["LoadCredential"]
    assert unit["SupplementaryGroups"] == ["video"]
    assert "char-video4linux rw" in unit["DeviceAllow"]
    assert "MemoryDenyWriteExecute" not in unit
    assert "PrivateDevices" not in unit


def test_the_units_command_line_is_understood(unit):
    from streamer.cli import app

    commands = typer.main.get_command(app).commands
    if "run" not in commands:
        pytest.skip("the command run is not there yet")
    program, command, *arguments = shlex.split(unit["ExecStart"][0])
    assert Path(program).name == "plate-streamer"
    assert command == "run"
    context = commands["run"].make_context("run", arguments)
    assert str(context.params["config"]).endswith(".yaml")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(root, tmp_path):
    text = (root / "configs" / "systemd" / "plate-streamer.service").read_text(encoding="utf-8")
    file = tmp_path / "plate-streamer.service"
    file.write_text(re.sub(r"^ExecStart=\S+", f'ExecStart="{sys.executable}"', text, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in done.stderr.splitlines() if "plate-streamer" in line] == []
    assert done.returncode == 0, done.stderr
