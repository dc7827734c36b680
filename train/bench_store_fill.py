"""Fills a store with events as traffic would, below the store's own interface: ten million would take a day through it.

Rows, chain and signatures are those that ``Store.append`` would write; triggers count as they do there. Only the pictures are missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from streamer.chain import GENESIS, entry_after
from streamer.events import Making, Place, event_of, plate_that_holds, to_line
from streamer.plates import Format, all_formats
from streamer.plates.formats import MAX_LENGTH
from streamer.plates.pattern import Listed
from streamer.search import skeleton
from streamer.signing import signer_in
from streamer.store import Store
from streamer.types import Box, ModelInfo, Passage, Stamp

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 10_000
EVENTS_PER_PLATE = 3.0
FORMATS = ("GB current", "DE", "FR SIV", "NL", "PL")
NO_PLATE = 0.04
WITHDRAWN = 0.004
CORRECTED = 0.002
MAKING = Making(
    ModelInfo("plate-detector", "a" * 64, "openvino cpu int8"), ModelInfo("plate-reader", "b" * 64, "openvino cpu f32"), "0.1.0"
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the events are like."""

    events: int
    days: int
    cameras: int


def fill(folder: Path, file: Path, traffic: Traffic, progress: Callable[[int], None]) -> None:
    """Make a store and fill it; ``progress`` is told how many events are in."""
    signer = signer_in(folder)
    Store(file, signer).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        filler = _Filler(connection, columns, signer.sign, signer.key_id)
        for batch in _batches(traffic):
            filler.write(batch)
            connection.commit()
            progress(filler.sequence)
    connection.close()


class _Filler:
    """Writes events in batches, each signed once."""

    def __init__(self, connection: sqlite3.Connection, columns: Sequence[str], sign: Callable[[str], str], key_id: str) -> None:
        self._connection = connection
        self._columns = columns
        self._sign, self._key_id = sign, key_id
        self._previous = GENESIS
        self.sequence = 0

    def write(self, events: Sequence[dict[str, Any]]) -> None:
        entries, rows, pictures = [], [], []
        for event in events:
            self.sequence += 1
            event |= {"sequence": self.sequence, "chain": {"entry": self.sequence, "previous": self._previous}}
            entry = entry_after(self._previous, self.sequence, "event", to_line(event))
            self._previous = entry.hash
            entries.append((entry.number, entry.kind, entry.digest, entry.hash, None, None, entry.payload))
            rows.append(self._row(event))
            pictures += [(self.sequence, one["kind"], one["file"], one["sha256"]) for one in event["evidence"]]
        entries[-1] = (*entries[-1][:4], self._sign(self._previous), self._key_id, entries[-1][6])
        texts = {text for text in map(plate_that_holds, events) if text is not None}
        many = self._connection.executemany
        many("INSERT INTO entries (number, kind, digest, hash, signature, signer, payload) VALUES (?, ?, ?, ?, ?, ?, ?)", entries)
        plates = ((text, skeleton(text), skeleton(text)[::-1]) for text in sorted(texts))
        many("INSERT INTO plates VALUES (?, ?, ?, 0, 0) ON CONFLICT (text) DO NOTHING", plates)
        many(f"INSERT INTO events VALUES ({', '.join('?' * len(self._columns))})", rows)  # noqa: S608 (marks only)
        many("INSERT INTO evidence (sequence, kind, file, sha256) VALUES (?, ?, ?, ?)", pictures)
        self._connection.execute("UPDATE head SET entry = ?, sequence = ?, hash = ?", (self.sequence, self.sequence, self._previous))

    def _row(self, event: dict[str, Any]) -> list[Any]:
        found = event | {
            "entry": event["chain"]["entry"],
            "best_time": event["best"]["time"],
            "text": plate_that_holds(event),
            "replaced_by": None,
        }
        return [found[column] for column in self._columns]


def _batches(traffic: Traffic) -> Iterator[list[dict[str, Any]]]:
    """Give events in the order of their times, and revisions of some of them soon after."""
    rng = np.random.default_rng(20260101)
    plates = _plates(rng, max(100, round(traffic.events / EVENTS_PER_PLATE)))
    hours = _times(rng, traffic)
    left = traffic.events
    while left > 0:
        batch: list[dict[str, Any]] = []
        for hour in hours[traffic.events - left :][: min(left, BATCH)]:
            batch += _event(rng, plates, float(hour), traffic.cameras)
        batch = batch[:left]
        left -= len(batch)
        yield batch


def _times(rng: np.random.Generator, traffic: Traffic) -> np.ndarray:
    """Give the times of events in hours from the beginning, sorted: more by day than by night."""
    days = rng.integers(0, traffic.days, traffic.events)
    hours = np.clip(
        np.where(rng.random(traffic.events) < 0.5, rng.normal(8.5, 2, traffic.events), rng.normal(16.5, 3, traffic.events)), 0, 23.99
    )
    return np.sort(days * 24 + hours)


