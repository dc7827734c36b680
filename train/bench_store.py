"""The store with ten million events: ``make bench-store``.

Fills a store (half an hour for ten million; it is kept, and used again), then measures what people wait for: searches, pages,
statistics, each against a second; and events recorded a second beside what the disk can do, measured in the same run. Each look is taken
once after the system was asked to forget the file, and then some times again.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from streamer import subject
from streamer.plates import fold
from streamer.store import STORE, Store
from streamer.store.query import Key, Query
from streamer.store.retention import Retention
from streamer.store.search import Search
from streamer.store.statistics import Span, StatisticsOf
from train.bench_store_fill import fill
from train.bench_store_record import Disk, Purging, Recorded, disk_of, purging, recording
from train.bench_store_traffic import START, Traffic

TARGET_S = 1.0
BYTES_PER_EVENT = 3000
"""On disk, indexes included, roughly."""
PLATES = 5
AGAIN = 3


@dataclass(frozen=True, slots=True)
class Case:
    """Something people wait for; ``looks`` give how much they found."""

    name: str
    looks: Sequence[Callable[[Store], int]]
    target: bool = True
    """False: it takes as long as there are events, and is only told."""
    again: int = AGAIN


@dataclass(frozen=True, slots=True)
class Timing:
    """How long it took, seconds."""

    name: str
    found: int
    cold: float
    """The first time, the file not in memory (as far as the system obeys)."""
    median: float
    slowest: float
    """Of those after the first."""
    cpu: float
    """Median of these, the time of the processor only: what it would take on a machine that does nothing else."""

    target: bool

    @property
    def met(self) -> bool:
        """Whether even the slowest was fast enough."""
        return not self.target or max(self.cold, self.slowest) <= TARGET_S


def main() -> int:
    """Fill, measure, print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--cameras", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=Path("out/bench-store"), help="where the store is kept; its size is in its name")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each way of recording is measured")
    asked = parser.parse_args()
    traffic = Traffic(asked.events, asked.days, asked.cameras)
    folder = asked.folder / f"{traffic.events}-{traffic.days}-{traffic.cameras}"
    file = folder / STORE
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    _make(folder, file, traffic, console)
    timings = [_timed(case, file) for case in _cases(file, traffic)]
    console.print(_looks_table(timings, file, traffic))
    disk = disk_of(folder)
    console.print(_commands_table(folder))
    console.print(_recording_table(list(recording(folder, file, asked.seconds)), disk))
    console.print(_purge_table(purging(folder, file, asked.seconds)))
    missed = [timing.name for timing in timings if not timing.met]
    console.print(f"targets missed: {', '.join(missed)}" if missed else f"every look took less than {TARGET_S:g} s")
    return int(bool(missed))


def _make(folder: Path, file: Path, traffic: Traffic, console: Console) -> None:
    """Fill the store unless it is there already."""
    done = folder / "filled"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if shutil.disk_usage(folder).free < traffic.events * BYTES_PER_EVENT * 1.2:
        raise SystemExit(f"{folder}: {traffic.events * BYTES_PER_EVENT / 1e9:.0f} GB are needed")
    with Progress(console=console) as bar:
        task = bar.add_task("filling", total=traffic.events)
        fill(folder, file, traffic, lambda events: bar.update(task, completed=events))
    done.touch()


def _cases(file: Path, traffic: Traffic) -> Iterator[Case]:
    """Give what is measured, about plates that are in the store."""
    with Store(file, read_only=True) as store:
        places = [round(traffic.events * (number + 1) / (2 * PLATES + 1)) for number in range(2 * PLATES)]
        lines = [
            Search(store).page(Query(), after=Key(1 << 60, 0.0, _after(traffic, share / traffic.events), 0), limit=1) for share in places
        ]
        plates = [page.found[0].plate for page in lines if page.found]
        plates = [plate for plate in plates if plate and len(plate) >= 6][:PLATES]
        often = StatisticsOf(store).count(Span(), most=1).visitors.most[0][0]

    def search(name: str, queries: Sequence[Query]) -> Case:
        return Case(name, [partial(_search, query) for query in queries])

    day = {"since": _after(traffic, 0.5), "until": _after(traffic, 0.5 + 1 / traffic.days)}
    yield search("newest events", [Query()])
    yield search("of a camera, score above 0.99", [Query(cameras=("camera-03",), min_score=0.99)])
    yield search("without a plate", [Query(no_plate=True)])
    yield search("exact plate", [Query(plate=plate) for plate in plates])
    yield search("exact plate, the most frequent one", [Query(plate=often)])
    yield search("wildcard at the end: AB12*", [Query(plate=f"{plate[:4]}*") for plate in plates])
    yield search("wildcard at the beginning: *2CDE", [Query(plate=f"*{plate[-4:]}") for plate in plates])
    yield search("wildcards at both ends: *12CD*", [Query(plate=f"*{plate[2:6]}*") for plate in plates])
    yield search("wildcards at both ends: *2C*", [Query(plate=f"*{plate[3:5]}*") for plate in plates])
    yield search("the same of one day", [Query(plate=f"*{plate[2:4]}*", **day) for plate in plates])
    yield search("common wildcard: *1*", [Query(plate="*1*"), Query(plate="?B*")])
    for edits, name in ((0, "look-alikes"), (1, "look-alikes and 1 character"), (2, "look-alikes and 2 characters")):
        yield search(f"fuzzy: {name}", [Query(plate=plate, edits=edits) for plate in plates])
    yield Case("page of 100 after 90 % of the events", [partial(_page, Query(), _after(traffic, 0.1), traffic)])
    yield Case("the same of a camera", [partial(_page, Query(cameras=("camera-03",)), _after(traffic, 0.1), traffic)])
    yield from _counts(traffic, day)
    yield search("of a country that never came", [Query(country="US")])
    yield search("corrected by people", [Query(states=frozenset({"corrected"}))])
    yield Case("all contents that name a plate (erase, subject)", [partial(_naming, plates[0])], target=False, again=0)


