"""Sinks that write files, and the user's own: whole lines, each revision once, clear words about what is wrong."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.config_sinks import CsvSinkConfig, JsonlSinkConfig, PythonSinkConfig
from streamer.errors import RefusedError, SinkError, UsageError
from streamer.events import to_line
from streamer.outgoing import Outgoing
from streamer.sinks import make_sink


@pytest.fixture(scope="module")
def outgoing(make_event):
    def make(number, revision=1, written_at="2026-05-01T12:00:00.000000Z", payload=None, **fields):
        event = make_event(number, **fields) | {"written_at": written_at, "revision": revision}
        return Outgoing(number, event["event_id"], revision, event, payload or to_line(event))

    return make


def table(file):
    with file.open(newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def csv_sink(folder, **more):
    return make_sink("table", CsvSinkConfig(type="csv", directory=folder, **more))


# CSV


def test_a_table_has_its_columns_and_a_row_for_each_revision(tmp_path, outgoing):
    sink = csv_sink(tmp_path / "tables")
    sink.send([outgoing(1), outgoing(2, plate=None, score=None, reason="no_reads", source_id='a, "b"\nc')])
    sink.send([outgoing(1, revision=2, state="final", plate="XY99")])
    sink.close()
    file = tmp_path / "tables" / "events-2026-05-01.csv"
    rows = table(file)
    assert [(row["revision"], row["plate"], row["score"], row["source"]) for row in rows] == [
        ("1", "KA12BC", "0.8765", "gate"),
        ("1", "", "", 'a, "b" c'),
        ("2", "XY99", "0.8765", "gate"),
    ]
    assert file.read_bytes().count(b"\r\n") == 4
    assert file.stat().st_mode & 0o777 == 0o600
    columns = "event_id,revision,state,time,source,plate,score,country,raw,reason,first,last,looks"
    assert file.read_text(encoding="utf-8").startswith(columns)


def test_a_template_names_the_columns(tmp_path, outgoing):
    sink = csv_sink(tmp_path, template={"Kennzeichen": "{plate}", "wo": "{source}: {session}"}, delimiter=";")
    sink.send([outgoing(1)])
    text = (tmp_path / "events-2026-05-01.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "event_id;revision;Kennzeichen;wo"
    assert text.splitlines()[1].endswith(";1;KA12BC;gate: 1")
    sink.close()


def test_every_day_has_a_file(tmp_path, outgoing):
    sink = csv_sink(tmp_path)
    days = ["2026-05-01T23:59:59.999999Z", "2026-05-02T00:00:00.000000Z", "2026-05-02T12:00:00.000000Z"]
    sink.send([outgoing(number, written_at=day) for number, day in enumerate(days, start=1)])
    sink.close()
    assert len(table(tmp_path / "events-2026-05-01.csv")) == 1
    assert len(table(tmp_path / "events-2026-05-02.csv")) == 2


def test_rows_that_come_again_after_a_crash_are_not_doubled(tmp_path, outgoing):
    sink = csv_sink(tmp_path)
    sink.send([outgoing(number) for number in range(1, 6)])
    again = csv_sink(tmp_path)
    with pytest.raises(SinkError, match="another process writes this table"):
        again.send([outgoing(4)])
    sink.close()
    again.send([outgoing(number) for number in range(3, 9)])
    again.close()
    assert [row["event_id"][-1] for row in table(tmp_path / "events-2026-05-01.csv")] == list("12345678")


@pytest.mark.parametrize("left", range(0, 200, 7))
def test_a_torn_end_is_mended(tmp_path, outgoing, left):
    file = tmp_path / "events-2026-05-01.csv"
    sink = csv_sink(tmp_path)
    sink.send([outgoing(1), outgoing(2)])
    sink.close()
    file.write_bytes(file.read_bytes()[:left])
    sink = csv_sink(tmp_path)
    sink.send([outgoing(1), outgoing(2), outgoing(3)])
    sink.close()
    assert [row["event_id"][-1] for row in table(file)] == list("123")
    assert file.read_bytes().startswith(b"event_id,revision,state")


def test_other_columns_begin_another_file(tmp_path, outgoing):
    for number, columns in enumerate([{"a": "{plate}"}, {"b": "{plate}"}, {"b": "{plate}"}], start=1):
        sink = csv_sink(tmp_path, template=columns)
        sink.send([outgoing(number)])
        sink.close()
    assert len(table(tmp_path / "events-2026-05-01.csv")) == 1
    assert len(table(tmp_path / "events-2026-05-01-2.csv")) == 2


FULL = """
import resource, sys
from pathlib import Path
from streamer.config_sinks import CsvSinkConfig
from streamer.errors import SinkError
from streamer.outgoing import Outgoing
from streamer.sinks import make_sink
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
sink = make_sink("table", CsvSinkConfig(type="csv", directory=folder, template={"a": "{a}"}))
def one(n, size):
    return Outgoing(n, f"id-{n}", 1, {"written_at": "2026-05-01T12:00:00Z", "a": "x" * size}, "")