def _plates(rng: np.random.Generator, number: int) -> list[tuple[str, Format]]:
    """Give plates of some countries' formats; may repeat."""
    formats = [one for one in all_formats() if one.name.startswith(FORMATS) and not one.vanity]
    shares = np.array([one.vehicles for one in formats])
    chosen = rng.choice(len(formats), number, p=shares / shares.sum())
    forms = [
        [[part.entries if isinstance(part, Listed) else part for part in variant.parts] for variant in one.variants] for one in formats
    ]
    sizes = [np.cumsum([float(variant.size) for variant in one.variants]) for one in formats]
    draws = rng.random((number, 1 + MAX_LENGTH))
    return [(_text(forms[which], sizes[which], draw), formats[which]) for which, draw in zip(chosen, draws, strict=True)]


def _text(forms: Sequence[Sequence[Sequence[str]]], sizes: np.ndarray, draws: np.ndarray) -> str:
    form = forms[int(np.searchsorted(sizes, draws[0] * sizes[-1], side="right"))]
    return "".join(choice[int(draw * len(choice))] for choice, draw in zip(form, draws[1:], strict=False))


def _event(rng: np.random.Generator, plates: Sequence[tuple[str, Format]], hour: float, cameras: int) -> list[dict[str, Any]]:
    """Give one event; of some, an earlier preview or a later correction, too."""
    which, camera, kind, score, salt = rng.random(5)
    # Few plates come every day, most come seldom.
    plate, fmt = plates[int(len(plates) * which**2.5)]
    passage = example(
        START + timedelta(hours=hour), f"camera-{int(cameras * camera) + 1:02d}", plate, fmt.country, fmt.name, 1.0 - 0.6 * score**3
    )
    event = event_of(
        passage,
        Place(0, 0, ""),
        MAKING,
        event_id=_id(rng, passage.best.wall),
        revision=1,
        evidence=[],
        salt=f"{int(salt * 2**53):032x}",
        written_at=passage.last.wall,
    )
    name = f"{passage.source_id}_{passage.best.wall:%Y%m%dT%H%M%S.%fZ}_{passage.key}_{event['salt'][-12:]}.png"
    crop = {"kind": "crop", "file": f"crops/{passage.best.wall:%Y-%m-%d}/{name}", "sha256": 2 * event["salt"], "width": 96, "height": 24}
    event["evidence"] = [crop]
    if kind < NO_PLATE:
        reason = ("too_small", "blurred", "rejected", "too_few_looks")[int(which * 4)]
        return [
            event
            | dict.fromkeys(("plate", "raw", "score", "country", "format"))
            | {"reason": reason, "char_scores": [], "alternatives": []}
        ]
    if kind < NO_PLATE + WITHDRAWN:
        again = {"revision": 2, "revision_reason": "no_vehicle", "state": "withdrawn"}
        return [event | {"revision_reason": "sure", "state": "preview"}, event | again]
    if kind < NO_PLATE + WITHDRAWN + CORRECTED:
        said = {"plate": plates[int(len(plates) * score)][0], "by": "bench", "time": event["written_at"], "why": "typed"}
        return [event, event | {"revision": 2, "revision_reason": "correction", "state": "corrected", "correction": said}]
    return [event]


def example(wall: datetime, camera: str, plate: str, country: str = "GB", fmt: str = "GB current", score: float = 0.9) -> Passage:
    """Give a passage whose best look was at a time."""
    t = (wall - START).total_seconds()
    first, best, last = (Stamp(t + late, wall + timedelta(seconds=late), round((t + late) * 25)) for late in (-1.2, 0.0, 0.8))
    return Passage(
        key=f"1-{best.index}",
        state="final",
        source_id=camera,
        session=1,
        tracks=(best.index % 100_000,),
        plate=plate,
        raw=plate,
        score=score,
        char_scores=(score,) * len(plate),
        alternatives=((f"{plate[:-1]}8", 0.2),),
        country=country,
        format=fmt,
        reason=None,
        looks=40,
        reads=6,
        first=first,
        last=last,
        best=best,
        clock="rtcp",
        box=Box(100.5, 200.5, 196.0, 224.0),
        box_score=0.91,
        frame_size=(1920, 1080),
        crop=np.zeros((24, 96, 3), np.uint8),
    )


def _id(rng: np.random.Generator, moment: datetime) -> str:
    """Give a UUIDv7 of that time."""
    a, b, c = rng.integers((1 << 12, 4, 1 << 60))
    text = f"{int(moment.timestamp() * 1000):012x}7{a:03x}{8 + b:x}{c:015x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