def _counts(traffic: Traffic, day: dict[str, str]) -> Iterator[Case]:
    def count(name: str, span: Span, **options: Any) -> Case:
        return Case(name, [partial(_count, span, options)])

    month = {"since": _after(traffic, 0.25), "until": _after(traffic, 0.25 + 30 / traffic.days)}
    yield count("statistics of everything, by day", Span(), by="day")
    yield count("statistics of everything, by hour, frequent plates", Span(), by="hour", most=20)
    yield count("statistics of 24 hours, not from midnight on, by hour", Span(**day), by="hour", most=20)
    yield count("statistics of 30 days", Span(**month), by="day")
    yield replace(count("the same with how often plates came again", Span(**month), by="day", visitors=True), target=False)
    yield count("statistics of a camera, 30 days", Span(**month, cameras=("camera-03",)), by="day")


def _search(query: Query, store: Store) -> int:
    return len(Search(store).page(query, limit=100).found)


def _page(query: Query, time_of: str, traffic: Traffic, store: Store) -> int:
    return len(Search(store).page(query, after=Key(traffic.events, 0.0, time_of, 1 << 60), limit=100).found)


def _count(span: Span, options: dict[str, Any], store: Store) -> int:
    return StatisticsOf(store).count(span, **options).events


def _naming(plate: str, store: Store) -> int:
    return len(Retention(store).naming({fold(plate)}, subject.names))


def _after(traffic: Traffic, share: float) -> str:
    return f"{START + timedelta(days=traffic.days * share, minutes=7):%Y-%m-%dT%H:%M:%S.%fZ}"


def _timed(case: Case, file: Path) -> Timing:
    """Take each look some times; the first one from disk."""
    _forget(file)
    seconds, cpu, found = [], [], 0
    with Store(file, read_only=True) as store:
        for look in itertools.chain.from_iterable(itertools.repeat(case.looks, 1 + case.again)):
            begin, began = time.perf_counter(), time.process_time()
            found = max(found, look(store))
            seconds.append(time.perf_counter() - begin)
            cpu.append(time.process_time() - began)
    later, busy = seconds[1:] or seconds, statistics.median(cpu[1:] or cpu)
    return Timing(case.name, found, seconds[0], statistics.median(later), max(later), busy, case.target)


def _forget(file: Path) -> None:
    """Ask the system to drop what it holds of a file in memory."""
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _looks_table(timings: Sequence[Timing], file: Path, traffic: Traffic) -> Table:
    size = file.stat().st_size
    title = f"{traffic.events:,} events, {size / 1e9:.1f} GB ({size / traffic.events:.0f} bytes each), SQLite; seconds"
    table = Table(box=SIMPLE_HEAD, title=title)
    for name in ("what", "found", "first, from disk", "then, median", "then, slowest", "CPU", f"under {TARGET_S:g} s"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for timing in timings:
        seconds = (f"{value:.3f}" for value in (timing.cold, timing.median, timing.slowest, timing.cpu))
        table.add_row(timing.name, f"{timing.found:,}", *seconds, _told(timing))
    return table


def _told(timing: Timing) -> str:
    if not timing.target:
        return "no target"
    return "[green]yes[/]" if timing.met else "[red]NO[/]"


def _commands_table(folder: Path) -> Table:
    """Run whole commands, the start of the program and its entry in the audit log included."""
    table = Table(box=SIMPLE_HEAD, title="whole commands; seconds")
    for name in ("command", "first, from disk", "then, median", "then, slowest"):
        table.add_column(name, justify="left" if name == "command" else "right")
    for words in (["events", "--plate", "*12CD*"], ["events", "--plate", "AB12CDE", "--fuzzy", "1"], ["stats"]):
        _forget(folder / STORE)
        seconds = []
        for _ in range(1 + AGAIN):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "streamer.cli", words[0], str(folder), *words[1:], "--purpose", "bench"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - begin)
        times = (seconds[0], statistics.median(seconds[1:]), max(seconds[1:]))
        table.add_row(" ".join(words), *(f"{value:.2f}" for value in times))
    return table


def _recording_table(recorded: Sequence[Recorded], disk: Disk) -> Table:
    title = f"recording into it; the disk: {disk.syncs:.0f} forced writes a second, {disk.bandwidth:.0f} MB/s"
    table = Table(box=SIMPLE_HEAD, title=title)
    for name in ("events a transaction", "pictures", "events a second", "transactions a second", "of the disk's forced writes"):
        table.add_column(name, justify="right")
    for one in recorded:
        rates = (f"{one.transactions * one.batch:.0f}", f"{one.transactions:.0f}", f"{100 * one.transactions / disk.syncs:.0f} %")
        table.add_row(str(one.batch), "a crop each" if one.with_evidence else "none", *rates)
    return table


def _purge_table(found: Purging) -> Table:
    title = f"purging the oldest day, {found.erased:,} events, in {found.seconds:.0f} s; recording meanwhile, seconds for an event"
    table = Table(box=SIMPLE_HEAD, title=title)
    for name in ("", "events", "median", "99 %", "slowest"):
        table.add_column(name, justify="right" if name else "left")
    for name, waits in (("alone", found.alone), ("while it is purged", found.meanwhile)):
        table.add_row(name, f"{waits.events:,}", *(f"{value:.4f}" for value in (waits.median, waits.p99, waits.slowest)))
    return table


if __name__ == "__main__":
    sys.exit(main())
