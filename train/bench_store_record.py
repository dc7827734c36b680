"""Events recorded into a full store, by itself and while a day of it is purged; and what the disk can do."""

from __future__ import annotations

import itertools
import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from streamer.chain import new_salt
from streamer.events import Event, Place, event_of
from streamer.evidence import EvidenceFolder
from streamer.privacy import Limits
from streamer.purge import Purge
from streamer.signing import signer_in
from streamer.store import Store, new_event_id
from streamer.store.statistics import StatisticsOf
from streamer.types import Passage
from train.bench_store_traffic import MAKING, example


@dataclass(frozen=True, slots=True)
class Disk:
    """What the disk can do."""

    syncs: float
    """Forced writes of 4 KB a second."""
    bandwidth: float
    """MB a second, forced at the end."""


def disk_of(folder: Path, seconds: float = 3.0, blocks: int = 64) -> Disk:
    """Measure the disk that a folder is on: small forced writes for some seconds, then blocks of 4 MiB."""
    file = folder / "disk.tmp"
    block = np.random.default_rng(1).bytes(4 << 20)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        begin, number = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            os.write(handle, block[:4096])
            os.fsync(handle)
            number += 1
        syncs = number / (time.perf_counter() - begin)
        begin = time.perf_counter()
        for _ in range(blocks):
            os.write(handle, block)
        os.fsync(handle)
        return Disk(syncs, blocks * len(block) / 1e6 / (time.perf_counter() - begin))
    finally:
        os.close(handle)
        file.unlink()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A way of recording, and how fast it was."""

    batch: int
    with_evidence: bool
    transactions: float
    """A second."""


def recording(folder: Path, file: Path, seconds: float) -> Iterator[Recorded]:
    """Record events into the full store, and take them out again would be dear: they stay."""
    evidence = EvidenceFolder(folder)
    with Store(file, signer_in(folder)) as store:
        for with_evidence, batch in itertools.product((False, True), (1, 10, 100)):
            rng, number = np.random.default_rng(batch), 0
            begin = time.perf_counter()
            while time.perf_counter() - begin < seconds:
                _record(store, evidence if with_evidence else None, [_passing(rng) for _ in range(batch)])
                number += 1
            yield Recorded(batch, with_evidence, number / (time.perf_counter() - begin))


def _passing(rng: np.random.Generator) -> Passage:
    crop = rng.integers(0, 255, (24, 96, 3), np.uint8)
    passage = example(datetime.now(UTC), "camera-01", "".join(rng.choice(list("ABCDEFGH12345678"), 7)))
    return replace(passage, crop=crop)


def _record(store: Store, evidence: EvidenceFolder | None, passages: Sequence[Passage]) -> None:
    """Do what the recorder does."""
    pictures = [[] for _ in passages] if evidence is None else evidence.save(passages)

    def make(passage: Passage, files: Any, place: Place) -> Event:
        now = datetime.now(UTC)
        return event_of(passage, place, MAKING, event_id=new_event_id(), revision=1, evidence=files, salt=new_salt(), written_at=now)

    store.append([partial(make, passage, files) for passage, files in zip(passages, pictures, strict=True)])
    if evidence is not None:
        evidence.settled()


@dataclass(frozen=True, slots=True)
class Waits:
    """How long recording one event took, seconds."""

    events: int
    median: float
    p99: float
    slowest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Waits:
        """Take what was measured."""
        return cls(len(seconds), statistics.median(seconds), float(np.quantile(seconds, 0.99)), max(seconds))


@dataclass(frozen=True, slots=True)
class Purging:
    """How a purge went, and what became of recording before and meanwhile."""

    erased: int
    """Events."""
    seconds: float
    alone: Waits
    meanwhile: Waits


def purging(folder: Path, file: Path, seconds: float) -> Purging:
    """Record for some seconds, one event a transaction; then purge the oldest day of the store, and record meanwhile."""
    with Store(file, signer_in(folder)) as store:
        ends = StatisticsOf(store).ends()
        assert ends is not None, "the store is full"
        oldest = datetime.fromisoformat(ends[0]).replace(hour=0, minute=0, second=0, microsecond=0)
        rng = np.random.default_rng(3)
        alone, begin = [], time.perf_counter()
        while time.perf_counter() - begin < seconds:
            alone.append(_seconds(store, rng))
        pause = threading.Event()
        purge = Purge(store, folder, clock=lambda: oldest + timedelta(days=2), pause=pause.wait)
        erased: list[int] = []

        def work() -> None:
            purged = purge.run(Limits(reads_days=1, events_without_plate_days=1))
            erased.append(purged.reads + purged.without_plate)

        thread = threading.Thread(target=work)
        begin = time.perf_counter()
        thread.start()
        waits = []
        while thread.is_alive():
            waits.append(_seconds(store, rng))
        thread.join()
        took = time.perf_counter() - begin
    return Purging(erased[0], took, Waits.of(alone), Waits.of(waits))


def _seconds(store: Store, rng: np.random.Generator) -> float:
    passage = _passing(rng)
    begin = time.perf_counter()
    _record(store, None, [passage])
    return time.perf_counter() - begin
