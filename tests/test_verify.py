"""Whoever changes anything of the record is found out: events, revisions, pictures, their order and their number."""

# ruff: noqa: S608 (names of tables and columns from this file)

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.chain import GENESIS, entry_after
from streamer.configentry import CONFIGURATION, Configuration, payload_of
from streamer.errors import UsageError
from streamer.evidence import EvidenceFolder
from streamer.signing import PRIVATE, PUBLIC, signer_in, verifier_of
from streamer.store import Store
from streamer.verify import Fault, Verified, check
from streamer.verify_command import STORE
from tests.conftest import Run

EVENTS = 6


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, make_passage: Callable[..., Any], make_event: Callable[..., Any]) -> Path:
    """A record of two events a transaction, one of them with three revisions, and an entry that is no event."""
    folder = tmp_path_factory.mktemp("record") / "out"
    evidence = EvidenceFolder(folder)
    with Store(folder / STORE, signer_in(folder)) as store:
        for number in range(0, EVENTS, 2):
            makers = []
            for one in (number, number + 1):
                passage = make_passage(10.0 * one, key=f"1-{one}", plate=f"KA{one}2BC")
                crop = evidence.save([passage])[0][0].entry()
                makers.append(
                    lambda place, one=one, crop=crop: make_event(place, key=f"1-{one}", plate=f"KA{one}2BC") | {"evidence": [crop]}
                )
            store.append(makers)
        first = json.loads(store.read_after(0, 1)[0].line)
        for revision in (2, 3):
            said = {"plate": "KA0Z", "by": "me", "time": first["written_at"], "why": "looked"}
            changed = {"revision": revision, "state": "corrected", "revision_reason": "correction", "correction": said}
            store.append([lambda p, c=changed: first | c | {"sequence": p.sequence, "chain": {"entry": p.entry, "previous": p.previous}}])
        store.append_entries("other", [json.dumps({"said": "something", "salt": "1" * 32})])
    return folder


@pytest.fixture
def record(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def faults(folder: Path, *keys: Path) -> list[Fault]:
    with Store(folder / STORE, read_only=True) as store:
        head = store.head()
        verifier = verifier_of(*(keys or [folder / PUBLIC]))
        return list(check(store.entries(head[0]), head, store.count_rows(head[0]), verifier, lambda file: folder / file, Verified()))


def edit(folder: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    connection = sqlite3.connect(folder / STORE)
    with connection:
        for text, values in statements:
            connection.execute(text, values)
    connection.close()


def test_an_untouched_record_is_as_it_was_recorded(record: Path, run: Run) -> None:
    assert faults(record) == []
    code, out, _ = run("verify", record, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["entries"] == EVENTS + 3
    assert (told["events"], told["revisions"]) == (EVENTS, EVENTS + 2)
    assert told["faults"] == []


def test_a_record_that_is_being_written_can_be_checked(record: Path) -> None:
    with Store(record / STORE, signer_in(record)) as store:
        assert faults(record) == []
        store.append_entries("audit", ['{"salt": "1"}'])
        assert faults(record) == []


ENTRY_COLUMNS = ("number", "kind", "digest", "hash", "payload", "signature", "signer")
EVENT_COLUMNS = (
    "sequence",
    "entry",
    "event_id",
    "revision",
    "state",
    "passage",
    "source",
    "plate",
    "country",
    "score",
    "reason",
    "best_time",
    "text",
    "replaced_by",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_of_a_value_goes_unseen(original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("t") / "copy"))
    table, column = data.draw(st.sampled_from([("entries", c) for c in ENTRY_COLUMNS] + [("events", c) for c in EVENT_COLUMNS]))
    connection = sqlite3.connect(folder / STORE)
    rows = connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()
    connection.close()
    rowid, value = data.draw(st.sampled_from(rows))
    if value is None:
        changed: Any = "0" * 16
    elif isinstance(value, str):
        place = data.draw(st.integers(0, len(value) - 1))
        changed = data.draw(
            st.sampled_from([None, value[:place] + ("1" if value[place] != "1" else "2") + value[place + 1 :], value + "0"])
        )
        if changed is None and column in ("signature", "signer") and rowid != max(rows)[0]:
            return  # signatures before the last one may be missing: the last speaks for all
    else:
        changed = value + data.draw(st.sampled_from([1000, -1000]))
    try:
        edit(folder, (f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, rowid)))
    except sqlite3.IntegrityError:
        return
    if (column == "signer" and value is None) or (column == "signature" and value is None):
        return  # a signature where there was none is either of nobody, which is told below, or half a one
    assert faults(folder), f"{table}.{column} of row {rowid}: {value!r} became {changed!r}"


@pytest.mark.parametrize("table", ["entries", "events"])
@pytest.mark.parametrize("which", range(EVENTS + 2))
def test_no_row_can_be_taken_out(record: Path, table: str, which: int) -> None:
    edit(record, (f"DELETE FROM {table} WHERE rowid = ?", (which + 1,)))
    assert faults(record)


def test_the_end_cannot_be_cut_off_unseen(record: Path) -> None:
    """Not even with its rows, as long as the head says more."""
    edit(record, ("DELETE FROM entries WHERE number > 4", ()), ("DELETE FROM events WHERE entry > 4", ()))
    (fault,) = faults(record)
    assert "the end were removed" in fault.what


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 4), (1, 7), (7, 8)])
def test_no_two_entries_can_be_swapped(record: Path, one: int, other: int) -> None:
    for column in ("payload", "digest", "hash"):
        swap = (
            f"UPDATE entries SET {column} = (SELECT k.{column} FROM kept k WHERE k.number = ? + ? - entries.number) WHERE number IN (?, ?)"
        )
        edit(
            record,
            (f"CREATE TABLE kept AS SELECT number, {column} FROM entries", ()),
            (swap, (one, other, one, other)),
            ("DROP TABLE kept", ()),
        )
    found = faults(record)
    assert found
    assert found[0].where.startswith(f"entry {min(one, other)}")


