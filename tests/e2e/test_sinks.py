"""Sinks as their user has them: a configuration, `replay` and `run` with the real networks, a real web server."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamer.testcamera import Camera, CameraServer, load_clip
from tests.e2e.livecamera_process import ROOT
from tests.e2e.test_run import Program, write
from tests.receivers import Web, wait_until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.go()


def replay(data: Path, file: Path, out: Path) -> subprocess.CompletedProcess[str]:
    clip = data / "clips" / "gb_one_car_720p.mp4"
    command = [sys.executable, "-m", "streamer.cli", "replay", str(clip), "--config", str(file), "--out", str(out), "--every", "5"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, cwd=ROOT)


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def test_replay_has_fed_its_sinks_when_it_ends(data: Path, tmp_path: Path, web: Web) -> None:
    file, out = tmp_path / "sinks.yaml", tmp_path / "out"
    sinks = {"hook": {"type": "webhook", "url": web.url, "secret": "s3cret"}, "table": {"type": "csv", "directory": "tables"}}
    file.write_text(yaml.safe_dump({"sinks": sinks}))
    done = replay(data, file, out)
    assert done.returncode == 0, done.stderr
    events = log(out)
    assert events
    assert [json.loads(request.body) for request in web.requests] == events
    [table] = (tmp_path / "tables").iterdir()
    with table.open(newline="", encoding="utf-8") as rows:
        assert [row["event_id"] for row in csv.DictReader(rows)] == [event["event_id"] for event in events]
    assert "s3cret" not in done.stdout + done.stderr


def test_replay_says_what_a_sink_did_not_get_and_the_next_one_brings_it(data: Path, tmp_path: Path, web: Web) -> None:
    file, out = tmp_path / "sinks.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump({"sinks": {"hook": {"type": "webhook", "url": web.url}}}))
    web.go()
    done = replay(data, file, out)
    assert done.returncode == 0, "the log is complete all the same"
    assert "sink hook: " in done.stdout
    assert "events not delivered yet" in done.stdout
    web.come()
    again = replay(data, file, out)
    assert again.returncode == 0, again.stderr
    assert [json.loads(request.body) for request in web.requests] == log(out)


def test_a_running_program_goes_on_while_a_sink_is_away(data: Path, tmp_path: Path, web: Web) -> None:
    file = tmp_path / "live.yaml"
    car = Camera("car", load_clip(data / "clips" / "gb_one_car_720p.mp4"))
    web.go()
    with ExitStack() as stack:
        stack.enter_context(CameraServer([car]))
        retry = {"backoff_min_s": 0.05, "backoff_max_s": 0.2}
        hook = {"type": "webhook", "url": web.url, "filter": {"states": ["preview", "final"]}, "retry": retry}
        cameras = {"car": {"url": car.url, "process_fps": 8, "motion_gate": False}}
        write(file, cameras, sinks={"hook": hook}, events={"directory": str(tmp_path / "out"), "states": "all"})
        program = Program(file)
        stack.callback(program.close)
        program.wait(lambda: program.status()["sinks"][0]["state"] == "failing")
        status = program.status()
        assert status["healthy"]
        assert status["ready"]
        assert "refused" in status["sinks"][0]["failure"]
        web.come()
        program.wait(lambda: web.accepted)
        assert json.loads(web.accepted[0].body)["state"] == "preview"
        assert "sink hook goes on" in program.wait_for("sink hook goes on")
        code, took_s = program.end(signal.SIGTERM)
    assert code == 0, program.log
    assert took_s < 15.0
    events = [event for event in log(tmp_path / "out") if event["state"] in ("preview", "final")]
    wait_until(lambda: len(web.accepted) == len(events))
    assert [json.loads(request.body) for request in web.accepted] == events, "the last ones, too, which came at the end"
