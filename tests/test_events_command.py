"""``plate-streamer events`` and ``stats``, as people call them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamer.errors import UsageError
from streamer.moments import moment_of
from streamer.revisions import corrected
from streamer.store import Store, new_event_id

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
PLATES = ("AB123", "AB123", "A8I23", "XY987", None, "ZZ1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_event):
    """A record of six events, half an hour apart; the last one is corrected."""
    folder = tmp_path_factory.mktemp("events") / "out"
    with Store(folder / "events.sqlite") as store:
        for number, plate in enumerate(PLATES):
            fields: dict[str, Any] = {
                "plate": plate,
                "start": START + timedelta(minutes=30 * number),
                "source_id": ("gate", "exit")[number % 2],
            }
            if plate is None:
                fields |= {"score": None, "country": None, "reason": "blurred", "char_scores": (), "alternatives": ()}
            (last,) = store.append([lambda place, fields=fields: make_event(place, **fields) | {"event_id": new_event_id()}])
        store.append([lambda place: corrected(last, place, plate="ZZ7", by="me", why="", salt="0" * 32, written_at=START)])
    return folder


def plates_of(output: str) -> list[str | None]:
    events = [json.loads(line) for line in output.splitlines()]
    return [event["correction"]["plate"] if event["correction"] else event["plate"] for event in events]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["ZZ7", None, "XY987", "A8I23", "AB123", "AB123"]),
        (["--plate", "ab 123"], ["AB123", "AB123"]),
        (["--plate", "*1?3"], ["AB123", "AB123"]),
        (["--plate", "AB123", "--fuzzy", "0"], ["AB123", "AB123", "A8I23"]),
        (["--plate", "ZZ7"], ["ZZ7"]),
        (["--plate", "ZZ1"], []),
        (["--state", "corrected", "--state", "preview"], ["ZZ7"]),
        (["--camera", "e*"], ["ZZ7", "XY987", "AB123"]),
        (["--no-plate"], [None]),
        (["--since", "2026-05-01T09:00", "--until", "2026-05-01T12:00:00+02:00"], ["XY987", "A8I23"]),
        (["--limit", "2"], ["ZZ7", None]),
        (["--country", "de", "--min-score", "0.9"], []),
    ],
)
def test_events_are_found(folder, run, options, expected):
    code, out, _ = run("events", folder, "--json", *options)
    assert (code, plates_of(out)) == (0, expected)


def test_pages_follow_each_other(folder, run):
    found, options = [], []
    for _ in range(3):
        code, out, err = run("events", folder, "--json", "--limit", "2", *options)
        assert code == 0
        found += plates_of(out)
        options = ["--after", err.split("--after ")[1].strip()] if "--after" in err else []
    assert found == ["ZZ7", None, "XY987", "A8I23", "AB123", "AB123"]


def test_a_table_shows_what_was_corrected_and_why_there_is_no_plate(folder, run):
    code, out, err = run("events", folder)
    assert code == 0
    assert "ZZ7 (corrected, was ZZ1)" in out
    assert "- (blurred)" in out
    assert "2026-05-01 08:00:13" in out
    assert err == "6 events\n"
    assert "far" in run("events", folder, "--plate", "AB123", "--fuzzy", "1").out
    assert "--fuzzy 0" in run("events", folder, "--plate", "A8123").err, "a hint"


def test_csv_and_parquet_hold_the_same(folder, run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    code, out, _ = run("events", folder, "--csv", "--limit", "0")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["plate"] for row in rows] == ["ZZ7", "", "XY987", "A8I23", "AB123", "AB123"]
    assert (rows[0]["decided"], rows[0]["corrected_by"], rows[0]["state"]) == ("ZZ1", "me", "corrected")
    file = tmp_path / "events.parquet"
    assert run("events", folder, "--parquet", file, "--limit", "0").code == 0
    table = parquet.read_table(file).to_pylist()
    assert [row["plate"] or "" for row in table] == [row["plate"] for row in rows]
    assert [row["time"] for row in table] == [datetime.fromisoformat(row["time"]) for row in rows]
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    code, _, err = run("events", folder, "--parquet", tmp_path / "nowhere" / "events.parquet")
    assert (code, "cannot be written" in err) == (2, True)


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "yesterday"],
        ["--state", "gone"],
        ["--fuzzy", "1"],
        ["--plate", "--"],
        ["--after", "somewhere"],
        ["--json", "--csv"],
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(folder, run, options):
    code, out, err = run("events", folder, *options)
    assert (code, out) == (2, "")
    assert err.startswith("plate-streamer: ")
    assert len(err.splitlines()) == 1


def test_a_folder_without_a_record_is_named(tmp_path, run):
    for command in ("events", "stats"):
        code, _, err = run(command, tmp_path)
        assert (code, "no event store" in err) == (2, True)


def test_a_reader_that_leaves_early_is_no_error(folder):
    """As ``head`` does."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", "events", str(folder), "--json", "--purpose", "test"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_statistics_count_and_name_no_plates_unless_asked(folder, run, tmp_path):
    code, out, _ = run("stats", folder, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["events"] == 6
    assert found["periods"] == {
        "2026-05-01T08": {"gate": 1, "exit": 1},
        "2026-05-01T09": {"gate": 1, "exit": 1},
        "2026-05-01T10": {"gate": 1, "exit": 1},
    }
    assert found["without_plate"] == {"events": 1, "share": 1 / 6, "reasons": {"blurred": 1}}
    assert sum(one["events"] for one in found["scores"]) == 5
    assert found["plates"] == {"different": 4, "seen_again": 1, "by_times": {"1": 3, "2": 1}, "most": []}
    code, out, _ = run("stats", folder)
    assert code == 0
    assert "AB123" not in out
    assert "4 different plates, 1 of them seen more than once" in out
    assert "AB123" in run("stats", folder, "--show-plates").out
    assert json.loads(run("stats", folder, "--json", "--camera", "gate", "--since", "2026-05-01T09:00").out)["cameras"] == {"gate": 2}
    assert "0 events" in run("stats", folder, "--camera", "nobody").out


def test_statistics_are_drawn(folder, run, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    file = tmp_path / "stats.png"
    assert run("stats", folder, "--png", file).code == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_mode & 0o777 == 0o600
    code, _, err = run("stats", folder, "--png", tmp_path / "nowhere" / "stats.png")
    assert (code, "cannot be written" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-05-01T06:00:00.000000Z"),
        ("1.5 d", "2026-04-29T20:00:00.000000Z"),
        ("30min", "2026-05-01T07:30:00.000000Z"),
        ("1w", "2026-04-24T08:00:00.000000Z"),
        ("2026-05-01", "2026-05-01T00:00:00.000000Z"),
        ("2026-05-01T10:00+02:00", "2026-05-01T08:00:00.000000Z"),
        ("2026-05-01 10:00:01.5", "2026-05-01T10:00:01.500000Z"),
    ],
)
def test_times_are_points_or_how_long_ago(text, expected):
    assert moment_of(text, START) == expected


@pytest.mark.parametrize("text", ["", "h", "2 hours", "-2h", "2026-13-01", "99999999999d", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_said(text):
    with pytest.raises(UsageError, match="no point in time"):
        moment_of(text, START)
