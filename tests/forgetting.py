"""A record with pictures and logs that is filled and purged in tests; killed often: ``python -m tests.forgetting FOLDER KILLS``."""

# ruff: noqa: S311 (nothing secret)

from __future__ import annotations

import inspect
import json
import os
import random
import signal
import string
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from streamer.chain import new_salt
from streamer.config import EventsConfig
from streamer.delivery import deliver_pending
from streamer.evidence import EvidenceFolder
from streamer.plates import fold
from streamer.privacy import Limits
from streamer.purge import Purge
from streamer.signing import PUBLIC, signer_in, verifier_of
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.store.erasure import Erasures
from streamer.store.retention import Retention
from streamer.store.tables import evidence
from streamer.subject import names
from streamer.verify import Verified, check

STORE = "events.sqlite"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CANARY = "Q0IX7OZ"


class Folder:
    """A record with pictures and a log, as the program keeps it."""

    def __init__(self, path: Path, make_passage: Callable[..., Any], make_event: Callable[..., Any], where: str | None = None) -> None:
        """``where``: URL of the record's database; None: SQLite in the folder."""
        self.path = path
        self.now = NOW
        self._passage = make_passage
        self._event = make_event
        self.store = Store(where or path / STORE, signer_in(path))
        self.evidence = EvidenceFolder(path)
        self.log = JsonlSink(path, EventsConfig(states="all", rotate_mb=0.01))
        self.count = 0

    def record(self, plate: str | None, days_ago: float, *, states: tuple[str, ...] = ("final",), **fields: Any) -> str:
        """Record an event of so many days ago with a picture; gives its id."""
        (event_id,) = self.record_all([plate], days_ago, states=states, **fields)
        return event_id

    def record_all(self, plates: Sequence[str | None], days_ago: float, *, states: Sequence[str] = ("final",), **fields: Any) -> list[str]:
        """Record events in one transaction for each state; gives their ids."""
        seen = self.now - timedelta(days=days_ago)
        ms, first = int(seen.timestamp() * 1000), self.count
        self.count += len(plates)
        ids = [str(uuid.UUID(int=(ms << 80) | (7 << 76) | (2 << 62) | first + n)) for n in range(len(plates))]
        nothing = {"score": None, "char_scores": (), "reason": "rejected"}
        for revision, state in enumerate(states, start=1):
            given = [
                {"start": seen, "key": f"1-{first + n}", "plate": plate, "state": state, "raw": plate, "alternatives": ()}
                | (nothing if plate is None else {})
                | fields
                for n, plate in enumerate(plates)
            ]
            saved = self.evidence.save([self._passage(**one) for one in given])
            more = [
                {"event_id": event_id, "revision": revision, "evidence": [one.entry() for one in pictures]}
                for event_id, pictures in zip(ids, saved, strict=True)
            ]
            self.store.append(
                [lambda place, g=g, m=m: self._event(place, **g) | m | {"salt": new_salt()} for g, m in zip(given, more, strict=True)]
            )
        self.evidence.settled()
        return ids

    def deliver(self) -> None:
        deliver_pending(self.store, self.log, "jsonl")

    def purge(self, **more: Any) -> Purge:
        return Purge(self.store, self.path, clock=lambda: self.now, pause=lambda seconds: False, **more)

    def ids(self) -> set[str]:
        return {event.event_id for event in self.store.read_after(0, 100_000)}

    def logged(self) -> list[str]:
        files = [*sorted(self.path.glob("events-*.jsonl")), self.path / "events.jsonl"]
        return [json.loads(line)["event_id"] for file in files if file.exists() for line in file.read_text().splitlines()]

    def faults(self) -> list[str]:
        return _faults(self.store, self.path)

    def pictures_of_events(self) -> set[str]:
        return _pictures_of_events(self.store)

    def close(self) -> None:
        self.log.close()
        self.store.close()


