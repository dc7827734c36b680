"""Events as traffic would make them, years of them: plates of some countries, few that come every day and many that come once.

What is the same in all events stands in a text that is made once, by the program itself; the rest is put into it. Ten million events made
one by one, as the program makes them, would take an hour and a half of a processor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from streamer.events import Making, Place, event_of, to_line
from streamer.plates import ALPHABET, Format, all_formats
from streamer.plates.formats import MAX_LENGTH
from streamer.plates.pattern import Listed
from streamer.types import Box, ModelInfo, Passage, Stamp

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 10_000
EVENTS_PER_PLATE = 3.0
FORMATS = ("GB current", "DE", "FR SIV", "NL", "PL")
NO_PLATE = 0.04
REASONS = ("too_small", "blurred", "rejected", "too_few_looks")
WITHDRAWN = 0.004
CORRECTED = 0.002
MISREAD = 0.02
"""Of the events: one character is another one, so there are more plates than vehicles, most of them seen once."""
MAKING = Making(
    ModelInfo("plate-detector", "a" * 64, "openvino cpu int8"), ModelInfo("plate-reader", "b" * 64, "openvino cpu f32"), "0.1.0"
)
_LATE_US = {"first": -1_200_000, "best": 0, "last": 800_000}
_FPS = 25


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the events are like."""

    events: int
    days: int
    cameras: int


@dataclass(frozen=True, slots=True)
class Made:
    """A revision of an event, but for its place in the chain."""

    event_id: str
    revision: int
    state: str
    source: str
    passage: str
    plate: str | None
    country: str | None
    score: float | None
    reason: str | None
    best_time: str
    text: str | None
    """The plate that holds."""
    file: str
    sha256: str
    payload: str
    """With ``%d`` where the sequence number stands, ``%d`` for the entry's number and ``%s`` for the hash of the entry before."""


def batches(traffic: Traffic) -> Iterator[list[Made]]:
    """Give events in the order of their times, and revisions of some of them right after them; in lists of about ``BATCH``."""
    rng = np.random.default_rng(20260101)
    plates = _plates(rng, max(100, round(traffic.events / EVENTS_PER_PLATE)))
    times = _times(rng, traffic)
    line = _template()
    left = traffic.events
    while left > 0:
        some = times[traffic.events - left :][: min(left, BATCH)]
        batch = [made for values in _values(rng, plates, some, traffic.cameras) for made in _revisions(line, values)][:left]
        left -= len(batch)
        yield batch


def _times(rng: np.random.Generator, traffic: Traffic) -> np.ndarray:
    """Give the times of events in microseconds from the beginning, sorted, int64: more by day than by night."""
    days = rng.integers(0, traffic.days, traffic.events)
    hours = np.clip(
        np.where(rng.random(traffic.events) < 0.5, rng.normal(8.5, 2, traffic.events), rng.normal(16.5, 3, traffic.events)), 0, 23.99
    )
    return np.sort(np.round((days * 24 + hours) * 3_600_000_000).astype(np.int64))


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


def _misread(plate: str, draw: float) -> str:
    """Give a plate with one character exchanged."""
    place, draw = divmod(draw * len(plate), 1)
    other = ALPHABET[int(draw * len(ALPHABET))]
    return f"{plate[: int(place)]}{other}{plate[int(place) + 1 :]}"


def _values(rng: np.random.Generator, plates: Sequence[tuple[str, Format]], times: np.ndarray, cameras: int) -> Iterator[dict[str, Any]]:
    """Give what is different in each event."""
    number = len(times)
    which, camera, kind, score, misread = rng.random((5, number))
    # Few plates come every day, most come seldom; the first cameras see most.
    vehicles = (len(plates) * which**2.5).astype(int).tolist()
    sources = (1 + cameras * camera**1.3).astype(int).tolist()
    scores = np.round(1.0 - 0.6 * np.where(misread < MISREAD, 0.5 + score / 2, score) ** 3, 4).tolist()
    salts = rng.bytes(32 * number).hex()
    since = np.datetime64(START.replace(tzinfo=None), "us")
    texts = {name: np.datetime_as_string(since + (times + late), unit="us").tolist() for name, late in _LATE_US.items()}
    misread = misread.tolist()
    for place, us in enumerate(times.tolist()):
        plate, fmt = plates[vehicles[place]]
        if misread[place] < MISREAD:
            plate = _misread(plate, misread[place] / MISREAD)
        salt, rest = salts[64 * place : 64 * place + 32], salts[64 * place + 32 : 64 * place + 64]
        stamp = f"{int(START.timestamp() * 1000) + us // 1000:012x}"
        yield {
            "us": us,
            "event_id": f"{stamp[:8]}-{stamp[8:]}-7{rest[:3]}-{'89ab'[place % 4]}{rest[3:6]}-{rest[6:18]}",
            "source": f"camera-{sources[place]:02d}",
            "plate": plate,
            "score": scores[place],
            "format": fmt,
            "salt": salt,
            "kind": float(kind[place]),
            **{name: f"{texts[name][place]}Z" for name in _LATE_US},
        }


