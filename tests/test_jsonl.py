"""The event log: whole lines only, each event once, rotated by size and day."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import EventsConfig
from streamer.errors import SinkError
from streamer.eventlog import read_log
from streamer.events import to_line
from streamer.sinks.jsonl import JsonlSink

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def make_line(make_event):
    def make(sequence, *, written_at=NOON, **fields):
        return to_line(make_event(sequence, **fields) | {"written_at": written_at.isoformat().replace("+00:00", "Z")})

    return make


def _open(folder, monotonic=lambda: 0.0, **config):
    return JsonlSink(folder, EventsConfig(**config), monotonic)


def _write(folder, lines, **config):
    sink = _open(folder, **config)
    sink.write(lines)
    sink.close()


def _numbers(file):
    content = file.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line)["sequence"] for line in content.splitlines()]


def _all_numbers(folder):
    return [number for file in [*sorted(folder.glob("events-*.jsonl")), folder / "events.jsonl"] for number in _numbers(file)]


def test_lines_are_appended_as_they_are(tmp_path, make_line):
    lines = [make_line(1), make_line(2, source_id="süd\u2028"), make_line(3)]
    sink = _open(tmp_path)
    sink.write(lines[:2])
    sink.close()
    sink = _open(tmp_path)
    sink.write(lines[2:])
    sink.close()
    sink.close()
    assert (tmp_path / "events.jsonl").read_bytes() == "".join(f"{line}\n" for line in lines).encode()


def test_only_the_owner_may_look(tmp_path, make_line):
    before = os.umask(0)
    try:
        _open(tmp_path / "a" / "b").write([make_line(1)])
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "b" / "events.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_previews_are_left_out_unless_asked_for(tmp_path, make_line):
    lines = [make_line(1, state="preview"), make_line(2), make_line(3, state="withdrawn")]
    for name, states, expected in (("final", "final", [2]), ("all", "all", [1, 2, 3])):
        sink = _open(tmp_path / name, states=states)
        sink.write(lines)
        sink.close()
        assert _numbers(tmp_path / name / "events.jsonl") == expected


@given(cut=st.integers(0, 5000))
def test_a_torn_end_costs_no_whole_line_and_hinders_nothing(tmp_path_factory, make_line, cut):
    """Cut the log anywhere, as a crash may; then deliver everything again."""
    folder = tmp_path_factory.mktemp("log")
    lines = [make_line(number) for number in (1, 2, 3)]
    content = "".join(f"{line}\n" for line in lines).encode()
    left = content[: min(cut, len(content))]
    (folder / "events.jsonl").write_bytes(left)
    sink = _open(folder)
    whole = left[: left.rfind(b"\n") + 1]
    assert (folder / "events.jsonl").read_bytes().startswith(whole)
    sink.write(lines)
    sink.close()
    assert (folder / "events.jsonl").read_bytes() == content


def test_what_was_torn_is_told(tmp_path, make_line, caplog):
    (tmp_path / "events.jsonl").write_bytes(make_line(1).encode() + b'\n{"plate":"KA1')
    with caplog.at_level(logging.WARNING):
        _open(tmp_path)
    assert "dropped 13 bytes" in caplog.text
    assert "KA1" not in caplog.text
    assert _numbers(tmp_path / "events.jsonl") == [1]


def test_a_line_that_lacks_only_its_end_is_kept(tmp_path, make_line, caplog):
    (tmp_path / "events.jsonl").write_text(make_line(1) + "\n" + make_line(2))
    sink = _open(tmp_path)
    sink.write([make_line(2), make_line(3)])
    assert _numbers(tmp_path / "events.jsonl") == [1, 2, 3]
    assert caplog.text == ""


def test_zeros_that_a_power_cut_left_are_dropped(tmp_path, make_line):
    (tmp_path / "events.jsonl").write_bytes(make_line(1).encode() + b"\n" + bytes(3000))
    _open(tmp_path)
    assert _numbers(tmp_path / "events.jsonl") == [1]


def test_events_that_come_again_are_not_written_again(tmp_path, make_line):
    lines = [make_line(number) for number in range(1, 8)]
    _write(tmp_path, lines[:5])
    for batch in (2, 3, 7):
        sink = _open(tmp_path)
        for start in range(0, 7, batch):
            sink.write(lines[start : start + batch])
        sink.close()
        assert _numbers(tmp_path / "events.jsonl") == [1, 2, 3, 4, 5, 6, 7]


def test_a_new_store_may_begin_at_one_again(tmp_path, make_line):
    _write(tmp_path, [make_line(1)])
    other = json.loads(make_line(1)) | {"event_id": "01890a5d-ac96-774b-bcce-ffffffffffff"}
    _write(tmp_path, [to_line(other)])
    assert _numbers(tmp_path / "events.jsonl") == [1, 1]


def test_a_full_file_is_rotated(tmp_path, make_line):
    lines = [make_line(number, written_at=NOON + timedelta(seconds=number)) for number in range(1, 11)]
    length = len(lines[0].encode()) + 1
    sink = _open(tmp_path, rotate_mb=3.5 * length / 1e6)
    sink.write(lines[:8])
    sink.write(lines[8:])
    sink.close()
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        "events-20260501T120001Z-0000000001.jsonl",
        "events-20260501T120004Z-0000000004.jsonl",
        "events-20260501T120007Z-0000000007.jsonl",
        "events.jsonl",
    ]
    assert _numbers(tmp_path / "events.jsonl") == [10]
    assert _all_numbers(tmp_path) == list(range(1, 11))
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_an_event_larger_than_a_file_still_has_one(tmp_path, make_line):
    sink = _open(tmp_path, rotate_mb=0.0001)
    sink.write([make_line(1), make_line(2)])
    assert _all_numbers(tmp_path) == [1, 2]


def test_repeats_are_known_across_a_rotation(tmp_path, make_line):
    lines = [make_line(number) for number in range(1, 6)]
    size = 3.5 * len(lines[0].encode()) / 1e6
    _write(tmp_path, lines[:4], rotate_mb=size)
    _write(tmp_path, lines, rotate_mb=size)
    assert _all_numbers(tmp_path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("daily", [True, False])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_new_day_has_a_new_file(tmp_path, make_line, daily, batch):
    """Also when what was written over some days is delivered later, and when the clock was set back over midnight."""
    late = datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC)
    moments = [late, late + timedelta(seconds=1), late, late + timedelta(days=1), late + timedelta(days=1, seconds=1)]
    lines = [make_line(number, written_at=moment) for number, moment in enumerate(moments, start=1)]
    for start in range(0, 5, batch):
        _write(tmp_path, lines[start : start + batch], rotate_daily=daily)
    assert [_numbers(file) for file in sorted(tmp_path.iterdir())] == ([[1], [2, 3, 4], [5]] if daily else [[1, 2, 3, 4, 5]])


def test_rotation_overwrites_nothing(tmp_path, make_line):
    in_the_way = tmp_path / "events-20260501T120000Z-0000000001.jsonl"
    in_the_way.write_text(make_line(77) + "\n")
    sink = _open(tmp_path, rotate_mb=0.0001)
    sink.write([make_line(1)])
    with pytest.raises(SinkError, match="in the way"):
        sink.write([make_line(2)])
    in_the_way.rename(tmp_path / "elsewhere")
    sink.write([make_line(2)])
    assert _all_numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    ("policy", "syncs"), [("event", [1, 2, 3, 3, 4, 4]), ("interval", [0, 0, 1, 1, 1, 2]), ("system", [0, 0, 0, 0, 0, 1])]
)
def test_the_flush_policy(tmp_path, make_line, monkeypatch, policy, syncs):
    """How often the file was forced to disk after each write, and after the close."""
    clock, forced, found = [0.0], [], []
    sink = _open(tmp_path, lambda: clock[0], flush=policy, flush_interval_s=1.0)
    monkeypatch.setattr(os, "fsync", forced.append)
    for moment, lines in ((0.0, [1]), (0.5, [2]), (1.2, [3]), (1.4, []), (1.6, [4])):
        clock[0] = moment
        sink.write([make_line(number) for number in lines])
        found.append(len(forced))
    sink.close()
    assert [*found, len(forced)] == syncs


def test_a_flush_that_is_due_happens_without_events(tmp_path, make_line, monkeypatch):
    clock, forced = [0.0], []
    sink = _open(tmp_path, lambda: clock[0], flush="interval", flush_interval_s=1.0)
    sink.write([make_line(1)])
    monkeypatch.setattr(os, "fsync", forced.append)
    sink.write([])
    assert forced == []
    clock[0] = 1.0
    sink.write([])
    assert len(forced) == 1


@given(room=st.integers(0, 3500))
def test_a_full_disk_leaves_no_half_line_and_no_repeat(tmp_path_factory, make_line, room):
    folder = tmp_path_factory.mktemp("log")
    lines = [make_line(number) for number in range(1, 5)]
    sink = _open(folder, rotate_mb=2.5 * len(lines[0]) / 1e6)
    sink.write(lines[:1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(lines[0]) + 1 + room, hard))
    try:
        sink.write(lines[1:])
        failed = False
    except SinkError as error:
        failed = True
        assert "Free space" in str(error)  # noqa: PT017 - whether it fails depends on the room
        assert _all_numbers(folder) in ([1], [1, 2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed == (room < len(lines[0]) + 1)
    sink.write(lines[1:])
    sink.close()
    assert _all_numbers(folder) == [1, 2, 3, 4]


def test_a_second_process_is_told_so(tmp_path, make_line):
    program = (
        "import sys, pathlib; from streamer.config import EventsConfig; from streamer.sinks.jsonl import JsonlSink;"
        "JsonlSink(pathlib.Path(sys.argv[1]), EventsConfig())"
    )
    sink = _open(tmp_path)
    sink.write([make_line(1)])
    second = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "SinkError" in second.stderr
    assert "another process writes this log" in second.stderr
    sink.close()
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 0


def test_a_file_that_is_no_log_is_left_alone(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text('{"my": "diary"}\nand more\n')
    with pytest.raises(SinkError, match=r"events\.jsonl:1: is no event"):
        _open(tmp_path)
    assert file.read_text() == '{"my": "diary"}\nand more\n'


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '"text"', "\n"])
def test_what_is_no_event_is_not_written(tmp_path, make_line, line):
    sink = _open(tmp_path)
    with pytest.raises(SinkError, match="no event"):
        sink.write([make_line(1), line])
    sink.close()
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SinkError, match=r"out/events\.jsonl: the event log cannot be opened"):
        _open(tmp_path / "out")


# Full files


def _fill(folder, make_line, days, **config):
    """A file a day."""
    sink = JsonlSink(folder, EventsConfig(**config), lambda: 0.0, lambda: NOON + timedelta(days=days))
    sink.write([make_line(number, written_at=NOON + timedelta(days=number)) for number in range(1, days + 1)])
    sink.close()


def test_full_files_but_the_newest_are_compressed_and_still_read(tmp_path, make_line):
    _fill(tmp_path, make_line, 5, compress="gzip")
    names = sorted(file.name for file in tmp_path.iterdir())
    assert [name.endswith(".gz") for name in names] == [True, True, True, False, False]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())
    assert [vehicle.event["sequence"] for vehicle in read_log(tmp_path)] == [1, 2, 3, 4, 5]
    sink = _open(tmp_path)
    sink.write([make_line(number, written_at=NOON + timedelta(days=number)) for number in (4, 5)])
    sink.close()
    assert [vehicle.event["sequence"] for vehicle in read_log(tmp_path)] == [1, 2, 3, 4, 5], "after a crash none is doubled"


def test_old_files_are_deleted_and_young_ones_are_not(tmp_path, make_line):
    _fill(tmp_path, make_line, 6, keep_days=2.5)
    assert [vehicle.event["sequence"] for vehicle in read_log(tmp_path)] == [3, 4, 5, 6], "3 was written less than 2.5 days before 4 began"
    _open(tmp_path).close()
    assert len(read_log(tmp_path)) == 4
    JsonlSink(tmp_path, EventsConfig(keep_days=1.0), lambda: 0.0, lambda: NOON + timedelta(days=100)).close()
    assert [vehicle.event["sequence"] for vehicle in read_log(tmp_path)] == [5, 6], "the newest full file stays"


def test_what_cannot_be_tidied_holds_up_no_event(tmp_path, make_line, caplog):
    (tmp_path / ".events-20260502T120000Z-0000000001.jsonl.gz.part").mkdir(parents=True)
    _fill(tmp_path, make_line, 4, compress="gzip")
    assert "could not be compressed or deleted" in caplog.text
    assert [vehicle.event["sequence"] for vehicle in read_log(tmp_path)] == [1, 2, 3, 4]
