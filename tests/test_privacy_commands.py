"""Hold, release, purge, erase, subject and audit, as people call them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamer import audit
from streamer.config_file import load_config
from streamer.errors import UsageError
from streamer.forgetting import Forgetting
from streamer.plates import fold
from streamer.privacy import KeyRing, Limits, new_key
from streamer.privacy_keys import EVENT_KEYS, KeyFile
from streamer.signing import signer_in
from streamer.store import Store
from tests.conftest import Run
from tests.forgetting import CANARY, STORE, Folder, faults, found_in, pictures, pictures_of_events, plates

NOW = datetime.now(UTC)


@pytest.fixture
def folder(tmp_path: Path, make_passage: Callable[..., Any], make_event: Callable[..., Any]) -> Iterator[Folder]:
    """The record of a program that runs meanwhile."""
    made = Folder(tmp_path / "out", make_passage, make_event)
    made.now = NOW
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "c.yaml"
    file.write_text("privacy:\n  retention:\n    reads_days: 30\n    events_without_plate_days: 2\n    evidence_days: 10\n")
    return file


def audits(run: Run, folder: Folder, *more: str) -> list[dict[str, Any]]:
    done = run("audit", folder.path, "--json", *more)
    assert done.code == 0
    return [json.loads(line) for line in done.said.splitlines()]


def test_purge_erases_what_is_due_beside_a_program_that_records(folder: Folder, run: Run, config: Path) -> None:
    folder.record(CANARY, 40)
    stays = folder.record("AB12CD", 1)
    folder.record("AB12CE", 20)
    folder.deliver()
    arguments = ("purge", folder.path, "-c", config, "--purpose", "monthly")
    due = "0 events without a plate, 1 with one, 1 pictures of others, 0 audit entries"
    assert run(*arguments, "--dry-run") == (0, "", f"would erase {due}\n")
    assert len(folder.ids()) == 3
    done = run(*arguments)
    assert (done.code, "1 with one, 1 pictures" in done.said) == (0, True)
    assert found_in(folder.path, CANARY, fold(CANARY)) == []
    more = folder.record("AB12CF", 0)
    folder.deliver()
    assert {stays, more} < folder.ids()
    assert set(folder.logged()) == folder.ids()
    (one,) = audits(run, folder)
    assert (one["did"], one["purpose"]) == ("purge", "monthly")
    assert faults(folder.path) == []


def test_hold_and_release(folder: Folder, run: Run, config: Path) -> None:
    event_id = folder.record("AB12CD", 40)
    assert run("hold", event_id, "--folder", folder.path, "--purpose", "case 7", "--as", "Ann").code == 0
    purge = ("purge", folder.path, "-c", config, "--purpose", "monthly")
    run(*purge)
    assert folder.ids() == {event_id}
    done = run("erase", folder.path, "--event", event_id, "--purpose", "asked for")
    assert (done.code, "NOT erased: 1" in done.said) == (1, True)
    assert run("release", event_id, "--folder", folder.path, "--purpose", "case closed").code == 0
    run(*purge)
    assert folder.ids() == set()
    assert [one["did"] for one in audits(run, folder)] == ["hold", "purge", "erase", "release", "purge"]
    assert audits(run, folder)[0]["as"] == "Ann"
    done = run("hold", event_id, "--folder", folder.path, "--purpose", "too late")
    assert (done.code, "no event" in done.said) == (2, True)
    assert len(audits(run, folder)) == 5, "what did not happen is not in the log"


def test_erase_takes_all_that_names_a_plate(folder: Folder, run: Run) -> None:
    others = folder.record_all(plates(30), 3)
    folder.record_all([CANARY, CANARY], 3)
    folder.record(CANARY.replace("0", "O"), 3, states=("preview", "final"))
    folder.record("AB12CD", 3, alternatives=((CANARY, 0.2),))
    folder.record(None, 3, raw=fold(CANARY))
    longer = folder.record(CANARY + "9", 3)
    folder.deliver()
    ask = ("erase", folder.path, "--plate", f"{CANARY[:3]} {CANARY[3:].lower()}", "--purpose", "request 2026/17")
    assert "would erase 5 events" in run(*ask, "--dry-run").said
    done = run(*ask)
    assert (done.code, "erased 5 events (6 revisions" in done.said) == (0, True)
    assert folder.ids() == set(folder.logged()) == {*others, longer}, "a longer plate is another one"
    assert pictures(folder.path) == pictures_of_events(folder.path)
    run("erase", folder.path, "--event", longer, "--purpose", "the last one")
    skeleton = "001X702"
    assert found_in(folder.path, CANARY, fold(CANARY), CANARY.replace("0", "O"), skeleton, skeleton[::-1]) == []
    assert faults(folder.path) == []


def test_what_people_typed_of_a_plate_goes_with_its_event(folder: Folder, run: Run) -> None:
    event_id = folder.record("AB12CD", 3)
    last = json.loads(folder.store.read_after(0, 1)[0].line)
    said = {"plate": CANARY, "by": "me", "time": last["written_at"], "why": "looked"}
    change = {"revision": 2, "state": "corrected", "revision_reason": "correction", "correction": said}
    folder.store.append([lambda p: last | change | {"sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}}])
    run("erase", folder.path, "--plate", CANARY, "--purpose", "asked for")
    assert event_id not in folder.ids()
    assert found_in(folder.path, CANARY, fold(CANARY)) == []


def test_a_review_goes_with_its_event(folder: Folder, run: Run) -> None:
    event_id = folder.record("AB12CD", 3)
    folder.close()
    assert run("review", folder.path, "--help").code == 0
    folder.store = Store(folder.path / STORE, signer_in(folder.path))
    payload = json.dumps({"event_id": event_id, "item": 1, "plate": "AB12CD", "truth": CANARY, "salt": "1" * 32})

    def note(connection: Any) -> None:
        driver = connection.exec_driver_sql
        driver("INSERT INTO queue (id, sample, event_id, source, day, given) VALUES (1, 1, ?, 'gate', '2026-05-01', 1)", (event_id,))
        entry = driver("SELECT entry FROM head").scalar_one()
        driver(
            "INSERT INTO reviews (entry, item, kind, truth, outcome, reviewer, at) VALUES (?, 1, 'read', ?, 'wrong', 'me', 't')",
            (entry, CANARY),
        )

    folder.store.append_entries("review", [payload], note)
    assert run("erase", folder.path, "--plate", CANARY, "--purpose", "asked for").code == 0
    assert folder.ids() == set()
    assert found_in(folder.path, CANARY) == []
    assert faults(folder.path) == []


def test_subject_gives_what_is_theirs_and_nobody_elses(folder: Folder, run: Run, tmp_path: Path) -> None:
    mine = folder.record(CANARY, 3, states=("preview", "final"))
    folder.record("AB12CD", 3, alternatives=((CANARY, 0.2),))
    out = tmp_path / "mine.zip"
    ask = ("subject", folder.path, "--plate", CANARY, "--purpose", "request 2026/17", "--out", out)
    assert run(*ask) == (0, "", f"{out}: 1 events, 1 pictures\n")
    archive = zipfile.ZipFile(io.BytesIO(out.read_bytes()))
    assert [event["event_id"] for event in json.loads(archive.read("events.json"))] == [mine, mine]
    about = json.loads(archive.read("subject.json"))
    assert about["only_another_possible_reading_of_others"] == 1
    (picture,) = [name for name in archive.namelist() if name.endswith(".png")]
    assert archive.read(picture) == (folder.path / picture).read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    (folder.path / picture).unlink()
    assert "1 pictures are missing" in run(*ask).said
    (one, _) = audits(run, folder, "--plate", CANARY)
    assert (one["did"], one["found"], one["events"]) == ("subject", 1, [mine])


def test_the_audit_log_never_names_the_plate(folder: Folder, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    run("subject", folder.path, "--plate", CANARY, "--purpose", "request 2026/17", "--out", out)
    run("erase", folder.path, "--plate", CANARY, "--purpose", "request 2026/17")
    audit.note(folder.path, audit.Action("search", audit.person(), "case 8", 0, plate=f"{CANARY[:4]}*"), NOW)
    assert found_in(folder.path, CANARY, fold(CANARY), CANARY[:4]) == []
    assert [one["did"] for one in audits(run, folder, "--plate", CANARY)] == ["subject", "erase"]
    assert [one["did"] for one in audits(run, folder, "--plate", CANARY[:4].lower() + "*")] == ["search"]
    done = run("audit", folder.path)
    assert done.code == 0
    assert "request 2026/17" in done.said
    done = run("erase", folder.path, "--plate", CANARY, "--purpose", f"owner of {CANARY} asked")
    assert (done.code, "must not name the plate" in done.said) == (2, True)
    assert faults(folder.path) == []


def test_pseudonyms_are_found_as_long_as_there_is_their_key(folder: Folder, run: Run) -> None:
    ring = KeyFile(folder.path / EVENT_KEYS, lambda: NOW).ring()
    pseudonym = ring.pseudonym("event", CANARY)
    event_id = folder.record(pseudonym, 3)
    assert run("erase", folder.path, "--plate", CANARY, "--purpose", "asked for").code == 0
    assert event_id not in folder.ids()
    folder.record(KeyRing((new_key(NOW),)).pseudonym("event", CANARY), 3)
    assert "erased 0 events" in run("erase", folder.path, "--plate", CANARY, "--purpose", "asked for").said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("erase", "--purpose", "x"), "either --plate or --event"),
        (("erase", "--purpose", " ", "--plate", "AB1"), "say what it is for"),
        (("erase", "--purpose", "x", "--plate", "--"), "no letter or digit"),
        (("erase", "--purpose", "x", "--plate", "AB1", "--as", " "), "a name is missing"),
        (("erase", "--plate", "AB1"), "--purpose"),
    ],
)
@pytest.mark.usefixtures("no_purpose")
def test_what_is_missing_is_named(folder: Folder, run: Run, arguments: tuple[str, ...], said: str) -> None:
    done = run(arguments[0], folder.path, *arguments[1:])
    assert done.code == 2
    assert said in done.said


def test_a_folder_without_a_record_is_named(tmp_path: Path, run: Run, config: Path) -> None:
    for arguments in (("audit", tmp_path), ("purge", tmp_path, "-c", config, "--purpose", "x")):
        assert run(*arguments) == (2, "", f"plate-streamer: {tmp_path / STORE}: there is no event store\n")
    config.write_text("privacy: {}\n")
    assert "everything is kept" in run("purge", tmp_path, "-c", config, "--purpose", "x").said


def test_a_program_that_starts_finishes_and_purges(folder: Folder, config: Path) -> None:
    folder.record(CANARY, 40)
    folder.deliver()
    forgetting = Forgetting(load_config(config), folder.store, folder.path, lambda: NOW)
    forgetting.start()
    for _ in range(1000):
        if not folder.ids():
            break
        forgetting._thread._stop.wait(0.01)
    forgetting.close()
    assert folder.ids() == set()
    assert found_in(folder.path, CANARY) == []
    assert not forgetting.alive


def test_a_program_rotates_its_keys(folder: Folder, config: Path) -> None:
    config.write_text("privacy:\n  mode: pseudonymous\n  rotate_days: 1\n")
    now = datetime(2026, 6, 1, tzinfo=UTC)
    first = Forgetting(load_config(config), folder.store, folder.path, lambda: now).disclosure
    assert first.ring is not None
    later = Forgetting(load_config(config), folder.store, folder.path, lambda: datetime(2026, 6, 3, tzinfo=UTC)).disclosure
    assert later.ring is not None
    assert first.ring() != later.ring()
    assert len(later.ring().keys) == 1


def test_that_nothing_is_recorded_is_said(folder: Folder, config: Path, caplog: pytest.LogCaptureFixture) -> None:
    config.write_text("privacy:\n  mode: hits_only\n")
    Forgetting(load_config(config), folder.store, folder.path)
    assert "so nothing is recorded" in caplog.text


def test_keys_that_are_none_are_named(folder: Folder, config: Path) -> None:
    config.write_text("privacy:\n  mode: pseudonymous\n")
    (folder.path / EVENT_KEYS).write_text("nonsense")
    with pytest.raises(UsageError, match="no key file"):
        Forgetting(load_config(config), folder.store, folder.path)


def test_limits_have_the_keys_of_the_configuration() -> None:
    assert set(load_config().privacy.retention.model_dump()) == set(Limits.__dataclass_fields__)