def test_a_picture_cannot_be_changed_or_exchanged(record: Path) -> None:
    one, other, *_ = sorted(record.glob("crops/*/*.png"))
    content = one.read_bytes()
    one.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "was changed" in faults(record)[0].what
    one.write_bytes(content)
    assert faults(record) == []
    one.write_bytes(other.read_bytes())
    assert faults(record) == [] if content == other.read_bytes() else faults(record)
    one.unlink()
    assert "cannot be read" in faults(record)[0].what


def test_who_makes_the_chain_anew_lacks_the_key(record: Path) -> None:
    connection = sqlite3.connect(record / STORE)
    rows = connection.execute("SELECT number, kind, payload FROM entries ORDER BY number").fetchall()
    connection.close()
    previous, statements = GENESIS, []
    for number, kind, payload in rows:
        text = payload.replace("KA22BC", "KA22XX")
        entry = entry_after(previous, number, kind, text)
        previous = entry.hash
        statements.append(
            ("UPDATE entries SET payload = ?, digest = ?, hash = ? WHERE number = ?", (text, entry.digest, entry.hash, number))
        )
    statements += [
        ("UPDATE events SET plate = 'KA22XX', text = 'KA22XX' WHERE plate = 'KA22BC'", ()),
        ("UPDATE head SET hash = ?", (previous,)),
    ]
    edit(record, *statements)
    found = faults(record)
    assert found
    assert all("signature is wrong" in fault.what for fault in found)


def test_another_key_is_told(record: Path, tmp_path: Path) -> None:
    signer_in(tmp_path / "other")
    assert "not among those that were given" in faults(record, tmp_path / "other" / PUBLIC)[0].what


def test_content_may_be_gone_only_if_an_entry_says_so(record: Path) -> None:
    gone = ("UPDATE entries SET payload = NULL WHERE number = 3", ()), ("DELETE FROM events WHERE entry = 3", ())
    edit(record, *gone)
    assert "no entry says that it was erased" in faults(record)[0].what
    with Store(record / STORE, signer_in(record)) as store:
        store.append_entries("erasure", [json.dumps({"erases": [3], "salt": "1" * 32})])
    assert faults(record) == []


def test_the_key_is_for_its_owner_only(record: Path) -> None:
    assert (record / PRIVATE).stat().st_mode & 0o777 == 0o600


def test_what_is_no_record_is_named(tmp_path: Path, run: Run) -> None:
    for folder, what in ((tmp_path / "none", "no such folder"), (tmp_path, "public key is missing")):
        code, _, err = run("verify", folder)
        assert (code, what in err) == (2, True)
    (tmp_path / PUBLIC).write_text("no key")
    with pytest.raises(UsageError, match="not a public key"):
        verifier_of(tmp_path / PUBLIC)


def test_settings_that_no_entry_holds_or_that_were_changed_are_found(tmp_path: Path, make_event: Callable[..., Any]) -> None:
    held = Configuration({"passages": {"min_reads": 2}})
    made = datetime(2026, 5, 1, tzinfo=UTC)
    payload = json.loads(payload_of(held, program_version="1", salt="1" * 32, written_at=made))
    changed = payload | {"configuration": {"passages": {"min_reads": 1}}}
    for name, entries, sha256, wrong in (
        ("good", [payload], held.sha256, []),
        ("unknown", [payload], "0" * 64, ["names a configuration that no entry before it holds"]),
        ("none", [], held.sha256, ["names a configuration that no entry before it holds"]),
        ("changed", [changed], held.sha256, ["its configuration has another hash than it says"]),
        ("nonsense", [{"salt": "1"}], None, ["is no configuration"]),
    ):
        folder = tmp_path / name
        with Store(folder / STORE, signer_in(folder)) as store:
            for one in entries:
                store.append_entries(CONFIGURATION, [json.dumps(one)])
            store.append([lambda place, named=sha256: make_event(place) | {"evidence": [], "configuration": named}])
        assert [fault.what for fault in faults(folder)] == wrong, name
