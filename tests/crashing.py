"""A program that records and delivers is killed again and again, and the record looked at each time: ``python -m tests.crashing``.

The children are forks: libraries are imported once, and a round takes some tens of milliseconds, not seconds.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2  # noqa: F401 (before the forks)
import numpy as np

from streamer.clips import Later
from streamer.config import EventsConfig
from streamer.errors import SinkError, StoreError
from streamer.events import Event, Making
from streamer.evidence import FOLDERS, EvidenceFolder
from streamer.lateclips import LateClips
from streamer.recorder import Recorder
from streamer.signing import PUBLIC, signer_in, verifier_of
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.types import Box, ClipFacts, EncodedPicture, ModelInfo, Passage, Stamp
from streamer.verify import Verified, check

STORE = "events.sqlite"
LONGEST_S = 0.25
"""A child lives that long at most: it is killed while it opens, recovers, writes pictures, commits, delivers."""
PAUSE_S = 0.03
"""Between two batches: a disk in memory takes thousands of events a second, and all of them are looked at after each round."""
MAKING = Making(ModelInfo("d", "a" * 64, "cpu"), ModelInfo("r", "b" * 64, "cpu"), "0")
START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def passage(session: int, number: int, state: str, dice: np.random.Generator) -> Passage:
    stamp = Stamp(float(number), START + timedelta(seconds=number), number)
    crop = dice.integers(0, 255, (8, 24, 3), np.uint8)
    plate = f"KA{session}{number:03d}"
    return Passage(
        f"{session}-{number}", state, "gate", session, (number,), plate, plate, 0.9, (0.9,) * len(plate), (), "DE", None, None, 5, 5,
        stamp, stamp, stamp, "option", Box(1, 1, 25, 9), 0.9, (640, 480), crop,
    )  # fmt: skip  # type: ignore[arg-type]


class Cutter:
    """Has a clip of every vehicle: of every second one only when it is asked again."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def cut(self, passage: Passage, *, ending: bool) -> EncodedPicture | Later | None:
        late = passage.tracks[0] % 4 == 0 and passage.key not in self._asked
        self._asked.add(passage.key)
        facts = ClipFacts("h264", 0.0, START, 1.0, START, 1.0, 25, 0, 1, 2, complete=True)
        return Later() if late else EncodedPicture("clip", passage.key.encode() * 1000, ".mp4", 640, 480, clip=facts)

    def recorded(self, source_id: str, clip: EncodedPicture) -> None: ...


@contextmanager
def recording(folder: Path) -> Iterator[tuple[Store, Recorder, LateClips]]:
    """Start as the program does."""
    with Store(folder / STORE, signer_in(folder)) as store:
        sink = JsonlSink(folder, EventsConfig(states="all", flush="system", rotate_mb=0.05))
        with closing(sink):
            evidence = EvidenceFolder(folder)
            clips = LateClips(Cutter(), store, evidence, clock=lambda: datetime.now(UTC))
            yield store, Recorder(store, evidence, sink, MAKING, states="all", clock=lambda: datetime.now(UTC), clips=clips), clips


def child(folder: Path, session: int, acknowledge: int) -> None:
    """Record for ever, two vehicles at a time, each with a preview, an end and a clip; tell of what is durable."""
    dice = np.random.default_rng(session)
    with recording(folder) as (_, recorder, clips):
        number = 0
        while True:
            states = [("preview", number), ("preview", number + 1), ("final", number)]
            events = insist(recorder, clips, [passage(session, one, state, dice) for state, one in states])
            os.write(acknowledge, "".join(f"{event['event_id']} {event['revision']}\n" for event in events).encode())
            number += 2
            time.sleep(PAUSE_S)


def insist(recorder: Recorder, clips: LateClips, passages: list[Passage]) -> list[Event]:
    """Record as the recording thread does: again and again while the disk is full."""
    events: list[Event] = []
    while True:
        try:
            if not events:
                events = recorder.append(passages)
            for _, event in clips.add(ending=False):
                events.append(event)
            recorder.deliver()
        except (StoreError, SinkError):
            time.sleep(0.005)
        else:
            return events


