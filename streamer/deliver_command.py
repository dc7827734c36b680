"""``plate-streamer deliver``: how far the sinks of a configuration are, and what to do with their dead letters."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from streamer import audit
from streamer.config import LOG_NAME, Config
from streamer.courier import Courier
from streamer.errors import UsageError
from streamer.outgoing import SinkSnapshot
from streamer.routes import copies_of, route_of
from streamer.signing import signer_in
from streamer.sink_table import plain, seconds
from streamer.sinks import make_sink
from streamer.store import STORE, Store
from streamer.store.deliveries import DeadLetter, Deliveries

_WIDTH_WITHOUT_TERMINAL: Final = 160
_LETTERS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class SinkRow:
    """What the record says of a sink, whether the program runs or not."""

    sink: str
    type: str | None
    """None: it stands in the record, but no longer in the configuration."""
    delivered_to: int | None
    """Sequence number of the last event that it had; None: it never ran."""
    lag_events: int
    lag_s: float
    dead_letters: int


def run_status(config: Config, directory: Path, *, as_json: bool) -> int:
    """Print how far the sinks are; the program may run meanwhile. Gives 0. Raises UsageError, StoreError."""
    with Store(directory / STORE, read_only=True) as store:
        deliveries = Deliveries(store)
        rows = rows_of(config, deliveries, datetime.now(UTC))
        letters = [letter for row in rows if row.dead_letters for letter in deliveries.dead_letters(row.sink, limit=_LETTERS_SHOWN)]
    if as_json:
        document = {"sinks": [asdict(row) for row in rows], "dead_letters": [asdict(letter) for letter in letters]}
        sys.stdout.write(json.dumps(document) + "\n")
        return 0
    console = _console()
    console.print(_rows_table(rows))
    if letters:
        console.print(_letters_table(letters))
    return 0


def run_retry(config: Config, directory: Path, sink: str, errand: audit.Errand) -> int:
    """Send the dead letters of a sink once more; the program may run meanwhile. Gives 0, or 1 if some are left."""
    _check(config, directory, sink)
    with Store(directory / STORE, signer_in(directory), alone=False) as store:
        dead = Deliveries(store).count_dead().get(sink, 0)
        state = _work(config, directory, Deliveries(store), sink, lambda: _note(store, directory, errand, "retry", sink, dead), dead=True)
    sys.stderr.write(f"{sink}: {state.delivered} of its dead letters delivered, {state.dead_letters} left{_why(state)}\n")
    return 1 if state.dead_letters else 0


def run_send(config: Config, directory: Path, sink: str, errand: audit.Errand) -> int:
    """Deliver what a sink has not had; the program must not run. Gives 0, or 1 if it did not take all."""
    _check(config, directory, sink)
    with Store(directory / STORE, signer_in(directory)) as store:
        deliveries = Deliveries(store)
        behind = store.last_sequence() - (deliveries.cursor(sink) or 0)
        state = _work(config, directory, deliveries, sink, lambda: _note(store, directory, errand, "send", sink, behind), dead=False)
        left = store.last_sequence() - (deliveries.cursor(sink) or 0)
    sys.stderr.write(f"{sink}: {state.delivered} events delivered, {left} left{_why(state)}\n")
    return 1 if left else 0


def run_drop(directory: Path, sink: str, errand: audit.Errand) -> int:
    """Forget the dead letters of a sink, the program may run meanwhile. Gives 0."""
    _check_store(directory)
    with Store(directory / STORE, signer_in(directory), alone=False) as store:
        _note(store, directory, errand, "drop", sink, Deliveries(store).count_dead().get(sink, 0))
        dropped = Deliveries(store).drop(sink)
    sys.stderr.write(f"{sink}: {dropped} dead letters forgotten\n")
    return 0


def rows_of(config: Config, deliveries: Deliveries, now: datetime) -> list[SinkRow]:
    """Give what the record says of the log, of all sinks of the configuration, and of those that there were. Raises StoreError."""
    cursors, dead, last = deliveries.cursors(), deliveries.count_dead(), deliveries.store.last_sequence()
    kinds = {LOG_NAME: "log", **{name: section.type for name, section in config.sinks.items()}}
    return [
        SinkRow(name, kinds.get(name), cursors.get(name), *_lag(deliveries, cursors.get(name), last, now), dead.get(name, 0))
        for name in dict.fromkeys([*kinds, *cursors])
    ]


def _work(config: Config, directory: Path, deliveries: Deliveries, name: str, note: Callable[[], None], *, dead: bool) -> SinkSnapshot:
    section = config.sinks[name]
    sink = make_sink(
        name, section, tuple(config.cameras), beside=True, directory=directory, erased=copies_of(name, section, deliveries.store)
    )
    note()
    courier = Courier(route_of(name, section, sink), deliveries)
    try:
        (courier.retry_dead if dead else courier.run)(lambda: False)
        return courier.snapshot(alive=True)
    finally:
        courier.end()


def _note(store: Store, directory: Path, errand: audit.Errand, how: str, sink: str, events: int) -> None:
    """Put into the audit log that somebody is about to hand events out, or to forget that they were not."""
    now = datetime.now(UTC)
    audit.record(store, errand.action("deliver", events, more={"how": how, "sink": sink}), audit.keys_in(directory, now), now)


def _check_store(directory: Path) -> None:
    if not (directory / STORE).is_file():
        raise UsageError(f"{directory / STORE}: there is no event store")


def _check(config: Config, directory: Path, sink: str) -> None:
    if sink == LOG_NAME:
        raise UsageError(f"{sink}: is the event log, which run and replay bring up to date when they start")
    if sink not in config.sinks:
        there = ", ".join(config.sinks) or "none"
        raise UsageError(f"{sink}: there is no such sink in the configuration; there are: {there}")
    _check_store(directory)


def _lag(deliveries: Deliveries, cursor: int | None, last: int, now: datetime) -> tuple[int, float]:
    """Give how many events a sink is behind, and how many seconds."""
    if cursor is None or cursor >= last:
        return 0, 0.0
    waiting = deliveries.store.read_after(cursor, 1)
    if not waiting:
        return 0, 0.0
    recorded = datetime.fromisoformat(json.loads(waiting[0].line)["written_at"])
    return last - cursor, max((now - recorded).total_seconds(), 0.0)


def _rows_table(rows: Sequence[SinkRow]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for name in ("sink", "type", "delivered to", "behind", "oldest", "dead letters"):
        table.add_column(name, justify="left" if name in ("sink", "type") else "right")
    for row in rows:
        had = "never ran" if row.delivered_to is None else str(row.delivered_to)
        counts = (had, str(row.lag_events), seconds(row.lag_s), str(row.dead_letters))
        table.add_row(plain(row.sink), row.type or "not configured", *counts)
    return table


def _letters_table(letters: Sequence[DeadLetter]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for name in ("sink", "event", "revision", "attempts", "given up", "why"):
        table.add_column(name)
    for letter in letters:
        counts = (str(letter.revision), str(letter.attempts), letter.buried_at[:19].replace("T", " "))
        table.add_row(plain(letter.sink), letter.event_id, *counts, plain(letter.error))
    return table


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    return console if console.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL, markup=False, highlight=False, emoji=False)


def _why(state: SinkSnapshot) -> str:
    return f": {state.failure}" if state.failure is not None else ""
