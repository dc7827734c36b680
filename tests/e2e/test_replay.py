"""The program as its user runs it: real clips, real weights, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streamer.events import event_schema

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ROOT / "tests" / "data" / "clips"
GB, VN = CLIPS / "gb_one_car_720p.mp4", CLIPS / "vn_toll_gate_720p.mp4"


def run(*arguments: object, timeout_s: float = 250) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamer.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s, cwd=ROOT)


def events_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]


def plates(events: Sequence[dict[str, Any]]) -> set[str]:
    return {event["plate"] for event in events if event["plate"]}


@pytest.fixture(scope="module")
def toll(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("toll") / "out"
    return out, run("replay", VN, "--out", out, "--every", 2, "--annotate", "--start", "2020-05-22T08:04:34+07:00")


def test_one_event_per_vehicle_with_its_exact_plate(toll: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = toll
    assert done.returncode == 0, done.stderr
    found = [event["plate"] for event in events_of(out) if event["plate"] in ("34A36837", "34A23126", "89C20339")]
    assert found == ["34A36837", "34A23126", "89C20339"]


def test_the_table_names_the_vehicles_and_where_to_look(toll: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = toll
    for shown in ("34A36837", "34A23126", "89C20339", "2020-05-22 01:04:3", str(out / "events.jsonl"), "x real time"):
        assert shown in done.stdout


def test_events_keep_to_the_schema_and_name_their_evidence(toll: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, _ = toll
    for event in events_of(out):
        jsonschema.validate(event, event_schema())
        (crop,) = event["evidence"]
        assert hashlib.sha256((out / crop["file"]).read_bytes()).hexdigest() == crop["sha256"]
        assert event["clock"] == "option"
        assert event["first"]["time"] <= event["best"]["time"] <= event["last"]["time"]


def test_the_annotated_video_holds_every_analysed_frame(toll: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    import av

    out, _ = toll
    with av.open(str(out / "vn_toll_gate_720p.annotated.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 170


def test_what_is_written_is_its_owners_alone(toll: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, _ = toll
    modes = {path.stat().st_mode & 0o077 for path in [out, *out.rglob("*")]}
    assert modes == {0}


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("car") / "out"
    return out, run("replay", GB, "--out", out, "--every", 5, "--json")


def test_json_is_all_that_stands_on_standard_output(car: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = car
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert printed == events_of(out)
    assert "LS15EBC" in plates(printed)
    assert printed[0]["best"]["time"].startswith("2016-02-22T07:18")  # the container's own time


def test_batches_and_repeats_give_the_same_events(car: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    out, _ = car
    assert run("replay", GB, "--out", tmp_path, "--every", 5, "--batch", 1).returncode == 0
    done = run("diff", out, tmp_path)
    assert done.returncode == 0, done.stdout


def test_damaged_files_are_named_and_the_next_is_read(tmp_path: Path) -> None:
    broken, empty, text = tmp_path / "broken.mp4", tmp_path / "empty.mp4", tmp_path / "text.mkv"
    broken.write_bytes(GB.read_bytes()[:200_000])
    empty.touch()
    text.write_text("no video")
    done = run("replay", broken, empty, text, GB, "--out", tmp_path / "out", "--every", 5)
    assert done.returncode == 2
    for file in (broken, empty, text):
        assert str(file) in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert plates(events_of(tmp_path / "out")) >= {"LS15EBC"}


@pytest.mark.parametrize("arguments", [("no-such-file.mp4",), (), (GB, "--start", "yesterday")])
def test_what_cannot_be_replayed_is_said_in_one_line(tmp_path: Path, arguments: tuple[object, ...]) -> None:
    done = run("replay", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("plate-streamer: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_ctrl_c_ends_cleanly_with_what_was_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamer.cli", "replay", str(VN), "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    deadline = time.monotonic() + 60
    while not (tmp_path / "events.jsonl").exists() and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "(interrupted)" in printed
    assert "Traceback" not in errors


def test_the_default_path_loads_neither_torch_nor_paddle() -> None:
    script = (
        "import sys, cv2\n"
        "from streamer import build_pipeline, load_config\n"
        "pipeline = build_pipeline(load_config())\n"
        "assert pipeline.read(cv2.imread('tests/data/photos/fa_00010.webp'))\n"
        "print(*sorted({'torch', 'ultralytics', 'paddle', 'paddleocr', 'paddlex'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
