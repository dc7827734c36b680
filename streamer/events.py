"""Passages to events: what is recorded, one JSON object a line. Its form is told by the JSON Schema in ``schemas`` (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from streamer.types import Box, ModelInfo, Passage, Stamp

SCHEMA_VERSION = 3
"""Grows with every change of an event's fields, because the schema allows no others."""

Event = dict[str, Any]
"""JSON values only; ``event_schema`` tells the fields."""

EventMaker = Callable[[int], Event]
"""Gives the event for a sequence number."""

_SCORE_DIGITS = 4
_PIXEL_DIGITS = 1
_SECOND_DIGITS = 6


def event_of(
    passage: Passage,
    *,
    event_id: str,
    sequence: int,
    detector: ModelInfo,
    reader: ModelInfo,
    crop_file: str,
    crop_sha256: str,
    program_version: str,
    written_at: datetime,
    host_clock: dict[str, object] | None = None,
) -> Event:
    """Give the event that records a passage.

    Args:
        passage: what happened.
        event_id: UUIDv7 in its usual form; new for every event, also for the final one after a preview.
        sequence: number of the event in its store, 1 and up.
        detector: the model that found the plate.
        reader: the model that read it.
        crop_file: where the evidence lies, relative to the folder of the log.
        crop_sha256: of that file, lower-case hex.
        program_version: of this program.
        written_at: now, aware.
        host_clock: of live events: whether this machine's clock is synchronised, by what, and how far off it says it is.

    Raises:
        ValueError: a time has no offset.
    """
    crop_height, crop_width = passage.crop.shape[:2]
    return {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "sequence": sequence,
        **_reading(passage),
        "looks": passage.looks,
        "reads": passage.reads,
        "first": _stamp(passage.first),
        "last": _stamp(passage.last),
        "best": _stamp(passage.best),
        "clock": passage.clock,
        "clock_offset_s": _seconds(passage.clock_offset_s),
        "host_clock": host_clock,
        "age_s": _seconds(passage.age_s),
        "box": _box(passage.box),
        "box_score": _score(passage.box_score),
        "frame_size": list(passage.frame_size),
        "crop": {"file": crop_file, "sha256": crop_sha256, "width": crop_width, "height": crop_height},
        "models": {"detector": _model(detector), "reader": _model(reader)},
        "program_version": program_version,
        "written_at": utc_text(written_at),
    }


def _reading(passage: Passage) -> Event:
    """Give what passed and what was read."""
    return {
        "state": passage.state,
        "passage": passage.key,
        "source": passage.source_id,
        "session": passage.session,
        "tracks": list(passage.tracks),
        "plate": passage.plate,
        "raw": passage.raw,
        "score": None if passage.score is None else _score(passage.score),
        "char_scores": [_score(score) for score in passage.char_scores],
        "alternatives": [{"plate": text, "score": _score(score)} for text, score in passage.alternatives],
        "country": passage.country,
        "format": passage.format,
        "unread_chars": passage.unread_chars,
        "reason": passage.reason,
    }


def to_line(event: Event) -> str:
    r"""Give the event as compact JSON without a line end, keys in the order of the dict.

    The text can always be encoded as UTF-8: bytes of a file name that are no UTF-8 (lone surrogates in Python) become ``\udcXX``.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def plate_label(plate: str, unread_chars: int) -> str:
    """Give a plate as tables show it: ``A12345 (+1 unread)`` if characters outside the alphabet stand on it, too."""
    return f"{plate} (+{unread_chars} unread)" if unread_chars else plate


def utc_text(moment: datetime) -> str:
    """Give an aware time as ``2026-05-01T08:00:00.000000Z``. Raises ValueError if it has no offset."""
    if moment.utcoffset() is None:
        raise ValueError(f"a time without an offset from UTC: {moment}")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@cache
def event_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of the events that this version writes."""
    text = files("streamer").joinpath("schemas", f"event-{SCHEMA_VERSION}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _score(value: float) -> float:
    return round(float(value), _SCORE_DIGITS)


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(float(value), _SECOND_DIGITS)


def _box(box: Box) -> list[float]:
    return [round(float(edge), _PIXEL_DIGITS) for edge in (box.x1, box.y1, box.x2, box.y2)]


def _stamp(stamp: Stamp) -> dict[str, object]:
    return {"time": utc_text(stamp.wall), "media_time_s": round(float(stamp.t), _SECOND_DIGITS), "frame": stamp.index}


def _model(info: ModelInfo) -> dict[str, str]:
    return {"name": info.name, "sha256": info.sha256, "backend": info.backend}
