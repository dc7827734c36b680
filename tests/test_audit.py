"""Nobody looks into a record, or changes it, without saying what for: it is in the audit log before anything is shown."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer import events_command, private
from streamer.signing import signer_in
from streamer.store import STORE, Store, new_event_id
from streamer.store.retention import Retention
from tests.conftest import Run
from tests.test_verify import faults

pytestmark = pytest.mark.usefixtures("no_purpose")

PLATES = ("AB123", "AB123", "KA12BC")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, make_event: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("audit") / "out"
    with Store(folder / STORE, signer_in(folder)) as store:
        for plate in PLATES:
            store.append([lambda place, plate=plate: make_event(place, plate=plate) | {"event_id": new_event_id(), "evidence": []}])
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "out"))


def audits(folder: Path) -> list[dict[str, Any]]:
    with Store(folder / STORE, read_only=True) as store:
        return list(Retention(store).audits())


def ids(folder: Path) -> list[str]:
    with Store(folder / STORE, read_only=True) as store:
        return [event.event_id for event in store.read_after(0, 10)]


@pytest.fixture
def sinks(tmp_path: Path) -> Path:
    file = tmp_path / "sinks.yaml"
    file.write_text("sinks:\n  table: {type: csv, directory: tables}\n")
    return file


@pytest.mark.parametrize(
    "command", ["events", "stats", "report", "review", "correct", "export", "--retry", "--send", "--drop", "hold", "erase", "subject"]
)
def test_without_a_purpose_nothing_is_done(folder: Path, sinks: Path, run: Run, command: str, tmp_path: Path) -> None:
    arguments: tuple[object, ...] = (command, folder)
    if command.startswith("--"):
        arguments = ("deliver", "-c", sinks, "--out", folder, command, "table")
    elif command in ("correct", "export", "hold"):
        more = {"correct": ["KA1"], "export": ["--out", tmp_path / "x.zip"], "hold": []}[command]
        arguments = (command, ids(folder)[0], *more, "--folder", folder)
    elif command in ("erase", "subject"):
        arguments = (*arguments, "--plate", "AB123", *(["--out", tmp_path / "x.zip"] if command == "subject" else []))
    before = sorted(tmp_path.rglob("*"))
    for more in ((), ("--purpose", " ")):
        code, out, err = run(*arguments, *more)
        assert (code, out) == (2, "")
        assert "--purpose: say what it is for" in err
        assert "PLATE_STREAMER_PURPOSE" in err
        assert "AB123" not in err
    assert audits(folder) == []
    assert set(tmp_path.rglob("*")) - set(before) <= {folder / f"{STORE}-wal", folder / f"{STORE}-shm"}


def test_what_was_looked_for_is_noted_without_the_plate(folder: Path, run: Run) -> None:
    code, out, _ = run("events", folder, "--plate", "ab-123", "--since", "2026-01-01", "--json", "--purpose", "case 7", "--as", "Ann")
    assert (code, len(out.splitlines())) == (0, 2)
    run("stats", folder, "--show-plates", "--camera", "*", "--purpose", "planning")
    run("report", folder, "--json", "--purpose", "contract")
    search, stats, report = audits(folder)
    assert (search["did"], search["as"], search["purpose"], search["found"]) == ("search", "Ann", "case 7", 2)
    assert search["more"] == {"since": "2026-01-01T00:00:00.000000Z"}
    assert set(search["events"]) == set(ids(folder)[:2])
    assert (stats["did"], stats["found"], stats["more"]) == ("stats", 3, {"cameras": ["*"], "show_plates": True})
    assert (report["did"], report["found"], report["plate"]) == ("report", 3, None)
    assert "AB123" not in json.dumps([search, stats, report])
    code, out, _ = run("audit", folder, "--plate", "AB123")
    assert "case 7" in out
    assert "planning" not in out
    assert faults(folder) == []


def test_the_purpose_may_come_from_the_environment(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATE_STREAMER_PURPOSE", "shift of Monday")
    assert run("events", folder, "--limit", "1").code == 0
    assert run("events", folder, "--limit", "1", "--purpose", "case 8").code == 0
    assert [one["purpose"] for one in audits(folder)] == ["shift of Monday", "case 8"]


@pytest.mark.parametrize(("plate", "purpose", "code"), [("AB123", "about ab 123", 2), ("*B123", "about ab 123", 2), ("A*", "a case", 0)])
def test_the_purpose_does_not_give_the_plate_away(folder: Path, run: Run, plate: str, purpose: str, code: int) -> None:
    assert run("events", folder, "--plate", plate, "--purpose", purpose).code == code


def test_changes_by_people_are_noted(folder: Path, sinks: Path, run: Run) -> None:
    (first, *_) = ids(folder)
    assert run("correct", first, "KA77", "--folder", folder, "--by", "Ann", "--purpose", "complaint 3").code == 0
    assert run("correct", "nobody", "KA77", "--folder", folder, "--purpose", "complaint 3").code == 2
    deliver = ("deliver", "-c", sinks, "--out", folder)
    assert run(*deliver, "--send", "table", "--purpose", "after a replay", "--as", "Bob").code == 0
    assert run(*deliver, "--drop", "table", "--purpose", "sink is gone").code == 0
    assert run(*deliver).code == 0, "how sinks are may be looked at"
    correct, send, drop = audits(folder)
    assert (correct["did"], correct["as"], correct["events"]) == ("correct", "Ann", [first])
    assert correct["plate"].startswith("hmac:")
    assert (send["did"], send["as"], send["found"], send["more"]) == ("deliver", "Bob", 4, {"how": "send", "sink": "table"})
    assert (drop["found"], drop["more"]["how"]) == (0, "drop")
    assert faults(folder) == []


def test_of_very_many_events_the_log_says_how_many_were_given(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_command, "_HELD", 2)
    assert run("events", folder, "--json", "--purpose", "x").code == 0
    assert [(one["found"], one["more"]) for one in audits(folder)] == [(3, {"at_least": True}), (3, {"ended": True})]


@pytest.fixture
def read_only(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy that cannot be written."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    for file in (*copy.rglob("*"), copy):
        file.chmod(stat.S_IRUSR | (stat.S_IXUSR if file.is_dir() else 0))
    if os.access(copy, os.W_OK):  # root may do everything
        monkeypatch.setattr(private, "writable", lambda file: not file.is_relative_to(copy))
    yield copy
    copy.chmod(0o700)


@pytest.mark.parametrize("command", ["events", "stats", "report"])
def test_a_copy_that_cannot_be_written_is_looked_at_only_if_that_is_said(folder: Path, read_only: Path, run: Run, command: str) -> None:
    code, out, err = run(command, read_only, "--purpose", "x")
    assert (code, out) == (2, "")
    assert "--unaudited" in err
    code, out, err = run(command, read_only, "--purpose", "x", "--unaudited")
    assert (code, "not audited" in err) == (0, True)
    assert out
    assert sorted(read_only.rglob("*")) == sorted(read_only / file.relative_to(folder) for file in folder.rglob("*"))
    assert run(command, read_only, "--unaudited").code == 2, "not without a purpose either"
    code, out, err = run(command, folder, "--purpose", "x", "--unaudited")
    assert (code, out) == (2, "")
    assert "can be written" in err


def test_a_record_is_searched_while_a_program_records(folder: Path, run: Run, make_event: Callable[..., Any]) -> None:
    with Store(folder / STORE, signer_in(folder)) as store:
        assert run("events", folder, "--purpose", "x").code == 0
        store.append([lambda place: make_event(place) | {"event_id": new_event_id(), "evidence": []}])
        assert run("stats", folder, "--purpose", "x").code == 0
    assert [one["found"] for one in audits(folder)] == [3, 4]