def look(folder: Path, acknowledged: set[tuple[str, int]]) -> tuple[int, list[str]]:
    """Start again as the program does, and say what is wrong."""
    with recording(folder) as (store, _, _):
        head = store.head()
        pairs = store.entries(head[0])
        rows = store.count_rows(head[0])
        wrong = [str(fault) for fault in check(pairs, head, rows, verifier_of(folder / PUBLIC), lambda file: folder / file, Verified())]
        stored = [(event.event_id, event.revision) for event in store.read_after(0, 10**6)]
        pictures = {picture["file"] for event in store.read_after(0, 10**6) for picture in json.loads(event.line)["evidence"]}
        wrong += [f"{event.event_id} is open" for event in store.open_previews()]
    logged = Counter(
        (event["event_id"], event["revision"])
        for file in folder.glob("events*.jsonl")
        for event in map(json.loads, file.read_text().splitlines())
    )
    wrong += [f"{key} was acknowledged and is not there" for key in acknowledged - set(stored)]
    wrong += [f"{key} is {logged[key]} times in the log" for key in stored if logged[key] != 1]
    wrong += [f"{key} is in the log, but not in the record" for key in set(logged) - set(stored)]
    kept = [file for place in FOLDERS.values() for file in (folder / place).rglob("*") if file.is_file()]
    files = {str(file.relative_to(folder)) for file in kept}
    wrong += [f"{file} belongs to no event" for file in files - pictures]
    return len(stored), wrong


class Filler:
    """Fills the disk now and then, and frees it."""

    def __init__(self, disk: Path) -> None:
        self._file = disk / "filler"
        self.times = 0

    def fill(self, leave: int) -> None:
        """Leave so many bytes."""
        free = shutil.disk_usage(self._file.parent).free
        with suppress(OSError), self._file.open("ab") as out:
            out.write(bytes(max(0, free - leave)))
        self.times += 1

    def free(self) -> None:
        self._file.unlink(missing_ok=True)


def live_s(filler: Filler | None, dice: random.Random) -> None:
    """Let a child live for a while; with a filler, on a disk that gets full and free."""
    until = time.monotonic() + dice.uniform(0, LONGEST_S if filler is None else 2 * LONGEST_S)
    while filler is not None and time.monotonic() < until:
        filler.fill(dice.choice([0, 4096, 30_000]))
        time.sleep(dice.uniform(0, 0.1))
        if dice.random() < 0.7:
            filler.free()
            time.sleep(dice.uniform(0, 0.1))
    time.sleep(max(0.0, until - time.monotonic()))


def main() -> None:
    """Kill so many times; print what was found as JSON. With a fourth argument, the folder is on a small disk, which gets full."""
    folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    filler = Filler(Path(sys.argv[4])) if len(sys.argv) > 4 else None
    dice = random.Random(seed)  # noqa: S311 (repeatable)
    signer_in(folder)
    acknowledged: set[tuple[str, int]] = set()
    wrong: list[str] = []
    events = 0
    for session in range(1, rounds + 1):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            try:
                while True:
                    with suppress(StoreError, SinkError):  # the disk was full at the start: a supervisor starts it again
                        child(folder, session, write)
            except BaseException:  # noqa: BLE001 (told; the parent sees that it was not the kill)
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(write)
        try:
            live_s(filler, dice)
        finally:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        with os.fdopen(read) as lines:
            acknowledged |= {(event_id, int(revision)) for event_id, revision in (line.split() for line in lines if line.endswith("\n"))}
        if filler is not None:
            filler.free()
        if not os.WIFSIGNALED(status):
            wrong.append(f"round {session}: the program ended by itself")
        events, found = look(folder, acknowledged)
        wrong += [f"round {session}: {what}" for what in found]
        if wrong:
            break
    print(json.dumps({"events": events, "acknowledged": len(acknowledged), "wrong": wrong, "filled": filler.times if filler else 0}))


if __name__ == "__main__":
    main()
