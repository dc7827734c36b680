"""The command line as scripts see it: standard output, standard error and exit codes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamer import app, commands, doctor
from streamer.config import Config
from streamer.doctor import Finding
from streamer.events import to_line
from streamer.pipeline import PlateResult
from streamer.types import Box
from streamer.weights import states

RUN = "import sys; from streamer.cli import main; main()"


@pytest.fixture(scope="module")
def run(root):
    """Runs a command line in a process of its own."""

    def call(*arguments):
        command = [sys.executable, "-c", RUN, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=240, cwd=root)

    return call


@pytest.fixture
def log(tmp_path, make_event):
    """Writes an event log into a new folder; each argument holds fields of a passage."""

    def write(name, *passages, **fields):
        (tmp_path / name).mkdir()
        events = [make_event(number, **passage) | fields for number, passage in enumerate(passages, start=1)]
        (tmp_path / name / "events.jsonl").write_text("".join(to_line(event) + "\n" for event in events), encoding="utf-8")
        return tmp_path / name

    return write


def test_check_prints_every_mistake_on_a_line(run, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text("batch: 0\ndetector:\n  confidance: 0.4\n  iou: 2\n")
    done = run("check", file)
    lines = done.stdout.splitlines()
    assert done.returncode == 2
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4"]
    assert all(line.startswith(f"{file}:") for line in lines)
    assert "detector.confidance" in lines[1]
    assert "confidence" in lines[1]
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["replay", "parking", "motorway"])
def test_check_finds_the_shipped_configurations_fine(capsys, root, name):
    file = root / "configs" / f"{name}.yaml"
    assert commands.run_check(file) == 0
    assert capsys.readouterr().out == f"{file}: fine\n"


def test_check_names_a_file_that_is_not_there(capsys, tmp_path):
    assert commands.run_check(tmp_path / "none.yaml") == 2
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'none.yaml'}: cannot be read")


def test_diff_of_the_same_vehicles_is_no_failure_whoever_wrote_them(capsys, log):
    cars = [{"t": 1.0, "plate": "AB12"}, {"t": 30.0, "plate": "CD34"}]
    assert commands.run_diff(log("a", *cars), log("b", *cars, program_version="9.9.9")) == 0
    told = capsys.readouterr().out
    assert "program_version" in told
    assert told.splitlines()[-1].startswith("2 same;")


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ([{"plate": "AB13"}], "character 4: 2 | 3"),
        ([{"plate": "AB12", "looks": 41}], "looks: 40 | 41"),
        ([], "only A"),
        ([{"plate": "AB12"}, {"t": 90.0, "plate": "CD34"}], "only B"),
    ],
)
def test_diff_fails_if_a_vehicle_differs(capsys, log, other, line):
    assert commands.run_diff(log("a", {"plate": "AB12"}), log("b", *other)) == 1
    assert line in capsys.readouterr().out


def test_diff_of_something_else_is_a_usage_error(run, log, tmp_path):
    done = run("diff", log("a", {}), tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


@pytest.mark.parametrize(("state", "code"), [("warn", 0), ("absent", 0), ("missing", 1)])
def test_doctor_fails_only_if_something_needed_is_missing(monkeypatch, capsys, state, code):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("backend", "[openvino]", state, "a detail")])
    assert commands.run_doctor() == code
    assert "[openvino]" in capsys.readouterr().out, "names are no markup"


def test_doctor_without_weights_says_what_to_do(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(tmp_path))
    done = run("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "missing" in done.stdout


def test_weights_that_cannot_be_fetched_are_a_usage_error(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(tmp_path))
    done = run("weights", "fetch")
    assert (done.returncode, done.stdout) == (2, "")
    assert str(tmp_path) in done.stderr


def test_a_folder_without_pictures_is_named(run, tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    done = run("read", "--json", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(tmp_path) in done.stderr


class StubPipeline:
    """Finds a plate that was read and one that was not in every picture; remembers how many pictures came in a call."""

    def __init__(self):
        self.calls = []

    def read_many(self, images):
        self.calls.append(len(images))
        read = PlateResult("AB12", "A812", 0.91, (0.9,) * 4, "NL", "x", (), Box(1, 2, 30.04, 40), 0.8, unread_chars=1)
        unread = PlateResult(None, None, 0.0, (), None, None, (), Box(50, 60, 70, 80), 0.5)
        return [[read, unread]] * len(images)


def test_people_get_a_table_and_pictures_are_read_in_batches(monkeypatch, capsys, data, tmp_path):
    """Names of files may look like markup and be any bytes."""
    pipeline = StubPipeline()
    monkeypatch.setattr(app, "build_pipeline", lambda config, *, stills: pipeline)
    monkeypatch.setenv("COLUMNS", "200")
    photo = data / "photos" / "oi_00029.webp"
    names = [b"[bold]9.png", b"\xff.png", *(b"%d.PNG" % number for number in range(9))]
    folder = tmp_path / "in"
    folder.mkdir()
    for name in names:
        shutil.copy(photo, folder / os.fsdecode(name))
    (folder / "8.PNG").write_bytes(b"no picture")
    monkeypatch.chdir(folder)
    assert commands.run_read(Config(), [Path()], as_json=False) == 2
    told = capsys.readouterr()
    assert pipeline.calls == [8, 2]
    assert "[bold]9.png" in told.out
    assert "\\udcff.png" in told.out
    assert told.out.count("AB12 (+1 unread)") == 10
    assert told.out.count("cannot be read") == 1
    assert told.err.startswith("8.PNG: ")


needs_weights = pytest.mark.skipif(
    set(states().values()) != {"ok"}, reason="the starting weights are not there: plate-streamer weights fetch"
)


@needs_weights
def test_read_prints_one_line_a_picture_and_goes_on_after_a_broken_one(run, data, tmp_path):
    with (data / "truth.csv").open(encoding="utf-8") as rows:
        truth = next(row for row in csv.DictReader(rows) if row["file"] == "photos/oi_00029.webp")
    photo, folder = data / truth["file"], tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no picture at all")
    (folder / "b.JPG").write_bytes(photo.read_bytes())
    (folder / "c.txt").write_text("not looked at")
    shutil.copy(next((data / "backgrounds").glob("*.webp")), folder / "d.webp")
    shutil.copy(photo, folder / os.fsdecode(b"e\xff.webp"))
    inside = [folder / name for name in ("a.png", "b.JPG", "d.webp", os.fsdecode(b"e\xff.webp"))]

    done = run("read", "--json", folder, tmp_path / "none.png", *[photo] * 5)

    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert [record["file"] for record in records] == [*map(str, inside), str(tmp_path / "none.png"), *[str(photo)] * 5]
    broken = [record for record in records if "error" in record]
    assert broken == [records[0], records[4]]
    assert all(record["plates"] == [] and record["error"] in done.stderr.splitlines() for record in broken)
    assert records[2]["plates"] == []
    (plate,) = records[1]["plates"]
    assert all(record["plates"] == [plate] for record in records[3:] if record not in broken), "in whatever call a picture comes"

    assert plate["plate"] == truth["plates"]
    assert set(plate) >= {"plate", "raw", "score", "char_scores", "box", "box_score", "country", "format", "unread_chars"}
    assert len(plate["char_scores"]) == len(plate["plate"])
    scores = [plate["score"], plate["box_score"], *plate["char_scores"]]
    assert all(0 < score <= 1 and round(score, 4) == score for score in scores)
    assert plate["box"] == pytest.approx([float(edge) for edge in truth["boxes"].split()], abs=15)
    assert [round(edge, 1) for edge in plate["box"]] == plate["box"]