sink.send([one(1, 10)])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    sink.send([one(2, 10), one(3, 5000)])
except SinkError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
sink.send([one(2, 10), one(3, 5000)])
"""


def test_a_full_disk_leaves_no_half_row(tmp_path):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] in (resource.RLIM_INFINITY, 2**63 - 1)
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60)
    assert "the table cannot be written" in done.stdout
    assert [row["event_id"] for row in table(tmp_path / "events-2026-05-01.csv")] == ["id-1", "id-2", "id-3"]


def test_a_folder_that_cannot_be_made_is_told_and_tried_again(tmp_path, outgoing):
    (tmp_path / "in the way").write_text("")
    sink = csv_sink(tmp_path / "in the way" / "x")
    with pytest.raises(SinkError, match="cannot be written"):
        sink.send([outgoing(1)])
    (tmp_path / "in the way").unlink()
    sink.send([outgoing(1)])
    sink.close()


# Another log


def test_another_log_is_one_like_the_first(tmp_path, outgoing):
    sink = make_sink("archive", JsonlSinkConfig(type="jsonl", directory=tmp_path / "archive"))
    assert not (tmp_path / "archive").exists(), "opened by the first event"
    sink.tend()
    sink.send([outgoing(1), outgoing(2)])
    sink.close()
    sink.send([outgoing(2), outgoing(3)])
    sink.close()
    lines = (tmp_path / "archive" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2, 3]


# The user's own

OWN = """
from streamer.errors import RefusedError

class Mine:
    def __init__(self, options):
        self.options, self.lines, self.closed = options, [], False
    def write(self, lines):
        if self.options.get("refuse"):
            raise RefusedError("not this")
        self.lines += lines
    def close(self):
        self.closed = True
        1 / self.options.get("divisor", 1)

class Small:
    def write(self, lines):
        self.lines = lines

def make(options): return Mine(options)
def small(options): return Small()
def broken(options): raise KeyError("host")
def nothing(options): return 3
constant = 3
"""


def own(folder: Path, function="make", text=OWN, module="mine", **more):
    (folder / f"{module}.py").write_text(text)
    return make_sink("own", PythonSinkConfig(type="python", factory=f"{module}:{function}", path=folder, **more))


@pytest.fixture
def importable(monkeypatch):
    """Leaves no module behind."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("mine"):
            del sys.modules[name]


@pytest.mark.usefixtures("importable")
def test_a_sink_of_your_own(tmp_path, outgoing):
    sink = own(tmp_path, options={"a": [1, {"b": None}]}, batch=7)
    assert sink.batch == 7
    sink.send([outgoing(1, payload="x"), outgoing(2, payload="y")])
    sink.tend()
    sink.close()
    mine = sink._sink
    assert (mine.options, mine.lines, mine.closed) == ({"a": [1, {"b": None}]}, ["x", "y"], True)


@pytest.mark.usefixtures("importable")
def test_it_needs_no_more_than_write(tmp_path, outgoing):
    sink = own(tmp_path, "small")
    sink.send([outgoing(1)])
    sink.close()


@pytest.mark.usefixtures("importable")
def test_what_it_raises_is_passed_on(tmp_path, outgoing):
    with pytest.raises(RefusedError):
        own(tmp_path, options={"refuse": True}).send([outgoing(1)])
    with pytest.raises(SinkError, match="cannot be closed: ZeroDivisionError"):
        own(tmp_path, options={"divisor": 0}).close()


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("function", "text", "message"),
    [
        ("no_such", OWN, "the module has no function no_such"),
        ("constant", OWN, "the module has no function constant"),
        ("broken", OWN, "the function fails: KeyError: 'host'"),
        ("nothing", OWN, r"has no method write\(lines\)"),
        ("make", "import nothing_like_that", "it needs the module nothing_like_that"),
        ("make", "1 / 0", "the module cannot be loaded: ZeroDivisionError"),
        ("make", "def", "the module cannot be loaded: SyntaxError"),
    ],
)
def test_what_is_wrong_with_it_is_said_at_the_start(tmp_path, function, text, message):
    with pytest.raises(UsageError, match=message) as raised:
        own(tmp_path, function, text)
    assert "sinks.own.factory: mine:" in str(raised.value)


def test_a_module_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no such module"):
        make_sink("own", PythonSinkConfig(type="python", factory="mine_is.nowhere:make", path=tmp_path))
