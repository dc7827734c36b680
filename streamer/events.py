"""Passages to events: what is recorded, one JSON object a line. Its form is told by the JSON Schema in ``schemas`` (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from streamer.types import Box, ClipFacts, ModelInfo, Passage, PassageState, Stamp

SCHEMA_VERSION = 4
"""Grows with every change of an event's fields, because the schema allows no others."""

Event = dict[str, Any]
"""JSON values only; ``event_schema`` tells the fields."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the record an event will stand."""

    sequence: int
    """Of the revision among all, 1 and up, no gaps."""
    entry: int
    """Number of its entry in the chain, see ``streamer.chain``."""
    previous: str
    """Hash of the entry before, 64 hex digits."""


EventMaker = Callable[[Place], Event]
"""Gives the event for its place."""

RevisionReason = Literal["sure", "over", "no_vehicle", "interrupted", "correction", "clip"]
"""Why there is a revision: enough looks agree while the vehicle is in view; it has passed; what was previewed is no vehicle of its own;
the program ended before it had passed; somebody corrected it; its clip came later than the event."""

REASONS: dict[PassageState, RevisionReason] = {"preview": "sure", "final": "over", "withdrawn": "no_vehicle"}


PSEUDONYM: Final = "hmac:"
"""What a pseudonym begins with, which stands in place of a plate where ``privacy.mode`` asks for it."""

EvidenceKind = Literal["crop", "vehicle", "scene", "clip"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is said of a file that only holders of a private key can open; see ``sealing``."""

    plain_sha256: str
    """Of what is in it, lower-case hex."""
    to: tuple[str, ...]
    """Public keys, any of whose holders can open it."""


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A picture that belongs to an event."""

    kind: EvidenceKind
    file: str
    """Relative to the folder of the log, with ``/`` between folders."""
    sha256: str
    """Of the file, lower-case hex."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    redacted: Mapping[str, int] | None = None
    """How many areas of each kind that was looked for are hidden in it; None: it is as it was seen."""
    clip: ClipFacts | None = None
    """Of a clip."""
    sealed: Sealed | None = None
    """None: everybody who can read the file can look."""

    def entry(self) -> dict[str, Any]:
        """Give what stands in the event: JSON values; what is None of the rest is left out."""
        sealed = None if self.sealed is None else {"plain_sha256": self.sealed.plain_sha256, "to": list(self.sealed.to)}
        more = {"redacted": None if self.redacted is None else dict(self.redacted), "sealed": sealed}
        more["clip"] = None if self.clip is None else _clip(self.clip)
        said = {"kind": self.kind, "file": self.file, "sha256": self.sha256, "width": self.width, "height": self.height}
        return said | {key: value for key, value in more.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Making:
    """What is the same for all events of a run."""

    detector: ModelInfo
    reader: ModelInfo
    program_version: str
    configuration: str | None = None
    """SHA-256 of the settings, see ``configentry``; None: nobody recorded them."""


_SCORE_DIGITS = 4
_PIXEL_DIGITS = 1
_SECOND_DIGITS = 6


def event_of(
    passage: Passage,
    place: Place,
    making: Making,
    *,
    event_id: str,
    revision: int,
    evidence: Sequence[EvidenceFile],
    shed: Sequence[tuple[EvidenceKind, str]] = (),
    salt: str,
    written_at: datetime,
    host_clock: dict[str, object] | None = None,
) -> Event:
    """Give the event that records a passage.

    Args:
        passage: what happened.
        place: where in the record it will stand.
        making: by which models and program.
        event_id: UUIDv7 in its usual form; the same for all revisions of a passage.
        revision: 1, 2, 3 ...
        evidence: its pictures, the crop first.
        shed: kinds of pictures that there would be, and why there are not; see ``shedding``.
        salt: random, hex; see ``chain``.
        written_at: now, aware.
        host_clock: of live events: whether this machine's clock is synchronised, by what, and how far off it says it is.

    Raises:
        ValueError: a time has no offset.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "revision": revision,
        "revision_reason": REASONS[passage.state],
        "sequence": place.sequence,
        **_reading(passage),
        "correction": None,
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
        "evidence": [picture.entry() for picture in evidence],
        "evidence_shed": [{"kind": kind, "why": why} for kind, why in shed],
        "models": {"detector": _model(making.detector), "reader": _model(making.reader)},
        "program_version": making.program_version,
        "configuration": making.configuration,
        "written_at": utc_text(written_at),
        "salt": salt,
        "chain": chain_of(place),
    }


def chain_of(place: Place) -> dict[str, object]:
    """Give what an event says of its place in the chain."""
    return {"entry": place.entry, "previous": place.previous}


def _clip(facts: ClipFacts) -> Event:
    return {
        "codec": facts.codec,
        "begin": {"time": utc_text(facts.begin_wall), "media_time_s": _seconds(facts.begin_t)},
        "end": {"time": utc_text(facts.end_wall), "media_time_s": _seconds(facts.end_t)},
        "duration_s": _seconds(facts.duration_s),
        "frames": facts.frames,
        "first_frame": facts.first_frame,
        "best_frame": facts.best_frame,
        "last_frame": facts.last_frame,
        "complete": facts.complete,
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


def plate_that_holds(event: Mapping[str, Any]) -> str | None:
    """Give what somebody corrected the plate of an event to, if anybody did, else what the program decided; None if there is none."""
    said = event.get("correction")
    plate: str | None = event["plate"] if said is None else said["plate"]
    return plate


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