def found_in(folder: Path, *texts: str) -> list[str]:
    """Name the files that hold one of the texts, in their bytes or their names."""
    needles = [text.encode() for text in texts]
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [str(file) for file in files if any(n in file.read_bytes() or n.decode() in str(file) for n in needles)]


def faults(folder: Path) -> list[str]:
    with Store(folder / STORE, read_only=True) as store:
        return _faults(store, folder)


def _faults(store: Store, folder: Path) -> list[str]:
    head = store.head()
    verifier = verifier_of(folder / PUBLIC)
    found = check(store.entries(head[0]), head, store.count_rows(head[0]), verifier, lambda file: folder / file, Verified())
    return [str(fault) for fault in found]


def pictures(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*.png")}


def pictures_of_events(folder: Path) -> set[str]:
    with Store(folder / STORE, read_only=True) as store:
        return _pictures_of_events(store)


def _pictures_of_events(store: Store) -> set[str]:
    with store.transaction("read") as connection:
        return set(connection.execute(sa.select(evidence.c.file)).scalars())


def plates(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(string.ascii_uppercase + string.digits, k=7)) for _ in range(count)]


def kill_again_and_again(path: Path, kills: int, make_passage: Callable[..., Any], make_event: Callable[..., Any]) -> dict[str, Any]:
    """Purge in children that are killed at random moments; look at the folder each time, after the next start."""
    rng, wrong, done = random.Random(3), list[str](), 0
    for kill in range(kills):
        if kill % 5 == 0:  # as much to do again
            folder = Folder(path, make_passage, make_event)
            folder.count = 1000 * (kill + 1)
            for days in (40, 25, 1):
                folder.record_all(plates(20, seed=kill + days), days)
            folder.record(CANARY, 40)
            folder.deliver()
            folder.close()
        child = os.fork()
        if child == 0:
            _purge(path, make_passage, make_event)
        time.sleep(rng.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        done += os.waitpid(child, 0)[1] == 0
        wrong += _look(path, make_passage, make_event)
    return {"wrong": wrong, "done": done}


def _purge(path: Path, make_passage: Callable[..., Any], make_event: Callable[..., Any]) -> None:
    """Start as the program does, and purge; never returns."""
    try:
        folder = Folder(path, make_passage, make_event)
        purge = Purge(folder.store, path, clock=lambda: NOW, pause=lambda seconds: time.sleep(0.001) or False)
        purge.run(Limits(reads_days=30, events_without_plate_days=1, evidence_days=20))
        os._exit(0)
    finally:
        os._exit(1)


def _look(path: Path, make_passage: Callable[..., Any], make_event: Callable[..., Any]) -> list[str]:
    """Start again, finish, and say what is not as it should be."""
    folder = Folder(path, make_passage, make_event)
    folder.purge().finish(forget_after_s=0)
    folder.deliver()
    wrong = folder.faults()
    if pictures(path) != folder.pictures_of_events():
        wrong.append(f"pictures: {pictures(path) ^ folder.pictures_of_events()}")
    wrong += [f"left: {part}" for part in path.rglob(".*.tmp")]
    erasures = Erasures(folder.store)
    if erasures.removals("file", 1) or erasures.removals("lines", 1):
        wrong.append("something is left to do")
    if not Retention(folder.store).naming({fold(CANARY)}, names):
        wrong += [f"canary: {file}" for file in found_in(path, CANARY)]
    if sorted(folder.logged()) != sorted(folder.ids()):
        wrong.append("the log is not that of the record")
    folder.close()
    return wrong


def main() -> None:
    """Take the folder and how often; print what was found."""
    from tests import conftest

    make_passage = inspect.unwrap(conftest.make_passage)()
    make_event = inspect.unwrap(conftest.make_event)(make_passage)
    print(json.dumps(kill_again_and_again(Path(sys.argv[1]), int(sys.argv[2]), make_passage, make_event)))


if __name__ == "__main__":
    main()
