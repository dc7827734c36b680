"""What an authority outside stamped, nobody can make anew, whatever keys they hold; an authority that is away costs nothing."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.chain import GENESIS, entry_after
from streamer.config_file import load_config
from streamer.errors import ConfigError, TimestampError
from streamer.metrics import Metrics
from streamer.package import check_package
from streamer.signing import PUBLIC, signer_in, verifier_of
from streamer.stampwitness import Witness
from streamer.store import STORE, Store, new_event_id
from streamer.store.timestamps import Timestamps
from streamer.timestamping import LONGEST_WAIT_S, Pace, Stamper, StampThread, stamp_head
from streamer.verify import Fault, Verified
from tests.conftest import Run
from tests.test_verify import faults
from tests.timestamping import POLICY, Authority, Server

pytest.importorskip("rfc3161_client", reason="rfc3161-client is not installed")

from streamer.tsaclient import LARGEST_ANSWER, TsaClient
from streamer.tsatoken import Checker, question_of

HASH = "5e" * 32


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "good")


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    server = Server(authority)
    yield server
    server.close()


@pytest.fixture
def client(server: Server, authority: Authority) -> TsaClient:
    return TsaClient(server.url, Checker(authority.ca.read_bytes(), POLICY), 5.0)


def add(store: Store, make_event: Callable[..., Any], count: int = 1) -> list[str]:
    """Record events, each in a transaction of its own; gives their ids."""
    ids = [new_event_id() for _ in range(count)]
    for event_id in ids:
        store.append([lambda place, i=event_id: make_event(place, plate="KA12BC") | {"event_id": i, "evidence": []}])
    return ids


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, make_event: Callable[..., Any], authority: Authority) -> Path:
    """A record of seven entries, of which the third and the fifth are stamped."""
    folder = tmp_path_factory.mktemp("stamped") / "out"
    server = Server(authority)
    client = TsaClient(server.url, Checker(authority.ca.read_bytes()), 5.0)
    with Store(folder / STORE, signer_in(folder)) as store:
        for count in (3, 2):
            add(store, make_event, count)
            assert stamp_head(store, client) is not None
        add(store, make_event, 2)
    server.close()
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "out"))


def stamped(folder: Path, ca: Path | None) -> tuple[list[Fault], Witness]:
    """Check the timestamps of a record; gives what is wrong with them, and what they say."""
    witness = Witness(ca)
    with Store(folder / STORE, read_only=True) as store:
        stamps = Timestamps(store)
        along = witness.along(stamps.all(stamps.newest()))
        for _ in along.watch(store.entries(store.head()[0])):
            pass
        return [*along.faults(), *witness.missing()], witness


# The client


def test_only_a_hash_leaves_and_what_comes_back_is_checked(server: Server, client: TsaClient) -> None:
    _, told = client.stamp(HASH)
    assert abs((datetime.now(UTC) - told.time).total_seconds()) < 600
    assert told.policy == POLICY
    (query,) = server.queries
    assert bytes.fromhex(HASH) not in query
    assert len(query) < 100


def test_an_answer_to_another_request_is_refused(server: Server, client: TsaClient, authority: Authority) -> None:
    old = authority.reply(question_of(HASH).body)
    server.answer = lambda query: (200, old)
    with pytest.raises(TimestampError, match="answer to another request"):
        client.stamp(HASH)


def test_a_timestamp_of_something_else_is_refused(server: Server, client: TsaClient, authority: Authority) -> None:
    server.answer = lambda query: (200, authority.reply(question_of("ab" * 32).body))
    with pytest.raises(TimestampError, match="of something else"):
        client.stamp(HASH)


@pytest.mark.parametrize(("ended", "why"), [(True, "certificate has expired"), (False, "certificate")])
def test_who_is_not_trusted_is_refused(server: Server, client: TsaClient, tmp_path: Path, ended: bool, why: str) -> None:
    other = Authority(tmp_path / "other", ended=ended)
    server.answer = lambda query: (200, other.reply(query))
    trusting = TsaClient(server.url, Checker(other.ca.read_bytes()), 5.0) if ended else client
    with pytest.raises(TimestampError, match=f"not from an authority that is trusted: .*{why}"):
        trusting.stamp(HASH)


def test_an_authority_may_have_a_new_root_of_the_same_name(authority: Authority, tmp_path: Path) -> None:
    new = Authority(tmp_path / "new")
    checker = Checker(authority.ca.read_bytes() + new.ca.read_bytes())
    for one in (authority, new):
        checker.check(one.reply(question_of(HASH).body), HASH)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"", "answers 500"),
        (200, b"", "cannot be read"),
        (200, b"<html>sign in</html>", "cannot be read"),
        (200, bytes(LARGEST_ANSWER + 1), "longer than"),
    ],
)
def test_what_is_no_timestamp_is_said(server: Server, client: TsaClient, status: int, body: bytes, why: str) -> None:
    server.answer = lambda query: (status, body)
    with pytest.raises(TimestampError, match=why):
        client.stamp(HASH)


def test_refusals_and_silence_are_said(server: Server, client: TsaClient, authority: Authority) -> None:
    server.answer = lambda query: (200, authority.reply(b"no request"))
    with pytest.raises(TimestampError, match="was refused"):
        client.stamp(HASH)
    server.close()
    with pytest.raises(TimestampError, match=r"127\.0\.0\.1"):
        client.stamp(HASH)
    with pytest.raises(TimestampError, match="policy"):
        Checker(None, "1.2.3").check(authority.reply(question_of(HASH).body), HASH)


@settings(max_examples=20)
@given(data=st.data())
def test_a_changed_answer_never_says_anything_else(authority: Authority, data: st.DataObject) -> None:
    """Only what is not signed, such as a certificate that nobody needs, may be another one."""
    answer = _answer_of(authority)
    place, bit = data.draw(st.integers(0, len(answer) - 1)), data.draw(st.integers(0, 7))
    changed = answer[:place] + bytes([answer[place] ^ (1 << bit)]) + answer[place + 1 :]
    checker = Checker(authority.ca.read_bytes())
    with suppress(TimestampError):
        assert checker.check(changed, HASH) == checker.check(answer, HASH)


_ANSWERS: dict[str, bytes] = {}


def _answer_of(authority: Authority) -> bytes:
    if not _ANSWERS:
        _ANSWERS[HASH] = authority.reply(question_of(HASH).body)
    return _ANSWERS[HASH]


# Verification


def test_what_is_stamped_and_when_is_said(folder: Path, authority: Authority, run: Run) -> None:
    done = run("verify", folder, "--tsa-ca", authority.ca)
    assert done.code == 0, done.said
    assert "timestamps: 2 fit" in done.said
    assert "entries up to 5, none yet for 2 others" in done.said
    assert "no entry was stamped later than" in done.said
    done = run("verify", folder, "--json")
    assert done.code == 0
    found = json.loads(done.said)["timestamps"]
    assert (found["stamps"], found["until"], found["after"], found["authority_checked"]) == (2, 5, 2, False)
    assert "--tsa-ca" in run("verify", folder).said


def made_anew(folder: Path, changed: int) -> None:
    """Make the chain anew from an entry on, as who holds the signing key can: verify without timestamps is content."""
    connection = sqlite3.connect(folder / STORE)
    rows = connection.execute("SELECT number, kind, payload FROM entries ORDER BY number").fetchall()
    previous, signer, sequence = GENESIS, signer_in(folder), 0
    with connection:
        for number, kind, payload in rows:
            content = json.loads(payload)
            if kind == "event":
                sequence += 1
                content |= {"chain": {"entry": number, "previous": previous}}
                if number == changed:
                    content |= {"plate": "XX99XX"}
                    connection.execute("UPDATE events SET plate = 'XX99XX', text = 'XX99XX' WHERE entry = ?", (number,))
            text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
            entry = entry_after(previous, number, kind, text)
            previous = entry.hash
            values = (text, entry.digest, entry.hash, signer.sign(entry.hash), number)
            connection.execute("UPDATE entries SET payload = ?, digest = ?, hash = ?, signature = ? WHERE number = ?", values)
        connection.execute("UPDATE head SET hash = ?", (previous,))
    connection.close()


@settings(max_examples=7, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.integers(1, 7))
def test_a_chain_that_is_made_anew_with_the_key_does_not_fit_its_timestamps(
    original: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory, changed: int
) -> None:
    folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("anew") / "out"))
    made_anew(folder, changed)
    assert faults(folder) == [], "the chain itself is whole"
    found, _ = stamped(folder, authority.ca)
    assert all("another chain" in fault.what for fault in found if fault.where != "timestamps")
    expected = [entry for entry in (3, 5) if entry >= changed]
    assert [fault.where.split(" (")[0] for fault in found] == [f"timestamp of entry {entry}" for entry in expected] + (
        ["timestamps"] if len(expected) == 2 else []
    )
    assert bool(found) == (changed <= 5), "what came after the last timestamp is not protected by one"


def test_entries_that_were_cut_off_are_missed(folder: Path, authority: Authority) -> None:
    with sqlite3.connect(folder / STORE) as connection:
        connection.execute("DELETE FROM entries WHERE number > 4")
        connection.execute("DELETE FROM events WHERE entry > 4")
        (last,) = connection.execute("SELECT hash FROM entries WHERE number = 4").fetchone()
        connection.execute("UPDATE head SET entry = 4, sequence = 4, hash = ?", (last,))
    connection.close()
    (fault,) = stamped(folder, authority.ca)[0]
    assert "entries at the end were removed" in fault.what
    assert "timestamp of entry 5" in fault.where


def test_timestamps_that_were_taken_away_are_missed_by_who_asks_for_them(folder: Path, authority: Authority, run: Run) -> None:
    with sqlite3.connect(folder / STORE) as connection:
        connection.execute("DELETE FROM timestamps")
    connection.close()
    assert run("verify", folder).code == 0
    done = run("verify", folder, "--tsa-ca", authority.ca)
    assert (done.code, "never made, or were taken away" in done.said) == (1, True)


def test_another_authority_is_not_trusted(folder: Path, tmp_path: Path, run: Run) -> None:
    other = Authority(tmp_path / "other")
    done = run("verify", folder, "--tsa-ca", other.ca)
    assert done.code == 1
    assert "first break: timestamp of entry 3 (" in done.said
    (tmp_path / "none.pem").write_text("nothing")
    done = run("verify", folder, "--tsa-ca", tmp_path / "none.pem")
    assert (done.code, "no certificates in PEM" in done.said) == (2, True)


# Packages


@pytest.fixture
def package(folder: Path, tmp_path: Path, run: Run) -> Path:
    with Store(folder / STORE, read_only=True) as store:
        ids = [event.event_id for event in store.read_after(0, 10)]
    out = tmp_path / "case.zip"
    done = run("export", ids[0], ids[3], ids[6], "--folder", folder, "--out", out)
    assert done.code == 0, done.said
    assert "none yet for 1 revisions" in done.said
    return out


def check(package: Path, folder: Path, ca: Path | None) -> tuple[list[Fault], Witness]:
    witness = Witness(ca)
    return [*check_package(package, verifier_of(folder / PUBLIC), Verified(), witness), *witness.missing()], witness


def test_a_package_has_the_timestamps_of_its_events(package: Path, folder: Path, authority: Authority, run: Run) -> None:
    found, witness = check(package, folder, authority.ca)
    assert found == []
    assert (witness.told.stamps, witness.told.until, witness.told.after) == (2, 5, 1)
    done = run("verify", package, "--key", folder / PUBLIC, "--tsa-ca", authority.ca)
    assert (done.code, "timestamps: 2 fit" in done.said) == (0, True)


@pytest.mark.parametrize("what", ["answer", "link", "start", "hash"])
def test_timestamps_of_a_package_cannot_be_exchanged(package: Path, folder: Path, authority: Authority, tmp_path: Path, what: str) -> None:
    """Even by who holds the key, and seals it again."""
    with zipfile.ZipFile(package) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    rows = json.loads(content["timestamps.json"])
    if what == "answer":
        content["timestamps/3.tsr"] = content["timestamps/5.tsr"]
    elif what == "link":
        rows[0]["links"][1]["digest"] = "0" * 64
    elif what == "start":
        del rows[0]["links"][0]
    else:
        rows[0]["links"][0]["hash"] = "0" * 64
    content["timestamps.json"] = json.dumps(rows).encode()
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(changed, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    found, witness = check(changed, folder, authority.ca)
    assert any(fault.where.startswith("timestamp of entry 3") for fault in found)
    assert witness.told.stamps == 1


# Making them


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_chain_is_stamped_when_it_has_grown_and_it_is_time(
    tmp_path: Path, server: Server, client: TsaClient, make_event: Callable[..., Any]
) -> None:
    clock = Clock()
    with Store(tmp_path / STORE, signer_in(tmp_path)) as store:
        stamper = Stamper(store, client, Pace(3600.0, 3), clock)
        stamper.work()
        assert server.queries == [], "there is nothing yet"
        add(store, make_event)
        stamper.work()
        assert (stamper.state.made, stamper.state.waiting) == (1, 0)
        add(store, make_event, 2)
        stamper.work()
        assert (stamper.state.made, stamper.state.waiting) == (1, 2), "not time yet"
        add(store, make_event)
        stamper.work()
        assert stamper.state.made == 2, "three events are enough"
        clock.now += 3600
        stamper.work()
        assert len(server.queries) == 2, "nothing is new"
        add(store, make_event)
        stamper.work()
        assert [stamp.entry for stamp in Timestamps(store).all(99)] == [1, 4, 5]
        again = Stamper(store, client, Pace(3600.0), clock)
        add(store, make_event)
        again.work()
        assert len(server.queries) == 3, "a start is no reason"


def test_an_authority_that_is_away_costs_a_count_and_a_line(
    tmp_path: Path, server: Server, client: TsaClient, make_event: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    clock, good = Clock(), server.answer
    caplog.set_level(logging.INFO)
    with Store(tmp_path / STORE, signer_in(tmp_path)) as store:
        stamper = Stamper(store, client, Pace(60.0), clock)
        add(store, make_event)
        server.answer = lambda query: (503, b"")
        waits = []
        for _ in range(9):
            before = clock.now
            stamper.work()
            errors = stamper.state.errors
            while stamper.state.errors == errors and len(waits) < 8:
                clock.now += 5
                stamper.work()
            waits.append(clock.now - before)
        assert waits[:3] == [10, 20, 40]
        assert max(waits) <= LONGEST_WAIT_S
        assert "answers 503" in (stamper.state.failure or "")
        server.answer = good
        clock.now += LONGEST_WAIT_S
        stamper.work()
    assert (stamper.state.made, stamper.state.failure) == (1, None)
    assert [record.levelname for record in caplog.records if record.name == "streamer.timestamping"] == ["WARNING", "INFO"]
    metrics = Metrics("1")
    metrics.watch_timestamps(lambda: stamper.state)
    text = metrics.render()[0].decode()
    assert "plate_streamer_timestamps_total 1.0" in text
    assert f"plate_streamer_timestamp_errors_total {float(stamper.state.errors)}" in text
    assert "plate_streamer_timestamps_failing 0.0" in text


def test_a_thread_ends_though_the_authority_does_not_answer(
    tmp_path: Path, server: Server, client: TsaClient, make_event: Callable[..., Any]
) -> None:
    asked, go = threading.Event(), threading.Event()
    good = server.answer

    def late(query: bytes) -> tuple[int, bytes]:
        asked.set()
        go.wait(10)
        return good(query)

    server.answer = late
    with Store(tmp_path / STORE, signer_in(tmp_path)) as store:
        add(store, make_event)
        thread = StampThread(Stamper(store, client, Pace(60.0)))
        thread.start()
        assert asked.wait(10)
        thread.close()
        go.set()
        thread._thread.join(10)
        assert not thread.alive
        assert Timestamps(store).last() is None, "what comes too late is not kept"


def test_the_command_stamps_once(folder: Path, authority: Authority, server: Server, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"timestamps: {{url: '{server.url}', ca_file: {authority.ca}, policy: {POLICY}}}\n")
    done = run("timestamp", folder, "-c", config)
    assert (done.code, f"entries 1 to 7: stamped {datetime.now(UTC).year}" in done.said) == (0, True)
    assert run("timestamp", folder, "-c", config) == (0, "", "nothing was recorded since the last timestamp\n")
    assert [fault.what for fault in stamped(folder, authority.ca)[0]] == []
    server.close()
    assert run("correct", "nobody", "AB1", "--folder", folder).code == 2
    run("events", folder)
    done = run("timestamp", folder, "-c", config)
    assert (done.code, done.said.startswith("plate-streamer: http://127.0.0.1")) == (1, True)
    config.write_text("log: {level: info}\n")
    done = run("timestamp", folder, "-c", config)
    assert (done.code, "timestamps.url" in done.said) == (2, True)


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("{url: 'http://tsa/'}", "ca_file is needed"),
        ("{url: 'ldap://tsa/', ca_file: a.pem}", "is no http or https address"),
        ("{url: 'http://tsa/', ca_file: a.pem, policy: one.two}", "policy"),
        ("{url: 'http://tsa/', ca_file: a.pem, every_events: 0}", "every_events"),
    ],
)
def test_mistakes_in_the_configuration_are_named(tmp_path: Path, section: str, why: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"timestamps: {section}\n")
    with pytest.raises(ConfigError, match=why):
        load_config(file)