def _revisions(line: str, values: dict[str, Any]) -> Iterator[Made]:
    """Give an event; of some, an earlier preview or a later correction, too."""
    kind, plate = values["kind"], values["plate"]
    if kind < NO_PLATE:
        yield _made(line, values | {"plate": None, "score": None}, "final", reason=REASONS[int(len(REASONS) * kind / NO_PLATE)])
    elif kind < NO_PLATE + WITHDRAWN:
        yield _made(line, values, "preview", why="sure")
        yield _made(line, values, "withdrawn", 2, why="no_vehicle")
    elif kind < NO_PLATE + WITHDRAWN + CORRECTED:
        yield _made(line, values, "final")
        said = {"plate": _misread(plate, kind * 1e4 % 1), "by": "bench", "time": values["last"], "why": "typed"}
        yield _made(line, values, "corrected", 2, why="correction", said=said)
    else:
        yield _made(line, values, "final")


def _made(
    line: str,
    values: dict[str, Any],
    state: str,
    revision: int = 1,
    *,
    why: str = "over",
    reason: str | None = None,
    said: dict[str, Any] | None = None,
) -> Made:
    best, plate, score, salt, fmt = values["best"], values["plate"], values["score"], values["salt"], values["format"]
    frame = values["us"] * _FPS // 1_000_000
    passage = f"1-{frame}"
    file = f"crops/{best[:10]}/{values['source']}_{best.replace('-', '').replace(':', '')}_{passage}_{salt[-12:]}.png"
    country, name = (None, None) if plate is None else (fmt.country, fmt.name)
    text = plate if said is None else said["plate"]
    payload = line % {
        "event_id": values["event_id"],
        "revision": revision,
        "why": why,
        "state": state,
        "passage": passage,
        "source": values["source"],
        "track": frame % 100_000,
        "plate": _json(plate),
        "score": _json(score),
        "char_scores": "[]" if plate is None else f"[{','.join([str(score)] * len(plate))}]",
        "alternatives": "[]" if plate is None else f'[{{"plate":"{plate[:-1]}8","score":0.2}}]',
        "country": _json(country),
        "format": _json(name),
        "reason": _json(reason),
        "said": "null" if said is None else json.dumps(said, separators=(",", ":")),
        "salt": salt,
        "file": file,
        "first": values["first"],
        "best": best,
        "last": values["last"],
        "first_s": (values["us"] + _LATE_US["first"]) / 1e6,
        "best_s": values["us"] / 1e6,
        "last_s": (values["us"] + _LATE_US["last"]) / 1e6,
        "frame": frame,
        # Filled in later.
        "sequence": "%d",
        "entry": "%d",
        "previous": "%s",
    }
    return Made(
        values["event_id"], revision, state, values["source"], passage, plate, country, score, reason, best, text, file, 2 * salt, payload
    )


def _json(value: str | float | None) -> str:
    """Give a plain text or a number as JSON."""
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _template() -> str:
    """Give an event's line as the program writes it, with names for ``%`` in the places of what is different in each."""
    passage = replace(example(START, "§source", "A", "§", "§"), key="§passage")
    event = event_of(
        passage, Place(0, 0, "§previous"), MAKING, event_id="§event_id", revision=1, evidence=[], salt="§salt", written_at=START
    )
    stamps = {name: {"time": f"§{name}", "media_time_s": f"§{name}_s:", "frame": "§frame:"} for name in _LATE_US}
    bare = ("revision", "sequence", "plate", "score", "char_scores", "alternatives", "country", "format", "reason")
    event |= {name: f"§{name}:" for name in bare} | stamps
    event |= {"revision_reason": "§why", "state": "§state", "raw": "§plate:", "correction": "§said:", "written_at": "§last"}
    event |= {"tracks": ["§track:"], "chain": {"entry": "§entry:", "previous": "§previous"}}
    event["evidence"] = [{"kind": "crop", "file": "§file", "sha256": "§salt§salt", "width": 96, "height": 24}]
    line = to_line(event).replace("%", "%%")
    # A name with a colon stands without quotes: its value is JSON.
    line = re.sub(r'"§(\w+):"', r"%(\1)s", line)
    return re.sub(r"§([a-z_]+)", r"%(\1)s", line)


def example(wall: datetime, camera: str, plate: str, country: str = "GB", fmt: str = "GB current", score: float = 0.9) -> Passage:
    """Give a passage whose best look was at a time."""
    t = (wall - START).total_seconds()
    first, best, last = (Stamp(t + late, wall + timedelta(seconds=late), round((t + late) * _FPS)) for late in (-1.2, 0.0, 0.8))
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
