"""``plate-streamer run`` as its user runs it: a process with the real networks, real cameras, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamer.events import event_schema
from streamer.testcamera import Camera, CameraServer, load_clip
from tests.e2e.livecamera_process import ROOT, black_hole

pytestmark = pytest.mark.timeout(240)

KNOWN = {"toll": {"34A36837", "34A23126", "89C20339"}, "car": {"LS15EBC"}}
WITHIN_S = 90.0


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "streamer.cli", *map(str, arguments)]


class Program:
    """The running program: what it writes, its health, its end."""

    def __init__(self, file: Path, words: Sequence[str] | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_VIDEOIO")}
        self.process = subprocess.Popen(
            words or command("run", "--config", file), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        self.errors: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.address = self.wait_for("health: ").rpartition("health: ")[2].strip()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)

    @property
    def log(self) -> str:
        return "".join(self.errors)

    def wait(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + WITHIN_S
        while not (found := condition()):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log}"
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return found

    def wait_for(self, text: str, after: int = 0) -> str:
        """Wait for a line of the log."""
        return str(self.wait(lambda: next((line for line in list(self.errors)[after:] if text in line), None)))

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/status", timeout=5) as answer:  # noqa: S310 (our own)
            return dict(json.loads(answer.read()))

    def cameras(self) -> dict[str, dict[str, Any]]:
        return {one["source_id"]: one for one in self.status()["cameras"]}

    def end(self, *signals: int) -> tuple[int, float]:
        """Send signals; gives the exit code and how long it took."""
        began = time.monotonic()
        for number in signals:
            self.process.send_signal(number)
        code = self.process.wait(WITHIN_S)
        self._reading.join(5.0)
        return code, time.monotonic() - began

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reading.join(5.0)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()


def write(file: Path, cameras: Mapping[str, object], **more: Any) -> None:
    """Write a configuration, all of it at once."""
    sections = {"cameras": cameras, "events": {"directory": str(file.parent / "out")}, "health": {"port": 0}, **more}
    fresh = file.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(sections, sort_keys=False))
    fresh.replace(file)


def events_in(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@dataclass
class Shift:
    """What was seen of one long run."""

    log: str = ""
    code: int = -1
    stop_s: float = 0.0
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    added: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: subprocess.CompletedProcess[str] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    events_before_the_end: int = 0


@pytest.fixture(scope="module")
def shift(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    folder = tmp_path_factory.mktemp("run")
    file = folder / "live.yaml"
    toll = Camera("toll", load_clip(data / "clips" / "vn_toll_gate_720p.mp4"))
    car = Camera("car", load_clip(data / "clips" / "gb_one_car_720p.mp4"))
    found = Shift()
    with ExitStack() as stack:
        server = stack.enter_context(CameraServer([toll, car]))
        cameras: dict[str, object] = {one.name: {"url": one.url, "process_fps": 8, "motion_gate": False} for one in (toll, car)}
        write(file, cameras, live={"reload_poll_s": 0})
        program = Program(file)
        stack.callback(program.close)
        program.wait(lambda: all(one["state"] == "live" for one in program.cameras().values()))
        began = time.monotonic()
        found.before = program.cameras()
        found.told = subprocess.run(
            command("status", "--url", program.address, "--json"), capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
        )
        # A mistake in the last line; then the same without it, and a camera more.
        write(file, {**cameras, "late": {"url": car.url}}, live={"reload_poll_s": 0}, tracker={"lost_after_s": "soon"})
        seen = len(program.errors)
        program.process.send_signal(signal.SIGHUP)
        program.wait_for("refused", seen)
        found.refused = program.cameras()
        write(file, {**cameras, "late": {"url": server.cameras["car"].url, "process_fps": 1}}, live={"reload_poll_s": 0})
        program.process.send_signal(signal.SIGHUP)
        found.added = program.wait(lambda: program.cameras() if program.cameras().get("late", {}).get("analysed") else None)
        # A whole round of the longer clip; in the shorter one, the car comes again and again and has not passed before the end.
        time.sleep(max(0.0, began + 22.0 - time.monotonic()))
        program.wait(lambda: program.cameras()["toll"]["analysed"] > 80)
        log = folder / "out" / "events.jsonl"
        # On a busy machine few frames are analysed, and a vehicle may pass between them: it comes again with the next round.
        enough = time.monotonic() + 60.0
        while not KNOWN["toll"] <= {event["plate"] for event in events_in(log)} and time.monotonic() < enough:
            time.sleep(0.2)
        found.events_before_the_end = len(events_in(log))
        found.last = program.cameras()
        found.code, found.stop_s = program.end(signal.SIGTERM)
        found.log = program.log
        found.events = events_in(log)
        yield found


def test_known_vehicles_come_out(shift: Shift) -> None:
    for name, plates in KNOWN.items():
        found = [event["plate"] for event in shift.events if event["source"] == name and event["plate"] in plates]
        assert set(found) == plates, [event["plate"] for event in shift.events if event["source"] == name]
    for event in shift.events:
        jsonschema.validate(event, event_schema())
        assert event["clock"] == "rtcp"
        assert event["clock_offset_s"] is not None
        assert event["age_s"] is not None


def test_sigterm_turns_open_passages_into_events_and_is_clean(shift: Shift) -> None:
    assert shift.code == 0, shift.log
    assert len(shift.events) > shift.events_before_the_end
    cars = [event for event in shift.events if event["source"] == "car"]
    assert [event["plate"] for event in cars].count("LS15EBC") == 1, "however often the clip came round"
    assert shift.stop_s < 10.0
    assert "stopped" in shift.log


def test_a_changed_file_with_a_mistake_is_refused_with_its_line(shift: Shift) -> None:
    line = next(line for line in shift.log.splitlines() if "refused" in line)
    assert "live.yaml:" in line
    assert "lost_after_s" in line
    assert "soon" in line
    assert shift.refused.keys() == shift.before.keys()
    assert all(one["state"] == "live" for one in shift.refused.values())
    assert all(shift.refused[name]["session"] == shift.before[name]["session"] for name in shift.before)


def test_sighup_adds_a_camera_and_leaves_the_others_alone(shift: Shift) -> None:
    assert "late" in shift.added
    for name in ("toll", "car"):
        assert shift.last[name]["session"] == shift.before[name]["session"]
        assert shift.last[name]["faults"] == {}


def test_status_as_json(shift: Shift) -> None:
    assert shift.told is not None
    assert shift.told.returncode == 0, shift.told.stderr
    told = json.loads(shift.told.stdout)
    assert {one["source_id"]: one["state"] for one in told["cameras"]} == {"toll": "live", "car": "live"}
    assert told["healthy"]
    assert told["ready"]


def test_every_frame_is_accounted_for(shift: Shift) -> None:
    for one in shift.last.values():
        assert 0 <= one["offered"] - one["analysed"] - sum(one["dropped"].values()) <= 3
        assert one["waiting"] == one["offered"] - one["analysed"] - sum(one["dropped"].values())


def test_a_changed_file_is_noticed_and_sigint_ends_it(tmp_path: Path) -> None:
    """With cameras that hang: the program starts, changes and ends without any."""
    file = tmp_path / "live.yaml"
    with black_hole() as hole, black_hole(full=True) as full, ExitStack() as stack:
        cameras = {"hole": {"url": hole}, "full": {"url": full}}
        write(file, cameras, live={"reload_poll_s": 0.2})
        program = Program(file)
        stack.callback(program.close)
        assert set(program.cameras()) == {"hole", "full"}
        file.write_text("cameras: {hole: {url: ftp://nowhere}}\n")
        assert "live.yaml:1: cameras.hole.url" in program.wait_for("refused")
        write(file, {"full": cameras["full"]}, live={"reload_poll_s": 0.2})
        program.wait(lambda: set(program.cameras()) == {"full"})
        code, took_s = program.end(signal.SIGINT)
        assert (code, took_s < 5.0) == (0, True), program.log
        assert "Traceback" not in program.log


# A program whose end takes long, as it may with a disk that hangs.
SLOW_END = """
import sys, time
from pathlib import Path
from streamer.config_file import load_config
from streamer.daemon import Daemon
from streamer.log import configure
from streamer.run_command import run_daemon
Daemon.stop = lambda daemon: time.sleep(60)
config = load_config(Path(sys.argv[1]))
configure(config.log, sys.stderr)
run_daemon(Path(sys.argv[1]), out=None, as_json=False)
"""


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    file = tmp_path / "live.yaml"
    with black_hole() as hole, ExitStack() as stack:
        write(file, {"hole": {"url": hole}})
        program = Program(file, [sys.executable, "-c", SLOW_END, str(file)])
        stack.callback(program.close)
        for _ in range(2):  # timeout(1) sends the same wish twice
            program.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        time.sleep(1.0)
        assert program.process.poll() is None, "it takes its time to end well"
        code, took_s = program.end(signal.SIGTERM)
        assert (code, took_s < 10.0) == (-signal.SIGTERM, True), program.log


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("health: {port: 0}\n", "no cameras"),
        ("cameras:\n  gate: {url: 'rtsp://127.0.0.1/x', user: me, password_file: /nowhere/password}\n", "cameras.gate"),
        ("cameras:\n  gate: {url: 'rtsp://127.0.0.1/x', user: me, password_env: NO_SUCH_PASSWORD}\n", "NO_SUCH_PASSWORD"),
        ("cameras:\n  gate: {urll: 'rtsp://127.0.0.1/x'}\n", "live.yaml:2"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "live.yaml"
    file.write_text(text)
    done = subprocess.run(command("run", "--config", file), capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
